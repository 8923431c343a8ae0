#include "agent.h"

#include "fs/fs.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EARLY_BEAT_MS 1000

static void open_store(void *arg);
static void claim(void *arg);

/* --- the store is there, or is not
 * --------------------------------------------------------------------- */

void agent_store_failed(struct agent *a, const struct err *err)
{
	if (!a->store_text || strcmp(a->store_text, err->text) != 0)
		log_warn("the store does not answer; the tasks go on", "store", a->options.store,
			 "reason", err->text);
	free(a->store_text);
	a->store_text = xstrdup(err->text);
	a->store_ok = false;
	if (a->claim == CLAIM_WAITING || a->claim == CLAIM_TAKING)
		a->claim = CLAIM_NONE;
	a->silence = (struct node_silence){ 0 }; /* what could not be heard was no silence */
	timer_clear(a->claim_timer);
	timer_set(a->reopen_timer, STORE_RETRY_MS);
	agent_observed_changed(a, false);
}

/* --- registration
 * -------------------------------------------------------------------------------------- */

static void encode(struct agent *a, struct buf *out)
{
	struct arena scratch;
	arena_init(&scratch);
	struct wire_registration doc;
	agent_registration_build(a, &doc, &scratch);
	wire_encode_registration(&doc, out);
	arena_release(&scratch);
}

static void schedule_beat(struct agent *a)
{
	/* A fifth of difference, so that a fleet does not beat in step; one draw. */
	char random[33];
	random_id(random);
	int64_t part = strtol((char[]){ random[0], random[1], 0 }, NULL, 16);
	timer_set(a->beat_timer, BEAT_MS - BEAT_MS / 5 + part * (BEAT_MS * 2 / 5) / 255);
}

static void beaten(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	if (!answer->ok)
		agent_store_failed(a, &answer->err);
}

static void beat(void *arg)
{
	struct agent *a = arg;
	schedule_beat(a);
	agent_status_beat(a);
	if (a->store_ok && a->claim == CLAIM_HELD && !a->leave_started)
		store_beat(a->store, a->options.node, beaten, a);
}

static void registered(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	a->registration_pending = false;
	if (!answer->ok) {
		buf_reset(&a->registration_bytes);
		a->registration_dirty = true;
		agent_store_failed(a, &answer->err);
		return;
	}
	if (!answer->swapped) { /* somebody else wrote it: look who */
		a->registration_dirty = true;
		if (a->claim != CLAIM_HELD)
			a->claim = CLAIM_NONE;
		claim(a);
		return;
	}
	bool first = a->claim != CLAIM_HELD;
	if (first)
		log_info("registered", "node", a->options.node, "fleet", a->fleet);
	a->claim = CLAIM_HELD;
	beat(a);
	if (first) /* again soon: a controller that has just started knows us by a beat that moves
		    */
		timer_set(a->beat_timer, EARLY_BEAT_MS);
	agent_desired_look(a);
	agent_observed_changed(a, true);
	agent_register(a);
}

/* Swap the record that we read, `old`, for ours. */
static void swap_record(struct agent *a)
{
	struct buf bytes = { 0 };
	encode(a, &bytes);
	a->registration_pending = true;
	a->registration_dirty = false;
	/* A torn one may be empty, and is there all the same. */
	bool absent = a->registration_bytes.len == 0 && a->holder == NODE_HOLDER_NONE;
	store_cas(a->store, a->node_key, absent ? NULL : buf_str(&a->registration_bytes),
		  a->registration_bytes.len, bytes.data, bytes.len, 0, registered, a);
	buf_release(&a->registration_bytes);
	a->registration_bytes = bytes;
}

void agent_register(struct agent *a)
{
	if (a->claim != CLAIM_HELD || !a->store_ok || a->leaving)
		return;
	if (a->registration_pending) {
		a->registration_dirty = true;
		return;
	}
	struct buf bytes = { 0 };
	encode(a, &bytes);
	bool same = bytes.len == a->registration_bytes.len &&
		    memcmp(bytes.data, a->registration_bytes.data, bytes.len) == 0;
	buf_release(&bytes);
	if (!same)
		swap_record(a);
}

/* --- whose record is it?
 * ------------------------------------------------------------------------------- */

static void told(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	if (!answer->ok)
		log_warn("the controller could not be told of it", "reason", answer->err.text);
	loop_stop(a->loop);
}

/* The name is another agent's: hands off. Its documents and our tasks stay as they are; that there
 * are two is said in the log, in our own status, and to the controller by a beat apart. */
static void lose_name(struct agent *a, const char *why)
{
	log_error("this node's name is taken; nothing is touched", "node", a->options.node, "why",
		  why);
	a->conflict = why;
	agent_status_write(a);
	a->claim = CLAIM_LOST;
	a->exit_code = EXIT_SYSTEM;
	store_beat(a->store, arena_printf(&a->arena, "%s" STORE_SECOND, a->options.node), told, a);
}

static void wait_for_silence(struct agent *a)
{
	if (a->claim != CLAIM_WAITING) {
		log_info("the name is registered by another instance or boot; waiting for silence",
			 "node", a->options.node);
		a->claim = CLAIM_WAITING;
		agent_observed_changed(a, false);
	}
	timer_set(a->claim_timer, NODE_CLAIM_LOOK_MS);
	if (a->leaving)
		agent_step_soon(a);
}

static void take_name(struct agent *a, bool after_silence)
{
	bool ours = a->holder == NODE_HOLDER_US || a->holder == NODE_HOLDER_OTHER_SESSION;
	if (after_silence) {
		log_info("the node's old record is silent; taking it over", "node",
			 a->options.node);
		a->claim = CLAIM_NONE; /* waits no more */
	} else if (a->claim != CLAIM_HELD && (ours || a->highest > 0)) {
		/* Where we were before, whoever sees us registered can read at once what we run and
		 * how far we are. */
		a->claim = CLAIM_TAKING;
		agent_observed_put(a);
	}
	swap_record(a);
}

static void keep_name(struct agent *a)
{
	if (a->claim != CLAIM_HELD) { /* enough to take the documents away */
		a->claim = CLAIM_HELD;
		agent_step_soon(a);
	} else { /* the store was away when it changed, or has gone back to an earlier one */
		agent_register(a);
	}
}

static void claim_beats(void *arg, const struct store_answer *answer);

static void decide(struct agent *a, bool heard, uint64_t beat)
{
	const char *why = NULL;
	const struct buf *record = &a->registration_bytes;
	const struct node_claim_input input = {
		.held = a->claim == CLAIM_HELD,
		.leaving = a->leaving,
		.holder = a->holder,
		.record = digest_of(buf_str(record), record->len),
		.heard = heard,
		.beat = beat,
		.now_ms = clock_boot_ms(),
	};
	switch (node_claim(&a->silence, &input, &why)) {
	case NODE_CLAIM_KEEP: keep_name(a); break;
	case NODE_CLAIM_TAKE: take_name(a, heard); break;
	case NODE_CLAIM_LISTEN: store_beats(a->store, claim_beats, a); break;
	case NODE_CLAIM_WAIT: wait_for_silence(a); break;
	case NODE_CLAIM_CONFLICT: lose_name(a, why); break;
	}
}

static bool may_claim(const struct agent *a)
{
	return !a->registration_pending && a->claim != CLAIM_LOST && !a->leave_started;
}

static void claim_beats(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	if (!answer->ok) {
		agent_store_failed(a, &answer->err);
		return;
	}
	if (!may_claim(a) || a->claim == CLAIM_HELD)
		return;
	uint64_t beat = 0;
	for (size_t i = 0; i < answer->entries->count; i++)
		if (strcmp(answer->entries->items[i].key, a->options.node) == 0)
			beat = answer->entries->items[i].beat;
	decide(a, true, beat);
}

static void claim_read(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	struct arena scratch;
	if (!answer->ok) {
		agent_store_failed(a, &answer->err);
		return;
	}
	if (!may_claim(a))
		return;
	buf_reset(&a->registration_bytes);
	if (answer->found)
		buf_add(&a->registration_bytes, answer->bytes, answer->len);
	arena_init(&scratch);
	struct wire_registration record = { 0 };
	bool read = answer->found &&
		    wire_decode_registration(answer->bytes, answer->len, a->fleet, a->options.node,
					     &scratch, &record, NULL) == WIRE_OK;
	const struct wire_registration us = { .instance = a->instance,
					      .boot_id = a->boot_id,
					      .session = a->session };
	a->holder = node_holder_of(&us, answer->found, read ? &record : NULL);
	bool ours = read && a->holder != NODE_HOLDER_OTHER;
	if (ours || !a->registered_at_ms)
		a->registered_at_ms = ours ? record.registered_at_ms : clock_unix_ms();
	arena_release(&scratch);
	decide(a, false, 0);
}

static void claim(void *arg)
{
	struct agent *a = arg;
	if (may_claim(a))
		store_get(a->store, a->node_key, claim_read, a);
}

/* --- looking
 * ------------------------------------------------------------------------------------------- */

static bool is_ours(const struct agent *a, const char *key)
{
	const char *slash = strchr(key, '/');
	return slash && strcmp(slash + 1, a->options.node) == 0;
}

static void changed(void *arg, const char *key)
{
	struct agent *a = arg;
	if (key && !is_ours(a, key))
		return;
	agent_desired_look(a);
}

/* The relist: the desired document, and whether the record is still ours. */
static void look_again(void *arg)
{
	struct agent *a = arg;
	timer_set(a->relist_timer,
		  a->needs_poll ? STORE_RELIST_NETWORK_FS_MS : STORE_RELIST_AGENT_MS);
	if (!a->store_ok)
		return;
	claim(a);
	if (a->claim == CLAIM_HELD) {
		agent_desired_look(a);
		agent_observed_look(a);
	}
}

static bool adopt_fleet(struct agent *a, const char *fleet)
{
	struct err err;
	if (strcmp(a->fleet, fleet) == 0)
		return true;
	if (a->fleet[0]) {
		if (!a->other_fleet)
			log_error("the store is of another fleet; the tasks go on", "store", fleet,
				  "ours", a->fleet);
		a->other_fleet = true;
		return false;
	}
	if (!fs_write(fs_join(&a->arena, a->dir, "fleet"), fleet, strlen(fleet), 0600, FS_SYNC,
		      NULL, &err)) {
		agent_store_failed(a, &err);
		return false;
	}
	memcpy(a->fleet, fleet, FLEET_ID_LEN + 1);
	for (size_t i = 0; i < a->engine_count; i++)
		a->engines[i].ops->set_fleet(a->engines[i].self, a->fleet);
	agent_step_soon(a);
	return true;
}

static void opened(void *arg, const struct store_answer *answer)
{
	static const char *const prefixes[] = { "desired/" };
	struct agent *a = arg;
	struct err err;
	if (!answer->ok) {
		agent_store_failed(a, &answer->err);
		return;
	}
	if (!adopt_fleet(a, answer->fleet)) {
		timer_set(a->reopen_timer, STORE_RELIST_AGENT_MS);
		agent_observed_changed(a, false);
		return;
	}
	if (!store_watch(a->store, prefixes, ARRAY_LEN(prefixes), changed, a, &a->needs_poll,
			 &err)) {
		agent_store_failed(a, &err);
		return;
	}
	a->other_fleet = false;
	a->store_ok = true;
	free(a->store_text);
	a->store_text = NULL;
	timer_clear(a->reopen_timer);
	buf_reset(&a->observed_bytes); /* it may be another store, or an older one */
	if (a->claim == CLAIM_HELD)
		beat(a);
	agent_observed_put(a);
	look_again(a);
	if (a->leaving)
		agent_step_soon(a);
}

static void open_store(void *arg)
{
	struct agent *a = arg;
	store_open(a->store, opened, a);
}

bool agent_store_start(struct agent *a, struct err *err)
{
	a->reopen_timer = timer_new(a->loop, open_store, a);
	a->relist_timer = timer_new(a->loop, look_again, a);
	a->beat_timer = timer_new(a->loop, beat, a);
	a->claim_timer = timer_new(a->loop, claim, a);
	a->leave_timer = timer_new(a->loop, agent_leave_tick, a);
	a->store = store_new(a->loop, NULL, a->options.store, STORE_AGENT,
			     a->fleet[0] ? a->fleet : NULL, err);
	if (!a->store)
		return false;
	open_store(a);
	beat(a);
	return true;
}
