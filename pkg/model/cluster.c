/* What a cluster's manifest makes of the task definitions that run in it. */
#include "model/model.h"

#include <string.h>

/* Iterative: after a mismatch the last '*' takes one character more. */
bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;
	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static const struct log_driver_mapping *mapping_of(const struct cluster_manifest *cluster,
						   const struct container_definition *c)
{
	const char *driver = c->log_configuration ? c->log_configuration->log_driver : NULL;
	for (uint32_t i = 0; driver && i < cluster->log_drivers.len; i++)
		if (glob_match(cluster->log_drivers.items[i].match, driver))
			return &cluster->log_drivers.items[i];
	return NULL;
}

static struct task_definition *with_own_containers(const struct task_definition *td,
						   struct arena *arena)
{
	uint32_t count = td->container_definitions.len;
	struct task_definition *copy = ARENA_NEW(arena, struct task_definition);
	*copy = *td;
	copy->container_definitions.items = ARENA_ARRAY(arena, struct container_definition, count);
	memcpy(copy->container_definitions.items, td->container_definitions.items,
	       sizeof(struct container_definition) * count);
	return copy;
}

const struct task_definition *cluster_task_definition(const struct cluster_manifest *cluster,
						      const struct task_definition *td,
						      struct arena *arena)
{
	struct task_definition *mapped = NULL;
	for (uint32_t i = 0; cluster && i < td->container_definitions.len; i++) {
		const struct log_driver_mapping *m =
			mapping_of(cluster, &td->container_definitions.items[i]);
		if (!m)
			continue;
		if (!mapped)
			mapped = with_own_containers(td, arena);
		struct log_configuration *log = ARENA_NEW(arena, struct log_configuration);
		log->log_driver = m->log_driver;
		log->options = m->options;
		mapped->container_definitions.items[i].log_configuration = log;
	}
	return mapped ? mapped : td;
}
