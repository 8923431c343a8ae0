/* The controller's shell, as cmd/musterd has it. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEATS_SCAN_MS	   10000
#define BEATS_EARLY_MS	   500
#define BEATS_EARLY_FOR_MS 35000
#define STORE_RETRY_MS	   2000
#define RELIST_MS	   60000
#define SOURCE_INTERVAL_MS 60000

static const char *const listed_prefixes[] = { "controller/families/", "controller/services/",
					       "nodes/", "desired/", "observed/" };

static int64_t unix_ms(const struct sim *sim)
{
	return UNIX_ZERO_MS + sim->now_ms + sim->controller.wall_ms;
}

void controller_step_soon(struct sim *sim)
{
	if (sim->controller.alive)
		timer_at(sim, CONTROLLER, EV_CONTROLLER_STEP, sim->now_ms);
}

static void store_failed(struct sim *sim)
{
	control_store_away(sim->controller.c, "does not answer");
	timer_at(sim, CONTROLLER, EV_CONTROLLER_REOPEN, sim->now_ms + STORE_RETRY_MS);
	mark(sim, CONTROLLER, "store failed", NULL, 0);
	controller_step_soon(sim);
}

/* --- documents ----------------------------------------------------------------------------------
 */

static void tell(struct sim *sim, const char *key, struct doc *doc)
{
	oracle_told(sim, key, doc);
	control_document(sim->controller.c, key, doc ? doc->bytes : NULL, doc ? doc->len : 0, NULL,
			 sim->now_ms);
}

static void got_document(struct sim *sim, struct request *r)
{
	if (!r->ok)
		store_failed(sim);
	else
		tell(sim, r->key, r->doc);
	controller_step_soon(sim);
}

/* --- lists --------------------------------------------------------------------------------------
 */

static bool listed_there(const struct request *r, const char *key)
{
	for (size_t i = 0; i < r->list.len; i++)
		if (strcmp(r->list.items[i].key, key) == 0)
			return true;
	return false;
}

static void tell_absent(struct sim *sim, const struct request *r)
{
	struct arena scratch;
	arena_init(&scratch);
	const struct node_record **nodes;
	uint32_t count = control_nodes(sim->controller.c, &scratch, &nodes);
	for (uint32_t i = 0; i < count; i++) {
		const char *key = arena_printf(&scratch, "%s%s", r->key, nodes[i]->name);
		if (!listed_there(r, key))
			tell(sim, key, NULL);
	}
	arena_release(&scratch);
}

static void tell_list(struct sim *sim, const struct request *r)
{
	for (size_t i = 0; i < r->list.len; i++)
		tell(sim, r->list.items[i].key, r->list.items[i].doc);
	if (strncmp(r->key, "controller/", 11) != 0)
		tell_absent(sim, r);
	if (strcmp(r->key, "nodes/") == 0)
		control_nodes_told(sim->controller.c, r->look);
}

static void request_list(struct sim *sim, const char *prefix, bool synced)
{
	struct request *r = request_new(sim, CONTROLLER, R_LIST, prefix);
	r->look = control_look(sim->controller.c);
	r->synced = synced; /* of all lists, or of nodes/ alone */
	request_send(sim, r);
}

static void list_again(struct sim *sim)
{
	struct controller *ctl = &sim->controller;
	timer_at(sim, CONTROLLER, EV_CONTROLLER_RELIST, sim->now_ms + RELIST_MS);
	if (ctl->listing > 0)
		return;
	ctl->list_failed = false;
	for (size_t i = 0; i < ARRAY_LEN(listed_prefixes); i++) {
		ctl->listing++;
		request_list(sim, listed_prefixes[i], true);
	}
}

static void restore_applied(struct sim *sim)
{
	struct controller *ctl = &sim->controller;
	if (ctl->applied < 0)
		return;
	struct arena scratch;
	arena_init(&scratch);
	struct source_snapshot s = repo_snapshot(sim, ctl->applied, -1, &scratch);
	control_restore(ctl->c, &s);
	arena_release(&scratch);
	if (ctl->c->applied.id[0] && !control_needs_history(ctl->c))
		ctl->have = ctl->applied;
}

static void tell_beats(struct sim *sim, const struct request *r)
{
	struct controller *ctl = &sim->controller;
	if (r->ok) {
		for (uint32_t i = 0; i < sim->machine_count; i++) {
			const char *name = sim->machines[i]->name;
			oracle_beat(sim, i, r->beats[i]);
			if (r->beats[i])
				control_beat(ctl->c, name, r->beats[i], sim->now_ms);
			if (r->seconds[i])
				control_second_beat(ctl->c, name, r->seconds[i], sim->now_ms);
		}
		control_beats_told(ctl->c, sim->now_ms);
	} else {
		store_failed(sim);
	}
	bool early = ctl->listed && sim->now_ms - ctl->listed_at_ms < BEATS_EARLY_FOR_MS;
	timer_at(sim, CONTROLLER, EV_CONTROLLER_BEATS,
		 sim->now_ms + (early ? BEATS_EARLY_MS : BEATS_SCAN_MS));
	controller_step_soon(sim);
}

/* r->synced: it comes behind all lists. */
static void got_beats(struct sim *sim, const struct request *r)
{
	struct controller *ctl = &sim->controller;
	tell_beats(sim, r);
	if (!r->synced || ctl->listed || !r->ok)
		return;
	ctl->listed = true;
	ctl->listed_at_ms = sim->now_ms;
	timer_at(sim, CONTROLLER, EV_CONTROLLER_BEATS, sim->now_ms + BEATS_EARLY_MS);
	control_store_listed(ctl->c);
	restore_applied(sim);
	timer_at(sim, CONTROLLER, EV_CONTROLLER_SOURCE, sim->now_ms + draw_ms(sim, 5, 200));
}

static void scan_beats(struct sim *sim, bool behind_lists)
{
	struct request *r = request_new(sim, CONTROLLER, R_BEATS, "alive/");
	r->synced = behind_lists;
	request_send(sim, r);
}

static void got_list(struct sim *sim, const struct request *r)
{
	struct controller *ctl = &sim->controller;
	if (!r->synced) { /* of nodes/ alone */
		if (r->ok)
			tell_list(sim, r);
		else
			store_failed(sim);
		controller_step_soon(sim);
		return;
	}
	ctl->listing--;
	if (r->ok) {
		tell_list(sim, r);
	} else {
		ctl->list_failed = true;
		store_failed(sim);
	}
	if (ctl->listing == 0 && !ctl->list_failed)
		scan_beats(sim, true);
	controller_step_soon(sim);
}

/* --- the source ---------------------------------------------------------------------------------
 */

static void look(struct sim *sim)
{
	struct controller *ctl = &sim->controller;
	timer_at(sim, CONTROLLER, EV_CONTROLLER_SOURCE, sim->now_ms + SOURCE_INTERVAL_MS);
	if (!ctl->listed)
		return;
	if (ctl->source_away) {
		control_source_failed(ctl->c, "Timeout", "the repository does not answer");
	} else if (ctl->have == sim->repo.head) {
		control_source_ok(ctl->c, sim->repo.commits.items[ctl->have]->id);
	} else {
		struct arena arena;
		arena_init(&arena);
		struct source_snapshot s = repo_snapshot(sim, sim->repo.head, ctl->have, &arena);
		mark(sim, CONTROLLER, "takes", s.commit, (uint64_t)ctl->have);
		bool taken = control_snapshot(ctl->c, &s, sim->now_ms, unix_ms(sim));
		ctl->have = taken ? sim->repo.head : -1;
		arena_release(&arena);
		if (!taken)
			timer_at(sim, CONTROLLER, EV_CONTROLLER_SOURCE, sim->now_ms + 50);
	}
	controller_step_soon(sim);
}

/* --- effects ------------------------------------------------------------------------------------
 */

static void put(struct sim *sim, const struct control_effect *e)
{
	struct request *r = request_new(sim, CONTROLLER, R_PUT, e->key);
	uint32_t machine = key_machine(sim, e->key);
	r->doc = doc_new(e->bytes, e->len);
	r->synced = e->synced;
	mark(sim, CONTROLLER, "puts", e->key, r->doc->hash);
	if (strncmp(e->key, "desired/", 8) == 0)
		oracle_put(sim, machine, r->doc);
	sim->coverage->puts++;
	sim->effects++;
	request_send(sim, r);
}

static void save_applied(struct sim *sim)
{
	struct arena arena;
	arena_init(&arena);
	const struct source_snapshot *s = control_applied_snapshot(sim->controller.c, &arena);
	for (size_t i = 0; i < sim->repo.commits.len; i++)
		if (strcmp(sim->repo.commits.items[i]->id, s->commit) == 0)
			sim->controller.applied = (int32_t)i;
	arena_release(&arena);
}

static void carry_out(struct sim *sim, const struct control_effect *e)
{
	sim->coverage->effects++;
	switch (e->kind) {
	case EFFECT_PUT: put(sim, e); break;
	case EFFECT_REMOVE:
		mark(sim, CONTROLLER, "removes", e->key, 0);
		sim->effects++;
		request_send(sim, request_new(sim, CONTROLLER, R_REMOVE, e->key));
		break;
	case EFFECT_LIST_NODES: request_list(sim, "nodes/", false); break;
	case EFFECT_SAVE_APPLIED: save_applied(sim); break;
	case EFFECT_EVENT: mark(sim, CONTROLLER, e->event->name, e->event->message, 0); break;
	case EFFECT_STATUS_FLEET:
	case EFFECT_STATUS_SERVICE:
	case EFFECT_STATUS_NODE:
	case EFFECT_STATUS_TASKDEF: sim->hash = sim->hash * 31 + (uint64_t)e->kind; break;
	}
}

/* It may die between any two effects. */
static void step(struct sim *sim)
{
	struct controller *ctl = &sim->controller;
	struct arena arena;
	struct control_effects effects = { 0 };
	bool dies = false;
	arena_init(&arena);
	oracle_before_step(sim);
	oracle_rollouts_before(sim);
	control_step(ctl->c, sim->now_ms, unix_ms(sim), &arena, &effects);
	oracle_after_step(sim);
	oracle_rollouts_after(sim);
	for (size_t i = 0; i < effects.items.len && !dies; i++) {
		bool matters = effects.items.items[i].kind <= EFFECT_SAVE_APPLIED;
		dies = matters && chance(sim, sim->chances.controller_dies);
		if (!dies)
			carry_out(sim, &effects.items.items[i]);
	}
	if (effects.wake_at_ms == NEVER)
		timer_off(sim, CONTROLLER, EV_CONTROLLER_WAKE);
	else
		timer_at(sim, CONTROLLER, EV_CONTROLLER_WAKE,
			 effects.wake_at_ms > sim->now_ms ? effects.wake_at_ms : sim->now_ms + 1);
	control_effects_release(&effects);
	arena_release(&arena);
	if (!dies)
		return;
	fault_met(sim, F_CONTROLLER_EFFECT, WORLD);
	controller_kill(sim, draw_ms(sim, 50, 30000), false);
}

static void put_done(struct sim *sim, const struct request *r)
{
	control_put_done(sim->controller.c, r->key, r->ok, r->ok ? NULL : "input/output error",
			 sim->now_ms);
	if (!r->ok)
		timer_at(sim, CONTROLLER, EV_CONTROLLER_REOPEN, sim->now_ms + STORE_RETRY_MS);
	controller_step_soon(sim);
}

/* --- life ---------------------------------------------------------------------------------------
 */

void controller_start(struct sim *sim)
{
	struct controller *ctl = &sim->controller;
	ctl->alive = true;
	ctl->life++;
	ctl->c = control_new();
	ctl->link.sent_ms = ctl->link.answered_ms = 0;
	ctl->listing = 0;
	ctl->listed = ctl->list_failed = false;
	ctl->have = -1;
	mark(sim, CONTROLLER, "starts", NULL, ctl->life);
	oracle_controller_started(sim);
	timer_at(sim, CONTROLLER, EV_CONTROLLER_REOPEN, sim->now_ms);
	controller_step_soon(sim);
}

void controller_kill(struct sim *sim, int64_t back_in_ms, bool state_lost)
{
	struct controller *ctl = &sim->controller;
	mark(sim, CONTROLLER, "dies", NULL, state_lost);
	control_free(ctl->c);
	ctl->c = NULL;
	ctl->alive = false;
	ctl->life++;
	if (state_lost)
		ctl->applied = -1;
	for (int k = EV_CONTROLLER_START; k <= EV_CONTROLLER_SOURCE; k++)
		timer_off(sim, CONTROLLER, (enum event_kind)k);
	timer_at(sim, CONTROLLER, EV_CONTROLLER_START, sim->now_ms + back_in_ms);
}

static void opened(struct sim *sim, const struct request *r)
{
	if (!r->ok) {
		store_failed(sim);
	} else if (r->kind == R_OPEN) {
		control_store_open(sim->controller.c, FLEET);
		request_send(sim, request_new(sim, CONTROLLER, R_LOCK, ""));
	} else {
		list_again(sim);
	}
}

void controller_event(struct sim *sim, const struct event *e)
{
	switch ((int)e->kind) {
	case EV_CONTROLLER_START: controller_start(sim); break;
	case EV_CONTROLLER_STEP:
	case EV_CONTROLLER_WAKE: step(sim); break;
	case EV_CONTROLLER_BEATS: scan_beats(sim, false); break;
	case EV_CONTROLLER_RELIST: list_again(sim); break;
	case EV_CONTROLLER_REOPEN:
		request_send(sim, request_new(sim, CONTROLLER, R_OPEN, ""));
		break;
	case EV_CONTROLLER_SOURCE: look(sim); break;
	case EV_WATCH: request_send(sim, request_new(sim, CONTROLLER, R_GET, e->data)); break;
	default: break;
	}
}

void controller_answer(struct sim *sim, struct request *r)
{
	switch (r->kind) {
	case R_OPEN:
	case R_LOCK: opened(sim, r); break;
	case R_GET: got_document(sim, r); break;
	case R_LIST: got_list(sim, r); break;
	case R_BEATS: got_beats(sim, r); break;
	case R_PUT: put_done(sim, r); break;
	case R_CAS:
	case R_REMOVE: break;
	}
}
