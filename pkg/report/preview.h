/*
 * report/preview: what a push would do, before it is pushed: which nodes change, in which order and
 * how many at a time, how long about, and what would be held and why.
 *
 * Told as a world is (report.h), and besides it the fleet and the wall clock. The roll-out is
 * played through with the very planner that would plan it: all that is assigned comes up, batch by
 * batch, step by step. So it says what happens when all goes well; how much may be down when it
 * does not is the same, as a batch that fails ends there.
 *
 * What cannot be known offline: tasks that stop or start meanwhile, images to be pulled, how long a
 * start takes that was never seen.
 *
 * Who owns what: answers are in the caller's arena; names are the world's.
 */
#ifndef MUSTER_REPORT_PREVIEW_H
#define MUSTER_REPORT_PREVIEW_H

#include "report/report.h"

/* fleet.json: what is held now, and what clusters say. Before world_run(); borrowed. */
void world_add_fleet(struct world *world, const struct json_t *doc);

/* The zones of a tree's windows, sorted; to be told with their tables. Without world_clock() no
 * window is closed. */
uint32_t world_zone_names(const struct manifest_tree *tree, struct arena *arena,
			  const char ***names);
void world_clock(struct world *world, int64_t now_unix_s, const struct zone *zones, uint32_t count);

/* Take over a valid tree, as the controller would: services set anew or removed, nodes' declared
 * facts replaced. Must outlive the world. Before world_run(). */
void world_apply(struct world *world, const struct manifest_tree *tree);

enum world_action { WORLD_NOTHING, WORLD_CREATE, WORLD_UPDATE, WORLD_REMOVE };
const char *world_action_name(enum world_action action);

struct world_nodes {
	const char **names; /* sorted, but in order of turns in a step */
	uint32_t count;
};

/* One that is to come. */
struct world_step {
	const char *reach; /* "1 node", "25 percent", an expression; NULL: all the rest */
	int64_t bake_s;
	bool pause;		  /* then it waits for a commit */
	struct world_nodes nodes; /* that get the new revision in it */
	uint32_t batches;
};

struct world_forecast {
	uint32_t batches, pauses;
	int64_t batch_ms; /* minReadySeconds, or what its last roll-out took a batch */
	bool measured;	  /* ... that; else it is a lower limit */
	int64_t bake_s, monitor_s;
	/* It stops before its end: tasks that failed hold the budget, or nodes cannot run it. */
	bool stuck;
	int64_t seconds; /* in all, waits at pauses and for windows aside; -1: it is stuck */
};

struct world_variant {
	const char *expression; /* NULL: all other nodes */
	struct world_nodes nodes;
};

struct world_hold {
	const char *cause; /* hold_cause_name() */
	uint32_t tasks;
	const char *message;  /* a sentence */
	const char *id;	      /* NULL: not known before it is held */
	int64_t opens_unix_s; /* of a window, as far as is known; 0 */
};

/* What would change, of one service. */
struct world_change {
	const char *cluster, *service, *family;
	enum world_action action; /* of the service itself */
	uint32_t revision;	  /* that it would run */
	bool new_revision;	  /* no file knows its content: the number is a guess */
	uint32_t budget;	  /* updates at a time */
	bool surge;		  /* the new one is there before the old one stops */
	uint32_t outage;	  /* at most so many tasks are down at a time by our hand */
	struct world_nodes starts, updates, stops;
	struct world_nodes held;	/* would stop, but for the guard against mass changes */
	struct world_nodes stays;	/* cannot run the new revision, and keep what they have */
	const char *stays_why;		/* of the first */
	struct world_nodes later;	/* are not reachable: they follow when they are back */
	uint32_t attribute_absent;	/* nodes excluded because an attribute is absent */
	const char *stalled;		/* nothing can be resolved: why */
	const char *note;		/* it failed before, say; NULL */
	const char *renamed_from;	/* looks like a rename of this one, which goes; NULL */
	const struct world_step *steps; /* none: all at once, within the budget */
	uint32_t step_count;
	struct world_forecast forecast;	      /* of .updates */
	const struct world_variant *variants; /* none: it has no overrides */
	uint32_t variant_count;
	const struct world_hold *holds;
	uint32_t hold_count;
};
struct world_preview {
	const struct world_change *changes; /* in order of (cluster, name) */
	uint32_t change_count;
	uint32_t outage; /* at most so many tasks are down at a time, of all services */
	const struct world_hold *holds; /* of the commit: nothing of it is applied meanwhile */
	uint32_t hold_count;
};
/* Of all services that differ, or start or stop something; after world_run(). */
void world_preview(struct world *world, struct arena *arena, struct world_preview *out);

#endif
