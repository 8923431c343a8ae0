/* Time: from event to event; and the rounds of a seed: chaos, calm until all has converged, rest.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#define CHECK_EVERY_MS (20 * SECOND)
#define CALM_MAX_MS    (3 * HOUR)
#define SETTLE_MS      (2 * MINUTE)
#define QUIET_MS       (5 * MINUTE)

/* --- timers -------------------------------------------------------------------------------------
 */

static int64_t *due_of(struct sim *sim, uint32_t who, enum event_kind kind)
{
	return who == CONTROLLER    ? &sim->controller.due_ms[kind]
	       : who < MACHINES_MAX ? &sim->machines[who]->due_ms[kind]
				    : &sim->due_ms[kind];
}

void timer_at(struct sim *sim, uint32_t who, enum event_kind kind, int64_t at_ms)
{
	int64_t *due = due_of(sim, who, kind);
	if (*due == at_ms)
		return;
	*due = at_ms;
	queue_push(&sim->queue, (struct event){ .at_ms = at_ms, .kind = kind, .who = who });
}

void timer_off(struct sim *sim, uint32_t who, enum event_kind kind)
{
	*due_of(sim, who, kind) = NEVER;
}

/* --- events -------------------------------------------------------------------------------------
 */

/* Of a life that is over. */
static bool stale(struct sim *sim, const struct event *e)
{
	switch (e->kind) {
	case EV_REQUEST:
	case EV_ANSWER:
	case EV_WATCH:
		return e->life !=
		       (e->who == CONTROLLER ? sim->controller.life : sim->machines[e->who]->life);
	case EV_HEAL: return sim->phase != PHASE_CHAOS;
	default: break;
	}
	int64_t *due = due_of(sim, e->who, e->kind);
	if (*due != e->at_ms)
		return true;
	*due = NEVER;
	return false;
}

static void answer(struct sim *sim, struct request *r)
{
	bool cut =
		r->who == CONTROLLER ? sim->controller.link.cut : sim->machines[r->who]->link.cut;
	r->ok &= !cut;
	mark(sim, r->who, r->ok ? "answer" : "no answer", r->key, (uint64_t)r->kind);
	if (r->who == CONTROLLER)
		controller_answer(sim, r);
	else
		agent_answer(sim, sim->machines[r->who], r);
	request_free(r);
}

static void check(struct sim *sim);

static void dispatch(struct sim *sim, struct event *e)
{
	switch (e->kind) {
	case EV_REQUEST: store_execute(sim, e->data); return;
	case EV_ANSWER: answer(sim, e->data); return;
	case EV_ENGINE: engine_advance(sim, sim->machines[e->who]); return;
	case EV_FAULT: fault_event(sim); return;
	case EV_HEAL: heal_event(sim, e); return;
	case EV_CHECK: check(sim); return;
	default: break;
	}
	sim->hash = sim->hash * 31 + (uint64_t)e->kind + ((uint64_t)e->who << 8) +
		    ((uint64_t)sim->now_ms << 16);
	if (e->who == CONTROLLER)
		controller_event(sim, e);
	else
		agent_event(sim, sim->machines[e->who], e);
	if (e->kind == EV_WATCH)
		free(e->data);
}

static void drop(struct event *e)
{
	if (e->kind == EV_REQUEST || e->kind == EV_ANSWER)
		request_free(e->data);
	else if (e->kind == EV_WATCH)
		free(e->data);
}

/* --- rounds -------------------------------------------------------------------------------------
 */

static void phase_begin(struct sim *sim, enum phase phase)
{
	static const char *const names[] = { "begin", "chaos", "calm", "settled", "quiet" };
	sim->phase = phase;
	sim->phase_since_ms = sim->now_ms;
	mark(sim, WORLD, names[phase], NULL, 0);
}

static void calm_begin(struct sim *sim)
{
	phase_begin(sim, PHASE_CALM);
	faults_end(sim);
}

static void chaos_begin(struct sim *sim)
{
	phase_begin(sim, PHASE_CHAOS);
	faults_begin(sim);
	sim->phase_until = sim->events + 2000 + draw(sim, 5000);
}

static void check_calm(struct sim *sim)
{
	char why[160] = "";
	holds_allow(sim);
	if (oracle_converged(sim, why)) {
		phase_begin(sim, PHASE_SETTLED);
		sim->coverage->converged++;
		return;
	}
	if (sim->now_ms - sim->phase_since_ms > CALM_MAX_MS)
		sim_fail(sim, "it does not converge: %s", why);
}

static void check(struct sim *sim)
{
	char why[160] = "";
	int64_t since = sim->now_ms - sim->phase_since_ms;
	timer_at(sim, WORLD, EV_CHECK, sim->now_ms + CHECK_EVERY_MS);
	switch (sim->phase) {
	case PHASE_BEGIN: break;
	case PHASE_CHAOS:
		if (sim->events >= sim->phase_until)
			calm_begin(sim);
		break;
	case PHASE_CALM: check_calm(sim); break;
	case PHASE_SETTLED:
		if (since < SETTLE_MS)
			break;
		sim->effects_at_rest = sim->effects;
		phase_begin(sim, PHASE_QUIET);
		break;
	case PHASE_QUIET:
		if (sim->effects != sim->effects_at_rest && oracle_at_rest(sim))
			sim_fail(sim, "%llu effects though nothing happens",
				 (unsigned long long)(sim->effects - sim->effects_at_rest));
		if (!oracle_converged(sim, why))
			sim_fail(sim, "it does not stay as it is: %s", why);
		if (since < QUIET_MS)
			break;
		sim->settled = true;
		if (sim->events < sim->events_wanted)
			chaos_begin(sim);
		else
			sim->over = true;
		break;
	}
}

/* --- the beginning ------------------------------------------------------------------------------
 */

static struct service_fixed draw_service(struct sim *sim, uint32_t s)
{
	static const uint32_t percents[] = { 90, 90, 75, 50, 0 };
	static const uint32_t max_percents[] = { 100, 100, 100, 125, 200 };
	static const uint32_t monitors_s[] = { 0, 5, 20, 60 };
	static const uint32_t readies_s[] = { 0, 1, 5, 10 };
	static const uint32_t deadlines_s[] = { 600, 600, 240 };
	static const char *const steps[] = {
		NULL,
		NULL,
		"{count: 1, bakeSeconds: 30}",
		"{percent: 20, bakeSeconds: 5}, {percent: 60}",
		"{expression: 'attribute:env == prod', bakeSeconds: 60}, {percent: 50}",
	};
	struct service_fixed f = { .depends_on = -1 }; /* one by one: their order matters */
	f.min_healthy = percents[draw(sim, ARRAY_LEN(percents))];
	f.max_percent = max_percents[draw(sim, ARRAY_LEN(max_percents))];
	f.monitor_s = monitors_s[draw(sim, ARRAY_LEN(monitors_s))];
	f.min_ready_s = readies_s[draw(sim, ARRAY_LEN(readies_s))];
	f.deadline_s = deadlines_s[draw(sim, ARRAY_LEN(deadlines_s))];
	f.breaker = draw(sim, 4) > 0;
	f.keep = draw(sim, 6) == 0;
	f.steps = steps[draw(sim, ARRAY_LEN(steps))];
	if (draw(sim, 2))
		f.priority = (int32_t)draw(sim, 3);
	if (s > 0 && draw(sim, 3) == 0)
		f.depends_on = (int)draw(sim, s);
	f.constrained = draw(sim, 4) == 0;
	return f;
}

static void draw_services(struct sim *sim)
{
	sim->repo.services = 1 + draw(sim, SERVICES);
	for (uint32_t s = 0; s < sim->repo.services; s++)
		sim->repo.fixed[s] = draw_service(sim, s);
}

static uint32_t draw_machines(struct sim *sim)
{
	uint32_t class = draw(sim, 100);
	return class < 70 ? 1 + draw(sim, 5) : class < 97 ? 5 + draw(sim, 10) : 20 + draw(sim, 31);
}

static void begin(struct sim *sim)
{
	struct tree tree = { 0 };
	for (int k = 0; k < EV_COUNT; k++)
		sim->due_ms[k] = sim->controller.due_ms[k] = NEVER;
	sim->static_only = draw(sim, 6) == 0;
	draw_services(sim);
	for (uint32_t n = draw_machines(sim); n > 0; n--) {
		uint32_t index = machine_add(sim)->index;
		timer_at(sim, index, EV_AGENT_START, draw_ms(sim, 1, 5000));
	}
	for (uint32_t i = 0; i < sim->machine_count; i++) {
		sim->machines[i]->on = true;
		sim->machines[i]->boot = 1;
	}
	for (uint32_t s = 0; s < sim->repo.services; s++) {
		tree.of[s].present = s == 0 || draw(sim, 5);
		tree.of[s].profile = (enum profile)draw(sim, PROFILE_FIRST_BAD);
		tree.of[s].version = ++sim->repo.versions;
	}
	repo_commit(sim, &tree, -1);
	sim->controller.applied = -1;
	timer_at(sim, CONTROLLER, EV_CONTROLLER_START, draw_ms(sim, 1, 5000));
	timer_at(sim, WORLD, EV_CHECK, CHECK_EVERY_MS);
	if (!sim->static_only && draw(sim, 2))
		chaos_begin(sim);
	else
		phase_begin(sim, PHASE_CALM);
}

static void end(struct sim *sim)
{
	struct event e;
	while (queue_pop(&sim->queue, &e))
		drop(&e);
	vec_release(&sim->queue.heap);
	if (sim->controller.c)
		control_free(sim->controller.c);
	oracle_free(sim);
	for (uint32_t i = 0; i < sim->machine_count; i++)
		machine_free(sim->machines[i]);
	store_free(sim);
	repo_free(sim);
}

uint64_t sim_run(uint64_t seed, uint64_t events, bool print, struct coverage *coverage)
{
	struct sim *sim = xcalloc(1, sizeof(*sim));
	struct event e;
	sim->seed = seed;
	sim->random = (seed + 1) * 0x9e3779b97f4a7c15;
	for (int i = 0; i < 8; i++)
		draw(sim, 2);
	sim->events_wanted = events;
	sim->print = print;
	sim->coverage = coverage;
	store_init(sim);
	begin(sim);
	while (!sim->over && queue_pop(&sim->queue, &e)) {
		sim->now_ms = e.at_ms;
		if (stale(sim, &e)) {
			drop(&e);
			continue;
		}
		sim->events++;
		dispatch(sim, &e);
	}
	uint64_t hash = sim->hash;
	coverage->seeds++;
	coverage->events += sim->events;
	coverage->simulated_ms += (uint64_t)sim->now_ms;
	end(sim);
	free(sim);
	return hash;
}
