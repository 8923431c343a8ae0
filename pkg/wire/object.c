/* The structs of the model by their schemas: explicit fields only, in both directions. */
#include "wire/internal.h"

#include <string.h>

/* --- writing: of fields that are set ---------------------------------------------------------- */

static json_t *put_string(const struct field *field UNUSED, const void *p)
{
	return text_to_json(*(const char *const *)p);
}

static json_t *put_string_at(const struct field *field UNUSED, const void *p)
{
	return text_to_json(((const struct str_at *)p)->value);
}

static json_t *put_int(const struct field *field UNUSED, const void *p)
{
	return json_integer(((const struct opt_int *)p)->value);
}

static json_t *put_bool(const struct field *field UNUSED, const void *p)
{
	return json_boolean(*(const enum opt_bool *)p == OPT_TRUE);
}

static json_t *put_string_list(const struct field *field UNUSED, const void *p)
{
	return strings_to_json(p);
}

static json_t *put_name_list(const struct field *field UNUSED, const void *p)
{
	const struct str_at_list *list = p;
	json_t *json = json_array();
	for (uint32_t i = 0; i < list->len; i++)
		json_array_append_new(json, text_to_json(list->items[i].value));
	return json;
}

static json_t *put_map(const struct field *field UNUSED, const void *p)
{
	return map_to_json(p);
}

static json_t *put_pair_list(const struct field *field UNUSED, const void *p)
{
	const struct str_map *map = p;
	json_t *json = json_array();
	for (uint32_t i = 0; i < map->len; i++) {
		json_t *pair = json_object();
		json_object_set_new_nocheck(pair, "name", text_to_json(map->items[i].name));
		if (map->items[i].value)
			json_object_set_new_nocheck(pair, "value",
						    text_to_json(map->items[i].value));
		json_array_append_new(json, pair);
	}
	return json;
}

static json_t *put_object(const struct field *field, const void *p)
{
	return wire_object_to_json(field->of, *(const void *const *)p);
}

static json_t *put_object_list(const struct field *field, const void *p)
{
	return wire_list_to_json(field->of, p);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool get_string(const struct field *field UNUSED, const json_t *json, struct arena *arena,
		       void *p, struct err *err)
{
	return text_from_json(json, arena, p, err);
}

static bool get_string_at(const struct field *field UNUSED, const json_t *json, struct arena *arena,
			  void *p, struct err *err)
{
	return text_from_json(json, arena, &((struct str_at *)p)->value, err);
}

static bool get_int(const struct field *field UNUSED, const json_t *json,
		    struct arena *arena UNUSED, void *p, struct err *err)
{
	if (!json_is_integer(json))
		return err_set(err, 0, "is not a whole number");
	*(struct opt_int *)p = (struct opt_int){ .set = true, .value = json_integer_value(json) };
	return true;
}

static bool get_bool(const struct field *field UNUSED, const json_t *json,
		     struct arena *arena UNUSED, void *p, struct err *err)
{
	if (!json_is_boolean(json))
		return err_set(err, 0, "is not true or false");
	*(enum opt_bool *)p = json_is_true(json) ? OPT_TRUE : OPT_FALSE;
	return true;
}

static bool get_string_list(const struct field *field UNUSED, const json_t *json,
			    struct arena *arena, void *p, struct err *err)
{
	return strings_from_json(json, arena, p, err);
}

static bool get_name_list(const struct field *field UNUSED, const json_t *json, struct arena *arena,
			  void *p, struct err *err)
{
	struct str_list names = { 0 };
	if (!strings_from_json(json, arena, &names, err))
		return false;
	struct str_at_list *list = p;
	list->items = ARENA_ARRAY(arena, struct str_at, names.len);
	list->len = names.len;
	list->set = true;
	for (uint32_t i = 0; i < names.len; i++)
		list->items[i].value = names.items[i];
	return true;
}

static bool get_map(const struct field *field UNUSED, const json_t *json, struct arena *arena,
		    void *p, struct err *err)
{
	return map_from_json(json, arena, p, err);
}

static bool get_pair_list(const struct field *field UNUSED, const json_t *json, struct arena *arena,
			  void *p, struct err *err)
{
	if (!json_is_array(json))
		return err_set(err, 0, "is not a list");
	struct str_map *map = p;
	map->set = true;
	map->items = ARENA_ARRAY(arena, struct str_pair, json_array_size(json));
	for (size_t i = 0; i < json_array_size(json); i++) {
		const json_t *item = json_array_get(json, i),
			     *value = json_object_get(item, "value");
		struct str_pair *pair = &map->items[map->len++];
		if (!text_from_json(json_object_get(item, "name"), arena, &pair->name, err))
			return err_wrap(err, "the name of item %zu", i + 1);
		if (value && !json_is_null(value) &&
		    !text_from_json(value, arena, &pair->value, err))
			return err_wrap(err, "the value of item %zu", i + 1);
	}
	return map_sort(map, err);
}

static bool get_object(const struct field *field, const json_t *json, struct arena *arena, void *p,
		       struct err *err)
{
	void *object = arena_alloc(arena, field->of->size);
	*(void **)p = object;
	return wire_object_from_json(field->of, json, arena, object, err);
}

static bool get_object_list(const struct field *field, const json_t *json, struct arena *arena,
			    void *p, struct err *err)
{
	uint32_t max = field->max > field->min ? (uint32_t)field->max : UINT32_MAX;
	return wire_list_from_json(field->of, json, max, arena, p, err);
}

/* --- both ------------------------------------------------------------------------------------- */

static const struct {
	json_t *(*put)(const struct field *field, const void *p);
	bool (*get)(const struct field *field, const json_t *json, struct arena *arena, void *p,
		    struct err *err);
} codecs[] = {
	[FIELD_STRING] = { put_string, get_string },
	[FIELD_STRING_AT] = { put_string_at, get_string_at },
	[FIELD_INT] = { put_int, get_int },
	[FIELD_BOOL] = { put_bool, get_bool },
	[FIELD_STRING_LIST] = { put_string_list, get_string_list },
	[FIELD_NAME_LIST] = { put_name_list, get_name_list },
	[FIELD_STRING_MAP] = { put_map, get_map },
	[FIELD_PAIR_LIST] = { put_pair_list, get_pair_list },
	[FIELD_OBJECT] = { put_object, get_object },
	[FIELD_OBJECT_LIST] = { put_object_list, get_object_list },
};

json_t *wire_object_to_json(const struct schema *schema, const void *object)
{
	json_t *json = json_object();
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		if (field->kind != FIELD_IGNORED && field_is_set(field, object))
			json_object_set_new_nocheck(
				json, field->name,
				codecs[field->kind].put(field, field_at(field, object)));
	}
	return json;
}

bool wire_object_from_json(const struct schema *schema, const json_t *json, struct arena *arena,
			   void *object, struct err *err)
{
	if (!json_is_object(json))
		return err_set(err, 0, "is not an object");
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		if (field->kind == FIELD_IGNORED)
			continue;
		const json_t *value = json_object_get(json, field->name);
		if (!value || json_is_null(value)) {
			if (field->flags & FIELD_REQUIRED)
				return err_set(err, 0, "'%s' is missing", field->name);
		} else if (!codecs[field->kind].get(field, value, arena, field_at(field, object),
						    err)) {
			return err_wrap(err, "'%s'", field->name);
		}
	}
	return true;
}

json_t *wire_list_to_json(const struct schema *schema, const void *list)
{
	const struct object_list *objects = list;
	const char *items = objects->items;
	json_t *json = json_array();
	for (uint32_t i = 0; i < objects->len; i++)
		json_array_append_new(json, wire_object_to_json(schema, items + i * schema->size));
	return json;
}

bool wire_list_from_json(const struct schema *schema, const json_t *json, uint32_t max,
			 struct arena *arena, void *list, struct err *err)
{
	size_t count = json_array_size(json);
	if (!json_is_array(json))
		return err_set(err, 0, "is not a list");
	if (count > max)
		return err_set(err, 0, "has more than %u items", max);
	struct object_list *objects = list;
	char *items = objects->items = arena_alloc(arena, count * schema->size);
	objects->len = (uint32_t)count;
	objects->set = true;
	for (size_t i = 0; i < count; i++)
		if (!wire_object_from_json(schema, json_array_get(json, i), arena,
					   items + i * schema->size, err))
			return err_wrap(err, "item %zu", i + 1);
	return true;
}
