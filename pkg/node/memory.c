/* What the agent knows from one step to the next, and over its own restarts within a boot. */
#include "node/internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define KIND "NodeMemory"

static char present; /* what a set of strings maps to */

struct node_memory *node_memory_new(void)
{
	struct node_memory *memory = xcalloc(1, sizeof(*memory));
	memory->services = map_new();
	memory->accounted = map_new();
	memory->asked = map_new();
	return memory;
}

static void map_free_values(struct map *map)
{
	void *value;
	for (size_t it = 0; map_next(map, &it, NULL, &value);)
		free(value);
	map_free(map);
}

void node_memory_free(struct node_memory *memory)
{
	if (!memory)
		return;
	map_free_values(memory->services);
	map_free_values(memory->asked);
	map_free(memory->accounted);
	free(memory);
}

struct service_memory *memory_service(struct node_memory *memory, const char *key)
{
	struct service_memory *service = map_get(memory->services, key);
	if (!service) {
		service = xcalloc(1, sizeof(*service));
		map_put(memory->services, key, service);
	}
	return service;
}

void memory_drop_service(struct node_memory *memory, const char *key)
{
	free(map_remove(memory->services, key));
	memory->changed = true;
}

bool memory_accounted(const struct node_memory *memory, const char *id)
{
	return map_get(memory->accounted, id);
}

void memory_account(struct node_memory *memory, const char *id)
{
	map_put(memory->accounted, id, &present);
	memory->changed = true;
}

static json_t *service_to_json(const struct service_memory *service)
{
	char target[DIGEST_HEX_LEN + 1];
	digest_hex(&service->target, target);
	const struct watch *w = service->watches;
	return json_pack("{s:s, s:i, s:I, s:i, s:I, s:I, s:b, s:b, s:i, s:s, s:I, s:s, s:I}",
			 "target", target, "restarts", (int)service->restarts, "restartAt",
			 (json_int_t)service->restart_at_ms, "prepareFailures",
			 (int)service->prepare_failures, "prepareAt",
			 (json_int_t)service->prepare_at_ms, "failures",
			 (json_int_t)service->failures, "started", service->started, "wasReady",
			 service->was_ready, "wave", (int)service->wave, "task", w[0].task,
			 "goodSince", (json_int_t)w[0].good_since_ms, "otherTask", w[1].task,
			 "otherGoodSince", (json_int_t)w[1].good_since_ms);
}

void node_memory_save(const struct node_memory *memory, const char *boot_id, struct buf *out)
{
	json_t *services = json_object(), *accounted = json_array();
	const char *key;
	void *value;
	for (size_t it = 0; map_next(memory->services, &it, &key, &value);)
		json_object_set_new(services, key, service_to_json(value));
	for (size_t it = 0; map_next(memory->accounted, &it, &key, &value);)
		json_array_append_new(accounted, json_string(key));
	json_t *json =
		json_pack("{s:s, s:I, s:o, s:o}", "bootId", boot_id, "seen",
			  (json_int_t)memory->seen, "services", services, "accounted", accounted);
	wire_seal(KIND, NULL, json, out);
	json_decref(json);
}

static bool watch_from_json(const char *task, json_int_t good_since, struct watch *out)
{
	size_t len = strlen(task);
	if (len > UUID_TEXT_LEN)
		return false;
	memcpy(out->task, task, len + 1);
	out->good_since_ms = good_since;
	return true;
}

/* The members with '?' came later. */
static bool service_from_json(struct json_t *json, struct service_memory *out)
{
	const char *target, *task, *other = "";
	int restarts, prepare_failures, started, was_ready, wave;
	json_int_t restart_at, prepare_at, good_since, other_since = 0, failures = 0;
	if (json_unpack(json, "{s:s, s:i, s:I, s:i, s:I, s?I, s:b, s:b, s:i, s:s, s:I, s?s, s?I}",
			"target", &target, "restarts", &restarts, "restartAt", &restart_at,
			"prepareFailures", &prepare_failures, "prepareAt", &prepare_at, "failures",
			&failures, "started", &started, "wasReady", &was_ready, "wave", &wave,
			"task", &task, "goodSince", &good_since, "otherTask", &other,
			"otherGoodSince", &other_since))
		return false;
	*out = (struct service_memory){
		.restarts = (uint32_t)restarts,
		.prepare_failures = (uint32_t)prepare_failures,
		.failures = (uint32_t)failures,
		.restart_at_ms = restart_at,
		.prepare_at_ms = prepare_at,
		.started = started,
		.was_ready = was_ready,
		.wave = (uint32_t)wave,
	};
	return digest_parse(target, &out->target) &&
	       watch_from_json(task, good_since, &out->watches[0]) &&
	       watch_from_json(other, other_since, &out->watches[1]);
}

/* A reboot ends all but the count of what failed with the target. */
static void memory_of_earlier_boot(struct node_memory *memory)
{
	void *value;
	for (size_t it = 0; map_next(memory->services, &it, NULL, &value);) {
		struct service_memory *service = value;
		*service = (struct service_memory){ .target = service->target,
						    .failures = service->failures };
	}
	map_free(memory->accounted);
	memory->accounted = map_new();
	memory->seen = 0;
	memory->changed = true;
}

static bool memory_from_json(struct node_memory *memory, const char *boot_id, struct json_t *json,
			     struct err *err)
{
	json_t *services, *accounted, *value;
	const char *boot, *key;
	json_int_t seen;
	size_t i;
	if (json_unpack(json, "{s:s, s:I, s:o, s:o}", "bootId", &boot, "seen", &seen, "services",
			&services, "accounted", &accounted))
		return err_set(err, 0, "lacks what a memory has");
	memory->seen = (uint64_t)seen;
	json_object_foreach(services, key, value)
	{
		if (!service_from_json(value, memory_service(memory, key)))
			return err_set(err, 0, "has a service that is none");
	}
	json_array_foreach(accounted, i, value)
	{
		if (json_is_string(value))
			map_put(memory->accounted, json_string_value(value), &present);
	}
	if (strcmp(boot, boot_id) != 0)
		memory_of_earlier_boot(memory);
	return true;
}

bool node_memory_load(struct node_memory *memory, const char *boot_id, const void *bytes,
		      size_t len, struct err *err)
{
	json_t *json CLEANUP(json_decrefp) = wire_open(bytes, len, KIND, NULL, err);
	if (!json)
		return false;
	struct node_memory *read = node_memory_new();
	bool ok = memory_from_json(read, boot_id, json, err);
	if (ok) { /* all or nothing */
		struct node_memory old = *memory;
		*memory = *read;
		*read = old;
	}
	node_memory_free(read);
	return ok;
}
