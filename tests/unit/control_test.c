#include "control_world.h"

/* The stories of a fleet, from the controller's side. */

static void first_commit_runs_everywhere(void **state)
{
	(void)state;
	struct world *w = web_on(5);
	assert_int_equal(TOTAL(w, starts), 5);
	assert_int_equal(w->desired_puts, 5);
	assert_true(told(w, "COMMIT_APPLIED"));
	assert_true(told(w, "SERVICE_DEPLOYMENT_COMPLETED"));
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	assert_int_equal(service(w, "web")->conditions.of[CONDITION_READY].status, CONDITION_TRUE);
	world_free(w);
}

static void sixth_node_touches_nothing_else(void **state)
{
	(void)state;
	struct world *w = web_on(5);
	reset(w);
	struct agent *sixth = agent_start(w, "n6");
	settle_down(w);
	assert_int_equal(w->desired_puts, 1);
	assert_int_equal(sixth->task_count, 1);
	agent_leave(w, sixth);
	settle_down(w);
	assert_int_equal(w->desired_puts, 1);
	assert_null(store_doc(w, "desired", "n6"));
	assert_null(map_get(w->c->nodes, "n6"));
	world_free(w);
}

static const struct wire_desired_task *desired_task(struct world *w, const char *node,
						    struct arena *arena)
{
	static struct wire_desired d;
	const struct doc *doc = store_doc(w, "desired", node);
	assert_non_null(doc);
	assert_int_equal(wire_decode_desired(doc->bytes, doc->len, FLEET, node, arena, &d, NULL),
			 WIRE_OK);
	assert_int_equal(d.task_count, 1);
	return d.tasks;
}

static void write_mapping(struct world *w, const char *driver)
{
	char text[256];
	snprintf(text, sizeof(text),
		 "apiVersion: muster/v1\nkind: Cluster\nmetadata: {name: default}\nspec:\n"
		 "  logDrivers: [{match: aws*, logDriver: %s, options: {tag: x}}]\n",
		 driver);
	file_set_text(w, "cluster.yaml", text);
}

/* Nodes are told the mapped driver and need it; the target stays, so that nothing is replaced. */
static void cluster_maps_log_drivers(void **state)
{
	(void)state;
	struct world *w = world_new(2);
	struct arena arena = { 0 };
	file_set_text(w, "task.yaml",
		      "apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: web}\nspec:\n"
		      "  containerDefinitions:\n  - name: a\n    image: a\n"
		      "    logConfiguration: {logDriver: awslogs, options: {awslogs-group: g}}\n");
	write_service(w, "web.yaml", "web", "web", "");
	push(w);
	assert_int_equal(running(w, "web"), 2);
	const struct wire_desired_task *t = desired_task(w, "n1", &arena);
	struct digest target = t->target;
	assert_string_equal(
		t->task_definition->container_definitions.items->log_configuration->log_driver,
		"awslogs");

	reset(w);
	write_mapping(w, "journald"); /* which the nodes offer */
	push(w);
	t = desired_task(w, "n1", &arena);
	const struct log_configuration *log =
		t->task_definition->container_definitions.items->log_configuration;
	assert_string_equal(log->log_driver, "journald");
	assert_string_equal(log->options.items[0].name, "tag");
	assert_true(digest_equal(&t->target, &target));
	assert_int_equal(w->desired_puts, 2);
	assert_int_equal(TOUCHED(w), 0);

	write_mapping(w, "splunk"); /* which they do not: what runs stays, a new node gets none */
	push(w);
	struct agent *third = agent_start(w, "n3");
	settle_down(w);
	assert_int_equal(running(w, "web"), 2);
	assert_int_equal(third->task_count, 0);
	/* What it was before it was mapped is not forgotten over a restart. */
	controller_restart(w);
	file_remove(w, "cluster.yaml");
	push(w);
	assert_int_equal(running(w, "web"), 3);
	t = desired_task(w, "n1", &arena);
	assert_string_equal(
		t->task_definition->container_definitions.items->log_configuration->log_driver,
		"awslogs");
	assert_int_equal(TOTAL(w, replaced), 0);
	arena_release(&arena);
	world_free(w);
}

/* What matching nodes lack is another thing than no node that matches: it is not done. */
static void no_node_can_run_it(void **state)
{
	(void)state;
	struct world *w = world_new(2);
	file_set_text(w, "task.yaml",
		      "apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: web}\nspec:\n"
		      "  containerDefinitions:\n  - name: a\n    image: a\n"
		      "    logConfiguration: {logDriver: splunk}\n");
	write_service(w, "web.yaml", "web", "web", "");
	write_service(w, "prod.yaml", "prod", "web",
		      "  placementConstraints:\n"
		      "  - {type: memberOf, expression: 'attribute:env == prod'}\n");
	push(w);
	const struct condition *ready = &service(w, "web")->conditions.of[CONDITION_READY];
	assert_int_equal(ready->status, CONDITION_FALSE);
	assert_string_equal(ready->reason, "NoNodeCanRunIt");
	assert_string_equal(ready->message,
			    "no node can run it: a capability is missing on 2 nodes");
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_IN_PROGRESS);
	ready = &service(w, "prod")->conditions.of[CONDITION_READY];
	assert_string_equal(ready->reason, "NothingDesired");
	assert_int_equal(service(w, "prod")->primary.state, ROLLOUT_COMPLETED);

	write_mapping(w, "journald");
	file_set_text(w, "task.yaml",
		      "apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: web}\nspec:\n"
		      "  containerDefinitions:\n  - name: a\n    image: a\n"
		      "    logConfiguration: {logDriver: awslogs}\n");
	push(w);
	ready = &service(w, "web")->conditions.of[CONDITION_READY];
	assert_string_equal(ready->reason, "AllTasksReady");
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	world_free(w);
}

static void attribute_places(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	write_service(w, "prod.yaml", "prod", "web",
		      "  placementConstraints:\n"
		      "  - {type: memberOf, expression: 'attribute:env == prod'}\n");
	push(w);
	assert_int_equal(running(w, "prod"), 0);
	agent_attribute(w, &w->agents[1], "env", "prod");
	settle_down(w);
	assert_non_null(agent_task(&w->agents[1], "prod"));
	agent_attribute(w, &w->agents[1], "env", NULL);
	settle_down(w);
	assert_int_equal(running(w, "prod"), 0);
	assert_true(told(w, "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"));
	file_set_text(w, "node.yaml",
		      "apiVersion: muster/v1\nkind: Node\nmetadata: {name: n3}\n"
		      "spec: {attributes: {env: prod}}\n");
	push(w);
	assert_int_equal(running(w, "prod"), 1);
	assert_non_null(agent_task(&w->agents[2], "prod"));
	file_remove(w, "node.yaml");
	push(w);
	assert_int_equal(running(w, "prod"), 0);
	assert_int_equal(running(w, "web"), 3);
	assert_int_equal(TOTAL(w, replaced), 0);
	world_free(w);
}

static void changed_task_rolls_within_budget(void **state)
{
	(void)state;
	struct world *w = web_on(5);
	reset(w);
	for (uint32_t i = 0; i < 5; i++)
		w->agents[i].slow = true;
	write_task(w, "task.yaml", "web", "b");
	push(w);
	assert_int_equal(w->desired_puts, 1); /* 5 * 90 % leaves one */
	for (int turn = 1; turn <= 5; turn++) {
		assert_int_equal(w->desired_puts, turn);
		for (uint32_t i = 0; i < 5; i++)
			w->agents[i].slow = false;
		for (uint32_t i = 0; i < 5; i++) {
			agent_act(w, &w->agents[i]);
			w->agents[i].slow = true;
		}
		settle_down(w);
	}
	assert_int_equal(running_revision(w, "web", 2), 5);
	assert_int_equal(TOTAL(w, replaced), 5);
	assert_int_equal(TOTAL(w, starts), 0);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	world_free(w);
}

static void failed_update_stops_at_the_budget(void **state)
{
	(void)state;
	struct world *w = web_on(5);
	write_service(w, "web.yaml", "web", "web",
		      "  deploymentConfiguration: {deploymentCircuitBreaker: {enable: false}}\n");
	push(w);
	for (uint32_t i = 0; i < 5; i++)
		w->agents[i].fails = "web";
	write_service(w, "web.yaml", "web", "web",
		      "  deploymentConfiguration: {deploymentCircuitBreaker: {enable: false}}\n");
	write_task(w, "task.yaml", "web", "b");
	/* Those on the old one are well: they say so before the push. */
	for (uint32_t i = 0; i < 5; i++)
		w->agents[i].slow = true;
	push(w);
	for (uint32_t i = 0; i < 5; i++) {
		bool updated = store_doc(w, "desired", w->agents[i].name) && w->highest[i] > 1;
		w->agents[i].slow = !updated;
	}
	settle_down(w);
	assert_int_equal(running_revision(w, "web", 2), 1);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_IN_PROGRESS);
	world_free(w);
}

/* What breaks long after its update was not broken by it, and holds no slot of the next one. */
static void a_node_that_broke_later_blocks_nothing(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	write_task(w, "task.yaml", "web", "b");
	push(w);
	assert_int_equal(running_revision(w, "web", 2), 3);
	pass(w, 70000);
	w->agents[1].fails = "web";
	pass(w, 5000);
	write_task(w, "task.yaml", "web", "c");
	push(w);
	assert_int_equal(running_revision(w, "web", 3), 3);
	world_free(w);
}

static void draining_empties_a_node(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	file_set_text(w, "node.yaml",
		      "apiVersion: muster/v1\nkind: Node\nmetadata: {name: n2}\n"
		      "spec: {state: DRAINING}\n");
	push(w);
	assert_int_equal(running(w, "web"), 2);
	assert_int_equal(w->agents[1].task_count, 0);
	file_remove(w, "node.yaml");
	push(w);
	assert_int_equal(running(w, "web"), 3);
	world_free(w);
}

static void removed_service_stops_everywhere(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	write_service(w, "other.yaml", "other", "web", "");
	push(w);
	assert_int_equal(running(w, "other"), 3);
	file_remove(w, "other.yaml");
	push(w);
	assert_int_equal(running(w, "other"), 0);
	assert_int_equal(running(w, "web"), 3);
	assert_null(service(w, "other"));
	assert_null(store_doc(w, "controller/services", "default~other"));
	assert_non_null(store_doc(w, "controller/services", "default~web"));
	assert_true(told(w, "SERVICE_DELETED"));
	world_free(w);
}

static void renamed_file_does_nothing(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	pass(w, 10000);
	reset(w);
	const char *text = text_in(&w->draft, "web.yaml");
	file_set_text(w, "renamed.yaml", text);
	file_remove(w, "web.yaml");
	push(w);
	assert_int_equal(w->desired_puts + w->ledger_puts, 0);
	assert_string_equal(service(w, "web")->path, "renamed.yaml");
	world_free(w);
}

static void invalid_commit_changes_nothing(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	reset(w);
	write_task(w, "task.yaml", "web", "b");
	file_set_text(w, "bad.yaml", "kind: Nonsense\n");
	push(w);
	assert_int_equal(w->desired_puts, 0);
	assert_true(w->c->seen_invalid);
	assert_true(w->c->diags.errors > 0);
	assert_string_equal(w->c->diags.items.items[0].path, "bad.yaml");
	assert_true(told(w, "COMMIT_INVALID"));
	controller_restart(w); /* the last good one stays in force over a restart */
	assert_int_equal(w->desired_puts, 0);
	assert_string_equal(w->c->applied.id, w->commits.items[0].id);
	assert_true(w->c->seen_invalid);
	file_remove(w, "bad.yaml");
	push(w);
	assert_int_equal(running_revision(w, "web", 2), 3);
	assert_false(w->c->seen_invalid);
	world_free(w);
}

static void suspend_freezes(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	reset(w);
	write_service(w, "web.yaml", "web", "web", "  suspend: true\n");
	write_task(w, "task.yaml", "web", "b");
	push(w);
	agent_start(w, "n3");
	settle_down(w);
	assert_int_equal(TOTAL(w, starts) + TOTAL(w, replaced) + TOTAL(w, stops), 0);
	write_service(w, "web.yaml", "web", "web", "");
	push(w);
	assert_int_equal(running_revision(w, "web", 2), 3);
	world_free(w);
}

static void redeploy_token_replaces(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	reset(w);
	write_service(w, "web.yaml", "web", "web", "  redeploy: once more\n");
	push(w);
	assert_int_equal(TOTAL(w, replaced), 3);
	assert_int_equal(running_revision(w, "web", 1), 3);
	world_free(w);
}

static void priority_is_rendered_without_restarts(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	reset(w);
	write_service(w, "web.yaml", "web", "web", "  priority: 5\n");
	push(w);
	assert_int_equal(w->desired_puts, 2);
	assert_int_equal(TOTAL(w, replaced) + TOTAL(w, stops), 0);
	world_free(w);
}

static void dependencies_are_rendered_first(void **state)
{
	(void)state;
	static const char *const order[] = { "web", "c", "b", "a", "d" };
	struct world *w = web_on(1);
	write_service(w, "web.yaml", "web", "web", "  priority: 10\n");
	write_service(w, "a.yaml", "a", "web", "  priority: 9\n  dependsOn: [b, c]\n");
	write_service(w, "b.yaml", "b", "web", "  priority: 1\n  dependsOn: [c]\n");
	write_service(w, "c.yaml", "c", "web", "  priority: -1\n");
	write_service(w, "d.yaml", "d", "web", "  priority: 5\n");
	push(w);
	assert_int_equal(w->agents[0].task_count, ARRAY_LEN(order));
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_string_equal(w->agents[0].tasks[i].service, order[i]);
	world_free(w);
}

static void prune_disabled_keeps(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	file_set_text(w, "kept.yaml",
		      "apiVersion: muster/v1\nkind: DaemonService\nmetadata:\n  name: kept\n"
		      "  annotations: {muster/prune: disabled}\nspec:\n  taskDefinition: web\n"
		      "  priority: 7\n");
	push(w);
	assert_int_equal(running(w, "kept"), 2);
	reset(w);
	file_remove(w, "kept.yaml");
	push(w);
	assert_true(told(w, "SERVICE_KEPT"));
	assert_int_equal(running(w, "kept"), 2);
	assert_int_equal(w->desired_puts, 0);
	controller_restart(w);
	assert_int_equal(running(w, "kept"), 2);
	assert_int_equal(w->desired_puts, 0);
	/* The kept one alone holds up no commit; and comes back under its manifest. */
	file_set_text(w, "kept.yaml", text_in(&w->commits.items[1], "kept.yaml"));
	push(w);
	assert_non_null(service(w, "kept")->spec);
	assert_int_equal(TOTAL(w, replaced) + TOTAL(w, stops), 0);
	world_free(w);
}

/* Its file is gone from the tree, and what was read of that with it. */
static void a_kept_service_keeps_its_dependencies(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	file_set_text(w, "kept.yaml",
		      "apiVersion: muster/v1\nkind: DaemonService\nmetadata:\n  name: kept\n"
		      "  annotations: {muster/prune: disabled}\n"
		      "spec: {taskDefinition: web, dependsOn: [web]}\n");
	push(w);
	file_remove(w, "kept.yaml");
	push(w);
	for (int i = 0; i < 2; i++) {
		write_task(w, "task.yaml", "web", i ? "b" : "c");
		push(w);
	}
	struct arena arena;
	arena_init(&arena);
	struct wire_desired d;
	const struct doc *doc = store_doc(w, "desired", "n1");
	assert_int_equal(wire_decode_desired(doc->bytes, doc->len, FLEET, "n1", &arena, &d, NULL),
			 WIRE_OK);
	assert_int_equal(d.task_count, 2);
	assert_string_equal(d.tasks[1].service, "kept");
	assert_int_equal(d.tasks[1].depends_on.len, 1);
	assert_string_equal(d.tasks[1].depends_on.items[0], "web");
	arena_release(&arena);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_commit_runs_everywhere),
		cmocka_unit_test(sixth_node_touches_nothing_else),
		cmocka_unit_test(no_node_can_run_it),
		cmocka_unit_test(attribute_places),
		cmocka_unit_test(cluster_maps_log_drivers),
		cmocka_unit_test(changed_task_rolls_within_budget),
		cmocka_unit_test(failed_update_stops_at_the_budget),
		cmocka_unit_test(a_node_that_broke_later_blocks_nothing),
		cmocka_unit_test(draining_empties_a_node),
		cmocka_unit_test(removed_service_stops_everywhere),
		cmocka_unit_test(renamed_file_does_nothing),
		cmocka_unit_test(invalid_commit_changes_nothing),
		cmocka_unit_test(suspend_freezes),
		cmocka_unit_test(redeploy_token_replaces),
		cmocka_unit_test(priority_is_rendered_without_restarts),
		cmocka_unit_test(dependencies_are_rendered_first),
		cmocka_unit_test(prune_disabled_keeps),
		cmocka_unit_test(a_kept_service_keeps_its_dependencies),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
