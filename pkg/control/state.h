/*
 * control/state: what the controller knows, as values that reports read. Only control changes them.
 */
#ifndef MUSTER_CONTROL_STATE_H
#define MUSTER_CONTROL_STATE_H

#include "control/control.h"
#include "rollout/clock.h"
#include "rollout/guard.h"
#include "rollout/rollout.h"
#include "rollout/window.h"

/* --- conditions, as Kubernetes has them ---------------------------------------------------------
 */

enum condition_type {
	CONDITION_READY,
	CONDITION_PROGRESSING,
	CONDITION_DEGRADED,
	CONDITION_STALLED,
	CONDITION_HELD,
	CONDITION_LAGGING,
	CONDITION_NAME_CONFLICT, /* of the fleet only */
	CONDITION_TYPE_COUNT
};
enum condition_status { CONDITION_UNKNOWN, CONDITION_FALSE, CONDITION_TRUE };
const char *condition_type_name(enum condition_type type);
const char *condition_status_name(enum condition_status status); /* "True" "False" "Unknown" */

struct condition {
	enum condition_status status;
	const char *reason; /* CamelCase, a literal */
	char *message;	    /* owned; NULL: none */
	int64_t transition_unix_ms;
	char commit[65]; /* observedCommit */
};
struct conditions {
	struct condition of[CONDITION_TYPE_COUNT];
};

/* --- events --------------------------------------------------------------------------------------
 */

struct control_event {
	int64_t time_unix_ms;
	char id[33];			/* made from the content: the same event has the same id */
	const char *type;		/* INFO WARN ERROR */
	const char *name;		/* ECS's name, e.g. SERVICE_STEADY_STATE */
	char *cluster, *service, *node; /* NULL where it is not about one */
	char *message;
};
struct event_ring { /* newest last; at most LIMIT_SERVICE_EVENTS */
	struct control_event *items[LIMIT_SERVICE_EVENTS];
	size_t count;
};

/* --- revisions and deployments
 * -------------------------------------------------------------------- */

/* What a task takes in a desired document besides its definition. */
#define DESIRED_TASK_OVERHEAD_BYTES 2048
/* What it takes there together, about. */
uint32_t content_document_bytes(const struct task_definition *definition);

/* What a task of a target is made of; shared by all nodes that run it. */
struct content {
	struct digest target;	       /* task_target_digest() */
	struct digest task_definition; /* task_definition_digest() */
	const char *family;
	uint32_t revision;
	const struct task_definition *definition; /* NULL: found running, and nowhere kept */
	struct arena arena;
	bool as_rendered; /* .definition is of a desired document: mapped by a cluster, perhaps */
	uint32_t document_bytes; /* what one takes in a desired document, about */
	struct str_map images;	 /* container -> digest, as far as they are known; see images.c */
	bool images_ran;	 /* a task of it ran: no more digests are to be waited for */
	bool used;		 /* scratch of contents_sweep() */
};

struct revision {
	struct digest digest; /* of the task definition; none: see .target */
	struct digest target; /* found running under this number, its content unknown */
	uint32_t number;
	char commit[65]; /* where it came first */
	int64_t time_unix_ms;
	char *content; /* JSON of the task definition, or NULL: only the number is kept */
	bool wanted;   /* some service pinned it when its content was kept no more */
};
struct family {
	char *name;
	uint32_t next;			/* the next number */
	VEC(struct revision) revisions; /* in order of numbers */
	uint32_t current;		/* of the applied commit; 0: not in it */
	bool dirty;			/* the ledger document is behind: ledger_dirty() */
};

/* What a deployment is made of: a revision, its overrides, a redeploy token. */
struct release_variant {
	const struct expr
		*when; /* the override's expression; NULL of the last one: all other nodes */
	struct content *content;
};
struct release {
	struct digest
		digest; /* release_digest(): that of the only target where there are no overrides */
	const char *family;
	uint32_t revision;
	const char *redeploy; /* NULL: none */
	struct override_list overrides;
	const char *overrides_text;	  /* as JSON; NULL: none */
	struct release_variant *variants; /* the first whose expression is true of a node counts */
	uint32_t variant_count;
	struct arena arena;
};

#define DEPLOYMENTS_KEPT 10 /* of a service, for `muster history` */
struct deployment {
	char id[32];	       /* "ecs-svc/<19 digits>" */
	struct digest release; /* .digest of what it is made of */
	char family[256];
	uint32_t revision;
	char *redeploy, *overrides; /* owned; overrides as JSON; NULL: none */
	char commit[65];
	int64_t created_unix_ms, updated_unix_ms, finished_unix_ms; /* finished 0: not yet */
	enum rollout_state state;
	char *reason;	      /* owned: why it FAILED, in words; NULL */
	char rollback_of[32]; /* of the deployment that failed; empty: none */
	bool window_allowed;  /* `muster allow`: it waits for no window */
	struct rollout_memory memory;
};

/* --- services, nodes
 * ------------------------------------------------------------------------------ */

struct service_state {
	char *cluster, *name, *key; /* "CLUSTER/NAME" */
	plan_service_id id;
	/* Of the applied commit, copied; NULL: gone from it (removing, or kept by muster/prune). */
	const struct daemon_service *spec;
	struct arena arena;   /* of spec, constraints and what the planner borrows */
	const char *path;     /* of the manifest */
	uint64_t spec_serial; /* of the manifest's content */
	struct pos spec_pos;
	uint32_t planned_pulls;
	bool removing, kept;
	const char *stalled; /* why nothing can be resolved: a sentence; NULL */
	/* What the applied commit wants; what is rolled out, another one after a rollback; the last
	 * COMPLETED one while that is not. NULL: there is none, or it cannot be resolved. */
	struct release *wanted, *current, *completed;
	struct content *content; /* of .current, where no override counts; NULL: stalled */
	const struct expr **constraints;
	uint32_t constraint_count;
	const struct expr **steps; /* of spec.rollout; NULL: one that asks for none */
	uint32_t step_count;
	int32_t priority;
	uint32_t min_ready_seconds, monitor_seconds, min_healthy_percent, max_percent;
	struct str_list depends_on;
	bool suspend, keep_on_drain;
	struct deployment primary, previous, /* the last COMPLETED one before it */
		failed; /* the one that .primary is the rollback of, until another commit */
	bool has_primary, has_previous, has_failed;
	struct deployment past[DEPLOYMENTS_KEPT]; /* PRIMARY once, the newest last */
	uint32_t past_count;
	struct rollout_verdict verdict;		  /* on .primary, as of the last step */
	char verdict_text[ROLLOUT_MESSAGE_BYTES]; /* its message */
	bool nowhere;				  /* nodes match it, and none can run it */
	uint32_t new_failures, new_ready;	  /* of .primary since then */
	char failure[256];			  /* of .primary, the last one: NODE: why */
	int64_t last_ready_ms;
	struct guard guard;
	uint32_t stops_released;	     /* by `muster allow`, besides the guard's share */
	uint32_t stops_left;		     /* that the guard allows now */
	bool closed;			     /* its windows are, for what may begin now */
	char closed_words[WINDOW_WORDS_MAX]; /* what changes wait for then */
	bool guarded;			   /* a mass change is held, until it is released or gone */
	int64_t judge_at_ms, window_at_ms; /* look again then */
	bool retell;			   /* the planner goes by something else */
	uint32_t told_reach, told_steps, stops_told;
	uint32_t tasks; /* scratch of the guard of commits */
	bool dirty;	/* the ledger document is behind: ledger_dirty() */
	struct plan_counts counts;
	bool judged; /* .counts and .conditions are of this store and the applied commit */
	struct conditions conditions;
	struct event_ring events;
	bool steady_told;
	int64_t created_unix_ms;
};

/* One task of a node's desired document. */
struct assignment {
	struct service_state *service;
	struct content *content;
	char deployment[32];
	int64_t assigned_unix_ms;
	uint64_t assigned_number;
	uint32_t replaces;
	bool broken_before, surge;
	int64_t ready_since_ms;	       /* acknowledged and ready since then; 0: it is not */
	bool was_ready;		       /* once */
	bool watched;		       /* it was ready for monitorSeconds at a stretch */
	int64_t assigned_ms;	       /* by this controller; 0: before its start */
	bool starting;		       /* as the planner was told: see fleet_is_starting() */
	uint32_t failures;	       /* as the agent last told them */
	bool acknowledged;	       /* once */
	bool failures_known, vanished; /* vanished: counted as failed, its node went away */
};

enum connection { CONNECTION_UNKNOWN, CONNECTION_LOST, CONNECTION_ALIVE };

struct node_record {
	char *name;
	plan_node_id id;
	const struct node_manifest *manifest; /* of the applied commit, copied; NULL */
	struct arena manifest_arena;
	uint64_t manifest_serial;
	bool registered;
	struct wire_registration registration;
	struct arena registration_arena;
	struct digest registration_digest; /* of the document; none: read it, whatever it is */
	enum node_state state;		   /* effective */
	const char *cluster;		   /* effective */
	struct str_map attributes; /* effective: facts < agent's < manifest; sorted by name */
	struct arena attributes_arena;

	enum connection connection;
	bool beat_known;
	uint64_t beat;
	int64_t last_beat_ms; /* controller's clock; 0: its time begins with the next look */
	bool second_known, name_conflict;
	uint64_t second;	/* the beat of second agents of this name */
	int64_t last_second_ms; /* when it moved; controller's clock */

	bool observed_known; /* .observed was read whole and is of the registered instance */
	bool observed_once;  /* it was looked for since the start, and read or not there */
	char *observed_why;  /* why it is not known */
	struct wire_observed observed;
	struct arena observed_arena;

	bool desired_known; /* the store's document was read, or is known to be absent */
	bool settled;	    /* .assignments are what the node has to go by: see settle() */
	uint64_t number;    /* highest of desired, seen, and our own puts */
	VEC(struct assignment) assignments; /* in order of the document */
	bool dirty;			    /* the desired document may be behind .assignments */
	uint64_t put_number;		    /* of the document that the store holds; 0: none */
	struct digest put_digest;	    /* of its content; none: put again, whatever it is */
	uint64_t put_pending;		    /* number of the put under way; 0: none */
	struct digest pending_digest;
	int64_t behind_since_ms; /* seen < put_number since then; 0: not behind */
	bool expired;		 /* silent beyond nodeExpireSeconds */
	bool lag_told;
	struct digest observed_digest;
};

enum hold_cause {
	HOLD_ALL_SERVICES_REMOVED, /* the first three: of a commit, which is not applied */
	HOLD_SERVICES_REMOVED,
	HOLD_NODES_STOPPED,
	HOLD_MASS_CHANGE, /* of a service: tasks that match no longer */
	HOLD_WINDOW,	  /* of a service: its roll-out waits */
	HOLD_CAUSE_COUNT
};
const char *hold_cause_name(enum hold_cause cause); /* CamelCase */
struct hold {
	char id[17]; /* hex; the same cause has the same id */
	enum hold_cause cause;
	char *service; /* key; NULL: of a commit */
	char commit[65];
	uint32_t count; /* of tasks that would stop, or be replaced */
	char *message;
	int64_t since_unix_ms;
	bool stands; /* scratch */
	bool released;
};

/* A service or node whose status file goes. */
struct removed_status {
	enum control_effect_kind kind; /* EFFECT_STATUS_SERVICE or _NODE */
	char *key;
};

/* A commit as seen, whether applied or not. */
struct commit_facts {
	char id[65];
	char *subject, *author;
	int64_t time_unix_ms;
};

#define LINEAGE_MAX 100
struct commit_id {
	char text[65];
};

struct control {
	struct intern *intern;
	struct planner *planner;

	/* Source. */
	struct commit_facts seen, applied; /* id empty: none */
	bool seen_invalid;		   /* the commit seen last has errors: see diags */
	struct arena diags_arena;
	struct diag_list diags; /* of the commit seen last, warnings too */
	char *source_reason;	/* last look failed: one word; NULL: it did not */
	char *source_text;
	bool looked;		       /* the source answered at least once */
	struct file_cache *cache;      /* parsed files of the commits seen and applied last */
	bool restore_waits;	       /* .seen was applied before the start; history comes first */
	VEC(struct commit_id) lineage; /* of the commit seen, itself last: see lineage.c */
	VEC(struct hold) holds;
	VEC(struct release *) dropped; /* see release_drop() */
	struct map *allowed; /* hold ids, services, "all": allowed since the last applied commit */

	/* Store. */
	char fleet[FLEET_ID_LEN + 1]; /* empty: never opened */
	bool store_open, store_listed;
	char *store_away;
	uint64_t looks,
		looks_told;	 /* at nodes/, that were wanted, and that came: control_synced() */
	uint64_t looks_asked;	 /* effects given */
	int64_t beats_at_ms;	 /* last look at the beats; 0: none yet */
	uint32_t ledger_pending; /* synced puts under way: nothing is rendered before */
	bool ledger_behind;	 /* some family or service is dirty: nor before those are put */

	/* Declared and live. */
	struct map *services; /* key -> struct service_state */
	struct map *families; /* name -> struct family */
	struct map *nodes;    /* name -> struct node_record */
	struct map *numbers;  /* name of a node that left -> its highest number */
	struct map *contents; /* hex of target -> struct content */
	struct map *clusters; /* name -> struct cluster_manifest copied; see cluster_of() */
	struct arena clusters_arena;
	bool needs_history;   /* some of the ledger is missing */
	bool contents_wanted; /* of old revisions: the next history is read for them */
	bool apply_again;     /* they may be known now */
	bool ledger_rebuilt;  /* numbers go on above what was found: said in status */

	struct conditions conditions;
	struct event_ring events; /* not about one service */
	uint64_t generation;	  /* of the status set; grows with every change told */

	/* What changed since the last step. */
	struct map *dirty_services, *dirty_nodes, *dirty_families; /* name -> the value */
	bool dirty_fleet, save_applied, planner_stale, liveness_stale, nodes_gone;
	int64_t lag_at_ms;     /* when some node lags, or a name conflict ends, by the clock */
	int64_t silence_at_ms; /* when some node is silent for too long, by the looks */
	int64_t plan_again_ms; /* the planner's own wake-up */
	int64_t starts_end_ms; /* some assignment is not .starting any more, about */
	bool rollouts_stale;   /* all are to be judged again */
	struct clock_watch clock;
	bool clock_steady;
	int64_t steady_at_ms;
	struct zone *zones; /* as the shell told them */
	uint32_t zone_count;
	struct arena zones_arena;
	bool zones_wanted;	/* others may be needed */
	bool nodes_ever_known;	/* some node's beat or silence was seen: counts mean something */
	uint32_t nodes_unknown; /* registered, and neither beat nor silence seen yet */
	uint32_t nodes_lagging;
	uint32_t names_conflicting;
	uint32_t contents_kept; /* after the last sweep */
	int64_t now_ms;		/* of the last event or step that told it */
	int64_t now_unix_ms;	/* of the last event or step that told it; for events */
	VEC(struct control_event *) new_events; /* owned by their rings */
	VEC(struct removed_status) removed_status;
	VEC(char *) removals; /* store keys */
	int64_t retry_at_ms;  /* a put failed: not before; 0: none did */
};

/* Health of one observed task of a service on a node, or NULL. */
const struct wire_task *node_observed_task(const struct node_record *node,
					   const struct service_state *service);
/* What the planner is told of an observed task. */
enum plan_seen task_seen(const struct wire_task *task);
const struct assignment *node_assignment(const struct node_record *node,
					 const struct service_state *service);
bool node_lagging(const struct node_record *node, int64_t now_ms);
/* In seconds; defaults where the cluster says nothing. */
uint32_t cluster_node_timeout(const struct control *control, const char *cluster);
/* Why a task of the node's failed last: what it says itself or, where it is started again already,
 * what the newest stopped one before it says. */
const char *task_failure(const struct node_record *node, const struct wire_task *task);
uint32_t cluster_node_expire(const struct control *control, const char *cluster);
/* Of its tasks, that may stop without replacement within ten minutes. */
uint32_t cluster_mass_change_percent(const struct control *control, const char *cluster);
/* Ids of holds of commits, made from what they take alone, in order: so they are known before the
 * push. keys: of the services that are removed, all: no other is left. */
void hold_id_of_removal(bool all, const char *const *keys, uint32_t count, char out[17]);
void hold_id_of_stop(const char *const *nodes, uint32_t count, char out[17]);
/* What holds the seen commit back, or this service; NULL: nothing. */
const struct hold *control_commit_hold(const struct control *control);
const struct hold *control_service_hold(const struct control *control,
					const struct service_state *service);
/* Nodes that may pull images at a time. */
uint32_t cluster_max_parallel_pulls(const struct control *control, const char *cluster);

/* Sorted views for reports, in the arena. */
uint32_t control_services(const struct control *control, struct arena *arena,
			  const struct service_state ***out); /* by (cluster, name) */
uint32_t control_nodes(const struct control *control, struct arena *arena,
		       const struct node_record ***out); /* by name */
uint32_t control_families(const struct control *control, struct arena *arena,
			  const struct family ***out); /* by name */

#endif
