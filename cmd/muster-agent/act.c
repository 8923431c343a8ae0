#include "agent.h"

#include "fs/fs.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

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
	struct agent_engine *engine = agent_engine_for(a, task);
	if (!engine)
		return;
	struct starting *s = vec_push(&a->starting);
	s->ops = engine->ops;
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
	struct agent_engine *engine = task ? agent_engine_of(a, task) : NULL;
	switch (action->kind) {
	case NODE_PREPARE: agent_prepare(a, action->task); break;
	case NODE_START: start(a, action->task); break;
	case NODE_STOP:
		if (engine) {
			log_info("task stops", "service", task->service, "task", task->id, "reason",
				 action->reason);
			engine->ops->stop(engine->self, action->id, action->reason, answered,
					  id_request_new(a, action->id));
		}
		break;
	case NODE_CLEAN:
		if (engine && engine->ops->clean)
			engine->ops->clean(engine->self, action->id, answered,
					   id_request_new(a, action->id));
		break;
	case NODE_REMOVE:
		if (engine)
			engine->ops->remove(engine->self, action->id, answered,
					    id_request_new(a, action->id));
		break;
	}
}

/* Tasks that were found without their records need their definitions. */
static void define_found(struct agent *a, const struct node_input *input, struct arena *arena)
{
	for (uint32_t i = 0; i < input->task_count; i++) {
		const struct node_task *found = &input->tasks[i];
		struct agent_engine *engine =
			found->lacks_definition ? agent_engine_of(a, found) : NULL;
		for (uint32_t k = 0; engine && input->desired && k < input->desired->task_count;
		     k++) {
			const struct wire_desired_task *task = &input->desired->tasks[k];
			if (strcmp(task->service, found->service) != 0 ||
			    strcmp(task->cluster, found->cluster) != 0 ||
			    !digest_equal(&task->target, &found->target))
				continue;
			struct str_map env = environment(a, task, found->id, arena);
			engine->ops->define(engine->self, found->id, task, &env);
		}
	}
}

/* --- the step
 * ------------------------------------------------------------------------------------------ */

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
	agent_prepares_sweep(a);
	a->disk_full = disk_is_full(a);
	struct node_input input = {
		.now_ms = clock_boot_ms(),
		.now_unix_ms = clock_unix_ms(),
		.desired = a->desired_known ? &a->desired : NULL,
		.seen_written = a->seen_written,
		.prepares = agent_prepares_list(a, &arena),
		.prepare_count = (uint32_t)a->prepares.len,
		.disk_full = a->disk_full,
		.leaving = a->leaving,
	};
	input.retries = agent_retries_take(a, &arena, &input.retry_count);
	agent_engines_list(a, &arena, &input);
	define_found(a, &input, &arena);
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
