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
	struct content *content; /* NULL: stalled */
	const char *stalled;	 /* literal, or in the arena */
};

static struct resolved resolve(struct control *c, const struct manifest_tree *tree,
			       const struct daemon_service *spec, struct arena *arena)
{
	const char *name;
	uint32_t pinned;
	if (!manifest_task_definition_ref(spec->task_definition.value, arena, &name, &pinned))
		return (struct resolved){ .stalled = "the task definition's name is malformed" };
	const struct manifest_object *object = manifest_find_task_definition(tree, name);
	struct family *family = map_get(c->families, name);
	if (object && family && (!pinned || pinned == family->current)) {
		struct digest target = task_target_digest(&object->digest, spec->redeploy);
		return (struct resolved){ .content = content_get(c, name, family->current,
								 &object->digest, &target,
								 object->task_definition) };
	}
	const struct revision *revision = family ? ledger_find(family, pinned) : NULL;
	if (!revision)
		return (struct resolved){ .stalled = arena_printf(
						  arena,
						  "revision %s:%u is not known: no commit of the "
						  "branch's history has made it",
						  name, pinned) };
	struct content *content = content_of_revision(c, family, revision, spec->redeploy);
	if (content)
		return (struct resolved){ .content = content };
	return (struct resolved){ .stalled = arena_printf(
					  arena, "the content of revision %s:%u is no longer kept",
					  name, pinned) };
}

static const struct expr **compile_constraints(struct control *c, struct service_state *s)
{
	const struct daemon_service *spec = s->spec;
	const struct task_definition *td = s->content ? s->content->definition : NULL;
	uint32_t max = spec->placement_constraints.len + (td ? td->placement_constraints.len : 0);
	const struct expr **out = ARENA_ARRAY(&s->arena, const struct expr *, max + 1);
	for (uint32_t i = 0; i < max; i++) {
		const struct placement_constraint *pc =
			i < spec->placement_constraints.len
				? &spec->placement_constraints.items[i]
				: &td->placement_constraints
					   .items[i - spec->placement_constraints.len];
		/* The manifest was refused unless it compiles; a pinned old one may be older. */
		struct expr_error error;
		struct expr *expr = expr_compile(pc->expression.value, c->intern, &error);
		if (expr)
			out[s->constraint_count++] = expr;
	}
	return out;
}

static void free_constraints(const struct expr **constraints, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		expr_free((struct expr *)constraints[i]);
}

/* Tell the planner what the service now is. */
static void plan_service_tell(struct control *c, struct service_state *s)
{
	struct arena scratch;
	arena_init(&scratch);
	struct plan_service p = {
		.cluster = s->cluster,
		.name = s->name,
		.priority = s->priority,
		.constraints = s->constraints,
		.constraint_count = s->constraint_count,
		.min_healthy_percent = s->min_healthy_percent,
		.monitor_ms = s->monitor_seconds * 1000,
		.suspend = s->suspend || s->kept,
		.stalled = !s->content,
		.removing = s->removing,
	};
	p.task_group_service = intern_add(c->intern, arena_printf(&scratch, "service:%s", s->name));
	if (s->content) {
		const struct task_definition *td = s->content->definition;
		struct str_list names = task_definition_capabilities(td, &scratch);
		intern_id *ids = ARENA_ARRAY(&scratch, intern_id, names.len + 1);
		for (uint32_t i = 0; i < names.len; i++)
			ids[i] = intern_add(c->intern, names.items[i]);
		p.capabilities = ids;
		p.capability_count = names.len;
		p.engine = task_definition_engine(td);
		p.resources = task_definition_resources(td, &scratch);
		p.document_bytes = s->content->document_bytes;
		p.target = s->content->target;
		p.revision = s->content->revision;
		p.task_group_family = intern_add(
			c->intern, arena_printf(&scratch, "family:%s", s->content->family));
	}
	s->id = planner_service_set(c->planner, &p);
	arena_release(&scratch);
	dirty_service(c, s);
}

static void service_numbers(struct service_state *s)
{
	const struct daemon_service *spec = s->spec;
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
	struct str_list depends = { .items = ARENA_ARRAY(&s->arena, const char *,
							 spec->depends_on.len + 1) };
	for (uint32_t i = 0; i < spec->depends_on.len; i++)
		depends.items[depends.len++] = spec->depends_on.items[i].value;
	depends.set = depends.len > 0;
	s->depends_on = depends;
}

/* Every node that runs it gets a document with the service's new order, dependencies and times. */
static void render_again(struct control *c, const struct service_state *s)
{
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *node = value;
		if (node_assignment(node, s)) {
			node->dirty = true;
			dirty_node(c, node);
		}
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
	uint64_t serial = file_cache_serial(c->cache, object->path);
	bool same_spec = s->spec && s->spec_serial == serial &&
			 s->spec_pos.line == spec->pos.line && s->spec_pos.col == spec->pos.col;
	if (same_spec && !r.stalled && !s->stalled && s->content == r.content &&
	    s->planned_revision == r.content->revision) {
		arena_release(&arena);
		return;
	}
	struct arena old_arena = s->arena;
	const struct expr **old = s->constraints;
	uint32_t old_count = s->constraint_count;
	bool again = s->spec || s->id == PLAN_NONE;

	s->arena = arena; /* holds r.stalled */
	s->spec = schema_copy(&daemon_service_schema, spec, &s->arena);
	s->path = arena_strdup(&s->arena, object->path);
	s->spec_serial = serial;
	s->spec_pos = spec->pos;
	s->removing = s->kept = false;
	s->stalled = r.stalled;
	/* A stalled service keeps what it ran: only its target is unknown. */
	s->content = r.content;
	s->planned_revision = r.content ? r.content->revision : 0;
	s->constraint_count = 0;
	s->constraints = compile_constraints(c, s);
	((struct daemon_service *)s->spec)->ecs = spec->ecs;
	service_numbers(s);
	if (!s->created_unix_ms)
		s->created_unix_ms = now_unix_ms;
	plan_service_tell(c, s);
	free_constraints(old, old_count);
	arena_release(&old_arena);
	deployment_begin(c, s, now_unix_ms);
	if (again)
		render_again(c, s);
}

/* Not in the applied commit: stop its tasks, or keep them where its last manifest said so. */
static void apply_gone(struct control *c, struct service_state *s, int64_t now_unix_ms)
{
	if (s->removing && s->id != PLAN_NONE)
		return;
	bool keep = s->kept;
	for (uint32_t i = 0; s->spec && i < s->spec->annotations.len; i++) {
		const struct str_pair *a = &s->spec->annotations.items[i];
		if (strcmp(a->name, PRUNE_ANNOTATION) == 0 && a->value &&
		    strcmp(a->value, "disabled") == 0)
			keep = true;
	}
	if (keep && s->kept && !s->spec && s->id != PLAN_NONE)
		return;
	s->spec = NULL;
	s->kept = keep;
	s->removing = !keep;
	s->dirty = true;
	plan_service_tell(c, s);
	event_add(c, s, NULL, "INFO", keep ? "SERVICE_KEPT" : "SERVICE_DELETED", now_unix_ms,
		  keep ? "(service %s) is gone from the manifests; muster/prune keeps its tasks."
		       : "(service %s) is gone from the manifests; its tasks are stopped.",
		  s->name);
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

static void apply_clusters(struct control *c, const struct manifest_tree *tree)
{
	map_free(c->clusters);
	c->clusters = map_new();
	arena_release(&c->clusters_arena);
	for (size_t i = 0; i < tree->cluster_count; i++)
		map_put(c->clusters, tree->clusters[i]->name,
			schema_copy(&cluster_manifest_schema, tree->clusters[i]->cluster,
				    &c->clusters_arena));
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
	for (size_t i = 0; i < tree->task_definition_count; i++) {
		const struct manifest_object *object = tree->task_definitions[i];
		struct family *f = ledger_family(c, object->name);
		uint32_t number = ledger_number(c, object, c->seen.id, c->seen.time_unix_ms);
		if (f->current != number) {
			f->current = number;
			dirty_family(c, f);
		}
	}
}

void apply_seen(struct control *c, int64_t now_unix_ms)
{
	const struct manifest_tree *tree = c->cache->seen.tree;
	commit_copy(&c->applied, &c->seen);
	c->has_hold = false;
	map_free(c->allowed);
	c->allowed = map_new();
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
	c->save_applied = true;
	c->dirty_fleet = true;
}

/* --- holds
 * ----------------------------------------------------------------------------------------- */

/* Services that run or are declared now, for "removes all of them". */
static uint32_t services_in_force(const struct control *c, struct arena *arena,
				  const struct service_state ***out)
{
	const struct service_state **all;
	uint32_t count = control_services(c, arena, &all), n = 0;
	for (uint32_t i = 0; i < count; i++)
		if (all[i]->spec || all[i]->kept || !all[i]->removing)
			all[n++] = all[i];
	*out = all;
	return n;
}

static bool is_allowed(const struct control *c, const char *id,
		       const struct service_state *const *services, uint32_t count)
{
	if (map_get(c->allowed, id) || map_get(c->allowed, "all"))
		return true;
	for (uint32_t i = 0; i < count; i++)
		if (!map_get(c->allowed, services[i]->name) &&
		    !map_get(c->allowed, services[i]->key))
			return false;
	return count > 0;
}

/* True: the commit removes all services there are, and nobody has allowed it. */
static bool hold_removal_of_all(struct control *c, int64_t now_unix_ms)
{
	struct arena scratch;
	arena_init(&scratch);
	const struct service_state **services;
	uint32_t count = services_in_force(c, &scratch, &services), tasks = 0;
	if (c->cache->seen.tree->service_count > 0 || count == 0) {
		arena_release(&scratch);
		return false;
	}
	struct buf cause = { 0 };
	buf_adds(&cause, "removes all services:");
	for (uint32_t i = 0; i < count; i++)
		buf_addf(&cause, " %s", services[i]->key);
	struct digest digest = digest_of(cause.data, cause.len);
	buf_release(&cause);
	char hex[DIGEST_HEX_LEN + 1], id[sizeof(c->hold.id)];
	digest_hex(&digest, hex);
	snprintf(id, sizeof(id), "%.16s", hex);
	bool held = !is_allowed(c, id, services, count);
	arena_release(&scratch);
	if (!held)
		return false;
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value))
		tasks += (uint32_t)((struct node_record *)value)->assignments.len;
	bool same = c->has_hold && strcmp(c->hold.id, id) == 0;
	free(c->hold.message);
	struct hold hold = { .cause = HOLD_ALL_SERVICES_REMOVED,
			     .count = tasks,
			     .since_unix_ms = same ? c->hold.since_unix_ms : now_unix_ms };
	memcpy(hold.id, id, sizeof(id));
	copy_commit(hold.commit, c->seen.id);
	struct buf message = { 0 };
	buf_addf(&message,
		 "commit %.7s removes all %u services and would stop %u tasks; what runs stays. "
		 "Release: muster allow %s, or a commit with the trailer Muster-Allow: %s",
		 c->seen.id, count, tasks, id, id);
	hold.message = message.data;
	c->hold = hold;
	c->has_hold = true;
	if (!same)
		event_add(c, NULL, NULL, "WARN", "COMMIT_HELD", now_unix_ms, "%s", hold.message);
	return true;
}

void apply_consider(struct control *c, int64_t now_unix_ms)
{
	if (!c->cache->seen.tree || c->seen_invalid || !c->seen.id[0])
		return;
	if (strcmp(c->seen.id, c->applied.id) == 0) {
		c->has_hold = false;
		return;
	}
	if (hold_removal_of_all(c, now_unix_ms))
		return;
	apply_seen(c, now_unix_ms);
	event_add(c, NULL, NULL, "INFO", "COMMIT_APPLIED", now_unix_ms,
		  "commit %.7s is applied: %s", c->applied.id,
		  c->applied.subject ? c->applied.subject : "");
}

void apply_retire(struct control *c)
{
	size_t it = 0;
	const char *key;
	void *value;
	bool retired = false;
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
				   (n->registered && n->connection == CONNECTION_ALIVE &&
				    node_observed_task(n, s));
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
		map_remove(c->dirty_services, s->key);
		map_remove(c->services, key);
		service_free(s);
		c->dirty_fleet = retired = true;
	}
	if (retired)
		contents_sweep(c);
}
