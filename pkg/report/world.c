/* A planner made anew from status files: what is told, in which order, and what comes of it. */
#include "report/world.h"

#include <stdlib.h>
#include <string.h>

struct world *world_new(void)
{
	struct world *w = xcalloc(1, sizeof(*w));
	arena_init(&w->arena);
	w->intern = intern_new();
	w->planner = planner_new(w->intern);
	w->services = map_new();
	w->nodes = map_new();
	w->taskdefs = map_new();
	return w;
}

void world_free(struct world *w)
{
	if (!w)
		return;
	planner_free(w->planner);
	for (size_t i = 0; i < w->exprs.len; i++)
		expr_free((struct expr *)w->exprs.items[i]);
	vec_release(&w->exprs);
	map_free(w->services);
	map_free(w->nodes);
	map_free(w->taskdefs);
	intern_free(w->intern);
	arena_release(&w->arena);
	free(w);
}

const char *text_or(const json_t *object, const char *key, const char *absent)
{
	const char *text = get_text(object, key);
	return text ? text : absent;
}

/* --- what is told ---------------------------------------------------------------------------- */

static bool check_kind(const json_t *doc, const char *kind, const char *name_key, struct err *err)
{
	if (strcmp(text_or(doc, "kind", ""), kind) != 0 || !get_text(doc, name_key))
		return err_set(err, 0, "it is not a %s of muster", kind);
	return true;
}

/* "cluster/NAME" -> NAME */
static const char *cluster_of(const json_t *doc)
{
	const char *arn = text_or(doc, "clusterArn", DEFAULT_CLUSTER);
	const char *slash = strrchr(arn, '/');
	return slash ? slash + 1 : arn;
}

static struct world_service *service_get(struct world *w, const char *cluster, const char *name)
{
	const char *key = service_key(&w->arena, cluster, name);
	struct world_service *s = map_get(w->services, key);
	if (!s) {
		s = ARENA_NEW(&w->arena, struct world_service);
		s->cluster = arena_strdup(&w->arena, cluster);
		s->name = arena_strdup(&w->arena, name);
		s->id = PLAN_NONE;
		map_put(w->services, key, s);
	}
	return s;
}

static struct world_node *node_get(struct world *w, const char *name)
{
	struct world_node *n = map_get(w->nodes, name);
	if (!n) {
		n = ARENA_NEW(&w->arena, struct world_node);
		n->name = arena_strdup(&w->arena, name);
		n->id = PLAN_NONE;
		map_put(w->nodes, name, n);
	}
	return n;
}

bool world_add_service(struct world *w, const json_t *doc, struct err *err)
{
	if (!check_kind(doc, "ServiceStatus", "serviceName", err))
		return false;
	service_get(w, cluster_of(doc), get_text(doc, "serviceName"))->doc = doc;
	return true;
}

bool world_add_node(struct world *w, const json_t *doc, struct err *err)
{
	if (!check_kind(doc, "NodeStatus", "ec2InstanceId", err))
		return false;
	node_get(w, get_text(doc, "ec2InstanceId"))->doc = doc;
	return true;
}

bool world_add_taskdef(struct world *w, const json_t *doc, struct err *err)
{
	const json_t *definition = json_object_get(doc, "taskDefinition");
	if (!check_kind(doc, "TaskDefinitionStatus", "kind", err) ||
	    !get_text(definition, "family"))
		return err_set(err, 0, "it is not a TaskDefinitionStatus of muster");
	map_put(w->taskdefs, get_text(definition, "family"), (void *)doc);
	return true;
}

void world_apply(struct world *w, const struct manifest_tree *tree)
{
	w->tree = tree;
	for (size_t i = 0; i < tree->service_count; i++) {
		const struct daemon_service *spec = tree->services[i]->daemon_service;
		service_get(w, spec->cluster ? spec->cluster : DEFAULT_CLUSTER, spec->name.value)
			->object = tree->services[i];
	}
	for (size_t i = 0; i < tree->node_count; i++)
		node_get(w, tree->nodes[i]->name)->manifest = tree->nodes[i]->node;
}

/* --- the run --------------------------------------------------------------------------------- */

void world_service_tell(struct world *w, struct world_service *s)
{
	s->plan.cluster = s->cluster;
	s->plan.name = s->name;
	s->plan.task_group_service =
		intern_add(w->intern, arena_printf(&w->arena, "service:%s", s->name));
	if (s->family)
		s->plan.task_group_family =
			intern_add(w->intern, arena_printf(&w->arena, "family:%s", s->family));
	s->id = planner_service_set(w->planner, &s->plan);
}

/* In the tree: as it says. In files only: gone with the tree, unless its manifest said to keep it.
 */
static void world_service_resolve(struct world *w, struct world_service *s)
{
	if (s->object) {
		world_service_from_tree(w, s);
		return;
	}
	world_service_from_doc(w, s);
	if (!w->tree)
		return;
	bool keep = get_bool(json_object_get(s->doc, "placement"), "keepWhenGone");
	s->plan.suspend = keep;
	s->plan.removing = !keep;
	s->action = keep ? WORLD_NOTHING : WORLD_REMOVE;
}

static void tell_all(struct world *w)
{
	size_t it = 0;
	void *value;
	while (map_next(w->services, &it, NULL, &value))
		world_service_tell(w, value);
	it = 0;
	while (map_next(w->nodes, &it, NULL, &value))
		world_node_tell(w, value);
}

void world_run(struct world *w)
{
	size_t it = 0;
	void *value;
	while (map_next(w->services, &it, NULL, &value))
		world_service_resolve(w, value);
	tell_all(w);
	planner_run(w->planner, 0, &w->arena, &w->result);
}

struct planner *world_second_planner(struct world *w)
{
	struct planner *first = w->planner, *second = planner_new(w->intern);
	w->planner = second;
	tell_all(w); /* in the same order: ids are the same */
	w->planner = first;
	return second;
}

const struct planner *world_planner(const struct world *w)
{
	return w->planner;
}
