/*
 * A small fleet in virtual time: agents that read late, tasks that fail, nodes that vanish, a
 * controller that knows what it was told last. Every plan is checked against plan_rules.h.
 */
#ifndef PLAN_SIM_H
#define PLAN_SIM_H

#include "plan_rules.h"

/* --- planning -------------------------------------------------------------------------------- */

static inline int index_of(const char *name)
{
	return name[1] - '0';
}

/* What an update takes of the budget. */
enum price { PRICE_NONE, PRICE_AGAIN, PRICE_SURGE, PRICE_SLOT };

static inline int value_of(const struct plan_change *change, int s)
{
	struct digest override = sim_target(s, (int)change->revision + OVERRIDE);
	return (int)change->revision + (digest_equal(&change->target, &override) ? OVERRIDE : 0);
}

/* By our own hand, as the guard counts. */
static inline void sim_guard(struct sim *sim, const struct plan_change *change, int s, int n)
{
	struct svc *service = &sim->services[s];
	if (service->stops == 0 || service->removing || sim->nodes[n].state != NODE_ACTIVE)
		return;
	if (service->stops == ZERO || change->reason != PLAN_CONSTRAINT)
		sim_fail(sim, "stops %s on %s unguarded", service_names[s], node_names[n]);
	service->stops = service->stops == 1 ? ZERO : service->stops - 1;
}

/* Carry out what was planned; what it takes. */
static inline enum price sim_apply(struct sim *sim, const struct plan_change *change, int s, int n)
{
	struct sim_cell *c = &sim->cells[s][n];
	const struct sim_node *node = &sim->nodes[n];
	int value = change->kind == PLAN_STOP ? 0 : value_of(change, s);
	bool again = in_flight(sim, s, n);
	enum price price = PRICE_NONE;
	int is = what_is_there(sim, s, n);
	if (!node->reachable || !node->observed ||
	    ((sim->services[s].suspend || sim->services[s].stalled) && !sim->services[s].removing))
		sim_fail(sim, "changes %s on %s", service_names[s], node_names[n]);
	switch (change->kind) {
	case PLAN_START: check_start(sim, s, n, value); break;
	case PLAN_UPDATE:
		check_update(sim, s, n, change, value);
		if (c->assigned ? alive(sim, s, n) && node->told_seen >= c->number : is)
			price = again ? PRICE_AGAIN : change->surge ? PRICE_SURGE : PRICE_SLOT;
		break;
	case PLAN_STOP:
		if (!c->assigned || matches(sim, s, n))
			sim_fail(sim, "stops %s on %s", service_names[s], node_names[n]);
		sim_guard(sim, change, s, n);
		break;
	}
	c->ours =
		change->kind == PLAN_UPDATE && (c->ours || (price != PRICE_NONE && !change->surge));
	c->replaces = change->kind == PLAN_UPDATE ? (int)revision_of(is) : 0;
	c->broken_before = change->broken_before;
	c->surge = change->surge;
	c->starting = change->kind == PLAN_START;
	c->assigned = value;
	c->number = node->put + 1;
	return price;
}

/* What was done to one service. */
struct sim_done {
	bool slot, again, surge, by_number;
	int begun; /* to pull */
};

static inline void sim_change(struct sim *sim, const struct plan_change *change,
			      struct sim_done *done, int s, int n)
{
	bool pulled = pulling(sim, s, n), was_reached = reached(sim, s, n);
	enum price price = sim_apply(sim, change, s, n);
	done->begun += !pulled && pulling(sim, s, n);
	done->slot |= price == PRICE_SLOT;
	done->again |= price == PRICE_AGAIN && !change->surge;
	done->surge |= price == PRICE_SURGE;
	done->by_number |= change->kind != PLAN_STOP && !was_reached &&
			   sim->cells[s][n].assigned == current_value(sim, s, n) &&
			   sim->cells[s][n].assigned != completed_value(sim, s, n);
}

static inline void check_done(const struct sim *sim, int s, const struct sim_done *done)
{
	if (done->slot || done->again)
		check_budget(sim, s, done->slot);
	if (done->surge)
		check_surge(sim, s);
	if (done->by_number)
		check_reach(sim, s);
	check_pulls(sim, s, done->begun);
}

/* One run of the planner; the number of changes. */
static inline size_t sim_plan(struct sim *sim)
{
	struct world *w = sim->world;
	struct plan_result result;
	struct sim_done done[SIM_SERVICES] = { 0 };
	bool put[SIM_NODES] = { 0 };
	planner_run(w->planner, w->now_ms, &w->arena, &result);
	buf_reset(&sim->changes);
	for (size_t i = 0; i < result.change_count; i++) {
		const struct plan_change *change = &result.changes[i];
		int s = index_of(planner_service(w->planner, change->service)->name),
		    n = index_of(planner_node(w->planner, change->node)->name);
		sim_change(sim, change, &done[s], s, n);
		put[n] = true;
		write_change(w->planner, change, &sim->changes);
		if (s != 0)
			write_change(w->planner, change, &sim->trace);
	}
	for (int n = 0; n < sim->node_count; n++) {
		struct sim_node *node = &sim->nodes[n];
		node->put += put[n];
		if (node->reachable)
			node->gone_ms = -1;
		else if (node->gone_ms < 0)
			node->gone_ms = w->now_ms;
	}
	for (int s = 0; s < sim->service_count; s++)
		check_done(sim, s, &done[s]);
	for (size_t i = 0; i < result.change_count; i++) {
		const struct plan_change *c = &result.changes[i];
		int s = index_of(planner_service(w->planner, c->service)->name),
		    n = index_of(planner_node(w->planner, c->node)->name);
		if (c->kind == PLAN_START)
			check_room(sim, s, n);
		if (c->kind == PLAN_STOP)
			check_stop(sim, s, n);
	}
	buf_addc(&sim->trace, '\n');
	struct plan_result again;
	planner_run(w->planner, w->now_ms, &w->arena, &again);
	if (again.change_count) {
		struct buf more = { 0 };
		for (size_t i = 0; i < again.change_count; i++)
			write_change(w->planner, &again.changes[i], &more);
		sim_fail(sim, "after '%s' a second run has '%s'", buf_str(&sim->changes),
			 buf_str(&more));
	}
	return result.change_count;
}

/* --- nodes ----------------------------------------------------------------------------------- */

/* By surge what runs goes on until the new one is ready; one that is not ready goes at once. */
static inline void sim_want(struct sim *sim, int s, int n)
{
	struct sim_cell *c = &sim->cells[s][n];
	c->wanted = c->assigned;
	if (c->running == c->wanted)
		return;
	bool back = c->before && c->before == c->wanted;
	if (!c->surge || !c->wanted)
		c->before = 0;
	else if (!c->before && c->seen == PLAN_SEEN_READY)
		c->before = c->running;
	c->running = c->wanted;
	c->seen = !c->wanted ? PLAN_SEEN_NONE : back ? PLAN_SEEN_READY : PLAN_SEEN_PENDING;
	if (back)
		c->before = 0;
}

/* The agent reads its desired document and acts on it. */
static inline void sim_read(struct sim *sim, int n)
{
	struct sim_node *node = &sim->nodes[n];
	if (!node->reachable)
		return;
	node->seen = node->put;
	for (int s = 0; s < sim->service_count; s++)
		sim_want(sim, s, n);
}

static inline void sim_progress(struct sim *sim, int s, int n, bool crash)
{
	static const enum plan_seen next[] = { [PLAN_SEEN_NONE] = PLAN_SEEN_NONE,
					       [PLAN_SEEN_PENDING] = PLAN_SEEN_RUNNING,
					       [PLAN_SEEN_RUNNING] = PLAN_SEEN_READY,
					       [PLAN_SEEN_READY] = PLAN_SEEN_READY,
					       [PLAN_SEEN_FAILED] = PLAN_SEEN_RUNNING };
	struct sim_cell *c = &sim->cells[s][n];
	bool bad = revision_of(c->running) == BAD_REVISION || (sim->bad_first && s == 0);
	c->seen = c->running && (crash || bad) ? PLAN_SEEN_FAILED : next[c->seen];
	if (c->seen == PLAN_SEEN_READY)
		c->before = 0;
}

/* The controller reads what the agent wrote. */
static inline void sim_report(struct sim *sim, int n)
{
	struct sim_node *node = &sim->nodes[n];
	if (!node->reachable)
		return;
	node->told_seen = node->seen;
	if (!node->observed) {
		node->observed = true;
		sim_tell_node(sim, n);
	}
	for (int s = 0; s < sim->service_count; s++) {
		struct sim_cell *c = &sim->cells[s][n];
		c->told_running = c->running;
		c->told_seen = c->seen;
		c->starting &= node->told_seen < c->number || c->seen == PLAN_SEEN_NONE ||
			       c->seen == PLAN_SEEN_PENDING;
		if (done(sim, s, n))
			c->ours = false;
		sim_tell_fact(sim, s, n);
	}
}

static inline void sim_connect(struct sim *sim, int n, bool reachable)
{
	struct sim_node *node = &sim->nodes[n];
	node->reachable = reachable;
	sim_tell_node(sim, n);
}

/* --- life ------------------------------------------------------------------------------------ */

static inline void sim_init(struct sim *sim, uint64_t seed)
{
	*sim = (struct sim){ .seed = seed, .random = seed, .world = world_new() };
	sim->node_count = 1 + (int)draw(sim, SIM_NODES);
	sim->service_count = 1 + (int)draw(sim, SIM_SERVICES);
	for (int s = 0; s < sim->service_count; s++) {
		sim->services[s] = (struct svc){ .name = service_names[s], .revision = 1 };
		sim->services[s].min_healthy = 10 + 30 * (int)draw(sim, 4); /* 10 to 100 */
	}
	for (int n = 0; n < sim->node_count; n++)
		sim->nodes[n] = (struct sim_node){
			.prod = true, .reachable = true, .observed = true, .gone_ms = -1
		};
}

static inline void sim_tell_all(struct sim *sim)
{
	for (int s = 0; s < sim->service_count; s++)
		sim_tell_service(sim, s);
	for (int n = 0; n < sim->node_count; n++)
		sim_tell_node(sim, n);
}

static inline void sim_release(struct sim *sim)
{
	world_free(sim->world);
	buf_release(&sim->changes);
	buf_release(&sim->trace);
}

/* --- rest ------------------------------------------------------------------------------------ */

#define ROUNDS_MAX 400

/* Nothing fails any more, and all agents are at work: until the planner changes nothing. Roll-outs
 * go to their end, or stay where they are. */
static inline void calm_down(struct sim *sim, bool finish)
{
	for (int s = 0; s < sim->service_count; s++) {
		struct svc *service = &sim->services[s];
		service->suspend = service->stalled = false;
		service->stops = 0;
		if (finish)
			service->reach = 0;
		if (service->revision == BAD_REVISION)
			service->revision = 2;
		if (service->completed == BAD_REVISION)
			service->completed = 1;
		sim_tell_service(sim, s);
	}
	for (int n = 0; n < sim->node_count; n++)
		sim_connect(sim, n, true);
	for (int quiet = 0, rounds = 0; quiet < 3; rounds++) {
		if (rounds > ROUNDS_MAX)
			sim_fail(sim, "does not come to rest: %s", buf_str(&sim->changes));
		for (int n = 0; n < sim->node_count; n++) {
			sim_read(sim, n);
			for (int s = 0; s < sim->service_count; s++) {
				sim_progress(sim, s, n, false);
				sim_progress(sim, s, n, false);
			}
			sim_report(sim, n);
		}
		quiet = sim_plan(sim) ? 0 : quiet + 1;
	}
}

/* Where the roll-out stays, each has what the two releases and its place in it say. */
static inline void check_paused(struct sim *sim)
{
	for (int s = 0; s < sim->service_count; s++) {
		int have = 0, could = 0, reach = sim->services[s].reach;
		for (int n = 0; n < sim->node_count; n++) {
			const struct sim_cell *c = &sim->cells[s][n];
			int current = current_value(sim, s, n),
			    completed = completed_value(sim, s, n);
			bool of_it =
				c->assigned == current || c->assigned == completed || !completed;
			if (!matches(sim, s, n))
				continue;
			if (reached(sim, s, n) ? c->assigned != current : !of_it)
				sim_fail(sim, "%s on %s rests in %d", service_names[s],
					 node_names[n], c->assigned);
			have += c->assigned == current;
			could++;
		}
		if (have < (reach == ZERO ? 0 : reach < could ? reach : could))
			sim_fail(sim, "%s: the roll-out stops at %d nodes of %d", service_names[s],
				 have, reach);
	}
}

/* A failed update has its slot for good where the node has no room for a better one. */
static inline bool slot_is_lost(struct sim *sim, int s)
{
	for (int n = 0; n < sim->node_count; n++) {
		struct plan_cell told = cell(sim->world, service_names[s], node_names[n]);
		if (told.in_flight && told.reason != PLAN_PLACED)
			return true;
	}
	return false;
}

/* Every task is where it belongs and is ready, and no other runs. */
static inline void check_converged(struct sim *sim)
{
	for (int s = 0; s < sim->service_count; s++)
		for (int n = 0; n < sim->node_count; n++) {
			const struct sim_cell *c = &sim->cells[s][n];
			bool placed = matches(sim, s, n);
			struct plan_cell told = cell(sim->world, service_names[s], node_names[n]);
			if (placed && sim->tight && slot_is_lost(sim, s))
				continue;
			if ((placed && told.reason == PLAN_PLACED) ||
			    (placed && !sim->tight && !sim->dynamic))
				placed = c->assigned == current_value(sim, s, n) &&
					 c->seen == PLAN_SEEN_READY && c->running == c->assigned;
			else if (!placed)
				placed = !c->assigned && c->seen == PLAN_SEEN_NONE;
			if (!placed)
				sim_fail(sim, "%s on %s rests in %d instead of %d",
					 service_names[s], node_names[n], c->assigned,
					 current_value(sim, s, n));
		}
}

#endif
