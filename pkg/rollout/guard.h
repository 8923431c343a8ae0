/*
 * rollout/guard: the arithmetic of the mass-change guard. Pure: time is an argument.
 *
 * A change of manifests, attributes or the inventory that takes tasks from their nodes without
 * replacement may take a share of them, and not more: percent of the tasks that there were,
 * rounded down, or GUARD_FREE if that is more. For a service the tasks lost are summed over the
 * last GUARD_WINDOW_MS, and "that there were" is before the first of them: so a change that
 * trickles in node by node is caught as well.
 *
 * What the guard says is arithmetic only. After GUARD_WINDOW_MS it would let the next share go; so
 * once something is held, the caller keeps holding it until the hold is released or its cause is
 * gone, and does not ask. Stops that are no business of the guard (drains, removals, updates, what
 * a release of a hold named) are not told to it. It is not kept over a restart of the controller.
 *
 * Stops of one second are one entry; when there are more than GUARD_ENTRIES, the oldest two become
 * one, which counts as long as the younger: the sum is then too great for a while, never too small.
 */
#ifndef MUSTER_ROLLOUT_GUARD_H
#define MUSTER_ROLLOUT_GUARD_H

#include "base/base.h"

#define GUARD_WINDOW_MS 600000
#define GUARD_FREE	3 /* so many always go */
#define GUARD_ENTRIES	32
#define GUARD_ANY	UINT32_MAX

/* How many of so many may go; GUARD_ANY with 100 percent. */
uint32_t guard_share(uint32_t percent, uint32_t whole);

/* Of one service. Zeroed: nothing was stopped. */
struct guard {
	struct guard_entry {
		int64_t second;	  /* of the monotonic clock */
		uint32_t stops;	  /* in it */
		uint32_t tasks;	  /* before the first of them */
	} entries[GUARD_ENTRIES]; /* oldest first */
	uint32_t count;
};

/* tasks: that the service had before these stops. */
void guard_stopped(struct guard *guard, uint32_t stops, uint32_t tasks, int64_t now_ms);

struct guard_room {
	uint32_t stops;	       /* so many may be stopped now; GUARD_ANY: any number */
	uint32_t stopped;      /* so many were, within GUARD_WINDOW_MS */
	uint32_t tasks;	       /* before the first of those */
	int64_t changes_at_ms; /* when it will be another number; INT64_MAX: not by time */
};
/* tasks: that it has now. */
struct guard_room guard_room(const struct guard *guard, uint32_t percent, uint32_t tasks,
			     int64_t now_ms);

/* Of a commit: what it takes of each cluster. Zeroed: nothing. */
struct guard_commit {
	struct map *parts; /* by cluster's name */
};
struct guard_part {
	uint32_t part, of; /* tasks that stop, or nodes, of so many */
	uint32_t percent;  /* of the cluster, as of the commit in force */
};
struct guard_part *guard_commit_part(struct guard_commit *commit, const char *cluster,
				     uint32_t percent);
/* More than its share of some cluster. Releases it. */
bool guard_commit_is_mass(struct guard_commit *commit);
/* A commit that removes services is held: where nothing is left, or where several go and they are
 * a mass. One service by itself goes: that is what is meant. */
bool guard_holds_removal(uint32_t removed, bool all, bool mass);

#endif
