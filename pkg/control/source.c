#include "control/internal.h"

#include <stdlib.h>
#include <string.h>

bool control_needs_history(const struct control *c)
{
	return c->needs_history || map_count(c->families) == 0;
}

static void commit_take(struct commit_facts *to, const char *id, const char *subject,
			const char *author, int64_t time_unix_ms)
{
	struct commit_facts from = { .subject = (char *)subject,
				     .author = (char *)author,
				     .time_unix_ms = time_unix_ms };
	copy_commit(from.id, id);
	commit_copy(to, &from);
}

static void take_tip(struct control *c, const struct source_snapshot *snapshot)
{
	commit_take(&c->seen, snapshot->commit, snapshot->subject, snapshot->author,
		    snapshot->time_unix_ms);
	c->seen_invalid = !c->cache->seen.tree->valid;
	diag_release(&c->diags);
	arena_release(&c->diags_arena);
	diag_init(&c->diags, &c->diags_arena);
	diag_append(&c->diags, &c->cache->seen.tree->diags);
}

/* --- files of the past ------------------------------------------------------------------
 */

struct past {
	struct map *files; /* path -> struct cached_file, as of the commit that is looked at */
	VEC(struct undo {
		const char *path;
		struct cached_file *file; /* NULL: there was none */
	})
	undo;
};

static void past_set(struct past *past, const char *path, struct cached_file *file)
{
	if (file)
		map_put(past->files, path, file);
	else
		map_remove(past->files, path);
}

/* Gives the length of the undo list before it. */
static size_t past_forward(struct past *past, struct control *c, const struct source_commit *commit)
{
	size_t mark = past->undo.len;
	for (size_t i = 0; i < commit->file_count; i++) {
		const struct source_file *f = &commit->files[i];
		struct undo *undo = vec_push(&past->undo);
		undo->path = f->path;
		undo->file = map_get(past->files, f->path);
		past_set(past, f->path, f->blob ? file_cache_get(c->cache, f) : NULL);
	}
	return mark;
}

static void past_back(struct past *past, size_t mark)
{
	while (past->undo.len > mark) {
		const struct undo *undo = &past->undo.items[--past->undo.len];
		past_set(past, undo->path, undo->file);
	}
}

/* --- numbers -------------------------------------------------------------------------------------
 */

static void number_files(struct control *c, const struct source_file *files, size_t count,
			 const char *commit, int64_t time_unix_ms)
{
	for (size_t f = 0; f < count; f++) {
		if (!files[f].blob)
			continue;
		struct cached_file *file = file_cache_get(c->cache, &files[f]);
		const struct manifest_file *parsed = file->parsed;
		bool known = file->numbered && !c->contents_wanted;
		for (size_t i = 0; parsed && !known && i < parsed->object_count; i++)
			if (parsed->objects[i].kind == MANIFEST_TASK_DEFINITION &&
			    !manifest_wants_data(parsed->objects[i].task_definition))
				ledger_number(c, &parsed->objects[i], commit, time_unix_ms);
		file->numbered = true;
	}
}

/* Task definitions that name files, as a commit of the past had them. */
static void number_filled_past(struct control *c, const struct past *past,
			       const struct source_commit *commit)
{
	struct manifest_data data = file_map_data(past->files);
	size_t it = 0;
	void *value;
	while (map_next(past->files, &it, NULL, &value)) {
		const struct manifest_file *parsed = ((struct cached_file *)value)->parsed;
		for (size_t i = 0; parsed && i < parsed->object_count; i++) {
			const struct manifest_object *object = &parsed->objects[i];
			if (object->kind != MANIFEST_TASK_DEFINITION ||
			    !manifest_wants_data(object->task_definition))
				continue;
			struct arena scratch;
			arena_init(&scratch);
			bool forgotten = false;
			object = manifest_fill(object, &data, &scratch, NULL, &forgotten);
			if (object)
				ledger_number(c, object, commit->id, commit->time_unix_ms);
			arena_release(&scratch);
		}
	}
}

static void number_filled(struct control *c, const struct manifest_tree *tree,
			  const struct source_snapshot *snapshot)
{
	for (size_t i = 0; i < tree->task_definition_count; i++) {
		const struct manifest_object *object = tree->task_definitions[i];
		if (manifest_wants_data(object->task_definition) &&
		    manifest_filled(object->task_definition))
			ledger_number(c, object, snapshot->commit, snapshot->time_unix_ms);
	}
}

static void adopt_numbers(struct control *c)
{
	static const struct digest none;
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		const struct node_record *n = value;
		for (size_t i = 0; i < n->assignments.len; i++) {
			const struct content *content = n->assignments.items[i].content;
			ledger_adopt(c, content->family, content->revision,
				     &content->task_definition, &content->target);
		}
		for (uint32_t i = 0; n->observed_known && i < n->observed.task_count; i++) {
			const struct wire_task *t = &n->observed.tasks[i];
			ledger_adopt(c, t->family, t->revision, &none, &t->target);
		}
	}
}

/*
 * In the order of history. Numbers that run and that history did not give are reserved, so that
 * they are never given to another content; where its beginning is missing, before it is counted.
 */
static void number_history(struct control *c, const struct source_snapshot *snapshot)
{
	if (snapshot->history_cut && control_needs_history(c))
		adopt_numbers(c);
	struct past past = { .files = map_new() };
	/* It begins at the beginning, or goes on from what was seen last. */
	for (size_t i = 0; snapshot->partial && i < c->cache->seen.count; i++)
		past_set(&past, c->cache->seen.files[i]->path, c->cache->seen.files[i]);
	for (size_t h = 0; h < snapshot->history_count; h++) {
		const struct source_commit *commit = &snapshot->history[h];
		number_files(c, commit->files, commit->file_count, commit->id,
			     commit->time_unix_ms);
		past_forward(&past, c, commit);
		if (c->cache->any_wants_data && !snapshot->rewritten && !snapshot->history_cut)
			number_filled_past(c, &past, commit);
	}
	vec_release(&past.undo);
	map_free(past.files);
	adopt_numbers(c);
	if (snapshot->partial) /* what is missing is in the whole of it */
		return;
	c->apply_again |= c->contents_wanted;
	c->needs_history = c->contents_wanted = false;
}

/* --- the nearest valid ancestor ------------------------------------------------------------------
 */

static int by_file_path(const void *a, const void *b)
{
	return strcmp((*(struct cached_file *const *)a)->path,
		      (*(struct cached_file *const *)b)->path);
}

/* An empty tree is never an instruction to stop everything. */
static bool past_see(struct past *past, struct control *c)
{
	size_t count = 0, it = 0;
	void *value;
	struct cached_file **files = xcalloc(map_count(past->files) + 1, sizeof(*files));
	while (map_next(past->files, &it, NULL, &value))
		files[count++] = value;
	qsort(files, count, sizeof(struct cached_file *), by_file_path);
	struct file_set set = file_set_build(files, count);
	file_cache_see(c->cache, &set);
	free(files);
	return c->cache->seen.tree->valid && c->cache->seen.tree->service_count > 0;
}

/* What was applied is lost, and the tip is invalid. */
static void apply_ancestor(struct control *c, const struct source_snapshot *snapshot,
			   int64_t now_unix_ms)
{
	if (snapshot->history_cut || c->looked) /* it does not begin at the beginning */
		return;
	struct past past = { .files = map_new() };
	size_t *marks = xcalloc(snapshot->history_count + 1, sizeof(*marks));
	for (size_t h = 0; h < snapshot->history_count; h++)
		marks[h] = past_forward(&past, c, &snapshot->history[h]);
	for (size_t h = snapshot->history_count; h-- > 0 && !c->applied.id[0];) {
		const struct source_commit *commit = &snapshot->history[h];
		if (past_see(&past, c)) {
			commit_take(&c->seen, commit->id, commit->subject, commit->author,
				    commit->time_unix_ms);
			apply_seen(c, now_unix_ms);
		}
		past_back(&past, marks[h]);
	}
	free(marks);
	vec_release(&past.undo);
	map_free(past.files);
}

/* --- events --------------------------------------------------------------------------------------
 */

void control_restore(struct control *c, const struct source_snapshot *applied)
{
	if (!file_cache_add(c->cache, applied))
		return;
	lineage_take(c, applied);
	struct file_set set = file_cache_build_snapshot(c->cache, applied);
	file_cache_see(c->cache, &set);
	if (!c->cache->seen.tree->valid)
		return;
	take_tip(c, applied);
	c->restore_waits = true;
	if (control_needs_history(c)) /* its numbers come from there */
		return;
	c->restore_waits = false;
	apply_seen(c, c->now_unix_ms);
	c->save_applied = false;
}

bool control_snapshot(struct control *c, const struct source_snapshot *snapshot, int64_t now_ms,
		      int64_t now_unix_ms)
{
	c->now_ms = now_ms;
	c->now_unix_ms = now_unix_ms;
	if (!c->store_listed || !file_cache_add(c->cache, snapshot))
		return false;
	struct file_set set = file_cache_build_snapshot(c->cache, snapshot);
	if (set.tree->forgotten) {
		file_set_release(&set);
		return false;
	}
	bool was_invalid = c->seen_invalid;
	lineage_take(c, snapshot);
	number_history(c, snapshot);
	if (c->restore_waits)
		apply_seen(c, now_unix_ms);
	c->restore_waits = false;
	file_cache_see(c->cache, &set);
	number_files(c, snapshot->files, snapshot->file_count, snapshot->commit,
		     snapshot->time_unix_ms);
	number_filled(c, c->cache->seen.tree, snapshot);
	if (!c->cache->seen.tree->valid && !c->applied.id[0]) {
		apply_ancestor(c, snapshot, now_unix_ms);
		set = file_cache_build_snapshot(c->cache, snapshot);
		file_cache_see(c->cache, &set);
	}
	take_tip(c, snapshot);
	for (size_t i = 0; i < snapshot->allow_count; i++)
		map_put(c->allowed, snapshot->allows[i], c);
	if (c->seen_invalid)
		event_add(c, NULL, NULL, "ERROR", "COMMIT_INVALID", now_unix_ms,
			  "commit %.7s has %zu errors and is not applied.", c->seen.id,
			  c->diags.errors);
	else if (was_invalid)
		event_add(c, NULL, NULL, "INFO", "COMMIT_VALID", now_unix_ms,
			  "commit %.7s is valid again.", c->seen.id);
	apply_consider(c, now_unix_ms);
	file_cache_sweep(c->cache);
	control_source_ok(c, snapshot->commit);
	c->dirty_fleet = true;
	return true;
}

void control_source_failed(struct control *c, const char *reason, const char *text)
{
	if (c->source_reason && strcmp(c->source_reason, reason) == 0 &&
	    strcmp(c->source_text, text) == 0)
		return;
	free(c->source_reason);
	free(c->source_text);
	c->source_reason = xstrdup(reason);
	c->source_text = xstrdup(text);
	c->dirty_fleet = true;
}

void control_source_ok(struct control *c, const char *commit)
{
	(void)commit;
	c->dirty_fleet |= c->source_reason != NULL || !c->looked;
	c->looked = true;
	free(c->source_reason);
	free(c->source_text);
	c->source_reason = c->source_text = NULL;
}

const struct source_snapshot *control_applied_snapshot(struct control *c, struct arena *arena)
{
	if (!c->applied.id[0])
		return NULL;
	const struct file_set *set = &c->cache->applied;
	struct source_snapshot *out = ARENA_NEW(arena, struct source_snapshot);
	out->commit = arena_strdup(arena, c->applied.id);
	out->subject = arena_strdup(arena, c->applied.subject);
	out->author = arena_strdup(arena, c->applied.author);
	out->time_unix_ms = c->applied.time_unix_ms;
	lineage_give(c, arena, out);
	out->files = ARENA_ARRAY(arena, struct source_file, set->count + 1);
	for (size_t i = 0; i < set->count; i++) {
		const struct cached_file *file = set->files[i];
		if (!file->blob) /* data that nothing names */
			continue;
		out->files[out->file_count++] = (struct source_file){ .path = file->path,
								      .blob = file->blob->id,
								      .bytes = file->blob->bytes,
								      .len = file->blob->len,
								      .data = !file->parsed };
	}
	return out;
}
