/* dependsOn between services: names that exist, and no way back. */
#include "manifest/internal.h"

#include <string.h>

enum mark { UNSEEN, ON_PATH, DONE };

struct graph {
	struct manifest_tree *tree;
	enum mark *marks; /* of each service */
	struct frame {
		uint32_t service, next; /* next: of its dependsOn */
	} * path;
	uint32_t depth;
};

#define NO_SERVICE UINT32_MAX

static uint32_t find_service(const struct manifest_tree *tree, const char *cluster,
			     const char *name)
{
	size_t low = 0, high = tree->service_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct manifest_object *object = tree->services[mid];
		int order = strcmp(cluster, service_cluster(object->daemon_service));
		if (!order)
			order = strcmp(name, object->name);
		if (!order)
			return (uint32_t)mid;
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NO_SERVICE;
}

static void report_missing(struct manifest_tree *tree, const struct manifest_object *object,
			   const struct str_at *needed)
{
	const char *cluster = service_cluster(object->daemon_service);
	diag_error(&tree->diags, object->path, needed->pos,
		   "there is no service \"%s\" in cluster \"%s\" to depend on%s", needed->value,
		   cluster,
		   suggest_object(tree, tree->services, tree->service_count, needed->value));
}

static void report_cycle(const struct graph *g, uint32_t back_to, const struct str_at *at)
{
	struct buf way = { 0 };
	bool inside = false;
	for (uint32_t i = 0; i < g->depth; i++) {
		inside = inside || g->path[i].service == back_to;
		if (inside)
			buf_addf(&way, "%s -> ", g->tree->services[g->path[i].service]->name);
	}
	const struct manifest_object *last = g->tree->services[g->path[g->depth - 1].service];
	diag_error(&g->tree->diags, last->path, at->pos, "services depend on each other: %s%s",
		   buf_str(&way), g->tree->services[back_to]->name);
	buf_release(&way);
}

/* One step of a depth-first walk; the path is kept here, so that a long chain needs no stack. */
static void walk(struct graph *g, bool services_missing)
{
	struct frame *frame = &g->path[g->depth - 1];
	const struct manifest_object *object = g->tree->services[frame->service];
	const struct str_at_list *needs = &object->daemon_service->depends_on;
	if (frame->next == needs->len) {
		g->marks[frame->service] = DONE;
		g->depth--;
		return;
	}
	const struct str_at *needed = &needs->items[frame->next++];
	uint32_t to = find_service(g->tree, service_cluster(object->daemon_service), needed->value);
	if (to == NO_SERVICE) {
		if (!services_missing)
			report_missing(g->tree, object, needed);
	} else if (g->marks[to] == ON_PATH) {
		report_cycle(g, to, needed);
	} else if (g->marks[to] == UNSEEN) {
		g->marks[to] = ON_PATH;
		g->path[g->depth++] = (struct frame){ to, 0 };
	}
}

void check_dependencies(struct manifest_tree *tree, bool services_missing)
{
	struct graph g = { .tree = tree };
	g.marks = ARENA_ARRAY(&tree->arena, enum mark, tree->service_count);
	g.path = ARENA_ARRAY(&tree->arena, struct frame, tree->service_count);
	for (uint32_t i = 0; i < tree->service_count; i++) {
		if (g.marks[i] != UNSEEN)
			continue;
		g.marks[i] = ON_PATH;
		g.path[g.depth++] = (struct frame){ i, 0 };
		while (g.depth > 0)
			walk(&g, services_missing);
	}
}
