#include "plan/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct answer {
	const struct planner *planner;
	const struct service *service;
	const struct node *node;
	const struct cell *cell;
	const struct variant *variant; /* about which is asked; NULL: there is none */
	size_t position;	       /* of the service in its order */
	struct arena *arena;
	VEC(struct plan_why) list;
};

static void say(struct answer *a, enum plan_reason reason, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void say(struct answer *a, enum plan_reason reason, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	*vec_push(&a->list) = (struct plan_why){ reason, arena_strdup(a->arena, buf_str(&text)) };
	buf_release(&text);
}

/* --- node, constraints, capabilities --------------------------------------------------------- */

static void explain_state(struct answer *a)
{
	if (!a->node->spec.registered)
		say(a, PLAN_NOT_REGISTERED, "no agent has registered the node yet");
	switch (a->node->spec.state) {
	case NODE_ACTIVE: break;
	case NODE_DRAINING: say(a, PLAN_DRAINING, "the node is DRAINING"); break;
	case NODE_INACTIVE: say(a, PLAN_INACTIVE, "the node is INACTIVE"); break;
	}
}

/* One line each of what the expression says. */
static void explain_constraints(struct answer *a)
{
	const struct planner *p = a->planner;
	const struct plan_service *spec = &a->service->spec;
	intern_id *groups = ARENA_ARRAY(a->arena, intern_id, 2 * a->position);
	struct expr_facts facts =
		a->cell->assigned ? a->node->facts : place_facts(p, a->node, a->position, groups);
	struct buf lines = { 0 };
	for (uint32_t i = 0; i < spec->constraint_count; i++)
		if (expr_eval(spec->constraints[i], p->intern, &facts, NULL) == EXPR_FALSE)
			expr_explain(spec->constraints[i], p->intern, &facts, &lines);
	for (const char *at = buf_str(&lines); *at;) {
		size_t len = strcspn(at, "\n");
		if (len > 0)
			say(a, PLAN_CONSTRAINT, "%.*s", (int)len, at);
		at += len + (at[len] == '\n');
	}
	buf_release(&lines);
}

static void explain_capability(struct answer *a, const char *name)
{
	const char *words = capability_words(name, a->arena);
	if (words)
		say(a, PLAN_MISSING_CAPABILITY,
		    "the node does not offer %s (missing capability %s)", words, name);
	else
		say(a, PLAN_MISSING_CAPABILITY, "missing capability %s", name);
}

static void explain_engine(struct answer *a)
{
	if (!a->variant)
		return;
	const struct plan_variant *v = a->variant->spec;
	if (!(a->node->spec.engines >> v->engine & 1))
		say(a, PLAN_NO_ENGINE, "the node has no %s engine", engine_kind_name(v->engine));
	for (uint32_t i = 0; i < v->capability_count; i++)
		if (!place_offers(a->node, v->capabilities[i]))
			explain_capability(a, intern_str(a->planner->intern, v->capabilities[i]));
}

static void explain_connection(struct answer *a)
{
	if (a->node->lost)
		say(a, PLAN_UNREACHABLE, "the node's agent gives no sign of life");
	else if (!a->node->spec.reachable)
		say(a, PLAN_NOT_KNOWN,
		    "musterd has started anew and waits for a sign of life of the node's agent");
	if (!a->node->spec.observed_once)
		say(a, PLAN_NOT_OBSERVED, "what the node runs has not been read yet");
}

/* --- room ------------------------------------------------------------------------------------ */

/* An update of it leaves what runs: then all must have room, in whatever order they come. */
static bool surges(const struct answer *a)
{
	return goal_surges(a->planner, a->service, a->node, a->cell);
}

/*
 * Does the service at that position take its room before this one is asked? All that is there does,
 * but of two that wait for an update the first in order.
 */
static bool goes_before(const struct answer *a, size_t position)
{
	const struct service *s = service_at(a->planner, a->planner->service_order.items[position]);
	const struct cell *c = cell_at(a->planner, a->node, s);
	if (s == a->service || !takes_room(c))
		return false;
	return !a->cell->assigned || goal_at_rest(s, c) || position < a->position || surges(a);
}

static uint64_t remains(uint64_t whole, uint64_t taken)
{
	return whole > taken ? whole - taken : 0;
}

static void add_hold(const struct answer *a, size_t position, struct load *taken)
{
	const struct service *s = service_at(a->planner, a->planner->service_order.items[position]);
	struct load hold = goal_hold(s, cell_at(a->planner, a->node, s));
	load_add(taken, &hold);
}

static void explain_resources(struct answer *a)
{
	const struct load *need = &a->variant->need;
	struct load taken = { 0 };
	for (size_t i = 0; i < a->planner->sorted_services; i++)
		if (goes_before(a, i))
			add_hold(a, i, &taken);
	if (surges(a)) {
		taken.cpu_units += goal_left_running(a->service, a->cell)->cpu_units;
		taken.memory_mib += goal_left_running(a->service, a->cell)->memory_mib;
	}
	uint64_t cpu = remains(a->node->spec.cpu_units, taken.cpu_units);
	uint64_t memory = remains(a->node->spec.memory_mib, taken.memory_mib);
	uint64_t bytes = remains(LIMIT_DOCUMENT_BYTES, taken.document_bytes);
	if (need->cpu_units > cpu)
		say(a, PLAN_NO_CPU, "needs %" PRIu64 " CPU units, %" PRIu64 " remain",
		    need->cpu_units, cpu);
	if (need->memory_mib > memory)
		say(a, PLAN_NO_MEMORY, "needs %" PRIu64 " MiB of memory, %" PRIu64 " MiB remain",
		    need->memory_mib, memory);
	if (taken.tasks >= LIMIT_TASKS_PER_NODE)
		say(a, PLAN_NODE_FULL, "the node has %u tasks, and may have %d", taken.tasks,
		    LIMIT_TASKS_PER_NODE);
	if (need->document_bytes > bytes)
		say(a, PLAN_NODE_FULL,
		    "needs %" PRIu64 " bytes of the node's desired document, %" PRIu64 " remain",
		    need->document_bytes, bytes);
}

static bool has_port(const struct task_resources *r, bool udp, uint16_t port)
{
	const uint16_t *ports = udp ? r->udp_ports : r->tcp_ports;
	uint32_t count = udp ? r->udp_count : r->tcp_count;
	for (uint32_t i = 0; i < count; i++)
		if (ports[i] == port)
			return true;
	return false;
}

static bool holds_port(const struct service *s, const struct cell *c, bool udp, uint16_t port)
{
	const struct variant *held[2];
	bool any = false;
	for (uint32_t i = 0, count = goal_held(s, c, held); i < count; i++)
		any |= has_port(&held[i]->spec->resources, udp, port);
	return any;
}

static void explain_port(struct answer *a, bool udp, uint16_t port)
{
	const char *protocol = udp ? "udp" : "tcp";
	if (place_port_reserved(a->variant->spec->engine, udp, port))
		say(a, PLAN_PORT_TAKEN, "port %u/%s is reserved on every node", port, protocol);
	for (size_t i = 0; i < a->planner->sorted_services; i++) {
		const struct service *s =
			service_at(a->planner, a->planner->service_order.items[i]);
		if (goes_before(a, i) && holds_port(s, cell_at(a->planner, a->node, s), udp, port))
			say(a, PLAN_PORT_TAKEN, "port %u/%s is held by service %s/%s", port,
			    protocol, s->spec.cluster, s->spec.name);
	}
}

static void explain_ports(struct answer *a)
{
	const struct task_resources *r = &a->variant->spec->resources;
	for (uint32_t i = 0; i < r->tcp_count; i++)
		explain_port(a, false, r->tcp_ports[i]);
	for (uint32_t i = 0; i < r->udp_count; i++)
		explain_port(a, true, r->udp_ports[i]);
}

/* --- the roll-out ----------------------------------------------------------------------------- */

/* The variant that it should have, or might have at the next step. */
static const struct variant *asked_variant(const struct service *s, const struct cell *c)
{
	const struct variant *current = current_of(s, c), *completed = completed_of(s, c);
	if (!completed || (c->assigned ? may_be_reached(s, c) : is_reached(s, c)))
		return current;
	return completed;
}

static void explain_rollout(struct answer *a)
{
	const struct service *s = a->service;
	const struct cell *c = a->cell;
	uint32_t current = s->spec.current.revision;
	if (c->reason == PLAN_HELD)
		say(a, PLAN_HELD, "the mass-change guard keeps what runs here");
	if (!c->desired || s->halt != PLAN_PLACED || c->assigned == current_target(s, c) ||
	    goal_target(s, c) == current_target(s, c))
		return;
	if (!c->assigned)
		say(a, PLAN_WAITS_FOR_STEP,
		    "the roll-out of revision %u has not reached the node, and no revision was "
		    "ever COMPLETED",
		    current);
	else
		say(a, PLAN_WAITS_FOR_STEP,
		    "the roll-out of revision %u has not reached the node: it keeps revision %u",
		    current, target_at(s, goal_target(s, c))->revision);
}

/* --- the service itself ---------------------------------------------------------------------- */

static void explain_service(struct answer *a)
{
	const struct plan_service *spec = &a->service->spec;
	if (spec->suspend)
		say(a, PLAN_SUSPENDED, "the service is suspended");
	if (!spec->removing && a->service->halt != PLAN_PLACED &&
	    !current_target(a->service, a->cell))
		say(a, PLAN_STALLED, "the service has nothing that could run");
	if (spec->removing)
		say(a, PLAN_REMOVING, "the service is gone from the manifests");
}

uint32_t planner_explain(const struct planner *p, plan_service_id service, plan_node_id node,
			 struct arena *arena, struct plan_why **why)
{
	struct answer a = { .planner = p, .service = service_at(p, service), .arena = arena };
	a.node = node_at(p, node);
	a.cell = cell_at(p, a.node, a.service);
	*why = NULL;
	a.variant = asked_variant(a.service, a.cell);
	bool at_goal = a.cell->desired && a.cell->reason == PLAN_PLACED;
	while (a.position < p->sorted_services && p->service_order.items[a.position] != service)
		a.position++;
	if (a.service->cluster != a.node->cluster) {
		say(&a, PLAN_OTHER_CLUSTER, "the node is in cluster %s", a.node->spec.cluster);
	} else if (!a.node->spec.registered) {
		explain_state(&a); /* all else is not known yet */
	} else if (at_goal) {
		explain_rollout(&a);
	} else {
		explain_state(&a);
		explain_constraints(&a);
		explain_engine(&a);
		explain_connection(&a);
		explain_service(&a);
		if (a.variant) {
			explain_resources(&a);
			explain_ports(&a);
		}
		explain_rollout(&a);
	}
	*why = ARENA_ARRAY(arena, struct plan_why, a.list.len);
	if (a.list.len)
		memcpy(*why, a.list.items, a.list.len * sizeof(**why));
	uint32_t count = (uint32_t)a.list.len;
	vec_release(&a.list);
	return count;
}
