/* How far a roll-out goes, and what those get that it has not reached. */
#include "plan_world.h"

/* The roll-out of revision 2, all that may go at once. */
#define ROLL(w, ...)                                                                               \
	SERVICE(w, "web", .revision = 2, .completed = 1, .min_healthy = ZERO, __VA_ARGS__)

/* --- how far ---------------------------------------------------------------------------------- */

static void a_number_is_reached_in_the_order_of_turns(void **state UNUSED)
{
	struct world *w = ready_on(5);
	ROLL(w, .reach = 2);
	assert_int_equal(web_counts(w).owed, 0); /* as of the last run */
	assert_plan(w, "update web n01 from 1, update web n02 from 1");
	assert_int_equal(web_counts(w).current, 2);
	assert_int_equal(web_counts(w).current_ready, 0);
	assert_int_equal(web_counts(w).completed_assigned, 3);
	assert_int_equal(web_counts(w).owed, 0);
	assert_int_equal(web_counts(w).ready, 3);
	all_ready(w);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).current_ready, 2);
	assert_int_equal(web_counts(w).ready, 5);
	assert_false(cell(w, "web", "n03").waiting);
	ROLL(w, .reach = 4);
	assert_plan(w, "update web n03 from 1, update web n04 from 1");
	all_ready(w);
	assert_plan(w, "");
	ROLL(w, .reach = 3); /* what has it keeps it */
	assert_plan(w, "");
	SERVICE(w, "web", .revision = 2); /* it is completed */
	assert_plan(w, "update web n05 from 1");
	world_free(w);
}

static void any_of_the_expressions_reaches(void **state UNUSED)
{
	struct world *w = ready_on(2);
	NODE(w, "n02", .attributes = "canary=yes");
	ROLL(w, .reach = ZERO, .where = "attribute:none == yes",
	     .where2 = "attribute:canary == yes");
	assert_plan(w, "update web n02 from 1");
	world_free(w);
}

/* Those that have it count, whoever they are, and so do those to which it comes in any case. */
static void what_is_reached_by_expression_counts(void **state UNUSED)
{
	struct world *w = ready_on(4);
	NODE(w, "n03", .attributes = "canary=yes");
	NODE(w, "n04", .attributes = "canary=yes");
	ROLL(w, .reach = ZERO, .where = "attribute:canary == yes");
	assert_plan(w, "update web n03 from 1, update web n04 from 1");
	ROLL(w, .reach = 2, .where = "attribute:canary == yes");
	all_ready(w);
	assert_plan(w, "");
	ROLL(w, .reach = 3, .where = "attribute:none == yes", .where2 = "attribute:canary == yes");
	assert_plan(w, "update web n01 from 1");
	/* It left, and another may have its place. */
	planner_node_remove(w->planner, nid(w, "n01"));
	assert_plan(w, "update web n02 from 1");
	world_free(w);
	w = ready_on(3);
	NODE(w, "n03", .attributes = "canary=yes");
	SERVICE(w, "web", .revision = 2, .completed = 1, .reach = 1,
		.where = "attribute:canary == yes");
	assert_plan(w, "update web n03 from 1"); /* not n01 */
	world_free(w);
}

static void owed_is_what_may_come_now(void **state UNUSED)
{
	struct world *w = ready_on(5);
	NODE(w, "n04", .attributes = "canary=yes");
	NODE(w, "n05", .unreachable = true, .attributes = "canary=yes");
	SERVICE(w, "web", .revision = 2, .completed = 1, .reach = 2,
		.where = "attribute:canary == yes", .min_healthy = 90);
	assert_plan(w, "update web n01 from 1");
	assert_int_equal(web_counts(w).owed, 1);
	assert_true(cell(w, "web", "n04").waiting);
	assert_false(cell(w, "web", "n02").waiting);
	SERVICE(w, "web", .revision = 2, .completed = 1, .reach = 100,
		.where = "attribute:canary == yes", .min_healthy = 90);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).owed, 3);
	assert_true(cell(w, "web", "n02").waiting);
	assert_int_equal(web_counts(w).ready, 2); /* as long as it may come to others first */
	SERVICE(w, "web", .revision = 2, .completed = 1);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).ready, 0); /* all should have another by now */
	SERVICE(w, "web", .revision = 2, .reach = 1);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).ready, 3); /* and so they should not */
	world_free(w);
}

static void a_node_that_is_new_gets_what_was_completed(void **state UNUSED)
{
	struct world *w = ready_on(2);
	ROLL(w, .reach = 1);
	assert_plan(w, "update web n01 from 1");
	NODE(w, "n00");
	assert_plan(w, "start web n00 to 1");
	ROLL(w); /* all are reached: n00 comes up with the old one first */
	assert_plan(w, "update web n02 from 1");
	assert_int_equal(web_counts(w).owed, 1);
	seen(w, "web", "n00", PLAN_SEEN_READY);
	assert_plan(w, "update web n00 from 1");
	NODE(w, "n03");
	assert_plan(w, "start web n03 to 1");
	seen(w, "web", "n03", PLAN_SEEN_FAILED); /* it does not come up, so nothing is lost */
	assert_plan(w, "update web n03 from 1 broken");
	world_free(w);
}

/* A task that was stopped and is there still counts as if it were assigned. */
static void a_node_with_an_old_task_is_not_new(void **state UNUSED)
{
	struct world *w = ready_on(2);
	ROLL(w, .reach = 1);
	assert_plan(w, "update web n01 from 1");
	all_ready(w);
	NODE(w, "n01", .state = NODE_DRAINING);
	NODE(w, "n02", .state = NODE_DRAINING);
	assert_plan(w, "stop web n01 NodeDraining, stop web n02 NodeDraining");
	NODE(w, "n01");
	NODE(w, "n02");
	assert_plan(w, "start web n01, start web n02 to 1"); /* both go on as they run */
	NODE(w, "n01", .state = NODE_DRAINING);
	assert_plan(w, "stop web n01 NodeDraining");
	ROLL(w, .reach = ZERO);
	NODE(w, "n01");
	assert_plan(w, "update web n01 from 2 to 1");
	world_free(w);
}

static void nothing_completed_waits_for_its_step(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "web", .reach = 2);
	tell_nodes(w, 4);
	assert_plan(w, "start web n01, start web n02");
	assert_int_equal(web_counts(w).desired, 4);
	assert_int_equal(web_counts(w).pending, 2);
	assert_int_equal(web_counts(w).waiting_for_step, 2);
	struct plan_cell c = cell(w, "web", "n03");
	assert_int_equal(c.reason, PLAN_WAITS_FOR_STEP);
	assert_true(c.desired);
	assert_false(c.waiting);
	assert_true(digest_is_none(&c.goal));
	assert_string_equal(explain(w, "web", "n03"),
			    "WaitsForStep: the roll-out of revision 1 has not reached the node, "
			    "and no revision was ever COMPLETED");
	/* Another one before it ever came: those that have a task change within the budget. */
	all_ready(w);
	SERVICE(w, "web", .revision = 2, .reach = 1);
	assert_plan(w, "update web n01 from 1");
	all_ready(w);
	assert_plan(w, ""); /* n02 keeps what it has, with nothing to go back to */
	assert_int_equal(web_counts(w).ready, 2);
	SERVICE(w, "web", .revision = 2, .reach = ZERO);
	assert_plan(w, "");
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n02 from 1, start web n03, start web n04");
	world_free(w);
}

static void what_was_superseded_goes_back(void **state UNUSED)
{
	struct world *w = ready_on(4);
	ROLL(w, .reach = 3);
	plan(w);
	all_ready(w);
	seen(w, "web", "n01", PLAN_SEEN_FAILED);
	assert_plan(w, "");
	SERVICE(w, "web", .revision = 3, .completed = 1, .reach = 1, .min_healthy = 75);
	assert_plan(w, "update web n01 from 2");
	assert_string_equal(explain(w, "web", "n02"),
			    "WaitsForStep: the roll-out of revision 3 has not reached the node: it "
			    "keeps revision 1");
	assert_true(cell(w, "web", "n02").waiting);
	seen(w, "web", "n01", PLAN_SEEN_READY);
	assert_plan(w, "update web n02 from 2 to 1");
	seen(w, "web", "n02", PLAN_SEEN_READY);
	assert_plan(w, "update web n03 from 2 to 1");
	seen(w, "web", "n03", PLAN_SEEN_READY);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).completed_assigned, 3);
	assert_int_equal(web_counts(w).ready, 4);
	/* A roll-out that FAILED and does not go back: who has it keeps it, who comes does not. */
	SERVICE(w, "web", .revision = 3, .completed = 1, .reach = ZERO);
	NODE(w, "n05");
	assert_plan(w, "start web n05 to 1");
	world_free(w);
}

/* With nothing to go back to, what failed is in nobody's way. */
static void what_failed_and_was_given_up_is_reached(void **state UNUSED)
{
	struct world *w = ready_on(4);
	NODE(w, "n04", .attributes = "canary=yes");
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n01 from 1");
	seen(w, "web", "n01", PLAN_SEEN_FAILED);
	SERVICE(w, "web", .revision = 3, .reach = ZERO);
	assert_plan(w, ""); /* it goes nowhere */
	SERVICE(w, "web", .revision = 3, .reach = ZERO, .where = "attribute:canary == yes");
	assert_plan(w, "update web n01 from 2");
	assert_int_equal(web_counts(w).owed, 1);
	seen(w, "web", "n01", PLAN_SEEN_READY);
	assert_plan(w, "update web n04 from 1");
	world_free(w);
}

/* Of a push upon a push, both being bad, not more are down than of one. */
static void a_push_upon_a_bad_push_stays_within_the_budget(void **state UNUSED)
{
	struct world *w = ready_on(10);
	SERVICE(w, "web", .revision = 2, .completed = 1, .min_healthy = 80);
	assert_plan(w, "update web n01 from 1, update web n02 from 1");
	seen(w, "web", "n01", PLAN_SEEN_FAILED);
	seen(w, "web", "n02", PLAN_SEEN_FAILED);
	SERVICE(w, "web", .revision = 3, .completed = 1, .min_healthy = 80, .reach = 1);
	assert_plan(w, "update web n01 from 2, update web n02 from 2 to 1");
	seen(w, "web", "n01", PLAN_SEEN_FAILED);
	assert_plan(w, "");
	seen(w, "web", "n02", PLAN_SEEN_READY);
	assert_plan(w, "");
	SERVICE(w, "web", .revision = 1, .completed = 1, .min_healthy = 80); /* back */
	assert_plan(w, "update web n01 from 3");
	assert_int_equal(web_counts(w).in_flight, 1);
	world_free(w);
}

static void counts_say_how_far_it_is(void **state UNUSED)
{
	struct world *w = ready_on(6);
	seen(w, "web", "n01", PLAN_SEEN_FAILED); /* broken before */
	seen(w, "web", "n02", PLAN_SEEN_FAILED);
	NODE(w, "n06", .unreachable = true);
	ROLL(w, .reach = 4);
	assert_plan(w, "update web n01 from 1 broken, update web n02 from 1 broken, "
		       "update web n03 from 1, update web n04 from 1");
	seen(w, "web", "n02", PLAN_SEEN_READY);
	seen(w, "web", "n03", PLAN_SEEN_FAILED);
	seen(w, "web", "n04", PLAN_SEEN_READY);
	assert_plan(w, "");
	struct plan_counts c = web_counts(w);
	assert_int_equal(c.desired, 6);
	assert_int_equal(c.unreachable, 1);
	assert_int_equal(c.current, 4);
	assert_int_equal(c.current_ready, 2);
	assert_int_equal(c.current_failed, 1);
	assert_int_equal(c.excused, 1);
	assert_int_equal(c.completed_assigned, 1);
	assert_int_equal(c.owed, 0);
	assert_int_equal(c.ready, 3);
	assert_int_equal(c.held, 0);
	seen(w, "web", "n01", PLAN_SEEN_FAILED); /* broken still: it is excused, not failed */
	assert_plan(w, "");
	assert_int_equal(web_counts(w).current_failed, 1);
	assert_int_equal(web_counts(w).excused, 1);
	world_free(w);
}

/* --- turns ------------------------------------------------------------------------------------ */

static void turns_go_round_the_zones(void **state UNUSED)
{
	static const struct {
		const char *node, *zone;
	} rows[] = { { "n1", "b" }, { "n2", "b" }, { "n3", "a" }, { "n4", "a" },
		     { "n5", "a" }, { "n6", "c" }, { "n7", NULL } };
	static const char *const want[] = { "n7", "n3", "n1", "n6", "n4", "n2", "n5" };
	struct world *w = world_new();
	char text[64];
	SERVICE(w, "web");
	for (size_t i = ARRAY_LEN(rows); i-- > 0;) {
		snprintf(text, sizeof(text), "ecs.availability-zone=%s",
			 rows[i].zone ? rows[i].zone : "");
		NODE(w, rows[i].node, .attributes = rows[i].zone ? text : "x=1");
	}
	NODE(w, "n0", .cluster = "other", .attributes = "ecs.availability-zone=a");
	plan(w);
	all_ready(w);
	SERVICE(w, "web", .revision = 2, .completed = 1);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		snprintf(text, sizeof(text), "update web %s from 1", want[i]);
		assert_plan(w, text);
		seen(w, "web", want[i], PLAN_SEEN_READY);
	}
	assert_plan(w, "");
	/* One that moves has another turn. */
	NODE(w, "n6", .attributes = "ecs.availability-zone=A");
	SERVICE(w, "web", .revision = 3, .completed = 2, .reach = 2, .min_healthy = 70);
	assert_plan(w, "update web n6 from 2, update web n7 from 2");
	NODE(w, "n2", .cluster = "other", .attributes = "ecs.availability-zone=a");
	assert_plan(w, "stop web n2 OtherCluster");
	world_free(w);
}

/* --- overrides -------------------------------------------------------------------------------- */

static void an_override_is_a_rollout_for_what_it_touches(void **state UNUSED)
{
	struct world *w = ready_on(3);
	NODE(w, "n02", .attributes = "big=yes");
	ROLL(w, .when = "attribute:big == yes");
	assert_plan(w, "update web n01 from 1, update web n02 from 1 override, "
		       "update web n03 from 1");
	all_ready(w);
	/* The override alone goes: for two nodes nothing changes. */
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n02 from 2");
	all_ready(w);
	SERVICE(w, "web", .revision = 2, .completed = 2, .when = "attribute:big == yes",
		.reach = 2);
	assert_plan(w, ""); /* two have it, as it is what they had */
	assert_int_equal(web_counts(w).current_ready, 2);
	assert_int_equal(web_counts(w).completed_assigned, 1);
	SERVICE(w, "web", .revision = 2, .completed = 2, .when = "attribute:big == yes",
		.reach = 3);
	assert_plan(w, "update web n02 from 2 override");
	/* Another node comes to match, and one that is new. */
	all_ready(w);
	SERVICE(w, "web", .revision = 2, .when = "attribute:big == yes");
	NODE(w, "n01", .attributes = "big=yes");
	NODE(w, "n04", .attributes = "big=yes");
	assert_plan(w, "update web n01 from 2 override, start web n04 override");
	struct digest want = override_of("web", 2);
	assert_memory_equal(&cell(w, "web", "n01").variant->target, &want, sizeof(want));
	want = target_of("web", 2);
	assert_memory_equal(&cell(w, "web", "n03").takes->target, &want, sizeof(want));
	world_free(w);
}

static void the_first_override_that_is_true_counts(void **state UNUSED)
{
	struct world *w = world_new();
	NODE(w, "n1", .attributes = "big=yes gpu=yes");
	NODE(w, "n2", .attributes = "gpu=yes");
	SERVICE(w, "web", .when = "attribute:big == yes", .when_too = "attribute:gpu == yes");
	assert_plan(w, "start web n1 override, start web n2");
	SERVICE(w, "web", .when = "attribute:gpu == yes", .when_too = "attribute:big == yes");
	all_ready(w);
	assert_plan(w, "update web n2 from 1 override");
	world_free(w);
}

static void a_variant_takes_what_it_takes(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "web", .memory = 300, .when = "attribute:big == yes", .when_memory = 900,
		.container = true, .when_process = true, .port = 22);
	SERVICE(w, "log", .memory = 300, .priority = -1);
	NODE(w, "n1", .attributes = "big=yes", .memory = 1000);
	NODE(w, "n2", .memory = 1000);
	assert_plan(w, "start web n1 override, start log n2"); /* 22 is a process' alone */
	assert_string_equal(explain(w, "log", "n1"),
			    "RESOURCE:MEMORY: needs 300 MiB of memory, 100 MiB remain");
	assert_string_equal(explain(w, "web", "n2"),
			    "RESOURCE:PORTS: port 22/tcp is reserved on every node");
	SERVICE(w, "web", .memory = 300, .when = "attribute:big == yes", .when_memory = 500,
		.container = true, .when_process = true);
	assert_plan(w, "start log n1, start web n2");
	world_free(w);
}

/* Where it is not known which of the two a node will have, it keeps room for either. */
static void a_rollout_by_steps_holds_room_for_both(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "web", .memory = 300);
	NODE(w, "n1", .memory = 1000);
	NODE(w, "n2", .memory = 1000);
	plan(w);
	all_ready(w);
	SERVICE(w, "web", .memory = 800, .revision = 2, .completed = 1, .completed_memory = 300,
		.reach = 1);
	SERVICE(w, "log", .memory = 300, .priority = -1);
	assert_plan(w, "update web n1 from 1");
	SERVICE(w, "web", .memory = 800, .revision = 2, .completed = 1, .completed_memory = 300,
		.reach = ZERO);
	assert_plan(w, "start log n2"); /* it does not come here any more */
	SERVICE(w, "web", .memory = 800, .revision = 2, .completed = 1, .completed_memory = 300);
	all_ready(w);
	assert_plan(w, "");
	assert_int_equal(cell(w, "web", "n2").reason, PLAN_NO_MEMORY);
	assert_int_equal(web_counts(w).owed, 0);
	/* It is too large for any node, and a new node gets what was completed. */
	NODE(w, "n3", .memory = 400);
	assert_plan(w, "start web n3 to 1");
	/* And where that one is too large, the new one, as far as the roll-out goes. */
	SERVICE(w, "web", .memory = 200, .revision = 3, .completed = 1, .completed_memory = 1200,
		.reach = 1, .where = "attribute:x == y");
	NODE(w, "n0", .memory = 500);
	plan(w);
	assert_int_equal(cell(w, "web", "n0").fact.assigned_revision, 3);
	world_free(w);
}

static void a_variant_pulls_or_does_not(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "web", .container = true, .pulls = 1, .completed = 1, .revision = 2);
	tell_nodes(w, 3);
	assert_plan(w, "start web n01 to 1");
	seen(w, "web", "n01", PLAN_SEEN_READY);
	assert_plan(w, "update web n01 from 1"); /* turns go by name */
	seen(w, "web", "n01", PLAN_SEEN_READY);
	assert_plan(w, "start web n02 to 1");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_reached_in_the_order_of_turns),
		cmocka_unit_test(any_of_the_expressions_reaches),
		cmocka_unit_test(what_is_reached_by_expression_counts),
		cmocka_unit_test(owed_is_what_may_come_now),
		cmocka_unit_test(a_node_that_is_new_gets_what_was_completed),
		cmocka_unit_test(a_node_with_an_old_task_is_not_new),
		cmocka_unit_test(nothing_completed_waits_for_its_step),
		cmocka_unit_test(what_was_superseded_goes_back),
		cmocka_unit_test(what_failed_and_was_given_up_is_reached),
		cmocka_unit_test(a_push_upon_a_bad_push_stays_within_the_budget),
		cmocka_unit_test(counts_say_how_far_it_is),
		cmocka_unit_test(turns_go_round_the_zones),
		cmocka_unit_test(an_override_is_a_rollout_for_what_it_touches),
		cmocka_unit_test(the_first_override_that_is_true_counts),
		cmocka_unit_test(a_variant_takes_what_it_takes),
		cmocka_unit_test(a_rollout_by_steps_holds_room_for_both),
		cmocka_unit_test(a_variant_pulls_or_does_not),
	};
	return cmocka_run_group_tests_name("plan_rollout", tests, NULL, NULL);
}
