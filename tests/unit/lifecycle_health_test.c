/* lifecycle: health checks in time, and what their results mean. */
#include "lifecycle_steps.h"

static const char *words[] = { "CMD", "probe" };
static struct health_check check;

static void check_health_of(int who)
{
	check = (struct health_check){ .command = { words, 2, true } };
	s.definitions[who].health_check = &check;
}

static void commands_are_read_as_ecs_has_them(void **state UNUSED)
{
	static const char *rows[][5] = {
		/* the words, and what is run */
		{ "CMD-SHELL", "curl -f http://localhost || exit 1", NULL,
		  "/bin/sh|-c|curl -f http://localhost || exit 1|" },
		{ "CMD", "probe", "-x", NULL, "probe|-x|" },
		{ "probe", "-x", NULL, "probe|-x|" },
		{ "NONE", NULL, "" },
		{ "CMD", NULL, "" },
		{ "CMD-SHELL", NULL, "" },
		{ NULL, "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct health_check c = { .command = { .items = rows[i] } };
		while (rows[i][c.command.len])
			c.command.len++;
		struct str_list run = lifecycle_health_command(&c, &s.arena);
		struct buf text = { 0 };
		for (uint32_t k = 0; k < run.len; k++)
			buf_addf(&text, "%s|", run.items[k]);
		assert_string_equal(buf_str(&text), rows[i][c.command.len + 1]);
		buf_release(&text);
	}
	assert_int_equal(lifecycle_health_command(NULL, &s.arena).len, 0);
}

static void checks_come_an_interval_after_one_another(void **state UNUSED)
{
	containers(1);
	check_health_of(A);
	all_run();
	WAKE(T0 + S(30));
	HEALTH(HEALTH_UNKNOWN);
	assert_true(s.out.health_checked);
	STEP(T0 + S(30), "check a");
	assert_int_equal(s.out.calls[0].deadline_ms, T0 + S(35));
	assert_string_equal(s.out.calls[0].command.items[0], "probe");
	s.now[A].checking = true;
	STEP(T0 + S(31), "");
	WAKE(INT64_MAX); /* its end is told */
	s.now[A].checking = false;
	checked(A, 0);
	STEP(T0 + S(32), "");
	HEALTH(HEALTH_HEALTHY);
	assert_true(s.out.memory_changed);
	WAKE(T0 + S(62));
	STEP(T0 + S(62), "check a");
	checked(A, 0);
	STEP(T0 + S(63), "");
	assert_false(s.out.memory_changed);
}

static void so_many_failures_in_a_row_are_unhealthy(void **state UNUSED)
{
	static const struct {
		const char *results; /* of checks: 0, 1, t: time-out, e: the engine could not */
		enum health_status want;
	} rows[] = {
		{ "", HEALTH_UNKNOWN },	      { "1", HEALTH_UNKNOWN },
		{ "11", HEALTH_UNKNOWN },     { "111", HEALTH_UNHEALTHY },
		{ "0", HEALTH_HEALTHY },      { "011", HEALTH_HEALTHY },
		{ "0111", HEALTH_UNHEALTHY }, { "01101", HEALTH_HEALTHY },
		{ "1110", HEALTH_HEALTHY },   { "ttt", HEALTH_UNHEALTHY },
		{ "1t1", HEALTH_UNHEALTHY },  { "eeeee", HEALTH_UNKNOWN },
		{ "1e1e", HEALTH_UNKNOWN },   { "1e1e1", HEALTH_UNHEALTHY },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin_again();
		containers(1);
		check_health_of(A);
		all_run();
		int64_t at = T0 + S(30);
		for (const char *r = rows[i].results; *r; r++) {
			STEP(at, "check a");
			if (*r == 'e')
				answer(LIFECYCLE_EXEC_HEALTH, A, false, "EOF");
			else
				checked(A, *r == 't' ? 137 : *r - '0');
			STEP(at + S(5), "");
			at += S(35);
		}
		if (s.out.health != rows[i].want)
			fail_msg("%s: %s", rows[i].results, health_status_name(s.out.health));
		STATUS(TASK_RUNNING);
	}
}

static void failures_within_the_start_period_do_not_count(void **state UNUSED)
{
	containers(1);
	check_health_of(A);
	check.start_period = INT(60);
	check.interval = INT(20);
	check.retries = INT(1);
	all_run();
	STEP(T0 + S(20), "check a");
	checked(A, 1);
	STEP(T0 + S(20), "");
	STEP(T0 + S(40), "check a");
	checked(A, 1);
	STEP(T0 + S(44), "");
	HEALTH(HEALTH_UNKNOWN);
	STEP(T0 + S(64), "check a"); /* begun after it */
	checked(A, 1);
	STEP(T0 + S(64), "");
	HEALTH(HEALTH_UNHEALTHY);
}

static void a_success_ends_the_start_period(void **state UNUSED)
{
	containers(1);
	check_health_of(A);
	check.start_period = INT(300);
	check.retries = INT(1);
	all_run();
	STEP(T0 + S(30), "check a");
	checked(A, 0);
	STEP(T0 + S(30), "");
	HEALTH(HEALTH_HEALTHY);
	STEP(T0 + S(60), "check a");
	checked(A, 1);
	STEP(T0 + S(60), "");
	HEALTH(HEALTH_UNHEALTHY);
}

/* How long a check may take is its caller's to say: an engine that hangs answers for nothing. */
static void a_check_beyond_its_timeout_waits_for_its_answer(void **state UNUSED)
{
	containers(1);
	check_health_of(A);
	check.retries = INT(1);
	all_run();
	STEP(T0 + S(30), "check a");
	s.now[A].checking = true;
	STEP(T0 + S(35), "");
	HEALTH(HEALTH_UNKNOWN);
	STEP(T0 + S(65), ""); /* never two at a time */
	s.now[A].checking = false;
	answer(LIFECYCLE_EXEC_HEALTH, A, false, "the engine hangs");
	STEP(T0 + S(66), "");
	HEALTH(HEALTH_UNKNOWN);
	STEP(T0 + S(96), "check a");
	s.now[A].checking = true;
	STEP(T0 + S(101), "");
	s.now[A].checking = false;
	checked(A, 137); /* it was ended at its deadline */
	STEP(T0 + S(102), "");
	HEALTH(HEALTH_UNHEALTHY);
	/* One whose answer was lost is given again, an interval later. */
	STEP(T0 + S(132), "check a");
	STEP(T0 + S(137), "");
	HEALTH(HEALTH_UNHEALTHY);
	STEP(T0 + S(167), "check a");
}

static void a_new_run_starts_over(void **state UNUSED)
{
	static struct restart_policy policy = { .enabled = OPT_TRUE,
						.restart_attempt_period = INT(60) };
	containers(1);
	check_health_of(A);
	s.definitions[A].restart_policy = &policy;
	all_run();
	STEP(T0 + S(30), "check a");
	checked(A, 0);
	STEP(T0 + S(30), "");
	STEP(T0 + S(60), "check a");
	s.now[A].checking = true;
	exit_at(&s.now[A], T0 + S(61), 1);
	STEP(T0 + S(61), "start a");
	HEALTH(HEALTH_UNKNOWN);
	run_at(&s.now[A], T0 + S(62));
	s.now[A].checking = false;
	checked(A, 0); /* of the earlier run */
	STEP(T0 + S(62), "");
	HEALTH(HEALTH_UNKNOWN);
	WAKE(T0 + S(92));
}

static void a_restart_by_hand_starts_over(void **state UNUSED)
{
	containers(1);
	check_health_of(A);
	all_run();
	STEP(T0 + S(30), "check a");
	checked(A, 0);
	STEP(T0 + S(30), "");
	HEALTH(HEALTH_HEALTHY);
	run_at(&s.now[A], T0 + S(40)); /* nobody saw it down */
	STEP(T0 + S(41), "");
	HEALTH(HEALTH_UNKNOWN);
	STATUS(TASK_RUNNING);
	WAKE(T0 + S(70));
}

/* Nobody saw it down, and what was said of the run before is not of this one. */
static void failures_of_the_run_before_do_not_count(void **state UNUSED)
{
	containers(1);
	check_health_of(A);
	all_run();
	for (int64_t at = T0 + S(30); at <= T0 + S(60); at += S(30)) {
		STEP(at, "check a");
		checked(A, 1);
		STEP(at, "");
	}
	STEP(T0 + S(90), "check a");
	s.now[A].checking = true;
	run_at(&s.now[A], T0 + S(91));
	s.now[A].checking = false;
	checked(A, 1);
	STEP(T0 + S(92), "");
	HEALTH(HEALTH_UNKNOWN);
	STEP(T0 + S(121), "check a");
	checked(A, 1); /* one of three */
	STEP(T0 + S(121), "");
	HEALTH(HEALTH_UNKNOWN);
}

static void health_stays_over_an_agent_restart(void **state UNUSED)
{
	containers(1);
	check_health_of(A);
	all_run();
	STEP(T0 + S(30), "check a");
	checked(A, 0);
	STEP(T0 + S(30), "");
	forget(true, true);
	STEP(T0 + S(31), "check a"); /* at once: when the last was is not kept */
	HEALTH(HEALTH_HEALTHY);
	forget(false, true);
	STEP(T0 + S(32), "check a");
	HEALTH(HEALTH_UNKNOWN);
}

static void not_knowing_is_no_failure(void **state UNUSED)
{
	containers(1);
	check_health_of(A);
	check.retries = INT(1);
	all_run();
	STEP(T0 + S(30), "check a");
	s.now[A].state = CONTAINER_UNKNOWN;
	STEP(T0 + S(34), "");
	STEP(T0 + S(36), "");
	HEALTH(HEALTH_UNKNOWN);
	s.now[A].state = CONTAINER_RUNNING;
	STEP(T0 + S(40), "check a");
	s.now[A].state = CONTAINER_PAUSED;
	STEP(T0 + S(41), "unpause a");
	checked(A, 1);
	STEP(T0 + S(42), "unpause a");
	HEALTH(HEALTH_UNKNOWN);
}

/* The worst of the essential ones that are checked. */
static void the_task_is_as_healthy_as_its_worst(void **state UNUSED)
{
	enum { H = HEALTH_HEALTHY, N = HEALTH_UNKNOWN, U = HEALTH_UNHEALTHY };
	static const struct {
		int a, b, want;
		bool b_essential;
	} rows[] = {
		{ H, H, H, true }, { H, N, N, true }, { N, H, N, true },  { U, N, U, true },
		{ N, U, U, true }, { H, U, U, true }, { H, U, H, false }, { H, N, H, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin_again();
		containers(3); /* c has no check */
		check_health_of(A);
		check_health_of(B);
		s.definitions[B].essential = rows[i].b_essential ? OPT_TRUE : OPT_FALSE;
		all_run();
		s.memory.containers[A].health = rows[i].a;
		s.memory.containers[B].health = rows[i].b;
		STEP(T0 + 1, "");
		HEALTH(rows[i].want);
		assert_int_equal(s.out.containers[B].health, rows[i].b);
	}
	begin_again();
	containers(1);
	all_run();
	assert_false(s.out.health_checked);
	HEALTH(HEALTH_UNKNOWN);
}

static void what_stops_is_not_checked(void **state UNUSED)
{
	containers(1);
	check_health_of(A);
	all_run();
	s.in.wish = LIFECYCLE_STOPPED;
	STEP(T0 + S(30), "stop a 30");
	s.now[A].busy = LIFECYCLE_STOP;
	STEP(T0 + S(31), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(commands_are_read_as_ecs_has_them),
		RULE(checks_come_an_interval_after_one_another),
		RULE(so_many_failures_in_a_row_are_unhealthy),
		RULE(failures_within_the_start_period_do_not_count),
		RULE(a_success_ends_the_start_period),
		RULE(a_check_beyond_its_timeout_waits_for_its_answer),
		RULE(a_new_run_starts_over),
		RULE(a_restart_by_hand_starts_over),
		RULE(failures_of_the_run_before_do_not_count),
		RULE(health_stays_over_an_agent_restart),
		RULE(not_knowing_is_no_failure),
		RULE(the_task_is_as_healthy_as_its_worst),
		RULE(what_stops_is_not_checked),
	};
	return cmocka_run_group_tests_name("lifecycle_health", tests, NULL, NULL);
}
