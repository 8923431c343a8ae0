/* What of a push would be held: by windows that are closed, and by the guard against mass changes,
 * as control/hold.c and control/rollouts.c decide it. */
#include "report/world.h"

#include <stdlib.h>
#include <string.h>

/* --- clusters --------------------------------------------------------------------------------- */

/* As of the commit that is in force: it judges what the next one takes. */
static uint32_t percent_in_force(const struct world *w, const char *cluster)
{
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(w->fleet, "clusters"), i, item)
	{
		if (strcmp(text_or(item, "clusterName", ""), cluster) == 0)
			return (uint32_t)get_int(item, "massChangePercent",
						 DEFAULT_MASS_CHANGE_PERCENT);
	}
	return DEFAULT_MASS_CHANGE_PERCENT;
}

static const struct cluster_manifest *cluster_of_tree(const struct world *w, const char *name)
{
	const struct manifest_object *o = w->tree ? manifest_find_cluster(w->tree, name) : NULL;
	return o ? o->cluster : NULL;
}

static uint32_t percent_of_tree(const struct world *w, const char *name)
{
	const struct cluster_manifest *c = cluster_of_tree(w, name);
	return c && c->mass_change_percent.set ? (uint32_t)c->mass_change_percent.value
					       : DEFAULT_MASS_CHANGE_PERCENT;
}

static struct guard_part *part_of(const struct world *w, struct guard_commit *commit,
				  const char *cluster)
{
	return guard_commit_part(commit, cluster, percent_in_force(w, cluster));
}

/* --- of the commit ---------------------------------------------------------------------------- */

#define RELEASE                                                                                    \
	"what runs stays until the hold is released: muster allow %s, or a commit with the "       \
	"trailer Muster-Allow: %s"

static bool is_removed(const struct world_service *s)
{
	return s->doc && !s->object && s->action == WORLD_REMOVE &&
	       strcmp(text_or(s->doc, "status", ""), "DRAINING") != 0;
}

static uint32_t assigned_count(const struct world_node *n)
{
	uint32_t count = 0;
	size_t i;
	json_t *a;
	json_array_foreach(json_object_get(n->doc, "assignments"), i, a) count +=
		get_text(a, "target") != NULL;
	return count;
}

/* Of each service on all nodes, as they are assigned. */
static void count_tasks(const struct world *w)
{
	size_t it = 0, i;
	void *value;
	json_t *a;
	while (map_next(w->services, &it, NULL, &value))
		((struct world_service *)value)->tasks = 0;
	it = 0;
	while (map_next(w->nodes, &it, NULL, &value)) {
		struct arena scratch;
		arena_init(&scratch);
		json_array_foreach(
			json_object_get(((const struct world_node *)value)->doc, "assignments"), i,
			a)
		{
			struct world_service *s = map_get(
				w->services, service_key(&scratch, text_or(a, "cluster", ""),
							 text_or(a, "service", "")));
			if (s && get_text(a, "target"))
				s->tasks++;
		}
		arena_release(&scratch);
	}
}

static const char *plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

static void hold_removals(const struct world *w, struct arena *arena, struct world_hold *out,
			  uint32_t *count)
{
	const char **keys = ARENA_ARRAY(arena, const char *, map_count(w->services) + 1);
	struct guard_commit commit = { 0 };
	uint32_t removed = 0, stops = 0;
	size_t it = 0;
	void *value;
	count_tasks(w);
	while (map_next(w->services, &it, NULL, &value)) {
		const struct world_service *s = value;
		part_of(w, &commit, s->cluster)->of += s->tasks;
		if (!is_removed(s))
			continue;
		keys[removed++] = service_key(arena, s->cluster, s->name);
		part_of(w, &commit, s->cluster)->part += s->tasks;
		stops += s->tasks;
	}
	bool all = w->tree->service_count == 0;
	if (!guard_holds_removal(removed, all, guard_commit_is_mass(&commit)))
		return;
	char id[17];
	qsort(keys, removed, sizeof(*keys), str_compare);
	hold_id_of_removal(all, keys, removed, id);
	out[(*count)++] = (struct world_hold){
		.cause = hold_cause_name(all ? HOLD_ALL_SERVICES_REMOVED : HOLD_SERVICES_REMOVED),
		.tasks = stops,
		.id = arena_strdup(arena, id),
		.message = arena_printf(
			arena, "the commit removes %s and would stop %u task%s; " RELEASE,
			all && removed == 1
				? "the last service"
				: arena_printf(arena, "%s%u services", all ? "all " : "", removed),
			stops, plural(stops), id, id),
	};
}

static bool stops_node(const struct world *w, const struct world_node *n)
{
	const struct manifest_object *o = manifest_find_node(w->tree, n->name);
	return o && o->node->state && strcmp(o->node->state, "ACTIVE") != 0;
}

static void hold_nodes(const struct world *w, struct arena *arena, struct world_hold *out,
		       uint32_t *count)
{
	const char **names = ARENA_ARRAY(arena, const char *, map_count(w->nodes) + 1);
	struct guard_commit commit = { 0 };
	uint32_t stopped = 0, tasks = 0;
	size_t it = 0;
	void *value;
	while (map_next(w->nodes, &it, NULL, &value)) {
		const struct world_node *n = value;
		const char *arn = text_or(n->doc, "clusterArn", DEFAULT_CLUSTER),
			   *slash = strrchr(arn, '/');
		if (!json_object_get(n->doc, "registration") ||
		    strcmp(text_or(n->doc, "state", ""), "ACTIVE") != 0)
			continue;
		struct guard_part *part = part_of(w, &commit, slash ? slash + 1 : arn);
		part->of++;
		if (!stops_node(w, n))
			continue;
		part->part++;
		names[stopped++] = n->name;
		tasks += assigned_count(n);
	}
	if (!guard_commit_is_mass(&commit))
		return;
	char id[17];
	qsort(names, stopped, sizeof(*names), str_compare);
	hold_id_of_stop(names, stopped, id);
	out[(*count)++] = (struct world_hold){
		.cause = hold_cause_name(HOLD_NODES_STOPPED),
		.tasks = tasks,
		.id = arena_strdup(arena, id),
		.message = arena_printf(arena,
					"the commit drains or inactivates %u nodes and would stop "
					"%u tasks; " RELEASE,
					stopped, tasks, id, id),
	};
}

uint32_t preview_commit_holds(const struct world *w, struct arena *arena,
			      const struct world_hold **out)
{
	struct world_hold *holds = ARENA_ARRAY(arena, struct world_hold, 2);
	uint32_t count = 0;
	if (w->tree) {
		hold_removals(w, arena, holds, &count);
		hold_nodes(w, arena, holds, &count);
	}
	*out = holds;
	return count;
}

/* --- of a service ----------------------------------------------------------------------------- */

/* Once something is held nothing more goes. What went within the last minutes is not known here. */
uint32_t preview_stops_allowed(const struct world *w, const struct world_service *s)
{
	size_t i;
	json_t *hold;
	json_array_foreach(json_object_get(s->doc, "holds"), i, hold)
	{
		if (strcmp(text_or(hold, "cause", ""), hold_cause_name(HOLD_MASS_CHANGE)) == 0)
			return 0;
	}
	return guard_share(percent_of_tree(w, s->cluster),
			   (uint32_t)get_int(s->doc, "runningCount", 0));
}

static struct window_state window_of(const struct world *w, const struct world_service *s,
				     struct arena *arena, const struct window_list *lists[2])
{
	static const struct window_list none;
	const struct cluster_manifest *cluster = cluster_of_tree(w, s->cluster);
	struct window_set sets[2];
	lists[0] = s->object ? &s->object->daemon_service->windows : &none;
	lists[1] = cluster ? &cluster->windows : &none;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		sets[i] = window_set_of(lists[i], w->zones, w->zone_count, arena);
	return window_state_at(sets, ARRAY_LEN(sets), w->zones, w->zone_count, w->now_unix_s);
}

/* Of the change: what a closed window keeps. Starts on new nodes, drains and repairs go on. */
static uint32_t waits_for_window(const struct world *w, const struct world_service *s,
				 const struct world_change *c)
{
	uint32_t count = c->held.count;
	if (s->plan.removing)
		return c->stops.count;
	for (size_t i = 0; i < w->result.change_count; i++) {
		const struct plan_change *change = &w->result.changes[i];
		count +=
			change->service == s->id && change->kind == PLAN_STOP &&
			(change->reason == PLAN_CONSTRAINT || change->reason == PLAN_OTHER_CLUSTER);
	}
	if (s->rolls)
		count += c->updates.count + (s->plan.completed.variant_count ? 0 : c->starts.count);
	return count;
}

static struct world_hold window_hold(const struct window_state *state,
				     const struct window_list *const lists[2], uint32_t tasks,
				     struct arena *arena)
{
	struct world_hold hold = { .cause = hold_cause_name(HOLD_WINDOW), .tasks = tasks };
	char words[WINDOW_WORDS_MAX];
	window_words(state, lists, words);
	hold.message =
		arena_printf(arena, "changes of %u task%s wait%s", tasks, plural(tasks), words);
	if (state->reason != WINDOW_ZONE_UNKNOWN && state->next_change_unix_s != INT64_MAX)
		hold.opens_unix_s = state->next_change_unix_s;
	return hold;
}

void preview_service_holds(const struct world *w, const struct world_service *s,
			   struct arena *arena, struct world_change *c)
{
	struct world_hold *holds = ARENA_ARRAY(arena, struct world_hold, 1);
	const struct window_list *lists[2];
	uint32_t tasks = w->tree && w->now_unix_s ? waits_for_window(w, s, c) : 0;
	struct window_state state = { .open = true };
	if (tasks)
		state = window_of(w, s, arena, lists);
	if (!state.open)
		holds[c->hold_count++] = window_hold(&state, lists, tasks, arena);
	else if (c->held.count)
		holds[c->hold_count++] = (struct world_hold){
			.cause = hold_cause_name(HOLD_MASS_CHANGE),
			.tasks = c->held.count,
			.message = arena_printf(
				arena,
				"%u task%s stay%s where they match no longer: more than %u percent "
				"of them within ten minutes",
				c->held.count, plural(c->held.count), c->held.count == 1 ? "s" : "",
				percent_of_tree(w, s->cluster)),
		};
	c->holds = holds;
}
