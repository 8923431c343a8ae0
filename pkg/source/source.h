/*
 * source: where the desired state comes from: a git repository (local path or URL) or a plain
 * directory, as snapshots {commit, (path, bytes)}.
 *
 * For git all object and network work is done by the program muster-git in a process of its own,
 * with a deadline; a local repository's refs are watched, so that a push is seen at once; remote
 * ones are asked every interval and when source_look() is called. A plain directory is watched, and
 * its commit id is "dir-" and a digest of paths and contents.
 *
 * Always holds: a snapshot is whole (one commit's tree), at most LIMIT_TREE_BYTES; only regular
 * files with the endings .yaml .yml .json, not dot-files nor what .musterignore names, links not
 * followed; a file over LIMIT_FILE_BYTES is listed without bytes and .too_large set. Bytes are
 * passed only of blobs that the last taken snapshot did not have: a file with .bytes NULL is as
 * before.
 */
#ifndef MUSTER_SOURCE_H
#define MUSTER_SOURCE_H

#include "loop/loop.h"
#include "model/snapshot.h"

#define SOURCE_DEADLINE_MS 60000

struct source_options {
	const char *url; /* URL, or a directory */
	const char *branch, *path;
	const char *cache_dir;	 /* for the clone of a remote repository; made 0700 */
	const char *git_program; /* muster-git */
	const char *ssh_key, *known_hosts, *token_file;
	int64_t interval_ms;
};

struct source;
/*
 * taken(): a new snapshot, valid during the call; return true when it was taken over (it becomes
 * the base of the next), false to be given it whole again next time. failed(): this look failed: a
 * sentence that names the cause (host key, authentication, no such branch, time-out, ...). The
 * source goes on looking. unchanged(): a look found the commit that was taken last.
 */
struct source_callbacks {
	bool (*taken)(void *arg, const struct source_snapshot *snapshot);
	void (*failed)(void *arg, const char *reason, const char *text);
	void (*unchanged)(void *arg, const char *commit);
	void *arg;
};
struct source *source_new(struct loop *loop, const struct source_options *options,
			  const struct source_callbacks *callbacks, struct err *err);
void source_free(struct source *source);

/* Where the caller already is: the commit whose blobs it has (with their ids), before the first
 * look. */
void source_have(struct source *source, const char *commit);
/* Look now (also when one is under way: then once more after it). */
void source_look(struct source *source);

#endif
