/* What the tables cannot say of windows: times, time zones, and whether they are ever open. */
#include "manifest/internal.h"

#include <string.h>

#define DAY_MINUTES  (24 * 60)
#define WEEK_MINUTES (7 * DAY_MINUTES)

static bool check_days(struct reading *r, const struct value *v, const struct window *w)
{
	bool allow = value_get(v, "allow"), deny = value_get(v, "deny");
	if (allow == deny)
		report_error(r, w->pos,
			     "a window has allow or deny, with days as [mon, tue]; this one has %s",
			     allow ? "both" : "neither");
	return allow != deny && window_days(w);
}

/* most: in minutes. */
static bool check_time(struct reading *r, const struct value *v, const char *field,
		       const char *text, uint32_t most, uint32_t *minutes)
{
	if (!text)
		return false;
	if (window_time_minutes(text, minutes) && *minutes <= most)
		return true;
	report_error(r, place_of(v, field),
		     "\"%s\" must be a time of day as \"22:00\", from \"00:00\" to \"%02u:%02u\", "
		     "not \"%s\"",
		     field, most / 60, most % 60, text);
	return false;
}

/* False: it cannot be asked when it is open. */
static bool check_window(struct reading *r, const struct value *v, const struct window *w)
{
	uint32_t from, to;
	if (!v || v->kind != VALUE_MAPPING)
		return false;
	bool days = check_days(r, v, w);
	bool begins = check_time(r, v, "from", w->from, DAY_MINUTES - 1, &from);
	bool ends = check_time(r, v, "to", w->to, DAY_MINUTES, &to);
	bool empty = begins && ends && from == to;
	if (empty)
		report_error(r, place_of(v, "to"),
			     "\"from\" and \"to\" are the same; a whole day is from \"00:00\" to "
			     "\"24:00\"");
	if (w->time_zone && !time_zone_valid(w->time_zone))
		report_error(r, place_of(v, "timeZone"),
			     "\"%s\" is no name of a time zone, as Europe/Berlin or UTC",
			     w->time_zone);
	return days && begins && ends && !empty;
}

/* --- ever open? ------------------------------------------------------------------------------- */

static const char *zone_of(const struct window *w)
{
	return w->time_zone ? w->time_zone : DEFAULT_TIME_ZONE;
}

/* Set the window's minutes of each of its days; over Sunday's end it goes on with Monday. */
static void mark(bool week[WEEK_MINUTES], const struct window *w, bool open)
{
	uint32_t from = 0, to = 0, days = window_days(w);
	window_time_minutes(w->from, &from);
	window_time_minutes(w->to, &to);
	uint32_t len = to > from ? to - from : DAY_MINUTES - from + to;
	for (uint32_t day = 0; day < 7; day++) {
		uint32_t start = day * DAY_MINUTES + from;
		if (!(days >> day & 1))
			continue;
		uint32_t first = len < WEEK_MINUTES - start ? len : WEEK_MINUTES - start;
		memset(week + start, open, first);
		memset(week, open, len - first);
	}
}

static void fill_week(bool week[WEEK_MINUTES], const struct window_list *windows)
{
	bool allows = false;
	for (uint32_t i = 0; i < windows->len; i++)
		allows = allows || windows->items[i].allow.len > 0;
	memset(week, !allows, WEEK_MINUTES);
	for (uint32_t i = 0; i < windows->len; i++)
		if (windows->items[i].allow.len)
			mark(week, &windows->items[i], true);
	for (uint32_t i = 0; i < windows->len; i++)
		if (!windows->items[i].allow.len)
			mark(week, &windows->items[i], false);
}

/* Are all of one time zone? How far two zones are apart is not known here. */
static bool in_zone(const struct window_list *windows, const char *zone)
{
	for (uint32_t i = 0; i < windows->len; i++)
		if (strcmp(zone_of(&windows->items[i]), zone) != 0)
			return false;
	return true;
}

bool windows_ever_open(const struct window_list *a, const struct window_list *b)
{
	bool one[WEEK_MINUTES], other[WEEK_MINUTES];
	const struct window *some = a->len ? a->items : b->items;
	if (!a->len && !b->len)
		return true;
	if (!in_zone(a, zone_of(some)) || !in_zone(b, zone_of(some)))
		return true;
	fill_week(one, a);
	fill_week(other, b);
	for (uint32_t i = 0; i < WEEK_MINUTES; i++)
		if (one[i] && other[i])
			return true;
	return false;
}

void check_windows(struct reading *r, const struct value *v, const struct window_list *windows)
{
	static const struct window_list none = { 0 };
	bool known = true;
	for (uint32_t i = 0; i < windows->len; i++)
		known = check_window(r, value_at(v, i), &windows->items[i]) && known;
	if (known && !windows_ever_open(windows, &none))
		report_warning(r, v->pos,
			       "these windows are never open: no change ever begins, but for "
			       "repairs, new nodes and rollbacks");
}

void check_windows_of(struct manifest_tree *tree, const struct manifest_object *object)
{
	static const struct window_list none = { 0 };
	const struct window_list *own = &object->daemon_service->windows;
	const char *name = service_cluster(object->daemon_service);
	const struct manifest_object *cluster = manifest_find_cluster(tree, name);
	if (!own->len || !cluster || !windows_ever_open(own, &none) ||
	    !windows_ever_open(&cluster->cluster->windows, &none) ||
	    windows_ever_open(own, &cluster->cluster->windows))
		return;
	diag_warning(&tree->diags, object->path, own->items[0].pos,
		     "these windows and those of the cluster \"%s\" are never open together: no "
		     "change ever begins, but for repairs, new nodes and rollbacks",
		     name);
}
