#include "plan/internal.h"

uint32_t admit_budget(const struct service *s)
{
	uint64_t d = s->count[TALLY_HEALTHY] + s->count[TALLY_IN_FLIGHT];
	uint64_t keep = (d * s->spec.min_healthy_percent + 99) / 100;
	uint64_t may = s->surges ? d * (s->spec.max_percent - 100) / 100 : d > keep ? d - keep : 0;
	return may > 1 ? (uint32_t)may : 1;
}

/* May another cell of the service begin to pull now? One that pulls keeps its place. */
static bool may_pull(struct planner *p, const struct service *s, const struct variant *v)
{
	if (!v->pulls)
		return true;
	if (v->spec->images_unresolved && s->count[TALLY_PULLING])
		return false;
	return tally_cluster(p, s->cluster)->pulling < s->spec.max_parallel_pulls;
}

/* Could any other? */
static bool any_may_pull(struct planner *p, const struct service *s)
{
	return s->count[TALLY_PULLING] || !s->all_pull ||
	       tally_cluster(p, s->cluster)->pulling < s->spec.max_parallel_pulls;
}

/* The prices that can be paid now, as bits. It is asked anew after each update: one that was
 * running and not ready comes to count in D by its own. */
static unsigned affordable(const struct service *s)
{
	uint32_t budget = admit_budget(s);
	unsigned now = BIT(TALLY_FREE) | (s->count[TALLY_DOWN] < budget ? BIT(TALLY_HELD) : 0) |
		       (s->count[TALLY_IN_FLIGHT] < budget ? BIT(TALLY_COSTLY) : 0);
	return now | (goal_open_by_number(s) ? now << (TALLY_LATER_FREE - TALLY_FREE) : 0);
}

static bool any_of(const struct service *s, unsigned bits)
{
	for (; bits; bits &= bits - 1)
		if (s->count[__builtin_ctz(bits)])
			return true;
	return false;
}

/* Where the roll-out comes to it, current; else back to completed. */
static const struct variant *next_of(const struct service *s, const struct cell *c)
{
	bool current = c->to_current && (is_reached(s, c) || goal_open_by_number(s));
	return current ? current_of(s, c) : completed_of(s, c);
}

static bool admissible(struct planner *p, const struct service *s, const struct cell *c)
{
	return c->tally & affordable(s) && !c->change &&
	       (c->tally & BIT(TALLY_PULLING) || may_pull(p, s, next_of(s, c)));
}

/*
 * What is down by our own hand stays so, in its slot. What was down before is not our doing: it
 * neither takes a slot nor blocks.
 */
static void update(struct planner *p, struct service *s, struct node *n, struct cell *c)
{
	bool in_flight = c->tally & BIT(TALLY_IN_FLIGHT);
	uint32_t target = next_of(s, c)->target;
	uint32_t before_it = takes_down(c, target) ? c->running : c->assigned;
	enum plan_change_kind kind = before_it ? PLAN_UPDATE : PLAN_START;
	struct load before = goal_hold(s, c);
	c->surge = goal_surges(p, s, n, c);
	c->starting = kind == PLAN_START;
	c->broken_before = c->assigned && !in_flight && !is_alive(c);
	c->replaces = target_at(s, before_it)->revision & PLAN_REVISION_BITS;
	target_assign(s, c, target);
	c->acknowledged = c->to_current = c->to_completed = c->both = false;
	c->reason = PLAN_PLACED;
	struct load after = goal_hold(s, c);
	load_subtract(&n->load, &before);
	load_add(&n->load, &after);
	change_mark(p, s, n, c, kind);
	tally_cell(p, s, n, c);
	/* Others may ask for it on this node; or it has completed now, and may go on from there. */
	if ((kind == PLAN_START && p->dynamic_services) || !goal_at_rest(s, c))
		node_dirty(p, (plan_node_id)(n - p->nodes.items), DIRTY_FIT);
}

/* In the order of turns, as long as there is one that can be paid for and may pull. */
void admit_service(struct planner *p, struct service *s)
{
	uint32_t waiting_from = UINT32_MAX, turn = s->scan_from;
	for (; turn < p->turn_order.len && any_of(s, affordable(s)) && any_may_pull(p, s); turn++) {
		struct node *n = &p->nodes.items[p->turn_order.items[turn]];
		struct cell *c = cell_at(p, n, s);
		if (c->tally & TO_UPDATE && admissible(p, s, c))
			update(p, s, n, c);
		else if (c->tally & TO_UPDATE && waiting_from == UINT32_MAX)
			waiting_from = turn;
	}
	s->scan_from = waiting_from < turn ? waiting_from : turn;
}
