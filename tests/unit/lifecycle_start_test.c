/* lifecycle: creating and starting, in the order that dependsOn asks for. */
#include "lifecycle_steps.h"

static void containers_are_created_and_started_in_order(void **state UNUSED)
{
	containers(3);
	STEP(T0, "create a, create b, create c");
	STATUS(TASK_PENDING);
	s.now[A].busy = s.now[B].busy = s.now[C].busy = LIFECYCLE_CREATE;
	STEP(T0 + 1, "");
	s.now[C].state = CONTAINER_CREATED; /* the last is first: it waits for its turn */
	s.now[C].busy = LIFECYCLE_NONE;
	STEP(T0 + 2, "");
	s.now[A].state = s.now[B].state = CONTAINER_CREATED;
	s.now[A].busy = s.now[B].busy = LIFECYCLE_NONE;
	STEP(T0 + 3, "start a, start b, start c");
	s.now[A].busy = s.now[B].busy = s.now[C].busy = LIFECYCLE_START;
	STEP(T0 + 4, "");
	s.now[A].busy = s.now[B].busy = s.now[C].busy = LIFECYCLE_NONE;
	run_at(&s.now[A], T0 + 5);
	run_at(&s.now[B], T0 + 6);
	STEP(T0 + 7, "");
	STATUS(TASK_PENDING);
	run_at(&s.now[C], T0 + 8);
	STEP(T0 + 9, "");
	STATUS(TASK_RUNNING);
	assert_int_equal(s.out.started_at_ms, T0 + 8);
	assert_true(s.out.memory_changed);
	STEP(T0 + 10, "");
	assert_false(s.out.memory_changed);
	WAKE(INT64_MAX);
}

static void the_network_owner_comes_first(void **state UNUSED)
{
	containers(2);
	s.in.owner = &s.owner;
	STEP(T0, "create owner");
	s.owner.state = CONTAINER_CREATED;
	STEP(T0 + 1, "start owner");
	run_at(&s.owner, T0 + 2);
	STEP(T0 + 2, "create a, create b");
	s.now[A].state = s.now[B].state = CONTAINER_CREATED;
	s.owner.state = CONTAINER_PAUSED;
	STEP(T0 + 3, "unpause owner");
	s.owner.state = CONTAINER_RUNNING;
	STEP(T0 + 4, "start a, start b");
}

/* b depends on a with each condition: in which situations of a does b start? */
static void a_condition_gates_the_start(void **state UNUSED)
{
	enum what { CREATED, RUNS, HEALTHY, EXITED_0, EXITED_3, WHATS };
	static const struct {
		const char *condition;
		bool starts[WHATS], fails[WHATS];
	} rows[] = {
		{ "START",
		  { [RUNS] = true, [HEALTHY] = true, [EXITED_0] = true, [EXITED_3] = true },
		  { 0 } },
		{ "COMPLETE", { [EXITED_0] = true, [EXITED_3] = true }, { 0 } },
		{ "SUCCESS", { [EXITED_0] = true }, { [EXITED_3] = true } },
		{ "HEALTHY", { [HEALTHY] = true }, { [EXITED_0] = true, [EXITED_3] = true } },
	};
	static const char *words[] = { "CMD", "true" };
	struct health_check check = { .command = { words, 2, true }, .interval = INT(5) };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (enum what what = CREATED; what < WHATS; what++) {
			begin_again();
			containers(2);
			depends(B, A, rows[i].condition);
			sidecar(A);
			s.definitions[A].health_check = &check;
			s.now[A].state = s.now[B].state = CONTAINER_CREATED;
			assert_string_equal(step_at(T0), "start a");
			bool started = false;
			if (what >= RUNS)
				run_at(&s.now[A], T0);
			if (what == HEALTHY) {
				started = strstr(step_at(T0 + S(5)), "start b");
				checked(A, 0);
			} else if (what > HEALTHY) {
				exit_at(&s.now[A], T0 + 1, what == EXITED_3 ? 3 : 0);
			}
			started |= strstr(step_at(T0 + S(5) + 1), "start b") != NULL;
			if (started != rows[i].starts[what])
				fail_msg("%s, situation %d: b %s", rows[i].condition, (int)what,
					 started ? "starts" : "does not start");
			bool failed = s.out.status >= TASK_STOPPING;
			if (failed != rows[i].fails[what])
				fail_msg("%s, situation %d: the task %s", rows[i].condition,
					 (int)what, failed ? "fails" : "does not fail");
		}
	}
}

static void a_chain_starts_one_by_one(void **state UNUSED)
{
	containers(3);
	depends(A, B, "START");
	depends(B, C, "SUCCESS");
	sidecar(C);
	STEP(T0, "create a, create b, create c");
	s.now[A].state = s.now[B].state = s.now[C].state = CONTAINER_CREATED;
	STEP(T0 + 1, "start c");
	assert_string_equal(s.out.reason, "container \"a\" waits for \"b\" to start");
	assert_string_equal(s.out.containers[B].reason,
			    "container \"b\" waits for \"c\" to exit with 0");
	run_at(&s.now[C], T0 + 2);
	STEP(T0 + 3, "");
	exit_at(&s.now[C], T0 + 4, 0);
	STEP(T0 + 4, "start b");
	run_at(&s.now[B], T0 + 5);
	STEP(T0 + 5, "start a");
	STATUS(TASK_PENDING);
	run_at(&s.now[A], T0 + 6);
	STEP(T0 + 6, "");
	STATUS(TASK_RUNNING);
	assert_int_equal(s.out.containers[C].status, TASK_STOPPED);
	assert_int_equal(s.out.containers[C].exit_code, 0);
	assert_true(s.out.containers[C].has_exit_code);
	assert_null(s.out.reason);
}

static void a_dependency_that_failed_is_named(void **state UNUSED)
{
	containers(2);
	depends(B, A, "SUCCESS");
	sidecar(A);
	s.now[A].state = s.now[B].state = CONTAINER_CREATED;
	STEP(T0, "start a");
	run_at(&s.now[A], T0);
	exit_at(&s.now[A], T0 + 1, 3);
	STEP(T0 + 1, "");
	STATUS(TASK_STOPPED);
	STOPS("TaskFailedToStart",
	      "container \"b\" cannot start: its dependency \"a\" exited with 3, "
	      "and it needs it to exit with 0");
	assert_false(s.out.stop_requested);
}

static void start_timeout_bounds_the_wait(void **state UNUSED)
{
	containers(3);
	depends(B, A, "COMPLETE");
	sidecar(A);
	s.definitions[A].start_timeout = INT(20);
	s.now[A].state = s.now[B].state = CONTAINER_CREATED;
	run_at(&s.now[C], T0);
	STEP(T0, "start a");
	STEP(T0 + 900, "");
	run_at(&s.now[A], T0 + 900);
	STEP(T0 + 1000, "");
	WAKE(T0 + 900 + S(20));
	STEP(T0 + 899 + S(20), "");
	STATUS(TASK_PENDING);
	STEP(T0 + 900 + S(20), "stop c 30, stop a 30");
	STATUS(TASK_STOPPING);
	STOPS("TaskFailedToStart",
	      "container \"b\" cannot start: its dependency \"a\" did not complete "
	      "within its startTimeout of 20 s");
}

static void a_condition_met_in_time_is_met(void **state UNUSED)
{
	containers(2);
	depends(B, A, "COMPLETE");
	sidecar(A);
	s.definitions[A].start_timeout = INT(20);
	s.now[B].state = CONTAINER_CREATED;
	run_at(&s.now[A], T0);
	STEP(T0, "");
	exit_at(&s.now[A], T0 + S(19), 0); /* seen late */
	STEP(T0 + S(21), "start b");
}

static void links_and_volumes_from_are_dependencies(void **state UNUSED)
{
	static const char *link[] = { "b:db" };
	struct volume_from from = { .source_container = "c" };
	containers(3);
	s.definitions[A].links = (struct str_list){ link, 1, true };
	s.definitions[B].volumes_from.items = &from;
	s.definitions[B].volumes_from.len = 1;
	STEP(T0, "create c");
	s.now[C].state = CONTAINER_CREATED;
	STEP(T0 + 1, "create b");
	s.now[B].state = CONTAINER_CREATED;
	STEP(T0 + 2, "create a, start b, start c");
	s.now[A].state = CONTAINER_CREATED;
	run_at(&s.now[C], T0 + 3);
	STEP(T0 + 3, "");
	run_at(&s.now[B], T0 + 4);
	STEP(T0 + 4, "start a");
}

static void what_cannot_be_created_or_started_fails_the_task(void **state UNUSED)
{
	static const struct {
		enum lifecycle_call_kind kind;
		const char *reason, *want;
	} rows[] = {
		{ LIFECYCLE_CREATE, "no space left", "CannotCreateContainerError: no space left" },
		{ LIFECYCLE_START, "port 80 is taken",
		  "CannotStartContainerError: port 80 is taken" },
		{ LIFECYCLE_START, "DockerTimeoutError: 180 s", "DockerTimeoutError: 180 s" },
		{ LIFECYCLE_START, NULL, "CannotStartContainerError: no reason was given" },
		{ LIFECYCLE_CREATE, "Error: x", "CannotCreateContainerError: Error: x" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin_again();
		containers(2);
		run_at(&s.now[B], T0);
		if (rows[i].kind == LIFECYCLE_START)
			s.now[A].state = CONTAINER_CREATED;
		step_at(T0);
		answer(rows[i].kind, A, false, rows[i].reason);
		STEP(T0 + 1, "stop b 30");
		STOPS("TaskFailedToStart", rows[i].want);
		assert_string_equal(s.out.containers[A].reason, rows[i].want);
		exit_at(&s.now[B], T0 + 2, 143);
		STEP(T0 + 2, "");
		STATUS(TASK_STOPPED);
	}
}

/* Podman leaves such a one "exited" without ever having been started. */
static void a_failed_start_that_shows_as_an_exit(void **state UNUSED)
{
	containers(1);
	s.now[A].state = CONTAINER_CREATED;
	STEP(T0, "start a");
	exit_at(&s.now[A], 0, 127);
	answer(LIFECYCLE_START, A, false, "no such file");
	STEP(T0 + 1, "");
	STOPS("TaskFailedToStart", "CannotStartContainerError: no such file");
	STATUS(TASK_STOPPED);
}

static void a_call_that_failed_but_happened_counts_as_done(void **state UNUSED)
{
	containers(1);
	STEP(T0, "create a");
	s.now[A].state = CONTAINER_CREATED;
	answer(LIFECYCLE_CREATE, A, false, "timeout");
	STEP(T0 + 1, "start a");
	run_at(&s.now[A], T0 + 2);
	answer(LIFECYCLE_START, A, false, "timeout");
	STEP(T0 + 2, "");
	STATUS(TASK_RUNNING);
}

static void half_created_tasks_go_on(void **state UNUSED)
{
	containers(3);
	depends(C, B, "START");
	s.in.owner = &s.owner;
	run_at(&s.owner, T0 - 10);
	s.now[A].state = CONTAINER_CREATED;
	run_at(&s.now[B], T0 - 5);
	STEP(T0, "start a, create c");
}

static void an_owner_of_an_earlier_boot_is_started_again(void **state UNUSED)
{
	containers(1);
	s.in.owner = &s.owner;
	s.now[A].state = CONTAINER_CREATED;
	run_at(&s.owner, 0);
	exit_at(&s.owner, 0, 255);
	s.owner.earlier_boot = true;
	STEP(T0, "start owner");
	run_at(&s.owner, T0 + 1);
	STEP(T0 + 1, "start a");
	exit_at(&s.owner, T0 + 2, 1);
	STEP(T0 + 2, "");
	STOPS("TaskFailedToStart",
	      "ResourceInitializationError: the container of the task's network exited with 1");
}

static void one_that_cannot_be_started_again_fails_the_task(void **state UNUSED)
{
	containers(1);
	s.in.owner = &s.owner;
	run_at(&s.owner, 0);
	exit_at(&s.owner, 0, 255);
	s.owner.earlier_boot = true;
	STEP(T0, "start owner");
	answer(LIFECYCLE_START, LIFECYCLE_OWNER, false, "no");
	STEP(T0 + 1, "");
	STATUS(TASK_STOPPED);
	STOPS("TaskFailedToStart", "CannotStartContainerError: no");
}

static void what_can_never_start_is_refused(void **state UNUSED)
{
	containers(2);
	depends(A, B, "START");
	depends(B, A, "CREATE"); /* no such condition */
	STEP(T0, "");
	STOPS("TaskFailedToStart",
	      "ResourceInitializationError: container \"b\" depends on \"a\" with "
	      "condition CREATE, which cannot be");
	begin_again();
	containers(2);
	depends(A, B, "START");
	depends(B, A, "START");
	STEP(T0, "");
	STOPS("TaskFailedToStart",
	      "ResourceInitializationError: container \"a\" depends on itself by way of others");
	begin_again();
	containers(2);
	depends(A, B, "HEALTHY"); /* without a check */
	STEP(T0, "");
	STATUS(TASK_STOPPED);
	begin_again();
	containers(2);
	depends(A, D, "START");
	STEP(T0, "");
	STATUS(TASK_STOPPED);
	begin_again();
	containers(LIMIT_CONTAINERS);
	assert_non_null(strstr(step_at(T0), "create j"));
	begin_again();
	containers(LIMIT_CONTAINERS + 1);
	STEP(T0, "");
	STOPS("TaskFailedToStart",
	      "ResourceInitializationError: 11 containers, more than the 10 that a "
	      "task may have");
}

/* What failed with the engine unreachable is tried again, not counted. */
static void unknown_calls_nothing(void **state UNUSED)
{
	containers(2);
	STEP(T0, "create a, create b");
	s.now[A].state = CONTAINER_UNKNOWN;
	answer(LIFECYCLE_CREATE, A, false, "connection refused");
	answer(LIFECYCLE_CREATE, B, false, "connection refused");
	STEP(T0 + 10, "");
	STATUS(TASK_PENDING);
	s.now[A].state = CONTAINER_ABSENT;
	STEP(T0 + 20, "");
	WAKE(T0 + 1000);
	STEP(T0 + 1000, "create a, create b");
	STEP(T0 + 1001, "");
	WAKE(T0 + 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(containers_are_created_and_started_in_order),
		RULE(the_network_owner_comes_first),
		RULE(a_condition_gates_the_start),
		RULE(a_chain_starts_one_by_one),
		RULE(a_dependency_that_failed_is_named),
		RULE(start_timeout_bounds_the_wait),
		RULE(a_condition_met_in_time_is_met),
		RULE(links_and_volumes_from_are_dependencies),
		RULE(what_cannot_be_created_or_started_fails_the_task),
		RULE(a_failed_start_that_shows_as_an_exit),
		RULE(a_call_that_failed_but_happened_counts_as_done),
		RULE(half_created_tasks_go_on),
		RULE(an_owner_of_an_earlier_boot_is_started_again),
		RULE(one_that_cannot_be_started_again_fails_the_task),
		RULE(what_can_never_start_is_refused),
		RULE(unknown_calls_nothing),
	};
	return cmocka_run_group_tests_name("lifecycle_start", tests, NULL, NULL);
}
