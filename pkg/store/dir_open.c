/* store/dir: the directory itself: made, opened, checked, locked. */
#include "store/dir.h"

#include "fs/fs.h"
#include "loop/loop.h"
#include "model/model.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP_STALE_S 600 /* longer than any writer takes */

const char *const dir_area_names[DIR_AREAS] = {
	[DIR_NODES] = "nodes",
	[DIR_ALIVE] = "alive",
	[DIR_DESIRED] = "desired",
	[DIR_OBSERVED] = "observed",
	[DIR_CONTROLLER] = "controller",
	[DIR_FAMILIES] = "controller/families",
	[DIR_SERVICES] = "controller/services",
};

void dir_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* --- keys ------------------------------------------------------------------------------------ */

static bool take_name(const char *s, size_t len, char out[NAME_MAX_LEN + 1])
{
	if (len > NAME_MAX_LEN)
		return false;
	memcpy(out, s, len);
	out[len] = '\0';
	return name_valid(out);
}

/* Names in controller/ that are the store's own. */
static bool is_reserved(const struct dir_location *at)
{
	return at->area == DIR_CONTROLLER &&
	       (strcmp(at->name, "lock") == 0 || strcmp(at->name, "families") == 0 ||
		strcmp(at->name, "services") == 0);
}

bool dir_locate(const char *key, struct dir_location *out, struct err *err)
{
	const char *rest = strrchr(key, '/'), *tilde = strchr(key, '~');
	size_t area_len = rest ? (size_t)(rest++ - key) : 0;
	for (out->area = 0; rest && out->area < DIR_AREAS; out->area++) {
		const char *area = dir_area_names[out->area];
		if (strlen(area) != area_len || memcmp(key, area, area_len) != 0)
			continue;
		out->sub[0] = '\0';
		if (out->area == DIR_SERVICES && tilde && tilde > rest &&
		    take_name(rest, (size_t)(tilde - rest), out->sub))
			rest = tilde + 1;
		if (take_name(rest, strlen(rest), out->name) && !is_reserved(out) &&
		    (out->area == DIR_SERVICES) == (out->sub[0] != '\0'))
			return true;
		break;
	}
	return err_set(err, EINVAL, "key '%s'", key);
}

/* --- opening what is there ------------------------------------------------------------------- */

/* Who can write here can make the nodes run anything as their agents' user. */
static bool check_owner(const struct stat *st, const char *what, struct err *err)
{
	if (st->st_uid != geteuid())
		return err_set(err, EPERM,
			       "store: '%s' belongs to user %u, not to %u, as whom we run", what,
			       st->st_uid, geteuid());
	if (st->st_mode & 022)
		return err_set(err, EPERM, "store: others may write to '%s' (mode %04o)", what,
			       st->st_mode & 07777);
	return true;
}

static bool check_dir(int fd, const char *what, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_set(err, errno, "store: '%s'", what);
	return check_owner(&st, what, err);
}

/* PATH may be a link, as an administrator's way to another disk. */
static int open_path(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err_set(err, errno, "store '%s'", path);
	else if (check_dir(fd, path, err))
		return fd;
	dir_close_fd(&fd);
	return -1;
}

int dir_open_root(const struct dir_store *self, struct err *err)
{
	int fd = open_path(self->path, err);
	if (fd < 0 || faccessat(fd, "fleet", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fd;
	err_set(err, errno, "no store in '%s', which has no file 'fleet'", self->path);
	close(fd);
	return -1;
}

int dir_open_sub(int dir_fd, const char *name, struct err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		err_set(err, errno, "store: directory '%s'", name);
	else if (check_dir(fd, name, err))
		return fd;
	dir_close_fd(&fd);
	return -1;
}

static bool read_exactly(int fd, char *to, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, to, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

bool dir_read(int dir_fd, const char *name, struct arena *arena, const void **bytes, size_t *len,
	      struct err *err)
{
	struct stat st;
	/* O_NONBLOCK: opening a FIFO would wait for its writer. */
	int fd CLEANUP(dir_close_fd) =
		openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(err, errno, "open '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "'%s' is not a regular file", name);
	if (!check_owner(&st, name, err))
		return false;
	if (st.st_size > LIMIT_DOCUMENT_BYTES)
		return err_set(err, EFBIG, "'%s' has %lld bytes", name, (long long)st.st_size);
	*len = (size_t)st.st_size;
	char *to = arena_alloc(arena, *len + 1);
	*bytes = to;
	errno = EIO; /* it became shorter: documents are replaced, never written to */
	return read_exactly(fd, to, *len) || err_set(err, errno, "read '%s'", name);
}

/* --- the fleet id ---------------------------------------------------------------------------- */

#define FLEET_LEN 32

static bool read_fleet(int root, char out[33], struct err *err)
{
	struct arena arena CLEANUP(arena_release) = { 0 };
	const void *bytes = "";
	size_t len = 0;
	if (!dir_read(root, "fleet", &arena, &bytes, &len, err))
		return err_wrap(err, "store");
	memcpy(out, bytes, len < FLEET_LEN ? len : FLEET_LEN);
	out[FLEET_LEN] = '\0';
	const char *text = bytes;
	if (len == FLEET_LEN + 1 && text[FLEET_LEN] == '\n' &&
	    strspn(out, "0123456789abcdef") == FLEET_LEN)
		return true;
	return err_set(err, EBADMSG, "store: the file 'fleet' holds no fleet id");
}

bool dir_fleet(void *arg, char out[33], struct err *err)
{
	struct dir_store *self = arg;
	int root CLEANUP(dir_close_fd) = dir_open_root(self, err);
	return root >= 0 && read_fleet(root, out, err);
}

/* Whole or not at all, and never in place of one that another controller made meanwhile. */
static bool make_fleet(int root, int tmp, const char *fleet, bool replace, struct err *err)
{
	char text[FLEET_LEN + 2], tmp_name[FS_TMP_NAME_SIZE];
	if (fleet)
		snprintf(text, sizeof(text), "%s", fleet);
	else
		random_id(text);
	assert(strlen(text) == FLEET_LEN);
	text[FLEET_LEN] = '\n';
	if (!fs_write_tmp(tmp, text, FLEET_LEN + 1, 0600, FS_SYNC, tmp_name, err))
		return false;
	if (replace && !fs_rename_tmp(tmp, tmp_name, root, "fleet", err))
		return false;
	if (!replace) {
		int error = linkat(tmp, tmp_name, root, "fleet", 0) == 0 ? 0 : errno;
		unlinkat(tmp, tmp_name, 0);
		if (error && error != EEXIST)
			return err_set(err, error, "store: make the file 'fleet'");
	}
	return fsync(root) == 0 || err_set(err, errno, "store: sync its directory");
}

/* A garbled id is made good only by who knows it. */
static bool ensure_fleet(int root, int tmp, const char *fleet, struct err *err)
{
	char id[33];
	struct err why;
	if (read_fleet(root, id, &why))
		return true;
	bool garbled = why.code == EBADMSG && fleet;
	if (why.code == ENOENT || garbled)
		return make_fleet(root, tmp, fleet, garbled, err) && read_fleet(root, id, err);
	*err = why;
	return false;
}

/* --- making, opening, closing ---------------------------------------------------------------- */

static bool make_sub(int root, const char *name, struct err *err)
{
	if (mkdirat(root, name, 0700) != 0 && errno != EEXIST)
		return err_set(err, errno, "store: make directory '%s'", name);
	int fd CLEANUP(dir_close_fd) = dir_open_sub(root, name, err);
	return fd >= 0;
}

static bool make_path(const char *path, struct err *err)
{
	struct arena arena CLEANUP(arena_release) = { 0 };
	const char *slash = strrchr(path, '/');
	if (slash && slash > path &&
	    !fs_mkdirs(arena_strndup(&arena, path, (size_t)(slash - path)), 0755, err))
		return err_wrap(err, "make the store");
	return fs_mkdirs(path, 0700, err) || err_wrap(err, "make the store");
}

/* The file `fleet` comes last: who sees it sees a whole store. */
static bool make_store(const char *path, const char *fleet, struct err *err)
{
	if (!make_path(path, err))
		return false;
	int root CLEANUP(dir_close_fd) = open_path(path, err);
	if (root < 0)
		return false;
	for (enum dir_area i = 0; i < DIR_AREAS; i++)
		if (!make_sub(root, dir_area_names[i], err))
			return false;
	if (!make_sub(root, ".tmp", err))
		return false;
	int tmp CLEANUP(dir_close_fd) = dir_open_sub(root, ".tmp", err);
	if (tmp < 0)
		return false;
	fs_clean_tmp(tmp, TMP_STALE_S);
	return ensure_fleet(root, tmp, fleet, err);
}

/* All of it is there, ours, and nobody else's to write. */
static bool check_store(const struct dir_store *self, struct err *err)
{
	char id[33];
	int root CLEANUP(dir_close_fd) = dir_open_root(self, err);
	if (root < 0)
		return false;
	for (enum dir_area i = 0; i < DIR_AREAS; i++) {
		int fd CLEANUP(dir_close_fd) = dir_open_sub(root, dir_area_names[i], err);
		if (fd < 0)
			return false;
	}
	return read_fleet(root, id, err);
}

bool dir_open(const char *where, enum store_role role, const char *fleet, void **out,
	      struct err *err)
{
	if (role == STORE_CONTROLLER && !make_store(where, fleet, err))
		return false;
	struct dir_store *self = xcalloc(1, sizeof(*self));
	*self = (struct dir_store){ .path = xstrdup(where), .role = role, .controller_lock = -1 };
	if (!check_store(self, err)) {
		dir_close(self);
		return false;
	}
	*out = self;
	return true;
}

void dir_close(void *arg)
{
	struct dir_store *self = arg;
	if (!self)
		return;
	dir_close_fd(&self->controller_lock);
	free(self->path);
	free(self);
}

bool dir_lock_controller(void *arg, struct err *err)
{
	struct dir_store *self = arg;
	if (self->controller_lock >= 0)
		return true;
	int root CLEANUP(dir_close_fd) = dir_open_root(self, err);
	if (root < 0)
		return false;
	int fd CLEANUP(dir_close_fd) = dir_open_sub(root, "controller", err);
	if (fd < 0)
		return false;
	self->controller_lock = fs_lock_at(fd, "lock", false, err);
	if (self->controller_lock >= 0)
		return true;
	return err && err->code == EWOULDBLOCK
		       ? err_set(err, EWOULDBLOCK, "another controller holds the store '%s'",
				 self->path)
		       : err_wrap(err, "store '%s'", self->path);
}
