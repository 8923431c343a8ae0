/* How many updates are in flight at a time, and what counts. */
#include "plan_world.h"

/* A service that is ready on so many nodes. */
static struct world *running(int node_count, int min_healthy)
{
	struct world *w = world_new();
	SERVICE(w, "web", .min_healthy = min_healthy);
	tell_nodes(w, node_count);
	plan(w);
	all_ready(w);
	assert_plan(w, "");
	return w;
}

static uint32_t changes_in(const char *plan)
{
	uint32_t count = *plan != '\0';
	for (; *plan; plan++)
		count += *plan == ',';
	return count;
}

static void the_budget_is_rounded_in_favour_of_the_tasks(void **state UNUSED)
{
	static const struct {
		int nodes, min_healthy;
		uint32_t want;
	} rows[] = { { 10, 90, 1 }, { 10, 91, 1 },  { 10, 89, 1 },  { 10, 80, 2 },  { 11, 90, 1 },
		     { 19, 90, 1 }, { 20, 90, 2 },  { 4, 50, 2 },   { 3, 50, 1 },   { 2, 75, 1 },
		     { 1, 90, 1 },  { 1, ZERO, 1 }, { 5, ZERO, 5 }, { 10, 100, 1 }, { 10, 200, 1 },
		     { 7, 1, 6 },   { 99, 99, 1 },  { 100, 99, 1 }, { 101, 99, 1 } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w = running(rows[i].nodes, rows[i].min_healthy);
		assert_int_equal(web_counts(w).budget, rows[i].want);
		SERVICE(w, "web", .min_healthy = rows[i].min_healthy, .revision = 2);
		assert_int_equal(changes_in(plan(w)), rows[i].want);
		assert_int_equal(web_counts(w).in_flight, rows[i].want);
		assert_plan(w, "");
		world_free(w);
	}
}

static void a_rollout_goes_by_node_name_as_slots_are_freed(void **state UNUSED)
{
	struct world *w = running(5, 60);
	SERVICE(w, "web", .min_healthy = 60, .revision = 2);
	assert_plan(w, "update web n01 from 1, update web n02 from 1");
	assert_true(cell(w, "web", "n03").waiting);
	seen(w, "web", "n02", PLAN_SEEN_RUNNING); /* not ready yet */
	assert_plan(w, "");
	seen(w, "web", "n02", PLAN_SEEN_READY);
	assert_plan(w, "update web n03 from 1");
	seen_running(w, "web", "n01", PLAN_SEEN_READY, 1); /* ready, but the old one */
	assert_plan(w, "");
	seen(w, "web", "n01", PLAN_SEEN_READY);
	seen(w, "web", "n03", PLAN_SEEN_READY);
	assert_plan(w, "update web n04 from 1, update web n05 from 1");
	all_ready(w);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).ready, 5);
	assert_int_equal(web_counts(w).in_flight, 0);
	world_free(w);
}

static void a_rollout_goes_on_when_nodes_leave_and_come(void **state UNUSED)
{
	struct world *w = running(5, 90);
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n01 from 1");
	seen(w, "web", "n01", PLAN_SEEN_READY);
	assert_plan(w, "update web n02 from 1");
	planner_node_remove(w->planner, nid(w, "n01"));
	planner_node_remove(w->planner, nid(w, "n02"));
	assert_plan(w, "update web n03 from 1"); /* the slot left with its node */
	NODE(w, "n00");
	assert_plan(w, "start web n00");
	seen(w, "web", "n03", PLAN_SEEN_READY);
	assert_plan(w, "update web n04 from 1");
	world_free(w);
}

static void a_restart_of_all_agents_frees_nobody(void **state UNUSED)
{
	struct world *w = running(4, 90);
	SERVICE(w, "web", .revision = 2, .min_healthy = ZERO);
	plan(w);
	all_ready(w); /* each was updated once, long ago */
	assert_plan(w, "");
	for (int i = 1; i <= 4; i++) {
		char name[] = { 'n', '0', (char)('0' + i), '\0' };
		seen(w, "web", name, PLAN_SEEN_RUNNING);
	}
	SERVICE(w, "web", .revision = 3);
	assert_plan(w, "update web n01 from 2");
	seen(w, "web", "n01", PLAN_SEEN_FAILED);
	assert_plan(w, "");
	seen(w, "web", "n01", PLAN_SEEN_RUNNING); /* not down any more, so the next may be */
	assert_plan(w, "update web n02 from 2");
	world_free(w);
}

static void ready_but_not_acknowledged_is_in_flight(void **state UNUSED)
{
	struct world *w = running(2, 90);
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n01 from 1");
	struct plan_fact fact = cell(w, "web", "n01").fact;
	fact.seen = PLAN_SEEN_READY;
	fact.running = fact.assigned;
	planner_fact_set(w->planner, sid(w, "web"), nid(w, "n01"), &fact);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).in_flight, 1);
	world_free(w);
}

static void a_failed_update_keeps_its_slot(void **state UNUSED)
{
	struct world *w = running(10, 80);
	SERVICE(w, "web", .min_healthy = 80, .revision = 2);
	assert_plan(w, "update web n01 from 1, update web n02 from 1");
	seen(w, "web", "n01", PLAN_SEEN_FAILED);
	seen(w, "web", "n02", PLAN_SEEN_FAILED);
	assert_plan(w, "");
	/* Another bad one is tried where the first one is down, and nowhere else. */
	SERVICE(w, "web", .min_healthy = 80, .revision = 3);
	assert_plan(w, "update web n01 from 2, update web n02 from 2");
	seen(w, "web", "n01", PLAN_SEEN_FAILED);
	seen(w, "web", "n02", PLAN_SEEN_FAILED);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).in_flight, 2);
	assert_int_equal(web_counts(w).failed, 2);
	/* Back to the good one. */
	SERVICE(w, "web", .min_healthy = 80, .revision = 1);
	assert_plan(w, "update web n01 from 3, update web n02 from 3");
	all_ready(w);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).ready, 10);
	world_free(w);
}

static void going_back_takes_one_slot_not_two(void **state UNUSED)
{
	struct world *w = running(4, 50);
	SERVICE(w, "web", .min_healthy = 50, .revision = 2);
	assert_plan(w, "update web n01 from 1, update web n02 from 1");
	SERVICE(w, "web", .min_healthy = 50, .revision = 1);
	assert_plan(w, "update web n01 from 2, update web n02 from 2");
	assert_int_equal(web_counts(w).in_flight, 2);
	SERVICE(w, "web", .min_healthy = 50, .revision = 2);
	assert_plan(w, "update web n01 from 1, update web n02 from 1");
	assert_int_equal(web_counts(w).in_flight, 2);
	world_free(w);
}

static const struct before_row {
	const char *name;
	enum plan_seen seen;
	bool broken; /* it takes no slot */
} before_rows[] = {
	{ "nothing ran", PLAN_SEEN_NONE, true },     { "it was starting", PLAN_SEEN_PENDING, true },
	{ "it had failed", PLAN_SEEN_FAILED, true }, { "it ran", PLAN_SEEN_RUNNING, false },
	{ "it was ready", PLAN_SEEN_READY, false },
};

static void what_was_down_before_takes_no_slot(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(before_rows); i++) {
		const struct before_row *row = &before_rows[i];
		struct world *w = running(3, 90);
		seen(w, "web", "n02", row->seen);
		seen(w, "web", "n03", row->seen);
		SERVICE(w, "web", .revision = 2);
		const char *want = row->broken
					   ? "update web n01 from 1, update web n02 from 1 broken, "
					     "update web n03 from 1 broken"
					   : "update web n01 from 1";
		const char *changes = plan(w);
		if (strcmp(changes, want) != 0 || web_counts(w).in_flight != 1)
			fail_msg("%s: %s", row->name, changes);
		/* Still down on the new one: still not our doing, and in nobody's way. */
		if (row->broken) {
			seen(w, "web", "n01", PLAN_SEEN_READY);
			seen(w, "web", "n02", PLAN_SEEN_FAILED);
			assert_plan(w, "");
			assert_int_equal(web_counts(w).in_flight, 0);
		}
		world_free(w);
	}
}

static void a_fresh_start_is_no_update(void **state UNUSED)
{
	struct world *w = running(3, 90);
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n01 from 1");
	NODE(w, "n00");
	NODE(w, "n99");
	assert_plan(w, "start web n00, start web n99"); /* with the new one, outside the budget */
	assert_int_equal(web_counts(w).in_flight, 1);
	assert_int_equal(web_counts(w).pending, 2);
	world_free(w);
}

static void a_vanished_node_keeps_its_slot_for_a_while(void **state UNUSED)
{
	struct world *w = running(4, 90);
	w->now_ms = 1000;
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n01 from 1");
	NODE(w, "n01", .unreachable = true);
	w->now_ms = 5000;
	assert_plan(w, "");
	assert_int_equal(w->wake_at_ms, 5000 + MONITOR_MS);
	assert_int_equal(web_counts(w).unreachable, 1);
	w->now_ms = 5000 + MONITOR_MS - 1;
	assert_plan(w, "");
	NODE(w, "n01", .unreachable = true); /* told again: nothing new */
	w->now_ms++;
	assert_plan(w, "update web n02 from 1");
	assert_int_equal(w->wake_at_ms, INT64_MAX);
	assert_int_equal(web_counts(w).in_flight, 1);
	/* It is back, and in flight as before: two of them now, so no third. */
	NODE(w, "n01");
	assert_plan(w, "");
	assert_int_equal(web_counts(w).in_flight, 2);
	seen(w, "web", "n02", PLAN_SEEN_READY);
	assert_plan(w, "");
	seen(w, "web", "n01", PLAN_SEEN_READY);
	assert_plan(w, "update web n03 from 1");
	world_free(w);
}

/* After a start of the controller nobody knows yet whether the node is there. */
static void what_is_not_known_yet_keeps_its_slot(void **state UNUSED)
{
	struct world *w = running(4, 90);
	w->now_ms = 1000;
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n01 from 1");
	NODE(w, "n01", .unreachable = true, .unknown = true);
	assert_plan(w, "");
	w->now_ms = 1000 + 2 * MONITOR_MS;
	assert_plan(w, "");
	assert_int_equal(w->wake_at_ms, INT64_MAX);
	NODE(w, "n01", .unreachable = true); /* now it is known to be gone */
	assert_plan(w, "");
	w->now_ms += MONITOR_MS;
	assert_plan(w, "update web n02 from 1");
	world_free(w);
}

static void an_unreachable_node_is_updated_when_it_is_back(void **state UNUSED)
{
	struct world *w = running(3, 90);
	NODE(w, "n01", .unreachable = true);
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n02 from 1");
	seen(w, "web", "n02", PLAN_SEEN_READY);
	assert_plan(w, "update web n03 from 1");
	NODE(w, "n01");
	assert_plan(w, ""); /* within the budget */
	seen(w, "web", "n03", PLAN_SEEN_READY);
	assert_plan(w, "update web n01 from 1");
	world_free(w);
}

static void d_counts_what_is_reachable_and_healthy(void **state UNUSED)
{
	struct world *w = running(10, 50);
	assert_int_equal(web_counts(w).budget, 5);
	NODE(w, "n01", .unreachable = true);
	NODE(w, "n02", .state = NODE_INACTIVE);
	seen(w, "web", "n03", PLAN_SEEN_FAILED);
	seen(w, "web", "n04", PLAN_SEEN_RUNNING);
	assert_plan(w, "stop web n02 NodeInactive");
	assert_int_equal(web_counts(w).budget, 3); /* 6 - 3 */
	NODE(w, "n05", .unknown = true);
	NODE(w, "n06", .unknown = true);
	assert_plan(w, "");
	assert_int_equal(web_counts(w).budget, 2); /* 4 - 2 */
	world_free(w);
}

static void stops_are_outside_the_budget(void **state UNUSED)
{
	struct world *w = running(4, 90);
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n01 from 1");
	NODE(w, "n02", .state = NODE_DRAINING);
	NODE(w, "n03", .state = NODE_DRAINING);
	assert_plan(w, "stop web n02 NodeDraining, stop web n03 NodeDraining");
	NODE(w, "n02");
	assert_plan(w, ""); /* its old task may run still: that would be one more update */
	seen(w, "web", "n02", PLAN_SEEN_NONE);
	assert_plan(w, "start web n02");
	world_free(w);
}

/* What was stopped and runs still is taken down by what starts in its place. */
static void a_start_where_an_old_one_runs_is_an_update(void **state UNUSED)
{
	struct world *w = running(2, 50);
	NODE(w, "n01", .state = NODE_DRAINING);
	NODE(w, "n02", .state = NODE_DRAINING);
	assert_plan(w, "stop web n01 NodeDraining, stop web n02 NodeDraining");
	NODE(w, "n01");
	NODE(w, "n02");
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n01 from 1");
	assert_int_equal(web_counts(w).in_flight, 1);
	assert_plan(w, "");
	seen(w, "web", "n02", PLAN_SEEN_NONE);
	assert_plan(w, "start web n02");
	world_free(w);
}

/* One that runs goes on where it is the same; one that is not up may have another beside it. */
static void a_start_of_what_runs_takes_nothing_down(void **state UNUSED)
{
	static const struct {
		enum plan_seen seen;
		const char *plan;
	} rows[] = { { PLAN_SEEN_READY, "start web n01, start web n02" },
		     { PLAN_SEEN_RUNNING, "start web n01, start web n02" },
		     { PLAN_SEEN_PENDING, "update web n01 from 1" },
		     { PLAN_SEEN_FAILED, "update web n01 from 1" } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w = running(2, 50);
		NODE(w, "n01", .state = NODE_DRAINING);
		NODE(w, "n02", .state = NODE_DRAINING);
		plan(w);
		seen_running(w, "web", "n01", rows[i].seen, 1);
		seen_running(w, "web", "n02", rows[i].seen, 1);
		NODE(w, "n01");
		NODE(w, "n02");
		assert_plan(w, rows[i].plan);
		world_free(w);
	}
}

static void suspended_and_stalled_ones_are_left_alone(void **state UNUSED)
{
	struct world *w = running(3, 90);
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n01 from 1");
	SERVICE(w, "web", .revision = 3, .suspend = true);
	NODE(w, "n02", .state = NODE_DRAINING);
	NODE(w, "n04");
	assert_plan(w, "");
	assert_int_equal(web_counts(w).desired, 2);
	SERVICE(w, "web", .stalled = true);
	assert_plan(w, "");
	SERVICE(w, "web", .revision = 3);
	assert_plan(w, "update web n01 from 2, stop web n02 NodeDraining, start web n04");
	world_free(w);
}

static void one_bad_service_holds_no_other(void **state UNUSED)
{
	struct world *w = running(3, 90);
	SERVICE(w, "bad", .priority = 5);
	plan(w);
	all_ready(w);
	SERVICE(w, "bad", .priority = 5, .revision = 2);
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update bad n01 from 1, update web n01 from 1");
	seen(w, "bad", "n01", PLAN_SEEN_FAILED);
	seen(w, "web", "n01", PLAN_SEEN_READY);
	assert_plan(w, "update web n02 from 1");
	world_free(w);
}

static void a_put_that_failed_is_planned_again(void **state UNUSED)
{
	struct world *w = running(2, 90);
	struct plan_fact before = cell(w, "web", "n01").fact;
	SERVICE(w, "web", .revision = 2);
	assert_plan(w, "update web n01 from 1");
	planner_fact_set(w->planner, sid(w, "web"), nid(w, "n01"), &before);
	assert_plan(w, "update web n01 from 1");
	NODE(w, "n03");
	assert_plan(w, "start web n03");
	struct plan_fact none = { 0 };
	planner_fact_set(w->planner, sid(w, "web"), nid(w, "n03"), &none);
	assert_plan(w, "start web n03");
	world_free(w);
}

static void counts_are_those_of_ecs_and_more(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "web", .constraint = "attribute:env == prod");
	for (int i = 0; i < 6; i++) {
		char name[] = { 'p', (char)('0' + i), '\0' };
		NODE(w, name, .attributes = "env=prod");
	}
	NODE(w, "dev", .attributes = "env=dev");
	NODE(w, "bare");
	NODE(w, "new", .unregistered = true, .attributes = "env=prod");
	NODE(w, "off", .state = NODE_INACTIVE);
	NODE(w, "elsewhere", .cluster = "edge", .attributes = "env=prod");
	plan(w);
	seen(w, "web", "p0", PLAN_SEEN_READY);
	seen(w, "web", "p1", PLAN_SEEN_RUNNING);
	seen(w, "web", "p2", PLAN_SEEN_FAILED);
	seen(w, "web", "p3", PLAN_SEEN_PENDING);
	NODE(w, "p4", .attributes = "env=prod", .unreachable = true);
	assert_plan(w, "");
	struct plan_counts c = web_counts(w);
	assert_int_equal(c.desired, 6);
	assert_int_equal(c.running, 2);
	assert_int_equal(c.pending, 3); /* p3, and two that were told and did not answer yet */
	assert_int_equal(c.ready, 1);
	assert_int_equal(c.updated, 4);
	assert_int_equal(c.failed, 1);
	assert_int_equal(c.unreachable, 1);
	assert_int_equal(c.excluded, 3); /* dev, bare, new */
	assert_int_equal(c.attribute_absent, 1);
	assert_int_equal(c.in_flight, 0);
	assert_int_equal(c.budget, 1);
	struct plan_fact fact = planner_cell(w->planner, sid(w, "web"), nid(w, "p2")).fact;
	fact.still_running = true; /* it counts as running, and as nothing else than before */
	planner_fact_set(w->planner, sid(w, "web"), nid(w, "p2"), &fact);
	assert_plan(w, "");
	c.running++;
	struct plan_counts d = web_counts(w);
	assert_memory_equal(&c, &d, sizeof(c));
	for (enum plan_reason r = 0; r < PLAN_REASON_COUNT; r++)
		assert_non_null(plan_reason_name(r));
	world_free(w);
}

/* What is ready elsewhere, or was when it was last heard of, makes up for nobody. */
static void done_is_ready_or_unreachable_and_nothing_unknown(void **state UNUSED)
{
	struct world *w = running(4, 90);
	struct plan_counts c = web_counts(w);
	assert_int_equal(c.ready, 4);
	NODE(w, "n01", .unreachable = true);
	NODE(w, "n02", .unknown = true);
	seen(w, "web", "n03", PLAN_SEEN_RUNNING);
	assert_plan(w, "");
	c = web_counts(w);
	assert_int_equal(c.desired, 4);
	assert_int_equal(c.ready, 2); /* n02, as far as is known, and n04 */
	assert_int_equal(c.unreachable, 1);
	assert_int_equal(c.unknown, 1);
	assert_int_equal(c.stopping, 0);
	NODE(w, "n04", .state = NODE_DRAINING);
	assert_plan(w, "stop web n04 NodeDraining");
	c = web_counts(w);
	assert_int_equal(c.desired, 3);
	assert_int_equal(c.ready, 1); /* though a task of n04 is still there */
	assert_int_equal(c.stopping, 1);
	seen(w, "web", "n04", PLAN_SEEN_NONE);
	plan(w);
	assert_int_equal(web_counts(w).stopping, 0);
	world_free(w);
}

/* A task is known to run that the table of targets has not heard of; ids are used again. */
static void revisions_come_and_go(void **state UNUSED)
{
	struct world *w = running(2, ZERO);
	for (int revision = 2; revision < 300; revision++) {
		SERVICE(w, "web", .min_healthy = ZERO, .revision = revision);
		assert_int_equal(changes_in(plan(w)), 2);
		seen_running(w, "web", "n02", PLAN_SEEN_PENDING, revision + 1000);
		struct plan_fact fact = cell(w, "web", "n02").fact;
		assert_int_equal(fact.running_revision, revision + 1000);
		assert_int_equal(fact.assigned_revision, revision);
		assert_int_equal(fact.replaces, revision - 1);
	}
	world_free(w);
}

/* --- pulling images --------------------------------------------------------------------------- */

static struct world *pulling_world(uint32_t pulls, bool unresolved)
{
	struct world *w = world_new();
	SERVICE(w, "web", .container = true, .pulls = pulls, .unresolved = unresolved,
		.min_healthy = ZERO);
	tell_nodes(w, 5);
	return w;
}

static void few_nodes_pull_at_a_time(void **state UNUSED)
{
	struct world *w = pulling_world(2, false);
	assert_plan(w, "start web n01, start web n02");
	assert_true(cell(w, "web", "n03").waiting);
	assert_int_equal(web_counts(w).desired, 5);
	assert_int_equal(web_counts(w).pending, 5);
	seen(w, "web", "n01", PLAN_SEEN_PENDING);
	assert_plan(w, "");
	seen(w, "web", "n01", PLAN_SEEN_RUNNING); /* has its images */
	assert_plan(w, "start web n03");
	seen(w, "web", "n02", PLAN_SEEN_FAILED); /* nor does a failed one keep a place */
	assert_plan(w, "start web n04");
	NODE(w, "n03", .unreachable = true); /* nor one that vanished */
	assert_plan(w, "start web n05");
	all_ready(w);
	NODE(w, "n03");
	SERVICE(w, "web", .container = true, .pulls = 2, .min_healthy = ZERO, .revision = 2);
	assert_plan(w, "update web n01 from 1, update web n02 from 1");
	world_free(w);
}

static void the_first_node_resolves_the_images(void **state UNUSED)
{
	struct world *w = pulling_world(50, true);
	assert_plan(w, "start web n01");
	seen(w, "web", "n01", PLAN_SEEN_FAILED); /* its registry is away: another one may try */
	assert_plan(w, "start web n02");
	/* A better image is there: who pulls the old one need not come to an end first. */
	SERVICE(w, "web", .container = true, .pulls = 50, .unresolved = true, .min_healthy = ZERO,
		.revision = 2);
	assert_plan(w, "update web n02 from 1 broken");
	SERVICE(w, "web", .container = true, .pulls = 50, .min_healthy = ZERO, .revision = 2);
	assert_plan(w, "update web n01 from 1 broken, start web n03, start web n04, "
		       "start web n05");
	world_free(w);
}

static void a_cluster_has_so_many_places_for_all_services(void **state UNUSED)
{
	struct world *w = pulling_world(2, false);
	SERVICE(w, "log", .container = true, .pulls = 2);
	SERVICE(w, "proc", .priority = -1); /* pulls nothing */
	NODE(w, "x1", .cluster = "other");
	SERVICE(w, "other", .cluster = "other", .container = true, .pulls = 1);
	assert_plan(w, "start log n01, start proc n01, start log n02, start proc n02, "
		       "start proc n03, start proc n04, start proc n05, start other x1");
	seen(w, "log", "n02", PLAN_SEEN_READY);
	assert_plan(w, "start log n03");
	seen(w, "log", "n01", PLAN_SEEN_READY);
	seen(w, "log", "n03", PLAN_SEEN_READY);
	assert_plan(w, "start log n04, start log n05");
	all_ready(w);
	assert_plan(w, "start web n01, start web n02");
	NODE(w, "n01", .cluster = "other"); /* takes its place along, and leaves one free */
	assert_plan(w, "stop log n01 OtherCluster, stop web n01 OtherCluster, "
		       "start other n01, stop proc n01 OtherCluster, start web n03");
	planner_node_remove(w->planner, nid(w, "n02"));
	assert_plan(w, "start web n04");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_budget_is_rounded_in_favour_of_the_tasks),
		cmocka_unit_test(a_rollout_goes_by_node_name_as_slots_are_freed),
		cmocka_unit_test(a_rollout_goes_on_when_nodes_leave_and_come),
		cmocka_unit_test(a_restart_of_all_agents_frees_nobody),
		cmocka_unit_test(ready_but_not_acknowledged_is_in_flight),
		cmocka_unit_test(a_failed_update_keeps_its_slot),
		cmocka_unit_test(going_back_takes_one_slot_not_two),
		cmocka_unit_test(what_was_down_before_takes_no_slot),
		cmocka_unit_test(a_fresh_start_is_no_update),
		cmocka_unit_test(a_vanished_node_keeps_its_slot_for_a_while),
		cmocka_unit_test(what_is_not_known_yet_keeps_its_slot),
		cmocka_unit_test(an_unreachable_node_is_updated_when_it_is_back),
		cmocka_unit_test(d_counts_what_is_reachable_and_healthy),
		cmocka_unit_test(stops_are_outside_the_budget),
		cmocka_unit_test(a_start_where_an_old_one_runs_is_an_update),
		cmocka_unit_test(a_start_of_what_runs_takes_nothing_down),
		cmocka_unit_test(suspended_and_stalled_ones_are_left_alone),
		cmocka_unit_test(one_bad_service_holds_no_other),
		cmocka_unit_test(a_put_that_failed_is_planned_again),
		cmocka_unit_test(counts_are_those_of_ecs_and_more),
		cmocka_unit_test(done_is_ready_or_unreachable_and_nothing_unknown),
		cmocka_unit_test(revisions_come_and_go),
		cmocka_unit_test(few_nodes_pull_at_a_time),
		cmocka_unit_test(the_first_node_resolves_the_images),
		cmocka_unit_test(a_cluster_has_so_many_places_for_all_services),
	};
	return cmocka_run_group_tests_name("plan_admit", tests, NULL, NULL);
}
