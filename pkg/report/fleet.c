/* fleet.yaml and fleet.json: where the desired state comes from, what is wrong with it, and how far
 * the fleet is. */
#include "report/internal.h"

#include <stdlib.h>
#include <string.h>

static json_t *commit_json(const struct commit_facts *commit)
{
	json_t *out = json_object();
	put_text(out, "commit", commit->id);
	put_text(out, "subject", commit->subject);
	put_text(out, "author", commit->author);
	put_time(out, "time", commit->time_unix_ms);
	return out;
}

/* "seen" is the tip of the branch, "applied" what is in force: they differ while a commit is
 * invalid or held. */
static json_t *source_json(const struct control *c)
{
	json_t *out = json_object();
	put_bool(out, "looked", c->looked);
	put(out, "seen", c->seen.id[0] ? commit_json(&c->seen) : json_null());
	put(out, "seenValid", c->seen.id[0] ? json_boolean(!c->seen_invalid) : json_null());
	put(out, "applied", c->applied.id[0] ? commit_json(&c->applied) : json_null());
	json_t *history = json_array(); /* newest first, from the commit seen on */
	for (size_t i = c->lineage.len; i-- > 0;)
		json_array_append_new(history, text_value(c->lineage.items[i].text));
	put(out, "history", history);
	if (c->source_reason) {
		json_t *error = json_object();
		put_text(error, "reason", c->source_reason);
		put_text(error, "message", c->source_text);
		put(out, "error", error);
	}
	return out;
}

static json_t *store_json(const struct control *c)
{
	json_t *out = json_object();
	put_bool(out, "open", c->store_open && !c->store_away);
	put_bool(out, "listed", c->store_listed);
	put_bool(out, "synced", control_synced(c)); /* ... since the applied commit came */
	put_text(out, "message", c->store_away);
	return out;
}

json_t *holds_json(const struct control *c, const struct service_state *s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < c->holds.len; i++) {
		const struct hold *h = &c->holds.items[i];
		if (s && (!h->service || strcmp(h->service, s->key) != 0))
			continue;
		json_t *item = json_object();
		put_text(item, "id", h->id);
		put_text(item, "cause", hold_cause_name(h->cause));
		if (h->service)
			put_text(item, "service", h->service);
		put_text(item, "commit", h->commit);
		put_int(item, "count", h->count);
		put_text(item, "message", h->message);
		put_textf(item, "release", "muster allow %s", h->id);
		put_time(item, "since", h->since_unix_ms);
		json_array_append_new(list, item);
	}
	return list;
}

/* As the command line prints them, a line each. */
static json_t *diagnostics_json(const struct diag_list *diags)
{
	json_t *list = json_array();
	struct buf text = { 0 };
	diag_print(&text, diags);
	const char *line = buf_str(&text);
	while (*line) {
		size_t len = strcspn(line, "\n");
		json_t *item = json_stringn(line, len);
		if (item)
			json_array_append_new(list, item);
		line += len + (line[len] == '\n');
	}
	buf_release(&text);
	return list;
}

struct totals {
	int64_t nodes, connected, not_known, unreachable_nodes, draining, inactive, registering;
	int64_t services, unknown, not_ready, stalled, held;
	int64_t rollouts, paused, rolling_back, rolled_back, deployments_failed;
	int64_t desired, running, pending, ready, failed, unreachable, unknown_tasks, stopping;
};

/* Where the deployments of services are: one of these, or done. */
static void count_rollout(struct totals *t, const struct service_state *s)
{
	if (!s->has_primary)
		return;
	bool open = s->primary.state == ROLLOUT_IN_PROGRESS;
	bool back = s->primary.rollback_of[0] != '\0';
	t->rolling_back += open && back;
	t->paused += open && !back && s->verdict.paused;
	t->rollouts += open && !back && !s->verdict.paused;
	t->deployments_failed += s->primary.state == ROLLOUT_FAILED;
	t->rolled_back += s->primary.state == ROLLOUT_COMPLETED && s->has_failed;
}

static struct totals totals_of(const struct control *c, struct arena *scratch)
{
	struct totals t = { 0 };
	const struct node_record **nodes;
	const struct service_state **services;
	uint32_t node_count = control_nodes(c, scratch, &nodes);
	for (uint32_t i = 0; i < node_count; i++) {
		if (!nodes[i]->registered && !nodes[i]->manifest)
			continue;
		t.nodes++;
		t.registering += !nodes[i]->registered;
		t.connected += nodes[i]->connection == CONNECTION_ALIVE;
		t.not_known += nodes[i]->registered && nodes[i]->connection == CONNECTION_UNKNOWN;
		t.unreachable_nodes += nodes[i]->connection == CONNECTION_LOST;
		t.draining += nodes[i]->state == NODE_DRAINING;
		t.inactive += nodes[i]->state == NODE_INACTIVE;
	}
	uint32_t service_count = control_services(c, scratch, &services);
	for (uint32_t i = 0; i < service_count; i++) {
		const struct service_state *s = services[i];
		t.services++;
		t.unknown += !service_known(c, s);
		t.not_ready += s->conditions.of[CONDITION_READY].status == CONDITION_FALSE;
		t.stalled += s->conditions.of[CONDITION_STALLED].status == CONDITION_TRUE;
		t.held += s->conditions.of[CONDITION_HELD].status == CONDITION_TRUE;
		count_rollout(&t, s);
		t.desired += s->counts.desired;
		t.running += s->counts.running;
		t.pending += s->counts.pending;
		t.ready += s->counts.ready;
		t.failed += s->counts.failed;
		t.unreachable += s->counts.unreachable;
		t.unknown_tasks += s->counts.unknown;
		t.stopping += s->counts.stopping;
	}
	return t;
}

static json_t *counts_json(const struct control *c, struct arena *scratch)
{
	struct totals t = totals_of(c, scratch);
	bool known = fleet_known(c), judged = known && t.unknown == 0, listed = c->store_listed;
	json_t *out = json_object(), *nodes = json_object(), *services = json_object(),
	       *tasks = json_object();
	put_count(nodes, "total", listed, t.nodes);
	put_count(nodes, "connected", listed, t.connected);
	put_count(nodes, "unknown", listed, t.not_known);
	put_count(nodes, "unreachable", listed, t.unreachable_nodes);
	put_count(nodes, "registering", listed, t.registering);
	put_count(nodes, "draining", listed, t.draining);
	put_count(nodes, "inactive", listed, t.inactive);
	put_count(services, "total", known, t.services);
	put_count(services, "notReady", judged, t.not_ready);
	put_count(services, "stalled", judged, t.stalled);
	put_count(services, "inProgress", judged, t.rollouts);
	put_count(services, "paused", judged, t.paused);
	put_count(services, "rollingBack", judged, t.rolling_back);
	put_count(services, "rolledBack", judged, t.rolled_back);
	put_count(services, "failed", judged, t.deployments_failed);
	put_count(services, "held", judged, t.held);
	put_count(tasks, "desired", judged, t.desired);
	put_count(tasks, "running", judged, t.running);
	put_count(tasks, "pending", judged, t.pending);
	put_count(tasks, "ready", judged, t.ready);
	put_count(tasks, "failed", judged, t.failed);
	put_count(tasks, "unreachable", judged, t.unreachable);
	put_count(tasks, "unknown", judged, t.unknown_tasks);
	put_count(tasks, "stopping", judged, t.stopping);
	put(out, "nodes", nodes);
	put(out, "services", services);
	put(out, "tasks", tasks);
	return out;
}

/* Those that are declared. */
static json_t *clusters_json(const struct control *c, struct arena *scratch)
{
	const char **names = ARENA_ARRAY(scratch, const char *, map_count(c->clusters) + 1);
	json_t *list = json_array();
	size_t count = 0, it = 0;
	void *value;
	while (map_next(c->clusters, &it, &names[count], &value))
		count++;
	qsort(names, count, sizeof(*names), str_compare);
	for (size_t i = 0; i < count; i++) {
		json_t *item = json_object();
		put_text(item, "clusterName", names[i]);
		put_int(item, "massChangePercent", cluster_mass_change_percent(c, names[i]));
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *fleet_head(const struct control *c, struct arena *scratch)
{
	json_t *doc = json_object();
	put_text(doc, "apiVersion", "muster/v1");
	put_text(doc, "kind", "FleetStatus");
	put_text(doc, "fleet", c->fleet[0] ? c->fleet : NULL);
	put_int(doc, "generation", (int64_t)c->generation);
	put(doc, "source", source_json(c));
	put(doc, "store", store_json(c));
	put(doc, "conditions", conditions_json(&c->conditions));
	put(doc, "counts", counts_json(c, scratch));
	put(doc, "clusters", clusters_json(c, scratch));
	put(doc, "holds", holds_json(c, NULL));
	put_int(doc, "errors", (int64_t)c->diags.errors);
	put_int(doc, "warnings", (int64_t)c->diags.warnings);
	put(doc, "diagnostics", diagnostics_json(&c->diags));
	return doc;
}

json_t *report_fleet(const struct control *c, struct arena *scratch)
{
	json_t *doc = fleet_head(c, scratch);
	json_t *events = json_array();
	for (size_t i = c->events.count; i-- > 0;) {
		json_t *item = json_object();
		put_text(item, "id", c->events.items[i]->id);
		put_time(item, "createdAt", c->events.items[i]->time_unix_ms);
		put_text(item, "message", c->events.items[i]->message);
		json_array_append_new(events, item);
	}
	put(doc, "events", events);
	return doc;
}

/* A service whose deployment runs, or did not do what its commit says, or that is not ready or held
 * back, with its counts. */
static json_t *unfinished_json(const struct control *c, const struct service_state *s)
{
	const struct conditions *conditions = &s->conditions;
	bool ready = conditions->of[CONDITION_READY].status == CONDITION_TRUE;
	bool changes = conditions->of[CONDITION_PROGRESSING].status == CONDITION_TRUE;
	bool failed = s->has_failed || (s->has_primary && s->primary.state == ROLLOUT_FAILED);
	bool held = control_service_hold(c, s) != NULL;
	if (ready && !changes && !failed && !held && s->counts.stopping == 0)
		return NULL;
	json_t *item = json_object();
	put_text(item, "cluster", s->cluster);
	put_text(item, "service", s->name);
	put_text(item, "status", s->removing ? "DRAINING" : "ACTIVE");
	if (s->has_primary)
		put_text(item, "rolloutState", rollout_state_name(s->primary.state));
	bool known = service_known(c, s);
	put_count(item, "desiredCount", known, s->counts.desired);
	put_count(item, "runningCount", known, s->counts.running);
	put_count(item, "readyCount", known, s->counts.ready);
	put_count(item, "failedCount", known, s->counts.failed);
	put_count(item, "unreachableCount", known, s->counts.unreachable);
	put_count(item, "unknownCount", known, s->counts.unknown);
	put_count(item, "stoppingCount", known, s->counts.stopping);
	json_t *rollout = rollout_json(c, s);
	if (rollout)
		put(item, "rollout", rollout);
	put(item, "conditions", conditions_json(conditions));
	return item;
}

/* Nodes that are silent, but for those that are to run nothing. */
static json_t *unreachable_json(const struct control *c, struct arena *scratch)
{
	const struct node_record **nodes;
	uint32_t count = control_nodes(c, scratch, &nodes);
	json_t *list = json_array();
	for (uint32_t i = 0; i < count && json_array_size(list) < REPORT_NOT_CONVERGED_MAX; i++)
		if (nodes[i]->connection == CONNECTION_LOST &&
		    (nodes[i]->assignments.len > 0 || nodes[i]->state == NODE_ACTIVE))
			json_array_append_new(list, text_value(nodes[i]->name));
	return list;
}

json_t *report_summary(const struct control *c, struct arena *scratch)
{
	json_t *doc = fleet_head(c, scratch), *list = json_array();
	const struct service_state **services;
	uint32_t count = control_services(c, scratch, &services);
	for (uint32_t i = 0; i < count; i++) {
		json_t *item = unfinished_json(c, services[i]);
		if (item)
			json_array_append_new(list, item);
	}
	put(doc, "notConverged", list);
	put(doc, "unreachableNodes", unreachable_json(c, scratch));
	return doc;
}

void report_event_line(const struct control_event *event, struct buf *out)
{
	json_t *line = json_object();
	put_time(line, "createdAt", event->time_unix_ms);
	put_text(line, "id", event->id);
	put_text(line, "eventType", event->type);
	put_text(line, "eventName", event->name);
	put_text(line, "cluster", event->cluster);
	put_text(line, "service", event->service);
	put_text(line, "node", event->node);
	put_text(line, "message", event->message);
	report_json_line(line, out);
	json_decref(line);
}
