/* Values: what YAML or JSON says, before anything is made of it. */
#include "manifest/internal.h"

#include <string.h>

bool path_is_json(const char *path)
{
	return ends_with(path, ".json");
}

struct value *values_of(struct input *in, bool json)
{
	size_t bad = utf8_bad_offset(in);
	if (bad < in->len) {
		diag_error(in->diags, in->path, place_of_offset(in, bad), "not valid UTF-8");
		in->cut = true;
		return NULL;
	}
	return json ? values_parse_json(in) : values_parse(in);
}

struct value *value_new(const struct input *in, enum value_kind kind, struct pos pos)
{
	struct value *v = ARENA_NEW(in->scratch, struct value);
	v->kind = kind;
	v->pos = pos;
	return v;
}

bool value_is_null(const struct value *v)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	if (v->kind != VALUE_SCALAR || !v->plain)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(nulls); i++)
		if (strcmp(v->text, nulls[i]) == 0)
			return true;
	return false;
}

bool value_is_empty(const struct value *v)
{
	return v->kind == VALUE_SCALAR ? value_is_null(v) || !*v->text
				       : v->kind != VALUE_BAD && !v->count;
}

const struct value *value_get(const struct value *v, const char *name)
{
	if (!v || v->kind != VALUE_MAPPING)
		return NULL;
	for (const struct value *m = v->first; m; m = m->next)
		if (strcmp(m->key->text, name) == 0 && !value_is_null(m))
			return m;
	return NULL;
}

const struct value *value_at(const struct value *v, uint32_t index)
{
	if (!v || (v->kind == VALUE_MAPPING && index == 0))
		return v;
	const struct value *m = v->kind == VALUE_SEQUENCE ? v->first : NULL;
	while (m && index-- > 0)
		m = m->next;
	return m;
}

const char *value_kind_text(const struct value *v)
{
	switch (v->kind) {
	case VALUE_SCALAR: return value_is_null(v) ? "nothing" : "a single value";
	case VALUE_SEQUENCE: return "a list";
	case VALUE_MAPPING: return "a mapping";
	case VALUE_BAD: break;
	}
	return "this";
}
