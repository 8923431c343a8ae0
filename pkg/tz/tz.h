/*
 * tz: time zones as tables of their offsets, from the system's zone database through the C library.
 *
 * The database is $TZDIR, or TZ_DIR (Debian: package tzdata). A name is known where a file of the
 * database's format is there under it; nothing outside of that directory is read, whatever links
 * say. The C library takes UTC for a name that it does not know: here that is "not known". UTC
 * itself is known without a database.
 *
 * The C library is asked through the variable TZ of the process, which is as before afterwards. So
 * call it where no other thread reads the environment or local times.
 */
#ifndef MUSTER_TZ_TZ_H
#define MUSTER_TZ_TZ_H

#include "rollout/window.h"

#define TZ_DIR "/usr/share/zoneinfo"

/*
 * The table of a zone around a moment: from WINDOW_BEHIND_DAYS before it to WINDOW_AHEAD_DAYS and
 * TZ_SPARE_DAYS after it; make it anew when TZ_SPARE_DAYS have gone by. In the arena; the name is
 * borrowed. A zone that is not known has no rows. Two changes within TZ_PROBE_S that cancel out are
 * not seen; there are none in the database.
 */
#define TZ_SPARE_DAYS 8
#define TZ_PROBE_S    21600
struct zone tz_zone(const char *name, int64_t now_unix_s, struct arena *arena);

#endif
