/* rollout/window: when changes may begin, over days, zones and clocks that jump. */
#include "rollout_zones.h"

/* When it opens or closes within a time: "OPEN CLOSE OPEN", as UTC. */
struct row {
	struct rollout_window window;
	const char *from;
	const char *edges[5]; /* the first one opens */
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct window_set set = { &rows[i].window, 1 };
		int64_t now = utc(rows[i].from);
		bool open = false;
		assert_int_equal(ask(&set, 1, now).open, open);
		for (int k = 0; rows[i].edges[k]; k++) {
			int64_t want = utc(rows[i].edges[k]);
			int64_t got = ask(&set, 1, now).next_change_unix_s;
			char text[TIME_TEXT_LEN + 1];
			time_text(got * 1000, text);
			if (got != want)
				fail_msg("row %zu: %s, not %s", i, text, rows[i].edges[k]);
			assert_int_equal(ask(&set, 1, want - 1).open, open);
			open = !open;
			assert_int_equal(ask(&set, 1, want).open, open);
			now = want;
		}
	}
}

static void days_and_times(void **state UNUSED)
{
	static const struct row rows[] = {
		/* 2026-06-01 is a Monday. */
		{ { .days = MON | WED, .from_min = AT(9, 0), .to_min = AT(17, 30) },
		  "2026-06-01T08:59:59Z",
		  { "2026-06-01T09:00:00Z", "2026-06-01T17:30:00Z", "2026-06-03T09:00:00Z",
		    "2026-06-03T17:30:00Z" } },
		/* Over midnight the day is that of .from. */
		{ { .days = SUN, .from_min = AT(22, 0), .to_min = AT(4, 0) },
		  "2026-06-01T05:00:00Z",
		  { "2026-06-07T22:00:00Z", "2026-06-08T04:00:00Z", "2026-06-14T22:00:00Z" } },
		{ { .days = MON, .from_min = AT(0, 0), .to_min = AT(24, 0) },
		  "2026-06-02T00:00:00Z",
		  { "2026-06-08T00:00:00Z", "2026-06-09T00:00:00Z" } },
		{ { .days = EVERY, .from_min = AT(23, 59), .to_min = AT(0, 0) },
		  "2026-06-02T00:00:00Z",
		  { "2026-06-02T23:59:00Z", "2026-06-03T00:00:00Z" } },
		/* One that follows at once is no change. */
		{ { .days = MON | TUE, .from_min = 0, .to_min = AT(24, 0) },
		  "2026-06-03T00:00:00Z",
		  { "2026-06-08T00:00:00Z", "2026-06-10T00:00:00Z" } },
		/* Local days. */
		{ { .days = MON, .from_min = AT(0, 30), .to_min = AT(1, 0), .zone = BERLIN },
		  "2026-06-01T00:00:00Z",
		  { "2026-06-07T22:30:00Z", "2026-06-07T23:00:00Z" } },
		{ { .days = MON, .from_min = AT(20, 30), .to_min = AT(21, 0), .zone = NEW_YORK },
		  "2026-06-01T00:00:00Z",
		  { "2026-06-02T00:30:00Z", "2026-06-02T01:00:00Z" } },
		/* Before the epoch. */
		{ { .days = WED, .from_min = AT(1, 0), .to_min = AT(2, 0) },
		  "1969-12-30T00:00:00Z",
		  { "1969-12-31T01:00:00Z", "1969-12-31T02:00:00Z", "1970-01-07T01:00:00Z" } },
		{ { .days = THU, .from_min = AT(1, 0), .to_min = AT(2, 0) },
		  "1969-12-04T12:00:00Z",
		  { "1969-12-11T01:00:00Z", "1969-12-11T02:00:00Z", "1969-12-18T01:00:00Z" } },
		/* No manifest may say it: to the same time of the next day. */
		{ { .days = MON, .from_min = AT(9, 0), .to_min = AT(9, 0) },
		  "2026-06-02T09:00:00Z",
		  { "2026-06-08T09:00:00Z", "2026-06-09T09:00:00Z" } },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

/* 2026-03-29 02:00 CET becomes 03:00 CEST, 2026-10-25 03:00 CEST becomes 02:00 CET. */
static void clocks_that_jump(void **state UNUSED)
{
	static const struct row rows[] = {
		/* Half in the gap. */
		{ { .days = SUN, .from_min = AT(2, 30), .to_min = AT(4, 0), .zone = BERLIN },
		  "2026-03-28T00:00:00Z",
		  { "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z" } },
		{ { .days = SUN, .from_min = AT(1, 30), .to_min = AT(2, 30), .zone = BERLIN },
		  "2026-03-28T00:00:00Z",
		  { "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z" } },
		/* Whole in the gap: not that Sunday. */
		{ { .days = SUN, .from_min = AT(2, 15), .to_min = AT(2, 45), .zone = BERLIN },
		  "2026-03-28T00:00:00Z",
		  { "2026-04-05T00:15:00Z", "2026-04-05T00:45:00Z" } },
		/* The edges of the gap. */
		{ { .days = SUN, .from_min = AT(2, 0), .to_min = AT(3, 0), .zone = BERLIN },
		  "2026-03-28T00:00:00Z",
		  { "2026-04-05T00:00:00Z", "2026-04-05T01:00:00Z" } },
		{ { .days = SAT, .from_min = AT(22, 0), .to_min = AT(3, 0), .zone = BERLIN },
		  "2026-03-28T00:00:00Z",
		  { "2026-03-28T21:00:00Z", "2026-03-29T01:00:00Z" } },
		/* Twice: from the first to the last. */
		{ { .days = SUN, .from_min = AT(2, 30), .to_min = AT(2, 45), .zone = BERLIN },
		  "2026-10-24T00:00:00Z",
		  { "2026-10-25T00:30:00Z", "2026-10-25T01:45:00Z" } },
		{ { .days = SUN, .from_min = AT(2, 0), .to_min = AT(3, 0), .zone = BERLIN },
		  "2026-10-24T00:00:00Z",
		  { "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z" } },
		{ { .days = SAT, .from_min = AT(22, 0), .to_min = AT(2, 0), .zone = BERLIN },
		  "2026-10-24T00:00:00Z",
		  { "2026-10-24T20:00:00Z", "2026-10-25T01:00:00Z" } },
		{ { .days = SUN, .from_min = AT(3, 0), .to_min = AT(4, 0), .zone = BERLIN },
		  "2026-10-24T00:00:00Z",
		  { "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z" } },
		/* By half an hour: 02:00 becomes 02:30. */
		{ { .days = SUN, .from_min = AT(2, 15), .to_min = AT(3, 0), .zone = HOWE },
		  "2026-10-03T00:00:00Z",
		  { "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z" } },
		/* Over midnight: to the last 23:45 of Saturday, which is after the first of Sunday,
		 * and from the first 00:10 of Sunday, when it is Saturday again. */
		{ { .days = FRI, .from_min = AT(23, 50), .to_min = AT(23, 45), .zone = MIDNIGHT },
		  "2026-10-02T00:00:00Z",
		  { "2026-10-02T21:50:00Z", "2026-10-03T22:45:00Z" } },
		{ { .days = SUN, .from_min = AT(0, 10), .to_min = AT(1, 0), .zone = MIDNIGHT },
		  "2026-10-02T00:00:00Z",
		  { "2026-10-03T22:10:00Z", "2026-10-04T00:00:00Z" } },
		/* A Monday that there was not (2026-06-01, from 00:00 to 24:00). */
		{ { .days = MON, .from_min = AT(0, 0), .to_min = AT(24, 0), .zone = APIA },
		  "2026-05-30T00:00:00Z",
		  { "2026-06-07T10:00:00Z", "2026-06-08T10:00:00Z" } },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

/* 00:30 becomes 23:30 of the day before at 22:30: what is open then is of other days than usual. */
static void days_that_come_twice(void **state UNUSED)
{
	static const struct {
		const char *now;
		struct rollout_window window;
		bool open;
	} rows[] = {
		{ "2026-10-03T22:15:00Z",
		  { .days = FRI, .from_min = AT(23, 50), .to_min = AT(23, 45), .zone = MIDNIGHT },
		  true },
		{ "2026-10-03T22:45:00Z",
		  { .days = SUN, .from_min = AT(0, 10), .to_min = AT(1, 0), .zone = MIDNIGHT },
		  true },
		{ "2026-10-03T22:15:00Z",
		  { .days = SAT, .from_min = AT(23, 40), .to_min = AT(23, 50), .zone = MIDNIGHT },
		  true },
		{ "2026-10-03T22:31:00Z",
		  { .days = SAT, .from_min = AT(22, 0), .to_min = AT(23, 20), .zone = MIDNIGHT },
		  false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct window_set set = { &rows[i].window, 1 };
		if (ask(&set, 1, utc(rows[i].now)).open != rows[i].open)
			fail_msg("row %zu", i);
	}
}

static void sets_and_their_reasons(void **state UNUSED)
{
	static const struct rollout_window
		nights = { .days = EVERY, .from_min = AT(22, 0), .to_min = AT(4, 0) },
		no_fridays = { .deny = true, .days = FRI, .from_min = 0, .to_min = AT(24, 0) },
		nowhere = { .days = EVERY,
			    .from_min = AT(1, 0),
			    .to_min = AT(2, 0),
			    .zone = NOWHERE },
		mornings = { .days = EVERY, .from_min = AT(3, 0), .to_min = AT(9, 0) },
		gone = { .days = EVERY, .from_min = 0, .to_min = 1, .zone = UINT32_MAX };
	/* 2026-06-05 is a Friday. */
	const struct {
		struct rollout_window service[3];
		uint32_t service_count;
		struct rollout_window cluster[3];
		uint32_t cluster_count;
		const char *now;
		enum window_reason reason;
		uint32_t set, window;
		const char *next;
	} rows[] = {
		{ { { 0 } }, 0, { { 0 } }, 0, "2026-06-05T12:00:00Z", WINDOW_OPEN, 0, 0, NULL },
		{ { nights },
		  1,
		  { { 0 } },
		  0,
		  "2026-06-01T12:00:00Z",
		  WINDOW_NOT_ALLOWED,
		  0,
		  0,
		  "2026-06-01T22:00:00Z" },
		{ { nights },
		  1,
		  { { 0 } },
		  0,
		  "2026-06-01T22:00:00Z",
		  WINDOW_OPEN,
		  0,
		  0,
		  "2026-06-02T04:00:00Z" },
		/* Deny wins, also over what is allowed from the evening before. */
		{ { nights, no_fridays },
		  2,
		  { { 0 } },
		  0,
		  "2026-06-04T23:00:00Z",
		  WINDOW_OPEN,
		  0,
		  0,
		  "2026-06-05T00:00:00Z" },
		{ { nights, no_fridays },
		  2,
		  { { 0 } },
		  0,
		  "2026-06-05T01:00:00Z",
		  WINDOW_DENIED,
		  0,
		  1,
		  "2026-06-06T00:00:00Z" },
		/* With deny alone the rest is open. */
		{ { no_fridays },
		  1,
		  { { 0 } },
		  0,
		  "2026-06-06T01:00:00Z",
		  WINDOW_OPEN,
		  0,
		  0,
		  "2026-06-12T00:00:00Z" },
		/* Both sets; a change of one of them alone is none. */
		{ { nights },
		  1,
		  { no_fridays },
		  1,
		  "2026-06-05T23:00:00Z",
		  WINDOW_DENIED,
		  1,
		  0,
		  "2026-06-06T00:00:00Z" },
		{ { nights },
		  1,
		  { mornings },
		  1,
		  "2026-06-01T12:00:00Z",
		  WINDOW_NOT_ALLOWED,
		  0,
		  0,
		  "2026-06-02T03:00:00Z" },
		{ { nights },
		  1,
		  { mornings },
		  1,
		  "2026-06-01T23:00:00Z",
		  WINDOW_NOT_ALLOWED,
		  1,
		  0,
		  "2026-06-02T03:00:00Z" },
		{ { nights },
		  1,
		  { mornings },
		  1,
		  "2026-06-02T03:30:00Z",
		  WINDOW_OPEN,
		  0,
		  0,
		  "2026-06-02T04:00:00Z" },
		/* Several of one set: any of them. */
		{ { nights, mornings },
		  2,
		  { { 0 } },
		  0,
		  "2026-06-01T23:00:00Z",
		  WINDOW_OPEN,
		  0,
		  0,
		  "2026-06-02T09:00:00Z" },
		{ { nights, nowhere },
		  2,
		  { { 0 } },
		  0,
		  "2026-06-01T23:00:00Z",
		  WINDOW_ZONE_UNKNOWN,
		  0,
		  1,
		  NULL },
		{ { nights },
		  1,
		  { gone },
		  1,
		  "2026-06-01T23:00:00Z",
		  WINDOW_ZONE_UNKNOWN,
		  1,
		  0,
		  NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct window_set sets[] = { { rows[i].service, rows[i].service_count },
						   { rows[i].cluster, rows[i].cluster_count } };
		struct window_state s = ask(sets, 2, utc(rows[i].now));
		int64_t next = rows[i].next ? utc(rows[i].next) : INT64_MAX;
		if (s.reason != rows[i].reason || s.set != rows[i].set ||
		    s.window != rows[i].window || s.next_change_unix_s != next)
			fail_msg("row %zu: reason %d of %u, %u", i, (int)s.reason, s.set, s.window);
		assert_int_equal(s.open, s.reason == WINDOW_OPEN);
		assert_int_equal(s.look_again_unix_s, next);
	}
}

/* The change is months away: two zones meet without a gap until only one of them jumps. */
static void a_change_that_is_far_away(void **state UNUSED)
{
	static const struct rollout_window windows[] = {
		{ .days = EVERY, .from_min = AT(0, 0), .to_min = AT(12, 0), .zone = BERLIN },
		{ .days = EVERY, .from_min = AT(11, 0), .to_min = AT(23, 0) },
	};
	const struct window_set set = { windows, 2 };
	struct window_state s = ask(&set, 1, utc("2025-11-01T12:00:00Z"));
	assert_true(s.open);
	assert_int_equal(s.next_change_unix_s, utc("2026-03-29T10:00:00Z"));
}

/* What never changes is looked at so far, and then again. */
static void what_never_changes(void **state UNUSED)
{
	static const struct rollout_window all = { .days = EVERY, .to_min = AT(24, 0) };
	const struct window_set set = { &all, 1 };
	int64_t now = utc("2026-01-01T12:00:00Z");
	struct window_state s = ask(&set, 1, now);
	assert_true(s.open);
	assert_int_equal(s.next_change_unix_s, INT64_MAX);
	assert_true(s.look_again_unix_s >= now + WINDOW_AHEAD_DAYS * (int64_t)DAY);
	assert_true(s.look_again_unix_s < now + (WINDOW_AHEAD_DAYS + 2) * (int64_t)DAY);
	struct rollout_window many[LIMIT_WINDOWS];
	for (uint32_t i = 0; i < LIMIT_WINDOWS; i++)
		many[i] = (struct rollout_window){
			.days = EVERY, .from_min = i, .to_min = i ? i : AT(24, 0), .zone = BERLIN
		};
	const struct window_set sets[] = { { many, LIMIT_WINDOWS }, { many, LIMIT_WINDOWS } };
	s = ask(sets, 2, now);
	assert_true(s.open);
	assert_int_equal(s.next_change_unix_s, INT64_MAX);
	assert_true(s.look_again_unix_s > now + 8 * (int64_t)DAY);
}

/* --- from the manifest ------------------------------------------------------------------------ */

static void windows_of_a_manifest(void **state UNUSED)
{
	const char *allow[] = { "sat", "sun" }, *deny[] = { "mon" };
	struct window items[] = {
		{ .allow = { allow, 2, true },
		  .from = "22:00",
		  .to = "04:00",
		  .time_zone = "Europe/Berlin" },
		{ .deny = { deny, 1, true }, .from = "00:00", .to = "24:00" },
		{ .deny = { deny, 1, true },
		  .from = "00:00",
		  .to = "24:00",
		  .time_zone = "Mars/Olympus" },
	};
	const struct window_list list = { items, 3, true };
	struct arena arena;
	arena_init(&arena);
	struct window_set set = window_set_of(&list, zones, ZONES, &arena);
	assert_int_equal(set.count, 3);
	assert_false(set.windows[0].deny);
	assert_int_equal(set.windows[0].days, SAT | SUN);
	assert_int_equal(set.windows[0].from_min, 22 * 60);
	assert_int_equal(set.windows[0].to_min, 4 * 60);
	assert_int_equal(set.windows[0].zone, BERLIN);
	assert_true(set.windows[1].deny);
	assert_int_equal(set.windows[1].to_min, 1440);
	assert_int_equal(set.windows[1].zone, UTC);
	struct window_state s = ask(&set, 1, utc("2026-06-06T23:00:00Z"));
	assert_int_equal(s.reason, WINDOW_ZONE_UNKNOWN);
	assert_int_equal(s.window, 2);
	set = window_set_of(&(struct window_list){ 0 }, zones, ZONES, &arena);
	assert_int_equal(set.count, 0);
	arena_release(&arena);
}

static void in_words(void **state UNUSED)
{
	struct window in_berlin = { .time_zone = "Europe/Berlin" }, in_utc = { 0 };
	struct window_list none = { 0 }, berlin = { &in_berlin, 1, true },
			   plain = { &in_utc, 1, true };
	const struct window_list *lists[] = { &none, &berlin };
	char out[WINDOW_WORDS_MAX];
	struct window_state s = { .reason = WINDOW_NOT_ALLOWED,
				  .set = 1,
				  .next_change_unix_s = utc("2026-03-29T01:00:00Z") };
	window_words(&s, lists, out);
	assert_string_equal(out, " for the window, which opens at 2026-03-29T01:00:00Z");
	s.next_change_unix_s = INT64_MAX;
	window_words(&s, lists, out);
	assert_string_equal(out, ": no window opens within a year");
	s.reason = WINDOW_ZONE_UNKNOWN;
	window_words(&s, lists, out);
	assert_string_equal(out, ": the time zone Europe/Berlin is not known");
	lists[1] = &plain;
	window_words(&s, lists, out);
	assert_string_equal(out, ": the time zone UTC is not known");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_and_times),
		cmocka_unit_test(clocks_that_jump),
		cmocka_unit_test(days_that_come_twice),
		cmocka_unit_test(sets_and_their_reasons),
		cmocka_unit_test(a_change_that_is_far_away),
		cmocka_unit_test(what_never_changes),
		cmocka_unit_test(windows_of_a_manifest),
		cmocka_unit_test(in_words),
	};
	return cmocka_run_group_tests_name("rollout_window", tests, NULL, NULL);
}
