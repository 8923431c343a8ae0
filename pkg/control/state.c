#include "control/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *condition_type_name(enum condition_type type)
{
	static const char *const names[CONDITION_TYPE_COUNT] = {
		[CONDITION_READY] = "Ready",
		[CONDITION_PROGRESSING] = "Progressing",
		[CONDITION_DEGRADED] = "Degraded",
		[CONDITION_STALLED] = "Stalled",
		[CONDITION_HELD] = "Held",
		[CONDITION_LAGGING] = "Lagging",
		[CONDITION_NAME_CONFLICT] = "NameConflict",
	};
	return names[type];
}

const char *condition_status_name(enum condition_status status)
{
	static const char *const names[] = { "Unknown", "False", "True" };
	return names[status];
}

struct control *control_new(void)
{
	struct control *c = xcalloc(1, sizeof(*c));
	c->intern = intern_new();
	c->planner = planner_new(c->intern);
	diag_init(&c->diags, &c->diags_arena);
	c->cache = file_cache_new();
	struct map **maps[] = { &c->numbers,	   &c->allowed,	       &c->services,
				&c->families,	   &c->nodes,	       &c->contents,
				&c->clusters,	   &c->dirty_services, &c->dirty_nodes,
				&c->dirty_families };
	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		*maps[i] = map_new();
	c->dirty_fleet = true;
	c->plan_again_ms = c->starts_end_ms = INT64_MAX;
	return c;
}

void commit_copy(struct commit_facts *to, const struct commit_facts *from)
{
	struct commit_facts copy = *from;
	copy.subject = from->subject ? xstrdup(from->subject) : NULL;
	copy.author = from->author ? xstrdup(from->author) : NULL;
	free(to->subject);
	free(to->author);
	*to = copy;
}

static void commit_release(struct commit_facts *commit)
{
	free(commit->subject);
	free(commit->author);
}

void service_free(struct service_state *s)
{
	for (uint32_t i = 0; i < s->constraint_count; i++)
		expr_free((struct expr *)s->constraints[i]);
	for (uint32_t i = 0; i < s->step_count; i++)
		expr_free((struct expr *)s->steps[i]);
	struct release *releases[] = { s->wanted, s->current, s->completed };
	for (size_t i = 0; i < ARRAY_LEN(releases); i++) {
		release_free(releases[i]);
		for (size_t k = i + 1; k < ARRAY_LEN(releases); k++)
			if (releases[k] == releases[i])
				releases[k] = NULL;
	}
	struct deployment *deployments[] = { &s->primary, &s->previous, &s->failed };
	for (size_t i = 0; i < ARRAY_LEN(deployments); i++)
		deployment_release(deployments[i]);
	for (uint32_t i = 0; i < s->past_count; i++)
		deployment_release(&s->past[i]);
	for (size_t i = 0; i < s->events.count; i++)
		event_free(s->events.items[i]);
	conditions_release(&s->conditions);
	arena_release(&s->arena);
	free(s->cluster);
	free(s->name);
	free(s->key);
	free(s);
}

void node_free(struct node_record *n)
{
	arena_release(&n->manifest_arena);
	arena_release(&n->registration_arena);
	arena_release(&n->attributes_arena);
	arena_release(&n->observed_arena);
	vec_release(&n->assignments);
	free(n->observed_why);
	free(n->name);
	free(n);
}

static void family_free(struct family *f)
{
	for (size_t i = 0; i < f->revisions.len; i++)
		free(f->revisions.items[i].content);
	vec_release(&f->revisions);
	free(f->name);
	free(f);
}

#define FREE_ALL(map, type, fn)                                                                    \
	do {                                                                                       \
		size_t it_ = 0;                                                                    \
		void *value_;                                                                      \
		while (map_next((map), &it_, NULL, &value_))                                       \
			fn((type *)value_);                                                        \
		map_free(map);                                                                     \
	} while (0)

static void content_free(struct content *content)
{
	arena_release(&content->arena);
	free(content);
}

void control_free(struct control *c)
{
	if (!c)
		return;
	planner_free(c->planner);
	FREE_ALL(c->services, struct service_state, service_free);
	FREE_ALL(c->nodes, struct node_record, node_free);
	FREE_ALL(c->families, struct family, family_free);
	FREE_ALL(c->contents, struct content, content_free);
	struct map *maps[] = { c->numbers,	  c->allowed,	  c->clusters,
			       c->dirty_services, c->dirty_nodes, c->dirty_families };
	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		map_free(maps[i]);
	for (size_t i = 0; i < c->events.count; i++)
		event_free(c->events.items[i]);
	for (size_t i = 0; i < c->removals.len; i++)
		free(c->removals.items[i]);
	for (size_t i = 0; i < c->removed_status.len; i++)
		free(c->removed_status.items[i].key);
	vec_release(&c->removed_status);
	vec_release(&c->removals);
	vec_release(&c->new_events);
	vec_release(&c->lineage);
	conditions_release(&c->conditions);
	diag_release(&c->diags);
	arena_release(&c->diags_arena);
	arena_release(&c->clusters_arena);
	file_cache_free(c->cache);
	commit_release(&c->seen);
	commit_release(&c->applied);
	for (size_t i = 0; i < c->holds.len; i++)
		hold_free(&c->holds.items[i]);
	vec_release(&c->holds);
	releases_free_dropped(c);
	vec_release(&c->dropped);
	arena_release(&c->zones_arena);
	free(c->source_reason);
	free(c->source_text);
	free(c->store_away);
	intern_free(c->intern);
	free(c);
}

void dirty_service(struct control *c, struct service_state *service)
{
	map_put(c->dirty_services, service->key, service);
}

void dirty_node(struct control *c, struct node_record *node)
{
	map_put(c->dirty_nodes, node->name, node);
}

void dirty_family(struct control *c, struct family *family)
{
	map_put(c->dirty_families, family->name, family);
}

void dirty_all_services(struct control *c)
{
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value))
		dirty_service(c, value);
}

const struct wire_task *node_observed_task(const struct node_record *node,
					   const struct service_state *service)
{
	const struct wire_task *best = NULL;
	const struct assignment *a = node_assignment(node, service);
	for (uint32_t i = 0; node->observed_known && i < node->observed.task_count; i++) {
		const struct wire_task *t = &node->observed.tasks[i];
		if (strcmp(t->service, service->name) != 0 ||
		    strcmp(t->cluster, service->cluster) != 0)
			continue;
		if (!best || (a && digest_equal(&t->target, &a->content->target)))
			best = t;
	}
	return best;
}

const struct assignment *node_assignment(const struct node_record *node,
					 const struct service_state *service)
{
	for (size_t i = 0; i < node->assignments.len; i++)
		if (node->assignments.items[i].service == service)
			return &node->assignments.items[i];
	return NULL;
}

bool node_lagging(const struct node_record *node, int64_t now_ms)
{
	return node->behind_since_ms && now_ms - node->behind_since_ms >= LAG_MS;
}

/* A number of the cluster's manifest, or its default. */
static uint32_t cluster_setting(const struct control *c, const char *cluster, size_t offset,
				uint32_t by_default)
{
	const struct cluster_manifest *m = map_get(c->clusters, cluster);
	if (!m)
		return by_default;
	const struct opt_int *v = (const struct opt_int *)((const char *)m + offset);
	return v->set ? (uint32_t)v->value : by_default;
}

uint32_t cluster_node_timeout(const struct control *c, const char *cluster)
{
	return cluster_setting(c, cluster, offsetof(struct cluster_manifest, node_timeout_seconds),
			       DEFAULT_NODE_TIMEOUT_S);
}

uint32_t cluster_node_expire(const struct control *c, const char *cluster)
{
	return cluster_setting(c, cluster, offsetof(struct cluster_manifest, node_expire_seconds),
			       0);
}

uint32_t cluster_max_parallel_pulls(const struct control *c, const char *cluster)
{
	return cluster_setting(c, cluster, offsetof(struct cluster_manifest, max_parallel_pulls),
			       DEFAULT_MAX_PARALLEL_PULLS);
}

uint32_t cluster_mass_change_percent(const struct control *c, const char *cluster)
{
	return cluster_setting(c, cluster, offsetof(struct cluster_manifest, mass_change_percent),
			       DEFAULT_MASS_CHANGE_PERCENT);
}

static int by_first_string(const void *a, const void *b)
{
	return strcmp(**(char *const *const *)a, **(char *const *const *)b);
}

static int by_cluster_name(const void *a, const void *b)
{
	const struct service_state *x = *(const struct service_state *const *)a,
				   *y = *(const struct service_state *const *)b;
	int order = strcmp(x->cluster, y->cluster);
	return order ? order : strcmp(x->name, y->name);
}

static uint32_t sorted_values(const struct map *map, struct arena *arena, void ***out,
			      int (*compare)(const void *, const void *))
{
	void **values = ARENA_ARRAY(arena, void *, map_count(map) + 1);
	size_t it = 0, n = 0;
	while (map_next(map, &it, NULL, &values[n]))
		n++;
	qsort(values, n, sizeof(*values), compare);
	*out = values;
	return (uint32_t)n;
}

uint32_t control_services(const struct control *c, struct arena *arena,
			  const struct service_state ***out)
{
	return sorted_values(c->services, arena, (void ***)out, by_cluster_name);
}

/* Node records and families begin with their name. */
uint32_t control_nodes(const struct control *c, struct arena *arena,
		       const struct node_record ***out)
{
	return sorted_values(c->nodes, arena, (void ***)out, by_first_string);
}

uint32_t control_families(const struct control *c, struct arena *arena, const struct family ***out)
{
	return sorted_values(c->families, arena, (void ***)out, by_first_string);
}
