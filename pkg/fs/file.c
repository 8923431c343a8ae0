#include "fs/internal.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READ_CHUNK_BYTES 4096
#define TMP_PREFIX	 ".tmp-"
#define LOCK_PAUSE_MS	 5

void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

const char *parent_of(struct arena *arena, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	*name = slash ? slash + 1 : path;
	assert(**name); /* a file's path does not end in a slash */
	if (!slash)
		return ".";
	return slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
}

/* --- reading --------------------------------------------------------------------------------- */

static bool read_all(int fd, size_t max_bytes, struct buf *out, int *error)
{
	char chunk[READ_CHUNK_BYTES];
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n == 0)
			return true;
		if (n < 0 && errno == EINTR)
			continue;
		*error = n < 0 ? errno : EFBIG;
		if (n < 0 || (size_t)n > max_bytes - out->len)
			return false;
		buf_add(out, chunk, (size_t)n);
	}
}

bool fs_read_at(int dir_fd, const char *name, size_t max_bytes, struct buf *out, struct err *err)
{
	buf_reset(out);
	/* O_NONBLOCK: opening a FIFO does not wait for a writer; it means nothing to a file. */
	int fd CLEANUP(close_fd) =
		openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(err, errno, "open '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "'%s' is not a regular file", name);
	int error;
	if (!read_all(fd, max_bytes, out, &error))
		return err_set(err, error, "read '%s'", name);
	return true;
}

bool fs_read(const char *path, size_t max_bytes, struct buf *out, struct err *err)
{
	return fs_read_at(AT_FDCWD, path, max_bytes, out, err);
}

/* --- writing --------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

bool fs_write_tmp(int dir_fd, const void *bytes, size_t len, mode_t mode, unsigned flags,
		  char name[FS_TMP_NAME_SIZE], struct err *err)
{
	uint64_t id;
	ssize_t got = getrandom(&id, sizeof(id), 0);
	assert(got == (ssize_t)sizeof(id));
	(void)got;
	snprintf(name, FS_TMP_NAME_SIZE, TMP_PREFIX "%016llx", (unsigned long long)id);
	int fd CLEANUP(close_fd) = openat(
		dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0600);
	if (fd < 0)
		return err_set(err, errno, "make temporary file '%s'", name);
	if (write_all(fd, bytes, len) && fchmod(fd, mode) == 0 &&
	    (!(flags & FS_SYNC) || fsync(fd) == 0))
		return true;
	err_set(err, errno, "write temporary file '%s'", name);
	unlinkat(dir_fd, name, 0);
	return false;
}

bool fs_rename_tmp(int tmp_dir_fd, const char *tmp_name, int dir_fd, const char *name,
		   struct err *err)
{
	if (renameat(tmp_dir_fd, tmp_name, dir_fd, name) == 0)
		return true;
	err_set(err, errno, "put '%s' in place", name);
	unlinkat(tmp_dir_fd, tmp_name, 0);
	return false;
}

static bool sync_dir(int dir_fd, const char *path, struct err *err)
{
	return fsync(dir_fd) == 0 || err_set(err, errno, "sync directory of '%s'", path);
}

static bool is_same(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode)
{
	struct stat st;
	struct buf old CLEANUP(buf_release) = { 0 };
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_mode & 07777) == mode && (size_t)st.st_size == len &&
	       fs_read_at(dir_fd, name, len, &old, NULL) && old.len == len &&
	       (len == 0 || memcmp(old.data, bytes, len) == 0);
}

/* It may be there since before a crash that came before its sync. */
static bool sync_old(int dir_fd, const char *name, const char *path, struct err *err)
{
	int fd CLEANUP(close_fd) = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		return err_set(err, errno, "sync '%s'", path);
	return sync_dir(dir_fd, path, err);
}

bool fs_write(const char *path, const void *bytes, size_t len, mode_t mode, unsigned flags,
	      const char *tmp_dir, struct err *err)
{
	struct arena arena CLEANUP(arena_release) = { 0 };
	const char *name, *dir = parent_of(&arena, path, &name);
	int dir_fd CLEANUP(close_fd) = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_set(err, errno, "write '%s': open its directory", path);
	if ((flags & FS_IF_CHANGED) && is_same(dir_fd, name, bytes, len, mode))
		return !(flags & FS_SYNC) || sync_old(dir_fd, name, path, err);
	int tmp_fd CLEANUP(close_fd) =
		open(tmp_dir ? tmp_dir : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tmp_fd < 0)
		return err_set(err, errno, "write '%s': open '%s'", path, tmp_dir);
	char tmp_name[FS_TMP_NAME_SIZE];
	if (!fs_write_tmp(tmp_fd, bytes, len, mode, flags, tmp_name, err) ||
	    !fs_rename_tmp(tmp_fd, tmp_name, dir_fd, name, err))
		return err_wrap(err, "write '%s'", path);
	return !(flags & FS_SYNC) || sync_dir(dir_fd, path, err);
}

void fs_clean_tmp(int dir_fd, int64_t older_than_s)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		close_fd(&fd);
		return;
	}
	int64_t now = (int64_t)time(NULL);
	struct stat st;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strncmp(entry->d_name, TMP_PREFIX, strlen(TMP_PREFIX)) == 0 &&
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && now - (int64_t)st.st_mtime >= older_than_s)
			unlinkat(fd, entry->d_name, 0);
	}
	closedir(dir);
}

/* --- removing and locking -------------------------------------------------------------------- */

bool fs_remove(const char *path, struct err *err)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return true;
	return err_set(err, errno, "remove '%s'", path);
}

/* A lock on a file that is no longer there, or is another by now, is worth nothing. */
static bool is_still(int fd, int dir_fd, const char *name)
{
	struct stat ours, there;
	return fstat(fd, &ours) == 0 && fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* Without `wait` no longer than FS_LOCK_PATIENCE_MS. */
static bool lock(int fd, bool wait)
{
	struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000 };
	int left = FS_LOCK_PATIENCE_MS / LOCK_PAUSE_MS;
	while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK || left-- == 0)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

int fs_lock_at(int dir_fd, const char *name, bool wait, struct err *err)
{
	for (;;) {
		int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0) {
			err_set(err, errno, "open '%s'", name);
			return -1;
		}
		if (!lock(fd, wait)) {
			err_set(err, errno, "lock '%s'", name);
			close(fd);
			return -1;
		}
		if (is_still(fd, dir_fd, name))
			return fd;
		close(fd);
	}
}

int fs_lock(const char *path, struct err *err)
{
	return fs_lock_at(AT_FDCWD, path, false, err);
}

bool fs_is_locked(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0;
	close(fd);
	return locked;
}
