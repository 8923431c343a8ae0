#include "rollout/internal.h"

#include <stdio.h>
#include <string.h>

/* --- rules by themselves ---------------------------------------------------------------------- */

static uint32_t percent_of(uint32_t percent, uint32_t whole)
{
	uint64_t part = ((uint64_t)percent * whole + 99) / 100;
	return part < UINT32_MAX ? (uint32_t)part : UINT32_MAX;
}

uint32_t rollout_threshold(const struct circuit_breaker *breaker, uint32_t desired)
{
	uint32_t part = percent_of(breaker->value, desired);
	switch (breaker->type) {
	case THRESHOLD_BOUNDED_PERCENT:
		if (part > ROLLOUT_THRESHOLD_MAX)
			return ROLLOUT_THRESHOLD_MAX;
		return part < ROLLOUT_THRESHOLD_MIN ? ROLLOUT_THRESHOLD_MIN : part;
	case THRESHOLD_UNBOUNDED_PERCENT: return part ? part : 1;
	case THRESHOLD_COUNT: break;
	}
	return breaker->value ? breaker->value : 1;
}

struct rollout_stage *rollout_stages(const struct rollout *rollout, struct arena *arena,
				     uint32_t *count)
{
	*count = rollout ? rollout->steps.len : 0;
	struct rollout_stage *stages = ARENA_ARRAY(arena, struct rollout_stage, *count);
	for (uint32_t i = 0; i < *count; i++) {
		const struct rollout_step *step = &rollout->steps.items[i];
		struct rollout_stage *stage = &stages[i];
		stage->bake_ms = step->bake_seconds.set ? step->bake_seconds.value * 1000 : 0;
		stage->pause = step->pause == OPT_TRUE;
		if (step->percent.set) {
			stage->kind = ROLLOUT_PERCENT;
			stage->value = (uint32_t)step->percent.value;
		} else if (step->count.set) {
			stage->kind = ROLLOUT_COUNT;
			stage->value = (uint32_t)step->count.value;
		} else {
			stage->kind = ROLLOUT_EXPRESSION;
			stage->expression = step->expression.value;
		}
	}
	return stages;
}

uint32_t rollout_reach(const struct rollout_settings *settings, uint32_t begun, uint32_t placed)
{
	if (begun > settings->stage_count)
		return ROLLOUT_ALL;
	uint32_t reach = 0;
	for (uint32_t i = 0; i < begun; i++) {
		const struct rollout_stage *stage = &settings->stages[i];
		uint32_t nodes = 0;
		switch (stage->kind) {
		case ROLLOUT_EXPRESSION: continue;
		case ROLLOUT_PERCENT: nodes = percent_of(stage->value, placed); break;
		case ROLLOUT_COUNT: nodes = stage->value; break;
		}
		if (!nodes)
			nodes = 1;
		if (nodes > reach)
			reach = nodes;
	}
	return reach;
}

/* --- what is looked at ------------------------------------------------------------------------ */

static uint32_t less(uint32_t a, uint32_t b)
{
	return a > b ? a - b : 0;
}

/* A rollback waits for no window and no hold. */
static enum rollout_gate gate_of(const struct rollout_settings *settings,
				 const struct rollout_input *in)
{
	switch (in->gate) {
	case ROLLOUT_GATE_OPEN:
	case ROLLOUT_GATE_SUSPENDED: break;
	case ROLLOUT_GATE_WINDOW:
	case ROLLOUT_GATE_HELD:
		if (settings->is_rollback)
			return ROLLOUT_GATE_OPEN;
	}
	return in->gate;
}

static struct look look_at(struct rollout_memory *memory, const struct rollout_settings *settings,
			   const struct rollout_input *in, struct arena *arena)
{
	struct look l = {
		.settings = settings,
		.in = in,
		.memory = memory,
		.arena = arena,
		.stage_count = settings->is_rollback ? 0 : settings->stage_count,
		.reachable = less(in->placed, in->unreachable),
		.unready = less(in->current, in->current_ready + in->excused),
		.gate = gate_of(settings, in),
		.known = in->synced && in->unknown == 0,
	};
	l.healthy = l.known && in->current >= l.reachable && l.unready == 0 && in->in_flight == 0 &&
		    (in->current_ready || !in->placed);
	return l;
}

static const struct rollout_stage *present_stage(const struct look *l)
{
	uint32_t step = l->memory->step;
	return step < l->stage_count ? &l->settings->stages[step] : NULL;
}

/* The reach of the present step, gate or not. */
static uint32_t open_reach(const struct look *l, uint32_t *steps_reached)
{
	*steps_reached = 0;
	if (!present_stage(l))
		return ROLLOUT_ALL;
	*steps_reached = l->memory->step + 1;
	return rollout_reach(l->settings, *steps_reached, l->in->placed);
}

/* Were the counts made under the reach of the present step? */
static bool is_fresh(const struct look *l)
{
	uint32_t steps;
	uint32_t reach = open_reach(l, &steps);
	return l->in->reach == reach && l->in->steps_reached == steps;
}

/* --- time and events -------------------------------------------------------------------------- */

static void pass_time(struct rollout_memory *m, int64_t now_ms)
{
	if (m->begun && m->counting && now_ms > m->last_ms) {
		m->waited_ms += now_ms - m->last_ms;
		m->worked_ms += now_ms - m->last_ms;
	}
	m->begun = true;
	m->last_ms = now_ms;
	m->counting = false;
}

/* A success that came together with a failure does not undo it: which was first is not known. */
static void count_events(const struct look *l)
{
	struct rollout_memory *m = l->memory;
	const struct rollout_input *in = l->in;
	/* Counts that are not known to be of this deployment may be of the one before. */
	m->succeeded |= in->new_ready || (l->known && in->current_ready);
	if (in->new_ready) {
		m->readied += in->new_ready;
		m->waited_ms = 0;
		if (l->settings->breaker.reset_on_healthy_task)
			m->failed_tasks = 0;
	}
	m->failed_tasks += in->new_failures;
}

/* --- steps ------------------------------------------------------------------------------------ */

/* Tells stages apart (FNV-1a): a stage that became another bakes anew. */
static uint64_t key_of(const struct rollout_stage *stage)
{
	uint64_t key = 0xcbf29ce484222325u;
	char text[32];
	int len = snprintf(text, sizeof(text), "%d %u ", (int)stage->kind, stage->value);
	for (int i = 0; i < len; i++)
		key = (key ^ (unsigned char)text[i]) * 0x100000001b3u;
	for (const char *s = stage->expression; s && *s; s++)
		key = (key ^ (unsigned char)*s) * 0x100000001b3u;
	return key;
}

/* A task failed, or one that was ready is not any more (more are not ready than have come). */
static bool broke(const struct look *l)
{
	const struct rollout_memory *m = l->memory;
	return l->in->new_failures || l->unready > m->unready + less(l->in->current, m->current);
}

static bool is_done(const struct look *l)
{
	return l->known && l->gate == ROLLOUT_GATE_OPEN && is_fresh(l) && l->in->owed == 0 &&
	       l->unready == 0 && (l->reachable || !l->in->placed);
}

static void begin_step(struct rollout_memory *m, uint32_t step)
{
	m->step = step;
	m->done = false;
	m->waited_ms = 0;
}

static void walk_steps(const struct look *l)
{
	struct rollout_memory *m = l->memory;
	const struct rollout_stage *stage = present_stage(l);
	if (!stage) {
		m->step = ROLLOUT_ALL;
		return;
	}
	uint64_t key = key_of(stage);
	if (key != m->stage_key || broke(l))
		m->done = false;
	m->stage_key = key;
	if (!is_done(l))
		return;
	if (!m->done) {
		m->done = true;
		m->done_ms = l->in->now_ms;
	}
	if (l->in->now_ms - m->done_ms < stage->bake_ms || stage->pause)
		return;
	begin_step(m, m->step + 1 < l->stage_count ? m->step + 1 : ROLLOUT_ALL);
}

/* --- ends ------------------------------------------------------------------------------------- */

static int64_t monitored_until(const struct look *l)
{
	return l->in->last_ready_ms ? l->in->last_ready_ms + l->settings->monitor_ms
				    : l->in->now_ms;
}

static void complete(struct rollout_memory *m)
{
	m->state = ROLLOUT_COMPLETED;
	m->reason = ROLLOUT_DONE;
	m->message[0] = '\0';
	m->step = ROLLOUT_ALL;
}

static void fail(const struct look *l, enum rollout_reason reason)
{
	struct rollout_memory *m = l->memory;
	m->state = ROLLOUT_FAILED;
	m->reason = reason;
	m->roll_back = l->settings->breaker.enable && l->settings->breaker.rollback &&
		       l->in->completed_exists && !l->settings->is_rollback;
	rollout_message_failed(l, reason);
}

/* All that has the release failed, none was ever ready, and no more may get it now. */
static bool first_batch_failed(const struct look *l)
{
	const struct rollout_input *in = l->in;
	return !l->memory->succeeded && in->current > in->excused &&
	       in->failed_now >= in->current - in->excused &&
	       (in->owed == 0 || in->in_flight >= in->budget);
}

/* What the deployment is at, where it is in progress. */
static enum rollout_reason waits_for(const struct look *l)
{
	const struct rollout_memory *m = l->memory;
	const struct rollout_stage *stage = present_stage(l);
	if (!l->known)
		return ROLLOUT_NOT_KNOWN;
	if (stage && m->done) {
		if (l->in->now_ms - m->done_ms < stage->bake_ms)
			return ROLLOUT_BAKING;
		if (stage->pause)
			return ROLLOUT_PAUSED;
	}
	switch (l->gate) {
	case ROLLOUT_GATE_OPEN: break;
	case ROLLOUT_GATE_WINDOW: return ROLLOUT_OUTSIDE;
	case ROLLOUT_GATE_HELD: return ROLLOUT_HELD;
	case ROLLOUT_GATE_SUSPENDED: return ROLLOUT_SUSPENDED;
	}
	if (!l->reachable && l->in->placed)
		return ROLLOUT_UNREACHED;
	return !stage && l->healthy ? ROLLOUT_MONITORING : ROLLOUT_UPDATING;
}

static void find_end(const struct look *l)
{
	struct rollout_memory *m = l->memory;
	const struct circuit_breaker *breaker = &l->settings->breaker;
	if (!l->known || m->state == ROLLOUT_COMPLETED)
		return;
	bool over = l->healthy && l->in->now_ms >= monitored_until(l);
	if (m->state == ROLLOUT_FAILED) {
		if (over && !m->roll_back)
			complete(m);
		return;
	}
	int64_t deadline = l->settings->progress_deadline_ms;
	if (breaker->enable && m->failed_tasks >= rollout_threshold(breaker, l->in->placed))
		fail(l, ROLLOUT_THRESHOLD);
	else if (breaker->enable && first_batch_failed(l))
		fail(l, ROLLOUT_FIRST_BATCH);
	else if (over && m->step == ROLLOUT_ALL)
		complete(m);
	else if (deadline && m->waited_ms >= deadline && waits_for(l) == ROLLOUT_UPDATING)
		fail(l, ROLLOUT_DEADLINE);
}

/* --- the verdict ------------------------------------------------------------------------------ */

static int64_t wake_at(const struct look *l, enum rollout_reason reason)
{
	const struct rollout_memory *m = l->memory;
	int64_t deadline = l->settings->progress_deadline_ms;
	if (m->state == ROLLOUT_FAILED)
		return l->healthy && !m->roll_back ? monitored_until(l) : ROLLOUT_NEVER;
	switch (reason) {
	case ROLLOUT_BAKING: return m->done_ms + present_stage(l)->bake_ms;
	case ROLLOUT_MONITORING: return monitored_until(l);
	case ROLLOUT_UPDATING:
		return deadline ? l->in->now_ms + deadline - m->waited_ms : ROLLOUT_NEVER;
	case ROLLOUT_OUTSIDE:
	case ROLLOUT_HELD:
	case ROLLOUT_SUSPENDED: /* all may be there already */
		return m->step == ROLLOUT_ALL && l->healthy ? monitored_until(l) : ROLLOUT_NEVER;
	case ROLLOUT_NOT_KNOWN:
	case ROLLOUT_UNREACHED:
	case ROLLOUT_PAUSED:
	case ROLLOUT_DONE:
	case ROLLOUT_THRESHOLD:
	case ROLLOUT_FIRST_BATCH:
	case ROLLOUT_DEADLINE:
	case ROLLOUT_REASON_COUNT: break;
	}
	return ROLLOUT_NEVER;
}

static void set_reach(const struct look *l, struct rollout_verdict *out)
{
	switch (l->memory->state) {
	case ROLLOUT_IN_PROGRESS:
		if (l->gate == ROLLOUT_GATE_OPEN)
			out->reach = open_reach(l, &out->steps_reached);
		break;
	case ROLLOUT_COMPLETED: out->reach = ROLLOUT_ALL; break;
	case ROLLOUT_FAILED: break;
	}
}

static bool persistent_differs(const struct rollout_memory *a, const struct rollout_memory *b)
{
	return a->state != b->state || a->reason != b->reason || a->roll_back != b->roll_back ||
	       a->step != b->step || a->failed_tasks != b->failed_tasks ||
	       a->succeeded != b->succeeded || a->readied != b->readied ||
	       strcmp(a->message, b->message) != 0;
}

void rollout_step(struct rollout_memory *m, const struct rollout_settings *settings,
		  const struct rollout_input *in, struct arena *arena, struct rollout_verdict *out)
{
	const struct rollout_memory before = *m;
	const struct look l = look_at(m, settings, in, arena);
	pass_time(m, in->now_ms);
	if (m->state == ROLLOUT_IN_PROGRESS) {
		count_events(&l);
		walk_steps(&l);
	}
	find_end(&l);
	bool open = m->state == ROLLOUT_IN_PROGRESS;
	enum rollout_reason reason = open ? waits_for(&l) : m->reason;
	m->counting = reason == ROLLOUT_UPDATING;
	m->current = in->current;
	m->unready = l.unready;
	*out = (struct rollout_verdict){
		.state = m->state,
		.reason = reason,
		.message = open ? rollout_message(&l, reason) : arena_strdup(arena, m->message),
		.step = m->step,
		.paused = reason == ROLLOUT_PAUSED,
		.roll_back = m->roll_back,
		.threshold = settings->breaker.enable
				     ? rollout_threshold(&settings->breaker, in->placed)
				     : 0,
		.bake_until_ms = reason == ROLLOUT_BAKING ? wake_at(&l, reason) : 0,
		.wake_at_ms = wake_at(&l, reason),
		.memory_changed = persistent_differs(&before, m),
		.forecast = rollout_forecast(&l),
	};
	set_reach(&l, out);
}
