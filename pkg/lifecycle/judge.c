/* What exits, drift and conditions mean for the task. */
#include "lifecycle/internal.h"

#include <string.h>

#define REASON_EXITED "Essential container in task exited"
#define REASON_OOM    "OutOfMemoryError: Container killed due to memory usage"

/* How long the run took that ended; -1: not known. */
static int64_t ran_ms(const struct step *step, const struct lifecycle_container *now)
{
	int64_t end = now->exited_at_ms > 0 ? now->exited_at_ms : step->input->now_ms;
	if (now->started_at_ms <= 0)
		return -1;
	return end > now->started_at_ms ? end - now->started_at_ms : 0;
}

static const char *exit_reason(const struct step *step, const struct slot *slot,
			       const char *why_not)
{
	const struct restart_policy *policy = slot->what ? slot->what->restart_policy : NULL;
	const struct lifecycle_container *now = slot->now;
	/* One that was asked to stop ended by that: with version 1 of control groups Docker shows
	 * it of all that share a limit. */
	if (now->oom_killed && !slot->memory->stop_since_ms)
		return REASON_OOM;
	if (now->error && now->error[0])
		return now->error;
	if (now->earlier_boot)
		return "it ran in an earlier boot of the machine";
	if (why_not && policy && policy->enabled == OPT_TRUE && !step->memory->stopping)
		return arena_printf(step->arena, "not restarted: %s", why_not);
	return "";
}

/* Of a kill for its memory the task's own reason tells, too, as that of a native one does. */
static const char *stop_reason(const struct step *step, const struct slot *slot)
{
	if (strcmp(slot->memory->reason, REASON_OOM) != 0)
		return REASON_EXITED;
	return step->count == 1 ? REASON_OOM
				: arena_printf(step->arena, REASON_OOM " (%s)", slot_name(slot));
}

static void judge_exit(struct step *step, struct slot *slot)
{
	const struct lifecycle_container *now = slot->now;
	struct lifecycle_container_memory *m = slot->memory;
	const char *why_not;
	bool again =
		lifecycle_should_restart(slot->what->restart_policy, step->memory->stopping,
					 now->has_exit_code && !now->earlier_boot, now->exit_code,
					 ran_ms(step, now), step->arena, &why_not);
	life_set_text(step, m->reason, sizeof(m->reason), exit_reason(step, slot, why_not));
	SET(step, m->judged, true);
	SET(step, m->stays_down, !again);
	m->restarts += again; /* judged has changed */
	if (!again && slot_essential(slot))
		life_stop(step, "EssentialContainerExited", false, stop_reason(step, slot));
}

/* One that ran was removed by another hand. */
static void judge_removed(struct step *step, struct slot *slot)
{
	struct lifecycle_container_memory *m = slot->memory;
	SET(step, m->has_exit_code, false);
	if (!slot_essential(slot))
		return; /* it is made again */
	SET(step, m->judged, true);
	SET(step, m->stays_down, true);
	life_set_text(step, m->reason, sizeof(m->reason), "it was removed by another hand");
	life_stop(step, "EssentialContainerExited", false,
		  arena_printf(step->arena, REASON_EXITED ": %s was removed", slot_name(slot)));
}

static void judge_container(struct step *step, struct slot *slot)
{
	struct lifecycle_container_memory *m = slot->memory;
	enum lifecycle_state state = slot->now->state;
	bool cut_off = slot->now->earlier_boot && !m->stays_down; /* by a reboot: a restart */
	if (state == CONTAINER_EXITED && m->started && (!m->judged || cut_off))
		judge_exit(step, slot);
	else if (state == CONTAINER_ABSENT && m->started && !slot_ended(slot))
		judge_removed(step, slot);
	if (slot->now->changed && state != CONTAINER_ABSENT && !slot_ended(slot))
		life_stop(step, "UserInitiated", false,
			  arena_printf(step->arena, "%s was changed by another hand",
				       slot_name(slot)));
}

/* Without its network owner no container can go on; before any of them was there it can be had
 * again. */
static void judge_owner(struct step *step, struct slot *owner)
{
	bool any_there = false, any_ran = false;
	enum lifecycle_state state = owner->now->state;
	for (uint32_t i = 0; i < step->count; i++) {
		any_there |= step->slots[i].now->state != CONTAINER_ABSENT;
		any_ran |= step->slots[i].memory->started;
	}
	if (state == CONTAINER_EXITED && any_ran)
		life_stop(step, "EssentialContainerExited", false,
			  REASON_EXITED ": the container of the task's network ended");
	else if ((state == CONTAINER_ABSENT && any_there) ||
		 ((state == CONTAINER_ABSENT || state == CONTAINER_CREATED) && any_ran))
		life_stop(step, "EssentialContainerExited", false,
			  REASON_EXITED ": the container of the task's network was removed");
	else if (state == CONTAINER_EXITED && !owner->now->earlier_boot)
		life_stop(step, "TaskFailedToStart", false,
			  arena_printf(step->arena,
				       "ResourceInitializationError: the container of the task's "
				       "network exited with %d",
				       owner->now->exit_code));
	else if (owner->now->changed && state != CONTAINER_ABSENT)
		life_stop(step, "UserInitiated", false,
			  arena_printf(step->arena, "%s was changed by another hand",
				       slot_name(owner)));
}

/* --- the task -------------------------------------------------------------------------------- */

/* at_ms, which the engine says; 0: now, or when it was in an earlier boot not at all. */
static int64_t moment(const struct step *step, int64_t at_ms, bool earlier_boot)
{
	int64_t now = step->input->now_ms;
	if (at_ms <= 0)
		return earlier_boot ? 0 : now;
	return at_ms < now ? at_ms : now;
}

static void judge_running(struct step *step)
{
	bool earlier = false;
	int64_t at = 0;
	if (step->memory->running || step->memory->stopping)
		return;
	for (uint32_t i = 0; i < step->count; i++) {
		const struct slot *slot = &step->slots[i];
		if (!slot->memory->started)
			return;
		earlier |= slot->now->earlier_boot;
		if (slot->now->started_at_ms > at && !slot->now->earlier_boot)
			at = slot->now->started_at_ms;
	}
	SET(step, step->memory->running, true);
	SET(step, step->memory->running_ms, moment(step, at, earlier));
}

static void judge_stopped(struct step *step)
{
	bool earlier = false;
	int64_t at = 0;
	if (step->memory->stopped)
		return;
	for (uint32_t i = 0; i < step->all; i++) {
		const struct slot *slot = &step->slots[i];
		if (!slot_down(slot) || slot->now->busy)
			return;
		earlier |= slot->now->earlier_boot;
		if (slot->now->state == CONTAINER_EXITED && !slot->now->earlier_boot &&
		    slot->now->exited_at_ms > at)
			at = slot->now->exited_at_ms;
	}
	SET(step, step->memory->stopped, true);
	SET(step, step->memory->stopped_ms, moment(step, at, earlier));
}

void life_judge(struct step *step)
{
	const struct lifecycle_input *input = step->input;
	const char *why;
	bool ordered = order_read(step, &why);
	if (!step->memory->stopping)
		order_infer_ended(step);
	judge_running(step);
	if (input->wish != LIFECYCLE_RUN)
		life_stop(step, input->stop_code ? input->stop_code : "ServiceSchedulerInitiated",
			  true, input->stop_reason ? input->stop_reason : "");
	if (!ordered)
		life_stop(step, "TaskFailedToStart", false, why);
	for (uint32_t i = 0; i < step->count; i++)
		judge_container(step, &step->slots[i]);
	if (step->owner)
		judge_owner(step, step->owner);
	if (!step->memory->stopping)
		order_judge(step);
	if (step->memory->stopping)
		judge_stopped(step);
}
