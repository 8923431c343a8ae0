#include "rollout/guard.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_MS 1000

uint32_t guard_share(uint32_t percent, uint32_t whole)
{
	if (percent >= 100)
		return GUARD_ANY;
	uint32_t share = (uint32_t)((uint64_t)percent * whole / 100);
	return share > GUARD_FREE ? share : GUARD_FREE;
}

/* The end of its second, so that no stop is forgotten too soon. */
static int64_t counts_until_ms(const struct guard_entry *entry)
{
	return (entry->second + 1) * SECOND_MS + GUARD_WINDOW_MS;
}

static uint32_t first_that_counts(const struct guard *guard, int64_t now_ms)
{
	uint32_t first = 0;
	while (first < guard->count && now_ms >= counts_until_ms(&guard->entries[first]))
		first++;
	return first;
}

static void drop_first(struct guard *guard, uint32_t count)
{
	guard->count -= count;
	memmove(guard->entries, guard->entries + count, guard->count * sizeof(guard->entries[0]));
}

static void merge_oldest(struct guard *guard)
{
	struct guard_entry *oldest = &guard->entries[0], *next = &guard->entries[1];
	next->stops += oldest->stops;
	next->tasks = oldest->tasks;
	drop_first(guard, 1);
}

void guard_stopped(struct guard *guard, uint32_t stops, uint32_t tasks, int64_t now_ms)
{
	if (!stops)
		return;
	drop_first(guard, first_that_counts(guard, now_ms));
	int64_t second = now_ms / SECOND_MS;
	struct guard_entry *last = guard->count ? &guard->entries[guard->count - 1] : NULL;
	if (last && last->second >= second) {
		last->stops += stops;
		return;
	}
	if (guard->count == GUARD_ENTRIES)
		merge_oldest(guard);
	guard->entries[guard->count++] =
		(struct guard_entry){ .second = second, .stops = stops, .tasks = tasks };
}

struct guard_room guard_room(const struct guard *guard, uint32_t percent, uint32_t tasks,
			     int64_t now_ms)
{
	uint32_t first = first_that_counts(guard, now_ms);
	struct guard_room room = { .tasks = tasks, .changes_at_ms = INT64_MAX };
	if (first < guard->count) {
		room.tasks = guard->entries[first].tasks;
		room.changes_at_ms = counts_until_ms(&guard->entries[first]);
	}
	for (uint32_t i = first; i < guard->count; i++)
		room.stopped += guard->entries[i].stops;
	uint32_t share = guard_share(percent, room.tasks);
	if (share == GUARD_ANY)
		room.stops = GUARD_ANY;
	else
		room.stops = share > room.stopped ? share - room.stopped : 0;
	return room;
}

/* --- commits ---------------------------------------------------------------------------------- */

struct guard_part *guard_commit_part(struct guard_commit *commit, const char *cluster,
				     uint32_t percent)
{
	if (!commit->parts)
		commit->parts = map_new();
	struct guard_part *part = map_get(commit->parts, cluster);
	if (!part) {
		part = xcalloc(1, sizeof(*part));
		part->percent = percent;
		map_put(commit->parts, cluster, part);
	}
	return part;
}

bool guard_commit_is_mass(struct guard_commit *commit)
{
	bool mass = false;
	size_t it = 0;
	void *value;
	while (commit->parts && map_next(commit->parts, &it, NULL, &value)) {
		const struct guard_part *p = value;
		mass |= p->part > guard_share(p->percent, p->of);
		free(value);
	}
	map_free(commit->parts);
	commit->parts = NULL;
	return mass;
}

bool guard_holds_removal(uint32_t removed, bool all, bool mass)
{
	return removed > 0 && (all || (removed > 1 && mass));
}
