/* store/dir: one document: get, put, compare-and-swap, remove. */
#include "store/dir.h"

#include "fs/fs.h"
#include "model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- get ------------------------------------------------------------------------------------- */

/* The directory that a document is in. -1: err; *absent: there is none yet, so no document. */
static int open_parent(int root, const struct dir_location *at, bool *absent, struct err *err)
{
	*absent = false;
	int area = dir_open_sub(root, dir_area_names[at->area], err);
	if (area < 0 || !at->sub[0])
		return area;
	struct err why;
	int sub = dir_open_sub(area, at->sub, &why);
	close(area);
	*absent = sub < 0 && why.code == ENOENT;
	if (sub < 0 && err)
		*err = why;
	return sub;
}

static bool read_location(int root, const struct dir_location *at, struct arena *arena,
			  const void **bytes, size_t *len, bool *found, struct err *err)
{
	bool absent;
	struct err why;
	*found = false;
	int dir CLEANUP(dir_close_fd) = open_parent(root, at, &absent, err);
	if (dir < 0)
		return absent;
	*found = dir_read(dir, at->name, arena, bytes, len, &why);
	if (*found || why.code == ENOENT)
		return true;
	if (err)
		*err = why;
	return err_wrap(err, "store: %s", dir_area_names[at->area]);
}

static bool dir_get(void *self, const char *key, struct buf *out, bool *found, struct err *err)
{
	struct arena arena CLEANUP(arena_release) = { 0 };
	struct dir_location at;
	const void *bytes = NULL;
	size_t len = 0;
	if (!dir_locate(key, &at, err))
		return false;
	int root CLEANUP(dir_close_fd) = dir_open_root(self, err);
	if (root < 0 || !read_location(root, &at, &arena, &bytes, &len, found, err))
		return false;
	buf_reset(out);
	buf_add(out, bytes, len);
	return true;
}

/* --- put, compare-and-swap, remove ----------------------------------------------------------- */

/* What a write has open. */
struct write {
	int root, tmp, lock;
};

static void write_end(struct write *write)
{
	dir_close_fd(&write->lock);
	dir_close_fd(&write->tmp);
	dir_close_fd(&write->root);
}

/* A controller whose lock file was taken away may no longer be the only one. */
static bool is_controller_still(const struct dir_store *self, int root, struct err *err)
{
	struct stat ours, there;
	if (self->controller_lock < 0 ||
	    (fstat(self->controller_lock, &ours) == 0 &&
	     fstatat(root, "controller/lock", &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	     ours.st_dev == there.st_dev && ours.st_ino == there.st_ino))
		return true;
	return err_set(err, ESTALE, "store '%s': the controller's lock was taken away", self->path);
}

static bool write_begin(const struct dir_store *self, struct write *write, struct err *err)
{
	write->root = dir_open_root(self, err);
	if (write->root < 0 || !is_controller_still(self, write->root, err))
		return false;
	write->tmp = dir_open_sub(write->root, ".tmp", err);
	return write->tmp >= 0;
}

/* From here to write_end() nothing else changes. Held for a few system calls, never for a sync. */
static bool write_lock(struct write *write, struct err *err)
{
	write->lock = fs_lock_at(write->tmp, "lock", true, err);
	return write->lock >= 0 || err_wrap(err, "store: .tmp");
}

static bool make_sub_dir(int root, const struct dir_location *at, struct err *err)
{
	if (!at->sub[0])
		return true;
	int area CLEANUP(dir_close_fd) = dir_open_sub(root, dir_area_names[at->area], err);
	if (area < 0)
		return false;
	return mkdirat(area, at->sub, 0700) == 0 || errno == EEXIST ||
	       err_set(err, errno, "store: make directory '%s'", at->sub);
}

struct expected {
	const void *bytes; /* NULL: no document */
	size_t len;
};

static bool is_as_expected(int root, const struct dir_location *at, const struct expected *expected,
			   bool *as_expected, struct err *err)
{
	struct arena arena CLEANUP(arena_release) = { 0 };
	const void *bytes = NULL;
	size_t len = 0;
	bool found;
	if (!read_location(root, at, &arena, &bytes, &len, &found, err))
		return false;
	*as_expected = expected->bytes
			       ? found && len == expected->len &&
					 (len == 0 || memcmp(bytes, expected->bytes, len) == 0)
			       : !found;
	return true;
}

static bool sync_parent(int root, const struct dir_location *at, int parent, struct err *err)
{
	bool ok = fsync(parent) == 0;
	if (ok && at->sub[0]) { /* it may be new itself */
		int area CLEANUP(dir_close_fd) = dir_open_sub(root, dir_area_names[at->area], err);
		if (area < 0)
			return false;
		ok = fsync(area) == 0;
	}
	return ok || err_set(err, errno, "store: sync directory '%s'", dir_area_names[at->area]);
}

/* With the temporary file written: under the lock, look whether it is to be put in place, and do.
 */
static bool put_in_place(struct write *write, const struct dir_location *at, const char *tmp_name,
			 const struct expected *expected, unsigned flags, bool *swapped,
			 struct err *err)
{
	bool absent;
	*swapped = true;
	if (!write_lock(write, err) || !make_sub_dir(write->root, at, err) ||
	    (expected && !is_as_expected(write->root, at, expected, swapped, err)))
		return false;
	if (!*swapped)
		return true;
	int parent CLEANUP(dir_close_fd) = open_parent(write->root, at, &absent, err);
	if (parent < 0 || !fs_rename_tmp(write->tmp, tmp_name, parent, at->name, err))
		return false;
	dir_close_fd(&write->lock);
	write->lock = -1;
	return !(flags & STORE_SYNCED) || sync_parent(write->root, at, parent, err);
}

static bool replace(const struct dir_store *self, const char *key, const struct expected *expected,
		    const void *bytes, size_t len, unsigned flags, bool *swapped, struct err *err)
{
	struct write write CLEANUP(write_end) = { -1, -1, -1 };
	struct dir_location at;
	char tmp_name[FS_TMP_NAME_SIZE];
	if (!dir_locate(key, &at, err))
		return false;
	if (len > LIMIT_DOCUMENT_BYTES)
		return err_set(err, EFBIG, "'%s' of %zu bytes", key, len);
	if (!write_begin(self, &write, err) ||
	    !fs_write_tmp(write.tmp, bytes, len, 0600, flags & STORE_SYNCED ? FS_SYNC : 0, tmp_name,
			  err))
		return false;
	bool ok = put_in_place(&write, &at, tmp_name, expected, flags, swapped, err);
	if (!ok || !*swapped)
		unlinkat(write.tmp, tmp_name, 0);
	return ok;
}

static bool dir_put(void *self, const char *key, const void *bytes, size_t len, unsigned flags,
		    struct err *err)
{
	bool swapped;
	return replace(self, key, NULL, bytes, len, flags, &swapped, err);
}

static bool dir_cas(void *self, const char *key, const void *old, size_t old_len, const void *bytes,
		    size_t len, unsigned flags, bool *swapped, struct err *err)
{
	const struct expected expected = { old, old_len };
	return replace(self, key, &expected, bytes, len, flags, swapped, err);
}

static bool dir_remove(void *self, const char *key, struct err *err)
{
	struct write write CLEANUP(write_end) = { -1, -1, -1 };
	struct dir_location at;
	bool absent;
	if (!dir_locate(key, &at, err) || !write_begin(self, &write, err) ||
	    !write_lock(&write, err))
		return false;
	int parent CLEANUP(dir_close_fd) = open_parent(write.root, &at, &absent, err);
	if (parent < 0)
		return absent;
	if (unlinkat(parent, at.name, 0) != 0 && errno != ENOENT)
		return err_set(err, errno, "store: remove '%s'", key);
	if (at.area == DIR_ALIVE) {
		char second[sizeof(at.name) + sizeof(STORE_SECOND)];
		snprintf(second, sizeof(second), "%s" STORE_SECOND, at.name);
		unlinkat(parent, second, 0);
	}
	if (!at.sub[0])
		return true;
	int area CLEANUP(dir_close_fd) = dir_open_sub(write.root, dir_area_names[at.area], err);
	if (area >= 0)
		unlinkat(area, at.sub, AT_REMOVEDIR); /* unless it has others */
	return area >= 0;
}

const struct store_ops store_dir_ops = {
	.scheme = "dir",
	.open = dir_open,
	.close = dir_close,
	.fleet = dir_fleet,
	.get = dir_get,
	.put = dir_put,
	.list = dir_list,
	.remove = dir_remove,
	.cas = dir_cas,
	.beat = dir_beat,
	.beats = dir_beats,
	.lock_controller = dir_lock_controller,
	.needs_poll = fs_is_network,
	.watch = dir_watch,
	.unwatch = dir_unwatch,
};
