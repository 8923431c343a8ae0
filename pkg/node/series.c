/* Restart series: what ended and counts, how long to wait, and who is ready. */
#include "node/internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int64_t restart_delay_ms(uint32_t restarts)
{
	assert(restarts > 0);
	if (restarts == 1)
		return 0;
	if (restarts > 10) /* 2^9 s is beyond the limit */
		return RESTART_DELAY_MAX_MS;
	int64_t delay = (int64_t)1000 << (restarts - 2);
	return delay < RESTART_DELAY_MAX_MS ? delay : RESTART_DELAY_MAX_MS;
}

/* A new series, of that target; none while the service is not desired. */
static void series_begin(struct step *step, struct service *s, struct digest target)
{
	struct service_memory *m = s->memory;
	if (digest_equal(&m->target, &target))
		return;
	m->target = target;
	m->restarts = m->prepare_failures = m->failures = 0;
	m->restart_at_ms = m->prepare_at_ms = m->prepare_asked_ms = 0;
	m->has_turn = false;
	step->memory->changed = true;
}

/* It broke at that time: one more restart in the series. */
static void series_count(struct step *step, struct service *s, int64_t ended_ms)
{
	struct service_memory *m = s->memory;
	m->restarts++;
	m->failures++;
	m->restart_at_ms = ended_ms + restart_delay_ms(m->restarts);
	step->memory->changed = true;
}

/* Did it end by itself, or because it was unhealthy, as a task of the present series? */
static bool counts(const struct service *s, const struct node_task *task)
{
	if (task->earlier_boot || !digest_equal(&task->target, &s->memory->target))
		return false;
	return !task->stop_requested ||
	       (task->reason && strcmp(task->reason, REASON_UNHEALTHY) == 0);
}

static void account(struct step *step, struct service *s, const struct node_task *task)
{
	memory_account(step->memory, task->id);
	if (!counts(s, task))
		return;
	int64_t ended = task->stopped_at_ms ? task->stopped_at_ms : step->input->now_ms;
	if (task->started_at_ms && ended - task->started_at_ms >= RESTART_SERIES_MS)
		s->memory->restarts = 0;
	series_count(step, s, ended);
}

/* Oldest first, so never from a list that may lack some. */
static void account_ends(struct step *step, struct service *s)
{
	for (uint32_t k = s->stopped_count; k > 0 && step_knows(step, s); k--) {
		if (!memory_accounted(step->memory, s->stopped[k - 1]->id))
			account(step, s, s->stopped[k - 1]);
	}
}

static bool started_since_boot(const struct service *s)
{
	for (uint32_t i = 0; i < s->stopped_count; i++) {
		if (s->stopped[i]->started_at_ms && !s->stopped[i]->earlier_boot)
			return true;
	}
	for (uint32_t i = 0; i < s->live_count; i++) {
		if (s->live[i]->started_at_ms)
			return true;
	}
	return false;
}

/* The task's watch, or the one to begin for it: not that of the task beside it. */
static struct watch *watch_of(struct service_memory *m, const struct node_task *task,
			      const struct node_task *other)
{
	for (size_t i = 0; i < ARRAY_LEN(m->watches); i++) {
		if (strcmp(m->watches[i].task, task->id) == 0)
			return &m->watches[i];
	}
	return &m->watches[other && strcmp(m->watches[0].task, other->id) == 0];
}

/* Notes since when the task is RUNNING, and HEALTHY where that is checked. Is it ready? */
static bool watch_health(struct step *step, struct service *s, const struct node_task *task,
			 const struct node_task *other)
{
	if (!task || task->status != TASK_RUNNING)
		return false;
	struct watch *w = watch_of(s->memory, task, other);
	bool good = !task->health_checked || task->health == HEALTH_HEALTHY;
	int64_t since = w->good_since_ms;
	if (strcmp(w->task, task->id) != 0) {
		snprintf(w->task, sizeof(w->task), "%s", task->id);
		step->memory->changed = true;
		since = task->started_at_ms;
	} else if (since == 0) {
		since = step->input->now_ms;
	}
	MEMORY_SET(step->memory, w->good_since_ms, good ? since : 0);
	if (!good)
		return false;
	uint32_t wait_s = s->want ? s->want->min_ready_seconds : DEFAULT_MIN_READY_SECONDS;
	int64_t ready_at = since + (int64_t)wait_s * 1000;
	step_wake(step, ready_at);
	bool ready = step->input->now_ms >= ready_at;
	if (ready)
		MEMORY_SET(step->memory, s->memory->was_ready, true);
	return ready;
}

static void series_end(struct step *step, struct service *s)
{
	struct service_memory *m = s->memory;
	if (m->restarts == 0 || s->situation != SITUATION_CURRENT ||
	    s->stays->status != TASK_RUNNING)
		return;
	int64_t end = s->stays->started_at_ms + RESTART_SERIES_MS;
	step_wake(step, end);
	if (step->input->now_ms >= end) {
		m->restarts = 0;
		m->restart_at_ms = 0;
		step->memory->changed = true;
	}
}

/* A START that nobody confirmed was lost: as good as failed. */
static void start_lost(struct step *step, struct service *s)
{
	if (s->situation != SITUATION_ASKED || !step_knows(step, s))
		return;
	const struct asked *asked = step_asked(step, NODE_START, s->key);
	int64_t lost = asked->first_ms + ANSWER_PATIENCE_MS;
	step_wake(step, lost);
	if (step->input->now_ms < lost)
		return;
	bool counts = digest_equal(&asked->target, &s->memory->target);
	step_forget(step, NODE_START, s->key);
	s->situation = step_situation(step, s);
	if (counts)
		series_count(step, s, step->input->now_ms);
}

/* Not ready, and: broke in this series, or is unhealthy, or the new one cannot be prepared. */
static bool has_failed(const struct service *s)
{
	if (s->situation == SITUATION_OUTDATED && s->memory->prepare_failures > 0)
		return true;
	if (s->situation == SITUATION_CURRENT && s->ready)
		return false;
	return (s->situation == SITUATION_CURRENT && task_unhealthy(s->stays)) ||
	       s->memory->restarts > 0;
}

/* What it failed for may be over. */
static void series_retry(struct step *step, struct service *s)
{
	for (uint32_t i = 0; i < step->input->retry_count; i++) {
		if (strcmp(step->input->retries[i], s->key) != 0)
			continue;
		MEMORY_SET(step->memory, s->memory->restart_at_ms, 0);
		MEMORY_SET(step->memory, s->memory->prepare_at_ms, 0);
	}
}

void step_series(struct step *step)
{
	for (uint32_t i = 0; i < step->service_count; i++) {
		struct service *s = &step->services[i];
		if (started_since_boot(s))
			MEMORY_SET(step->memory, s->memory->started, true);
		s->ready = watch_health(step, s, s->stays, s->beside);
		s->beside_ready = watch_health(step, s, s->beside, s->stays);
		if (step->input->desired)
			series_begin(step, s, s->want ? s->want->target : (struct digest){ 0 });
		if (!s->want)
			continue;
		account_ends(step, s);
		series_end(step, s);
		start_lost(step, s);
		series_retry(step, s);
		s->failed = has_failed(s);
	}
}
