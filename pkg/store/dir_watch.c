/* store/dir: watches: one on each directory that is asked for, and one on PATH for `fleet`. */
#include "store/dir.h"

#include "watch/watch.h"

#include <stdlib.h>
#include <string.h>

struct dir_watch {
	struct watcher *watcher;
	char *path;
	VEC(char *) prefixes;
	void (*changed)(void *arg, const char *key);
	void *arg;
};

static void tell(const struct dir_watch *watch, const char *area, const char *name)
{
	struct dir_location at;
	struct buf key CLEANUP(buf_release) = { 0 };
	buf_addf(&key, "%s/%s", area, name);
	if (!dir_locate(key.data, &at, NULL))
		return;
	for (size_t i = 0; i < watch->prefixes.len; i++)
		if (strncmp(key.data, watch->prefixes.items[i], strlen(watch->prefixes.items[i])) ==
		    0) {
			watch->changed(watch->arg, key.data);
			return;
		}
}

static void changed(void *arg, const char *dir, const char *name)
{
	const struct dir_watch *watch = arg;
	size_t len = strlen(watch->path);
	if (!name)
		watch->changed(watch->arg, NULL);
	else if (dir[len] == '/')
		tell(watch, dir + len + 1, name);
	else if (strcmp(name, "fleet") == 0)
		watch->changed(watch->arg, NULL);
}

static bool add_prefix(struct dir_watch *watch, const char *prefix, struct err *err)
{
	struct buf dir CLEANUP(buf_release) = { 0 };
	*vec_push(&watch->prefixes) = xstrdup(prefix);
	buf_addf(&dir, "%s/%.*s", watch->path, (int)strcspn(prefix, "/"), prefix);
	return watcher_add(watch->watcher, dir.data, err);
}

bool dir_watch(const char *where, struct loop *loop, const char *const *prefixes, size_t count,
	       void (*on_change)(void *arg, const char *key), void *arg, void **out,
	       struct err *err)
{
	struct dir_watch *watch = xcalloc(1, sizeof(*watch));
	watch->path = xstrdup(where);
	watch->changed = on_change;
	watch->arg = arg;
	watch->watcher = watcher_new(loop, changed, watch, err);
	bool ok = watch->watcher && watcher_add(watch->watcher, where, err);
	for (size_t i = 0; ok && i < count; i++)
		ok = add_prefix(watch, prefixes[i], err);
	if (!ok) {
		dir_unwatch(watch);
		return false;
	}
	*out = watch;
	return true;
}

void dir_unwatch(void *arg)
{
	struct dir_watch *watch = arg;
	if (!watch)
		return;
	watcher_free(watch->watcher);
	for (size_t i = 0; i < watch->prefixes.len; i++)
		free(watch->prefixes.items[i]);
	vec_release(&watch->prefixes);
	free(watch->path);
	free(watch);
}
