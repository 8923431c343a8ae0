/* A node of a status file, or declared in a tree -> what the planner is told; and --filter. */
#include "report/world.h"

#include <stdlib.h>
#include <string.h>

struct attributes {
	struct expr_attribute *items;
	uint32_t count;
};

static void attribute_set(struct intern *intern, struct attributes *list, const char *name,
			  const char *value)
{
	intern_id id = intern_add(intern, name);
	uint32_t i = 0;
	while (i < list->count && list->items[i].name != id)
		i++;
	list->items[i] = (struct expr_attribute){ id, value ? intern_add(intern, value) : 0 };
	list->count += i == list->count;
}

static int by_name_id(const void *a, const void *b)
{
	const struct expr_attribute *x = a, *y = b;
	return x->name < y->name ? -1 : x->name > y->name;
}

static void add_mapping(struct world *w, struct attributes *list, const json_t *mapping,
			bool built_in)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)mapping, name,
			    value) if (built_in || attribute_name_allowed(name))
		attribute_set(w->intern, list, name, json_string_value(value));
}

/* Built-in < the agent's own < the Node manifest of the tree, or of the file where there is none.
 */
static struct attributes effective(struct world *w, const struct world_node *n)
{
	const json_t *registration = json_object_get(n->doc, "registration");
	const json_t *facts = json_object_get(registration, "facts");
	const json_t *own = json_object_get(registration, "attributes");
	const json_t *declared =
		w->tree ? NULL : json_object_get(json_object_get(n->doc, "manifest"), "attributes");
	const struct str_map none = { 0 },
			     *manifest = n->manifest ? &n->manifest->attributes : &none;
	struct attributes list = {
		.items = ARENA_ARRAY(&w->arena, struct expr_attribute,
				     json_object_size(facts) + json_object_size(own) +
					     json_object_size(declared) + manifest->len + 1)
	};
	add_mapping(w, &list, facts, true);
	add_mapping(w, &list, own, false);
	add_mapping(w, &list, declared, false);
	for (uint32_t i = 0; i < manifest->len; i++)
		if (attribute_name_allowed(manifest->items[i].name))
			attribute_set(w->intern, &list, manifest->items[i].name,
				      manifest->items[i].value);
	qsort(list.items, list.count, sizeof(*list.items), by_name_id);
	return list;
}

static enum node_state state_of(const struct world *w, const struct world_node *n)
{
	const char *state =
		w->tree ? (n->manifest ? n->manifest->state : NULL) : get_text(n->doc, "state");
	for (enum node_state s = NODE_ACTIVE; state && s <= NODE_INACTIVE; s++)
		if (strcmp(state, node_state_name(s)) == 0)
			return s;
	return NODE_ACTIVE;
}

static const char *cluster_of(const struct world *w, const struct world_node *n)
{
	const json_t *registration = json_object_get(n->doc, "registration");
	const char *declared =
		w->tree ? NULL : get_text(json_object_get(n->doc, "manifest"), "cluster");
	if (n->manifest && n->manifest->cluster)
		return n->manifest->cluster;
	return declared ? declared : text_or(registration, "cluster", DEFAULT_CLUSTER);
}

static int by_id(const void *a, const void *b)
{
	intern_id x = *(const intern_id *)a, y = *(const intern_id *)b;
	return x < y ? -1 : x > y;
}

static void read_registration(struct world *w, const json_t *r, struct plan_node *plan)
{
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(r, "engines"), i, item)
	{
		bool process =
			strcmp(text_or(item, "kind", ""), engine_kind_name(ENGINE_PROCESS)) == 0;
		plan->engines |= 1u << (process ? ENGINE_PROCESS : ENGINE_CONTAINER);
	}
	const json_t *names = json_object_get(r, "capabilities");
	intern_id *ids = ARENA_ARRAY(&w->arena, intern_id, json_array_size(names) + 1);
	json_array_foreach(names, i, item) if (json_is_string(item)) ids[plan->capability_count++] =
		intern_add(w->intern, json_string_value(item));
	qsort(ids, plan->capability_count, sizeof(*ids), by_id);
	plan->capabilities = ids;
	plan->cpu_units = (uint32_t)get_int(r, "cpu", 0);
	plan->memory_mib = (uint32_t)get_int(r, "memory", 0);
}

static void tell_fact(struct world *w, plan_node_id node, const json_t *a)
{
	const char *key = service_key(&w->arena, text_or(a, "cluster", DEFAULT_CLUSTER),
				      text_or(a, "service", ""));
	const struct world_service *s = map_get(w->services, key);
	if (!s)
		return;
	struct plan_fact fact = {
		.assigned = get_digest(a, "target"),
		.assigned_revision = (uint32_t)get_int(a, "revision", 0),
		.replaces = (uint32_t)get_int(a, "replaces", 0),
		.broken_before = get_bool(a, "brokenBefore"),
		.surge = get_bool(a, "surge"),
		.acknowledged = get_bool(a, "acknowledged"),
		.running = get_digest(a, "running"),
		.running_revision = (uint32_t)get_int(a, "runningRevision", 0),
	};
	plan_seen_parse(get_text(a, "seen"), &fact.seen);
	planner_fact_set(w->planner, s->id, node, &fact);
}

void world_node_tell(struct world *w, struct world_node *n)
{
	const json_t *registration = json_object_get(n->doc, "registration");
	if (w->tree && !registration && !n->manifest)
		return; /* was declared only, and is not any more */
	struct attributes attributes = effective(w, n);
	struct plan_node plan = {
		.name = n->name,
		.cluster = cluster_of(w, n),
		.state = state_of(w, n),
		.registered = registration != NULL,
		.observed_once = get_bool(n->doc, "observed"),
		.reachable = get_bool(n->doc, "agentConnected"),
		.unknown = registration && json_is_null(json_object_get(n->doc, "agentConnected")),
		.attributes = attributes.items,
		.attribute_count = attributes.count,
		.agent_version = get_text(json_object_get(n->doc, "versionInfo"), "agentVersion"),
		.registered_at_ms = INT64_MIN,
	};
	const char *registered_at = get_text(n->doc, "registeredAt");
	if (registered_at && !time_parse(registered_at, &plan.registered_at_ms))
		plan.registered_at_ms = INT64_MIN;
	read_registration(w, registration, &plan);
	n->id = planner_node_set(w->planner, &plan);
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(n->doc, "assignments"), i, item)
		tell_fact(w, n->id, item);
}

/* --- --filter -------------------------------------------------------------------------------- */

struct world_filter {
	struct intern *intern;
	struct expr *expr;
};

struct world_filter *world_filter_new(const char *expression, struct expr_error *error)
{
	struct world_filter *filter = xcalloc(1, sizeof(*filter));
	filter->intern = intern_new();
	filter->expr = expr_compile(expression, filter->intern, error);
	if (filter->expr)
		return filter;
	world_filter_free(filter);
	return NULL;
}

void world_filter_free(struct world_filter *filter)
{
	if (!filter)
		return;
	expr_free(filter->expr);
	intern_free(filter->intern);
	free(filter);
}

bool world_filter_match(struct world_filter *filter, const json_t *doc)
{
	const json_t *list = json_object_get(doc, "attributes"),
		     *tasks = json_object_get(doc, "tasks");
	struct arena scratch;
	arena_init(&scratch);
	struct attributes attributes = { .items = ARENA_ARRAY(&scratch, struct expr_attribute,
							      json_array_size(list) + 1) };
	intern_id *groups = ARENA_ARRAY(&scratch, intern_id, json_array_size(tasks) + 1);
	const char *cluster = text_or(doc, "clusterArn", "");
	struct expr_facts facts = {
		.node_name = get_text(doc, "ec2InstanceId"),
		.cluster = strchr(cluster, '/') ? strchr(cluster, '/') + 1 : cluster,
		.agent_version = get_text(json_object_get(doc, "versionInfo"), "agentVersion"),
		.registered_at_ms = INT64_MIN,
		.dynamic_known = true,
		.agent_connected = get_bool(doc, "agentConnected"),
		.running_tasks_count = get_int(doc, "runningTasksCount", 0),
		.task_groups = groups,
	};
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) if (get_text(item, "name")) attribute_set(
		filter->intern, &attributes, get_text(item, "name"), get_text(item, "value"));
	qsort(attributes.items, attributes.count, sizeof(*attributes.items), by_name_id);
	facts.attributes = attributes.items;
	facts.attribute_count = attributes.count;
	json_array_foreach(tasks, i, item) if (get_text(item, "group"))
		groups[facts.task_group_count++] =
			intern_add(filter->intern, get_text(item, "group"));
	if (get_text(doc, "registeredAt") &&
	    !time_parse(get_text(doc, "registeredAt"), &facts.registered_at_ms))
		facts.registered_at_ms = INT64_MIN;
	bool match = expr_eval(filter->expr, filter->intern, &facts, NULL) == EXPR_TRUE;
	arena_release(&scratch);
	return match;
}
