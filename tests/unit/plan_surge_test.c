/* Updates that start the new task before they stop the old one. */
#include "plan_world.h"

static void a_surge_starts_before_it_stops(void **state UNUSED)
{
	static const struct {
		int nodes, max_percent;
		uint32_t want;
	} rows[] = { { 10, 110, 1 }, { 10, 119, 1 }, { 10, 120, 2 }, { 3, 200, 3 },
		     { 1, 101, 1 },  { 9, 150, 4 },  { 10, 300, 20 } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w = ready_on(rows[i].nodes);
		SERVICE(w, "web", .revision = 2, .min_healthy = 100,
			.max_percent = rows[i].max_percent);
		const char *changes = plan(w);
		uint32_t in_flight = web_counts(w).in_flight, all = (uint32_t)rows[i].nodes;
		assert_int_equal(web_counts(w).budget, rows[i].want);
		assert_int_equal(in_flight, rows[i].want < all ? rows[i].want : all);
		assert_non_null(strstr(changes, "update web n01 from 1 surge"));
		assert_plan(w, "");
		seen(w, "web", "n01", PLAN_SEEN_FAILED); /* it keeps its slot */
		assert_plan(w, "");
		assert_int_equal(web_counts(w).in_flight, in_flight);
		world_free(w);
	}
}

/* What it began by surge it goes on by surge: else the old ones, which run, would all stop. */
static void a_surge_is_not_forgotten(void **state UNUSED)
{
	struct world *w = ready_on(4);
	SERVICE(w, "web", .revision = 2, .max_percent = 200);
	assert_plan(w, "update web n01 from 1 surge, update web n02 from 1 surge, update web n03 "
		       "from 1 surge, update web n04 from 1 surge");
	seen(w, "web", "n01", PLAN_SEEN_FAILED);
	seen(w, "web", "n02", PLAN_SEEN_PENDING);
	seen(w, "web", "n03", PLAN_SEEN_READY);
	SERVICE(w, "web", .revision = 3, .completed = 1);
	assert_plan(w, "update web n01 from 2 surge, update web n02 from 2 surge, update web n04 "
		       "from 2 surge");
	SERVICE(w, "web", .revision = 1, .completed = 1); /* goes back to what still runs */
	assert_plan(w, "update web n01 from 3 surge, update web n02 from 3 surge, update web n04 "
		       "from 3 surge");
	all_ready(w);
	assert_plan(w, "update web n03 from 2");
	world_free(w);
}

static void a_broken_one_needs_no_surge(void **state UNUSED)
{
	struct world *w = ready_on(3);
	seen(w, "web", "n02", PLAN_SEEN_FAILED);
	SERVICE(w, "web", .revision = 2, .max_percent = 134);
	assert_plan(w, "update web n01 from 1 surge, update web n02 from 1 broken");
	assert_int_equal(web_counts(w).in_flight, 1);
	NODE(w, "n04");
	assert_plan(w, "start web n04");
	world_free(w);
}

static void a_surge_asks_room_for_both(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "web", .memory = 500);
	SERVICE(w, "log", .memory = 300, .priority = -1);
	NODE(w, "n1", .memory = 1000);
	NODE(w, "n2", .memory = 2000);
	plan(w);
	all_ready(w);
	SERVICE(w, "web", .memory = 500, .revision = 2, .max_percent = 200);
	assert_plan(w, "update web n2 from 1 surge");
	assert_int_equal(cell(w, "web", "n1").reason, PLAN_NO_MEMORY);
	assert_string_equal(explain(w, "web", "n1"),
			    "RESOURCE:MEMORY: needs 500 MiB of memory, 200 MiB remain");
	/* While both run, the room of both is taken. */
	SERVICE(w, "new", .memory = 800, .priority = -2);
	assert_plan(w, "");
	assert_int_equal(cell(w, "new", "n2").reason, PLAN_NO_MEMORY);
	all_ready(w);
	assert_plan(w, "start new n2");
	/* Two that would fit alone do not surge at a time. */
	SERVICE(w, "web", .memory = 300, .revision = 3, .max_percent = 200);
	SERVICE(w, "log", .memory = 300, .revision = 2, .max_percent = 200, .priority = -1);
	SERVICE(w, "new", .memory = 800, .removing = true);
	NODE(w, "n1", .memory = 1000);
	all_ready(w);
	assert_plan(w,
		    "update web n1 from 1 surge, stop new n2 Removing, update web n2 from 2 surge, "
		    "update log n2 from 1 surge");
	assert_plan(w, "");
	seen(w, "web", "n1", PLAN_SEEN_READY);
	assert_plan(w, "update log n1 from 1 surge");
	world_free(w);
}

/* All that is there counts, in whatever order it is asked, and once. */
static void a_surge_counts_what_waits_too(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "web", .memory = 400);
	SERVICE(w, "log", .memory = 300, .priority = -1);
	NODE(w, "n1", .memory = 1000);
	NODE(w, "n2", .memory = 1100);
	plan(w);
	all_ready(w);
	SERVICE(w, "log", .memory = 300, .priority = -1, .revision = 2);
	assert_plan(w, "update log n1 from 1"); /* and n2 waits */
	SERVICE(w, "web", .memory = 400, .revision = 2, .max_percent = 200);
	assert_plan(w, "update web n2 from 1 surge");
	assert_int_equal(cell(w, "web", "n1").reason, PLAN_NO_MEMORY);
	world_free(w);
	w = world_new();
	SERVICE(w, "web", .memory = 400);
	SERVICE(w, "log", .memory = 300, .priority = -1);
	NODE(w, "n1", .memory = 1000);
	plan(w);
	all_ready(w);
	SERVICE(w, "web", .memory = 400, .revision = 2, .max_percent = 200);
	SERVICE(w, "log", .memory = 300, .priority = -1, .revision = 2, .max_percent = 200);
	assert_plan(w, "update log n1 from 1 surge");
	assert_string_equal(explain(w, "web", "n1"),
			    "RESOURCE:MEMORY: needs 400 MiB of memory, 0 MiB remain");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_surge_starts_before_it_stops),
		cmocka_unit_test(a_surge_is_not_forgotten),
		cmocka_unit_test(a_broken_one_needs_no_surge),
		cmocka_unit_test(a_surge_asks_room_for_both),
		cmocka_unit_test(a_surge_counts_what_waits_too),
	};
	return cmocka_run_group_tests_name("plan_surge", tests, NULL, NULL);
}
