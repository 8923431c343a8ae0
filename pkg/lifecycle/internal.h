/*
 * lifecycle, inside. A step goes through these passes:
 *   observe  what the engine shows and what calls answered, into the memory
 *   judge    what exits, drift and conditions mean: does it run, must it stop
 *   act      the calls: towards running, towards stopped, towards removed; health checks
 *   describe what to report
 * judge and act happen only when every container is known.
 */
#ifndef MUSTER_LIFECYCLE_INTERNAL_H
#define MUSTER_LIFECYCLE_INTERNAL_H

#include "lifecycle/lifecycle.h"

/* What a container needs of another, as bits. */
enum need {
	NEED_CREATE = 1 << 0, /* it was created: before the other is created */
	NEED_START = 1 << 1,  /* these: before the other is started */
	NEED_COMPLETE = 1 << 2,
	NEED_SUCCESS = 1 << 3,
	NEED_HEALTHY = 1 << 4,
};
#define NEEDS 5

struct slot {
	uint32_t index;				 /* in the task definition, or LIFECYCLE_OWNER */
	const struct container_definition *what; /* NULL: the network owner */
	const struct lifecycle_container *now;
	struct lifecycle_container_memory *memory;
};

struct step {
	struct lifecycle_memory *memory;
	const struct lifecycle_input *input;
	struct arena *arena;
	struct lifecycle_output *out;
	struct slot slots[LIFECYCLE_SLOTS]; /* in the order of the definition, the owner last */
	uint32_t all, count;		    /* slots with and without the owner */
	struct slot *owner;		    /* NULL: none */
	uint8_t needs[LIMIT_CONTAINERS][LIMIT_CONTAINERS]; /* [i][k]: what i needs of k */
	bool known;					   /* no container is UNKNOWN */
};

/* Keeps memory->changed in step with the persistent part. */
#define SET(step, field, value)                                                                    \
	do {                                                                                       \
		if ((field) != (value)) {                                                          \
			(field) = (value);                                                         \
			(step)->memory->changed = true;                                            \
		}                                                                                  \
	} while (0)
/* Cuts at a character's boundary; what is no UTF-8 becomes '?'. */
void life_set_text(struct step *step, char *field, size_t size, const char *text);

void life_wake(struct step *step, int64_t at_ms);
/* From now on it stops; the first reason counts. */
void life_stop(struct step *step, const char *code, bool requested, const char *reason);

/* Seconds as milliseconds, within what can be added to a time. */
static inline int64_t seconds_ms(struct opt_int seconds, int64_t otherwise_s)
{
	int64_t s = seconds.set ? seconds.value : otherwise_s;
	return 1000 * (s < 0 ? 0 : s < INT32_MAX ? s : INT32_MAX);
}

static inline bool slot_essential(const struct slot *slot)
{
	return !slot->what || slot->what->essential != OPT_FALSE;
}
static inline bool slot_up(const struct slot *slot)
{
	return slot->now->state == CONTAINER_RUNNING || slot->now->state == CONTAINER_PAUSED;
}
/* Not up, nor about to be. */
static inline bool slot_down(const struct slot *slot)
{
	return !slot_up(slot) && slot->now->busy != LIFECYCLE_START &&
	       slot->now->busy != LIFECYCLE_UNPAUSE;
}
/* It exited and is not to be started again. */
static inline bool slot_ended(const struct slot *slot)
{
	return slot->memory->judged && slot->memory->stays_down;
}
/* "app", or what to call the owner */
const char *slot_name(const struct slot *slot);

/* order.c */
/* Fills step->needs; false with why when no order can satisfy them. */
bool order_read(struct step *step, const char **why);
bool order_may_create(const struct step *step, const struct slot *slot);
bool order_may_start(const struct step *step, const struct slot *slot);
/* What the container waits for, as a sentence; NULL: for nothing. */
const char *order_waits_for(const struct step *step, const struct slot *slot);
/* Stops the task when a container that did not run yet can never be started, or waits too long. */
void order_judge(struct step *step);
/* Is all that depends on it down? */
bool order_may_stop(const struct step *step, const struct slot *slot);
/* Without memory: what a container that ran had to wait for did end. */
void order_infer_ended(struct step *step);

/* The passes. */
void life_observe(struct step *step);
void life_judge(struct step *step);
void life_act(struct step *step);
void life_describe(struct step *step);

/* health.c */
bool health_checked(const struct slot *slot);
void health_forget(struct slot *slot); /* a check under way counts for nothing */
void health_answer(struct step *step, struct slot *slot, const struct lifecycle_answer *answer);
void health_act(struct step *step, struct slot *slot);

/* act.c: the call, to be made now. */
struct lifecycle_call *life_call(struct step *step, const struct slot *slot,
				 enum lifecycle_call_kind kind);

#endif
