#include "model/schema.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const struct field *schema_find(const struct schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->count; i++)
		if (strcmp(schema->fields[i].name, name) == 0)
			return &schema->fields[i];
	return NULL;
}

bool field_is_set(const struct field *field, const void *object)
{
	const void *at = field_at(field, object);
	switch (field->kind) {
	case FIELD_STRING: return *(const char *const *)at != NULL;
	case FIELD_STRING_AT: return ((const struct str_at *)at)->value != NULL;
	case FIELD_INT: return ((const struct opt_int *)at)->set;
	case FIELD_BOOL: return *(const enum opt_bool *)at != OPT_UNSET;
	case FIELD_STRING_LIST: return ((const struct str_list *)at)->set;
	case FIELD_NAME_LIST: return ((const struct str_at_list *)at)->set;
	case FIELD_STRING_MAP:
	case FIELD_PAIR_LIST: return ((const struct str_map *)at)->set;
	case FIELD_OBJECT: return *(void *const *)at != NULL;
	case FIELD_OBJECT_LIST: return ((const struct object_list *)at)->set;
	case FIELD_IGNORED: return false;
	}
	return false;
}

/* --- canonical text --------------------------------------------------------------------------- */

void schema_quote(const char *s, struct buf *out)
{
	buf_addc(out, '"');
	for (const char *p = s; *p; p++) {
		if (*p == '"' || *p == '\\') {
			buf_addc(out, '\\');
			buf_addc(out, *p);
		} else if (*p == '\n') {
			buf_adds(out, "\\n");
		} else if (*p == '\t') {
			buf_adds(out, "\\t");
		} else if ((unsigned char)*p < ' ' || *p == 0x7f) {
			buf_addf(out, "\\u%04x", (unsigned)(unsigned char)*p);
		} else {
			buf_addc(out, *p);
		}
	}
	buf_addc(out, '"');
}

static void quote_or_null(const char *s, struct buf *out)
{
	if (s)
		schema_quote(s, out);
	else
		buf_adds(out, "null");
}

static void comma(uint32_t index, struct buf *out)
{
	if (index > 0)
		buf_addc(out, ',');
}

static void canonical_map(const struct str_map *map, struct buf *out)
{
	buf_addc(out, '{');
	for (uint32_t i = 0; i < map->len; i++) {
		comma(i, out);
		schema_quote(map->items[i].name, out);
		buf_addc(out, ':');
		quote_or_null(map->items[i].value, out);
	}
	buf_addc(out, '}');
}

static void canonical_list(const struct field *field, const void *at, struct buf *out)
{
	const struct str_list *strings = at;
	const struct str_at_list *names = at;
	const struct object_list *objects = at;
	uint32_t len = field->kind == FIELD_STRING_LIST ? strings->len
		       : field->kind == FIELD_NAME_LIST ? names->len
							: objects->len;
	buf_addc(out, '[');
	for (uint32_t i = 0; i < len; i++) {
		comma(i, out);
		if (field->kind == FIELD_STRING_LIST)
			schema_quote(strings->items[i], out);
		else if (field->kind == FIELD_NAME_LIST)
			schema_quote(names->items[i].value, out);
		else
			schema_canonical(field->of,
					 (const char *)objects->items + i * field->of->size, out);
	}
	buf_addc(out, ']');
}

static void canonical_field(const struct field *field, const void *object, struct buf *out)
{
	const void *at = field_at(field, object);
	switch (field->kind) {
	case FIELD_STRING: schema_quote(*(const char *const *)at, out); break;
	case FIELD_STRING_AT: schema_quote(((const struct str_at *)at)->value, out); break;
	case FIELD_INT: buf_addf(out, "%" PRId64, ((const struct opt_int *)at)->value); break;
	case FIELD_BOOL:
		buf_adds(out, *(const enum opt_bool *)at == OPT_TRUE ? "true" : "false");
		break;
	case FIELD_STRING_LIST:
	case FIELD_NAME_LIST:
	case FIELD_OBJECT_LIST: canonical_list(field, at, out); break;
	case FIELD_STRING_MAP:
	case FIELD_PAIR_LIST: canonical_map(at, out); break;
	case FIELD_OBJECT: schema_canonical(field->of, *(void *const *)at, out); break;
	case FIELD_IGNORED: break;
	}
}

static int compare_field_names(const void *a, const void *b)
{
	return strcmp((*(const struct field *const *)a)->name,
		      (*(const struct field *const *)b)->name);
}

/* More than any table has; checked by assert. */
#define SCHEMA_FIELDS_MAX 64

void schema_canonical(const struct schema *schema, const void *object, struct buf *out)
{
	const struct field *set[SCHEMA_FIELDS_MAX];
	uint32_t count = 0;
	assert(schema->count <= SCHEMA_FIELDS_MAX);
	for (size_t i = 0; i < schema->count; i++)
		if (field_is_set(&schema->fields[i], object))
			set[count++] = &schema->fields[i];
	qsort(set, count, sizeof(set[0]), compare_field_names);
	buf_addc(out, '{');
	for (uint32_t i = 0; i < count; i++) {
		comma(i, out);
		schema_quote(set[i]->name, out);
		buf_addc(out, ':');
		canonical_field(set[i], object, out);
	}
	buf_addc(out, '}');
}

/* --- copies ----------------------------------------------------------------------------------- */

static void copy_string_list(struct str_list *list, struct arena *arena)
{
	const char **items = ARENA_ARRAY(arena, const char *, list->len);
	for (uint32_t i = 0; i < list->len; i++)
		items[i] = arena_strdup(arena, list->items[i]);
	list->items = items;
}

static void copy_name_list(struct str_at_list *list, struct arena *arena)
{
	struct str_at *items = ARENA_ARRAY(arena, struct str_at, list->len);
	for (uint32_t i = 0; i < list->len; i++) {
		items[i] = list->items[i];
		items[i].value = arena_strdup(arena, items[i].value);
	}
	list->items = items;
}

static void copy_map(struct str_map *map, struct arena *arena)
{
	struct str_pair *items = ARENA_ARRAY(arena, struct str_pair, map->len);
	for (uint32_t i = 0; i < map->len; i++) {
		items[i].name = arena_strdup(arena, map->items[i].name);
		items[i].value = arena_strdup(arena, map->items[i].value);
	}
	map->items = items;
}

static void copy_fields(const struct schema *schema, void *object, struct arena *arena);

static void copy_objects(const struct schema *schema, struct object_list *list, struct arena *arena)
{
	char *items = arena_alloc(arena, schema->size * list->len);
	if (list->len)
		memcpy(items, list->items, schema->size * list->len);
	for (uint32_t i = 0; i < list->len; i++)
		copy_fields(schema, items + i * schema->size, arena);
	list->items = items;
}

/* object is a shallow copy: replace what its fields point at. */
static void copy_fields(const struct schema *schema, void *object, struct arena *arena)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		if (!field_is_set(field, object))
			continue;
		void *at = field_at(field, object);
		switch (field->kind) {
		case FIELD_STRING:
			*(const char **)at = arena_strdup(arena, *(const char **)at);
			break;
		case FIELD_STRING_AT:
			((struct str_at *)at)->value =
				arena_strdup(arena, ((struct str_at *)at)->value);
			break;
		case FIELD_STRING_LIST: copy_string_list(at, arena); break;
		case FIELD_NAME_LIST: copy_name_list(at, arena); break;
		case FIELD_STRING_MAP:
		case FIELD_PAIR_LIST: copy_map(at, arena); break;
		case FIELD_OBJECT:
			*(void **)at = schema_copy(field->of, *(void **)at, arena);
			break;
		case FIELD_OBJECT_LIST: copy_objects(field->of, at, arena); break;
		case FIELD_INT:
		case FIELD_BOOL:
		case FIELD_IGNORED: break;
		}
	}
}

void *schema_copy(const struct schema *schema, const void *object, struct arena *arena)
{
	void *copy = arena_alloc(arena, schema->size);
	memcpy(copy, object, schema->size);
	copy_fields(schema, copy, arena);
	return copy;
}
