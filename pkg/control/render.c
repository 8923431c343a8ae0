#include "control/internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assignment_remove(struct node_record *n, const struct service_state *s)
{
	for (size_t i = 0; i < n->assignments.len; i++) {
		if (n->assignments.items[i].service != s)
			continue;
		memmove(&n->assignments.items[i], &n->assignments.items[i + 1],
			(n->assignments.len - i - 1) * sizeof(*n->assignments.items));
		n->assignments.len--;
		return;
	}
}

static struct assignment *assignment_of(struct node_record *n, struct service_state *s)
{
	struct assignment *a = (struct assignment *)node_assignment(n, s);
	return a ? a : vec_push(&n->assignments);
}

/* "(service X) has started 2 tasks: (node a) (node b)." at most so many are named */
#define NODES_NAMED_MAX 10

struct tally {
	uint32_t count[3];
	struct buf nodes[3];
};

static void tell_tally(struct control *c, struct service_state *s, struct tally *t,
		       int64_t now_unix_ms)
{
	static const char *const verbs[] = { [PLAN_START] = "started",
					     [PLAN_UPDATE] = "begun to replace",
					     [PLAN_STOP] = "stopped" };
	for (int kind = 0; kind < 3; kind++) {
		if (t->count[kind])
			event_add(c, s, NULL, "INFO", "SERVICE_TASKS_CHANGED", now_unix_ms,
				  "(service %s) has %s %u tasks:%s%s.", s->name, verbs[kind],
				  t->count[kind], buf_str(&t->nodes[kind]),
				  t->count[kind] > NODES_NAMED_MAX ? " ..." : "");
		buf_release(&t->nodes[kind]);
	}
}

void render_changes(struct control *c, const struct plan_result *plan, int64_t now_unix_ms)
{
	struct map *tallies = map_new();
	for (size_t i = 0; i < plan->change_count; i++) {
		const struct plan_change *change = &plan->changes[i];
		const struct plan_service *ps = planner_service(c->planner, change->service);
		const struct plan_node *pn = planner_node(c->planner, change->node);
		struct arena scratch;
		arena_init(&scratch);
		struct service_state *s =
			map_get(c->services, service_key(&scratch, ps->cluster, ps->name));
		struct node_record *n = map_get(c->nodes, pn->name);
		arena_release(&scratch);
		struct tally *tally = map_get(tallies, s->key);
		if (!tally) {
			tally = xcalloc(1, sizeof(*tally));
			map_put(tallies, s->key, tally);
		}
		if (++tally->count[change->kind] <= NODES_NAMED_MAX)
			buf_addf(&tally->nodes[change->kind], " (node %s)", n->name);
		if (change->kind == PLAN_STOP) {
			assignment_remove(n, s);
			if (change->reason == PLAN_CONSTRAINT ||
			    change->reason == PLAN_OTHER_CLUSTER)
				rollout_count_stop(c, s);
			if (change->reason == PLAN_CONSTRAINT)
				event_add(c, s, n->name, "ERROR",
					  "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED",
					  now_unix_ms,
					  "(service %s) (node %s) no longer meets the placement "
					  "constraints; its task is stopped.",
					  s->name, n->name);
		} else {
			struct assignment *a = assignment_of(n, s);
			struct content *content = release_content(s->current, &change->target);
			const struct deployment *d = content ? &s->primary : &s->previous;
			if (!content)
				content = release_content(s->completed, &change->target);
			assert(content);
			*a = (struct assignment){ .service = s,
						  .content = content,
						  .assigned_unix_ms = now_unix_ms,
						  .replaces = change->replaces,
						  .broken_before = change->broken_before,
						  .surge = change->surge,
						  .assigned_ms = c->now_ms,
						  .failures_known = true };
			a->starting = fleet_is_starting(c, s, a, NULL); /* as the planner has it */
			snprintf(a->deployment, sizeof(a->deployment), "%s", d->id);
		}
		n->dirty = true;
		dirty_node(c, n);
		dirty_service(c, s);
	}
	size_t it = 0;
	const char *key;
	void *value;
	while (map_next(tallies, &it, &key, &value)) {
		tell_tally(c, map_get(c->services, key), value, now_unix_ms);
		free(value);
	}
	map_free(tallies);
}

/* Priority descending, then by name; as the planner's. */
static int by_priority(const void *a, const void *b)
{
	const struct service_state *x = ((const struct assignment *)a)->service,
				   *y = ((const struct assignment *)b)->service;
	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	int order = strcmp(x->cluster, y->cluster);
	return order ? order : strcmp(x->name, y->name);
}

static bool depends_on(const struct service_state *s, const struct service_state *other)
{
	bool found = false;
	for (uint32_t i = 0; i < s->depends_on.len; i++)
		found |= strcmp(s->depends_on.items[i], other->name) == 0;
	return found && strcmp(s->cluster, other->cluster) == 0;
}

struct start_order {
	struct assignment *from, *to;
	bool *taken;
	size_t count, done;
};

/* What it depends on first, whatever its priority is. */
static void take_in_order(struct start_order *o, size_t i)
{
	if (o->taken[i])
		return;
	o->taken[i] = true;
	for (size_t k = 0; k < o->count; k++)
		if (depends_on(o->from[i].service, o->from[k].service))
			take_in_order(o, k);
	o->to[o->done++] = o->from[i];
}

/* The order in which they start; they stop in its reverse. */
static void sort_for_start(struct node_record *n, struct arena *arena)
{
	size_t count = n->assignments.len;
	if (!count)
		return;
	qsort(n->assignments.items, count, sizeof(*n->assignments.items), by_priority);
	struct start_order o = { .from = ARENA_ARRAY(arena, struct assignment, count),
				 .to = n->assignments.items,
				 .taken = ARENA_ARRAY(arena, bool, count),
				 .count = count };
	memcpy(o.from, o.to, count * sizeof(*o.from));
	for (size_t i = 0; i < count; i++)
		take_in_order(&o, i);
}

static bool all_contents_known(struct control *c, const struct node_record *n)
{
	for (size_t i = 0; i < n->assignments.len; i++)
		if (!content_complete(c, n->assignments.items[i].content,
				      n->assignments.items[i].service))
			return false;
	return true;
}

const struct task_definition *render_definition(const struct control *c,
						const struct service_state *s,
						const struct content *content, struct arena *arena)
{
	return cluster_task_definition(map_get(c->clusters, s->cluster), content->definition,
				       arena);
}

static struct wire_desired document_of(const struct control *c, struct node_record *n,
				       struct arena *arena)
{
	sort_for_start(n, arena);
	struct wire_desired doc = { .fleet = c->fleet,
				    .node = n->name,
				    .cluster = n->cluster,
				    .attributes = n->attributes,
				    .tasks = ARENA_ARRAY(arena, struct wire_desired_task,
							 n->assignments.len + 1) };
	for (size_t i = 0; i < n->assignments.len; i++) {
		const struct assignment *a = &n->assignments.items[i];
		const struct service_state *s = a->service;
		doc.tasks[doc.task_count++] = (struct wire_desired_task){
			.cluster = s->cluster,
			.service = s->name,
			.family = a->content->family,
			.revision = a->content->revision,
			.target = a->content->target,
			.deployment = a->deployment,
			.assigned_at_ms = a->assigned_unix_ms,
			.assigned_number = a->assigned_number,
			.replaces = a->replaces,
			.broken_before = a->broken_before,
			.priority = s->priority,
			.depends_on = s->depends_on,
			.min_ready_seconds = s->min_ready_seconds,
			.monitor_seconds = s->monitor_seconds,
			.surge = a->surge,
			.task_definition = render_definition(c, s, a->content, arena),
			.images = a->content->images,
		};
	}
	return doc;
}

struct digest render_digest(const struct wire_desired *doc)
{
	struct wire_desired plain = *doc;
	struct buf bytes = { 0 };
	plain.number = 0;
	wire_encode_desired(&plain, &bytes);
	struct digest digest = digest_of(bytes.data, bytes.len);
	buf_release(&bytes);
	return digest;
}

/* A document that would say the same is not put: what is dirty has only perhaps changed. */
static void render_node(struct control *c, struct node_record *n, struct control_effects *out,
			struct arena *arena)
{
	n->dirty = false;
	struct wire_desired doc = document_of(c, n, arena);
	struct digest digest = render_digest(&doc);
	if (digest_equal(&digest, &n->put_digest) || (!n->number && !doc.task_count))
		return; /* nor is an empty one, where there never was another */
	doc.number = ++n->number;
	bool fresh = false;
	for (uint32_t i = 0; i < doc.task_count; i++) {
		struct assignment *a = &n->assignments.items[i];
		fresh |= !a->assigned_number;
		if (!a->assigned_number)
			a->assigned_number = doc.tasks[i].assigned_number = n->number;
	}
	struct buf bytes = { 0 };
	wire_encode_desired(&doc, &bytes);
	struct control_effect *effect = vec_push(&out->items);
	effect->kind = EFFECT_PUT;
	effect->key = arena_printf(arena, "desired/%s", n->name);
	effect->bytes = arena_strndup(arena, bytes.data, bytes.len);
	effect->len = bytes.len;
	buf_release(&bytes);
	n->settled = true;
	n->put_pending = n->number;
	n->pending_digest = fresh ? render_digest(&doc) : digest;
}

/* What nobody knows the content of cannot be rendered. On a node that drains, it would have to go
 * last and holds up what goes first: it goes with that. */
static void let_go(struct control *c, struct node_record *n)
{
	if (n->state != NODE_DRAINING || control_needs_history(c))
		return;
	for (size_t i = n->assignments.len; i-- > 0;) {
		struct service_state *s = n->assignments.items[i].service;
		bool stays = s->suspend || s->kept || s->stalled || !s->keep_on_drain;
		if (stays || content_complete(c, n->assignments.items[i].content, s))
			continue;
		assignment_remove(n, s);
		fleet_fact(c, n, s);
	}
}

void render_nodes(struct control *c, int64_t now_ms, struct control_effects *out,
		  struct arena *arena)
{
	if (!c->store_open || !c->applied.id[0] || now_ms < c->retry_at_ms)
		return;
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		if (!n->dirty || !node_ready_for_puts(n))
			continue;
		let_go(c, n);
		if (all_contents_known(c, n))
			render_node(c, n, out, arena);
	}
}
