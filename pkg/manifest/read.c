/* Values -> structs, by the field tables of model. */
#include "manifest/internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *did_you_mean(const struct diag_list *diags, struct arena *scratch, const char *word,
			 const char *const *names, size_t count)
{
	if (diags->errors + diags->warnings > DIAG_SHOWN_MAX)
		return "";
	const char *near = diag_suggest(word, names, count);
	return near ? arena_printf(scratch, " (did you mean \"%s\"?)", near) : "";
}

void report_unknown(struct reading *r, const struct value *key, const char *what,
		    const char *const *names, size_t count)
{
	const char *hint = did_you_mean(r->in.diags, r->in.scratch, key->text, names, count);
	if (r->ecs)
		report_warning(r, key->pos, "unknown field \"%s\" of the %s is ignored%s",
			       key->text, what, hint);
	else
		report_error(r, key->pos, "unknown field \"%s\" of the %s%s", key->text, what,
			     hint);
}

/* --- lists and maps --------------------------------------------------------------------------- */

static bool check_count(struct reading *r, const struct field *field, const struct value *v)
{
	if (field->min >= field->max || (v->count >= field->min && v->count <= field->max))
		return true;
	if (v->count < field->min)
		report_error(r, v->pos, "\"%s\" must not be empty", field->name);
	else
		report_error(r, v->pos, "\"%s\" has %u entries; at most %" PRId64 " are allowed",
			     field->name, v->count, field->max);
	return false;
}

static bool is_collection(struct reading *r, const struct field *field, const struct value *v,
			  enum value_kind kind)
{
	if (v->kind == kind)
		return check_count(r, field, v);
	if (v->kind != VALUE_BAD)
		report_error(r, v->pos, "\"%s\" must be %s, not %s", field->name,
			     kind == VALUE_SEQUENCE ? "a list" : "a mapping of names to values",
			     value_kind_text(v));
	return false;
}

static const char *read_item(struct reading *r, const struct field *field, const struct value *v)
{
	if (!value_is_null(v))
		return read_string(r, field, v);
	report_error(r, v->pos, "an entry of \"%s\" has no value", field->name);
	return NULL;
}

static void read_string_list(struct reading *r, const struct field *field, const struct value *v,
			     struct str_list *out)
{
	if (!is_collection(r, field, v, VALUE_SEQUENCE))
		return;
	out->set = true;
	out->items = ARENA_ARRAY(r->arena, const char *, v->count);
	for (const struct value *m = v->first; m; m = m->next) {
		const char *text = read_item(r, field, m);
		if (text)
			out->items[out->len++] = text;
	}
}

static void read_name_list(struct reading *r, const struct field *field, const struct value *v,
			   struct str_at_list *out)
{
	if (!is_collection(r, field, v, VALUE_SEQUENCE))
		return;
	out->set = true;
	out->items = ARENA_ARRAY(r->arena, struct str_at, v->count);
	for (const struct value *m = v->first; m; m = m->next) {
		const char *text = read_item(r, field, m);
		if (text)
			out->items[out->len++] = (struct str_at){ text, m->pos };
	}
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct str_pair *)a)->name, ((const struct str_pair *)b)->name);
}

static void read_map(struct reading *r, const struct field *field, const struct value *v,
		     struct str_map *out)
{
	if (!is_collection(r, field, v, VALUE_MAPPING))
		return;
	out->set = true;
	out->items = ARENA_ARRAY(r->arena, struct str_pair, v->count);
	for (const struct value *m = v->first; m; m = m->next) {
		const char *text = NULL;
		if (value_is_null(m) && !(field->flags & FIELD_BARE_NAMES))
			continue;
		if (!value_is_null(m) && !(text = scalar_text(r, field, m)))
			continue;
		out->items[out->len++] = (struct str_pair){ arena_strdup(r->arena, m->key->text),
							    arena_strdup(r->arena, text) };
	}
	qsort(out->items, out->len, sizeof(*out->items), compare_pairs);
}

/* An entry of a FIELD_PAIR_LIST. */
struct named_value {
	struct pos pos;
	struct str_at name;
	const char *value;
};
static const struct field named_value_fields[] = {
	{ .name = "name",
	  .kind = FIELD_STRING_AT,
	  .flags = FIELD_REQUIRED,
	  .offset = offsetof(struct named_value, name) },
	{ .name = "value", .kind = FIELD_STRING, .offset = offsetof(struct named_value, value) },
};
static const struct schema named_value_schema = {
	.name = "name and value",
	.fields = named_value_fields,
	.count = ARRAY_LEN(named_value_fields),
	.size = sizeof(struct named_value),
};

static int compare_named_values(const void *a, const void *b)
{
	const struct named_value *x = a, *y = b;
	int order = strcmp(x->name.value, y->name.value);
	if (!order && x->pos.line != y->pos.line)
		order = x->pos.line < y->pos.line ? -1 : 1;
	return order ? order : (x->pos.col > y->pos.col) - (x->pos.col < y->pos.col);
}

static void read_pair_list(struct reading *r, const struct field *field, const struct value *v,
			   struct str_map *out)
{
	if (!is_collection(r, field, v, VALUE_SEQUENCE))
		return;
	struct named_value *pairs = ARENA_ARRAY(r->in.scratch, struct named_value, v->count);
	uint32_t n = 0;
	for (const struct value *m = v->first; m; m = m->next) {
		pairs[n] = (struct named_value){ 0 };
		read_object(r, &named_value_schema, m, &pairs[n]);
		n += pairs[n].name.value != NULL;
	}
	qsort(pairs, n, sizeof(*pairs), compare_named_values);
	out->set = true;
	out->items = ARENA_ARRAY(r->arena, struct str_pair, n);
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0 && strcmp(pairs[i].name.value, pairs[i - 1].name.value) == 0)
			report_error(r, pairs[i].name.pos,
				     "\"%s\" is twice in \"%s\", before on line %u",
				     pairs[i].name.value, field->name, pairs[i - 1].name.pos.line);
		else
			out->items[out->len++] =
				(struct str_pair){ pairs[i].name.value,
						   pairs[i].value ? pairs[i].value : "" };
	}
}

/* --- objects ---------------------------------------------------------------------------------- */

/* One that a file may have. */
static const struct field *field_of_files(const struct schema *schema, const char *name)
{
	const struct field *field = schema_find(schema, name);
	return field && !(field->flags & FIELD_DERIVED) ? field : NULL;
}

/* ECS's own tools take a single object for a list of one; what has other fields is something else.
 */
static bool is_single(struct reading *r, const struct field *field, const struct value *v)
{
	if (!r->ecs || v->kind != VALUE_MAPPING)
		return false;
	for (const struct value *m = v->first; m; m = m->next)
		if (!field_of_files(field->of, m->key->text))
			return false;
	report_warning(r, v->pos, "\"%s\" should be a list; taken as a list of one", field->name);
	return true;
}

static void read_object_list(struct reading *r, const struct field *field, const struct value *v,
			     struct object_list *out)
{
	bool single = is_single(r, field, v);
	if (!single && !is_collection(r, field, v, VALUE_SEQUENCE))
		return;
	const struct value *item = single ? v : v->first;
	out->set = true;
	out->items = arena_alloc(r->arena, field->of->size * (single ? 1 : v->count));
	for (; item; item = single ? NULL : item->next, out->len++)
		read_object(r, field->of, item, (char *)out->items + out->len * field->of->size);
}

/* A field without a member: nothing is kept of it. */
static void read_ignored(struct reading *r, const struct field *field, const struct value *v)
{
	if (value_is_empty(v))
		return;
	if (field->flags & FIELD_REFUSED &&
	    !(field->values && v->kind == VALUE_SCALAR && is_allowed_value(field->values, v->text)))
		report_error(r, v->key->pos, "%s", field->note);
	if (field->of)
		read_object(r, field->of, v, arena_alloc(r->in.scratch, field->of->size));
}

/* What is given and will not be done is never passed over in silence. */
static void warn_of_effect(struct reading *r, const struct field *field, const struct value *v)
{
	if (value_is_empty(v) || (v->kind == VALUE_SCALAR && strcmp(v->text, "false") == 0))
		return; /* it asks for nothing */
	if (field->flags & FIELD_NO_EFFECT)
		report_warning(r, v->key->pos, "\"%s\" is ignored: %s", field->name, field->note);
	if (field->flags & FIELD_NOT_OFFERED)
		report_warning(
			r, v->key->pos,
			"\"%s\" needs %s, which no engine offers yet: the task is not placed",
			field->name, capability_words(field->needs, r->in.scratch));
}

static void read_field(struct reading *r, const struct field *field, const struct value *v,
		       void *object)
{
	warn_of_effect(r, field, v);
	void *at = field_at(field, object);
	switch (field->kind) {
	case FIELD_STRING: *(const char **)at = read_string(r, field, v); break;
	case FIELD_STRING_AT:
		*(struct str_at *)at = (struct str_at){ read_string(r, field, v), v->pos };
		break;
	case FIELD_INT: read_int(r, field, v, at); break;
	case FIELD_BOOL: read_bool(r, field, v, at); break;
	case FIELD_STRING_LIST: read_string_list(r, field, v, at); break;
	case FIELD_NAME_LIST: read_name_list(r, field, v, at); break;
	case FIELD_STRING_MAP: read_map(r, field, v, at); break;
	case FIELD_PAIR_LIST: read_pair_list(r, field, v, at); break;
	case FIELD_OBJECT:
		*(void **)at = arena_alloc(r->arena, field->of->size);
		read_object(r, field->of, v, *(void **)at);
		break;
	case FIELD_OBJECT_LIST: read_object_list(r, field, v, at); break;
	case FIELD_IGNORED: read_ignored(r, field, v); break;
	}
}

static void report_unknown_field(struct reading *r, const struct schema *schema,
				 const struct value *key)
{
	const char **names = ARENA_ARRAY(r->in.scratch, const char *, schema->count);
	size_t count = 0;
	for (size_t i = 0; i < schema->count; i++)
		if (!(schema->fields[i].flags & (FIELD_METADATA | FIELD_DERIVED)))
			names[count++] = schema->fields[i].name;
	report_unknown(r, key, schema->name, names, count);
}

/* Given is one bit a field: there, whether right or wrong. */
static void check_required(struct reading *r, const struct schema *schema, const struct value *v,
			   const void *object, uint64_t given)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		if (field->flags & FIELD_REQUIRED && !(field->flags & FIELD_METADATA) &&
		    !(given >> i & 1) && !field_is_set(field, object))
			report_error(r, v->pos, "the %s has no \"%s\"", schema->name, field->name);
	}
}

void read_object(struct reading *r, const struct schema *schema, const struct value *v,
		 void *object)
{
	uint64_t given = 0;
	assert(schema->count <= 64);
	*(struct pos *)object = v->pos;
	if (v->kind != VALUE_MAPPING) {
		if (v->kind != VALUE_BAD)
			report_error(r, v->pos, "a %s must be a mapping of fields, not %s",
				     schema->name, value_kind_text(v));
		return;
	}
	for (const struct value *m = v->first; m; m = m->next) {
		const struct field *field = field_of_files(schema, m->key->text);
		if (!field || field->flags & FIELD_METADATA) {
			report_unknown_field(r, schema, m->key);
			continue;
		}
		uint64_t bit = UINT64_C(1) << (field - schema->fields);
		if (value_is_null(m) || given & bit)
			continue; /* absent, or given twice, which was reported */
		given |= bit;
		read_field(r, field, m, object);
	}
	check_required(r, schema, v, object, given);
}
