/* rollout: a small fleet in virtual time, with a planner of some lines. */
#ifndef MUSTER_TESTS_ROLLOUT_WORLD_H
#define MUSTER_TESTS_ROLLOUT_WORLD_H

#include "rollout/rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#define NODES	   6
#define STAGES	   3
#define TICK_MS	   100
#define CHAOS	   1500 /* ticks */
#define CALM	   3000
#define SEEDS	   1500
#define BACKOFF_MS 1500

enum task { ABSENT, PENDING, READY, BROKEN };

struct node {
	bool placed, reachable, unknown, matches[STAGES];
	bool broken_before; /* what ran before the update was broken */
	bool has, ever_ready, excused;
	enum task task;
	int64_t next_ms, ready_ms, gone_ms;
	bool gone_counted;
};

struct world {
	uint64_t random;
	int64_t now_ms;
	struct node nodes[NODES];
	struct rollout_stage stages[STAGES];
	struct rollout_settings settings;
	uint32_t budget;
	uint32_t bad; /* of 8 starts so many fail */
	bool calm;
	enum rollout_gate gate;
	bool synced, completed_exists;
	int64_t last_ready_ms;
	uint32_t new_failures, new_ready;
	uint32_t reach, steps_reached;
	/* What is tried. */
	struct rollout_memory memory, every_tick;
	struct rollout_verdict v;
	/* The oracle's. */
	int64_t done_since_ms; /* of the present step, without a break; -1: not yet */
	bool changed;	       /* settings or placed nodes, since the verdict before */
	char message[ROLLOUT_MESSAGE_BYTES]; /* of .v */
};

static uint64_t seed;

#define FAIL(w, ...)                                                                               \
	do {                                                                                       \
		char text_[600];                                                                   \
		snprintf(text_, sizeof(text_), __VA_ARGS__);                                       \
		fail_msg("MUSTER_SEED=%llu at %lld ms: %s", (unsigned long long)seed,              \
			 (long long)(w)->now_ms, text_);                                           \
	} while (0)

static uint32_t below(struct world *w, uint32_t n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)((w->random >> 11) % n);
}

static int64_t some_ms(struct world *w, uint32_t ticks)
{
	return (int64_t)TICK_MS * below(w, ticks + 1);
}

/* --- the fleet -------------------------------------------------------------------------------- */

static bool counts(const struct node *n)
{
	return n->placed && n->reachable;
}

static bool reached_by_expression(const struct world *w, const struct node *n, uint32_t steps)
{
	for (uint32_t i = 0; i < steps && i < w->settings.stage_count; i++) {
		if (w->stages[i].kind == ROLLOUT_EXPRESSION && n->matches[i])
			return true;
	}
	return false;
}

/* Does it hold a slot of the budget? */
static bool in_flight(const struct world *w, const struct node *n)
{
	if (!n->placed || !n->has || n->excused || n->task == READY)
		return false;
	return n->reachable || w->now_ms < n->gone_ms + w->settings.monitor_ms;
}

/* How many would still get it, all budgets aside: the nodes in their order. */
static uint32_t owed(const struct world *w, uint32_t reach, uint32_t steps, bool *of)
{
	uint32_t have = 0, count = 0;
	for (int i = 0; i < NODES; i++)
		have += w->nodes[i].placed && w->nodes[i].has;
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < NODES; i++) {
			const struct node *n = &w->nodes[i];
			bool matches = reached_by_expression(w, n, steps);
			if (!counts(n) || n->has || matches != (pass == 0) ||
			    (!matches && have >= reach))
				continue;
			have++;
			count++;
			if (of)
				of[i] = true;
		}
	}
	return count;
}

static void assign(struct world *w, struct node *n)
{
	n->has = true;
	n->excused = n->broken_before;
	n->task = PENDING;
	n->next_ms = w->now_ms + TICK_MS + some_ms(w, 10);
}

static void plan(struct world *w)
{
	bool of[NODES] = { false };
	uint32_t flying = 0;
	for (int i = 0; i < NODES; i++)
		flying += in_flight(w, &w->nodes[i]);
	owed(w, w->reach, w->steps_reached, of);
	for (int i = 0; i < NODES; i++) {
		struct node *n = &w->nodes[i];
		if (!of[i] || (flying >= w->budget && !n->broken_before))
			continue;
		flying += !n->broken_before;
		assign(w, n);
	}
}

static struct rollout_input count(const struct world *w)
{
	struct rollout_input in = {
		.now_ms = w->now_ms,
		.gate = w->gate,
		.synced = w->synced,
		.completed_exists = w->completed_exists,
		.reach = w->reach,
		.steps_reached = w->steps_reached,
		.budget = w->budget,
		.owed = owed(w, w->reach, w->steps_reached, NULL),
		.new_failures = w->new_failures,
		.new_ready = w->new_ready,
		.last_ready_ms = w->last_ready_ms,
	};
	for (int i = 0; i < NODES; i++) {
		const struct node *n = &w->nodes[i];
		in.placed += n->placed;
		in.unreachable += n->placed && !n->reachable;
		in.unknown += n->placed && n->unknown;
		in.in_flight += in_flight(w, n);
		if (!counts(n) || !n->has)
			continue;
		in.current++;
		in.current_ready += n->task == READY;
		in.excused += n->excused && n->task != READY;
		in.failed_now += !n->excused && n->task == BROKEN;
	}
	return in;
}

#endif
