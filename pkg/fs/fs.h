/*
 * fs: files, the careful way: whole or not at all, confined, closed on exec.
 *
 * Always holds: every descriptor is O_CLOEXEC. No function follows a symbolic link in the last
 * component unless it says so. Where a failed function filled a buffer, it holds nothing useful.
 */
#ifndef MUSTER_FS_H
#define MUSTER_FS_H

#include "base/base.h"

#include <sys/types.h>

/*
 * Read a regular file whole. ENOENT is a failure like another (err->code says). Over max_bytes:
 * EFBIG; a link: ELOOP; a directory, device or FIFO: EINVAL, without waiting for anything.
 */
bool fs_read(const char *path, size_t max_bytes, struct buf *out, struct err *err);
bool fs_read_at(int dir_fd, const char *name, size_t max_bytes, struct buf *out, struct err *err);

enum fs_flag {
	FS_SYNC = 1 << 0, /* file and directory are on disk before it returns */
	FS_IF_CHANGED =
		1 << 1, /* leave the file alone where it already has this content and mode */
};
/*
 * Put a file in place atomically: temporary file in the same file system (in tmp_dir, or next to it
 * with a leading dot when NULL), rename. mode is exact, whatever the umask. The old file stays on
 * any failure.
 */
bool fs_write(const char *path, const void *bytes, size_t len, mode_t mode, unsigned flags,
	      const char *tmp_dir, struct err *err);

/* The two halves of it, for who must do something in between. The name begins with a dot. */
#define FS_TMP_NAME_SIZE 32
bool fs_write_tmp(int dir_fd, const void *bytes, size_t len, mode_t mode, unsigned flags,
		  char name[FS_TMP_NAME_SIZE], struct err *err);
bool fs_rename_tmp(int tmp_dir_fd, const char *tmp_name, int dir_fd, const char *name,
		   struct err *err); /* removes the temporary file when it fails */
/*
 * Remove temporary files that nobody has written to for older_than_s: what was left when a writer
 * died. Best effort.
 */
void fs_clean_tmp(int dir_fd, int64_t older_than_s);

/* mkdir -p, each new directory with mode exactly; an existing one is left as it is. Follows links.
 */
bool fs_mkdirs(const char *path, mode_t mode, struct err *err);

/*
 * Remove a file; absent is success. And a whole tree of any depth, never following links out of it
 * nor entering what is mounted in it (EBUSY).
 */
bool fs_remove(const char *path, struct err *err);
bool fs_remove_tree(const char *path, struct err *err);

/* Sorted names of a directory, without those that begin with a dot, in the arena. */
bool fs_list(const char *path, struct arena *arena, const char ***names, size_t *count,
	     struct err *err);

/*
 * flock(LOCK_EX) on path, made with mode 0600 when absent; held until the descriptor is closed.
 * -1: err; without waiting EWOULDBLOCK = another has it, and still had it after a moment: that of a
 * program that was just killed is held on by a child of it between fork and exec.
 */
#define FS_LOCK_PATIENCE_MS 1000
int fs_lock(const char *path, struct err *err);
int fs_lock_at(int dir_fd, const char *name, bool wait, struct err *err);
/* Does somebody hold it? Needs no more than to read the file. Where the file system knows no locks
 * somebody may; where there is no file nobody does. */
bool fs_is_locked(const char *path);

/*
 * Is path, or where it does not exist its nearest ancestor, on a network file system, where inotify
 * sees no other machine's writes (statfs)?
 */
bool fs_is_network(const char *path);

/* /proc/sys/kernel/random/boot_id without dashes. */
bool fs_boot_id(char out[33], struct err *err);

/* DIR/NAME in the arena. */
const char *fs_join(struct arena *arena, const char *dir, const char *name);

#endif
