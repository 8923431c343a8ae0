/*
 * store: small keyed documents shared by the controller and the agents: get, put, list, delete,
 * watch, compare-and-swap, beat.
 *
 * Two layers. A back end (struct store_ops) is plain blocking code, and must pass the contract
 * suite (tests/contract). `struct store` runs a back end on one thread of its own, in order, with a
 * deadline for each request, and answers on the loop's thread: a store that hangs never delays its
 * caller.
 *
 * Keys are "nodes/NODE", "desired/NODE", "observed/NODE", "controller/NAME",
 * "controller/families/NAME" and "controller/services/NAME~NAME", where NODE and NAME are
 * name_valid() (but not "controller/lock"); anything else is EINVAL. "alive/NODE" is made by beat()
 * and can be removed. Values are at most LIMIT_DOCUMENT_BYTES (more: EFBIG).
 *
 * An agent whose name another one holds writes nothing under it. It beats as NODE STORE_SECOND, so
 * that the controller can tell that there are two. This has no key of its own: it goes with
 * "alive/NODE".
 *
 * Always holds: readers see a value whole or not at all. A put that returned an error may have
 * happened. Watches are hints: a missed one costs time, never correctness; who watches also lists
 * now and then.
 *
 * A store has a fleet id (random, made with it by the controller, kept when it is copied), in `dir`
 * the file PATH/fleet. Agents never make a store: to them an absent one is an error to try again.
 */
#ifndef MUSTER_STORE_H
#define MUSTER_STORE_H

#include "base/base.h"

#define STORE_DEADLINE_MS	   10000
#define STORE_RELIST_CONTROLLER_MS 60000
#define STORE_RELIST_AGENT_MS	   30000
#define STORE_RELIST_NETWORK_FS_MS 5000
#define STORE_SECOND		   "~second" /* no name of a node has a '~' */

struct loop;

enum store_role { STORE_AGENT, STORE_CONTROLLER };
enum store_flag {
	STORE_SYNCED = 1 << 0, /* on disk before it is answered: ledger, desired */
};

struct store_entry {
	const char *key;
	const void *bytes; /* list with values: NULL where it could not be read, see text */
	size_t len;
	uint64_t beat;	  /* of beats(): changes with every beat; equal = no beat since */
	const char *text; /* why bytes are missing; NULL */
};
struct store_entries {
	struct arena arena; /* owns everything below; arena_release() it */
	struct store_entry *items;
	size_t count;
};

/* A back end: blocking, used by one thread at a time. Every bool is false with err set on failure.
 */
struct store_ops {
	const char *scheme; /* "dir" */
	/*
	 * Open WHERE of "scheme:WHERE". fleet: what the caller knows the fleet id to be, or NULL.
	 * The controller makes what is missing (with that fleet id, else a new random one); an
	 * agent fails with ENOENT. Refused: a store that others may write to.
	 */
	bool (*open)(const char *where, enum store_role role, const char *fleet, void **self,
		     struct err *err);
	void (*close)(void *self);
	/* The fleet id as it is in the store now (an emptied store fails with ENOENT). */
	bool (*fleet)(void *self, char out[33], struct err *err);
	bool (*get)(void *self, const char *key, struct buf *out, bool *found, struct err *err);
	bool (*put)(void *self, const char *key, const void *bytes, size_t len, unsigned flags,
		    struct err *err);
	/* All keys below prefix ("nodes/"), sorted, with values. */
	bool (*list)(void *self, const char *prefix, struct store_entries *out, struct err *err);
	bool (*remove)(void *self, const char *key, struct err *err); /* absent is success */
	/* Put new where the value now is exactly old (old NULL: absent). *swapped false: it was
	 * not. */
	bool (*cas)(void *self, const char *key, const void *old, size_t old_len, const void *bytes,
		    size_t len, unsigned flags, bool *swapped, struct err *err);
	bool (*beat)(void *self, const char *node, struct err *err); /* NODE or NODE~second */
	bool (*beats)(void *self, struct store_entries *out, struct err *err); /* keys as beaten */
	/*
	 * One controller at a time, for as long as it is open; EWOULDBLOCK: another one. Who had
	 * the lock and lost it (the store was made anew) gets ESTALE for every change from then on.
	 */
	bool (*lock_controller)(void *self, struct err *err);
	/*
	 * Can WHERE not be watched (a network file system)? Then the caller relists every
	 * STORE_RELIST_NETWORK_FS_MS instead. Also before there is a store.
	 */
	bool (*needs_poll)(const char *where);
	/*
	 * On the loop's thread, without blocking, and apart from self: call changed(arg, key) on
	 * every change below the prefixes ("nodes/", "observed/", "desired/NODE": never below
	 * "controller/"), whoever makes it; key NULL: look at everything. Also before there is a
	 * store: changed(arg, NULL) when it is there.
	 */
	bool (*watch)(const char *where, struct loop *loop, const char *const *prefixes,
		      size_t count, void (*changed)(void *arg, const char *key), void *arg,
		      void **watch, struct err *err);
	void (*unwatch)(void *watch);
};

extern const struct store_ops store_dir_ops; /* store/dir.c */

/* The back end for "dir:PATH"; where = PATH. NULL with err set when the scheme is not known. */
const struct store_ops *store_ops_of(const char *url, const char **where, struct err *err);

/* --- the asynchronous store ------------------------------------------------------------------ */

struct store_answer {
	bool ok;
	struct err err;	   /* of !ok; code ETIMEDOUT: no answer within the deadline */
	bool found;	   /* get */
	bool swapped;	   /* cas */
	const void *bytes; /* get; valid during the callback */
	size_t len;
	const struct store_entries *entries; /* list, beats; valid during the callback */
	const char *fleet;		     /* open */
};
typedef void (*store_answered)(void *arg, const struct store_answer *answer);

struct store;

/*
 * Make a store for the url; the first request opens it. An open that fails is tried again by each
 * request (which then answers why), and so is one after which the store was away (ENOENT, ESTALE, a
 * broken connection): the next request opens it anew, with the fleet id that it had, and locks it
 * again if it was locked. ops NULL: by the url's scheme. NULL with err set: unknown scheme, or no
 * thread to be had.
 */
struct store *store_new(struct loop *loop, const struct store_ops *ops, const char *url,
			enum store_role role, const char *fleet, struct err *err);
/*
 * Drops requests under way without an answer. Waits a moment for the back end to close, so that its
 * controller's lock is free again; one that hangs keeps its thread.
 */
void store_free(struct store *store);
/*
 * How long the back end may take for one request (STORE_DEADLINE_MS); waiting behind others does
 * not count. When it runs out, that request and all behind it answer ETIMEDOUT, and so do new ones,
 * at once, until the back end has come back. What it then says is dropped: a put that timed out may
 * still happen, before anything that is asked later.
 */
void store_set_deadline(struct store *store, int64_t deadline_ms);

/* All of them answer later, in the order in which they were asked; arguments are copied. */
void store_open(struct store *store, store_answered done, void *arg); /* answer: fleet */
void store_get(struct store *store, const char *key, store_answered done, void *arg);
void store_put(struct store *store, const char *key, const void *bytes, size_t len, unsigned flags,
	       store_answered done, void *arg);
void store_list(struct store *store, const char *prefix, store_answered done, void *arg);
void store_remove(struct store *store, const char *key, store_answered done, void *arg);
void store_cas(struct store *store, const char *key, const void *old, size_t old_len,
	       const void *bytes, size_t len, unsigned flags, store_answered done, void *arg);
void store_beat(struct store *store, const char *node, store_answered done, void *arg);
/* NODE without STORE_SECOND, in out; false: it does not end so. */
bool store_is_second(const char *beat_key, char out[NAME_MAX_LEN + 1]);
void store_beats(struct store *store, store_answered done, void *arg);
void store_lock_controller(struct store *store, store_answered done, void *arg);
/*
 * Watch (see store_ops.watch), in place of what was watched before: at the start, and again after
 * the store was away. Only when a request has been answered is it known whether the store can be
 * watched: before that *needs_poll is true and nothing is watched.
 */
bool store_watch(struct store *store, const char *const *prefixes, size_t count,
		 void (*changed)(void *arg, const char *key), void *arg, bool *needs_poll,
		 struct err *err);

#endif
