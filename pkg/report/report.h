/*
 * report: what the controller and an agent know, as status documents: jansson values with Amazon
 * ECS's names where ECS has one, printed as YAML or JSON; and back again as a planner, so that what
 * explains a status file is the very planner that made it.
 *
 * The files, below the status directory (DESIGN section 7):
 *   fleet.yaml                   source, store, conditions, holds, diagnostics, counts; written
 * last fleet.json                   counts, conditions, and what is not converged
 *   CLUSTER/services/NAME.yaml   one of describe-services' services[], and `placement`
 *   CLUSTER/nodes/NAME.yaml      one of describe-container-instances' containerInstances[], its
 *                                tasks, and `registration`, `manifest`, `assignments`
 *   CLUSTER/taskdefs/FAMILY.yaml one of describe-task-definition's, and its revisions
 *   events.jsonl                 a line an event
 *   metrics.prom                 for Prometheus' textfile collector
 *   .beat                        touched every 10 s while musterd runs, which holds fs_lock() on it
 *   .current                     there only while the files say all that musterd has decided: it
 *                                goes before anything follows from a decision, and comes with the
 *                                next set
 *
 * Always holds:
 *  - Environment values never appear, names only (FIELD_SECRET).
 *  - What is not known is null, never 0 or false: a count before the store was listed, a connection
 *    before the beat was seen. "Nothing desired" is 0.
 *  - Equal state gives equal bytes; nothing that only time changes is in a document.
 *
 * Who owns what: functions that answer a json_t give a new reference.
 */
#ifndef MUSTER_REPORT_H
#define MUSTER_REPORT_H

#include "control/state.h"

struct json_t;

/* Nodes named as not converged, a service. */
#define REPORT_NOT_CONVERGED_MAX 100

#define REPORT_FLEET_FILE   "fleet.yaml"
#define REPORT_SUMMARY_FILE "fleet.json"
#define REPORT_EVENTS_FILE  "events.jsonl"
#define REPORT_METRICS_FILE "metrics.prom"
#define REPORT_BEAT_FILE    ".beat"
#define REPORT_CURRENT_FILE ".current"

/* --- printing -------------------------------------------------------------------------------- */

/* Block YAML. Strings that a reader of YAML 1.1 or 1.2 would take for something else are quoted. */
void report_yaml(const struct json_t *value, struct buf *out);
/* JSON with a newline at the end; indented by two, or in one line. */
void report_json(const struct json_t *value, struct buf *out);
void report_json_line(const struct json_t *value, struct buf *out);

/*
 * A table: cells of columns left-aligned, two blanks between them, none at the end of a line.
 * Control characters become blanks. Lines longer than `width` characters are cut there, so only the
 * last column suffers, and end in "…"; width 0: never. With .wrap the last column goes on below
 * itself instead; where less than REPORT_WRAP_MIN columns are left for it, it stands below the row,
 * without its header.
 */
struct report_table {
	const char *const *headers;
	size_t columns;
	bool wrap;
	VEC(const char *) cells; /* row by row; NULL is "-" */
};
void report_table(const struct report_table *table, size_t width, struct buf *out);
#define REPORT_WRAP_MIN 28

/* Append a text in lines of at most `width` characters, broken at blanks, the first of which begins
 * at `column` and the others at `indent`; no newline at the end. Width 0: one line. A word that is
 * too long is not broken. Control characters become blanks. */
void report_wrap(const char *text, size_t column, size_t indent, size_t width, struct buf *out);

/* The condition that says most about a service or node: "Ready", "RolledBack", "Held", ... NULL: it
 * has none. */
const char *report_state_word(const struct json_t *doc);

/* --- the controller's state ------------------------------------------------------------------- */

struct json_t *report_fleet(const struct control *control, struct arena *scratch);
struct json_t *report_summary(const struct control *control, struct arena *scratch);
struct json_t *report_service(const struct control *control, const struct service_state *service,
			      struct arena *scratch);
struct json_t *report_node(const struct control *control, const struct node_record *node,
			   int64_t now_ms, struct arena *scratch);
/* NULL: no such family. */
struct json_t *report_taskdef(const struct control *control, const char *family,
			      struct arena *scratch);
/* A line of events.jsonl, with its newline. */
void report_event_line(const struct control_event *event, struct buf *out);
void report_metrics(const struct control *control, struct arena *scratch, struct buf *out);

/* Clusters whose taskdefs/ directory has the family: those of the services that use it; "default"
 * where none does. */
uint32_t report_taskdef_clusters(const struct control *control, const char *family,
				 struct arena *arena, const char ***out);

/* --- an agent's own status -------------------------------------------------------------------- */

struct report_file {
	const char *path; /* below the agent's status directory */
	struct json_t *doc;
};
struct report_files {
	VEC(struct report_file) items;
};
void report_files_release(struct report_files *files);

/*
 * All files of an agent's own status, in the controller's shapes: fleet.yaml, its node, and the
 * services desired on it; paths in the arena. desired NULL: not known. observed is what the agent
 * would write to the store.
 */
void report_agent(const struct wire_registration *registration, const struct wire_desired *desired,
		  const struct wire_observed *observed, struct arena *arena,
		  struct report_files *out);

/* --- status files -> planner -------------------------------------------------------------------
 */

/*
 * A planner made anew from status files, to explain and to plan offline. Told nodes, services and,
 * for a preview, the tree that would be applied; then it answers with the functions of plan.
 */
struct world;
struct world *world_new(void);
void world_free(struct world *world);

/* A service file, a node file, a task definition file. False: it is not one of ours. Services come
 * before nodes. Documents are borrowed until world_free(). */
bool world_add_service(struct world *world, const struct json_t *doc, struct err *err);
bool world_add_node(struct world *world, const struct json_t *doc, struct err *err);
bool world_add_taskdef(struct world *world, const struct json_t *doc, struct err *err);

/* A push before it is pushed: preview.h. */
void world_run(struct world *world);

const struct planner *world_planner(const struct world *world);

/* The overrides of what a service should run now, in their order, and which one counts on a node;
 * after world_run(). */
struct world_override {
	const char *expression;
	bool counts;
	const char *why_not; /* NULL: it counts */
};
uint32_t world_overrides(const struct world *world, plan_service_id service, plan_node_id node,
			 struct arena *arena, const struct world_override **out);

/*
 * Does a node or task file match a cluster query expression (`--filter`)? The node document gives
 * the facts. error is set on a mistake in the expression.
 */
struct world_filter;
struct world_filter *world_filter_new(const char *expression, struct expr_error *error);
void world_filter_free(struct world_filter *filter);
bool world_filter_match(struct world_filter *filter, const struct json_t *node_doc);

#endif
