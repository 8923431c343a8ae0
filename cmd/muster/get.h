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

struct column {
	const char *header; /* NULL ends a table of columns */
	const char *(*cell)(struct arena *arena, const struct row *row);
	bool wide; /* only with -o wide */
};
extern const struct column service_columns[], node_columns[], task_columns[], taskdef_columns[],
	event_columns[];

#endif
