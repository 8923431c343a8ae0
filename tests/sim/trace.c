/* The hash over all that happens, and the last lines of it for people. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3;
	return hash;
}

static uint64_t hash_number(uint64_t hash, uint64_t n)
{
	hash = (hash ^ n) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 29;
}

static void line_print(const struct sim *sim, const struct mark *m)
{
	const char *who = m->who == CONTROLLER ? "controller"
			  : m->who < MACHINES_MAX && sim->machines[m->who]
				  ? sim->machines[m->who]->name
				  : "world";
	printf("# %8llu %10.3f s  %-10s %-22s %s %llu\n", (unsigned long long)m->event,
	       (double)m->at_ms / 1000, who, m->what, m->text, (unsigned long long)m->a);
}

void mark(struct sim *sim, uint32_t who, const char *what, const char *text, uint64_t a)
{
	struct mark *m = &sim->marks[sim->mark_count++ % MARKS];
	m->at_ms = sim->now_ms;
	m->event = sim->events;
	m->who = who;
	m->what = what;
	m->a = a;
	size_t len = text ? strlen(text) : 0;
	if (len >= sizeof(m->text))
		len = sizeof(m->text) - 1;
	memcpy(m->text, text ? text : "", len);
	m->text[len] = '\0';
	uint64_t hash = hash_number(sim->hash, (uint64_t)sim->now_ms << 8 ^ who);
	hash = hash_bytes(hash, what, strlen(what));
	hash = hash_bytes(hash, m->text, len);
	sim->hash = hash_number(hash, a);
	if (sim->print)
		line_print(sim, m);
}

void marks_print(const struct sim *sim)
{
	uint64_t first = sim->mark_count > MARKS ? sim->mark_count - MARKS : 0;
	for (uint64_t i = first; i < sim->mark_count; i++)
		line_print(sim, &sim->marks[i % MARKS]);
}

static void machine_print(const struct sim *sim, const struct machine *m)
{
	static const char *const claims[] = { "unclaimed", "waiting", "taking", "held", "lost" };
	const struct node_record *n =
		sim->controller.alive ? map_get(sim->controller.c->nodes, m->name) : NULL;
	printf("# %-4s %s%s%s%s, seen %llu of %llu, written %llu;", m->name,
	       m->retired  ? "retired "
	       : !m->on	   ? "off "
	       : !m->alive ? "no agent "
			   : "",
	       claims[m->claim], m->store_ok ? "" : ", no store", m->prod ? ", prod" : "",
	       (unsigned long long)m->seen, (unsigned long long)m->highest,
	       (unsigned long long)m->seen_written);
	if (n)
		printf(" controller: %s%s, number %llu, put %llu%s%s, %zu assigned;",
		       !n->registered			   ? "unregistered"
		       : n->connection == CONNECTION_ALIVE ? "alive"
		       : n->connection == CONNECTION_LOST  ? "lost"
							   : "unknown",
		       n->observed_known ? "" : ", unobserved", (unsigned long long)n->number,
		       (unsigned long long)n->put_number, n->put_pending ? " pending" : "",
		       n->dirty ? " dirty" : "", n->assignments.len);
	for (size_t i = 0; i < m->tasks.len; i++) {
		const struct task *t = &m->tasks.items[i];
		if (task_alive(t))
			printf(" s%u:%s %u %s", t->service, profile_name(t->profile), t->version,
			       task_status_name(t->status));
	}
	for (uint32_t i = 0; m->alive && i < m->last.task_count; i++) {
		const struct wire_task *t = &m->last.tasks[i];
		if (t->reason)
			printf(" %s: \"%s\"", t->service, t->reason);
	}
	for (uint32_t s = 0; s < SERVICES; s++) {
		const struct flight *f = &sim->oracle.flight[m->index][s];
		if (f->on)
			printf(" s%u in flight%s by %llu, silent %lld ms,", s, f->maybe ? "?" : "",
			       (unsigned long long)f->number,
			       (long long)(sim->now_ms - sim->oracle.heard_ms[m->index]));
	}
	printf("\n");
}

/* What the controller says of them. */
static void explain_print(const struct sim *sim, const struct service_state *s)
{
	struct arena arena;
	arena_init(&arena);
	for (uint32_t i = 0; i < sim->machine_count && s->id != PLAN_NONE; i++) {
		struct plan_why *why;
		const struct node_record *n =
			map_get(sim->controller.c->nodes, sim->machines[i]->name);
		if (!n || n->id == PLAN_NONE)
			continue;
		uint32_t count =
			planner_explain(sim->controller.c->planner, s->id, n->id, &arena, &why);
		for (uint32_t k = 0; k < count; k++)
			printf("#   %s on %s: %s\n", s->name, n->name, why[k].text);
	}
	arena_release(&arena);
}

static void services_print(const struct sim *sim)
{
	size_t it = 0;
	void *value;
	while (sim->controller.alive && map_next(sim->controller.c->services, &it, NULL, &value)) {
		const struct service_state *s = value;
		printf("# %s:%s %s, %u desired, %u ready, %u in flight, %u%%\n", s->name,
		       s->spec ? "" : " not in the commit,",
		       s->has_primary ? rollout_state_name(s->primary.state) : "no deployment",
		       s->counts.desired, s->counts.ready, s->counts.in_flight,
		       s->min_healthy_percent);
		explain_print(sim, s);
	}
}

void sim_fail(struct sim *sim, const char *fmt, ...)
{
	va_list args;
	if (!sim->print)
		marks_print(sim);
	for (uint32_t i = 0; i < sim->machine_count; i++)
		machine_print(sim, sim->machines[i]);
	services_print(sim);
	printf("# seed %llu, event %llu, %.3f s: ", (unsigned long long)sim->seed,
	       (unsigned long long)sim->events, (double)sim->now_ms / 1000);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n# again: make sim SEED=%llu N=1\n", (unsigned long long)sim->seed);
	fflush(stdout);
	_Exit(EXIT_DIFFERS);
}
