/*
 * A roll-out played through: what is planned comes up, then it is planned again, until nothing
 * changes any more. A service goes on to its next step when all that its present one reaches is
 * there, as the controller does.
 */
#include "report/world.h"

#include <stdlib.h>
#include <string.h>

/* More batches than a fleet of LIMIT_NODES, one node at a time, has. Constraints that ask what runs
 * on the node may send two services round and round. */
#define ROUNDS_MAX (2 * LIMIT_NODES)

struct player {
	struct world *world;
	struct planner *planner;
	struct arena *arena; /* of the answer */
	struct played **of;  /* by id; NULL: no such service */
	uint32_t id_count, node_count;
	struct play *play;
};

/* --- the steps -------------------------------------------------------------------------------- */

static const char *reach_text(const struct rollout_stage *stage, struct arena *arena)
{
	switch (stage->kind) {
	case ROLLOUT_EXPRESSION: return arena_strdup(arena, stage->expression);
	case ROLLOUT_PERCENT: return arena_printf(arena, "%u percent", stage->value);
	case ROLLOUT_COUNT: break;
	}
	return arena_printf(arena, stage->value == 1 ? "%u node" : "%u nodes", stage->value);
}

static struct played *played_new(struct player *p, struct world_service *s)
{
	struct played *played = ARENA_NEW(p->arena, struct played);
	uint32_t left = s->stage_count - s->first_step;
	played->service = s;
	played->step = s->rolls && left ? s->first_step : ROLLOUT_ALL;
	played->steps = ARENA_ARRAY(p->arena, struct world_step, left + 1);
	for (uint32_t i = 0; s->rolls && i < left; i++) {
		const struct rollout_stage *stage = &s->stages[s->first_step + i];
		played->steps[played->step_count++] = (struct world_step){
			.reach = reach_text(stage, p->arena),
			.bake_s = stage->bake_ms / 1000,
			.pause = stage->pause,
		};
	}
	played->step_count++; /* the rest */
	return played;
}

static struct world_step *present_step(struct played *played)
{
	uint32_t last = played->step_count - 1;
	return &played->steps[played->step == ROLLOUT_ALL
				      ? last
				      : played->step - played->service->first_step];
}

/* Tell the planner how far the present step goes. */
static void tell_step(struct player *p, const struct played *played)
{
	const struct world_service *s = played->service;
	struct plan_service plan = s->plan;
	struct rollout_settings settings = { .stages = s->stages, .stage_count = s->stage_count };
	const struct expr **where =
		ARENA_ARRAY(&p->world->arena, const struct expr *, s->stage_count + 1);
	if (played->step != ROLLOUT_ALL) {
		uint32_t placed = planner_counts(p->world->planner, s->id).desired;
		plan.reach = rollout_reach(&settings, played->step + 1, placed);
		for (uint32_t i = 0; i <= played->step; i++)
			if (s->stage_exprs[i])
				where[plan.reach_where_count++] = s->stage_exprs[i];
		plan.reach_where = where;
	}
	/* What it has left, of what the guard lets go. */
	plan.stops_allowed = planner_service(p->planner, s->id)->stops_allowed;
	planner_service_set(p->planner, &plan);
}

/* --- the world -------------------------------------------------------------------------------- */

static void come_up(struct player *p, plan_service_id service, plan_node_id node,
		    const struct digest *target, uint32_t revision)
{
	struct plan_fact fact = { .assigned = *target,
				  .assigned_revision = revision,
				  .acknowledged = true,
				  .seen = PLAN_SEEN_READY,
				  .running = *target,
				  .running_revision = revision };
	planner_fact_set(p->planner, service, node, &fact);
}

/* What is under way now comes up first. What has failed stays so until it is replaced. */
static void finish_present(struct player *p)
{
	size_t nodes = 0;
	void *n;
	while (map_next(p->world->nodes, &nodes, NULL, &n)) {
		plan_node_id node = ((const struct world_node *)n)->id;
		if (node == PLAN_NONE || !planner_node(p->planner, node)->reachable)
			continue;
		for (uint32_t id = 0; id < p->id_count; id++) {
			if (!p->of[id])
				continue;
			struct plan_fact f = planner_cell(p->planner, id, node).fact;
			if (!digest_is_none(&f.assigned) && f.seen != PLAN_SEEN_FAILED)
				come_up(p, id, node, &f.assigned, f.assigned_revision);
		}
	}
}

static bool is_current(const struct player *p, const struct plan_change *change)
{
	struct plan_cell cell = planner_cell(p->planner, change->service, change->node);
	return cell.variant && digest_equal(&cell.variant->target, &change->target);
}

/* A node of the present step. */
static void count_node(struct player *p, struct played *played, const struct plan_change *change)
{
	struct world_nodes *nodes = &present_step(played)->nodes;
	if (!nodes->names)
		nodes->names = ARENA_ARRAY(p->arena, const char *, p->node_count + 1);
	if (nodes->count < p->node_count) /* round and round, else */
		nodes->names[nodes->count++] =
			arena_strdup(p->arena, planner_node(p->planner, change->node)->name);
}

/* One batch of all services. */
static void play_batch(struct player *p, const struct plan_result *result, struct arena *scratch)
{
	uint32_t *down = ARENA_ARRAY(scratch, uint32_t, p->id_count + 1), all = 0;
	bool *begins = ARENA_ARRAY(scratch, bool, p->id_count + 1);
	for (size_t i = 0; i < result->change_count; i++) {
		const struct plan_change *c = &result->changes[i];
		struct played *played = p->of[c->service];
		if (c->kind == PLAN_STOP) {
			planner_fact_set(p->planner, c->service, c->node, &(struct plan_fact){ 0 });
			continue;
		}
		if (is_current(p, c)) {
			count_node(p, played, c);
			begins[c->service] = true;
		}
		struct plan_cell cell = planner_cell(p->planner, c->service, c->node);
		bool taken_down =
			c->kind == PLAN_UPDATE && !c->surge && cell.fact.seen == PLAN_SEEN_READY;
		down[c->service] += taken_down;
		all += taken_down;
		come_up(p, c->service, c->node, &c->target, c->revision);
	}
	for (uint32_t id = 0; id < p->id_count; id++) {
		struct played *played = p->of[id];
		if (!played)
			continue;
		played->batches += begins[id];
		present_step(played)->batches += begins[id];
		played->outage = down[id] > played->outage ? down[id] : played->outage;
	}
	p->play->outage = all > p->play->outage ? all : p->play->outage;
}

/* All that its step reaches is there. */
static bool is_through(const struct player *p, plan_service_id id)
{
	struct plan_counts n = planner_counts(p->planner, id);
	return n.owed == 0 && n.current <= n.current_ready + n.excused;
}

/* Those that are through with a step go on. False: none does. */
static bool next_steps(struct player *p)
{
	bool any = false;
	for (uint32_t id = 0; id < p->id_count; id++) {
		struct played *played = p->of[id];
		if (!played || played->step == ROLLOUT_ALL || !is_through(p, id))
			continue;
		played->step = played->step + 1 < played->service->stage_count ? played->step + 1
									       : ROLLOUT_ALL;
		tell_step(p, played);
		any = true;
	}
	return any;
}

/* Those that come to no end: something holds the budget, or it went round and round. */
static void find_stuck(struct player *p, bool ended)
{
	for (uint32_t id = 0; id < p->id_count; id++) {
		struct played *played = p->of[id];
		if (played && played->service->rolls)
			played->stuck = !ended || played->step != ROLLOUT_ALL || !is_through(p, id);
	}
}

static void prepare(struct player *p)
{
	size_t it = 0;
	void *value;
	while (map_next(p->world->services, &it, NULL, &value)) {
		const struct world_service *s = value;
		p->id_count = s->id >= p->id_count ? s->id + 1 : p->id_count;
	}
	p->node_count = (uint32_t)map_count(p->world->nodes);
	p->of = ARENA_ARRAY(p->arena, struct played *, p->id_count + 1);
	it = 0;
	while (map_next(p->world->services, &it, NULL, &value)) {
		struct world_service *s = value;
		struct played *played = played_new(p, s);
		p->of[s->id] = played;
		map_put(p->play->of, service_key(p->arena, s->cluster, s->name), played);
		if (played->step != ROLLOUT_ALL)
			tell_step(p, played);
	}
	finish_present(p);
}

void preview_play(struct world *w, struct arena *arena, struct play *out)
{
	struct player p = {
		.world = w, .planner = world_second_planner(w), .arena = arena, .play = out
	};
	*out = (struct play){ .of = map_new() };
	prepare(&p);
	bool goes_on = true;
	for (uint32_t round = 0; round < ROUNDS_MAX && goes_on; round++) {
		struct arena scratch;
		struct plan_result result;
		arena_init(&scratch);
		planner_run(p.planner, 0, &scratch, &result);
		goes_on = next_steps(&p) || result.change_count;
		play_batch(&p, &result, &scratch);
		arena_release(&scratch);
	}
	find_stuck(&p, !goes_on);
	planner_free(p.planner);
}

void play_release(struct play *play)
{
	map_free(play->of);
}
