/* Strings, lists and maps of strings as JSON. */
#include "wire/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static json_t *repaired(const char *text, size_t len)
{
	struct buf CLEANUP(buf_release) out = { 0 };
	for (size_t i = 0, n; i < len; i += n) {
		for (n = 1; n <= 4 && i + n <= len && !utf8_valid(text + i, n); n++)
			;
		if (n <= 4 && i + n <= len) {
			buf_add(&out, text + i, n);
			continue;
		}
		buf_adds(&out, "\xef\xbf\xbd");
		n = 1;
	}
	return json_stringn(out.data, out.len);
}

json_t *text_to_json(const char *text)
{
	json_t *json = json_string(text);
	return json ? json : repaired(text, strlen(text));
}

bool text_from_json(const json_t *json, struct arena *arena, const char **text, struct err *err)
{
	if (!json_is_string(json))
		return err_set(err, 0, "is not a string");
	*text = arena_strndup(arena, json_string_value(json), json_string_length(json));
	return true;
}

json_t *strings_to_json(const struct str_list *list)
{
	json_t *json = json_array();
	for (uint32_t i = 0; i < list->len; i++)
		json_array_append_new(json, text_to_json(list->items[i]));
	return json;
}

bool strings_from_json(const json_t *json, struct arena *arena, struct str_list *list,
		       struct err *err)
{
	if (!json_is_array(json))
		return err_set(err, 0, "is not a list");
	list->set = true;
	list->items = ARENA_ARRAY(arena, const char *, json_array_size(json));
	for (size_t i = 0; i < json_array_size(json); i++, list->len++) {
		if (!text_from_json(json_array_get(json, i), arena, &list->items[i], err))
			return false;
	}
	return true;
}

json_t *map_to_json(const struct str_map *map)
{
	json_t *json = json_object();
	for (uint32_t i = 0; i < map->len; i++) {
		const struct str_pair *pair = &map->items[i];
		json_t *value = pair->value ? text_to_json(pair->value) : json_null();
		if (json_object_set(json, pair->name, value))
			assert(!"names of a map are valid UTF-8");
		json_decref(value);
	}
	return json;
}

bool map_from_json(const json_t *json, struct arena *arena, struct str_map *map, struct err *err)
{
	if (!json_is_object(json))
		return err_set(err, 0, "is not an object");
	map->set = true;
	map->items = ARENA_ARRAY(arena, struct str_pair, json_object_size(json));
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)json, name, value)
	{
		struct str_pair *pair = &map->items[map->len++];
		pair->name = arena_strdup(arena, name);
		if (!json_is_null(value) && !text_from_json(value, arena, &pair->value, err))
			return false;
	}
	return map_sort(map, err);
}

static int pair_compare(const void *a, const void *b)
{
	const struct str_pair *x = a, *y = b;
	return strcmp(x->name, y->name);
}

bool map_sort(struct str_map *map, struct err *err)
{
	qsort(map->items, map->len, sizeof(*map->items), pair_compare);
	for (uint32_t i = 1; i < map->len; i++) {
		if (strcmp(map->items[i - 1].name, map->items[i].name) == 0)
			return err_set(err, 0, "has a name twice");
	}
	return true;
}
