/* All files together: sorted lists, and what must hold between files. */
#include "manifest/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char *service_cluster(const struct daemon_service *service)
{
	return service->cluster ? service->cluster : DEFAULT_CLUSTER;
}

/* --- sorted lists ----------------------------------------------------------------------------- */

struct object_list_of_kind {
	const struct manifest_object **items;
	size_t count;
};

static int compare_names(const struct manifest_object *a, const struct manifest_object *b)
{
	if (a->kind == MANIFEST_DAEMON_SERVICE) {
		int order = strcmp(service_cluster(a->daemon_service),
				   service_cluster(b->daemon_service));
		if (order)
			return order;
	}
	return strcmp(a->name, b->name);
}

/* By name; equal names by path and place, so that the first in order of the files is the one. */
static int compare_objects(const void *left, const void *right)
{
	const struct manifest_object *a = *(const struct manifest_object *const *)left;
	const struct manifest_object *b = *(const struct manifest_object *const *)right;
	int order = compare_names(a, b);
	if (!order)
		order = strcmp(a->path, b->path);
	if (!order && a->pos.line != b->pos.line)
		order = a->pos.line < b->pos.line ? -1 : 1;
	return order;
}

static void collect(struct manifest_tree *tree, struct manifest_file *const *files, size_t count,
		    struct object_list_of_kind lists[MANIFEST_KIND_COUNT])
{
	size_t totals[MANIFEST_KIND_COUNT] = { 0 };
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < files[i]->object_count; k++)
			totals[files[i]->objects[k].kind]++;
	for (size_t kind = 0; kind < MANIFEST_KIND_COUNT; kind++)
		lists[kind].items =
			ARENA_ARRAY(&tree->arena, const struct manifest_object *, totals[kind]);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < files[i]->object_count; k++) {
			const struct manifest_object *object = &files[i]->objects[k];
			struct object_list_of_kind *list = &lists[object->kind];
			list->items[list->count++] = object;
		}
}

static void report_twice(struct manifest_tree *tree, const struct manifest_object *first,
			 const struct manifest_object *again)
{
	bool service = again->kind == MANIFEST_DAEMON_SERVICE;
	diag_error(&tree->diags, again->path, again->pos,
		   "%s \"%s\"%s%s%s is defined twice, before at %s:%u",
		   manifest_kind_name(again->kind), again->name, service ? " of cluster \"" : "",
		   service ? service_cluster(again->daemon_service) : "", service ? "\"" : "",
		   first->path, first->pos.line);
}

/* Sort, and keep the first of each name. */
static void sort_list(struct manifest_tree *tree, struct object_list_of_kind *list)
{
	bool sorted = true;
	for (size_t i = 1; i < list->count && sorted; i++)
		sorted = compare_objects(&list->items[i - 1], &list->items[i]) < 0;
	if (!sorted)
		qsort(list->items, list->count, sizeof(*list->items), compare_objects);
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (kept && compare_names(list->items[kept - 1], list->items[i]) == 0)
			report_twice(tree, list->items[kept - 1], list->items[i]);
		else
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

static void check_limit(struct manifest_tree *tree, const struct object_list_of_kind *list,
			size_t limit, const char *what)
{
	if (list->count > limit)
		diag_error(&tree->diags, list->items[limit]->path, list->items[limit]->pos,
			   "more than %zu %s", limit, what);
}

/* --- finding ---------------------------------------------------------------------------------- */

struct sought {
	const char *cluster, *name; /* cluster: of services only */
};

static int compare_sought(const void *key, const void *item)
{
	const struct sought *sought = key;
	const struct manifest_object *object = *(const struct manifest_object *const *)item;
	int order = sought->cluster
			    ? strcmp(sought->cluster, service_cluster(object->daemon_service))
			    : 0;
	return order ? order : strcmp(sought->name, object->name);
}

static const struct manifest_object *find(const struct manifest_object **items, size_t count,
					  const char *cluster, const char *name)
{
	struct sought sought = { cluster, name };
	if (!count)
		return NULL;
	const struct manifest_object *const *found =
		bsearch(&sought, items, count, sizeof(*items), compare_sought);
	return found ? *found : NULL;
}

const struct manifest_object *manifest_find_task_definition(const struct manifest_tree *tree,
							    const char *family)
{
	return find(tree->task_definitions, tree->task_definition_count, NULL, family);
}

const struct manifest_object *manifest_find_service(const struct manifest_tree *tree,
						    const char *cluster, const char *name)
{
	return find(tree->services, tree->service_count, cluster, name);
}

const struct manifest_object *manifest_find_node(const struct manifest_tree *tree, const char *name)
{
	return find(tree->nodes, tree->node_count, NULL, name);
}

const struct manifest_object *manifest_find_cluster(const struct manifest_tree *tree,
						    const char *name)
{
	return find(tree->clusters, tree->cluster_count, NULL, name);
}

/* --- between files ---------------------------------------------------------------------------- */

const char *suggest_object(struct manifest_tree *tree, const struct manifest_object **items,
			   size_t count, const char *name)
{
	if (tree->diags.errors > DIAG_SHOWN_MAX)
		return "";
	const char **names = ARENA_ARRAY(&tree->arena, const char *, count);
	for (size_t i = 0; i < count; i++)
		names[i] = items[i]->name;
	return did_you_mean(&tree->diags, &tree->arena, name, names, count);
}

/* Could an object of this kind and name be one of those with mistakes of their own? name NULL: any.
 */
static bool may_be_broken(struct manifest_file *const *files, size_t count, enum manifest_kind kind,
			  const char *name)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < files[i]->broken_count; k++) {
			const struct manifest_object *b = &files[i]->broken[k];
			if (b->kind == MANIFEST_KIND_COUNT)
				return true;
			if (b->kind == kind && (!name || !b->name || strcmp(b->name, name) == 0))
				return true;
		}
	return false;
}

/* A service and the task definition that it names. What a pinned revision has may be something else
 * than what is in the tree. */
static void check_pair(struct manifest_tree *tree, const struct manifest_object *object,
		       const struct task_definition *td, bool pinned)
{
	const struct daemon_service *service = object->daemon_service;
	const struct deployment_configuration *d = service->deployment_configuration;
	if (service->placement_constraints.len + td->placement_constraints.len > LIMIT_CONSTRAINTS)
		diag_error(&tree->diags, object->path, service->task_definition.pos,
			   "service and task definition \"%s\" have %u placement constraints "
			   "together; at most %d are allowed",
			   td->family.value,
			   service->placement_constraints.len + td->placement_constraints.len,
			   LIMIT_CONSTRAINTS);
	struct static_port port;
	if (d && d->maximum_percent.set && d->maximum_percent.value > 100 &&
	    task_definition_static_port(td, &port))
		diag_error(&tree->diags, object->path, d->pos,
			   "maximumPercent above 100 starts a task beside the old one, but "
			   "container \"%s\" of \"%s\" has the static host port %u/%s, which only "
			   "one can have",
			   port.container, td->family.value, port.port, port.udp ? "udp" : "tcp");
	if (!pinned)
		check_overrides_of(tree, object, td);
}

static void check_task_definitions(struct manifest_tree *tree, struct manifest_file *const *files,
				   size_t count)
{
	for (size_t i = 0; i < tree->service_count; i++) {
		const struct manifest_object *object = tree->services[i];
		const struct str_at *ref = &object->daemon_service->task_definition;
		const char *family;
		uint32_t revision;
		bool valid =
			manifest_task_definition_ref(ref->value, &tree->arena, &family, &revision);
		assert(valid); /* or the object would have been left out */
		(void)valid;
		const struct manifest_object *td = manifest_find_task_definition(tree, family);
		if (td)
			check_pair(tree, object, td->task_definition, revision != 0);
		else if (!revision &&
			 !may_be_broken(files, count, MANIFEST_TASK_DEFINITION, family))
			diag_error(&tree->diags, object->path, ref->pos,
				   "there is no task definition \"%s\"%s", family,
				   suggest_object(tree, tree->task_definitions,
						  tree->task_definition_count, family));
	}
}

/* Those that name files get a copy with their contents. */
static void fill_task_definitions(struct manifest_tree *tree, const struct manifest_data *data)
{
	for (size_t i = 0; i < tree->task_definition_count; i++) {
		const struct manifest_object *object = tree->task_definitions[i], *filled;
		if (!manifest_wants_data(object->task_definition))
			continue;
		filled = manifest_fill(object, data, &tree->arena, &tree->diags, &tree->forgotten);
		if (filled)
			tree->task_definitions[i] = filled;
	}
}

struct manifest_tree *manifest_tree_build(struct manifest_file *const *files, size_t count,
					  const struct manifest_data *data)
{
	struct manifest_tree *tree = xcalloc(1, sizeof(*tree));
	struct object_list_of_kind lists[MANIFEST_KIND_COUNT] = { 0 };
	arena_init(&tree->arena);
	diag_init(&tree->diags, &tree->arena);
	collect(tree, files, count, lists);
	for (size_t kind = 0; kind < MANIFEST_KIND_COUNT; kind++)
		sort_list(tree, &lists[kind]);
	check_limit(tree, &lists[MANIFEST_DAEMON_SERVICE], LIMIT_SERVICES, "services");
	check_limit(tree, &lists[MANIFEST_NODE], LIMIT_NODES, "nodes");
	tree->task_definitions = lists[MANIFEST_TASK_DEFINITION].items;
	tree->task_definition_count = lists[MANIFEST_TASK_DEFINITION].count;
	tree->services = lists[MANIFEST_DAEMON_SERVICE].items;
	tree->service_count = lists[MANIFEST_DAEMON_SERVICE].count;
	tree->nodes = lists[MANIFEST_NODE].items;
	tree->node_count = lists[MANIFEST_NODE].count;
	tree->clusters = lists[MANIFEST_CLUSTER].items;
	tree->cluster_count = lists[MANIFEST_CLUSTER].count;
	fill_task_definitions(tree, data);
	check_task_definitions(tree, files, count);
	for (size_t i = 0; i < tree->service_count; i++)
		check_windows_of(tree, tree->services[i]);
	check_mappings(tree);
	check_dependencies(tree, may_be_broken(files, count, MANIFEST_DAEMON_SERVICE, NULL));
	for (size_t i = 0; i < count; i++)
		diag_append(&tree->diags, &files[i]->diags);
	diag_sort(&tree->diags);
	tree->valid = tree->diags.errors == 0;
	return tree;
}

void manifest_tree_free(struct manifest_tree *tree)
{
	if (!tree)
		return;
	diag_release(&tree->diags);
	arena_release(&tree->arena);
	free(tree);
}
