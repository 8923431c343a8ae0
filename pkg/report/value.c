#include "report/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void put(json_t *object, const char *key, json_t *value)
{
	int failed = json_object_set_new(object, key, value);
	assert(!failed);
}

json_t *text_value(const char *text)
{
	json_t *value = json_string(text);
	if (value)
		return value;
	char *copy = xstrdup(text);
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	value = json_string(copy);
	free(copy);
	assert(value);
	return value;
}

void put_text(json_t *object, const char *key, const char *value)
{
	if (value)
		put(object, key, text_value(value));
}

void put_textf(json_t *object, const char *key, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	put_text(object, key, buf_str(&text));
	buf_release(&text);
}

void put_int(json_t *object, const char *key, int64_t value)
{
	put(object, key, json_integer(value));
}

void put_count(json_t *object, const char *key, bool known, int64_t value)
{
	put(object, key, known ? json_integer(value) : json_null());
}

void put_bool(json_t *object, const char *key, bool value)
{
	put(object, key, json_boolean(value));
}

void put_time(json_t *object, const char *key, int64_t unix_ms)
{
	char text[TIME_TEXT_LEN + 1];
	if (unix_ms == 0)
		return;
	time_text(unix_ms, text);
	put_text(object, key, text);
}

void put_digest(json_t *object, const char *key, const struct digest *digest)
{
	char hex[DIGEST_HEX_LEN + 1];
	if (digest_is_none(digest))
		return;
	digest_hex(digest, hex);
	put_text(object, key, hex);
}

void put_list(json_t *object, const char *key, const struct str_list *list)
{
	json_t *array = json_array();
	for (uint32_t i = 0; i < list->len; i++)
		json_array_append_new(array, text_value(list->items[i]));
	put(object, key, array);
}

void put_map(json_t *object, const char *key, const struct str_map *map)
{
	json_t *members = json_object();
	for (uint32_t i = 0; i < map->len; i++)
		put(members, map->items[i].name,
		    map->items[i].value ? text_value(map->items[i].value) : json_null());
	put(object, key, members);
}

void put_arn(json_t *object, const char *key, const char *kind, const char *cluster,
	     const char *name)
{
	put_textf(object, key, "%s/%s/%s", kind, cluster, name);
}

const char *get_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int64_t get_int(const json_t *object, const char *key, int64_t absent)
{
	const json_t *value = json_object_get(object, key);
	return json_is_integer(value) ? json_integer_value(value) : absent;
}

bool get_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

struct digest get_digest(const json_t *object, const char *key)
{
	struct digest digest = { 0 };
	const char *hex = get_text(object, key);
	if (!hex || !digest_parse(hex, &digest))
		return (struct digest){ 0 };
	return digest;
}

const char *node_state_name(enum node_state state)
{
	static const char *const names[] = { "ACTIVE", "DRAINING", "INACTIVE" };
	return names[state];
}

static const char *const seen_names[] = {
	[PLAN_SEEN_NONE] = "NONE",	 [PLAN_SEEN_PENDING] = "PENDING",
	[PLAN_SEEN_RUNNING] = "RUNNING", [PLAN_SEEN_READY] = "READY",
	[PLAN_SEEN_FAILED] = "FAILED",
};

const char *plan_seen_name(enum plan_seen seen)
{
	return seen_names[seen];
}

bool plan_seen_parse(const char *name, enum plan_seen *seen)
{
	for (size_t i = 0; name && i < ARRAY_LEN(seen_names); i++) {
		if (strcmp(name, seen_names[i]) == 0) {
			*seen = (enum plan_seen)i;
			return true;
		}
	}
	return false;
}

/* --- conditions ------------------------------------------------------------------------------ */

json_t *conditions_json(const struct conditions *conditions)
{
	json_t *list = json_array();
	for (enum condition_type type = 0; type < CONDITION_TYPE_COUNT; type++) {
		const struct condition *c = &conditions->of[type];
		if (!c->reason) /* never judged: Held of a node, for one */
			continue;
		json_t *item = json_object();
		put_text(item, "type", condition_type_name(type));
		put_text(item, "status", condition_status_name(c->status));
		put_text(item, "reason", c->reason);
		put_text(item, "message", c->message);
		put_time(item, "lastTransitionTime", c->transition_unix_ms);
		put_text(item, "observedCommit", c->commit[0] ? c->commit : NULL);
		json_array_append_new(list, item);
	}
	return list;
}

json_t *wire_conditions_json(const struct wire_condition *conditions, uint32_t count)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < count; i++) {
		json_t *item = json_object();
		put_text(item, "type", conditions[i].type);
		put_text(item, "status", conditions[i].status);
		put_text(item, "reason", conditions[i].reason);
		put_text(item, "message", conditions[i].message);
		json_array_append_new(list, item);
	}
	return list;
}

/* --- secrets --------------------------------------------------------------------------------- */

/* Environment as [{name, value}] or as a mapping: only the names stay. */
static void redact_values(json_t *value)
{
	size_t i;
	json_t *item;
	json_array_foreach(value, i, item) json_object_del(item, "value");
	const char *key;
	void *next;
	if (!json_is_object(value))
		return;
	json_object_foreach_safe(value, next, key, item)
		json_object_set_new(value, key, json_null());
}

void redact(const struct schema *schema, json_t *object)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		json_t *member = json_object_get(object, field->name);
		size_t index;
		json_t *item;
		if (!member)
			continue;
		if (field->flags & FIELD_SECRET &&
		    (json_is_array(member) || json_is_object(member)))
			redact_values(member);
		else if (field->flags & FIELD_SECRET)
			json_object_del(object, field->name);
		else if (field->kind == FIELD_OBJECT)
			redact(field->of, member);
		else if (field->kind == FIELD_OBJECT_LIST)
			json_array_foreach(member, index, item) redact(field->of, item);
	}
}
