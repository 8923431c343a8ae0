#include "control/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what is assigned
 * ------------------------------------------------------------------------------- */

static struct assignment *assignment_add(struct control *c, struct node_record *n,
					 const char *cluster, const char *service,
					 struct content *content, const char *deployment)
{
	struct assignment *a = vec_push(&n->assignments);
	*a = (struct assignment){ .service = service_get(c, cluster, service), .content = content };
	snprintf(a->deployment, sizeof(a->deployment), "%s", deployment ? deployment : "");
	return a;
}

static void drop_assignments(struct control *c, struct node_record *n)
{
	c->planner_stale |= n->assignments.len > 0;
	while (n->assignments.len > 0)
		fleet_fact(c, n, n->assignments.items[--n->assignments.len].service);
}

/* Of a service whose manifest is not known (yet): as it was rendered. */
static void service_as_rendered(struct service_state *s, const struct wire_desired_task *t)
{
	if (s->spec || s->id != PLAN_NONE)
		return;
	s->priority = t->priority;
	s->min_ready_seconds = t->min_ready_seconds;
	s->monitor_seconds = t->monitor_seconds;
	s->depends_on = (struct str_list){ .set = t->depends_on.set, .len = t->depends_on.len };
	s->depends_on.items = ARENA_ARRAY(&s->arena, const char *, t->depends_on.len + 1);
	for (uint32_t i = 0; i < t->depends_on.len; i++)
		s->depends_on.items[i] = arena_strdup(&s->arena, t->depends_on.items[i]);
}

static void assign_as_desired(struct control *c, struct node_record *n,
			      const struct wire_desired *d)
{
	for (uint32_t i = 0; i < d->task_count; i++) {
		const struct wire_desired_task *t = &d->tasks[i];
		struct content *content = content_as_rendered(c, t);
		images_take(content, &t->images);
		struct assignment *a =
			assignment_add(c, n, t->cluster, t->service, content, t->deployment);
		a->assigned_unix_ms = t->assigned_at_ms;
		a->assigned_number = t->assigned_number;
		a->replaces = t->replaces;
		a->broken_before = t->broken_before;
		a->surge = t->surge;
		service_as_rendered(a->service, t);
	}
}

static void assign_as_observed(struct control *c, struct node_record *n)
{
	static const struct digest none;
	for (uint32_t i = 0; i < n->observed.task_count; i++) {
		const struct wire_task *t = &n->observed.tasks[i];
		if (t->last_status == TASK_STOPPED || t->desired_status == TASK_STOPPED ||
		    node_assignment(n, service_get(c, t->cluster, t->service)))
			continue;
		struct content *content =
			content_get(c, t->family, t->revision, &none, &t->target, NULL);
		struct assignment *a =
			assignment_add(c, n, t->cluster, t->service, content, t->deployment);
		a->assigned_unix_ms = t->started_at_ms;
		a->assigned_number = n->observed.seen;
	}
}

/* What was in a document that cannot be read, or is gone, may have had a number that the agent has
 * acted on and has not told yet. */
#define LOST_NUMBERS 16

/*
 * Once after the start, or when a node comes back to a store that lost it: the desired document
 * tells what is assigned, unless it is lost or older than what the agent acts on. Then what runs
 * counts as assigned: replacing it is an update within the budget, never a fresh start, and never a
 * way back to what a restored backup says.
 */
static void settle(struct control *c, struct node_record *n)
{
	if (n->settled || !n->observed_known || !n->desired_known || !c->store_listed)
		return;
	n->settled = true;
	if (n->put_number && n->observed.seen <= n->put_number)
		return;
	drop_assignments(c, n);
	assign_as_observed(c, n);
	c->planner_stale = true; /* also of services that it has not been told of */
	n->put_digest = (struct digest){ 0 };
	if (n->observed.seen > 0)
		n->number += LOST_NUMBERS;
	n->dirty = n->observed.seen > 0 || n->assignments.len > 0;
	fleet_facts(c, n);
}

/* --- nodes/NODE
 * ------------------------------------------------------------------------------------- */

static void forget_assignments(struct control *c, struct node_record *n)
{
	n->observed_known = n->observed_once = n->settled = n->dirty = false;
	n->put_number = 0;
	n->put_digest = (struct digest){ 0 };
	n->behind_since_ms = 0;
	drop_assignments(c, n);
}

static void tell_observed_services(struct control *c, struct node_record *n,
				   const struct wire_observed *o)
{
	struct arena scratch;
	arena_init(&scratch);
	for (uint32_t i = 0; i < o->task_count; i++) {
		struct service_state *s =
			map_get(c->services,
				service_key(&scratch, o->tasks[i].cluster, o->tasks[i].service));
		if (s)
			fleet_fact(c, n, s);
	}
	arena_release(&scratch);
}

static void unregister(struct control *c, struct node_record *n)
{
	forget_assignments(c, n);
	if (!n->registered)
		return;
	tell_observed_services(c, n, &n->observed);
	n->registered = n->beat_known = n->second_known = n->name_conflict = false;
	n->connection = CONNECTION_UNKNOWN;
	n->last_beat_ms = n->last_second_ms = 0;
	n->registration = (struct wire_registration){ 0 };
	n->registration_digest = (struct digest){ 0 };
	arena_release(&n->registration_arena);
	fleet_node_changed(c, n);
}

/* Of another instance than the registered one it is void: of another life of that name. */
static bool observed_is_of_instance(const struct node_record *n)
{
	return n->registered && n->observed.instance &&
	       strcmp(n->observed.instance, n->registration.instance) == 0;
}

static void registration_told(struct control *c, struct node_record *n, const void *bytes,
			      size_t len, const char *why, int64_t now_ms)
{
	if (!bytes && !why) {
		unregister(c, n);
		return;
	}
	struct digest digest = bytes ? digest_of(bytes, len) : (struct digest){ 0 };
	if (n->registered && digest_equal(&digest, &n->registration_digest))
		return;
	struct arena arena;
	arena_init(&arena);
	struct wire_registration r;
	if (!bytes ||
	    wire_decode_registration(bytes, len, c->fleet, n->name, &arena, &r, NULL) != WIRE_OK) {
		arena_release(&arena); /* unknown: what was known stays */
		return;
	}
	bool other_instance = n->registered && strcmp(n->registration.instance, r.instance) != 0;
	bool other_session = !n->registered || strcmp(n->registration.session, r.session) != 0;
	struct arena old = n->registration_arena;
	n->registration_arena = arena;
	n->registration = r;
	n->registration_digest = digest;
	n->registered = true;
	if (other_instance) {
		n->observed_once = false;
		/* An update that was done is over; one under way the new one will see to. */
		for (size_t i = 0; i < n->assignments.len; i++)
			if (n->assignments.items[i].ready_since_ms)
				n->assignments.items[i].replaces = 0;
	}
	bool was_known = n->observed_known;
	n->observed_known = observed_is_of_instance(n);
	n->observed_once |= n->observed_known;
	if (other_session && c->store_listed)
		fleet_alive(c, n, now_ms);
	fleet_node_changed(c, n);
	if (other_instance || was_known != n->observed_known) {
		settle(c, n);
		tell_observed_services(c, n, &n->observed);
		fleet_facts(c, n);
	}
	arena_release(&old);
}

/* --- desired/NODE
 * ----------------------------------------------------------------------------------- */

/* At the start the store says what is assigned; later our own knowledge wins, under a higher
 * number. */
static void desired_told(struct control *c, struct node_record *n, const void *bytes, size_t len)
{
	struct arena scratch;
	arena_init(&scratch);
	struct wire_desired d = { 0 };
	bool read = bytes && wire_decode_desired(bytes, len, c->fleet, n->name, &scratch, &d,
						 NULL) == WIRE_OK;
	bool first = !n->desired_known;
	n->desired_known = true;
	if (read && d.number > n->number)
		n->number = d.number;
	if (first && bytes && !read)
		n->number += LOST_NUMBERS;
	if (first && read) {
		assign_as_desired(c, n, &d);
		n->put_number = d.number;
		n->put_digest = render_digest(&d);
		settle(c, n);
		fleet_node_changed(c, n);
		fleet_facts(c, n);
	} else if (!first && n->put_number && (!read || d.number < n->put_number)) {
		n->put_digest = (struct digest){ 0 }; /* gone, garbled, or an older one is back */
		n->dirty = true;
	}
	arena_release(&scratch);
}

/* --- observed/NODE
 * ---------------------------------------------------------------------------------- */

static bool failed_in(const struct wire_observed *o, const struct wire_task *like)
{
	for (uint32_t i = 0; i < o->task_count; i++)
		if (o->tasks[i].failed && strcmp(o->tasks[i].service, like->service) == 0 &&
		    strcmp(o->tasks[i].cluster, like->cluster) == 0)
			return true;
	return false;
}

static void tell_failures(struct control *c, struct node_record *n,
			  const struct wire_observed *before)
{
	struct arena scratch;
	arena_init(&scratch);
	for (uint32_t i = 0; i < n->observed.task_count; i++) {
		const struct wire_task *t = &n->observed.tasks[i];
		struct service_state *s =
			map_get(c->services, service_key(&scratch, t->cluster, t->service));
		if (s && t->failed && !failed_in(before, t))
			event_add(c, s, n->name, "WARN", "SERVICE_TASK_START_IMPAIRED",
				  c->now_unix_ms,
				  "(service %s) is unable to consistently start tasks "
				  "successfully on (node %s): %s",
				  s->name, n->name, task_failure(n, t));
	}
	arena_release(&scratch);
}

void fleet_behind(struct control *c, struct node_record *n, int64_t now_ms)
{
	if (n->settled && n->put_number && n->observed.seen > n->put_number && !n->put_pending) {
		n->put_digest = (struct digest){ 0 }; /* the store went back: above it, again */
		n->dirty = true;
	}
	if (!n->put_number || (n->observed_known && n->observed.seen >= n->put_number))
		n->behind_since_ms = 0;
	else if (!n->behind_since_ms)
		n->behind_since_ms = now_ms;
	c->liveness_stale = true;
}

static void observed_replace(struct control *c, struct node_record *n,
			     const struct wire_observed *o, struct arena *arena, int64_t now_ms)
{
	bool had = n->observed_known, once = n->observed_once;
	struct wire_observed before = n->observed;
	struct arena before_arena = n->observed_arena;
	n->observed = *o;
	n->observed_arena = *arena;
	n->observed_known = observed_is_of_instance(n);
	n->observed_once |= n->observed_known;
	uint64_t known = n->put_number || n->dirty ? n->number : 0;
	if (!n->put_pending && o->seen > known)
		n->settled = false; /* it goes by a document that was lost, and none of ours */
	if (o->seen > n->number)
		n->number = o->seen;
	if (n->observed_known && c->store_listed && had)
		fleet_alive(c, n, now_ms);
	if (n->observed_known && had)
		tell_failures(c, n, &before);
	settle(c, n);
	if (n->observed_known)
		images_learn(c, n);
	fleet_behind(c, n, now_ms);
	if (!once && n->observed_once)
		fleet_node_changed(c, n);
	if (had) /* some may not be reported any more */
		tell_observed_services(c, n, &before);
	fleet_facts(c, n);
	arena_release(&before_arena);
}

static void observed_told(struct control *c, struct node_record *n, const void *bytes, size_t len,
			  const char *why, int64_t now_ms)
{
	struct digest digest = bytes ? digest_of(bytes, len) : (struct digest){ 0 };
	bool same = bytes ? digest_equal(&digest, &n->observed_digest)
			  : n->observed_why != NULL || !n->observed.instance;
	if (same && (bytes ? !n->observed_why : !why))
		return;
	struct arena arena;
	arena_init(&arena);
	struct wire_observed o = { 0 };
	struct err err = { 0 };
	bool read = bytes && wire_decode_observed(bytes, len, c->fleet, n->name, &arena, &o,
						  &err) == WIRE_OK;
	free(n->observed_why);
	n->observed_why = NULL;
	if (read) {
		n->observed_digest = digest;
		observed_replace(c, n, &o, &arena, now_ms);
		return;
	}
	arena_release(&arena);
	/* Unknown, gone too: the last one stays. */
	n->observed_why = xstrdup(why ? why : bytes ? err.text : "is gone");
	dirty_node(c, n);
}

/* ---------------------------------------------------------------------------------------------- */

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

/* Numbers in use that the ledger lacks: it was lost, or an old one is back. */
static void find_ledger_gaps(struct control *c)
{
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		const struct node_record *n = value;
		for (size_t i = 0; i < n->assignments.len; i++) {
			const struct content *content = n->assignments.items[i].content;
			c->needs_history |= ledger_lacks(c, content->family, content->revision);
		}
		for (uint32_t i = 0; n->observed_known && i < n->observed.task_count; i++)
			c->needs_history |= ledger_lacks(c, n->observed.tasks[i].family,
							 n->observed.tasks[i].revision);
	}
}

uint64_t control_look(const struct control *c)
{
	return c->looks;
}

bool control_synced(const struct control *c)
{
	return c->store_listed && c->looks_told == c->looks;
}

void control_nodes_told(struct control *c, uint64_t look)
{
	if (look <= c->looks_told)
		return;
	c->looks_told = look;
	dirty_all_services(c); /* whether they are completed can be told now */
	c->dirty_fleet = true;
}

void control_store_listed(struct control *c)
{
	c->store_listed = true;
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		n->desired_known = true;
		settle(c, n);
		fleet_node_changed(c, n);
		fleet_facts(c, n);
	}
	find_ledger_gaps(c);
	c->dirty_fleet = true;
}
