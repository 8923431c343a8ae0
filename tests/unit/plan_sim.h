/*
 * A small fleet in virtual time: agents that read late, tasks that fail, nodes that vanish, a
 * controller that knows what it was told last. Every plan is checked against rules that are
 * written here a second time, naively, over all cells.
 */
#ifndef PLAN_SIM_H
#define PLAN_SIM_H

#include "plan_world.h"

#define SIM_NODES    5
#define SIM_SERVICES 4
#define BAD_REVISION 3	 /* never comes up */
#define OVERRIDE     100 /* added to a revision: as the override has it */

static const char *const node_names[SIM_NODES] = { "n0", "n1", "n2", "n3", "n4" };
static const char *const service_names[SIM_SERVICES] = { "s0", "s1", "s2", "s3" };

struct sim_cell {
	int assigned, replaces, number; /* as in the desired document */
	bool broken_before, surge, starting;
	int wanted, running; /* what the agent has read, and what it runs */
	int before;	     /* by surge: what runs until that is ready */
	enum plan_seen seen;
	int told_running;
	enum plan_seen told_seen;
	bool ours; /* down by our own hand: an update took what ran, nothing was ready since */
};

struct sim_node {
	bool prod, reachable, observed;
	enum node_state state;
	int put, seen, told_seen; /* numbers of the desired document */
	int64_t gone_ms;	  /* since when the planner sees it unreachable; -1: it does not */
};

struct sim {
	struct world *world;
	uint64_t seed, random;
	int step, node_count, service_count;
	bool tight;	/* memory and ports are short */
	bool pulls;	/* all services pull images */
	bool dynamic;	/* the last service asks for the group of the first */
	bool bad_first; /* no task of s0 ever comes up */
	bool alone;	/* no service waits for another on a node that drains */
	struct svc services[SIM_SERVICES];
	struct sim_node nodes[SIM_NODES];
	struct sim_cell cells[SIM_SERVICES][SIM_NODES];
	struct buf changes; /* of the last run */
	struct buf trace;   /* of all services but s0 */
};

#define sim_fail(sim, fmt, ...)                                                                    \
	fail_msg("seed %llu, step %d: " fmt, (unsigned long long)(sim)->seed, (sim)->step,         \
		 __VA_ARGS__)

/* splitmix64 */
static inline uint32_t draw(struct sim *sim, uint32_t below)
{
	uint64_t z = sim->random += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) >> 33) % below;
}

/* --- telling the planner --------------------------------------------------------------------- */

static inline void sim_tell_service(struct sim *sim, int s)
{
	tell_service(sim->world, sim->services[s]);
}

static inline void sim_tell_node(struct sim *sim, int n)
{
	const struct sim_node *node = &sim->nodes[n];
	NODE(sim->world, node_names[n], .attributes = node->prod ? "env=prod" : "env=dev",
	     .state = node->state, .unreachable = !node->reachable, .unobserved = !node->observed,
	     .memory = sim->tight ? 1000 : 100000);
}

/* Asked so often that it is remembered. */
static inline struct digest sim_target(int s, int value)
{
	static struct digest known[SIM_SERVICES][2 * OVERRIDE];
	struct digest *digest = &known[s][value];
	if (value && digest_is_none(digest))
		*digest = value >= OVERRIDE ? override_of(service_names[s], value - OVERRIDE)
					    : target_of(service_names[s], value);
	return *digest;
}

static inline uint32_t revision_of(int value)
{
	return (uint32_t)(value % OVERRIDE);
}

static inline struct plan_fact sim_fact(const struct sim *sim, int s, int n)
{
	const struct sim_cell *c = &sim->cells[s][n];
	const struct sim_node *node = &sim->nodes[n];
	struct plan_fact fact = { .assigned = sim_target(s, c->assigned),
				  .assigned_revision = revision_of(c->assigned),
				  .replaces = (uint32_t)c->replaces,
				  .broken_before = c->broken_before,
				  .surge = c->surge,
				  .starting = c->starting };
	if (node->observed) {
		fact.acknowledged = c->assigned && node->told_seen >= c->number;
		fact.seen = c->told_seen;
		fact.running = sim_target(s, c->told_running);
		fact.running_revision = revision_of(c->told_running);
	}
	return fact;
}

static inline void sim_tell_fact(struct sim *sim, int s, int n)
{
	struct plan_fact fact = sim_fact(sim, s, n);
	planner_fact_set(sim->world->planner, sid(sim->world, service_names[s]),
			 nid(sim->world, node_names[n]), &fact);
}

/* --- the rules, once more -------------------------------------------------------------------- */

static inline bool alive(const struct sim *sim, int s, int n)
{
	const struct sim_cell *c = &sim->cells[s][n];
	return sim->nodes[n].observed &&
	       (c->told_seen == PLAN_SEEN_RUNNING || c->told_seen == PLAN_SEEN_READY);
}

static inline bool done(const struct sim *sim, int s, int n)
{
	const struct sim_cell *c = &sim->cells[s][n];
	const struct sim_node *node = &sim->nodes[n];
	return c->assigned && node->observed && node->told_seen >= c->number &&
	       c->told_seen == PLAN_SEEN_READY && c->told_running == c->assigned;
}

static inline bool matches(const struct sim *sim, int s, int n)
{
	const struct sim_node *node = &sim->nodes[n];
	const char *constraint = sim->services[s].constraint;
	bool env = !constraint || strstr(constraint, "task:group") ||
		   strstr(constraint, "prod") == NULL || node->prod;
	return node->state == NODE_ACTIVE && env && !sim->services[s].removing;
}

/* What the node gets of both releases; 0: there is no such one. */
static inline int current_value(const struct sim *sim, int s, int n)
{
	const struct svc *service = &sim->services[s];
	return service->revision + (service->when && sim->nodes[n].prod ? OVERRIDE : 0);
}

static inline int completed_value(const struct sim *sim, int s, int n)
{
	const struct svc *service = &sim->services[s];
	if (!service->completed)
		return 0;
	return service->completed + (service->completed_when && sim->nodes[n].prod ? OVERRIDE : 0);
}

/* Whatever others have. */
static inline bool reached(const struct sim *sim, int s, int n)
{
	const struct svc *service = &sim->services[s];
	const struct sim_cell *c = &sim->cells[s][n];
	bool stranded = sim->nodes[n].observed && c->told_seen == PLAN_SEEN_FAILED &&
			sim->nodes[n].told_seen >= c->number && c->replaces && !c->broken_before &&
			!service->completed && c->assigned != current_value(sim, s, n) &&
			(service->reach != ZERO || service->where);
	return service->reach == 0 || (service->where && sim->nodes[n].prod) || stranded;
}

static inline bool before(const struct sim *sim, int a, int b)
{
	int x = sim->services[a].priority, y = sim->services[b].priority;
	return x != y ? x > y : a < b;
}

static inline void check_start(const struct sim *sim, int s, int n, int value)
{
	int completed = completed_value(sim, s, n);
	if (sim->cells[s][n].assigned)
		sim_fail(sim, "starts %s on %s twice", service_names[s], node_names[n]);
	if (!matches(sim, s, n) || value != (completed ? completed : current_value(sim, s, n)))
		sim_fail(sim, "starts %s:%d on %s", service_names[s], value, node_names[n]);
}

/* What starts fits besides what is there, and needs what dynamic constraints ask. */
static inline void check_room(const struct sim *sim, int s, int n)
{
	uint32_t memory = 0;
	for (int i = 0; i < sim->service_count; i++) {
		if (!sim->cells[i][n].assigned)
			continue;
		memory += sim->services[i].memory;
		if (i != s && sim->services[s].port &&
		    sim->services[i].port == sim->services[s].port)
			sim_fail(sim, "%s and %s share a port", service_names[i], service_names[s]);
	}
	if (sim->tight && memory > 1000 && sim->services[s].memory)
		sim_fail(sim, "%s is too large for %s", service_names[s], node_names[n]);
	if (sim->dynamic && s == sim->service_count - 1 &&
	    (!sim->cells[0][n].assigned || !before(sim, 0, s)))
		sim_fail(sim, "%s starts on %s without s0", service_names[s], node_names[n]);
}

static inline bool in_flight(const struct sim *sim, int s, int n);

static inline void check_update(const struct sim *sim, int s, int n, const struct plan_change *c,
				int value)
{
	const struct sim_cell *cell = &sim->cells[s][n];
	int current = current_value(sim, s, n);
	bool back = value == completed_value(sim, s, n) && !reached(sim, s, n);
	if (!cell->assigned || cell->assigned == value || cell->assigned == current ||
	    !matches(sim, s, n) || (value != current && !back))
		sim_fail(sim, "updates %s on %s to %d", service_names[s], node_names[n], value);
	if (c->replaces != revision_of(cell->assigned))
		sim_fail(sim, "%s replaces %u on %s", service_names[s], c->replaces, node_names[n]);
	if (c->broken_before && (cell->ours || alive(sim, s, n)))
		sim_fail(sim, "%s was not broken on %s", service_names[s], node_names[n]);
	bool by_surge = sim->services[s].max_percent > 100;
	if (c->surge !=
	    (in_flight(sim, s, n) ? by_surge || cell->surge : by_surge && alive(sim, s, n)))
		sim_fail(sim, "%s surges on %s, or not", service_names[s], node_names[n]);
	if (cell->starting && cell->assigned == completed_value(sim, s, n))
		sim_fail(sim, "%s does not come up on %s first", service_names[s], node_names[n]);
}

/* Some got current by number: then no more have it than that. (With dynamic subjects one to which
 * it comes in any case may be placed after them.) */
static inline void check_reach(const struct sim *sim, int s)
{
	int have = 0;
	for (int n = 0; n < sim->node_count; n++)
		have += matches(sim, s, n) &&
			sim->cells[s][n].assigned == current_value(sim, s, n) &&
			sim->cells[s][n].assigned != completed_value(sim, s, n) &&
			!(sim->dynamic && reached(sim, s, n));
	if (have > sim->services[s].reach)
		sim_fail(sim, "%s: the roll-out reached %d nodes", service_names[s], have);
}

/* A stop, all of this run being done. */
static inline void check_stop(const struct sim *sim, int s, int n)
{
	if (!sim->services[s].keep || sim->nodes[n].state != NODE_DRAINING ||
	    sim->services[s].removing)
		return;
	for (int i = 0; i < sim->service_count; i++)
		if (!sim->services[i].keep &&
		    (sim->cells[i][n].assigned || sim->cells[i][n].told_seen != PLAN_SEEN_NONE))
			sim_fail(sim, "%s stops on %s before %s", service_names[s], node_names[n],
				 service_names[i]);
}

/* An update was put and is not done, as far as the controller can tell. */
static inline bool in_flight(const struct sim *sim, int s, int n)
{
	const struct sim_cell *c = &sim->cells[s][n];
	const struct sim_node *node = &sim->nodes[n];
	bool vanished = !node->reachable && node->gone_ms >= 0 &&
			sim->world->now_ms - node->gone_ms >= MONITOR_MS;
	return c->replaces && !c->broken_before && !done(sim, s, n) &&
	       node->state != NODE_INACTIVE && !vanished;
}

/*
 * A slot was asked for: not more may be down by our own hand than the budget says, counting all
 * that were not ready since. Where only what has its slot already was taken down again: not more
 * may be down at this moment.
 */
static inline void check_budget(const struct sim *sim, int s, bool slot)
{
	int min_healthy = sim->services[s].min_healthy, down = 0, d = 0;
	for (int n = 0; n < sim->node_count; n++) {
		const struct sim_cell *c = &sim->cells[s][n];
		const struct sim_node *node = &sim->nodes[n];
		struct plan_cell told = cell(sim->world, service_names[s], node_names[n]);
		bool mine = c->ours && in_flight(sim, s, n);
		down += mine && (slot || node->told_seen < c->number || !alive(sim, s, n));
		d += in_flight(sim, s, n) ||
		     (node->reachable && matches(sim, s, n) && done(sim, s, n));
		if (told.in_flight != in_flight(sim, s, n))
			sim_fail(sim, "%s on %s: in flight or not", service_names[s],
				 node_names[n]);
	}
	int keep = (d * (min_healthy == ZERO ? 0 : min_healthy) + 99) / 100;
	int budget = d - keep > 1 ? d - keep : 1;
	if (down > budget)
		sim_fail(sim, "%s: %d down by our own hand, %d may be", service_names[s], down,
			 budget);
}

/* One began to surge: no more are in flight than may be. */
static inline void check_surge(const struct sim *sim, int s)
{
	int count = 0, d = 0;
	for (int n = 0; n < sim->node_count; n++) {
		count += in_flight(sim, s, n);
		d += in_flight(sim, s, n) ||
		     (sim->nodes[n].reachable && matches(sim, s, n) && done(sim, s, n));
	}
	int budget = d * (sim->services[s].max_percent - 100) / 100;
	if (count > (budget > 1 ? budget : 1))
		sim_fail(sim, "%s: %d surge, %d may", service_names[s], count, budget);
}

/* --- pulling images --------------------------------------------------------------------------- */

static inline bool pulling(const struct sim *sim, int s, int n)
{
	const struct sim_cell *c = &sim->cells[s][n];
	const struct sim_node *node = &sim->nodes[n];
	return sim->services[s].pulls && c->assigned && node->reachable &&
	       node->state != NODE_INACTIVE &&
	       !(node->observed && c->told_seen == PLAN_SEEN_FAILED) &&
	       !(alive(sim, s, n) && c->told_running == c->assigned);
}

static inline bool node_pulls(const struct sim *sim, int n)
{
	bool any = false;
	for (int s = 0; s < sim->service_count; s++)
		any |= pulling(sim, s, n);
	return any;
}

/* `begun` cells began to pull: then no more may than are allowed. */
static inline void check_pulls(const struct sim *sim, int s, int begun)
{
	int nodes = 0, cells = 0, limit = (int)sim->services[s].pulls;
	for (int n = 0; n < sim->node_count; n++) {
		nodes += node_pulls(sim, n);
		cells += pulling(sim, s, n);
	}
	if (limit && begun && nodes > limit)
		sim_fail(sim, "%d nodes pull", nodes);
	if (limit && begun && sim->services[s].unresolved && cells > 1)
		sim_fail(sim, "%d nodes pull %s unresolved", cells, service_names[s]);
}

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
	if (!node->reachable || !node->observed ||
	    ((sim->services[s].suspend || sim->services[s].stalled) && !sim->services[s].removing))
		sim_fail(sim, "changes %s on %s", service_names[s], node_names[n]);
	switch (change->kind) {
	case PLAN_START: check_start(sim, s, n, value); break;
	case PLAN_UPDATE:
		check_update(sim, s, n, change, value);
		if (alive(sim, s, n) && node->told_seen >= c->number)
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
	c->replaces = change->kind == PLAN_UPDATE ? (int)revision_of(c->assigned) : 0;
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
