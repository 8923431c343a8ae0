/* rollout/window: when changes may begin, over days, zones and clocks that jump. */
#include "rollout/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HOUR 3600
#define DAY  86400

enum { MON = 1, TUE = 2, WED = 4, THU = 8, FRI = 16, SAT = 32, SUN = 64, EVERY = 127 };
#define AT(hour, minute) ((hour)*60 + (minute))

/* Seconds of "2026-03-29T01:00:00Z". */
static int64_t utc(const char *text)
{
	int64_t ms;
	if (!time_parse(text, &ms))
		fail_msg("no time: %s", text);
	return ms / 1000;
}

/* Of 2025 to 2027, as zdump(8) has them. Lord Howe's clocks jump by half an hour;
 * Apia's once went over a whole day (here in 2026), and those of St. John's back over midnight
 * (here from 00:30 to 23:30). */
enum { UTC, BERLIN, NEW_YORK, HOWE, APIA, MIDNIGHT, NOWHERE, ZONES };
static const struct zone_offset utc_rows[] = { { INT64_MIN, 0 } };
static const struct zone_offset berlin_rows[] = {
	{ 1729990800, 3600 }, { 1743296400, 7200 }, { 1761440400, 3600 },
	{ 1774746000, 7200 }, { 1792890000, 3600 }, { 1806195600, 7200 },
};
static const struct zone_offset new_york_rows[] = {
	{ 1762063200, -18000 },
	{ 1772953200, -14400 },
	{ 1793512800, -18000 },
	{ 1805007600, -14400 },
};
static const struct zone_offset howe_rows[] = {
	{ 1759591800, 39600 },
	{ 1775314800, 37800 },
	{ 1791041400, 39600 },
	{ 1806764400, 37800 },
};
static const struct zone_offset apia_rows[] = {
	{ 1700000000, -36000 },
	{ 1780308000, 50400 },
};
static const struct zone_offset midnight_rows[] = {
	{ 1775016000, 7200 }, /* 2026-04-01T04:00:00Z */
	{ 1791066600, 3600 }, /* 2026-10-03T22:30:00Z: a Sunday there, and Saturday again */
};
static const struct zone zones[ZONES] = {
	[UTC] = { "UTC", utc_rows, ARRAY_LEN(utc_rows) },
	[BERLIN] = { "Europe/Berlin", berlin_rows, ARRAY_LEN(berlin_rows) },
	[NEW_YORK] = { "America/New_York", new_york_rows, ARRAY_LEN(new_york_rows) },
	[HOWE] = { "Australia/Lord_Howe", howe_rows, ARRAY_LEN(howe_rows) },
	[APIA] = { "Pacific/Apia", apia_rows, ARRAY_LEN(apia_rows) },
	[MIDNIGHT] = { "America/St_Johns", midnight_rows, ARRAY_LEN(midnight_rows) },
	[NOWHERE] = { .name = "Europe/Nowhere" },
};

static struct window_state ask(const struct window_set *sets, uint32_t count, int64_t now)
{
	return window_state_at(sets, count, zones, ZONES, now);
}

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

/* --- by the minute ---------------------------------------------------------------------------- */

#define BEGIN	 "2026-01-01T00:00:00Z"
#define MINUTES	 (366 * 1440)
#define BEFORE	 (9 * 1440) /* windows may begin so long before */
#define ALL_MINS (BEFORE + MINUTES + 2880)

static uint64_t seed;

static uint32_t below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 11) % n);
}

/* The local minute at each minute, by the table alone. */
static void local_minutes(const struct zone *zone, int64_t *local)
{
	int64_t first = utc(BEGIN) - BEFORE * 60;
	uint32_t row = 0;
	for (int i = 0; i < ALL_MINS; i++) {
		int64_t at = first + (int64_t)i * 60;
		while (row + 1 < zone->count && zone->offsets[row + 1].from_unix_s <= at)
			row++;
		local[i] = (at + zone->offsets[row].utc_offset_s) / 60;
	}
}

/* Index of the first (or last) minute that shows it, else of the first that shows a later one. */
static int minute_of(const int64_t *local, int64_t shown, int near, bool last)
{
	int found = -1;
	int from = near - 3000 > 0 ? near - 3000 : 0;
	int to = near + 6000 < ALL_MINS ? near + 6000 : ALL_MINS;
	for (int i = from; i < to; i++) {
		if (local[i] == shown && (last || found < 0))
			found = i;
	}
	for (int i = from; found < 0 && i < to; i++) {
		if (local[i] > shown)
			found = i;
	}
	return found < 0 ? to : found;
}

static void mark(const struct rollout_window *w, const int64_t *local, uint8_t *has)
{
	memset(has, 0, ALL_MINS);
	for (int64_t day = local[0] / 1440 - 1; day <= local[ALL_MINS - 1] / 1440; day++) {
		if (!(w->days & 1u << ((day + 3) % 7)))
			continue;
		int near = (int)(day * 1440 - local[0]);
		int from = minute_of(local, day * 1440 + w->from_min, near, false);
		int64_t end = (day + (w->to_min <= w->from_min)) * 1440 + w->to_min;
		int to = minute_of(local, end, near, true);
		for (int i = from; i < to; i++)
			has[i] = 1;
	}
}

static struct rollout_window any_window(void)
{
	struct rollout_window w = { .deny = below(3) == 0, .days = 1 + below(EVERY) };
	w.zone = below(NOWHERE);
	w.from_min = below(4) ? below(1440) : 60 * below(24);
	w.to_min = below(4) ? below(1440) : w.from_min + below(60);
	if (below(3) == 0) { /* where clocks jump */
		w.from_min = 60 + below(150);
		w.to_min = w.from_min + 1 + below(60);
	}
	if (w.to_min == w.from_min)
		w.to_min = w.from_min + 1;
	return w;
}

struct year {
	int64_t local[NOWHERE][ALL_MINS];
	uint8_t has[ALL_MINS], allowed[ALL_MINS], open[ALL_MINS];
};

static void mark_set(struct year *y, const struct window_set *set)
{
	bool lists = false;
	memset(y->allowed, 0, sizeof(y->allowed));
	for (uint32_t i = 0; i < set->count; i++) {
		const struct rollout_window *w = &set->windows[i];
		mark(w, y->local[w->zone], y->has);
		lists |= !w->deny;
		for (int k = 0; k < ALL_MINS; k++) {
			y->allowed[k] |= !w->deny && y->has[k];
			y->open[k] &= !(w->deny && y->has[k]);
		}
	}
	for (int k = 0; lists && k < ALL_MINS; k++)
		y->open[k] &= y->allowed[k];
}

static void check_year(const struct year *y, const struct window_set *sets)
{
	int64_t first = utc(BEGIN) - BEFORE * 60, next = -1;
	for (int k = BEFORE + MINUTES - 1; k >= BEFORE; k--) {
		if (y->open[k] != y->open[k + 1])
			next = k + 1;
		/* All minutes around changes, some of the others. */
		bool edge = y->open[k] != y->open[k + 1] || y->open[k] != y->open[k - 1];
		if (!(edge && below(8) == 0) && below(4000) != 0)
			continue;
		struct window_state s = ask(sets, 2, first + (int64_t)k * 60);
		assert_int_equal(s.open, y->open[k]);
		if (next >= 0)
			assert_int_equal(s.next_change_unix_s, first + next * 60);
		else
			assert_true(s.next_change_unix_s > first + (BEFORE + MINUTES) * 60LL);
	}
}

static void every_minute_of_a_year(void **state UNUSED)
{
	struct year *y = xcalloc(1, sizeof(*y));
	for (int z = 0; z < NOWHERE; z++)
		local_minutes(&zones[z], y->local[z]);
	for (uint64_t world = 1; world <= 60; world++) {
		seed = world * 0x9e3779b97f4a7c15u;
		struct rollout_window windows[4];
		uint32_t service = below(3), count = service + 1 + below(2);
		for (uint32_t i = 0; i < count; i++)
			windows[i] = any_window();
		const struct window_set sets[] = { { windows, service },
						   { windows + service, count - service } };
		memset(y->open, 1, sizeof(y->open));
		mark_set(y, &sets[0]);
		mark_set(y, &sets[1]);
		check_year(y, sets);
	}
	free(y);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_and_times),
		cmocka_unit_test(clocks_that_jump),
		cmocka_unit_test(sets_and_their_reasons),
		cmocka_unit_test(a_change_that_is_far_away),
		cmocka_unit_test(what_never_changes),
		cmocka_unit_test(every_minute_of_a_year),
		cmocka_unit_test(windows_of_a_manifest),
	};
	return cmocka_run_group_tests_name("rollout_window", tests, NULL, NULL);
}
