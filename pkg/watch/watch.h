/*
 * watch: raw inotify on directories, on the loop. A hint that something changed, never what.
 *
 * Always holds: overflow, a moved, deleted or unmounted directory, or one that does not exist yet
 * end in a call with name NULL: rescan; the watch is set again by itself, on the nearest existing
 * ancestor until the directory is there. Files replaced by rename are seen. Names beginning with a
 * dot are not reported. One thing is not seen: an ancestor of the directory that is moved, or
 * mounted over; so who watches also looks now and then, and watches anew when what was there is
 * gone.
 *
 * Callbacks may add, remove and free watches, the watcher itself too.
 */
#ifndef MUSTER_WATCH_H
#define MUSTER_WATCH_H

#include "loop/loop.h"

struct watcher;

/* changed(arg, dir, name): `name` in `dir` changed (closed after writing, renamed, deleted, touched
 * when attributes); name NULL: rescan the directory. */
struct watcher *watcher_new(struct loop *loop,
			    void (*changed)(void *arg, const char *dir, const char *name),
			    void *arg, struct err *err);
void watcher_free(struct watcher *watcher);
/* Watch a directory (not what is below it). The same path twice is one watch. */
bool watcher_add(struct watcher *watcher, const char *dir, struct err *err);
void watcher_remove(struct watcher *watcher, const char *dir);

#endif
