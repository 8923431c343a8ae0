/* The structs of wire.h by their tables. */
#include "wire/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *at(const void *object, size_t offset)
{
	return (char *)object + offset;
}

/* As a path segment it stays where it is put: no '/', no leading dot, nothing that tricks a
 * terminal. */
static bool name_safe(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				  "_.-");
	return len > 0 && len <= 255 && !name[len] && name[0] != '.';
}

/* --- writing: NULL for what is left out ------------------------------------------------------- */

static bool continues_char(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static json_t *put_text(const struct member *m, const void *object)
{
	const char *text = *(const char **)at(object, m->offset);
	if (!text)
		return NULL;
	size_t len = strlen(text);
	if (m->max == 0 || len <= m->max)
		return text_to_json(text);
	size_t cut = m->max;
	while (cut > 0 && continues_char(text[cut]))
		cut--;
	struct buf CLEANUP(buf_release) head = { 0 };
	buf_add(&head, text, cut);
	return text_to_json(buf_str(&head));
}

static json_t *put_tail(const struct member *m, const void *object)
{
	const char *text = *(const char **)at(object, m->offset);
	if (!text)
		return NULL;
	size_t len = strlen(text);
	if (len > m->max) {
		text += len - m->max;
		while (continues_char(*text))
			text++;
	}
	return text_to_json(text);
}

static json_t *put_number(const struct member *m, const void *object)
{
	const void *p = at(object, m->offset);
	int64_t n = 0;
	if (m->kind == MEMBER_INT)
		n = *(const int *)p;
	else if (m->kind == MEMBER_U32)
		n = *(const uint32_t *)p;
	else if (m->kind == MEMBER_I64)
		n = *(const int64_t *)p;
	else
		n = *(const uint64_t *)p > INT64_MAX ? INT64_MAX : (int64_t) * (const uint64_t *)p;
	return n ? json_integer(n) : NULL;
}

static json_t *put_bool(const struct member *m, const void *object)
{
	return *(const bool *)at(object, m->offset) ? json_true() : NULL;
}

static json_t *put_maybe(const struct member *m, const void *object)
{
	return *(const bool *)at(object, m->count) ? json_integer(*(int *)at(object, m->offset))
						   : NULL;
}

static json_t *put_enum(const struct member *m, const void *object)
{
	unsigned int value = *(const unsigned int *)at(object, m->offset);
	return value || !(m->flags & MEMBER_SPARSE) ? json_string(m->values[value]) : NULL;
}

static json_t *put_digest(const struct member *m, const void *object)
{
	const struct digest *digest = at(object, m->offset);
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(digest, hex);
	return digest_is_none(digest) ? NULL : json_string(hex);
}

static json_t *put_strings(const struct member *m, const void *object)
{
	const struct str_list *list = at(object, m->offset);
	return list->set || list->len ? strings_to_json(list) : NULL;
}

static json_t *put_map(const struct member *m, const void *object)
{
	const struct str_map *map = at(object, m->offset);
	return map->set || map->len ? map_to_json(map) : NULL;
}

static json_t *put_list(const struct member *m, const void *object)
{
	const char *items = *(const char **)at(object, m->offset);
	uint32_t count = *(const uint32_t *)at(object, m->count);
	if (count == 0)
		return NULL;
	if (m->max && count > m->max)
		count = m->max;
	json_t *json = json_array();
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(json, layout_to_json(m->of, items + i * m->of->size));
	return json;
}

static json_t *put_object(const struct member *m, const void *object)
{
	const void *p = *(const void **)at(object, m->offset);
	return p ? wire_object_to_json(m->schema, p) : NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool get_text(const struct member *m, const json_t *json, struct arena *arena, void *object,
		     struct err *err)
{
	const char **text = at(object, m->offset);
	if (!text_from_json(json, arena, text, err))
		return false;
	bool name = m->flags & MEMBER_NAME || ((m->flags & MEMBER_NAME_OR_EMPTY) && **text);
	if (name && !name_safe(*text))
		return err_set(err, 0, "is not a name");
	return true;
}

static bool get_integer(const json_t *json, int64_t min, int64_t max, int64_t *n, struct err *err)
{
	if (!json_is_integer(json))
		return err_set(err, 0, "is not a whole number");
	*n = json_integer_value(json);
	return *n >= min && *n <= max ? true : err_set(err, 0, "is out of range");
}

static bool get_number(const struct member *m, const json_t *json, struct arena *arena UNUSED,
		       void *object, struct err *err)
{
	static const struct {
		int64_t min, max;
	} range[MEMBER_KIND_COUNT] = {
		[MEMBER_INT] = { INT32_MIN, INT32_MAX },
		[MEMBER_U32] = { 0, UINT32_MAX },
		[MEMBER_I64] = { INT64_MIN, INT64_MAX },
		[MEMBER_U64] = { 0, INT64_MAX },
	};
	void *p = at(object, m->offset);
	int64_t n = 0;
	if (!get_integer(json, range[m->kind].min, range[m->kind].max, &n, err))
		return false;
	if (m->kind == MEMBER_INT)
		*(int *)p = (int)n;
	else if (m->kind == MEMBER_U32)
		*(uint32_t *)p = (uint32_t)n;
	else if (m->kind == MEMBER_I64)
		*(int64_t *)p = n;
	else
		*(uint64_t *)p = (uint64_t)n;
	return true;
}

static bool get_bool(const struct member *m, const json_t *json, struct arena *arena UNUSED,
		     void *object, struct err *err)
{
	if (!json_is_boolean(json))
		return err_set(err, 0, "is not true or false");
	*(bool *)at(object, m->offset) = json_is_true(json);
	return true;
}

static bool get_maybe(const struct member *m, const json_t *json, struct arena *arena UNUSED,
		      void *object, struct err *err)
{
	int64_t n = 0;
	if (!get_integer(json, INT32_MIN, INT32_MAX, &n, err))
		return false;
	*(int *)at(object, m->offset) = (int)n;
	*(bool *)at(object, m->count) = true;
	return true;
}

static bool get_enum(const struct member *m, const json_t *json, struct arena *arena UNUSED,
		     void *object, struct err *err)
{
	const char *text = json_string_value(json);
	for (unsigned int i = 0; text && m->values[i]; i++) {
		if (strcmp(m->values[i], text) == 0) {
			*(unsigned int *)at(object, m->offset) = i;
			return true;
		}
	}
	return err_set(err, 0, "is none of the words it may be");
}

static bool get_digest(const struct member *m, const json_t *json, struct arena *arena UNUSED,
		       void *object, struct err *err)
{
	const char *text = json_string_value(json);
	return text && digest_parse(text, at(object, m->offset))
		       ? true
		       : err_set(err, 0, "is not a digest");
}

static bool get_strings(const struct member *m, const json_t *json, struct arena *arena,
			void *object, struct err *err)
{
	return strings_from_json(json, arena, at(object, m->offset), err);
}

static bool get_map(const struct member *m, const json_t *json, struct arena *arena, void *object,
		    struct err *err)
{
	return map_from_json(json, arena, at(object, m->offset), err);
}

static bool get_list(const struct member *m, const json_t *json, struct arena *arena, void *object,
		     struct err *err)
{
	size_t count = json_array_size(json); /* 0 for what is not an array */
	if (!json_is_array(json))
		return err_set(err, 0, "is not a list");
	if (m->max && count > m->max)
		return err_set(err, 0, "has more than %u items", m->max);
	char *items = arena_alloc(arena, count * m->of->size);
	*(void **)at(object, m->offset) = items;
	*(uint32_t *)at(object, m->count) = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		if (!layout_from_json(m->of, json_array_get(json, i), arena,
				      items + i * m->of->size, err))
			return err_wrap(err, "item %zu", i + 1);
	}
	return true;
}

static bool get_object(const struct member *m, const json_t *json, struct arena *arena,
		       void *object, struct err *err)
{
	void *p = arena_alloc(arena, m->schema->size);
	*(void **)at(object, m->offset) = p;
	return wire_object_from_json(m->schema, json, arena, p, err);
}

/* --- both ---------------------------------------------------------------------------------------
 */

static const struct {
	json_t *(*put)(const struct member *m, const void *object);
	bool (*get)(const struct member *m, const json_t *json, struct arena *arena, void *object,
		    struct err *err);
} codecs[MEMBER_KIND_COUNT] = {
	[MEMBER_TEXT] = { put_text, get_text },
	[MEMBER_TAIL] = { put_tail, get_text },
	[MEMBER_INT] = { put_number, get_number },
	[MEMBER_U32] = { put_number, get_number },
	[MEMBER_I64] = { put_number, get_number },
	[MEMBER_U64] = { put_number, get_number },
	[MEMBER_BOOL] = { put_bool, get_bool },
	[MEMBER_MAYBE] = { put_maybe, get_maybe },
	[MEMBER_ENUM] = { put_enum, get_enum },
	[MEMBER_DIGEST] = { put_digest, get_digest },
	[MEMBER_STRINGS] = { put_strings, get_strings },
	[MEMBER_MAP] = { put_map, get_map },
	[MEMBER_LIST] = { put_list, get_list },
	[MEMBER_OBJECT] = { put_object, get_object },
};

json_t *layout_to_json(const struct layout *layout, const void *object)
{
	json_t *json = json_object();
	for (size_t i = 0; i < layout->count; i++) {
		const struct member *m = &layout->members[i];
		json_t *value = codecs[m->kind].put(m, object);
		if (value)
			json_object_set_new_nocheck(json, m->name, value);
	}
	return json;
}

bool layout_from_json(const struct layout *layout, const json_t *json, struct arena *arena,
		      void *object, struct err *err)
{
	if (!json_is_object(json))
		return err_set(err, 0, "is not an object");
	for (size_t i = 0; i < layout->count; i++) {
		const struct member *m = &layout->members[i];
		const json_t *value = json_object_get(json, m->name);
		if (!value || json_is_null(value)) {
			if (m->flags & MEMBER_REQUIRED)
				return err_set(err, 0, "'%s' is missing", m->name);
		} else if (!codecs[m->kind].get(m, value, arena, object, err)) {
			return err_wrap(err, "'%s'", m->name);
		}
	}
	return true;
}
