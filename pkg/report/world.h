/* report/world: the value behind `struct world`, for the files that build it. */
#ifndef MUSTER_REPORT_WORLD_H
#define MUSTER_REPORT_WORLD_H

#include "report/internal.h"
#include "report/preview.h"

struct world_service {
	const char *cluster, *name;
	const json_t *doc;		      /* NULL: only in the tree */
	const struct manifest_object *object; /* NULL: not in the tree, or there is none */
	struct plan_service plan;
	plan_service_id id;
	const char *family;
	bool new_revision;
	const char *stalled;
	/* Of a tree. */
	enum world_action action;
	const char *note;    /* see world_change */
	bool rolls;	     /* a deployment begins, or is under way */
	uint32_t first_step; /* of those that are to come; all are over: .stage_count */
	struct rollout_stage *stages;
	const struct expr **stage_exprs; /* NULL: of one by number */
	uint32_t stage_count;
	uint32_t tasks; /* scratch of preview_hold.c */
};
struct world_node {
	const char *name;
	const json_t *doc; /* NULL: only declared in the tree */
	const struct node_manifest *manifest;
	plan_node_id id;
};

struct world {
	struct arena arena;
	struct intern *intern;
	struct planner *planner;
	struct map *services; /* key -> struct world_service */
	struct map *nodes;    /* name -> struct world_node */
	struct map *taskdefs; /* family -> json_t */
	const struct manifest_tree *tree;
	const json_t *fleet; /* NULL: not told */
	const struct zone *zones;
	uint32_t zone_count;
	int64_t now_unix_s; /* 0: no clock was told */
	struct plan_result result;
	VEC(const struct expr *) exprs; /* owned: of all services */
};

/* A text of our documents, "" where it is absent. */
const char *text_or(const json_t *object, const char *key, const char *absent);

/* Compiled, of the world's; NULL: of NULL, or what does not compile. */
const struct expr *world_expr(struct world *world, const char *text);
/* placement.c: of a status file. */
void placement_read(struct world *world, const json_t *placement, struct plan_service *plan);
/* Fill ->plan from the status file, or from the tree. */
void world_service_from_doc(struct world *world, struct world_service *s);
void world_service_from_tree(struct world *world, struct world_service *s);
/* Tell the planner of a service; of the node and of what is assigned to it. */
void world_service_tell(struct world *world, struct world_service *s);
void world_node_tell(struct world *world, struct world_node *n);
/* All that is known, to a planner of its own, with the same ids. */
struct planner *world_second_planner(struct world *world);

/* --- preview -----------------------------------------------------------------------------------
 */

/* preview_play.c: how the roll-out goes when all comes up. */
struct played {
	struct world_service *service;
	uint32_t step;		  /* .service's; ROLLOUT_ALL: the rest */
	struct world_step *steps; /* that are to come, the rest last; one without stages */
	uint32_t step_count, batches, outage;
	bool stuck; /* it comes to no end */
};
struct play {
	struct map *of; /* key -> struct played */
	uint32_t outage;
};
void preview_play(struct world *world, struct arena *arena, struct play *out);
void play_release(struct play *play);

/* preview_hold.c: what would be held, of a commit and of one service's change. */
uint32_t preview_commit_holds(const struct world *world, struct arena *arena,
			      const struct world_hold **out);
void preview_service_holds(const struct world *world, const struct world_service *s,
			   struct arena *arena, struct world_change *change);
/* Tasks of the service that may lose their node for a constraint, now. */
uint32_t preview_stops_allowed(const struct world *world, const struct world_service *s);

/* preview_rename.c: mark those of the changes that look like a rename. */
void preview_renames(const struct world *world, struct world_change *changes, uint32_t count,
		     struct arena *arena);

#endif
