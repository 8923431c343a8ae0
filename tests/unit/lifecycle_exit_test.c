/* lifecycle: exits, restarts in place, reboots, and what is kept of them. */
#include "lifecycle_steps.h"

static struct restart_policy policy;

static void restarts(int who, int64_t period_s)
{
	policy = (struct restart_policy){ .enabled = OPT_TRUE,
					  .restart_attempt_period = INT(period_s) };
	s.definitions[who].restart_policy = &policy;
}

/* --- exits ------------------------------------------------------------------------------------ */

static void an_essential_exit_stops_the_task(void **state UNUSED)
{
	containers(2);
	all_run();
	exit_at(&s.now[A], T0 + 50, 7);
	STEP(T0 + 51, "stop b 30");
	STATUS(TASK_STOPPING);
	STOPS("EssentialContainerExited", "Essential container in task exited");
	assert_true(s.out.memory_changed);
	s.now[B].busy = LIFECYCLE_STOP;
	STEP(T0 + 52, "");
	exit_at(&s.now[B], T0 + 60, 143);
	STEP(T0 + 61, ""); /* not yet answered */
	STATUS(TASK_STOPPING);
	s.now[B].busy = LIFECYCLE_NONE;
	STEP(T0 + 62, "");
	STATUS(TASK_STOPPED);
	assert_int_equal(s.out.stopped_at_ms, T0 + 60);
	assert_int_equal(s.out.started_at_ms, T0);
	assert_int_equal(s.out.containers[A].exit_code, 7);
	assert_int_equal(s.out.containers[B].exit_code, 143);
	assert_false(s.out.stop_requested);
	WAKE(INT64_MAX);
}

static void another_exit_leaves_it_running(void **state UNUSED)
{
	containers(2);
	sidecar(B);
	all_run();
	exit_at(&s.now[B], T0 + 50, 7);
	STEP(T0 + 51, "");
	STATUS(TASK_RUNNING);
	assert_int_equal(s.out.containers[B].status, TASK_STOPPED);
	assert_int_equal(s.out.containers[B].exit_code, 7);
	s.now[B].state = CONTAINER_ABSENT; /* a prune: nothing is missed */
	STEP(T0 + 52, "");
	assert_int_equal(s.out.containers[B].exit_code, 7);
	forget(true, true);
	STEP(T0 + 53, "");
	run_at(&s.now[B], T0 + 60); /* by hand, why not */
	STEP(T0 + 61, "");
	assert_int_equal(s.out.containers[B].status, TASK_RUNNING);
}

static void an_out_of_memory_kill_is_named(void **state UNUSED)
{
	containers(1);
	all_run();
	exit_at(&s.now[A], T0 + 50, 137);
	s.now[A].oom_killed = true;
	STEP(T0 + 51, "");
	STOPS("EssentialContainerExited", "OutOfMemoryError: Container killed due to memory usage");
	assert_string_equal(s.out.containers[A].reason,
			    "OutOfMemoryError: Container killed due to memory usage");
}

/* Docker shows it of all that share a limit of memory. */
static void a_stopped_one_was_not_killed_for_memory(void **state UNUSED)
{
	containers(2);
	all_run();
	exit_at(&s.now[B], T0 + 50, 137);
	s.now[B].oom_killed = true;
	STEP(T0 + 51, "stop a 30");
	STOPS("EssentialContainerExited",
	      "OutOfMemoryError: Container killed due to memory usage (b)");
	exit_at(&s.now[A], T0 + 60, 137);
	s.now[A].oom_killed = true;
	STEP(T0 + 61, "");
	assert_null(s.out.containers[A].reason);
	assert_non_null(s.out.containers[B].reason);
	STATUS(TASK_STOPPED);
}

/* --- restartPolicy ---------------------------------------------------------------------------- */

static void restart_is_decided_as_ecs_does(void **state UNUSED)
{
	static const char *ignored[] = { "0", "143" };
	static const struct {
		enum opt_bool enabled;
		bool stopping, has_code;
		int code;
		int64_t period_s, ran_ms;
		const char *why_not;
	} rows[] = {
		{ OPT_UNSET, false, true, 1, 60, S(60), "restart policy is not enabled" },
		{ OPT_FALSE, false, true, 1, 60, S(60), "restart policy is not enabled" },
		{ OPT_TRUE, true, true, 1, 60, S(60), "container's desired status is stopped" },
		{ OPT_TRUE, false, false, 0, 60, S(60), "exit code is nil" },
		{ OPT_TRUE, false, true, 0, 60, S(60), "exit code 0 should be ignored" },
		{ OPT_TRUE, false, true, 143, 60, S(60), "exit code 143 should be ignored" },
		{ OPT_TRUE, false, true, 1, 60, S(60) - 1, "attempt reset period has not elapsed" },
		{ OPT_TRUE, false, true, 1, 60, -1, "attempt reset period has not elapsed" },
		{ OPT_TRUE, false, true, 1, 60, S(60), NULL },
		{ OPT_TRUE, false, true, 1, 0, S(300) - 1, "attempt reset period has not elapsed" },
		{ OPT_TRUE, false, true, 1, 0, S(300), NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct restart_policy p = { .enabled = rows[i].enabled,
					    .ignored_exit_codes = { ignored, 2, true } };
		const char *why_not;
		if (rows[i].period_s)
			p.restart_attempt_period = INT(rows[i].period_s);
		bool yes =
			lifecycle_should_restart(&p, rows[i].stopping, rows[i].has_code,
						 rows[i].code, rows[i].ran_ms, &s.arena, &why_not);
		assert_int_equal(yes, !rows[i].why_not);
		if (rows[i].why_not)
			assert_string_equal(why_not, rows[i].why_not);
	}
	const char *why_not;
	assert_false(lifecycle_should_restart(NULL, false, true, 1, S(900), &s.arena, &why_not));
}

static void a_container_is_restarted_in_place(void **state UNUSED)
{
	containers(2);
	depends(B, A, "START");
	restarts(A, 60);
	all_run();
	exit_at(&s.now[A], T0 + S(60), 1);
	STEP(T0 + S(61), "start a");
	STATUS(TASK_RUNNING);
	assert_int_equal(s.out.containers[A].status, TASK_PENDING);
	assert_int_equal(s.out.containers[A].restart_count, 1);
	s.now[A].busy = LIFECYCLE_START;
	STEP(T0 + S(61), "");
	s.now[A].busy = LIFECYCLE_NONE;
	run_at(&s.now[A], T0 + S(62));
	STEP(T0 + S(62), "");
	assert_int_equal(s.out.started_at_ms, T0); /* the task went on */
	exit_at(&s.now[A], T0 + S(62) + 59999, 1);
	STEP(T0 + S(200), "stop b 30"); /* what counts is how long it ran */
	assert_string_equal(s.out.containers[A].reason,
			    "not restarted: attempt reset period has not elapsed");
	assert_int_equal(s.out.containers[A].restart_count, 1);
}

/* It may be over again before anyone looked. */
static void a_restart_that_ends_at_once_is_judged_anew(void **state UNUSED)
{
	containers(1);
	restarts(A, 60);
	all_run();
	exit_at(&s.now[A], T0 + S(60), 1);
	STEP(T0 + S(60), "start a");
	run_at(&s.now[A], T0 + S(60) + 5);
	exit_at(&s.now[A], T0 + S(60) + 6, 1);
	STEP(T0 + S(60) + 7, "");
	STATUS(TASK_STOPPED);
}

static void a_restart_that_fails_is_tried_again(void **state UNUSED)
{
	containers(1);
	restarts(A, 60);
	all_run();
	exit_at(&s.now[A], T0 + S(60), 1);
	int64_t at = T0 + S(60), delay = 1000;
	STEP(at, "start a");
	for (int i = 0; i < 8; i++) {
		answer(LIFECYCLE_START, A, false, "busy");
		STEP(at + 1, "");
		STATUS(TASK_RUNNING);
		assert_string_equal(s.out.containers[A].reason, "CannotStartContainerError: busy");
		WAKE(at + delay);
		at += delay;
		STEP(at, "start a");
		delay = delay < 32000 ? 2 * delay : RETRY_MAX_MS;
	}
	assert_int_equal(s.out.containers[A].restart_count, 1);
}

static void restarts_are_counted_once_over_an_agent_restart(void **state UNUSED)
{
	containers(1);
	restarts(A, 60);
	all_run();
	exit_at(&s.now[A], T0 + S(60), 1);
	STEP(T0 + S(60), "start a");
	forget(true, true); /* before the call was made */
	STEP(T0 + S(61), "start a");
	assert_int_equal(s.out.containers[A].restart_count, 1);
	run_at(&s.now[A], T0 + S(61));
	STEP(T0 + S(62), "");
	forget(false, true);
	STEP(T0 + S(63), "");
	STATUS(TASK_RUNNING);
	assert_int_equal(s.out.containers[A].restart_count, 0);
}

static void a_reboot_ends_the_task(void **state UNUSED)
{
	containers(2);
	restarts(A, 60);
	sidecar(B);
	all_run();
	for (int i = 0; i < 2; i++) {
		exit_at(&s.now[i], T0 + S(100), 255); /* times that mean nothing now */
		s.now[i].earlier_boot = true;
	}
	forget(true, false);
	STEP(500, "");
	STATUS(TASK_STOPPED);
	STOPS("EssentialContainerExited", "Essential container in task exited");
	assert_int_equal(s.out.started_at_ms, 0);
	assert_int_equal(s.out.stopped_at_ms, 0);
}

/* A restart that was decided, and then the machine went down: not any more. */
static void a_reboot_cuts_off_a_restart(void **state UNUSED)
{
	containers(1);
	restarts(A, 60);
	all_run();
	exit_at(&s.now[A], T0 + S(60), 1);
	STEP(T0 + S(60), "start a");
	s.now[A].earlier_boot = true;
	forget(true, false);
	STEP(500, "");
	STATUS(TASK_STOPPED);
	assert_string_equal(s.out.containers[A].reason, "it ran in an earlier boot of the machine");
}

/* --- what is kept ----------------------------------------------------------------------------- */

static void what_does_not_read_changes_nothing(void **state UNUSED)
{
	struct err err;
	containers(1);
	all_run();
	struct lifecycle_memory before = s.memory;
	json_t *json = lifecycle_memory_to_json(&s.memory);
	json_object_del(json, "stopCode");
	assert_false(lifecycle_memory_from_json(&s.memory, json, true, &err));
	assert_string_equal(err.text, "lacks what the memory of a task has");
	assert_true(s.memory.running && before.running);
	json_decref(json);
	json = lifecycle_memory_to_json(&s.memory);
	json_array_remove(json_object_get(json, "containers"), 0);
	assert_false(lifecycle_memory_from_json(&s.memory, json, true, &err));
	json_decref(json);
	json = lifecycle_memory_to_json(&s.memory);
	json_object_set_new(json_array_get(json_object_get(json, "containers"), 0), "health",
			    json_integer(7));
	assert_false(lifecycle_memory_from_json(&s.memory, json, true, &err));
	json_decref(json);
}

/* A reason of any bytes and length is kept as text. */
static void reasons_are_cut_at_a_character(void **state UNUSED)
{
	static const char umlaut[] = "\u00e4";
	char reason[3 * WIRE_REASON_BYTES] = "XError: ";
	size_t len = strlen(reason);
	containers(1);
	STEP(T0, "create a");
	for (int i = 0; i < WIRE_REASON_BYTES; i++)
		memcpy(reason + len + i * 2, umlaut, sizeof(umlaut));
	answer(LIFECYCLE_CREATE, A, false, reason);
	STEP(T0 + 1, "");
	assert_int_equal(strlen(s.out.reason), WIRE_REASON_BYTES - 2);
	assert_true(utf8_valid(s.out.reason, strlen(s.out.reason)));
	forget(true, true);
	STEP(T0 + 2, "");
	assert_int_equal(strlen(s.out.reason), WIRE_REASON_BYTES - 2);
	begin_again();
	containers(1);
	STEP(T0, "create a");
	answer(LIFECYCLE_CREATE, A, false, "a\xff");
	STEP(T0 + 1, "");
	assert_string_equal(s.out.reason, "CannotCreateContainerError: a?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(an_essential_exit_stops_the_task),
		RULE(another_exit_leaves_it_running),
		RULE(an_out_of_memory_kill_is_named),
		RULE(a_stopped_one_was_not_killed_for_memory),
		RULE(restart_is_decided_as_ecs_does),
		RULE(a_container_is_restarted_in_place),
		RULE(a_restart_that_ends_at_once_is_judged_anew),
		RULE(a_restart_that_fails_is_tried_again),
		RULE(restarts_are_counted_once_over_an_agent_restart),
		RULE(a_reboot_ends_the_task),
		RULE(a_reboot_cuts_off_a_restart),
		RULE(what_does_not_read_changes_nothing),
		RULE(reasons_are_cut_at_a_character),
	};
	return cmocka_run_group_tests_name("lifecycle_exit", tests, NULL, NULL);
}
