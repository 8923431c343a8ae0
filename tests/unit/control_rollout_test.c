#include "control_world.h"

/* Roll-outs as the controller carries them out: what pkg/rollout decides, and nodes see. */

static void write_web(struct world *w, const char *more)
{
	write_service(w, "web.yaml", "web", "web", more);
}

static struct world *ten(const char *more)
{
	struct world *w = world_new(10);
	write_task(w, "task.yaml", "web", "a");
	write_web(w, more);
	push(w);
	pass(w, 5000);
	assert_int_equal(running(w, "web"), 10);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	reset(w);
	return w;
}

static void push_task(struct world *w, const char *command)
{
	write_task(w, "task.yaml", "web", command);
	push(w);
}

static void attribute(struct world *w, uint32_t agent, const char *value)
{
	agent_attribute(w, &w->agents[agent], "env", value);
	tell(w, w->agents[agent].name);
}

/* --- breaker and rollback --------------------------------------------------------------------- */

static void a_bad_push_goes_back(void **state)
{
	(void)state;
	struct world *w = ten("");
	const struct service_state *s = service(w, "web");
	w->bad = 2;
	w->agents[0].stopped_reason = "Essential container in task exited"; /* started again */
	push_task(w, "b");
	pass(w, 60000);
	assert_int_equal(running_revision(w, "web", 1), 10);
	assert_int_equal(TOTAL(w, replaced), 2); /* one node, there and back */
	assert_true(s->has_failed);
	assert_int_equal(s->failed.revision, 2);
	assert_int_equal(s->failed.state, ROLLOUT_FAILED);
	assert_non_null(strstr(
		s->failed.reason,
		"comes back. Last failure on n1: Essential container in task exited. Revert"));
	assert_non_null(strstr(s->failed.reason, ". Revert commit c000002, or commit a fix."));
	assert_int_equal(s->primary.revision, 1);
	assert_int_equal(s->primary.state, ROLLOUT_COMPLETED);
	assert_string_equal(s->primary.rollback_of, s->failed.id);
	assert_true(told(w, "SERVICE_DEPLOYMENT_FAILED"));
	assert_string_equal(s->conditions.of[CONDITION_PROGRESSING].reason, "RolledBack");

	push(w); /* the same content again changes nothing, nor does a restart */
	reset(w);
	controller_restart(w);
	pass(w, 60000);
	s = service(w, "web");
	assert_true(s->has_failed);
	assert_int_equal(TOUCHED(w), 0);

	push_task(w, "c"); /* a fix */
	pass(w, 60000);
	assert_int_equal(running_revision(w, "web", 3), 10);
	assert_false(s->has_failed);
	assert_int_equal(s->primary.state, ROLLOUT_COMPLETED);
	world_free(w);
}

/* Each failure of a task counts until it was ready for monitorSeconds at a stretch. */
static void what_comes_up_again_and_again_goes_back(void **state)
{
	(void)state;
	struct world *w = world_new(2);
	write_task(w, "task.yaml", "web", "a");
	write_web(w, "  monitorSeconds: 6\n");
	push(w);
	pass(w, 20000);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	w->flaps = 2;
	push_task(w, "b");
	pass(w, 60000);
	assert_int_equal(running_revision(w, "web", 1), 2);
	assert_int_equal(service(w, "web")->failed.memory.failed_tasks, 4);
	world_free(w);
}

static void a_revert_ends_the_state_without_a_deployment(void **state)
{
	(void)state;
	struct world *w = ten("");
	const struct service_state *s = service(w, "web");
	w->bad = 2;
	push_task(w, "b");
	pass(w, 60000);
	char id[32];
	snprintf(id, sizeof(id), "%s", s->primary.id);
	reset(w);
	push_task(w, "a");
	pass(w, 10000);
	assert_false(s->has_failed);
	assert_string_equal(s->primary.id, id);
	assert_int_equal(TOUCHED(w), 0);
	assert_string_equal(s->conditions.of[CONDITION_PROGRESSING].reason, "DeploymentCompleted");
	world_free(w);
}

static void a_first_deployment_that_fails_stops(void **state)
{
	(void)state;
	struct world *w = world_new(4);
	w->bad = 1;
	write_task(w, "task.yaml", "web", "a");
	write_web(w, "");
	push(w);
	pass(w, 60000);
	const struct service_state *s = service(w, "web");
	assert_int_equal(s->primary.state, ROLLOUT_FAILED);
	assert_false(s->has_failed);
	reset(w);
	agent_start(w, "n5"); /* nothing more is launched */
	pass(w, 20000);
	assert_int_equal(TOUCHED(w), 0);
	push_task(w, "b");
	pass(w, 60000);
	assert_int_equal(running_revision(w, "web", 2), 5);
	world_free(w);
}

static void without_a_breaker_it_waits(void **state)
{
	(void)state;
	struct world *w =
		ten("  deploymentConfiguration: {deploymentCircuitBreaker: {enable: false}}\n");
	w->bad = 2;
	push_task(w, "b");
	pass(w, 300000);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_IN_PROGRESS);
	assert_int_equal(running_revision(w, "web", 2), 1);
	pass(w, 400000); /* progressDeadlineSeconds */
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_FAILED);
	assert_int_equal(running_revision(w, "web", 2), 1);
	world_free(w);
}

static void a_push_on_a_bad_one_goes_to_the_broken_first(void **state)
{
	(void)state;
	struct world *w =
		ten("  deploymentConfiguration: {deploymentCircuitBreaker: {enable: false}}\n");
	for (uint32_t i = 2; i < 5; i++) {
		char command[2] = { (char)('a' + i), 0 };
		w->bad = i;
		push_task(w, command);
		pass(w, 30000);
		assert_int_equal(running_revision(w, "web", 1), 9);
		assert_int_equal(running_revision(w, "web", i), 1);
	}
	world_free(w);
}

/* --- steps ------------------------------------------------------------------------------------ */

#define STEPS                                                                                      \
	"  rollout:\n    steps:\n    - {expression: 'attribute:env == canary', bakeSeconds: 60}\n" \
	"    - {percent: 50, pause: %s}\n"

static uint32_t assigned_revision(const struct world *w, const char *node)
{
	const struct node_record *n = map_get(w->c->nodes, node);
	return n->assignments.len ? n->assignments.items[0].content->revision : 0;
}

/* A new node begins with what is complete, and has its time for that; not for ever. */
static void a_start_that_does_not_come_up_is_passed_over(void **state)
{
	(void)state;
	struct world *w = world_new(1);
	write_task(w, "task.yaml", "web", "a");
	write_web(w, "  monitorSeconds: 60\n");
	push(w);
	pass(w, 70000);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	w->agents[0].slow = true;
	push_task(w, "b");
	assert_int_equal(assigned_revision(w, "n1"), 2);
	agent_start(w, "n2")->slow = true;
	settle_down(w);
	pass(w, 55000);
	assert_int_equal(assigned_revision(w, "n2"), 1);
	pass(w, 15000);
	assert_int_equal(assigned_revision(w, "n2"), 2);
	world_free(w);
}

static void steps_go_on_one_by_one(void **state)
{
	(void)state;
	char more[256];
	snprintf(more, sizeof(more), STEPS, "true");
	struct world *w = ten("");
	attribute(w, 4, "canary");
	attribute(w, 7, "canary");
	write_web(w, more);
	push(w);
	reset(w);
	push_task(w, "b");
	pass(w, 50000);
	assert_int_equal(running_revision(w, "web", 2), 2);
	assert_int_equal(agent_task(&w->agents[4], "web")->revision, 2);
	agent_start(w, "n11"); /* a new node gets what is completed */
	pass(w, 5000);
	assert_int_equal(running_revision(w, "web", 1), 9);
	pass(w, 60000);
	assert_int_equal(running_revision(w, "web", 2), 6); /* half of 11, rounded up */
	assert_true(service(w, "web")->verdict.paused);
	reset(w);
	controller_restart(w);
	pass(w, 300000);
	assert_int_equal(running_revision(w, "web", 2), 6);
	assert_int_equal(TOUCHED(w), 0);
	snprintf(more, sizeof(more), STEPS, "false");
	write_web(w, more);
	push(w);
	pass(w, 100000);
	assert_int_equal(running_revision(w, "web", 2), 11);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	world_free(w);
}

static void a_canary_that_fails_takes_nobody_with_it(void **state)
{
	(void)state;
	char more[256];
	snprintf(more, sizeof(more), STEPS, "true");
	struct world *w = ten("");
	attribute(w, 4, "canary");
	write_web(w, more);
	push(w);
	w->bad = 2;
	push_task(w, "b");
	pass(w, 120000);
	assert_int_equal(running_revision(w, "web", 1), 10);
	assert_int_equal(TOTAL(w, replaced), 2);
	assert_true(service(w, "web")->has_failed);
	world_free(w);
}

/* --- overrides -------------------------------------------------------------------------------- */

#define OVERRIDE                                                                                   \
	"  overrides:\n  - expression: 'attribute:env == big'\n    containerOverrides:\n"          \
	"    - {name: main, command: [%s]}\n"

static void overrides_touch_only_their_nodes(void **state)
{
	(void)state;
	char more[256];
	struct world *w = ten("");
	attribute(w, 2, "big");
	attribute(w, 3, "big");
	settle_down(w);
	snprintf(more, sizeof(more), OVERRIDE, "x");
	write_web(w, more);
	reset(w);
	push(w);
	pass(w, 30000);
	assert_int_equal(TOTAL(w, replaced), 2);
	assert_int_equal(w->agents[2].replaced + w->agents[3].replaced, 2);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	reset(w);
	snprintf(more, sizeof(more), OVERRIDE, "y");
	write_web(w, more);
	push(w);
	controller_restart(w);
	pass(w, 30000);
	assert_int_equal(TOTAL(w, replaced), 2);
	reset(w);
	attribute(w, 5, "big"); /* becomes one of them */
	pass(w, 30000);
	assert_int_equal(w->agents[5].replaced, 1);
	assert_int_equal(TOUCHED(w), 1);
	world_free(w);
}

static void a_rollback_takes_overrides_along(void **state)
{
	(void)state;
	char more[256];
	struct world *w = ten("");
	attribute(w, 2, "big");
	snprintf(more, sizeof(more), OVERRIDE, "x");
	write_web(w, more);
	push(w);
	pass(w, 30000);
	struct digest before = agent_task(&w->agents[2], "web")->target;
	w->bad = 2;
	snprintf(more, sizeof(more), OVERRIDE, "y");
	write_web(w, more);
	push_task(w, "b");
	pass(w, 60000);
	controller_restart(w);
	assert_int_equal(running_revision(w, "web", 1), 10);
	assert_true(digest_equal(&before, &agent_task(&w->agents[2], "web")->target));
	world_free(w);
}

/* --- windows ---------------------------------------------------------------------------------- */

/* It is Tuesday, 22:13 UTC. */
#define WINDOW "  windows:\n  - {allow: [mon, tue, wed, thu, fri], from: '23:00', to: '24:00'}\n"

static void outside_of_its_window_it_waits(void **state)
{
	(void)state;
	struct world *w = ten("");
	write_web(w, WINDOW);
	push(w);
	reset(w);
	push_task(w, "b");
	pass(w, 60000);
	assert_int_equal(TOUCHED(w), 0);
	assert_int_equal(w->c->holds.len, 1);
	assert_int_equal(w->c->holds.items[0].cause, HOLD_WINDOW);
	assert_int_equal(w->c->holds.items[0].count, 10);
	assert_non_null(strstr(w->c->holds.items[0].message, "2023-11-14T23:00:00"));
	agent_start(w, "n11");
	pass(w, 5000);
	assert_int_equal(running_revision(w, "web", 1), 11);
	pass(w, 3000000);
	assert_int_equal(running_revision(w, "web", 2), 11);
	assert_int_equal(w->c->holds.len, 0);
	world_free(w);
}

static void a_hold_of_a_window_is_released(void **state)
{
	(void)state;
	struct world *w = ten("");
	write_web(w, WINDOW);
	push_task(w, "b");
	pass(w, 5000);
	control_allow(w->c, w->c->holds.items[0].id);
	pass(w, 5000);
	controller_restart(w);
	pass(w, 30000);
	assert_int_equal(running_revision(w, "web", 2), 10);
	push_task(w, "c"); /* nothing later */
	pass(w, 30000);
	assert_int_equal(running_revision(w, "web", 2), 10);
	world_free(w);
}

static void a_rollback_waits_for_no_window(void **state)
{
	(void)state;
	struct world *w = ten("");
	w->bad = 2;
	write_web(w, WINDOW);
	push_task(w, "b");
	control_allow(w->c, "web");
	settle_down(w);
	pass(w, 60000);
	assert_int_equal(running_revision(w, "web", 1), 10);
	assert_true(service(w, "web")->has_failed);
	world_free(w);
}

/* --- the guard -------------------------------------------------------------------------------- */

static void a_mass_change_is_held(void **state)
{
	(void)state;
	struct world *w = ten("  placementConstraints:\n"
			      "  - {type: memberOf, expression: 'attribute:env !exists'}\n");
	for (uint32_t i = 0; i < 10; i++)
		attribute(w, i, "x");
	pass(w, 5000);
	assert_int_equal(TOTAL(w, stops), 3);
	assert_int_equal(w->c->holds.len, 1);
	assert_int_equal(w->c->holds.items[0].cause, HOLD_MASS_CHANGE);
	assert_int_equal(w->c->holds.items[0].count, 7);
	char id[17];
	snprintf(id, sizeof(id), "%s", w->c->holds.items[0].id);
	pass(w, 700000); /* time alone lets nothing go, nor a restart */
	controller_restart(w);
	assert_int_equal(TOTAL(w, stops), 3);
	assert_string_equal(w->c->holds.items[0].id, id);
	for (uint32_t i = 0; i < 5; i++)
		attribute(w, i + 5, NULL); /* the cause of some is reverted */
	pass(w, 5000);
	assert_int_equal(TOTAL(w, stops), 3);
	control_allow(w->c, id);
	pass(w, 5000);
	assert_int_equal(w->c->holds.len, 0);
	assert_int_equal(running(w, "web"), 5);
	world_free(w);
}

static void many_drains_are_held(void **state)
{
	(void)state;
	struct world *w = ten("");
	for (uint32_t i = 1; i <= 4; i++) {
		char path[16], text[128];
		snprintf(path, sizeof(path), "n%u.yaml", i);
		snprintf(text, sizeof(text),
			 "apiVersion: muster/v1\nkind: Node\nmetadata: {name: n%u}\n"
			 "spec: {state: DRAINING}\n",
			 i);
		file_set_text(w, path, text);
	}
	push(w);
	pass(w, 5000);
	assert_int_equal(TOTAL(w, stops), 0);
	assert_int_equal(w->c->holds.items[0].cause, HOLD_NODES_STOPPED);
	file_remove(w, "n4.yaml"); /* three may go */
	push(w);
	pass(w, 5000);
	assert_int_equal(w->c->holds.len, 0);
	assert_int_equal(TOTAL(w, stops), 3);
	world_free(w);
}

/* --- history ---------------------------------------------------------------------------------- */

static void a_pinned_revision_comes_from_history(void **state)
{
	(void)state;
	struct world *w = ten("");
	for (uint32_t i = 2; i < 30; i++) {
		char command[8];
		snprintf(command, sizeof(command), "c%u", i);
		push_task(w, command);
		pass(w, 30000);
	}
	write_service(w, "web.yaml", "web", "web:2", "");
	push(w);
	assert_true(control_needs_history(w->c));
	push(w); /* another push comes before the history has */
	assert_true(control_needs_history(w->c));
	w->have = -1;
	assert_true(look_at(w, w->commits.len - 1));
	pass(w, 30000);
	assert_null(service(w, "web")->stalled);
	assert_int_equal(running_revision(w, "web", 2), 10);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_push_goes_back),
		cmocka_unit_test(what_comes_up_again_and_again_goes_back),
		cmocka_unit_test(a_revert_ends_the_state_without_a_deployment),
		cmocka_unit_test(a_first_deployment_that_fails_stops),
		cmocka_unit_test(without_a_breaker_it_waits),
		cmocka_unit_test(a_push_on_a_bad_one_goes_to_the_broken_first),
		cmocka_unit_test(a_start_that_does_not_come_up_is_passed_over),
		cmocka_unit_test(steps_go_on_one_by_one),
		cmocka_unit_test(a_canary_that_fails_takes_nobody_with_it),
		cmocka_unit_test(overrides_touch_only_their_nodes),
		cmocka_unit_test(a_rollback_takes_overrides_along),
		cmocka_unit_test(outside_of_its_window_it_waits),
		cmocka_unit_test(a_hold_of_a_window_is_released),
		cmocka_unit_test(a_rollback_waits_for_no_window),
		cmocka_unit_test(a_mass_change_is_held),
		cmocka_unit_test(many_drains_are_held),
		cmocka_unit_test(a_pinned_revision_comes_from_history),
	};
	return cmocka_run_group_tests_name("control roll-outs", tests, NULL, NULL);
}
