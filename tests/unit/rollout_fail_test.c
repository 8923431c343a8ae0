/* rollout: how it fails, and what is kept of it. */
#include "rollout_steps.h"

/* --- failures --------------------------------------------------------------------------------- */

static void too_many_failed_tasks_fail_it(void **state)
{
	struct deployment *d = *state;
	step(d);
	tell(d, 9);
	d->memory.succeeded = true; /* no first batch */
	d->in.current = 1;
	d->in.failed_now = 1;
	d->in.in_flight = 1;
	d->in.new_failures = 4;
	step(d);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	assert_string_equal(d->v.message, "0 of 10 nodes are ready on it, 4 tasks failed");
	d->in.new_failures = 1;
	step(d);
	FAILED(d, ROLLOUT_THRESHOLD);
	assert_true(d->v.roll_back);
	assert_int_equal(d->v.reach, 0);
	assert_int_equal(d->v.steps_reached, 0);
	assert_string_equal(d->v.message,
			    "5 tasks failed, the threshold is 5 (BOUNDED_PERCENT 50, 10 nodes): "
			    "the last COMPLETED revision comes back");
	/* It was decided, and stays so, whatever comes. */
	d->in.completed_exists = false;
	d->in.current = d->in.current_ready = 10;
	d->in.failed_now = d->in.in_flight = d->in.owed = 0;
	d->in.last_ready_ms = 1;
	pass(d, 1000000);
	FAILED(d, ROLLOUT_THRESHOLD);
	assert_true(d->v.roll_back);
	assert_false(d->v.memory_changed);
}

static void a_success_resets_where_that_is_wished(void **state)
{
	struct deployment *d = *state;
	step(d);
	d->in.new_failures = 4;
	step(d);
	assert_true(d->v.memory_changed);
	d->in.new_ready = 1;
	step(d);
	assert_int_equal(d->memory.failed_tasks, 0);
	d->settings.breaker.reset_on_healthy_task = false;
	d->in.new_failures = 4;
	step(d);
	d->in.new_ready = 1;
	step(d);
	assert_int_equal(d->memory.failed_tasks, 4);
	/* Together: which was first is not known. */
	d->settings.breaker.reset_on_healthy_task = true;
	d->in.new_ready = 1;
	d->in.new_failures = 2;
	step(d);
	assert_int_equal(d->memory.failed_tasks, 2);
}

static void a_first_batch_that_fails_entirely_fails_it(void **state)
{
	static const struct {
		const char *name;
		uint32_t current, ready, excused, failed_now, owed, in_flight, budget;
		bool succeeded, enable, fails;
	} rows[] = {
		{ "one node of one", 1, 0, 0, 1, 9, 1, 1, false, true, true },
		{ "all of three", 3, 0, 0, 3, 7, 3, 3, false, true, true },
		{ "a start: no budget", 10, 0, 0, 10, 0, 0, 1, false, true, true },
		{ "one may come up", 3, 0, 0, 2, 7, 3, 3, false, true, false },
		{ "more may come", 2, 0, 0, 2, 8, 2, 3, false, true, false },
		{ "one is ready", 3, 1, 0, 2, 7, 2, 3, false, true, false },
		{ "one was ready", 3, 0, 0, 3, 7, 3, 3, true, true, false },
		{ "one was broken before", 3, 0, 1, 2, 7, 2, 2, false, true, true },
		{ "all were broken before", 2, 0, 2, 0, 0, 0, 1, false, true, false },
		{ "nobody has it", 0, 0, 0, 0, 0, 0, 1, false, true, false },
		{ "without a breaker", 3, 0, 0, 3, 7, 3, 3, false, false, false },
	};
	struct deployment *d = *state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		d->memory = (struct rollout_memory){ .succeeded = rows[i].succeeded };
		d->settings.breaker.enable = rows[i].enable;
		d->in.current = rows[i].current;
		d->in.current_ready = rows[i].ready;
		d->in.excused = rows[i].excused;
		d->in.failed_now = rows[i].failed_now;
		d->in.owed = rows[i].owed;
		d->in.in_flight = rows[i].in_flight;
		d->in.budget = rows[i].budget;
		step(d);
		if ((d->v.state == ROLLOUT_FAILED) != rows[i].fails)
			fail_msg("%s: %s", rows[i].name, rollout_state_name(d->v.state));
		assert_true(!rows[i].fails || d->v.reason == ROLLOUT_FIRST_BATCH);
	}
}

static void without_a_breaker_no_number_fails_it(void **state)
{
	struct deployment *d = *state;
	d->settings.breaker = (struct circuit_breaker){ .type = THRESHOLD_COUNT, .value = 1 };
	d->in.new_failures = 1000;
	step(d);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	assert_int_equal(d->v.threshold, 0);
	pass(d, 600000);
	FAILED(d, ROLLOUT_DEADLINE);
	assert_false(d->v.roll_back);
}

/* A step that begins is progress; and time that is up while the gate is shut waits for it. */
static void what_a_deadline_waits_for(void **state)
{
	struct deployment *d = *state;
	d->stages[0] = (struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 1 };
	d->settings.stage_count = 1;
	d->in.current = 1;
	step(d);
	tell(d, 0);
	pass(d, 599999);
	d->in.current_ready = 1; /* not for the first time */
	step(d);
	assert_int_equal(d->v.step, ALL);
	assert_int_equal(d->v.wake_at_ms, d->in.now_ms + 600000);
	tell(d, 9);
	d->in.gate = ROLLOUT_GATE_HELD;
	pass(d, 600000);
	IN_PROGRESS(d, ROLLOUT_HELD);
	pass(d, 600000);
	IN_PROGRESS(d, ROLLOUT_HELD);
	d->in.gate = ROLLOUT_GATE_OPEN;
	step(d);
	FAILED(d, ROLLOUT_DEADLINE);
}

static void no_progress_in_time_fails_it(void **state)
{
	struct deployment *d = *state;
	d->stages[0] =
		(struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 3, .bake_ms = 700000 };
	d->stages[1] = (struct rollout_stage){ .kind = ROLLOUT_COUNT, .value = 4 };
	d->settings.stage_count = 2;
	step(d);
	tell(d, 3);
	pass(d, 599999);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	have(d, 2, 1); /* progress */
	assert_int_equal(d->v.wake_at_ms, d->in.now_ms + 600000);
	pass(d, 599999);
	have(d, 3, 0);
	pass(d, 699999); /* baking does not count */
	IN_PROGRESS(d, ROLLOUT_BAKING);
	pass(d, 1);
	tell(d, 1);
	pass(d, 300000);
	/* Nor does what is closed, or not known, or not there. */
	d->in.gate = ROLLOUT_GATE_HELD;
	step(d);
	IN_PROGRESS(d, ROLLOUT_HELD);
	pass(d, 10000000);
	d->in.gate = ROLLOUT_GATE_OPEN;
	d->in.synced = false;
	step(d);
	pass(d, 10000000);
	d->in.synced = true;
	d->in.unreachable = 10;
	step(d);
	pass(d, 10000000);
	d->in.unreachable = 0;
	step(d);
	assert_int_equal(d->v.wake_at_ms, d->in.now_ms + 300000);
	pass(d, 299999);
	IN_PROGRESS(d, ROLLOUT_UPDATING);
	pass(d, 1);
	FAILED(d, ROLLOUT_DEADLINE);
	assert_string_equal(d->v.message, "nothing became ready for 600 s; 3 of 10 nodes are ready "
					  "on it: the last COMPLETED revision comes back");
}

static void who_goes_back_and_who_holds(void **state)
{
	static const struct {
		bool enable, rollback, completed, is_rollback, back;
		const char *why;
	} rows[] = {
		{ true, true, true, false, true, "the last COMPLETED revision comes back" },
		{ true, true, false, false, false,
		  "there is no COMPLETED revision to go back to, so it holds" },
		{ true, false, true, false, false, "rollback is off, so it holds" },
		{ false, true, true, false, false, "rollback is off, so it holds" },
		{ true, true, true, true, false,
		  "this is a rollback, so it is not rolled back, and holds" },
	};
	struct deployment *d = *state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		d->memory = (struct rollout_memory){ 0 };
		d->settings.breaker.enable = rows[i].enable;
		d->settings.breaker.rollback = rows[i].rollback;
		d->settings.is_rollback = rows[i].is_rollback;
		d->in.completed_exists = rows[i].completed;
		d->in.owed = 10;
		step(d);
		pass(d, 600000);
		FAILED(d, ROLLOUT_DEADLINE);
		assert_int_equal(d->v.roll_back, rows[i].back);
		assert_non_null(strstr(d->v.message, rows[i].why));
	}
}

/* Every node has it, and it runs after all. */
static void one_that_holds_may_heal(void **state)
{
	struct deployment *d = *state;
	d->in.completed_exists = false;
	d->in.current = d->in.failed_now = 10;
	step(d);
	FAILED(d, ROLLOUT_FIRST_BATCH);
	assert_int_equal(d->v.wake_at_ms, NEVER);
	d->in.failed_now = 0;
	have(d, 10, 0);
	FAILED(d, ROLLOUT_FIRST_BATCH);
	assert_int_equal(d->v.wake_at_ms, 61000);
	pass(d, 60000);
	COMPLETED(d);
	assert_string_equal(d->v.message, "");
}

/* --- memory ----------------------------------------------------------------------------------- */

static void memory_is_kept(void **state UNUSED)
{
	struct rollout_memory m = {
		.state = ROLLOUT_FAILED,
		.reason = ROLLOUT_FIRST_BATCH,
		.message = "words",
		.roll_back = true,
		.step = 3,
		.failed_tasks = 7,
		.succeeded = true,
		.readied = 9,
		.worked_ms = 12345678901,
	};
	struct rollout_memory back = { 0 };
	for (int i = 0; i < 3; i++) {
		json_t *json = rollout_memory_to_json(&m);
		assert_true(rollout_memory_from_json(&back, json, NULL));
		assert_memory_equal(&m, &back, sizeof(m));
		json_decref(json);
		m.state = i == 0 ? ROLLOUT_COMPLETED : ROLLOUT_IN_PROGRESS;
		m.reason = i == 0 ? ROLLOUT_DONE : 0;
		m.step = ROLLOUT_ALL;
	}
}

static void memory_that_is_none_is_refused(void **state UNUSED)
{
	static const char *const changes[] = {
		"{\"state\": \"ALMOST\"}",
		"{\"reason\": \"Updating\"}",
		"{\"step\": 20}",
		"{\"step\": -2}",
		"{\"failedTasks\": -1}",
		"{\"failedTasks\": 4294967295}",
		"{\"readied\": -1}",
		"{\"workedMs\": -1}",
		"{\"message\": 1}",
		"{\"rollBack\": 1}",
		"{\"succeeded\": null}",
		"{\"state\": \"FAILED\"}",
		"{\"state\": \"COMPLETED\", \"reason\": \"FirstBatchFailed\"}",
	};
	struct rollout_memory m = { .failed_tasks = 2 };
	const struct rollout_memory before = m;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		json_t *json = rollout_memory_to_json(&m), *change;
		assert_non_null(change = json_loads(changes[i], 0, NULL));
		json_object_update(json, change);
		if (rollout_memory_from_json(&m, json, NULL))
			fail_msg("read: %s", changes[i]);
		assert_memory_equal(&m, &before, sizeof(m));
		json_decref(change);
		json_decref(json);
	}
	json_t *json = rollout_memory_to_json(&m);
	char text[ROLLOUT_MESSAGE_BYTES + 1];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	json_object_set_new(json, "message", json_string(text));
	assert_false(rollout_memory_from_json(&m, json, NULL));
	json_object_set_new(json, "message", json_string(text + 1));
	json_object_set_new(json, "ofLater", json_true());
	assert_true(rollout_memory_from_json(&m, json, NULL));
	json_decref(json);
	struct err err;
	assert_false(rollout_memory_from_json(&m, NULL, &err));
}

/* The planner has not counted for it yet: what was ready is the deployment before it. */
static void counts_of_the_one_before_are_no_success(void **state)
{
	struct deployment *d = *state;
	d->in.synced = false;
	d->in.current = d->in.current_ready = 10;
	step(d);
	assert_false(d->memory.succeeded);
	d->in.synced = true;
	step(d);
	assert_true(d->memory.succeeded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(too_many_failed_tasks_fail_it),
		TEST(a_success_resets_where_that_is_wished),
		TEST(a_first_batch_that_fails_entirely_fails_it),
		TEST(counts_of_the_one_before_are_no_success),
		TEST(without_a_breaker_no_number_fails_it),
		TEST(what_a_deadline_waits_for),
		TEST(no_progress_in_time_fails_it),
		TEST(who_goes_back_and_who_holds),
		TEST(one_that_holds_may_heal),
		cmocka_unit_test(memory_is_kept),
		cmocka_unit_test(memory_that_is_none_is_refused),
	};
	return cmocka_run_group_tests_name("rollout_fail", tests, NULL, NULL);
}
