/* What an object needs of a node, by the rows of its table. */
#include "model/schema.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	enum needs_kind kind;
	struct arena *arena;
	VEC(const char *) names;
};

static bool is_one_of(const char *const *values, const char *text)
{
	for (; values && *values; values++)
		if (strcmp(*values, text) == 0)
			return true;
	return false;
}

static void need(struct walk *w, const struct field *field, const char *value)
{
	bool alone = w->kind == NEEDS_ONE_CONTAINER && field->alone_needs;
	const char *name = w->kind == NEEDS_PROCESS ? field->process_needs
			   : alone		    ? field->alone_needs
						    : field->needs;
	if (!value || is_one_of(field->unless, value))
		return;
	if (name && name[strlen(name) - 1] == '.')
		name = arena_printf(w->arena, "%s%s", name, value);
	if (name)
		*vec_push(&w->names) = name;
	const char *by_value = field->needs_of ? field->needs_of(value) : NULL;
	if (by_value)
		*vec_push(&w->names) = by_value;
}

static void walk(struct walk *w, const struct schema *schema, const void *object);

static void walk_strings(struct walk *w, const struct field *field, const struct str_list *list)
{
	if (field->needs_of)
		for (uint32_t i = 0; i < list->len; i++)
			need(w, field, list->items[i]);
	else if (list->len)
		need(w, field, list->items[0]);
}

static void walk_objects(struct walk *w, const struct field *field, const struct object_list *list)
{
	if (list->len)
		need(w, field, "");
	for (uint32_t i = 0; i < list->len; i++)
		walk(w, field->of, (const char *)list->items + i * field->of->size);
}

static void walk_field(struct walk *w, const struct field *field, const void *object)
{
	const void *at = field_at(field, object);
	const char *text;
	switch (field->kind) {
	case FIELD_STRING:
		text = *(const char *const *)at;
		need(w, field, *text ? text : NULL);
		break;
	case FIELD_INT:
		need(w, field,
		     arena_printf(w->arena, "%" PRId64, ((const struct opt_int *)at)->value));
		break;
	case FIELD_BOOL: need(w, field, *(const enum opt_bool *)at == OPT_TRUE ? "" : NULL); break;
	case FIELD_STRING_LIST: walk_strings(w, field, at); break;
	case FIELD_OBJECT:
		need(w, field, "");
		walk(w, field->of, *(void *const *)at);
		break;
	case FIELD_OBJECT_LIST: walk_objects(w, field, at); break;
	case FIELD_STRING_AT:
	case FIELD_NAME_LIST:
	case FIELD_STRING_MAP:
	case FIELD_PAIR_LIST:
	case FIELD_IGNORED: break;
	}
}

static void walk(struct walk *w, const struct schema *schema, const void *object)
{
	for (size_t i = 0; i < schema->count; i++)
		if (field_is_set(&schema->fields[i], object))
			walk_field(w, &schema->fields[i], object);
}

struct str_list schema_needs(const struct schema *schema, const void *object, enum needs_kind kind,
			     struct arena *arena)
{
	struct walk w = { .kind = kind, .arena = arena };
	struct str_list list = { .set = true };
	walk(&w, schema, object);
	if (w.names.len)
		qsort(w.names.items, w.names.len, sizeof(*w.names.items), str_compare);
	list.items = ARENA_ARRAY(arena, const char *, w.names.len);
	for (size_t i = 0; i < w.names.len; i++)
		if (!list.len || strcmp(list.items[list.len - 1], w.names.items[i]) != 0)
			list.items[list.len++] = w.names.items[i];
	vec_release(&w.names);
	return list;
}
