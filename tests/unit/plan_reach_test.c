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
	int revisions[SIM_SERVICES];
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
	for (int s = 0; s < sim->service_count; s++)
		r.revisions[s] = sim->services[s].revision;
	return r;
}

static void restore(struct sim *sim, const struct reached *r)
{
	arena_reset(&sim->world->arena);
	buf_reset(&sim->trace);
	memcpy(sim->nodes, r->nodes, sizeof(r->nodes));
	memcpy(sim->cells, r->cells, sizeof(r->cells));
	for (int s = 0; s < sim->service_count; s++) {
		sim->services[s].revision = r->revisions[s];
		sim_tell_service(sim, s);
	}
	for (int n = 0; n < sim->node_count; n++) {
		sim_tell_node(sim, n);
		for (int s = 0; s < sim->service_count; s++)
			sim_tell_fact(sim, s, n);
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

/* The event of that number; false when it changes nothing, or there is none. */
static bool event(struct sim *sim, int number, bool *none)
{
	static const int revisions[] = { 1, BAD_REVISION };
	int services = sim->service_count * (int)ARRAY_LEN(revisions);
	*none = number >= services + sim->node_count * NODE_EVENTS;
	if (*none)
		return false;
	if (number < services)
		return event_revision(sim, number / 2, revisions[number % 2]);
	return event_node(sim, (number - services) / NODE_EVENTS,
			  (number - services) % NODE_EVENTS);
}

static void reach(int node_count, int service_count, int min_healthy, int depth)
{
	struct sim sim;
	struct frontier f = { .mask = 1023, .slots = xcalloc(1024, sizeof(uint32_t)) };
	sim_init(&sim, 1);
	sim.node_count = node_count;
	sim.service_count = service_count;
	for (int s = 0; s < service_count; s++)
		sim.services[s] = (struct svc){ .name = service_names[s],
						.revision = 1,
						.min_healthy = min_healthy };
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
			if (!event(&sim, number, &none))
				continue;
			sim_plan(&sim);
			struct reached next = save(&sim);
			add(&f, &next);
		}
	}
	for (size_t at = 0; at < f.worlds.len; at += REST_EVERY) {
		sim.step = (int)at;
		restore(&sim, &f.worlds.items[at]);
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
	reach(3, 1, 90, 6);
}

static void three_nodes_two_at_a_time(void **state UNUSED)
{
	reach(3, 1, 10, 6);
}

static void two_nodes_two_services(void **state UNUSED)
{
	reach(2, 2, 50, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_nodes_one_at_a_time),
		cmocka_unit_test(three_nodes_two_at_a_time),
		cmocka_unit_test(two_nodes_two_services),
	};
	return cmocka_run_group_tests_name("plan_reach", tests, NULL, NULL);
}
