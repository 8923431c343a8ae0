#include "watch/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES  (16 << 10)
#define SELF_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF)
#define DIR_EVENTS                                                                                 \
	(SELF_EVENTS | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |      \
	 IN_ATTRIB)
#define ANCESTOR_EVENTS (SELF_EVENTS | IN_CREATE | IN_MOVED_TO | IN_ATTRIB)
/* The mask only grows: one inode may be a directory to one entry and an ancestor to another. */
#define HOW (IN_ONLYDIR | IN_MASK_ADD)

struct watched {
	char *path;
	int wd;		  /* of the directory, or of its ancestor; -1: none could be watched */
	size_t armed_len; /* the part of path that wd watches; 0: "." or "/" */
	bool there;	  /* wd is the directory itself */
	bool removed;	  /* freed when no event is being told */
};

struct watcher {
	int fd;
	struct poll_handle *poll;
	void (*changed)(void *arg, const char *dir, const char *name);
	void *arg;
	VEC(struct watched *) entries;
	bool telling;	/* events are being told: entries stay where they are */
	bool abandoned; /* freed meanwhile */
};

/* --- setting watches ------------------------------------------------------------------------- */

static bool wd_in_use(const struct watcher *watcher, int wd)
{
	for (size_t i = 0; i < watcher->entries.len; i++)
		if (watcher->entries.items[i]->wd == wd)
			return true;
	return false;
}

static void disarm(struct watcher *watcher, struct watched *entry)
{
	int wd = entry->wd;
	entry->wd = -1;
	entry->there = false;
	if (wd >= 0 && !wd_in_use(watcher, wd))
		inotify_rm_watch(watcher->fd, wd);
}

static int watch_part(struct watcher *watcher, const char *path, size_t len, uint32_t events)
{
	char part[PATH_MAX];
	if (len >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(part, path, len);
	part[len] = '\0';
	const char *dir = len ? part : *path == '/' ? "/" : ".";
	return inotify_add_watch(watcher->fd, dir, events | HOW);
}

/* The length of what is before the last component of path[0..len). */
static size_t parent_len(const char *path, size_t len)
{
	while (len > 0 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 0 && path[len - 1] == '/')
		len--;
	return len;
}

/* Watch the longest part of the path that can be watched; -1: errno. */
static int watch_nearest(struct watcher *watcher, const char *path, size_t *len)
{
	*len = strlen(path);
	int wd = watch_part(watcher, path, *len, DIR_EVENTS);
	while (wd < 0 && *len > 0) {
		*len = parent_len(path, *len);
		wd = watch_part(watcher, path, *len, ANCESTOR_EVENTS);
	}
	return wd;
}

/*
 * Watch the directory, or its nearest ancestor until it is there. What was made before the ancestor
 * was watched gave no event, so it is looked for once more. False: errno.
 */
static bool arm(struct watcher *watcher, struct watched *entry)
{
	size_t whole = strlen(entry->path), before;
	disarm(watcher, entry);
	size_t len = SIZE_MAX;
	int error;
	do {
		before = len;
		int old = entry->wd;
		entry->wd = watch_nearest(watcher, entry->path, &len);
		error = errno;
		if (old >= 0 && old != entry->wd && !wd_in_use(watcher, old))
			inotify_rm_watch(watcher->fd, old);
	} while (entry->wd >= 0 && len != whole && len != before);
	entry->armed_len = len;
	entry->there = entry->wd >= 0 && len == whole;
	errno = error;
	return entry->wd >= 0;
}

/* Is name the component of the path that follows the ancestor that is watched? */
static bool is_next(const struct watched *entry, const char *name)
{
	const char *next = entry->path + entry->armed_len;
	next += strspn(next, "/");
	size_t len = strcspn(next, "/");
	return strlen(name) == len && memcmp(next, name, len) == 0;
}

/* --- telling --------------------------------------------------------------------------------- */

static void tell(struct watcher *watcher, struct watched *entry, const char *name)
{
	if (!entry->removed && !watcher->abandoned)
		watcher->changed(watcher->arg, entry->path, name);
}

/* Something happened to the directory itself, or was missed. */
static void look_again(struct watcher *watcher, struct watched *entry)
{
	if (entry->removed)
		return;
	arm(watcher, entry);
	tell(watcher, entry, NULL);
}

/*
 * A plain file that was only just made is told of when it is closed. This is for all the rest: a
 * link() to a file is never closed, and has what was written elsewhere.
 */
static bool is_made_whole(const struct watched *entry, const struct inotify_event *event)
{
	char path[PATH_MAX];
	struct stat st;
	if (event->mask & IN_ISDIR)
		return true;
	size_t dir_len = strlen(entry->path), name_len = strlen(event->name);
	if (dir_len + name_len + 2 > sizeof(path))
		return false;
	memcpy(path, entry->path, dir_len);
	path[dir_len] = '/';
	memcpy(path + dir_len + 1, event->name, name_len + 1);
	return lstat(path, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_nlink > 1 || st.st_size > 0);
}

static void tell_event(struct watcher *watcher, struct watched *entry,
		       const struct inotify_event *event)
{
	const char *name = event->len ? event->name : NULL;
	if (event->mask & (SELF_EVENTS | IN_UNMOUNT | IN_IGNORED)) {
		look_again(watcher, entry);
	} else if (!entry->there) {
		if (name && !is_next(entry, name))
			return;
		arm(watcher, entry);
		if (entry->there)
			tell(watcher, entry, NULL);
	} else if (!name) {
		tell(watcher, entry, NULL);
	} else if (*name != '.' && (!(event->mask & IN_CREATE) || is_made_whole(entry, event))) {
		tell(watcher, entry, name);
	}
}

static void take_event(struct watcher *watcher, const struct inotify_event *event)
{
	/* Those that are added meanwhile are after what happened. */
	size_t count = watcher->entries.len;
	for (size_t i = 0; i < count && !watcher->abandoned; i++) {
		struct watched *entry = watcher->entries.items[i];
		if (event->mask & IN_Q_OVERFLOW)
			look_again(watcher, entry);
		else if (entry->wd == event->wd)
			tell_event(watcher, entry, event);
	}
}

static void entry_free(struct watched *entry)
{
	free(entry->path);
	free(entry);
}

static void watcher_destroy(struct watcher *watcher)
{
	for (size_t i = 0; i < watcher->entries.len; i++)
		entry_free(watcher->entries.items[i]);
	vec_release(&watcher->entries);
	free(watcher);
}

static void sweep(struct watcher *watcher)
{
	size_t kept = 0;
	for (size_t i = 0; i < watcher->entries.len; i++) {
		struct watched *entry = watcher->entries.items[i];
		if (entry->removed)
			entry_free(entry);
		else
			watcher->entries.items[kept++] = entry;
	}
	watcher->entries.len = kept;
}

static void readable(void *arg)
{
	struct watcher *watcher = arg;
	_Alignas(struct inotify_event) char events[READ_BYTES];
	ssize_t len = read(watcher->fd, events, sizeof(events));
	watcher->telling = true;
	for (ssize_t at = 0; at < len && !watcher->abandoned;) {
		const struct inotify_event *event = (const void *)(events + at);
		at += (ssize_t)(sizeof(*event) + event->len);
		take_event(watcher, event);
	}
	watcher->telling = false;
	if (watcher->abandoned)
		watcher_destroy(watcher);
	else
		sweep(watcher);
}

/* --- the watcher ----------------------------------------------------------------------------- */

struct watcher *watcher_new(struct loop *loop,
			    void (*changed)(void *arg, const char *dir, const char *name),
			    void *arg, struct err *err)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0) {
		err_set(err, errno, "make an inotify instance");
		return NULL;
	}
	struct watcher *watcher = xcalloc(1, sizeof(*watcher));
	watcher->fd = fd;
	watcher->changed = changed;
	watcher->arg = arg;
	watcher->poll = poll_new(loop, fd, readable, watcher);
	return watcher;
}

void watcher_free(struct watcher *watcher)
{
	if (!watcher)
		return;
	poll_free(watcher->poll);
	close(watcher->fd);
	watcher->abandoned = true;
	if (!watcher->telling)
		watcher_destroy(watcher);
}

static struct watched *find(const struct watcher *watcher, const char *dir)
{
	for (size_t i = 0; i < watcher->entries.len; i++) {
		struct watched *entry = watcher->entries.items[i];
		if (!entry->removed && strcmp(entry->path, dir) == 0)
			return entry;
	}
	return NULL;
}

bool watcher_add(struct watcher *watcher, const char *dir, struct err *err)
{
	if (find(watcher, dir))
		return true;
	struct watched *entry = xcalloc(1, sizeof(*entry));
	entry->path = xstrdup(dir);
	entry->wd = -1;
	if (!arm(watcher, entry)) {
		entry_free(entry);
		return err_set(err, errno, "watch '%s'", dir);
	}
	*vec_push(&watcher->entries) = entry;
	return true;
}

void watcher_remove(struct watcher *watcher, const char *dir)
{
	struct watched *entry = find(watcher, dir);
	if (!entry)
		return;
	disarm(watcher, entry);
	entry->removed = true;
	if (!watcher->telling)
		sweep(watcher);
}
