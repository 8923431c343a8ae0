/*
 * lifecycle's tests: a task in virtual time. An engine whose calls take time and fail, containers
 * that exit, hands that pause, remove, start and change them, an agent that is restarted, a machine
 * that reboots, a node that replaces what stopped: all from one seed.
 */
#ifndef MUSTER_TESTS_LIFECYCLE_WORLD_H
#define MUSTER_TESTS_LIFECYCLE_WORLD_H

#include "lifecycle/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#define CONTAINERS 4
#define SLOTS	   (CONTAINERS + 1) /* the network owner is the last */
#define OWNER	   CONTAINERS
#define NEVER	   INT64_MAX
#define MINUTE	   ((int64_t)60000)

/* A call under way. */
struct world_call {
	enum lifecycle_call_kind kind; /* NONE: there is none */
	int64_t effect_ms, answer_ms;
	bool fails; /* it does nothing */
	bool lies;  /* it answers a failure though it did it */
	bool done;
};

struct world_container {
	struct lifecycle_container now; /* as the engine has it */
	struct world_call call, exec;
	int64_t exits_ms; /* by itself */
	/* The truth about this attempt, which no agent can forget. */
	bool ran, pruned, failed; /* failed: its first CREATE or START was answered so */
	bool success;		  /* a check of this run was answered with 0 */
	bool seen_ran, seen_end;  /* the agent was shown that it ran; that it is over */
	int64_t first_start_ms, stop_ms;
	int exit_code;
};

struct world {
	uint64_t random, steps, runs;
	int64_t now_ms;
	bool chaos, reachable, leaving, gone;
	bool forgot;	    /* memory was lost in this attempt */
	int agents, losses; /* so many were started, and without memory */

	struct task_definition td;
	struct container_definition definitions[CONTAINERS];
	struct container_dependency depends[CONTAINERS][CONTAINERS];
	struct health_check checks[CONTAINERS];
	struct restart_policy policies[CONTAINERS];
	bool job[CONTAINERS]; /* others wait for it to end */
	bool has_owner;
	uint32_t count;

	struct world_container containers[SLOTS];
	int hidden; /* this one cannot be asked; -1 */
	enum lifecycle_wish wish;

	struct lifecycle_memory memory;
	json_t *saved;
	struct lifecycle_answer answers[2 * SLOTS];
	uint32_t answer_count;
	int64_t wake_ms;
};

static const char *const world_names[] = { "a", "b", "c", "d", "owner" };

static inline uint32_t world_below(struct world *w, uint32_t n)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->random >> 33) % n;
}

static inline bool world_chance(struct world *w, uint32_t percent)
{
	return w->chaos && world_below(w, 100) < percent;
}

static inline int64_t world_pick(struct world *w, const int64_t *of, uint32_t count)
{
	return of[world_below(w, w->chaos ? count : 2)];
}

/* --- what is declared ------------------------------------------------------------------------- */

static inline void world_depend(struct world *w, int who, int on)
{
	struct container_definition *c = &w->definitions[who], *other = &w->definitions[on];
	uint32_t which = world_below(w, 3);
	const char *condition = w->job[on]	      ? which == 0 ? "COMPLETE" : "SUCCESS"
				: other->health_check ? "HEALTHY"
						      : "START";
	if (which == 2)
		condition = "START";
	c->depends_on.items = w->depends[who];
	w->depends[who][c->depends_on.len++] =
		(struct container_dependency){ .container_name = other->name,
					       .condition = condition };
}

/* a is essential and nothing depends on it; each may depend on later ones. */
static inline void world_declare(struct world *w)
{
	static const char *probe[] = { "probe" };
	w->count = 1 + world_below(w, CONTAINERS);
	w->has_owner = world_below(w, 2);
	for (uint32_t i = 0; i < w->count; i++) {
		struct container_definition *c = &w->definitions[i];
		uint32_t draw = world_below(w, 3 << 8);
		c->name = world_names[i];
		w->job[i] = i > 0 && (draw >> 8) == 0;
		c->essential = (i > 0 && draw & 1) || w->job[i] ? OPT_FALSE : OPT_UNSET;
		w->checks[i] = (struct health_check){ .command = { probe, 1, true },
						      .interval = { true, 5 + 5 * (draw >> 1 & 1) },
						      .timeout = { true, 3 },
						      .retries = { true, 1 + (draw >> 2 & 1) } };
		w->policies[i] = (struct restart_policy){ .enabled = OPT_TRUE,
							  .restart_attempt_period = { true, 60 } };
		if (draw >> 3 & 1 && !w->job[i])
			c->health_check = &w->checks[i];
		if (draw >> 4 & 1)
			c->restart_policy = &w->policies[i];
		c->stop_timeout = (struct opt_int){ draw >> 5 & 1, 5 * (draw >> 6 & 1) };
		c->start_timeout = (struct opt_int){ draw >> 7 & 1, 40 };
	}
	for (int i = 0; i < (int)w->count; i++) {
		for (int k = i + 1; k < (int)w->count; k++) {
			if (world_below(w, 3) == 0)
				world_depend(w, i, k);
		}
	}
	w->td.container_definitions.items = w->definitions;
	w->td.container_definitions.len = w->count;
}

/* --- engine ----------------------------------------------------------------------------------- */

static inline bool world_there(const struct world *w, int i)
{
	return i == OWNER ? w->has_owner : i < (int)w->count;
}

static inline bool world_up(const struct world_container *c)
{
	return c->now.state == CONTAINER_RUNNING || c->now.state == CONTAINER_PAUSED;
}

static inline void world_end(struct world *w, struct world_container *c, int code)
{
	c->now.state = CONTAINER_EXITED;
	c->now.exited_at_ms = w->now_ms;
	c->now.has_exit_code = true;
	c->now.exit_code = c->exit_code = code;
	c->exits_ms = NEVER;
}

static inline void world_run(struct world *w, struct world_container *c)
{
	static const int64_t runs_ms[] = { NEVER, NEVER, NEVER, 0, 300, 20000, 61000, 90000 };
	bool job = c != &w->containers[OWNER] && w->job[c - w->containers];
	uint32_t job_ms = world_below(w, 2000);
	int64_t runs = world_pick(w, runs_ms, ARRAY_LEN(runs_ms));
	if (c == &w->containers[OWNER] && world_below(w, 10))
		runs = NEVER;
	if (job)
		runs = job_ms;
	c->now.state = CONTAINER_RUNNING;
	c->now.run = ++w->runs;
	c->now.started_at_ms = w->now_ms;
	c->now.exited_at_ms = 0;
	c->now.has_exit_code = c->now.earlier_boot = false;
	c->exits_ms = runs == NEVER ? NEVER : w->now_ms + runs;
	c->success = false;
	c->ran = true;
	c->stop_ms = 0;
	c->seen_end = false;
	if (!c->first_start_ms)
		c->first_start_ms = w->now_ms;
}

/* What a call does. */
static inline void world_effect(struct world *w, struct world_container *c,
				enum lifecycle_call_kind kind)
{
	enum lifecycle_state state = c->now.state;
	switch (kind) {
	case LIFECYCLE_CREATE:
		if (state == CONTAINER_ABSENT) {
			c->now = (struct lifecycle_container){ .state = CONTAINER_CREATED };
			c->pruned = c->seen_end = false;
		}
		break;
	case LIFECYCLE_START:
		if (state == CONTAINER_CREATED || state == CONTAINER_EXITED)
			world_run(w, c);
		break;
	case LIFECYCLE_UNPAUSE:
		if (state == CONTAINER_PAUSED)
			c->now.state = CONTAINER_RUNNING;
		break;
	case LIFECYCLE_STOP:
	case LIFECYCLE_KILL:
		if (state == CONTAINER_RUNNING || (world_up(c) && kind == LIFECYCLE_KILL))
			world_end(w, c, kind == LIFECYCLE_KILL ? 137 : 143);
		break;
	case LIFECYCLE_REMOVE:
		if (state == CONTAINER_CREATED || state == CONTAINER_EXITED)
			c->now = (struct lifecycle_container){ .state = CONTAINER_ABSENT };
		break;
	case LIFECYCLE_NONE:
	case LIFECYCLE_EXEC_HEALTH:
	case LIFECYCLE_CALL_COUNT: break;
	}
}

static inline void world_answer(struct world *w, int i, struct world_call *call, bool ok, int code)
{
	uint32_t index = i == OWNER ? LIFECYCLE_OWNER : (uint32_t)i;
	w->answers[w->answer_count++] = (struct lifecycle_answer){
		.kind = call->kind, .container = index, .ok = ok, .exit_code = code, .reason = "no"
	};
	call->kind = LIFECYCLE_NONE;
}

static inline void world_give(struct world *w, const struct lifecycle_call *given)
{
	static const int64_t takes_ms[] = { 0, 5, 100, 3000, 70000 };
	int i = given->container == LIFECYCLE_OWNER ? OWNER : (int)given->container;
	struct world_container *c = &w->containers[i];
	bool exec = given->kind == LIFECYCLE_EXEC_HEALTH;
	struct world_call *call = exec ? &c->exec : &c->call;
	int64_t takes = world_pick(w, takes_ms, ARRAY_LEN(takes_ms) - exec);
	int64_t answers = world_pick(w, takes_ms, 3);
	*call = (struct world_call){ .kind = given->kind, .effect_ms = w->now_ms + takes };
	call->answer_ms = call->effect_ms + answers;
	call->fails = world_chance(w, 15);
	call->lies = !call->fails && world_chance(w, 5);
}

/* All that happens by itself up to now; true: something did. */
static inline bool world_happen(struct world *w)
{
	bool changed = false;
	for (int i = 0; i < SLOTS; i++) {
		struct world_container *c = &w->containers[i];
		if (world_up(c) && c->exits_ms <= w->now_ms) {
			uint32_t code = world_below(w, 3);
			world_end(w, c, w->chaos ? (int)code : 0);
			changed = true;
		}
		if (c->call.kind && !c->call.done && c->call.effect_ms <= w->now_ms) {
			c->call.done = changed = true;
			if (!c->call.fails)
				world_effect(w, c, c->call.kind);
		}
		if (c->call.kind && c->call.answer_ms <= w->now_ms) {
			world_answer(w, i, &c->call, !c->call.fails && !c->call.lies, 0);
			changed = true;
		}
		if (c->exec.kind && c->exec.effect_ms <= w->now_ms) {
			bool ill = !world_up(c) || world_chance(w, 20);
			c->success |= !ill && !c->exec.fails;
			world_answer(w, i, &c->exec, !c->exec.fails, ill);
			changed = true;
		}
	}
	return changed;
}

static inline int64_t world_next(const struct world *w)
{
	int64_t next = NEVER;
	for (int i = 0; i < SLOTS; i++) {
		const struct world_container *c = &w->containers[i];
		int64_t call = c->call.done ? c->call.answer_ms : c->call.effect_ms;
		if (world_up(c) && c->exits_ms < next)
			next = c->exits_ms;
		if (c->call.kind && call < next)
			next = call;
		if (c->exec.kind && c->exec.effect_ms < next)
			next = c->exec.effect_ms;
	}
	return next;
}

/* --- agent, machine, node --------------------------------------------------------------------- */

/* What was under way either happens now or never. */
static inline void world_agent_restart(struct world *w, bool lost, bool same_boot)
{
	struct err err;
	for (int i = 0; i < SLOTS; i++) {
		struct world_container *c = &w->containers[i];
		bool happens = world_below(w, 2);
		if (c->call.kind && !c->call.done && happens)
			world_effect(w, c, c->call.kind);
		c->call.kind = c->exec.kind = LIFECYCLE_NONE;
	}
	w->answer_count = 0;
	w->memory = (struct lifecycle_memory){ 0 };
	w->forgot |= lost;
	w->agents++;
	w->losses += lost;
	for (int i = 0; lost && i < SLOTS; i++)
		w->containers[i].seen_ran = w->containers[i].seen_end = false;
	if (lost) {
		json_decref(w->saved);
		w->saved = NULL;
	}
	if (w->saved && !lifecycle_memory_from_json(&w->memory, w->saved, same_boot, &err))
		fail_msg("the memory does not load: %s", err.text);
}

static inline void world_crash(struct world *w, bool reboot)
{
	for (int i = 0; i < SLOTS; i++) {
		struct world_container *c = &w->containers[i];
		if (world_up(c))
			world_end(w, c, 255);
		if (reboot) {
			c->now.earlier_boot = c->now.state == CONTAINER_EXITED;
			c->now.started_at_ms = c->now.exited_at_ms = 0;
			c->first_start_ms = c->stop_ms = 0;
		}
	}
	if (!reboot)
		return;
	w->now_ms = 1000;
	uint32_t lost = world_below(w, 2);
	world_agent_restart(w, lost, false);
}

/* Another attempt, as the node would ask for after the last one is gone. */
static inline void world_new_attempt(struct world *w)
{
	for (int i = 0; i < SLOTS; i++)
		w->containers[i] = (struct world_container){ .now.state = CONTAINER_ABSENT,
							     .exits_ms = NEVER };
	w->memory = (struct lifecycle_memory){ 0 };
	json_decref(w->saved);
	w->saved = NULL;
	w->wish = LIFECYCLE_RUN;
	w->forgot = false;
	w->answer_count = 0;
}

static inline struct lifecycle_input world_input(struct world *w, struct arena *arena)
{
	struct lifecycle_container *all = ARENA_ARRAY(arena, struct lifecycle_container, SLOTS);
	for (int i = 0; i < SLOTS; i++) {
		const struct world_container *c = &w->containers[i];
		all[i] = c->now;
		all[i].busy = c->call.kind;
		all[i].checking = c->exec.kind != LIFECYCLE_NONE;
		if (!w->reachable || w->hidden == i)
			all[i].state = CONTAINER_UNKNOWN;
	}
	return (struct lifecycle_input){ .now_ms = w->now_ms,
					 .task_definition = &w->td,
					 .containers = all,
					 .owner = w->has_owner ? &all[OWNER] : NULL,
					 .answers = w->answers,
					 .answer_count = w->answer_count,
					 .wish = w->wish,
					 .stop_reason = "wished" };
}

static inline void world_open(struct world *w, uint64_t seed)
{
	*w = (struct world){
		.random = seed, .now_ms = 1000, .chaos = true, .reachable = true, .hidden = -1
	};
	world_below(w, 2);
	world_declare(w);
	world_new_attempt(w);
}

static inline void world_close(struct world *w)
{
	json_decref(w->saved);
}

#endif
