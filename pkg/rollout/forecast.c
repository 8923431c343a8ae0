#include "rollout/internal.h"

/* Of the present step and those after it; -1: one of them has a pause. */
static int64_t bakes_ahead(const struct look *l)
{
	const struct rollout_memory *m = l->memory;
	int64_t sum = 0;
	for (uint32_t i = m->step; i < l->stage_count; i++) {
		const struct rollout_stage *stage = &l->settings->stages[i];
		if (stage->pause)
			return -1;
		int64_t baked = i == m->step && m->done ? l->in->now_ms - m->done_ms : 0;
		if (baked < stage->bake_ms)
			sum += stage->bake_ms - baked;
	}
	return sum;
}

static int64_t monitor_ahead(const struct look *l, uint32_t nodes_left)
{
	int64_t watched = l->in->now_ms - l->in->last_ready_ms;
	if (nodes_left || !l->in->last_ready_ms)
		return nodes_left ? l->settings->monitor_ms : 0;
	return watched < l->settings->monitor_ms ? l->settings->monitor_ms - watched : 0;
}

struct rollout_forecast rollout_forecast(const struct look *l)
{
	const struct rollout_memory *m = l->memory;
	const struct rollout_input *in = l->in;
	uint32_t budget = in->budget ? in->budget : 1;
	uint32_t there = in->current_ready + in->excused;
	struct rollout_forecast f = {
		.nodes_left = l->reachable > there ? l->reachable - there : 0,
		.ms_a_batch = m->readied ? m->worked_ms * budget / m->readied : -1,
		.expected_end_ms = -1,
	};
	int64_t bakes = bakes_ahead(l);
	if (m->state != ROLLOUT_IN_PROGRESS || l->gate != ROLLOUT_GATE_OPEN || bakes < 0 ||
	    (f.nodes_left && f.ms_a_batch < 0))
		return f;
	int64_t batches = ((int64_t)f.nodes_left + budget - 1) / budget;
	f.expected_end_ms = in->now_ms + batches * (batches ? f.ms_a_batch : 0) + bakes +
			    monitor_ahead(l, f.nodes_left);
	return f;
}
