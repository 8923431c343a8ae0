/* Time zones of the windows: their tables are told when others are declared, and now and then, as
 * they reach only so far ahead. */
#include "musterd.h"

#include "tz/tz.h"

#define ZONES_AGAIN_MS (24 * 3600 * 1000LL) /* well within TZ_SPARE_DAYS */

bool musterd_zones_tell(struct musterd *d, int64_t now_ms)
{
	bool due = d->zones_told_ms && now_ms - d->zones_told_ms >= ZONES_AGAIN_MS;
	if (!control_zones_wanted(d->control) && !due)
		return false;
	struct arena arena;
	arena_init(&arena);
	const char **names;
	uint32_t count = control_zone_names(d->control, &arena, &names);
	struct zone *zones = ARENA_ARRAY(&arena, struct zone, count);
	for (uint32_t i = 0; i < count; i++)
		zones[i] = tz_zone(names[i], clock_unix_ms() / 1000, &arena);
	control_zones_told(d->control, zones, count);
	arena_release(&arena);
	d->zones_told_ms = now_ms;
	return true;
}
