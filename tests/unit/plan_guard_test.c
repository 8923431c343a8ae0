/* What the mass-change guard holds, and who stays on a node that drains. */
#include "plan_world.h"

/* --- the guard -------------------------------------------------------------------------------- */

static void the_guard_lets_so_many_go(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "web", .constraint = "attribute:env == prod");
	SERVICE(w, "log", .memory = 1000, .priority = -1);
	for (int i = 1; i <= 4; i++) {
		char name[] = { 'n', (char)('0' + i), '\0' };
		NODE(w, name, .attributes = "env=prod ecs.availability-zone=a");
	}
	NODE(w, "n5", .attributes = "env=prod ecs.availability-zone=b");
	plan(w);
	all_ready(w);
	SERVICE(w, "web", .constraint = "attribute:env == dev", .stops = 2);
	assert_plan(w, "stop web n1 ConstraintNotMet, stop web n5 ConstraintNotMet");
	assert_plan(w, "");
	assert_int_equal(planner_service(w->planner, sid(w, "web"))->stops_allowed, 0);
	assert_int_equal(web_counts(w).held, 3);
	assert_int_equal(web_counts(w).desired, 0);
	assert_int_equal(web_counts(w).stopping, 2);
	assert_int_equal(web_counts(w).excluded, 5);
	struct plan_cell c = cell(w, "web", "n2");
	assert_int_equal(c.reason, PLAN_HELD);
	assert_false(c.desired);
	assert_int_equal(c.fact.assigned_revision, 1);
	assert_string_equal(explain(w, "web", "n2"),
			    "ConstraintNotMet: attribute:env == dev: env is prod; Held: the "
			    "mass-change guard keeps what runs here");
	/* What is held is not updated, and keeps its room. */
	SERVICE(w, "web", .constraint = "attribute:env == dev", .stops = ZERO, .revision = 2);
	assert_plan(w, "");
	NODE(w, "n3", .cluster = "other", .attributes = "env=dev");
	NODE(w, "n4", .attributes = "env=dev"); /* one that matches after all */
	assert_plan(w, "stop log n3 OtherCluster, update web n4 from 1");
	assert_int_equal(web_counts(w).held, 2);
	NODE(w, "n2", .state = NODE_DRAINING, .attributes = "env=prod"); /* that is said */
	assert_plan(w, "stop web n2 NodeDraining, stop log n2 NodeDraining");
	NODE(w, "n3", .cluster = "other", .state = NODE_DRAINING); /* and that */
	assert_plan(w, "stop web n3 OtherCluster");
	NODE(w, "n4", .attributes = "env=prod"); /* what is held goes with its service */
	assert_plan(w, "");
	assert_int_equal(web_counts(w).held, 1);
	SERVICE(w, "web", .constraint = "attribute:env == dev", .stops = ZERO, .removing = true);
	assert_plan(w, "stop web n4 ConstraintNotMet");
	world_free(w);
}

static void what_is_held_ends_with_its_cause(void **state UNUSED)
{
	struct world *w = ready_on(3);
	SERVICE(w, "web", .constraint = "attribute:env == prod", .stops = ZERO);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).held, 3);
	NODE(w, "n01", .unreachable = true);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).held, 2); /* that one stays for another reason */
	SERVICE(w, "web", .stops = ZERO);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).held, 0);
	assert_int_equal(web_counts(w).desired, 3);
	SERVICE(w, "web", .constraint = "attribute:env == prod", .stops = 5);
	assert_plan(w, "stop web n02 ConstraintNotMet, stop web n03 ConstraintNotMet");
	assert_int_equal(planner_service(w->planner, sid(w, "web"))->stops_allowed, 3);
	NODE(w, "n01");
	assert_plan(w, "stop web n01 ConstraintNotMet");
	world_free(w);
}

/* Nothing starts for the sake of what the guard may let go in the same plan. */
static void what_is_held_draws_nothing(void **state UNUSED)
{
	struct world *w = ready_on(1);
	SERVICE(w, "log", .constraint = "task:group == service:web", .priority = -1);
	SERVICE(w, "web", .constraint = "attribute:env == prod", .stops = 1);
	assert_plan(w, "stop web n01 ConstraintNotMet");
	SERVICE(w, "web", .stops = ZERO);
	assert_plan(w, "start web n01, start log n01");
	SERVICE(w, "web", .constraint = "attribute:env == prod", .stops = ZERO);
	assert_plan(w, ""); /* what is there stays */
	world_free(w);
}

/* What is held elsewhere is of no variant that the node would get there. */
static void what_is_held_is_of_the_first_variant(void **state UNUSED)
{
	struct world *w = world_new();
	NODE(w, "n1");
	SERVICE(w, "web", .when = "attribute:big == yes", .stops = ZERO);
	assert_plan(w, "start web n1");
	NODE(w, "n1", .cluster = "other");
	assert_plan(w, "");
	SERVICE(w, "web", .stops = ZERO);
	assert_plan(w, "");
	struct digest want = target_of("web", 1);
	assert_memory_equal(&cell(w, "web", "n1").takes->target, &want, sizeof(want));
	world_free(w);
}

/* The room that a stop leaves is there for others in the same plan. */
static void what_the_guard_lets_go_leaves_room(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "web", .memory = 800);
	SERVICE(w, "log", .memory = 800, .priority = -1);
	tell_nodes(w, 2);
	assert_plan(w, "start web n01, start web n02");
	all_ready(w);
	SERVICE(w, "web", .memory = 800, .constraint = "attribute:env == prod", .stops = 1);
	assert_plan(w, "stop web n01 ConstraintNotMet, start log n01");
	world_free(w);
}

/* --- draining --------------------------------------------------------------------------------- */

static void drain_keep_stays_until_the_others_are_gone(void **state UNUSED)
{
	struct world *w = ready_on(2);
	SERVICE(w, "log", .keep = true, .priority = 5);
	SERVICE(w, "probe", .keep = true, .priority = -5);
	plan(w);
	all_ready(w);
	NODE(w, "n01", .state = NODE_DRAINING);
	assert_plan(w, "stop web n01 NodeDraining");
	assert_int_equal(cell(w, "log", "n01").reason, PLAN_DRAINING);
	assert_false(cell(w, "log", "n01").desired);
	seen(w, "web", "n01", PLAN_SEEN_PENDING);
	assert_plan(w, "");
	seen(w, "web", "n01", PLAN_SEEN_NONE);
	assert_plan(w, "stop log n01 NodeDraining, stop probe n01 NodeDraining");
	NODE(w, "n01");
	assert_plan(w, "start log n01, start web n01, start probe n01");
	all_ready(w);
	NODE(w, "n01", .state = NODE_INACTIVE); /* it keeps nothing there */
	assert_plan(w, "stop log n01 NodeInactive, stop web n01 NodeInactive, stop probe n01 "
		       "NodeInactive");
	/* A service that is gone with its task unstopped keeps nobody. */
	NODE(w, "n02", .state = NODE_DRAINING);
	assert_plan(w, "stop web n02 NodeDraining");
	planner_service_remove(w->planner, sid(w, "web"));
	assert_plan(w, "stop log n02 NodeDraining, stop probe n02 NodeDraining");
	world_free(w);
}

static void drain_keep_looks_at_the_node_as_it_is(void **state UNUSED)
{
	struct world *w = ready_on(1);
	SERVICE(w, "log", .keep = true);
	plan(w);
	all_ready(w);
	SERVICE(w, "web", .suspend = true); /* it stays, so does the other */
	NODE(w, "n01", .state = NODE_DRAINING);
	assert_plan(w, "");
	SERVICE(w, "log"); /* no longer kept */
	assert_plan(w, "stop log n01 NodeDraining");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_guard_lets_so_many_go),
		cmocka_unit_test(what_is_held_ends_with_its_cause),
		cmocka_unit_test(what_is_held_draws_nothing),
		cmocka_unit_test(what_is_held_is_of_the_first_variant),
		cmocka_unit_test(what_the_guard_lets_go_leaves_room),
		cmocka_unit_test(drain_keep_stays_until_the_others_are_gone),
		cmocka_unit_test(drain_keep_looks_at_the_node_as_it_is),
	};
	return cmocka_run_group_tests_name("plan_guard", tests, NULL, NULL);
}
