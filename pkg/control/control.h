/*
 * control: the controller's step: events -> effects. What was read, received or timed out is told
 * by the control_*() event functions; control_step() then decides and answers with effects, which
 * the shell carries out in their order and answers by events in turn.
 *
 * Level-triggered: an event only replaces what is known; a missed one costs time, never
 * correctness. The truth is git plus the store: a fresh control that is told what both hold ends in
 * the same state.
 *
 * Rules (DESIGN sections 2, 4, 6):
 *  - A commit with an error changes nothing; the last good one stays. A commit that removes all
 *    services (an empty tree too) is held until it is allowed.
 *  - Nothing is rendered for a node until its observed document was read once, its beat was seen to
 *    move, and the ledger is on disk; numbers go on above the highest known.
 *  - After the start a node is unknown until its beat is seen to move, or until it was not for the
 *    cluster's nodeTimeoutSeconds: then it is unreachable. While a node of a service is unknown
 *    nothing is said to be done: not yet looked is not nothing desired.
 *  - Registrations of an old instance, documents that are unknown, and observations of another
 * instance than the registered one are void: the node keeps what it has.
 *
 * Who owns what: control copies all it is told. Effects live in the step's arena.
 */
#ifndef MUSTER_CONTROL_H
#define MUSTER_CONTROL_H

#include "manifest/manifest.h"
#include "model/snapshot.h"
#include "plan/plan.h"
#include "wire/wire.h"

#define LAG_MS		     60000 /* desired not acknowledged for so long: condition Lagging */
#define NAME_CONFLICT_MS     60000 /* a service manager starts the second agent again far sooner */
#define REVISION_CONTENT_MAX 10	   /* contents of a family kept, besides those in use */

struct control;

struct control *control_new(void);
void control_free(struct control *control);

/* --- events: what the shell senses ------------------------------------------------------------ */

/* The store is open under this fleet id (again), or away for the reason. Until it was open once
 * nothing is planned; while it is away nothing is put. */
void control_store_open(struct control *control, const char *fleet);
void control_store_away(struct control *control, const char *reason);

/*
 * A document as it is in the store now; bytes NULL: absent, or unreadable for the reason `why`.
 * Keys of nodes/, observed/, desired/, controller/. Desired and ledger documents are told once
 * after start (and after a put that failed); then control_store_listed().
 */
void control_document(struct control *control, const char *key, const void *bytes, size_t len,
		      const char *why, int64_t now_ms);
/* All documents that there are were told: planning may begin. */
void control_store_listed(struct control *control);

/*
 * A look at the beats: each node's as the store counts them (equal: none since), then
 * control_beats_told(). Silence is measured from look to look: while nobody looks (the store is
 * away, the controller itself was stopped) no node is silent, and after more than BEATS_GAP_MS
 * without a look the time of all begins anew.
 */
#define BEATS_GAP_MS 20000
void control_beat(struct control *control, const char *node, uint64_t beat, int64_t now_ms);
/* The same of second agents of the name, who found it held and went: condition NameConflict, until
 * there is none of them for NAME_CONFLICT_MS. */
void control_second_beat(struct control *control, const char *node, uint64_t beat, int64_t now_ms);
void control_beats_told(struct control *control, int64_t now_ms);

/*
 * All registrations were told, as they were at some moment after EFFECT_LIST_NODES with this .look
 * (or any list of all of nodes/ that began when control_look() was so).
 */
void control_nodes_told(struct control *control, uint64_t look);
uint64_t control_look(const struct control *control);
/* Were all nodes told that were registered when the applied commit came? Until then nobody knows
 * whether it is done. */
bool control_synced(const struct control *control);

/* The ledger is empty or lost: the source is to give the whole history (no source_have()). */
bool control_needs_history(const struct control *control);

/* The snapshot that was applied last, from the controller's own state; before the first look. */
void control_restore(struct control *control, const struct source_snapshot *applied);
/* A new snapshot. True: taken over, as the base of the next one (whether valid or not). */
bool control_snapshot(struct control *control, const struct source_snapshot *snapshot,
		      int64_t now_ms, int64_t now_unix_ms);
/* A look at the source failed (reason one word, text a sentence), or found nothing new. */
void control_source_failed(struct control *control, const char *reason, const char *text);
void control_source_ok(struct control *control, const char *commit);

/*
 * The time zones of the applied commit's windows: the shell tells tables of their offsets (rollout/
 * window.h) when they are wanted, and once a day; until it has their windows are closed. Copied.
 */
bool control_zones_wanted(const struct control *control);
uint32_t control_zone_names(const struct control *control, struct arena *arena,
			    const char ***names);
struct zone;
void control_zones_told(struct control *control, const struct zone *zones, uint32_t count);

/* `muster allow ID`, `muster forget NODE`. */
void control_allow(struct control *control, const char *id);
void control_forget(struct control *control, const char *node);

/* --- effects: what the shell does ---------------------------------------------------------------
 */

enum control_effect_kind {
	EFFECT_PUT,	       /* .key .bytes .synced; answer: control_put_done() */
	EFFECT_REMOVE,	       /* .key */
	EFFECT_LIST_NODES,     /* list nodes/; answer: their documents, control_nodes_told(.look) */
	EFFECT_SAVE_APPLIED,   /* keep control_applied_snapshot() durably */
	EFFECT_EVENT,	       /* a line for the log and events.jsonl: .event */
	EFFECT_STATUS_FLEET,   /* these status files are out of date; the fleet's comes last */
	EFFECT_STATUS_SERVICE, /* .service (removed: with .key = "CLUSTER/NAME" only) */
	EFFECT_STATUS_NODE,    /* .node (removed: with .key = "CLUSTER/NAME" only) */
	EFFECT_STATUS_TASKDEF, /* .key = family */
};
struct control_event;
struct service_state;
struct node_record;
struct control_effect {
	enum control_effect_kind kind;
	const char *key;
	const void *bytes;
	size_t len;
	bool synced;
	uint64_t look;
	const struct control_event *event;
	const struct service_state *service;
	const struct node_record *node;
};
struct control_effects {
	VEC(struct control_effect) items; /* control_effects_release() */
	int64_t wake_at_ms;		  /* step again then, at the latest */
};
void control_effects_release(struct control_effects *effects);

/* The answer to an EFFECT_PUT, in the order of the puts. */
void control_put_done(struct control *control, const char *key, bool ok, const char *why,
		      int64_t now_ms);

/* Decide. Run after any number of events; with nothing new it answers nothing. */
void control_step(struct control *control, int64_t now_ms, int64_t now_unix_ms, struct arena *arena,
		  struct control_effects *out);

/* All files of the applied commit with their bytes, for EFFECT_SAVE_APPLIED; valid until the next
 * event. NULL: nothing was ever applied. */
const struct source_snapshot *control_applied_snapshot(struct control *control,
						       struct arena *arena);

#endif
