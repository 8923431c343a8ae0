/*
 * source/reply: what muster-git answers on its standard output: one of
 *   a snapshot, as source_snapshot_write() has it;
 *   "unchanged COMMIT\n";
 *   "error REASON TEXT\n": one word, and a sentence for people without control characters.
 * Anything else, or anything missing, is torn and says nothing.
 */
#ifndef MUSTER_SOURCE_REPLY_H
#define MUSTER_SOURCE_REPLY_H

#include "model/snapshot.h"

/* Gives --repo to muster-git where that has a password in it. */
#define SOURCE_REPO_ENV "MUSTER_GIT_REPO"

enum source_reply_kind { REPLY_SNAPSHOT, REPLY_UNCHANGED, REPLY_ERROR };
struct source_reply {
	enum source_reply_kind kind;
	struct source_snapshot snapshot;
	const char *commit;	   /* REPLY_UNCHANGED */
	const char *reason, *text; /* REPLY_ERROR */
};

void source_reply_unchanged(const char *commit, struct buf *out);
void source_reply_error(const char *reason, const char *text, struct buf *out);
bool source_reply_read(const void *bytes, size_t len, struct arena *arena, struct source_reply *out,
		       struct err *err);

/* Text of unknown origin as one line of UTF-8: other bytes become '?', control characters ' '. */
const char *source_clean_text(struct arena *arena, const char *text, size_t len);

#endif
