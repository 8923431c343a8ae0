/* What a push would change, service by service. */
#include "report/world.h"

#include <stdlib.h>
#include <string.h>

void world_add_fleet(struct world *w, const json_t *doc)
{
	w->fleet = doc;
}

void world_clock(struct world *w, int64_t now_unix_s, const struct zone *zones, uint32_t count)
{
	w->now_unix_s = now_unix_s;
	w->zones = zones;
	w->zone_count = count;
}

static void add_zones(const struct window_list *windows, struct map *found)
{
	for (uint32_t i = 0; i < windows->len; i++) {
		const char *name = windows->items[i].time_zone;
		map_put(found, name ? name : DEFAULT_TIME_ZONE, (void *)windows);
	}
}

uint32_t world_zone_names(const struct manifest_tree *tree, struct arena *arena,
			  const char ***names)
{
	struct map *found = map_new();
	for (size_t i = 0; i < tree->service_count; i++)
		add_zones(&tree->services[i]->daemon_service->windows, found);
	for (size_t i = 0; i < tree->cluster_count; i++)
		add_zones(&tree->clusters[i]->cluster->windows, found);
	size_t it = 0;
	const char *name;
	void *value;
	uint32_t count = 0;
	*names = ARENA_ARRAY(arena, const char *, map_count(found) + 1);
	while (map_next(found, &it, &name, &value))
		(*names)[count++] = arena_strdup(arena, name);
	map_free(found);
	qsort(*names, count, sizeof(**names), str_compare);
	return count;
}

const char *world_action_name(enum world_action action)
{
	static const char *const names[] = { "unchanged", "create", "update", "remove" };
	return names[action];
}

/* --- nodes ------------------------------------------------------------------------------------ */

typedef bool cell_fn(const struct plan_node *node, const struct plan_cell *cell);

static bool waits(const struct plan_node *node, const struct plan_cell *cell)
{
	(void)node;
	return cell->waiting;
}

static bool is_held(const struct plan_node *node, const struct plan_cell *cell)
{
	(void)node;
	return cell->reason == PLAN_HELD;
}

/* The planner counts what it lets change as changed; what just started runs nothing yet. */
static bool keeps_old(const struct plan_cell *cell)
{
	return cell->desired && !cell->waiting && cell->variant &&
	       cell->fact.seen != PLAN_SEEN_NONE && !digest_is_none(&cell->fact.assigned) &&
	       !digest_equal(&cell->fact.assigned, &cell->variant->target);
}

static bool stays(const struct plan_node *node, const struct plan_cell *cell)
{
	return node->reachable && keeps_old(cell);
}

static bool follows_later(const struct plan_node *node, const struct plan_cell *cell)
{
	return !node->reachable && keeps_old(cell);
}

/* Names of the nodes with a change of that kind; kind PLAN_NONE: none. And those of whose cell it
 * is true. */
static struct world_nodes nodes_of(const struct world *w, const struct world_service *s,
				   uint32_t kind, cell_fn *is, struct arena *arena)
{
	plan_node_id *ids;
	uint32_t count = planner_nodes(w->planner, arena, &ids), n = 0;
	const char **names = ARENA_ARRAY(arena, const char *, count + w->result.change_count + 1);
	for (size_t i = 0; i < w->result.change_count; i++) {
		const struct plan_change *change = &w->result.changes[i];
		if (change->kind == kind && change->service == s->id)
			names[n++] = planner_node(w->planner, change->node)->name;
	}
	for (uint32_t i = 0; is && i < count; i++) {
		const struct plan_node *node = planner_node(w->planner, ids[i]);
		struct plan_cell cell = planner_cell(w->planner, s->id, ids[i]);
		if (is(node, &cell))
			names[n++] = node->name;
	}
	qsort(names, n, sizeof(*names), str_compare);
	return (struct world_nodes){ names, n };
}

static void take_stays(const struct world *w, const struct world_service *s, struct arena *arena,
		       struct world_change *change)
{
	struct plan_why *why;
	if (!s->rolls || s->plan.suspend)
		return;
	change->stays = nodes_of(w, s, PLAN_NONE, stays, arena);
	change->later = nodes_of(w, s, PLAN_NONE, follows_later, arena);
	if (change->stays.count &&
	    planner_explain(w->planner, s->id,
			    planner_node_find(w->planner, change->stays.names[0]), arena, &why))
		change->stays_why = why[0].text;
}

/* --- overrides -------------------------------------------------------------------------------- */

static void take_variants(const struct world *w, const struct world_service *s, struct arena *arena,
			  struct world_change *change)
{
	const struct plan_release *r = &planner_service(w->planner, s->id)->current;
	plan_node_id *ids;
	uint32_t count = planner_nodes(w->planner, arena, &ids);
	if (r->variant_count < 2 || s->plan.removing)
		return;
	struct world_variant *variants = ARENA_ARRAY(arena, struct world_variant, r->variant_count);
	for (uint32_t v = 0; v < r->variant_count; v++) {
		const struct expr *when = r->variants[v].when;
		variants[v].expression = when ? arena_strdup(arena, expr_text(when)) : NULL;
		variants[v].nodes.names = ARENA_ARRAY(arena, const char *, count + 1);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct plan_cell cell = planner_cell(w->planner, s->id, ids[i]);
		if (!cell.desired || !cell.variant)
			continue;
		struct world_nodes *nodes = &variants[cell.variant - r->variants].nodes;
		nodes->names[nodes->count++] = planner_node(w->planner, ids[i])->name;
	}
	change->variants = variants;
	change->variant_count = r->variant_count;
}

/* --- how long --------------------------------------------------------------------------------- */

static int64_t seconds_or(struct opt_int value, int64_t absent)
{
	return value.set ? value.value : absent;
}

/* A batch takes what the last ones took, and never less than it must be ready. */
static void take_forecast(const struct world_service *s, const struct played *played,
			  struct world_change *c)
{
	struct world_forecast *f = &c->forecast;
	const struct daemon_service *spec = s->object ? s->object->daemon_service : NULL;
	const json_t *primary = json_array_get(json_object_get(s->doc, "deployments"), 0);
	int64_t seen = get_int(primary, "secondsPerBatch",
			       get_int(json_object_get(primary, "rollout"), "secondsPerBatch", 0));
	if (!spec || !played || !s->rolls || !(played->batches || c->updates.count))
		return;
	f->stuck = played->stuck || c->stays.count;
	f->batch_ms = seconds_or(spec->min_ready_seconds, DEFAULT_MIN_READY_SECONDS) * 1000;
	f->measured = seen > 0;
	if (seen * 1000 > f->batch_ms)
		f->batch_ms = seen * 1000;
	f->monitor_s = seconds_or(spec->monitor_seconds, DEFAULT_MONITOR_S);
	f->batches = played->batches;
	for (uint32_t i = 0; i < played->step_count; i++) {
		f->bake_s += played->steps[i].bake_s;
		f->pauses += played->steps[i].pause;
	}
	f->seconds = (f->batches * f->batch_ms + 999) / 1000 + f->bake_s + f->monitor_s;
	f->seconds = f->stuck ? -1 : f->seconds;
}

/* ---------------------------------------------------------------------------------------------- */

static int by_cluster_service(const void *a, const void *b)
{
	const struct world_change *x = a, *y = b;
	int order = strcmp(x->cluster, y->cluster);
	return order ? order : strcmp(x->service, y->service);
}

static struct world_change change_of(const struct world *w, const struct world_service *s,
				     const struct play *play, struct arena *arena)
{
	struct plan_counts counts = planner_counts(w->planner, s->id);
	struct world_change c = {
		.cluster = s->cluster,
		.service = s->name,
		.family = s->family,
		.action = s->action,
		.revision = s->plan.current.revision,
		.new_revision = s->new_revision,
		.budget = counts.budget,
		.surge = s->plan.max_percent > 100,
		.attribute_absent = counts.attribute_absent,
		.stalled = s->stalled,
		.note = s->note,
		.starts = nodes_of(w, s, PLAN_START, NULL, arena),
		.updates = nodes_of(w, s, PLAN_UPDATE, waits, arena),
		.stops = nodes_of(w, s, PLAN_STOP, NULL, arena),
		.held = nodes_of(w, s, PLAN_NONE, is_held, arena),
	};
	const struct played *played = map_get(play->of, service_key(arena, s->cluster, s->name));
	if (played) {
		c.outage = played->outage;
		c.steps = played->steps;
		c.step_count = played->step_count > 1 ? played->step_count : 0;
	}
	take_stays(w, s, arena, &c);
	take_forecast(s, played, &c);
	take_variants(w, s, arena, &c);
	preview_service_holds(w, s, arena, &c);
	return c;
}

void world_preview(struct world *w, struct arena *arena, struct world_preview *out)
{
	struct play play;
	struct world_change *changes =
		ARENA_ARRAY(arena, struct world_change, map_count(w->services) + 1);
	size_t it = 0;
	void *value;
	preview_play(w, arena, &play);
	*out = (struct world_preview){ .changes = changes, .outage = play.outage };
	while (map_next(w->services, &it, NULL, &value)) {
		const struct world_service *s = value;
		struct world_change c = change_of(w, s, &play, arena);
		if (c.action != WORLD_NOTHING || c.starts.count || c.updates.count ||
		    c.stops.count || c.held.count || (c.note && s->object))
			changes[out->change_count++] = c;
	}
	play_release(&play);
	qsort(changes, out->change_count, sizeof(*changes), by_cluster_service);
	preview_renames(w, changes, out->change_count, arena);
	out->hold_count = preview_commit_holds(w, arena, &out->holds);
}
