/* rollout/guard and rollout/clock: what may be lost in ten minutes, and clocks that jump. */
#include "rollout/clock.h"
#include "rollout/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define MINUTE 60000

/* --- guard ------------------------------------------------------------------------------------ */

static void shares(void **state UNUSED)
{
	static const struct {
		uint32_t percent, whole, want;
	} rows[] = {
		{ 20, 100, 20 },     { 20, 104, 20 }, { 20, 19, 3 },
		{ 20, 20, 4 },	     { 20, 0, 3 },    { 1, 10000, 100 },
		{ 99, 10000, 9900 }, { 1, 3, 3 },     { 100, 5, GUARD_ANY },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(guard_share(rows[i].percent, rows[i].whole), rows[i].want);
}

/* More than a share of one cluster is a mass, however little it is of all. */
static void commits(void **state UNUSED)
{
	static const struct {
		uint32_t part, of, percent;
		bool mass;
	} rows[] = {
		{ 3, 3, 1, false }, { 4, 20, 20, false },   { 5, 20, 20, true },
		{ 4, 4, 20, true }, { 20, 20, 100, false }, { 0, 20, 20, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guard_commit commit = { 0 };
		guard_commit_part(&commit, "large", 20)->of = 1000;
		*guard_commit_part(&commit, "small", 20) = (struct guard_part){
			.part = rows[i].part, .of = rows[i].of, .percent = rows[i].percent
		};
		assert_int_equal(guard_commit_part(&commit, "small", 20)->of, rows[i].of);
		assert_int_equal(guard_commit_is_mass(&commit), rows[i].mass);
		assert_null(commit.parts);
	}
	assert_false(guard_commit_is_mass(&(struct guard_commit){ 0 }));
	assert_false(guard_holds_removal(0, true, true));
	assert_false(guard_holds_removal(1, false, true));
	assert_false(guard_holds_removal(2, false, false));
	assert_true(guard_holds_removal(2, false, true));
	assert_true(guard_holds_removal(1, true, false));
}

static void a_trickle_is_summed(void **state UNUSED)
{
	struct guard g = { 0 };
	uint32_t tasks = 100;
	for (int i = 0; i < 20; i++) {
		struct guard_room room = guard_room(&g, 20, tasks, 1000 + i * 20000);
		assert_int_equal(room.stops, 20 - i);
		assert_int_equal(room.stopped, i);
		assert_int_equal(room.tasks, 100);
		guard_stopped(&g, 1, tasks--, 1000 + i * 20000);
	}
	/* The first one was in second 1, and is forgotten when that is 10 minutes ago. */
	struct guard_room room = guard_room(&g, 20, tasks, 601999);
	assert_int_equal(room.stops, 0);
	assert_int_equal(room.changes_at_ms, 602000);
	room = guard_room(&g, 20, tasks, 602000);
	assert_int_equal(room.stopped, 19);
	assert_int_equal(room.tasks, 99);
	assert_int_equal(room.stops, 0); /* 20 percent of 99 are 19 */
	room = guard_room(&g, 20, tasks, 60 * MINUTE);
	assert_int_equal(room.stopped, 0);
	assert_int_equal(room.tasks, 80);
	assert_int_equal(room.stops, 16);
	assert_int_equal(room.changes_at_ms, INT64_MAX);
}

static void no_guard_at_all(void **state UNUSED)
{
	struct guard g = { 0 };
	guard_stopped(&g, 1000, 1000, 5);
	guard_stopped(&g, 0, 1000, 5000);
	assert_int_equal(g.count, 1);
	assert_int_equal(guard_room(&g, 100, 0, 10).stops, GUARD_ANY);
	assert_int_equal(guard_room(&g, 99, 0, 10).stops, 0);
}

/* More seconds than entries: the two oldest count as one, as long as the younger. */
static void too_many_seconds(void **state UNUSED)
{
	struct guard g = { 0 };
	for (uint32_t i = 0; i < GUARD_ENTRIES + 8; i++)
		guard_stopped(&g, 1, 100 - i, i * 1000);
	struct guard_room room = guard_room(&g, 20, 60, 40000);
	assert_int_equal(room.stopped, GUARD_ENTRIES + 8);
	assert_int_equal(room.tasks, 100);
	assert_int_equal(room.changes_at_ms, 9000 + GUARD_WINDOW_MS);
	room = guard_room(&g, 20, 60, 9000 + GUARD_WINDOW_MS);
	assert_int_equal(room.stopped, GUARD_ENTRIES - 1);
	/* What is forgotten is not counted again because there are many others. */
	g = (struct guard){ 0 };
	guard_stopped(&g, 1, 100, 0);
	for (uint32_t i = 1; i < GUARD_ENTRIES; i++)
		guard_stopped(&g, 1, 100 - i, 500000 + i * 1000);
	guard_stopped(&g, 1, 60, 605000);
	assert_int_equal(guard_room(&g, 20, 60, 605000).stopped, GUARD_ENTRIES);
}

/* Against a list of all stops: never more room than is right, and the right one while the stops are
 * of few seconds. Clocks that go back are not of this world, but the same millisecond is. */
static void against_a_list(void **state UNUSED)
{
	uint64_t seed = 7;
	for (int world = 0; world < 200; world++) {
		struct {
			int64_t second;
			uint32_t stops, tasks;
		} list[400];
		struct guard g = { 0 };
		uint32_t count = 0, tasks = 1000, step = world % 2 ? 2000 : 60000;
		int64_t now = 0;
		for (int i = 0; i < 400; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			now += (int64_t)((seed >> 33) % step);
			uint32_t stops = (seed >> 60) % 4;
			uint32_t first = 0, sum = 0;
			while (first < count &&
			       now >= (list[first].second + 1) * 1000 + GUARD_WINDOW_MS)
				first++;
			for (uint32_t k = first; k < count; k++)
				sum += list[k].stops;
			uint32_t before = first < count ? list[first].tasks : tasks;
			struct guard_room room = guard_room(&g, 20, tasks, now);
			assert_true(room.stopped >= sum);
			assert_true(g.count <= GUARD_ENTRIES);
			if (count - first < GUARD_ENTRIES) {
				assert_int_equal(room.stopped, sum);
				assert_int_equal(room.tasks, before);
			}
			if (!stops)
				continue;
			guard_stopped(&g, stops, tasks, now);
			list[count].second = now / 1000;
			list[count].stops = stops;
			list[count++].tasks = tasks;
			tasks = tasks > 500 ? tasks - stops : 1000;
		}
	}
}

/* --- clock ------------------------------------------------------------------------------------ */

static void a_clock_that_jumps_is_not_steady(void **state UNUSED)
{
	static const struct {
		int64_t now_ms, unix_ms;
		bool steady;
	} rows[] = {
		{ 1000, 0, true },				 /* the first look */
		{ 2000, 1000, true },	   { 3000, 7000, true }, /* five seconds are no jump */
		{ 4000, 13001, false },				 /* a bit more are */
		{ 5000, 14001, false },	   { 303999, 313000, false }, { 304000, 313001, true },
		{ 305000, 309000, false }, /* back */
		{ 500000, 600000, false }, /* again: anew */
		{ 799999, 899999, false }, { 800000, 900000, true },  { 90000000, 90100000, true },
	};
	struct clock_watch watch = { 0 };
	int64_t steady_at;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (clock_steady(&watch, rows[i].now_ms, 1700000000000 + rows[i].unix_ms,
				 &steady_at) != rows[i].steady)
			fail_msg("row %zu", i);
		if (!rows[i].steady)
			assert_true(steady_at > rows[i].now_ms &&
				    steady_at <= rows[i].now_ms + CLOCK_STEADY_MS);
	}
	assert_int_equal(steady_at, 800000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares),
		cmocka_unit_test(commits),
		cmocka_unit_test(a_trickle_is_summed),
		cmocka_unit_test(no_guard_at_all),
		cmocka_unit_test(too_many_seconds),
		cmocka_unit_test(against_a_list),
		cmocka_unit_test(a_clock_that_jumps_is_not_steady),
	};
	return cmocka_run_group_tests_name("rollout_guard", tests, NULL, NULL);
}
