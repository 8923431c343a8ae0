/* lifecycle's tests: the oracle over a world's road. It knows the truth, and what the agent was
 * shown. */
#ifndef MUSTER_TESTS_LIFECYCLE_ORACLE_H
#define MUSTER_TESTS_LIFECYCLE_ORACLE_H

#include "lifecycle_world.h"

#define PATIENCE_MS 1000 /* before a call that changed nothing is given again */
#define FAIL(...)                                                                                  \
	do {                                                                                       \
		world_print(w);                                                                    \
		fail_msg(__VA_ARGS__);                                                             \
		abort(); /* not reached, which not every tool knows */                             \
	} while (0)

static uint64_t seed;

static const char *const states[] = {
	"unknown", "absent", "created", "running", "paused", "exited"
};
static const char *const kinds[] = { "nothing", "create", "start",  "unpause",
				     "stop",	"kill",	  "remove", "check" };

static void world_print(const struct world *w)
{
	print_error("MUSTER_SEED=%llu, at %lld ms, wish %d%s%s, memory: %s%s%s%s %s\n",
		    (unsigned long long)seed, (long long)w->now_ms, (int)w->wish,
		    w->reachable ? "" : ", engine away", w->forgot ? ", forgot" : "",
		    w->memory.running ? "running " : "", w->memory.stopping ? "stopping " : "",
		    w->memory.stopped ? "stopped " : "", w->memory.stop_code,
		    w->memory.stop_reason);
	for (int i = 0; i < SLOTS; i++) {
		const struct world_container *c = &w->containers[i];
		if (!world_there(w, i))
			continue;
		print_error("  %s: %s run %llu, %lld to %lld, exit %d, busy %s%s%s%s\n",
			    world_names[i], states[c->now.state], (unsigned long long)c->now.run,
			    (long long)c->now.started_at_ms, (long long)c->now.exited_at_ms,
			    c->now.exit_code, kinds[c->call.kind],
			    c->now.earlier_boot ? ", earlier boot" : "",
			    c->now.changed ? ", changed" : "", i == w->hidden ? ", hidden" : "");
		for (uint32_t d = 0; i < OWNER && d < w->definitions[i].depends_on.len; d++)
			print_error("    depends on %s %s\n", w->depends[i][d].container_name,
				    w->depends[i][d].condition);
	}
}

/* What the oracle remembers, found by its own means. */
struct oracle {
	enum task_status status; /* last shown in this attempt, and with this memory */
	enum health_status health;
	bool health_checked;
	int agents, losses;
	struct {
		enum lifecycle_call_kind kind;
		enum lifecycle_state state;
		uint64_t run;
		int64_t at_ms;
		uint32_t unpauses;
	} last[SLOTS];
};

static bool essential(const struct world *w, int i)
{
	return i == OWNER || w->definitions[i].essential != OPT_FALSE;
}

static int named(const char *name)
{
	return name[0] - 'a';
}

static bool condition_true(const struct world *w, const struct container_dependency *d)
{
	const struct world_container *on = &w->containers[named(d->container_name)];
	bool exited = on->now.state == CONTAINER_EXITED || on->pruned;
	switch (d->condition[0]) {
	case 'S': return d->condition[1] == 'T' ? on->ran : exited && on->exit_code == 0;
	case 'C': return exited;
	default: return on->success && world_up(on);
	}
}

/* It cannot become true any more, or took too long. */
static bool hopeless(const struct world *w, int who, const struct container_dependency *d)
{
	int i = named(d->container_name);
	const struct world_container *on = &w->containers[i];
	const struct opt_int *limit = &w->definitions[i].start_timeout;
	bool late = limit->set && on->first_start_ms &&
		    w->now_ms >= on->first_start_ms + 1000 * limit->value;
	bool exited = on->now.state == CONTAINER_EXITED || on->pruned;
	if (on->now.state == CONTAINER_ABSENT &&
	    w->forgot) /* its exit code is not known any more */
		return true;
	if (w->containers[who].seen_ran || strcmp(d->condition, "START") == 0)
		return false;
	if (d->condition[0] != 'H' && condition_true(w, d))
		return false; /* a success of a check may have come too late */
	return late || exited;
}

/* Is there anything for which the task must stop? */
static bool cause(const struct world *w)
{
	bool any = false;
	if (w->wish != LIFECYCLE_RUN)
		return true;
	for (int i = 0; i < (int)w->count; i++)
		any |= w->containers[i].now.state != CONTAINER_ABSENT || w->containers[i].ran;
	for (int i = 0; i < SLOTS; i++) {
		const struct world_container *c = &w->containers[i];
		enum lifecycle_state state = c->now.state;
		bool gone = state == CONTAINER_ABSENT && (i == OWNER ? any : c->ran);
		if (!world_there(w, i))
			continue;
		if (c->now.changed || c->failed ||
		    (essential(w, i) && (state == CONTAINER_EXITED || gone)))
			return true;
		if (i == OWNER && state == CONTAINER_CREATED && any)
			return true;
		for (uint32_t d = 0; i < OWNER && d < w->definitions[i].depends_on.len; d++) {
			if (hopeless(w, i, &w->depends[i][d]))
				return true;
		}
	}
	return false;
}

static void check_start(const struct world *w, int i)
{
	const struct world_container *c = &w->containers[i];
	const struct container_definition *what = i == OWNER ? NULL : &w->definitions[i];
	if (c->now.state != CONTAINER_CREATED && c->now.state != CONTAINER_EXITED)
		FAIL("%s is started and is %s", world_names[i], states[c->now.state]);
	if (c->now.state == CONTAINER_EXITED && what) {
		int64_t ran = c->now.exited_at_ms - c->now.started_at_ms;
		if (!what->restart_policy || c->now.earlier_boot || ran < 60000)
			FAIL("%s is started again after %lld ms", world_names[i], (long long)ran);
	}
	if (c->now.state == CONTAINER_EXITED && !what && !c->now.earlier_boot)
		FAIL("an owner that ended is started again");
	for (uint32_t d = 0; what && !c->ran && d < what->depends_on.len; d++) {
		if (!condition_true(w, &w->depends[i][d]))
			FAIL("%s starts though %s is not %s", world_names[i],
			     w->depends[i][d].container_name, w->depends[i][d].condition);
	}
	for (int k = 0; what && !c->ran && k < i; k++) {
		const struct world_container *before = &w->containers[k];
		bool may = before->now.state == CONTAINER_ABSENT && !before->ran && !w->forgot;
		for (uint32_t d = 0; d < w->definitions[k].depends_on.len; d++)
			may &= condition_true(w, &w->depends[k][d]) &&
			       w->depends[k][d].condition[0] != 'H'; /* a success may be too late */
		if (may)
			FAIL("%s starts before %s", world_names[i], world_names[k]);
	}
}

static void check_stop(const struct oracle *o, const struct world *w, int i,
		       enum lifecycle_call_kind kind)
{
	const struct world_container *c = &w->containers[i];
	int64_t timeout_s = i == OWNER ? OWNER_STOP_TIMEOUT_S
			    : w->definitions[i].stop_timeout.set
				    ? w->definitions[i].stop_timeout.value
				    : DEFAULT_STOP_TIMEOUT_S;
	if (!world_up(c) || (kind == LIFECYCLE_STOP && c->now.state == CONTAINER_PAUSED))
		FAIL("%s is stopped and is %s", world_names[i], states[c->now.state]);
	for (int k = 0; k < (int)w->count; k++) {
		const struct world_container *other = &w->containers[k];
		bool depends = i == OWNER;
		for (uint32_t d = 0; d < w->definitions[k].depends_on.len; d++)
			depends |= named(w->depends[k][d].container_name) == i;
		if (k != i && depends && (world_up(other) || other->call.kind == LIFECYCLE_START))
			FAIL("%s is stopped before %s", world_names[i], world_names[k]);
	}
	bool late = c->stop_ms && w->now_ms >= c->stop_ms + 1000 * timeout_s +
						       (c->call.kind ? STOP_MARGIN_MS : 0);
	if (kind == LIFECYCLE_KILL && !late && o->last[i].unpauses < 3 &&
	    o->last[i].kind != LIFECYCLE_KILL)
		FAIL("%s is killed early", world_names[i]);
}

static void check_call(struct oracle *o, struct world *w, const struct lifecycle_call *call,
		       const struct lifecycle_output *out)
{
	int i = call->container == LIFECYCLE_OWNER ? OWNER : (int)call->container;
	struct world_container *c = &w->containers[i];
	enum lifecycle_call_kind kind = call->kind;
	bool stops = kind == LIFECYCLE_STOP || kind == LIFECYCLE_KILL;
	bool starts = kind == LIFECYCLE_CREATE || kind == LIFECYCLE_START;
	bool exec = kind == LIFECYCLE_EXEC_HEALTH;
	if (!w->reachable || w->hidden >= 0)
		FAIL("%s %s while not all is known", kinds[kind], world_names[i]);
	if (exec ? c->exec.kind
		 : c->call.kind && (kind != LIFECYCLE_KILL || c->call.kind != LIFECYCLE_STOP))
		FAIL("%s %s while %s is under way", kinds[kind], world_names[i],
		     kinds[exec ? c->exec.kind : c->call.kind]);
	if (stops ? out->status < TASK_STOPPING : (starts || exec) && out->status >= TASK_STOPPING)
		FAIL("%s %s in status %s", kinds[kind], world_names[i],
		     task_status_name(out->status));
	if (starts && i != OWNER && w->has_owner &&
	    w->containers[OWNER].now.state != CONTAINER_RUNNING)
		FAIL("%s %s without the owner of its network", kinds[kind], world_names[i]);
	if (!exec && o->last[i].kind == kind && w->now_ms < o->last[i].at_ms + PATIENCE_MS)
		FAIL("%s %s again, too early", kinds[kind], world_names[i]);
	if (kind == LIFECYCLE_CREATE && c->now.state != CONTAINER_ABSENT)
		FAIL("%s is created and is there", world_names[i]);
	if (kind == LIFECYCLE_CREATE && c->pruned && !w->forgot)
		FAIL("%s is created though it had ended", world_names[i]);
	if (kind == LIFECYCLE_START)
		check_start(w, i);
	if (stops)
		check_stop(o, w, i, kind);
	if (kind == LIFECYCLE_UNPAUSE && c->now.state != CONTAINER_PAUSED)
		FAIL("%s is unpaused and is %s", world_names[i], states[c->now.state]);
	if (kind == LIFECYCLE_REMOVE &&
	    (w->wish != LIFECYCLE_REMOVED || out->status != TASK_STOPPED ||
	     c->now.state == CONTAINER_ABSENT || world_up(c)))
		FAIL("%s is removed", world_names[i]);
	if (exec && c->now.state != CONTAINER_RUNNING)
		FAIL("%s is checked and is %s", world_names[i], states[c->now.state]);
	if (exec)
		return;
	if (kind == LIFECYCLE_STOP && !c->stop_ms)
		c->stop_ms = w->now_ms;
	bool same = o->last[i].kind == kind;
	o->last[i].unpauses = kind != LIFECYCLE_UNPAUSE ? 0 : same ? o->last[i].unpauses + 1 : 1;
	o->last[i].kind = kind;
	o->last[i].state = c->now.state;
	o->last[i].run = c->now.run;
	o->last[i].at_ms = w->now_ms;
}

/* Failures of what never ran, as they are answered. */
static void note_failures(struct world *w)
{
	for (uint32_t a = 0; a < w->answer_count && w->reachable && w->hidden < 0; a++) {
		const struct lifecycle_answer *answer = &w->answers[a];
		int i = answer->container == LIFECYCLE_OWNER ? OWNER : (int)answer->container;
		struct world_container *c = &w->containers[i];
		bool starts = answer->kind == LIFECYCLE_CREATE || answer->kind == LIFECYCLE_START;
		c->failed |= starts && !answer->ok && (!c->seen_ran || i == OWNER);
	}
}

static void check_status(struct oracle *o, const struct world *w,
			 const struct lifecycle_output *out)
{
	bool known = w->reachable && w->hidden < 0;
	if (out->status < o->status)
		FAIL("%s after %s", task_status_name(out->status), task_status_name(o->status));
	if (out->status != o->status && !known && o->status)
		FAIL("%s while not all is known", task_status_name(out->status));
	if (out->status >= TASK_STOPPING && o->status < TASK_STOPPING && known && !cause(w))
		FAIL("it stops for nothing: %s", out->reason);
	for (int i = 0; out->status == TASK_STOPPED && o->status < TASK_STOPPED && i < SLOTS; i++) {
		if (world_there(w, i) && known && world_up(&w->containers[i]))
			FAIL("STOPPED, and %s is %s", world_names[i],
			     states[w->containers[i].now.state]);
	}
	for (int i = 0; out->status == TASK_RUNNING && i < (int)w->count; i++) {
		if (!w->containers[i].ran && !w->forgot)
			FAIL("RUNNING, and %s never ran", world_names[i]);
	}
	o->status = out->status;
	o->health = out->health;
	o->health_checked = out->health_checked;
}

#endif
