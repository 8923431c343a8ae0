/*
 * rollout/window: may changes begin at this moment of the wall clock? Pure: time zones come as
 * tables of their offsets, which the shell makes (tz/tz.h).
 *
 * Rules:
 *  - A window is a set of days and two times of day in a zone. It opens on those days at .from, and
 *    lasts until .to comes next: with .to not after .from that is on the next day. .from is in it,
 *    .to is not.
 *  - A set of windows is open where no deny window has the moment, and an allow window has it or
 *    there is no allow window in the set. All sets (the service's, the cluster's) must be open; one
 *    without windows is.
 *  - A time of day that does not exist (clocks go forward over it) is the moment of that jump. Of
 *    one that comes twice the first is .from, and the last is .to.
 *  - A zone that the shell does not know closes: its time of day is not known.
 *
 * Seconds are of the Unix epoch. Nothing is copied, nothing allocated.
 */
#ifndef MUSTER_ROLLOUT_WINDOW_H
#define MUSTER_ROLLOUT_WINDOW_H

#include "model/model.h"

/* How far next_unix_s looks, in days; tables should reach as far. */
#define WINDOW_AHEAD_DAYS 400
/* ... and at how many moments at which a window begins or ends: enough for two windows every day
 * as far, and for all that may be declared for more than a week. */
#define WINDOW_LOOKS 2048
/* What may lie before now in the table, so that windows that began by then are right. */
#define WINDOW_BEHIND_DAYS 8

/* From then on local time is UTC and so many seconds (east is positive, less than a day). */
struct zone_offset {
	int64_t from_unix_s;
	int32_t utc_offset_s;
};
/* The first row counts before its time as well, the last one for ever. */
struct zone {
	const char *name;
	const struct zone_offset *offsets; /* sorted, no two of one time */
	uint32_t count;			   /* 0: the zone is not known */
};

struct rollout_window {
	bool deny;
	uint32_t days;		   /* bits: 1 << 0 is Monday */
	uint32_t from_min, to_min; /* of the day; 1440 is its end */
	uint32_t zone;		   /* index in the zones; any other: not known */
};
struct window_set {
	const struct rollout_window *windows;
	uint32_t count;
};

enum window_reason {
	WINDOW_OPEN,
	WINDOW_DENIED,	     /* a deny window has the moment: .set, .window */
	WINDOW_NOT_ALLOWED,  /* no allow window of .set has it */
	WINDOW_ZONE_UNKNOWN, /* of .set, .window */
};
struct window_state {
	bool open;
	enum window_reason reason;
	uint32_t set, window; /* of the reason; 0 where it has none */
	/* When .open is another, exactly; INT64_MAX: not within WINDOW_AHEAD_DAYS, as far as is
	 * known now. */
	int64_t next_change_unix_s;
	/* Ask again then, even so: .next_change_unix_s, or how far was looked. */
	int64_t look_again_unix_s;
};
struct window_state window_state_at(const struct window_set *sets, uint32_t set_count,
				    const struct zone *zones, uint32_t zone_count,
				    int64_t now_unix_s);

/* What changes wait for, of a state that is not open: it follows "changes of 3 tasks wait". */
#define WINDOW_WORDS_MAX (LIMIT_TIME_ZONE_CHARS + 64)
void window_words(const struct window_state *state, const struct window_list *const *lists,
		  char out[WINDOW_WORDS_MAX]);

/* The manifest's windows over these zones, by name; in the arena. To be made anew when the zones
 * are others. */
struct window_set window_set_of(const struct window_list *list, const struct zone *zones,
				uint32_t zone_count, struct arena *arena);

#endif
