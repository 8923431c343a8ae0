/* node: starts, restarts, their order, and what is remembered: each rule by itself. */
#include "node_steps.h"

/* --- starting and restarting -------------------------------------------------------------------
 */

static void one_is_started_and_becomes_ready(void **state UNUSED)
{
	want("s", 1);
	STEP(T0, "start s");
	assert_int_equal(entry("")->last_status, TASK_PENDING);
	struct node_task *t = task("a", "s", 1, 0);
	STEP(T0 + 5, "");
	assert_int_equal(n.out.task_count, 1);
	assert_false(entry("a")->ready);
	t->status = TASK_RUNNING;
	t->started_at_ms = T0 + 8;
	STEP(T0 + 9, "");
	WAKE(T0 + 8 + 10000);
	STEP(T0 + 8 + 9999, "");
	assert_false(entry("a")->ready);
	STEP(T0 + 8 + 10000, "");
	assert_true(entry("a")->ready);
	WAKE(INT64_MAX);
}

/* 0, 1, 2, 4 ... 300 s after each end; a task that never ran counts as one that crashed. */
static void restarts_back_off(void **state UNUSED)
{
	static const int64_t delays_s[] = { 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300 };
	static char ids[ARRAY_LEN(delays_s)][3];
	int64_t now = T0;
	want("s", 1);
	STEP(now, "start s");
	for (uint32_t i = 0; i < ARRAY_LEN(delays_s); i++) {
		n.in.task_count = 0; /* removals are not the matter here */
		snprintf(ids[i], sizeof(ids[i]), "%u", i % 100);
		ended(task(ids[i], "s", 1, i % 2 ? 0 : now), now + 3);
		now += 3;
		if (delays_s[i]) {
			STEP(now, "");
			assert_true(entry("")->failed);
			assert_int_equal(entry("")->restarts, i + 1);
			assert_int_equal(entry("")->restart_in_ms, delays_s[i] * 1000);
			STEP(now + delays_s[i] * 1000 - 1, "");
			WAKE(now + delays_s[i] * 1000);
		}
		now += delays_s[i] * 1000;
		STEP(now, "start s");
		STEP(now, "");
	}
}

/* A file that it needs has changed: the delay ends, the count goes on. */
static void a_retry_ends_the_delay(void **state UNUSED)
{
	static const char *const other[] = { "c/other" }, *const own[] = { "c/other", "c/s" };
	static char ids[5][3];
	int64_t now = T0;
	want("s", 1);
	STEP(now, "start s");
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		n.in.task_count = 0;
		snprintf(ids[i], sizeof(ids[i]), "%u", i);
		ended(task(ids[i], "s", 1, 0), now);
		n.in.retries = i < 4 ? own : other;
		n.in.retry_count = i < 4 ? 2 : 1;
		STEP(now, i < 4 ? "start s" : "");
		n.in.retry_count = 0;
	}
	assert_int_equal(entry("")->restarts, 5);
	assert_int_equal(entry("")->restart_in_ms, 8000);
	n.in.retries = own;
	n.in.retry_count = 2;
	STEP(now + 1, "start s");

	/* So does that of a prepare; without a failure there is nothing to end. */
	begin_again();
	want("s", 2);
	task("a", "s", 1, T0);
	STEP(T0, "prepare s");
	n.prepares[0] = (struct node_prepare){
		.cluster = "c", .service = "s", .target = { { 2 } }, .state = PREPARE_FAILED
	};
	n.in.prepare_count = 1;
	STEP(T0 + 5, "prepare s");
	STEP(T0 + 10, "");
	n.in.retries = own;
	n.in.retry_count = 2;
	STEP(T0 + 20, "prepare s");
}

static void ten_minutes_of_running_end_a_series(void **state UNUSED)
{
	static const struct {
		int64_t ran;
		uint32_t restarts;
	} rows[] = { { RESTART_SERIES_MS - 1, 2 }, { RESTART_SERIES_MS, 1 } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin_again();
		want("s", 1);
		STEP(T0, "start s");
		ended(task("a", "s", 1, T0), T0 + 1);
		STEP(T0 + 1, "start s");
		struct node_task *t = task("b", "s", 1, T0 + 1);
		STEP(T0 + 2, "");
		assert_true(entry("b")->failed);
		STEP(T0 + 1 + 10000, "");
		assert_false(entry("b")->failed);
		assert_int_equal(entry("b")->restarts, 1);
		WAKE(T0 + 1 + RESTART_SERIES_MS);
		ended(t, T0 + 1 + rows[i].ran);
		step_at(T0 + 1 + rows[i].ran);
		assert_int_equal(entry("")->restarts, rows[i].restarts);
	}
	begin_again();
	want("s", 1);
	ended(task("a", "s", 1, T0), T0 + 1);
	STEP(T0 + 1, "start s");
	task("b", "s", 1, T0 + 1);
	STEP(T0 + 1 + RESTART_SERIES_MS, "");
	assert_int_equal(entry("b")->restarts, 0);
}

static void a_new_target_ends_a_series(void **state UNUSED)
{
	want("s", 1);
	ended(task("a", "s", 1, T0), T0 + 1);
	ended(task("b", "s", 1, T0 + 2), T0 + 3);
	ended(task("c", "s", 1, T0 + 4), T0 + 5);
	STEP(T0 + 10, ""); /* three ends: 2 s */
	WAKE(T0 + 2005);
	n.wants[0].target.bytes[0] = 2;
	ended(task("d", "s", 1, T0 + 6), T0 + 10); /* seen only now, and of the old one */
	STEP(T0 + 11, "start s");
	assert_int_equal(entry("")->restarts, 0);
}

static void a_reboot_starts_all_at_once(void **state UNUSED)
{
	want("s", 1);
	for (int i = 0; i < 5; i++) {
		struct node_task *t =
			task((const char *[]){ "a", "b", "c", "d", "e" }[i], "s", 1, 0);
		t->status = TASK_STOPPED;
		t->earlier_boot = true;
	}
	STEP(T0, "start s");
	assert_false(entry("")->failed);
	assert_string_equal(n.out.stopped[0].stop_code, "InfrastructureHealth");
}

static void a_start_that_nobody_confirms_has_failed(void **state UNUSED)
{
	want("s", 1);
	STEP(T0, "start s");
	STEP(T0 + ANSWER_PATIENCE_MS - 1, "");
	WAKE(T0 + ANSWER_PATIENCE_MS);
	STEP(T0 + ANSWER_PATIENCE_MS, "start s"); /* the first restart of the series: at once */
	assert_true(entry("")->failed);
	assert_int_equal(entry("")->restarts, 1);
}

static void nothing_starts_blindly(void **state UNUSED)
{
	want("s", 1);
	n.in.disk_full = true;
	STEP(T0, "");
	assert_non_null(strstr(entry("")->reason, "disk is full"));
	assert_false(entry("")->failed);
	n.in.disk_full = false;
	n.in.tasks_known[ENGINE_PROCESS] = false;
	STEP(T0, "");
	n.in.tasks_known[ENGINE_PROCESS] = true;
	n.in.leaving = true;
	STEP(T0, "");
	n.in.leaving = false;
	STEP(T0, "start s");
}

/* --- order ------------------------------------------------------------------------------------ */

static void starts_wait_for_the_one_before(void **state UNUSED)
{
	want("s0", 1);
	want("s1", 1);
	want("s2", 1);
	STEP(T0, "start s0");
	WAKE(T0 + START_PATIENCE_MS);
	struct node_task *t = task("a", "s0", 1, 0);
	STEP(T0 + START_PATIENCE_MS - 1, "");
	STEP(T0 + START_PATIENCE_MS, "start s1");
	t->status = TASK_RUNNING;
	t->started_at_ms = T0 + 6000;
	task("b", "s1", 1, T0 + 6000);
	STEP(T0 + 6000, "start s2");
}

static void what_fails_does_not_hold_up_others(void **state UNUSED)
{
	want("s0", 1);
	want("s1", 1);
	STEP(T0, "start s0");
	ended(task("a", "s0", 1, 0), T0 + 1);
	STEP(T0 + 1, "start s0, start s1");
}

static void a_full_disk_takes_no_turns(void **state UNUSED)
{
	want("s0", 1);
	want("s1", 1);
	n.in.disk_full = true;
	STEP(T0, "");
	WAKE(INT64_MAX);
	n.in.disk_full = false;
	STEP(T0 + 3 * START_PATIENCE_MS, "start s0");
}

static void a_first_start_waits_for_what_it_depends_on(void **state UNUSED)
{
	const char *names[] = { "s0", "elsewhere" };
	want("s0", 1);
	want("s1", 1)->depends_on = (struct str_list){ names, 2, true };
	STEP(T0, "start s0");
	struct node_task *dependency = task("a", "s0", 1, T0 + 1);
	STEP(T0 + 1, "");
	assert_string_equal(entry("")->reason, "waits for service s0 to be healthy");
	STEP(T0 + 1 + 10000, "start s1");
	struct node_task *dependent = task("b", "s1", 1, T0 + 10002);
	STEP(T0 + 10003, "");
	ended(dependency, T0 + 10004); /* both die: neither waits for the other's health now */
	ended(dependent, T0 + 10004);
	STEP(T0 + 10004, "start s0, start s1");
}

/* A dependency that came later, and never was ready, holds up no restart. */
static void a_restart_waits_for_no_dependency(void **state UNUSED)
{
	const char *names[] = { "s2" };
	struct wire_desired_task *dependent = want("s1", 1);
	STEP(T0, "start s1");
	struct node_task *t = task("a", "s1", 1, T0 + 1);
	STEP(T0 + 1, "");
	dependent->depends_on = (struct str_list){ names, 1, true };
	want("s2", 1);
	STEP(T0 + 20000, "start s2");
	task("b", "s2", 1, 0);
	ended(t, T0 + 20001);
	STEP(T0 + 20001, "start s1");
}

/* It is here, but it is not wanted here any more. */
static void a_dependency_that_goes_does_not_block(void **state UNUSED)
{
	const char *names[] = { "s0" };
	want("s1", 1)->depends_on = (struct str_list){ names, 1, true };
	task("a", "s0", 1, T0 - 100);
	STEP(T0, "start s1, stop a");
}

static void restart_agent(const char *boot_id)
{
	struct buf bytes = { 0 };
	struct err err;
	node_memory_save(n.memory, "boot", &bytes);
	node_memory_free(n.memory);
	n.memory = node_memory_new();
	assert_true(node_memory_load(n.memory, boot_id, bytes.data, bytes.len, &err));
	if (strcmp(boot_id, "boot") == 0) { /* and it is the same */
		struct buf again = { 0 };
		node_memory_save(n.memory, "boot", &again);
		assert_string_equal(bytes.data, again.data);
		buf_release(&again);
	}
	buf_release(&bytes);
}

/* A reboot while the controller is away: the agent's own copy has all that is needed. */
static void a_reboot_starts_in_order_again(void **state UNUSED)
{
	const char *names[] = { "s0" };
	want("s0", 1);
	want("s1", 1)->depends_on = (struct str_list){ names, 1, true };
	struct node_task *old[] = { task("a", "s0", 1, T0), task("b", "s1", 1, T0) };
	STEP(T0 + 60000, "");
	assert_true(entry("a")->ready);
	restart_agent("another boot");
	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		old[i]->status = TASK_STOPPED;
		old[i]->started_at_ms = 0;
		old[i]->earlier_boot = true;
	}
	STEP(1000, "start s0");
	struct node_task *dependency = task("c", "s0", 1, 2000);
	STEP(2000 + START_PATIENCE_MS, ""); /* it is RUNNING, and that does not suffice */
	dependency->health_checked = true;
	STEP(60000, "");
	dependency->health = HEALTH_HEALTHY;
	STEP(60001, "");
	WAKE(70001);
	STEP(70001, "start s1");
}

/* Whatever the series does, failures of a target add up, until there is another target. */
static void failures_add_up(void **state UNUSED)
{
	want("s", 1);
	ended(task("a", "s", 1, T0), T0 + 1);
	STEP(T0 + 1, "start s");
	struct node_task *t = task("b", "s", 1, T0 + 1);
	STEP(T0 + 1 + RESTART_SERIES_MS, "");
	assert_int_equal(entry("b")->restarts, 0);
	assert_int_equal(entry("b")->failures, 1);
	t->health_checked = true;
	t->health = HEALTH_UNHEALTHY;
	STEP(T0 + 700000, "stop b");
	t->stop_requested = true;
	t->reason = n.out.actions[0].reason;
	ended(t, T0 + 700001);
	STEP(T0 + 700001, "start s");
	assert_int_equal(entry("")->failures, 2);
	t = task("c", "s", 1, T0 + 700002);
	t->stop_requested = true; /* by our hand: it counts nowhere */
	ended(t, T0 + 700003);
	STEP(T0 + 700003, "start s");
	assert_int_equal(entry("")->failures, 2);
	n.wants[0].target.bytes[0] = 2;
	task("d", "s", 1, T0 + 700004);
	STEP(T0 + 700005, "prepare s");
	assert_int_equal(entry("")->failures, 0);
	n.in.prepare_count = 1;
	n.prepares[0] = (struct node_prepare){
		.cluster = "c", .service = "s", .target = { { 2 } }, .state = PREPARE_FAILED
	};
	STEP(T0 + 700006, "prepare s");
	assert_int_equal(entry("")->failures, 1);
	n.prepares[0].state = PREPARE_DONE;
	STEP(T0 + 700007, "stop d");
	assert_false(entry("")->failed);
	assert_int_equal(entry("")->failures, 1);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void memory_outlives_the_agent(void **state UNUSED)
{
	want("s", 1);
	ended(task("a", "s", 1, T0), T0 + 1);
	ended(task("b", "s", 1, T0 + 2), T0 + 3);
	ended(task("c", "s", 1, T0 + 4), T0 + 5);
	STEP(T0 + 10, "");
	assert_true(n.out.memory_changed);
	STEP(T0 + 11, "");
	assert_false(n.out.memory_changed);
	n.in.task_count = 0; /* the records are gone: the memory alone must do */
	restart_agent("boot");
	STEP(T0 + 12, "");
	WAKE(T0 + 2005);
	restart_agent("another boot");
	STEP(T0 + 13, "start s");
	assert_int_equal(entry("")->restarts, 0);
	assert_int_equal(entry("")->failures, 3); /* they alone outlive a reboot */
}

static void without_memory_records_tell_the_series(void **state UNUSED)
{
	want("s", 1);
	ended(task("c", "s", 1, T0 + 4), T0 + 5);
	ended(task("a", "s", 1, T0), T0 + 1);
	ended(task("b", "s", 1, T0 + 2), T0 + 3);
	STEP(T0 + 10, "");
	WAKE(T0 + 2005);
	assert_int_equal(entry("")->restarts, 3);
}

static void a_damaged_memory_is_none(void **state UNUSED)
{
	struct buf bytes = { 0 };
	struct err err = { 0 };
	want("s", 1);
	STEP(T0, "start s");
	node_memory_save(n.memory, "boot", &bytes);
	for (size_t i = 0; i < bytes.len; i++)
		assert_false(node_memory_load(n.memory, "boot", bytes.data, i, &err));
	assert_true(node_memory_load(n.memory, "boot", bytes.data, bytes.len, &err));
	buf_release(&bytes);
}

static void a_task_of_unknown_target_is_not_judged(void **state UNUSED)
{
	want("s", 1);
	task("a", "s", 0, 0);
	STEP(T0, "");
	assert_int_equal(n.out.task_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(one_is_started_and_becomes_ready),
		RULE(restarts_back_off),
		RULE(a_retry_ends_the_delay),
		RULE(ten_minutes_of_running_end_a_series),
		RULE(a_new_target_ends_a_series),
		RULE(a_reboot_starts_all_at_once),
		RULE(a_start_that_nobody_confirms_has_failed),
		RULE(nothing_starts_blindly),
		RULE(starts_wait_for_the_one_before),
		RULE(what_fails_does_not_hold_up_others),
		RULE(a_full_disk_takes_no_turns),
		RULE(a_first_start_waits_for_what_it_depends_on),
		RULE(a_restart_waits_for_no_dependency),
		RULE(a_dependency_that_goes_does_not_block),
		RULE(a_reboot_starts_in_order_again),
		RULE(failures_add_up),
		RULE(memory_outlives_the_agent),
		RULE(without_memory_records_tell_the_series),
		RULE(a_damaged_memory_is_none),
		RULE(a_task_of_unknown_target_is_not_judged),
	};
	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
