/* The calls: towards running, stopped, removed. */
#include "lifecycle/internal.h"

#include <assert.h>

#define RETRY_FIRST_MS	 1000
#define UNPAUSES_TO_KILL 3 /* a frozen one that does not thaw */
#define CALLS_MAX	 (2 * LIFECYCLE_SLOTS)

struct lifecycle_call *life_call(struct step *step, const struct slot *slot,
				 enum lifecycle_call_kind kind)
{
	struct lifecycle_output *out = step->out;
	assert(out->call_count < CALLS_MAX);
	if (!out->calls)
		out->calls = ARENA_ARRAY(step->arena, struct lifecycle_call, CALLS_MAX);
	struct lifecycle_call *call = &out->calls[out->call_count++];
	*call = (struct lifecycle_call){ .kind = kind, .container = slot->index };
	return call;
}

/* Not earlier than this the same call may be given again. */
static int64_t retry_at_ms(const struct lifecycle_container_memory *m)
{
	int64_t delay = RETRY_FIRST_MS;
	for (uint32_t i = 1; i < m->attempts && delay < RETRY_MAX_MS; i++)
		delay *= 2;
	return m->called_ms + (delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS);
}

/* The call, or NULL when it is not to be given now. */
static struct lifecycle_call *give(struct step *step, struct slot *slot,
				   enum lifecycle_call_kind kind)
{
	struct lifecycle_container_memory *m = slot->memory;
	bool again = m->called == kind;
	if (again && step->input->now_ms < retry_at_ms(m)) {
		life_wake(step, retry_at_ms(m));
		return NULL;
	}
	m->attempts = again ? m->attempts + 1 : 1;
	m->called = kind;
	m->called_in = slot->now->state;
	m->called_ms = step->input->now_ms;
	return life_call(step, slot, kind);
}

/* --- running --------------------------------------------------------------------------------- */

static enum lifecycle_call_kind towards_running(const struct step *step, const struct slot *slot,
						bool held)
{
	bool may_start = order_may_start(step, slot) && (!held || slot->memory->started);
	if (slot_ended(slot))
		return LIFECYCLE_NONE;
	switch (slot->now->state) {
	case CONTAINER_ABSENT:
		return order_may_create(step, slot) ? LIFECYCLE_CREATE : LIFECYCLE_NONE;
	case CONTAINER_CREATED:
	case CONTAINER_EXITED: return may_start ? LIFECYCLE_START : LIFECYCLE_NONE;
	case CONTAINER_PAUSED: return LIFECYCLE_UNPAUSE;
	case CONTAINER_RUNNING:
	case CONTAINER_UNKNOWN:
	case CONTAINER_STATE_COUNT: break;
	}
	return LIFECYCLE_NONE;
}

static void act_running(struct step *step)
{
	bool held = false; /* one before could be started, but is not yet created */
	if (step->owner && !step->owner->now->busy) {
		enum lifecycle_call_kind kind = towards_running(step, step->owner, false);
		if (kind)
			give(step, step->owner, kind);
	}
	for (uint32_t i = 0; i < step->count; i++) {
		struct slot *slot = &step->slots[i];
		enum lifecycle_call_kind kind = towards_running(step, slot, held);
		if (kind && !slot->now->busy)
			give(step, slot, kind);
		held |= slot->now->state == CONTAINER_ABSENT && !slot->memory->started &&
			order_may_start(step, slot);
		health_act(step, slot);
	}
}

/* --- stopping -------------------------------------------------------------------------------- */

static int64_t stop_timeout_ms(const struct slot *slot)
{
	const struct opt_int unset = { 0 };
	return slot->what ? seconds_ms(slot->what->stop_timeout, DEFAULT_STOP_TIMEOUT_S)
			  : seconds_ms(unset, OWNER_STOP_TIMEOUT_S);
}

/* From then on a STOP should have come back. */
static int64_t stop_late_ms(const struct slot *slot)
{
	return slot->memory->stop_since_ms + stop_timeout_ms(slot) + STOP_MARGIN_MS;
}

/* A STOP is under way: when it does not come back, it is killed beside it. */
static void watch_stop(struct step *step, struct slot *slot)
{
	if (step->input->now_ms >= stop_late_ms(slot))
		give(step, slot, LIFECYCLE_KILL);
	else
		life_wake(step, stop_late_ms(slot));
}

/* The first STOP has all the time; one given again, because it failed, what is left of it, and then
 * it is killed. After a restart of the agent nobody knows whether the first was made: all the time
 * again. */
static void stop_running(struct step *step, struct slot *slot)
{
	struct lifecycle_container_memory *m = slot->memory;
	int64_t now = step->input->now_ms;
	if (!m->stop_since_ms)
		m->stop_since_ms = now;
	int64_t left_ms = m->stop_since_ms + stop_timeout_ms(slot) - now;
	if (left_ms <= 0 && now > m->stop_since_ms) {
		give(step, slot, LIFECYCLE_KILL);
		return;
	}
	struct lifecycle_call *call = give(step, slot, LIFECYCLE_STOP);
	if (call)
		call->timeout_s = (uint32_t)((left_ms + 999) / 1000);
	life_wake(step, call ? stop_late_ms(slot) : now + (left_ms > 0 ? left_ms : 1));
}

static void stop_paused(struct step *step, struct slot *slot)
{
	const struct lifecycle_container_memory *m = slot->memory;
	bool kill = m->called == LIFECYCLE_KILL ||
		    (m->called == LIFECYCLE_UNPAUSE && m->attempts >= UNPAUSES_TO_KILL &&
		     step->input->now_ms >= retry_at_ms(m));
	give(step, slot, kill ? LIFECYCLE_KILL : LIFECYCLE_UNPAUSE);
}

static void act_stop(struct step *step, struct slot *slot)
{
	if (!slot_up(slot) || !order_may_stop(step, slot))
		return;
	if (slot->now->busy == LIFECYCLE_STOP && slot->memory->stop_since_ms)
		watch_stop(step, slot);
	else if (slot->now->busy)
		return;
	else if (slot->now->state == CONTAINER_PAUSED)
		stop_paused(step, slot);
	else
		stop_running(step, slot);
}

/* --- removing -------------------------------------------------------------------------------- */

static void act_removed(struct step *step)
{
	bool members = false;
	for (uint32_t i = 0; i < step->all; i++) {
		struct slot *slot = &step->slots[i];
		bool there = slot->now->state != CONTAINER_ABSENT || slot->now->busy;
		bool waits = !slot->what && members;
		if (there && !slot_up(slot) && !slot->now->busy && !waits)
			give(step, slot, LIFECYCLE_REMOVE);
		members |= there;
	}
	step->out->removed = !members;
}

void life_act(struct step *step)
{
	if (!step->memory->stopping) {
		act_running(step);
		return;
	}
	for (uint32_t i = step->all; i-- > 0;)
		act_stop(step, &step->slots[i]);
	if (step->input->wish == LIFECYCLE_REMOVED && step->memory->stopped)
		act_removed(step);
}
