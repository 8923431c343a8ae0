/* rollout: one deployment, with counts made by hand. */
#ifndef MUSTER_TESTS_ROLLOUT_STEPS_H
#define MUSTER_TESTS_ROLLOUT_STEPS_H

#include "rollout/rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#define NEVER ROLLOUT_NEVER
#define ALL   ROLLOUT_ALL

struct deployment {
	struct rollout_memory memory;
	struct rollout_settings settings;
	struct rollout_stage stages[3];
	struct rollout_input in;
	struct rollout_verdict v;
	struct arena arena;
};

/* Ten nodes, all reachable and known, none with the release, a budget of one; no steps. */
static UNUSED int open_deployment(void **state)
{
	struct deployment *d = xcalloc(1, sizeof(*d));
	arena_init(&d->arena);
	d->settings = (struct rollout_settings){
		.stages = d->stages,
		.breaker = { .enable = true,
			     .rollback = true,
			     .reset_on_healthy_task = true,
			     .type = THRESHOLD_BOUNDED_PERCENT,
			     .value = 50 },
		.progress_deadline_ms = 600000,
		.monitor_ms = 60000,
	};
	d->in = (struct rollout_input){
		.now_ms = 1000, .synced = true, .completed_exists = true, .placed = 10, .budget = 1
	};
	*state = d;
	return 0;
}

static UNUSED int close_deployment(void **state)
{
	struct deployment *d = *state;
	arena_release(&d->arena);
	free(d);
	return 0;
}

/* One step; what happened counts once. */
static UNUSED void step(struct deployment *d)
{
	rollout_step(&d->memory, &d->settings, &d->in, &d->arena, &d->v);
	d->in.new_failures = d->in.new_ready = 0;
}

/* The planner is told, and counts anew that it owes so many. */
static UNUSED void tell(struct deployment *d, uint32_t owed)
{
	d->in.reach = d->v.reach;
	d->in.steps_reached = d->v.steps_reached;
	d->in.owed = owed;
	step(d);
}

/* Of the nodes that have it all are ready. */
static UNUSED void have(struct deployment *d, uint32_t nodes, uint32_t owed)
{
	if (nodes > d->in.current_ready) {
		d->in.new_ready = nodes - d->in.current_ready;
		d->in.last_ready_ms = d->in.now_ms;
	}
	d->in.current = d->in.current_ready = nodes;
	d->in.owed = owed;
	step(d);
}

static UNUSED void pass(struct deployment *d, int64_t ms)
{
	d->in.now_ms += ms;
	step(d);
}

#define EXPECT(d, want_state, want_reason)                                                         \
	do {                                                                                       \
		assert_string_equal(rollout_state_name((d)->v.state),                              \
				    rollout_state_name(want_state));                               \
		assert_string_equal(rollout_reason_name((d)->v.reason),                            \
				    rollout_reason_name(want_reason));                             \
	} while (0)
#define IN_PROGRESS(d, reason) EXPECT(d, ROLLOUT_IN_PROGRESS, reason)
#define COMPLETED(d)	       EXPECT(d, ROLLOUT_COMPLETED, ROLLOUT_DONE)
#define FAILED(d, reason)      EXPECT(d, ROLLOUT_FAILED, reason)

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_deployment, close_deployment)

#endif
