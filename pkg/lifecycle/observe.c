/* What the engine shows and what calls answered, into the memory. */
#include "lifecycle/internal.h"

#include <ctype.h>
#include <string.h>

/* A run that was not seen before: what was said of the last one is no longer so. */
static void new_run(struct step *step, struct slot *slot)
{
	struct lifecycle_container_memory *m = slot->memory;
	const struct lifecycle_container *now = slot->now;
	SET(step, m->run, now->run);
	SET(step, m->started, true);
	SET(step, m->judged, false);
	SET(step, m->stays_down, false);
	if (!step->memory->stopping)
		SET(step, m->health, HEALTH_UNKNOWN);
	if (!m->first_start_ms)
		SET(step, m->first_start_ms,
		    now->started_at_ms > 0 ? now->started_at_ms : step->input->now_ms);
	m->called = LIFECYCLE_NONE;
	m->stop_since_ms = 0;
	m->check_at_ms = 0;
	m->check_failures = 0;
	health_forget(slot);
}

static void observe_up(struct step *step, struct slot *slot)
{
	struct lifecycle_container_memory *m = slot->memory;
	SET(step, m->judged, false); /* an engine may show an exit and take it back */
	SET(step, m->stays_down, false);
	SET(step, m->has_exit_code, false);
	if (slot->now->state == CONTAINER_PAUSED)
		health_forget(slot);
	else if (!step->memory->stopping)
		life_set_text(step, m->reason, sizeof(m->reason), "");
}

static void observe_down(struct step *step, struct slot *slot)
{
	struct lifecycle_container_memory *m = slot->memory;
	if (!step->memory->stopping)
		SET(step, m->health, HEALTH_UNKNOWN);
	if (slot->now->state == CONTAINER_EXITED) {
		SET(step, m->has_exit_code, slot->now->has_exit_code);
		SET(step, m->exit_code, slot->now->has_exit_code ? slot->now->exit_code : 0);
	}
	health_forget(slot);
}

static void observe(struct step *step, struct slot *slot)
{
	struct lifecycle_container_memory *m = slot->memory;
	enum lifecycle_state state = slot->now->state;
	bool ran = slot_up(slot) || (state == CONTAINER_EXITED && slot->now->run);
	if (state == CONTAINER_UNKNOWN) {
		health_forget(slot);
		return;
	}
	if (state != m->called_in)
		m->called = LIFECYCLE_NONE;
	if (state != CONTAINER_ABSENT)
		SET(step, m->seen, true);
	if (ran && (!m->started || m->run != slot->now->run))
		new_run(step, slot);
	if (slot_up(slot))
		observe_up(step, slot);
	else
		observe_down(step, slot);
}

/* --- answers --------------------------------------------------------------------------------- */

/* Does it begin with a word that ends in "Error: "? */
static bool has_error_word(const char *reason)
{
	size_t len = 0;
	while (isalnum((unsigned char)reason[len]))
		len++;
	return len > 5 && strncmp(reason + len - 5, "Error: ", 7) == 0;
}

static const char *failure_text(const struct step *step, const struct lifecycle_answer *answer)
{
	static const char *const words[LIFECYCLE_CALL_COUNT] = {
		[LIFECYCLE_CREATE] = "CannotCreateContainerError",
		[LIFECYCLE_START] = "CannotStartContainerError",
		[LIFECYCLE_UNPAUSE] = "CannotUnpauseContainerError",
		[LIFECYCLE_STOP] = "CannotStopContainerError",
		[LIFECYCLE_KILL] = "CannotStopContainerError",
		[LIFECYCLE_REMOVE] = "CannotRemoveContainerError",
	};
	const char *reason = answer->reason ? answer->reason : "no reason was given";
	if (has_error_word(reason))
		return reason;
	return arena_printf(step->arena, "%s: %s", words[answer->kind], reason);
}

/* Is what the call was to do there all the same? */
static bool done_anyhow(const struct slot *slot, enum lifecycle_call_kind kind)
{
	enum lifecycle_state state = slot->now->state;
	switch (kind) {
	case LIFECYCLE_CREATE: return state != CONTAINER_ABSENT;
	case LIFECYCLE_START:
		return slot_up(slot) || (slot->memory->started && !slot->memory->called);
	case LIFECYCLE_UNPAUSE: return state != CONTAINER_PAUSED;
	case LIFECYCLE_STOP:
	case LIFECYCLE_KILL: return !slot_up(slot);
	case LIFECYCLE_REMOVE: return state == CONTAINER_ABSENT;
	case LIFECYCLE_NONE:
	case LIFECYCLE_EXEC_HEALTH:
	case LIFECYCLE_CALL_COUNT: break;
	}
	return true;
}

static void answer_failed(struct step *step, struct slot *slot,
			  const struct lifecycle_answer *answer)
{
	struct lifecycle_container_memory *m = slot->memory;
	bool starts = answer->kind == LIFECYCLE_CREATE || answer->kind == LIFECYCLE_START;
	if (!step->known || done_anyhow(slot, answer->kind))
		return;
	const char *text = failure_text(step, answer);
	life_set_text(step, m->reason, sizeof(m->reason), text);
	/* An owner that ran is started again only after a reboot, as if it had not. */
	if (starts && (!m->started || !slot->what))
		life_stop(step, "TaskFailedToStart", false, text);
}

static struct slot *answered(struct step *step, uint32_t container)
{
	if (container == LIFECYCLE_OWNER)
		return step->owner;
	return container < step->count ? &step->slots[container] : NULL;
}

void life_observe(struct step *step)
{
	for (uint32_t i = 0; i < step->all; i++)
		observe(step, &step->slots[i]);
	for (uint32_t i = 0; i < step->input->answer_count; i++) {
		const struct lifecycle_answer *answer = &step->input->answers[i];
		struct slot *slot = answered(step, answer->container);
		if (slot && answer->kind == LIFECYCLE_EXEC_HEALTH)
			health_answer(step, slot, answer);
		else if (slot && !answer->ok)
			answer_failed(step, slot, answer);
	}
}
