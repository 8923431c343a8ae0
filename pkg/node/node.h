/*
 * node: the agent's decisions. One pure step: (what is desired, what the engines say runs, memory,
 * now)
 * -> what to do next, what to report, and when to look again.
 *
 * Rules (DESIGN sections 2, 6):
 *  - Unknown desired, or an engine that could not be listed, means keep what runs: no stop ever
 * follows. What other engines run goes on being started and stopped; a service starts only when all
 * engines that may have a task of it could be listed: the one it is for, and those that last had
 * one.
 *  - One task a service; of two of one service the one that fits best stays (the target's digest
 * first, then what is healthy, then what is not known to be unhealthy, then the longest running,
 * then the lowest id).
 *  - A task is replaced when its target digest differs from the desired one, for nothing else;
 * prepare first, then stop the old one, and only when that is STOPPED start the new one. A prepare
 * that fails costs no outage and is tried again with the restart delays. An unhealthy one is
 * stopped and started again, as ECS does.
 *  - With surge the new one starts beside the old one once it is prepared, in its turn and after
 * its back-off, and the old one stops when the new one is ready. A new one that fails leaves the
 * old one running. There are never three: of two that are both no longer desired the one that fits
 * less is STOPPED before another starts. An old one that ends by itself, or is unhealthy, is not
 * replaced by its like.
 *  - Nothing is stopped because of desired document N before N was written back as `seen`.
 *  - Starts go in the order of the document: each waits until all before it are RUNNING, or failed,
 * or had their turn for START_PATIENCE_MS. `dependsOn` waits for the dependency to be ready once on
 * this node since boot; one that is not desired here does not block. It gates only the first start
 * of a service on the node since boot (a restart does not wait).
 *  - What is no longer desired stops in the reverse of the order in which it would start: higher
 *    priority, and what others depend on, only when the rest is STOPPED, or STOP_PATIENCE_MS later.
 *  - Restart delays 0, 1, 2, 4 ... 300 s within a series, from the end of the task;
 * RESTART_SERIES_MS of running, or a new target digest, ends the series; so does a reboot. What we
 * stopped counts in no series, but for the unhealthy.
 *  - Disk full: nothing new starts and nothing is replaced; what runs stays.
 *  - A stopped task stays visible with its record until there are STOPPED_KEPT_PER_SERVICE newer
 * ones or STOPPED_KEPT_MS went by; only then, and only after it was counted in its series, it is
 * removed.
 *  - What else than its record a stopped task left on its engine (containers, their volumes) goes
 *    at once when its service is no longer desired, known as such; else with the record.
 *  - An action is given once. What the caller does not confirm in its next inputs is given again
 * after ANSWER_PATIENCE_MS: see `struct node_input`.
 *
 * What is reported of a task:
 *  - ready: RUNNING, and HEALTHY where it is checked, for the service's minReadySeconds of boot
 * clock.
 *  - failed: not ready, and it broke in the present series (so it stays failed from the first end,
 * over back-off and new attempts, until it is ready), or is UNHEALTHY, or its prepare failed.
 *  - failures: how often the desired target failed on this node in all: ended by itself, was
 * stopped as unhealthy, did not start, could not be prepared. Only a new target sets it to 0, or
 * the loss of the agent's memory.
 *  - For a desired service without a task of its target there is an entry with id "": PROVISIONING
 * while the old task runs, else PENDING, with the reason why it waits. The entry of the desired
 * target comes before the service's other tasks and carries the series (restarts, restart_in_ms,
 * failures).
 *
 * Times are milliseconds of the boot clock (CLOCK_BOOTTIME), which stands still for nobody. Who
 * owns what: a `struct node_memory` owns all it keeps between steps. Results of a step live in the
 * arena that it was given, and borrow from the input.
 */
#ifndef MUSTER_NODE_H
#define MUSTER_NODE_H

#include "wire/wire.h"

#define START_PATIENCE_MS	 5000
#define STOP_PATIENCE_MS	 60000
#define ANSWER_PATIENCE_MS	 30000
#define RESTART_DELAY_MAX_MS	 300000
#define RESTART_SERIES_MS	 600000
#define STOPPED_KEPT_PER_SERVICE 10
#define STOPPED_KEPT_MS		 (60 * 60 * 1000) /* kept at least this long, up to 10 a service */

/* A task as an engine sees it. */
struct node_task {
	const char *id;
	const char *cluster, *service, *family;
	uint32_t revision;
	struct digest target;
	const char *deployment;
	const char *engine;
	enum engine_kind kind;	 /* of that engine */
	enum task_status status; /* PENDING: created, not yet running */
	int64_t started_at_ms;	 /* boot clock; 0: not started */
	int64_t stopped_at_ms;	 /* boot clock; of an earlier boot: 0 with earlier_boot */
	int64_t started_unix_ms, stopped_unix_ms;
	bool earlier_boot;	   /* it ended with the boot it ran in */
	bool stop_requested;	   /* by our own hand */
	bool lacks_definition;	   /* found without its record: see engine_ops.define */
	bool remains;		   /* STOPPED: there is more of it than a record */
	enum health_status health; /* UNKNOWN where there is no health check */
	bool health_checked;	   /* it has one */
	const char *stop_code, *reason, *stderr_tail;
	uint64_t log_bytes_dropped;
	struct wire_container *containers;
	uint32_t container_count;
};

/*
 * The answer of a prepare that node_step() asked for. A new PREPARE of a service replaces its
 * earlier answer at once; an answer counts from the millisecond after its PREPARE on.
 */
enum prepare_state { PREPARE_NONE, PREPARE_RUNNING, PREPARE_DONE, PREPARE_FAILED };
struct node_prepare {
	const char *cluster, *service;
	struct digest target;
	enum prepare_state state;
	const char *reason;    /* of a failure; while it runs: how far it is; NULL */
	struct str_map images; /* container name -> digest of its image, as far as it is known */
};

/*
 * From the step after a START on, `tasks` has the new task: PENDING at least, and STOPPED with stop
 * code TaskFailedToStart when it could not be started. A START that is never confirmed counts as a
 * failed one. A task whose target is not known yet (none) is taken for one of the desired target.
 */
struct node_input {
	int64_t now_ms;			    /* boot clock */
	int64_t now_unix_ms;		    /* for people only */
	const struct wire_desired *desired; /* the last one read whole, or NULL: unknown */
	uint64_t seen_written; /* highest number that the store has taken as our `seen` */
	/* False: the engine of that kind could not be asked; its tasks are left alone. Those that
	 * are listed all the same are what was known at last. True where the node has none. */
	bool tasks_known[ENGINE_KIND_COUNT];
	const char *why_unknown[ENGINE_KIND_COUNT]; /* of those that are not; may be NULL */
	const struct node_task *tasks;
	uint32_t task_count;
	const struct node_prepare *prepares;
	uint32_t prepare_count;
	bool disk_full;
	/* "CLUSTER/SERVICE" of those whose failure may be over (a file that they need has changed):
	 * what waits in a back-off or for its next prepare does so no longer. They count on. */
	const char *const *retries;
	uint32_t retry_count;
	bool leaving; /* --leave: stop all, start nothing, remove all; done when no task is left */
};

enum node_action_kind {
	NODE_PREPARE, /* make ready what .task will need, the old one still running */
	NODE_START,   /* start .task under a new random id, which the caller makes */
	NODE_STOP,    /* ask the task .id to stop; its engine waits and kills */
	NODE_CLEAN,   /* remove what the stopped task .id left, but not its record */
	NODE_REMOVE,  /* forget the stopped task .id: records and what it left */
};
struct node_action {
	enum node_action_kind kind;
	const char *id;			      /* STOP, CLEAN, REMOVE */
	const struct wire_desired_task *task; /* PREPARE, START: in the desired document */
	const char *reason; /* STOP: for stoppedReason, to be kept in its record */
};

struct node_output {
	struct node_action *actions;
	uint32_t action_count;
	struct wire_task *tasks; /* for the observed document and the agent's own status */
	uint32_t task_count;
	struct wire_task *stopped;
	uint32_t stopped_count;
	uint64_t seen;	     /* the number it acts on: to be written before anything is stopped */
	int64_t wake_at_ms;  /* look again then, at the latest; INT64_MAX: only on events */
	bool memory_changed; /* persist node_memory_save() before the actions */
};

struct node_memory;
struct node_memory *node_memory_new(void);
void node_memory_free(struct node_memory *memory);

/*
 * Restart series and first starts, over restarts of the agent within a boot. Without them the
 * series are made up again from the records of the stopped tasks. Of a memory of another boot only
 * the failures of each service's target are taken over.
 */
void node_memory_save(const struct node_memory *memory, const char *boot_id, struct buf *out);
/* What does not read is as good as empty: false with the reason in err. */
bool node_memory_load(struct node_memory *memory, const char *boot_id, const void *bytes,
		      size_t len, struct err *err);

void node_step(struct node_memory *memory, const struct node_input *input, struct arena *arena,
	       struct node_output *out);

#endif
