/* Faults that come as events of their own, and how they end. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

bool chance(struct sim *sim, uint32_t per_mille)
{
	return per_mille > 0 && sim->phase == PHASE_CHAOS && draw(sim, 1000) < per_mille;
}

static void heal_in(struct sim *sim, enum fault fault, uint32_t who, int64_t in_ms)
{
	queue_push(&sim->queue, (struct event){ .at_ms = sim->now_ms + in_ms,
						.kind = EV_HEAL,
						.who = who,
						.what = (uint32_t)fault });
}

/* A machine that is there; MACHINES_MAX: none was found. */
static uint32_t pick(struct sim *sim, bool on)
{
	for (int i = 0; i < 8; i++) {
		uint32_t at = draw(sim, sim->machine_count);
		const struct machine *m = sim->machines[at];
		if (!m->retired && m->on == on)
			return at;
	}
	return MACHINES_MAX;
}

static struct task *pick_task(struct sim *sim, struct machine *m)
{
	struct task *t = m->tasks.len ? &m->tasks.items[draw(sim, (uint32_t)m->tasks.len)] : NULL;
	return t && t->status == TASK_RUNNING ? t : NULL;
}

/* --- of machines --------------------------------------------------------------------------------
 */

static bool task_fault(struct sim *sim, struct machine *m, enum fault fault)
{
	struct task *t = pick_task(sim, m);
	if (!t || t->stop_requested || (fault == F_TASK_SICK && !t->checked))
		return false;
	if (fault == F_TASK_CRASHED) {
		engine_end(sim, m, t);
	} else {
		t->health = HEALTH_UNHEALTHY;
		t->good_since_ms = 0;
		t->health_ms = sim->now_ms + draw_ms(sim, 5000, 30000);
	}
	engine_timer(sim, m);
	agent_step_soon(sim, m);
	return true;
}

/* A new disk: nothing is known of before, not even what runs. */
static void reinstall(struct sim *sim, struct machine *m)
{
	machine_power_off(sim, m);
	doc_drop(m->copy);
	m->copy = NULL;
	m->tasks.len = 0;
	buf_reset(&m->memory_file);
	buf_reset(&m->memory_synced);
	m->instance[0] = '\0';
}

static bool rename_machine(struct sim *sim, struct machine *m)
{
	if (sim->machine_count == MACHINES_MAX)
		return false;
	reinstall(sim, m);
	m->retired = true;
	struct machine *now = machine_add(sim);
	now->prod = m->prod;
	heal_in(sim, F_NODE_RENAMED, now->index, draw_ms(sim, 1000, 60000));
	return true;
}

static bool forget(struct sim *sim)
{
	struct controller *ctl = &sim->controller;
	for (uint32_t i = 0; i < sim->machine_count; i++) {
		const struct machine *m = sim->machines[i];
		const struct node_record *n = ctl->alive ? map_get(ctl->c->nodes, m->name) : NULL;
		if (!m->retired || !n || n->connection != CONNECTION_LOST || draw(sim, 3) == 0)
			continue;
		control_forget(ctl->c, m->name);
		oracle_forgotten(sim, i);
		controller_step_soon(sim);
		return true;
	}
	return false;
}

static bool damage(struct sim *sim, uint32_t machine)
{
	static const char *const kinds[] = { "nodes", "observed", "desired" };
	char key[KEY_MAX];
	uint32_t kind = draw(sim, ARRAY_LEN(kinds));
	if (kind == 2)
		oracle_store_lost(sim, machine);
	store_damage(sim, key_of(key, kinds[kind], sim->machines[machine]->name));
	return true;
}

static void agent_fault(struct sim *sim, struct machine *m, enum fault fault)
{
	agent_kill(sim, m, fault == F_AGENT_UNSYNCED);
	timer_at(sim, m->index, EV_AGENT_START, sim->now_ms + draw_ms(sim, 10, 90000));
}

static bool machine_fault(struct sim *sim, struct machine *m, enum fault fault)
{
	switch ((int)fault) {
	case F_NODE_CUT: m->link.cut = true; break;
	case F_AGENT_KILLED:
	case F_AGENT_UNSYNCED:
		if (!m->alive)
			return false;
		agent_fault(sim, m, fault);
		return true;
	case F_NODE_REBOOT:
	case F_NODE_OFF: machine_power_off(sim, m); break;
	case F_NODE_REINSTALLED: reinstall(sim, m); break;
	case F_NODE_RENAMED: return rename_machine(sim, m);
	case F_NODE_ATTRIBUTE:
		m->prod = !m->prod;
		if (m->alive)
			agent_register(sim, m);
		return true;
	case F_NODE_CLOCK: m->wall_ms += draw_ms(sim, 0, 4 * HOUR) - 2 * HOUR; return true;
	case F_ENGINE_AWAY: m->engine_away = true; break;
	case F_ENGINE_SLOW: m->engine_slow = true; break;
	case F_DISK_FULL: m->disk_full = true; break;
	case F_TASK_CRASHED:
	case F_TASK_SICK: return task_fault(sim, m, fault);
	case F_DOC_DAMAGED: return damage(sim, m->index);
	default: return false;
	}
	agent_step_soon(sim, m);
	int64_t longest = fault == F_NODE_OFF ? 20 * MINUTE : 3 * MINUTE;
	heal_in(sim, fault, m->index, draw_ms(sim, 100, longest));
	return true;
}

static void machine_heal(struct sim *sim, struct machine *m, enum fault fault)
{
	switch ((int)fault) {
	case F_NODE_CUT: m->link.cut = false; break;
	case F_NODE_REBOOT:
	case F_NODE_OFF:
	case F_NODE_REINSTALLED:
	case F_NODE_RENAMED:
		if (!m->on && !m->retired)
			machine_boot(sim, m);
		break;
	case F_ENGINE_AWAY: m->engine_away = false; break;
	case F_ENGINE_SLOW: m->engine_slow = false; break;
	case F_DISK_FULL: m->disk_full = false; break;
	default: break;
	}
	agent_step_soon(sim, m);
}

/* --- of the controller and the store ------------------------------------------------------------
 */

static bool controller_fault(struct sim *sim, enum fault fault)
{
	struct controller *ctl = &sim->controller;
	if (!ctl->alive && fault != F_STORE_DOWN && fault != F_STORE_CRASH)
		return false;
	switch ((int)fault) {
	case F_CONTROLLER_CUT: ctl->link.cut = true; break;
	case F_STORE_DOWN: sim->store.down = true; break;
	case F_STORE_CRASH:
		store_crash(sim);
		sim->store.down = true;
		break;
	case F_CONTROLLER_KILLED:
	case F_CONTROLLER_LOST: {
		int64_t away =
			draw(sim, 3) ? draw_ms(sim, 50, 10000) : draw_ms(sim, 10000, 10 * MINUTE);
		controller_kill(sim, away, fault == F_CONTROLLER_LOST);
		return true;
	}
	case F_CONTROLLER_CLOCK: ctl->wall_ms += draw_ms(sim, 0, 4 * HOUR) - 2 * HOUR; return true;
	case F_SOURCE_AWAY: ctl->source_away = true; break;
	default: return false;
	}
	heal_in(sim, fault, WORLD, draw_ms(sim, 100, 3 * MINUTE));
	return true;
}

void heal_event(struct sim *sim, const struct event *e)
{
	enum fault fault = (enum fault)e->what;
	mark(sim, e->who, "heals", NULL, e->what);
	if (e->who < MACHINES_MAX) {
		machine_heal(sim, sim->machines[e->who], fault);
		return;
	}
	switch ((int)fault) {
	case F_CONTROLLER_CUT: sim->controller.link.cut = false; break;
	case F_STORE_DOWN:
	case F_STORE_CRASH: sim->store.down = false; break;
	case F_SOURCE_AWAY: sim->controller.source_away = false; break;
	default: break;
	}
}

/* --- when ---------------------------------------------------------------------------------------
 */

static const char *const texts[FAULT_COUNT] = {
#define X(name, text) text,
	FAULTS(X)
#undef X
};

static bool happens(struct sim *sim, enum fault fault, uint32_t *machine)
{
	if (fault == F_ALLOWED)
		return holds_allow(sim);
	if (fault >= F_COMMIT_GOOD)
		return fault_commit(sim, fault);
	if (fault == F_NODE_FORGOTTEN)
		return forget(sim);
	*machine = pick(sim, true);
	if (controller_fault(sim, fault)) {
		*machine = WORLD;
		return true;
	}
	return *machine != MACHINES_MAX && machine_fault(sim, sim->machines[*machine], fault);
}

void fault_event(struct sim *sim)
{
	static const int64_t pauses_ms[] = { 20, 200, 2000, 10000, 40000 };
	uint32_t total = 0;
	timer_at(sim, WORLD, EV_FAULT,
		 sim->now_ms + draw_ms(sim, 1, pauses_ms[draw(sim, ARRAY_LEN(pauses_ms))]));
	for (int f = 0; f < FAULT_COUNT; f++)
		total += sim->weights[f];
	if (total == 0)
		return;
	uint32_t at = draw(sim, total), machine = WORLD;
	int fault = 0;
	for (; at >= sim->weights[fault]; fault++)
		at -= sim->weights[fault];
	/* What it meets is how things were before it. */
	struct sim_states states;
	fault_states(sim, &states);
	mark(sim, WORLD, texts[fault], "?", 0);
	if (!happens(sim, (enum fault)fault, &machine))
		return;
	mark(sim, machine < MACHINES_MAX ? machine : WORLD, texts[fault], NULL, (uint64_t)fault);
	fault_count(sim, (enum fault)fault, machine, &states);
}

static void draw_weights(struct sim *sim)
{
	/* Each seed has its own mix, so that each pair of faults has seeds in which it is frequent.
	 */
	static const uint8_t mixes[] = { 0, 0, 0, 1, 2, 4, 10 };
	for (int f = 0; f < FAULT_COUNT; f++) {
		uint32_t weight = mixes[draw(sim, ARRAY_LEN(mixes))];
		bool wanted = f >= F_TASK_CRASHED || f == F_NODE_ATTRIBUTE ||
			      f == F_NODE_REINSTALLED || f == F_NODE_RENAMED;
		sim->weights[f] = wanted && sim->static_only ? 0 : weight;
	}
	if (sim->static_only)
		return;
	sim->weights[F_COMMIT_GOOD] += 4;
	sim->weights[F_COMMIT_BAD] += 2;
	sim->weights[F_ALLOWED] += 1;
}

static uint32_t one_of(struct sim *sim, uint32_t a, uint32_t b)
{
	uint32_t at = draw(sim, 4);
	return at == 0 ? b : at == 1 ? a : 0;
}

void faults_begin(struct sim *sim)
{
	struct chances *c = &sim->chances;
	draw_weights(sim);
	*c = (struct chances){ 0 }; /* drawn one by one: their order matters */
	c->watch_late = one_of(sim, 50, 400);
	c->watch_lost = one_of(sim, 30, 400);
	c->watch_doubled = one_of(sim, 50, 300);
	c->request_slow = one_of(sim, 5, 60);
	c->put_failed = one_of(sim, 10, 100);
	c->controller_dies = one_of(sim, 2, 20);
	c->agent_dies = one_of(sim, 10, 80);
	if (!sim->static_only) {
		c->start_failed = one_of(sim, 20, 150);
		c->start_slow = one_of(sim, 50, 300);
		c->flaps = one_of(sim, 10, 60);
	}
	timer_at(sim, WORLD, EV_FAULT, sim->now_ms + draw_ms(sim, 1, 5000));
}

/* The last commit: new and good; or, where a breaker takes care of it, it may be what it is. */
static void last_commit(struct sim *sim)
{
	struct tree tree = sim->repo.commits.items[sim->repo.head]->tree;
	sim->fresh = draw(sim, 2) && !sim->static_only;
	bool changed = tree.invalid || sim->fresh;
	tree.invalid = false;
	for (uint32_t s = 0; s < sim->repo.services; s++) {
		bool bad = tree.of[s].profile >= PROFILE_FIRST_BAD && !sim->repo.fixed[s].breaker;
		if (!tree.of[s].present || (!bad && !sim->fresh))
			continue;
		changed = true;
		tree.of[s].profile = (enum profile)draw(sim, PROFILE_FIRST_BAD);
		tree.of[s].version = ++sim->repo.versions;
	}
	if (changed)
		repo_commit(sim, &tree, sim->repo.head);
	if (sim->controller.alive)
		timer_at(sim, CONTROLLER, EV_CONTROLLER_SOURCE, sim->now_ms + 100);
}

void faults_end(struct sim *sim)
{
	timer_off(sim, WORLD, EV_FAULT);
	sim->store.down = sim->controller.link.cut = sim->controller.source_away = false;
	if (!sim->controller.alive)
		timer_at(sim, CONTROLLER, EV_CONTROLLER_START, sim->now_ms + 100);
	for (uint32_t i = 0; i < sim->machine_count; i++) {
		struct machine *m = sim->machines[i];
		if (m->retired)
			continue;
		m->link.cut = m->engine_away = m->engine_slow = m->disk_full = false;
		if (!m->on)
			machine_boot(sim, m);
		else if (!m->alive)
			timer_at(sim, m->index, EV_AGENT_START, sim->now_ms + 100);
		agent_step_soon(sim, m);
	}
	last_commit(sim);
}
