/*
 * Worlds of a small fleet as some bits: what the controller has put and was told last, alike where
 * they differ in names alone. The planner is told from one to another.
 */
#ifndef PLAN_WORLDS_H
#define PLAN_WORLDS_H

#include "plan_sim.h"

#define NODES	 3
#define SERVICES 2

/* A world by its bytes: a row of bits a node and one of the services. */
struct code {
	uint32_t nodes[NODES];
	uint32_t services;
};

/* What there is, and which events there are. */
struct fleet {
	int nodes, services, min_healthy, max_percent;
	int completed; /* revision, or 0 */
	int revisions; /* 1 to this are pushed */
	bool keep;     /* the second service stays on a node that drains until the first is gone */
	bool steps;    /* it changes how far the roll-out goes */
	bool drains, vanishes, restarts;
	bool at_once;	 /* what runs is ready */
	bool acts_later; /* an agent may acknowledge a document before it acts on it */
	bool remembers;	 /* what an update replaced, when it is over: as after a restart */
};

/* --- worlds as bits --------------------------------------------------------------------------- */

#define NODE_BITS	  4
#define CELL_BITS	  14
#define SERVICE_BITS	  4
#define REVISIONS_OF_CELL 3 /* first in it: what is assigned, what that replaces, what runs */
#define LOW(bits)	  ((1u << (bits)) - 1)

/* How long a node has been gone. */
enum gone { GONE_NOT, GONE_JUST, GONE_LONG };

static inline enum gone gone_of(const struct sim *sim, int n)
{
	const struct sim_node *node = &sim->nodes[n];
	if (node->reachable)
		return GONE_NOT;
	bool longer = node->gone_ms >= 0 && sim->world->now_ms - node->gone_ms >= MONITOR_MS;
	return longer ? GONE_LONG : GONE_JUST;
}

static inline uint32_t write_cell(const struct sim *sim, int s, int n)
{
	const struct sim_cell *c = &sim->cells[s][n];
	bool acknowledged = c->assigned && sim->nodes[n].told_seen >= c->number;
	return (uint32_t)c->assigned | (uint32_t)c->replaces << 2 | (uint32_t)c->running << 4 |
	       (uint32_t)c->seen << 6 | (uint32_t)acknowledged << 9 |
	       (uint32_t)c->broken_before << 10 | (uint32_t)c->surge << 11 |
	       (uint32_t)c->starting << 12 | (uint32_t)c->ours << 13;
}

static inline struct sim_cell read_cell(uint32_t bits)
{
	struct sim_cell c = { .assigned = bits & 3,
			      .replaces = bits >> 2 & 3,
			      .running = bits >> 4 & 3,
			      .seen = bits >> 6 & 7,
			      .number = !(bits >> 9 & 1),
			      .broken_before = bits >> 10 & 1,
			      .surge = bits >> 11 & 1,
			      .starting = bits >> 12 & 1,
			      .ours = bits >> 13 & 1 };
	c.wanted = c.told_running = c.running;
	c.told_seen = c.seen;
	return c;
}

static inline struct code write_world(const struct sim *sim)
{
	struct code code = { 0 };
	for (int n = 0; n < sim->node_count; n++) {
		const struct sim_node *node = &sim->nodes[n];
		code.nodes[n] = (uint32_t)gone_of(sim, n) | (uint32_t)(node->state != 0) << 2 |
				(uint32_t)node->observed << 3;
		for (int s = 0; s < sim->service_count; s++)
			code.nodes[n] |= write_cell(sim, s, n) << (NODE_BITS + CELL_BITS * s);
	}
	for (int s = 0; s < sim->service_count; s++) {
		const struct svc *service = &sim->services[s];
		uint32_t reach = service->reach == ZERO ? 3 : (uint32_t)service->reach;
		code.services |= ((uint32_t)service->revision | reach << 2) << SERVICE_BITS * s;
	}
	return code;
}
_Static_assert(NODE_BITS + CELL_BITS * SERVICES <= 32, "a node is 32 bits");

static inline void sort_nodes(struct code *code, int count)
{
	for (int i = 1; i < count; i++)
		for (int k = i; k > 0 && code->nodes[k] < code->nodes[k - 1]; k--) {
			uint32_t swap = code->nodes[k];
			code->nodes[k] = code->nodes[k - 1];
			code->nodes[k - 1] = swap;
		}
}

/* The current revision is always 1, where the two are alike. */
static inline void name_revisions(struct code *code, int s, int node_count)
{
	if ((code->services >> SERVICE_BITS * s & 3) == 1)
		return;
	code->services ^= 3u << SERVICE_BITS * s;
	for (int n = 0; n < node_count; n++)
		for (int field = 0; field < REVISIONS_OF_CELL; field++) {
			int at = NODE_BITS + CELL_BITS * s + 2 * field;
			if (code->nodes[n] >> at & 3)
				code->nodes[n] ^= 3u << at;
		}
}

static inline struct code swap_services(const struct code *code, int node_count)
{
	struct code other = { .services = code->services >> SERVICE_BITS |
					  (code->services & LOW(SERVICE_BITS)) << SERVICE_BITS };
	for (int n = 0; n < node_count; n++) {
		uint32_t cells = code->nodes[n] >> NODE_BITS;
		cells = cells >> CELL_BITS | (cells & LOW(CELL_BITS)) << CELL_BITS;
		other.nodes[n] = (code->nodes[n] & LOW(NODE_BITS)) | cells << NODE_BITS;
	}
	return other;
}

/* The same one for all worlds that differ in names alone. */
static inline struct code canonical(const struct fleet *fleet, struct code code)
{
	for (int s = 0; s < fleet->services && !fleet->completed && fleet->revisions == 2; s++)
		name_revisions(&code, s, fleet->nodes);
	sort_nodes(&code, fleet->nodes);
	if (fleet->services == 1 || fleet->keep)
		return code;
	struct code other = swap_services(&code, fleet->nodes);
	sort_nodes(&other, fleet->nodes);
	return memcmp(&other, &code, sizeof(code)) < 0 ? other : code;
}

/* --- from one world to another ---------------------------------------------------------------- */

static inline void set_services(struct sim *sim, const struct code *code)
{
	for (int s = 0; s < sim->service_count; s++) {
		struct svc *service = &sim->services[s];
		uint32_t bits = code->services >> SERVICE_BITS * s & LOW(SERVICE_BITS);
		int revision = bits & 3, reach = bits >> 2 == 3 ? ZERO : (int)(bits >> 2);
		if (service->revision == revision && service->reach == reach)
			continue;
		service->revision = revision;
		service->reach = reach;
		sim_tell_service(sim, s);
	}
}

/* Told again, as what is gone and what is not: the planner learns by its own clock for how long. */
static inline void wait_for_gone(struct sim *sim, const struct code *code)
{
	struct plan_result ignored;
	for (int n = 0; n < sim->node_count; n++) {
		bool gone = (code->nodes[n] & 3) == GONE_LONG;
		if (gone && sim->nodes[n].gone_ms < 0)
			sim->nodes[n].gone_ms = sim->world->now_ms;
		sim_connect(sim, n, !gone);
	}
	planner_run(sim->world->planner, sim->world->now_ms, &sim->world->arena, &ignored);
	sim->world->now_ms += MONITOR_MS;
}

/* Whether the planner has run meanwhile. */
static inline bool set_gone(struct sim *sim, const struct code *code)
{
	bool wait = false;
	for (int n = 0; n < sim->node_count; n++)
		wait |= (gone_of(sim, n) == GONE_LONG) != ((code->nodes[n] & 3) == GONE_LONG);
	if (wait)
		wait_for_gone(sim, code);
	for (int n = 0; n < sim->node_count; n++) {
		struct sim_node *node = &sim->nodes[n];
		enum gone want = code->nodes[n] & 3;
		if (node->reachable != (want == GONE_NOT))
			sim_connect(sim, n, want == GONE_NOT);
		if (want != GONE_LONG)
			node->gone_ms = want == GONE_JUST ? sim->world->now_ms : -1;
	}
	return wait;
}

static inline void set_cells(struct sim *sim, int n, uint32_t bits, bool tell)
{
	struct sim_node *node = &sim->nodes[n];
	bool differs[SERVICES];
	bits >>= NODE_BITS;
	for (int s = 0; s < sim->service_count; s++)
		differs[s] = write_cell(sim, s, n) != (bits >> CELL_BITS * s & LOW(CELL_BITS));
	node->put = 1;
	node->seen = node->told_seen = 0;
	for (int s = 0; s < sim->service_count; s++) {
		sim->cells[s][n] = read_cell(bits >> CELL_BITS * s);
		if (tell || differs[s])
			sim_tell_fact(sim, s, n);
	}
}

/* The planner is told what differs from the world that it knows. */
static inline void set_world(struct sim *sim, const struct code *code)
{
	arena_reset(&sim->world->arena);
	buf_reset(&sim->trace);
	set_services(sim, code);
	bool ran = set_gone(sim, code);
	for (int n = 0; n < sim->node_count; n++) {
		struct sim_node *node = &sim->nodes[n];
		enum node_state state = code->nodes[n] >> 2 & 1 ? NODE_DRAINING : NODE_ACTIVE;
		bool observed = code->nodes[n] >> 3 & 1, other = node->observed != observed;
		if (node->state != state || other) {
			node->state = state;
			node->observed = observed;
			sim_tell_node(sim, n);
		}
		set_cells(sim, n, code->nodes[n], ran || other);
	}
}

#endif
