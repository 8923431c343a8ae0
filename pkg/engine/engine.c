#include "engine/engine.h"

#include <string.h>

const char *engine_log_dir(struct arena *arena, const char *state_dir, const char *cluster,
			   const char *service, const char *container)
{
	bool plain = strcmp(cluster, DEFAULT_CLUSTER) == 0;
	return arena_printf(arena, "%s/logs/%s%s%s/%s", state_dir, plain ? "" : cluster,
			    plain ? "" : "~", service, container);
}
