/*
 * The state of a small fleet, and the rules of the planner written a second time, naively, over all
 * cells.
 */
#ifndef PLAN_RULES_H
#define PLAN_RULES_H

#include "draw.h"
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

static inline uint32_t draw(struct sim *sim, uint32_t below)
{
	return draw_below(&sim->random, below);
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

/* What a change takes away: what is assigned, or runs and is not assigned any more; 0: nothing. */
static inline int what_is_there(const struct sim *sim, int s, int n)
{
	const struct sim_cell *c = &sim->cells[s][n];
	bool seen = sim->nodes[n].observed && c->told_seen != PLAN_SEEN_NONE;
	return c->assigned ? c->assigned : seen ? c->told_running : 0;
}

static inline void check_start(const struct sim *sim, int s, int n, int value)
{
	int completed = completed_value(sim, s, n);
	if (sim->cells[s][n].assigned)
		sim_fail(sim, "starts %s on %s twice", service_names[s], node_names[n]);
	int is = what_is_there(sim, s, n), current = current_value(sim, s, n);
	if (is && (is != value || !alive(sim, s, n)))
		sim_fail(sim, "starts %s on %s for nothing", service_names[s], node_names[n]);
	if (!matches(sim, s, n) ||
	    (value != (completed ? completed : current) && (!is || value != current)))
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
	int current = current_value(sim, s, n), is = what_is_there(sim, s, n);
	bool back = value == completed_value(sim, s, n) && (!reached(sim, s, n) || !cell->assigned);
	bool same = cell->assigned ? cell->assigned == value : is == value && alive(sim, s, n);
	if (!is || same || (cell->assigned && cell->assigned == current) || !matches(sim, s, n) ||
	    (value != current && !back))
		sim_fail(sim, "updates %s on %s to %d", service_names[s], node_names[n], value);
	if (c->replaces != revision_of(is))
		sim_fail(sim, "%s replaces %u on %s", service_names[s], c->replaces, node_names[n]);
	if (c->broken_before && (cell->ours || alive(sim, s, n)))
		sim_fail(sim, "%s was not broken on %s", service_names[s], node_names[n]);
	bool by_surge = cell->assigned && sim->services[s].max_percent > 100;
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

#endif
