/* What `muster get` and `muster describe` show in tables: columns over status documents. */
#ifndef MUSTER_CMD_GET_H
#define MUSTER_CMD_GET_H

#include "muster.h"

#define COLUMNS_MAX   16
#define TASK_ID_SHOWN 8 /* digits of a task's id in tables; fewer do not name one */

/* A service, task definition or event; for a task the name is that of its node. */
struct row {
	const char *cluster, *name;
	json_t *json; /* borrowed */
};
struct rows {
	VEC(struct row) items;
	VEC(json_t *) owned;
};

/*
 * tasks.c: the tasks of all nodes, or of those that the filter matches. A task is asked for by its
 * service, CLUSTER/SERVICE, or the beginning of its id. By service; those that are there come
 * first, by node, then those that stopped, newest first. False: said on stderr why not.
 */
enum { TASKS_PRESENT = 1, TASKS_STOPPED = 2 };
bool tasks_collect(struct status *status, const char *name, struct world_filter *filter,
		   unsigned which, struct rows *rows);
bool task_stopped(const json_t *task);
const char *task_service(const json_t *task); /* NULL: of none */
/* Of the newest STOPPED_SHOWN stopped tasks of its service? rows: as tasks_collect() gives them. */
#define STOPPED_SHOWN 10
bool task_recent(const struct rows *rows, size_t i);

/* "0.0.0.0:8080->80/tcp", as `docker ps` has it, of one of a task's containers[]; "": none. */
const char *container_ports(struct arena *arena, const json_t *container);

/* history.c: a table of deployments[]; reasons are not cut, but wrapped. */
void deployments_table(struct cli *cli, const json_t *deployments, struct buf *out);

struct column {
	const char *header; /* NULL ends a table of columns */
	const char *(*cell)(struct arena *arena, const struct row *row);
	bool wide; /* only with -o wide */
};
extern const struct column service_columns[], node_columns[], task_columns[], stopped_columns[],
	taskdef_columns[], event_columns[], hold_columns[];

#endif
