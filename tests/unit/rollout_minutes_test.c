/* rollout/window: random windows against a list of all minutes of a year, which is made by looking
 * at what clocks show. */
#include "rollout_zones.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_minute_of_a_year) };
	return cmocka_run_group_tests_name("rollout_minutes", tests, NULL, NULL);
}
