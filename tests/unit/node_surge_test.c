/* node: surge, where the new task starts before the old one stops: each rule by itself. */
#include "node_steps.h"

static void prepared(uint8_t target)
{
	n.in.prepare_count = 1;
	n.prepares[0] = (struct node_prepare){
		.cluster = "c", .service = "s", .target = { { target } }, .state = PREPARE_DONE
	};
}

static void running(struct node_task *t, int64_t at)
{
	t->status = TASK_RUNNING;
	t->started_at_ms = at;
}

/* An old task "a" runs since long before T0, target 2 is desired, and was prepared at T0. */
static struct node_task *update_begun(void)
{
	want("s", 2)->surge = true;
	struct node_task *old = task("a", "s", 1, T0 - 60000);
	STEP(T0, "prepare s");
	prepared(2);
	return old;
}

static void the_old_one_stops_when_the_new_one_is_ready(void **state UNUSED)
{
	struct node_task *old = update_begun();
	assert_string_equal(n.out.tasks[0].id, "");
	assert_int_equal(n.out.tasks[0].last_status, TASK_PROVISIONING);
	STEP(T0 + 1, "start s");
	STEP(T0 + 2, ""); /* the old one alone confirms nothing */
	assert_true(entry("a")->ready);
	struct node_task *next = task("b", "s", 2, 0);
	STEP(T0 + 3, "");
	assert_string_equal(n.out.tasks[0].id, "b"); /* the desired target's first */
	assert_string_equal(n.out.tasks[1].id, "a");
	running(next, T0 + 5);
	STEP(T0 + 5, "");
	assert_true(entry("a")->ready);
	assert_false(entry("b")->ready);
	assert_int_equal(entry("a")->desired_status, TASK_RUNNING);
	WAKE(T0 + 5 + 10000);
	STEP(T0 + 5 + 9999, "");
	n.in.seen_written = 0;
	STEP(T0 + 5 + 10000, ""); /* it is a stop like any other */
	n.in.seen_written = 1;
	STEP(T0 + 5 + 10000, "stop a");
	assert_true(entry("b")->ready);
	old->stop_requested = true;
	ended(old, T0 + 20000);
	STEP(T0 + 20000, "");
	assert_int_equal(entry("b")->failures, 0);
}

static void health_decides_where_it_is_checked(void **state UNUSED)
{
	update_begun();
	STEP(T0 + 1, "start s");
	struct node_task *next = task("b", "s", 2, T0 + 2);
	next->health_checked = true;
	STEP(T0 + 60000, "");
	next->health = HEALTH_HEALTHY;
	STEP(T0 + 60001, "");
	WAKE(T0 + 70001);
	STEP(T0 + 70001, "stop a");
}

static void a_new_one_that_fails_leaves_the_old_one(void **state UNUSED)
{
	int64_t now = T0 + 2;
	struct node_task *old = update_begun();
	STEP(T0 + 1, "start s");
	ended(task("b", "s", 2, T0 + 1), now);
	STEP(now, "start s");
	ended(task("c", "s", 2, 0), now); /* it could not be started */
	STEP(now, "");
	assert_true(n.out.tasks[0].failed);
	assert_int_equal(n.out.tasks[0].failures, 2);
	assert_int_equal(n.out.tasks[0].restart_in_ms, 1000);
	assert_true(entry("a")->ready);
	WAKE(now + 1000);
	STEP(now + 999, "");
	STEP(now + 1000, "start s");
	struct node_task *next = task("d", "s", 2, now + 1001);
	next->health_checked = true;
	next->health = HEALTH_UNHEALTHY;
	STEP(now + 5000, "stop d");
	assert_true(entry("d")->failed);
	next->stop_requested = true;
	next->status = TASK_STOPPING;
	next->reason = "Task failed container health checks";
	STEP(now + 5001, ""); /* never a third */
	ended(next, now + 6000);
	STEP(now + 6000, "");
	assert_int_equal(n.out.tasks[0].failures, 3);
	STEP(now + 6000 + 1999, "");
	STEP(now + 6000 + 2000, "start s");
	ended(old, now + 8001); /* by itself, and it confirms nothing either */
	STEP(now + 8001, "");
	assert_int_equal(n.out.tasks[0].failures, 3); /* it is none of the target */
	ended(task("e", "s", 2, now + 8002), now + 8003);
	STEP(now + 8003, "");
	WAKE(now + 8003 + 4000); /* with nothing alive it is the same back-off */
	STEP(now + 8003 + 4000, "start s");
}

static void a_start_that_is_lost_is_given_again(void **state UNUSED)
{
	update_begun();
	STEP(T0 + 1, "start s");
	STEP(T0 + ANSWER_PATIENCE_MS, "");
	STEP(T0 + 1 + ANSWER_PATIENCE_MS, "start s");
	assert_int_equal(n.out.tasks[0].failures, 1);
	n.wants[0].target.bytes[0] = 3; /* what is lost now is no failure of another target */
	STEP(T0 + 2 + ANSWER_PATIENCE_MS, "");
	STEP(T0 + 1 + 2 * ANSWER_PATIENCE_MS, "prepare s");
	assert_int_equal(n.out.tasks[0].failures, 0);
	assert_false(n.out.tasks[0].failed);
}

static void a_changed_target_replaces_the_new_one_first(void **state UNUSED)
{
	update_begun();
	STEP(T0 + 1, "start s");
	struct node_task *next = task("b", "s", 2, T0 + 2);
	STEP(T0 + 3, "");
	n.wants[0].target.bytes[0] = 3;
	STEP(T0 + 4, "prepare s, stop b");
	prepared(3);
	next->stop_requested = true;
	next->status = TASK_STOPPING;
	STEP(T0 + 5, "");
	ended(next, T0 + 6);
	STEP(T0 + 6, "start s");
	/* Back to what the old one is: nothing to wait for. */
	task("c", "s", 3, T0 + 7);
	STEP(T0 + 8, "");
	n.wants[0].target.bytes[0] = 1;
	STEP(T0 + 9, "stop c");
	assert_string_equal(n.out.tasks[0].id, "a");
	assert_int_equal(n.out.tasks[0].failures, 0);
}

/* What is healthy stays, however young it is. */
static void of_two_old_ones_the_healthy_stays(void **state UNUSED)
{
	struct node_task *old = update_begun();
	old->health_checked = true;
	old->health = HEALTH_UNHEALTHY;
	STEP(T0 + 1, "start s"); /* nor is the old one stopped for its health */
	struct node_task *next = task("b", "s", 2, T0 + 2);
	next->health_checked = true;
	next->health = HEALTH_HEALTHY;
	STEP(T0 + 3, "");
	n.wants[0].target.bytes[0] = 3;
	STEP(T0 + 4, "prepare s, stop a");
}

/* One that does not know yet how it is may be the older one. */
static void of_two_old_ones_the_unknown_stops(void **state UNUSED)
{
	update_begun()->health_checked = true;
	STEP(T0 + 1, "start s");
	struct node_task *next = task("b", "s", 2, T0 + 2);
	next->health_checked = true;
	next->health = HEALTH_HEALTHY;
	STEP(T0 + 3, "");
	n.wants[0].target.bytes[0] = 3;
	STEP(T0 + 4, "prepare s, stop a");
}

static void what_it_cannot_do_it_leaves(void **state UNUSED)
{
	update_begun();
	n.in.disk_full = true;
	STEP(T0 + 1, "");
	n.in.disk_full = false;
	n.in.tasks_known[ENGINE_PROCESS] = false;
	STEP(T0 + 1, "");
	n.in.tasks_known[ENGINE_PROCESS] = true;
	STEP(T0 + 1, "start s");
	task("b", "s", 2, T0 + 2);
	n.in.tasks_known[ENGINE_PROCESS] = false;
	STEP(T0 + 20000, "");
	n.in.tasks_known[ENGINE_PROCESS] = true;
	n.in.disk_full = true; /* a stop makes room */
	STEP(T0 + 20000, "stop a");
}

static void both_stop_when_it_is_no_longer_desired(void **state UNUSED)
{
	update_begun();
	STEP(T0 + 1, "start s");
	task("b", "s", 2, T0 + 2);
	STEP(T0 + 3, "");
	n.desired.task_count = 0;
	STEP(T0 + 4, "stop a, stop b");
}

/* While the old one runs, the service is up for those that start after it. */
static void others_do_not_wait_for_it(void **state UNUSED)
{
	update_begun();
	want("t", 1);
	STEP(T0 + 1, "start s, start t");
	task("b", "s", 2, 0);
	task("t1", "t", 1, T0 + 2);
	want("u", 1);
	STEP(T0 + 3, "start u");
}

/* The agent was restarted: who is ready, it still knows, of both. */
static void readiness_outlives_the_agent(void **state UNUSED)
{
	struct buf bytes = { 0 };
	struct err err;
	struct node_task *old = update_begun();
	old->health_checked = true;
	old->health = HEALTH_HEALTHY;
	STEP(T0 + 1, "start s");
	struct node_task *next = task("b", "s", 2, T0 + 2);
	next->health_checked = true;
	STEP(T0 + 2, "");
	next->health = HEALTH_HEALTHY;
	STEP(T0 + 5000, "");
	assert_true(entry("a")->ready);
	node_memory_save(n.memory, "boot", &bytes);
	node_memory_free(n.memory);
	n.memory = node_memory_new();
	assert_true(node_memory_load(n.memory, "boot", bytes.data, bytes.len, &err));
	buf_release(&bytes);
	STEP(T0 + 5001, "");
	assert_true(entry("a")->ready);
	WAKE(T0 + 15000);
	STEP(T0 + 14999, "");
	STEP(T0 + 15000, "stop a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(the_old_one_stops_when_the_new_one_is_ready),
		RULE(health_decides_where_it_is_checked),
		RULE(a_new_one_that_fails_leaves_the_old_one),
		RULE(a_start_that_is_lost_is_given_again),
		RULE(a_changed_target_replaces_the_new_one_first),
		RULE(of_two_old_ones_the_healthy_stays),
		RULE(of_two_old_ones_the_unknown_stops),
		RULE(what_it_cannot_do_it_leaves),
		RULE(both_stop_when_it_is_no_longer_desired),
		RULE(others_do_not_wait_for_it),
		RULE(readiness_outlives_the_agent),
	};
	return cmocka_run_group_tests_name("node_surge", tests, NULL, NULL);
}
