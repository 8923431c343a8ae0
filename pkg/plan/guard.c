#include "plan/internal.h"

/*
 * Stops of what no longer matches, as many as the guard lets through now: in the order of turns, so
 * that of each zone some go. What they leave is placed anew.
 */
void guard_service(struct planner *p, struct service *s)
{
	for (size_t i = 0; i < p->turn_order.len; i++) {
		if (!s->count[TALLY_GUARDED] || !s->spec.stops_allowed)
			return;
		struct node *n = &p->nodes.items[p->turn_order.items[i]];
		struct cell *c = cell_at(p, n, s);
		if (c->reason != PLAN_HELD || !c->assigned)
			continue;
		place_stop(p, n, s, c);
		c->reason = (uint16_t)place_may_stay(s, n, c) & 31;
		tally_cell(p, s, n, c);
		node_dirty(p, p->turn_order.items[i], DIRTY_FIT);
		s->spec.stops_allowed--;
	}
}
