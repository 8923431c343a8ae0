/*
 * node: small random worlds in virtual time, from a seed. On the road: no two tasks of a service,
 * or with surge no third and none taken away before the new one is ready; no stop without its
 * reason and without `seen` written, nor before what started later has stopped; no start before its
 * back-off or its turn; failures that only grow; nothing twice. At the end, when nothing breaks any
 * more: exactly what is desired. MUSTER_SEED=N runs that one seed.
 */
#include "node_world.h"

#define SEEDS	   60
#define FAULTS	   120
#define CALM_MS	   (20 * MINUTE)
#define SETTLED_MS (2 * HOUR)
#define STEPS_MAX  20000
#define FAIL(...)                                                                                  \
	do {                                                                                       \
		world_print(w);                                                                    \
		fail_msg(__VA_ARGS__);                                                             \
		abort(); /* not reached, which not every tool knows */                             \
	} while (0)

static uint64_t seed;

/* What a person needs to see why. */
static void world_print(const struct world *w)
{
	print_error("MUSTER_SEED=%llu, at %lld ms, seen %llu of %llu, desired %s, tasks %s\n",
		    (unsigned long long)seed, (long long)w->now_ms,
		    (unsigned long long)w->seen_written, (unsigned long long)w->desired.number,
		    w->desired_known ? "known" : "unknown", w->tasks_known ? "known" : "unknown");
	for (uint32_t i = 0; i < w->desired.task_count; i++)
		print_error("  wants %s target %d\n", w->wanted[i].service,
			    w->wanted[i].target.bytes[0]);
	for (int s = 0; s < SERVICES; s++)
		print_error("  prepare of s%d: target %d, state %d\n", s, w->prepares[s].target,
			    (int)w->prepares[s].state);
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *t = &w->tasks.items[i];
		if (!t->removed)
			print_error("  %s of s%d: target %d %s %lld to %lld%s%s\n", t->id,
				    t->service, t->target, task_status_name(t->status),
				    (long long)t->started_ms, (long long)t->stopped_ms,
				    t->stop_requested ? ", to stop: " : "", t->reason);
	}
}

/* What the oracle remembers, found by its own means. */
struct oracle {
	uint8_t target[SERVICES];		     /* of the series; 0: not desired */
	int64_t since_ms[SERVICES];		     /* desired with that target since */
	int64_t not_running_ms[SERVICES];	     /* last seen RUNNING, or wanted since */
	bool was_ready[SERVICES], started[SERVICES]; /* in this boot */
	int boot;
	/* Of when it was desired last: for the order of stops. */
	uint64_t wanted_number[SERVICES]; /* 0: not known to the agent */
	int32_t priority[SERVICES];
	int depends[SERVICES]; /* on that service; -1: on none */
	/* As told last. */
	uint8_t told_target[SERVICES];
	uint32_t told_failures[SERVICES];
	uint32_t forgot;
};

/* A task of the desired target takes the place of any other, even before it runs. */
static bool target_alive(const struct oracle *o, const struct world *w, int service)
{
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *task = &w->tasks.items[i];
		if (task->service == service && task->target == o->target[service] &&
		    world_alive(task) && !task->stop_requested)
			return true;
	}
	return false;
}

static void oracle_look(struct oracle *o, struct world *w)
{
	if (o->boot != w->boot) {
		struct oracle fresh = { .boot = w->boot, .forgot = o->forgot };
		memcpy(fresh.told_target, o->told_target, sizeof(fresh.told_target));
		memcpy(fresh.told_failures, o->told_failures, sizeof(fresh.told_failures));
		*o = fresh;
	}
	if (o->forgot != w->forgot) {
		memset(o->told_target, 0, sizeof(o->told_target));
		memset(o->wanted_number, 0, sizeof(o->wanted_number));
		o->forgot = w->forgot;
	}
	for (int s = 0; s < SERVICES; s++) {
		const struct wire_desired_task *want = world_wants(w, s);
		uint8_t target = want ? want->target.bytes[0] : 0;
		if (w->desired_known && o->told_target[s] != target)
			o->told_target[s] = 0;
		if (w->desired_known && want) {
			o->wanted_number[s] = w->desired.number;
			o->priority[s] = want->priority;
			o->depends[s] = want->depends_on.len ? s - 1 : -1;
		}
		if (w->desired_known && o->target[s] != target) {
			o->target[s] = target;
			o->since_ms[s] = o->not_running_ms[s] = w->now_ms;
			w->prepares[s].failures = 0;
			w->prepares[s].fresh = false;
			w->prepare_failed[s] = false;
		}
	}
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *task = &w->tasks.items[i];
		if (task->started_ms)
			o->started[task->service] = true;
		if (task->status != TASK_RUNNING || task->removed)
			continue;
		if (task->target == o->target[task->service] || !target_alive(o, w, task->service))
			o->not_running_ms[task->service] = w->now_ms;
		if (w->now_ms - task->started_ms >= 2000 &&
		    (!w->checked[task->service] || task->health == HEALTH_HEALTHY))
			o->was_ready[task->service] = true;
	}
}

static bool broke(const struct world_task *task)
{
	return task->status == TASK_STOPPED && !task->earlier_boot && !task->forgotten &&
	       (!task->stop_requested || strstr(task->reason, "health checks"));
}

static int by_end(const void *a, const void *b)
{
	const struct world_task *x = *(const struct world_task *const *)a;
	const struct world_task *y = *(const struct world_task *const *)b;
	return (x->stopped_ms > y->stopped_ms) - (x->stopped_ms < y->stopped_ms);
}

/* When may the service start again, by the history of its tasks? */
static int64_t earliest(const struct oracle *o, const struct world *w, int service)
{
	static const int64_t delay_s[] = { 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300 };
	VEC(const struct world_task *) ends = { 0 };
	size_t count = 0, last = ARRAY_LEN(delay_s) - 1;
	int64_t at = 0;
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *task = &w->tasks.items[i];
		if (task->service == service && task->target == o->target[service] && broke(task) &&
		    task->stopped_ms > o->since_ms[service])
			*vec_push(&ends) = task;
	}
	if (ends.len)
		qsort(ends.items, ends.len, sizeof(*ends.items), by_end);
	for (size_t i = 0; i < ends.len; i++) {
		const struct world_task *task = ends.items[i];
		if (task->started_ms && task->stopped_ms - task->started_ms >= 10 * MINUTE)
			count = 0;
		at = task->stopped_ms + 1000 * delay_s[count < last ? count : last];
		count++;
	}
	vec_release(&ends);
	return at;
}

static const struct world_task *other_alive(const struct world *w, const struct world_task *than,
					    int service)
{
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *task = &w->tasks.items[i];
		if (task != than && task->service == service && world_alive(task))
			return task;
	}
	return NULL;
}

/* May what comes after the service start? */
static bool may_pass(const struct oracle *o, const struct world *w, int service)
{
	if (w->now_ms - o->not_running_ms[service] >= START_PATIENCE_MS)
		return true;
	if (w->prepare_failed[service] || w->swallowed[service])
		return true;
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *task = &w->tasks.items[i];
		bool shown = task->status == TASK_RUNNING || task->health == HEALTH_UNHEALTHY;
		bool failed = broke(task) && task->target == o->target[service];
		if (task->service == service && (failed || (shown && !task->removed)))
			return true;
	}
	return false;
}

static void check_start(const struct oracle *o, const struct world *w, const struct node_action *a)
{
	int service = world_service(a->task->service);
	if (!w->desired_known || !w->tasks_known || w->disk_full || w->leaving)
		FAIL("s%d starts though it may not", service);
	const struct world_task *old = other_alive(w, NULL, service);
	const struct world_prepare *p = &w->prepares[service];
	if (old && !a->task->surge)
		FAIL("s%d starts a second task", service);
	if (old && other_alive(w, old, service))
		FAIL("s%d starts a third task", service);
	if (old && old->target == a->task->target.bytes[0])
		FAIL("s%d starts beside what is desired", service);
	if (old && (p->state != PREPARE_DONE || p->target != a->task->target.bytes[0]))
		FAIL("s%d starts beside an old one and is not prepared", service);
	if (w->now_ms < earliest(o, w, service))
		FAIL("s%d starts %lld ms too early", service,
		     (long long)(earliest(o, w, service) - w->now_ms));
	for (const struct wire_desired_task *t = w->wanted; t != a->task; t++) {
		int before = world_service(t->service);
		if (!may_pass(o, w, before))
			FAIL("s%d starts before its turn: s%d does not run", service, before);
	}
	for (uint32_t i = 0; i < a->task->depends_on.len && !o->started[service]; i++) {
		int on = world_service(a->task->depends_on.items[i]);
		if (world_wants(w, on) && !o->was_ready[on])
			FAIL("s%d starts before s%d was ready", service, on);
	}
}

/* Must the service be gone, or have had its time, before the other may stop? */
static bool stops_before(const struct oracle *o, int service, int other)
{
	return service != other && o->wanted_number[other] &&
	       o->wanted_number[service] == o->wanted_number[other] &&
	       (o->depends[service] == other || o->priority[service] < o->priority[other]);
}

static void check_stop_order(const struct oracle *o, const struct world *w, int service)
{
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *t = &w->tasks.items[i];
		bool stays = !w->leaving && world_wants(w, t->service);
		bool had_time = t->stop_requested && w->now_ms - t->asked_ms >= STOP_PATIENCE_MS;
		if (!stays && world_alive(t) && !had_time && stops_before(o, t->service, service))
			FAIL("s%d stops before s%d has stopped", service, t->service);
	}
}

/* With surge: is there another old one, or a new one that is ready? */
static bool is_covered(const struct world *w, const struct world_task *task, uint8_t target)
{
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *t = &w->tasks.items[i];
		bool runs = t != task && t->service == task->service && world_alive(t) &&
			    !t->stop_requested;
		bool ready = t->status == TASK_RUNNING && w->now_ms - t->started_ms >= 2000 &&
			     (!w->checked[t->service] || t->health == HEALTH_HEALTHY);
		if (runs && (t->target != target || ready))
			return true;
	}
	return false;
}

static void check_stop(const struct oracle *o, const struct world *w, const struct node_action *a)
{
	const struct world_task *task = world_find(w, a->id);
	if (!task || !world_alive(task) || task->stop_requested)
		FAIL("%s is stopped without being alive", a->id);
	if (!w->tasks_known || !a->reason)
		FAIL("%s is stopped blindly", a->id);
	if (w->leaving || !world_wants(w, task->service))
		check_stop_order(o, w, task->service);
	if (w->leaving)
		return;
	if (!w->desired_known || w->seen_written < w->desired.number)
		FAIL("%s is stopped before its document is known and written as seen", a->id);
	const struct wire_desired_task *want = world_wants(w, task->service);
	if (!want)
		return;
	uint8_t target = want->target.bytes[0];
	if (want->surge && task->target != target && !is_covered(w, task, target))
		FAIL("%s is stopped before the new one is ready", a->id);
	if (w->checked[task->service] && task->health == HEALTH_UNHEALTHY)
		return;
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *other = &w->tasks.items[i];
		if (other != task && other->service == task->service && world_alive(other) &&
		    !other->stop_requested)
			return; /* one of several; which one is a question for rows */
	}
	const struct world_prepare *p = &w->prepares[task->service];
	if (want->target.bytes[0] == task->target)
		FAIL("%s is what is desired and is stopped", a->id);
	if (p->state != PREPARE_DONE || p->target != want->target.bytes[0])
		FAIL("%s is stopped before the next was prepared (%s, target %d)", a->id, a->reason,
		     task->target);
}

static void check_prepare(const struct world *w, const struct node_action *a)
{
	int service = world_service(a->task->service);
	const struct world_prepare *p = &w->prepares[service];
	uint8_t target = a->task->target.bytes[0];
	if (!w->desired_known || !w->tasks_known || w->disk_full || !other_alive(w, NULL, service))
		FAIL("s%d is prepared for nothing", service);
	if (p->target == target && (p->state == PREPARE_RUNNING || p->state == PREPARE_DONE))
		FAIL("s%d is prepared twice", service);
	int64_t delay = p->failures < 2 ? 0 : (int64_t)1000 << (p->failures - 2);
	if (p->target == target && w->now_ms - p->failed_ms < (delay < 300000 ? delay : 300000))
		FAIL("s%d is prepared too early", service);
}

static void check_remove(const struct world *w, const struct node_action *a)
{
	const struct world_task *task = world_find(w, a->id);
	int newer = 0;
	if (!task || task->removed || task->status != TASK_STOPPED)
		FAIL("%s is removed without being stopped", a->id);
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *t = &w->tasks.items[i];
		newer += t != task && t->service == task->service && !t->removed &&
			 t->status == TASK_STOPPED && t->stopped_ms >= task->stopped_ms;
	}
	if (newer < 10 && w->now_ms - task->stopped_ms < HOUR && !w->leaving)
		FAIL("%s is removed too early", a->id);
}

static void check_clean(const struct world *w, const struct node_action *a)
{
	const struct world_task *task = world_find(w, a->id);
	if (!task || task->removed || task->status != TASK_STOPPED)
		FAIL("%s is cleaned without being stopped", a->id);
	if (w->leaving || !w->desired_known || !w->tasks_known || world_wants(w, task->service))
		FAIL("%s is cleaned, and its service may still be desired", a->id);
}

static void check(const struct oracle *o, const struct world *w, const struct node_action *action)
{
	switch (action->kind) {
	case NODE_START: check_start(o, w, action); break;
	case NODE_STOP: check_stop(o, w, action); break;
	case NODE_PREPARE: check_prepare(w, action); break;
	case NODE_CLEAN: check_clean(w, action); break;
	case NODE_REMOVE: check_remove(w, action); break;
	}
}

/* What the failures of a target can be, by the history of its tasks. */
static void check_failures(const struct oracle *o, const struct world *w, int service,
			   uint32_t failures)
{
	uint32_t least = 0, most = w->prepares[service].failed_ever + w->swallowed_ever[service];
	for (size_t i = 0; i < w->tasks.len; i++) {
		const struct world_task *t = &w->tasks.items[i];
		bool ended = t->service == service && t->target == o->target[service] &&
			     t->status == TASK_STOPPED &&
			     (!t->stop_requested || strstr(t->reason, "health checks"));
		most += ended;
		least += ended && broke(t) && t->stopped_ms > o->since_ms[service];
	}
	if (failures < least || failures > most)
		FAIL("s%d tells of %u failures: at least %u, at most %u", service, failures, least,
		     most);
}

/* The desired target's entry comes first and tells of failures that only grow. */
static void check_report(struct oracle *o, const struct world *w, const struct node_output *out)
{
	bool seen[SERVICES] = { false };
	for (uint32_t i = 0; i < out->task_count; i++) {
		const struct wire_task *t = &out->tasks[i];
		int s = world_service(t->service);
		if (!world_wants(w, s) || seen[s])
			continue;
		seen[s] = true;
		if (t->target.bytes[0] != o->target[s])
			FAIL("the first entry of s%d is of target %d", s, t->target.bytes[0]);
		if (o->told_target[s] == o->target[s] && t->failures < o->told_failures[s])
			FAIL("s%d tells of %u failures after %u", s, t->failures,
			     o->told_failures[s]);
		check_failures(o, w, s, t->failures);
		o->told_target[s] = o->target[s];
		o->told_failures[s] = t->failures;
	}
	for (int s = 0; s < SERVICES; s++) {
		if (world_wants(w, s) && !seen[s])
			FAIL("s%d is desired and not told of", s);
	}
}

/* The report as bytes. */
static void report(const struct node_output *out, struct buf *bytes)
{
	struct wire_observed doc = { .fleet = "f",
				     .node = "n",
				     .cluster = "c",
				     .instance = "i",
				     .boot_id = "b",
				     .session = "s",
				     .seen = out->seen,
				     .tasks = out->tasks,
				     .task_count = out->task_count,
				     .stopped = out->stopped,
				     .stopped_count = out->stopped_count };
	wire_encode_observed(&doc, bytes);
}

/* The same input again: nothing more to do, nothing else to say. */
static void check_again(struct world *w, const struct node_input *in,
			const struct node_output *first, struct arena *arena)
{
	struct node_output again;
	struct buf one = { 0 }, two = { 0 };
	node_step(w->memory, in, arena, &again);
	if (again.action_count)
		FAIL("the same input gives action %d again", (int)again.actions[0].kind);
	/* An entry says since when it is asked to stop, which the first time it is not yet. */
	if (first->action_count == 0 && w->steps++ % 4 == 0) {
		report(first, &one);
		report(&again, &two);
		size_t same = 0;
		while (one.data[same] && one.data[same] == two.data[same])
			same++;
		if (one.data[same])
			FAIL("the same input is reported otherwise:\n%.300s\n%.300s",
			     one.data + (same > 150 ? same - 150 : 0),
			     two.data + (same > 150 ? same - 150 : 0));
	}
	buf_release(&one);
	buf_release(&two);
}

/* A step of the agent. quiet: nothing happened since the last one, and its wake is not due. */
static void step(struct world *w, struct oracle *o, bool quiet)
{
	struct arena arena;
	struct node_output out;
	arena_init(&arena);
	oracle_look(o, w);
	struct node_input in = world_input(w, &arena);
	node_step(w->memory, &in, &arena, &out);
	if (out.memory_changed) {
		buf_reset(&w->saved);
		node_memory_save(w->memory, world_boot_id(w), &w->saved);
	}
	if (quiet && out.action_count)
		FAIL("it slept over an action (%d %s)", (int)out.actions[0].kind,
		     out.actions[0].id ? out.actions[0].id : out.actions[0].task->service);
	check_again(w, &in, &out, &arena);
	if (w->desired_known && w->tasks_known && !w->leaving)
		check_report(o, w, &out);
	if (out.wake_at_ms <= w->now_ms)
		FAIL("it wants to wake at %lld", (long long)out.wake_at_ms);
	w->wake_ms = out.action_count ? w->now_ms : out.wake_at_ms; /* actions change things */
	if (out.seen > w->seen_written && (w->seen_due_ms == NEVER || w->seen_due != out.seen)) {
		w->seen_due = out.seen;
		w->seen_due_ms = w->now_ms + world_below(w, 500);
	}
	bool dies = world_chance(w, 2);
	uint32_t done = dies ? world_below(w, out.action_count + 1) : out.action_count;
	for (uint32_t i = 0; i < done; i++) {
		check(o, w, &out.actions[i]);
		world_carry_out(w, &out.actions[i]);
	}
	if (dies)
		world_agent_restart(w, false);
	w->wake_ms = dies ? w->now_ms : w->wake_ms;
	arena_release(&arena);
}

enum fault { KILL, DOCUMENT, UNKNOWN, DISK, ENGINE, STRAY, RESTART, FORGET, REBOOT, FAULT_COUNT };

static void fault(struct world *w)
{
	static const uint8_t weights[FAULT_COUNT] = { 30, 20, 8, 6, 6, 4, 10, 2, 3 };
	uint32_t draw = world_below(w, 89), fault = 0;
	for (; draw >= weights[fault]; fault++)
		draw -= weights[fault];
	uint32_t pick = world_below(w, w->tasks.len ? (uint32_t)w->tasks.len : 1);
	int service = (int)world_below(w, SERVICES);
	switch ((enum fault)fault) {
	case KILL:
		if (w->tasks.len && world_alive(&w->tasks.items[pick]))
			world_end(w, &w->tasks.items[pick]);
		break;
	case DOCUMENT: world_new_document(w); break;
	case UNKNOWN: w->desired_known = !w->desired_known; break;
	case DISK: w->disk_full = !w->disk_full; break;
	case ENGINE: w->tasks_known = !w->tasks_known; break;
	case STRAY: world_start(w, service, (uint8_t)(1 + pick % 3)); break;
	case RESTART: world_agent_restart(w, false); break;
	case FORGET: world_agent_restart(w, true); break;
	case REBOOT: world_reboot(w); break;
	case FAULT_COUNT: break;
	}
}

/* Lets time pass to `end`, a step at each event and at each wake, and some at other times. */
static void run_until(struct world *w, struct oracle *o, int64_t end)
{
	for (int steps = 0;; steps++) {
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

static void check_converged(struct world *w)
{
	for (int s = 0; s < SERVICES; s++) {
		const struct wire_desired_task *want = world_wants(w, s);
		const struct world_task *task = other_alive(w, NULL, s);
		if (!want != !task || (task && other_alive(w, task, s)))
			FAIL("s%d: %s desired, %s alive", s, want ? "one" : "none",
			     !task		       ? "none"
			     : other_alive(w, task, s) ? "several"
						       : "one");
		if (task && (task->status != TASK_RUNNING || task->target != want->target.bytes[0]))
			FAIL("s%d is not what is desired: status %d", s, (int)task->status);
	}
}

static void calm_down(struct world *w)
{
	w->chaos = w->disk_full = false;
	w->desired_known = w->tasks_known = true;
	for (size_t i = 0; i < w->tasks.len; i++) {
		struct world_task *task = &w->tasks.items[i];
		if (world_alive(task) && !task->stop_requested && task->status == TASK_RUNNING)
			task->due_ms = NEVER;
		task->runs_ms = NEVER;
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
		run_until(w, &o, w->now_ms + (scale == 0 ? 20 * pause : scale == 1 ? 0 : pause));
		fault(w);
		w->wake_ms = w->now_ms;
	}
	calm_down(w);
	run_until(w, &o, w->now_ms + CALM_MS);
	check_converged(w);
	run_until(w, &o, w->now_ms + SETTLED_MS);
	check_converged(w);
	if (w->wake_ms != NEVER)
		FAIL("at rest it wakes at %lld", (long long)w->wake_ms);
	w->leaving = true;
	w->wake_ms = w->now_ms;
	run_until(w, &o, w->now_ms + CALM_MS);
	for (size_t i = 0; i < w->tasks.len; i++) {
		if (!w->tasks.items[i].removed)
			FAIL("%s is left behind", w->tasks.items[i].id);
	}
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
	return cmocka_run_group_tests_name("node_property", tests, NULL, NULL);
}
