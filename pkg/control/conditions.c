#include "control/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void conditions_release(struct conditions *conditions)
{
	for (int i = 0; i < CONDITION_TYPE_COUNT; i++)
		free(conditions->of[i].message);
	*conditions = (struct conditions){ 0 };
}

void condition_set(struct control *c, struct conditions *conditions, enum condition_type type,
		   enum condition_status status, int64_t now_unix_ms, const char *reason,
		   const char *fmt, ...)
{
	struct condition *old = &conditions->of[type];
	struct buf message = { 0 };
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&message, fmt, args);
	va_end(args);
	if (old->status != status || !old->transition_unix_ms)
		old->transition_unix_ms = now_unix_ms;
	old->status = status;
	old->reason = reason;
	free(old->message);
	old->message = message.data;
	copy_commit(old->commit, c->applied.id);
}

#define SET(type, status, reason, ...)                                                             \
	condition_set(c, conditions, CONDITION_##type, CONDITION_##status, now_unix_ms, reason,    \
		      __VA_ARGS__)

/* --- events
 * ----------------------------------------------------------------------------------------- */

void event_free(struct control_event *event)
{
	free(event->cluster);
	free(event->service);
	free(event->node);
	free(event->message);
	free(event);
}

/* The oldest goes, and is not told any more. */
static void ring_push(struct control *c, struct event_ring *ring, struct control_event *event)
{
	if (ring->count == LIMIT_SERVICE_EVENTS) {
		for (size_t i = 0; i < c->new_events.len; i++)
			if (c->new_events.items[i] == ring->items[0])
				c->new_events.items[i] = NULL;
		event_free(ring->items[0]);
		memmove(&ring->items[0], &ring->items[1],
			(LIMIT_SERVICE_EVENTS - 1) * sizeof(ring->items[0]));
		ring->count--;
	}
	ring->items[ring->count++] = event;
}

void event_add(struct control *c, struct service_state *s, const char *node, const char *type,
	       const char *name, int64_t now_unix_ms, const char *fmt, ...)
{
	struct control_event *event = xcalloc(1, sizeof(*event));
	struct buf message = { 0 };
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&message, fmt, args);
	va_end(args);
	event->message = message.data;
	event->time_unix_ms = now_unix_ms;
	event->type = type;
	event->name = name;
	event->cluster = s ? xstrdup(s->cluster) : NULL;
	event->service = s ? xstrdup(s->name) : NULL;
	event->node = node ? xstrdup(node) : NULL;
	struct buf seed = { 0 };
	buf_addf(&seed, "%lld %s %s %s", (long long)now_unix_ms, name, s ? s->key : "",
		 event->message);
	struct digest digest = digest_of(seed.data, seed.len);
	buf_release(&seed);
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&digest, hex);
	snprintf(event->id, sizeof(event->id), "%.32s", hex);

	ring_push(c, s ? &s->events : &c->events, event);
	*vec_push(&c->new_events) = event;
	if (s)
		dirty_service(c, s);
	else
		c->dirty_fleet = true;
}

void events_hand_over(struct control *c, struct service_state *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->events.count; i++) {
		struct control_event *event = s->events.items[i];
		bool told = true;
		for (size_t k = 0; k < c->new_events.len; k++)
			told &= c->new_events.items[k] != event;
		if (told)
			s->events.items[kept++] = event;
		else
			ring_push(c, &c->events, event);
	}
	s->events.count = kept;
}

/* --- a service
 * -------------------------------------------------------------------------------------- */

static uint32_t lagging_nodes(const struct control *c, const struct service_state *s)
{
	uint32_t count = 0;
	size_t it = 0;
	void *value;
	while (c->nodes_lagging && map_next(c->nodes, &it, NULL, &value)) {
		const struct node_record *n = value;
		count += n->lag_told && n->registered && node_assignment(n, s);
	}
	return count;
}

/*
 * A service that is placed nowhere though nodes match it: they lack what it needs. Says how many of
 * them lack what; false: it is placed, or no node matches.
 */
bool service_runs_nowhere(const struct control *c, const struct service_state *s, struct buf *why)
{
	bool stays = s->removing || s->suspend || s->kept || s->stalled;
	if (s->id == PLAN_NONE || stays || s->counts.desired || !s->counts.excluded)
		return false;
	bool native = s->content && s->content->definition &&
		      task_definition_engine(s->content->definition) == ENGINE_PROCESS;
	const char *const lacks[PLAN_REASON_COUNT] = {
		[PLAN_NO_ENGINE] = native ? "no process engine" : "no container engine",
		[PLAN_MISSING_CAPABILITY] = "a capability is missing",
		[PLAN_NO_CPU] = "too little CPU remains",
		[PLAN_NO_MEMORY] = "too little memory remains",
		[PLAN_PORT_TAKEN] = "a host port is taken",
		[PLAN_NODE_FULL] = "no room for another task is left",
	};
	uint32_t counts[PLAN_REASON_COUNT] = { 0 }, lacking = 0;
	struct arena arena;
	plan_node_id *ids;
	arena_init(&arena);
	uint32_t count = planner_nodes(c->planner, &arena, &ids);
	for (uint32_t i = 0; i < count; i++)
		counts[planner_cell(c->planner, s->id, ids[i]).reason]++;
	arena_release(&arena);
	for (int i = 0; i < PLAN_REASON_COUNT; i++) {
		if (!lacks[i] || !counts[i])
			continue;
		if (why)
			buf_addf(why, "%s%s on %u node%s", lacking ? ", " : "", lacks[i], counts[i],
				 counts[i] == 1 ? "" : "s");
		lacking += counts[i];
	}
	return lacking > 0;
}

static void condition_progressing(struct control *c, struct service_state *s, int64_t now_unix_ms)
{
	struct conditions *conditions = &s->conditions;
	const struct deployment *d = &s->primary;
	const struct plan_counts *n = &s->counts;
	if (s->removing)
		SET(PROGRESSING, TRUE, "Removing", "tasks are being stopped");
	else if (!s->has_primary)
		SET(PROGRESSING, FALSE, "NoDeployment", "nothing was deployed yet");
	else if (d->state == ROLLOUT_FAILED)
		SET(PROGRESSING, FALSE, "DeploymentFailed", "%s", d->reason ? d->reason : "failed");
	else if (d->state == ROLLOUT_COMPLETED && s->has_failed)
		SET(PROGRESSING, FALSE, "RolledBack", "%s", s->failed.reason);
	else if (d->state == ROLLOUT_COMPLETED)
		SET(PROGRESSING, FALSE, "DeploymentCompleted", "ECS deployment %s completed.",
		    d->id);
	else if (s->verdict.paused)
		SET(PROGRESSING, TRUE, "Paused", "%s", s->verdict_text);
	else if (d->rollback_of[0])
		SET(PROGRESSING, TRUE, "RollingBack", "%s %u of %u nodes have revision %u again.",
		    s->has_failed && s->failed.reason ? s->failed.reason : "rolling back:",
		    n->current, n->desired, d->revision);
	else
		SET(PROGRESSING, TRUE, "DeploymentInProgress",
		    "ECS deployment %s in progress: %u of %u nodes have revision %u%s%s", d->id,
		    n->current, n->desired, d->revision, s->verdict_text[0] ? "; " : "",
		    s->verdict_text);
}

void conditions_of_service(struct control *c, struct service_state *s, int64_t now_unix_ms)
{
	struct conditions *conditions = &s->conditions;
	const struct plan_counts *n = &s->counts;
	struct buf CLEANUP(buf_release) why = { 0 };
	bool nowhere = service_runs_nowhere(c, s, &why);
	bool looked = c->store_listed && s->id != PLAN_NONE;
	s->judged = looked;
	bool steady = looked && !nowhere && n->unknown == 0 && n->ready == n->desired &&
		      n->pending == 0 && n->in_flight == 0 &&
		      (!s->has_primary || s->primary.state == ROLLOUT_COMPLETED);
	if (!looked)
		SET(READY, UNKNOWN, "NotYetLooked", "the store and the nodes were not read yet");
	else if (s->removing)
		SET(READY, FALSE, "Removing", "gone from the manifests; %u tasks still run",
		    n->running);
	else if (n->unknown)
		SET(READY, UNKNOWN, "NodesNotYetKnown",
		    "%u nodes are not yet known; %u of %u tasks were ready when last heard of",
		    n->unknown, n->ready, n->desired);
	else if (nowhere)
		SET(READY, FALSE, "NoNodeCanRunIt", "no node can run it: %s", buf_str(&why));
	else if (n->desired == 0)
		SET(READY, TRUE, "NothingDesired", "no node matches");
	else if (n->ready == n->desired)
		SET(READY, TRUE, "AllTasksReady", "%u of %u tasks are ready", n->ready, n->desired);
	else
		SET(READY, FALSE, "TasksNotReady", "%u of %u tasks are ready", n->ready,
		    n->desired);

	condition_progressing(c, s, now_unix_ms);

	if (n->failed)
		SET(DEGRADED, TRUE, "TasksFailing", "%u of %u tasks fail or wait to be restarted",
		    n->failed, n->desired);
	else
		SET(DEGRADED, FALSE, "NoFailures", "no task fails");

	if (s->stalled)
		SET(STALLED, TRUE, "TaskDefinitionNotFound", "%s", s->stalled);
	else if (s->suspend)
		SET(STALLED, TRUE, "Suspended", "suspend is set: everything stays as it is");
	else if (s->kept)
		SET(STALLED, TRUE, "Kept", "gone from the manifests; muster/prune keeps its tasks");
	else
		SET(STALLED, FALSE, "NotStalled", "nothing is in the way");

	const struct hold *hold = control_service_hold(c, s);
	if (!hold)
		hold = control_commit_hold(c);
	if (hold)
		SET(HELD, TRUE, hold->service ? hold_cause_name(hold->cause) : "CommitHeld", "%s",
		    hold->message);
	else
		SET(HELD, FALSE, "NothingHeld", "nothing is held");

	uint32_t lagging = lagging_nodes(c, s);
	if (lagging)
		SET(LAGGING, TRUE, "NotAcknowledged", "%u nodes have not acknowledged for %d s",
		    lagging, LAG_MS / 1000);
	else
		SET(LAGGING, FALSE, "AllAcknowledged", "all nodes follow");

	if (steady && !s->steady_told && n->desired > 0)
		event_add(c, s, NULL, "INFO", "SERVICE_STEADY_STATE", now_unix_ms,
			  "(service %s) has reached a steady state.", s->name);
	s->steady_told = steady;
}

/* --- the fleet
 * -------------------------------------------------------------------------------------- */

static uint32_t services_with(const struct control *c, enum condition_type type,
			      enum condition_status status)
{
	uint32_t count = 0;
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value))
		count +=
			((const struct service_state *)value)->conditions.of[type].status == status;
	return count;
}

void conditions_of_fleet(struct control *c, int64_t now_unix_ms)
{
	struct conditions *conditions = &c->conditions;
	if (c->store_away)
		SET(READY, FALSE, "StoreUnavailable", "%s", c->store_away);
	else if (c->seen_invalid)
		SET(READY, FALSE, "InvalidCommit",
		    "commit %.7s has %zu errors and is not applied; %s%.7s%s", c->seen.id,
		    c->diags.errors, c->applied.id[0] ? "commit " : "nothing",
		    c->applied.id[0] ? c->applied.id : "",
		    c->applied.id[0] ? " stays in force" : " was applied before");
	else if (!c->applied.id[0])
		SET(READY, UNKNOWN, "NotYetLooked", "no commit was applied yet");
	else if (services_with(c, CONDITION_READY, CONDITION_FALSE))
		SET(READY, FALSE, "ServicesNotReady", "%u of %zu services are not ready",
		    services_with(c, CONDITION_READY, CONDITION_FALSE), map_count(c->services));
	else if (services_with(c, CONDITION_READY, CONDITION_UNKNOWN))
		SET(READY, UNKNOWN, "NodesNotYetKnown", "nodes of %u services are not yet known",
		    services_with(c, CONDITION_READY, CONDITION_UNKNOWN));
	else
		SET(READY, TRUE, "AllServicesReady", "commit %.7s is applied and runs",
		    c->applied.id);

	uint32_t progressing = services_with(c, CONDITION_PROGRESSING, CONDITION_TRUE);
	if (progressing)
		SET(PROGRESSING, TRUE, "DeploymentInProgress", "%u services change", progressing);
	else
		SET(PROGRESSING, FALSE, "NothingChanges", "no service changes");

	uint32_t degraded = services_with(c, CONDITION_DEGRADED, CONDITION_TRUE);
	if (degraded)
		SET(DEGRADED, TRUE, "TasksFailing", "%u services have failing tasks", degraded);
	else
		SET(DEGRADED, FALSE, "NoFailures", "no task fails");

	uint32_t stalled = services_with(c, CONDITION_STALLED, CONDITION_TRUE);
	if (c->source_reason)
		SET(STALLED, TRUE, "SourceFailed", "%s: %s", c->source_reason, c->source_text);
	else if (stalled)
		SET(STALLED, TRUE, "ServicesStalled", "%u services are stalled", stalled);
	else if (c->ledger_rebuilt)
		SET(STALLED, FALSE, "RevisionsGoOn",
		    "the ledger was rebuilt; revisions go on above the highest that was found");
	else
		SET(STALLED, FALSE, "NotStalled", "nothing is in the way");

	const struct hold *hold = control_commit_hold(c);
	if (hold)
		SET(HELD, TRUE, "CommitHeld", "%s", hold->message);
	else if (c->holds.len == 1)
		SET(HELD, TRUE, hold_cause_name(c->holds.items[0].cause), "%s",
		    c->holds.items[0].message);
	else if (c->holds.len > 1)
		SET(HELD, TRUE, "ServicesHeld", "%zu changes are held: muster get holds",
		    c->holds.len);
	else
		SET(HELD, FALSE, "NothingHeld", "nothing is held");

	if (c->nodes_lagging)
		SET(LAGGING, TRUE, "NotAcknowledged", "%u nodes have not acknowledged for %d s",
		    c->nodes_lagging, LAG_MS / 1000);
	else
		SET(LAGGING, FALSE, "AllAcknowledged", "all nodes follow");

	if (c->names_conflicting)
		SET(NAME_CONFLICT, TRUE, "NameTaken", "%u nodes have a second agent of their name",
		    c->names_conflicting);
	else
		SET(NAME_CONFLICT, FALSE, "NamesUnique", "no second agent wants a node's name");
}
