#include "muster-git.h"

#include "source/reply.h"
#include "source/source.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALLOW_TRAILER "Muster-Allow"

void read_commit_facts(struct look *look, git_commit *commit, const char **subject,
		       const char **author, int64_t *time_unix_ms)
{
	const char *summary = git_commit_summary(commit);
	const git_signature *by = git_commit_author(commit);
	*subject = summary ? source_clean_text(&look->arena, summary, strlen(summary)) : "";
	*author = by && by->name ? source_clean_text(&look->arena, by->name, strlen(by->name)) : "";
	*time_unix_ms = (int64_t)git_commit_time(commit) * 1000;
}

/* --- which commits --------------------------------------------------------------------------- */

/* From the tip back to where the caller was, and no further; newest first. */
static bool start_walk(struct look *look, bool after_known, git_revwalk **out)
{
	int code = git_revwalk_new(out, look->repo);
	if (code == 0)
		code = git_revwalk_push(*out, &look->tip);
	if (code == 0 && after_known)
		code = git_revwalk_hide(*out, &look->after);
	return code == 0 ||
	       look_fail_git(look, code, "the history of '%s' cannot be read", look->place.shown);
}

struct ids {
	VEC(git_oid) items;
};

/* First parents only, without the tip. What cannot be read (a shallow clone ends somewhere) ends
 * the history. */
static bool list_history(struct look *look, bool after_known, struct ids *out)
{
	CLEANUP(git_revwalk_clean) git_revwalk *walk = NULL;
	if (!start_walk(look, after_known, &walk))
		return false;
	git_revwalk_simplify_first_parent(walk);
	git_oid id;
	int code;
	while ((code = git_revwalk_next(&id, walk)) == 0) {
		if (git_oid_equal(&id, &look->tip))
			continue;
		if (out->items.len == SOURCE_HISTORY_MAX)
			break;
		*vec_push(&out->items) = id;
	}
	look->snapshot.history_cut = code != GIT_ITEROVER;
	return true;
}

/* What the history takes so far. */
struct history_bytes {
	size_t manifests, data;
};

/* --- one commit ------------------------------------------------------------------------------ */

/* What lacks --path has no files. */
static bool list_or_nothing(struct look *look, git_commit *commit, git_commit *base,
			    struct listing *out)
{
	if (list_commit(look, commit, base, out))
		return true;
	bool missing = strcmp(look->reason, "PathNotFound") == 0;
	if (missing)
		look->reason = NULL;
	return missing;
}

/* What differs now, and what differs that was there before, both by path: a path that is only in
 * the latter is gone. */
static bool add_changes(struct look *look, const struct listing *now, const struct listing *before,
			struct source_commit *out, struct history_bytes *bytes)
{
	size_t n = 0, b = 0;
	out->files =
		ARENA_ARRAY(&look->arena, struct source_file, now->items.len + before->items.len);
	while (n < now->items.len || b < before->items.len) {
		int order = n == now->items.len ? 1
			    : b == before->items.len
				    ? -1
				    : strcmp(now->items.items[n].path, before->items.items[b].path);
		struct source_file *file = &out->files[out->file_count++];
		const struct wanted *wanted =
			order <= 0 ? &now->items.items[n] : &before->items.items[b];
		file->path = wanted->path;
		file->data = wanted->data;
		n += order <= 0;
		b += order >= 0;
		if (file->data && bytes->data > SOURCE_HISTORY_DATA) {
			*file = (struct source_file){ 0 };
			out->file_count--;
			continue;
		}
		if (order <= 0 && !read_blob(look, &wanted->id, file))
			return false;
		*(file->data ? &bytes->data : &bytes->manifests) +=
			sizeof(*file) + strlen(file->path) + (file->bytes ? file->len : 0);
		if (bytes->manifests > SOURCE_HISTORY_BYTES)
			return look_fail(look, "TooLarge", "the history is too large");
	}
	return true;
}

static bool read_changes(struct look *look, git_commit *commit, bool whole,
			 struct source_commit *out, struct history_bytes *bytes)
{
	CLEANUP(git_commit_clean) git_commit *parent = NULL;
	struct listing now = { 0 }, before = { 0 };
	if (!whole && git_commit_parentcount(commit) > 0)
		git_commit_parent(&parent, commit, 0);
	bool ok = list_or_nothing(look, commit, parent, &now) &&
		  (!parent || list_or_nothing(look, parent, commit, &before)) &&
		  add_changes(look, &now, &before, out, bytes);
	vec_release(&now.items);
	vec_release(&before.items);
	return ok;
}

/* False: it cannot be read, or there is no room for it. An old mistake must not keep the tip from
 * being read: the commit is passed without files. */
static bool read_past_commit(struct look *look, const git_oid *id, bool whole,
			     struct source_commit *out, struct history_bytes *bytes)
{
	CLEANUP(git_commit_clean) git_commit *commit = NULL;
	if (git_commit_lookup(&commit, look->repo, id) != 0)
		return false;
	out->id = arena_strdup(&look->arena, git_oid_tostr_s(id));
	read_commit_facts(look, commit, &out->subject, &out->author, &out->time_unix_ms);
	if (!read_changes(look, commit, whole, out, bytes)) {
		look->reason = NULL;
		out->file_count = 0;
		look->snapshot.history_cut = true;
		return bytes->manifests <= SOURCE_HISTORY_BYTES;
	}
	return true;
}

/* Newest first, so that it is the oldest that a limit cuts off. */
static void read_commits(struct look *look, const struct ids *ids)
{
	struct source_snapshot *s = &look->snapshot;
	size_t count = ids->items.len, read = 0;
	struct history_bytes bytes = { 0 };
	struct source_commit *commits = ARENA_ARRAY(&look->arena, struct source_commit, count);
	for (; read < count; read++) {
		bool whole = read == count - 1 && s->history_cut;
		if (!read_past_commit(look, &ids->items.items[read], whole,
				      &commits[count - 1 - read], &bytes)) {
			s->history_cut = true;
			break;
		}
	}
	s->history = commits + (count - read);
	s->history_count = read;
}

/* --- trailers -------------------------------------------------------------------------------- */

static void read_trailers(struct look *look, git_commit *commit, const char **allows)
{
	git_message_trailer_array trailers;
	const char *message = git_commit_message(commit);
	struct source_snapshot *s = &look->snapshot;
	if (!message || git_message_trailers(&trailers, message) != 0)
		return;
	for (size_t i = 0; i < trailers.count && s->allow_count < SOURCE_ALLOWS_MAX; i++) {
		const char *value = trailers.trailers[i].value;
		if (strcasecmp(trailers.trailers[i].key, ALLOW_TRAILER) != 0)
			continue;
		value = source_clean_text(&look->arena, value, strlen(value));
		if (*value)
			allows[s->allow_count++] = value;
	}
	git_message_trailer_array_free(&trailers);
}

/* Where the caller was is not known: only what the tip itself says can be meant for now. */
static bool read_allows(struct look *look, git_commit *tip, bool after_known)
{
	CLEANUP(git_revwalk_clean) git_revwalk *walk = NULL;
	const char **allows = ARENA_ARRAY(&look->arena, const char *, SOURCE_ALLOWS_MAX);
	look->snapshot.allows = allows;
	if (!after_known) {
		read_trailers(look, tip, allows);
		return true;
	}
	if (!start_walk(look, true, &walk))
		return false;
	git_oid id;
	for (int i = 0; i < SOURCE_TRAILER_COMMITS && git_revwalk_next(&id, walk) == 0; i++) {
		CLEANUP(git_commit_clean) git_commit *commit = NULL;
		if (git_commit_lookup(&commit, look->repo, &id) == 0)
			read_trailers(look, commit, allows);
	}
	return true;
}

bool read_history(struct look *look, git_commit *tip)
{
	CLEANUP(git_commit_clean) git_commit *after = NULL;
	bool known = look->has_after && git_commit_lookup(&after, look->repo, &look->after) == 0;
	bool descends =
		known && (git_oid_equal(&look->after, &look->tip) ||
			  git_graph_descendant_of(look->repo, &look->tip, &look->after) == 1);
	look->snapshot.rewritten = look->options->after && !descends;
	struct ids ids = { 0 };
	bool ok = read_allows(look, tip, known) && list_history(look, known, &ids);
	if (ok)
		read_commits(look, &ids);
	vec_release(&ids.items);
	return ok;
}
