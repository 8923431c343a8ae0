#include "agent.h"

#include "fs/fs.h"
#include "log/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Why the store's document does not count; NULL: it does. Said once, in the log and as a condition.
 */
static void set_why(struct agent *a, const char *reason, const char *text)
{
	bool same = (!reason && !a->desired_why) ||
		    (reason && a->desired_why && strcmp(reason, a->desired_why) == 0 &&
		     strcmp(text, a->desired_text) == 0);
	if (same)
		return;
	if (reason)
		log_warn("the desired document does not count; what runs stays", "reason", reason,
			 "text", text);
	a->desired_why = reason;
	free(a->desired_text);
	a->desired_text = reason ? xstrdup(text) : NULL;
	agent_observed_changed(a, false);
}

static bool take(struct agent *a, const void *bytes, size_t len, struct arena *arena,
		 struct wire_desired *out, struct err *err)
{
	arena_init(arena);
	if (wire_decode_desired(bytes, len, a->fleet, a->options.node, arena, out, err) == WIRE_OK)
		return true;
	arena_release(arena);
	return false;
}

/* What the last step reported refers to the old one: the next step must come before any report. */
static void use(struct agent *a, struct arena arena, const struct wire_desired *desired,
		struct digest bytes)
{
	arena_release(&a->desired_arena);
	a->desired_arena = arena;
	a->desired = *desired;
	a->desired_known = true;
	a->highest = desired->number;
	a->desired_bytes = bytes;
	agent_places_watch(a);
}

bool agent_desired_restore(struct agent *a, struct err *err)
{
	struct buf bytes = { 0 };
	struct arena arena;
	struct wire_desired desired;
	if (!fs_read(fs_join(&a->arena, a->dir, "desired"), LIMIT_DOCUMENT_BYTES * 2, &bytes,
		     err)) {
		bool absent = err->code == ENOENT;
		buf_release(&bytes);
		return absent;
	}
	if (take(a, bytes.data, bytes.len, &arena, &desired, err))
		use(a, arena, &desired, digest_of(bytes.data, bytes.len));
	else
		log_warn("the agent's copy of its desired document does not read", "reason",
			 err->text);
	buf_release(&bytes);
	return true;
}

static void got_desired(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	struct err err;
	struct arena arena;
	struct wire_desired desired;
	if (!answer->ok && answer->err.code != EFBIG) {
		agent_store_failed(a, &answer->err);
		return;
	}
	if (!answer->found) {
		set_why(a, a->highest ? "DesiredUnknown" : NULL, "the document is not there");
		return;
	}
	if (!take(a, answer->bytes, answer->len, &arena, &desired, &err)) {
		set_why(a, "DesiredUnknown", err.text);
		return;
	}
	/* After a loss a controller may give a number again that it cannot know of: it is another
	 * document, and the newer one. */
	struct digest bytes = digest_of(answer->bytes, answer->len);
	if (desired.number < a->highest ||
	    (desired.number == a->highest && digest_equal(&bytes, &a->desired_bytes))) {
		if (desired.number < a->highest)
			set_why(a, "StoreWentBack",
				arena_printf(&arena,
					     "the store has number %" PRIu64 ", the highest acted "
					     "on is %" PRIu64,
					     desired.number, a->highest));
		else
			set_why(a, NULL, NULL);
		arena_release(&arena);
		return;
	}
	/* Ours, on disk, before anything is done because of it. */
	if (!fs_write(fs_join(&arena, a->dir, "desired"), answer->bytes, answer->len, 0600, FS_SYNC,
		      NULL, &err)) {
		set_why(a, "DesiredNotKept", err.text);
		arena_release(&arena);
		return;
	}
	set_why(a, NULL, NULL);
	use(a, arena, &desired, bytes);
	agent_step(a);
}

void agent_desired_look(struct agent *a)
{
	if (a->store_ok && a->claim == CLAIM_HELD)
		store_get(a->store, a->desired_key, got_desired, a);
}
