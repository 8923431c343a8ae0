#include "rollout/clock.h"

bool clock_steady(struct clock_watch *watch, int64_t now_ms, int64_t now_unix_ms,
		  int64_t *steady_at_ms)
{
	int64_t difference_ms = now_unix_ms - now_ms, by_ms = difference_ms - watch->difference_ms;
	if (watch->begun && (by_ms > CLOCK_JUMP_MS || by_ms < -CLOCK_JUMP_MS)) {
		watch->jumped = true;
		watch->steady_at_ms = now_ms + CLOCK_STEADY_MS;
	}
	watch->begun = true;
	watch->difference_ms = difference_ms;
	if (watch->jumped && now_ms >= watch->steady_at_ms)
		watch->jumped = false;
	*steady_at_ms = watch->steady_at_ms;
	return !watch->jumped;
}
