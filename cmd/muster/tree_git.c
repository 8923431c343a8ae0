#include "tree_git.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/fs.h"
#include "source/place.h"
#include "source/source.h"

bool tree_is_bare(struct cli *cli, const char *dir)
{
	struct git_dir git;
	char *real = realpath(dir, NULL);
	bool bare = real && place_git_dir(real, &cli->arena, &git) && strcmp(git.path, real) == 0;
	free(real);
	return bare;
}

/* The repository's path and the revision behind the last '@'; NULL: its branch main. */
static const char *split(struct cli *cli, const char *path, const char **rev)
{
	struct git_dir git;
	const char *at = strrchr(path, '@');
	struct stat st;
	*rev = at && stat(path, &st) != 0 ? at + 1 : NULL;
	const char *repository =
		*rev ? arena_strndup(&cli->arena, path, (size_t)(at - path)) : path;
	char *real = realpath(repository, NULL);
	bool ok = real && place_git_dir(real, &cli->arena, &git);
	const char *copy = ok ? arena_strdup(&cli->arena, real) : NULL;
	free(real);
	return copy;
}

bool tree_is_git(struct cli *cli, const char *path)
{
	const char *rev;
	return split(cli, path, &rev) != NULL;
}

struct look {
	struct cli *cli;
	struct loop *loop;
	struct tree *tree;
	bool ok;
};

/* Of files with the same content only the first has the bytes. */
static const struct source_file *with_bytes(const struct source_snapshot *snapshot,
					    const struct source_file *f)
{
	for (size_t i = 0; !f->bytes && !f->too_large && i < snapshot->file_count; i++)
		if (strcmp(snapshot->files[i].blob, f->blob) == 0 && snapshot->files[i].bytes)
			return &snapshot->files[i];
	return f;
}

static void add(struct look *look, const struct source_file *f, const struct source_file *with)
{
	if (f->data) {
		struct tree_data *data = vec_push(&look->tree->data);
		*data = (struct tree_data){ .path = arena_strdup(&look->cli->arena, f->path),
					    .too_large = f->too_large };
		if (with->bytes)
			buf_add(&data->bytes, with->bytes, with->len);
	} else if (f->too_large) {
		*vec_push(&look->tree->files) = manifest_unreadable(
			f->path, "the file is larger than the limit of 1 MiB for a manifest");
	} else {
		*vec_push(&look->tree->files) = manifest_parse(f->path, with->bytes, with->len);
	}
}

static bool taken(void *arg, const struct source_snapshot *snapshot)
{
	struct look *look = arg;
	for (size_t i = 0; i < snapshot->file_count; i++)
		add(look, &snapshot->files[i], with_bytes(snapshot, &snapshot->files[i]));
	look->ok = true;
	loop_stop(look->loop);
	return true;
}

static void failed(void *arg, const char *reason, const char *text)
{
	struct look *look = arg;
	complain("%s: %s", reason, text);
	loop_stop(look->loop);
}

static void unchanged(void *arg, const char *commit)
{
	(void)arg;
	(void)commit;
}

/* muster-git lies next to muster. */
static const char *git_program(struct arena *arena)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len <= 0)
		return "muster-git";
	self[len] = '\0';
	return arena_printf(arena, "%.*s/muster-git", (int)(strrchr(self, '/') - self), self);
}

bool tree_add_git(struct cli *cli, const char *path, struct tree *tree)
{
	struct look look = { .cli = cli, .loop = loop_new(), .tree = tree };
	struct source_options options = { .branch = "main", .path = "." };
	options.url = split(cli, path, &options.rev);
	options.git_program = git_program(&cli->arena);
	struct source_callbacks callbacks = { taken, failed, unchanged, &look };
	struct err err;
	struct source *source = source_new(look.loop, &options, &callbacks, &err);
	if (source)
		loop_run(look.loop);
	else
		complain("%s", err.text);
	source_free(source);
	loop_free(look.loop);
	return look.ok;
}
