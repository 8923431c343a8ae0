/*
 * lifecycle: small random worlds in virtual time, from a seed. On the road: nothing is started
 * whose conditions are not met or that stopped for good, nothing is stopped without a cause, out of
 * order or while something is unknown, nothing twice. At the end, when nothing breaks any more: it
 * runs; it stops when that is wished; it is removed. MUSTER_SEED=N runs that one seed.
 */
#include "lifecycle_oracle.h"

#define SEEDS	  500
#define FAULTS	  60
#define CALM_MS	  (60 * MINUTE)
#define STEPS_MAX 20000

/* Stepped again with the same, it does nothing more. */
static void check_again(struct world *w, const struct lifecycle_input *input, struct arena *arena)
{
	struct lifecycle_memory memory = w->memory;
	struct lifecycle_input again = *input;
	struct lifecycle_output out;
	again.answer_count = 0;
	lifecycle_step(&memory, &again, arena, &out);
	for (uint32_t i = 0; i < out.call_count; i++)
		FAIL("%s again in the same moment", kinds[out.calls[i].kind]);
	if (out.memory_changed)
		FAIL("the memory changes again in the same moment");
}

/* The node: a stopped task is removed, and there is another. */
static void node(struct world *w, struct oracle *o, const struct lifecycle_output *out)
{
	uint32_t draw = world_below(w, 3);
	if (out->status == TASK_STOPPED && w->wish != LIFECYCLE_REMOVED &&
	    (draw == 0 || !w->chaos)) {
		w->wish = LIFECYCLE_REMOVED;
		w->wake_ms = w->now_ms;
	}
	if (!out->removed)
		return;
	for (int i = 0; i < SLOTS; i++) {
		if (w->containers[i].now.state != CONTAINER_ABSENT)
			FAIL("%s is left behind", world_names[i]);
	}
	if (w->leaving) {
		w->gone = true;
		return;
	}
	world_new_attempt(w);
	*o = (struct oracle){ .agents = w->agents, .losses = w->losses };
	w->wake_ms = w->now_ms;
}

/* A call that changed something may be given again at once. */
static void note_effects(const struct world *w, struct oracle *o)
{
	for (int i = 0; i < SLOTS; i++) {
		const struct lifecycle_container *now = &w->containers[i].now;
		bool shown = w->reachable && w->hidden != i;
		if (shown && (o->last[i].state != now->state || o->last[i].run != now->run))
			o->last[i].kind = LIFECYCLE_NONE;
	}
}

/* What the agent was shown, whatever it made of it. */
static void note_shown(struct world *w, const struct oracle *o)
{
	for (int i = 0; i < SLOTS && w->reachable && w->hidden < 0; i++) {
		struct world_container *c = &w->containers[i];
		bool restarts = o->last[i].kind == LIFECYCLE_START && o->last[i].run == c->now.run;
		c->seen_ran |= c->now.run && (world_up(c) || c->now.state == CONTAINER_EXITED);
		c->seen_end |= c->now.state == CONTAINER_EXITED && !restarts;
	}
}

static void step(struct world *w, struct oracle *o, bool idle)
{
	struct arena arena;
	struct lifecycle_output out;
	arena_init(&arena);
	struct lifecycle_input input = world_input(w, &arena);
	if (o->agents != w->agents) {
		memset(o->last, 0, sizeof(o->last));
		o->agents = w->agents;
	}
	if (o->losses != w->losses) {
		o->status = TASK_PROVISIONING;
		o->losses = w->losses;
	}
	note_effects(w, o);
	note_failures(w);
	lifecycle_step(&w->memory, &input, &arena, &out);
	w->answer_count = 0;
	if (out.memory_changed || !w->saved) {
		json_decref(w->saved);
		w->saved = lifecycle_memory_to_json(&w->memory);
	}
	if (idle && out.call_count)
		FAIL("it did not ask to be woken for: %s", kinds[out.calls[0].kind]);
	check_status(o, w, &out);
	check_again(w, &input, &arena);
	for (uint32_t i = 0; i < out.call_count; i++)
		check_call(o, w, &out.calls[i], &out);
	for (uint32_t i = 0; i < out.call_count; i++)
		world_give(w, &out.calls[i]);
	if (out.wake_at_ms <= w->now_ms)
		FAIL("it wants to be woken in the past");
	w->wake_ms = out.wake_at_ms;
	note_shown(w, o);
	node(w, o, &out);
	arena_release(&arena);
}

enum fault {
	KILL,
	REMOVE,
	PAUSE,
	START,
	CHANGE,
	HIDE,
	REACH,
	CRASH,
	REBOOT,
	RESTART,
	FORGET,
	WISH,
	JUMP,
	FAULT_COUNT
};

static void by_hand(struct world *w, struct world_container *c, enum fault fault)
{
	enum lifecycle_state state = c->now.state;
	switch (fault) {
	case KILL:
		if (world_up(c))
			world_end(w, c, 137);
		break;
	case REMOVE:
		c->pruned |= c->seen_end && state == CONTAINER_EXITED;
		c->now = (struct lifecycle_container){ .state = CONTAINER_ABSENT };
		break;
	case PAUSE:
		if (state == CONTAINER_RUNNING)
			c->now.state = CONTAINER_PAUSED;
		break;
	case START: /* out of order: what must have been before is not sure any more */
		w->forgot |= state == CONTAINER_CREATED;
		if (state == CONTAINER_EXITED || state == CONTAINER_CREATED)
			world_run(w, c);
		break;
	case CHANGE: c->now.changed = state != CONTAINER_ABSENT; break;
	case HIDE:
	case REACH:
	case CRASH:
	case REBOOT:
	case RESTART:
	case FORGET:
	case WISH:
	case JUMP:
	case FAULT_COUNT: break;
	}
}

static void fault(struct world *w)
{
	static const uint32_t weights[FAULT_COUNT] = {
		[KILL] = 20,  [REMOVE] = 6, [PAUSE] = 10, [START] = 8,	[CHANGE] = 1,
		[HIDE] = 5,   [REACH] = 10, [CRASH] = 3,  [REBOOT] = 2, [RESTART] = 12,
		[FORGET] = 4, [WISH] = 3,   [JUMP] = 4,
	};
	uint32_t sum = 0, f = 0;
	for (uint32_t i = 0; i < FAULT_COUNT; i++)
		sum += weights[i];
	uint32_t draw = world_below(w, sum), pick = world_below(w, SLOTS);
	for (; draw >= weights[f]; f++)
		draw -= weights[f];
	bool there = world_there(w, (int)pick);
	if (there)
		by_hand(w, &w->containers[pick], (enum fault)f);
	switch ((enum fault)f) {
	case HIDE: w->hidden = there && w->hidden < 0 ? (int)pick : -1; break;
	case REACH: w->reachable = !w->reachable; break;
	case CRASH: world_crash(w, false); break;
	case REBOOT: world_crash(w, true); break;
	case RESTART: world_agent_restart(w, false, true); break;
	case FORGET: world_agent_restart(w, true, true); break;
	case WISH: w->wish = w->wish == LIFECYCLE_RUN ? LIFECYCLE_STOPPED : w->wish; break;
	case JUMP: w->now_ms += world_below(w, 20 * MINUTE); break;
	case KILL:
	case REMOVE:
	case PAUSE:
	case START:
	case CHANGE:
	case FAULT_COUNT: break;
	}
}

/* Lets time pass to `end`, a step at each event and at each wake, and some at other times. */
static void run_until(struct world *w, struct oracle *o, int64_t end)
{
	for (int steps = 0; !w->gone; steps++) {
		int64_t next = world_next(w), wake = w->wake_ms;
		int64_t at = next < wake ? next : wake;
		bool early = world_chance(w, 10) && at > w->now_ms;
		if (early && at > end)
			at = end;
		if (early)
			at = w->now_ms + world_below(w, (uint32_t)(at - w->now_ms) + 1);
		if (at > end)
			break;
		w->now_ms = at > w->now_ms ? at : w->now_ms;
		bool happened = world_happen(w);
		step(w, o, early && !happened && w->now_ms < wake);
		if (steps > STEPS_MAX)
			FAIL("it never rests");
	}
	w->now_ms = end;
}

static void check_converged(struct world *w, const struct oracle *o)
{
	bool checks = false;
	if (o->status != TASK_RUNNING)
		FAIL("it does not run: %s", task_status_name(o->status));
	for (int i = 0; i < SLOTS; i++) {
		const struct world_container *c = &w->containers[i];
		enum lifecycle_state state = c->now.state;
		bool runs = state == CONTAINER_RUNNING;
		bool over = state == CONTAINER_EXITED || state == CONTAINER_ABSENT;
		if (!world_there(w, i))
			continue;
		if (i < OWNER && w->job[i] ? !over : !runs && (essential(w, i) || !over))
			FAIL("at rest %s is %s", world_names[i], states[state]);
		checks |= i < OWNER && runs && w->definitions[i].health_check;
	}
	if (o->health_checked && o->health != HEALTH_HEALTHY)
		FAIL("at rest it is %s", health_status_name(o->health));
	if (!checks && w->wake_ms != NEVER)
		FAIL("at rest it wakes at %lld", (long long)w->wake_ms);
}

static void calm_down(struct world *w)
{
	w->chaos = false;
	w->reachable = true;
	w->hidden = -1;
	for (int i = 0; i < SLOTS; i++) {
		struct world_container *c = &w->containers[i];
		c->call.fails = c->exec.fails = false;
		if (i == OWNER || !w->job[i])
			c->exits_ms = NEVER;
	}
	w->wake_ms = w->now_ms;
}

static void run_seed(void)
{
	struct world world, *w = &world;
	struct oracle o = { 0 };
	world_open(w, seed);
	w->wake_ms = w->now_ms;
	for (int i = 0; i < FAULTS; i++) {
		uint32_t scale = world_below(w, 4), pause = world_below(w, 20000);
		run_until(w, &o, w->now_ms + (scale == 0 ? 6 * pause : scale == 1 ? 0 : pause));
		fault(w);
		w->wake_ms = w->now_ms;
	}
	calm_down(w);
	run_until(w, &o, w->now_ms + CALM_MS);
	check_converged(w, &o);
	w->leaving = true;
	w->wish = LIFECYCLE_STOPPED;
	w->wake_ms = w->now_ms;
	run_until(w, &o, w->now_ms + CALM_MS);
	if (!w->gone)
		FAIL("it is not gone");
	world_close(w);
}

static void worlds_converge_safely(void **state UNUSED)
{
	const char *one = getenv("MUSTER_SEED"), *many = getenv("MUSTER_SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1;
	uint64_t last = one ? first : many ? strtoull(many, NULL, 10) : SEEDS;
	for (seed = first; seed <= last; seed++)
		run_seed();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(worlds_converge_safely) };
	return cmocka_run_group_tests_name("lifecycle_property", tests, NULL, NULL);
}
