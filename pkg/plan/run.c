#include "plan/internal.h"

/* A node that vanished with an update in flight: its slot may be free now. */
static void expire(struct planner *p)
{
	if (p->now_ms < p->expires_at_ms)
		return;
	p->expires_at_ms = INT64_MAX; /* found anew while they are placed */
	for (size_t i = 0; i < p->node_order.len; i++) {
		struct node *n = &p->nodes.items[p->node_order.items[i]];
		if (n->spec.reachable || n->dirty)
			continue;
		n->dirty = DIRTY_FIT;
		*vec_push(&p->dirty_nodes) = p->node_order.items[i];
	}
}

/* Of a node of another cluster nothing is asked: it is not placed there. */
static void ask(struct planner *p, struct service *s, struct node *n)
{
	struct cell *c = cell_at(p, n, s);
	if (s->cluster == n->cluster) {
		c->truth = place_truth(p, s, n);
		goal_ask(p, s, n, c);
	} else {
		c->current = c->completed = c->where = 0;
	}
}

/* Ask the constraints of the dirty services, or of all. */
static void ask_constraints(struct planner *p, struct node *n, bool all)
{
	for (size_t i = 0; i < p->service_order.len; i++) {
		struct service *s = &p->services.items[p->service_order.items[i]];
		if (all || s->dirty)
			ask(p, s, n);
	}
}

static void refresh_dirty_node(struct planner *p, struct node *n)
{
	if (n->dirty == DIRTY_ALL) {
		if (!n->lost)
			n->gone_at_ms = -1;
		else if (n->gone_at_ms < 0)
			n->gone_at_ms = p->now_ms;
		ask_constraints(p, n, true);
	}
	n->dirty = DIRTY_NOT;
	place_node(p, n);
}

static void refresh_dirty_nodes(struct planner *p)
{
	for (size_t i = 0; i < p->dirty_nodes.len; i++) {
		struct node *n = &p->nodes.items[p->dirty_nodes.items[i]];
		if (n->used && n->dirty)
			refresh_dirty_node(p, n);
	}
	p->dirty_nodes.len = 0;
}

static bool any_ports(const struct release *r)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < r->count; i++)
		count += r->variants[i].spec->resources.tcp_count +
			 r->variants[i].spec->resources.udp_count;
	return count > 0;
}

/* A service changed: all nodes; those that changed too were asked for all of their services. */
static void refresh_services(struct planner *p)
{
	struct service *only = NULL;
	for (size_t i = 0; i < p->service_order.len; i++) {
		struct service *s = &p->services.items[p->service_order.items[i]];
		if (s->dirty)
			only = s;
	}
	if (p->dirty_services != 1)
		only = NULL;
	for (size_t i = 0; i < p->nodes.len; i++) { /* as they lie in memory */
		struct node *n = &p->nodes.items[i];
		if (!n->used)
			continue;
		if (n->dirty == DIRTY_FIT)
			ask_constraints(p, n, false);
		if (n->dirty) {
			refresh_dirty_node(p, n);
		} else if (only) {
			ask(p, only, n);
			place_cell(p, n, only);
		} else {
			ask_constraints(p, n, false);
			place_node(p, n);
		}
	}
	p->dirty_nodes.len = 0;
	for (size_t i = 0; i < p->service_order.len; i++) {
		struct service *s = &p->services.items[p->service_order.items[i]];
		s->dirty = false;
		s->taken = s->need;
		s->was_uniform = s->uniform;
		s->has_ports = any_ports(&s->current) || any_ports(&s->completed);
	}
	p->dirty_services = 0;
}

/* --- the answer ------------------------------------------------------------------------------ */

static struct plan_change *emit_node(struct planner *p, plan_node_id id, struct plan_change *out)
{
	const struct node *n = &p->nodes.items[id];
	for (size_t i = 0; i < p->changed.len; i++) {
		plan_service_id service = p->changed.items[i];
		struct cell *c = &n->cells[service];
		if (!c->change)
			continue;
		*out = (struct plan_change){ .kind = c->change - 1,
					     .service = service,
					     .node = id };
		if (out->kind == PLAN_STOP)
			out->reason = place_may_stay(&p->services.items[service], n, c);
		if (out->kind != PLAN_STOP) {
			const struct target *t =
				target_at(&p->services.items[service], c->assigned);
			out->target = t->digest;
			out->revision = t->revision;
		}
		if (out->kind == PLAN_UPDATE) {
			out->broken_before = c->broken_before;
			out->replaces = c->replaces;
			out->surge = c->surge;
		}
		out++;
		c->change = 0;
	}
	return out;
}

static void collect_changed(struct planner *p)
{
	p->changed.len = 0;
	for (size_t i = 0; i < p->service_order.len; i++) {
		struct service *s = &p->services.items[p->service_order.items[i]];
		if (s->changed)
			*vec_push(&p->changed) = p->service_order.items[i];
		s->changed = false;
	}
}

/* By node name, then in the order of services. */
static void emit(struct planner *p, struct arena *arena, struct plan_result *result)
{
	struct plan_change *out = ARENA_ARRAY(arena, struct plan_change, p->changes);
	*result = (struct plan_result){ .changes = out,
					.change_count = p->changes,
					.wake_at_ms = p->expires_at_ms };
	collect_changed(p);
	for (size_t word = 0; p->changes && word < p->touched.len; word++) {
		for (uint64_t bits = p->touched.items[word]; bits; bits &= bits - 1) {
			size_t rank = word * 64 + (size_t)__builtin_ctzll(bits);
			out = emit_node(p, p->node_order.items[rank], out);
		}
		p->touched.items[word] = 0;
	}
	assert(out == result->changes + p->changes);
	p->changes = 0;
}

/* What is let in may free a place to pull for another (it runs the new target already), and may be
 * what a dynamic subject asks for: then all are asked once more. */
static void admit(struct planner *p)
{
	size_t changes;
	for (size_t i = 0; i < p->service_order.len; i++)
		guard_service(p, &p->services.items[p->service_order.items[i]]);
	refresh_dirty_nodes(p);
	do {
		changes = p->changes;
		for (size_t i = 0; i < p->service_order.len; i++)
			admit_service(p, &p->services.items[p->service_order.items[i]]);
		refresh_dirty_nodes(p);
	} while (p->changes != changes);
}

void planner_run(struct planner *p, int64_t now_ms, struct arena *arena, struct plan_result *result)
{
	p->now_ms = now_ms;
	order_refresh(p);
	expire(p);
	if (p->dirty_services)
		refresh_services(p);
	else
		refresh_dirty_nodes(p);
	admit(p);
	emit(p, arena, result);
}
