/* A planner from status files, for explain and plan. */
#ifndef MUSTER_CMD_OFFLINE_H
#define MUSTER_CMD_OFFLINE_H

#include "muster.h"

/* All documents of all clusters (whatever --cluster says: what runs on a node decides about
 * resources), in a new world. NULL: said on stderr why not. */
struct world *offline_world(struct status *status, bool taskdefs);

#endif
