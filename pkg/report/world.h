/* report/world: the value behind `struct world`, for the files that build it. */
#ifndef MUSTER_REPORT_WORLD_H
#define MUSTER_REPORT_WORLD_H

#include "report/internal.h"

struct world_service {
	const char *cluster, *name;
	const json_t *doc;		      /* NULL: only in the tree */
	const struct manifest_object *object; /* NULL: not in the tree, or there is none */
	const struct expr **constraints;      /* owned */
	uint32_t constraint_count;
	struct plan_service plan;
	struct plan_variant variant; /* the one of plan.current */
	plan_service_id id;
	const char *family;
	bool new_revision;
	const char *stalled;
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
	struct plan_result result;
};

/* A text of our documents, "" where it is absent. */
const char *text_or(const json_t *object, const char *key, const char *absent);

/* Fill ->plan from the status file, or from the tree. */
void world_service_from_doc(struct world *world, struct world_service *s);
void world_service_from_tree(struct world *world, struct world_service *s);
/* Tell the planner of the node and of what is assigned to it. */
void world_node_tell(struct world *world, struct world_node *n);

#endif
