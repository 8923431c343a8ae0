/* Manifests of a directory, of single files, or of a commit of a git repository. */
#include "muster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/fs.h"
#include "tree_git.h"

#define IGNORE_FILE ".musterignore"

struct walk {
	struct cli *cli;
	struct tree *tree;
	struct manifest_ignore *ignore;
	const char *root; /* what the paths are relative to */
	size_t bytes;
};

static void add_bytes(struct tree *tree, const char *path, const void *bytes, size_t len)
{
	*vec_push(&tree->files) = manifest_parse(path, bytes, len);
}

static bool add_file(struct walk *walk, const char *path, const char *shown)
{
	struct buf bytes = { 0 };
	struct err err;
	bool ok = true;
	if (fs_read(path, LIMIT_FILE_BYTES, &bytes, &err)) {
		walk->bytes += bytes.len;
		add_bytes(walk->tree, shown, buf_str(&bytes), bytes.len);
	} else if (err.code == EFBIG) {
		*vec_push(&walk->tree->files) = manifest_unreadable(
			shown, "the file is larger than the limit of 1 MiB for a manifest");
	} else {
		ok = complain("%s", err.text);
	}
	buf_release(&bytes);
	if (ok && walk->bytes > LIMIT_TREE_BYTES)
		return complain("%s: the manifests are larger than the limit of 64 MiB",
				walk->root);
	return ok;
}

/* Links are not followed, as musterd follows none. */
static bool add_directory(struct walk *walk, const char *relative, int depth)
{
	struct arena *arena = &walk->cli->arena;
	const char *dir = *relative ? fs_join(arena, walk->root, relative) : walk->root, **names;
	size_t count;
	struct err err;
	if (depth > LIMIT_DEPTH)
		return complain("%s: directories are nested deeper than %d", dir, LIMIT_DEPTH);
	if (!fs_list(dir, arena, &names, &count, &err))
		return complain("%s", err.text);
	for (size_t i = 0; i < count; i++) {
		const char *below = *relative ? fs_join(arena, relative, names[i]) : names[i];
		const char *path = fs_join(arena, walk->root, below);
		struct stat st;
		if (lstat(path, &st) != 0 || manifest_ignored(walk->ignore, below))
			continue;
		if (S_ISDIR(st.st_mode) && !add_directory(walk, below, depth + 1))
			return false;
		if (S_ISREG(st.st_mode) && manifest_path_wanted(below) &&
		    !add_file(walk, path, below))
			return false;
	}
	return true;
}

static bool add_root(struct walk *walk, const char *dir)
{
	struct buf bytes = { 0 };
	struct err err;
	walk->root = dir;
	*vec_push(&walk->tree->roots) = dir;
	if (fs_read(fs_join(&walk->cli->arena, dir, IGNORE_FILE), LIMIT_FILE_BYTES, &bytes, &err))
		walk->ignore = manifest_ignore_parse(buf_str(&bytes), bytes.len);
	buf_release(&bytes);
	bool ok = add_directory(walk, "", 0);
	manifest_ignore_free(walk->ignore);
	walk->ignore = NULL;
	return ok;
}

/* A file that is named is read, whatever it is called and through links. */
static bool add_named(struct walk *walk, const char *path)
{
	char *real = realpath(path, NULL);
	walk->root = path;
	*vec_push(&walk->tree->roots) = "."; /* where its repository is taken to be */
	bool ok = real ? add_file(walk, real, path) : complain("%s: %s", path, strerror(errno));
	free(real);
	return ok;
}

void tree_release(struct tree *tree)
{
	manifest_tree_free(tree->built);
	for (size_t i = 0; i < tree->files.len; i++)
		manifest_file_free(tree->files.items[i]);
	vec_release(&tree->files);
	for (size_t i = 0; i < tree->data.len; i++)
		buf_release(&tree->data.items[i].bytes);
	vec_release(&tree->data);
	vec_release(&tree->roots);
	*tree = (struct tree){ 0 };
}

/* --- files that task definitions name ----------------------------------------------------------
 */

struct finding {
	struct cli *cli;
	struct tree *tree;
};

/* Below the root, and no link on the way. */
static bool is_below(struct cli *cli, const char *root, const char *path)
{
	char *real_root = realpath(root, NULL),
	     *real = realpath(fs_join(&cli->arena, root, path), NULL);
	struct stat st;
	bool ok = real_root && real && stat(real, &st) == 0 && S_ISREG(st.st_mode) &&
		  strcmp(real, fs_join(&cli->arena, real_root, path)) == 0;
	free(real_root);
	free(real);
	return ok;
}

static struct tree_data *read_data(const struct finding *f, const char *path)
{
	struct err err;
	for (size_t i = 0; i < f->tree->roots.len; i++) {
		const char *root = f->tree->roots.items[i];
		struct buf bytes = { 0 };
		if (!is_below(f->cli, root, path))
			continue;
		bool ok = fs_read(fs_join(&f->cli->arena, root, path), LIMIT_TASK_FILES_BYTES,
				  &bytes, &err);
		if (!ok && err.code != EFBIG) {
			buf_release(&bytes);
			continue;
		}
		struct tree_data *data = vec_push(&f->tree->data);
		*data = (struct tree_data){ arena_strdup(&f->cli->arena, path), bytes, !ok };
		return data;
	}
	return NULL;
}

static enum manifest_data_answer find_data(void *arg, const char *path, const void **bytes,
					   size_t *len)
{
	const struct finding *f = arg;
	const struct tree_data *data = NULL;
	for (size_t i = 0; i < f->tree->data.len && !data; i++)
		if (strcmp(f->tree->data.items[i].path, path) == 0)
			data = &f->tree->data.items[i];
	if (!data)
		data = read_data(f, path);
	if (!data)
		return DATA_ABSENT;
	if (data->too_large)
		return DATA_TOO_LARGE;
	*bytes = buf_str(&data->bytes);
	*len = data->bytes.len;
	return DATA_FOUND;
}

int tree_load(struct cli *cli, const char *const *paths, size_t count, struct tree *tree)
{
	struct walk walk = { .cli = cli, .tree = tree };
	*tree = (struct tree){ 0 };
	bool ok = true;
	for (size_t i = 0; ok && i < count; i++) {
		struct stat st;
		if (stat(paths[i], &st) == 0 && S_ISDIR(st.st_mode) && !tree_is_bare(cli, paths[i]))
			ok = add_root(&walk, paths[i]);
		else if (tree_is_git(cli, paths[i]))
			ok = tree_add_git(cli, paths[i], tree);
		else
			ok = add_named(&walk, paths[i]);
	}
	if (!ok) {
		tree_release(tree);
		return EXIT_SYSTEM;
	}
	struct finding finding = { cli, tree };
	struct manifest_data data = { find_data, &finding };
	tree->built = manifest_tree_build(tree->files.items, tree->files.len, &data);
	return tree->built->valid ? EXIT_DONE : EXIT_INVALID;
}
