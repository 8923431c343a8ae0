#include "plan/internal.h"

#include <stdlib.h>
#include <string.h>

struct planner *planner_new(struct intern *intern)
{
	struct planner *p = xcalloc(1, sizeof(*p));
	p->intern = intern;
	p->service_ids = map_new();
	p->node_ids = map_new();
	p->services_sorted = p->ranks_valid = p->turns_valid = true;
	p->zone_attribute = intern_add(intern, "ecs.availability-zone");
	p->expires_at_ms = INT64_MAX;
	return p;
}

void planner_free(struct planner *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->services.len; i++) {
		arena_release(&p->services.items[i].memory);
		vec_release(&p->services.items[i].targets);
	}
	for (size_t i = 0; i < p->nodes.len; i++) {
		arena_release(&p->nodes.items[i].memory);
		free(p->nodes.items[i].cells);
	}
	vec_release(&p->services);
	vec_release(&p->nodes);
	map_free(p->service_ids);
	map_free(p->node_ids);
	vec_release(&p->free_services);
	vec_release(&p->free_nodes);
	vec_release(&p->service_order);
	vec_release(&p->node_order);
	vec_release(&p->turn_order);
	vec_release(&p->dirty_nodes);
	vec_release(&p->touched);
	vec_release(&p->changed);
	vec_release(&p->clusters);
	free(p->groups);
	free(p);
}

/* --- handles --------------------------------------------------------------------------------- */

static void id_put(struct map *ids, const char *key, uint32_t id)
{
	map_put(ids, key, (void *)(uintptr_t)(id + 1));
}

static uint32_t id_get(const struct map *ids, const char *key)
{
	void *value = map_get(ids, key);
	return value ? (uint32_t)(uintptr_t)value - 1 : PLAN_NONE;
}

plan_service_id planner_service_find(const struct planner *p, const char *cluster, const char *name)
{
	struct buf key = { 0 };
	buf_addf(&key, "%s/%s", cluster, name);
	plan_service_id id = id_get(p->service_ids, buf_str(&key));
	buf_release(&key);
	return id;
}

plan_node_id planner_node_find(const struct planner *p, const char *name)
{
	return id_get(p->node_ids, name);
}

/* --- services -------------------------------------------------------------------------------- */

static int by_intern_id(const void *a, const void *b)
{
	intern_id x = *(const intern_id *)a, y = *(const intern_id *)b;
	return (x > y) - (x < y);
}

/* A copy in the arena; NULL for none. */
static void *copy(struct arena *arena, const void *items, size_t size, uint32_t count)
{
	return count ? memcpy(arena_alloc(arena, size * count), items, size * count) : NULL;
}

static intern_id *copy_sorted_ids(struct arena *arena, const intern_id *ids, uint32_t count)
{
	intern_id *sorted = copy(arena, ids, sizeof(*ids), count);
	if (sorted)
		qsort(sorted, count, sizeof(*sorted), by_intern_id);
	return sorted;
}

static struct plan_variant copy_variant(struct arena *arena, const struct plan_variant *from)
{
	struct plan_variant v = *from;
	struct task_resources *r = &v.resources;
	v.capabilities = copy_sorted_ids(arena, from->capabilities, from->capability_count);
	r->tcp_ports = copy(arena, r->tcp_ports, sizeof(*r->tcp_ports), r->tcp_count);
	r->udp_ports = copy(arena, r->udp_ports, sizeof(*r->udp_ports), r->udp_count);
	return v;
}

static struct plan_release copy_release(struct arena *arena, const struct plan_release *from)
{
	struct plan_variant *variants =
		copy(arena, from->variants, sizeof(*variants), from->variant_count);
	assert(from->variant_count <= PLAN_VARIANTS_MAX);
	for (uint32_t i = 0; i < from->variant_count; i++)
		variants[i] = copy_variant(arena, &from->variants[i]);
	return (struct plan_release){ .revision = from->revision,
				      .variants = variants,
				      .variant_count = from->variant_count };
}

static struct plan_service copy_service(struct arena *arena, const struct plan_service *spec)
{
	struct plan_service s = *spec;
	s.cluster = arena_strdup(arena, spec->cluster);
	s.name = arena_strdup(arena, spec->name);
	s.constraints =
		copy(arena, spec->constraints, sizeof(*s.constraints), spec->constraint_count);
	s.reach_where =
		copy(arena, spec->reach_where, sizeof(*s.reach_where), spec->reach_where_count);
	s.current = copy_release(arena, &spec->current);
	s.completed = copy_release(arena, &spec->completed);
	return s;
}

static void grow_rows(struct planner *p, uint32_t services)
{
	if (services <= p->stride)
		return;
	uint32_t old = p->stride, stride = old ? old * 2 : 16;
	for (size_t i = 0; i < p->nodes.len; i++) {
		struct node *n = &p->nodes.items[i];
		if (!n->used)
			continue;
		n->cells = xrealloc(n->cells, sizeof(*n->cells) * stride);
		memset(n->cells + old, 0, sizeof(*n->cells) * (stride - old));
	}
	p->groups = xrealloc(p->groups, sizeof(*p->groups) * 2 * stride);
	p->stride = stride;
}

static plan_service_id service_add(struct planner *p, const char *cluster, const char *name)
{
	plan_service_id id = (plan_service_id)p->services.len;
	if (p->free_services.len)
		id = p->free_services.items[--p->free_services.len];
	else
		(void)vec_push(&p->services);
	p->services.items[id] = (struct service){ .used = true };
	grow_rows(p, id + 1);
	*vec_push(&p->service_order) = id;
	p->services_sorted = false;
	struct buf key = { 0 };
	buf_addf(&key, "%s/%s", cluster, name);
	id_put(p->service_ids, buf_str(&key), id);
	buf_release(&key);
	return id;
}

static bool any_reserved(enum engine_kind engine, const struct task_resources *r)
{
	bool any = false;
	for (uint32_t i = 0; i < r->tcp_count; i++)
		any |= place_port_reserved(engine, false, r->tcp_ports[i]);
	for (uint32_t i = 0; i < r->udp_count; i++)
		any |= place_port_reserved(engine, true, r->udp_ports[i]);
	return any;
}

static bool any_dynamic(const struct plan_service *spec)
{
	for (uint32_t i = 0; i < spec->constraint_count; i++)
		if (expr_is_dynamic(spec->constraints[i]))
			return true;
	return false;
}

static struct release release_derive(struct service *s, const struct plan_release *from)
{
	struct release r = { .count = from->variant_count };
	r.variants = ARENA_ARRAY(&s->memory, struct variant, r.count);
	for (uint32_t i = 0; i < r.count; i++) {
		const struct plan_variant *v = &from->variants[i];
		r.variants[i] = (struct variant){
			.target = s->spec.stalled ? 0 : target_ref(s, &v->target, from->revision),
			.need = { .cpu_units = v->resources.cpu_units,
				  .memory_mib = v->resources.memory_mib,
				  .document_bytes = v->document_bytes,
				  .tasks = 1 },
			.reserved_port = any_reserved(v->engine, &v->resources),
			.pulls = s->spec.max_parallel_pulls && v->pulls,
			.spec = v,
		};
	}
	return r;
}

static void release_drop(struct service *s, const struct release *r)
{
	for (uint32_t i = 0; i < r->count; i++)
		target_unref(s, r->variants[i].target);
}

static bool same_load(const struct load *a, const struct load *b)
{
	return a->cpu_units == b->cpu_units && a->memory_mib == b->memory_mib &&
	       a->document_bytes == b->document_bytes;
}

/* What holds of all variants together. */
static void release_sum(struct service *s, const struct release *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		const struct variant *v = &r->variants[i];
		s->all_pull &= v->pulls;
		s->uniform &= same_load(&v->need, &s->need);
		s->has_ports |= v->spec->resources.tcp_count + v->spec->resources.udp_count > 0;
	}
}

/* What follows from what was declared. */
static void service_derive(struct planner *p, struct service *s)
{
	const struct plan_service *spec = &s->spec;
	s->cluster = intern_add(p->intern, spec->cluster);
	s->current = release_derive(s, &spec->current);
	s->completed = release_derive(s, &spec->completed);
	s->halt = spec->removing				    ? PLAN_REMOVING
		  : spec->suspend				    ? PLAN_SUSPENDED
		  : s->current.count && s->current.variants->target ? PLAN_PLACED
								    : PLAN_STALLED;
	s->need = s->current.count     ? s->current.variants->need
		  : s->completed.count ? s->completed.variants->need
				       : (struct load){ .tasks = 1 };
	s->surges = spec->max_percent > 100;
	s->uniform = true;
	s->all_pull = true;
	release_sum(s, &s->current);
	release_sum(s, &s->completed);
	p->dynamic_services -= s->dynamic;
	s->dynamic = any_dynamic(spec);
	p->dynamic_services += s->dynamic;
}

plan_service_id planner_service_set(struct planner *p, const struct plan_service *spec)
{
	plan_service_id id = planner_service_find(p, spec->cluster, spec->name);
	if (id == PLAN_NONE)
		id = service_add(p, spec->cluster, spec->name);
	struct service *s = &p->services.items[id];
	if (s->spec.priority != spec->priority)
		p->services_sorted = false;
	struct arena old = s->memory;
	const struct release current = s->current, completed = s->completed;
	arena_init(&s->memory);
	s->spec = copy_service(&s->memory, spec);
	service_derive(p, s);
	release_drop(s, &current);
	release_drop(s, &completed);
	arena_release(&old); /* not before: what was told may point into it */
	p->dirty_services += !s->dirty;
	s->dirty = true;
	return id;
}

void node_dirty(struct planner *p, plan_node_id id, enum dirty dirty)
{
	struct node *n = &p->nodes.items[id];
	if (n->dirty == DIRTY_NOT)
		*vec_push(&p->dirty_nodes) = id;
	if (n->dirty < dirty)
		n->dirty = dirty;
}

void planner_service_remove(struct planner *p, plan_service_id id)
{
	struct service *s = service_at(p, id);
	for (size_t i = 0; i < p->node_order.len; i++) {
		plan_node_id node = p->node_order.items[i];
		struct cell *c = &p->nodes.items[node].cells[id];
		if (takes_room(c) || c->seen != PLAN_SEEN_NONE)
			node_dirty(p, node, DIRTY_FIT);
		tally_drop(p, s, &p->nodes.items[node], c);
		*c = (struct cell){ 0 };
	}
	order_drop_service(p, id);
	struct buf key = { 0 };
	buf_addf(&key, "%s/%s", s->spec.cluster, s->spec.name);
	map_remove(p->service_ids, buf_str(&key));
	buf_release(&key);
	p->dirty_services -= s->dirty;
	p->dynamic_services -= s->dynamic;
	arena_release(&s->memory);
	vec_release(&s->targets);
	*s = (struct service){ 0 };
	*vec_push(&p->free_services) = id;
}

/* --- nodes ----------------------------------------------------------------------------------- */

static struct plan_node copy_node(struct arena *arena, const struct plan_node *spec)
{
	struct plan_node n = *spec;
	n.name = arena_strdup(arena, spec->name);
	n.cluster = arena_strdup(arena, spec->cluster);
	n.agent_version = arena_strdup(arena, spec->agent_version);
	n.attributes = copy(arena, spec->attributes, sizeof(*n.attributes), spec->attribute_count);
	n.capabilities = copy_sorted_ids(arena, spec->capabilities, spec->capability_count);
	return n;
}

static plan_node_id node_add(struct planner *p, const char *name)
{
	plan_node_id id = (plan_node_id)p->nodes.len;
	if (p->free_nodes.len)
		id = p->free_nodes.items[--p->free_nodes.len];
	else
		(void)vec_push(&p->nodes);
	p->nodes.items[id] = (struct node){ .used = true,
					    .gone_at_ms = -1,
					    .cells = xcalloc(p->stride, sizeof(struct cell)) };
	*vec_push(&p->node_order) = id;
	id_put(p->node_ids, name, id);
	return id;
}

static intern_id zone_of(const struct planner *p, const struct plan_node *spec)
{
	for (uint32_t i = 0; spec->attributes && i < spec->attribute_count; i++)
		if (spec->attributes[i].name == p->zone_attribute)
			return spec->attributes[i].value;
	return 0;
}

plan_node_id planner_node_set(struct planner *p, const struct plan_node *spec)
{
	plan_node_id id = planner_node_find(p, spec->name);
	if (id == PLAN_NONE)
		id = node_add(p, spec->name);
	struct node *n = &p->nodes.items[id];
	struct arena old = n->memory;
	intern_id zone = zone_of(p, spec);
	arena_init(&n->memory);
	n->spec = copy_node(&n->memory, spec);
	arena_release(&old);
	intern_id cluster = intern_add(p->intern, n->spec.cluster);
	p->turns_valid &= n->cluster == cluster && n->zone == zone;
	n->zone = zone;
	tally_move_node(p, n, cluster);
	n->open = spec->registered && spec->reachable && spec->observed_once;
	n->lost = !spec->reachable && !spec->unknown;
	n->facts = (struct expr_facts){
		.attributes = n->spec.attributes,
		.attribute_count = n->spec.attribute_count,
		.node_name = n->spec.name,
		.cluster = n->spec.cluster,
		.agent_version = n->spec.agent_version,
		.registered_at_ms = spec->registered ? spec->registered_at_ms : INT64_MIN,
	};
	node_dirty(p, id, DIRTY_ALL);
	return id;
}

void planner_node_remove(struct planner *p, plan_node_id id)
{
	struct node *n = node_at(p, id);
	for (size_t i = 0; i < p->service_order.len; i++) {
		struct service *s = &p->services.items[p->service_order.items[i]];
		struct cell *c = cell_at(p, n, s);
		tally_drop(p, s, n, c);
		target_unref(s, c->assigned);
		target_unref(s, c->running);
	}
	order_drop_node(p, id);
	map_remove(p->node_ids, n->spec.name);
	arena_release(&n->memory);
	free(n->cells);
	*n = (struct node){ 0 };
	*vec_push(&p->free_nodes) = id;
}

void planner_fact_set(struct planner *p, plan_service_id service, plan_node_id node,
		      const struct plan_fact *fact)
{
	struct service *s = service_at(p, service);
	struct cell *c = cell_at(p, node_at(p, node), s);
	uint16_t assigned = c->assigned, running = c->running;
	c->assigned = target_ref(s, &fact->assigned, fact->assigned_revision);
	c->running = target_ref(s, &fact->running, fact->running_revision);
	target_unref(s, assigned);
	target_unref(s, running);
	c->replaces = c->assigned ? fact->replaces & PLAN_REVISION_BITS : 0;
	c->broken_before = c->assigned && fact->broken_before;
	c->surge = c->assigned && fact->surge;
	c->acknowledged = c->assigned && fact->acknowledged;
	c->starting = c->assigned && !c->replaces && fact->starting &&
		      (!fact->acknowledged || fact->seen == PLAN_SEEN_NONE ||
		       fact->seen == PLAN_SEEN_PENDING);
	c->seen = (uint16_t)fact->seen & 7;
	c->still_running = fact->seen == PLAN_SEEN_FAILED && fact->still_running;
	node_dirty(p, node, DIRTY_FIT);
}
