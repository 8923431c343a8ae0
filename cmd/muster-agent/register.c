#include "agent.h"

#include "fs/fs.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void open_store(void *arg);
static void claim(struct agent *a);

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

static void lost(struct agent *a, const char *why)
{
	log_error("this node's name is taken; nothing is touched", "node", a->options.node, "why",
		  why);
	a->claim = CLAIM_LOST;
	a->exit_code = EXIT_SYSTEM;
	loop_stop(a->loop);
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
	if (a->store_ok && a->claim == CLAIM_HELD)
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
		claim(a);
		return;
	}
	if (a->claim != CLAIM_HELD)
		log_info("registered", "node", a->options.node, "fleet", a->fleet);
	a->claim = CLAIM_HELD;
	beat(a);
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
	bool absent = a->registration_bytes.len == 0;
	store_cas(a->store, arena_printf(&a->arena, "nodes/%s", a->options.node),
		  absent ? NULL : a->registration_bytes.data, a->registration_bytes.len, bytes.data,
		  bytes.len, 0, registered, a);
	buf_release(&a->registration_bytes);
	a->registration_bytes = bytes;
}

void agent_register(struct agent *a)
{
	if (a->claim != CLAIM_HELD || !a->store_ok)
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

static void claim_beats(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	if (!answer->ok) {
		agent_store_failed(a, &answer->err);
		return;
	}
	uint64_t now = 0;
	for (size_t i = 0; i < answer->entries->count; i++)
		if (strcmp(answer->entries->items[i].key, a->options.node) == 0)
			now = answer->entries->items[i].beat;
	if (!a->claim_beat_known) {
		a->claim_beat_known = true;
		a->claim_beat = now;
	} else if (a->claim_beat != now) {
		lost(a, "another machine with this name beats");
		return;
	}
	if (clock_boot_ms() - a->claim_since_ms >= TAKE_OVER_MS) {
		log_info("the node's old record is silent; taking it over", "node",
			 a->options.node);
		swap_record(a);
		return;
	}
	timer_set(a->claim_timer, STORE_RETRY_MS);
}

static void claim_wait(void *arg)
{
	struct agent *a = arg;
	store_beats(a->store, claim_beats, a);
}

static void claim_read(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	struct arena scratch;
	struct err err;
	if (!answer->ok) {
		agent_store_failed(a, &answer->err);
		return;
	}
	buf_reset(&a->registration_bytes);
	if (answer->found)
		buf_add(&a->registration_bytes, answer->bytes, answer->len);
	arena_init(&scratch);
	struct wire_registration old = { 0 };
	bool read = answer->found &&
		    wire_decode_registration(answer->bytes, answer->len, a->fleet, a->options.node,
					     &scratch, &old, &err) == WIRE_OK;
	bool ours = read && strcmp(old.instance, a->instance) == 0;
	bool same_boot = ours && strcmp(old.boot_id, a->boot_id) == 0;
	bool held = a->claim == CLAIM_HELD;
	if (read)
		a->registered_at_ms = ours ? old.registered_at_ms : clock_unix_ms();
	if (held && ours && strcmp(old.session, a->session) != 0) {
		lost(a, "another agent with this node's state has registered");
	} else if (!answer->found || !read || same_boot) {
		if (!a->registered_at_ms)
			a->registered_at_ms = clock_unix_ms();
		if (!held || !ours || a->registration_dirty)
			swap_record(a);
	} else if (held) {
		lost(a, "another machine has registered with this name");
	} else if (a->claim != CLAIM_WAITING) {
		log_info("the name is registered by another instance or boot; waiting for silence",
			 "node", a->options.node);
		a->claim = CLAIM_WAITING;
		a->claim_since_ms = clock_boot_ms();
		a->claim_beat_known = false;
		claim_wait(a);
	}
	arena_release(&scratch);
}

static void claim(struct agent *a)
{
	if (!a->registration_pending && a->claim != CLAIM_LOST)
		store_get(a->store, arena_printf(&a->arena, "nodes/%s", a->options.node),
			  claim_read, a);
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
	if (a->claim == CLAIM_HELD)
		agent_desired_look(a);
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
	/* Before the record: whoever sees us registered can read what we run and how far we are. */
	a->observed_pending = false;
	buf_reset(&a->observed_bytes);
	agent_observed_put(a);
	look_again(a);
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
	a->claim_timer = timer_new(a->loop, claim_wait, a);
	a->leave_timer = timer_new(a->loop, agent_leave_tick, a);
	a->store = store_new(a->loop, NULL, a->options.store, STORE_AGENT,
			     a->fleet[0] ? a->fleet : NULL, err);
	if (!a->store)
		return false;
	open_store(a);
	beat(a);
	return true;
}
