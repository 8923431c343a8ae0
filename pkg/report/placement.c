/* `placement` of a service's status file: what the planner was told, whole, and back again. */
#include "report/world.h"

#include <stdlib.h>
#include <string.h>

/* --- out -------------------------------------------------------------------------------------- */

static json_t *ports_json(const uint16_t *ports, uint32_t count)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, json_integer(ports[i]));
	return list;
}

static json_t *expressions_json(const struct expr *const *exprs, uint32_t count)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, text_value(expr_text(exprs[i])));
	return list;
}

static json_t *variant_json(const struct intern *intern, const struct plan_variant *v)
{
	json_t *out = json_object(), *capabilities = json_array();
	put_text(out, "when", v->when ? expr_text(v->when) : NULL);
	put_digest(out, "target", &v->target);
	put_text(out, "engine", engine_kind_name(v->engine));
	for (uint32_t i = 0; i < v->capability_count; i++)
		json_array_append_new(capabilities,
				      text_value(intern_str(intern, v->capabilities[i])));
	put(out, "capabilities", capabilities);
	put_int(out, "cpu", v->resources.cpu_units);
	put_int(out, "memory", v->resources.memory_mib);
	put(out, "ports", ports_json(v->resources.tcp_ports, v->resources.tcp_count));
	put(out, "portsUdp", ports_json(v->resources.udp_ports, v->resources.udp_count));
	put_int(out, "documentBytes", v->document_bytes);
	put_bool(out, "pulls", v->pulls);
	return out;
}

static void put_release(json_t *out, const char *key, const struct intern *intern,
			const struct plan_release *r)
{
	if (!r->variant_count)
		return;
	json_t *release = json_object(), *variants = json_array();
	put_int(release, "revision", r->revision);
	for (uint32_t i = 0; i < r->variant_count; i++)
		json_array_append_new(variants, variant_json(intern, &r->variants[i]));
	put(release, "variants", variants);
	put(out, key, release);
}

json_t *placement_json(const struct plan_service *p, const struct intern *intern,
		       const char *family, bool keep_when_gone)
{
	json_t *out = json_object();
	put_text(out, "family", family);
	put_int(out, "priority", p->priority);
	put(out, "constraints", expressions_json(p->constraints, p->constraint_count));
	put_release(out, "current", intern, &p->current);
	put_release(out, "completed", intern, &p->completed);
	if (p->reach != UINT32_MAX)
		put_int(out, "reach", p->reach);
	put(out, "reachWhere", expressions_json(p->reach_where, p->reach_where_count));
	put_int(out, "minimumHealthyPercent", p->min_healthy_percent);
	put_int(out, "maximumPercent", p->max_percent);
	put_int(out, "monitorSeconds", p->monitor_ms / 1000);
	put_int(out, "maxParallelPulls", p->max_parallel_pulls);
	if (p->stops_allowed != UINT32_MAX)
		put_int(out, "stopsAllowed", p->stops_allowed);
	put_bool(out, "keepOnDrain", p->keep_on_drain);
	put_bool(out, "suspend", p->suspend);
	put_bool(out, "keepWhenGone", keep_when_gone);
	put_bool(out, "stalled", p->stalled);
	put_bool(out, "removing", p->removing);
	return out;
}

/* --- back ------------------------------------------------------------------------------------- */

const struct expr *world_expr(struct world *w, const char *text)
{
	struct expr_error error;
	struct expr *expr = text ? expr_compile(text, w->intern, &error) : NULL;
	if (expr)
		*vec_push(&w->exprs) = expr;
	return expr;
}

static const struct expr **read_expressions(struct world *w, const json_t *list, uint32_t *count)
{
	const struct expr **out =
		ARENA_ARRAY(&w->arena, const struct expr *, json_array_size(list) + 1);
	size_t i;
	json_t *item;
	*count = 0;
	json_array_foreach(list, i, item)
	{
		const struct expr *expr = world_expr(w, json_string_value(item));
		if (expr)
			out[(*count)++] = expr;
	}
	return out;
}

static const uint16_t *read_ports(struct world *w, const json_t *list, uint32_t *count)
{
	uint16_t *ports = ARENA_ARRAY(&w->arena, uint16_t, json_array_size(list) + 1);
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) ports[i] = (uint16_t)json_integer_value(item);
	*count = (uint32_t)json_array_size(list);
	return ports;
}

static const intern_id *read_names(struct world *w, const json_t *list, uint32_t *count)
{
	intern_id *ids = ARENA_ARRAY(&w->arena, intern_id, json_array_size(list) + 1);
	size_t i;
	json_t *item;
	*count = 0;
	json_array_foreach(list, i, item) if (json_is_string(item)) ids[(*count)++] =
		intern_add(w->intern, json_string_value(item));
	return ids;
}

static struct plan_variant read_variant(struct world *w, const json_t *json)
{
	struct plan_variant v = { .when = world_expr(w, get_text(json, "when")) };
	const char *engine = text_or(json, "engine", "");
	v.target = get_digest(json, "target");
	v.engine = strcmp(engine, engine_kind_name(ENGINE_PROCESS)) == 0 ? ENGINE_PROCESS
									 : ENGINE_CONTAINER;
	v.capabilities = read_names(w, json_object_get(json, "capabilities"), &v.capability_count);
	v.resources.cpu_units = (uint32_t)get_int(json, "cpu", 0);
	v.resources.memory_mib = (uint32_t)get_int(json, "memory", 0);
	v.resources.tcp_ports =
		read_ports(w, json_object_get(json, "ports"), &v.resources.tcp_count);
	v.resources.udp_ports =
		read_ports(w, json_object_get(json, "portsUdp"), &v.resources.udp_count);
	v.document_bytes = (uint32_t)get_int(json, "documentBytes", 0);
	v.pulls = get_bool(json, "pulls");
	return v;
}

static struct plan_release read_release(struct world *w, const json_t *json)
{
	const json_t *list = json_object_get(json, "variants");
	struct plan_variant *variants =
		ARENA_ARRAY(&w->arena, struct plan_variant, json_array_size(list) + 1);
	struct plan_release r = { .revision = (uint32_t)get_int(json, "revision", 0),
				  .variants = variants };
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) variants[r.variant_count++] = read_variant(w, item);
	return r;
}

void placement_read(struct world *w, const json_t *p, struct plan_service *plan)
{
	plan->constraints =
		read_expressions(w, json_object_get(p, "constraints"), &plan->constraint_count);
	plan->priority = (int32_t)get_int(p, "priority", 0);
	plan->current = read_release(w, json_object_get(p, "current"));
	plan->completed = read_release(w, json_object_get(p, "completed"));
	plan->reach = (uint32_t)get_int(p, "reach", UINT32_MAX);
	plan->reach_where =
		read_expressions(w, json_object_get(p, "reachWhere"), &plan->reach_where_count);
	plan->min_healthy_percent =
		(uint32_t)get_int(p, "minimumHealthyPercent", DEFAULT_MIN_HEALTHY_PERCENT);
	plan->max_percent = (uint32_t)get_int(p, "maximumPercent", DEFAULT_MAX_PERCENT);
	plan->monitor_ms = (uint32_t)get_int(p, "monitorSeconds", DEFAULT_MONITOR_S) * 1000;
	plan->max_parallel_pulls = (uint32_t)get_int(p, "maxParallelPulls", 0);
	plan->stops_allowed = (uint32_t)get_int(p, "stopsAllowed", UINT32_MAX);
	plan->keep_on_drain = get_bool(p, "keepOnDrain");
	plan->suspend = get_bool(p, "suspend");
	plan->stalled = get_bool(p, "stalled") || !p;
	plan->removing = get_bool(p, "removing");
}
