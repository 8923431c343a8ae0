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
		n->adopt = true;
		n->cluster = DEFAULT_CLUSTER;
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
		n->dirty = n->assignments.len > 0 || n->dirty; /* MUSTER_ATTRIBUTE_* of new tasks */
	}
	n->state = effective_state(n);
	const char *cluster = n->manifest && n->manifest->cluster	 ? n->manifest->cluster
			      : n->registered && n->registration.cluster ? n->registration.cluster
									 : DEFAULT_CLUSTER;
	if (strcmp(cluster, n->cluster) != 0)
		n->dirty = true;
	n->cluster = intern_str(c->intern, intern_add(c->intern, cluster));
	if (n->registered || n->manifest || n->id != PLAN_NONE)
		plan_node_tell(c, n);
	dirty_node(c, n);
	c->dirty_fleet = c->planner_stale = true;
}

/* --- (service, node) facts
 * ------------------------------------------------------------------------- */

static enum plan_seen seen_of(const struct wire_task *t)
{
	if (t->failed)
		return PLAN_SEEN_FAILED;
	if (t->last_status == TASK_RUNNING)
		return t->health == HEALTH_UNHEALTHY ? PLAN_SEEN_FAILED
		       : t->ready		     ? PLAN_SEEN_READY
						     : PLAN_SEEN_RUNNING;
	return t->last_status == TASK_STOPPED ? PLAN_SEEN_NONE : PLAN_SEEN_PENDING;
}

void fleet_fact(struct control *c, struct node_record *n, struct service_state *s)
{
	if (n->id == PLAN_NONE || s->id == PLAN_NONE)
		return;
	const struct assignment *a = node_assignment(n, s);
	const struct wire_task *t = node_observed_task(n, s);
	struct plan_fact fact = { 0 };
	if (a) {
		fact.assigned = a->content->target;
		fact.assigned_revision = a->content->revision;
		fact.replaces = a->replaces;
		fact.broken_before = a->broken_before;
		fact.acknowledged = n->observed_known && a->assigned_number &&
				    n->observed.seen >= a->assigned_number;
	}
	if (t) {
		fact.seen = seen_of(t);
		fact.running = t->target;
		fact.running_revision = t->revision;
	}
	planner_fact_set(c->planner, s->id, n->id, &fact);
	dirty_service(c, s);
	c->planner_stale = true;
}

static void observed_services(struct control *c, const struct wire_observed *o,
			      struct service_state **out)
{
	struct arena scratch;
	arena_init(&scratch);
	for (uint32_t i = 0; i < o->task_count; i++)
		out[i] = map_get(c->services,
				 service_key(&scratch, o->tasks[i].cluster, o->tasks[i].service));
	arena_release(&scratch);
}

void fleet_facts(struct control *c, struct node_record *n)
{
	for (size_t i = 0; i < n->assignments.len; i++)
		fleet_fact(c, n, n->assignments.items[i].service);
	uint32_t count = n->observed_known ? n->observed.task_count : 0;
	struct service_state **services = xcalloc(count, sizeof(struct service_state *));
	if (count)
		observed_services(c, &n->observed, services);
	for (uint32_t i = 0; i < count; i++)
		if (services[i] && !node_assignment(n, services[i]))
			fleet_fact(c, n, services[i]);
	free(services);
	dirty_node(c, n);
}

/* --- registration
 * ---------------------------------------------------------------------------------- */

static void alive(struct control *c, struct node_record *n, int64_t now_ms)
{
	c->nodes_ever_alive = true;
	n->connection = CONNECTION_ALIVE;
	n->last_beat_ms = now_ms;
	n->expired = false;
}

static void forget_assignments(struct control *c, struct node_record *n)
{
	n->observed_known = n->observed_once = false;
	while (n->assignments.len > 0) {
		struct service_state *s = n->assignments.items[--n->assignments.len].service;
		fleet_fact(c, n, s);
	}
	n->adopt = true;
	n->put_number = 0;
	n->behind_since_ms = 0;
	n->dirty = false;
}

static void unregister(struct control *c, struct node_record *n)
{
	if (!n->registered)
		return;
	uint32_t count = n->observed_known ? n->observed.task_count : 0;
	struct service_state **services = xcalloc(count, sizeof(struct service_state *));
	if (count)
		observed_services(c, &n->observed, services);
	forget_assignments(c, n);
	for (uint32_t i = 0; i < count; i++)
		if (services[i])
			fleet_fact(c, n, services[i]);
	free(services);
	n->registered = false;
	n->connection = CONNECTION_UNKNOWN;
	n->registration = (struct wire_registration){ 0 };
	arena_release(&n->registration_arena);
	n->beat_known = false;
	fleet_node_changed(c, n);
	if (!n->manifest && n->id != PLAN_NONE) {
		planner_node_remove(c->planner, n->id);
		n->id = PLAN_NONE;
	}
	struct removed_status *gone = vec_push(&c->removed_status);
	struct arena scratch;
	arena_init(&scratch);
	*gone = (struct removed_status){ .kind = EFFECT_STATUS_NODE,
					 .key = xstrdup(
						 service_key(&scratch, n->cluster, n->name)) };
	arena_release(&scratch);
}

static void registration_told(struct control *c, struct node_record *n, const void *bytes,
			      size_t len, const char *why, int64_t now_ms)
{
	if (!bytes && !why) {
		unregister(c, n);
		return;
	}
	struct arena arena;
	arena_init(&arena);
	struct wire_registration r;
	struct err err;
	if (!bytes ||
	    wire_decode_registration(bytes, len, c->fleet, n->name, &arena, &r, &err) != WIRE_OK) {
		arena_release(&arena); /* unknown: what was known stays */
		return;
	}
	bool other_instance = n->registered && strcmp(n->registration.instance, r.instance) != 0;
	bool other_session = !n->registered || strcmp(n->registration.session, r.session) != 0;
	arena_release(&n->registration_arena);
	n->registration_arena = arena;
	n->registration = r;
	n->registered = true;
	if (other_instance) {
		n->observed_known = false;
		fleet_facts(c, n);
		n->dirty = true;
	}
	if (other_session && c->store_listed)
		alive(c, n, now_ms);
	if (n->observed.instance && strcmp(n->observed.instance, r.instance) != 0)
		n->observed_known = false;
	fleet_node_changed(c, n);
}

/* --- desired and observed
 * -------------------------------------------------------------------------- */

static struct assignment *assignment_add(struct control *c, struct node_record *n,
					 const char *cluster, const char *service,
					 struct content *content)
{
	struct assignment *a = vec_push(&n->assignments);
	*a = (struct assignment){ .service = service_get(c, cluster, service), .content = content };
	return a;
}

/* What the store says is assigned, at start. Later our own knowledge wins, under a higher number.
 */
static void desired_told(struct control *c, struct node_record *n, const void *bytes, size_t len)
{
	struct arena scratch;
	arena_init(&scratch);
	struct wire_desired d = { 0 };
	struct err err;
	bool read = bytes && wire_decode_desired(bytes, len, c->fleet, n->name, &scratch, &d,
						 &err) == WIRE_OK;
	bool first = !n->desired_known;
	bool went_back = !read || d.number < n->put_number;
	n->desired_known = true;
	if (read && d.number > n->number)
		n->number = d.number;
	if (first && read && n->assignments.len == 0) {
		for (uint32_t i = 0; i < d.task_count; i++) {
			const struct wire_desired_task *t = &d.tasks[i];
			struct digest digest = task_definition_digest(t->task_definition);
			struct content *content = content_get(c, t->family, t->revision, &digest,
							      &t->target, t->task_definition);
			struct assignment *a =
				assignment_add(c, n, t->cluster, t->service, content);
			snprintf(a->deployment, sizeof(a->deployment), "%s",
				 t->deployment ? t->deployment : "");
			a->assigned_unix_ms = t->assigned_at_ms;
			a->assigned_number = t->assigned_number;
			a->replaces = t->replaces;
			a->broken_before = t->broken_before;
		}
		n->adopt = false;
		n->put_number = d.number;
	} else if (n->assignments.len > 0 && (went_back || n->put_failed)) {
		n->dirty = true;
	}
	n->put_failed = false;
	arena_release(&scratch);
	if (first)
		fleet_node_changed(c, n);
	fleet_facts(c, n);
}

/* Nothing is known to be assigned, but tasks run: they count as assigned, so that replacing them is
 * an update within the budget and never a fresh start. */
static void adopt_observed(struct control *c, struct node_record *n)
{
	if (!n->adopt || !n->observed_known || !n->desired_known || !c->store_listed)
		return;
	n->adopt = false;
	for (uint32_t i = 0; i < n->observed.task_count; i++) {
		const struct wire_task *t = &n->observed.tasks[i];
		if (t->last_status == TASK_STOPPED || t->desired_status == TASK_STOPPED)
			continue;
		struct digest none = { 0 };
		struct content *content =
			content_get(c, t->family, t->revision, &none, &t->target, NULL);
		struct service_state *s = service_get(c, t->cluster, t->service);
		if (node_assignment(n, s))
			continue;
		struct assignment *a = assignment_add(c, n, t->cluster, t->service, content);
		snprintf(a->deployment, sizeof(a->deployment), "%s",
			 t->deployment ? t->deployment : "");
		a->assigned_number = n->observed.seen;
	}
}

static void tell_failures(struct control *c, struct node_record *n,
			  const struct wire_observed *before)
{
	for (uint32_t i = 0; i < n->observed.task_count; i++) {
		const struct wire_task *t = &n->observed.tasks[i];
		bool failed_before = false;
		for (uint32_t k = 0; before && k < before->task_count; k++)
			if (strcmp(before->tasks[k].service, t->service) == 0 &&
			    strcmp(before->tasks[k].cluster, t->cluster) == 0)
				failed_before |= before->tasks[k].failed;
		struct arena scratch;
		arena_init(&scratch);
		struct service_state *s =
			map_get(c->services, service_key(&scratch, t->cluster, t->service));
		arena_release(&scratch);
		if (t->failed && !failed_before && s)
			event_add(c, s, n->name, "WARN", "SERVICE_TASK_START_IMPAIRED",
				  c->now_unix_ms,
				  "(service %s) is unable to consistently start tasks "
				  "successfully on (node %s): %s",
				  s->name, n->name, t->reason ? t->reason : "the task stopped");
	}
}

static void observed_told(struct control *c, struct node_record *n, const void *bytes, size_t len,
			  const char *why, int64_t now_ms)
{
	bool first = !n->observed_once;
	struct arena arena;
	arena_init(&arena);
	struct wire_observed o = { 0 };
	struct err err = { 0 };
	struct digest digest = bytes ? digest_of(bytes, len) : (struct digest){ 0 };
	if (bytes && n->observed_known && digest_equal(&digest, &n->observed_digest))
		return;
	bool read = bytes && wire_decode_observed(bytes, len, c->fleet, n->name, &arena, &o,
						  &err) == WIRE_OK;
	free(n->observed_why);
	n->observed_why = NULL;
	if (!read && (bytes || why)) { /* unknown: the last one stays */
		n->observed_why = xstrdup(why ? why : err.text);
		arena_release(&arena);
		dirty_node(c, n);
		return;
	}
	n->observed_once = true;
	bool had = n->observed_known;
	if (read && n->registered && strcmp(o.instance, n->registration.instance) != 0)
		read = false; /* of another life of that name; its number counts all the same */
	if (o.seen > n->number) {
		n->number = o.seen;
		n->dirty = true; /* the store went back: put again, above it */
	}
	struct wire_observed before = n->observed;
	struct arena before_arena = n->observed_arena;
	n->observed = o;
	n->observed_arena = arena;
	n->observed_known = read;
	n->observed_digest = digest;
	if (had && read && c->store_listed)
		alive(c, n, now_ms);
	if (read)
		tell_failures(c, n, had ? &before : NULL);
	adopt_observed(c, n);
	if (n->put_number && read && o.seen < n->put_number) {
		if (!n->behind_since_ms)
			n->behind_since_ms = now_ms;
	} else {
		n->behind_since_ms = 0;
	}
	if (first)
		fleet_node_changed(c, n);
	/* Services that were reported before and are not any more. */
	for (uint32_t i = 0; had && i < before.task_count; i++) {
		struct arena scratch;
		arena_init(&scratch);
		struct service_state *s =
			map_get(c->services, service_key(&scratch, before.tasks[i].cluster,
							 before.tasks[i].service));
		arena_release(&scratch);
		if (s)
			fleet_fact(c, n, s);
	}
	arena_release(&before_arena);
	fleet_facts(c, n);
}

void fleet_document(struct control *c, const char *kind, const char *node, const void *bytes,
		    size_t len, const char *why, int64_t now_ms)
{
	bool absent = !bytes && !why;
	if (!name_valid(node) || (absent && !map_get(c->nodes, node)))
		return;
	struct node_record *n = node_get(c, node);
	if (strcmp(kind, "nodes") == 0)
		registration_told(c, n, bytes, len, why, now_ms);
	else if (strcmp(kind, "desired") == 0)
		desired_told(c, n, bytes, len);
	else if (strcmp(kind, "observed") == 0)
		observed_told(c, n, bytes, len, why, now_ms);
}

void control_store_listed(struct control *c)
{
	c->store_listed = true;
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		/* Looked for, and not there. */
		n->observed_once |= !n->observed_why;
		n->desired_known = true;
		adopt_observed(c, n);
		fleet_node_changed(c, n);
		fleet_facts(c, n);
	}
	c->dirty_fleet = true;
}

void control_beat(struct control *c, const char *node, uint64_t beat, int64_t now_ms)
{
	struct node_record *n = map_get(c->nodes, node);
	if (!n)
		return;
	bool moved = n->beat_known ? n->beat != beat : c->store_listed;
	n->beat_known = true;
	n->beat = beat;
	if (!moved)
		return;
	bool changed = n->connection != CONNECTION_ALIVE || n->expired;
	alive(c, n, now_ms);
	if (changed) {
		fleet_node_changed(c, n);
		fleet_facts(c, n);
	}
}

int64_t fleet_liveness(struct control *c, int64_t now_ms, int64_t now_unix_ms)
{
	int64_t wake = INT64_MAX;
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		if (!n->registered)
			continue;
		int64_t timeout = (int64_t)cluster_node_timeout(c, n->cluster) * 1000;
		int64_t expire = (int64_t)cluster_node_expire(c, n->cluster) * 1000;
		int64_t silent = now_ms - n->last_beat_ms;
		int64_t next = INT64_MAX;
		if (n->connection == CONNECTION_ALIVE && silent >= timeout) {
			n->connection = CONNECTION_LOST;
			event_add(c, NULL, n->name, "WARN", "NODE_UNREACHABLE", now_unix_ms,
				  "(node %s) has sent no beat for %lld s; it keeps its tasks.",
				  n->name, (long long)(silent / 1000));
			fleet_node_changed(c, n);
			fleet_facts(c, n);
		} else if (n->connection == CONNECTION_ALIVE) {
			next = n->last_beat_ms + timeout;
		}
		if (n->connection == CONNECTION_LOST && expire > 0 && !n->expired) {
			next = n->last_beat_ms + expire;
			if (silent >= expire) {
				n->expired = true;
				next = INT64_MAX;
				fleet_node_changed(c, n);
				fleet_facts(c, n);
			}
		}
		if (n->behind_since_ms) {
			int64_t due = n->behind_since_ms + LAG_MS;
			if (due > now_ms && due < next)
				next = due;
			else if (due <= now_ms && !n->lag_told) {
				n->lag_told = true;
				dirty_node(c, n);
				c->dirty_fleet = true;
			}
		} else {
			n->lag_told = false;
		}
		if (next < wake)
			wake = next;
	}
	return wake;
}
