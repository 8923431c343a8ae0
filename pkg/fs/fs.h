/*
 * fs: files, the careful way: whole or not at all, confined, closed on exec.
 *
 * Always holds: every descriptor is O_CLOEXEC. No function follows a symbolic link in the last
 * component unless it says so.
 */
#ifndef MUSTER_FS_H
#define MUSTER_FS_H

#include "base/base.h"

#include <sys/types.h>

/* Read a regular file whole. ENOENT is a failure like another (err->code says). Over max: EFBIG. */
bool fs_read(const char *path, size_t max_bytes, struct buf *out, struct err *err);
bool fs_read_at(int dir_fd, const char *name, size_t max_bytes, struct buf *out, struct err *err);

enum fs_flag {
	FS_SYNC = 1 << 0,	/* file and directory are on disk before it returns */
	FS_IF_CHANGED = 1 << 1, /* leave the file alone where it already has this content */
};
/*
 * Put a file in place atomically: temporary file in the same file system (in tmp_dir, or next to it
 * with a leading dot when NULL), rename. mode is exact, whatever the umask. The old file stays on
 * any failure.
 */
bool fs_write(const char *path, const void *bytes, size_t len, mode_t mode, unsigned flags,
	      const char *tmp_dir, struct err *err);

/* mkdir -p, each new directory with mode exactly; an existing one is left as it is. */
bool fs_mkdirs(const char *path, mode_t mode, struct err *err);

/* Remove a file; absent is success. And a whole tree, never following links out of it. */
bool fs_remove(const char *path, struct err *err);
bool fs_remove_tree(const char *path, struct err *err);

/* Sorted names of a directory, without those that begin with a dot, in the arena. */
bool fs_list(const char *path, struct arena *arena, const char ***names, size_t *count,
	     struct err *err);

/* flock(LOCK_EX | LOCK_NB) on path, made with mode 0600 when absent. -1: err, EWOULDBLOCK = held.
 */
int fs_lock(const char *path, struct err *err);

/* Is path on a network file system, where inotify sees no other machine's writes (statfs)? */
bool fs_is_network(const char *path);

/* /proc/sys/kernel/random/boot_id without dashes. */
bool fs_boot_id(char out[33], struct err *err);

/* DIR/NAME in the arena. */
const char *fs_join(struct arena *arena, const char *dir, const char *name);

#endif
