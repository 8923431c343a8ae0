/* What the engine shows of our tasks, and the steps that follow from it. */
#include "engine/docker/internal.h"

#include "log/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* --- tasks and their slots ---------------------------------------------------------------------
 */

static void step_now(void *arg)
{
	docker_task_step(arg);
}

struct task *docker_task_new(struct docker_engine *engine, const char *id)
{
	struct task *task = xcalloc(1, sizeof(*task));
	task->engine = engine;
	arena_init(&task->arena);
	arena_init(&task->step_arena);
	task->group.event_fd = -1;
	for (size_t i = 0; i < LIFECYCLE_SLOTS; i++)
		arena_init(&task->slots[i].arena);
	task->id.task = arena_strdup(&task->arena, id);
	task->timer = timer_new(engine->loop, step_now, task);
	map_put(engine->tasks, id, task);
	return task;
}

static void slot_release(struct slot *slot)
{
	free(slot->id);
	free(slot->answer_reason);
	free(slot->exec_reason);
	free(slot->tail);
	exec_free(slot->exec);
	arena_release(&slot->arena);
}

void docker_task_free(struct task *task)
{
	map_remove(task->engine->tasks, task->id.task);
	for (size_t i = 0; i < LIFECYCLE_SLOTS; i++)
		slot_release(&task->slots[i]);
	groups_forget(task);
	timer_free(task->timer);
	free(task->progress);
	arena_release(&task->step_arena);
	arena_release(&task->arena);
	free(task);
}

struct task *docker_task_find(struct docker_engine *engine, const char *id)
{
	return map_get(engine->tasks, id);
}

bool docker_task_is_ours(const struct task *task)
{
	const struct docker_engine *engine = task->engine;
	return task->identified && engine->fleet && strcmp(task->id.fleet, engine->fleet) == 0 &&
	       strcmp(task->id.node, engine->node) == 0;
}

int docker_task_slot(const struct task *task, const char *container)
{
	if (strcmp(container, OWNER_NAME) == 0)
		return create_needs_owner(task->td) ? LIFECYCLE_OWNER : -1;
	for (uint32_t i = 0; i < task->td->container_definitions.len; i++)
		if (strcmp(task->td->container_definitions.items[i].name, container) == 0)
			return (int)i;
	return -1;
}

uint32_t docker_task_slot_count(const struct task *task)
{
	return task->td->container_definitions.len + create_needs_owner(task->td);
}

uint32_t docker_task_slot_at(const struct task *task, uint32_t n)
{
	return n < task->td->container_definitions.len ? n : LIFECYCLE_OWNER;
}

const char *map_value(const struct str_map *map, const char *name)
{
	for (uint32_t i = 0; i < map->len; i++)
		if (strcmp(map->items[i].name, name) == 0)
			return map->items[i].value;
	return NULL;
}

struct str_map docker_copy_map(const struct str_map *from, struct arena *arena)
{
	struct str_map map = { .set = true };
	uint32_t count = from ? from->len : 0;
	map.items = ARENA_ARRAY(arena, struct str_pair, count);
	for (; map.len < count; map.len++)
		map.items[map.len] =
			(struct str_pair){ arena_strdup(arena, from->items[map.len].name),
					   arena_strdup(arena, from->items[map.len].value) };
	return map;
}

void docker_task_set_texts(struct task *task, const struct str_map *environment,
			   const struct str_map *pinned)
{
	task->environment = docker_copy_map(environment, &task->arena);
	task->pinned = docker_copy_map(pinned, &task->arena);
}

void docker_task_dirty(struct task *task, uint32_t slot)
{
	task->slots[slot].dirty = true;
	tasks_inspect(task->engine);
}

void tasks_unknown(struct docker_engine *engine)
{
	void *value;
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);)
		for (size_t i = 0; i < LIFECYCLE_SLOTS; i++)
			((struct task *)value)->slots[i].known = false;
}

/* --- asking ------------------------------------------------------------------------------------
 */

/* A run's times are the same whenever it is asked for, whatever the wall clock does meanwhile. */
static void keep_times(const struct lifecycle_container *old, struct lifecycle_container *now)
{
	if (old->run != now->run || !now->run)
		return;
	now->started_at_ms = old->started_at_ms;
	if (old->state == CONTAINER_EXITED && now->state == CONTAINER_EXITED) {
		now->exited_at_ms = old->exited_at_ms;
		now->earlier_boot = old->earlier_boot;
	}
}

/* A run that an agent saw before the machine was started anew has ended with it. */
static void note_boot(const struct task *task, uint32_t index, struct lifecycle_container *state)
{
	if (task->earlier_boot && state->state == CONTAINER_EXITED &&
	    task->memory.containers[index].run == state->run)
		state->earlier_boot = true;
	if (state->earlier_boot)
		state->started_at_ms = state->exited_at_ms = 0;
}

/* Never weakened in silence; and no other task is to be placed here for it. */
static void not_limited(struct task *task)
{
	task->engine->groups_fail = true;
	docker_task_fail(task, "ResourceInitializationError: the task's control group has no "
			       "limits: systemd did not read its unit");
	link_failed(task->engine, "limits of tasks do not work");
}

/* Of containers that are limited together: with version 1 of control groups Docker shows it of all
 * of them, and Podman of none. */
static void note_kill(struct task *task, struct lifecycle_container *state)
{
	if (!create_needs_group(task->td))
		return;
	if (state->state == CONTAINER_RUNNING && !groups_watch(task))
		not_limited(task);
	else if (state->state == CONTAINER_EXITED)
		state->oom_killed = state->exit_code == 128 + SIGKILL &&
				    (state->oom_killed || groups_killed(task));
}

/* Another engine, or another version of it, may show the same in other words. */
static void note_settings(struct task *task, struct slot *slot)
{
	const char *version = task->engine->flavor.version;
	if (!task->engine_version || strcmp(task->engine_version, version) != 0) {
		for (size_t i = 0; i < LIFECYCLE_SLOTS; i++)
			task->slots[i].settings = (struct digest){ 0 };
		task->engine_version = arena_strdup(&task->arena, version);
	}
	if (digest_is_none(&slot->settings))
		slot->settings = slot->info.settings;
	slot->state.changed = !digest_equal(&slot->settings, &slot->info.settings);
}

static void take_absent(struct slot *slot)
{
	free(slot->id);
	slot->id = NULL;
	arena_reset(&slot->arena);
	slot->info = (struct inspected){ 0 };
	slot->state = (struct lifecycle_container){ .state = CONTAINER_ABSENT };
	slot->settings = (struct digest){ 0 };
}

static void take_container(struct task *task, uint32_t index, const struct answer *answer)
{
	struct slot *slot = &task->slots[index];
	struct inspect_clock clock = { clock_unix_ms(), clock_boot_ms() };
	struct arena arena;
	struct inspected info;
	struct err err;
	arena_init(&arena);
	if (!inspect_container(answer->body, answer->len, &clock, &arena, &info, &err)) {
		arena_release(&arena);
		link_failed(task->engine, err.text);
		return;
	}
	bool ours = info.labels.task && strcmp(info.labels.task, task->id.task) == 0 &&
		    info.container &&
		    strcmp(info.container, create_container_of(task->td, index)) == 0;
	if (!ours || info.state.state == CONTAINER_ABSENT) {
		/* Found by the name it should have: a stranger's. A create will say so. */
		take_absent(slot);
		arena_release(&arena);
		return;
	}
	struct lifecycle_container old = slot->state;
	arena_release(&slot->arena);
	slot->arena = arena;
	slot->info = info;
	slot->state = info.state;
	keep_times(&old, &slot->state);
	note_boot(task, index, &slot->state);
	note_kill(task, &slot->state);
	free(slot->id);
	slot->id = xstrdup(info.id);
	if (task->synthetic)
		docker_task_identify(task, &slot->info);
	note_settings(task, slot);
	if (slot->state.state == CONTAINER_EXITED && slot->tail_run != slot->state.run)
		calls_tail(task, index);
}

static void inspected(struct call *call, const struct answer *answer)
{
	struct docker_engine *engine = call->engine;
	struct task *task = docker_task_find(engine, call->task);
	engine->inspecting--;
	if (answer->none || (!answer->ok && answer->status != 404)) {
		if (task)
			task->slots[call->slot].inspecting = false;
		if (engine->link == LINK_LISTING || engine->link == LINK_UP)
			link_failed(engine, answer->message);
		return;
	}
	if (task) {
		struct slot *slot = &task->slots[call->slot];
		slot->inspecting = false;
		slot->known = true;
		if (answer->ok)
			take_container(task, call->slot, answer);
		else
			take_absent(slot);
		if (engine->link == LINK_UP)
			docker_task_step(task);
	}
	tasks_inspect(engine);
}

static void inspect(struct task *task, uint32_t index)
{
	struct slot *slot = &task->slots[index];
	struct call *call = call_new(task->engine, inspected);
	call->task = arena_strdup(&call->arena, task->id.task);
	call->slot = index;
	slot->dirty = false;
	slot->inspecting = true;
	task->engine->inspecting++;
	/* One that we do not know may be there under its name: made by who was killed meanwhile. */
	const char *which = slot->id ? slot->id
				     : create_name(&task->id, create_container_of(task->td, index),
						   &call->arena);
	call_send(call, "GET", ASK_DEADLINE_MS, NULL, "/containers/%s/json",
		  query_text(&call->arena, which));
}

/* A few at a time. When there is nothing left to ask, all is known. */
void tasks_inspect(struct docker_engine *engine)
{
	if (engine->link != LINK_LISTING && engine->link != LINK_UP)
		return;
	bool left = false;
	void *value;
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);) {
		struct task *task = value;
		for (uint32_t n = 0; n < docker_task_slot_count(task); n++) {
			uint32_t index = docker_task_slot_at(task, n);
			struct slot *slot = &task->slots[index];
			bool asks = slot->dirty && !slot->inspecting;
			if (asks && engine->inspecting < INSPECTS_AT_ONCE && !engine->closing &&
			    (slot->id || task->identified))
				inspect(task, index);
			left |= slot->dirty && (slot->id || task->identified);
		}
	}
	if (!left && engine->inspecting == 0)
		link_listed(engine);
}

/* --- steps -------------------------------------------------------------------------------------
 */

static void set_reason(char **reason, const char *text)
{
	free(*reason);
	*reason = text ? xstrdup(text) : NULL;
}

void docker_task_answered(struct task *task, uint32_t index, bool ok, const char *reason)
{
	struct slot *slot = &task->slots[index];
	slot->answered = true;
	slot->answer_ok = ok;
	set_reason(&slot->answer_reason, ok ? NULL : reason);
	docker_task_dirty(task, index);
}

void docker_task_put_off(struct task *task, uint32_t index)
{
	struct slot *slot = &task->slots[index];
	slot->busy = LIFECYCLE_NONE;
	slot->answered = false;
	docker_task_dirty(task, index);
}

void docker_task_fail(struct task *task, const char *reason)
{
	if (task->wish != LIFECYCLE_RUN)
		return;
	task->wish = LIFECYCLE_STOPPED;
	task->stop_code = "TaskFailedToStart";
	task->stop_reason = arena_strdup(&task->arena, reason);
}

struct inputs {
	struct lifecycle_container containers[LIFECYCLE_SLOTS];
	struct lifecycle_answer answers[2 * LIFECYCLE_SLOTS];
	uint32_t count;
};

/* The answers that are ripe go into the step, and out of the slot. */
static void take_answers(struct slot *slot, uint32_t index, struct inputs *in, struct arena *arena)
{
	if (slot->answered && !slot->dirty && !slot->inspecting) {
		in->answers[in->count++] = (struct lifecycle_answer){
			.kind = slot->busy,
			.container = index,
			.ok = slot->answer_ok,
			.reason = arena_strdup(arena, slot->answer_reason),
		};
		slot->answered = false;
		slot->busy = LIFECYCLE_NONE;
	}
	if (slot->exec_answered) {
		in->answers[in->count++] = (struct lifecycle_answer){
			.kind = LIFECYCLE_EXEC_HEALTH,
			.container = index,
			.ok = slot->exec_ok,
			.exit_code = slot->exec_code,
			.reason = arena_strdup(arena, slot->exec_reason),
		};
		slot->exec_answered = false;
	}
}

static void gather(struct task *task, struct inputs *in, struct arena *arena)
{
	for (uint32_t n = 0; n < docker_task_slot_count(task); n++) {
		uint32_t index = docker_task_slot_at(task, n);
		struct slot *slot = &task->slots[index];
		bool known = slot->known && task->engine->link == LINK_UP;
		if (known)
			take_answers(slot, index, in, arena);
		in->containers[index] = slot->state;
		if (!known)
			in->containers[index].state = CONTAINER_UNKNOWN;
		in->containers[index].busy = slot->busy;
		in->containers[index].checking = slot->exec != NULL;
	}
}

static void note_times(struct task *task)
{
	int64_t since = clock_unix_ms() - clock_boot_ms();
	if (task->out.started_at_ms && !task->started_unix_ms)
		task->started_unix_ms = task->out.started_at_ms + since;
	if (task->out.status == TASK_STOPPED && !task->stopped_unix_ms)
		task->stopped_unix_ms =
			task->out.stopped_at_ms ? task->out.stopped_at_ms + since : clock_unix_ms();
}

static void answer_start(struct task *task)
{
	engine_done done = task->started;
	bool stopped = task->out.status == TASK_STOPPED;
	if (!done || (!stopped && task->out.status != TASK_RUNNING))
		return;
	task->started = NULL;
	/* One that ran and ended at once did start. */
	bool failed = stopped && task->out.stop_code &&
		      strcmp(task->out.stop_code, "EssentialContainerExited") != 0;
	done(task->started_arg, !failed, failed ? task->out.reason : NULL);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Would list() tell the same? */
static bool same_status(const struct task *task, const struct lifecycle_output *a,
			const struct lifecycle_output *b)
{
	if (a->status != b->status || a->health != b->health || !same_text(a->reason, b->reason) ||
	    !a->containers)
		return false;
	for (uint32_t i = 0; i < task->td->container_definitions.len; i++) {
		const struct lifecycle_container_status *x = &a->containers[i];
		const struct lifecycle_container_status *y = &b->containers[i];
		if (x->status != y->status || x->health != y->health ||
		    x->restart_count != y->restart_count || !same_text(x->reason, y->reason))
			return false;
	}
	return true;
}

/* What is known of one that was found without its record is not enough to start anything. */
static bool may_call(const struct task *task, const struct lifecycle_call *call)
{
	return !task->synthetic || task->wish != LIFECYCLE_RUN ||
	       (call->kind != LIFECYCLE_CREATE && call->kind != LIFECYCLE_START);
}

static void carry_out(struct task *task, struct arena *arena)
{
	struct lifecycle_output *out = &task->out;
	/* A copy: a call may end in the next step, which has its own. */
	struct lifecycle_call *calls = ARENA_ARRAY(arena, struct lifecycle_call, out->call_count);
	uint32_t count = out->call_count;
	if (count)
		memcpy(calls, out->calls, count * sizeof(*calls));
	for (uint32_t i = 0; i < count; i++)
		if (may_call(task, &calls[i]))
			calls_make(task, &calls[i]);
}

static void wake(struct task *task)
{
	int64_t now = clock_boot_ms(), at = task->out.wake_at_ms;
	if (at == INT64_MAX)
		timer_clear(task->timer);
	else
		timer_set(task->timer, at > now ? at - now : 0);
}

void docker_task_step(struct task *task)
{
	struct docker_engine *engine = task->engine;
	struct inputs in = { 0 };
	struct lifecycle_output out;
	struct arena arena;
	if (!task->identified || (task->stage == STAGE_IMAGES && task->wish == LIFECYCLE_RUN))
		return;
	task->stage = STAGE_LIFE;
	arena_init(&arena);
	gather(task, &in, &arena);
	struct lifecycle_input input = {
		.now_ms = clock_boot_ms(),
		.task_definition = task->td,
		.containers = in.containers,
		.owner = create_needs_owner(task->td) ? &in.containers[LIFECYCLE_OWNER] : NULL,
		.answers = in.answers,
		.answer_count = in.count,
		.wish = task->wish,
		.stop_code = task->stop_code,
		.stop_reason = task->stop_reason,
	};
	lifecycle_step(&task->memory, &input, &arena, &out);
	bool news = !same_status(task, &task->out, &out);
	arena_release(&task->step_arena);
	task->step_arena = arena;
	task->out = out;
	note_times(task);
	struct err err;
	bool recorded = !task->synthetic || task->wish != LIFECYCLE_RUN;
	if ((out.memory_changed || news) && recorded && !record_save(task, false, &err))
		log_warn("a task's record could not be kept", "task", task->id.task, "reason",
			 err.text);
	carry_out(task, &task->step_arena);
	wake(task);
	answer_start(task);
	if (out.removed && !task->removing && !task->cleaned) {
		task->removing = true;
		calls_remove_volumes(task);
	}
	if (news)
		engine->changed(engine->arg);
}
