/* What to do next: one decision a service. */
#include "node/internal.h"

#include <stdio.h>
#include <string.h>

#define REASON_DISK_FULL "the disk is full: nothing new starts"

/* A stop because of desired document N waits until N was written back as `seen`. */
static bool may_stop(const struct step *step)
{
	const struct node_input *in = step->input;
	return in->leaving || (in->desired && in->seen_written >= in->desired->number);
}

static void stop(struct step *step, const struct node_task *task, const char *reason)
{
	if (step->input->tasks_known[task->kind] && may_stop(step) &&
	    step_ask(step, NODE_STOP, task->id))
		step_act(step, (struct node_action){
				       .kind = NODE_STOP, .id = task->id, .reason = reason });
}

static const char *scaling_reason(const struct step *step, const char *deployment)
{
	return deployment && *deployment
		       ? arena_printf(step->arena, "Scaling activity initiated by (deployment %s)",
				      deployment)
		       : "Scaling activity initiated by service scheduler";
}

/* --- starts ----------------------------------------------------------------------------------- */

/* The dependency that was never ready since boot, or NULL. Only for a service's first start. */
static const char *gate(const struct step *step, const struct service *s)
{
	const struct str_list *names = &s->want->depends_on;
	if (s->memory->started)
		return NULL;
	for (uint32_t i = 0; i < step->service_count; i++) {
		const struct service *other = &step->services[i];
		if (!other->want || other == s || other->memory->was_ready ||
		    strcmp(other->cluster, s->cluster) != 0)
			continue;
		for (uint32_t k = 0; k < names->len; k++) {
			if (strcmp(names->items[k], other->name) == 0)
				return other->name;
		}
	}
	return NULL;
}

static void start_when_due(struct step *step, struct service *s, bool turn)
{
	struct service_memory *m = s->memory;
	const char *dependency = gate(step, s);
	if (!step_knows(step, s)) {
		s->waits = step_why_unknown(step, s);
	} else if (step->input->disk_full) {
		s->waits = REASON_DISK_FULL;
	} else if (step->input->now_ms < m->restart_at_ms) {
		s->waits = s->stopped_count ? s->stopped[0]->reason : NULL;
		step_wake(step, m->restart_at_ms);
	} else if (!turn) {
		s->waits = "waits for the services that start before it";
	} else if (dependency) {
		s->waits =
			arena_printf(step->arena, "waits for service %s to be healthy", dependency);
	} else if (step_ask(step, NODE_START, s->key)) {
		struct asked *asked = step_asked(step, NODE_START, s->key);
		asked->target = s->want->target;
		snprintf(asked->beside, sizeof(asked->beside), "%s", s->stays ? s->stays->id : "");
		s->situation = SITUATION_ASKED;
		step_act(step, (struct node_action){ .kind = NODE_START, .task = s->want });
	}
}

static void wait_for_it(struct step *step UNUSED, struct service *s UNUSED, bool turn UNUSED)
{
}

static void keep_healthy(struct step *step, struct service *s, bool turn UNUSED)
{
	const struct node_task *task = s->stays;
	if (task->status == TASK_RUNNING && task_unhealthy(task) && !step->input->disk_full)
		stop(step, task, REASON_UNHEALTHY);
}

/* --- updates: prepare, then stop; or with surge: prepare, then start ------------------------- */

const struct node_prepare *step_prepare(const struct step *step, const struct service *s)
{
	const struct node_input *in = step->input;
	for (uint32_t i = 0; i < in->prepare_count; i++) {
		const struct node_prepare *p = &in->prepares[i];
		if (strcmp(p->service, s->name) == 0 && strcmp(p->cluster, s->cluster) == 0 &&
		    digest_equal(&p->target, &s->want->target))
			return p;
	}
	return NULL;
}

static void prepare_failed(struct step *step, struct service *s)
{
	struct service_memory *m = s->memory;
	m->prepare_asked_ms = 0;
	m->prepare_failures++;
	m->failures++;
	m->prepare_at_ms = step->input->now_ms + restart_delay_ms(m->prepare_failures);
	s->failed = true;
	step->memory->changed = true;
}

static void prepare_when_due(struct step *step, struct service *s)
{
	struct service_memory *m = s->memory;
	int64_t now = step->input->now_ms;
	step_wake(step, m->prepare_at_ms);
	if (now < m->prepare_at_ms)
		return;
	m->prepare_asked_ms = now;
	step_wake(step, now + ANSWER_PATIENCE_MS);
	step_act(step, (struct node_action){ .kind = NODE_PREPARE, .task = s->want });
}

/* All is ready for the new one. With surge it starts beside the old one, but never as a third. */
static void change_over(struct step *step, struct service *s, bool turn)
{
	MEMORY_SET(step->memory, s->memory->prepare_failures, 0);
	s->failed = s->memory->restarts > 0;
	if (!s->want->surge)
		stop(step, s->stays, scaling_reason(step, s->want->deployment));
	else if (s->live_count == 1)
		start_when_due(step, s, turn);
}

static void replace(struct step *step, struct service *s, bool turn)
{
	struct service_memory *m = s->memory;
	int64_t now = step->input->now_ms, asked = m->prepare_asked_ms;
	if (step->input->disk_full || !step_knows(step, s)) {
		s->waits = step->input->disk_full ? REASON_DISK_FULL : step_why_unknown(step, s);
		return;
	}
	const struct node_prepare *p = step_prepare(step, s);
	if (p && p->state != PREPARE_DONE)
		s->waits = p->reason;
	if (asked == now) { /* what is there may be an earlier attempt's */
		step_wake(step, now + 1);
		return;
	}
	enum prepare_state state = p ? p->state : PREPARE_NONE;
	if (state == PREPARE_FAILED && !asked) /* counted already: what matters is the next one */
		state = PREPARE_NONE;
	switch (state) {
	case PREPARE_DONE: change_over(step, s, turn); break;
	case PREPARE_RUNNING: break;
	case PREPARE_FAILED:
		prepare_failed(step, s);
		prepare_when_due(step, s);
		break;
	case PREPARE_NONE:
		if (!asked || now >= asked + ANSWER_PATIENCE_MS)
			prepare_when_due(step, s);
		else
			step_wake(step, asked + ANSWER_PATIENCE_MS);
		break;
	}
}

/* --- in the order of the document ------------------------------------------------------------- */

static void (*const decisions[SITUATION_COUNT])(struct step *step, struct service *s, bool turn) = {
	[SITUATION_ABSENT] = start_when_due, [SITUATION_ASKED] = wait_for_it,
	[SITUATION_CURRENT] = keep_healthy,  [SITUATION_OUTDATED] = replace,
	[SITUATION_ENDING] = wait_for_it,
};

static bool is_up(const struct step *step, const struct node_task *task)
{
	return task && task->status == TASK_RUNNING && !step_asked(step, NODE_STOP, task->id);
}

/*
 * May services after it start? Its patience runs while it has its turn and could start at all. One
 * whose engine is away holds up nothing: what is for the same engine cannot start either.
 */
static bool lets_pass(struct step *step, struct service *s, bool turn)
{
	struct service_memory *m = s->memory;
	bool passes = is_up(step, s->stays) || is_up(step, s->beside) || s->failed ||
		      !step_knows(step, s);
	if (passes || !turn || step->input->disk_full) {
		m->has_turn = false;
		return passes;
	}
	if (!m->has_turn) {
		m->has_turn = true;
		m->turn_since_ms = step->input->now_ms;
	}
	int64_t end = m->turn_since_ms + START_PATIENCE_MS;
	step_wake(step, end);
	return step->input->now_ms >= end;
}

/* Of several that are alive one stays, with surge an old one too until that one is ready; while
 * that one is being stopped itself, no other is. */
static void stop_doubles(struct step *step, struct service *s)
{
	if (!s->stays || step_asked(step, NODE_STOP, s->stays->id))
		return;
	for (uint32_t i = 0; i < s->live_count; i++) {
		bool keeps = s->live[i] == s->stays || (s->live[i] == s->beside && !s->ready);
		if (!keeps && !task_ending(s->live[i]))
			stop(step, s->live[i], scaling_reason(step, s->want->deployment));
	}
}

static void decide_desired(struct step *step)
{
	bool turn = true;
	for (uint32_t i = 0; i < step->service_count; i++) {
		struct service *s = &step->services[i];
		if (!s->want)
			continue;
		decisions[s->situation](step, s, turn);
		stop_doubles(step, s);
		turn = lets_pass(step, s, turn) && turn;
	}
}

/* --- what is not desired any more ------------------------------------------------------------- */

/*
 * Waves of starting: a new one where the priority changes or a task depends on one of the present
 * wave. Stops go from the last wave to the first.
 */
static void note_waves(struct step *step)
{
	uint32_t wave = 1, first = 0;
	for (uint32_t i = 0; i < step->service_count && step->services[i].want; i++) {
		struct service *s = &step->services[i];
		bool next = i > 0 && s->want->priority != s[-1].want->priority;
		for (uint32_t k = first; k < i; k++) {
			for (uint32_t d = 0; d < s->want->depends_on.len; d++)
				next |= strcmp(s->want->depends_on.items[d],
					       step->services[k].name) == 0;
		}
		if (next) {
			wave++;
			first = i;
		}
		MEMORY_SET(step->memory, s->memory->wave, wave);
	}
}

static bool gone(const struct step *step, const struct service *s)
{
	return step->input->leaving || (step->input->desired && !s->want);
}

/* Must stops of earlier waves wait for this one? Not for longer than STOP_PATIENCE_MS. */
static bool holds_back(struct step *step, const struct service *s)
{
	bool holds = false;
	for (uint32_t k = 0; k < s->live_count; k++) {
		if (task_ending(s->live[k])) /* perhaps asked before the agent was restarted */
			step_note(step, NODE_STOP, s->live[k]->id);
		const struct asked *asked = step_asked(step, NODE_STOP, s->live[k]->id);
		int64_t end = asked ? asked->first_ms + STOP_PATIENCE_MS : INT64_MAX;
		step_wake(step, end);
		holds |= step->input->now_ms < end;
	}
	return holds;
}

static void stop_gone(struct step *step)
{
	uint32_t wave = 0; /* the highest that is not over */
	for (uint32_t i = 0; i < step->service_count; i++) {
		struct service *s = &step->services[i];
		if (gone(step, s) && s->memory->wave > wave && holds_back(step, s))
			wave = s->memory->wave;
	}
	for (uint32_t i = 0; i < step->service_count; i++) {
		struct service *s = &step->services[i];
		if (!gone(step, s) || s->memory->wave < wave)
			continue;
		for (uint32_t k = 0; k < s->live_count; k++) {
			if (!task_ending(s->live[k]))
				stop(step, s->live[k],
				     step->input->leaving
					     ? REASON_LEAVING
					     : scaling_reason(step, s->live[k]->deployment));
		}
	}
}

/* --- records of the stopped ------------------------------------------------------------------- */

/* Nothing is removed while desired is unknown: what ended then was not counted yet. */
static void remove_old(struct step *step, const struct service *s)
{
	const struct node_input *in = step->input;
	if (!in->desired && !in->leaving)
		return;
	for (uint32_t i = 0; i < s->stopped_count; i++) {
		const struct node_task *task = s->stopped[i];
		int64_t end = task->stopped_at_ms + STOPPED_KEPT_MS;
		step_wake(step, end);
		bool keep = (i < STOPPED_KEPT_PER_SERVICE && in->now_ms < end && !in->leaving) ||
			    !in->tasks_known[task->kind];
		bool clean = keep && task->remains && gone(step, s) && in->tasks_known[task->kind];
		enum node_action_kind kind = clean ? NODE_CLEAN : NODE_REMOVE;
		if ((clean || !keep) && step_ask(step, kind, task->id))
			step_act(step, (struct node_action){ .kind = kind, .id = task->id });
	}
}

void step_decide(struct step *step)
{
	if (step->input->desired)
		note_waves(step);
	if (step->input->desired && !step->input->leaving)
		decide_desired(step);
	stop_gone(step);
	for (uint32_t i = 0; i < step->service_count; i++)
		remove_old(step, &step->services[i]);
}
