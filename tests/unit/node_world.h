/*
 * node's tests: a node in virtual time. An engine whose tasks start, crash and stop, a desired
 * document that changes, a store that takes `seen` late, an agent that is restarted: all from one
 * seed.
 */
#ifndef MUSTER_TESTS_NODE_WORLD_H
#define MUSTER_TESTS_NODE_WORLD_H

#include "node/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SERVICES 4
#define NEVER	 INT64_MAX
#define MINUTE	 ((int64_t)60000)
#define HOUR	 (60 * MINUTE)

struct world_task {
	char id[UUID_TEXT_LEN + 1];
	int service;
	uint8_t target;
	enum task_status status;
	int64_t started_ms, stopped_ms;
	int64_t asked_ms; /* to stop */
	int64_t due_ms;	  /* its next change by itself */
	int64_t runs_ms;  /* it crashes after so long; 0: before it runs; NEVER */
	int64_t health_due_ms;
	enum health_status health;
	bool stop_requested, earlier_boot, cleaned, removed, forgotten;
	char reason[96];
};

struct world_prepare {
	uint8_t target;
	enum prepare_state state;
	int64_t due_ms;
	bool fresh;	   /* asked for by the present document */
	uint32_t failures; /* of those, in a row */
	int64_t failed_ms;
	uint32_t failed_ever;
};

struct world {
	uint64_t random, steps;
	int64_t now_ms;
	bool chaos;
	int boot;

	/* desired */
	struct wire_desired desired;
	struct wire_desired_task wanted[SERVICES];
	struct str_list depends[SERVICES];
	const char *dependency[SERVICES];
	bool desired_known, tasks_known, disk_full, leaving;
	uint64_t seen_written, seen_due;
	int64_t seen_due_ms;

	/* engine */
	VEC(struct world_task) tasks;
	struct world_prepare prepares[SERVICES];
	bool prepare_failed[SERVICES]; /* since the document last changed its target */
	bool checked[SERVICES];	       /* it has a health check */
	bool swallowed[SERVICES];      /* a START of it was, which counts as a failure */
	uint32_t swallowed_ever[SERVICES];
	uint32_t ids;

	/* agent */
	struct node_memory *memory;
	struct buf saved;
	int64_t wake_ms;
	uint32_t forgot; /* how often its memory was lost */
	char boot_id[16];
};

static const char *const world_services[SERVICES] = { "s0", "s1", "s2", "s3" };
static const struct task_definition world_definition;

static inline uint32_t world_below(struct world *w, uint32_t n)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->random >> 33) % n;
}

static inline bool world_chance(struct world *w, uint32_t percent)
{
	return w->chaos && world_below(w, 100) < percent;
}

static inline struct digest world_digest(uint8_t target)
{
	return (struct digest){ { target } };
}

static inline bool world_alive(const struct world_task *task)
{
	return !task->removed && task->status != TASK_STOPPED;
}

static inline const struct wire_desired_task *world_wants(const struct world *w, int service)
{
	for (uint32_t i = 0; i < w->desired.task_count; i++) {
		if (strcmp(w->wanted[i].service, world_services[service]) == 0)
			return &w->wanted[i];
	}
	return NULL;
}

static inline int world_service(const char *name)
{
	return name[1] - '0';
}

/* --- desired ------------------------------------------------------------------------------------
 */

/* Another document: some services, some targets; each may depend on one before it. */
static inline void world_new_document(struct world *w)
{
	int32_t priority = 10;
	w->desired.task_count = 0;
	for (int i = 0; i < SERVICES; i++) {
		uint32_t present = world_below(w, 100), target = world_below(w, 3);
		uint32_t depends = world_below(w, 3), step = world_below(w, 2);
		bool surge = world_below(w, 2);
		if (present < 15)
			continue;
		priority -= (int32_t)step;
		w->depends[i] = (struct str_list){ .items = &w->dependency[i], .set = true };
		w->depends[i].len = i > 0 && depends == 0;
		w->dependency[i] = world_services[i > 0 ? i - 1 : 0];
		w->wanted[w->desired.task_count++] = (struct wire_desired_task){
			.cluster = "c",
			.service = world_services[i],
			.family = "f",
			.revision = target + 1,
			.target = world_digest((uint8_t)(target + 1)),
			.deployment = "ecs-svc/1",
			.priority = priority,
			.depends_on = w->depends[i],
			.min_ready_seconds = 2,
			.surge = surge,
			.task_definition = &world_definition,
		};
	}
	w->desired.tasks = w->wanted;
	w->desired.number++;
}

/* --- engine -------------------------------------------------------------------------------------
 */

static inline struct world_task *world_start(struct world *w, int service, uint8_t target)
{
	static const uint32_t starts_ms[] = { 0, 5, 40, 300, 6000, 9000 };
	static const int64_t runs_ms[] = { 0, 0, 1, 50, 4000, 20000, 11 * MINUTE };
	struct world_task *task = vec_push(&w->tasks);
	uint32_t start = world_below(w, w->chaos ? ARRAY_LEN(starts_ms) : 3);
	*task = (struct world_task){ .service = service,
				     .target = target,
				     .status = TASK_PENDING,
				     .health_due_ms = NEVER,
				     .runs_ms = NEVER };
	snprintf(task->id, sizeof(task->id), "%08x%08x", world_below(w, 1 << 30), ++w->ids);
	task->due_ms = w->now_ms + starts_ms[start];
	if (world_chance(w, 40))
		task->runs_ms = runs_ms[world_below(w, ARRAY_LEN(runs_ms))];
	return task;
}

static inline void world_end(struct world *w, struct world_task *task)
{
	task->status = TASK_STOPPED;
	task->stopped_ms = w->now_ms;
	task->due_ms = task->health_due_ms = NEVER;
}

static inline void world_stop(struct world *w, struct world_task *task, const char *reason)
{
	static const uint32_t takes_ms[] = { 0, 1, 100, 3000, 90000 };
	uint32_t takes = world_below(w, w->chaos ? ARRAY_LEN(takes_ms) : 3);
	snprintf(task->reason, sizeof(task->reason), "%s", reason);
	task->stop_requested = true;
	task->status = TASK_STOPPING;
	task->asked_ms = w->now_ms;
	task->due_ms = w->now_ms + takes_ms[takes];
}

static inline void task_changes(struct world *w, struct world_task *task)
{
	if (task->status == TASK_PENDING && task->runs_ms != 0) {
		task->status = TASK_RUNNING;
		task->started_ms = w->now_ms;
		task->due_ms = task->runs_ms == NEVER ? NEVER : w->now_ms + task->runs_ms;
		if (w->checked[task->service])
			task->health_due_ms = w->now_ms + 1000;
	} else {
		world_end(w, task);
	}
}

/* All that happens by itself up to now. */
static inline bool world_happen(struct world *w)
{
	bool changed = false;
	for (size_t i = 0; i < w->tasks.len; i++) {
		struct world_task *task = &w->tasks.items[i];
		while (world_alive(task) && task->due_ms <= w->now_ms) {
			task_changes(w, task);
			changed = true;
		}
		if (world_alive(task) && task->health_due_ms <= w->now_ms) {
			bool ill = world_chance(w, 30);
			task->health = ill ? HEALTH_UNHEALTHY : HEALTH_HEALTHY;
			task->health_due_ms = w->chaos || ill ? w->now_ms + 30000 : NEVER;
			changed = true;
		}
	}
	for (int i = 0; i < SERVICES; i++) {
		struct world_prepare *p = &w->prepares[i];
		if (p->state != PREPARE_RUNNING || p->due_ms > w->now_ms)
			continue;
		p->state = world_chance(w, 50) ? PREPARE_FAILED : PREPARE_DONE;
		p->failures = p->state == PREPARE_FAILED ? p->failures + p->fresh : 0;
		p->failed_ms = w->now_ms;
		w->prepare_failed[i] |= p->state == PREPARE_FAILED;
		p->failed_ever += p->state == PREPARE_FAILED;
		changed = true;
	}
	if (w->seen_due_ms <= w->now_ms) {
		w->seen_written = w->seen_due;
		w->seen_due_ms = NEVER;
		changed = true;
	}
	return changed;
}

static inline int64_t world_next(const struct world *w)
{
	int64_t next = w->seen_due_ms;
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *task = &w->tasks.items[i];
		if (world_alive(task) && task->due_ms < next)
			next = task->due_ms;
		if (world_alive(task) && task->health_due_ms < next)
			next = task->health_due_ms;
	}
	for (int i = 0; i < SERVICES; i++) {
		if (w->prepares[i].state == PREPARE_RUNNING && w->prepares[i].due_ms < next)
			next = w->prepares[i].due_ms;
	}
	return next;
}

/* --- agent --------------------------------------------------------------------------------------
 */

static inline const char *world_boot_id(struct world *w)
{
	snprintf(w->boot_id, sizeof(w->boot_id), "boot %d", w->boot);
	return w->boot_id;
}

static inline void world_agent_restart(struct world *w, bool memory_lost)
{
	struct err err;
	node_memory_free(w->memory);
	w->memory = node_memory_new();
	for (int i = 0; i < SERVICES; i++)
		w->prepares[i] =
			(struct world_prepare){ .failed_ever = w->prepares[i].failed_ever };
	if (memory_lost)
		buf_reset(&w->saved);
	w->forgot += memory_lost;
	if (w->saved.len &&
	    !node_memory_load(w->memory, world_boot_id(w), w->saved.data, w->saved.len, &err))
		fail_msg("the memory does not load: %s", err.text);
	for (size_t i = 0; memory_lost && i < w->tasks.len; i++) {
		if (w->tasks.items[i].removed)
			w->tasks.items[i].forgotten = true;
	}
}

static inline void world_reboot(struct world *w)
{
	for (size_t i = 0; i < w->tasks.len; i++) {
		struct world_task *task = &w->tasks.items[i];
		task->status = TASK_STOPPED;
		task->earlier_boot = true;
		task->started_ms = task->stopped_ms = 0;
	}
	w->boot++;
	w->now_ms = 1000;
	w->seen_due_ms = NEVER;
	world_agent_restart(w, false);
}

static inline struct node_input world_input(const struct world *w, struct arena *arena)
{
	struct node_task *tasks = ARENA_ARRAY(arena, struct node_task, w->tasks.len);
	struct node_prepare *prepares = ARENA_ARRAY(arena, struct node_prepare, SERVICES);
	struct node_input in = { .now_ms = w->now_ms,
				 .desired = w->desired_known ? &w->desired : NULL,
				 .seen_written = w->seen_written,
				 .tasks_known = { true, w->tasks_known },
				 .tasks = tasks,
				 .prepares = prepares,
				 .disk_full = w->disk_full,
				 .leaving = w->leaving };
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *task = &w->tasks.items[i];
		if (task->removed || (!w->tasks_known && i % 2))
			continue;
		tasks[in.task_count++] = (struct node_task){
			.id = arena_strdup(arena, task->id), /* tasks move */
			.cluster = "c",
			.service = world_services[task->service],
			.family = "f",
			.target = world_digest(task->target),
			.deployment = "ecs-svc/0",
			.kind = ENGINE_CONTAINER,
			.status = task->status,
			.started_at_ms = task->started_ms,
			.stopped_at_ms = task->stopped_ms,
			.earlier_boot = task->earlier_boot,
			.stop_requested = task->stop_requested,
			.remains = task->status == TASK_STOPPED && !task->cleaned,
			.health = task->health,
			.health_checked = w->checked[task->service],
			.reason = task->reason[0] ? arena_strdup(arena, task->reason) : NULL,
		};
	}
	for (int i = 0; i < SERVICES; i++) {
		if (w->prepares[i].state != PREPARE_NONE)
			prepares[in.prepare_count++] = (struct node_prepare){
				.cluster = "c",
				.service = world_services[i],
				.target = world_digest(w->prepares[i].target),
				.state = w->prepares[i].state,
				.reason = "no such file",
			};
	}
	return in;
}

static inline struct world_task *world_find(const struct world *w, const char *id)
{
	for (size_t i = 0; i < w->tasks.len; i++) {
		if (strcmp(w->tasks.items[i].id, id) == 0)
			return &w->tasks.items[i];
	}
	return NULL;
}

/* Does what the step asked for; now and then a START is swallowed. */
static inline void world_carry_out(struct world *w, const struct node_action *action)
{
	int service = action->task ? world_service(action->task->service) : 0;
	uint8_t target = action->task ? action->task->target.bytes[0] : 0;
	switch (action->kind) {
	case NODE_PREPARE: {
		struct world_prepare *p = &w->prepares[service];
		uint32_t takes = world_below(w, 3);
		p->failures = p->target == target ? p->failures : 0;
		p->target = target;
		p->fresh = true;
		p->state = PREPARE_RUNNING;
		p->due_ms = w->now_ms + takes * 50;
		break;
	}
	case NODE_START:
		if (world_chance(w, 3)) {
			w->swallowed[service] = true;
			w->swallowed_ever[service]++;
		} else {
			world_start(w, service, target);
		}
		break;
	case NODE_STOP: world_stop(w, world_find(w, action->id), action->reason); break;
	case NODE_CLEAN: world_find(w, action->id)->cleaned = true; break;
	case NODE_REMOVE: world_find(w, action->id)->removed = true; break;
	}
}

static inline void world_open(struct world *w, uint64_t seed)
{
	*w = (struct world){ .random = seed,
			     .now_ms = 1000,
			     .chaos = true,
			     .desired_known = true,
			     .tasks_known = true,
			     .seen_due_ms = NEVER };
	w->desired = (struct wire_desired){ .fleet = "f", .node = "n", .cluster = "c" };
	for (int i = 0; i < SERVICES; i++)
		w->checked[i] = world_below(w, 3) == 0;
	w->memory = node_memory_new();
	world_new_document(w);
}

static inline void world_close(struct world *w)
{
	node_memory_free(w->memory);
	vec_release(&w->tasks);
	buf_release(&w->saved);
}

#endif
