/*
 * All worlds that can be reached within some events, of 3 nodes and 1 service, and of 2 and 2: the
 * rules hold in each, and from each the fleet comes to rest.
 */
#include "plan_sim.h"

#include <assert.h>

#define REST_EVERY 97 /* so many worlds are left alone to see where they come to rest */

/* What differs between worlds; compared by its bytes. */
struct reached {
	struct sim_node nodes[SIM_NODES];
	struct sim_cell cells[SIM_SERVICES][SIM_NODES];
	int revisions[SIM_SERVICES], reach[SIM_SERVICES];
};
struct frontier {
	VEC(struct reached) worlds;
	uint32_t *slots; /* index + 1 into worlds */
	uint32_t mask;
};

static uint64_t hash_of(const struct reached *r)
{
	uint64_t h = 1469598103934665603u;
	const uint32_t *words = (const uint32_t *)r;
	for (size_t i = 0; i < sizeof(*r) / sizeof(*words); i++)
		h = (h ^ words[i]) * 1099511628211u;
	return h ^ h >> 29;
}

static void add_slot(struct frontier *f, const struct reached *r, uint32_t index)
{
	uint32_t i = (uint32_t)hash_of(r) & f->mask;
	while (f->slots[i])
		i = (i + 1) & f->mask;
	f->slots[i] = index + 1;
}

static bool same(const struct reached *a, const struct reached *b)
{
	return memcmp((const char *)a, (const char *)b, sizeof(*a)) == 0;
}

static bool known(const struct frontier *f, const struct reached *r)
{
	for (uint32_t i = (uint32_t)hash_of(r) & f->mask; f->slots[i]; i = (i + 1) & f->mask)
		if (same(&f->worlds.items[f->slots[i] - 1], r))
			return true;
	return false;
}

static void add(struct frontier *f, const struct reached *r)
{
	if (known(f, r))
		return;
	*vec_push(&f->worlds) = *r;
	if (f->worlds.len * 2 > f->mask) {
		f->mask = f->mask * 2 + 1;
		free(f->slots);
		f->slots = xcalloc((size_t)f->mask + 1, sizeof(*f->slots));
		for (size_t i = 0; i + 1 < f->worlds.len; i++)
			add_slot(f, &f->worlds.items[i], (uint32_t)i);
	}
	add_slot(f, r, (uint32_t)f->worlds.len - 1);
}

/* The numbers of a node's documents: only their order matters. */
static void renumber(struct sim *sim, int n)
{
	struct sim_node *node = &sim->nodes[n];
	int *numbers[SIM_SERVICES + 3] = { &node->put, &node->seen, &node->told_seen };
	int count = 3, old[SIM_SERVICES + 3];
	for (int s = 0; s < sim->service_count; s++) {
		struct sim_cell *c = &sim->cells[s][n];
		if (!c->assigned)
			c->number = 0;
		else
			numbers[count++] = &c->number;
	}
	for (int i = 0; i < count; i++)
		old[i] = *numbers[i];
	for (int i = 0; i < count; i++) {
		int smaller = 0;
		for (int k = 0; k < count; k++) {
			bool first = true;
			for (int j = 0; j < k; j++)
				first &= old[j] != old[k];
			smaller += first && old[k] < old[i];
		}
		*numbers[i] = smaller;
	}
}

static struct reached save(struct sim *sim)
{
	struct reached r;
	for (int n = 0; n < sim->node_count; n++)
		renumber(sim, n);
	memset(&r, 0, sizeof(r));
	memcpy(r.nodes, sim->nodes, sizeof(r.nodes));
	memcpy(r.cells, sim->cells, sizeof(r.cells));
	for (int s = 0; s < sim->service_count; s++) {
		r.revisions[s] = sim->services[s].revision;
		r.reach[s] = sim->services[s].reach;
	}
	return r;
}

/* The planner is told what differs from the world that it knows. */
static void restore(struct sim *sim, const struct reached *r)
{
	arena_reset(&sim->world->arena);
	buf_reset(&sim->trace);
	for (int s = 0; s < sim->service_count; s++) {
		struct svc *service = &sim->services[s];
		bool same_service =
			service->revision == r->revisions[s] && service->reach == r->reach[s];
		service->revision = r->revisions[s];
		service->reach = r->reach[s];
		if (!same_service)
			sim_tell_service(sim, s);
	}
	for (int n = 0; n < sim->node_count; n++) {
		const struct sim_node *old = &sim->nodes[n], *now = &r->nodes[n];
		bool same_node = old->reachable == now->reachable && old->state == now->state &&
				 old->observed == now->observed;
		sim->nodes[n] = *now;
		if (!same_node)
			sim_tell_node(sim, n);
		for (int s = 0; s < sim->service_count; s++) {
			sim->cells[s][n] = r->cells[s][n];
			sim_tell_fact(sim, s, n);
		}
	}
}

/* --- events ---------------------------------------------------------------------------------- */

static bool event_revision(struct sim *sim, int s, int revision)
{
	if (sim->services[s].revision == revision)
		return false;
	sim->services[s].revision = revision;
	sim_tell_service(sim, s);
	return true;
}

static bool event_reach(struct sim *sim, int s, int reach)
{
	if (sim->services[s].reach == reach)
		return false;
	sim->services[s].reach = reach;
	sim_tell_service(sim, s);
	return true;
}

static bool event_node(struct sim *sim, int n, int what)
{
	struct sim_node *node = &sim->nodes[n];
	switch (what) {
	case 0: /* the agent reads, its tasks go on */
		sim_read(sim, n);
		for (int s = 0; s < sim->service_count; s++)
			sim_progress(sim, s, n, false);
		return true;
	case 1: sim_report(sim, n); return true;
	case 2: sim_connect(sim, n, !node->reachable); return true;
	case 3: node->state = node->state ? NODE_ACTIVE : NODE_DRAINING; break;
	case 4:
		for (int s = 0; s < sim->service_count; s++)
			sim_progress(sim, s, n, true);
		sim_report(sim, n);
		return true;
	}
	sim_tell_node(sim, n);
	return true;
}
#define NODE_EVENTS 5

/* A good one, a bad one, with steps another good one; and how far it goes. */
static const int revisions[] = { 1, BAD_REVISION, 2 }, reaches[] = { ZERO, 1, 0 };

/* The event of that number; false when it changes nothing, or there is none. */
static bool event(struct sim *sim, int number, bool steps, bool *none)
{
	int s = number % sim->service_count, of_service = number / sim->service_count;
	int services = steps ? 6 : 2;
	*none = false;
	if (of_service < services)
		return of_service < 2	? event_revision(sim, s, revisions[of_service])
		       : of_service < 3 ? event_revision(sim, s, revisions[2])
					: event_reach(sim, s, reaches[of_service - 3]);
	number -= services * sim->service_count;
	*none = number >= sim->node_count * NODE_EVENTS;
	return !*none && event_node(sim, number / NODE_EVENTS, number % NODE_EVENTS);
}

struct size {
	int nodes, services, min_healthy, max_percent, depth;
	bool steps; /* in a roll-out by steps, with revision 1 completed */
};

static void reach(struct size size)
{
	struct sim sim;
	struct frontier f = { .mask = 1023, .slots = xcalloc(1024, sizeof(uint32_t)) };
	int node_count = size.nodes, service_count = size.services, depth = size.depth;
	sim_init(&sim, 1);
	sim.node_count = node_count;
	sim.service_count = service_count;
	for (int s = 0; s < service_count; s++)
		sim.services[s] = (struct svc){ .name = service_names[s],
						.revision = 1,
						.min_healthy = size.min_healthy,
						.max_percent = size.max_percent,
						.completed = size.steps };
	for (int n = 0; n < node_count; n++)
		sim.nodes[n] =
			(struct sim_node){ .reachable = true, .observed = true, .gone_ms = -1 };
	sim_tell_all(&sim);
	calm_down(&sim, true); /* all run the first revision */
	struct reached first = save(&sim);
	add(&f, &first);
	for (size_t at = 0, end = 1; depth > 0; at++) {
		bool none = false;
		assert(f.worlds.items);
		if (at == end) {
			depth--;
			end = f.worlds.len;
			continue;
		}
		for (int number = 0; !none; number++) {
			sim.step = (int)at;
			restore(&sim, &f.worlds.items[at]);
			if (!event(&sim, number, size.steps, &none))
				continue;
			sim_plan(&sim);
			struct reached next = save(&sim);
			add(&f, &next);
		}
	}
	for (size_t at = 0; at < f.worlds.len; at += REST_EVERY) {
		sim.step = (int)at;
		restore(&sim, &f.worlds.items[at]);
		calm_down(&sim, false);
		check_paused(&sim);
		calm_down(&sim, true);
		check_converged(&sim);
	}
	print_message("%zu worlds\n", f.worlds.len);
	vec_release(&f.worlds);
	free(f.slots);
	sim_release(&sim);
}

static void three_nodes_one_at_a_time(void **state UNUSED)
{
	reach((struct size){ .nodes = 3, .services = 1, .min_healthy = 90, .depth = 6 });
}

static void three_nodes_two_at_a_time(void **state UNUSED)
{
	reach((struct size){ .nodes = 3, .services = 1, .min_healthy = 10, .depth = 6 });
}

static void two_nodes_two_services(void **state UNUSED)
{
	reach((struct size){ .nodes = 2, .services = 2, .min_healthy = 50, .depth = 6 });
}

static void three_nodes_by_steps(void **state UNUSED)
{
	reach((struct size){
		.nodes = 3, .services = 1, .min_healthy = 50, .depth = 5, .steps = true });
}

static void three_nodes_by_steps_and_surge(void **state UNUSED)
{
	reach((struct size){ .nodes = 3,
			     .services = 1,
			     .min_healthy = 100,
			     .max_percent = 150,
			     .depth = 5,
			     .steps = true });
}

static void two_nodes_two_services_by_steps(void **state UNUSED)
{
	reach((struct size){
		.nodes = 2, .services = 2, .min_healthy = 50, .depth = 5, .steps = true });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_nodes_one_at_a_time),
		cmocka_unit_test(three_nodes_two_at_a_time),
		cmocka_unit_test(two_nodes_two_services),
		cmocka_unit_test(three_nodes_by_steps),
		cmocka_unit_test(three_nodes_by_steps_and_surge),
		cmocka_unit_test(two_nodes_two_services_by_steps),
	};
	return cmocka_run_group_tests_name("plan_reach", tests, NULL, NULL);
}
