/* What the engine is asked to do: each a job, whose answer comes on the loop. */
#include "engine/process/internal.h"

#include "fs/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- answers -----------------------------------------------------------------------------------
 */

/* What all jobs have: on finish they answer, unless the engine is being closed. */
struct action {
	struct job job;
	struct process_engine *engine;
	struct task *task; /* it stays while its .job is set; NULL */
	engine_done done;
	engine_prepared prepared; /* instead of done */
	void *arg;
	struct arena arena;
	struct wire_desired_task desired;
	struct str_map environment;
	const char *fleet; /* as it was when asked */
	struct err err;
	bool ok;
	pid_t pid; /* start: of the shim */
};

static struct action *action_new(struct process_engine *engine, struct task *task, engine_done done,
				 void *arg)
{
	struct action *action = xcalloc(1, sizeof(*action));
	*action = (struct action){
		.engine = engine, .task = task, .done = done, .arg = arg, .ok = true
	};
	arena_init(&action->arena);
	action->fleet = arena_strdup(&action->arena, engine->fleet);
	if (task)
		task->job = true;
	return action;
}

static void action_free(struct action *action)
{
	arena_release(&action->arena);
	free(action);
}

/* The task is free for the next job; true when there is nothing more to do, but to free. */
static bool action_over(struct action *action)
{
	if (action->task)
		action->task->job = false;
	return jobs_closing(action->engine->jobs);
}

static void answer(const struct action *action)
{
	if (action->prepared)
		action->prepared(action->arg, action->ok, action->ok ? NULL : action->err.text,
				 NULL);
	if (action->done)
		action->done(action->arg, action->ok, action->ok ? NULL : action->err.text);
}

static void finish_with_answer(struct job *job)
{
	struct action *action = (struct action *)job;
	if (!action_over(action))
		answer(action);
	action_free(action);
}

static void add(struct action *action, void (*run)(struct job *job),
		void (*finish)(struct job *job))
{
	action->job = (struct job){ .run = run, .finish = finish };
	jobs_add(action->engine->jobs, &action->job);
}

/* Answer on the loop, later. reason NULL: it went well. */
static void answer_later(struct process_engine *engine, const char *reason, engine_done done,
			 void *arg)
{
	struct action *action = action_new(engine, NULL, done, arg);
	action->ok = !reason;
	if (reason)
		err_set(&action->err, 0, "%s", reason);
	add(action, NULL, finish_with_answer);
}

/* The desired document may be replaced while the job runs. */
static void copy_desired(struct action *action, const struct wire_desired_task *from)
{
	struct arena *arena = &action->arena;
	action->desired = (struct wire_desired_task){
		.cluster = arena_strdup(arena, from->cluster),
		.service = arena_strdup(arena, from->service),
		.family = arena_strdup(arena, from->family),
		.deployment = arena_strdup(arena, from->deployment),
		.revision = from->revision,
		.target = from->target,
		.task_definition =
			schema_copy(&task_definition_schema, from->task_definition, arena),
	};
}

static void copy_environment(struct action *action, const struct str_map *from)
{
	if (!from)
		return;
	action->environment.items = ARENA_ARRAY(&action->arena, struct str_pair, from->len);
	action->environment.len = from->len;
	for (uint32_t i = 0; i < from->len; i++)
		action->environment.items[i] = (struct str_pair){
			.name = arena_strdup(&action->arena, from->items[i].name),
			.value = arena_strdup(&action->arena, from->items[i].value),
		};
}

static struct compose compose_of(const struct action *action, const char *id)
{
	const struct process_engine *engine = action->engine;
	return (struct compose){ .task = &action->desired,
				 .environment = &action->environment,
				 .id = id,
				 .fleet = action->fleet,
				 .node = engine->node,
				 .boot_id = engine->boot_id,
				 .state_dir = engine->state_dir,
				 .created_unix_ms = clock_unix_ms(),
				 .cgroups = engine->cgroups };
}

/* --- prepare -----------------------------------------------------------------------------------
 */

static void run_prepare(struct job *job)
{
	struct action *action = (struct action *)job;
	struct record_writer w = { 0 };
	struct compose compose = compose_of(action, NULL);
	char **secrets;
	action->ok = compose_secrets(compose.task->task_definition, &action->arena, &secrets,
				     &action->err) &&
		     compose_record(&compose, &w, &action->err) &&
		     check_with_shim(action->engine->shim, &w, &action->err);
	free(w.data);
}

void engine_prepare(void *self, const struct wire_desired_task *task, engine_prepared done,
		    void *arg)
{
	struct action *action = action_new(self, NULL, NULL, arg);
	action->prepared = done;
	copy_desired(action, task);
	add(action, run_prepare, finish_with_answer);
}

/* --- start -------------------------------------------------------------------------------------
 */

/* Of an agent that ran in another group than we do, for instance as a unit of systemd, the base
 * goes with its last task. */
static void remove_other_base(const struct process_engine *engine, const char *path, const char *id)
{
	const char *slash = strrchr(path, '/');
	struct buf base = { 0 };
	if (!slash || strcmp(slash + 1, id) != 0)
		return;
	buf_add(&base, path, (size_t)(slash - path));
	if (!cgroups_is_base(engine->cgroups, buf_str(&base)))
		rmdir(buf_str(&base));
	buf_release(&base);
}

static void remove_cgroups(const struct process_engine *engine, const struct task *task)
{
	for (uint32_t i = task->cgroup_count; i-- > 0;) {
		cgroup_remove(task->cgroups[i]);
		remove_other_base(engine, task->cgroups[i], task->id);
	}
}

static void run_start(struct job *job)
{
	struct action *action = (struct action *)job;
	struct process_engine *engine = action->engine;
	struct record_writer w = { 0 };
	struct compose compose = compose_of(action, action->task->id);
	struct start start = { .tasks_dir = engine->tasks_dir,
			       .shim = engine->shim,
			       .id = action->task->id,
			       .title = action->desired.service };
	action->ok = compose_secrets(compose.task->task_definition, &action->arena, &start.env,
				     &action->err) &&
		     compose_record(&compose, &w, &action->err);
	if (action->ok) {
		action->ok = start_shim(&start, &w, &action->err);
		action->pid = start.pid;
		if (!action->ok)
			compose_undo(&w);
		/* Nothing ran; and what is another task's is none of ours. */
		if (!action->ok && action->err.code != EEXIST)
			task_unlink(engine->tasks_dir, action->task->id);
	}
	if (!action->ok && action->err.code != EEXIST)
		engine_files_remove(&PROCESS_FILES(engine), action->task->id);
	free(w.data);
}

void shim_child_free(struct shim_child *child)
{
	poll_free(child->poll);
	close(child->pidfd);
	free(child);
}

static void shim_ended(void *arg)
{
	struct shim_child *child = arg;
	if (waitpid(child->pid, NULL, WNOHANG) == 0)
		return;
	struct shim_child **link = &child->engine->children;
	while (*link != child)
		link = &(*link)->next;
	*link = child->next;
	shim_child_free(child);
}

/* While we live it is our child, and a zombie until we wait for it. */
static void adopt_child(struct process_engine *engine, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return;
	struct shim_child *child = xcalloc(1, sizeof(*child));
	*child = (struct shim_child){
		.engine = engine, .pidfd = fd, .pid = pid, .next = engine->children
	};
	engine->children = child;
	child->poll = poll_new(engine->loop, fd, shim_ended, child);
}

static void finish_start(struct job *job)
{
	struct action *action = (struct action *)job;
	struct process_engine *engine = action->engine;
	struct task *task = action->task;
	if (action_over(action)) {
		action_free(action);
		return;
	}
	if (action->ok) {
		adopt_child(engine, action->pid);
		if (task->stop_after)
			task_send_stop(engine->tasks_dir, task->id, task->stop_after, NULL);
	} else {
		task_fail(task, action->err.text);
	}
	action_free(action);
	engine_look(engine, task);
	engine->changed(engine->arg);
}

/* A task that list() can tell of before it has a record. */
static struct task *announce(struct process_engine *engine, const char *id,
			     const struct wire_desired_task *from)
{
	struct task *task = task_new(id);
	const struct task_definition *td = from->task_definition;
	task->fleet = arena_strdup(&task->arena, engine->fleet);
	task->node = arena_strdup(&task->arena, engine->node);
	task->cluster = arena_strdup(&task->arena, from->cluster);
	task->service = arena_strdup(&task->arena, from->service);
	task->family = arena_strdup(&task->arena, from->family);
	task->deployment = arena_strdup(&task->arena, from->deployment);
	task->boot_id = arena_strdup(&task->arena, engine->boot_id);
	task->revision = from->revision;
	task->target = from->target;
	for (uint32_t i = 0; i < td->container_definitions.len && i < LIMIT_CONTAINERS; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		task->containers[i].name = arena_strdup(&task->arena, c->name);
		task->containers[i].essential = c->essential != OPT_FALSE;
		task->container_count++;
	}
	map_put(engine->tasks, id, task);
	return task;
}

void engine_start(void *self, const char *id, const struct wire_desired_task *desired,
		  const struct str_map *environment, engine_done done, void *arg)
{
	struct process_engine *engine = self;
	const char *wrong = !engine->fleet		 ? "the fleet is not known yet"
			    : !name_valid(id)		 ? "the task's id is no name"
			    : strlen(id) > RECORD_ID_MAX ? "the task's id is too long"
			    : map_get(engine->tasks, id) ? "there is such a task already"
							 : NULL;
	if (wrong) {
		answer_later(engine, wrong, done, arg);
		return;
	}
	struct task *task = announce(engine, id, desired);
	struct action *action = action_new(engine, task, NULL, NULL);
	task->started = done; /* answered when it runs, or has failed to */
	task->started_arg = arg;
	copy_desired(action, desired);
	copy_environment(action, environment);
	add(action, run_start, finish_start);
}

/* --- stop, remove ------------------------------------------------------------------------------
 */

void engine_stop(void *self, const char *id, const char *reason, engine_done done, void *arg)
{
	struct process_engine *engine = self;
	struct task *task = map_get(engine->tasks, id);
	bool alive = task && (task->phase == PHASE_STARTING || task->phase == PHASE_RUNNING);
	if (alive) {
		task->stop_asked = true;
		if (task->job) {
			free(task->stop_after);
			task->stop_after = xstrdup(reason);
		} else if (!task_send_stop(engine->tasks_dir, id, reason, NULL)) {
			/* Its shim has just died, or is about to be seen to have. */
			engine_look(engine, task);
		}
	}
	answer_later(engine, NULL, done, arg);
}

static void run_remove(struct job *job)
{
	struct action *action = (struct action *)job;
	if (!action->task->fileless)
		task_unlink(action->engine->tasks_dir, action->task->id);
	engine_files_remove(&PROCESS_FILES(action->engine), action->task->id);
	remove_cgroups(action->engine, action->task);
}

static void finish_remove(struct job *job)
{
	struct action *action = (struct action *)job;
	if (!action_over(action)) {
		engine_forget(action->engine, action->task);
		answer(action);
	}
	action_free(action);
}

void engine_remove(void *self, const char *id, engine_done done, void *arg)
{
	struct process_engine *engine = self;
	struct task *task = map_get(engine->tasks, id);
	if (!task || task->job || task->phase != PHASE_EXITED) {
		answer_later(engine, task ? "the task has not stopped" : NULL, done, arg);
		return;
	}
	add(action_new(engine, task, done, arg), run_remove, finish_remove);
}

/* --- leftovers ---------------------------------------------------------------------------------
 */

static const char *death(const struct task *task, const char *boot_id)
{
	return task->boot_id && strcmp(task->boot_id, boot_id) != 0
		       ? "NodeRebooted: the node was started anew while the task ran"
		       : "ShimDied: the task's supervisor ended; what was left of the task was "
			 "killed";
}

static void run_clean_up(struct job *job)
{
	struct action *action = (struct action *)job;
	struct process_engine *engine = action->engine;
	struct task *task = action->task;
	bool earlier = task->boot_id && strcmp(task->boot_id, engine->boot_id) != 0;
	/* Nothing outlives a boot, and pids and cgroups of this one are others'. */
	action->ok = earlier || leftovers_kill(task->id, task->cgroups, task->cgroup_count,
					       clock_boot_ms() + LEFTOVER_WAIT_MS);
	if (!action->ok)
		return;
	remove_cgroups(engine, task);
	task_end_logs(engine->state_dir, task);
	if (task->recorded || task->newer)
		action->ok = task_write_exit(engine->tasks_dir, task, "InfrastructureHealth",
					     death(task, engine->boot_id), &action->err);
	else
		task_unlink(engine->tasks_dir, task->id);
}

static void finish_clean_up(struct job *job)
{
	struct action *action = (struct action *)job;
	struct process_engine *engine = action->engine;
	struct task *task = action->task;
	bool closing = action_over(action), ok = action->ok;
	action_free(action);
	if (closing)
		return;
	if (!ok) {
		engine_look_again(engine, LEFTOVER_RETRY_MS);
		return;
	}
	if (engine_look(engine, task))
		engine->changed(engine->arg);
}

void engine_clean_up(struct process_engine *engine, struct task *task)
{
	add(action_new(engine, task, NULL, NULL), run_clean_up, finish_clean_up);
}
