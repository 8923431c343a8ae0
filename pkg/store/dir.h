/*
 * store/dir: a store in a directory.
 *
 *   PATH/fleet                      the fleet id
 *   PATH/nodes/NODE ...             a document each: desired/, observed/, controller/families/
 * alike PATH/controller/services/A/B    the document "controller/services/A~B": A~B may be too long
 * for a file's name PATH/alive/NODE                 empty; its modification time is the beat;
 * alive/NODE~second alike
 *   PATH/controller/lock            flock: held by the controller for life
 *   PATH/.tmp/                      documents being written, and the lock that orders writers
 *
 * Always holds: nothing is cached. Each operation opens PATH and finds the file `fleet` in it
 * first, so that a store that was emptied, unmounted, moved or replaced is never taken for one in
 * which everything was deleted. No link below PATH is followed, and nothing is read that belongs to
 * another user or that others may write.
 */
#ifndef MUSTER_STORE_DIR_H
#define MUSTER_STORE_DIR_H

#include "store/store.h"

struct dir_store {
	char *path;
	enum store_role role;
	int controller_lock; /* -1: not held */
};

enum dir_area {
	DIR_NODES,
	DIR_ALIVE,
	DIR_DESIRED,
	DIR_OBSERVED,
	DIR_CONTROLLER,
	DIR_FAMILIES,
	DIR_SERVICES,
	DIR_AREAS,
};

/* "nodes", ..., "controller/services": below PATH, and what keys begin with. Parents come first. */
extern const char *const dir_area_names[DIR_AREAS];

/* Where the document of a key is. */
struct dir_location {
	enum dir_area area;
	char sub[NAME_MAX_LEN + 1]; /* of "SUB~NAME"; empty: none */
	char name[NAME_MAX_LEN + 1];
};
bool dir_locate(const char *key, struct dir_location *out, struct err *err);

/* for CLEANUP; -1 is none */
void dir_close_fd(int *fd);

/* PATH, checked: -1 with err, ENOENT when there is no store. */
int dir_open_root(const struct dir_store *self, struct err *err);
/* A directory in it, checked; name may have slashes. */
int dir_open_sub(int dir_fd, const char *name, struct err *err);

/*
 * Read a file whole, if it is a regular one of ours that others may not write, of at most
 * LIMIT_DOCUMENT_BYTES. false: err; ENOENT: there is none.
 */
bool dir_read(int dir_fd, const char *name, struct arena *arena, const void **bytes, size_t *len,
	      struct err *err);

/* store_ops */
bool dir_open(const char *where, enum store_role role, const char *fleet, void **self,
	      struct err *err);
void dir_close(void *self);
bool dir_fleet(void *self, char out[33], struct err *err);
bool dir_lock_controller(void *self, struct err *err);
bool dir_list(void *self, const char *prefix, struct store_entries *out, struct err *err);
bool dir_beat(void *self, const char *node, struct err *err);
bool dir_beats(void *self, struct store_entries *out, struct err *err);
bool dir_watch(const char *where, struct loop *loop, const char *const *prefixes, size_t count,
	       void (*changed)(void *arg, const char *key), void *arg, void **watch,
	       struct err *err);
void dir_unwatch(void *watch);

#endif
