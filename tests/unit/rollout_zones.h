/* rollout/window: zones whose clocks jump, and questions about them. */
#ifndef MUSTER_TESTS_ROLLOUT_ZONES_H
#define MUSTER_TESTS_ROLLOUT_ZONES_H

#include "rollout/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define DAY 86400

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

#endif
