#include "plan/internal.h"

#include <string.h>

const char *plan_reason_name(enum plan_reason reason)
{
	static const char *const names[PLAN_REASON_COUNT] = {
		[PLAN_PLACED] = "Placed",
		[PLAN_OTHER_CLUSTER] = "OtherCluster",
		[PLAN_NOT_REGISTERED] = "NotRegistered",
		[PLAN_INACTIVE] = "NodeInactive",
		[PLAN_DRAINING] = "NodeDraining",
		[PLAN_CONSTRAINT] = "ConstraintNotMet",
		[PLAN_NO_ENGINE] = "EngineMissing",
		[PLAN_MISSING_CAPABILITY] = "MissingCapability",
		[PLAN_UNREACHABLE] = "NodeUnreachable",
		[PLAN_NOT_KNOWN] = "NodeNotYetKnown",
		[PLAN_NOT_OBSERVED] = "NotObserved",
		[PLAN_SUSPENDED] = "Suspended",
		[PLAN_STALLED] = "Stalled",
		[PLAN_REMOVING] = "Removing",
		[PLAN_NO_CPU] = "RESOURCE:CPU",
		[PLAN_NO_MEMORY] = "RESOURCE:MEMORY",
		[PLAN_PORT_TAKEN] = "RESOURCE:PORTS",
		[PLAN_NODE_FULL] = "NodeFull",
		[PLAN_WAITS_FOR_STEP] = "WaitsForStep",
		[PLAN_HELD] = "Held",
	};
	assert(reason < PLAN_REASON_COUNT);
	return names[reason];
}

const struct plan_service *planner_service(const struct planner *p, plan_service_id id)
{
	return &service_at(p, id)->spec;
}

const struct plan_node *planner_node(const struct planner *p, plan_node_id id)
{
	return &node_at(p, id)->spec;
}

static uint32_t copy_ids(const uint32_t *from, size_t count, struct arena *arena, uint32_t **ids)
{
	*ids = ARENA_ARRAY(arena, uint32_t, count);
	if (count)
		memcpy(*ids, from, count * sizeof(*from));
	return (uint32_t)count;
}

uint32_t planner_services(const struct planner *p, struct arena *arena, plan_service_id **ids)
{
	return copy_ids(p->service_order.items, p->sorted_services, arena, ids);
}

uint32_t planner_nodes(const struct planner *p, struct arena *arena, plan_node_id **ids)
{
	return copy_ids(p->node_order.items, p->sorted_nodes, arena, ids);
}

/* Those to which it comes whatever the number, and as many more as the number has room for. */
static uint32_t owed(const struct service *s)
{
	uint32_t count = s->count[TALLY_OWED], open = s->count[TALLY_OPEN];
	uint64_t taken = (uint64_t)s->count[TALLY_HAVE] + count;
	uint64_t room = s->spec.reach > taken ? s->spec.reach - taken : 0;
	return count + (open < room ? open : (uint32_t)room);
}

struct plan_counts planner_counts(const struct planner *p, plan_service_id service)
{
	const struct service *s = service_at(p, service);
	const uint32_t *count = s->count;
	return (struct plan_counts){
		.desired = count[TALLY_DESIRED],
		.running = count[TALLY_RUNNING],
		.pending = count[TALLY_PENDING],
		.ready = count[TALLY_READY],
		.updated = count[TALLY_UPDATED],
		.in_flight = count[TALLY_IN_FLIGHT],
		.failed = count[TALLY_FAILED],
		.unreachable = count[TALLY_UNREACHABLE],
		.unknown = count[TALLY_UNKNOWN],
		.stopping = count[TALLY_STOPPING],
		.excluded = count[TALLY_EXCLUDED],
		.attribute_absent = count[TALLY_ABSENT],
		.budget = admit_budget(s),
		.current = count[TALLY_CURRENT],
		.current_ready = count[TALLY_CURRENT_READY],
		.current_failed = count[TALLY_CURRENT_FAILED],
		.excused = count[TALLY_EXCUSED],
		.completed_assigned = count[TALLY_COMPLETED],
		.owed = owed(s),
		.waiting_for_step = count[TALLY_WAITING],
		.held = count[TALLY_GUARDED],
	};
}

/* It waits for the budget, or for its turn to pull. */
static bool is_waiting(const struct service *s, const struct cell *c)
{
	unsigned wish = BIT(TALLY_COSTLY) | BIT(TALLY_HELD);
	if (goal_open_by_number(s))
		wish |= wish << (TALLY_LATER_FREE - TALLY_FREE);
	return c->tally & wish || (c->desired && !c->assigned && c->reason == PLAN_PLACED);
}

struct plan_cell planner_cell(const struct planner *p, plan_service_id service, plan_node_id node)
{
	const struct service *s = service_at(p, service);
	const struct cell *c = cell_at(p, node_at(p, node), s);
	const struct target *assigned = target_at(s, c->assigned),
			    *running = target_at(s, c->running),
			    *goal = target_at(s, goal_target(s, c));
	const struct variant *current = current_of(s, c), *takes = goal_assigned(s, c);
	return (struct plan_cell){
		.reason = c->reason,
		.desired = c->desired,
		.in_flight = c->tally >> TALLY_IN_FLIGHT & 1,
		.waiting = is_waiting(s, c),
		.goal = goal->digest,
		.goal_revision = goal->revision,
		.variant = current ? current->spec : NULL,
		.takes = takes ? takes->spec : NULL,
		.fact = { .assigned = assigned->digest,
			  .assigned_revision = assigned->revision,
			  .replaces = c->replaces,
			  .broken_before = c->broken_before,
			  .surge = c->surge,
			  .starting = c->starting,
			  .acknowledged = c->acknowledged,
			  .seen = c->seen,
			  .still_running = c->still_running,
			  .running = running->digest,
			  .running_revision = running->revision },
	};
}
