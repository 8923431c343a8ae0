/*
 * muster-agent: one node's agent as a program: senses (desired document, engines, attributes,
 * clock), asks node_step() what to do, and does it. No decisions about tasks here.
 *
 * What it keeps in STATE/agents/NODE: `instance` (who this node is), `fleet`, `desired` (its own
 * copy of the last desired document it read whole), `memory` (restart series), `lock`, tasks/ and
 * logs/ of the process engine, status/. With these it works on when controller, store or network is
 * gone.
 */
#ifndef MUSTER_AGENT_H
#define MUSTER_AGENT_H

#include "engine/engine.h"
#include "loop/loop.h"
#include "node/claim.h"
#include "node/node.h"
#include "store/store.h"
#include "watch/watch.h"

#define BEAT_MS		 10000 /* give or take a fifth; well below MIN_NODE_TIMEOUT_S */
#define STORE_RETRY_MS	 2000
#define OBSERVED_LATE_MS 20 /* what is not urgent is put together with what follows this soon */
#define STATUS_SETTLE_MS                                                                           \
	200 /* status follows a change so late, and others within this time with it */
#define LEAVE_STORE_MS	    10000	/* --leave waits so long for the store */
#define DISK_FREE_MIN_BYTES (16u << 20) /* below: DiskFull, nothing new starts */
#define DISK_RECHECK_MS	    5000	/* while it is full */
#define ENGINES_MAX	    4
#define LOCK_FILE	    "lock"

struct options {
	const char *node, *cluster, *store, *state, *attributes_dir, *registry_auth;
	struct str_list engines, attributes;
	bool leave;
};

/* An engine in use. */
struct agent_engine {
	const struct engine_ops *ops;
	void *self;
	bool facts_known;
	struct engine_facts facts;
	char *why; /* it could not be asked at the last step: said once; NULL: it could */
};

enum claim_state {
	CLAIM_NONE,    /* the store was not asked yet */
	CLAIM_WAITING, /* another instance or boot holds the record: is it silent? */
	CLAIM_TAKING,  /* the record is ours by right, and being written */
	CLAIM_HELD,    /* the record is ours */
	CLAIM_LOST,    /* it is another agent's, or we have left: hands off */
};

struct agent {
	struct options options;
	struct arena arena;
	const char *agents_dir;	 /* STATE/agents */
	const char *dir;	 /* STATE/agents/NODE */
	const char *control_dir; /* DIR/control: the file `leave` asks a running agent to leave */
	const char *node_key, *desired_key, *observed_key;
	char instance[UUID_TEXT_LEN + 1], session[UUID_TEXT_LEN + 1], boot_id[UUID_TEXT_LEN + 1];
	char fleet[FLEET_ID_LEN + 1]; /* empty: not known yet */
	int lock_fd;
	int exit_code;

	struct loop *loop;
	struct timer *step_timer, *wake_timer, *beat_timer, *reopen_timer, *relist_timer,
		*observed_timer, *status_timer, *claim_timer, *leave_timer;

	/* Engines and the node's own decisions. */
	struct agent_engine engines[ENGINES_MAX];
	size_t engine_count;
	struct node_memory *memory;
	VEC(struct node_prepare_entry) prepares;
	VEC(struct starting) starting;
	bool disk_full, status_failed, status_due;

	/* Desired. */
	struct arena desired_arena;
	struct wire_desired desired;
	bool desired_known;
	const char *
		desired_why; /* why the store's document does not count: condition DesiredUnknown */
	char *desired_text;
	uint64_t highest;	     /* number acted on, for this fleet */
	struct digest desired_bytes; /* of the document that has it */

	/* Files of this node that what is desired names. */
	VEC(struct node_place) places;
	struct arena places_arena;
	struct map *retries; /* "CLUSTER/SERVICE" whose delays end with the next step */

	/* Observed. */
	struct buf observed_bytes; /* as last put, or under way */
	bool observed_pending, observed_dirty, observed_due;
	uint64_t seen, seen_pending, seen_written;
	struct arena report_arena; /* of the last step's tasks */
	struct node_output last;   /* refers to report_arena and desired */
	bool tasks_known;	   /* of all engines, in the last step */

	/* Registration. */
	struct store *store;
	bool store_ok, needs_poll, other_fleet;
	char *store_text; /* why it is away */
	enum claim_state claim;
	struct buf registration_bytes; /* as last read or put: the old value of the next CAS */
	bool registration_pending, registration_dirty;
	int64_t registered_at_ms;
	enum node_holder holder; /* of the record as last read */
	struct node_silence silence;
	const char *conflict; /* why the name is not ours: condition NameConflict; NULL */

	/* Facts and attributes. */
	struct arena facts_arena, attributes_arena;
	struct str_map facts, attributes;
	struct str_list capabilities;
	uint32_t cpu_units, memory_mib;
	struct watcher *watcher;
	bool attributes_stale;

	bool leaving, leave_waiting, leave_started;
};

struct node_prepare_entry {
	char *cluster, *service;
	struct digest target;
	enum prepare_state state;
	char *reason;  /* of a failure, or how far it is */
	char *failure; /* of the attempt before it, which is told as long as this one goes on */
	struct arena arena;
	struct str_map images; /* in the arena */
};

struct node_place {
	const char *dir, *name, *service; /* in the places' arena */
};

/* A start that the engine has not answered for yet. */
struct starting {
	char id[UUID_TEXT_LEN + 1];
	char *cluster, *service;
	const struct engine_ops *ops;
};

/* facts.c */
bool agent_facts_start(struct agent *a, struct err *err);
void agent_facts_read(void *arg);	     /* again: an engine has another answer */
void agent_attributes_read(struct agent *a); /* again; registers anew where they changed */

/* places.c */
void agent_places_watch(struct agent *a); /* those of the present desired document */
/* A file changed in a directory that is watched: was it one of them? */
bool agent_places_changed(struct agent *a, const char *dir, const char *name);
const char **agent_retries_take(struct agent *a, struct arena *arena, uint32_t *count);
void agent_places_release(struct agent *a);

/* register.c: store, claim of the name, beats. */
bool agent_store_start(struct agent *a, struct err *err);
void agent_register(struct agent *a); /* put the registration where it differs */
void agent_store_failed(struct agent *a, const struct err *err);

/* desired.c */
bool agent_desired_restore(struct agent *a, struct err *err);
void agent_desired_look(struct agent *a);

/* engines.c */
/* What is wrong with --engine, or NULL. */
const char *agent_engines_mistake(const struct options *o, struct arena *arena);
bool agent_engines_start(struct agent *a, struct err *err);
void agent_engines_stop(struct agent *a);
struct agent_engine *agent_engine_for(struct agent *a, const struct wire_desired_task *task);
struct agent_engine *agent_engine_of(struct agent *a, const struct node_task *task);
/* All engines' tasks in one array, and a PENDING one for each start without an answer that its
 * engine does not list yet. */
void agent_engines_list(struct agent *a, struct arena *arena, struct node_input *input);

/* prepare.c */
void agent_prepare(struct agent *a, const struct wire_desired_task *task);
void agent_prepare_progress(void *arg, const char *cluster, const char *service, const char *text);
/* Those of what is no longer desired are forgotten. */
void agent_prepares_sweep(struct agent *a);
void agent_prepares_release(struct agent *a);
/* Copies: what a step says may refer to them for longer than a prepare lives. */
struct node_prepare *agent_prepares_list(const struct agent *a, struct arena *arena);

/* act.c */
void agent_step_soon(struct agent *a);
void agent_step(void *arg);

/* observed.c */
void agent_observed_changed(struct agent *a, bool urgent);
void agent_observed_put(void *arg);
/* Is it in the store as it was put? */
void agent_observed_look(struct agent *a);
uint32_t agent_conditions(const struct agent *a, struct arena *arena, struct wire_condition **out);
void agent_observed_build(const struct agent *a, struct wire_observed *out, struct arena *arena);
void agent_registration_build(const struct agent *a, struct wire_registration *out,
			      struct arena *arena);

/* status.c */
void agent_status_write(void *arg);
void agent_status_beat(struct agent *a);

/* leave.c */
void agent_leave_check(struct agent *a);
void agent_leave_tick(void *arg);
/* Does another process run on this state? Then it is asked to leave, and waited for: false when it
 * ended before it had left, else the exit code. */
bool agent_runs_already(struct agent *a);
bool agent_leave_remote(struct agent *a, int *code);
bool agent_leave_asked(struct agent *a);

#endif
