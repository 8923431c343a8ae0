/* node: updates, stops, and the records of what stopped: each rule by itself. */
#include "node_steps.h"

/* --- updates ---------------------------------------------------------------------------------- */

static void an_update_prepares_then_stops_then_starts(void **state UNUSED)
{
	want("s", 2);
	struct node_task *old = task("a", "s", 1, T0);
	STEP(T0, "prepare s");
	assert_int_equal(n.out.task_count, 2);
	assert_int_equal(n.out.tasks[0].last_status, TASK_PROVISIONING); /* the desired one first */
	assert_string_equal(n.out.tasks[1].id, "a");
	n.in.prepare_count = 1;
	n.prepares[0] = (struct node_prepare){
		.cluster = "c", .service = "s", .target = { { 2 } }, .state = PREPARE_RUNNING
	};
	STEP(T0 + 1, "");
	n.prepares[0].state = PREPARE_DONE;
	n.in.seen_written = 0;
	STEP(T0 + 2, ""); /* not before `seen` was written */
	assert_int_equal(n.out.seen, 1);
	n.in.seen_written = 1;
	STEP(T0 + 3, "stop a");
	assert_string_equal(n.out.actions[0].reason,
			    "Scaling activity initiated by (deployment ecs-svc/7)");
	assert_int_equal(entry("a")->desired_status, TASK_STOPPED);
	STEP(T0 + 3, "");
	old->stop_requested = true;
	old->status = TASK_STOPPING;
	STEP(T0 + 4, "");
	ended(old, T0 + 5);
	STEP(T0 + 5, "start s");
	assert_string_equal(n.out.stopped[0].stop_code, "ServiceSchedulerInitiated");
	assert_int_equal(entry("")->restarts, 0);
}

static void a_prepare_that_fails_is_tried_again(void **state UNUSED)
{
	static const int64_t delays_s[] = { 0, 1, 2, 4 };
	int64_t now = T0;
	want("s", 2);
	task("a", "s", 1, T0);
	STEP(now, "prepare s");
	n.in.prepare_count = 1;
	n.prepares[0] = (struct node_prepare){ .cluster = "c",
					       .service = "s",
					       .target = { { 2 } },
					       .state = PREPARE_FAILED,
					       .reason = "no image" };
	for (size_t i = 0; i < ARRAY_LEN(delays_s); i++) {
		STEP(now, ""); /* of the attempt before: the new one has not answered yet */
		now++;
		STEP(now, delays_s[i] ? "" : "prepare s");
		assert_true(n.out.tasks[0].failed);
		assert_string_equal(n.out.tasks[0].reason, "no image");
		now += delays_s[i] * 1000;
		if (delays_s[i]) {
			WAKE(now);
			STEP(now, "prepare s");
		}
	}
	n.prepares[0].state = PREPARE_DONE;
	n.in.disk_full = true;
	STEP(now + 1, "");
	n.in.disk_full = false;
	STEP(now + 1, "stop a");
}

static void an_answer_that_got_lost_is_asked_for_again(void **state UNUSED)
{
	want("s", 2);
	task("a", "s", 1, T0);
	STEP(T0, "prepare s");
	STEP(T0 + ANSWER_PATIENCE_MS - 1, "");
	STEP(T0 + ANSWER_PATIENCE_MS, "prepare s");
	n.in.prepare_count = 1;
	n.prepares[0] = (struct node_prepare){
		.cluster = "c", .service = "s", .target = { { 2 } }, .state = PREPARE_DONE
	};
	STEP(T0 + ANSWER_PATIENCE_MS + 1, "stop a");
	STEP(T0 + 2 * ANSWER_PATIENCE_MS, "");
	STEP(T0 + 2 * ANSWER_PATIENCE_MS + 1, "stop a");
}

/* --- stops ------------------------------------------------------------------------------------ */

static void what_is_not_desired_stops_when_that_is_known(void **state UNUSED)
{
	task("a", "s", 1, T0);
	n.in.desired = NULL;
	STEP(T0, "");
	n.in.desired = &n.desired;
	n.in.tasks_known[ENGINE_PROCESS] = false;
	STEP(T0, "");
	n.in.tasks_known[ENGINE_PROCESS] = true;
	n.in.seen_written = 0;
	STEP(T0, "");
	n.in.seen_written = 1;
	n.in.disk_full = true; /* stops make room */
	STEP(T0, "stop a");
	assert_string_equal(n.out.actions[0].reason,
			    "Scaling activity initiated by (deployment ecs-svc/5)");
}

/* An engine that is away holds up nothing of the other. */
static void an_engine_that_is_away_holds_up_only_its_own(void **state UNUSED)
{
	want("contained", 1)->task_definition = &container_td; /* before it in the order */
	want("native", 1);
	task("a", "old-native", 1, T0);
	task("b", "old-contained", 1, T0)->kind = ENGINE_CONTAINER;
	n.in.tasks_known[ENGINE_CONTAINER] = false;
	STEP(T0, "start native, stop a");
	assert_string_equal(n.out.tasks[0].reason, "the engine cannot be asked what runs");
	n.in.why_unknown[ENGINE_CONTAINER] = "DockerTimeoutError: silent";
	STEP(T0, "");
	assert_string_equal(n.out.tasks[0].reason,
			    "the engine cannot be asked what runs: DockerTimeoutError: silent");
	n.in.why_unknown[ENGINE_CONTAINER] = NULL;
	n.in.tasks_known[ENGINE_CONTAINER] = true;
	STEP(T0 + 1, "start contained, stop b");
	/* A task of the same service that the other engine may still run holds up the start. */
	begin_again();
	want("s", 2);
	task("c", "s", 1, T0)->kind = ENGINE_CONTAINER;
	n.in.tasks_known[ENGINE_CONTAINER] = false;
	STEP(T0, "");
	ended(&n.tasks[0], T0);
	STEP(T0, "");
	n.in.tasks_known[ENGINE_CONTAINER] = true;
	STEP(T0 + RESTART_DELAY_MAX_MS, "start s");
}

static void the_digests_of_a_prepare_are_told(void **state UNUSED)
{
	static struct str_pair pairs[] = { { "main", "sha256:12" } };
	want("s", 2)->task_definition = &container_td;
	task("c", "s", 1, T0)->kind = ENGINE_CONTAINER;
	STEP(T0, "prepare s");
	n.in.prepare_count = 1;
	n.prepares[0] = (struct node_prepare){ .cluster = "c",
					       .service = "s",
					       .target = { { 2 } },
					       .state = PREPARE_RUNNING,
					       .reason = "pulling image x",
					       .images = { pairs, 1, true } };
	STEP(T0 + 1, "");
	assert_string_equal(entry("")->reason, "pulling image x");
	assert_int_equal(entry("")->last_status, TASK_PROVISIONING);
	assert_string_equal(entry("")->containers[0].image_digest, "sha256:12");
}

static void of_two_the_best_fitting_stays(void **state UNUSED)
{
	static const struct {
		const char *name;
		uint8_t target_a, target_b;
		int64_t started_a, started_b;
		const char *actions;
	} rows[] = {
		{ "the target first", 2, 1, T0 - 5, T0 - 9, "stop b" },
		{ "then one that runs", 1, 1, 0, T0, "stop a" },
		{ "then the longest running", 1, 1, T0 - 1, T0 - 2, "stop a" },
		{ "then the lowest id", 1, 1, T0, T0, "stop b" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin_again();
		want("s", rows[i].target_a);
		task("b", "s", rows[i].target_b, rows[i].started_b);
		task("a", "s", rows[i].target_a, rows[i].started_a);
		const char *got = step_at(T0);
		if (strcmp(got, rows[i].actions) != 0)
			fail_msg("%s: %s", rows[i].name, got);
	}
}

static void the_unhealthy_is_replaced(void **state UNUSED)
{
	want("s", 1);
	struct node_task *t = task("a", "s", 1, T0);
	t->health_checked = true;
	STEP(T0 + 20000, "");
	assert_false(entry("a")->ready); /* nobody knows yet */
	t->health = HEALTH_HEALTHY;
	STEP(T0 + 30000, "");
	assert_false(entry("a")->ready);
	WAKE(T0 + 40000);
	STEP(T0 + 40000, "");
	assert_true(entry("a")->ready);
	t->health = HEALTH_UNHEALTHY;
	STEP(T0 + 50000, "stop a");
	assert_true(entry("a")->failed);
	assert_string_equal(n.out.actions[0].reason, "Task failed container health checks");
	t->stop_requested = true;
	t->reason = n.out.actions[0].reason;
	ended(t, T0 + 51000);
	STEP(T0 + 51000, "start s");
	assert_int_equal(entry("")->restarts, 1);
}

/* One of two is always left: not both are stopped, one for its health and one for being a double.
 */
static void a_double_stays_while_the_other_is_replaced(void **state UNUSED)
{
	want("s", 1);
	struct node_task *t = task("a", "s", 1, T0);
	t->health_checked = true;
	t->health = HEALTH_UNHEALTHY;
	task("b", "s", 2, T0);
	STEP(T0, "stop a");
	ended(t, T0);
	STEP(T0, "prepare s");
}

/* An unhealthy one is worse than one that only just starts, also where it would be left alone. */
static void of_two_the_unhealthy_goes(void **state UNUSED)
{
	want("s", 1);
	struct node_task *t = task("a", "s", 1, T0);
	t->health_checked = true;
	t->health = HEALTH_UNHEALTHY;
	task("b", "s", 1, 0);
	n.in.disk_full = true;
	STEP(T0, "stop a");
}

/* Reverse of starting: s2 of the lowest priority, then s1 that needs s0, then s0. */
static void stops_go_in_reverse_order(void **state UNUSED)
{
	const char *names[] = { "s0" };
	want("s0", 1)->priority = 5;
	want("s1", 1)->priority = 5;
	n.wants[1].depends_on = (struct str_list){ names, 1, true };
	want("s2", 1)->priority = 1;
	want("s3", 1)->priority = 1;
	struct node_task *s0 = task("a", "s0", 1, T0);
	struct node_task *s1 = task("b", "s1", 1, T0);
	struct node_task *s2 = task("c", "s2", 1, T0);
	struct node_task *s3 = task("d", "s3", 1, T0);
	STEP(T0, "");
	n.desired.task_count = 0;
	n.desired.number = n.in.seen_written = 2;
	STEP(T0 + 1, "stop c, stop d");
	s2->stop_requested = s3->stop_requested = true;
	ended(s2, T0 + 2);
	STEP(T0 + 2, "");
	ended(s3, T0 + 3);
	STEP(T0 + 3, "stop b");
	s1->stop_requested = true;
	STEP(T0 + 20000, "");
	WAKE(T0 + 3 + STOP_PATIENCE_MS);
	STEP(T0 + 3 + STOP_PATIENCE_MS, "stop a"); /* a stop that hangs holds up nobody for ever */
	ended(s0, T0 + 70000);
}

static void leaving_stops_and_removes_all(void **state UNUSED)
{
	want("s", 1);
	struct node_task *t = task("a", "s", 1, T0);
	ended(task("b", "s", 1, T0), T0);
	n.in.desired = NULL;
	n.in.seen_written = 0;
	n.in.leaving = true;
	STEP(T0, "stop a, remove b");
	assert_string_equal(n.out.actions[0].reason, "Task stopped by user");
	n.in.task_count = 1;
	t->stop_requested = true;
	ended(t, T0 + 1);
	STEP(T0 + 1, "remove a");
	n.in.task_count = 0;
	STEP(T0 + 2, "");
}

/* --- records of the stopped ------------------------------------------------------------------- */

static void the_last_ten_stay_visible_for_an_hour(void **state UNUSED)
{
	static const char *const ids[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k" };
	want("s", 1);
	task("run", "s", 1, T0);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		ended(task(ids[i], "s", 2, T0), T0 + (int64_t)i);
	STEP(T0 + 20, "remove a");
	assert_int_equal(n.out.stopped_count, 10);
	STEP(T0 + 20, "");
	n.tasks[1] = n.tasks[--n.in.task_count];
	STEP(T0 + STOPPED_KEPT_MS, "");
	WAKE(T0 + 1 + STOPPED_KEPT_MS);
	n.in.desired = NULL; /* what ended unseen may still have to be counted */
	STEP(T0 + 1 + STOPPED_KEPT_MS, "");
	n.in.desired = &n.desired;
	STEP(T0 + 1 + STOPPED_KEPT_MS, "remove b");
}

/* The record of one whose service is gone stays, what else is left of it does not. */
static void what_a_gone_service_left_goes_at_once(void **state UNUSED)
{
	want("s", 1);
	task("run", "s", 1, T0);
	for (int i = 0; i < 2; i++) {
		static const char *const services[] = { "s", "gone" };
		struct node_task *t = task(services[i], services[i], 1, T0);
		t->kind = ENGINE_CONTAINER;
		t->remains = true;
		ended(t, T0);
	}
	n.in.desired = NULL;
	STEP(T0 + 1, "");
	n.in.desired = &n.desired;
	n.in.tasks_known[ENGINE_CONTAINER] = false;
	STEP(T0 + 2, "");
	n.in.tasks_known[ENGINE_CONTAINER] = true;
	STEP(T0 + 3, "clean gone");
	STEP(T0 + 4, "");
	STEP(T0 + 3 + ANSWER_PATIENCE_MS, "clean gone"); /* it was not confirmed */
	n.tasks[2].remains = false;
	STEP(T0 + 4 + 2 * ANSWER_PATIENCE_MS, "");
	assert_int_equal(n.out.stopped_count, 2);
	n.tasks[2].remains = true;
	n.tasks[1] = n.tasks[2];
	n.in.task_count = 2;
	STEP(T0 + STOPPED_KEPT_MS, "remove gone");
}

static void words_are_those_of_ecs(void **state UNUSED)
{
	static const struct {
		struct node_task task;
		const char *code, *reason;
	} rows[] = {
		{ { .started_at_ms = 1 },
		  "EssentialContainerExited",
		  "Essential container in task exited" },
		{ { .started_at_ms = 0 }, "TaskFailedToStart", "Task failed to start" },
		{ { .started_at_ms = 1, .stop_requested = true, .reason = "because" },
		  "ServiceSchedulerInitiated",
		  "because" },
		{ { .stop_code = "TaskFailedToStart", .reason = "CannotStartContainerError: x" },
		  "TaskFailedToStart",
		  "CannotStartContainerError: x" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		n.in.task_count = 0;
		struct node_task *t = task("a", "s", 1, 0);
		*t = rows[i].task;
		t->id = "a";
		t->cluster = "c";
		t->service = "s";
		ended(t, T0);
		step_at(T0);
		assert_string_equal(n.out.stopped[0].stop_code, rows[i].code);
		assert_string_equal(n.out.stopped[0].reason, rows[i].reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(an_update_prepares_then_stops_then_starts),
		RULE(a_prepare_that_fails_is_tried_again),
		RULE(an_answer_that_got_lost_is_asked_for_again),
		RULE(what_is_not_desired_stops_when_that_is_known),
		RULE(an_engine_that_is_away_holds_up_only_its_own),
		RULE(the_digests_of_a_prepare_are_told),
		RULE(of_two_the_best_fitting_stays),
		RULE(the_unhealthy_is_replaced),
		RULE(a_double_stays_while_the_other_is_replaced),
		RULE(of_two_the_unhealthy_goes),
		RULE(stops_go_in_reverse_order),
		RULE(leaving_stops_and_removes_all),
		RULE(what_a_gone_service_left_goes_at_once),
		RULE(the_last_ten_stay_visible_for_an_hour),
		RULE(words_are_those_of_ecs),
	};
	return cmocka_run_group_tests_name("node_stop", tests, NULL, NULL);
}
