/* rollout: each rule of the way by itself. */
#include "rollout_steps.h"

/* --- rules by themselves ---------------------------------------------------------------------- */

/* Reference section 1.7. */
static void thresholds_are_those_of_ecs(void **state UNUSED)
{
	static const struct {
		enum threshold_type type;
		uint32_t value, desired, want;
	} rows[] = {
		{ THRESHOLD_BOUNDED_PERCENT, 50, 1, 3 },
		{ THRESHOLD_BOUNDED_PERCENT, 50, 5, 3 },
		{ THRESHOLD_BOUNDED_PERCENT, 50, 7, 4 },
		{ THRESHOLD_BOUNDED_PERCENT, 50, 25, 13 },
		{ THRESHOLD_BOUNDED_PERCENT, 50, 400, 200 },
		{ THRESHOLD_BOUNDED_PERCENT, 50, 800, 200 },
		{ THRESHOLD_BOUNDED_PERCENT, 50, 0, 3 },
		{ THRESHOLD_BOUNDED_PERCENT, 100, 10000, 200 },
		{ THRESHOLD_UNBOUNDED_PERCENT, 50, 1, 1 },
		{ THRESHOLD_UNBOUNDED_PERCENT, 50, 25, 13 },
		{ THRESHOLD_UNBOUNDED_PERCENT, 50, 800, 400 },
		{ THRESHOLD_UNBOUNDED_PERCENT, 1, 0, 1 }, /* nothing failed is no failure */
		{ THRESHOLD_UNBOUNDED_PERCENT, UINT32_MAX, 10000, UINT32_MAX },
		{ THRESHOLD_COUNT, 1, 800, 1 },
		{ THRESHOLD_COUNT, 7, 1, 7 },
		{ THRESHOLD_COUNT, 0, 1, 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct circuit_breaker b = { .type = rows[i].type, .value = rows[i].value };
		assert_int_equal(rollout_threshold(&b, rows[i].desired), rows[i].want);
	}
}

static void reach_grows_with_steps(void **state UNUSED)
{
	static const struct rollout_stage stages[] = {
		{ .kind = ROLLOUT_EXPRESSION, .expression = "attribute:canary exists" },
		{ .kind = ROLLOUT_COUNT, .value = 2 },
		{ .kind = ROLLOUT_PERCENT, .value = 25 },
		{ .kind = ROLLOUT_PERCENT, .value = 1 }, /* less than before counts for nothing */
	};
	static const struct rollout_settings settings = { .stages = stages, .stage_count = 4 };
	static const struct {
		uint32_t begun, placed, want;
	} rows[] = {
		{ 0, 10, 0 }, { 1, 10, 0 },   { 2, 10, 2 }, { 3, 10, 3 },   { 3, 8, 2 },
		{ 3, 4, 2 },  { 3, 100, 25 }, { 4, 10, 3 }, { 4, 101, 26 }, { 5, 10, ALL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(rollout_reach(&settings, rows[i].begun, rows[i].placed),
				 rows[i].want);
	const struct rollout_settings last = { .stages = stages + 3, .stage_count = 1 };
	assert_int_equal(rollout_reach(&last, 1, 3), 1);
	assert_int_equal(rollout_reach(&last, 1, 0), 1);
}

static void stages_are_the_manifests(void **state UNUSED)
{
	struct rollout_step steps[] = {
		{ .expression = { .value = "a == b" }, .bake_seconds = { true, 60 } },
		{ .percent = { true, 10 }, .pause = OPT_TRUE },
		{ .count = { true, 5 }, .pause = OPT_FALSE },
	};
	const struct rollout rollout = { .steps = { steps, 3, true } };
	struct arena arena;
	arena_init(&arena);
	uint32_t count;
	const struct rollout_stage *s = rollout_stages(&rollout, &arena, &count);
	assert_int_equal(count, 3);
	assert_int_equal(s[0].kind, ROLLOUT_EXPRESSION);
	assert_string_equal(s[0].expression, "a == b");
	assert_int_equal(s[0].bake_ms, 60000);
	assert_false(s[0].pause);
	assert_int_equal(s[1].kind, ROLLOUT_PERCENT);
	assert_int_equal(s[1].value, 10);
	assert_true(s[1].pause);
	assert_int_equal(s[2].kind, ROLLOUT_COUNT);
	assert_int_equal(s[2].value, 5);
	assert_false(s[2].pause);
	rollout_stages(NULL, &arena, &count);
	assert_int_equal(count, 0);
	arena_release(&arena);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void without_steps_all_is_reached(void **state)
{
	struct deployment *d = *state;
	step(d);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	assert_int_equal(d->v.reach, ALL);
	assert_int_equal(d->v.step, ALL);
	assert_int_equal(d->v.threshold, 5);
	assert_int_equal(d->v.wake_at_ms, 601000);
	assert_true(d->v.memory_changed);
	assert_string_equal(d->v.message, "0 of 10 nodes are ready on it");
	tell(d, 10);
	assert_false(d->v.memory_changed);
	d->in.now_ms = 5000;
	have(d, 10, 0);
	IN_PROGRESS(d, ROLLOUT_MONITORING);
	assert_int_equal(d->v.wake_at_ms, 65000);
	pass(d, 59999);
	IN_PROGRESS(d, ROLLOUT_MONITORING);
	pass(d, 1);
	COMPLETED(d);
	assert_true(d->v.memory_changed);
	assert_int_equal(d->v.reach, ALL);
	assert_int_equal(d->v.wake_at_ms, NEVER);
	/* For ever: what breaks later is no failure of the roll-out. */
	d->in.new_failures = 100;
	d->in.current_ready = 0;
	d->in.failed_now = 10;
	step(d);
	COMPLETED(d);
	assert_int_equal(d->memory.failed_tasks, 0);
}

static void steps_bake_and_pause(void **state)
{
	struct deployment *d = *state;
	d->stages[0] =
		(struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 1, .bake_ms = 10000 };
	d->stages[1] = (struct rollout_stage){
		.kind = ROLLOUT_EXPRESSION, .expression = "canary", .bake_ms = 5000, .pause = true
	};
	d->stages[2] = (struct rollout_stage){ .kind = ROLLOUT_PERCENT, .value = 50 };
	d->settings.stage_count = 3;
	step(d);
	assert_int_equal(d->v.reach, 1);
	assert_int_equal(d->v.steps_reached, 1);
	assert_int_equal(d->v.step, 0);
	assert_string_equal(d->v.message, "step 1 of 3 (1 node): 0 of 10 nodes are ready on it");
	tell(d, 1);
	have(d, 1, 0);
	IN_PROGRESS(d, ROLLOUT_BAKING);
	assert_string_equal(d->v.message, "step 1 of 3 (1 node) is done, and bakes for 10 s");
	assert_int_equal(d->v.bake_until_ms, 11000);
	assert_int_equal(d->v.wake_at_ms, 11000);
	pass(d, 9999);
	assert_int_equal(d->v.step, 0);
	pass(d, 1);
	assert_int_equal(d->v.step, 1);
	assert_int_equal(d->v.reach, 1);
	assert_int_equal(d->v.steps_reached, 2);
	assert_true(d->v.memory_changed);
	/* Counts of the step before prove nothing. */
	pass(d, 100000);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	assert_int_equal(d->v.step, 1);
	tell(d, 2);
	have(d, 3, 0);
	IN_PROGRESS(d, ROLLOUT_BAKING);
	pass(d, 5000);
	IN_PROGRESS(d, ROLLOUT_PAUSED);
	assert_true(d->v.paused);
	assert_string_equal(d->v.message, "paused after step 2 of 3 (canary); it goes on with a "
					  "commit that takes this pause out");
	assert_int_equal(d->v.wake_at_ms, NEVER);
	pass(d, 1000000000);
	IN_PROGRESS(d, ROLLOUT_PAUSED);
	d->stages[1].pause = false;
	step(d);
	assert_int_equal(d->v.step, 2);
	assert_int_equal(d->v.reach, 5);
	tell(d, 2);
	have(d, 5, 0);
	assert_int_equal(d->v.step, ALL);
	assert_int_equal(d->v.reach, ALL);
	tell(d, 5);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	have(d, 10, 0);
	pass(d, 60000);
	COMPLETED(d);
}

/* A pause whose step is gone is no pause; the next one is a step of its own. */
static void a_step_that_is_gone_does_not_pause(void **state)
{
	struct deployment *d = *state;
	d->stages[0] = (struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 1, .pause = true };
	d->settings.stage_count = 1;
	step(d);
	tell(d, 1);
	have(d, 1, 0);
	IN_PROGRESS(d, ROLLOUT_PAUSED);
	d->stages[0] = (struct rollout_stage){ .kind = ROLLOUT_EXPRESSION,
					       .expression = "a == b",
					       .bake_ms = 7000 };
	step(d);
	tell(d, 0);
	IN_PROGRESS(d, ROLLOUT_BAKING);
	assert_int_equal(d->v.bake_until_ms, d->in.now_ms + 7000);
	d->settings.stage_count = 0;
	step(d);
	assert_int_equal(d->v.step, ALL);
	/* Steps that come after the last one are none for this deployment. */
	d->settings.stage_count = 1;
	step(d);
	assert_int_equal(d->v.step, ALL);
	assert_int_equal(d->v.reach, ALL);
}

static void what_breaks_in_a_bake_makes_it_bake_anew(void **state)
{
	struct deployment *d = *state;
	d->stages[0] =
		(struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 2, .bake_ms = 10000 };
	d->settings.stage_count = 1;
	step(d);
	tell(d, 2);
	have(d, 2, 0);
	pass(d, 9000);
	d->in.current_ready = 1;
	step(d);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	d->in.now_ms += 500;
	have(d, 2, 0);
	assert_int_equal(d->v.bake_until_ms, d->in.now_ms + 10000);
	/* One that failed and was back at once. */
	pass(d, 9000);
	d->in.new_failures = 1;
	step(d);
	assert_int_equal(d->v.bake_until_ms, d->in.now_ms + 10000);
	/* A node that comes is within reach: it does not bake anew, but must be ready. */
	pass(d, 9000);
	d->in.placed = 11;
	d->in.current = 3;
	step(d);
	IN_PROGRESS(d, ROLLOUT_BAKING);
	pass(d, 1000);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	assert_int_equal(d->v.step, 0);
	have(d, 3, 0);
	assert_int_equal(d->v.step, ALL);
}

static void each_step_bakes_by_itself(void **state)
{
	struct deployment *d = *state;
	d->stages[0] =
		(struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 1, .bake_ms = 10000 };
	d->stages[1] = d->stages[0];
	d->settings.stage_count = 2;
	step(d);
	tell(d, 1);
	have(d, 1, 0);
	pass(d, 10000);
	assert_int_equal(d->v.step, 1);
	tell(d, 0);
	IN_PROGRESS(d, ROLLOUT_BAKING);
	assert_int_equal(d->v.bake_until_ms, d->in.now_ms + 10000);
}

/* An update that was put, and whose node vanished: it may still fail. */
static void what_is_in_flight_is_waited_for(void **state)
{
	struct deployment *d = *state;
	step(d);
	tell(d, 10);
	d->in.unreachable = d->in.in_flight = 1;
	have(d, 9, 0);
	pass(d, 60000);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	d->in.in_flight = 0;
	step(d);
	COMPLETED(d);
}

static void a_restart_bakes_anew(void **state)
{
	struct deployment *d = *state;
	d->stages[0] =
		(struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 2, .bake_ms = 10000 };
	d->settings.stage_count = 1;
	step(d);
	tell(d, 2);
	have(d, 2, 0);
	json_t *json = rollout_memory_to_json(&d->memory);
	pass(d, 9999);
	d->memory = (struct rollout_memory){ 0 };
	assert_true(rollout_memory_from_json(&d->memory, json, NULL));
	json_decref(json);
	step(d);
	IN_PROGRESS(d, ROLLOUT_BAKING);
	assert_int_equal(d->v.bake_until_ms, d->in.now_ms + 10000);
	assert_true(d->memory.succeeded);
}

static void unreachable_and_broken_nodes_do_not_block(void **state)
{
	struct deployment *d = *state;
	d->stages[0] = (struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 5 };
	d->settings.stage_count = 1;
	d->in.unreachable = 7;
	step(d);
	tell(d, 3);
	d->in.excused = 1;
	d->in.current = 3;
	d->in.current_ready = 2;
	d->in.owed = 0;
	d->in.new_ready = 2;
	d->in.last_ready_ms = 1000;
	step(d);
	assert_int_equal(d->v.step, ALL);
	pass(d, 60000);
	COMPLETED(d);
}

/* Nobody there is no proof of anything. */
static void nothing_is_concluded_of_nobody(void **state)
{
	struct deployment *d = *state;
	d->stages[0] = (struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 5 };
	d->settings.stage_count = 1;
	d->in.unreachable = 10;
	step(d);
	tell(d, 0);
	IN_PROGRESS(d, ROLLOUT_UNREACHED);
	pass(d, 1000000000);
	IN_PROGRESS(d, ROLLOUT_UNREACHED);
	assert_int_equal(d->v.step, 0);
	d->settings.stage_count = 0;
	pass(d, 1000000000);
	IN_PROGRESS(d, ROLLOUT_UNREACHED);
}

static void nothing_placed_is_completed(void **state)
{
	struct deployment *d = *state;
	d->in.placed = 0;
	step(d);
	COMPLETED(d);
}

static void nothing_is_concluded_while_something_is_unknown(void **state)
{
	struct deployment *d = *state;
	step(d);
	tell(d, 0);
	d->in.synced = false;
	have(d, 10, 0);
	pass(d, 10000000);
	IN_PROGRESS(d, ROLLOUT_NOT_KNOWN);
	assert_int_equal(d->v.wake_at_ms, NEVER);
	d->in.synced = true;
	d->in.unknown = 1;
	d->in.new_failures = 5;
	step(d);
	IN_PROGRESS(d, ROLLOUT_NOT_KNOWN);
	d->in.unknown = 0;
	step(d);
	FAILED(d, ROLLOUT_THRESHOLD);
}

/* --- the gate --------------------------------------------------------------------------------- */

static void no_batch_begins_while_the_gate_is_shut(void **state)
{
	static const struct {
		enum rollout_gate gate;
		enum rollout_reason reason;
		bool rollback_waits;
	} rows[] = {
		{ ROLLOUT_GATE_WINDOW, ROLLOUT_OUTSIDE, false },
		{ ROLLOUT_GATE_HELD, ROLLOUT_HELD, false },
		{ ROLLOUT_GATE_SUSPENDED, ROLLOUT_SUSPENDED, true },
	};
	struct deployment *d = *state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		d->memory = (struct rollout_memory){ 0 };
		d->settings.is_rollback = false;
		d->in.gate = rows[i].gate;
		step(d);
		IN_PROGRESS(d, rows[i].reason);
		assert_int_equal(d->v.reach, 0);
		d->memory = (struct rollout_memory){ 0 };
		d->settings.is_rollback = true;
		step(d);
		assert_int_equal(d->v.reach, rows[i].rollback_waits ? 0 : ALL);
	}
}

/* What is in flight goes on: it may fail, and it may be the end. */
static void a_shut_gate_lets_ends_be_found(void **state)
{
	struct deployment *d = *state;
	d->stages[0] =
		(struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 2, .bake_ms = 10000 };
	d->settings.stage_count = 1;
	step(d);
	tell(d, 2);
	have(d, 2, 0);
	d->in.gate = ROLLOUT_GATE_WINDOW;
	step(d);
	IN_PROGRESS(d, ROLLOUT_BAKING);
	assert_int_equal(d->v.reach, 0);
	tell(d, 0);
	pass(d, 10000);
	IN_PROGRESS(d, ROLLOUT_OUTSIDE);
	assert_int_equal(d->v.step, 0);
	d->in.gate = ROLLOUT_GATE_OPEN;
	step(d);
	assert_int_equal(d->v.step, 0); /* counted while it was shut */
	tell(d, 0);
	assert_int_equal(d->v.step, ALL);
	tell(d, 8);
	have(d, 10, 0);
	d->in.gate = ROLLOUT_GATE_WINDOW;
	step(d);
	IN_PROGRESS(d, ROLLOUT_OUTSIDE);
	assert_int_equal(d->v.wake_at_ms, d->in.now_ms + 60000);
	struct rollout_memory before = d->memory;
	pass(d, 60000);
	COMPLETED(d);
	d->memory = before;
	d->in.new_failures = 5;
	step(d);
	FAILED(d, ROLLOUT_THRESHOLD);
}

static void a_rollback_has_no_steps(void **state)
{
	struct deployment *d = *state;
	d->stages[0] = (struct rollout_stage){
		.kind = ROLLOUT_COUNT, .value = 2, .bake_ms = 10000, .pause = true
	};
	d->settings.stage_count = 1;
	d->settings.is_rollback = true;
	d->in.gate = ROLLOUT_GATE_HELD;
	step(d);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	assert_int_equal(d->v.reach, ALL);
	have(d, 10, 0);
	pass(d, 60000);
	COMPLETED(d);
}

/* --- forecast --------------------------------------------------------------------------------- */

static void a_forecast_is_of_what_was_seen(void **state)
{
	struct deployment *d = *state;
	d->in.budget = 2;
	step(d);
	tell(d, 10);
	assert_int_equal(d->v.forecast.nodes_left, 10);
	assert_int_equal(d->v.forecast.ms_a_batch, -1);
	assert_int_equal(d->v.forecast.expected_end_ms, -1);
	d->in.now_ms += 20000;
	have(d, 4, 6);
	assert_int_equal(d->v.forecast.nodes_left, 6);
	assert_int_equal(d->v.forecast.ms_a_batch, 10000);
	assert_int_equal(d->v.forecast.expected_end_ms, d->in.now_ms + 30000 + 60000);
	d->in.budget = 4; /* the last batch is half of one */
	step(d);
	assert_int_equal(d->v.forecast.ms_a_batch, 20000);
	assert_int_equal(d->v.forecast.expected_end_ms, d->in.now_ms + 40000 + 60000);
	d->in.budget = 2;
	/* What waits behind the gate is not counted. */
	d->in.gate = ROLLOUT_GATE_WINDOW;
	step(d);
	assert_int_equal(d->v.forecast.expected_end_ms, -1);
	pass(d, 1000000);
	assert_int_equal(d->v.forecast.ms_a_batch, 10000);
	d->in.gate = ROLLOUT_GATE_OPEN;
	d->in.unreachable = 2;
	have(d, 8, 0);
	assert_int_equal(d->v.forecast.nodes_left, 0);
	pass(d, 15000);
	assert_int_equal(d->v.forecast.expected_end_ms, d->in.now_ms + 45000);
}

static void a_forecast_counts_bakes_and_not_pauses(void **state)
{
	struct deployment *d = *state;
	d->settings.monitor_ms = 0;
	d->stages[0] =
		(struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 5, .bake_ms = 10000 };
	d->stages[1] = (struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 6, .bake_ms = 7000 };
	d->settings.stage_count = 2;
	step(d);
	tell(d, 5);
	d->in.now_ms += 5000;
	have(d, 5, 0);
	pass(d, 4000);
	assert_int_equal(d->v.forecast.expected_end_ms, d->in.now_ms + 5000 + 6000 + 7000);
	d->stages[1].pause = true;
	step(d);
	assert_int_equal(d->v.forecast.expected_end_ms, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thresholds_are_those_of_ecs),
		cmocka_unit_test(reach_grows_with_steps),
		cmocka_unit_test(stages_are_the_manifests),
		TEST(without_steps_all_is_reached),
		TEST(steps_bake_and_pause),
		TEST(a_step_that_is_gone_does_not_pause),
		TEST(what_breaks_in_a_bake_makes_it_bake_anew),
		TEST(each_step_bakes_by_itself),
		TEST(what_is_in_flight_is_waited_for),
		TEST(a_restart_bakes_anew),
		TEST(unreachable_and_broken_nodes_do_not_block),
		TEST(nothing_is_concluded_of_nobody),
		TEST(nothing_placed_is_completed),
		TEST(nothing_is_concluded_while_something_is_unknown),
		TEST(no_batch_begins_while_the_gate_is_shut),
		TEST(a_shut_gate_lets_ends_be_found),
		TEST(a_rollback_has_no_steps),
		TEST(a_forecast_is_of_what_was_seen),
		TEST(a_forecast_counts_bakes_and_not_pauses),
	};
	return cmocka_run_group_tests_name("rollout", tests, NULL, NULL);
}
