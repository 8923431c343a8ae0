#include "muster-git.h"

#include "manifest/manifest.h"
#include "model/model.h"
#include "source/source.h"

#include <stdlib.h>
#include <string.h>

#define IGNORE_FILE ".musterignore"

/* --- what of a commit is wanted -------------------------------------------------------------- */

/* The tree at --path. */
static bool open_root(struct look *look, git_commit *commit, git_tree **out)
{
	CLEANUP(git_tree_clean) git_tree *root = NULL;
	CLEANUP(git_tree_entry_clean) git_tree_entry *entry = NULL;
	const char *path = look->options->path;
	*out = NULL;
	int code = git_commit_tree(&root, commit);
	if (code == 0 && strcmp(path, ".") == 0) {
		*out = root;
		root = NULL;
		return true;
	}
	if (code == 0)
		code = git_tree_entry_bypath(&entry, root, path);
	if (code == GIT_ENOTFOUND || (code == 0 && git_tree_entry_type(entry) != GIT_OBJECT_TREE))
		return look_fail(look, "PathNotFound", "'%s' has no directory '%s' at commit %.7s",
				 look->place.shown, path, git_oid_tostr_s(git_commit_id(commit)));
	if (code == 0)
		code = git_tree_lookup(out, look->repo, git_tree_entry_id(entry));
	return code == 0 || look_fail_git(look, code, "the tree of commit %.7s cannot be read",
					  git_oid_tostr_s(git_commit_id(commit)));
}

static bool read_ignore(struct look *look, const git_tree *root, struct manifest_ignore **out)
{
	const git_tree_entry *entry = root ? git_tree_entry_byname(root, IGNORE_FILE) : NULL;
	CLEANUP(git_odb_object_clean) git_odb_object *object = NULL;
	*out = NULL;
	if (!entry || git_tree_entry_type(entry) != GIT_OBJECT_BLOB)
		return true;
	int code = git_odb_read(&object, look->odb, git_tree_entry_id(entry));
	if (code != 0)
		return look_fail_git(look, code, "'" IGNORE_FILE "' cannot be read");
	if (git_odb_object_size(object) > LIMIT_FILE_BYTES)
		return look_fail(look, "TooLarge", "'" IGNORE_FILE "' is larger than %d MiB",
				 LIMIT_FILE_BYTES >> 20);
	*out = manifest_ignore_parse(git_odb_object_data(object), git_odb_object_size(object));
	return true;
}

/* Do both trees have the same under this name? */
static bool same_entry(const git_tree *base, const git_tree_entry *entry)
{
	const git_tree_entry *old =
		base ? git_tree_entry_byname(base, git_tree_entry_name(entry)) : NULL;
	return old && git_tree_entry_filemode(old) == git_tree_entry_filemode(entry) &&
	       git_oid_equal(git_tree_entry_id(old), git_tree_entry_id(entry));
}

struct walk {
	struct look *look;
	struct manifest_ignore *ignore;
	struct listing *out;
};

static bool walk_tree(struct walk *walk, const git_tree *tree, const git_tree *base,
		      const char *prefix, int depth);

static bool walk_subtree(struct walk *walk, const git_tree_entry *entry, const git_tree *base,
			 const char *path, int depth)
{
	struct look *look = walk->look;
	CLEANUP(git_tree_clean) git_tree *tree = NULL;
	CLEANUP(git_tree_clean) git_tree *old = NULL;
	const git_tree_entry *old_entry =
		base ? git_tree_entry_byname(base, git_tree_entry_name(entry)) : NULL;
	int code = git_tree_lookup(&tree, look->repo, git_tree_entry_id(entry));
	if (code == 0 && old_entry && git_tree_entry_type(old_entry) == GIT_OBJECT_TREE)
		code = git_tree_lookup(&old, look->repo, git_tree_entry_id(old_entry));
	if (code != 0)
		return look_fail_git(look, code, "directory '%s' cannot be read", path);
	return walk_tree(walk, tree, old, arena_printf(&look->arena, "%s/", path), depth + 1);
}

static bool walk_file(struct walk *walk, const git_tree_entry *entry, const char *path)
{
	bool data = !manifest_path_wanted(path) || manifest_ignored(walk->ignore, path);
	bool utf8 = utf8_valid(path, strlen(path));
	if (data && (!utf8 || walk->out->data_count == SOURCE_DATA_MAX))
		return true;
	if (!utf8)
		return look_fail(walk->look, "InvalidPath",
				 "a file has a name that is not UTF-8: '%s'", path);
	if (!data && walk->out->items.len - walk->out->data_count >= SOURCE_FILES_MAX)
		return look_fail(walk->look, "TooLarge", "the tree has more than %d manifests",
				 SOURCE_FILES_MAX);
	struct wanted *wanted = vec_push(&walk->out->items);
	wanted->path = path;
	wanted->id = *git_tree_entry_id(entry);
	wanted->data = data;
	walk->out->data_count += data;
	return true;
}

static bool walk_tree(struct walk *walk, const git_tree *tree, const git_tree *base,
		      const char *prefix, int depth)
{
	if (depth > LIMIT_DEPTH)
		return look_fail(walk->look, "TooLarge", "directories are nested more than %d deep",
				 LIMIT_DEPTH);
	for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
		const char *name = git_tree_entry_name(entry);
		if (name[0] == '.' || same_entry(base, entry))
			continue;
		const char *path = arena_printf(&walk->look->arena, "%s%s", prefix, name);
		git_filemode_t mode = git_tree_entry_filemode(entry);
		bool ok = true;
		if (mode == GIT_FILEMODE_TREE)
			ok = walk_subtree(walk, entry, base, path, depth);
		else if (mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE)
			ok = walk_file(walk, entry, path);
		if (!ok)
			return false;
	}
	return true;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct wanted *)a)->path, ((const struct wanted *)b)->path);
}

/* git orders a directory as if its name ended in a slash, and does not check that it did. */
static bool sort_listing(struct look *look, struct listing *listing)
{
	if (listing->items.len > 1)
		qsort(listing->items.items, listing->items.len, sizeof(struct wanted), by_path);
	for (size_t i = 1; i < listing->items.len; i++)
		if (strcmp(listing->items.items[i - 1].path, listing->items.items[i].path) == 0)
			return look_fail(look, "Corrupt", "the tree has '%s' twice",
					 listing->items.items[i].path);
	return true;
}

bool list_commit(struct look *look, git_commit *commit, git_commit *base, struct listing *out)
{
	CLEANUP(git_tree_clean) git_tree *root = NULL;
	CLEANUP(git_tree_clean) git_tree *old = NULL;
	struct walk walk = { .look = look, .out = out };
	if (!open_root(look, commit, &root))
		return false;
	if (base && !open_root(look, base, &old))
		look->reason = NULL; /* the path is new: all of it differs */
	const git_tree_entry *rules = git_tree_entry_byname(root, IGNORE_FILE);
	bool same_rules =
		!old || (rules ? same_entry(old, rules) : !git_tree_entry_byname(old, IGNORE_FILE));
	bool ok = read_ignore(look, root, &walk.ignore) &&
		  walk_tree(&walk, root, same_rules ? old : NULL, "", 1) && sort_listing(look, out);
	manifest_ignore_free(walk.ignore);
	return ok;
}

/* --- bytes ----------------------------------------------------------------------------------- */

bool read_blob(struct look *look, const git_oid *id, struct source_file *out)
{
	git_object_t type;
	const char *hex = arena_strdup(&look->arena, git_oid_tostr_s(id));
	int code = git_odb_read_header(&out->len, &type, look->odb, id);
	if (code == 0 && type != GIT_OBJECT_BLOB)
		return look_fail(look, "Corrupt", "'%s' is not a blob", out->path);
	out->blob = hex;
	size_t most = out->data ? LIMIT_TASK_FILES_BYTES : LIMIT_FILE_BYTES;
	out->too_large |= code == 0 && out->len > most;
	if (code == 0 && !out->too_large && !map_get(look->have_blobs, hex) &&
	    !map_get(look->sent, hex)) {
		CLEANUP(git_odb_object_clean) git_odb_object *object = NULL;
		code = git_odb_read(&object, look->odb, id);
		if (code == 0) {
			out->bytes = arena_strndup(&look->arena, git_odb_object_data(object),
						   git_odb_object_size(object));
			map_put(look->sent, hex, look);
		}
	}
	return code == 0 || look_fail_git(look, code, "'%s' cannot be read", out->path);
}

/* What the caller has. A commit that is not here any more it does not have. */
static bool list_have(struct look *look)
{
	CLEANUP(git_commit_clean) git_commit *commit = NULL;
	if (!look->has_have || git_commit_lookup(&commit, look->repo, &look->have) != 0)
		return true;
	struct listing listing = { 0 };
	bool ok = list_commit(look, commit, NULL, &listing);
	for (size_t i = 0; ok && i < listing.items.len; i++)
		map_put(look->have_blobs, git_oid_tostr_s(&listing.items.items[i].id), look);
	vec_release(&listing.items);
	if (!ok)
		look->reason =
			NULL; /* it lacked the path, or had too much: nothing is known of it */
	return true;
}

static bool read_files(struct look *look, const struct listing *listing)
{
	struct source_snapshot *s = &look->snapshot;
	const struct wanted *wanted = listing->items.items;
	uint64_t bytes = 0, data_bytes = 0;
	s->file_count = listing->items.len;
	s->files = ARENA_ARRAY(&look->arena, struct source_file, s->file_count);
	for (size_t i = 0; wanted && i < s->file_count; i++) {
		struct source_file *file = &s->files[i];
		file->path = wanted[i].path;
		file->data = wanted[i].data;
		file->too_large = data_bytes > LIMIT_TREE_BYTES - LIMIT_TASK_FILES_BYTES;
		if (!read_blob(look, &wanted[i].id, file))
			return false;
		*(file->data ? &data_bytes : &bytes) +=
			strlen(file->path) + (file->too_large ? 0 : file->len);
		if (bytes > LIMIT_TREE_BYTES)
			return look_fail(look, "TooLarge",
					 "the manifests are more than the limit of %d MiB",
					 LIMIT_TREE_BYTES >> 20);
	}
	return true;
}

bool read_tip(struct look *look, git_commit *tip)
{
	struct listing listing = { 0 };
	bool ok = list_have(look) && list_commit(look, tip, NULL, &listing) &&
		  read_files(look, &listing);
	vec_release(&listing.items);
	return ok;
}
