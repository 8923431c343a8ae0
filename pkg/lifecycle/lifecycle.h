/*
 * lifecycle: the life of ONE task of several containers on a container engine. One pure step: (task
 * definition, the containers as the engine shows them, memory, what is wished, now) -> the calls to
 * make now, the task's status, and when to look again.
 *
 * Rules (ECS: reference sections 1.9, 1.12, 4.3):
 *  - What shares the task's network is made by the network owner, where there is one: it is created
 *    and started first and stopped and removed last. When it ends the task stops.
 *  - Containers are created as soon as they can be, and started in the order of the definition,
 * each when its dependsOn conditions are met, without waiting for one another otherwise. links is
 * START and volumesFrom "was created", as in ECS's agent. A container that ran once does not wait
 * for conditions again.
 *  - startTimeout of a container: how long after its first start dependents wait for it to be
 *    COMPLETE, SUCCESS or HEALTHY. When it runs out, or the condition can never be met any more,
 * the task stops: TaskFailedToStart, with a reason that names both.
 *  - PENDING until every container was started once (so those that wait for COMPLETE or SUCCESS,
 *    too), then RUNNING.
 *  - A container that exits: first its restartPolicy (essential or not; the same container is
 * started again in place), else an essential one stops the task, and another stays down.
 *  - One that was killed for its memory says so (OutOfMemoryError), and so does the task that stops
 *    for it, unless it had been asked to stop.
 *  - A CREATE or START that fails before the container ever ran stops the task: TaskFailedToStart.
 *    Later ones are tried again with growing delays.
 *  - Stopping: a container only when all that depend on it are down; STOP with its stopTimeout, and
 *    KILL when that failed and the time is over, or did not come back STOP_MARGIN_MS later. A task
 *    that stops never starts again.
 *  - Drift: a paused container is unpaused; one that was removed is made again, or if it was
 *    essential the task stops; one that was changed stops the task (its node starts a new one); one
 *    that was started after the task stopped is stopped. One that had ended for good and was then
 *    removed (a prune) is not missed.
 *  - Any container UNKNOWN: no call at all, and the status stays what it was.
 *  - Lost memory: goes on from what the engine shows. After a reboot (earlier_boot) nothing is
 *    restarted in place; what was created and never ran goes on.
 *
 * Health: interval 30 s, timeout 5 s, 3 retries, no startPeriod; first check an interval after the
 * start, the next an interval after the end of the last, as in Docker. UNKNOWN until the first
 * counted result, HEALTHY after one success, UNHEALTHY after `retries` failures in a row. Failures
 * of checks begun within startPeriod do not count until there was a success. A new run starts over.
 * The task's health is the worst of its essential containers that have a check: UNHEALTHY, UNKNOWN,
 * HEALTHY.
 *
 * Calls: at most one of CREATE START UNPAUSE STOP KILL REMOVE under way for a container, but for
 * the KILL of a STOP that does not come back; at most one EXEC_HEALTH beside it. A call that
 * changed nothing is given again after 1, 2, 4 ... RETRY_MAX_MS.
 *
 * Times are milliseconds of the boot clock. Who owns what: memory is a plain value of the caller;
 * results live in the arena and borrow from the input and the task definition.
 */
#ifndef MUSTER_LIFECYCLE_H
#define MUSTER_LIFECYCLE_H

#include "wire/wire.h"

#define LIFECYCLE_OWNER		  LIMIT_CONTAINERS /* index of the network owner */
#define LIFECYCLE_SLOTS		  (LIMIT_CONTAINERS + 1)
#define OWNER_STOP_TIMEOUT_S	  2
#define STOP_MARGIN_MS		  10000
#define RETRY_MAX_MS		  60000
#define DEFAULT_HEALTH_INTERVAL_S 30
#define DEFAULT_HEALTH_TIMEOUT_S  5
#define DEFAULT_HEALTH_RETRIES	  3
#define DEFAULT_RESTART_PERIOD_S  300

enum lifecycle_call_kind {
	LIFECYCLE_NONE,
	LIFECYCLE_CREATE,
	LIFECYCLE_START, /* of a created or exited one */
	LIFECYCLE_UNPAUSE,
	LIFECYCLE_STOP, /* SIGTERM (or the image's), .timeout_s, SIGKILL */
	LIFECYCLE_KILL, /* SIGKILL now */
	LIFECYCLE_REMOVE,
	LIFECYCLE_EXEC_HEALTH, /* run .command inside; give up at .deadline_ms */
	LIFECYCLE_CALL_COUNT
};
struct lifecycle_call {
	enum lifecycle_call_kind kind;
	uint32_t container; /* index in the task definition, or LIFECYCLE_OWNER */
	uint32_t timeout_s;
	struct str_list command;
	int64_t deadline_ms;
};

/* What the engine shows. Docker's "restarting" is RUNNING, "dead" EXITED, "removing" ABSENT. */
enum lifecycle_state {
	CONTAINER_UNKNOWN, /* could not be asked */
	CONTAINER_ABSENT,
	CONTAINER_CREATED, /* never started */
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_EXITED,
	CONTAINER_STATE_COUNT
};
struct lifecycle_container {
	enum lifecycle_state state;
	bool changed; /* differs from its definition: limits changed by hand, another image, ... */
	/* The call under way, from the moment it was given until it was answered AND the engine was
	 * asked again. Not EXEC_HEALTH: that is .checking. */
	enum lifecycle_call_kind busy;
	bool checking;
	/* Names this run of the container: another for each start. Only compared. The engine's own
	 * start time in nanoseconds does. 0: never started. */
	uint64_t run;
	int64_t started_at_ms, exited_at_ms; /* of this run; 0: not known */
	bool earlier_boot; /* EXITED: that run was in an earlier boot of the machine */
	bool has_exit_code, oom_killed;
	int exit_code;
	const char *error; /* the engine's word on a failed start; NULL or "" */
};

/*
 * The answer of a call, in one step only: the first whose input shows what came of it (so that
 * .busy ends with it). Every call is answered, when its deadline ran out with a failure. A failed
 * call whose effect is there all the same counts as done; one while any container is UNKNOWN counts
 * for nothing.
 */
struct lifecycle_answer {
	enum lifecycle_call_kind kind;
	uint32_t container;
	/* EXEC_HEALTH: the command ended, still ran at its deadline (then with any code but 0), or
	 * is not in the container (126, 127). A check that the engine did not carry out, or of
	 * which it does not tell, is not ok, and counts for nothing. */
	bool ok;
	int exit_code;	    /* EXEC_HEALTH */
	const char *reason; /* of a failure; gets "CannotStartContainerError: " or the like in front
			     * unless it begins with such a word */
};

enum lifecycle_wish { LIFECYCLE_RUN, LIFECYCLE_STOPPED, LIFECYCLE_REMOVED };

struct lifecycle_input {
	int64_t now_ms;
	const struct task_definition *task_definition;
	const struct lifecycle_container *containers; /* one for each of the definition's */
	const struct lifecycle_container *owner;      /* network owner; NULL: the task needs none */
	const struct lifecycle_answer *answers;
	uint32_t answer_count;
	enum lifecycle_wish wish; /* REMOVED stops first */
	const char *stop_code,
		*stop_reason; /* of a wish to stop; NULL: ServiceSchedulerInitiated */
};

struct lifecycle_container_status {
	enum task_status status; /* PENDING, RUNNING, STOPPED */
	enum health_status health;
	uint32_t restart_count;
	bool has_exit_code;
	int exit_code;
	const char *reason; /* why it ended, failed or waits; NULL */
};
struct lifecycle_output {
	struct lifecycle_call *calls; /* in this order */
	uint32_t call_count;
	enum task_status status; /* PENDING, RUNNING, STOPPING, STOPPED (which is for ever) */
	enum health_status health;
	bool health_checked;   /* an essential container has a check */
	const char *stop_code; /* from STOPPING on */
	const char *reason;    /* why it stops, or what a PENDING one waits for; NULL */
	bool stop_requested;   /* it stops because that was wished */
	int64_t started_at_ms; /* since when it is RUNNING; 0: never was, or in an earlier boot */
	int64_t stopped_at_ms; /* 0: not yet, or in an earlier boot */
	bool removed;	       /* REMOVED was wished, and nothing of it is left */
	struct lifecycle_container_status *containers; /* one for each of the definition's */
	int64_t wake_at_ms;  /* look again then; INT64_MAX: only on events */
	bool memory_changed; /* persist lifecycle_memory_to_json() before making the calls */
};

/* --- memory ---------------------------------------------------------------------------------- */

struct lifecycle_container_memory {
	/* Persistent. */
	bool seen, started;	 /* it was there; it ran once */
	bool judged, stays_down; /* the exit of .run was judged; it is not to be started again */
	uint64_t run;		 /* the last one seen */
	bool has_exit_code;
	int exit_code;
	uint32_t restarts;
	int64_t first_start_ms;
	enum health_status health;
	char reason[WIRE_REASON_BYTES];
	/* Not over a restart of the agent. */
	int64_t stop_since_ms;		 /* its first STOP */
	enum lifecycle_call_kind called; /* the last call that did not show an effect yet */
	enum lifecycle_state called_in;
	uint32_t attempts;
	int64_t called_ms;
	bool check_given; /* an EXEC_HEALTH waits for its answer */
	int64_t check_given_ms, check_at_ms;
	uint32_t check_failures; /* in a row */
};

/* Zeroed: nothing is known. */
struct lifecycle_memory {
	bool stopping, stop_requested, running, stopped; /* none of them ever ends */
	int64_t running_ms, stopped_ms;
	char stop_code[32], stop_reason[WIRE_REASON_BYTES];
	struct lifecycle_container_memory containers[LIFECYCLE_SLOTS];
	bool changed;
};

/* The persistent part, for the caller's own record of the task: a new reference. */
struct json_t *lifecycle_memory_to_json(const struct lifecycle_memory *memory);
/* same_boot: it was written in this boot of the machine, so its times mean something. On false
 * *memory is as it was. */
bool lifecycle_memory_from_json(struct lifecycle_memory *memory, const struct json_t *json,
				bool same_boot, struct err *err);

void lifecycle_step(struct lifecycle_memory *memory, const struct lifecycle_input *input,
		    struct arena *arena, struct lifecycle_output *out);

/* --- rules by themselves --------------------------------------------------------------------- */

/* What a health check runs: CMD's and a bare list's words, /bin/sh -c for CMD-SHELL. Empty for
 * NONE, and without a check (NULL). */
struct str_list lifecycle_health_command(const struct health_check *check, struct arena *arena);

/*
 * Is a container that exited to be started again in place? Reference section 1.9. ran_ms: how long
 * it ran, -1: not known. With false *why_not is the reason in the words of ECS's agent.
 */
bool lifecycle_should_restart(const struct restart_policy *policy, bool stopping,
			      bool has_exit_code, int exit_code, int64_t ran_ms,
			      struct arena *arena, const char **why_not);

#endif
