#include "offline.h"

typedef bool add_fn(struct world *world, const struct json_t *doc, struct err *err);

static bool add_all(struct status *status, enum doc_kind kind, add_fn *add, struct world *world)
{
	const struct docs *docs = status_docs(status, kind);
	struct err err;
	for (size_t i = 0; docs && i < docs->items.len; i++) {
		const struct doc *d = &docs->items.items[i];
		if (!add(world, d->json, &err))
			return complain("%s/%s: %s", d->cluster, d->name, err.text);
	}
	return docs != NULL;
}

struct world *offline_world(struct status *status, bool taskdefs)
{
	const char *cluster = status->cli->cluster;
	status->cli->cluster = NULL;
	struct world *world = world_new();
	bool ok = add_all(status, DOC_SERVICE, world_add_service, world) &&
		  add_all(status, DOC_NODE, world_add_node, world) &&
		  (!taskdefs || add_all(status, DOC_TASKDEF, world_add_taskdef, world));
	status->cli->cluster = cluster;
	if (ok)
		return world;
	world_free(world);
	return NULL;
}
