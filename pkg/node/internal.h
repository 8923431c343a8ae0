/*
 * node, inside. A step goes through four passes over the services of the node:
 *   gather   what there is of each service, and which task of it stays
 *   series   count the tasks that ended, note who is ready
 *   decide   one decision a service, in the order of the document
 *   describe what to report
 */
#ifndef MUSTER_NODE_INTERNAL_H
#define MUSTER_NODE_INTERNAL_H

#include "node/node.h"

struct watch { /* since when a task is good */
	char task[UUID_TEXT_LEN + 1];
	int64_t good_since_ms; /* RUNNING, HEALTHY where checked; 0: it is not */
};

/* What is kept of a service between steps. Of a struct that is zeroed nothing is known. */
struct service_memory {
	struct digest target; /* of the series below; that of the last desired document */
	uint32_t restarts, prepare_failures;
	uint32_t failures;		      /* of that target, in all: see struct wire_task */
	int64_t restart_at_ms, prepare_at_ms; /* not earlier; 0: at once */
	bool started, was_ready;	      /* since boot, with whatever target */
	uint32_t wave;			      /* of starting; stops go from the highest down */
	struct watch watches[2];	      /* a new one and the old one beside it, any order */
	/* Not over a restart of the agent. */
	bool has_turn;
	int64_t turn_since_ms;
	int64_t prepare_asked_ms; /* 0: no answer is awaited */
};

struct asked { /* an action that was given and is not confirmed yet */
	int64_t first_ms, last_ms;
	/* START */
	struct digest target;
	char beside[UUID_TEXT_LEN + 1]; /* the old one that was alive then; "": none */
};

struct node_memory {
	struct map *services;  /* "CLUSTER/SERVICE" -> struct service_memory */
	struct map *accounted; /* ids of stopped tasks that were counted */
	struct map *asked;     /* "KIND WHOM" -> struct asked; not over a restart of the agent */
	uint64_t seen;
	bool changed; /* since node_memory_save() would have been asked for */
};

struct service_memory *memory_service(struct node_memory *memory, const char *key);
void memory_drop_service(struct node_memory *memory, const char *key);
bool memory_accounted(const struct node_memory *memory, const char *id);
void memory_account(struct node_memory *memory, const char *id);

/* Keeps *field in step with the saved memory. */
#define MEMORY_SET(memory, field, value)                                                           \
	do {                                                                                       \
		if ((field) != (value)) {                                                          \
			(field) = (value);                                                         \
			(memory)->changed = true;                                                  \
		}                                                                                  \
	} while (0)

/* What a desired service is up to; one decision each. */
enum situation {
	SITUATION_ABSENT,   /* nothing of it is alive */
	SITUATION_ASKED,    /* a START was given and not confirmed yet; surge: an old one may run */
	SITUATION_CURRENT,  /* a task of the desired target is alive */
	SITUATION_OUTDATED, /* only one of another target is alive */
	SITUATION_ENDING,   /* what is alive of it is on its way out */
	SITUATION_COUNT
};

struct service {
	const char *key, *cluster, *name;
	const struct wire_desired_task *want; /* NULL: not desired, or desired is unknown */
	struct service_memory *memory;
	const struct node_task **live, **stopped; /* stopped: newest first */
	uint32_t live_count, stopped_count;
	const struct node_task *stays; /* of the live ones that are not ending: fits best */
	/* Surge: the old one that runs on until what stays, of the desired target, is ready. */
	const struct node_task *beside;
	enum situation situation;
	bool ready; /* what stays is */
	bool beside_ready;
	bool failed;	   /* it broke, and is not ready again */
	const char *waits; /* why the desired target does not run yet; NULL: no need to say */
};

struct step {
	struct node_memory *memory;
	const struct node_input *input;
	struct arena *arena;
	struct node_output *out;
	struct service
		*services; /* desired ones in the order of the document, then others by key */
	uint32_t service_count;
};

/* Could all engines be asked? All that may have a task of the service? */
bool step_knows_all(const struct step *step);
bool step_knows(const struct step *step, const struct service *s);
/* Where it does not: why, for people. */
const char *step_why_unknown(const struct step *step, const struct service *s);
void step_wake(struct step *step, int64_t at_ms); /* look again then */
void step_act(struct step *step, struct node_action action);
/* May the action be given, now or again? Notes it. `whom`: a task id or a service's key. */
bool step_ask(struct step *step, enum node_action_kind kind, const char *whom);
struct asked *step_note(struct step *step, enum node_action_kind kind, const char *whom);
struct asked *step_asked(const struct step *step, enum node_action_kind kind, const char *whom);
void step_forget(struct step *step, enum node_action_kind kind, const char *whom);

static inline bool task_ending(const struct node_task *task)
{
	return task->stop_requested || task->status >= TASK_STOPPING;
}
static inline bool task_unhealthy(const struct node_task *task)
{
	return task->health_checked && task->health == HEALTH_UNHEALTHY;
}
static inline bool is_of_target(const struct node_task *task, const struct digest *target)
{
	return digest_is_none(&task->target) || digest_equal(&task->target, target);
}

#define REASON_UNHEALTHY "Task failed container health checks"
#define REASON_LEAVING	 "Task stopped by user"
#define REASON_UNKNOWN	 "the engine cannot be asked what runs"

/* The answer of a prepare of the desired target, or NULL. */
const struct node_prepare *step_prepare(const struct step *step, const struct service *s);

enum situation step_situation(const struct step *step, const struct service *s);
void step_gather(struct step *step);
void step_series(struct step *step);
int64_t restart_delay_ms(uint32_t restarts); /* before the restart of that number, from 1 on */
void step_decide(struct step *step);
void step_describe(struct step *step);

#endif
