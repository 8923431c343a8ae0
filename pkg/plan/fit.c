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
		const struct cell *c = cell_at(p, n, s);
		if (!c->assigned || c->reason == PLAN_HELD) /* that one is about to go */
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

static bool capable(const struct plan_variant *v, const struct node *n)
{
	for (uint32_t i = 0; i < v->capability_count; i++)
		if (!place_offers(n, v->capabilities[i]))
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

/* Is there room besides what is taken? What takes nothing of a resource fits a node without it. */
static enum plan_reason room(const struct planner *p, const struct node *n, const struct variant *v,
			     const struct load *taken)
{
	const struct load *need = &v->need;
	const struct task_resources *r = &v->spec->resources;
	if (need->cpu_units && taken->cpu_units + need->cpu_units > n->spec.cpu_units)
		return PLAN_NO_CPU;
	if (need->memory_mib && taken->memory_mib + need->memory_mib > n->spec.memory_mib)
		return PLAN_NO_MEMORY;
	if (v->reserved_port || any_port_taken(p->port_bits[0], r->tcp_ports, r->tcp_count) ||
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

/* May that variant start here? Of a service that is assigned: instead of what is assigned; dynamic
 * subjects, which never stop a task, are then not asked. */
enum plan_reason place_may_start(const struct planner *p, const struct node *n,
				 const struct service *s, const struct cell *c,
				 const struct variant *v, size_t position, const struct load *taken)
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
	if (v && !(n->spec.engines >> v->spec->engine & 1))
		return PLAN_NO_ENGINE;
	if (v && !capable(v->spec, n))
		return PLAN_MISSING_CAPABILITY;
	if (!n->spec.reachable)
		return n->lost ? PLAN_UNREACHABLE : PLAN_NOT_KNOWN;
	if (!n->spec.observed_once)
		return PLAN_NOT_OBSERVED;
	if (s->halt != PLAN_PLACED)
		return s->halt;
	return v && v->target ? room(p, n, v, taken) : PLAN_STALLED;
}
