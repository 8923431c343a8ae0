/*
 * What an agent must never do, judged by what really runs on its machine: a second task, a start
 * before its back-off or its dependency, a stop that no document that was read whole asks for.
 */
#include "sim.h"

#include <stdio.h>
#include <string.h>

static const struct wire_desired_task *wanted(const struct machine *m, uint32_t service)
{
	for (uint32_t i = 0; m->copy && i < m->copy->desired.task_count; i++)
		if (service_index(m->copy->desired.tasks[i].service) == service)
			return &m->copy->desired.tasks[i];
	return NULL;
}

static uint32_t count_alive(const struct machine *m, uint32_t service, const struct task *but)
{
	uint32_t count = 0;
	for (size_t i = 0; i < m->tasks.len; i++) {
		const struct task *t = &m->tasks.items[i];
		count += t != but && t->service == service && task_alive(t) && !t->stop_requested;
	}
	return count;
}

/* --- starts -------------------------------------------------------------------------------------
 */

/* Ready as its agent may see it, one that was away meanwhile too. */
static void note_ready(struct sim *sim, struct machine *m, const struct task *t)
{
	int64_t ran = boot_clock(sim, m) - t->started_ms;
	if (t->status == TASK_RUNNING && t->good_since_ms &&
	    ran >= (int64_t)sim->repo.fixed[t->service].min_ready_s * 1000)
		m->series[t->service].was_ready = true;
}

void oracle_looks(struct sim *sim, struct machine *m)
{
	for (size_t i = 0; i < m->tasks.len; i++) {
		const struct task *t = &m->tasks.items[i];
		note_ready(sim, m, t);
		m->series[t->service].ran |= t->started_ms && !t->earlier_boot;
	}
}

static void check_dependency(struct sim *sim, struct machine *m,
			     const struct wire_desired_task *want)
{
	uint32_t s = service_index(want->service);
	for (uint32_t i = 0; i < want->depends_on.len && !m->series[s].started; i++) {
		uint32_t on = service_index(want->depends_on.items[i]);
		if (wanted(m, on) && !m->series[on].was_ready)
			sim_fail(sim, "%s: s%u starts before s%u was ready", m->name, s, on);
	}
}

void oracle_start(struct sim *sim, struct machine *m, const struct wire_desired_task *want)
{
	uint32_t s = service_index(want->service);
	const struct series *series = &m->series[s];
	if (m->engine_away || m->disk_full)
		sim_fail(sim, "%s: s%u starts though it may not", m->name, s);
	uint32_t alive = 0, same = 0;
	for (size_t i = 0; i < m->tasks.len; i++) {
		const struct task *t = &m->tasks.items[i];
		if (t->service != s || !task_alive(t))
			continue;
		alive++;
		same += digest_equal(&t->target, &want->target);
	}
	if (alive > (want->surge ? 1 : 0) || same)
		sim_fail(sim, "%s: s%u: a task is started beside %u others%s", m->name, s, alive,
			 want->surge ? ", with surge" : "");
	if (digest_equal(&series->target, &want->target) && boot_clock(sim, m) < series->allowed_ms)
		sim_fail(sim, "%s: s%u starts %lld ms before its back-off is over", m->name, s,
			 (long long)(series->allowed_ms - boot_clock(sim, m)));
	check_dependency(sim, m, want);
	m->series[s].started = true;
}

/* --- stops --------------------------------------------------------------------------------------
 */

static bool one_document(const struct machine *m, uint32_t a, uint32_t b)
{
	return m->series[a].last_number && m->series[a].last_number == m->series[b].last_number;
}

/* Must k be stopped before s? They stop in the reverse of their order to start. Those that were
 * never in one document, or that the agent has forgotten, have none. */
static bool stops_before(const struct machine *m, uint32_t k, uint32_t s)
{
	return one_document(m, k, s) &&
	       (m->series[k].priority < m->series[s].priority || m->series[k].needs >> s & 1);
}

static void check_drain_order(struct sim *sim, const struct machine *m, const struct task *t)
{
	for (size_t i = 0; i < m->tasks.len; i++) {
		const struct task *other = &m->tasks.items[i];
		if (other->service == t->service || !task_alive(other) ||
		    wanted(m, other->service) || !stops_before(m, other->service, t->service))
			continue;
		if (!other->stop_requested || sim->now_ms - other->stop_asked_ms < STOP_PATIENCE_MS)
			sim_fail(sim, "%s: s%u is stopped before s%u has ended", m->name,
				 t->service, other->service);
	}
}

static void check_replaced(struct sim *sim, const struct machine *m, const struct task *t,
			   const struct wire_desired_task *want)
{
	const struct prepare *p = &m->prepares[t->service];
	if (digest_equal(&t->target, &want->target))
		sim_fail(sim, "%s: s%u is stopped and is what is desired", m->name, t->service);
	if (p->state != PREPARE_DONE || !digest_equal(&p->target, &want->target))
		sim_fail(sim, "%s: s%u is stopped before the next one is prepared", m->name,
			 t->service);
}

/* What is good stops only when another one is. */
static void check_surge(struct sim *sim, const struct machine *m, const struct task *t)
{
	for (size_t i = 0; i < m->tasks.len; i++) {
		const struct task *other = &m->tasks.items[i];
		if (other != t && other->service == t->service && other->good_since_ms &&
		    !other->stop_requested)
			return;
	}
	if (t->good_since_ms)
		sim_fail(sim, "%s: with surge s%u is stopped, and no other one is good", m->name,
			 t->service);
}

void oracle_stop(struct sim *sim, struct machine *m, const struct task *t, const char *reason)
{
	const struct wire_desired_task *want = wanted(m, t->service);
	bool ill = t->status == TASK_RUNNING && t->health == HEALTH_UNHEALTHY;
	if (!reason || t->stop_requested || !task_alive(t))
		sim_fail(sim, "%s: s%u is stopped twice, or without a reason", m->name, t->service);
	if (!m->copy || m->seen_written < m->copy->desired.number)
		sim_fail(sim, "%s: s%u is stopped because of what was not read, or not said",
			 m->name, t->service);
	if (m->engine_away)
		sim_fail(sim, "%s: s%u is stopped blindly", m->name, t->service);
	if (sim->static_only && sim->settled)
		sim_fail(sim, "%s: s%u is stopped, and nobody wanted anything: %s", m->name,
			 t->service, reason);
	if (!want)
		check_drain_order(sim, m, t);
	else if (want->surge)
		check_surge(sim, m, t);
	else if (!ill && count_alive(m, t->service, t) == 0)
		check_replaced(sim, m, t, want);
}

/* --- the series ---------------------------------------------------------------------------------
 */

void oracle_task_ended(struct sim *sim, struct machine *m, const struct task *t)
{
	static const int64_t delay_s[] = { 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300 };
	(void)sim;
	struct series *s = &m->series[t->service];
	if ((t->stop_requested && !t->unhealthy) || !digest_equal(&t->target, &s->target))
		return;
	if (t->started_ms && t->stopped_ms - t->started_ms >= RESTART_SERIES_MS)
		s->count = 0;
	size_t last = ARRAY_LEN(delay_s) - 1;
	s->allowed_ms = t->stopped_ms + 1000 * delay_s[s->count < last ? s->count : last];
	s->count++;
}

/* How the document lets them start: what each depends on, and that one goes with the highest
 * priority of those that depend on it. Services depend on earlier ones alone. */
static void note_order(const struct sim *sim, struct machine *m)
{
	for (uint32_t i = 0; i < SERVICES; i++) {
		const struct wire_desired_task *want = wanted(m, i);
		struct series *s = &m->series[i];
		if (!want)
			continue;
		s->last_number = m->copy->desired.number;
		s->priority = sim->repo.fixed[i].priority;
		s->needs = 0;
		for (uint32_t k = 0; k < want->depends_on.len; k++) {
			uint32_t on = service_index(want->depends_on.items[k]);
			if (wanted(m, on))
				s->needs |= m->series[on].needs | 1u << on;
		}
	}
	for (uint32_t i = 0; i < SERVICES; i++)
		for (uint32_t k = i + 1; wanted(m, i) && k < SERVICES; k++)
			if (wanted(m, k) && m->series[k].needs >> i & 1 &&
			    sim->repo.fixed[k].priority > m->series[i].priority)
				m->series[i].priority = sim->repo.fixed[k].priority;
}

/* It goes by another document, or was started. */
void oracle_desired(struct sim *sim, struct machine *m)
{
	note_order(sim, m);
	for (uint32_t i = 0; i < SERVICES; i++) {
		const struct wire_desired_task *want = wanted(m, i);
		struct series *s = &m->series[i];
		struct digest target = want ? want->target : (struct digest){ 0 };
		if (digest_equal(&s->target, &target))
			continue;
		s->target = target;
		s->count = 0;
		s->allowed_ms = 0;
	}
}

/* What it had in memory is gone. */
void oracle_forgot(struct machine *m)
{
	for (uint32_t i = 0; i < SERVICES; i++) {
		m->series[i].last_number = 0;
		m->series[i].ran = false;
	}
}

void oracle_booted(struct sim *sim, struct machine *m)
{
	(void)sim;
	memset(m->series, 0, sizeof(m->series));
}
