#include "plan/internal.h"

#include <string.h>

/* --- constraints ----------------------------------------------------------------------------- */

static enum truth false_because(const struct expr *expr, const struct node *n)
{
	intern_id absent;
	return expr_absent_attributes(expr, &n->facts, &absent, 1) ? TRUTH_ABSENT : TRUTH_FALSE;
}

enum truth place_truth(const struct planner *p, const struct service *s, const struct node *n)
{
	enum truth all = TRUTH_TRUE;
	for (uint32_t i = 0; i < s->spec.constraint_count; i++) {
		switch (expr_eval(s->spec.constraints[i], p->intern, &n->facts, NULL)) {
		case EXPR_FALSE: return false_because(s->spec.constraints[i], n);
		case EXPR_UNKNOWN: all = TRUTH_UNKNOWN; break;
		case EXPR_TRUE: break;
		}
	}
	return all;
}

struct expr_facts place_facts(const struct planner *p, const struct node *n, size_t position,
			      intern_id *groups)
{
	struct expr_facts facts = n->facts;
	facts.dynamic_known = true;
	facts.agent_connected = n->spec.reachable;
	facts.task_groups = groups;
	for (size_t i = 0; i < position; i++) {
		const struct service *s = service_at(p, p->service_order.items[i]);
		if (!cell_at(p, n, s)->assigned)
			continue;
		facts.running_tasks_count++;
		groups[facts.task_group_count++] = s->spec.task_group_service;
		groups[facts.task_group_count++] = s->spec.task_group_family;
	}
	return facts;
}

static bool dynamic_true(const struct planner *p, const struct service *s, const struct node *n,
			 size_t position)
{
	struct expr_facts facts = place_facts(p, n, position, p->groups);
	for (uint32_t i = 0; i < s->spec.constraint_count; i++)
		if (expr_eval(s->spec.constraints[i], p->intern, &facts, NULL) != EXPR_TRUE)
			return false;
	return true;
}

/* --- what a node offers ---------------------------------------------------------------------- */

bool place_offers(const struct node *n, intern_id capability)
{
	const intern_id *at = n->spec.capabilities;
	uint32_t count = n->spec.capability_count;
	if (count == 0)
		return false;
	while (count > 1) { /* the last that is not above it */
		uint32_t half = count / 2;
		at = at[half] <= capability ? at + half : at;
		count -= half;
	}
	return *at == capability;
}

static bool capable(const struct service *s, const struct node *n)
{
	for (uint32_t i = 0; i < s->variant->capability_count; i++)
		if (!place_offers(n, s->variant->capabilities[i]))
			return false;
	return true;
}

bool place_port_reserved(enum engine_kind engine, bool udp, uint16_t port)
{
	static const uint16_t reserved[] = { 22, 2375, 2376, 51678, 51679, 51680 };
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (reserved[i] == port)
			return engine == ENGINE_CONTAINER && !udp;
	return false;
}

static bool any_port_taken(const uint64_t *bits, const uint16_t *ports, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (bits[ports[i] / 64] >> ports[i] % 64 & 1)
			return true;
	return false;
}

static void ports_take(struct planner *p, const struct service *s)
{
	const struct task_resources *r = &s->variant->resources;
	for (uint32_t i = 0; i < r->tcp_count; i++)
		p->port_bits[0][r->tcp_ports[i] / 64] |= UINT64_C(1) << r->tcp_ports[i] % 64;
	for (uint32_t i = 0; i < r->udp_count; i++)
		p->port_bits[1][r->udp_ports[i] / 64] |= UINT64_C(1) << r->udp_ports[i] % 64;
}

static void ports_clear(struct planner *p, const struct service *s)
{
	const struct task_resources *r = &s->variant->resources;
	for (uint32_t i = 0; i < r->tcp_count; i++)
		p->port_bits[0][r->tcp_ports[i] / 64] = 0;
	for (uint32_t i = 0; i < r->udp_count; i++)
		p->port_bits[1][r->udp_ports[i] / 64] = 0;
}

void load_add(struct load *sum, const struct load *part)
{
	sum->cpu_units += part->cpu_units;
	sum->memory_mib += part->memory_mib;
	sum->document_bytes += part->document_bytes;
	sum->tasks += part->tasks;
}

static void load_subtract(struct load *sum, const struct load *part)
{
	sum->cpu_units -= part->cpu_units;
	sum->memory_mib -= part->memory_mib;
	sum->document_bytes -= part->document_bytes;
	sum->tasks -= part->tasks;
}

static bool overloaded(const struct node *n, const struct load *load)
{
	return load->cpu_units > n->spec.cpu_units || load->memory_mib > n->spec.memory_mib ||
	       load->document_bytes > LIMIT_DOCUMENT_BYTES || load->tasks > LIMIT_TASKS_PER_NODE;
}

/* Is there room besides what is taken? What takes nothing of a resource fits a node without it. */
static enum plan_reason room(const struct planner *p, const struct node *n, const struct service *s,
			     const struct load *taken)
{
	const struct load *need = &s->need;
	const struct task_resources *r = &s->variant->resources;
	if (need->cpu_units && taken->cpu_units + need->cpu_units > n->spec.cpu_units)
		return PLAN_NO_CPU;
	if (need->memory_mib && taken->memory_mib + need->memory_mib > n->spec.memory_mib)
		return PLAN_NO_MEMORY;
	if (s->reserved_port || any_port_taken(p->port_bits[0], r->tcp_ports, r->tcp_count) ||
	    any_port_taken(p->port_bits[1], r->udp_ports, r->udp_count))
		return PLAN_PORT_TAKEN;
	if (taken->tasks + need->tasks > LIMIT_TASKS_PER_NODE ||
	    taken->document_bytes + need->document_bytes > LIMIT_DOCUMENT_BYTES)
		return PLAN_NODE_FULL;
	return PLAN_PLACED;
}

/* --- may stay, may start --------------------------------------------------------------------- */

static enum plan_reason state_reason(const struct node *n)
{
	switch (n->spec.state) {
	case NODE_ACTIVE: break;
	case NODE_DRAINING: return PLAN_DRAINING;
	case NODE_INACTIVE: return PLAN_INACTIVE;
	}
	return PLAN_PLACED;
}

enum plan_reason place_may_stay(const struct service *s, const struct node *n, const struct cell *c)
{
	if (s->cluster != n->cluster)
		return PLAN_OTHER_CLUSTER;
	if (n->spec.state != NODE_ACTIVE)
		return state_reason(n);
	if (c->truth == TRUTH_FALSE || c->truth == TRUTH_ABSENT)
		return PLAN_CONSTRAINT;
	return s->halt == PLAN_REMOVING ? PLAN_REMOVING : PLAN_PLACED;
}

/* May the target start here? Of a service that is assigned: instead of what is assigned; dynamic
 * subjects, which never stop a task, are then not asked. */
static enum plan_reason may_start(const struct planner *p, const struct node *n,
				  const struct service *s, const struct cell *c, size_t position,
				  const struct load *taken)
{
	if (s->cluster != n->cluster)
		return PLAN_OTHER_CLUSTER;
	if (!n->spec.registered)
		return PLAN_NOT_REGISTERED;
	if (n->spec.state != NODE_ACTIVE)
		return state_reason(n);
	if (c->truth == TRUTH_FALSE || c->truth == TRUTH_ABSENT)
		return PLAN_CONSTRAINT;
	if (c->truth == TRUTH_UNKNOWN && !c->assigned && !dynamic_true(p, s, n, position))
		return PLAN_CONSTRAINT;
	if (!(n->spec.engines >> s->variant->engine & 1))
		return PLAN_NO_ENGINE;
	if (!capable(s, n))
		return PLAN_MISSING_CAPABILITY;
	if (!n->spec.reachable)
		return n->lost ? PLAN_UNREACHABLE : PLAN_NOT_KNOWN;
	if (!n->spec.observed_once)
		return PLAN_NOT_OBSERVED;
	return s->halt == PLAN_PLACED ? room(p, n, s, taken) : s->halt;
}

/* --- deciding -------------------------------------------------------------------------------- */

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

static void take_room(struct planner *p, const struct service *s, struct load *taken)
{
	load_add(taken, &s->need);
	if (s->has_ports)
		ports_take(p, s);
}

static void stop(struct planner *p, struct node *n, struct service *s, struct cell *c)
{
	target_unref(s, c->assigned);
	c->assigned = c->replaces = 0;
	c->broken_before = c->acknowledged = false;
	change_mark(p, s, n, c, PLAN_STOP);
}

/* Decides of one that may not stay only that: it is unassigned then. */
static void decide_assigned(struct planner *p, struct node *n, struct service *s, struct cell *c,
			    size_t position, struct load *taken)
{
	enum plan_reason reason = place_may_stay(s, n, c);
	c->desired = reason == PLAN_PLACED;
	if (!c->desired && !is_frozen(s) && n->open) {
		stop(p, n, s, c);
		return;
	}
	if (c->desired && c->assigned != s->target)
		reason = may_start(p, n, s, c, position, taken);
	c->reason = (uint16_t)reason & 31;
	n->tight |= is_want_of_room(reason);
	take_room(p, s, taken);
	tally_cell(p, s, n, c);
}

static void decide_unassigned(struct planner *p, struct node *n, struct service *s, struct cell *c,
			      size_t position, struct load *taken)
{
	enum plan_reason reason = may_start(p, n, s, c, position, taken);
	c->reason = (uint16_t)reason & 31;
	c->desired = reason == PLAN_PLACED;
	n->tight |= is_want_of_room(reason);
	if (c->desired && !pulls(s)) { /* else admit_service() lets it in */
		c->assigned = s->target;
		s->targets.items[s->target - 1].refs++;
		change_mark(p, s, n, c, PLAN_START);
	}
	if (c->desired)
		take_room(p, s, taken);
	tally_cell(p, s, n, c);
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
	n->tight = false;
	for (size_t i = 0; i < count; i++) {
		struct service *s = &p->services.items[order[i]];
		struct cell *c = &n->cells[order[i]];
		ports |= s->has_ports;
		if (c->assigned && c->assigned == s->target)
			decide_assigned(p, n, s, c, i, &taken);
	}
	for (size_t i = 0; i < count; i++) {
		struct service *s = &p->services.items[order[i]];
		struct cell *c = &n->cells[order[i]];
		if (c->assigned && c->assigned != s->target)
			decide_assigned(p, n, s, c, i, &taken);
	}
	for (size_t i = 0; i < count; i++) {
		struct service *s = &p->services.items[order[i]];
		struct cell *c = &n->cells[order[i]];
		if (!c->assigned)
			decide_unassigned(p, n, s, c, i, &taken);
	}
	for (size_t i = 0; ports && i < count; i++)
		ports_clear(p, &p->services.items[order[i]]);
	n->load = taken;
	n->tight |= overloaded(n, &taken);
	if (n->tight && p->changes != changes)
		place_node(p, n); /* starts nothing more, but may refuse for another reason */
}

/*
 * One service of the node, all else unchanged. Where there is room for all that may be there, the
 * order in which they are asked makes no difference, and only the sums move. Where something was
 * refused, or is now, the whole node is placed anew.
 */
void place_cell(struct planner *p, struct node *n, struct service *s)
{
	struct cell *c = cell_at(p, n, s);
	if (n->tight || s->has_ports || p->dynamic_services) {
		place_node(p, n);
		return;
	}
	struct load taken = n->load;
	if (takes_room(c))
		load_subtract(&taken, &s->taken);
	if (c->assigned)
		decide_assigned(p, n, s, c, 0, &taken);
	if (!c->assigned)
		decide_unassigned(p, n, s, c, 0, &taken);
	if (n->tight || overloaded(n, &taken))
		place_node(p, n);
	else
		n->load = taken;
}
