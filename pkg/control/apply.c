#include "control/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRUNE_ANNOTATION "muster/prune"

struct service_state *service_get(struct control *c, const char *cluster, const char *name)
{
	struct arena scratch;
	arena_init(&scratch);
	const char *key = service_key(&scratch, cluster, name);
	struct service_state *s = map_get(c->services, key);
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		s->id = PLAN_NONE;
		s->cluster = xstrdup(cluster);
		s->name = xstrdup(name);
		s->key = xstrdup(key);
		map_put(c->services, key, s);
	}
	arena_release(&scratch);
	return s;
}

/* --- what a service of the tree runs
 * --------------------------------------------------------------- */

struct resolved {
	const char *family; /* in the arena, as .stalled */
	uint32_t revision;
	const struct digest *digest;		  /* of the task definition; NULL: stalled */
	const struct task_definition *definition; /* NULL: the ledger has it */
	const char *stalled;
};

static struct resolved resolve(struct control *c, const struct manifest_tree *tree,
			       const struct daemon_service *spec, struct arena *arena)
{
	struct resolved r = { 0 };
	uint32_t pinned;
	if (!manifest_task_definition_ref(spec->task_definition.value, arena, &r.family, &pinned))
		return (struct resolved){ .stalled = "the task definition's name is malformed" };
	const struct manifest_object *object = manifest_find_task_definition(tree, r.family);
	struct family *family = map_get(c->families, r.family);
	if (object && family && (!pinned || pinned == family->current)) {
		r.revision = family->current;
		r.digest = &object->digest;
		r.definition = object->task_definition;
		return r;
	}
	const struct revision *revision = family ? ledger_find(family, pinned) : NULL;
	r.revision = pinned;
	if (!revision)
		r.stalled = arena_printf(arena,
					 "revision %s:%u is not known: no commit of the branch's "
					 "history has made it",
					 r.family, pinned);
	else if (!revision->content && ledger_want_content(c, family, pinned))
		r.stalled = arena_printf(
			arena, "the content of revision %s:%u is looked for in the history",
			r.family, pinned);
	else if (!revision->content)
		r.stalled = arena_printf(arena,
					 "the content of revision %s:%u is no longer kept, and not "
					 "found in the branch's history",
					 r.family, pinned);
	else
		r.digest = &revision->digest;
	return r;
}

/* The release that the manifest asks for: the present one where that is it; NULL: stalled. */
static struct release *release_wanted(struct control *c, const struct service_state *s,
				      const struct daemon_service *spec, struct resolved *r)
{
	if (!r->digest)
		return NULL;
	struct digest digest = release_digest(r->digest, &spec->overrides, spec->redeploy);
	if (s->wanted && s->wanted->revision == r->revision &&
	    digest_equal(&s->wanted->digest, &digest))
		return s->wanted;
	if (r->definition)
		return release_new(c, r->family, r->revision, r->digest, r->definition,
				   &spec->overrides, spec->redeploy);
	struct release *made =
		release_of_revision(c, r->family, r->revision, &spec->overrides, spec->redeploy);
	if (!made)
		r->stalled = "the content of the revision in the ledger cannot be read";
	return made;
}

/* A service whose constraints cannot be asked is stalled: it must not run where they may be false.
 * The manifest was refused unless they compile, but a pinned revision may be of an older muster. */
static void compile_constraints(struct control *c, struct service_state *s)
{
	const struct daemon_service *spec = s->spec;
	const struct task_definition *td = s->wanted ? release_base(s->wanted)->definition : NULL;
	uint32_t own = spec->placement_constraints.len;
	uint32_t max = own + (td ? td->placement_constraints.len : 0);
	s->constraints = ARENA_ARRAY(&s->arena, const struct expr *, max + 1);
	s->constraint_count = 0;
	for (uint32_t i = 0; i < max; i++) {
		const char *text =
			i < own ? spec->placement_constraints.items[i].expression.value
				: td->placement_constraints.items[i - own].expression.value;
		struct expr_error error;
		struct expr *expr = expr_compile(text, c->intern, &error);
		if (expr) {
			s->constraints[s->constraint_count++] = expr;
		} else {
			s->stalled = arena_printf(&s->arena, "the constraint '%s' is not valid: %s",
						  text, error.text);
		}
	}
}

static void free_exprs(const struct expr **exprs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		expr_free((struct expr *)exprs[i]);
}

static void service_numbers(struct service_state *s, const struct daemon_service *spec)
{
	const struct deployment_configuration *d = spec->deployment_configuration;
	s->priority = spec->priority.set ? (int32_t)spec->priority.value : 0;
	s->min_ready_seconds = spec->min_ready_seconds.set ? (uint32_t)spec->min_ready_seconds.value
							   : DEFAULT_MIN_READY_SECONDS;
	s->monitor_seconds = spec->monitor_seconds.set ? (uint32_t)spec->monitor_seconds.value
						       : DEFAULT_MONITOR_S;
	s->min_healthy_percent = spec->ecs ? 0 : DEFAULT_MIN_HEALTHY_PERCENT;
	s->max_percent = DEFAULT_MAX_PERCENT;
	if (d && d->minimum_healthy_percent.set)
		s->min_healthy_percent = (uint32_t)d->minimum_healthy_percent.value;
	if (d && d->maximum_percent.set)
		s->max_percent = (uint32_t)d->maximum_percent.value;
	s->suspend = spec->suspend == OPT_TRUE;
	s->keep_on_drain = spec->drain && strcmp(spec->drain, "keep") == 0;
	struct str_list depends = { .items = ARENA_ARRAY(&s->arena, const char *,
							 spec->depends_on.len + 1) };
	for (uint32_t i = 0; i < spec->depends_on.len; i++)
		depends.items[depends.len++] = spec->depends_on.items[i].value;
	depends.set = depends.len > 0;
	s->depends_on = depends;
}

/* The documents of those that run it may have a new order, dependencies or times. */
static void render_again(struct control *c, const struct service_state *s)
{
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *node = value;
		node->dirty |= node_assignment(node, s) != NULL;
	}
}

/* The expressions of its steps, as far as they are asked by one. */
static void compile_steps(struct control *c, struct service_state *s)
{
	const struct rollout *rollout = s->spec->rollout;
	uint32_t count = rollout ? rollout->steps.len : 0;
	s->steps = ARENA_ARRAY(&s->arena, const struct expr *, count + 1);
	s->step_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct expr_error error;
		const char *text = rollout->steps.items[i].expression.value;
		s->steps[i] = text ? expr_compile(text, c->intern, &error) : NULL;
	}
}

static void apply_service(struct control *c, const struct manifest_tree *tree,
			  const struct manifest_object *object, int64_t now_unix_ms)
{
	const struct daemon_service *spec = object->daemon_service;
	struct service_state *s =
		service_get(c, spec->cluster ? spec->cluster : DEFAULT_CLUSTER, spec->name.value);
	struct arena arena;
	arena_init(&arena);
	struct resolved r = resolve(c, tree, spec, &arena);
	struct release *wanted = release_wanted(c, s, spec, &r), *before = s->wanted;
	uint64_t serial = file_cache_serial(c->cache, object->path);
	uint32_t pulls = cluster_max_parallel_pulls(c, s->cluster);
	bool same_spec = s->spec && s->spec_serial == serial &&
			 s->spec_pos.line == spec->pos.line && s->spec_pos.col == spec->pos.col;
	if (same_spec && wanted && !s->stalled && before == wanted && s->planned_pulls == pulls) {
		arena_release(&arena);
		return;
	}
	struct arena old_arena = s->arena;
	const struct expr **constraints = s->constraints, **steps = s->steps;
	uint32_t constraint_count = s->constraint_count, step_count = s->step_count;

	s->arena = arena; /* holds r.stalled */
	s->spec = schema_copy(&daemon_service_schema, spec, &s->arena);
	s->path = arena_strdup(&s->arena, object->path);
	s->spec_serial = serial;
	s->spec_pos = spec->pos;
	s->removing = s->kept = false;
	s->stalled = r.stalled;
	/* A stalled service keeps what it ran: only its target is unknown. */
	s->wanted = wanted;
	s->planned_pulls = pulls;
	compile_constraints(c, s);
	compile_steps(c, s);
	service_numbers(s, s->spec); /* the copy: the tree goes with its files */
	if (!s->created_unix_ms)
		s->created_unix_ms = now_unix_ms;
	deployment_begin(c, s, now_unix_ms);
	release_drop(c, s, before);
	rollout_rejudge(c, s);
	tell_planner(c, s);
	free_exprs(constraints, constraint_count);
	free_exprs(steps, step_count);
	arena_release(&old_arena);
	render_again(c, s);
}

bool service_prune_disabled(const struct service_state *s)
{
	for (uint32_t i = 0; s->spec && i < s->spec->annotations.len; i++) {
		const struct str_pair *a = &s->spec->annotations.items[i];
		if (strcmp(a->name, PRUNE_ANNOTATION) == 0 && a->value &&
		    strcmp(a->value, "disabled") == 0)
			return true;
	}
	return false;
}

/* Not in the applied commit: stop its tasks, or keep them where its last manifest said so. */
static void apply_gone(struct control *c, struct service_state *s, int64_t now_unix_ms)
{
	bool keep = s->kept || service_prune_disabled(s), news = keep != s->kept || s->spec;
	if (!s->spec && s->id != PLAN_NONE && (s->removing || keep))
		return;
	s->spec = NULL;
	s->kept = keep;
	s->removing = !keep;
	s->stalled = NULL;
	tell_planner(c, s);
	if (!news) /* it was so before the start */
		return;
	ledger_dirty_service(c, s);
	event_add(c, s, NULL, "INFO", keep ? "SERVICE_KEPT" : "SERVICE_DELETED", now_unix_ms,
		  keep ? "(service %s) is gone from the manifests; muster/prune keeps its tasks."
		       : "(service %s) is gone from the manifests; its tasks are stopped.",
		  s->name);
}

void apply_strangers(struct control *c, int64_t now_unix_ms)
{
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		if (s->id == PLAN_NONE)
			apply_gone(c, s, now_unix_ms);
	}
}

/* --- nodes, clusters, families
 * -------------------------------------------------------------------- */

static void apply_nodes(struct control *c, const struct manifest_tree *tree)
{
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		if (!n->manifest || manifest_find_node(tree, n->name))
			continue;
		n->manifest = NULL;
		n->manifest_serial = 0;
		arena_release(&n->manifest_arena);
		fleet_node_changed(c, n);
	}
	for (size_t i = 0; i < tree->node_count; i++) {
		const struct manifest_object *object = tree->nodes[i];
		struct node_record *n = node_get(c, object->name);
		uint64_t serial = file_cache_serial(c->cache, object->path);
		if (n->manifest && n->manifest_serial == serial &&
		    n->manifest->pos.line == object->node->pos.line &&
		    n->manifest->pos.col == object->node->pos.col)
			continue;
		arena_release(&n->manifest_arena);
		n->manifest = schema_copy(&node_manifest_schema, object->node, &n->manifest_arena);
		n->manifest_serial = serial;
		fleet_node_changed(c, n);
	}
}

/* cluster may be NULL. */
static struct digest cluster_digest(const struct cluster_manifest *cluster)
{
	struct buf text = { 0 };
	if (cluster)
		schema_canonical(&cluster_manifest_schema, cluster, &text);
	struct digest digest = digest_of(buf_str(&text), text.len);
	buf_release(&text);
	return digest;
}

static bool cluster_differs(const struct map *a, const struct map *b, const char *name)
{
	struct digest x = cluster_digest(map_get(a, name)), y = cluster_digest(map_get(b, name));
	return !digest_equal(&x, &y);
}

/* What a cluster maps, its services need and its nodes are told. */
static void apply_clusters(struct control *c, const struct manifest_tree *tree)
{
	struct map *old = c->clusters;
	struct arena old_arena = c->clusters_arena;
	c->clusters = map_new();
	arena_init(&c->clusters_arena);
	c->liveness_stale = true;
	for (size_t i = 0; i < tree->cluster_count; i++)
		map_put(c->clusters, tree->clusters[i]->name,
			schema_copy(&cluster_manifest_schema, tree->clusters[i]->cluster,
				    &c->clusters_arena));
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		if (s->id == PLAN_NONE || !cluster_differs(old, c->clusters, s->cluster))
			continue;
		tell_planner(c, s);
		render_again(c, s);
	}
	map_free(old);
	arena_release(&old_arena);
}

static void apply_families(struct control *c, const struct manifest_tree *tree)
{
	size_t it = 0;
	void *value;
	while (map_next(c->families, &it, NULL, &value)) {
		struct family *f = value;
		if (f->current && !manifest_find_task_definition(tree, f->name)) {
			f->current = 0;
			dirty_family(c, f);
		}
	}
	for (size_t i = 0; i < tree->task_definition_count; i++)
		ledger_current(c, tree->task_definitions[i]);
}

void apply_seen(struct control *c, int64_t now_unix_ms)
{
	const struct manifest_tree *tree = c->cache->seen.tree;
	commit_copy(&c->applied, &c->seen);
	file_cache_apply(c->cache);
	apply_clusters(c, tree);
	apply_families(c, tree);
	apply_nodes(c, tree);
	for (size_t i = 0; i < tree->service_count; i++)
		apply_service(c, tree, tree->services[i], now_unix_ms);
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		if (!manifest_find_service(tree, s->cluster, s->name))
			apply_gone(c, s, now_unix_ms);
	}
	dirty_all_services(c); /* observedCommit, holds */
	c->zones_wanted = true;
	c->rollouts_stale = true;
	c->save_applied = true;
	c->dirty_fleet = c->planner_stale = true;
}

void apply_retire(struct control *c)
{
	size_t it = 0;
	const char *key;
	void *value;
	while (map_next(c->services, &it, &key, &value)) {
		struct service_state *s = value;
		if (!s->removing)
			continue;
		bool assigned = false;
		size_t node_it = 0;
		void *node;
		while (!assigned && map_next(c->nodes, &node_it, NULL, &node)) {
			const struct node_record *n = node;
			assigned = node_assignment(n, s) ||
				   (n->connection == CONNECTION_ALIVE && node_observed_task(n, s));
		}
		if (assigned)
			continue;
		struct removed_status *gone = vec_push(&c->removed_status);
		*gone = (struct removed_status){ .kind = EFFECT_STATUS_SERVICE,
						 .key = xstrdup(s->key) };
		struct arena scratch;
		arena_init(&scratch);
		*vec_push(&c->removals) = xstrdup(ledger_service_key(&scratch, s));
		arena_release(&scratch);
		planner_service_remove(c->planner, s->id);
		events_hand_over(c, s);
		map_remove(c->dirty_services, s->key);
		map_remove(c->services, key);
		service_free(s);
		c->dirty_fleet = true;
	}
}
