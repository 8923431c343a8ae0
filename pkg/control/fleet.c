#include "control/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node_record *node_get(struct control *c, const char *name)
{
	struct node_record *n = map_get(c->nodes, name);
	if (!n) {
		n = xcalloc(1, sizeof(*n));
		n->name = xstrdup(name);
		n->id = PLAN_NONE;
		n->cluster = DEFAULT_CLUSTER;
		/* Only we write desired documents: what was not listed is not there. */
		n->desired_known = c->store_listed;
		n->number = (uintptr_t)map_get(c->numbers, name);
		map_put(c->nodes, name, n);
		c->dirty_fleet = true;
	}
	return n;
}

bool node_ready_for_puts(const struct node_record *n)
{
	return n->registered && n->observed_once && n->desired_known &&
	       n->connection == CONNECTION_ALIVE && !n->put_pending;
}

/* --- effective facts -> planner
 * -------------------------------------------------------------------- */

static int by_pair_name(const void *a, const void *b)
{
	const struct str_pair *x = a, *y = b;
	return strcmp(x->name, y->name);
}

/* Built-in < agent's own < Node manifest; reserved names of the latter two do not count. */
static struct str_map merged_attributes(const struct node_record *n, struct arena *arena)
{
	static const struct str_map none;
	const struct str_map *sources[] = { n->registered ? &n->registration.facts : &none,
					    n->registered ? &n->registration.attributes : &none,
					    n->manifest ? &n->manifest->attributes : &none };
	uint32_t max = 0;
	for (size_t s = 0; s < ARRAY_LEN(sources); s++)
		max += sources[s]->len;
	struct str_map out = { .items = ARENA_ARRAY(arena, struct str_pair, max + 1), .set = true };
	for (size_t s = 0; s < ARRAY_LEN(sources); s++) {
		uint32_t before = out.len;
		for (uint32_t i = 0; i < sources[s]->len; i++) {
			const struct str_pair *pair = &sources[s]->items[i];
			if (s > 0 && !attribute_name_allowed(pair->name))
				continue;
			struct str_pair *old =
				bsearch(pair, out.items, before, sizeof(*out.items), by_pair_name);
			struct str_pair *slot = old ? old : &out.items[out.len++];
			slot->name = arena_strdup(arena, pair->name);
			slot->value = arena_strdup(arena, pair->value);
		}
		qsort(out.items, out.len, sizeof(*out.items), by_pair_name);
	}
	return out;
}

static bool str_maps_equal(const struct str_map *a, const struct str_map *b)
{
	if (a->len != b->len)
		return false;
	for (uint32_t i = 0; i < a->len; i++) {
		const char *x = a->items[i].value, *y = b->items[i].value;
		if (strcmp(a->items[i].name, b->items[i].name) != 0 || !x != !y ||
		    (x && strcmp(x, y) != 0))
			return false;
	}
	return true;
}

static int by_attribute_name(const void *a, const void *b)
{
	const struct expr_attribute *x = a, *y = b;
	return x->name < y->name ? -1 : x->name > y->name;
}

static int by_id(const void *a, const void *b)
{
	intern_id x = *(const intern_id *)a, y = *(const intern_id *)b;
	return x < y ? -1 : x > y;
}

static enum node_state effective_state(const struct node_record *n)
{
	if (n->expired)
		return NODE_INACTIVE;
	const char *state = n->manifest ? n->manifest->state : NULL;
	if (state && strcmp(state, "DRAINING") == 0)
		return NODE_DRAINING;
	return state && strcmp(state, "INACTIVE") == 0 ? NODE_INACTIVE : NODE_ACTIVE;
}

static void plan_node_tell(struct control *c, struct node_record *n)
{
	struct arena scratch;
	arena_init(&scratch);
	const struct wire_registration *r = &n->registration;
	struct plan_node p = {
		.name = n->name,
		.cluster = n->cluster,
		.state = n->state,
		.registered = n->registered,
		.observed_once = n->observed_once && n->desired_known,
		.reachable = n->connection == CONNECTION_ALIVE,
		.unknown = n->registered && n->connection == CONNECTION_UNKNOWN,
	};
	struct expr_attribute *attributes =
		ARENA_ARRAY(&scratch, struct expr_attribute, n->attributes.len + 1);
	for (uint32_t i = 0; i < n->attributes.len; i++) {
		const struct str_pair *pair = &n->attributes.items[i];
		attributes[i].name = intern_add(c->intern, pair->name);
		attributes[i].value = pair->value ? intern_add(c->intern, pair->value) : 0;
	}
	qsort(attributes, n->attributes.len, sizeof(*attributes), by_attribute_name);
	p.attributes = attributes;
	p.attribute_count = n->attributes.len;
	if (n->registered) {
		for (uint32_t i = 0; i < r->engine_count; i++)
			p.engines |= 1u << r->engines[i].kind;
		intern_id *capabilities = ARENA_ARRAY(&scratch, intern_id, r->capabilities.len + 1);
		for (uint32_t i = 0; i < r->capabilities.len; i++)
			capabilities[i] = intern_add(c->intern, r->capabilities.items[i]);
		qsort(capabilities, r->capabilities.len, sizeof(*capabilities), by_id);
		p.capabilities = capabilities;
		p.capability_count = r->capabilities.len;
		p.cpu_units = r->cpu_units;
		p.memory_mib = r->memory_mib;
		p.agent_version = r->agent_version;
		p.registered_at_ms = r->registered_at_ms;
	}
	n->id = planner_node_set(c->planner, &p);
	arena_release(&scratch);
}

/* Its status file, below its cluster, goes. */
static void status_gone(struct control *c, const struct node_record *n)
{
	struct arena scratch;
	arena_init(&scratch);
	struct removed_status *gone = vec_push(&c->removed_status);
	gone->kind = EFFECT_STATUS_NODE;
	gone->key = xstrdup(service_key(&scratch, n->cluster, n->name));
	arena_release(&scratch);
	c->dirty_fleet = true;
}

void fleet_node_changed(struct control *c, struct node_record *n)
{
	struct arena arena;
	arena_init(&arena);
	struct str_map attributes = merged_attributes(n, &arena);
	if (str_maps_equal(&attributes, &n->attributes)) {
		arena_release(&arena);
	} else {
		arena_release(&n->attributes_arena);
		n->attributes_arena = arena;
		n->attributes = attributes;
		n->dirty = true; /* MUSTER_ATTRIBUTE_* of new tasks */
	}
	n->state = effective_state(n);
	const char *cluster = n->manifest && n->manifest->cluster	 ? n->manifest->cluster
			      : n->registered && n->registration.cluster ? n->registration.cluster
									 : DEFAULT_CLUSTER;
	if (strcmp(cluster, n->cluster) != 0) {
		status_gone(c, n);
		n->cluster = intern_str(c->intern, intern_add(c->intern, cluster));
		n->dirty = true;
	}
	bool told = n->id != PLAN_NONE;
	if (n->registered || n->manifest)
		plan_node_tell(c, n);
	if (!told && n->id != PLAN_NONE)
		fleet_facts(c, n);
	c->nodes_gone |= !n->registered && !n->manifest;
	dirty_node(c, n);
	c->dirty_fleet = c->planner_stale = c->liveness_stale = true;
}

/* --- (service, node) facts
 * ------------------------------------------------------------------------- */

enum plan_seen task_seen(const struct wire_task *t)
{
	if (t->failed)
		return PLAN_SEEN_FAILED;
	if (t->last_status == TASK_RUNNING)
		return t->health == HEALTH_UNHEALTHY ? PLAN_SEEN_FAILED
		       : t->ready		     ? PLAN_SEEN_READY
						     : PLAN_SEEN_RUNNING;
	return t->last_status == TASK_STOPPED ? PLAN_SEEN_NONE : PLAN_SEEN_PENDING;
}

static bool is_of_primary(const struct service_state *s, const struct assignment *a)
{
	return s->has_primary && strcmp(a->deployment, s->primary.id) == 0;
}

/*
 * An update that was ready for monitorSeconds is over: what breaks now was not broken by it, and
 * must not hold a slot of the next one.
 */
static void judge_update(struct control *c, struct service_state *s, struct assignment *a,
			 bool ready)
{
	if (ready && !a->ready_since_ms) {
		a->ready_since_ms = c->now_ms;
		if (is_of_primary(s, a)) {
			/* What was ready when it was first heard of is no news. */
			s->new_ready += !a->was_ready && a->failures_known;
			s->last_ready_ms = c->now_ms;
		}
		a->was_ready = true;
	}
	if (!a->ready_since_ms)
		return;
	a->watched |= c->now_ms - a->ready_since_ms >= (int64_t)s->monitor_seconds * 1000;
	if (ready)
		return;
	if (a->watched) {
		a->replaces = 0;
		a->broken_before = false;
	}
	a->ready_since_ms = 0;
}

const char *task_failure(const struct node_record *n, const struct wire_task *t)
{
	for (uint32_t i = 0; !t->reason && i < n->observed.stopped_count; i++) {
		const struct wire_task *before = &n->observed.stopped[i];
		if (before->reason && strcmp(before->service, t->service) == 0 &&
		    strcmp(before->cluster, t->cluster) == 0 &&
		    digest_equal(&before->target, &t->target))
			return before->reason;
	}
	return t->reason ? t->reason : "the task stopped";
}

/* The last one stands in why a deployment failed. */
static void tell_failure(struct service_state *s, const struct node_record *n, const char *why)
{
	snprintf(s->failure, sizeof(s->failure), "%s: %s", n->name, why);
}

/* Failures of the roll-out: of a task that was not broken before, until it was ready long enough at
 * a stretch: one that comes up again and again fails each time. What the first report after the
 * start says was counted by those before. */
static void count_failures(struct control *c, const struct node_record *n, struct service_state *s,
			   struct assignment *a, const struct wire_task *t)
{
	bool counts = is_of_primary(s, a) && !a->broken_before && !a->watched;
	if (n->connection == CONNECTION_LOST && counts && !a->vanished && a->acknowledged) {
		a->vanished = true;
		s->new_failures++;
		tell_failure(s, n, "the node is unreachable");
	}
	if (!t || !digest_equal(&t->target, &a->content->target))
		return;
	if (a->failures_known && t->failures > a->failures && counts) {
		s->new_failures += t->failures - a->failures;
		tell_failure(s, n, task_failure(n, t));
		if (a->ready_since_ms) /* it is ready again already */
			a->ready_since_ms = s->last_ready_ms = c->now_ms;
	}
	a->failures = t->failures;
	a->failures_known = true;
}

static void earlier(int64_t *wake, int64_t at)
{
	if (at < *wake)
		*wake = at;
}

/* Many end at about the same time: all are looked at together. */
#define STARTS_LATE_MS 1000

bool fleet_is_starting(struct control *c, const struct service_state *s, const struct assignment *a,
		       const struct wire_task *t)
{
	int64_t end = a->assigned_ms + (int64_t)s->monitor_seconds * 1000;
	enum plan_seen seen = t && a->acknowledged ? task_seen(t) : PLAN_SEEN_NONE;
	if (a->replaces || !a->assigned_ms || c->now_ms >= end ||
	    (seen != PLAN_SEEN_NONE && seen != PLAN_SEEN_PENDING))
		return false;
	earlier(&c->starts_end_ms, end + STARTS_LATE_MS);
	return true;
}

void fleet_fact(struct control *c, struct node_record *n, struct service_state *s)
{
	if (n->id == PLAN_NONE || s->id == PLAN_NONE)
		return;
	struct assignment *a = (struct assignment *)node_assignment(n, s);
	const struct wire_task *t = node_observed_task(n, s);
	struct plan_fact fact = { 0 };
	if (a) {
		bool acknowledged = n->observed_known && a->assigned_number &&
				    n->observed.seen >= a->assigned_number;
		a->acknowledged |= acknowledged;
		judge_update(c, s, a,
			     acknowledged && t && task_seen(t) == PLAN_SEEN_READY &&
				     digest_equal(&t->target, &a->content->target));
		if (acknowledged)
			count_failures(c, n, s, a, t);
		fact.assigned = a->content->target;
		fact.assigned_revision = a->content->revision;
		fact.replaces = a->replaces;
		fact.broken_before = a->broken_before;
		fact.surge = a->surge;
		fact.starting = a->starting = fleet_is_starting(c, s, a, t);
		fact.acknowledged = acknowledged;
	}
	if (t) {
		fact.seen = task_seen(t);
		fact.still_running = t->last_status == TASK_RUNNING;
		fact.running = t->target;
		/* The same content may have had another number when the task was started. */
		fact.running_revision = a && digest_equal(&t->target, &a->content->target)
						? a->content->revision
						: t->revision;
	}
	planner_fact_set(c->planner, s->id, n->id, &fact);
	dirty_service(c, s);
	c->planner_stale = true;
}

void fleet_facts(struct control *c, struct node_record *n)
{
	for (size_t i = 0; i < n->assignments.len; i++)
		fleet_fact(c, n, n->assignments.items[i].service);
	struct arena scratch;
	arena_init(&scratch);
	for (uint32_t i = 0; n->observed_known && i < n->observed.task_count; i++) {
		const struct wire_task *t = &n->observed.tasks[i];
		struct service_state *s =
			map_get(c->services, service_key(&scratch, t->cluster, t->service));
		if (s && !node_assignment(n, s))
			fleet_fact(c, n, s);
	}
	arena_release(&scratch);
	dirty_node(c, n);
}

void fleet_service_facts(struct control *c, struct service_state *s)
{
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		if (node_assignment(n, s) || node_observed_task(n, s))
			fleet_fact(c, n, s);
	}
}

void fleet_starts(struct control *c)
{
	if (c->now_ms < c->starts_end_ms)
		return;
	c->starts_end_ms = INT64_MAX; /* found anew */
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		for (size_t i = 0; i < n->assignments.len; i++)
			if (n->assignments.items[i].starting)
				fleet_fact(c, n, n->assignments.items[i].service);
	}
}

/* --- life
 * ------------------------------------------------------------------------------------------- */

/* A service that no node matches is complete from now on. */
static void first_known(struct control *c)
{
	if (!c->nodes_ever_known)
		dirty_all_services(c);
	c->nodes_ever_known = true;
}

void fleet_alive(struct control *c, struct node_record *n, int64_t now_ms)
{
	bool changed = n->connection != CONNECTION_ALIVE || n->expired;
	first_known(c);
	n->connection = CONNECTION_ALIVE;
	n->last_beat_ms = now_ms;
	n->expired = false;
	if (changed)
		fleet_node_changed(c, n);
}

void control_beat(struct control *c, const char *node, uint64_t beat, int64_t now_ms)
{
	struct node_record *n = map_get(c->nodes, node);
	if (!n || !n->registered)
		return;
	bool moved = n->beat_known ? n->beat != beat : c->store_listed;
	n->beat_known = true;
	n->beat = beat;
	if (moved)
		fleet_alive(c, n, now_ms);
}

void control_second_beat(struct control *c, const char *node, uint64_t beat, int64_t now_ms)
{
	struct node_record *n = map_get(c->nodes, node);
	if (!n || !n->registered)
		return;
	bool moved = n->second_known ? n->second != beat : c->store_listed;
	n->second_known = true;
	n->second = beat;
	if (!moved)
		return;
	n->last_second_ms = now_ms;
	c->liveness_stale = true;
}

void control_beats_told(struct control *c, int64_t now_ms)
{
	bool gap = c->beats_at_ms && now_ms - c->beats_at_ms > BEATS_GAP_MS;
	size_t it = 0;
	void *value;
	while (gap && map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		if (n->connection != CONNECTION_LOST)
			n->last_beat_ms = 0;
	}
	c->liveness_stale |= gap;
	c->beats_at_ms = now_ms;
}

/* That it vanished counts for what it runs. One that was not heard of since the start may have been
 * counted by those before. */
static void count_vanished(struct control *c, struct node_record *n, bool was_heard)
{
	for (size_t i = 0; i < n->assignments.len; i++)
		n->assignments.items[i].vanished |= !was_heard;
	fleet_facts(c, n);
}

/* As of the last look. */
static void judge_silence(struct control *c, struct node_record *n, int64_t now_unix_ms)
{
	int64_t timeout = (int64_t)cluster_node_timeout(c, n->cluster) * 1000;
	int64_t expire = (int64_t)cluster_node_expire(c, n->cluster) * 1000;
	if (!n->last_beat_ms)
		n->last_beat_ms = c->beats_at_ms;
	int64_t silent = c->beats_at_ms - n->last_beat_ms;
	if (n->connection != CONNECTION_LOST) {
		if (silent < timeout) {
			earlier(&c->silence_at_ms, n->last_beat_ms + timeout);
			return;
		}
		bool was_heard = n->connection == CONNECTION_ALIVE;
		first_known(c);
		n->connection = CONNECTION_LOST;
		event_add(c, NULL, n->name, "WARN", "NODE_UNREACHABLE", now_unix_ms,
			  "(node %s) has sent no beat for %lld s; it keeps its tasks.", n->name,
			  (long long)(silent / 1000));
		fleet_node_changed(c, n);
		count_vanished(c, n, was_heard);
	}
	if (expire == 0 || n->expired)
		return;
	if (silent < expire) {
		earlier(&c->silence_at_ms, n->last_beat_ms + expire);
		return;
	}
	n->expired = true;
	fleet_node_changed(c, n);
}

static void judge_lag(struct control *c, struct node_record *n, int64_t now_ms)
{
	bool lags = node_lagging(n, now_ms);
	c->nodes_lagging += lags;
	if (n->behind_since_ms && !lags)
		earlier(&c->lag_at_ms, n->behind_since_ms + LAG_MS);
	if (lags == n->lag_told)
		return;
	n->lag_told = lags;
	dirty_node(c, n);
	for (size_t i = 0; i < n->assignments.len; i++)
		dirty_service(c, n->assignments.items[i].service);
}

/* They come and go, so it lasts a while. */
static void judge_conflict(struct control *c, struct node_record *n, int64_t now_ms,
			   int64_t now_unix_ms)
{
	bool before = n->name_conflict;
	int64_t end = n->last_second_ms + NAME_CONFLICT_MS;
	n->name_conflict = n->last_second_ms && now_ms < end;
	c->names_conflicting += n->name_conflict;
	if (n->name_conflict)
		earlier(&c->lag_at_ms, end);
	if (n->name_conflict == before)
		return;
	if (n->name_conflict)
		event_add(c, NULL, n->name, "WARN", "NODE_NAME_CONFLICT", now_unix_ms,
			  "(node %s) there are two agents of this name; the one that does not hold "
			  "it has ended, and says so in its own status.",
			  n->name);
	dirty_node(c, n);
	c->dirty_fleet = true;
}

int64_t fleet_liveness(struct control *c, int64_t now_ms, int64_t now_unix_ms)
{
	if (!c->store_listed)
		return INT64_MAX;
	if (!c->liveness_stale && now_ms < c->lag_at_ms && c->beats_at_ms < c->silence_at_ms)
		return c->lag_at_ms;
	c->nodes_unknown = c->nodes_lagging = c->names_conflicting = 0;
	c->lag_at_ms = c->silence_at_ms = INT64_MAX;
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		if (!n->registered)
			continue;
		judge_silence(c, n, now_unix_ms);
		judge_lag(c, n, now_ms);
		judge_conflict(c, n, now_ms, now_unix_ms);
		c->nodes_unknown += n->connection == CONNECTION_UNKNOWN;
	}
	c->liveness_stale = false;
	return c->lag_at_ms;
}

void fleet_retire(struct control *c)
{
	if (!c->nodes_gone)
		return;
	c->nodes_gone = false;
	size_t it = 0;
	const char *key;
	void *value;
	while (map_next(c->nodes, &it, &key, &value)) {
		struct node_record *n = value;
		if (n->registered || n->manifest || n->id == PLAN_NONE)
			continue;
		planner_node_remove(c->planner, n->id);
		status_gone(c, n);
		if (n->number) /* it may come back with what it knew */
			map_put(c->numbers, n->name, (void *)(uintptr_t)n->number);
		map_remove(c->dirty_nodes, key);
		map_remove(c->nodes, key);
		node_free(n);
	}
}
