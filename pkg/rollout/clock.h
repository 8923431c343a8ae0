/*
 * rollout/clock: is the wall clock steady? Pure: both clocks are arguments.
 *
 * Told the monotonic clock and the wall clock together, at each step of the controller. When their
 * difference is another than the time before by more than CLOCK_JUMP_MS, the wall clock jumped (or
 * was set), and is not steady for CLOCK_STEADY_MS: windows are closed meanwhile. A clock that is
 * slewed does not jump. The first time it is told there is nothing to compare: steady.
 *
 * The monotonic clock must be one that goes on while the machine sleeps (CLOCK_BOOTTIME).
 */
#ifndef MUSTER_ROLLOUT_CLOCK_H
#define MUSTER_ROLLOUT_CLOCK_H

#include "base/base.h"

#define CLOCK_JUMP_MS	5000
#define CLOCK_STEADY_MS 300000

/* Zeroed at the start. */
struct clock_watch {
	bool begun;
	int64_t difference_ms; /* wall - monotonic, the last time */
	bool jumped;
	int64_t steady_at_ms; /* of the last jump */
};

/* Is it steady? Else *steady_at_ms is when it will be, by the monotonic clock; look again then. */
bool clock_steady(struct clock_watch *watch, int64_t now_ms, int64_t now_unix_ms,
		  int64_t *steady_at_ms);

#endif
