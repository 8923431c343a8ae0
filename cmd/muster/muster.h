/*
 * muster: the command line. It reads status files, checks and plans manifests and prints; it never
 * talks to a daemon of muster, and only for logs to a container engine. One verb a file; main.c has
 * their table.
 */
#ifndef MUSTER_CMD_H
#define MUSTER_CMD_H

#include <jansson.h>

#include "flags/flags.h"
#include "manifest/manifest.h"
#include "report/report.h"

/* Flags of every verb. */
struct cli {
	const char *status, *state; /* directories, never NULL */
	const char *cluster;	    /* NULL: all */
	struct arena arena;	    /* for the whole run */
};

struct verb {
	const char *name, *usage, *about;
	const struct flag *flags;
	size_t flag_count;
	void *options; /* that .flags fill */
	size_t args_min, args_max;
	int (*run)(struct cli *cli, const struct flags_args *args); /* an exit code */
};
extern const struct verb verb_get, verb_describe, verb_explain, verb_wait, verb_allow, verb_forget,
	verb_reconcile, verb_plan, verb_history, verb_validate, verb_logs, verb_import, verb_init;

/* "muster: TEXT" on stderr; answers the code. */
int say_error(enum exit_code code, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool complain(const char *fmt, ...) PRINTF_LIKE(1, 2); /* the same; answers false */
void warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Write to stdout whole, and release. */
void print_and_release(struct buf *out);
/* Columns of the terminal on stdout; 0: it is none. */
size_t terminal_width(void);

/* --- status.c: status files --------------------------------------------------------------------
 */

#define BEAT_OLD_S	  30 /* the beat is touched every 10 s */
#define SUMMARY_MAX_BYTES (64 << 20)

enum doc_kind { DOC_SERVICE, DOC_NODE, DOC_TASKDEF, DOC_KIND_COUNT };

struct doc {
	const char *cluster, *name;
	json_t *json; /* released with the status */
};
struct docs {
	VEC(struct doc) items; /* by (cluster, name) */
};

/* Where status is read from: the fleet's, or where there is none, that of the agents of this
 * machine. */
struct status {
	struct cli *cli;
	const char **roots;
	size_t root_count;
	bool of_agents;
	struct docs docs[DOC_KIND_COUNT];
	bool loaded[DOC_KIND_COUNT];
};
/* Find it, and warn when its beat is old. False: said on stderr why not. */
bool status_open(struct cli *cli, struct status *status);
void status_release(struct status *status);
/* All documents of a kind, of --cluster where given; read once. NULL: said on stderr why not. */
const struct docs *status_docs(struct status *status, enum doc_kind kind);
/* NAME or CLUSTER/NAME. NULL: unknown or ambiguous, said on stderr. */
const struct doc *status_find(struct status *status, enum doc_kind kind, const char *name);
/* One file below the first root, or NULL with err set. A new reference. */
json_t *status_file(const struct status *status, const char *path, struct err *err);
/* Seconds since the last beat; -1: there is none. */
int64_t status_age_s(const char *root);
/* "14 min" */
const char *age_text(struct arena *arena, int64_t seconds);
json_t *load_json_file(const char *path, struct arena *arena, struct err *err);

const char *text_at(const json_t *object, const char *key); /* NULL where absent */
const char *last_part(const char *arn); /* after the last '/'; NULL gives NULL */
/* A number as text; NULL for null: not known. */
const char *count_at(struct arena *arena, const json_t *object, const char *key);

/* --- tree.c: manifests of a directory ------------------------------------------------------------
 */

/* A file that is no manifest, and that task definitions may name. */
struct tree_data {
	const char *path; /* in the repository */
	struct buf bytes;
	bool too_large;
};
struct tree {
	VEC(struct manifest_file *) files;
	VEC(struct tree_data) data;  /* of a git repository, and what was read of the roots */
	VEC(const char *) roots;     /* directories to read more from */
	struct manifest_tree *built; /* NULL until tree_build() */
};
/* DIR, files, or a git repository as REPO@REV. Exit code; said on stderr what failed. */
int tree_load(struct cli *cli, const char *const *paths, size_t count, struct tree *tree);
void tree_release(struct tree *tree);

#endif
