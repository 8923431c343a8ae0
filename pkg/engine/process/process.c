/* The process engine: what is where, and what happens when a file changes. */
#include "engine/process/internal.h"

#include "fs/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TASKS_MODE 0700
#define STATE_MODE 0755

/* --- tasks -------------------------------------------------------------------------------------
 */

void engine_forget(struct process_engine *engine, struct task *task)
{
	map_remove(engine->tasks, task->id);
	task_free(task);
}

static void answer_start(struct task *task)
{
	engine_done done = task->started;
	bool failed = task->phase == PHASE_EXITED && task->run.stop_code &&
		      strcmp(task->run.stop_code, "EssentialContainerExited") != 0;
	if (!done || (task->phase != PHASE_EXITED && task->phase != PHASE_RUNNING))
		return;
	task->started = NULL;
	done(task->started_arg, !failed, failed ? task->run.reason : NULL);
}

void engine_look_again(struct process_engine *engine, int64_t delay_ms)
{
	int64_t due = clock_boot_ms() + delay_ms;
	if (engine->retry_boot_ms && engine->retry_boot_ms <= due)
		return;
	engine->retry_boot_ms = due;
	timer_set(engine->retry, delay_ms);
}

/* The kernel tells that a file was closed before it takes the lock away, and then tells nothing.
 * Not for ever: a lock file that was moved back is not closed. */
static void look_at_lock_again(struct process_engine *engine, struct task *task)
{
	if (!task->lock_again_ms)
		return;
	engine_look_again(engine, task->lock_again_ms);
	task->lock_again_ms *= 2;
	if (task->lock_again_ms > LOCK_AGAIN_MAX_MS)
		task->lock_again_ms = 0;
}

bool engine_look(struct process_engine *engine, struct task *task)
{
	if (task->job)
		return false;
	bool changed = task_read(task, engine->tasks_dir, engine->boot_id);
	if (task->phase == PHASE_VOID) {
		engine_forget(engine, task);
		return changed;
	}
	if (task->phase == PHASE_DEAD)
		engine_clean_up(engine, task);
	else if (task->phase != PHASE_EXITED)
		look_at_lock_again(engine, task);
	answer_start(task);
	return changed;
}

/* Beginnings of a start that was killed before its record: nothing ran. */
static void drop_beginnings(struct process_engine *engine, const char *id)
{
	if (!map_get(engine->tasks, id) && !task_has(engine->tasks_dir, id, "task") &&
	    task_lock(engine->tasks_dir, id) != LOCK_HELD)
		task_unlink(engine->tasks_dir, id);
}

/* Look at everything. Answers may add tasks meanwhile: those are looked at already. */
static void look_at_all(struct process_engine *engine)
{
	VEC(struct task *) tasks = { 0 };
	void *value;
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);)
		*vec_push(&tasks) = value;
	for (size_t i = 0; i < tasks.len; i++)
		engine_look(engine, tasks.items[i]);
	vec_release(&tasks);
}

static bool scan(struct process_engine *engine, struct err *err)
{
	struct arena arena;
	const char **names, *suffix;
	size_t count;
	char id[RECORD_ID_MAX + 1];
	arena_init(&arena);
	bool ok = fs_list(engine->tasks_dir, &arena, &names, &count, err);
	for (size_t i = 0; ok && i < count; i++) {
		if (!task_file_name(names[i], id, &suffix))
			continue;
		if (strcmp(suffix, "task") != 0)
			drop_beginnings(engine, id);
		else if (!map_get(engine->tasks, id))
			map_put(engine->tasks, id, task_new(id));
	}
	arena_release(&arena);
	look_at_all(engine);
	return ok;
}

/* An agent that was killed between the note of a stop and the command leaves the command to us. */
static void repeat_stops(struct process_engine *engine)
{
	void *value;
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);) {
		struct task *task = value;
		struct buf path = { 0 }, reason = { 0 };
		task_path(engine->tasks_dir, task->id, "stop", &path);
		if (task->stop_asked && !task->job &&
		    (task->phase == PHASE_STARTING || task->phase == PHASE_RUNNING) &&
		    fs_read(path.data, STOP_REASON_MAX, &reason, NULL))
			task_send_stop(engine->tasks_dir, task->id, buf_str(&reason), NULL);
		buf_release(&path);
		buf_release(&reason);
	}
}

/* --- events ------------------------------------------------------------------------------------
 */

static void file_changed(void *arg, const char *dir, const char *name)
{
	struct process_engine *engine = arg;
	char id[RECORD_ID_MAX + 1];
	const char *suffix;
	(void)dir;
	if (!name) {
		scan(engine, NULL);
		engine->changed(engine->arg);
		return;
	}
	/* The rest of the files are our own doing. A lock file "closes" when its last holder ends.
	 */
	if (!task_file_name(name, id, &suffix) ||
	    (strcmp(suffix, "start") != 0 && strcmp(suffix, "exit") != 0 &&
	     strcmp(suffix, "lock") != 0))
		return;
	struct task *task = map_get(engine->tasks, id);
	if (task && strcmp(suffix, "lock") == 0)
		task->lock_again_ms = LOCK_AGAIN_MS;
	if (task && engine_look(engine, task))
		engine->changed(engine->arg);
}

static void try_again(void *arg)
{
	struct process_engine *engine = arg;
	engine->retry_boot_ms = 0;
	look_at_all(engine);
	engine->changed(engine->arg);
}

/* --- operations --------------------------------------------------------------------------------
 */

static char *join(const char *dir, const char *name)
{
	struct buf path = { 0 };
	buf_addf(&path, "%s/%s", dir, name);
	return path.data;
}

static void process_close(void *self)
{
	struct process_engine *engine = self;
	if (!engine)
		return;
	jobs_free(engine->jobs);
	watcher_free(engine->watcher);
	timer_free(engine->retry);
	while (engine->children) {
		struct shim_child *child = engine->children;
		engine->children = child->next;
		waitpid(child->pid, NULL, WNOHANG);
		shim_child_free(child);
	}
	void *value;
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);)
		task_free(value);
	map_free(engine->tasks);
	cgroups_free(engine->cgroups);
	free(engine->fleet);
	free(engine->node);
	free(engine->state_dir);
	free(engine->tasks_dir);
	free(engine->shim);
	free(engine->boot_id);
	free(engine);
}

/* "muster-NODE-XXXXXXXX": two agents of one name on a machine differ in their state directory, and
 * one that ends must not take the group from the other. */
static struct cgroups *open_cgroups(const struct process_engine *engine)
{
	struct digest digest = digest_of(engine->state_dir, strlen(engine->state_dir));
	char hex[DIGEST_HEX_LEN + 1];
	struct buf name = { 0 };
	digest_hex(&digest, hex);
	buf_addf(&name, "muster-%s-%.8s", engine->node, hex);
	struct cgroups *cgroups = cgroups_open(name.data);
	buf_release(&name);
	return cgroups;
}

static bool is_task(void *arg, const char *id)
{
	const struct process_engine *engine = arg;
	return map_get(engine->tasks, id) != NULL;
}

static bool start_up(struct process_engine *engine, struct err *err)
{
	if (access(engine->shim, X_OK) < 0)
		return err_set(err, ENOENT, "muster-shim at '%s'", engine->shim);
	/* The shim finds the processes that it has to end there. */
	if (access("/proc/thread-self/children", R_OK) < 0)
		return err_set(err, ENOENT, "open /proc/thread-self/children (a kernel option)");
	engine->cgroups = open_cgroups(engine);
	engine_probe(engine);
	return fs_mkdirs(engine->state_dir, STATE_MODE, err) &&
	       fs_mkdirs(engine->tasks_dir, TASKS_MODE, err) &&
	       (engine->watcher = watcher_new(engine->loop, file_changed, engine, err)) &&
	       watcher_add(engine->watcher, engine->tasks_dir, err) && scan(engine, err);
}

static bool process_open(const struct engine_options *options, void **self, struct err *err)
{
	struct process_engine *engine = xcalloc(1, sizeof(*engine));
	*engine = (struct process_engine){
		.loop = options->loop,
		.jobs = jobs_new(options->loop),
		.tasks = map_new(),
		.fleet = options->fleet ? xstrdup(options->fleet) : NULL,
		.node = xstrdup(options->node),
		.state_dir = xstrdup(options->state_dir),
		.tasks_dir = join(options->state_dir, "tasks"),
		.shim = xstrdup(options->shim),
		.boot_id = xstrdup(options->boot_id),
		.changed = options->changed,
		.arg = options->arg,
	};
	engine->retry = timer_new(options->loop, try_again, engine);
	if (!start_up(engine, err)) {
		process_close(engine);
		return false;
	}
	repeat_stops(engine);
	engine_files_sweep(&PROCESS_FILES(engine), is_task, engine);
	/* A shim may have closed its lock file just before we watched. */
	engine_look_again(engine, LOCK_AGAIN_MS);
	*self = engine;
	return true;
}

static void process_set_fleet(void *self, const char *fleet)
{
	struct process_engine *engine = self;
	free(engine->fleet);
	engine->fleet = fleet ? xstrdup(fleet) : NULL;
}

static bool process_facts(void *self, struct arena *arena, struct engine_facts *out,
			  struct err *err)
{
	const struct process_engine *engine = self;
	/* In order of names. */
	const struct {
		const char *name;
		bool can;
	} rows[] = {
		{ CAPABILITY_DEPENDS_ON, true },
		{ CAPABILITY_CPU_LIMIT, engine->can[CGROUP_CPU] },
		{ CAPABILITY_FILES, true },
		{ CAPABILITY_MEMORY_LIMIT, engine->can[CGROUP_MEMORY] },
		{ CAPABILITY_PIDS_LIMIT, engine->can[CGROUP_PIDS] },
		{ CAPABILITY_SECRETS, true },
		{ CAPABILITY_USER, engine_can_switch_users() },
	};
	(void)err;
	*out = (struct engine_facts){
		.engine = { .kind = ENGINE_PROCESS, .name = "process", .version = MUSTER_VERSION }
	};
	out->capabilities.items = ARENA_ARRAY(arena, const char *, ARRAY_LEN(rows));
	out->capabilities.set = true;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].can)
			out->capabilities.items[out->capabilities.len++] = rows[i].name;
	return true;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct node_task *)a)->id, ((const struct node_task *)b)->id);
}

static bool process_list(void *self, struct arena *arena, struct node_task **tasks, uint32_t *count,
			 struct err *err)
{
	const struct process_engine *engine = self;
	void *value;
	bool known = true;
	*tasks = ARENA_ARRAY(arena, struct node_task, map_count(engine->tasks));
	*count = 0;
	if (!engine->fleet)
		return err_set(err, 0, "the fleet is not known yet");
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);) {
		const struct task *task = value;
		/* It may be one of ours: then "there is none" would start a second one. */
		if (task->phase == PHASE_UNKNOWN || !task->fleet)
			known = err_set(err, 0, "the record of task %s is %s", task->id,
					task->newer ? "of a newer version" : "damaged or gone");
		else if (strcmp(task->fleet, engine->fleet) == 0 &&
			 strcmp(task->node, engine->node) == 0)
			task_describe(task, engine->boot_id, arena, &(*tasks)[(*count)++]);
	}
	qsort(*tasks, *count, sizeof(**tasks), by_id);
	return known;
}

const struct engine_ops engine_process_ops = {
	.name = "process",
	.kind = ENGINE_PROCESS,
	.open = process_open,
	.close = process_close,
	.set_fleet = process_set_fleet,
	.facts = process_facts,
	.list = process_list,
	.prepare = engine_prepare,
	.start = engine_start,
	.stop = engine_stop,
	.remove = engine_remove,
};
