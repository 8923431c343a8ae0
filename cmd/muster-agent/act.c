#include "agent.h"

#include "fs/fs.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* --- engines
 * ------------------------------------------------------------------------------------------- */

static void engine_changed(void *arg)
{
	agent_step_soon(arg);
}

/* muster-shim lies next to muster-agent. */
static const char *shim_program(struct arena *arena)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len <= 0)
		return "muster-shim";
	self[len] = '\0';
	*strrchr(self, '/') = '\0';
	return fs_join(arena, self, "muster-shim");
}

bool agent_engines_start(struct agent *a, struct err *err)
{
	static const struct engine_ops *const known[] = { &engine_process_ops };
	struct engine_options options = {
		.loop = a->loop,
		.fleet = a->fleet[0] ? a->fleet : NULL,
		.node = a->options.node,
		.state_dir = a->dir,
		.shim = shim_program(&a->arena),
		.boot_id = a->boot_id,
		.changed = engine_changed,
		.arg = a,
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct agent_engine *engine = &a->engines[a->engine_count];
		engine->ops = known[i];
		if (!engine->ops->open(&options, &engine->self, err))
			return false;
		a->engine_count++;
	}
	return true;
}

static struct agent_engine *engine_for(struct agent *a, const struct wire_desired_task *task)
{
	enum engine_kind kind = task_definition_engine(task->task_definition);
	for (size_t i = 0; i < a->engine_count; i++)
		if (a->engines[i].ops->kind == kind)
			return &a->engines[i];
	return NULL;
}

static struct agent_engine *engine_named(struct agent *a, const char *name)
{
	for (size_t i = 0; i < a->engine_count; i++)
		if (strcmp(a->engines[i].ops->name, name) == 0)
			return &a->engines[i];
	return NULL;
}

/* --- prepares
 * ------------------------------------------------------------------------------------------ */

/* What an answer needs to find its entry again: entries move. */
struct prepare_request {
	struct agent *a;
	char *cluster, *service;
	struct digest target;
};

static struct node_prepare_entry *prepare_find(struct agent *a, const char *cluster,
					       const char *service)
{
	for (size_t i = 0; i < a->prepares.len; i++) {
		struct node_prepare_entry *p = &a->prepares.items[i];
		if (strcmp(p->service, service) == 0 && strcmp(p->cluster, cluster) == 0)
			return p;
	}
	return NULL;
}

static void prepared(void *arg, bool ok, const char *reason)
{
	struct prepare_request *request = arg;
	struct agent *a = request->a;
	struct node_prepare_entry *p = prepare_find(a, request->cluster, request->service);
	if (p && digest_equal(&p->target, &request->target)) {
		p->state = ok ? PREPARE_DONE : PREPARE_FAILED;
		free(p->reason);
		p->reason = reason && !ok ? xstrdup(reason) : NULL;
		agent_step_soon(a);
	}
	free(request->cluster);
	free(request->service);
	free(request);
}

static void prepare(struct agent *a, const struct wire_desired_task *task)
{
	struct node_prepare_entry *p = prepare_find(a, task->cluster, task->service);
	if (!p) {
		p = vec_push(&a->prepares);
		p->cluster = xstrdup(task->cluster);
		p->service = xstrdup(task->service);
	}
	free(p->reason);
	p->reason = NULL;
	p->target = task->target;
	p->state = PREPARE_RUNNING;
	struct prepare_request *request = xcalloc(1, sizeof(*request));
	*request = (struct prepare_request){ .a = a,
					     .cluster = xstrdup(task->cluster),
					     .service = xstrdup(task->service),
					     .target = task->target };
	struct agent_engine *engine = engine_for(a, task);
	if (engine)
		engine->ops->prepare(engine->self, task, prepared, request);
	else
		prepared(request, false,
			 "CannotStartContainerError: no engine for it on this node");
}

/* Prepares of what is no longer desired are forgotten. */
static void prepares_sweep(struct agent *a)
{
	size_t kept = 0;
	for (size_t i = 0; i < a->prepares.len; i++) {
		struct node_prepare_entry *p = &a->prepares.items[i];
		bool wanted = false;
		for (uint32_t k = 0; a->desired_known && k < a->desired.task_count; k++)
			wanted |= strcmp(a->desired.tasks[k].service, p->service) == 0 &&
				  strcmp(a->desired.tasks[k].cluster, p->cluster) == 0 &&
				  digest_equal(&a->desired.tasks[k].target, &p->target);
		if (wanted) {
			a->prepares.items[kept++] = *p;
			continue;
		}
		free(p->cluster);
		free(p->service);
		free(p->reason);
	}
	a->prepares.len = kept;
}

/* --- starts, stops, removals
 * --------------------------------------------------------------------------- */

static void upper_name(struct buf *out, const char *name)
{
	for (; *name; name++) {
		char c = *name;
		bool ok = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		buf_addc(out, ok ? c : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : '_');
	}
}

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct str_pair *)x)->name, ((const struct str_pair *)y)->name);
}

/* MUSTER_*: DESIGN section 4. */
static struct str_map environment(const struct agent *a, const struct wire_desired_task *task,
				  const char *id, struct arena *arena)
{
	const struct str_pair fixed[] = {
		{ "MUSTER_NODE", a->options.node },
		{ "MUSTER_CLUSTER", task->cluster },
		{ "MUSTER_SERVICE", task->service },
		{ "MUSTER_TASK", id },
		{ "MUSTER_TASK_DEFINITION",
		  arena_printf(arena, "%s:%u", task->family, task->revision) },
	};
	uint32_t max = (uint32_t)ARRAY_LEN(fixed) + a->desired.attributes.len;
	struct str_map map = { .items = ARENA_ARRAY(arena, struct str_pair, max), .set = true };
	memcpy(map.items, fixed, sizeof(fixed));
	map.len = ARRAY_LEN(fixed);
	for (uint32_t i = 0; i < a->desired.attributes.len; i++) {
		const struct str_pair *attribute = &a->desired.attributes.items[i];
		struct buf name = { 0 };
		buf_adds(&name, "MUSTER_ATTRIBUTE_");
		upper_name(&name, attribute->name);
		map.items[map.len++] =
			(struct str_pair){ arena_strdup(arena, buf_str(&name)),
					   attribute->value ? attribute->value : "" };
		buf_release(&name);
	}
	qsort(map.items, map.len, sizeof(*map.items), by_name);
	uint32_t kept = 0; /* two attribute names may become one variable: the first stays */
	for (uint32_t i = 0; i < map.len; i++)
		if (!kept || strcmp(map.items[kept - 1].name, map.items[i].name) != 0)
			map.items[kept++] = map.items[i];
	map.len = kept;
	return map;
}

struct id_request {
	struct agent *a;
	char id[UUID_TEXT_LEN + 1];
};

static struct id_request *id_request_new(struct agent *a, const char *id)
{
	struct id_request *request = xcalloc(1, sizeof(*request));
	request->a = a;
	snprintf(request->id, sizeof(request->id), "%s", id);
	return request;
}

static void started(void *arg, bool ok, const char *reason)
{
	struct id_request *request = arg;
	struct agent *a = request->a;
	for (size_t i = 0; i < a->starting.len; i++) {
		struct starting *s = &a->starting.items[i];
		if (strcmp(s->id, request->id) != 0)
			continue;
		if (ok)
			log_info("task started", "service", s->service, "task", s->id);
		else
			log_warn("task did not start", "service", s->service, "task", s->id,
				 "reason", reason);
		free(s->cluster);
		free(s->service);
		*s = a->starting.items[--a->starting.len];
		break;
	}
	free(request);
	agent_step_soon(a);
}

static void start(struct agent *a, const struct wire_desired_task *task)
{
	struct agent_engine *engine = engine_for(a, task);
	if (!engine)
		return;
	struct starting *s = vec_push(&a->starting);
	random_id(s->id);
	s->cluster = xstrdup(task->cluster);
	s->service = xstrdup(task->service);
	struct arena scratch;
	arena_init(&scratch);
	char id[UUID_TEXT_LEN + 1];
	memcpy(id, s->id, sizeof(id));
	struct str_map env = environment(a, task, id, &scratch);
	engine->ops->start(engine->self, id, task, &env, started, id_request_new(a, id));
	arena_release(&scratch);
}

static void answered(void *arg, bool ok, const char *reason)
{
	struct id_request *request = arg;
	if (!ok)
		log_warn("the engine refused", "task", request->id, "reason", reason);
	agent_step_soon(request->a);
	free(request);
}

static const struct node_task *task_by_id(const struct node_input *input, const char *id)
{
	for (uint32_t i = 0; i < input->task_count; i++)
		if (strcmp(input->tasks[i].id, id) == 0)
			return &input->tasks[i];
	return NULL;
}

static void carry_out(struct agent *a, const struct node_action *action,
		      const struct node_input *input)
{
	const struct node_task *task = action->id ? task_by_id(input, action->id) : NULL;
	struct agent_engine *engine = task ? engine_named(a, task->engine) : NULL;
	switch (action->kind) {
	case NODE_PREPARE: prepare(a, action->task); break;
	case NODE_START: start(a, action->task); break;
	case NODE_STOP:
		if (engine) {
			log_info("task stops", "service", task->service, "task", task->id, "reason",
				 action->reason);
			engine->ops->stop(engine->self, action->id, action->reason, answered,
					  id_request_new(a, action->id));
		}
		break;
	case NODE_REMOVE:
		if (engine)
			engine->ops->remove(engine->self, action->id, answered,
					    id_request_new(a, action->id));
		break;
	}
}

/* --- the step
 * ------------------------------------------------------------------------------------------ */

/* An engine that cannot be asked is told of once; with why "" not at all: before the first store is
 * reached, that is as it should be. */
static void say_unasked(struct agent_engine *engine, const char *why)
{
	bool same = why ? engine->why && strcmp(engine->why, why) == 0 : !engine->why;
	if (same)
		return;
	free(engine->why);
	engine->why = why ? xstrdup(why) : NULL;
	if (why && *why)
		log_warn("an engine cannot be asked; its tasks are left alone", "engine",
			 engine->ops->name, "reason", why);
}

/* All engines' tasks in one array, and a PENDING one for each start without an answer that its
 * engine does not list yet. False where an engine could not be asked. */
static bool list_tasks(struct agent *a, struct arena *arena, struct node_input *input)
{
	VEC(struct node_task) all = { 0 };
	bool known = true;
	for (size_t i = 0; i < a->engine_count; i++) {
		struct node_task *tasks;
		uint32_t count;
		struct err err;
		if (!a->engines[i].ops->list(a->engines[i].self, arena, &tasks, &count, &err)) {
			say_unasked(&a->engines[i], a->fleet[0] ? err.text : "");
			known = false;
			continue;
		}
		say_unasked(&a->engines[i], NULL);
		for (uint32_t k = 0; k < count; k++)
			*vec_push(&all) = tasks[k];
	}
	for (size_t i = 0; i < a->starting.len; i++) {
		const struct starting *s = &a->starting.items[i];
		bool listed = false;
		for (size_t k = 0; k < all.len; k++)
			listed |= strcmp(all.items[k].id, s->id) == 0;
		if (!listed)
			*vec_push(&all) = (struct node_task){
				.id = arena_strdup(arena, s->id),
				.cluster = arena_strdup(arena, s->cluster),
				.service = arena_strdup(arena, s->service),
				.family = "",
				.deployment = "",
				.engine = a->engines[0].ops->name,
				.status = TASK_PENDING,
			};
	}
	struct node_task *copy = ARENA_ARRAY(arena, struct node_task, all.len + 1);
	if (all.len)
		memcpy(copy, all.items, all.len * sizeof(*copy));
	input->tasks = copy;
	input->task_count = (uint32_t)all.len;
	vec_release(&all);
	return known;
}

static bool disk_is_full(const struct agent *a)
{
	struct statvfs fs;
	return statvfs(a->dir, &fs) == 0 &&
	       ((uint64_t)fs.f_bavail * fs.f_frsize < DISK_FREE_MIN_BYTES ||
		(fs.f_files > 0 && fs.f_favail == 0));
}

static void save_memory(struct agent *a)
{
	struct buf bytes = { 0 };
	struct err err;
	node_memory_save(a->memory, a->boot_id, &bytes);
	if (!fs_write(fs_join(&a->report_arena, a->dir, "memory"), bytes.data, bytes.len, 0600, 0,
		      NULL, &err))
		log_warn("the restart delays could not be kept", "reason", err.text);
	buf_release(&bytes);
}

/* Copies: what a step says may refer to them for longer than a prepare lives. */
static struct node_prepare *list_prepares(const struct agent *a, struct arena *arena)
{
	struct node_prepare *list = ARENA_ARRAY(arena, struct node_prepare, a->prepares.len + 1);
	for (size_t i = 0; i < a->prepares.len; i++) {
		const struct node_prepare_entry *p = &a->prepares.items[i];
		list[i] = (struct node_prepare){
			.cluster = arena_strdup(arena, p->cluster),
			.service = arena_strdup(arena, p->service),
			.target = p->target,
			.state = p->state,
			.reason = arena_strdup(arena, p->reason),
		};
	}
	return list;
}

static void set_wake_up(struct agent *a, int64_t now_ms)
{
	int64_t at_ms = a->last.wake_at_ms;
	if (a->disk_full && at_ms > now_ms + DISK_RECHECK_MS)
		at_ms = now_ms + DISK_RECHECK_MS;
	if (at_ms == INT64_MAX)
		timer_clear(a->wake_timer);
	else
		timer_set(a->wake_timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

void agent_step(void *arg)
{
	struct agent *a = arg;
	if (a->claim == CLAIM_LOST)
		return;
	struct arena arena; /* lives until the next step: reports refer to it */
	arena_init(&arena);
	prepares_sweep(a);
	a->disk_full = disk_is_full(a);
	struct node_input input = {
		.now_ms = clock_boot_ms(),
		.now_unix_ms = clock_unix_ms(),
		.desired = a->desired_known ? &a->desired : NULL,
		.seen_written = a->seen_written,
		.prepares = list_prepares(a, &arena),
		.prepare_count = (uint32_t)a->prepares.len,
		.disk_full = a->disk_full,
		.leaving = a->leaving,
	};
	input.tasks_known = a->tasks_known = list_tasks(a, &arena, &input);
	arena_release(&a->report_arena);
	a->report_arena = arena;
	node_step(a->memory, &input, &a->report_arena, &a->last);
	a->seen = a->last.seen;
	if (a->last.memory_changed)
		save_memory(a);
	for (uint32_t i = 0; i < a->last.action_count; i++)
		carry_out(a, &a->last.actions[i], &input);
	set_wake_up(a, input.now_ms);
	/* Stops wait for `seen` to be known; all else may come together with what follows at once.
	 */
	agent_observed_changed(a, a->seen > a->seen_pending);
	if (a->leaving)
		agent_leave_check(a);
}

void agent_step_soon(struct agent *a)
{
	timer_set(a->step_timer, 0);
}
