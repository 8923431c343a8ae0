/*
 * rollout: small random fleets in virtual time, from a seed, with a planner of some lines. On the
 * road: what rollout.h promises of steps, bakes, pauses, gates, thresholds and ends. A second
 * memory is stepped at every tick, and must say the same as the one that is stepped when something
 * happens and when it asked for it. MUSTER_SEED=N runs that one seed, MUSTER_SEEDS=N so many.
 */
#include "rollout_world.h"

/* How often each was seen: a test that never comes there proves nothing. */
static uint32_t seen_reasons[ROLLOUT_REASON_COUNT], seen_steps, seen_healed;

/* --- the oracle ------------------------------------------------------------------------------- */

/* Is all that a step reaches there and ready? Of the world, not of counts. */
static bool step_is_done(const struct world *w, uint32_t step)
{
	uint32_t begun = step + 1, reachable = 0, placed = 0;
	for (int i = 0; i < NODES; i++) {
		const struct node *n = &w->nodes[i];
		placed += n->placed;
		reachable += counts(n);
		if (counts(n) && n->has && n->task != READY && !n->excused)
			return false;
	}
	return (reachable || !placed) &&
	       owed(w, rollout_reach(&w->settings, begun, placed), begun, NULL) == 0;
}

static bool all_is_healthy(const struct world *w)
{
	uint32_t placed = 0, ready = 0;
	for (int i = 0; i < NODES; i++) {
		const struct node *n = &w->nodes[i];
		placed += n->placed;
		if (!counts(n))
			continue;
		if (!n->has || (n->task != READY && !n->excused) || n->unknown)
			return false;
		ready += n->task == READY;
	}
	return ready || !placed;
}

static enum rollout_gate gate_for(const struct world *w)
{
	return w->settings.is_rollback && w->gate != ROLLOUT_GATE_SUSPENDED ? ROLLOUT_GATE_OPEN
									    : w->gate;
}

static void check_advance(struct world *w, uint32_t from, uint32_t to)
{
	const struct rollout_stage *stage = &w->stages[from];
	if (to < from)
		FAIL(w, "step %u after %u", to, from);
	if (from >= w->settings.stage_count || w->settings.is_rollback)
		return; /* the steps are gone */
	if (to != from + 1 && !(to == ROLLOUT_ALL && from + 1 == w->settings.stage_count))
		FAIL(w, "step %u after %u", to, from);
	if (stage->pause)
		FAIL(w, "step %u did not pause", from);
	if (w->gate != ROLLOUT_GATE_OPEN || !w->synced)
		FAIL(w, "step %u began behind the gate", to);
	if (!step_is_done(w, from))
		FAIL(w, "step %u is not done", from);
	if (w->done_since_ms < 0 || w->now_ms - w->done_since_ms < stage->bake_ms)
		FAIL(w, "step %u baked since %lld", from, (long long)w->done_since_ms);
	seen_steps++;
}

static void check_end(struct world *w, const struct rollout_memory *before,
		      const struct rollout_input *in)
{
	const struct circuit_breaker *b = &w->settings.breaker;
	if (w->v.state == ROLLOUT_COMPLETED && before->state != ROLLOUT_COMPLETED) {
		if (!all_is_healthy(w) || w->v.step != ROLLOUT_ALL)
			FAIL(w, "COMPLETED, and it is not");
		if (w->last_ready_ms && w->now_ms < w->last_ready_ms + w->settings.monitor_ms)
			FAIL(w, "COMPLETED before the monitor is over");
	}
	seen_healed += before->state == ROLLOUT_FAILED && w->v.state == ROLLOUT_COMPLETED;
	if (before->state == ROLLOUT_COMPLETED && w->v.state != ROLLOUT_COMPLETED)
		FAIL(w, "not COMPLETED any more");
	if (before->state == ROLLOUT_FAILED && w->v.state == ROLLOUT_IN_PROGRESS)
		FAIL(w, "not FAILED any more");
	if (before->roll_back && !(w->v.roll_back && w->v.state == ROLLOUT_FAILED))
		FAIL(w, "does not roll back any more");
	bool may = b->enable && b->rollback && !w->settings.is_rollback;
	if (w->v.roll_back && !before->roll_back && !(may && w->completed_exists))
		FAIL(w, "rolls back");
	if (w->v.state == ROLLOUT_FAILED && before->state == ROLLOUT_IN_PROGRESS && may &&
	    w->completed_exists && !w->v.roll_back)
		FAIL(w, "does not roll back");
	bool known = in->synced && !in->unknown;
	if (w->v.state == ROLLOUT_IN_PROGRESS && b->enable && known &&
	    w->memory.failed_tasks >= rollout_threshold(b, in->placed))
		FAIL(w, "%u tasks failed", w->memory.failed_tasks);
	if (w->v.state != before->state && !known)
		FAIL(w, "ended without knowing");
}

static void check_reach(struct world *w, const struct rollout_verdict *before)
{
	bool open = gate_for(w) == ROLLOUT_GATE_OPEN;
	if (w->v.state == ROLLOUT_FAILED || (w->v.state == ROLLOUT_IN_PROGRESS && !open)) {
		if (w->v.reach || w->v.steps_reached)
			FAIL(w, "a batch may begin");
		return;
	}
	if (w->v.state == ROLLOUT_IN_PROGRESS && !w->changed && before->reach &&
	    (w->v.reach < before->reach ||
	     (w->v.reach != ROLLOUT_ALL && w->v.steps_reached < before->steps_reached)))
		FAIL(w, "reach %u after %u", w->v.reach, before->reach);
	if (w->v.step == ROLLOUT_ALL && w->v.reach != ROLLOUT_ALL)
		FAIL(w, "not all is reached after the last step");
}

static void check_same(struct world *w, const struct rollout_verdict *other)
{
	const struct rollout_verdict *v = &w->v;
	if (v->state != other->state || v->reason != other->reason || v->reach != other->reach ||
	    v->steps_reached != other->steps_reached || v->step != other->step ||
	    v->roll_back != other->roll_back || v->bake_until_ms != other->bake_until_ms ||
	    strcmp(w->message, other->message) != 0)
		FAIL(w, "'%s' (%s), and by ticks '%s' (%s)", w->message,
		     rollout_reason_name(v->reason), other->message,
		     rollout_reason_name(other->reason));
}

/* --- stepping --------------------------------------------------------------------------------- */

static void step_once(struct world *w, struct arena *arena)
{
	const struct rollout_memory before = w->memory;
	const struct rollout_verdict old = w->v;
	const struct rollout_input in = count(w);
	struct rollout_verdict other;
	rollout_step(&w->memory, &w->settings, &in, arena, &w->v);
	snprintf(w->message, sizeof(w->message), "%s", w->v.message);
	rollout_step(&w->every_tick, &w->settings, &in, arena, &other);
	check_same(w, &other);
	if (w->v.forecast.ms_a_batch != other.forecast.ms_a_batch)
		FAIL(w, "the forecasts differ");
	if (w->v.step != before.step && w->v.state == ROLLOUT_IN_PROGRESS)
		check_advance(w, before.step, w->v.step);
	check_end(w, &before, &in);
	check_reach(w, &old);
	if (w->v.step != before.step)
		w->done_since_ms = -1;
	seen_reasons[w->v.reason]++;
	w->new_failures = w->new_ready = 0;
	w->changed = false;
}

/* As a controller does: plan, step, and again while the planner must be told another reach. */
static void look(struct world *w)
{
	struct arena arena;
	arena_init(&arena);
	for (int turns = 0;; turns++) {
		plan(w);
		if (w->done_since_ms < 0 && w->memory.step < w->settings.stage_count &&
		    step_is_done(w, w->memory.step))
			w->done_since_ms = w->now_ms;
		step_once(w, &arena);
		if (w->v.reach == w->reach && w->v.steps_reached == w->steps_reached)
			break;
		if (turns > 2 * STAGES + 2)
			FAIL(w, "the planner is told without end");
		w->reach = w->v.reach;
		w->steps_reached = w->v.steps_reached;
	}
	arena_release(&arena);
}

/* Nothing happened, and it did not ask: a step says what the one before said. */
static void look_again(struct world *w)
{
	struct arena arena;
	struct rollout_verdict other;
	const struct rollout_input in = count(w);
	arena_init(&arena);
	rollout_step(&w->every_tick, &w->settings, &in, &arena, &other);
	check_same(w, &other);
	arena_release(&arena);
}

/* --- what happens ----------------------------------------------------------------------------- */

static void task_failed(struct world *w, struct node *n)
{
	bool young = !n->ready_ms || w->now_ms - n->ready_ms <= w->settings.monitor_ms;
	if (!n->broken_before && (n->task != READY || young))
		w->new_failures++;
	if (!n->broken_before && (n->task == READY || w->new_failures))
		w->done_since_ms = -1;
	n->task = BROKEN;
	n->next_ms = w->now_ms + BACKOFF_MS;
}

static void task_ready(struct world *w, struct node *n)
{
	w->new_ready += !n->ever_ready;
	n->ever_ready = true;
	n->task = READY;
	n->ready_ms = w->last_ready_ms = w->now_ms;
	n->next_ms = INT64_MAX;
}

static bool run_task(struct world *w, struct node *n)
{
	if (!n->placed || !n->has)
		return false;
	if (!n->reachable) {
		bool counted = n->gone_counted || n->broken_before || n->task == READY ||
			       w->now_ms < n->gone_ms + w->settings.monitor_ms;
		n->gone_counted |= !counted;
		w->new_failures += !counted;
		if (!counted)
			w->done_since_ms = -1;
		return !counted;
	}
	if (n->task == READY && !w->calm && below(w, 300) == 0)
		task_failed(w, n);
	else if (w->now_ms < n->next_ms)
		return false;
	else if (n->task == BROKEN) {
		n->task = PENDING;
		n->next_ms = w->now_ms + TICK_MS + some_ms(w, 10);
	} else if (below(w, 8) < w->bad)
		task_failed(w, n);
	else
		task_ready(w, n);
	return true;
}

static void change_node(struct world *w, struct node *n)
{
	switch (below(w, 5)) {
	case 0:
	case 1:
		n->reachable = !n->reachable;
		n->gone_ms = w->now_ms;
		n->gone_counted = false;
		break;
	case 2:
		*n = (struct node){ .placed = !n->placed, .reachable = true };
		n->broken_before = below(w, 5) == 0;
		w->changed = true;
		break;
	case 3: n->unknown = !n->unknown && below(w, 2); break;
	case 4:
		n->matches[below(w, STAGES)] ^= true;
		w->changed = true;
		break;
	}
}

static void draw_stage(struct world *w, uint32_t i)
{
	static const char *const names[STAGES] = { "first", "second", "third" };
	struct rollout_stage *s = &w->stages[i];
	s->kind = below(w, 3);
	s->value = s->kind == ROLLOUT_PERCENT ? 1 + below(w, 100) : 1 + below(w, NODES);
	s->expression = names[i];
	s->bake_ms = some_ms(w, 30);
	s->pause = below(w, 4) == 0;
}

static bool same_stage(const struct rollout_stage *a, const struct rollout_stage *b)
{
	return a->kind == b->kind && a->value == b->value &&
	       strcmp(a->expression, b->expression) == 0;
}

/* A commit that changes how it is rolled out, and not what. */
static void change_settings(struct world *w)
{
	uint32_t i = below(w, STAGES), step = w->memory.step;
	struct rollout_stage present = { .expression = "" };
	if (step < w->settings.stage_count)
		present = w->stages[step];
	switch (below(w, 5)) {
	case 0:
	case 1: w->stages[i].pause ^= true; break;
	case 2: w->stages[i].bake_ms = some_ms(w, 30); break;
	case 3: draw_stage(w, i); break;
	case 4: w->settings.stage_count = below(w, STAGES + 1); break;
	}
	if (step >= w->settings.stage_count || !same_stage(&present, &w->stages[step]))
		w->done_since_ms = -1;
	w->changed = true;
}

static void restart(struct world *w)
{
	json_t *json = rollout_memory_to_json(&w->memory);
	w->memory = w->every_tick = (struct rollout_memory){ 0 };
	assert_true(rollout_memory_from_json(&w->memory, json, NULL));
	assert_true(rollout_memory_from_json(&w->every_tick, json, NULL));
	json_decref(json);
	w->done_since_ms = -1;
	w->last_ready_ms = w->now_ms;
}

/* All vanish together, or come back. */
static void part(struct world *w)
{
	bool back = !w->nodes[0].reachable;
	for (int i = 0; i < NODES; i++) {
		struct node *n = &w->nodes[i];
		if (n->reachable && !back) {
			n->gone_ms = w->now_ms;
			n->gone_counted = false;
		}
		n->reachable = back;
	}
}

static bool something_else(struct world *w)
{
	if (w->calm || below(w, 40))
		return false;
	switch (below(w, 12)) {
	case 0: w->gate = below(w, 2) ? ROLLOUT_GATE_OPEN : below(w, 4); break;
	case 1: w->synced = below(w, 4) != 0; break;
	case 2: change_settings(w); break;
	case 3: restart(w); break;
	case 4: w->bad = below(w, 6); break;
	case 5: w->budget = 1 + below(w, 3); break;
	case 6: w->completed_exists = below(w, 2); break;
	case 7: part(w); break;
	default: change_node(w, &w->nodes[below(w, NODES)]); break;
	}
	return true;
}

static void tick(struct world *w)
{
	w->now_ms += TICK_MS;
	bool looked = false;
	/* One thing after another: each is seen by itself. */
	for (int i = 0; i < NODES; i++) {
		if (!run_task(w, &w->nodes[i]))
			continue;
		look(w);
		looked = true;
	}
	if (something_else(w) || (!looked && w->now_ms >= w->v.wake_at_ms)) {
		look(w);
		looked = true;
	}
	if (!looked)
		look_again(w);
}

/* The next commit that changes what runs. */
static void new_deployment(struct world *w)
{
	struct circuit_breaker *b = &w->settings.breaker;
	w->memory = w->every_tick = (struct rollout_memory){ 0 };
	w->v = (struct rollout_verdict){ 0 };
	w->settings = (struct rollout_settings){ .stages = w->stages,
						 .stage_count = below(w, STAGES + 1) };
	b->enable = below(w, 5) != 0;
	b->rollback = below(w, 2);
	b->reset_on_healthy_task = below(w, 2);
	b->type = below(w, 3);
	b->value = b->type == THRESHOLD_COUNT ? 1 + below(w, 6) : 1 + below(w, 100);
	w->settings.progress_deadline_ms = below(w, 2) ? 3000 + some_ms(w, 200) : 0;
	w->settings.monitor_ms = some_ms(w, 20);
	w->settings.is_rollback = below(w, 8) == 0;
	w->budget = 1 + below(w, 3);
	w->bad = below(w, 4);
	w->done_since_ms = -1;
	w->last_ready_ms = 0;
	for (uint32_t i = 0; i < STAGES; i++)
		draw_stage(w, i);
	for (int i = 0; i < NODES; i++) {
		struct node *n = &w->nodes[i];
		n->broken_before = n->has ? n->task != READY : below(w, 6) == 0;
		n->has = n->ever_ready = n->excused = false;
		n->task = ABSENT;
		n->ready_ms = 0;
		n->gone_counted = true;
		for (int k = 0; k < STAGES; k++)
			n->matches[k] = below(w, 3) == 0;
	}
	w->reach = w->steps_reached = 0;
	w->changed = true;
}

static void open_world(struct world *w)
{
	*w = (struct world){ .random = seed * 0x9e3779b97f4a7c15u + 1,
			     .now_ms = 1000,
			     .synced = true,
			     .completed_exists = seed % 2 };
	for (int i = 0; i < NODES; i++) {
		w->nodes[i].placed = below(w, 8) != 0;
		w->nodes[i].reachable = below(w, 8) != 0;
		w->nodes[i].gone_ms = w->now_ms;
	}
	new_deployment(w);
}

static void calm_down(struct world *w)
{
	w->calm = w->synced = w->changed = true;
	w->gate = ROLLOUT_GATE_OPEN;
	w->bad = 0;
	for (int i = 0; i < STAGES; i++)
		w->stages[i].pause = false;
	for (int i = 0; i < NODES; i++) {
		w->nodes[i].reachable = true;
		w->nodes[i].unknown = false;
	}
	look(w);
}

static void run_seed(void)
{
	struct world world, *w = &world;
	open_world(w);
	look(w);
	for (int i = 0; i < CHAOS; i++) {
		tick(w);
		if (w->v.state == ROLLOUT_IN_PROGRESS || below(w, 30))
			continue;
		new_deployment(w);
		look(w);
	}
	calm_down(w);
	for (int i = 0; i < CALM && w->v.state != ROLLOUT_COMPLETED; i++)
		tick(w);
	if (w->v.state == ROLLOUT_IN_PROGRESS)
		FAIL(w, "it goes on for ever: %s", w->message);
	if (w->v.state == ROLLOUT_FAILED && !w->v.roll_back && all_is_healthy(w))
		FAIL(w, "it did not heal");
}

static void roads_are_safe_and_end(void **state UNUSED)
{
	const char *one = getenv("MUSTER_SEED"), *many = getenv("MUSTER_SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1;
	uint64_t last = one ? first : many ? strtoull(many, NULL, 10) : SEEDS;
	for (seed = first; seed <= last; seed++)
		run_seed();
	for (enum rollout_reason r = 0; !one && r < ROLLOUT_REASON_COUNT; r++) {
		if (!seen_reasons[r])
			fail_msg("%s was never seen", rollout_reason_name(r));
	}
	assert_true(one || (seen_steps && seen_healed));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(roads_are_safe_and_end) };
	return cmocka_run_group_tests_name("rollout_property", tests, NULL, NULL);
}
