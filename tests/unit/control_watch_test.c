#include "control_world.h"

/* What counts for and against a roll-out: which failures, whose, and how often; and what a restart
 * of the controller leaves of it. */

#define WATCHED                                                                                    \
	"  monitorSeconds: 300\n"                                                                  \
	"  deploymentConfiguration:\n"                                                             \
	"    minimumHealthyPercent: 0\n"                                                           \
	"    deploymentCircuitBreaker:\n"                                                          \
	"      {enable: true, thresholdConfiguration: {type: COUNT, value: 5}}\n"
#define STEP_OF(count) "  rollout: {steps: [{count: " #count ", pause: true}]}\n"
#define OVERRIDE                                                                                   \
	"  overrides:\n  - expression: 'attribute:env == big'\n"                                   \
	"    containerOverrides: [{name: main, command: [x]}]\n"

static void write_web(struct world *w, const char *more)
{
	write_service(w, "web.yaml", "web", "web", more);
}

static void push_task(struct world *w, const char *command)
{
	write_task(w, "task.yaml", "web", command);
	push(w);
}

/* Five nodes on which revision 1 is completed; and how it is to go on from there. */
static struct world *five(const char *first, const char *then)
{
	struct world *w = world_new(5);
	write_web(w, first);
	push_task(w, "a");
	pass(w, 310000);
	assert_int_equal(running_revision(w, "web", 1), 5);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	write_web(w, then);
	push(w);
	return w;
}

/* Its tasks fail, and more of them from second to second. */
static void fail_on_and_on(struct world *w, struct agent *a)
{
	a->fails = "web";
	for (uint32_t i = 1; i <= 8; i++) {
		a->failures = i;
		pass(w, 1000);
	}
}

static uint32_t failed_tasks(const struct world *w)
{
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_IN_PROGRESS);
	assert_false(service(w, "web")->has_failed); /* it is no rollback */
	return service(w, "web")->primary.memory.failed_tasks;
}

/* --- failures --------------------------------------------------------------------------------- */

static void what_was_broken_before_does_not_count(void **state UNUSED)
{
	struct world *w = five(WATCHED, WATCHED);
	w->agents[2].fails = "web";
	pass(w, 5000);
	push_task(w, "b");
	fail_on_and_on(w, &w->agents[2]);
	assert_int_equal(failed_tasks(w), 0);
	pass(w, 310000);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	assert_int_equal(running_revision(w, "web", 2), 5);
	world_free(w);
}

static void what_was_watched_long_enough_does_not_count(void **state UNUSED)
{
	struct world *w = five(WATCHED, WATCHED STEP_OF(1));
	push_task(w, "b");
	pass(w, 290000);
	w->agents[0].failures = 2;
	pass(w, 1000);
	assert_int_equal(failed_tasks(w), 2);
	pass(w, 310000);
	fail_on_and_on(w, &w->agents[0]);
	assert_int_equal(failed_tasks(w), 2);
	world_free(w);
}

/* A node that joins gets what is completed: it says nothing of what is rolled out. */
static void what_runs_another_release_does_not_count(void **state UNUSED)
{
	struct world *w = five(WATCHED, WATCHED STEP_OF(1));
	push_task(w, "b");
	struct agent *a = agent_start(w, "n6");
	pass(w, 5000);
	assert_int_equal(agent_task(a, "web")->revision, 1);
	fail_on_and_on(w, a);
	assert_int_equal(failed_tasks(w), 0);
	world_free(w);
}

/* Nor is what was ready before the restart a success that undoes them. */
static void a_restart_counts_nothing_twice(void **state UNUSED)
{
	struct world *w = five(WATCHED, WATCHED STEP_OF(2));
	push_task(w, "b");
	w->agents[0].fails = "web";
	w->agents[0].failures = 3;
	pass(w, 5000);
	assert_int_equal(failed_tasks(w), 3);
	controller_restart(w);
	pass(w, 5000);
	assert_int_equal(failed_tasks(w), 3);
	w->agents[0].failures = 4; /* but what comes on top counts */
	pass(w, 5000);
	assert_int_equal(failed_tasks(w), 4);
	world_free(w);
}

static void a_node_that_vanishes_is_one_failure(void **state UNUSED)
{
	struct world *w = five(WATCHED, WATCHED STEP_OF(2));
	push_task(w, "b");
	w->agents[0].silent = true;
	pass(w, 120000);
	assert_int_equal(failed_tasks(w), 1);
	write_web(w, WATCHED STEP_OF(2) "  priority: 7\n"); /* all is looked at again */
	push(w);
	pass(w, 5000);
	assert_int_equal(failed_tasks(w), 1);
	controller_restart(w);
	pass(w, 60000);
	assert_int_equal(failed_tasks(w), 1);
	world_free(w);
}

/* --- updates ---------------------------------------------------------------------------------- */

/* It runs what it is to run; but it may be about to do what the document before says. */
static void what_was_not_read_is_not_done(void **state UNUSED)
{
	struct world *w = five("", "");
	const struct node_record *n = map_get(w->c->nodes, "n1");
	w->agents[0].slow = true;
	push_task(w, "b");
	pass(w, 1000);
	uint64_t number = n->put_number;
	push_task(w, "a");
	pass(w, 1000);
	assert_int_equal(n->put_number, number + 1);
	w->agents[0].seen = number;
	agent_report(w, &w->agents[0]);
	step(w);
	assert_int_equal(agent_task(&w->agents[0], "web")->revision, 1);
	assert_int_equal(service(w, "web")->counts.in_flight, 1);
	w->agents[0].seen = number + 1;
	agent_report(w, &w->agents[0]);
	step(w);
	assert_int_equal(service(w, "web")->counts.in_flight, 0);
	world_free(w);
}

/* --- what is gone back to --------------------------------------------------------------------- */

/* Past the one that was never completed, and past the step that waits. */
static void a_rollback_goes_to_what_was_completed(void **state UNUSED)
{
	struct world *w = five(WATCHED, WATCHED STEP_OF(1));
	push_task(w, "b");
	pass(w, 5000);
	assert_int_equal(running_revision(w, "web", 2), 1);
	w->bad = 3;
	push_task(w, "c");
	assert_int_equal(service(w, "web")->previous.revision, 1);
	pass(w, 400000);
	assert_true(service(w, "web")->has_failed);
	assert_int_equal(running_revision(w, "web", 1), 5);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	world_free(w);
}

static void a_restart_knows_what_was_completed(void **state UNUSED)
{
	struct world *w = five(WATCHED, WATCHED OVERRIDE);
	agent_attribute(w, &w->agents[1], "env", "big");
	pass(w, 310000);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	const struct digest before = agent_task(&w->agents[1], "web")->target;
	assert_false(digest_equal(&before, &agent_task(&w->agents[0], "web")->target));
	write_web(w, WATCHED OVERRIDE STEP_OF(1));
	push_task(w, "b");
	controller_restart(w);
	struct agent *a = agent_start(w, "n6");
	agent_attribute(w, a, "env", "big");
	pass(w, 5000);
	assert_non_null(agent_task(a, "web"));
	assert_true(digest_equal(&before, &agent_task(a, "web")->target));
	assert_int_equal(running_revision(w, "web", 2), 1);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_broken_before_does_not_count),
		cmocka_unit_test(what_was_watched_long_enough_does_not_count),
		cmocka_unit_test(what_runs_another_release_does_not_count),
		cmocka_unit_test(a_restart_counts_nothing_twice),
		cmocka_unit_test(a_node_that_vanishes_is_one_failure),
		cmocka_unit_test(what_was_not_read_is_not_done),
		cmocka_unit_test(a_rollback_goes_to_what_was_completed),
		cmocka_unit_test(a_restart_knows_what_was_completed),
	};
	return cmocka_run_group_tests_name("control watch", tests, NULL, NULL);
}
