/* Random small fleets from a seed: safe at every step, and converging when left alone. */
#include "plan_sim.h"

#define SEEDS 2000
#define STEPS 120

/* --- told anew ------------------------------------------------------------------------------- */

static void shuffle(struct sim *sim, int *items, int count)
{
	for (int i = count - 1; i > 0; i--) {
		int k = (int)draw(sim, (uint32_t)i + 1), swap = items[i];
		items[i] = items[k];
		items[k] = swap;
	}
}

/* The nodes that are away, at the times at which the planner saw that. */
static void tell_gone(struct sim *sim)
{
	int64_t now_ms = sim->world->now_ms;
	for (int64_t last = -1, next = INT64_MAX;; last = next, next = INT64_MAX) {
		for (int n = 0; n < sim->node_count; n++) {
			int64_t at = sim->nodes[n].gone_ms;
			if (!sim->nodes[n].reachable && at > last && at < next)
				next = at;
		}
		if (next == INT64_MAX)
			break;
		for (int n = 0; n < sim->node_count; n++)
			if (!sim->nodes[n].reachable && sim->nodes[n].gone_ms == next)
				sim_tell_node(sim, n);
		sim->world->now_ms = next;
		assert_plan(sim->world, "");
	}
	sim->world->now_ms = now_ms;
}

/* All that is known, in any order, to a planner that knows nothing. */
static struct world *told_anew(struct sim *sim)
{
	struct world *old = sim->world, *fresh = world_new();
	int order[SIM_SERVICES * SIM_NODES], count = sim->service_count + sim->node_count;
	fresh->now_ms = old->now_ms;
	sim->world = fresh;
	tell_gone(sim);
	for (int i = 0; i < count; i++)
		order[i] = i;
	shuffle(sim, order, count);
	for (int i = 0; i < count; i++) {
		if (order[i] < sim->service_count)
			sim_tell_service(sim, order[i]);
		else
			sim_tell_node(sim, order[i] - sim->service_count);
	}
	count = sim->service_count * sim->node_count;
	for (int i = 0; i < count; i++)
		order[i] = i;
	shuffle(sim, order, count);
	for (int i = 0; i < count; i++)
		sim_tell_fact(sim, order[i] % sim->service_count, order[i] / sim->service_count);
	sim->world = old;
	return fresh;
}

static bool facts_equal(const struct plan_fact *a, const struct plan_fact *b)
{
	return digest_equal(&a->assigned, &b->assigned) && digest_equal(&a->running, &b->running) &&
	       a->assigned_revision == b->assigned_revision &&
	       a->running_revision == b->running_revision && a->replaces == b->replaces &&
	       a->broken_before == b->broken_before && a->surge == b->surge &&
	       a->starting == b->starting && a->acknowledged == b->acknowledged &&
	       a->seen == b->seen;
}

/* Whoever is told all at once answers as the one that was told bit by bit. */
static size_t plan_both(struct sim *sim)
{
	struct world *fresh = told_anew(sim);
	const char *want = plan(fresh);
	size_t changes = sim_plan(sim);
	if (strcmp(buf_str(&sim->changes), want) != 0)
		sim_fail(sim, "'%s' when told anew '%s'", buf_str(&sim->changes), want);
	for (int s = 0; s < sim->service_count; s++) {
		const char *name = service_names[s];
		struct plan_counts a = planner_counts(sim->world->planner, sid(sim->world, name)),
				   b = planner_counts(fresh->planner, sid(fresh, name));
		if (memcmp(&a, &b, sizeof(a)) != 0)
			sim_fail(sim, "the counts of %s differ", name);
		for (int n = 0; n < sim->node_count; n++) {
			struct plan_cell x = cell(sim->world, name, node_names[n]),
					 y = cell(fresh, name, node_names[n]);
			if (x.reason != y.reason || x.desired != y.desired ||
			    x.in_flight != y.in_flight || x.waiting != y.waiting ||
			    !facts_equal(&x.fact, &y.fact))
				sim_fail(sim, "%s on %s is %s, told anew %s", name, node_names[n],
					 plan_reason_name(x.reason), plan_reason_name(y.reason));
		}
	}
	world_free(fresh);
	return changes;
}

/* --- what happens ---------------------------------------------------------------------------- */

static void restart_controller(struct sim *sim)
{
	for (int n = 0; n < sim->node_count; n++) {
		sim->nodes[n].observed = false;
		sim->nodes[n].gone_ms = -1;
	}
	for (int n = 0; n < sim->node_count; n++)
		for (int s = 0; s < sim->service_count; s++) {
			sim->cells[s][n].told_seen = PLAN_SEEN_NONE;
			sim->cells[s][n].told_running = 0;
		}
	struct world *fresh = told_anew(sim);
	world_free(sim->world);
	sim->world = fresh;
}

static void replace_node(struct sim *sim, int n)
{
	planner_node_remove(sim->world->planner, nid(sim->world, node_names[n]));
	for (int s = 0; s < sim->service_count; s++)
		sim->cells[s][n] = (struct sim_cell){ 0 };
	sim_tell_node(sim, n);
}

static void replace_service(struct sim *sim, int s)
{
	for (int n = 0; n < sim->node_count; n++)
		if (sim->cells[s][n].assigned || sim->cells[s][n].told_running)
			return;
	planner_service_remove(sim->world->planner, sid(sim->world, service_names[s]));
	sim_tell_service(sim, s);
}

static void change_service(struct sim *sim, int s, uint32_t what, uint32_t x)
{
	struct svc *service = &sim->services[s];
	bool asks_group = sim->dynamic && s == sim->service_count - 1;
	switch (what) {
	case 0:
	case 1:
	case 2: service->revision = 1 + (int)(x % 3); break;
	case 3: service->suspend = x % 4 == 0; break;
	case 4: service->removing = x % 4 == 0; break;
	case 5: service->stalled = x % 4 == 0; break;
	case 6:
		service->priority = (int)(x % 3) - 1;
		service->unresolved = sim->pulls && x % 2 == 0;
		break;
	case 7: service->min_healthy = x % 4 ? 10 + 30 * (int)(x % 4) : ZERO; break;
	case 8:
		if (!asks_group)
			service->constraint = x % 2 ? "attribute:env == prod" : NULL;
		break;
	case 9:
		service->memory = sim->tight ? x % 4 * 200 : 100;
		service->port = sim->tight && x % 3 == 0 ? 80 : 0;
		break;
	}
	sim_tell_service(sim, s);
}

static void change_rollout(struct sim *sim, int s, uint32_t what, uint32_t x)
{
	static const int reach[] = { ZERO, 1, 2, 0 }, max_percent[] = { 0, 150, 200 },
			 stops[] = { 0, ZERO, 1, 2 };
	struct svc *service = &sim->services[s];
	switch (what) {
	case 0:
		service->completed = (int)(x % 4);
		service->completed_when = service->when && x % 8 < 4;
		break;
	case 1:
	case 2: service->reach = reach[x % 4]; break;
	case 3: service->where = x % 2 ? "attribute:env == prod" : NULL; break;
	case 4: service->max_percent = max_percent[x % 3]; break;
	case 5: service->stops = stops[x % 4]; break;
	case 6: service->keep = x % 2 && !sim->alone; break;
	case 7:
		service->when = x % 2 ? "attribute:env == prod" : NULL;
		service->completed_when &= service->when != NULL;
		break;
	}
	sim_tell_service(sim, s);
}

static void change_node(struct sim *sim, int n, uint32_t what, uint32_t x)
{
	static const enum node_state states[] = { NODE_ACTIVE, NODE_ACTIVE, NODE_DRAINING,
						  NODE_INACTIVE };
	switch (what) {
	case 0: sim_connect(sim, n, false); return;
	case 1:
	case 2: sim_connect(sim, n, true); return;
	case 3: sim->nodes[n].prod = x % 3 != 0; break;
	case 4: sim->nodes[n].state = states[x % 4]; break;
	case 5: replace_node(sim, n); return;
	}
	sim_tell_node(sim, n);
}

/* Draws the same numbers whatever the state is, so that two runs of a seed can be compared. */
static void happen(struct sim *sim)
{
	uint32_t what = draw(sim, 32), x = draw(sim, 1000);
	int s = (int)draw(sim, (uint32_t)sim->service_count),
	    n = (int)draw(sim, (uint32_t)sim->node_count);
	if (what < 10)
		change_service(sim, s, what, x);
	else if (what < 16)
		change_node(sim, n, what - 10, x);
	else if (what == 16 && x % 4 == 0)
		restart_controller(sim);
	else if (what == 17)
		replace_service(sim, s);
	else if (what == 18)
		sim_tell_fact(sim, s, n); /* once more */
	else if (what < 21)
		sim->world->now_ms += x * 60;
	else if (what == 21) /* it had the time to come up */
		sim->cells[s][n].starting = false, sim_tell_fact(sim, s, n);
	else if (what >= 24)
		change_rollout(sim, s, what - 24, x);
}

static void work(struct sim *sim)
{
	for (int n = 0; n < sim->node_count; n++) {
		uint32_t read = draw(sim, 3), report = draw(sim, 3);
		if (read == 0)
			sim_read(sim, n);
		for (int s = 0; s < sim->service_count; s++) {
			uint32_t progress = draw(sim, 2), crash = draw(sim, 30);
			if (progress || crash == 0)
				sim_progress(sim, s, n, crash == 0);
		}
		if (report == 0)
			sim_report(sim, n);
	}
}

static void live(struct sim *sim, bool compare)
{
	sim_tell_all(sim);
	for (sim->step = 0; sim->step < STEPS; sim->step++) {
		happen(sim);
		work(sim);
		uint32_t x = draw(sim, 12);
		if (compare && x == 0)
			plan_both(sim);
		else if (x < 9)
			sim_plan(sim);
	}
}

/* --- the properties -------------------------------------------------------------------------- */

static void every_step_is_safe_and_all_comes_to_rest(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct sim sim;
		sim_init(&sim, seed);
		sim.tight = seed % 3 == 0;
		sim.dynamic = seed % 4 == 0 && sim.service_count > 1;
		if (sim.dynamic)
			sim.services[sim.service_count - 1].constraint = "task:group == service:s0";
		sim.pulls = seed % 5 < 2;
		for (int s = 0; sim.pulls && s < sim.service_count; s++) {
			sim.services[s].pulls = 1 + seed % 3;
			sim.services[s].container = true;
			sim.services[s].unresolved = seed % 2;
		}
		live(&sim, true);
		calm_down(&sim, false);
		if (!sim.tight && !sim.dynamic)
			check_paused(&sim);
		calm_down(&sim, true);
		check_converged(&sim);
		sim_release(&sim);
	}
}

static void one_bad_service_changes_no_other(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= SEEDS / 2; seed++) {
		struct sim good, bad;
		sim_init(&good, seed);
		sim_init(&bad, seed);
		bad.bad_first = true;
		good.alone = bad.alone = true;
		live(&good, false);
		live(&bad, false);
		if (strcmp(buf_str(&good.trace), buf_str(&bad.trace)) != 0)
			sim_fail(&bad, "the others change: %d services", bad.service_count);
		sim_release(&good);
		sim_release(&bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_is_safe_and_all_comes_to_rest),
		cmocka_unit_test(one_bad_service_changes_no_other),
	};
	return cmocka_run_group_tests_name("plan_property", tests, NULL, NULL);
}
