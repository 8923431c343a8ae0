#include "musterd.h"

#include "fs/fs.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct put_request {
	struct musterd *d;
	char *key;
};

static void put_done(void *arg, const struct store_answer *answer)
{
	struct put_request *put = arg;
	struct musterd *d = put->d;
	if (!answer->ok)
		log_warn("a put failed", "key", put->key, "reason", answer->err.text);
	control_put_done(d->control, put->key, answer->ok, answer->err.text, clock_monotonic_ms());
	if (!answer->ok)
		timer_set(d->reopen_timer, STORE_RETRY_MS);
	d->puts_pending--;
	free(put->key);
	free(put);
	musterd_step_soon(d);
}

static void put(struct musterd *d, const struct control_effect *effect)
{
	struct put_request *request = xcalloc(1, sizeof(*request));
	*request = (struct put_request){ .d = d, .key = xstrdup(effect->key) };
	d->puts_pending++;
	store_put(d->store, effect->key, effect->bytes, effect->len,
		  effect->synced ? STORE_SYNCED : 0, put_done, request);
}

static void ignored(void *arg, const struct store_answer *answer)
{
	(void)arg;
	if (!answer->ok)
		log_warn("a document could not be removed", "reason", answer->err.text);
}

static void save_applied(struct musterd *d, struct arena *arena)
{
	const struct source_snapshot *snapshot = control_applied_snapshot(d->control, arena);
	struct buf bytes = { 0 };
	struct err err;
	source_snapshot_write(snapshot, &bytes);
	if (!fs_write(d->applied_file, bytes.data, bytes.len, 0600, FS_SYNC, NULL, &err))
		log_warn("the applied snapshot could not be kept", "reason", err.text);
	buf_release(&bytes);
}

static void carry_out(struct musterd *d, const struct control_effect *effect, struct arena *arena)
{
	switch (effect->kind) {
	case EFFECT_PUT: put(d, effect); break;
	case EFFECT_REMOVE: store_remove(d->store, effect->key, ignored, d); break;
	case EFFECT_LIST_NODES: musterd_store_list_nodes(d); break;
	case EFFECT_SAVE_APPLIED: save_applied(d, arena); break;
	case EFFECT_EVENT:
	case EFFECT_STATUS_FLEET:
	case EFFECT_STATUS_SERVICE:
	case EFFECT_STATUS_NODE:
	case EFFECT_STATUS_TASKDEF: musterd_status_effect(d, effect); break;
	}
}

void musterd_step(void *arg)
{
	struct musterd *d = arg;
	struct arena arena;
	arena_init(&arena);
	struct control_effects effects = { 0 };
	int64_t now_ms = clock_monotonic_ms();
	musterd_zones_tell(d, now_ms); /* of what was applied since */
	control_step(d->control, now_ms, clock_unix_ms(), &arena, &effects);
	musterd_source_history(d);
	if (effects.items.len > 0)
		musterd_status_behind(d);
	for (size_t i = 0; i < effects.items.len; i++)
		carry_out(d, &effects.items.items[i], &arena);
	if (effects.wake_at_ms != INT64_MAX)
		timer_set(d->wake_timer,
			  effects.wake_at_ms > now_ms ? effects.wake_at_ms - now_ms : 1);
	else
		timer_clear(d->wake_timer);
	control_effects_release(&effects);
	arena_release(&arena);
	if (d->options.once)
		musterd_once_check(d);
}

void musterd_step_soon(struct musterd *d)
{
	timer_set(d->step_timer, 0);
}

void musterd_once_check(struct musterd *d)
{
	const struct control *c = d->control;
	if (c->store_away && !d->listed) {
		d->exit_code = EXIT_SYSTEM;
	} else if (!d->source_answered || d->puts_pending > 0 || c->ledger_pending > 0 ||
		   (!control_synced(c) && !c->store_away)) {
		return;
	} else {
		d->exit_code = c->source_reason		? EXIT_SYSTEM
			       : c->seen_invalid	? EXIT_INVALID
			       : control_commit_hold(c) ? EXIT_HELD
							: EXIT_DONE;
		if (c->source_reason)
			log_error(c->source_text);
		if (c->seen_invalid) {
			struct buf text = { 0 };
			diag_print(&text, &c->diags);
			fputs(buf_str(&text), stderr);
			buf_release(&text);
		}
	}
	loop_stop(d->loop);
}
