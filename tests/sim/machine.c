/* Machines and their engine: tasks that start, break and stop as their profile says. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASK_RECORDS_MAX 400 /* of all services of a machine: what is never removed is a bug */

int64_t boot_clock(const struct sim *sim, const struct machine *m)
{
	return sim->now_ms - m->boot_ms + 1000;
}

uint32_t service_index(const char *name)
{
	return (uint32_t)(name[1] - '0');
}

bool task_alive(const struct task *t)
{
	return t->status != TASK_STOPPED;
}

struct task *engine_find(struct machine *m, const char *id)
{
	for (size_t i = 0; i < m->tasks.len; i++)
		if (strcmp(m->tasks.items[i].id, id) == 0)
			return &m->tasks.items[i];
	return NULL;
}

/* --- what happens by itself ---------------------------------------------------------------------
 */

void engine_timer(struct sim *sim, struct machine *m)
{
	int64_t next = NEVER;
	for (size_t i = 0; i < m->tasks.len; i++) {
		const struct task *t = &m->tasks.items[i];
		if (!task_alive(t))
			continue;
		next = t->due_ms < next ? t->due_ms : next;
		next = t->health_ms < next ? t->health_ms : next;
	}
	for (uint32_t s = 0; s < SERVICES; s++)
		if (m->prepares[s].state == PREPARE_RUNNING && m->prepares[s].due_ms < next)
			next = m->prepares[s].due_ms;
	if (next == NEVER)
		timer_off(sim, m->index, EV_ENGINE);
	else
		timer_at(sim, m->index, EV_ENGINE, next);
}

void engine_end(struct sim *sim, struct machine *m, struct task *t)
{
	t->status = TASK_STOPPED;
	t->stopped_ms = boot_clock(sim, m);
	t->due_ms = t->health_ms = NEVER;
	t->good_since_ms = 0;
	mark(sim, m->index, "task ended", t->family, t->version);
	oracle_task_ended(sim, m, t);
}

/* It runs now: until when, and how is its health? */
static void task_runs(struct sim *sim, struct machine *m, struct task *t)
{
	t->status = TASK_RUNNING;
	t->started_ms = boot_clock(sim, m);
	t->due_ms = t->health_ms = NEVER;
	t->checked = t->profile == PROFILE_CHECKED || t->profile == PROFILE_LATE ||
		     t->profile == PROFILE_SICK;
	if (!t->checked)
		t->good_since_ms = sim->now_ms;
	if (t->profile == PROFILE_CRASH)
		t->due_ms = sim->now_ms + draw_ms(sim, 10, 6000);
	if (t->checked)
		t->health_ms = sim->now_ms + (t->profile == PROFILE_LATE ? draw_ms(sim, 8000, 50000)
									 : draw_ms(sim, 500, 3000));
	mark(sim, m->index, "task runs", t->family, t->version);
}

static void task_health(struct sim *sim, struct machine *m, struct task *t)
{
	bool ill = t->profile == PROFILE_SICK || chance(sim, sim->chances.flaps);
	if (ill && t->profile != PROFILE_SICK)
		fault_met(sim, F_TASK_SICK, m->index);
	t->health = ill ? HEALTH_UNHEALTHY : HEALTH_HEALTHY;
	t->good_since_ms = ill ? 0 : t->good_since_ms ? t->good_since_ms : sim->now_ms;
	t->health_ms = sim->chances.flaps ? sim->now_ms + draw_ms(sim, 20000, 90000) : NEVER;
	if (ill && t->profile != PROFILE_SICK)
		t->health_ms = sim->now_ms + draw_ms(sim, 5000, 20000);
	mark(sim, m->index, ill ? "task unhealthy" : "task healthy", t->family, t->version);
}

static void task_changes(struct sim *sim, struct machine *m, struct task *t)
{
	bool starts = t->status == TASK_PENDING && !t->stop_requested && !t->did_not_start;
	if (starts && t->profile != PROFILE_HANG)
		task_runs(sim, m, t);
	else
		engine_end(sim, m, t);
}

static void prepares_advance(struct sim *sim, struct machine *m)
{
	for (uint32_t s = 0; s < SERVICES; s++) {
		struct prepare *p = &m->prepares[s];
		if (p->state == PREPARE_RUNNING && sim->now_ms >= p->due_ms)
			p->state = p->fails ? PREPARE_FAILED : PREPARE_DONE;
	}
}

void engine_advance(struct sim *sim, struct machine *m)
{
	for (size_t i = 0; i < m->tasks.len; i++) {
		struct task *t = &m->tasks.items[i];
		if (task_alive(t) && sim->now_ms >= t->due_ms)
			task_changes(sim, m, t);
		else if (task_alive(t) && sim->now_ms >= t->health_ms)
			task_health(sim, m, t);
	}
	prepares_advance(sim, m);
	engine_timer(sim, m);
	agent_step_soon(sim, m);
}

/* --- what it is asked to do ---------------------------------------------------------------------
 */

static enum profile profile_of(const struct wire_desired_task *want, uint32_t *version)
{
	const struct container_definition *c =
		&want->task_definition->container_definitions.items[0];
	*version = (uint32_t)strtoul(c->command.items[1], NULL, 10);
	for (int p = 0; p < PROFILE_COUNT; p++)
		if (strcmp(profile_name((enum profile)p), c->command.items[0]) == 0)
			return (enum profile)p;
	return PROFILE_GOOD;
}

void engine_start(struct sim *sim, struct machine *m, const struct wire_desired_task *want)
{
	oracle_start(sim, m, want);
	if (m->tasks.len >= TASK_RECORDS_MAX)
		sim_fail(sim, "%s: records of stopped tasks are not removed", m->name);
	struct task *t = vec_push(&m->tasks);
	*t = (struct task){ .service = service_index(want->service),
			    .revision = want->revision,
			    .target = want->target,
			    .status = TASK_PENDING,
			    .health_ms = NEVER };
	t->profile = profile_of(want, &t->version);
	snprintf(t->id, sizeof(t->id), "%016llx%08x%08x", (unsigned long long)sim->random, m->index,
		 ++m->ids);
	snprintf(t->family, sizeof(t->family), "%s", want->family);
	snprintf(t->deployment, sizeof(t->deployment), "%s", want->deployment);
	bool slow = m->engine_slow || chance(sim, sim->chances.start_slow);
	bool fails = chance(sim, sim->chances.start_failed);
	if (fails)
		fault_met(sim, F_START_FAILED, m->index);
	t->did_not_start =
		fails || t->profile == PROFILE_NO_START || t->profile == PROFILE_NO_PREPARE;
	t->due_ms = sim->now_ms + (t->profile == PROFILE_HANG ? draw_ms(sim, 60000, 600000)
				   : slow		      ? draw_ms(sim, 1000, 40000)
							      : draw_ms(sim, 5, 200));
	mark(sim, m->index, "start", t->family, t->version);
	engine_timer(sim, m);
}

void engine_stop(struct sim *sim, struct machine *m, struct task *t, const char *reason)
{
	oracle_stop(sim, m, t, reason);
	mark(sim, m->index, "stop", t->family, t->version);
	t->unhealthy = strstr(reason, "health checks") != NULL;
	snprintf(t->reason, sizeof(t->reason), "%s", reason);
	t->stop_requested = true;
	if (!task_alive(t))
		return;
	t->status = TASK_STOPPING;
	t->good_since_ms = 0;
	t->stop_asked_ms = sim->now_ms;
	t->health_ms = NEVER;
	t->due_ms =
		sim->now_ms + (m->engine_slow ? draw_ms(sim, 2000, 90000) : draw_ms(sim, 0, 1500));
	engine_timer(sim, m);
}

void engine_prepare(struct sim *sim, struct machine *m, const struct wire_desired_task *want)
{
	uint32_t version;
	enum profile profile = profile_of(want, &version);
	struct prepare *p = &m->prepares[service_index(want->service)];
	p->target = want->target;
	p->state = PREPARE_RUNNING;
	p->bad = profile == PROFILE_NO_PREPARE;
	p->fails = p->bad || chance(sim, sim->chances.start_failed);
	p->due_ms =
		sim->now_ms + (m->engine_slow ? draw_ms(sim, 500, 45000) : draw_ms(sim, 1, 400));
	mark(sim, m->index, "prepare", want->service, version);
	engine_timer(sim, m);
}

/* --- machines -----------------------------------------------------------------------------------
 */

struct machine *machine_add(struct sim *sim)
{
	struct machine *m = xcalloc(1, sizeof(*m));
	uint32_t index = sim->machine_count++;
	sim->machines[index] = m;
	m->index = index;
	snprintf(m->name, sizeof(m->name), "n%u", index);
	for (int k = 0; k < EV_COUNT; k++)
		m->due_ms[k] = NEVER;
	m->prod = draw(sim, 3) > 0;
	m->wall_ms = draw_ms(sim, 0, 4000) - 2000;
	return m;
}

static void disk_free(struct machine *m)
{
	doc_drop(m->copy);
	m->copy = NULL;
	buf_release(&m->memory_file);
	buf_release(&m->memory_synced);
}

void machine_free(struct machine *m)
{
	node_memory_free(m->memory);
	arena_release(&m->report);
	doc_drop(m->record);
	doc_drop(m->observed);
	disk_free(m);
	vec_release(&m->tasks);
	free(m);
}

void machine_power_off(struct sim *sim, struct machine *m)
{
	if (m->alive)
		agent_kill(sim, m, true);
	m->on = false;
	for (size_t i = 0; i < m->tasks.len; i++) {
		struct task *t = &m->tasks.items[i];
		t->status = TASK_STOPPED;
		t->earlier_boot = true;
		t->started_ms = t->stopped_ms = 0;
		t->due_ms = t->health_ms = NEVER;
		t->good_since_ms = 0;
	}
	engine_timer(sim, m);
	mark(sim, m->index, "power off", NULL, m->boot);
}

void machine_boot(struct sim *sim, struct machine *m)
{
	m->on = true;
	m->boot++;
	m->boot_ms = sim->now_ms;
	mark(sim, m->index, "boot", NULL, m->boot);
	oracle_booted(sim, m);
	agent_start(sim, m);
}
