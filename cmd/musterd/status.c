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
	if (!d->status_due)
		timer_set(d->status_timer, STATUS_SETTLE_MS);
	d->status_due = true;
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

static void write_fleet(struct musterd *d, struct arena *scratch)
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
	write_yaml(d, REPORT_FLEET_FILE, report_fleet(d->control, scratch));
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

void musterd_status_flush(struct musterd *d)
{
	struct arena scratch;
	if (!d->status_timer)
		return;
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
	if (d->status_fleet)
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

static void flush(void *arg)
{
	musterd_status_flush(arg);
}

static void beat(void *arg)
{
	struct musterd *d = arg;
	struct arena scratch;
	arena_init(&scratch);
	const char *path = fs_join(&scratch, d->options.status, REPORT_BEAT_FILE);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0) {
		futimens(fd, NULL);
		close(fd);
	}
	arena_release(&scratch);
	timer_set(d->status_beat_timer, STATUS_BEAT_MS);
}

bool musterd_status_start(struct musterd *d, struct err *err)
{
	(void)err;
	d->status_services = map_new();
	d->status_nodes = map_new();
	d->status_families = map_new();
	d->status_gone = map_new();
	d->status_timer = timer_new(d->loop, flush, d);
	d->status_beat_timer = timer_new(d->loop, beat, d);
	beat(d);
	return true;
}
