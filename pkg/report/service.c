/* CLUSTER/services/NAME.yaml: a member of describe-services' services[], and what the planner was
 * told of it. */
#include "report/internal.h"

#include <stdlib.h>
#include <string.h>

bool fleet_known(const struct control *c)
{
	return c->store_listed && (c->looked || c->applied.id[0]);
}

bool service_known(const struct control *c, const struct service_state *s)
{
	return fleet_known(c) && s->id != PLAN_NONE && s->judged;
}

static void put_counts(json_t *doc, const struct control *c, const struct service_state *s)
{
	bool known = service_known(c, s);
	const struct plan_counts *n = &s->counts;
	put_count(doc, "desiredCount", known, n->desired);
	put_count(doc, "runningCount", known, n->running);
	put_count(doc, "pendingCount", known, n->pending);
	put_count(doc, "readyCount", known, n->ready);
	put_count(doc, "updatedCount", known, n->updated);
	put_count(doc, "inFlightCount", known, n->in_flight);
	put_count(doc, "failedCount", known, n->failed);
	put_count(doc, "unreachableCount", known, n->unreachable);
	put_count(doc, "unknownCount", known, n->unknown);
	put_count(doc, "stoppingCount", known, n->stopping);
	put_count(doc, "excludedCount", known, n->excluded);
	put_count(doc, "attributeAbsentCount", known, n->attribute_absent);
	put_count(doc, "updatesAtATime", known, n->budget);
}

static json_t *events_json(const struct event_ring *ring)
{
	json_t *list = json_array();
	for (size_t i = ring->count; i-- > 0;) {
		json_t *item = json_object();
		put_text(item, "id", ring->items[i]->id);
		put_time(item, "createdAt", ring->items[i]->time_unix_ms);
		put_text(item, "message", ring->items[i]->message);
		json_array_append_new(list, item);
	}
	return list;
}

static void put_spec(json_t *doc, const struct control *c, const struct service_state *s)
{
	json_t *configuration = json_object(), *constraints = json_array();
	put_int(configuration, "minimumHealthyPercent", s->min_healthy_percent);
	put_int(configuration, "maximumPercent", s->max_percent);
	put(doc, "deploymentConfiguration", configuration);
	for (uint32_t i = 0; s->spec && i < s->spec->placement_constraints.len; i++) {
		json_t *item = json_object();
		put_text(item, "type", s->spec->placement_constraints.items[i].type);
		put_text(item, "expression",
			 s->spec->placement_constraints.items[i].expression.value);
		json_array_append_new(constraints, item);
	}
	put(doc, "placementConstraints", constraints);
	put(doc, "placementStrategy", json_array());
	put_text(doc, "schedulingStrategy", "DAEMON");
	put_text(doc, "launchType", "EXTERNAL");
	put_int(doc, "priority", s->priority);
	put_int(doc, "minReadySeconds", s->min_ready_seconds);
	put_list(doc, "dependsOn", &s->depends_on);
	put_bool(doc, "suspend", s->suspend);
	json_t *manifest = json_object();
	put_text(manifest, "path", s->path);
	put_int(manifest, "line", s->spec ? s->spec_pos.line : 0);
	put_text(manifest, "commit", c->applied.id[0] ? c->applied.id : NULL);
	put(doc, "manifest", s->path ? manifest : json_null());
	if (!s->path)
		json_decref(manifest);
}

static bool prune_disabled(const struct daemon_service *spec)
{
	for (uint32_t i = 0; spec && i < spec->annotations.len; i++) {
		const struct str_pair *a = &spec->annotations.items[i];
		if (strcmp(a->name, "muster/prune") == 0)
			return a->value && strcmp(a->value, "disabled") == 0;
	}
	return false;
}

/* --- what is not converged ------------------------------------------------------------------- */

/* Why a desired or running cell is not where it should be; NULL: it is. */
static const char *lag_of(const struct plan_node *node, const struct plan_cell *cell)
{
	const struct plan_fact *f = &cell->fact;
	if (!cell->desired && cell->reason == PLAN_HELD)
		return plan_reason_name(PLAN_HELD);
	if (!cell->desired)
		return f->seen != PLAN_SEEN_NONE && !digest_is_none(&f->running) ? "Stopping"
										 : NULL;
	if (!node->reachable)
		return plan_reason_name(node->unknown ? PLAN_NOT_KNOWN : PLAN_UNREACHABLE);
	if (f->seen == PLAN_SEEN_FAILED)
		return "TaskFailing";
	if (cell->waiting)
		return "WaitsForTurn";
	if (digest_is_none(&f->assigned) && cell->reason == PLAN_WAITS_FOR_STEP)
		return plan_reason_name(PLAN_WAITS_FOR_STEP);
	if (digest_is_none(&f->assigned))
		return "NotAssigned";
	if (!f->acknowledged)
		return "NotAcknowledged";
	/* Suspended, say, or without the room that the new revision needs. */
	if (!digest_equal(&f->running, &cell->goal) && cell->reason != PLAN_PLACED)
		return plan_reason_name(cell->reason);
	if (!digest_equal(&f->running, &cell->goal))
		return f->seen == PLAN_SEEN_NONE ? "NotStarted" : "Updating";
	return f->seen == PLAN_SEEN_READY ? NULL : "NotReady";
}

static json_t *lagging_json(const struct control *c, const struct service_state *s,
			    const struct plan_node *node, const struct plan_cell *cell,
			    const char *reason)
{
	const struct node_record *record = map_get(c->nodes, node->name);
	const struct wire_task *task = record ? node_observed_task(record, s) : NULL;
	json_t *item = json_object();
	put_text(item, "node", node->name);
	put_text(item, "reason", reason);
	if (cell->fact.running_revision)
		put_int(item, "runningRevision", cell->fact.running_revision);
	if (task) {
		put_text(item, "lastStatus", task_status_name(task->last_status));
		put_int(item, "restarts", task->restarts);
		put_text(item, "message", task->reason);
	}
	if (task && task->restart_in_ms)
		put_textf(item, "message", "restart in %u s%s%s",
			  (task->restart_in_ms + 999) / 1000, task->reason ? "; " : "",
			  task->reason ? task->reason : "");
	return item;
}

static void put_not_converged(json_t *doc, const struct control *c, const struct service_state *s,
			      struct arena *scratch)
{
	json_t *list = json_array();
	plan_node_id *ids;
	uint32_t count = planner_nodes(c->planner, scratch, &ids), found = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct plan_node *node = planner_node(c->planner, ids[i]);
		struct plan_cell cell = planner_cell(c->planner, s->id, ids[i]);
		const char *reason = lag_of(node, &cell);
		if (reason && found++ < REPORT_NOT_CONVERGED_MAX)
			json_array_append_new(list, lagging_json(c, s, node, &cell, reason));
	}
	put_int(doc, "notConvergedCount", found);
	put(doc, "notConverged", list);
}

json_t *report_service(const struct control *c, const struct service_state *s,
		       struct arena *scratch)
{
	json_t *doc = json_object();
	put_text(doc, "apiVersion", "muster/v1");
	put_text(doc, "kind", "ServiceStatus");
	put_arn(doc, "serviceArn", "service", s->cluster, s->name);
	put_text(doc, "serviceName", s->name);
	put_textf(doc, "clusterArn", "cluster/%s", s->cluster);
	put_text(doc, "status", s->removing ? "DRAINING" : "ACTIVE");
	if (s->content)
		put_textf(doc, "taskDefinition", "%s:%u", s->content->family, s->content->revision);
	put_counts(doc, c, s);
	put(doc, "conditions", conditions_json(&s->conditions));
	put(doc, "deployments", deployments_json(c, s, scratch));
	put(doc, "deploymentHistory", deployment_history_json(s));
	put(doc, "holds", holds_json(c, s));
	if (service_known(c, s))
		put_not_converged(doc, c, s, scratch);
	put_spec(doc, c, s);
	put_time(doc, "createdAt", s->created_unix_ms);
	put(doc, "events", events_json(&s->events));
	if (s->id != PLAN_NONE)
		put(doc, "placement",
		    placement_json(planner_service(c->planner, s->id), c->intern,
				   s->content ? s->content->family : NULL,
				   s->kept || prune_disabled(s->spec)));
	return doc;
}
