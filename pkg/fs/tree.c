#include "fs/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many directories are open at once while a tree is removed; deeper ones are moved up first. */
#define REMOVE_DEPTH_MAX 32

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static DIR *open_dir(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		close_fd(&fd);
	return dir;
}

/* --- making and listing ---------------------------------------------------------------------- */

static bool make_dir(const char *path, mode_t mode, struct err *err)
{
	struct stat st;
	if (mkdir(path, mode & 0700) == 0)
		return chmod(path, mode) == 0 || err_set(err, errno, "make directory '%s'", path);
	if (errno != EEXIST)
		return err_set(err, errno, "make directory '%s'", path);
	if (stat(path, &st) != 0)
		return err_set(err, errno, "make directory '%s'", path);
	return S_ISDIR(st.st_mode) || err_set(err, ENOTDIR, "'%s'", path);
}

bool fs_mkdirs(const char *path, mode_t mode, struct err *err)
{
	struct arena arena CLEANUP(arena_release) = { 0 };
	struct stat st;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return true;
	char *part = arena_strdup(&arena, path);
	for (char *slash = part + 1; *part && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (!make_dir(part, mode, err))
			return false;
		*slash = '/';
	}
	return make_dir(path, mode, err);
}

bool fs_list(const char *path, struct arena *arena, const char ***names, size_t *count,
	     struct err *err)
{
	DIR *dir CLEANUP(close_dir) = opendir(path);
	if (!dir)
		return err_set(err, errno, "open directory '%s'", path);
	VEC(const char *) found = { 0 };
	errno = 0;
	for (struct dirent *entry; (entry = readdir(dir)); errno = 0)
		if (entry->d_name[0] != '.')
			*vec_push(&found) = arena_strdup(arena, entry->d_name);
	int error = errno;
	*count = found.len;
	*names = ARENA_ARRAY(arena, const char *, found.len);
	if (found.len) {
		qsort(found.items, found.len, sizeof(*found.items), str_compare);
		memcpy(*names, found.items, found.len * sizeof(*found.items));
	}
	vec_release(&found);
	return error == 0 || err_set(err, error, "read directory '%s'", path);
}

const char *fs_join(struct arena *arena, const char *dir, const char *name)
{
	return arena_printf(arena, "%s/%s", dir, name);
}

/* --- removing a tree ------------------------------------------------------------------------- */

struct removal {
	int top_fd;	     /* what is too deep is moved here */
	unsigned long moved; /* for names of their own */
};

static bool remove_inside(struct removal *removal, DIR *dir, unsigned depth);

static bool is_mounted(int fd)
{
	struct statx st;
	return statx(fd, "", AT_EMPTY_PATH, 0, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* Onto an empty directory is as good as next to it. */
static bool move_up(struct removal *removal, int dir_fd, const char *name)
{
	char to[64];
	int rc;
	do {
		snprintf(to, sizeof(to), ".deep-%d-%lu", (int)getpid(), removal->moved++);
		rc = renameat(dir_fd, name, removal->top_fd, to);
	} while (rc != 0 && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR));
	return rc == 0;
}

/* False: errno. */
static bool remove_dir(struct removal *removal, int dir_fd, const char *name, unsigned depth)
{
	if (depth >= REMOVE_DEPTH_MAX)
		return move_up(removal, dir_fd, name);
	DIR *dir = open_dir(dir_fd, name);
	if (!dir)
		return errno == ENOENT;
	errno = EBUSY;
	bool ok = !is_mounted(dirfd(dir)) && remove_inside(removal, dir, depth + 1);
	int error = errno;
	closedir(dir);
	errno = error;
	return ok && (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT);
}

static bool remove_entry(struct removal *removal, int dir_fd, const char *name, unsigned depth)
{
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return true;
	return errno == EISDIR && remove_dir(removal, dir_fd, name, depth);
}

static bool remove_inside(struct removal *removal, DIR *dir, unsigned depth)
{
	for (struct dirent *entry; (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    !remove_entry(removal, dirfd(dir), entry->d_name, depth))
			return false;
	return true;
}

bool fs_remove_tree(const char *path, struct err *err)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return true;
	if (errno != EISDIR)
		return err_set(err, errno, "remove '%s'", path);
	DIR *dir CLEANUP(close_dir) = open_dir(AT_FDCWD, path);
	if (!dir)
		return err_set(err, errno, "remove '%s'", path);
	if (is_mounted(dirfd(dir)))
		return err_set(err, EBUSY, "remove '%s'", path);
	struct removal removal = { .top_fd = dirfd(dir) };
	unsigned long moved;
	do { /* again for what was moved up meanwhile */
		moved = removal.moved;
		rewinddir(dir);
		if (!remove_inside(&removal, dir, 0))
			return err_set(err, errno, "remove what is in '%s'", path);
	} while (removal.moved != moved);
	return rmdir(path) == 0 || errno == ENOENT || err_set(err, errno, "remove '%s'", path);
}
