/* A task as its files tell it. */
#include "engine/process/internal.h"

#include "fs/fs.h"

#include <stdlib.h>
#include <string.h>

/* --- records -> structs, by tables -------------------------------------------------------------
 */

struct key {
	const char *name;
	enum { KEY_TEXT, KEY_INT } kind;
	size_t offset;
};
#define TEXT(type, name, member)                                                                   \
	{                                                                                          \
		name, KEY_TEXT, offsetof(type, member)                                             \
	}
#define INT(type, name, member)                                                                    \
	{                                                                                          \
		name, KEY_INT, offsetof(type, member)                                              \
	}

static const struct key task_keys[] = {
	TEXT(struct task, "fleet", fleet),	TEXT(struct task, "node", node),
	TEXT(struct task, "cluster", cluster),	TEXT(struct task, "service", service),
	TEXT(struct task, "family", family),	TEXT(struct task, "deployment", deployment),
	TEXT(struct task, "boot_id", boot_id),	TEXT(struct task, "target", target_text),
	INT(struct task, "revision", revision),
};
static const struct key run_keys[] = {
	INT(struct task_run, "started_unix_ms", started_unix_ms),
	INT(struct task_run, "started_boot_ms", started_boot_ms),
	INT(struct task_run, "stopped_unix_ms", stopped_unix_ms),
	INT(struct task_run, "stopped_boot_ms", stopped_boot_ms),
	INT(struct task_run, "requested", requested),
	INT(struct task_run, "log_bytes_dropped", log_bytes_dropped),
	TEXT(struct task_run, "stop_code", stop_code),
	TEXT(struct task_run, "reason", reason),
};
static const struct key container_keys[] = {
	TEXT(struct task_container, "state", state_name),
	TEXT(struct task_container, "pid", pid),
	TEXT(struct task_container, "exit_code", exit_code),
	TEXT(struct task_container, "reason", reason),
	TEXT(struct task_container, "stderr", stderr_tail),
};

static void take(const char *entry, const struct key *keys, size_t count, void *object)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = record_value(entry, keys[i].name);
		char *at = (char *)object + keys[i].offset;
		if (value && keys[i].kind == KEY_TEXT)
			*(const char **)at = value;
		else if (value)
			*(int64_t *)at = record_int(value);
	}
}

/* The bytes of a file of the task in the arena. False: there is none, or it cannot be read. */
static bool load(const char *dir, const char *id, const char *suffix, struct arena *arena,
		 const char **bytes, size_t *len)
{
	struct buf path = { 0 }, text = { 0 };
	task_path(dir, id, suffix, &path);
	bool ok = fs_read(path.data, RECORD_MAX_BYTES, &text, NULL);
	if (ok) {
		char *copy = arena_alloc(arena, text.len);
		if (text.len)
			memcpy(copy, text.data, text.len);
		*bytes = copy;
		*len = text.len;
	}
	buf_release(&path);
	buf_release(&text);
	return ok;
}

static void read_task_entries(struct task *task, struct record_reader *r)
{
	for (const char *entry, *value; (entry = record_next(r));) {
		uint32_t n = task->container_count;
		if ((value = record_value(entry, "container")) && n < LIMIT_CONTAINERS) {
			task->containers[n].name = value;
			task->containers[n].essential = true;
			task->container_count++;
		} else if ((value = record_value(entry, "essential")) && n) {
			task->containers[n - 1].essential = record_int(value) != 0;
		} else if ((value = record_value(entry, "cgroup"))) {
			task->cgroups[task->cgroup_count++] = value;
		} else if (!n) {
			take(entry, task_keys, ARRAY_LEN(task_keys), task);
		}
	}
}

static size_t count_of(struct record_reader r, const char *key)
{
	size_t count = 0;
	for (const char *entry; (entry = record_next(&r));)
		count += record_value(entry, key) != NULL;
	return count;
}

/* What a record must have to be acted on. */
static bool complete(const struct task *task)
{
	return task->fleet && task->node && task->cluster && task->service && task->family &&
	       task->boot_id && task->target_text && task->container_count > 0;
}

static enum record_result read_record(struct task *task, const char *dir, bool *found)
{
	const char *bytes;
	size_t len;
	struct record_reader r;
	*found = load(dir, task->id, "task", &task->arena, &bytes, &len);
	if (!*found)
		return RECORD_TORN;
	enum record_result result = record_open(&r, bytes, len, "task");
	task->newer = result == RECORD_NEWER;
	if (result == RECORD_OK) {
		task->container_count = task->cgroup_count = 0;
		task->cgroups = ARENA_ARRAY(&task->arena, const char *, count_of(r, "cgroup") + 1);
		read_task_entries(task, &r);
		task->recorded = complete(task) && digest_parse(task->target_text, &task->target);
		result = task->recorded ? RECORD_OK : RECORD_TORN;
	}
	return result;
}

static enum container_state state_of(const char *name)
{
	return !name || strcmp(name, "waiting") == 0 ? CONTAINER_WAITING
	       : strcmp(name, "running") == 0	     ? CONTAINER_RUNNING
						     : CONTAINER_EXITED;
}

static bool read_run(struct task *task, const char *dir, const char *suffix, struct task_run *run)
{
	const char *bytes;
	size_t len;
	struct record_reader r;
	*run = (struct task_run){ 0 };
	if (!load(dir, task->id, suffix, &task->run_arena, &bytes, &len) ||
	    record_open(&r, bytes, len, suffix) != RECORD_OK)
		return false;
	for (const char *entry, *value; (entry = record_next(&r));) {
		if ((value = record_value(entry, "container"))) {
			if (run->count == LIMIT_CONTAINERS)
				return false;
			run->containers[run->count++].name = value;
		} else if (run->count) {
			take(entry, container_keys, ARRAY_LEN(container_keys),
			     &run->containers[run->count - 1]);
		} else {
			take(entry, run_keys, ARRAY_LEN(run_keys), run);
		}
	}
	for (uint32_t i = 0; i < run->count; i++)
		run->containers[i].state = state_of(run->containers[i].state_name);
	return true;
}

/* --- phases ------------------------------------------------------------------------------------
 */

static enum task_phase unreadable(const struct task *task, const char *dir, bool found)
{
	if (!found)
		return PHASE_VOID;
	if (task_lock(dir, task->id) == LOCK_HELD)
		return PHASE_UNKNOWN;
	/* Of a newer version, and over: the newer agent may want to read it again. */
	return task->newer && task_has(dir, task->id, "exit") ? PHASE_VOID : PHASE_DEAD;
}

static enum task_phase readable(struct task *task, const char *dir, const char *boot_id)
{
	struct task_run run;
	if (read_run(task, dir, "exit", &task->run))
		return PHASE_EXITED;
	enum task_lock lock = task_lock(dir, task->id);
	bool started = read_run(task, dir, "start", &run);
	/* The shim may have written it and ended since. */
	if (lock != LOCK_HELD && read_run(task, dir, "exit", &task->run))
		return PHASE_EXITED;
	task->run = run;
	/* We never leave a record without its lock: the directory was emptied under a living task.
	 */
	if (lock == LOCK_ABSENT && strcmp(task->boot_id, boot_id) == 0)
		return PHASE_UNKNOWN;
	return lock != LOCK_HELD ? PHASE_DEAD : started ? PHASE_RUNNING : PHASE_STARTING;
}

/* Is what an agent would tell of the two the same? */
static bool same_run(const struct task_run *a, const struct task_run *b)
{
	if (a->count != b->count || a->started_boot_ms != b->started_boot_ms)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (a->containers[i].state != b->containers[i].state)
			return false;
	return true;
}

bool task_read(struct task *task, const char *dir, const char *boot_id)
{
	if (task->fileless)
		return false;
	enum task_phase old = task->phase;
	struct task_run old_run = task->run; /* its strings are gone: only numbers are compared */
	enum record_result result = RECORD_OK;
	bool found = true, asked = task->stop_asked;
	if (!task->recorded)
		result = read_record(task, dir, &found);
	arena_reset(&task->run_arena);
	task->phase =
		result == RECORD_OK ? readable(task, dir, boot_id) : unreadable(task, dir, found);
	task->stop_asked = task_has(dir, task->id, "stop");
	return task->phase != old || task->stop_asked != asked || !same_run(&task->run, &old_run);
}

struct task *task_new(const char *id)
{
	struct task *task = xcalloc(1, sizeof(*task));
	memcpy(task->id, id, strnlen(id, RECORD_ID_MAX));
	arena_init(&task->arena);
	arena_init(&task->run_arena);
	task->phase = PHASE_STARTING;
	return task;
}

void task_free(struct task *task)
{
	if (!task)
		return;
	arena_release(&task->arena);
	arena_release(&task->run_arena);
	free(task->stop_after);
	free(task);
}

void task_fail(struct task *task, const char *reason)
{
	task->fileless = true;
	task->phase = PHASE_EXITED;
	task->run = (struct task_run){ .stopped_unix_ms = clock_unix_ms(),
				       .stopped_boot_ms = clock_boot_ms(),
				       .requested = task->stop_asked,
				       .stop_code = "TaskFailedToStart",
				       .reason = arena_strdup(&task->run_arena, reason) };
}

/* --- for the agent's step ----------------------------------------------------------------------
 */

static enum task_status status_of(const struct task *task)
{
	switch (task->phase) {
	case PHASE_STARTING: return task->stop_asked ? TASK_STOPPING : TASK_PENDING;
	case PHASE_RUNNING: return task->stop_asked ? TASK_STOPPING : TASK_RUNNING;
	case PHASE_DEAD: return TASK_STOPPING;
	case PHASE_EXITED:
	case PHASE_UNKNOWN:
	case PHASE_VOID: break;
	}
	return TASK_STOPPED;
}

static enum task_status container_status(const struct task *task, const struct task_container *c)
{
	enum task_status status = status_of(task);
	if (status == TASK_STOPPED || c->state == CONTAINER_EXITED)
		return TASK_STOPPED;
	return c->state == CONTAINER_RUNNING ? status : TASK_PENDING;
}

static void describe_containers(const struct task *task, struct arena *arena, struct node_task *out)
{
	uint32_t count = task->run.count ? task->run.count : task->container_count;
	out->containers = ARENA_ARRAY(arena, struct wire_container, count);
	out->container_count = count;
	for (uint32_t i = 0; i < count; i++) {
		static const struct task_container unknown;
		const struct task_container *c =
			task->run.count ? &task->run.containers[i] : &unknown;
		const char *name = c->name ? c->name : task->containers[i].name;
		int64_t code = c->exit_code ? record_int(c->exit_code) : 0;
		out->containers[i] = (struct wire_container){
			.name = arena_strdup(arena, name),
			.last_status = container_status(task, c),
			.runtime_id = arena_strdup(arena, c->pid),
			.has_exit_code = c->exit_code != NULL,
			.exit_code = (int)code,
			.reason = arena_strdup(arena, c->reason),
		};
	}
}

static bool is_essential(const struct task *task, const char *container)
{
	for (uint32_t i = 0; i < task->container_count; i++)
		if (strcmp(task->containers[i].name, container) == 0)
			return task->containers[i].essential;
	return true;
}

/* Of an essential container where it said something, else of any. */
static const char *last_words(const struct task *task)
{
	const char *words = NULL;
	for (uint32_t i = task->run.count; i-- > 0;) {
		const struct task_container *c = &task->run.containers[i];
		if (c->stderr_tail && (!words || is_essential(task, c->name)))
			words = c->stderr_tail;
	}
	return words;
}

void task_describe(const struct task *task, const char *boot_id, struct arena *arena,
		   struct node_task *out)
{
	const struct task_run *run = &task->run;
	bool earlier = strcmp(task->boot_id, boot_id) != 0;
	*out = (struct node_task){
		.id = arena_strdup(arena, task->id),
		.cluster = arena_strdup(arena, task->cluster),
		.service = arena_strdup(arena, task->service),
		.family = arena_strdup(arena, task->family),
		.revision = (uint32_t)task->revision,
		.target = task->target,
		.deployment = arena_strdup(arena, task->deployment),
		.engine = "process",
		.status = status_of(task),
		.started_at_ms = earlier ? 0 : run->started_boot_ms,
		.stopped_at_ms = earlier ? 0 : run->stopped_boot_ms,
		.started_unix_ms = run->started_unix_ms,
		.stopped_unix_ms = run->stopped_unix_ms,
		.earlier_boot = earlier,
		.stop_requested = task->stop_asked || run->requested,
		.stop_code = arena_strdup(arena, run->stop_code),
		.reason = arena_strdup(arena, run->reason),
		.stderr_tail = arena_strdup(arena, last_words(task)),
		.log_bytes_dropped = (uint64_t)run->log_bytes_dropped,
	};
	describe_containers(task, arena, out);
}
