/*
 * model/snapshot: the files of one commit, as a source passes them to the controller.
 */
#ifndef MUSTER_MODEL_SNAPSHOT_H
#define MUSTER_MODEL_SNAPSHOT_H

#include "base/base.h"

struct source_file {
	const char *path;  /* relative to --path, '/' between segments, valid UTF-8 */
	const char *blob;  /* object id: equal ids, equal bytes. NULL, in history: gone from here */
	const void *bytes; /* NULL: as in an earlier snapshot, see source.h */
	size_t len;
	bool too_large;
	bool data; /* no manifest: a file that task definitions may name */
};

/* A commit of the branch's first-parent history after the last taken one, oldest first: for
 * numbering revisions, and to know the tree as it was. Files, by path: only those that differ from
 * its first parent's, and those that are gone (all that there are for the first). */
struct source_commit {
	const char *id;
	const char *subject, *author;
	int64_t time_unix_ms;
	struct source_file *files;
	size_t file_count;
};

struct source_snapshot {
	const char *commit; /* full object id */
	const char *subject, *author;
	int64_t time_unix_ms;
	struct source_file *files; /* sorted by path */
	size_t file_count;
	struct source_commit *history; /* without the tip itself */
	size_t history_count;
	bool partial;	  /* history begins after the last taken commit, not with the first */
	bool rewritten;	  /* the last taken commit is no ancestor of this one */
	bool history_cut; /* history is longer than what is passed: its oldest part is missing */
	/* Values of Muster-Allow: trailers of all commits after the last taken one, all parents. */
	const char **allows;
	size_t allow_count;
};

#endif
