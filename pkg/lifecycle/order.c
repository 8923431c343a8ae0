/* What containers need of one another: before they are created, started, stopped. */
#include "lifecycle/internal.h"

#include <string.h>

static const struct {
	const char *condition; /* of dependsOn; NULL: only implied */
	const char *to_be;     /* "waits for X to ..." */
	enum need need;
	bool bounded; /* by startTimeout */
} needs[NEEDS] = {
	{ NULL, "be created", NEED_CREATE, false },
	{ "START", "start", NEED_START, false },
	{ "COMPLETE", "complete", NEED_COMPLETE, true },
	{ "SUCCESS", "exit with 0", NEED_SUCCESS, true },
	{ "HEALTHY", "become HEALTHY", NEED_HEALTHY, true },
};

/* The container of that name, of which len bytes count; NULL: there is none. */
static struct slot *find(struct step *step, const char *name, size_t len)
{
	for (uint32_t i = 0; i < step->count; i++) {
		const char *its = step->slots[i].what->name;
		if (its && strlen(its) == len && memcmp(its, name, len) == 0)
			return &step->slots[i];
	}
	return NULL;
}

static uint8_t need_of(const char *condition)
{
	for (uint32_t k = 0; k < NEEDS; k++) {
		if (condition && needs[k].condition && strcmp(needs[k].condition, condition) == 0)
			return needs[k].need;
	}
	return 0;
}

static bool read_depends_on(struct step *step, const struct slot *slot, const char **why)
{
	for (uint32_t d = 0; d < slot->what->depends_on.len; d++) {
		const struct container_dependency *on = &slot->what->depends_on.items[d];
		const char *name = on->container_name ? on->container_name : "";
		struct slot *other = find(step, name, strlen(name));
		uint8_t need = need_of(on->condition);
		if (!other || !need || (need == NEED_HEALTHY && !health_checked(other))) {
			*why = arena_printf(step->arena,
					    "ResourceInitializationError: container \"%s\" depends "
					    "on \"%s\" with condition %s, which cannot be",
					    slot->what->name, name,
					    on->condition ? on->condition : "none");
			return false;
		}
		step->needs[slot->index][other->index] |= need;
	}
	return true;
}

/* links wants the other started, and to be there when this one is created; volumesFrom the latter.
 * A name that is none is for the engine to refuse. */
static void read_implied(struct step *step, const struct slot *slot)
{
	const struct container_definition *c = slot->what;
	for (uint32_t i = 0; i < c->links.len; i++) {
		const char *link = c->links.items[i];
		struct slot *other = find(step, link, strcspn(link, ":"));
		if (other)
			step->needs[slot->index][other->index] |= NEED_CREATE | NEED_START;
	}
	for (uint32_t i = 0; i < c->volumes_from.len; i++) {
		const char *source = c->volumes_from.items[i].source_container;
		struct slot *other = source ? find(step, source, strlen(source)) : NULL;
		if (other)
			step->needs[slot->index][other->index] |= NEED_CREATE;
	}
}

/* A container that by way of others needs itself; NULL: none. */
static const struct slot *in_a_circle(const struct step *step)
{
	bool reach[LIMIT_CONTAINERS][LIMIT_CONTAINERS] = { 0 };
	uint32_t n = step->count;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < n; k++)
			reach[i][k] = step->needs[i][k];
	for (uint32_t by = 0; by < n; by++)
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t k = 0; k < n; k++)
				reach[i][k] |= reach[i][by] && reach[by][k];
	for (uint32_t i = 0; i < n; i++) {
		if (reach[i][i])
			return &step->slots[i];
	}
	return NULL;
}

bool order_read(struct step *step, const char **why)
{
	uint32_t declared = step->input->task_definition->container_definitions.len;
	if (declared > LIMIT_CONTAINERS) {
		*why = arena_printf(step->arena,
				    "ResourceInitializationError: %u containers, more than the %d "
				    "that a task may have",
				    declared, LIMIT_CONTAINERS);
		return false;
	}
	for (uint32_t i = 0; i < step->count; i++) {
		read_implied(step, &step->slots[i]);
		if (!read_depends_on(step, &step->slots[i], why))
			return false;
	}
	const struct slot *circle = in_a_circle(step);
	if (circle)
		*why = arena_printf(step->arena,
				    "ResourceInitializationError: container \"%s\" depends on "
				    "itself by way of others",
				    circle->what->name);
	return !circle;
}

static bool met(const struct slot *on, enum need need)
{
	const struct lifecycle_container_memory *m = on->memory;
	switch (need) {
	case NEED_CREATE: return on->now->state != CONTAINER_ABSENT || slot_ended(on);
	case NEED_START: return m->started;
	case NEED_COMPLETE: return slot_ended(on);
	case NEED_SUCCESS: return slot_ended(on) && m->has_exit_code && m->exit_code == 0;
	case NEED_HEALTHY: return slot_up(on) && m->health == HEALTH_HEALTHY;
	}
	return false;
}

/* The first of these needs that is not met, in the order of the definition: its row, or -1. */
static int unmet(const struct step *step, const struct slot *slot, uint8_t of,
		 const struct slot **on)
{
	for (uint32_t k = 0; slot->what && k < step->count; k++) {
		for (int n = 0; n < NEEDS; n++) {
			if (!(step->needs[slot->index][k] & of & needs[n].need) ||
			    met(&step->slots[k], needs[n].need))
				continue;
			*on = &step->slots[k];
			return n;
		}
	}
	return -1;
}

static bool owner_ready(const struct step *step, const struct slot *slot)
{
	return !slot->what || !step->owner || step->owner->now->state == CONTAINER_RUNNING;
}

bool order_may_create(const struct step *step, const struct slot *slot)
{
	const struct slot *on;
	return owner_ready(step, slot) && unmet(step, slot, NEED_CREATE, &on) < 0;
}

bool order_may_start(const struct step *step, const struct slot *slot)
{
	const struct slot *on;
	if (!owner_ready(step, slot))
		return false;
	return slot->memory->started || unmet(step, slot, UINT8_MAX, &on) < 0;
}

const char *order_waits_for(const struct step *step, const struct slot *slot)
{
	const struct slot *on;
	int row = unmet(step, slot, UINT8_MAX, &on);
	if (row < 0)
		return NULL;
	return arena_printf(step->arena, "container \"%s\" waits for \"%s\" to %s",
			    slot->what->name, on->what->name, needs[row].to_be);
}

static const char *exit_text(const struct step *step, const struct slot *slot)
{
	const struct lifecycle_container_memory *m = slot->memory;
	return m->has_exit_code ? arena_printf(step->arena, "exited with %d", m->exit_code)
				: "ended without an exit code";
}

/* Judges one need that is not met. */
static void judge(struct step *step, const struct slot *slot, const struct slot *on, uint32_t row)
{
	const char *reason = NULL;
	int64_t limit_ms = seconds_ms(on->what->start_timeout, 0);
	int64_t from_ms = on->memory->first_start_ms;
	if (slot_ended(on))
		reason = arena_printf(step->arena,
				      "container \"%s\" cannot start: its dependency \"%s\" %s, "
				      "and it needs it to %s",
				      slot->what->name, on->what->name, exit_text(step, on),
				      needs[row].to_be);
	else if (!needs[row].bounded || limit_ms == 0 || !from_ms)
		return;
	else if (step->input->now_ms < from_ms + limit_ms)
		life_wake(step, from_ms + limit_ms);
	else
		reason = arena_printf(step->arena,
				      "container \"%s\" cannot start: its dependency \"%s\" did "
				      "not %s within its startTimeout of %lld s",
				      slot->what->name, on->what->name, needs[row].to_be,
				      (long long)limit_ms / 1000);
	if (reason)
		life_stop(step, "TaskFailedToStart", false, reason);
}

void order_judge(struct step *step)
{
	for (uint32_t i = 0; i < step->count; i++) {
		const struct slot *slot = &step->slots[i];
		for (uint32_t k = 0; k < step->count && !slot->memory->started; k++) {
			for (uint32_t n = 0; n < NEEDS; n++) {
				if ((step->needs[i][k] & needs[n].need) &&
				    !met(&step->slots[k], needs[n].need))
					judge(step, slot, &step->slots[k], n);
			}
		}
	}
}

bool order_may_stop(const struct step *step, const struct slot *slot)
{
	for (uint32_t i = 0; i < step->count; i++) {
		const struct slot *other = &step->slots[i];
		bool depends = !slot->what || step->needs[i][slot->index];
		if (other != slot && depends && !slot_down(other))
			return false;
	}
	return true;
}

void order_infer_ended(struct step *step)
{
	for (uint32_t k = 0; k < step->count; k++) {
		struct slot *on = &step->slots[k];
		struct lifecycle_container_memory *m = on->memory;
		uint8_t waited = 0;
		for (uint32_t i = 0; i < step->count; i++) {
			if (step->slots[i].memory->started)
				waited |= step->needs[i][k];
		}
		if (on->now->state != CONTAINER_ABSENT || m->seen || m->called ||
		    !(waited & (NEED_COMPLETE | NEED_SUCCESS)))
			continue;
		m->seen = m->started = m->judged = m->stays_down = true;
		m->has_exit_code = waited & NEED_SUCCESS;
		step->memory->changed = true;
	}
}
