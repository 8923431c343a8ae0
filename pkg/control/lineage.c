/*
 * The ids of the branch's newest commits, up to the one seen last: who waits for a commit must know
 * whether the applied one contains it. Bounded; a commit that is older than all of them is not told
 * from one of another branch.
 */
#include <string.h>

#include "control/internal.h"

static bool has(const struct control *c, const char *id)
{
	for (size_t i = 0; i < c->lineage.len; i++)
		if (strcmp(c->lineage.items[i].text, id) == 0)
			return true;
	return false;
}

/* A snapshot that is given again, or whole after a restart, names what is known. */
static void add(struct control *c, const char *id)
{
	struct commit_id commit;
	if (has(c, id))
		return;
	copy_commit(commit.text, id);
	if (c->lineage.len == LINEAGE_MAX)
		memmove(c->lineage.items, c->lineage.items + 1,
			--c->lineage.len * sizeof(*c->lineage.items));
	*vec_push(&c->lineage) = commit;
}

void lineage_take(struct control *c, const struct source_snapshot *snapshot)
{
	size_t first =
		snapshot->history_count > LINEAGE_MAX ? snapshot->history_count - LINEAGE_MAX : 0;
	if (snapshot->rewritten)
		c->lineage.len = 0;
	for (size_t i = first; i < snapshot->history_count; i++)
		add(c, snapshot->history[i].id);
	add(c, snapshot->commit);
}

void lineage_give(const struct control *c, struct arena *arena, struct source_snapshot *out)
{
	if (!has(c, c->applied.id))
		return;
	out->history = ARENA_ARRAY(arena, struct source_commit, c->lineage.len);
	for (size_t i = 0; strcmp(c->lineage.items[i].text, c->applied.id) != 0; i++)
		out->history[out->history_count++] = (struct source_commit){
			.id = c->lineage.items[i].text, .subject = "", .author = ""
		};
}
