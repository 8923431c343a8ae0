/* What lifecycle_step() asks for, as calls to the engine. */
#include "engine/docker/internal.h"

#include "fs/fs.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct call *task_call(struct task *task, uint32_t slot, enum lifecycle_call_kind kind,
			      void (*done)(struct call *call, const struct answer *answer))
{
	struct call *call = call_new(task->engine, done);
	call->task = arena_strdup(&call->arena, task->id.task);
	call->slot = slot;
	call->kind = kind;
	return call;
}

static const char *slot_id(const struct task *task, uint32_t slot, struct arena *arena)
{
	const char *id = task->slots[slot].id;
	return id ? id : create_name(&task->id, create_container_of(task->td, slot), arena);
}

static void finish(struct call *call, bool ok, const char *reason)
{
	struct task *task = docker_task_find(call->engine, call->task);
	if (task)
		docker_task_answered(task, call->slot, ok, reason);
}

/* Nothing is known of what came of it, and that is not the task's fault. */
static bool put_off(struct call *call, bool away)
{
	struct task *task = away ? docker_task_find(call->engine, call->task) : NULL;
	if (task)
		docker_task_put_off(task, call->slot);
	return away;
}

/* --- create ------------------------------------------------------------------------------------
 */

static void create_next(struct call *call, struct task *task);

static void got_holder(struct call *call, const struct answer *answer)
{
	struct task *task = docker_task_find(call->engine, call->task);
	struct inspect_clock clock = { clock_unix_ms(), clock_boot_ms() };
	struct inspected info;
	struct err err;
	if (!task || put_off(call, answer->away))
		return;
	const char *container = create_container_of(task->td, call->slot);
	if (!answer->ok ||
	    !inspect_container(answer->body, answer->len, &clock, &call->arena, &info, &err)) {
		finish(call, false, call->text);
		return;
	}
	/* Made by a call whose answer nobody heard. */
	bool ours = info.labels.task && strcmp(info.labels.task, task->id.task) == 0 &&
		    info.container && strcmp(info.container, container) == 0;
	finish(call, ours,
	       arena_printf(&call->arena,
			    "CannotCreateContainerError: the name %s is taken by container %.12s "
			    "(image %s), which is not of this task",
			    create_name(&task->id, container, &call->arena), info.id,
			    info.image ? info.image : "unknown"));
}

static void image_again(void *arg, const struct image_answer *answer)
{
	struct call *call = arg;
	struct task *task = docker_task_find(call->engine, call->task);
	call->held = false;
	if (task && answer->ok)
		create_next(call, task);
	else if (!put_off(call, answer->away))
		finish(call, false, answer->reason);
	if (!call->request)
		call_free(call);
}

/* It was there when the task began, and somebody removed it. Once more, then it is a failure. */
static bool want_image_again(struct call *call, struct task *task)
{
	if (call->id)
		return false;
	call->id = "again";
	call->held = true; /* the image's answer goes on with it */
	if (call->slot == LIFECYCLE_OWNER) {
		pause_want(call->engine, image_again, call);
	} else {
		const struct container_definition *c =
			&task->td->container_definitions.items[call->slot];
		image_want(call->engine, &(struct image_want){ .image = task->images[call->slot],
							       .policy = c->image_pull_policy,
							       .done = image_again,
							       .arg = call });
	}
	return true;
}

static void log_warnings(const struct answer *answer, const struct task *task, uint32_t slot)
{
	json_t *json = json_loadb(answer->body, answer->len, 0, NULL), *warning;
	size_t i;
	json_array_foreach(json_object_get(json, "Warnings"), i, warning)
		log_warn("the engine warns", "task", task->id.task, "container",
			 create_container_of(task->td, slot), "text", json_string_value(warning));
	json_decref(json);
}

static void created(struct call *call, const struct answer *answer)
{
	struct task *task = docker_task_find(call->engine, call->task);
	if (!task || put_off(call, answer->away))
		return;
	if (answer->ok) {
		log_warnings(answer, task, call->slot);
		finish(call, true, NULL);
	} else if (flavor_name_taken(answer->status, answer->message)) {
		call->text = arena_strdup(&call->arena, answer->message);
		call->done = got_holder;
		call_send(call, "GET", ASK_DEADLINE_MS, NULL, "/containers/%s/json",
			  create_name(&task->id, create_container_of(task->td, call->slot),
				      &call->arena));
	} else if (answer->status != 404 || !want_image_again(call, task)) {
		finish(call, false, answer->message);
	}
}

static bool add_resources(struct call *call, struct task *task, struct create *create,
			  struct err *err)
{
	const struct container_definition *c = &task->td->container_definitions.items[call->slot];
	struct engine_files files = DOCKER_FILES(call->engine);
	struct resources *r = ARENA_NEW(&call->arena, struct resources);
	create->files_dir = engine_files_dir(&call->arena, &files, task->id.task, c->name);
	create->file_environment = &r->file_environment;
	create->secrets = &r->secrets;
	create->log_secrets = &r->log_secrets;
	return resources_read(c, &call->arena, r, err) &&
	       engine_files_write(&files, task->id.task, c, err);
}

static void create_container(struct call *call, struct task *task)
{
	struct arena *arena = &call->arena;
	bool owner = call->slot == LIFECYCLE_OWNER;
	struct err err;
	struct create create = {
		.flavor = &call->engine->flavor,
		.id = &task->id,
		.td = task->td,
		.container = call->slot,
		.image = owner ? pause_image(call->engine) : task->images[call->slot],
		.environment = &task->environment,
		.cgroup_parent = groups_parent(task, arena),
	};
	json_t *body = NULL;
	err_set(&err, 0, "it has no image");
	if (create.image && (owner || add_resources(call, task, &create, &err)))
		body = create_json(&create, arena, &err);
	if (!body) {
		finish(call, false, arena_strdup(arena, err.text));
		return;
	}
	call->done = created;
	call_send(call, "POST", CREATE_DEADLINE_MS, body, "/containers/create?name=%s",
		  create_name(&task->id, create_container_of(task->td, call->slot), arena));
}

static const struct volume *mounted(const struct task *task, const struct mount_point *point)
{
	for (uint32_t i = 0; i < task->td->volumes.len; i++)
		if (strcmp(task->td->volumes.items[i].name, point->source_volume) == 0)
			return &task->td->volumes.items[i];
	return NULL;
}

static void got_volume(struct call *call, const struct answer *answer)
{
	struct task *task = docker_task_find(call->engine, call->task);
	if (!task || put_off(call, answer->away))
		return;
	if (answer->ok || flavor_volume_there(answer->status, answer->message))
		create_next(call, task);
	else
		finish(call, false,
		       arena_printf(&call->arena, "CannotCreateVolumeError: volume %s: %s",
				    call->text, answer->message));
}

static void want_volume(struct call *call, struct task *task, const struct volume *volume)
{
	const struct docker_volume_configuration *d = volume->docker_volume_configuration;
	const char *name = create_volume_name(&task->id, volume, &call->arena);
	call->text = name;
	call->done = got_volume;
	if (create_volume_is_tasks(volume) || (d && d->autoprovision == OPT_TRUE))
		call_send(call, "POST", VOLUME_DEADLINE_MS,
			  create_volume_json(&task->id, volume, &call->arena), "/volumes/create");
	else
		call_send(call, "GET", ASK_DEADLINE_MS, NULL, "/volumes/%s",
			  query_text(&call->arena, name));
}

/* Its volumes one after the other, then itself. call->step: the next mount point. */
static void create_next(struct call *call, struct task *task)
{
	static const struct container_definition none;
	const struct container_definition *c =
		call->slot == LIFECYCLE_OWNER ? &none
					      : &task->td->container_definitions.items[call->slot];
	while (call->step < c->mount_points.len) {
		const struct volume *volume = mounted(task, &c->mount_points.items[call->step++]);
		struct err err;
		if (!volume)
			continue;
		if (create_volume_name(&task->id, volume, &call->arena)) {
			want_volume(call, task, volume);
			return;
		}
		if (!call->engine->flavor.makes_host_directories &&
		    volume->host->source_path[0] == '/' &&
		    !fs_mkdirs(volume->host->source_path, 0755, &err) && err.code != EEXIST &&
		    err.code != ENOTDIR) {
			finish(call, false, arena_strdup(&call->arena, err.text));
			return;
		}
	}
	create_container(call, task);
}

/* --- the others --------------------------------------------------------------------------------
 */

static void done(struct call *call, const struct answer *answer)
{
	bool ok = answer->ok ||
		  (!answer->none && flavor_nothing_to_do(answer->status, answer->message));
	/* What is not there is stopped, killed and removed. */
	if (answer->status == 404 && call->kind != LIFECYCLE_START)
		ok = true;
	if (!put_off(call, answer->away))
		finish(call, ok, answer->message);
}

static void call_container(struct task *task, uint32_t slot, enum lifecycle_call_kind kind,
			   const char *method, int64_t deadline_ms, const char *path,
			   const char *query)
{
	struct call *call = task_call(task, slot, kind, done);
	call_send(call, method, deadline_ms, NULL, "/containers/%s%s%s",
		  slot_id(task, slot, &call->arena), path, query);
}

static void start_container(struct task *task, uint32_t slot)
{
	struct err err;
	if (groups_make(task, &err))
		call_container(task, slot, LIFECYCLE_START, "POST", START_DEADLINE_MS, "/start",
			       "");
	else
		docker_task_answered(task, slot, false, err.text);
}

void calls_make(struct task *task, const struct lifecycle_call *c)
{
	uint32_t slot = c->container;
	if (c->kind == LIFECYCLE_EXEC_HEALTH) {
		exec_start(task, c);
		return;
	}
	task->slots[slot].busy = c->kind;
	task->slots[slot].answered = false;
	switch (c->kind) {
	case LIFECYCLE_CREATE: create_next(task_call(task, slot, c->kind, NULL), task); break;
	case LIFECYCLE_START: start_container(task, slot); break;
	case LIFECYCLE_UNPAUSE:
		call_container(task, slot, c->kind, "POST", KILL_DEADLINE_MS, "/unpause", "");
		break;
	case LIFECYCLE_STOP:
		call_container(task, slot, c->kind, "POST",
			       ((int64_t)c->timeout_s + STOP_MARGIN_S) * 1000, "/stop",
			       arena_printf(&task->step_arena, "?t=%u", c->timeout_s));
		break;
	case LIFECYCLE_KILL:
		call_container(task, slot, c->kind, "POST", KILL_DEADLINE_MS, "/kill",
			       "?signal=KILL");
		break;
	case LIFECYCLE_REMOVE:
		call_container(task, slot, c->kind, "DELETE", REMOVE_DEADLINE_MS, "",
			       "?v=1&force=1");
		break;
	case LIFECYCLE_EXEC_HEALTH:
	case LIFECYCLE_NONE:
	case LIFECYCLE_CALL_COUNT: break;
	}
}

/* --- last words --------------------------------------------------------------------------------
 */

static void got_tail(struct call *call, const struct answer *answer)
{
	struct task *task = docker_task_find(call->engine, call->task);
	struct slot *slot = task ? &task->slots[call->slot] : NULL;
	if (!slot)
		return;
	slot->tail_asked = false;
	/* Else a log driver that cannot be read, or a container that is gone. */
	if (answer->ok && slot->info.id) {
		const char *text = inspect_logs(answer->body, answer->len, slot->info.tty,
						WIRE_STDERR_BYTES, &call->arena);
		free(slot->tail);
		slot->tail = xstrdup(text);
	}
	if (task->keeps_record)
		docker_task_clean(task);
	call->engine->changed(call->engine->arg);
}

void calls_tail(struct task *task, uint32_t index)
{
	struct slot *slot = &task->slots[index];
	struct call *call = task_call(task, index, LIFECYCLE_NONE, got_tail);
	slot->tail_run = slot->state.run;
	if (index == LIFECYCLE_OWNER) {
		call_free(call);
		return;
	}
	slot->tail_asked = true;
	call_send(call, "GET", ASK_DEADLINE_MS, NULL,
		  "/containers/%s/logs?stderr=1&stdout=%d&tail=" TAIL_LINES, slot->id,
		  slot->info.tty);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void gone(struct task *task)
{
	struct docker_engine *engine = task->engine;
	engine_done removed = task->removed;
	void *arg = task->removed_arg;
	struct engine_files files = DOCKER_FILES(engine);
	struct err err;
	engine_files_remove(&files, task->id.task);
	groups_remove(task);
	task->removed = NULL;
	task->removing = false;
	task->cleaned = task->keeps_record;
	if (!task->cleaned) {
		record_remove(task);
		docker_task_free(task);
	} else if (!record_save(task, false, &err)) {
		log_warn("a task's record could not be kept", "task", task->id.task, "reason",
			 err.text);
	}
	if (removed)
		removed(arg, true, NULL);
	engine->changed(engine->arg);
}

static void remove_next(struct call *call);

static void volume_removed(struct call *call, const struct answer *answer)
{
	if (!answer->ok && answer->status != 404)
		log_warn("a volume could not be removed", "task", call->task, "reason",
			 answer->message);
	remove_next(call);
}

/* call->json: the list of volumes; call->step: the next. */
static void remove_next(struct call *call)
{
	const json_t *list = json_object_get(call->json, "Volumes");
	while (call->step < json_array_size(list)) {
		const json_t *volume = json_array_get(list, call->step++);
		const char *name = json_string_value(json_object_get(volume, "Name"));
		const json_t *labels = json_object_get(volume, "Labels");
		const char *task = json_string_value(json_object_get(labels, LABEL_TASK));
		if (!name || !task || strcmp(task, call->task) != 0)
			continue;
		call->done = volume_removed;
		call_send(call, "DELETE", VOLUME_DEADLINE_MS, NULL, "/volumes/%s",
			  query_text(&call->arena, name));
		return;
	}
	struct task *task = docker_task_find(call->engine, call->task);
	if (task)
		gone(task);
}

static void got_volumes(struct call *call, const struct answer *answer)
{
	struct task *task = docker_task_find(call->engine, call->task);
	if (!answer->ok) {
		if (!task)
			return;
		/* Tried again with the next remove, or by the next agent. */
		engine_done removed = task->removed;
		task->removing = false;
		task->removed = NULL;
		if (removed)
			removed(task->removed_arg, false, answer->message);
		return;
	}
	call->json = json_loadb(answer->body, answer->len, 0, NULL);
	remove_next(call);
}

void calls_remove_volumes(struct task *task)
{
	struct call *call = task_call(task, 0, LIFECYCLE_NONE, got_volumes);
	json_t *filter = json_pack("{s:[s]}", "label",
				   arena_printf(&call->arena, LABEL_TASK "=%s", task->id.task));
	char *text = json_dumps(filter, JSON_COMPACT);
	call_send(call, "GET", ASK_DEADLINE_MS, NULL, "/volumes?filters=%s",
		  query_text(&call->arena, text));
	free(text);
	json_decref(filter);
}
