/*
 * A remote store as bad as they get: in memory, with latency, lost watch events, puts that fail but
 * happened, periods in which it cannot be reached, and hangs. What it does is a function of its
 * seed and of the order of calls.
 *
 * A world is what "fake:NAME" is; any number of back ends may be open on it.
 */
#ifndef MUSTER_STORE_FAKE_REMOTE_H
#define MUSTER_STORE_FAKE_REMOTE_H

#include "store/store.h"

struct fake_faults {
	uint64_t seed;
	unsigned latency_us;		  /* each call: up to so many */
	unsigned lost_event_percent;	  /* of watch events */
	unsigned failed_but_done_percent; /* of puts, swaps and removals: EIO, and it happened */
	unsigned unreachable_percent;	  /* of calls: begins such a period ... */
	unsigned unreachable_calls;	  /* ... of so many calls: ECONNREFUSED */
};

extern const struct store_ops store_fake_remote_ops;

void fake_world_add(const char *name, const struct fake_faults *faults);
/* All back ends on it are closed. */
void fake_world_remove(const char *name);
/* Everything in it is gone, as on a server that was set up anew. */
void fake_world_empty(const char *name);
void fake_set_unreachable(const char *name, bool unreachable);
/* While it hangs no call returns; let go, each goes on where it was. */
void fake_set_hang(const char *name, bool hang);
/* How many calls hang now, and how many back ends are open. */
unsigned fake_hanging(const char *name);
unsigned fake_open_count(const char *name);

#endif
