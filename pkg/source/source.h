/*
 * source: where the desired state comes from: a git repository (local path or URL) or a plain
 * directory, as snapshots {commit, (path, bytes)}.
 *
 * For git all object and network work is done by the program muster-git in a process of its own,
 * with a deadline; a local repository's refs are watched, so that a push is seen at once; remote
 * ones are asked every interval and when source_look() is called. A plain directory is watched, and
 * its commit id is "dir-" and a digest of paths and contents; it is read once nothing in it has
 * changed for SOURCE_SETTLE_MS, so that files written in one go are seen together.
 *
 * Always holds: a snapshot is whole (one commit's tree), at most LIMIT_TREE_BYTES with its paths;
 * only regular files, not dot-files, links not followed. Manifests are those with the endings .yaml
 * .yml .json that .musterignore does not name; one over LIMIT_FILE_BYTES is listed without bytes
 * and .too_large set. All others are .data, which task definitions may name: one over
 * LIMIT_TASK_FILES_BYTES, and what is over LIMIT_TREE_BYTES of them together, is .too_large; of
 * more than SOURCE_DATA_MAX the last are left out. Bytes are passed only of blobs that the last
 * taken snapshot did not have, and of each blob once: a file with .bytes NULL is as before, or as
 * another file with this blob. What is beyond a limit is a failed look (TooLarge), never a part of
 * the tree.
 *
 * What a directory is (git or plain) is asked at every look: a plain one may become a repository,
 * a repository never becomes a plain directory (it is then broken, or not mounted).
 */
#ifndef MUSTER_SOURCE_H
#define MUSTER_SOURCE_H

#include "loop/loop.h"
#include "model/snapshot.h"

#define SOURCE_DEADLINE_MS   60000
#define SOURCE_INTERVAL_MS   60000
#define SOURCE_NETWORK_MS    5000 /* the interval at most where inotify sees no other machine */
#define SOURCE_SETTLE_MS     50
#define SOURCE_SETTLE_MAX_MS 2000   /* a directory that never settles is read nevertheless */
#define SOURCE_FILES_MAX     100000 /* manifests of a tree; and entries of a plain directory */
#define SOURCE_DATA_MAX	     50000  /* other files of a tree */
#define SOURCE_HISTORY_MAX   1000   /* commits: the newest; .history_cut tells */
#define SOURCE_HISTORY_BYTES (64 << 20)
#define SOURCE_HISTORY_DATA                                                                        \
	(16 << 20)		     /* of other files than manifests: older ones are left out     \
				      */
#define SOURCE_TRAILER_COMMITS 10000 /* the newest that are read for Muster-Allow */
#define SOURCE_ALLOWS_MAX      1000
#define SOURCE_FETCH_BYTES     (512 << 20) /* that one look may receive from a remote */
#define SOURCE_SNAPSHOT_MAX    (288 << 20) /* of a snapshot as bytes, more than all the above */

struct source_options {
	const char *url; /* URL, or a directory */
	const char *branch, *path;
	const char *rev;	 /* this revision of a local repository instead of the branch */
	const char *cache_dir;	 /* for the clone of a remote repository; made 0700 */
	const char *git_program; /* muster-git */
	/* Secrets are read at each look, so a new one counts from the next on. A key or token that
	 * every user of the machine may read or write is refused. */
	const char *ssh_key, *known_hosts, *token_file;
	const char *ca_file; /* PEM: trusted for https instead of the system's authorities */
	int64_t interval_ms; /* 0: SOURCE_INTERVAL_MS */
	int64_t deadline_ms; /* of one look at a repository; 0: SOURCE_DEADLINE_MS */
};

struct source;
/*
 * taken(): a new snapshot, valid during the call; return true when it was taken over (it becomes
 * the base of the next), false to be given it whole again next time. failed(): this look failed:
 * one word and a sentence that name the cause (HostKeyMismatch, AuthenticationFailed,
 * BranchNotFound, Timeout, ...). The source goes on looking. unchanged(): a look found the commit
 * that was taken last. The first look always ends in taken() or failed(), even at the commit of
 * source_have(): what is read of it (path, branch) may be another.
 */
struct source_callbacks {
	bool (*taken)(void *arg, const struct source_snapshot *snapshot);
	void (*failed)(void *arg, const char *reason, const char *text);
	void (*unchanged)(void *arg, const char *commit);
	void *arg;
};
/* False only for options that cannot be meant. The first look is under way when the loop runs. */
struct source *source_new(struct loop *loop, const struct source_options *options,
			  const struct source_callbacks *callbacks, struct err *err);
void source_free(struct source *source); /* not from a callback */

/* Where the caller already is: the commit whose blobs it has (with their ids). Counts for the next
 * look; NULL: that brings everything, and the whole history. */
void source_have(struct source *source, const char *commit);
/* Look now (also when one is under way: then once more after it). */
void source_look(struct source *source);

/*
 * A taken snapshot as bytes and back, for keeping it: versioned, and checksummed as a whole.
 * Reading borrows the files' bytes from `bytes`; all else is in the arena. What is torn, changed or
 * of another version is a failure.
 */
void source_snapshot_write(const struct source_snapshot *snapshot, struct buf *out);
bool source_snapshot_read(const void *bytes, size_t len, struct arena *arena,
			  struct source_snapshot *out, struct err *err);

#endif
