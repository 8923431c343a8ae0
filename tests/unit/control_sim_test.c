#include "control_sim.h"

/*
 * Safety at every put and every stop; liveness when the faults end. SEED=N runs one seed alone.
 */

#define SEEDS 50
#define TICKS 160

/* --- the oracle at a put ----------------------------------------------------------------------
 */

static uint32_t budget(const struct sim *sim)
{
	uint32_t keep = (sim->node_count * sim->min_healthy + 99) / 100;
	return sim->node_count > keep + 1 ? sim->node_count - keep : 1;
}

static bool has_assignment(const struct node_record *n, int service)
{
	for (size_t i = 0; i < n->assignments.len; i++)
		if (strcmp(n->assignments.items[i].service->name, sim_services[service]) == 0)
			return true;
	return false;
}

/* Updates under way, on nodes that did not vanish. */
static uint32_t updates_in_flight(const struct sim *sim, int service)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct node_record *n = map_get(sim->w->c->nodes, sim->nodes[i].name);
		uint64_t in_flight = sim->nodes[i].in_flight[service];
		count += in_flight > 0 && in_flight != IN_FLIGHT_MAYBE && n &&
			 n->connection == CONNECTION_ALIVE && has_assignment(n, service);
	}
	return count;
}

static bool known_to_run(const struct node_record *n, const char *name)
{
	for (uint32_t i = 0; n->observed_known && i < n->observed.task_count; i++) {
		const struct wire_task *t = &n->observed.tasks[i];
		if (strcmp(t->service, name) == 0 && t->ready)
			return true;
	}
	return false;
}

static void check_task(struct sim *sim, struct sim_node *n, const struct wire_desired *d,
		       const struct wire_desired_task *t)
{
	for (const struct wire_desired_task *other = d->tasks; other < t; other++)
		if (strcmp(other->service, t->service) == 0)
			sim_fail(sim, "%s: %s is assigned twice", n->name, t->service);
	int service = t->service[1] - '0';
	if (t->assigned_number <= n->last_put)
		return;
	const struct node_record *record = map_get(sim->w->c->nodes, n->name);
	if (service == 2) { /* attribute:env == prod */
		const char *env = record->registration.attributes.len
					  ? record->registration.attributes.items[0].value
					  : NULL;
		if (!env || strcmp(env, "prod") != 0)
			sim_fail(sim, "%s: %s is assigned where its constraint is false", n->name,
				 t->service);
	}
	if (!t->replaces || t->broken_before)
		return;
	bool in_its_slot = n->in_flight[service] > 0;
	if (!in_its_slot && !known_to_run(record, t->service))
		return; /* what is down already is not taken down */
	n->in_flight[service] = d->number;
	n->flight_target[service] = t->target;
	if (in_its_slot)
		return;
	uint32_t in_flight = updates_in_flight(sim, service);
	if (in_flight > budget(sim))
		sim_fail(sim, "%s: %u updates in flight, the budget is %u", t->service, in_flight,
			 budget(sim));
}

static uint64_t number_in_store(struct sim *sim, const struct sim_node *n)
{
	char key[64];
	struct arena arena;
	struct wire_desired d = { 0 };
	const struct doc *doc = map_get(sim->w->store, sim_key(key, "desired", n));
	arena_init(&arena);
	if (doc)
		wire_decode_desired(doc->bytes, doc->len, FLEET, n->name, &arena, &d, NULL);
	uint64_t number = d.number;
	arena_release(&arena);
	return number;
}

static void check_put(struct sim *sim, const struct control_effect *e)
{
	struct arena arena;
	struct wire_desired d;
	arena_init(&arena);
	struct sim_node *n = &sim->nodes[e->key[strlen("desired/n")] - '0'];
	if (wire_decode_desired(e->bytes, e->len, FLEET, n->name, &arena, &d, NULL) != WIRE_OK)
		sim_fail(sim, "%s cannot be read", e->key);
	uint64_t known = number_in_store(sim, n);
	if (known < n->highest)
		known = n->highest;
	if (d.number > known)
		n->went_back = false;
	else if (!n->went_back)
		sim_fail(sim, "%s: number %llu after %llu", n->name, (unsigned long long)d.number,
			 (unsigned long long)known);
	for (uint32_t i = 0; i < d.task_count; i++)
		check_task(sim, n, &d, &d.tasks[i]);
	for (int s = 0; s < SIM_SERVICES; s++) {
		bool there = false;
		for (uint32_t i = 0; i < d.task_count; i++)
			there |= strcmp(d.tasks[i].service, sim_services[s]) == 0;
		if (!there)
			n->in_flight[s] = 0;
	}
	arena_release(&arena);
	n->last_put = d.number;
}

/* --- the controller ---------------------------------------------------------------------------
 */

static void sim_put(struct sim *sim, const struct control_effect *e)
{
	bool fails = chance(sim, 60), happens = !fails || draw(sim, 2);
	bool desired = strncmp(e->key, "desired/", 8) == 0;
	sim->puts++;
	if (happens) {
		if (desired) {
			check_put(sim, e);
			struct buf *old = &sim->old_desired[e->key[9] - '0'];
			const struct doc *doc = map_get(sim->w->store, e->key);
			if (doc && draw(sim, 3) == 0) {
				buf_reset(old);
				buf_add(old, doc->bytes, doc->len);
			}
		}
		store_set(sim->w, e->key, e->bytes, e->len);
	}
	control_put_done(sim->w->c, e->key, !fails, fails ? "input/output error" : NULL,
			 sim->w->now_ms);
}

static void sim_controller_start(struct sim *sim)
{
	struct world *w = sim->w;
	controller_read_store(w);
	for (uint32_t i = 0; i < sim->node_count; i++)
		control_beat(w->c, sim->nodes[i].name, sim->nodes[i].beat, w->now_ms);
	control_beats_told(w->c, w->now_ms);
	look_at(w, w->commits.len - 1);
}

/* True: something happened. It may die between any two effects. */
static bool sim_controller_once(struct sim *sim)
{
	struct arena arena;
	struct control_effects effects = { 0 };
	arena_init(&arena);
	control_step(sim->w->c, sim->w->now_ms, UNIX_MS(sim->w), &arena, &effects);
	size_t count = effects.items.len;
	bool dies = false;
	for (size_t i = 0; i < count && !dies; i++) {
		if (effects.items.items[i].kind == EFFECT_PUT)
			sim_put(sim, &effects.items.items[i]);
		else
			world_effect(sim->w, &effects.items.items[i]);
		dies = chance(sim, 4);
	}
	control_effects_release(&effects);
	arena_release(&arena);
	if (dies) {
		sim->deaths++;
		control_free(sim->w->c);
		sim_controller_start(sim);
	}
	return count > 0;
}

static void sim_controller(struct sim *sim)
{
	struct world *w = sim->w;
	if (w->now_ms >= sim->relist_due_ms) {
		sim->relist_due_ms = w->now_ms + 60000;
		relist(w);
	}
	int turns = 0;
	while (sim_controller_once(sim))
		if (++turns > 100)
			sim_fail(sim, "%s", "the controller does not come to rest");
}

/* --- what happens -----------------------------------------------------------------------------
 */

static void write_fleet(struct sim *sim, bool bad)
{
	struct world *w = sim->w;
	for (uint32_t i = 0; i < sim->service_count && i < SIM_SERVICES; i++) {
		char path[32], more[256], command[16];
		snprintf(path, sizeof(path), "t%u.yaml", i);
		snprintf(command, sizeof(command), "v%u", sim->versions / (i + 1));
		write_task(w, path, sim_services[i], bad && i == 0 ? "bad" : command);
		snprintf(path, sizeof(path), "%s.yaml", sim_services[i]);
		snprintf(more, sizeof(more),
			 "  monitorSeconds: 20\n  priority: %u\n  deploymentConfiguration: "
			 "{minimumHealthyPercent: %u}\n%s",
			 i % 2, sim->min_healthy,
			 i == 2 ? "  placementConstraints:\n"
				  "  - {type: memberOf, expression: 'attribute:env == prod'}\n"
				: "");
		write_service(w, path, sim_services[i], sim_services[i], more);
	}
}

static void sim_commit(struct sim *sim)
{
	struct world *w = sim->w;
	bool broken = text_in(&w->draft, "broken.yaml") != NULL;
	switch (draw(sim, 6)) {
	case 0: /* one that does not apply */ file_set_text(w, "broken.yaml", "a: b\n"); break;
	case 1: /* back to an old one */ draft_of(w, draw(sim, (uint32_t)w->commits.len)); break;
	case 2: write_fleet(sim, true); break;
	case 3: /* without the last service */
		if (text_in(&w->draft, "s1.yaml"))
			file_remove(w, "s1.yaml");
		break;
	default:
		if (broken)
			file_remove(w, "broken.yaml");
		sim->versions++;
		write_fleet(sim, false);
	}
	commit(w);
	look_at(w, w->commits.len - 1);
}

static void damage_desired(struct sim *sim, struct sim_node *n, uint32_t index)
{
	char key[64];
	const struct buf *old = &sim->old_desired[index];
	sim_key(key, "desired", n);
	switch (draw(sim, 3)) {
	case 0: store_drop(sim->w, key); break;
	case 1: store_set(sim->w, key, "garbled", 7); break;
	case 2:
		if (old->len)
			store_set(sim->w, key, old->data, old->len);
		/* An agent without state may act on it before a controller that was started since
		 * has heard of either: such a number it learns only from what the agent says. */
		n->went_back = old->len > 0;
		break;
	}
	flights_are_lost(n);
}

static void empty_store(struct sim *sim)
{
	size_t it = 0;
	const char *key;
	while (map_next(sim->w->store, &it, &key, NULL)) {
		char copy[128];
		snprintf(copy, sizeof(copy), "%s", key);
		store_drop(sim->w, copy);
		sim_tell(sim, copy);
		it = 0;
	}
	control_store_away(sim->w->c, "gone");
	control_store_open(sim->w->c, FLEET);
	for (uint32_t i = 0; i < sim->node_count; i++)
		flights_are_lost(&sim->nodes[i]);
}

static void sim_faults(struct sim *sim)
{
	char key[64];
	if (!sim->calm && chance(sim, 80))
		sim_commit(sim);
	if (chance(sim, 15))
		empty_store(sim);
	if (chance(sim, 10))
		store_set(sim->w, "controller/families/s0", "{", 1);
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct sim_node *n = &sim->nodes[i];
		if (chance(sim, 20))
			n->silent = !n->silent;
		if (chance(sim, 20))
			sim_agent_restart(sim, n, false);
		if (chance(sim, 5))
			sim_agent_restart(sim, n, true);
		if (chance(sim, 20))
			damage_desired(sim, n, i);
		if (chance(sim, 10))
			store_set(sim->w, sim_key(key, "observed", n), "#", 1);
		if (chance(sim, 5))
			store_set(sim->w, sim_key(key, "nodes", n), "#", 1);
		if (!sim->calm && chance(sim, 20)) {
			n->env = n->env ? NULL : "prod";
			sim_register(sim, n);
		}
	}
}

static void sim_tick(struct sim *sim, int64_t ms)
{
	sim->tick++;
	sim->w->now_ms += ms;
	for (uint32_t i = 0; i < sim->node_count; i++)
		sim_agent(sim, &sim->nodes[i]);
	control_beats_told(sim->w->c, sim->w->now_ms);
	sim_controller(sim);
}

/* --- the end ----------------------------------------------------------------------------------
 */

static bool runs_as_declared(const struct sim *sim, const struct sim_node *n, uint32_t service)
{
	const struct service_state *s = NULL;
	char key[32];
	snprintf(key, sizeof(key), "default/%s", sim_services[service]);
	s = map_get(sim->w->c->services, key);
	bool wanted = s && (service != 2 || n->env);
	uint32_t running = 0;
	for (size_t i = 0; i < SIM_TASKS; i++) {
		const struct sim_task *t = &n->tasks[i];
		if (!t->id[0] || t->status == TASK_STOPPED ||
		    strcmp(t->service, sim_services[service]) != 0)
			continue;
		running++;
		if (!s || t->status != TASK_RUNNING ||
		    !digest_equal(&t->target, &s->content->target))
			return false;
	}
	return running == wanted;
}

static void check_converged(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->node_count; i++)
		for (uint32_t s = 0; s < SIM_SERVICES; s++)
			if (!runs_as_declared(sim, &sim->nodes[i], s))
				sim_fail(sim, "%s does not run %s as declared", sim->nodes[i].name,
					 sim_services[s]);
	size_t it = 0;
	void *value;
	while (map_next(sim->w->c->services, &it, NULL, &value)) {
		const struct service_state *s = value;
		if (s->primary.state != ROLLOUT_COMPLETED)
			sim_fail(sim, "the deployment of %s is %s", s->name,
				 rollout_state_name(s->primary.state));
		if (s->counts.ready != s->counts.desired)
			sim_fail(sim, "%s: %u of %u ready", s->name, s->counts.ready,
				 s->counts.desired);
	}
	uint32_t puts = sim->puts;
	for (int i = 0; i < 20; i++)
		sim_tick(sim, 5000);
	if (sim->puts != puts)
		sim_fail(sim, "%u puts though nothing happens", sim->puts - puts);
}

static void sim_end(struct sim *sim)
{
	struct world *w = sim->w;
	sim->chaos = false;
	for (uint32_t i = 0; i < sim->node_count; i++) {
		sim->nodes[i].silent = false;
		sim_register(sim, &sim->nodes[i]);
	}
	if (!sim->calm) {
		if (text_in(&w->draft, "broken.yaml"))
			file_remove(w, "broken.yaml");
		sim->versions += 10; /* another content of each */
		write_fleet(sim, false);
		commit(w);
	}
	look_at(w, w->commits.len - 1);
	for (int i = 0; i < 250; i++) {
		if (w->c->holds.len >
		    0) /* attributes came and went: nodes more than the guard lets go */
			control_allow(w->c, w->c->holds.items[0].id);
		sim_tick(sim, 1000);
	}
	check_converged(sim);
}

static void sim_run(uint64_t seed)
{
	static const uint32_t percents[] = { 90, 50, 0 };
	static const uint32_t steps_ms[] = { 20, 100, 500, 2000, 7000 };
	struct sim *sim = xcalloc(1, sizeof(*sim));
	sim->seed = sim->random = seed;
	sim->calm = draw(sim, 3) == 0;
	sim->node_count = 1 + draw(sim, SIM_NODES);
	sim->service_count = 1 + draw(sim, SIM_SERVICES);
	sim->min_healthy = percents[draw(sim, ARRAY_LEN(percents))];
	sim->w = world_new(0);
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct sim_node *n = &sim->nodes[i];
		snprintf(n->name, sizeof(n->name), "n%u", i);
		n->env = draw(sim, 2) ? "prod" : NULL;
		sim_agent_restart(sim, n, true);
	}
	write_fleet(sim, false);
	commit(sim->w);
	look_at(sim->w, 0);
	for (int i = 0; i < 20; i++)
		sim_tick(sim, 500);
	sim->chaos = true;
	for (int i = 0; i < TICKS; i++) {
		sim_faults(sim);
		sim_tick(sim, steps_ms[draw(sim, ARRAY_LEN(steps_ms))]);
	}
	sim_end(sim);
	for (uint32_t i = 0; i < sim->node_count; i++) {
		node_memory_free(sim->nodes[i].memory);
		arena_release(&sim->nodes[i].desired_arena);
		buf_release(&sim->old_desired[i]);
	}
	world_free(sim->w);
	free(sim);
}

static void fleets_are_safe_and_get_there(void **state)
{
	(void)state;
	const char *seed = getenv("SEED");
	if (seed) {
		sim_run(strtoull(seed, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= SEEDS; i++)
		sim_run(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(fleets_are_safe_and_get_there) };
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("control simulation", tests, NULL, NULL);
}
