/* What to report of the task and its containers. */
#include "lifecycle/internal.h"

static enum task_status container_status(const struct step *step, const struct slot *slot)
{
	bool ended = slot_ended(slot) || step->memory->stopped;
	switch (slot->now->state) {
	case CONTAINER_RUNNING:
	case CONTAINER_PAUSED: return TASK_RUNNING;
	case CONTAINER_ABSENT:
	case CONTAINER_CREATED:
	case CONTAINER_EXITED: return ended ? TASK_STOPPED : TASK_PENDING;
	case CONTAINER_UNKNOWN: /* as it was last known */
		return ended ? TASK_STOPPED : slot->memory->started ? TASK_RUNNING : TASK_PENDING;
	case CONTAINER_STATE_COUNT: break;
	}
	return TASK_PENDING;
}

static void describe_container(struct step *step, const struct slot *slot)
{
	struct lifecycle_container_status *status = &step->out->containers[slot->index];
	const struct lifecycle_container_memory *m = slot->memory;
	*status = (struct lifecycle_container_status){
		.status = container_status(step, slot),
		.health = health_checked(slot) ? m->health : HEALTH_UNKNOWN,
		.restart_count = m->restarts,
	};
	if (status->status == TASK_STOPPED && m->has_exit_code) {
		status->has_exit_code = true;
		status->exit_code = m->exit_code;
	}
	if (m->reason[0])
		status->reason = arena_strdup(step->arena, m->reason);
	else if (status->status == TASK_PENDING && step->known && !m->started &&
		 !step->memory->stopping)
		status->reason = order_waits_for(step, slot);
}

/* The worst of those that count: UNHEALTHY, UNKNOWN, HEALTHY. */
static void describe_health(struct step *step)
{
	static const int badness[] = {
		[HEALTH_HEALTHY] = 0, [HEALTH_UNKNOWN] = 1, [HEALTH_UNHEALTHY] = 2
	};
	for (uint32_t i = 0; i < step->count; i++) {
		const struct slot *slot = &step->slots[i];
		enum health_status health = slot->memory->health;
		if (!slot_essential(slot) || !health_checked(slot))
			continue;
		if (!step->out->health_checked || badness[health] > badness[step->out->health])
			step->out->health = health;
		step->out->health_checked = true;
	}
}

void life_describe(struct step *step)
{
	const struct lifecycle_memory *memory = step->memory;
	struct lifecycle_output *out = step->out;
	out->containers = ARENA_ARRAY(step->arena, struct lifecycle_container_status,
				      step->input->task_definition->container_definitions.len);
	for (uint32_t i = 0; i < step->count; i++) {
		describe_container(step, &step->slots[i]);
		if (!out->reason && !memory->running)
			out->reason = out->containers[i].reason;
	}
	describe_health(step);
	out->status = memory->stopped	 ? TASK_STOPPED
		      : memory->stopping ? TASK_STOPPING
		      : memory->running	 ? TASK_RUNNING
					 : TASK_PENDING;
	out->started_at_ms = memory->running_ms;
	out->stopped_at_ms = memory->stopped_ms;
	if (memory->stopping) {
		out->stop_code = arena_strdup(step->arena, memory->stop_code);
		out->reason = memory->stop_reason[0]
				      ? arena_strdup(step->arena, memory->stop_reason)
				      : NULL;
		out->stop_requested = memory->stop_requested;
	}
}
