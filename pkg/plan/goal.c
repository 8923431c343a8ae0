#include "plan/internal.h"

/* --- which variant, and how far -------------------------------------------------------------- */

static uint32_t choose(const struct planner *p, const struct plan_release *r, const struct node *n)
{
	for (uint32_t i = 0; i + 1 < r->variant_count; i++) {
		const struct expr *when = r->variants[i].when;
		if (!when || expr_eval(when, p->intern, &n->facts, NULL) == EXPR_TRUE)
			return i;
	}
	return r->variant_count ? r->variant_count - 1 : 0;
}

void goal_ask(const struct planner *p, const struct service *s, const struct node *n,
	      struct cell *c)
{
	const struct plan_service *spec = &s->spec;
	c->current = choose(p, &spec->current, n) & 63;
	c->completed = choose(p, &spec->completed, n) & 63;
	c->where = false;
	for (uint32_t i = 0; i < spec->reach_where_count && !c->where; i++)
		c->where = expr_eval(spec->reach_where[i], p->intern, &n->facts, NULL) == EXPR_TRUE;
}

/* Those that have current, and those that may have it whatever the number is, fill it first. */
bool goal_open_by_number(const struct service *s)
{
	return s->spec.reach > (uint64_t)s->count[TALLY_HAVE] + s->count[TALLY_OWED];
}

/* Whatever others have, it stays as it is. */
bool goal_at_rest(const struct service *s, const struct cell *c)
{
	uint32_t completed = completed_target(s, c);
	return c->assigned == current_target(s, c) ||
	       (!may_be_reached(s, c) && (!completed || c->assigned == completed));
}

uint32_t goal_target(const struct service *s, const struct cell *c)
{
	uint32_t current = current_target(s, c), completed = completed_target(s, c);
	if (!current || c->assigned == current)
		return c->assigned;
	if (!c->assigned && c->to_completed) /* a new one begins with it */
		return completed;
	if (is_reached(s, c) || (c->to_current && goal_open_by_number(s)))
		return current;
	return completed ? completed : c->assigned;
}

/* What one that is not assigned begins with. */
const struct variant *goal_first(const struct service *s, const struct cell *c)
{
	return c->to_completed ? completed_of(s, c) : current_of(s, c);
}

/* --- what it takes of its node ---------------------------------------------------------------- */

const struct variant *goal_assigned(const struct service *s, const struct cell *c)
{
	const struct variant *current = current_of(s, c), *completed = completed_of(s, c);
	if (completed && (!current || (c->assigned && c->assigned == completed->target &&
				       c->assigned != current->target)))
		return completed;
	return current;
}

/* An update that is not done yet, and what ran before it runs. */
static bool is_surging(const struct cell *c)
{
	return c->assigned && c->surge && c->replaces && !c->broken_before && !tally_done(c);
}

/* What runs besides what is assigned: as far as that is known. */
static const struct variant *before_surge(const struct service *s, const struct cell *c)
{
	const struct variant *current = current_of(s, c), *completed = completed_of(s, c);
	return completed && goal_assigned(s, c) != completed ? completed : current;
}

/* What an update leaves running until the new one is ready. */
const struct load *goal_left_running(const struct service *s, const struct cell *c)
{
	static const struct load nothing;
	const struct variant *v = is_surging(c) ? before_surge(s, c) : goal_assigned(s, c);
	return v ? &v->need : &nothing;
}

static struct load with_both(struct load load, const struct service *s, const struct cell *c)
{
	load.cpu_units += goal_left_running(s, c)->cpu_units;
	load.memory_mib += goal_left_running(s, c)->memory_mib;
	return load;
}

/*
 * It holds what it is assigned, and what the roll-out may bring. Where that comes in any case it
 * holds nothing else: two services may swap what they take.
 */
uint32_t goal_held(const struct service *s, const struct cell *c, const struct variant *held[2])
{
	const struct variant *current = current_of(s, c), *completed = completed_of(s, c);
	uint32_t count = 0;
	bool to_be_current =
		c->assigned && (is_reached(s, c) || c->assigned == current_target(s, c));
	if (completed && !to_be_current && (c->assigned || c->to_completed))
		held[count++] = completed;
	if (current && (count == 0 || may_be_reached(s, c)))
		held[count++] = current;
	return count;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct load goal_hold_now(const struct service *s, const struct cell *c)
{
	const struct variant *held[2];
	struct load load = { .tasks = 1 };
	if (s->uniform) {
		load = s->need;
		return is_surging(c) ? with_both(load, s, c) : load;
	}
	for (uint32_t i = 0, count = goal_held(s, c, held); i < count; i++) {
		const struct load *need = &held[i]->need;
		load.cpu_units = larger(load.cpu_units, need->cpu_units);
		load.memory_mib = larger(load.memory_mib, need->memory_mib);
		load.document_bytes = larger(load.document_bytes, need->document_bytes);
	}
	return is_surging(c) ? with_both(load, s, c) : load;
}

struct load goal_hold(const struct service *s, const struct cell *c)
{
	struct load load = goal_hold_now(s, c);
	return c->both && !is_surging(c) ? with_both(load, s, c) : load;
}

/* --- surge ------------------------------------------------------------------------------------ */

/* What was down before is replaced at once: there is nothing to keep. One that began so goes on so,
 * also when the service does not surge any more: what ran before is still there. */
bool goal_surges(const struct planner *p, const struct service *s, const struct node *n,
		 const struct cell *c)
{
	if (!c->assigned || (!s->surges && !c->surge))
		return false;
	bool in_flight = tally_in_flight(p, s, n, c);
	return in_flight ? s->surges || c->surge : s->surges && is_alive(c);
}
