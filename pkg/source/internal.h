/* source: what its files share. */
#ifndef MUSTER_SOURCE_INTERNAL_H
#define MUSTER_SOURCE_INTERNAL_H

#include "source/place.h"
#include "source/source.h"
#include "watch/watch.h"

enum source_kind {
	SOURCE_NOTHING, /* the path is not there yet */
	SOURCE_PLAIN,
	SOURCE_LOCAL_GIT,
	SOURCE_REMOTE,
};

struct source {
	struct loop *loop;
	struct source_options options; /* texts in the arena */
	struct source_callbacks callbacks;
	struct arena arena;
	struct place place;
	enum source_kind kind;

	struct timer *timer; /* the next look */
	struct process *process;
	bool again;	      /* asked for while a look was under way */
	bool partial;	      /* the look under way goes on from .commit */
	bool have_anew;	      /* source_have() came while it was */
	bool network;	      /* on a network file system */
	int failures;	      /* in a row */
	int64_t unsettled_ms; /* since when a plain directory has been changing; 0: it is not */

	char *commit;	 /* taken last; NULL: none */
	bool have_blobs; /* the caller has that commit's blobs */
	bool listed;	 /* that commit was taken by this source: it may be answered "unchanged" */
	struct map *blobs; /* SOURCE_PLAIN: ids of the last taken snapshot's blobs */

	char *git_dir;		 /* SOURCE_LOCAL_GIT: whose refs are watched */
	struct watcher *watcher; /* NULL: remote */
	struct map *watched;	 /* directories */
	struct map *wanted;	 /* directories that this look asked to watch */
	bool watch_failed;	 /* said once */
};

/* --- source.c: what a look ends in ----------------------------------------------------------- */

void source_taken(struct source *source, const struct source_snapshot *snapshot);
void source_unchanged(struct source *source, const char *commit);
void source_failed(struct source *source, const char *reason, const char *text);

/* Watch exactly the directories that are asked for between begin and end. */
void source_watch_begin(struct source *source);
void source_watch(struct source *source, const char *dir);
void source_watch_end(struct source *source);

/* --- git.c ----------------------------------------------------------------------------------- */

/* `git` is NULL for a remote repository. The answer comes later. */
void git_look(struct source *source, const struct git_dir *git);
/* Is an event in one of the directories that are watched about the branch? name NULL: it may be. */
bool git_concerns(const char *git_dir, const char *branch, const char *dir, const char *name);

/* --- dir.c ----------------------------------------------------------------------------------- */

struct dir_scan {
	struct arena *arena;
	struct source *source; /* directories are watched before they are listed; may be NULL */
	VEC(struct source_file) files; /* sorted when done */
	int64_t changed_unix_ms;       /* of the newest change that was seen */
	const char *reason;	       /* of the failure */
	/* for the scan itself */
	struct manifest_ignore *ignore;
	size_t entries, bytes, data_bytes, data_count;
};
bool dir_scan(struct dir_scan *scan, const char *root, struct err *err);
void dir_scan_release(struct dir_scan *scan);

void dir_look(struct source *source);

#endif
