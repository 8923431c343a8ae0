#include "musterd.h"

#include "fs/fs.h"
#include "log/log.h"
#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- are they up to date? --------------------------------------------------------------------- */

static void touch(const struct musterd *d, const char *name)
{
	struct arena scratch;
	arena_init(&scratch);
	const char *path = fs_join(&scratch, d->options.status, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0) {
		futimens(fd, NULL);
		close(fd);
	}
	arena_release(&scratch);
}

/* The file is there only while the others say all that was decided: what is not certain, on a full
 * disk too, is that it is gone. */
static void not_current(const struct musterd *d)
{
	struct arena scratch;
	arena_init(&scratch);
	fs_remove(fs_join(&scratch, d->options.status, REPORT_CURRENT_FILE), NULL);
	arena_release(&scratch);
}

void musterd_status_behind(struct musterd *d)
{
	if (d->status_due)
		return;
	d->status_due = true;
	not_current(d);
	timer_set(d->status_timer, STATUS_SETTLE_MS);
}

/* --- what is out of date ---------------------------------------------------------------------- */

/* Effects name what is out of date; the files are written together a moment later. */
void musterd_status_effect(struct musterd *d, const struct control_effect *effect)
{
	struct arena scratch;
	arena_init(&scratch);
	switch (effect->kind) {
	case EFFECT_STATUS_SERVICE:
		if (effect->service)
			map_put(d->status_services, effect->service->key, d);
		else
			map_put(d->status_gone, arena_printf(&scratch, "services/%s", effect->key),
				d);
		break;
	case EFFECT_STATUS_NODE:
		if (effect->node)
			map_put(d->status_nodes, effect->node->name, d);
		else
			map_put(d->status_gone, arena_printf(&scratch, "nodes/%s", effect->key), d);
		break;
	case EFFECT_STATUS_TASKDEF: map_put(d->status_families, effect->key, d); break;
	case EFFECT_EVENT:
		report_event_line(effect->event, &d->events);
		log_info(effect->event->message, "event", effect->event->name, "node",
			 effect->event->node);
		break;
	case EFFECT_STATUS_FLEET: d->status_fleet = true; break;
	case EFFECT_PUT:
	case EFFECT_REMOVE:
	case EFFECT_LIST_NODES:
	case EFFECT_SAVE_APPLIED: break;
	}
	arena_release(&scratch);
}

static bool write_text(struct musterd *d, const char *name, const struct buf *text)
{
	struct arena scratch;
	arena_init(&scratch);
	const char *path = fs_join(&scratch, d->options.status, name);
	char *dir = arena_strdup(&scratch, path);
	*strrchr(dir, '/') = '\0';
	struct err err;
	bool ok = fs_mkdirs(dir, 0755, &err) &&
		  fs_write(path, buf_str(text), text->len, 0644, FS_IF_CHANGED, NULL, &err);
	if (!ok && !d->status_failed)
		log_warn("a status file cannot be written", "reason", err.text);
	d->status_failed |= !ok;
	arena_release(&scratch);
	return ok;
}

static void write_yaml(struct musterd *d, const char *name, json_t *doc)
{
	struct buf text = { 0 };
	report_yaml(doc, &text);
	write_text(d, name, &text);
	buf_release(&text);
	json_decref(doc);
}

static void write_services(struct musterd *d, struct arena *scratch)
{
	size_t it = 0;
	const char *key;
	while (map_next(d->status_services, &it, &key, NULL)) {
		const struct service_state *s = map_get(d->control->services, key);
		if (s)
			write_yaml(
				d,
				arena_printf(scratch, "%s/services/%s.yaml", s->cluster, s->name),
				report_service(d->control, s, scratch));
	}
}

static void write_nodes(struct musterd *d, struct arena *scratch)
{
	size_t it = 0;
	const char *name;
	while (map_next(d->status_nodes, &it, &name, NULL)) {
		const struct node_record *n = map_get(d->control->nodes, name);
		if (n && (n->registered || n->manifest))
			write_yaml(d,
				   arena_printf(scratch, "%s/nodes/%s.yaml", n->cluster, n->name),
				   report_node(d->control, n, clock_monotonic_ms(), scratch));
	}
}

static void write_families(struct musterd *d, struct arena *scratch)
{
	size_t it = 0;
	const char *family;
	while (map_next(d->status_families, &it, &family, NULL)) {
		const char **clusters;
		uint32_t count = report_taskdef_clusters(d->control, family, scratch, &clusters);
		json_t *doc = report_taskdef(d->control, family, scratch);
		for (uint32_t i = 0; doc && i < count; i++)
			write_yaml(
				d,
				arena_printf(scratch, "%s/taskdefs/%s.yaml", clusters[i], family),
				json_incref(doc));
		json_decref(doc);
	}
}

/* "services/CLUSTER/NAME" -> CLUSTER/services/NAME.yaml, unless it came back meanwhile. */
static void remove_gone(struct musterd *d, struct arena *scratch)
{
	size_t it = 0;
	const char *key;
	while (map_next(d->status_gone, &it, &key, NULL)) {
		char *kind = arena_strdup(scratch, key);
		char *cluster = strchr(kind, '/');
		*cluster++ = '\0';
		char *name = strchr(cluster, '/');
		*name++ = '\0';
		bool service = strcmp(kind, "services") == 0;
		const struct node_record *n = service ? NULL : map_get(d->control->nodes, name);
		if (service && map_get(d->control->services, key + strlen("services/")))
			continue;
		if (n && (n->registered || n->manifest) && strcmp(n->cluster, cluster) == 0)
			continue;
		fs_remove(arena_printf(scratch, "%s/%s/%s/%s.yaml", d->options.status, cluster,
				       kind, name),
			  NULL);
	}
}

static void write_summary(struct musterd *d, struct arena *scratch)
{
	struct buf text = { 0 };
	json_t *summary = report_summary(d->control, scratch);
	report_json(summary, &text);
	json_decref(summary);
	write_text(d, REPORT_SUMMARY_FILE, &text);
	buf_reset(&text);
	report_metrics(d->control, scratch, &text);
	write_text(d, REPORT_METRICS_FILE, &text);
	buf_release(&text);
}

/* fleet.yaml comes last, and who is woken by it finds the set to be current. */
static void write_fleet(struct musterd *d, struct arena *scratch)
{
	if (d->status_fleet)
		write_summary(d, scratch);
	if (!d->status_failed)
		touch(d, REPORT_CURRENT_FILE);
	if (d->status_fleet)
		write_yaml(d, REPORT_FLEET_FILE, report_fleet(d->control, scratch));
	if (d->status_failed)
		not_current(d);
}

static void write_events(struct musterd *d, struct arena *scratch)
{
	const char *path = fs_join(scratch, d->options.status, REPORT_EVENTS_FILE);
	struct stat st;
	if (stat(path, &st) == 0 && st.st_size >= EVENTS_FILE_BYTES)
		rename(path, arena_printf(scratch, "%s.1", path));
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return;
	if (write(fd, d->events.data, d->events.len) < 0 && !d->status_failed)
		log_warn("events cannot be written", "reason", strerror(errno));
	close(fd);
	buf_reset(&d->events);
}

static void clear(struct map **map)
{
	map_free(*map);
	*map = map_new();
}

static void write_all(struct musterd *d)
{
	struct arena scratch;
	arena_init(&scratch);
	bool failed_before = d->status_failed;
	d->status_due = false;
	d->status_failed = false;
	if (d->events.len > 0)
		write_events(d, &scratch);
	write_families(d, &scratch);
	write_services(d, &scratch);
	write_nodes(d, &scratch);
	remove_gone(d, &scratch);
	write_fleet(d, &scratch);
	if (failed_before && !d->status_failed)
		log_info("status files are written again");
	if (d->status_failed) { /* disk full, say: all of it again, later */
		timer_set(d->status_timer, STATUS_BEAT_MS);
		d->status_due = true;
	} else {
		d->status_fleet = false;
		clear(&d->status_services);
		clear(&d->status_nodes);
		clear(&d->status_families);
		clear(&d->status_gone);
	}
	arena_release(&scratch);
}

/* Decide first on what has been told since: files tell of one moment, not of a commit and of
 * services that have not heard of it. */
static void flush(void *arg)
{
	musterd_step(arg);
	write_all(arg);
}

void musterd_status_stop(struct musterd *d)
{
	if (!d->status_timer)
		return;
	flush(d);
	not_current(d);
}

static bool status_is_kept(const struct musterd *d)
{
	struct arena scratch;
	arena_init(&scratch);
	bool kept = fs_is_locked(fs_join(&scratch, d->options.status, REPORT_BEAT_FILE));
	arena_release(&scratch);
	return kept;
}

/* Held as long as this program lives: so a reader knows at once that it does not. */
static bool lock_status(struct musterd *d, struct err *err)
{
	struct arena scratch;
	arena_init(&scratch);
	if (d->status_lock >= 0)
		close(d->status_lock);
	d->status_lock = fs_lock(fs_join(&scratch, d->options.status, REPORT_BEAT_FILE), err);
	if (d->status_lock < 0 && err->code == EWOULDBLOCK)
		err_set(err, 0, "another musterd writes its status to %s", d->options.status);
	arena_release(&scratch);
	return d->status_lock >= 0;
}

static void beat(void *arg)
{
	struct musterd *d = arg;
	struct stat st;
	struct err err;
	touch(d, REPORT_BEAT_FILE);
	if ((fstat(d->status_lock, &st) != 0 || st.st_nlink == 0) && !lock_status(d, &err))
		log_warn(err.text); /* somebody has emptied the directory */
	timer_set(d->status_beat_timer, STATUS_BEAT_MS);
}

bool musterd_status_start(struct musterd *d, struct err *err)
{
	touch(d, REPORT_BEAT_FILE);
	d->status_lock = -1;
	if (!status_is_kept(d))
		not_current(d); /* the files are of the one before us */
	if (!lock_status(d, err))
		return false;
	not_current(d); /* it may just have died */
	d->status_services = map_new();
	d->status_nodes = map_new();
	d->status_families = map_new();
	d->status_gone = map_new();
	d->status_timer = timer_new(d->loop, flush, d);
	d->status_beat_timer = timer_new(d->loop, beat, d);
	beat(d);
	return true;
}
