/*
 * What holds of deployments: one that FAILED launches nothing more, a rollback is never rolled
 * back; and where all must be when the faults are over.
 */
#include "sim.h"

#include <stdio.h>
#include <string.h>

static const struct service_state *state_of(const struct sim *sim, uint32_t service)
{
	char key[24];
	snprintf(key, sizeof(key), "default/s%u", service);
	return sim->controller.alive ? map_get(sim->controller.c->services, key) : NULL;
}

/* --- deployments --------------------------------------------------------------------------------
 */

static void see(const struct sim *sim, uint32_t service, struct rollout_seen *out)
{
	const struct service_state *s = state_of(sim, service);
	*out = (struct rollout_seen){ 0 };
	if (!s || !s->has_primary)
		return;
	memcpy(out->id, s->primary.id, sizeof(out->id));
	memcpy(out->commit, sim->controller.c->applied.id, sizeof(out->commit));
	out->is_rollback = s->primary.rollback_of[0] != '\0';
	out->has_failed = s->primary.state == ROLLOUT_FAILED;
	if (out->has_failed)
		out->failed[0] = s->primary.release;
	if (s->has_failed)
		out->failed[1] = s->failed.release;
}

void oracle_rollouts_before(struct sim *sim)
{
	for (uint32_t s = 0; s < sim->repo.services; s++)
		see(sim, s, &sim->oracle.rollout[s]);
}

void oracle_rollouts_after(struct sim *sim)
{
	for (uint32_t s = 0; s < sim->repo.services; s++) {
		const struct rollout_seen *before = &sim->oracle.rollout[s];
		struct rollout_seen now;
		see(sim, s, &now);
		if (before->is_rollback && strcmp(before->id, now.id) != 0 &&
		    strcmp(before->commit, now.commit) == 0)
			sim_fail(sim, "s%u: the rollback %s is followed by %s without a commit", s,
				 before->id, now.id);
	}
}

/* Without overrides the release is the target. */
void oracle_launch(struct sim *sim, uint32_t machine, uint32_t service, const struct digest *now)
{
	struct rollout_seen after;
	see(sim, service, &after);
	for (int i = 0; i < 2; i++)
		if (digest_equal(&sim->oracle.rollout[service].failed[i], now) &&
		    digest_equal(&after.failed[i], now))
			sim_fail(sim, "%s: s%u is launched, and its deployment FAILED",
				 sim->machines[machine]->name, service);
}

/* --- the end ------------------------------------------------------------------------------------
 */

static bool is_wanted(const struct sim *sim, uint32_t service, const struct task *t)
{
	const struct tree_service *of = &repo_valid_tree(sim)->of[service];
	const struct service_state *s = state_of(sim, service);
	if (s && s->has_failed && !sim->fresh) /* rolled back: until another commit */
		return digest_equal(&t->target, &s->primary.release);
	return t->version == of->version && t->profile == of->profile;
}

/* A release may be COMPLETED and bad: no node had it then, or nobody watched it for long. */
static bool runs_bad(const struct sim *sim, uint32_t service, const struct digest *release)
{
	for (uint32_t i = 0; i < sim->machine_count; i++) {
		const struct machine *m = sim->machines[i];
		const struct prepare *p = &m->prepares[service];
		if (p->bad && digest_equal(&p->target, release))
			return true; /* there never is a task of it */
		for (size_t k = 0; k < m->tasks.len; k++)
			if (m->tasks.items[k].service == service &&
			    digest_equal(&m->tasks.items[k].target, release) &&
			    m->tasks.items[k].profile >= PROFILE_FIRST_BAD)
				return true;
	}
	return false;
}

/* What runs is as it is: it failed, and there is nothing (better) to go back to. */
static bool stays_failed(const struct sim *sim, uint32_t service)
{
	const struct service_state *s = state_of(sim, service);
	return s && s->has_primary && !sim->fresh &&
	       (s->primary.state == ROLLOUT_FAILED ||
		(s->primary.state == ROLLOUT_COMPLETED &&
		 runs_bad(sim, service, &s->primary.release)));
}

/* It never ran since the boot of the machine, as far as its agent knows, and what must be
 * healthy before it never will be: it is wanted there too, and stays failed. */
static bool waits_for_failed(const struct sim *sim, const struct machine *m, uint32_t service)
{
	const struct tree *tree = repo_valid_tree(sim);
	if (m->series[service].ran)
		return false;
	for (int on = sim->repo.fixed[service].depends_on; on >= 0;
	     on = sim->repo.fixed[on].depends_on) {
		if (!repo_wants(sim, tree, (uint32_t)on, m->index))
			return false;
		if (stays_failed(sim, (uint32_t)on))
			return true;
	}
	return false;
}

static bool machine_converged(const struct sim *sim, uint32_t machine, char why[160])
{
	const struct machine *m = sim->machines[machine];
	const struct tree *tree = repo_valid_tree(sim);
	for (uint32_t s = 0; s < SERVICES; s++) {
		uint32_t alive = 0, good = 0, wanted = repo_wants(sim, tree, s, machine);
		for (size_t i = 0; i < m->tasks.len; i++) {
			const struct task *t = &m->tasks.items[i];
			if (t->service != s || !task_alive(t))
				continue;
			alive++;
			good += t->good_since_ms && is_wanted(sim, s, t);
		}
		if ((alive == wanted && good == wanted) || (wanted && stays_failed(sim, s)))
			continue;
		if (wanted && alive == 0 && waits_for_failed(sim, m, s))
			continue;
		snprintf(why, 160, "%s: s%u: %u wanted (version %u), %u alive, %u good", m->name, s,
			 wanted, tree->of[s].version, alive, good);
		return false;
	}
	return true;
}

static bool service_converged(const struct sim *sim, const struct service_state *s, char why[160])
{
	if (!s->spec || (s->counts.desired && s->counts.desired == s->counts.unreachable))
		return true; /* nobody can tell */
	if (s->has_primary && s->primary.state == ROLLOUT_COMPLETED &&
	    !(sim->fresh && s->has_failed))
		return true;
	if (s->has_primary && s->primary.state == ROLLOUT_FAILED && !sim->fresh)
		return true;
	snprintf(why, 160, "the deployment of %s is %s%s", s->name,
		 s->has_primary ? rollout_state_name(s->primary.state) : "none",
		 s->has_failed ? ", rolled back" : "");
	return false;
}

bool oracle_converged(struct sim *sim, char why[160])
{
	if (!sim->controller.alive) {
		snprintf(why, 160, "there is no controller");
		return false;
	}
	for (uint32_t i = 0; i < sim->machine_count; i++)
		if (!sim->machines[i]->retired && !machine_converged(sim, i, why))
			return false;
	size_t it = 0;
	void *value;
	while (map_next(sim->controller.c->services, &it, NULL, &value))
		if (!service_converged(sim, value, why))
			return false;
	return true;
}

bool oracle_at_rest(const struct sim *sim)
{
	for (uint32_t s = 0; s < sim->repo.services; s++)
		if (stays_failed(sim, s))
			return false;
	return true;
}
