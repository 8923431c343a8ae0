#include "plan/internal.h"

void change_mark(struct planner *p, struct service *s, const struct node *n, struct cell *c,
		 enum plan_change_kind kind)
{
	assert(c->change == 0); /* one change a cell and run */
	c->change = (uint16_t)(kind + 1) & 3;
	p->touched.items[n->rank / 64] |= UINT64_C(1) << n->rank % 64;
	p->changes++;
	s->changed = true;
}

static bool is_want_of_room(enum plan_reason reason)
{
	return reason >= PLAN_NO_CPU && reason <= PLAN_NODE_FULL;
}

static void take_room(struct planner *p, const struct service *s, const struct cell *c,
		      struct load *taken)
{
	struct load hold = goal_hold(s, c);
	load_add(taken, &hold);
	if (s->has_ports)
		ports_take(p, s, c);
}

void place_stop(struct planner *p, struct node *n, struct service *s, struct cell *c)
{
	target_assign(s, c, 0);
	c->replaces = 0;
	c->broken_before = c->acknowledged = c->surge = c->starting = false;
	change_mark(p, s, n, c, PLAN_STOP);
}

/* --- what it may become ----------------------------------------------------------------------- */

/* What is there of those behind it that are to be updated too: they are decided after it. */
static void add_undecided(const struct planner *p, const struct node *n, size_t position,
			  struct load *taken)
{
	for (size_t i = position + 1; i < p->service_order.len; i++) {
		const struct service *s = &p->services.items[p->service_order.items[i]];
		const struct cell *c = cell_at(p, n, s);
		if (!c->assigned || goal_at_rest(s, c))
			continue;
		struct load hold = goal_hold_now(s, c);
		load_add(taken, &hold);
	}
}

/* Of one that is assigned, and is not at rest: current, or back to completed. */
static enum plan_reason aim_assigned(struct planner *p, struct node *n, struct service *s,
				     struct cell *c, size_t position, const struct load *taken)
{
	enum plan_reason reason = PLAN_PLACED, back = PLAN_PLACED;
	uint32_t completed = is_reached(s, c) ? 0 : completed_target(s, c);
	bool surges = goal_surges(p, s, n, c);
	struct load besides = *taken;
	if (surges) {
		add_undecided(p, n, position, &besides);
		besides.cpu_units += goal_left_running(s, c)->cpu_units;
		besides.memory_mib += goal_left_running(s, c)->memory_mib;
	}
	if (may_be_reached(s, c)) {
		reason = place_may_start(p, n, s, c, current_of(s, c), position, &besides);
		c->to_current = reason == PLAN_PLACED;
	}
	if (completed && c->assigned != completed) {
		back = place_may_start(p, n, s, c, completed_of(s, c), position, &besides);
		c->to_completed = back == PLAN_PLACED;
	}
	n->tight |= is_want_of_room(reason) || is_want_of_room(back);
	c->both = surges && (c->to_current || c->to_completed);
	return reason == PLAN_PLACED || c->to_completed ? back : reason;
}

/* Of one that is not: completed at once, else current when the roll-out comes to it. Where it would
 * take something down, whichever of them it comes to, as if that were assigned. */
static enum plan_reason aim_unassigned(struct planner *p, struct node *n, struct service *s,
				       struct cell *c, size_t position, const struct load *taken)
{
	const struct variant *completed = completed_of(s, c);
	bool may = may_be_reached(s, c);
	enum plan_reason reason = PLAN_WAITS_FOR_STEP;
	if (completed) {
		reason = place_may_start(p, n, s, c, completed, position, taken);
		c->to_completed = reason == PLAN_PLACED;
		n->tight |= is_want_of_room(reason);
		if (!may || (c->to_completed && !takes_down(c, completed->target)))
			return reason;
	}
	reason = place_may_start(p, n, s, c, current_of(s, c), position, taken);
	n->tight |= is_want_of_room(reason);
	c->to_current = may && reason == PLAN_PLACED;
	if (c->to_completed)
		return PLAN_PLACED;
	return reason == PLAN_PLACED && !is_reached(s, c) ? PLAN_WAITS_FOR_STEP : reason;
}

/* --- deciding -------------------------------------------------------------------------------- */

/* Is a service that goes first still there? Nothing of it may start any more: the node drains. */
static bool others_there(const struct planner *p, const struct node *n)
{
	for (size_t i = 0; i < p->service_order.len; i++) {
		const struct service *s = &p->services.items[p->service_order.items[i]];
		const struct cell *c = cell_at(p, n, s);
		if (!s->spec.keep_on_drain && (c->assigned || c->seen != PLAN_SEEN_NONE))
			return true;
	}
	return false;
}

/* The stop asks the guard: guard_service() may let it through. */
static bool is_guarded(const struct service *s, const struct node *n, enum plan_reason reason)
{
	return s->spec.stops_allowed != UINT32_MAX && s->halt != PLAN_REMOVING &&
	       n->spec.state == NODE_ACTIVE &&
	       (reason == PLAN_CONSTRAINT || reason == PLAN_OTHER_CLUSTER);
}

/* Decides of one that may not stay only that: it is unassigned then. */
static void decide_assigned(struct planner *p, struct node *n, struct service *s, struct cell *c,
			    size_t position, struct load *taken)
{
	enum plan_reason reason = place_may_stay(s, n, c);
	bool keep = reason == PLAN_DRAINING && s->spec.keep_on_drain && others_there(p, n);
	c->desired = reason == PLAN_PLACED;
	c->to_current = c->to_completed = c->both = false;
	if (!c->desired && !is_frozen(s) && n->open && !keep) {
		if (!is_guarded(s, n, reason)) {
			place_stop(p, n, s, c);
			return;
		}
		reason = PLAN_HELD;
	}
	if (c->desired && !goal_at_rest(s, c))
		reason = aim_assigned(p, n, s, c, position, taken);
	c->reason = (uint16_t)reason & 31;
	take_room(p, s, c, taken);
	tally_cell(p, s, n, c);
}

static void decide_unassigned(struct planner *p, struct node *n, struct service *s, struct cell *c,
			      size_t position, struct load *taken)
{
	c->to_current = c->to_completed = c->both = false;
	enum plan_reason reason = aim_unassigned(p, n, s, c, position, taken);
	const struct variant *v = goal_first(s, c);
	c->reason = (uint16_t)reason & 31;
	c->desired = reason == PLAN_PLACED || reason == PLAN_WAITS_FOR_STEP;
	/* Else admit_service() lets it in. */
	if (reason == PLAN_PLACED && !v->pulls && !takes_down(c, v->target)) {
		target_assign(s, c, v->target);
		c->starting = true;
		c->to_current = c->to_completed = false;
		change_mark(p, s, n, c, PLAN_START);
		if (!goal_at_rest(s, c)) /* it has completed: what the roll-out may bring */
			aim_assigned(p, n, s, c, position, taken);
	}
	if (c->desired)
		take_room(p, s, c, taken);
	tally_cell(p, s, n, c);
}

enum pass { PASS_AT_REST, PASS_TO_UPDATE, PASS_KEPT, PASS_UNASSIGNED, PASS_COUNT };

/* In which pass the cell is decided. On a node that drains nothing starts. */
static enum pass pass_of(const struct service *s, const struct node *n, const struct cell *c)
{
	if (!c->assigned)
		return PASS_UNASSIGNED;
	if (n->spec.state == NODE_DRAINING && s->spec.keep_on_drain)
		return PASS_KEPT;
	return goal_at_rest(s, c) ? PASS_AT_REST : PASS_TO_UPDATE;
}

/*
 * The whole node, nobody's place being taken: first what stays as it is takes its room, then in
 * order what is to be updated, then in order what starts.
 */
void place_node(struct planner *p, struct node *n)
{
	const plan_service_id *order = p->service_order.items;
	size_t count = p->service_order.len;
	size_t changes = p->changes;
	struct load taken = { 0 };
	bool ports = false;
	unsigned passes = 1u << PASS_AT_REST | 1u << PASS_UNASSIGNED; /* that have any */
	n->tight = false;
	for (enum pass pass = 0; pass < PASS_COUNT; pass++) {
		if (!(passes >> pass & 1))
			continue;
		for (size_t i = 0; i < count; i++) {
			struct service *s = &p->services.items[order[i]];
			struct cell *c = &n->cells[order[i]];
			enum pass its = pass_of(s, n, c);
			ports |= s->has_ports;
			passes |= 1u << its;
			if (its != pass)
				continue;
			if (c->assigned)
				decide_assigned(p, n, s, c, i, &taken);
			else
				decide_unassigned(p, n, s, c, i, &taken);
		}
	}
	for (size_t i = 0; ports && i < count; i++)
		ports_clear(p, &p->services.items[order[i]]);
	n->load = taken;
	n->tight |= !load_fits(n, &taken);
	if (n->tight && p->changes != changes)
		place_node(p, n); /* starts nothing more, but may refuse for another reason */
}

/* What all others of the node hold. */
static struct load besides(const struct planner *p, const struct node *n, const struct service *s)
{
	struct load sum = { 0 };
	for (size_t i = 0; i < p->service_order.len; i++) {
		const struct service *other = &p->services.items[p->service_order.items[i]];
		const struct cell *c = cell_at(p, n, other);
		if (other == s || !takes_room(c))
			continue;
		struct load hold = goal_hold(other, c);
		load_add(&sum, &hold);
	}
	return sum;
}

/*
 * One service of the node, all else unchanged. Where there is room for all that may be there, the
 * order in which they are asked makes no difference, and only the sums move. Where something was
 * refused, or is now, the whole node is placed anew; so is one that drains.
 */
void place_cell(struct planner *p, struct node *n, struct service *s)
{
	struct cell *c = cell_at(p, n, s);
	if (n->tight || s->has_ports || s->surges || c->surge || c->both || p->dynamic_services ||
	    n->spec.state == NODE_DRAINING) {
		place_node(p, n);
		return;
	}
	bool known = s->was_uniform || !takes_room(c);
	struct load taken = known ? n->load : besides(p, n, s);
	if (known && takes_room(c))
		load_subtract(&taken, &s->taken);
	if (c->assigned)
		decide_assigned(p, n, s, c, 0, &taken);
	if (!c->assigned)
		decide_unassigned(p, n, s, c, 0, &taken);
	if (n->tight || !load_fits(n, &taken))
		place_node(p, n);
	else
		n->load = taken;
}
