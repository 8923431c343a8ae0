/* Which override of a service counts on a node, and why the others do not. */
#include "report/world.h"

#include <stdlib.h>
#include <string.h>

static struct expr_facts facts_of(const struct plan_node *n)
{
	/* Dynamic subjects are not known here: the controller refuses them in overrides. */
	return (struct expr_facts){
		.attributes = n->attributes,
		.attribute_count = n->attribute_count,
		.node_name = n->name,
		.cluster = n->cluster,
		.agent_version = n->agent_version,
		.registered_at_ms = n->registered_at_ms,
	};
}

/* Why the expression is not true, in one line. */
static const char *why_not(const struct world *w, const struct expr *when,
			   const struct expr_facts *facts, struct arena *arena)
{
	struct buf CLEANUP(buf_release) lines = { 0 }, text = { 0 };
	expr_explain(when, w->intern, facts, &lines);
	for (const char *at = buf_str(&lines); *at;) {
		size_t len = strcspn(at, "\n");
		if (len)
			buf_addf(&text, "%s%.*s", text.len ? "; " : "", (int)len, at);
		at += len + (at[len] == '\n');
	}
	return arena_strdup(arena, buf_str(&text));
}

uint32_t world_overrides(const struct world *w, plan_service_id service, plan_node_id node,
			 struct arena *arena, const struct world_override **out)
{
	const struct plan_release *r = &planner_service(w->planner, service)->current;
	struct expr_facts facts = facts_of(planner_node(w->planner, node));
	struct world_override *list =
		ARENA_ARRAY(arena, struct world_override, r->variant_count + 1);
	uint32_t count = 0;
	bool found = false;
	for (uint32_t i = 0; i < r->variant_count; i++) {
		const struct expr *when = r->variants[i].when;
		if (!when)
			continue;
		bool matches = expr_eval(when, w->intern, &facts, NULL) == EXPR_TRUE;
		list[count++] = (struct world_override){
			.expression = expr_text(when),
			.counts = matches && !found,
			.why_not = !matches ? why_not(w, when, &facts, arena)
				   : found  ? "it matches too, but the first match counts"
					    : NULL,
		};
		found |= matches;
	}
	*out = list;
	return count;
}
