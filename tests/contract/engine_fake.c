#include "engine_fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fake_task {
	struct arena arena;
	struct node_task shown;
	const char *state_dir, *fleet, *node;
	int exits; /* code with which it ends at once; -1: runs */
	struct fake_task *next;
};

static struct fake_task *world; /* what outlives engines */

struct fake_answer {
	engine_done done;
	engine_prepared prepared; /* instead of done */
	void *arg;
	bool ok;
	char *reason;
	struct fake_answer *next;
};

struct fake_engine {
	struct engine_options options;
	char *fleet, *node, *state_dir;
	struct timer *soon;
	struct fake_answer *answers, **last, *newest;
};

void engine_fake_reset(void)
{
	while (world) {
		struct fake_task *task = world;
		world = task->next;
		arena_release(&task->arena);
		free(task);
	}
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void answer_later(struct fake_engine *engine, bool ok, const char *reason, engine_done done,
			 void *arg)
{
	struct fake_answer *answer = xcalloc(1, sizeof(*answer));
	*answer = (struct fake_answer){ .done = done, .arg = arg, .ok = ok };
	answer->reason = reason ? xstrdup(reason) : NULL;
	*engine->last = answer;
	engine->newest = answer;
	engine->last = &answer->next;
	timer_set(engine->soon, 0);
}

static void answer_now(void *arg)
{
	struct fake_engine *engine = arg;
	struct fake_answer *answer = engine->answers;
	engine->answers = NULL;
	engine->last = &engine->answers;
	while (answer) {
		struct fake_answer *next = answer->next;
		if (answer->prepared)
			answer->prepared(answer->arg, answer->ok, answer->reason, NULL);
		else
			answer->done(answer->arg, answer->ok, answer->reason);
		free(answer->reason);
		free(answer);
		answer = next;
	}
	engine->options.changed(engine->options.arg);
}

/* --- tasks -------------------------------------------------------------------------------------
 */

static struct fake_task **find(const struct fake_engine *engine, const char *id)
{
	struct fake_task **link = &world;
	while (*link && (strcmp((*link)->shown.id, id) != 0 ||
			 strcmp((*link)->state_dir, engine->state_dir) != 0))
		link = &(*link)->next;
	return link;
}

static const char *cannot_start(const struct wire_desired_task *task, struct arena *arena)
{
	const struct task_definition *td = task->task_definition;
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		if (c->command.len == 0 || access(c->command.items[0], X_OK) < 0)
			return arena_printf(arena, "CannotStartContainerError: container %s",
					    c->name);
	}
	return NULL;
}

static int exit_of(const struct wire_desired_task *task)
{
	const struct str_list *words =
		&task->task_definition->container_definitions.items[0].command;
	for (uint32_t i = 1; i < words->len; i++) {
		if (strncmp(words->items[i], "exit=", 5) == 0)
			return (int)strtol(words->items[i] + 5, NULL, 10);
		if (strncmp(words->items[i], "kill=", 5) == 0)
			return 128 + (int)strtol(words->items[i] + 5, NULL, 10);
	}
	return -1;
}

static void end(struct fake_task *task, const char *code, const char *reason, int exit_code)
{
	struct node_task *shown = &task->shown;
	shown->status = TASK_STOPPED;
	shown->stop_code = code;
	shown->reason = arena_strdup(&task->arena, reason);
	shown->stopped_at_ms = clock_boot_ms();
	shown->stopped_unix_ms = clock_unix_ms();
	for (uint32_t i = 0; i < shown->container_count; i++) {
		shown->containers[i].last_status = TASK_STOPPED;
		shown->containers[i].has_exit_code = exit_code >= 0;
		shown->containers[i].exit_code = exit_code >= 0 ? exit_code : 0;
	}
}

static struct fake_task *make(const struct fake_engine *engine, const char *id,
			      const struct wire_desired_task *from)
{
	struct fake_task *task = xcalloc(1, sizeof(*task));
	struct arena *a = &task->arena;
	const struct task_definition *td = from->task_definition;
	arena_init(a);
	task->state_dir = arena_strdup(a, engine->state_dir);
	task->fleet = arena_strdup(a, engine->fleet);
	task->node = arena_strdup(a, engine->node);
	task->exits = exit_of(from);
	task->shown = (struct node_task){
		.id = arena_strdup(a, id),
		.cluster = arena_strdup(a, from->cluster),
		.service = arena_strdup(a, from->service),
		.family = arena_strdup(a, from->family),
		.deployment = arena_strdup(a, from->deployment),
		.engine = "fake",
		.revision = from->revision,
		.target = from->target,
		.status = TASK_RUNNING,
		.started_at_ms = clock_boot_ms(),
		.started_unix_ms = clock_unix_ms(),
		.container_count = td->container_definitions.len,
		.containers = ARENA_ARRAY(a, struct wire_container, td->container_definitions.len),
	};
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		task->shown.containers[i].name =
			arena_strdup(a, td->container_definitions.items[i].name);
		task->shown.containers[i].last_status = TASK_RUNNING;
	}
	task->next = world;
	world = task;
	return task;
}

/* --- operations --------------------------------------------------------------------------------
 */

static bool fake_open(const struct engine_options *options, void **self, struct err *err)
{
	struct fake_engine *engine = xcalloc(1, sizeof(*engine));
	(void)err;
	engine->options = *options;
	engine->fleet = options->fleet ? xstrdup(options->fleet) : NULL;
	engine->node = xstrdup(options->node);
	engine->state_dir = xstrdup(options->state_dir);
	engine->soon = timer_new(options->loop, answer_now, engine);
	engine->last = &engine->answers;
	*self = engine;
	return true;
}

static void fake_close(void *self)
{
	struct fake_engine *engine = self;
	if (!engine)
		return;
	while (engine->answers) {
		struct fake_answer *answer = engine->answers;
		engine->answers = answer->next;
		free(answer->reason);
		free(answer);
	}
	timer_free(engine->soon);
	free(engine->fleet);
	free(engine->node);
	free(engine->state_dir);
	free(engine);
}

static void fake_set_fleet(void *self, const char *fleet)
{
	struct fake_engine *engine = self;
	free(engine->fleet);
	engine->fleet = fleet ? xstrdup(fleet) : NULL;
}

static bool fake_facts(void *self, struct arena *arena, struct engine_facts *out, struct err *err)
{
	(void)self;
	(void)arena;
	(void)err;
	*out = (struct engine_facts){ .engine = { ENGINE_PROCESS, "fake", "1" } };
	out->capabilities.set = true;
	return true;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct node_task *)a)->id, ((const struct node_task *)b)->id);
}

static bool fake_list(void *self, struct arena *arena, struct node_task **tasks, uint32_t *count,
		      struct err *err)
{
	const struct fake_engine *engine = self;
	size_t all = 0;
	*count = 0;
	if (!engine->fleet)
		return err_set(err, 0, "the fleet is not known yet");
	for (struct fake_task *task = world; task; task = task->next)
		all++;
	*tasks = ARENA_ARRAY(arena, struct node_task, all);
	for (struct fake_task *task = world; task; task = task->next) {
		if (strcmp(task->state_dir, engine->state_dir) != 0 ||
		    strcmp(task->fleet, engine->fleet) != 0 ||
		    strcmp(task->node, engine->node) != 0)
			continue;
		struct node_task *shown = &(*tasks)[(*count)++];
		*shown = task->shown;
		shown->containers =
			ARENA_ARRAY(arena, struct wire_container, shown->container_count);
		memcpy(shown->containers, task->shown.containers,
		       shown->container_count * sizeof(*shown->containers));
	}
	qsort(*tasks, *count, sizeof(**tasks), by_id);
	return true;
}

static void fake_prepare(void *self, const struct wire_desired_task *task, engine_prepared done,
			 void *arg)
{
	struct arena arena;
	arena_init(&arena);
	const char *why = cannot_start(task, &arena);
	answer_later(self, !why, why, NULL, arg);
	((struct fake_engine *)self)->newest->prepared = done;
	arena_release(&arena);
}

static void fake_start(void *self, const char *id, const struct wire_desired_task *desired,
		       const struct str_map *environment, engine_done done, void *arg)
{
	struct fake_engine *engine = self;
	(void)environment;
	if (!engine->fleet || *find(engine, id)) {
		answer_later(engine, false, "it cannot be started", done, arg);
		return;
	}
	struct fake_task *task = make(engine, id, desired);
	const char *why = cannot_start(desired, &task->arena);
	if (why)
		end(task, "TaskFailedToStart", why, -1);
	else if (task->exits >= 0)
		end(task, "EssentialContainerExited", "Essential container in task exited",
		    task->exits);
	answer_later(engine, !why, why, done, arg);
}

static void fake_stop(void *self, const char *id, const char *reason, engine_done done, void *arg)
{
	struct fake_engine *engine = self;
	struct fake_task *task = *find(engine, id);
	if (task && task->shown.status != TASK_STOPPED) {
		task->shown.stop_requested = true;
		end(task, "ServiceSchedulerInitiated", reason, 128 + 15);
	}
	answer_later(engine, true, NULL, done, arg);
}

static void fake_remove(void *self, const char *id, engine_done done, void *arg)
{
	struct fake_engine *engine = self;
	struct fake_task **link = find(engine, id), *task = *link;
	bool may = !task || task->shown.status == TASK_STOPPED;
	if (task && may) {
		*link = task->next;
		arena_release(&task->arena);
		free(task);
	}
	answer_later(engine, may, may ? NULL : "the task has not stopped", done, arg);
}

const struct engine_ops engine_fake_ops = {
	.name = "fake",
	.kind = ENGINE_PROCESS,
	.open = fake_open,
	.close = fake_close,
	.set_fleet = fake_set_fleet,
	.facts = fake_facts,
	.list = fake_list,
	.prepare = fake_prepare,
	.start = fake_start,
	.stop = fake_stop,
	.remove = fake_remove,
};
