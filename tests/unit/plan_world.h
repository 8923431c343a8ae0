/* A planner with names instead of handles, and plans as one line of text. */
#ifndef PLAN_WORLD_H
#define PLAN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "plan/plan.h"

#define MONITOR_MS 60000
#define ZERO	   (-1) /* where 0 stands for the default */

struct world {
	struct intern *intern;
	struct planner *planner;
	struct arena arena;
	int64_t now_ms, wake_at_ms;
	VEC(struct expr *) exprs;
};

struct svc {
	const char *name, *cluster;	      /* default */
	const char *constraint, *constraint2; /* none */
	const char *capability;		      /* none */
	int priority, revision, min_healthy;  /* 0, 1, 90 */
	uint32_t cpu, memory, bytes;
	uint16_t port, udp_port; /* none */
	uint32_t pulls;		 /* max_parallel_pulls */
	bool container, suspend, stalled, removing, unresolved;
	int completed;		    /* none */
	uint32_t completed_memory;  /* as memory */
	int reach;		    /* all */
	const char *where, *where2; /* none */
	int max_percent;	    /* 100 */
	int stops;		    /* any number */
	bool keep;		    /* on drain */
	const char *when;	    /* none: on which nodes there is an override */
	const char *when_too;	    /* none: and another, where that one does not count */
	uint32_t when_memory;	    /* as memory */
	bool when_process;	    /* it is one there */
	bool completed_when;	    /* completed has the override too */
};

struct nod {
	const char *name, *cluster; /* default */
	const char *attributes;	    /* "env=prod zone=a" */
	const char *capability;
	enum node_state state;
	bool unregistered, unobserved, unreachable, unknown, no_engine;
	uint32_t cpu, memory; /* 1024, 1024 */
};

static inline struct world *world_new(void)
{
	struct world *w = xcalloc(1, sizeof(*w));
	w->intern = intern_new();
	w->planner = planner_new(w->intern);
	return w;
}

static inline void world_free(struct world *w)
{
	planner_free(w->planner);
	for (size_t i = 0; i < w->exprs.len; i++)
		expr_free(w->exprs.items[i]);
	vec_release(&w->exprs);
	intern_free(w->intern);
	arena_release(&w->arena);
	free(w);
}

static inline struct digest target_of(const char *service, int revision)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%s:%d", service, revision);
	return revision ? digest_of(text, (size_t)len) : (struct digest){ 0 };
}

/* Where the override applies. */
static inline struct digest override_of(const char *service, int revision)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%s:%d*", service, revision);
	return digest_of(text, (size_t)len);
}

static inline uint32_t number_of(int value)
{
	return value == ZERO ? 0 : value ? (uint32_t)value : UINT32_MAX;
}

static inline const struct expr *compiled(struct world *w, const char *text)
{
	struct expr_error error = { 0 };
	struct expr *expr = expr_compile(text, w->intern, &error);
	if (!expr)
		fail_msg("%s: %s", text, error.text);
	*vec_push(&w->exprs) = expr;
	return expr;
}

static inline intern_id interned(struct world *w, const char *prefix, const char *name)
{
	return intern_add(w->intern, arena_printf(&w->arena, "%s%s", prefix, name));
}

static inline struct plan_variant variant_of(const struct svc *s, int revision, uint32_t memory)
{
	return (struct plan_variant){
		.engine = s->container ? ENGINE_CONTAINER : ENGINE_PROCESS,
		.resources = { .cpu_units = s->cpu,
			       .memory_mib = memory,
			       .tcp_ports = &s->port,
			       .tcp_count = s->port != 0,
			       .udp_ports = &s->udp_port,
			       .udp_count = s->udp_port != 0 },
		.document_bytes = s->bytes,
		.target = target_of(s->name, revision),
		.pulls = s->pulls != 0,
		.images_unresolved = s->unresolved,
	};
}

/* The variants of a revision: overrides, and the one of all others. */
static inline struct plan_release release_of(struct world *w, const struct svc *s, int revision,
					     uint32_t memory, bool override,
					     const intern_id *capability)
{
	struct plan_variant *v = ARENA_ARRAY(&w->arena, struct plan_variant, 3);
	v[2] = variant_of(s, revision, memory);
	v[2].capabilities = capability;
	v[2].capability_count = s->capability != NULL;
	v[0] = v[1] = v[2];
	if (!override)
		return (struct plan_release){ (uint32_t)revision, &v[2], 1 };
	struct plan_variant *first = s->when_too ? &v[0] : &v[1];
	if (s->when_too)
		v[1].when = compiled(w, s->when_too);
	first->when = compiled(w, s->when);
	first->target = override_of(s->name, revision);
	first->engine = s->when_process ? ENGINE_PROCESS : first->engine;
	first->resources.memory_mib = s->when_memory ? s->when_memory : memory;
	return (struct plan_release){ (uint32_t)revision, first, s->when_too ? 3 : 2 };
}

static inline plan_service_id tell_service(struct world *w, struct svc s)
{
	const struct expr *constraints[2], *where[2];
	uint32_t count = 0, where_count = 0;
	if (s.constraint)
		constraints[count++] = compiled(w, s.constraint);
	if (s.constraint2)
		constraints[count++] = compiled(w, s.constraint2);
	if (s.where)
		where[where_count++] = compiled(w, s.where);
	if (s.where2)
		where[where_count++] = compiled(w, s.where2);
	intern_id capability = s.capability ? intern_add(w->intern, s.capability) : 0;
	int revision = s.stalled ? 0 : s.revision ? s.revision : 1;
	struct plan_service spec = {
		.cluster = s.cluster ? s.cluster : "default",
		.name = s.name,
		.priority = s.priority,
		.constraints = constraints,
		.constraint_count = count,
		.task_group_service = interned(w, "service:", s.name),
		.task_group_family = interned(w, "family:", s.name),
		.current = release_of(w, &s, revision, s.memory, s.when != NULL, &capability),
		.reach = number_of(s.reach),
		.reach_where = where,
		.reach_where_count = where_count,
		.stops_allowed = number_of(s.stops),
		.min_healthy_percent = s.min_healthy == ZERO ? 0
				       : s.min_healthy	     ? (uint32_t)s.min_healthy
							     : 90,
		.max_percent = (uint32_t)s.max_percent,
		.monitor_ms = MONITOR_MS,
		.max_parallel_pulls = s.pulls,
		.keep_on_drain = s.keep,
		.suspend = s.suspend,
		.stalled = s.stalled,
		.removing = s.removing,
	};
	if (s.completed)
		spec.completed = release_of(w, &s, s.completed,
					    s.completed_memory ? s.completed_memory : s.memory,
					    s.completed_when, &capability);
	return planner_service_set(w->planner, &spec);
}
#define SERVICE(w, ...) tell_service((w), (struct svc){ .name = __VA_ARGS__ })

static inline int by_attribute_name(const void *a, const void *b)
{
	intern_id x = ((const struct expr_attribute *)a)->name,
		  y = ((const struct expr_attribute *)b)->name;
	return (x > y) - (x < y);
}

static inline uint32_t read_attributes(struct world *w, const char *text,
				       struct expr_attribute *out)
{
	uint32_t count = 0;
	char *copy = arena_strdup(&w->arena, text ? text : ""), *rest = NULL;
	for (char *at = strtok_r(copy, " ", &rest); at; at = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(at, '=');
		if (value)
			*value++ = '\0';
		out[count++] = (struct expr_attribute){ intern_add(w->intern, at),
							value ? intern_add(w->intern, value) : 0 };
	}
	qsort(out, count, sizeof(*out), by_attribute_name);
	return count;
}

static inline plan_node_id tell_node(struct world *w, struct nod n)
{
	struct expr_attribute attributes[8];
	uint32_t count = read_attributes(w, n.attributes, attributes);
	intern_id capability = n.capability ? intern_add(w->intern, n.capability) : 0;
	struct plan_node spec = {
		.name = n.name,
		.cluster = n.cluster ? n.cluster : "default",
		.state = n.state,
		.registered = !n.unregistered,
		.observed_once = !n.unobserved,
		.reachable = !n.unreachable && !n.unknown,
		.unknown = n.unknown,
		.attributes = attributes,
		.attribute_count = count,
		.engines = n.no_engine ? 0 : 1u << ENGINE_PROCESS | 1u << ENGINE_CONTAINER,
		.capabilities = &capability,
		.capability_count = n.capability != NULL,
		.cpu_units = n.cpu ? n.cpu : 1024,
		.memory_mib = n.memory ? n.memory : 1024,
	};
	return planner_node_set(w->planner, &spec);
}
#define NODE(w, ...) tell_node((w), (struct nod){ .name = __VA_ARGS__ })

static inline plan_service_id sid(struct world *w, const char *name)
{
	return planner_service_find(w->planner, "default", name);
}

static inline plan_node_id nid(struct world *w, const char *name)
{
	return planner_node_find(w->planner, name);
}

static inline struct plan_cell cell(struct world *w, const char *service, const char *node)
{
	return planner_cell(w->planner, sid(w, service), nid(w, node));
}

static inline void write_change(const struct planner *p, const struct plan_change *c,
				struct buf *out)
{
	static const char *const verbs[] = {
		[PLAN_START] = "start", [PLAN_UPDATE] = "update", [PLAN_STOP] = "stop"
	};
	buf_addf(out, "%s%s %s %s", out->len ? ", " : "", verbs[c->kind],
		 planner_service(p, c->service)->name, planner_node(p, c->node)->name);
	if (c->kind == PLAN_UPDATE)
		buf_addf(out, " from %u%s%s", c->replaces, c->broken_before ? " broken" : "",
			 c->surge ? " surge" : "");
	if (c->kind != PLAN_STOP && c->revision != planner_service(p, c->service)->current.revision)
		buf_addf(out, " to %u", c->revision);
	struct digest override =
		override_of(planner_service(p, c->service)->name, (int)c->revision);
	if (c->kind != PLAN_STOP && digest_equal(&c->target, &override))
		buf_addf(out, " override");
	if (c->kind == PLAN_STOP)
		buf_addf(out, " %s", plan_reason_name(c->reason));
}

/* "start web n1, update web n2 from 1 broken to 2, stop web n3 NodeDraining": " to" where it is not
 * the current release. */
static inline const char *plan(struct world *w)
{
	struct plan_result result;
	struct buf out = { 0 };
	planner_run(w->planner, w->now_ms, &w->arena, &result);
	w->wake_at_ms = result.wake_at_ms;
	for (size_t i = 0; i < result.change_count; i++)
		write_change(w->planner, &result.changes[i], &out);
	char *text = arena_strdup(&w->arena, buf_str(&out));
	buf_release(&out);
	return text;
}
#define assert_plan(w, want) assert_string_equal(plan(w), (want))

/* The agent has read the document, and says this of the task. */
static inline void seen_running(struct world *w, const char *service, const char *node,
				enum plan_seen seen, int revision)
{
	struct plan_fact fact = cell(w, service, node).fact;
	fact.acknowledged = true;
	fact.starting = false;
	fact.seen = seen;
	fact.running = (int)fact.assigned_revision == revision ? fact.assigned
							       : target_of(service, revision);
	fact.running_revision = (uint32_t)revision;
	planner_fact_set(w->planner, sid(w, service), nid(w, node), &fact);
}

static inline void seen(struct world *w, const char *service, const char *node, enum plan_seen what)
{
	int revision = (int)cell(w, service, node).fact.assigned_revision;
	seen_running(w, service, node, what, what == PLAN_SEEN_NONE ? 0 : revision);
}

/* All that is assigned runs and is ready. */
static inline void all_ready(struct world *w)
{
	plan_service_id *services;
	plan_node_id *nodes;
	uint32_t service_count = planner_services(w->planner, &w->arena, &services);
	uint32_t node_count = planner_nodes(w->planner, &w->arena, &nodes);
	for (uint32_t s = 0; s < service_count; s++)
		for (uint32_t n = 0; n < node_count; n++) {
			struct plan_fact f = planner_cell(w->planner, services[s], nodes[n]).fact;
			bool assigned = !digest_is_none(&f.assigned);
			f.acknowledged = assigned;
			f.starting = false;
			f.seen = assigned ? PLAN_SEEN_READY : PLAN_SEEN_NONE;
			f.running = f.assigned;
			f.running_revision = f.assigned_revision;
			planner_fact_set(w->planner, services[s], nodes[n], &f);
		}
}

/* "ConstraintNotMet: attribute:env == prod: env is dev; ..." */
static inline const char *explain(struct world *w, const char *service, const char *node)
{
	struct plan_why *why;
	struct buf out = { 0 };
	uint32_t count =
		planner_explain(w->planner, sid(w, service), nid(w, node), &w->arena, &why);
	for (uint32_t i = 0; i < count; i++)
		buf_addf(&out, "%s%s: %s", i ? "; " : "", plan_reason_name(why[i].reason),
			 why[i].text);
	char *text = arena_strdup(&w->arena, buf_str(&out));
	buf_release(&out);
	return text;
}

/* n01, n02, ... */
static inline void tell_nodes(struct world *w, int count)
{
	char name[16];
	for (int i = 1; i <= count; i++) {
		snprintf(name, sizeof(name), "n%02d", i);
		NODE(w, name);
	}
}

static inline struct plan_counts web_counts(struct world *w)
{
	return planner_counts(w->planner, sid(w, "web"));
}

/* The service web, ready on so many nodes. */
static inline struct world *ready_on(int node_count)
{
	struct world *w = world_new();
	SERVICE(w, "web");
	tell_nodes(w, node_count);
	plan(w);
	all_ready(w);
	assert_plan(w, "");
	return w;
}

#endif
