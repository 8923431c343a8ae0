#include "tz/tz.h"

#include "fs/fs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S	  86400
#define MAGIC	  "TZif" /* RFC 8536 */
#define FILE_MAX  (1 << 20)
#define LEAPS_DIR "right/" /* zones that count leap seconds: not the seconds of Unix */

typedef VEC(struct zone_offset) offsets;

static void free_text(char **text)
{
	free(*text);
}

/* The zone's file, malloc'ed; NULL: there is none. */
static char *zone_file(const char *name)
{
	const char *dir = getenv("TZDIR");
	char *root CLEANUP(free_text) = realpath(dir && dir[0] ? dir : TZ_DIR, NULL);
	if (!root || !time_zone_valid(name) || strncmp(name, LEAPS_DIR, strlen(LEAPS_DIR)) == 0)
		return NULL;
	struct buf path CLEANUP(buf_release) = { 0 };
	buf_addf(&path, "%s/%s", root, name);
	char *file CLEANUP(free_text) = realpath(buf_str(&path), NULL);
	size_t len = strlen(root);
	if (!file || strncmp(file, root, len) != 0 || file[len] != '/')
		return NULL;
	struct buf bytes CLEANUP(buf_release) = { 0 };
	if (!fs_read(file, FILE_MAX, &bytes, NULL) || bytes.len < strlen(MAGIC) ||
	    memcmp(bytes.data, MAGIC, strlen(MAGIC)) != 0)
		return NULL;
	return xstrdup(file);
}

static void use_zone(const char *value)
{
	if (value)
		setenv("TZ", value, 1);
	else
		unsetenv("TZ");
	tzset();
}

static int32_t offset_of(int64_t unix_s)
{
	time_t at = unix_s;
	struct tm local = { 0 };
	localtime_r(&at, &local);
	return (int32_t)local.tm_gmtoff;
}

/* The first second that has not the offset of `from`; `to` has another. */
static int64_t find_change(int64_t from, int64_t to)
{
	int32_t offset = offset_of(from);
	while (to - from > 1) {
		int64_t middle = from + (to - from) / 2;
		if (offset_of(middle) == offset)
			from = middle;
		else
			to = middle;
	}
	return to;
}

static void add_row(offsets *rows, int64_t from_unix_s)
{
	*vec_push(rows) = (struct zone_offset){ from_unix_s, offset_of(from_unix_s) };
}

static void probe(offsets *rows, int64_t begin, int64_t end)
{
	add_row(rows, begin);
	for (int64_t at = begin; at < end; at += TZ_PROBE_S) {
		int64_t from = at;
		while (offset_of(at + TZ_PROBE_S) != rows->items[rows->len - 1].utc_offset_s) {
			from = find_change(from, at + TZ_PROBE_S);
			add_row(rows, from);
		}
	}
}

struct zone tz_zone(const char *name, int64_t now_unix_s, struct arena *arena)
{
	static const struct zone_offset utc = { INT64_MIN, 0 };
	if (strcmp(name, DEFAULT_TIME_ZONE) == 0)
		return (struct zone){ name, &utc, 1 };
	char *file CLEANUP(free_text) = zone_file(name);
	if (!file)
		return (struct zone){ .name = name };
	const char *tz = getenv("TZ");
	char *before CLEANUP(free_text) = tz ? xstrdup(tz) : NULL;
	offsets rows = { 0 };
	use_zone(file);
	probe(&rows, now_unix_s - (int64_t)WINDOW_BEHIND_DAYS * DAY_S,
	      now_unix_s + (int64_t)(WINDOW_AHEAD_DAYS + TZ_SPARE_DAYS) * DAY_S);
	use_zone(before);
	struct zone_offset *table = ARENA_ARRAY(arena, struct zone_offset, rows.len);
	memcpy(table, rows.items, rows.len * sizeof(*table));
	struct zone zone = { name, table, (uint32_t)rows.len };
	vec_release(&rows);
	return zone;
}
