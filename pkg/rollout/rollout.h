/*
 * rollout: what happens next with ONE deployment of a service. One pure step: (settings, memory,
 * what the planner counts, now) -> how far the planner may go, the deployment's state, and when to
 * look again. Beside it: windows (window.h), the wall clock's steadiness (clock.h), and the guard
 * against mass changes (guard.h).
 *
 * Steps:
 *  - A step reaches nodes; what was reached by earlier ones stays reached. percent and count are
 *    numbers of placed nodes, those of earlier steps included (percent rounded up, at least 1); the
 *    largest of the steps begun counts. expression reaches all nodes that match. After the last
 *    step all the rest is reached; then the steps are over for this deployment.
 *  - A step is done when all that it reaches, and that is reachable, has the release, and is ready
 *    or excused; but not while nodes are placed and none is reachable. Then it bakes for bake_ms,
 *    without a failed task and without one that stops being ready, else it bakes anew; so it does
 *    after a restart of the controller: never shorter. Nodes that come later and are within its
 *    reach get the release meanwhile, and must be ready before the next step begins.
 *  - After the bake of a step with pause it waits, until settings say that there is no pause.
 *  - Settings may change on the way (a commit that changes them begins no deployment). The step is
 *    a place in the list, and never goes back; one whose expression, percent or count changed bakes
 *    anew.
 *  - Nothing is concluded from counts that were made under another reach than the present one: when
 *    reach or steps_reached of the verdict are not what the planner has, tell it, let it run, and
 *    step again.
 *
 * Gate: while it is not open no batch begins: reach is 0, so only what has the release already goes
 * on, no step begins or becomes done, and the deadline stands still. Failures count on, and an end
 * may be found.
 *
 * Ends:
 *  - COMPLETED: all steps are over, every reachable placed node has the release and is ready or
 *    excused, at least one is ready (unless none is placed), and monitor_ms are over since the last
 *    one became ready. For ever.
 *  - FAILED: the failed tasks come up to the breaker's threshold; or the first batch fails
 * entirely, whatever the threshold; or for progress_deadline_ms nothing became ready and no step
 * began while something should have (paused, baking, gate not open, monitored, nothing reachable:
 * the time does not count). Nothing more is launched. With the breaker's rollback, and something
 *    COMPLETED to go back to, roll_back is true from then on.
 *  - FAILED is for ever, but for one that does not go back and whose every reachable placed node
 *    runs it healthy after all, as for COMPLETED.
 *  - A rollback knows no steps, bakes, pauses, windows and holds; one that fails is not rolled
 * back: it holds.
 *  - Without a breaker only the deadline makes a deployment FAILED, and it is not rolled back.
 *  - While anything is not known nothing is concluded: failures are counted and wait.
 *
 * Times are milliseconds of one monotonic clock of the controller; nothing of them is kept over its
 * restart. The memory is a plain value of the caller, zeroed for a new deployment; results live in
 * the arena.
 */
#ifndef MUSTER_ROLLOUT_H
#define MUSTER_ROLLOUT_H

#include "model/model.h"

#define ROLLOUT_ALL	      UINT32_MAX /* a reach: all nodes; a step: all steps are over */
#define ROLLOUT_NEVER	      INT64_MAX
#define ROLLOUT_MESSAGE_BYTES 256
/* Clamps of BOUNDED_PERCENT, reference section 1.7. */
#define ROLLOUT_THRESHOLD_MIN 3
#define ROLLOUT_THRESHOLD_MAX 200

/* So many failed tasks make a deployment of so many desired tasks FAILED: at least 1. */
uint32_t rollout_threshold(const struct circuit_breaker *breaker, uint32_t desired);

/* --- settings: of the applied commit ---------------------------------------------------------- */

enum rollout_step_kind { ROLLOUT_EXPRESSION, ROLLOUT_PERCENT, ROLLOUT_COUNT };
struct rollout_stage {
	enum rollout_step_kind kind;
	uint32_t value;		/* of PERCENT (1..100) and COUNT */
	const char *expression; /* of EXPRESSION: its text; the planner has the compiled one */
	int64_t bake_ms;
	bool pause;
};
struct rollout_settings {
	const struct rollout_stage *stages;
	uint32_t stage_count;
	struct circuit_breaker breaker;
	int64_t progress_deadline_ms; /* 0: none */
	int64_t monitor_ms;
	bool is_rollback; /* it was begun by a roll_back of ours */
};
/* The manifest's steps; they borrow from it. */
struct rollout_stage *rollout_stages(const struct rollout *rollout, struct arena *arena,
				     uint32_t *count);

/* To how many of the placed nodes the first `begun` stages reach by number, expressions aside.
 * ROLLOUT_ALL where begun is greater than the number of stages. */
uint32_t rollout_reach(const struct rollout_settings *settings, uint32_t begun, uint32_t placed);

/* --- input ------------------------------------------------------------------------------------ */

/* May a batch begin? */
enum rollout_gate {
	ROLLOUT_GATE_OPEN,
	ROLLOUT_GATE_WINDOW,	/* outside of its windows, or the wall clock is not steady */
	ROLLOUT_GATE_HELD,	/* a hold waits for a release */
	ROLLOUT_GATE_SUSPENDED, /* counts for a rollback, too */
};

struct rollout_input {
	int64_t now_ms;
	enum rollout_gate gate;
	/* The store and the nodes were read whole after the commit was applied. With that, and
	 * .unknown 0, all is known. */
	bool synced;
	/* There is a COMPLETED release to go back to, another than this one. */
	bool completed_exists;

	/* What the planner had been told when it counted. */
	uint32_t reach, steps_reached;

	/* The planner's counts. */
	uint32_t placed;      /* desired */
	uint32_t unreachable; /* of those */
	uint32_t unknown;     /* nodes of which it is not known whether or how they run it */
	uint32_t current;     /* reachable, and assigned this release (its variant for the node) */
	uint32_t current_ready; /* of those: ready on it */
	uint32_t excused;	/* of those: broken before its update, and not ready */
	uint32_t owed;		/* reachable, reached, and without it yet */
	uint32_t in_flight;	/* slots of the budget that are taken */
	uint32_t budget;	/* how many there are */
	/* Of .current, not excused: failed now (did not come up, unhealthy, in back-off). */
	uint32_t failed_now;

	/*
	 * What happened since the step before, each counted once.
	 * A failed task: one of this release that could not be prepared or started, ended by itself
	 * or became unhealthy before it was ready or within monitor_ms of that, or whose node
	 * vanished then. Not of a node that was broken before its update.
	 * Ready: a node's task of this release became ready, the first time on this node in this
	 * deployment: one that crashes and comes back is no success. Not what was ready already
	 * when the controller first saw it.
	 */
	uint32_t new_failures, new_ready;
	/* When a task of this release last became ready, again or for the first time, or was first
	 * seen so by this controller. 0: none did. */
	int64_t last_ready_ms;
};

/* --- memory ----------------------------------------------------------------------------------- */

enum rollout_state { ROLLOUT_IN_PROGRESS, ROLLOUT_COMPLETED, ROLLOUT_FAILED };
const char *rollout_state_name(enum rollout_state state); /* ECS's word */

/* Why it is in that state, or what it waits for. */
enum rollout_reason {
	ROLLOUT_UPDATING,  /* nodes get the release, or are not ready yet */
	ROLLOUT_NOT_KNOWN, /* nodes or the store are not known yet */
	ROLLOUT_UNREACHED, /* no placed node is reachable */
	ROLLOUT_BAKING,	   /* the step is done, and its bake is not over */
	ROLLOUT_PAUSED,	   /* ... and it waits for a commit without its pause */
	ROLLOUT_OUTSIDE,   /* of its windows */
	ROLLOUT_HELD,
	ROLLOUT_SUSPENDED,
	ROLLOUT_MONITORING,  /* all are ready; the last one's monitor is not over */
	ROLLOUT_DONE,	     /* COMPLETED */
	ROLLOUT_THRESHOLD,   /* FAILED: too many failed tasks */
	ROLLOUT_FIRST_BATCH, /* FAILED: the first batch failed entirely */
	ROLLOUT_DEADLINE,    /* FAILED: no progress in time */
	ROLLOUT_REASON_COUNT
};
const char *rollout_reason_name(enum rollout_reason reason); /* "Updating", ... */

struct rollout_memory {
	/* Persistent. */
	enum rollout_state state;
	enum rollout_reason reason;	     /* of an end */
	char message[ROLLOUT_MESSAGE_BYTES]; /* of an end */
	bool roll_back;			     /* decided when it failed */
	uint32_t step;	       /* place of the present one; ROLLOUT_ALL: all are over */
	uint32_t failed_tasks; /* ECS's failedTasks; with reset_on_healthy_task since the last
				  success */
	bool succeeded;	       /* a task was ready on it once */
	uint32_t readied;      /* so many became ready, in worked_ms */
	int64_t worked_ms;     /* time in which nodes were being updated */
	/* Not over a restart of the controller. */
	bool begun; /* stepped before, at last_ms */
	int64_t last_ms;
	bool counting;	   /* since then the deadline runs */
	int64_t waited_ms; /* so long it ran since the last progress */
	bool done;	   /* the present step was, at done_ms, and bakes since then */
	int64_t done_ms;
	uint64_t stage_key;	   /* which stage that is */
	uint32_t current, unready; /* at last_ms */
};

/* The persistent part, for the caller's ledger: a new reference. */
struct json_t *rollout_memory_to_json(const struct rollout_memory *memory);
/* On false *memory is as it was. Members that are not known are let be. */
bool rollout_memory_from_json(struct rollout_memory *memory, const struct json_t *json,
			      struct err *err);

/* --- verdict ---------------------------------------------------------------------------------- */

struct rollout_forecast {
	uint32_t nodes_left;	 /* reachable, and not ready on it nor excused */
	int64_t ms_a_batch;	 /* so far, of .budget nodes; -1: none became ready yet */
	int64_t expected_end_ms; /* -1: nobody can say (no figure yet, a pause ahead, gate not open,
				  * FAILED); bakes and the monitor are counted in */
};

struct rollout_verdict {
	enum rollout_state state;
	enum rollout_reason reason;
	const char *message; /* a sentence for people, without time of day; in the arena */
	/* For the planner: how far it may go. The expressions of the first steps_reached stages
	 * reach, too. */
	uint32_t reach, steps_reached;
	uint32_t step;	       /* the present one, from 0 on; ROLLOUT_ALL: all are over */
	bool paused;	       /* after .step */
	bool roll_back;	       /* begin the rollback, where that was not done yet */
	uint32_t threshold;    /* of failed tasks; 0: there is no breaker */
	int64_t bake_until_ms; /* ROLLOUT_BAKING; else 0 */
	int64_t wake_at_ms;    /* step again then; ROLLOUT_NEVER: only when something changes */
	/* The persistent part is another: write it before acting on the verdict. */
	bool memory_changed;
	struct rollout_forecast forecast;
};

void rollout_step(struct rollout_memory *memory, const struct rollout_settings *settings,
		  const struct rollout_input *input, struct arena *arena,
		  struct rollout_verdict *out);

#endif
