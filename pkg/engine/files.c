/* What a task is given besides its definition: files of the repository, and secrets of the node. */
#include "engine/engine.h"

#include "engine/process/internal.h"
#include "fs/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE       0711 /* a task's user finds its own, and lists nobody's */
#define FILE_MODE      0444
#define MODE_MAX       07777
#define SECRET_MODE_NO S_IROTH

/* --- files ------------------------------------------------------------------------------------ */

const char *engine_files_dir(struct arena *arena, const struct engine_files *in, const char *id,
			     const char *container)
{
	return arena_printf(arena, "%s/files/%s/%s/%s", in->state_dir, in->engine, id, container);
}

static bool file_mode(const struct config_file *file, mode_t *mode, struct err *err)
{
	char *end = NULL;
	unsigned long value = file->mode ? strtoul(file->mode, &end, 8) : FILE_MODE;
	if (end && (*end || end == file->mode || value > MODE_MAX))
		return err_set(err, 0, "mode '%s' of file '%s' is not octal", file->mode,
			       file->path);
	*mode = (mode_t)value;
	return true;
}

static bool write_file(const char *dir, const struct config_file *file, struct arena *arena,
		       struct err *err)
{
	struct buf CLEANUP(buf_release) bytes = { 0 };
	struct user user = { 0 };
	mode_t mode = 0;
	const char *path = arena_printf(arena, "%s%s", dir, file->path);
	const char *parent = arena_strndup(arena, path, (size_t)(strrchr(path, '/') - path));
	if (!file_mode(file, &mode, err) ||
	    (file->user && !user_resolve(file->user, arena, &user, err)))
		return false;
	if (!file->content || !base64_decode(file->content, &bytes))
		return err_set(err, 0, "the content of file '%s' is missing", file->path);
	if (!fs_mkdirs(parent, DIR_MODE, err) ||
	    !fs_write(path, buf_str(&bytes), bytes.len, mode, 0, NULL, err))
		return false;
	return !user.set || lchown(path, (uid_t)user.uid, (gid_t)user.gid) == 0 ||
	       err_set(err, errno, "give file '%s' to user '%s'", file->path, file->user);
}

/* What manifests are checked for; a desired document comes from a store. */
static bool path_is_plain(const char *path)
{
	size_t len = path ? strlen(path) : 0;
	return len > 1 && path[0] == '/' && path[len - 1] != '/' && !strstr(path, "//") &&
	       !strstr(path, "/./") && !strstr(path, "/../") && !ends_with(path, "/.") &&
	       !ends_with(path, "/..");
}

bool engine_files_write(const struct engine_files *in, const char *id,
			const struct container_definition *c, struct err *err)
{
	struct arena CLEANUP(arena_release) arena = { 0 };
	const char *dir = engine_files_dir(&arena, in, id, c->name);
	for (uint32_t i = 0; i < c->files.len; i++) {
		const struct config_file *file = &c->files.items[i];
		if (!path_is_plain(file->path))
			return err_set(err, 0,
				       "ResourceInitializationError: file '%s' has no "
				       "plain absolute path",
				       file->path ? file->path : "");
		if (!fs_mkdirs(dir, DIR_MODE, err) || !write_file(dir, file, &arena, err))
			return err_wrap(err, "ResourceInitializationError");
	}
	return true;
}

void engine_files_remove(const struct engine_files *in, const char *id)
{
	struct arena CLEANUP(arena_release) arena = { 0 };
	struct err err;
	fs_remove_tree(arena_printf(&arena, "%s/files/%s/%s", in->state_dir, in->engine, id), &err);
}

void engine_files_sweep(const struct engine_files *in, bool (*known)(void *arg, const char *id),
			void *arg)
{
	struct arena CLEANUP(arena_release) arena = { 0 };
	const char **ids;
	size_t count;
	struct err err;
	if (!fs_list(arena_printf(&arena, "%s/files/%s", in->state_dir, in->engine), &arena, &ids,
		     &count, &err))
		return;
	for (size_t i = 0; i < count; i++)
		if (!known(arg, ids[i]))
			engine_files_remove(in, ids[i]);
}

/* --- secrets ---------------------------------------------------------------------------------- */

static bool read_secret_file(const char *path, struct arena *arena, const char **value,
			     struct err *err)
{
	struct buf CLEANUP(buf_release) bytes = { 0 };
	struct stat st;
	char *real = realpath(path, NULL); /* a mounted secret is often a link */
	bool ok = real && stat(real, &st) == 0;
	if (!ok)
		err_set(err, errno, "read '%s'", path);
	else if (st.st_mode & SECRET_MODE_NO)
		ok = err_set(err, 0, "'%s' can be read by everyone (mode %04o): chmod o-r", path,
			     st.st_mode & MODE_MAX);
	else
		ok = fs_read(real, SECRET_MAX_BYTES, &bytes, err);
	free(real);
	if (!ok)
		return false;
	if (memchr(buf_str(&bytes), '\0', bytes.len))
		return err_set(err, 0, "'%s' has a zero byte, which no environment can hold", path);
	if (bytes.len && bytes.data[bytes.len - 1] == '\n')
		bytes.len--;
	*value = arena_strndup(arena, buf_str(&bytes), bytes.len);
	return true;
}

bool engine_secret_read(const struct key_value_secret *secret, struct arena *arena,
			const char **value, struct err *err)
{
	const char *from = secret->value_from ? secret->value_from : "";
	bool ok = false;
	if (strncmp(from, "file:/", 6) == 0) {
		ok = read_secret_file(from + 5, arena, value, err);
	} else if (strncmp(from, "env:", 4) == 0) {
		const char *text = getenv(from + 4);
		*value = arena_strdup(arena, text);
		ok = text || err_set(err, 0, "the agent's environment has no %s", from + 4);
	} else {
		err_set(err, 0, "nothing maps '%s' to this node", from);
	}
	return ok || err_wrap(err, "ResourceInitializationError: secret %s", secret->name);
}
