/* How far each service's deployment is, and what may begin now: steps, windows, the guard against
 * mass changes, the breaker and its rollback. Decided in pkg/rollout; here it is asked and told. */
#include "control/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_placeable(const struct control *c, const struct service_state *s)
{
	return c->store_listed && s->id != PLAN_NONE;
}

/* --- windows ---------------------------------------------------------------------------------- */

static const struct window_list *cluster_windows(const struct control *c,
						 const struct service_state *s)
{
	static const struct window_list none;
	const struct cluster_manifest *cluster = map_get(c->clusters, s->cluster);
	return cluster ? &cluster->windows : &none;
}

/* Changes of what runs may not begin now. What `muster allow` has released waits for nothing. */
static void judge_window(struct control *c, struct service_state *s)
{
	static const struct window_list none;
	const struct window_list *lists[] = { s->spec ? &s->spec->windows : &none,
					      cluster_windows(c, s) };
	bool was = s->closed;
	s->closed = false;
	s->window_at_ms = INT64_MAX;
	if (lists[0]->len || lists[1]->len) {
		struct arena scratch;
		arena_init(&scratch);
		struct window_set sets[2];
		for (size_t i = 0; i < ARRAY_LEN(sets); i++)
			sets[i] = window_set_of(lists[i], c->zones, c->zone_count, &scratch);
		struct window_state state = window_state_at(sets, ARRAY_LEN(sets), c->zones,
							    c->zone_count, c->now_unix_ms / 1000);
		s->closed = !(state.open && c->clock_steady) && !s->primary.window_allowed;
		if (!c->clock_steady)
			snprintf(s->closed_words, sizeof(s->closed_words),
				 ": the controller's clock has jumped and is not trusted yet");
		else if (s->closed)
			window_words(&state, lists, s->closed_words);
		if (state.look_again_unix_s != INT64_MAX)
			s->window_at_ms =
				c->now_ms + state.look_again_unix_s * 1000 - c->now_unix_ms;
		if (!c->clock_steady && c->steady_at_ms < s->window_at_ms)
			s->window_at_ms = c->steady_at_ms;
		arena_release(&scratch);
	}
	s->retell |= was != s->closed;
}

uint32_t control_zone_names(const struct control *c, struct arena *arena, const char ***names)
{
	struct map *found = map_new();
	size_t it = 0;
	void *value;
	const char *name;
	while (map_next(c->services, &it, NULL, &value)) {
		const struct service_state *s = value;
		for (uint32_t i = 0; s->spec && i < s->spec->windows.len; i++)
			if ((name = s->spec->windows.items[i].time_zone))
				map_put(found, name, c->clusters);
	}
	it = 0;
	while (map_next(c->clusters, &it, NULL, &value)) {
		const struct cluster_manifest *m = value;
		for (uint32_t i = 0; i < m->windows.len; i++)
			if ((name = m->windows.items[i].time_zone))
				map_put(found, name, c->clusters);
	}
	*names = ARENA_ARRAY(arena, const char *, map_count(found) + 1);
	uint32_t count = 0;
	(*names)[count++] = DEFAULT_TIME_ZONE;
	it = 0;
	while (map_next(found, &it, &name, &value))
		if (strcmp(name, DEFAULT_TIME_ZONE) != 0)
			(*names)[count++] = arena_strdup(arena, name);
	map_free(found);
	qsort(*names, count, sizeof(**names), str_compare);
	return count;
}

void control_zones_told(struct control *c, const struct zone *zones, uint32_t count)
{
	struct arena old = c->zones_arena;
	arena_init(&c->zones_arena);
	struct zone *copy = ARENA_ARRAY(&c->zones_arena, struct zone, count + 1);
	for (uint32_t i = 0; i < count; i++) {
		struct zone_offset *offsets =
			ARENA_ARRAY(&c->zones_arena, struct zone_offset, zones[i].count + 1);
		copy[i] = zones[i];
		copy[i].name = arena_strdup(&c->zones_arena, zones[i].name);
		copy[i].offsets = offsets;
		if (zones[i].count)
			memcpy(offsets, zones[i].offsets, zones[i].count * sizeof(*offsets));
	}
	c->zones = copy;
	c->zone_count = count;
	c->zones_wanted = false;
	c->rollouts_stale = true;
	arena_release(&old);
}

bool control_zones_wanted(const struct control *c)
{
	return c->zones_wanted;
}

/* --- the guard -------------------------------------------------------------------------------- */

/* Once something is held it stays so until it is released or its cause is gone: time alone lets
 * nothing more go. */
static uint32_t stops_left(const struct control *c, struct service_state *s)
{
	uint32_t percent = cluster_mass_change_percent(c, s->cluster);
	if (s->closed || s->guarded)
		return s->stops_released;
	if (percent >= 100)
		return UINT32_MAX;
	struct guard_room room = guard_room(&s->guard, percent, s->counts.running, c->now_ms);
	return room.stops + s->stops_released;
}

void rollout_count_stop(struct control *c, struct service_state *s)
{
	if (s->stops_told != UINT32_MAX && s->stops_told > 0)
		s->stops_told--;
	if (s->stops_released > 0)
		s->stops_released--;
	else
		guard_stopped(&s->guard, 1, s->counts.running, c->now_ms);
}

/* More or less may stop than the planner goes by: it matters where it holds something. */
static void judge_guard(struct control *c, struct service_state *s)
{
	if (s->guarded && !s->counts.held && !s->counts.unknown && control_synced(c) &&
	    !c->planner_stale) {
		s->guarded = false;
		s->stops_released = 0;
		ledger_dirty_service(c, s);
	}
	s->stops_left = stops_left(c, s);
	if (s->stops_left != s->stops_told)
		s->retell |= s->counts.held > 0 || s->stops_left < s->stops_told;
}

/* --- deployments ------------------------------------------------------------------------------ */

static struct rollout_settings settings_of(const struct service_state *s, struct arena *arena)
{
	const struct daemon_service *spec = s->spec;
	struct rollout_settings out = {
		.breaker = service_circuit_breaker(spec),
		.progress_deadline_ms = spec->ecs ? 0 : DEFAULT_PROGRESS_DEADLINE_S * 1000,
		.monitor_ms = (int64_t)s->monitor_seconds * 1000,
		.is_rollback = s->primary.rollback_of[0] != '\0',
	};
	if (spec->progress_deadline_seconds.set)
		out.progress_deadline_ms = spec->progress_deadline_seconds.value * 1000;
	out.stages = rollout_stages(spec->rollout, arena, &out.stage_count);
	return out;
}

static struct rollout_input input_of(const struct control *c, const struct service_state *s)
{
	struct plan_counts n = { 0 };
	if (s->id != PLAN_NONE)
		n = planner_counts(c->planner, s->id);
	return (struct rollout_input){
		.now_ms = c->now_ms,
		.gate = s->suspend || s->stalled ? ROLLOUT_GATE_SUSPENDED
			: s->closed		 ? ROLLOUT_GATE_WINDOW
						 : ROLLOUT_GATE_OPEN,
		/* Counts that were made before the planner was told of this are of another. */
		.synced = control_synced(c) && c->nodes_ever_known && !c->planner_stale &&
			  !s->retell && !s->nowhere,
		.completed_exists = deployment_can_go_back(s),
		.reach = s->told_reach,
		.steps_reached = s->told_steps,
		.placed = n.desired,
		.unreachable = n.unreachable,
		.unknown = n.unknown,
		.current = n.current,
		.current_ready = n.current_ready,
		.excused = n.excused,
		.owed = n.owed,
		.in_flight = n.in_flight,
		.budget = n.budget,
		.failed_now = n.current_failed,
		.new_failures = s->new_failures,
		.new_ready = s->new_ready,
		.last_ready_ms = s->last_ready_ms,
	};
}

static void completed(struct control *c, struct service_state *s)
{
	struct deployment *d = &s->primary;
	d->finished_unix_ms = c->now_unix_ms;
	free(d->reason);
	d->reason = NULL;
	deployment_releases(c, s);
	event_add(c, s, NULL, "INFO", "SERVICE_DEPLOYMENT_COMPLETED", c->now_unix_ms,
		  "(service %s) (deployment %s) deployment completed.", s->name, d->id);
}

static void failed(struct control *c, struct service_state *s, const struct rollout_verdict *v)
{
	struct deployment *d = &s->primary;
	struct buf text = { 0 };
	d->finished_unix_ms = c->now_unix_ms;
	buf_addf(&text, "%s%s.",
		 v->reason == ROLLOUT_DEADLINE ? "" : "ECS deployment circuit breaker: ",
		 v->message);
	if (s->failure[0])
		buf_addf(&text, " Last failure on %s.", s->failure);
	if (d->commit[0])
		buf_addf(&text, " Revert commit %.7s, or commit a fix.", d->commit);
	free(d->reason);
	d->reason = text.data;
	deployment_releases(c, s);
	event_add(c, s, NULL, "ERROR", "SERVICE_DEPLOYMENT_FAILED", c->now_unix_ms,
		  "(service %s) (deployment %s) deployment failed: %s", s->name, d->id, d->reason);
}

/* The verdict's message lives as long as the service. */
static void keep_verdict(struct control *c, struct service_state *s,
			 const struct rollout_verdict *v)
{
	bool news = strcmp(s->verdict_text, v->message) != 0 || v->step != s->verdict.step ||
		    v->paused != s->verdict.paused || v->reason != s->verdict.reason;
	s->verdict = *v;
	snprintf(s->verdict_text, sizeof(s->verdict_text), "%s", v->message);
	s->verdict.message = s->verdict_text;
	if (news)
		dirty_service(c, s);
}

static void judge_deployment(struct control *c, struct service_state *s)
{
	struct arena scratch;
	arena_init(&scratch);
	struct rollout_settings settings = settings_of(s, &scratch);
	struct rollout_input input = input_of(c, s);
	struct rollout_verdict v;
	rollout_step(&s->primary.memory, &settings, &input, &scratch, &v);
	s->new_failures = s->new_ready = 0;
	if (v.memory_changed)
		ledger_dirty_service(c, s);
	bool ended = v.state != s->primary.state;
	s->primary.state = v.state;
	if (ended)
		s->primary.updated_unix_ms = c->now_unix_ms;
	if (ended && v.state == ROLLOUT_COMPLETED)
		completed(c, s);
	else if (ended && v.state == ROLLOUT_FAILED)
		failed(c, s, &v);
	s->retell |= ended || v.reach != s->told_reach || v.steps_reached != s->told_steps;
	s->judge_at_ms = v.wake_at_ms;
	keep_verdict(c, s, &v);
	arena_release(&scratch);
	if (v.state == ROLLOUT_FAILED && v.roll_back && deployment_can_go_back(s)) {
		deployment_go_back(c, s, c->now_unix_ms);
		s->retell = true;
		judge_deployment(c, s);
	}
}

/* A deployment of which the planner was told nothing yet reaches all or nothing, whatever the
 * counts say, unless its steps are counted in nodes. */
void rollout_rejudge(struct control *c, struct service_state *s)
{
	judge_window(c, s);
	s->stops_left = stops_left(c, s);
	s->retell = true;
	if (s->spec && s->has_primary)
		judge_deployment(c, s);
}

static bool is_due(const struct control *c, const struct service_state *s)
{
	return c->rollouts_stale || map_get(c->dirty_services, s->key) ||
	       c->now_ms >= s->judge_at_ms || c->now_ms >= s->window_at_ms;
}

bool rollouts_judge(struct control *c)
{
	bool told = false;
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		if (!is_placeable(c, s) || !is_due(c, s))
			continue;
		s->judge_at_ms = INT64_MAX;
		judge_window(c, s);
		judge_guard(c, s);
		s->nowhere = service_runs_nowhere(c, s, NULL);
		if (s->spec && s->has_primary)
			judge_deployment(c, s);
		if (!s->retell)
			continue;
		tell_planner(c, s);
		told = true;
	}
	c->rollouts_stale = false;
	return told;
}

int64_t rollouts_wake(const struct control *c)
{
	int64_t wake = INT64_MAX;
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value)) {
		const struct service_state *s = value;
		const int64_t at[] = { s->judge_at_ms, s->window_at_ms };
		for (size_t i = 0; is_placeable(c, s) && i < ARRAY_LEN(at); i++)
			wake = at[i] < wake ? at[i] : wake;
	}
	return wake;
}

/* --- holds ------------------------------------------------------------------------------------ */

static void id_of(const struct service_state *s, const char *cause, const char *what, char out[17])
{
	struct buf CLEANUP(buf_release) text = { 0 };
	buf_addf(&text, "%s: %s %s", cause, s->key, what);
	hold_make_id(buf_str(&text), out);
}

#define RELEASE "Release: muster allow %s"

static void hold_stops(struct control *c, struct service_state *s)
{
	char id[17];
	struct buf CLEANUP(buf_release) text = { 0 };
	id_of(s, "mass change", "", id);
	buf_addf(&text,
		 "(service %s) %u more tasks match no longer; more than %u%% of them within ten "
		 "minutes are held. " RELEASE,
		 s->name, s->counts.held, cluster_mass_change_percent(c, s->cluster), id);
	hold_put(c, HOLD_MASS_CHANGE, s, id, s->counts.held, buf_str(&text));
	if (!s->guarded)
		ledger_dirty_service(c, s);
	s->guarded = true;
}

/* How many tasks wait for the window. */
static uint32_t waiting(const struct service_state *s)
{
	uint32_t count = s->counts.held;
	if (s->removing)
		return s->counts.running;
	if (s->has_primary && s->primary.state == ROLLOUT_IN_PROGRESS &&
	    !s->primary.rollback_of[0] &&
	    s->counts.desired > s->counts.current + s->counts.unreachable)
		count += s->counts.desired - s->counts.current - s->counts.unreachable;
	return count;
}

static void hold_window(struct control *c, struct service_state *s, uint32_t count)
{
	char id[17];
	struct buf CLEANUP(buf_release) text = { 0 };
	id_of(s, "window", s->primary.id, id);
	buf_addf(&text, "(service %s) changes of %u tasks wait%s. " RELEASE, s->name, count,
		 s->closed_words, id);
	hold_put(c, HOLD_WINDOW, s, id, count, buf_str(&text));
}

void holds_of_services(struct control *c)
{
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		if (!is_placeable(c, s))
			continue;
		uint32_t wait = s->closed ? waiting(s) : 0;
		if (wait)
			hold_window(c, s, wait);
		else if (s->counts.held)
			hold_stops(c, s);
	}
	holds_of_services_told(c);
}

void rollouts_allow(struct control *c)
{
	for (size_t i = 0; i < c->holds.len; i++) {
		struct hold *h = &c->holds.items[i];
		struct service_state *s = h->service ? map_get(c->services, h->service) : NULL;
		if (!s || h->released ||
		    !(map_get(c->allowed, h->id) || map_get(c->allowed, "all") ||
		      map_get(c->allowed, s->name) || map_get(c->allowed, s->key)))
			continue;
		h->released = true; /* what it holds now, nothing later */
		s->stops_released += s->counts.held;
		if (h->cause == HOLD_WINDOW) {
			s->primary.window_allowed = true;
			ledger_dirty_service(c, s);
		}
		event_add(c, s, NULL, "INFO", "SERVICE_RELEASED", c->now_unix_ms,
			  "(service %s) hold %s is released.", s->name, h->id);
		c->rollouts_stale = c->planner_stale = true;
	}
}
