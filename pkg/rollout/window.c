#include "rollout/window.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define DAY_S	 86400
#define MINUTE_S 60

/* --- local time ------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* The last row that is not after the moment, else the first. */
static uint32_t offset_at(const struct zone *zone, int64_t unix_s)
{
	uint32_t low = 0, high = zone->count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (zone->offsets[middle].from_unix_s <= unix_s)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int64_t local_day(const struct zone *zone, int64_t unix_s)
{
	return floor_div(unix_s + zone->offsets[offset_at(zone, unix_s)].utc_offset_s, DAY_S);
}

static int64_t row_begins(const struct zone *zone, uint32_t row)
{
	return row ? zone->offsets[row].from_unix_s : INT64_MIN;
}

static int64_t row_ends(const struct zone *zone, uint32_t row)
{
	return row + 1 < zone->count ? zone->offsets[row + 1].from_unix_s : INT64_MAX;
}

/* Offsets are less than a day: rows that are over so long before a local time, or begin so long
 * after it, do not have it. */
#define FAR_S (2 * DAY_S)

/* The first moment at which clocks show local_s; where they never do, the jump over it. */
static int64_t first_moment(const struct zone *zone, int64_t local_s)
{
	for (uint32_t i = offset_at(zone, local_s - FAR_S);; i++) {
		int64_t at = local_s - zone->offsets[i].utc_offset_s;
		if (at < row_begins(zone, i))
			return row_begins(zone, i);
		if (at < row_ends(zone, i))
			return at;
	}
}

/* The last moment at which clocks show local_s; where they never do, the jump over it. */
static int64_t last_moment(const struct zone *zone, int64_t local_s)
{
	for (uint32_t i = offset_at(zone, local_s + FAR_S);; i--) {
		int64_t at = local_s - zone->offsets[i].utc_offset_s;
		if (at > row_ends(zone, i))
			return row_ends(zone, i);
		if (at >= row_begins(zone, i))
			return at;
	}
}

/* --- one window ------------------------------------------------------------------------------- */

/* When it is open, of those that open on that local day. Empty where the clocks go forward over the
 * whole of it. */
struct span {
	int64_t begin, end;
};

static bool opens_on(const struct rollout_window *w, int64_t day)
{
	/* Day 0 was a Thursday. */
	return w->days & 1u << (uint32_t)(day + 3 - floor_div(day + 3, 7) * 7);
}

static struct span span_of(const struct rollout_window *w, const struct zone *zone, int64_t day)
{
	int64_t end_day = day + (w->to_min <= w->from_min);
	return (struct span){
		.begin = first_moment(zone, day * DAY_S + (int64_t)w->from_min * MINUTE_S),
		.end = last_moment(zone, end_day * DAY_S + (int64_t)w->to_min * MINUTE_S),
	};
}

/*
 * Of which days windows may have a moment of today: of yesterday, over midnight. Where clocks go
 * back over midnight, local days come twice: then also of the day before, and of tomorrow.
 */
#define DAYS_BEFORE 2
#define DAYS_AFTER  1
#define DAYS_AHEAD  7 /* the next one of a weekday */

static bool has_moment(const struct rollout_window *w, const struct zone *zone, int64_t unix_s)
{
	int64_t today = local_day(zone, unix_s);
	for (int64_t day = today - DAYS_BEFORE; day <= today + DAYS_AFTER; day++) {
		if (!opens_on(w, day))
			continue;
		struct span span = span_of(w, zone, day);
		if (span.begin <= unix_s && unix_s < span.end)
			return true;
	}
	return false;
}

/* The next moment after this one at which it opens or closes; INT64_MAX: never. */
static int64_t next_edge(const struct rollout_window *w, const struct zone *zone, int64_t unix_s)
{
	int64_t today = local_day(zone, unix_s), next = INT64_MAX;
	for (int64_t day = today - DAYS_BEFORE; day <= today + DAYS_AHEAD; day++) {
		if (!opens_on(w, day))
			continue;
		struct span span = span_of(w, zone, day);
		if (span.begin > unix_s && span.begin < next)
			next = span.begin;
		if (span.end > unix_s && span.end < next)
			next = span.end;
		if (span.begin > unix_s)
			break; /* later ones begin no earlier */
	}
	return next;
}

/* --- sets ------------------------------------------------------------------------------------- */

static const struct zone *zone_of(const struct rollout_window *w, const struct zone *zones,
				  uint32_t zone_count)
{
	return w->zone < zone_count && zones[w->zone].count ? &zones[w->zone] : NULL;
}

static bool find_unknown_zone(const struct window_set *sets, uint32_t set_count,
			      const struct zone *zones, uint32_t zone_count,
			      struct window_state *state)
{
	for (uint32_t s = 0; s < set_count; s++) {
		for (uint32_t i = 0; i < sets[s].count; i++) {
			if (zone_of(&sets[s].windows[i], zones, zone_count))
				continue;
			*state = (struct window_state){ .reason = WINDOW_ZONE_UNKNOWN,
							.set = s,
							.window = i };
			return true;
		}
	}
	return false;
}

/* All zones are known. */
static struct window_state judge(const struct window_set *sets, uint32_t set_count,
				 const struct zone *zones, int64_t unix_s)
{
	struct window_state not_allowed = { .open = true, .reason = WINDOW_OPEN };
	for (uint32_t s = 0; s < set_count; s++) {
		bool lists = false, allowed = false;
		for (uint32_t i = 0; i < sets[s].count; i++) {
			const struct rollout_window *w = &sets[s].windows[i];
			bool has = has_moment(w, &zones[w->zone], unix_s);
			if (w->deny && has)
				return (struct window_state){ .reason = WINDOW_DENIED,
							      .set = s,
							      .window = i };
			lists |= !w->deny;
			allowed |= !w->deny && has;
		}
		if (lists && !allowed && not_allowed.open)
			not_allowed =
				(struct window_state){ .reason = WINDOW_NOT_ALLOWED, .set = s };
	}
	return not_allowed;
}

static int64_t next_edge_of_all(const struct window_set *sets, uint32_t set_count,
				const struct zone *zones, int64_t unix_s)
{
	int64_t next = INT64_MAX;
	for (uint32_t s = 0; s < set_count; s++) {
		for (uint32_t i = 0; i < sets[s].count; i++) {
			const struct rollout_window *w = &sets[s].windows[i];
			int64_t edge = next_edge(w, &zones[w->zone], unix_s);
			if (edge < next)
				next = edge;
		}
	}
	return next;
}

struct window_state window_state_at(const struct window_set *sets, uint32_t set_count,
				    const struct zone *zones, uint32_t zone_count,
				    int64_t now_unix_s)
{
	struct window_state state;
	if (find_unknown_zone(sets, set_count, zones, zone_count, &state)) {
		state.next_change_unix_s = state.look_again_unix_s = INT64_MAX;
		return state;
	}
	state = judge(sets, set_count, zones, now_unix_s);
	int64_t edge = now_unix_s, until = now_unix_s + (int64_t)WINDOW_AHEAD_DAYS * DAY_S;
	for (int looks = 0; looks < WINDOW_LOOKS && edge < until; looks++) {
		edge = next_edge_of_all(sets, set_count, zones, edge);
		if (edge == INT64_MAX)
			break;
		if (judge(sets, set_count, zones, edge).open != state.open) {
			state.next_change_unix_s = state.look_again_unix_s = edge;
			return state;
		}
	}
	state.next_change_unix_s = INT64_MAX;
	state.look_again_unix_s = edge;
	return state;
}

/* --- from the manifest ------------------------------------------------------------------------ */

struct window_set window_set_of(const struct window_list *list, const struct zone *zones,
				uint32_t zone_count, struct arena *arena)
{
	struct rollout_window *windows = ARENA_ARRAY(arena, struct rollout_window, list->len);
	for (uint32_t i = 0; i < list->len; i++) {
		const struct window *from = &list->items[i];
		const char *name = from->time_zone ? from->time_zone : DEFAULT_TIME_ZONE;
		struct rollout_window *w = &windows[i];
		w->deny = from->allow.len == 0;
		w->days = window_days(from);
		bool valid = window_time_minutes(from->from, &w->from_min) &&
			     window_time_minutes(from->to, &w->to_min);
		assert(valid);
		(void)valid;
		while (w->zone < zone_count && strcmp(zones[w->zone].name, name) != 0)
			w->zone++;
	}
	return (struct window_set){ .windows = windows, .count = list->len };
}

/* --- in words --------------------------------------------------------------------------------- */

void window_words(const struct window_state *state, const struct window_list *const *lists,
		  char out[WINDOW_WORDS_MAX])
{
	char when[TIME_TEXT_LEN + 1];
	if (state->reason == WINDOW_ZONE_UNKNOWN) {
		const char *zone = lists[state->set]->items[state->window].time_zone;
		snprintf(out, WINDOW_WORDS_MAX, ": the time zone %s is not known",
			 zone ? zone : DEFAULT_TIME_ZONE);
	} else if (state->next_change_unix_s == INT64_MAX) {
		snprintf(out, WINDOW_WORDS_MAX, ": no window opens within a year");
	} else {
		time_text(state->next_change_unix_s * 1000, when);
		snprintf(out, WINDOW_WORDS_MAX, " for the window, which opens at %s", when);
	}
}
