/*
 * What the controller must never do, judged by what it was told and what it put: numbers that only
 * grow, one task a service and node, and never more of the ready taken down at a time than the
 * budget allows.
 *
 * An update is in flight from the decision on; until the node told that it goes by it and is ready;
 * or the service is not assigned there any more; or the node was silent for nodeTimeoutSeconds and
 * monitorSeconds. What was not ready when it was updated, as far as was told, is not taken down.
 */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#define NODE_TIMEOUT_MS 30000

/* NULL: nothing is known of it. */
static const struct told *told_of(const struct sim *sim, uint32_t machine)
{
	const struct oracle *o = &sim->oracle;
	const struct doc *doc = o->observed[machine];
	return doc && strcmp(doc->told.instance, o->instance[machine]) == 0 ? &doc->told : NULL;
}

static void replace(struct doc **slot, struct doc *doc)
{
	struct doc *old = *slot;
	*slot = doc_ref(doc);
	doc_drop(old);
}

/* --- flights ------------------------------------------------------------------------------------
 */

static bool lands(struct flight *f, const struct told *told, uint32_t s)
{
	const struct told_task *t = &told->of[s];
	bool landed = f->on && f->number && told->seen >= f->number && t->there && t->ready &&
		      digest_equal(&t->target, &f->target);
	f->on &= !landed;
	return landed;
}

static void flights_land(struct sim *sim, uint32_t machine)
{
	const struct told *told = told_of(sim, machine);
	for (uint32_t s = 0; told && s < SERVICES; s++) {
		lands(&sim->oracle.stored[machine][s], told, s);
		if (lands(&sim->oracle.flight[machine][s], told, s))
			mark(sim, machine, "lands", NULL, s);
	}
}

/* The store lost something: nobody can know of it. */
static void flights_are_uncertain(struct sim *sim, uint32_t machine)
{
	for (uint32_t s = 0; s < SERVICES; s++)
		sim->oracle.flight[machine][s].maybe = sim->oracle.put[machine][s].maybe =
			sim->oracle.stored[machine][s].maybe = true;
}

static bool vanished(const struct sim *sim, uint32_t machine, uint32_t service)
{
	int64_t silent = sim->now_ms - sim->oracle.heard_ms[machine];
	return silent >= NODE_TIMEOUT_MS + (int64_t)sim->repo.fixed[service].monitor_s * 1000;
}

static void check_budget(struct sim *sim, uint32_t service, uint32_t machine)
{
	uint32_t count = 0, d = 0;
	for (uint32_t i = 0; i < sim->machine_count; i++) {
		const struct flight *f = &sim->oracle.flight[i][service];
		const struct told *told = told_of(sim, i);
		bool ready = told && (told->of[service].ready || told->of[service].old_ready);
		bool known = sim->oracle.instance[i][0] && !f->maybe && !f->free;
		count += f->on && known && !vanished(sim, i, service);
		d += f->on || ready;
	}
	const struct service_fixed *fixed = &sim->repo.fixed[service];
	uint32_t keep = (d * fixed->min_healthy + 99) / 100;
	uint32_t room = fixed->max_percent > 100 ? d * (fixed->max_percent - 100) / 100 : d - keep;
	uint32_t budget = room > 1 ? room : 1;
	if (count > budget)
		sim_fail(sim,
			 "%s: an update of s%u makes %u that were ready and are in flight, of %u; "
			 "the budget is %u",
			 sim->machines[machine]->name, service, count, d, budget);
}

/* It decided: an assignment is another one than before the step. */
static void assigned(struct sim *sim, uint32_t machine, uint32_t s, const struct digest *now)
{
	struct flight *f = &sim->oracle.flight[machine][s];
	const struct told *told = told_of(sim, machine);
	const struct told_task *is = told ? &told->of[s] : NULL;
	bool another = is && ((is->ready && !digest_equal(&is->target, now)) ||
			      (is->old_ready && digest_equal(&is->target, now)));
	bool was = f->on;
	*f = (struct flight){ .on = true,
			      .maybe = (was && f->maybe) || sim->oracle.uncertain[machine],
			      .free = was ? f->free : !another,
			      .target = *now };
	mark(sim, machine,
	     was       ? "flies on"
	     : f->free ? "is down already"
		       : "takes off",
	     f->maybe ? "?" : "", s);
	if (was || f->free || f->maybe) /* it is not one more of those that count */
		return;
	check_budget(sim, s, machine);
}

static void read_assignments(const struct sim *sim, uint32_t machine, struct digest out[SERVICES])
{
	const struct node_record *n =
		map_get(sim->controller.c->nodes, sim->machines[machine]->name);
	memset(out, 0, SERVICES * sizeof(*out));
	for (size_t i = 0; n && i < n->assignments.len; i++) {
		const struct assignment *a = &n->assignments.items[i];
		out[service_index(a->service->name)] = a->content->target;
	}
}

void oracle_before_step(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->machine_count; i++)
		read_assignments(sim, i, sim->oracle.assigned[i]);
}

void oracle_after_step(struct sim *sim)
{
	struct digest now[MACHINES_MAX][SERVICES];
	for (uint32_t i = 0; i < sim->machine_count; i++) {
		read_assignments(sim, i, now[i]);
		for (uint32_t s = 0; s < SERVICES; s++)
			if (digest_is_none(&now[i][s]) &&
			    !digest_is_none(&sim->oracle.assigned[i][s]))
				sim->oracle.flight[i][s].on = false;
	}
	for (uint32_t i = 0; i < sim->machine_count; i++)
		for (uint32_t s = 0; s < SERVICES; s++)
			if (!digest_is_none(&now[i][s]) &&
			    !digest_equal(&sim->oracle.assigned[i][s], &now[i][s])) {
				oracle_launch(sim, i, s, &now[i][s]);
				assigned(sim, i, s, &now[i][s]);
			}
}

void oracle_put(struct sim *sim, uint32_t machine, struct doc *doc)
{
	struct err err = { 0 };
	const struct wire_desired *d = doc_desired(doc, sim->machines[machine]->name, &err);
	if (!d)
		sim_fail(sim, "%s: what was put does not read: %s", sim->machines[machine]->name,
			 err.text);
	bool there[SERVICES] = { false };
	for (uint32_t i = 0; i < d->task_count; i++) {
		uint32_t s = service_index(d->tasks[i].service);
		struct flight *f = &sim->oracle.flight[machine][s];
		if (there[s])
			sim_fail(sim, "%s: s%u is assigned twice", sim->machines[machine]->name, s);
		there[s] = true;
		if (f->on && !f->number && digest_equal(&f->target, &d->tasks[i].target))
			f->number = d->number;
	}
	memcpy(sim->oracle.put[machine], sim->oracle.flight[machine],
	       sizeof(sim->oracle.put[machine]));
}

/* --- what happens to documents ------------------------------------------------------------------
 */

/* The put reached the store. */
void oracle_stored(struct sim *sim, uint32_t machine, struct doc *doc)
{
	struct oracle *o = &sim->oracle;
	const struct wire_desired *d = doc_desired(doc, sim->machines[machine]->name, NULL);
	if (d && d->number <= o->highest[machine] && !o->went_back[machine])
		sim_fail(sim, "%s: number %llu is put after %llu", sim->machines[machine]->name,
			 (unsigned long long)d->number, (unsigned long long)o->highest[machine]);
	o->went_back[machine] = false;
	o->highest[machine] = d ? d->number : 0;
	memcpy(o->stored[machine], o->put[machine], sizeof(o->stored[machine]));
	flights_land(sim, machine);
}

void oracle_store_lost(struct sim *sim, uint32_t machine)
{
	sim->oracle.went_back[machine] = sim->oracle.uncertain[machine] = true;
	flights_are_uncertain(sim, machine);
}

/* --- what the controller is told ----------------------------------------------------------------
 */

static void told_registration(struct sim *sim, uint32_t machine, const struct doc *doc)
{
	static const struct told none;
	struct oracle *o = &sim->oracle;
	const struct told *told = !doc ? &none : doc->has_told ? &doc->told : NULL;
	if (!told)
		return;
	if (doc && strcmp(o->session[machine], told->session) != 0)
		o->heard_ms[machine] = sim->now_ms;
	/* Of another life, or not there: nobody knows what it does. */
	bool another = !doc || (o->instance[machine][0] &&
				strcmp(o->instance[machine], told->instance) != 0);
	if (another)
		flights_are_uncertain(sim, machine);
	memcpy(o->instance[machine], told->instance, sizeof(o->instance[machine]));
	memcpy(o->session[machine], told->session, sizeof(o->session[machine]));
}

void oracle_forgotten(struct sim *sim, uint32_t machine)
{
	told_registration(sim, machine, NULL);
}

void oracle_beat(struct sim *sim, uint32_t machine, uint64_t beat)
{
	if (sim->oracle.beat[machine] != beat)
		sim->oracle.heard_ms[machine] = sim->now_ms;
	sim->oracle.beat[machine] = beat;
}

/* A sign of life: it changed, and is of the registered life of that name. The first that is read of
 * it may be as old as the store. */
static bool is_news(const struct sim *sim, uint32_t machine, const struct doc *doc)
{
	return told_of(sim, machine) && doc->hash != sim->oracle.observed[machine]->hash &&
	       strcmp(doc->told.instance, sim->oracle.instance[machine]) == 0;
}

void oracle_told(struct sim *sim, const char *key, struct doc *doc)
{
	struct oracle *o = &sim->oracle;
	uint32_t machine = key_machine(sim, key);
	if (machine == MACHINES_MAX)
		return;
	bool observed = strncmp(key, "observed/", 9) == 0 && doc && doc->has_told;
	if (observed && is_news(sim, machine, doc))
		o->heard_ms[machine] = sim->now_ms;
	if (strncmp(key, "nodes/", 6) == 0)
		told_registration(sim, machine, doc);
	if (observed) {
		replace(&o->observed[machine], doc);
		o->uncertain[machine] &= doc->told.seen < o->highest[machine];
	}
	flights_land(sim, machine);
}

/* It knows nothing but what it will be told. What was decided and did not reach the store never
 * happened; what is in flight by the document that did, is so still. */
void oracle_controller_started(struct sim *sim)
{
	struct oracle *o = &sim->oracle;
	for (uint32_t i = 0; i < sim->machine_count; i++) {
		struct doc *doc = store_doc(sim, "desired", i);
		const struct wire_desired *d =
			doc ? doc_desired(doc, sim->machines[i]->name, NULL) : NULL;
		for (uint32_t s = 0; s < SERVICES; s++) {
			struct flight *f = &o->flight[i][s];
			*f = o->stored[i][s];
			f->maybe |= !d;
		}
		o->heard_ms[i] = sim->now_ms;
		o->instance[i][0] = '\0';
		o->session[i][0] = '\0';
		replace(&o->observed[i], NULL);
	}
}

void oracle_free(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->machine_count; i++) {
		doc_drop(sim->oracle.observed[i]);
	}
}
