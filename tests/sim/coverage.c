/* Which faults met which states. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

static const char *const fault_texts[FAULT_COUNT] = {
#define X(name, text) text,
	FAULTS(X)
#undef X
};
static const char *const deployment_texts[DEPLOYMENT_STATES] = {
	[D_PAUSED] = "paused",	     [D_ROLLBACK] = "rollback", [D_ROLLED_BACK] = "rolledbk",
	[D_NONE] = "none",	     [D_FIRST] = "first",	[D_UPDATE] = "update",
	[D_COMPLETED] = "completed", [D_FAILED] = "failed",	[D_AWAY] = "away",
};
static const char *const agent_texts[AGENT_STATES] = {
	[A_OFF] = "off",	   [A_UNREGISTERED] = "claims", [A_UNKNOWN] = "unknown",
	[A_PREPARING] = "prepare", [A_STOPPING] = "stopping",	[A_STARTING] = "starting",
	[A_WAITING] = "waits",	   [A_UNREADY] = "unready",	[A_READY] = "ready",
};

static enum deployment_state deployment_state(const struct service_state *s)
{
	if (!s->has_primary)
		return D_NONE;
	switch (s->primary.state) {
	case ROLLOUT_COMPLETED: return s->has_failed ? D_ROLLED_BACK : D_COMPLETED;
	case ROLLOUT_FAILED: return D_FAILED;
	case ROLLOUT_IN_PROGRESS: break;
	}
	if (s->primary.rollback_of[0])
		return D_ROLLBACK;
	if (s->verdict.paused || s->closed)
		return D_PAUSED;
	return s->has_previous ? D_UPDATE : D_FIRST;
}

static enum agent_state agent_state(const struct machine *m)
{
	enum agent_state worst = A_READY;
	if (!m->alive)
		return A_OFF;
	if (m->claim != CLAIM_HELD)
		return A_UNREGISTERED;
	if (!m->copy)
		return A_UNKNOWN;
	for (uint32_t i = 0; i < m->last.task_count; i++) {
		const struct wire_task *t = &m->last.tasks[i];
		enum agent_state state = t->last_status == TASK_PROVISIONING ? A_PREPARING
					 : t->last_status == TASK_STOPPING   ? A_STOPPING
					 : t->last_status == TASK_PENDING
						 ? (t->id[0] ? A_STARTING : A_WAITING)
					 : t->ready ? A_READY
						    : A_UNREADY;
		worst = state < worst ? state : worst;
	}
	return worst;
}

void fault_states(const struct sim *sim, struct sim_states *states)
{
	*states = (struct sim_states){ 0 };
	if (!sim->controller.alive) {
		states->deployment[D_AWAY] = true;
	} else {
		size_t it = 0;
		void *value;
		while (map_next(sim->controller.c->services, &it, NULL, &value))
			states->deployment[deployment_state(value)] = true;
	}
	for (uint32_t i = 0; i < sim->machine_count; i++)
		states->agent[i] = agent_state(sim->machines[i]);
}

void fault_count(struct sim *sim, enum fault fault, uint32_t machine,
		 const struct sim_states *states)
{
	for (int d = 0; d < DEPLOYMENT_STATES; d++)
		sim->coverage->deployment[fault][d] += states->deployment[d];
	if (machine < MACHINES_MAX) {
		sim->coverage->agent[fault][states->agent[machine]]++;
		return;
	}
	bool there[AGENT_STATES] = { false };
	for (uint32_t i = 0; i < sim->machine_count; i++)
		there[states->agent[i]] = true;
	for (int a = 0; a < AGENT_STATES; a++)
		sim->coverage->agent[fault][a] += there[a];
}

void fault_met(struct sim *sim, enum fault fault, uint32_t machine)
{
	struct sim_states states;
	fault_states(sim, &states);
	fault_count(sim, fault, machine < MACHINES_MAX ? machine : WORLD, &states);
}

void coverage_print(const struct coverage *c)
{
	printf("# %-24s", "fault x state");
	for (int d = 0; d < DEPLOYMENT_STATES; d++)
		printf("%10s", deployment_texts[d]);
	printf("  |");
	for (int a = 0; a < AGENT_STATES; a++)
		printf("%9s", agent_texts[a]);
	printf("\n");
	for (int f = 0; f < FAULT_COUNT; f++) {
		printf("# %-24s", fault_texts[f]);
		for (int d = 0; d < DEPLOYMENT_STATES; d++)
			printf("%10llu", (unsigned long long)c->deployment[f][d]);
		printf("  |");
		for (int a = 0; a < AGENT_STATES; a++)
			printf("%9llu", (unsigned long long)c->agent[f][a]);
		printf("\n");
	}
	printf("# %llu seeds, %llu events, %llu effects, %llu puts, %llu actions, %llu times "
	       "converged, %.1f days\n",
	       (unsigned long long)c->seeds, (unsigned long long)c->events,
	       (unsigned long long)c->effects, (unsigned long long)c->puts,
	       (unsigned long long)c->actions, (unsigned long long)c->converged,
	       (double)c->simulated_ms / 86400000);
}
