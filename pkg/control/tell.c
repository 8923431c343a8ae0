/* What the planner is told of a service. */
#include "control/internal.h"

#include <stdlib.h>
#include <string.h>

static const intern_id *capabilities_of(struct control *c, const struct task_definition *td,
					struct arena *arena, uint32_t *count)
{
	struct str_list names = task_definition_capabilities(td, arena);
	intern_id *ids = ARENA_ARRAY(arena, intern_id, names.len + 2);
	for (uint32_t i = 0; i < names.len; i++)
		ids[i] = intern_add(c->intern, names.items[i]);
	*count = names.len;
	return ids;
}

static struct plan_variant variant_of(struct control *c, const struct service_state *s,
				      const struct release_variant *v, struct arena *arena)
{
	const struct content *content = v->content;
	const struct task_definition *td = render_definition(c, s, content, arena);
	struct plan_variant out = {
		.when = v->when,
		.target = content->target,
		.engine = task_definition_engine(td),
		.resources = task_definition_resources(td, arena),
		.document_bytes = td == content->definition ? content->document_bytes
							    : content_document_bytes(td),
		.pulls = images_pulled(content),
		.images_unresolved = images_unresolved(content),
	};
	uint32_t count;
	intern_id *ids = (intern_id *)capabilities_of(c, td, arena, &count);
	if (s->max_percent > 100)
		ids[count++] = intern_add(c->intern, CAPABILITY_SURGE);
	out.capabilities = ids;
	out.capability_count = count;
	return out;
}

static struct plan_release release_told(struct control *c, const struct service_state *s,
					const struct release *r, struct arena *arena)
{
	struct plan_release out = { 0 };
	if (!r)
		return out;
	struct plan_variant *variants = ARENA_ARRAY(arena, struct plan_variant, r->variant_count);
	for (uint32_t i = 0; i < r->variant_count; i++)
		variants[i] = variant_of(c, s, &r->variants[i], arena);
	out.revision = r->revision;
	out.variants = variants;
	out.variant_count = r->variant_count;
	return out;
}

static intern_id group(struct control *c, struct arena *arena, const char *kind, const char *name)
{
	return intern_add(c->intern, arena_printf(arena, "%s:%s", kind, name));
}

/* The expressions of the steps that the roll-out has come to. */
static void reach_told(const struct service_state *s, struct arena *arena, struct plan_service *p)
{
	const struct expr **where = ARENA_ARRAY(arena, const struct expr *, s->step_count + 1);
	p->reach = s->verdict.reach;
	for (uint32_t i = 0; i < s->step_count && i < s->verdict.steps_reached; i++)
		if (s->steps[i])
			where[p->reach_where_count++] = s->steps[i];
	p->reach_where = where;
}

void tell_planner(struct control *c, struct service_state *s)
{
	struct arena scratch;
	arena_init(&scratch);
	struct plan_service p = {
		.cluster = s->cluster,
		.name = s->name,
		.priority = s->priority,
		.constraints = s->constraints,
		.constraint_count = s->constraint_count,
		.current = release_told(c, s, s->current, &scratch),
		.completed = release_told(c, s, s->completed, &scratch),
		.min_healthy_percent = s->min_healthy_percent,
		.max_percent = s->max_percent,
		.monitor_ms = s->monitor_seconds * 1000,
		.max_parallel_pulls = cluster_max_parallel_pulls(c, s->cluster),
		.stops_allowed = s->stops_left,
		.keep_on_drain = s->keep_on_drain,
		/* What is gone from the manifests stops when the window opens. */
		.suspend = s->suspend || s->kept || (s->removing && s->closed),
		.stalled = s->stalled || !s->current,
		.removing = s->removing && !s->closed,
	};
	reach_told(s, &scratch, &p);
	p.task_group_service = group(c, &scratch, "service", s->name);
	if (s->current)
		p.task_group_family = group(c, &scratch, "family", s->current->family);
	s->id = planner_service_set(c->planner, &p);
	s->told_reach = s->verdict.reach;
	s->told_steps = s->verdict.steps_reached;
	s->stops_told = s->stops_left;
	s->retell = false;
	arena_release(&scratch);
	releases_free_dropped(c);
	fleet_service_facts(c, s);
	dirty_service(c, s);
	c->planner_stale = true;
}
