/*
 * A task on disk, before anything of it is on the engine: what it is, what it is to become, and
 * what lifecycle_step() remembers. No secrets: those are read anew when a container is made.
 */
#include "engine/docker/internal.h"

#include "fs/fs.h"
#include "log/log.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_KIND   "docker-task"
#define RECORD_SUFFIX ".json"

static const char *const wishes[] = {
	[LIFECYCLE_RUN] = "RUN",
	[LIFECYCLE_STOPPED] = "STOPPED",
	[LIFECYCLE_REMOVED] = "REMOVED",
};

static const char *path_of(const struct task *task, struct arena *arena)
{
	return arena_printf(arena, "%s/%s" RECORD_SUFFIX, task->engine->tasks_dir, task->id.task);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static void set(json_t *object, const char *name, const char *value)
{
	if (value)
		json_object_set_new(object, name, json_string(value));
}

static json_t *map_json(const struct str_map *map)
{
	json_t *object = json_object();
	for (uint32_t i = 0; i < map->len; i++)
		set(object, map->items[i].name, map->items[i].value);
	return object;
}

/* What was found out of each container: image, digest, settings. */
static json_t *containers_json(const struct task *task)
{
	json_t *object = json_object();
	for (uint32_t n = 0; n < docker_task_slot_count(task); n++) {
		uint32_t i = docker_task_slot_at(task, n);
		char settings[DIGEST_HEX_LEN + 1];
		json_t *c = json_object();
		if (i != LIFECYCLE_OWNER) {
			set(c, "image", task->images[i]);
			set(c, "digest", task->digests[i]);
		}
		set(c, "tail", task->slots[i].tail);
		digest_hex(&task->slots[i].settings, settings);
		if (!digest_is_none(&task->slots[i].settings))
			set(c, "settings", settings);
		json_object_set_new(object, create_container_of(task->td, i), c);
	}
	return object;
}

static json_t *task_json(const struct task *task)
{
	char target[DIGEST_HEX_LEN + 1];
	json_t *object = json_object();
	digest_hex(&task->id.target, target);
	set(object, "task", task->id.task);
	set(object, "node", task->id.node);
	set(object, "cluster", task->id.cluster);
	set(object, "service", task->id.service);
	set(object, "family", task->id.family);
	json_object_set_new(object, "revision", json_integer(task->id.revision));
	set(object, "deployment", task->id.deployment);
	set(object, "target", target);
	set(object, "bootId", task->engine->boot_id);
	set(object, "engineVersion", task->engine_version);
	set(object, "wish", wishes[task->wish]);
	set(object, "stopCode", task->stop_code);
	set(object, "stopReason", task->stop_reason);
	json_object_set_new(object, "stopAsked", json_boolean(task->stop_asked));
	json_object_set_new(object, "keepsRecord", json_boolean(task->keeps_record));
	json_object_set_new(object, "cleaned", json_boolean(task->cleaned));
	json_object_set_new(object, "synthetic", json_boolean(task->synthetic));
	json_object_set_new(object, "createdUnixMs", json_integer(task->created_unix_ms));
	json_object_set_new(object, "startedUnixMs", json_integer(task->started_unix_ms));
	json_object_set_new(object, "stoppedUnixMs", json_integer(task->stopped_unix_ms));
	json_object_set_new(object, "environment", map_json(&task->environment));
	json_object_set_new(object, "pinned", map_json(&task->pinned));
	json_object_set_new(object, "containers", containers_json(task));
	json_object_set_new(object, "taskDefinition",
			    wire_object_to_json(&task_definition_schema, task->td));
	json_object_set_new(object, "memory", lifecycle_memory_to_json(&task->memory));
	return object;
}

bool record_save(struct task *task, bool sync, struct err *err)
{
	struct arena arena;
	struct buf bytes = { 0 };
	json_t *object = task_json(task);
	arena_init(&arena);
	wire_seal(RECORD_KIND, task->id.fleet, object, &bytes);
	bool ok = fs_write(path_of(task, &arena), bytes.data, bytes.len, 0600, sync ? FS_SYNC : 0,
			   NULL, err);
	json_decref(object);
	buf_release(&bytes);
	arena_release(&arena);
	return ok;
}

void record_remove(struct task *task)
{
	struct arena arena;
	struct err err;
	arena_init(&arena);
	if (!fs_remove(path_of(task, &arena), &err))
		log_warn("a task's record could not be removed", "task", task->id.task, "reason",
			 err.text);
	arena_release(&arena);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static const char *get(const json_t *object, const char *name, struct arena *arena)
{
	return arena_strdup(arena, json_string_value(json_object_get(object, name)));
}

static int64_t get_int(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static struct str_map get_map(const json_t *object, const char *name, struct arena *arena)
{
	const json_t *from = json_object_get(object, name);
	struct str_map map = { .set = true };
	const char *key;
	json_t *value;
	map.items = ARENA_ARRAY(arena, struct str_pair, json_object_size(from));
	json_object_foreach((json_t *)from, key, value) if (json_is_string(value))
		map.items[map.len++] = (struct str_pair){
		arena_strdup(arena, key),
		arena_strdup(arena, json_string_value(value)),
	};
	return map;
}

static void read_containers(struct task *task, const json_t *object)
{
	bool all = true;
	for (uint32_t n = 0; n < docker_task_slot_count(task); n++) {
		uint32_t i = docker_task_slot_at(task, n);
		const json_t *c = json_object_get(object, create_container_of(task->td, i));
		const char *settings = json_string_value(json_object_get(c, "settings"));
		const char *tail = json_string_value(json_object_get(c, "tail"));
		task->slots[i].tail = tail ? xstrdup(tail) : NULL;
		if (settings)
			digest_parse(settings, &task->slots[i].settings);
		if (i == LIFECYCLE_OWNER)
			continue;
		task->images[i] = get(c, "image", &task->arena);
		task->digests[i] = get(c, "digest", &task->arena);
		all = all && task->images[i];
	}
	task->stage = all || task->synthetic ? STAGE_LIFE : STAGE_IMAGES;
}

static bool read_wish(struct task *task, const json_t *object, struct err *err)
{
	const char *word = json_string_value(json_object_get(object, "wish"));
	for (size_t i = 0; word && i < ARRAY_LEN(wishes); i++)
		if (strcmp(wishes[i], word) == 0) {
			task->wish = (enum lifecycle_wish)i;
			return true;
		}
	return err_set(err, 0, "it has no wish");
}

static bool read_task(struct task *task, const json_t *object, struct err *err)
{
	struct arena *arena = &task->arena;
	struct task_definition *td = ARENA_NEW(arena, struct task_definition);
	const char *target = json_string_value(json_object_get(object, "target"));
	task->id.fleet = get(object, "fleet", arena);
	task->id.node = get(object, "node", arena);
	task->id.cluster = get(object, "cluster", arena);
	task->id.service = get(object, "service", arena);
	task->id.family = get(object, "family", arena);
	task->id.deployment = get(object, "deployment", arena);
	task->id.revision = (uint32_t)get_int(object, "revision");
	task->boot_id = get(object, "bootId", arena);
	task->engine_version = get(object, "engineVersion", arena);
	task->stop_code = get(object, "stopCode", arena);
	task->stop_reason = get(object, "stopReason", arena);
	task->stop_asked = json_is_true(json_object_get(object, "stopAsked"));
	task->keeps_record = json_is_true(json_object_get(object, "keepsRecord"));
	task->cleaned = json_is_true(json_object_get(object, "cleaned"));
	task->synthetic = json_is_true(json_object_get(object, "synthetic"));
	task->created_unix_ms = get_int(object, "createdUnixMs");
	task->started_unix_ms = get_int(object, "startedUnixMs");
	task->stopped_unix_ms = get_int(object, "stoppedUnixMs");
	task->environment = get_map(object, "environment", arena);
	task->pinned = get_map(object, "pinned", arena);
	task->td = td;
	if (!task->id.fleet || !task->id.node || !task->id.cluster || !task->id.service ||
	    !task->id.family || !task->id.deployment || !task->boot_id || !target ||
	    !digest_parse(target, &task->id.target))
		return err_set(err, 0, "it lacks a member");
	if (!read_wish(task, object, err) ||
	    !wire_object_from_json(&task_definition_schema,
				   json_object_get(object, "taskDefinition"), arena, td, err))
		return false;
	if (td->container_definitions.len == 0 || td->container_definitions.len > LIMIT_CONTAINERS)
		return err_set(err, 0, "it has %u containers", td->container_definitions.len);
	task->earlier_boot = strcmp(task->boot_id, task->engine->boot_id) != 0;
	task->identified = true;
	read_containers(task, json_object_get(object, "containers"));
	return lifecycle_memory_from_json(&task->memory, json_object_get(object, "memory"),
					  !task->earlier_boot, err);
}

static bool load_one(struct docker_engine *engine, const char *name, struct err *err)
{
	struct buf bytes = { 0 };
	struct arena arena;
	arena_init(&arena);
	bool ok = fs_read(fs_join(&arena, engine->tasks_dir, name), RECORD_MAX_BYTES, &bytes, err);
	json_t *object = ok ? wire_open(bytes.data, bytes.len, RECORD_KIND, NULL, err) : NULL;
	const char *id = json_string_value(json_object_get(object, "task"));
	size_t len = strlen(name) - strlen(RECORD_SUFFIX);
	ok = object != NULL;
	if (ok && (!id || strlen(id) != len || strncmp(id, name, len) != 0))
		ok = err_set(err, 0, "it is of another task");
	if (ok) {
		struct task *task = docker_task_new(engine, id);
		ok = read_task(task, object, err);
		if (!ok)
			docker_task_free(task);
	}
	json_decref(object);
	buf_release(&bytes);
	arena_release(&arena);
	return ok;
}

static bool is_record(const char *name)
{
	size_t len = strlen(name), suffix = strlen(RECORD_SUFFIX);
	return len > suffix && strcmp(name + len - suffix, RECORD_SUFFIX) == 0;
}

bool records_load(struct docker_engine *engine, struct err *err)
{
	struct arena arena;
	const char **names;
	size_t count;
	arena_init(&arena);
	bool ok = fs_list(engine->tasks_dir, &arena, &names, &count, err);
	for (size_t i = 0; ok && i < count; i++) {
		struct err why;
		/* Without it the task is found by its labels. */
		if (is_record(names[i]) && !load_one(engine, names[i], &why))
			log_warn("a task's record does not read", "record", names[i], "reason",
				 why.text);
	}
	arena_release(&arena);
	return ok;
}
