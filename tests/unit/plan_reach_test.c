/*
 * All worlds that can be reached, of 3 nodes and 1 service, and of 2 and 2: the rules of
 * plan_rules.h hold in each, in whatever order of events it is reached.
 *
 * A world is what the controller has put and what it was told last, for that is all that the
 * planner knows: of each (service, node) the assigned revision, what it replaces, its marks,
 * whether the node has acknowledged it, the revision that runs and how it does, and whether it is
 * down by our own hand; of each node its state, whether it is gone (just now, or for
 * monitorSeconds), and whether the controller has read of it since it started; of each service its
 * revision and how far its roll-out goes. What agents and tasks do in between is left to chance:
 * whatever an agent could say next is an event.
 *
 * Events: a push of one of two revisions (so of the other, and a revert); the roll-out goes
 * nowhere, to one node, or to all; an agent reads its document, and acts on it at once or later; it
 * tells that a task went on to run, to be ready, failed, is tried again or has ended; a node drains
 * and is active again, is gone and back; monitorSeconds pass; the controller starts anew.
 *
 * Worlds are the same up to the names of nodes, of services that are alike, and of revisions where
 * none is completed. As turns go by name, an event after which anything started or was updated
 * happens with the names in every order.
 *
 * Each set is closed: every event of the fleet is tried in every one of its worlds. All kinds of
 * events at once make some millions of worlds; so a fleet has some of them, and what it leaves out
 * is said at its name. Together they are some 600,000 worlds and 9,000,000 events.
 *
 * Left out of all: a third revision; an agent that has read a document older than the last (it
 * looks as one that has read none, but for what runs); more than one node gone at a time; two
 * tasks beside each other in a surge, which the planner is not told of (node_property_test.c has
 * them); what one service takes from another (room, ports, pulls: plan_property_test.c), but for
 * the order in which they leave a node that drains.
 */
#include "plan_worlds.h"

struct explored {
	struct fleet fleet;
	struct sim sim;
	VEC(struct code) worlds;
	uint32_t *slots; /* index + 1 into worlds */
	uint32_t mask;
	size_t tried; /* events */
};

/* --- the set of worlds ------------------------------------------------------------------------ */

static uint32_t slot_of(const struct explored *x, const struct code *code)
{
	uint64_t h = code->services;
	for (int n = 0; n < NODES; n++)
		h = (h ^ h >> 29 ^ code->nodes[n]) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32) & x->mask;
}

static bool same(const struct code *a, const struct code *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static uint32_t *find(const struct explored *x, const struct code *code)
{
	uint32_t i = slot_of(x, code);
	while (x->slots[i] && !same(&x->worlds.items[x->slots[i] - 1], code))
		i = (i + 1) & x->mask;
	return &x->slots[i];
}

static void add(struct explored *x, struct code code)
{
	uint32_t *slot = find(x, &code);
	if (*slot)
		return;
	*vec_push(&x->worlds) = code;
	*slot = (uint32_t)x->worlds.len;
	if (x->worlds.len * 2 <= x->mask)
		return;
	x->mask = x->mask * 2 + 1;
	free(x->slots);
	x->slots = xcalloc((size_t)x->mask + 1, sizeof(*x->slots));
	for (size_t i = 0; i < x->worlds.len; i++)
		*find(x, &x->worlds.items[i]) = (uint32_t)i + 1;
}

/* --- events ----------------------------------------------------------------------------------- */

enum event_kind {
	EVENT_PUSH,
	EVENT_REACH,
	EVENT_READ, /* value: and acts on it */
	EVENT_TASK,
	EVENT_VANISH,
	EVENT_DRAIN,
	EVENT_LATER,
	EVENT_RESTART,
};
struct event {
	enum event_kind kind;
	int s, n, value;
};

#define EVENTS_MAX 64 /* more than there are */

/* All that may happen; the number of them. */
static int events_of(const struct fleet *f, struct event *out)
{
	struct event *e = out;
	for (int s = 0; s < f->services; s++) {
		for (int i = 1; i <= f->revisions; i++)
			*e++ = (struct event){ EVENT_PUSH, .s = s, .value = i };
		for (int i = -1; i < 2 && f->steps; i++)
			*e++ = (struct event){ EVENT_REACH, .s = s, .value = i };
	}
	for (int n = 0; n < f->nodes; n++) {
		for (int i = !f->acts_later; i < 2; i++)
			*e++ = (struct event){ EVENT_READ, .n = n, .value = i };
		for (int s = 0; s < f->services; s++)
			for (int i = PLAN_SEEN_NONE; i <= PLAN_SEEN_FAILED; i++)
				*e++ = (struct event){ EVENT_TASK, .s = s, .n = n, .value = i };
		if (f->vanishes)
			*e++ = (struct event){ EVENT_VANISH, .n = n };
		if (f->drains)
			*e++ = (struct event){ EVENT_DRAIN, .n = n };
	}
	if (f->vanishes)
		*e++ = (struct event){ .kind = EVENT_LATER };
	if (f->restarts)
		*e++ = (struct event){ .kind = EVENT_RESTART };
	return (int)(e - out);
}

static bool set_service(struct sim *sim, int s, int *what, int value)
{
	if (*what == value)
		return false;
	*what = value;
	sim_tell_service(sim, s);
	return true;
}

/* The agent reads its document, and acts on it, or has yet to. */
static bool happens_read(struct sim *sim, int n, bool acts)
{
	struct sim_node *node = &sim->nodes[n];
	if (!node->reachable)
		return false;
	node->seen = node->put;
	for (int s = 0; s < sim->service_count && acts; s++) {
		struct sim_cell *c = &sim->cells[s][n];
		if (c->running == c->assigned)
			continue;
		c->running = c->assigned ? c->assigned : c->running;
		c->seen = PLAN_SEEN_PENDING; /* comes up, or is being stopped */
	}
	sim_report(sim, n);
	return true;
}

/* What may become of a task next, as bits. It ends where it is not assigned. */
static bool may_become(bool assigned, bool at_once, enum plan_seen from, enum plan_seen to)
{
	unsigned up = 1u << (at_once ? PLAN_SEEN_READY : PLAN_SEEN_RUNNING),
		 failed = 1u << PLAN_SEEN_FAILED;
	const unsigned next[] = {
		[PLAN_SEEN_NONE] = 1u << PLAN_SEEN_PENDING,
		[PLAN_SEEN_PENDING] = up | failed | (assigned ? 0 : 1u << PLAN_SEEN_NONE),
		[PLAN_SEEN_RUNNING] = 1u << PLAN_SEEN_READY | failed,
		[PLAN_SEEN_READY] = (at_once ? 0 : up) | failed, /* not ready: the agent restarts */
		[PLAN_SEEN_FAILED] = 1u << PLAN_SEEN_PENDING,
	};
	return next[from] >> to & 1;
}

/* The agent says this of a task: of the one that is there, or of what it has read of. */
static bool happens_task(const struct fleet *fleet, struct sim *sim, const struct event *e)
{
	struct sim_cell *c = &sim->cells[e->s][e->n];
	struct sim_node *node = &sim->nodes[e->n];
	enum plan_seen seen = (enum plan_seen)e->value;
	bool read = c->assigned && node->told_seen >= c->number;
	if (!node->reachable || (!c->running && !read) ||
	    !may_become(c->assigned != 0, fleet->at_once, c->seen, seen))
		return false;
	c->running = seen == PLAN_SEEN_NONE ? 0 : c->running ? c->running : c->assigned;
	c->seen = seen;
	sim_report(sim, e->n);
	return true;
}

/* One at a time. */
static bool happens_vanish(struct sim *sim, int n)
{
	for (int i = 0; i < sim->node_count; i++)
		if (i != n && !sim->nodes[i].reachable)
			return false;
	sim_connect(sim, n, !sim->nodes[n].reachable);
	return true;
}

/* What is gone is so for long. */
static bool happens_later(struct sim *sim)
{
	struct code code = write_world(sim), before = code;
	for (int n = 0; n < sim->node_count; n++)
		if ((code.nodes[n] & 3) == GONE_JUST)
			code.nodes[n] += GONE_LONG - GONE_JUST;
	if (same(&code, &before))
		return false;
	set_world(sim, &code);
	return true;
}

/* The controller knows what it put, and nothing of what the nodes told. */
static bool happens_restart(struct sim *sim)
{
	for (int n = 0; n < sim->node_count; n++) {
		sim->nodes[n].observed = false;
		sim_tell_node(sim, n);
		for (int s = 0; s < sim->service_count; s++)
			sim_tell_fact(sim, s, n);
	}
	return true;
}

/* False: it changes nothing. */
static bool happens(const struct fleet *fleet, struct sim *sim, const struct event *e)
{
	struct sim_node *node = &sim->nodes[e->n];
	struct svc *service = &sim->services[e->s];
	switch (e->kind) {
	case EVENT_PUSH: return set_service(sim, e->s, &service->revision, e->value);
	case EVENT_REACH: return set_service(sim, e->s, &service->reach, e->value);
	case EVENT_READ: return happens_read(sim, e->n, e->value);
	case EVENT_TASK: return happens_task(fleet, sim, e);
	case EVENT_VANISH: return happens_vanish(sim, e->n);
	case EVENT_DRAIN:
		node->state = node->state == NODE_ACTIVE ? NODE_DRAINING : NODE_ACTIVE;
		sim_tell_node(sim, e->n);
		return true;
	case EVENT_LATER: return happens_later(sim);
	case EVENT_RESTART: return happens_restart(sim);
	}
	return false;
}

/* An update is over as soon as it was ready: the caller says so. */
static void forget_done(struct sim *sim)
{
	for (int n = 0; n < sim->node_count; n++)
		for (int s = 0; s < sim->service_count; s++) {
			struct sim_cell *c = &sim->cells[s][n];
			if (!c->replaces || !done(sim, s, n))
				continue;
			c->replaces = 0;
			c->broken_before = c->surge = false;
			sim_tell_fact(sim, s, n);
		}
}

/* --- all of them ------------------------------------------------------------------------------ */

#define WORLDS_MAX 1000000 /* as if there were no end */
#define ANEW_EVERY 1999	   /* so many events are planned by another planner too, */
#define REST_EVERY 11	   /* and worlds left alone to see where they come to rest */

/* The plan of one that is told all at once, the other way round. */
static void plan_anew(const struct sim *sim, struct buf *out)
{
	struct sim other = *sim;
	struct plan_result result;
	other.world = world_new();
	other.world->now_ms = sim->world->now_ms;
	for (int n = sim->node_count; n-- > 0;)
		sim_tell_node(&other, n);
	for (int s = sim->service_count; s-- > 0;) {
		sim_tell_service(&other, s);
		for (int n = sim->node_count; n-- > 0;)
			sim_tell_fact(&other, s, n);
	}
	planner_run(other.world->planner, other.world->now_ms, &other.world->arena, &result);
	for (size_t i = 0; i < result.change_count; i++)
		write_change(other.world->planner, &result.changes[i], out);
	world_free(other.world);
}

/* What happens to one service changes no other. */
static void check_isolated(const struct explored *x, const struct event *event)
{
	bool of_service = event->kind == EVENT_PUSH || event->kind == EVENT_REACH;
	const char *other = event->s == 0 ? "s1" : "s0";
	if (of_service && strstr(buf_str(&x->sim.changes), other))
		sim_fail(&x->sim, "%s changes too: %s", other, buf_str(&x->sim.changes));
}

/* Whatever its nodes are called. (And the planner knows who is gone: set_gone() relies on it.) */
static void check_rests(const struct explored *x)
{
	struct world *w = x->sim.world;
	struct plan_result result;
	planner_run(w->planner, w->now_ms, &w->arena, &result);
	if (result.change_count)
		sim_fail(&x->sim, "there are %zu changes more", result.change_count);
}

static void plan_world(struct explored *x, const struct event *event)
{
	struct sim *sim = &x->sim;
	struct buf anew = { 0 };
	bool compare = x->tried++ % ANEW_EVERY == 0;
	for (int n = 0; n < sim->node_count; n++)
		compare &= gone_of(sim, n) != GONE_LONG; /* to another one it is gone just now */
	if (compare)
		plan_anew(sim, &anew);
	sim_plan(sim);
	if (compare && strcmp(buf_str(&anew), buf_str(&sim->changes)) != 0)
		sim_fail(sim, "'%s', and anew '%s'", buf_str(&sim->changes), buf_str(&anew));
	buf_release(&anew);
	check_isolated(x, event);
}

/* What the event makes of the world when its nodes are called so. False: it is the same whatever
 * they are called. */
static bool try_event(struct explored *x, const struct code *world, struct event event,
		      const int *order)
{
	struct sim *sim = &x->sim;
	struct code renamed = *world;
	for (int n = 0; n < x->fleet.nodes; n++)
		renamed.nodes[order[n]] = world->nodes[n];
	event.n = order[event.n];
	set_world(sim, &renamed);
	if (!happens(&x->fleet, sim, &event)) {
		check_rests(x);
		return false;
	}
	if (!x->fleet.remembers)
		forget_done(sim);
	plan_world(x, &event);
	add(x, canonical(&x->fleet, write_world(sim)));
	const char *changes = buf_str(&sim->changes);
	return strstr(changes, "update") || strstr(changes, "start");
}

/* The orders of names, as which node becomes which. */
static void try_all(struct explored *x, const struct code *world, struct event event)
{
	static const int orders[][NODES] = { { 0, 1, 2 }, { 1, 0, 2 }, { 2, 1, 0 },
					     { 0, 2, 1 }, { 1, 2, 0 }, { 2, 0, 1 } };
	size_t count = x->fleet.nodes == NODES ? ARRAY_LEN(orders) : 2;
	bool depends = try_event(x, world, event, orders[0]);
	for (size_t i = 1; depends && i < count; i++)
		try_event(x, world, event, orders[i]);
}

static void begin(struct explored *x)
{
	struct sim *sim = &x->sim;
	const struct fleet *fleet = &x->fleet;
	x->mask = 1023;
	x->slots = xcalloc((size_t)x->mask + 1, sizeof(*x->slots));
	sim_init(sim, 1);
	sim->node_count = fleet->nodes;
	sim->service_count = fleet->services;
	for (int s = 0; s < fleet->services; s++)
		sim->services[s] = (struct svc){ .name = service_names[s],
						 .revision = 1,
						 .min_healthy = fleet->min_healthy,
						 .max_percent = fleet->max_percent,
						 .keep = fleet->keep && s == 1,
						 .completed = fleet->completed };
	for (int n = 0; n < fleet->nodes; n++)
		sim->nodes[n] =
			(struct sim_node){ .reachable = true, .observed = true, .gone_ms = -1 };
	sim_tell_all(sim);
	sim_plan(sim);
	add(x, canonical(fleet, write_world(sim)));
}

static void explore(struct fleet fleet)
{
	struct explored x = { .fleet = fleet };
	struct sim *sim = &x.sim;
	struct event events[EVENTS_MAX];
	int event_count = events_of(&fleet, events);
	begin(&x);
	for (size_t at = 0; at < x.worlds.len; at++) {
		struct code world = x.worlds.items[at];
		sim->step = (int)at;
		if (at == WORLDS_MAX)
			sim_fail(sim, "there is no end of %s", "worlds");
		for (int e = 0; e < event_count; e++)
			try_all(&x, &world, events[e]);
	}
	print_message("# %zu worlds, %zu events in them\n", x.worlds.len, x.tried);
	for (size_t at = 0; at < x.worlds.len; at += REST_EVERY) {
		sim->step = (int)at;
		set_world(sim, &x.worlds.items[at]);
		calm_down(sim, false);
		check_paused(sim);
		calm_down(sim, true);
		check_converged(sim);
	}
	vec_release(&x.worlds);
	free(x.slots);
	sim_release(sim);
}

/* --- fleets ----------------------------------------------------------------------------------- */

static void three_nodes_one_at_a_time(void **state UNUSED)
{
	explore((struct fleet){ .nodes = 3,
				.services = 1,
				.min_healthy = 90,
				.revisions = 2,
				.drains = true,
				.acts_later = true });
}

static void three_nodes_two_at_a_time(void **state UNUSED)
{
	explore((struct fleet){
		.nodes = 3, .services = 1, .min_healthy = 10, .revisions = 2, .drains = true });
}

/* No update is ever over: as for a controller that starts anew. Nothing drains. */
static void three_nodes_and_all_that_was_replaced(void **state UNUSED)
{
	explore((struct fleet){
		.nodes = 3, .services = 1, .min_healthy = 90, .revisions = 2, .remembers = true });
}

/* What runs is ready; nothing drains. */
static void three_nodes_that_vanish(void **state UNUSED)
{
	explore((struct fleet){ .nodes = 3,
				.services = 1,
				.min_healthy = 90,
				.revisions = 2,
				.vanishes = true,
				.at_once = true });
}

/* So here. */
static void three_nodes_and_a_controller_that_restarts(void **state UNUSED)
{
	explore((struct fleet){ .nodes = 3,
				.services = 1,
				.min_healthy = 90,
				.revisions = 2,
				.restarts = true,
				.at_once = true });
}

/* And here: revision 1 is completed. */
static void three_nodes_by_steps(void **state UNUSED)
{
	explore((struct fleet){ .nodes = 3,
				.services = 1,
				.min_healthy = 50,
				.completed = 1,
				.revisions = 2,
				.steps = true,
				.at_once = true });
}

static void three_nodes_by_steps_and_surge(void **state UNUSED)
{
	explore((struct fleet){ .nodes = 3,
				.services = 1,
				.min_healthy = 100,
				.max_percent = 150,
				.completed = 1,
				.revisions = 2,
				.steps = true,
				.at_once = true });
}

/* All that may happen to nodes, together. */
static void two_nodes_and_all_faults(void **state UNUSED)
{
	explore((struct fleet){ .nodes = 2,
				.services = 1,
				.min_healthy = 50,
				.revisions = 2,
				.drains = true,
				.vanishes = true,
				.restarts = true,
				.at_once = true });
}

/* What runs is ready; nothing drains. */
static void two_nodes_two_services(void **state UNUSED)
{
	explore((struct fleet){
		.nodes = 2, .services = 2, .min_healthy = 50, .revisions = 2, .at_once = true });
}

/* Nothing is pushed. */
static void two_nodes_that_drain_one_service_after_the_other(void **state UNUSED)
{
	explore((struct fleet){ .nodes = 2,
				.services = 2,
				.min_healthy = 50,
				.revisions = 1,
				.keep = true,
				.drains = true });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_nodes_one_at_a_time),
		cmocka_unit_test(three_nodes_two_at_a_time),
		cmocka_unit_test(three_nodes_and_all_that_was_replaced),
		cmocka_unit_test(three_nodes_that_vanish),
		cmocka_unit_test(three_nodes_and_a_controller_that_restarts),
		cmocka_unit_test(three_nodes_by_steps),
		cmocka_unit_test(three_nodes_by_steps_and_surge),
		cmocka_unit_test(two_nodes_and_all_faults),
		cmocka_unit_test(two_nodes_two_services),
		cmocka_unit_test(two_nodes_that_drain_one_service_after_the_other),
	};
	return cmocka_run_group_tests_name("plan_reach", tests, NULL, NULL);
}
