/*
 * muster-git: one look at a git repository, in a process of its own: libgit2 blocks and has no
 * time-outs, so whoever runs this gives it a deadline. Answers on stdout as source/reply.h says.
 *
 * A local repository is read where it is. Of a remote one the wanted branch is fetched into a bare
 * clone below --cache, which is ours alone: a broken one is removed and made anew.
 *
 * Nothing but the command line decides: no configuration of the user or the system, no ssh agent,
 * no prompt. It ends with the process that started it.
 */
#ifndef MUSTER_GIT_H
#define MUSTER_GIT_H

#include "base/base.h"
#include "model/snapshot.h"
#include "source/place.h"

#include <git2.h>

struct options {
	const char *repo, *branch, *rev, *path;
	const char *cache, *ssh_key, *known_hosts, *token_file;
	const char *ca_file; /* PEM: trusted for https instead of the system's authorities */
	const char *after;   /* history and trailers after this commit */
	const char *have;    /* no bytes of blobs that this commit has */
	const char *unless;  /* answer "unchanged" when this is the tip */
};

struct look {
	const struct options *options;
	struct place place;
	struct arena arena;
	git_repository *repo;
	git_odb *odb;
	git_oid tip;
	bool has_after, has_have, unchanged;
	git_oid after, have;
	struct map *have_blobs, *sent; /* by hexadecimal id */
	const char *token;	       /* as it was sent; never to be shown */
	struct source_snapshot snapshot;
	/* What went wrong; reason NULL: nothing yet. */
	const char *reason;
	char text[ERR_TEXT_MAX];
};

/* --- failing: false, for `return look_fail(…)`. The first failure stays.
 * ----------------------------
 */

bool look_fail(struct look *look, const char *reason, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* What libgit2 said last, after the text; the reason is taken from its error classes. */
bool look_fail_git(struct look *look, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* startup.c: before git_libgit2_init() and the first digest. */
void look_start_quickly(const struct look *look);

/* --- open.c, remote.c: ->repo ->tip (->unchanged) --------------------------------------------- */

bool look_open_local(struct look *look);
bool look_open_remote(struct look *look);
/* HOME for libgit2's ssh, which reads known_hosts below it; before git_libgit2_init(). */
bool look_prepare_home(struct look *look);
bool clone_remove(struct look *look, struct err *err);

/* --- trust.c, credentials.c: callbacks of libgit2, with a struct asked -------------------------
 */

struct asked {
	struct look *look;
	int times; /* a server that refuses asks again, for ever */
};
#define KNOWN_HOSTS_MAX (4 << 20)
bool look_trust_authorities(struct look *look);
int check_certificate(git_cert *cert, int valid, const char *host, void *arg);
/* Secrets are read anew for each look, so that a changed file counts. One that every user of the
 * machine may read or write is refused, as OpenSSH does. */
int give_credential(git_credential **out, const char *url, const char *user, unsigned allowed,
		    void *arg);

/* --- tree.c ----------------------------------------------------------------------------------- */

struct wanted {
	const char *path;
	git_oid id;
	bool data;
};
struct listing {
	VEC(struct wanted) items; /* sorted by path */
	size_t data_count;
};
/* The wanted files of a commit; with `base`, only those that it does not have just so. */
bool list_commit(struct look *look, git_commit *commit, git_commit *base, struct listing *out);
/* ->snapshot.files of the tip; ->have_blobs before. */
bool read_tip(struct look *look, git_commit *tip);
/* Size and, where the caller has not got them, bytes of one file. out->data is set. */
bool read_blob(struct look *look, const git_oid *id, struct source_file *out);

/* --- history.c: ->snapshot.history .allows .rewritten ----------------------------------------- */

bool read_history(struct look *look, git_commit *tip);
void read_commit_facts(struct look *look, git_commit *commit, const char **subject,
		       const char **author, int64_t *time_unix_ms);

/* --- cleanup ---------------------------------------------------------------------------------- */

#define GIT_CLEANUP(type)                                                                          \
	static inline void type##_clean(type **p)                                                  \
	{                                                                                          \
		type##_free(*p);                                                                   \
	}
GIT_CLEANUP(git_commit)
GIT_CLEANUP(git_tree)
GIT_CLEANUP(git_tree_entry)
GIT_CLEANUP(git_object)
GIT_CLEANUP(git_reference)
GIT_CLEANUP(git_remote)
GIT_CLEANUP(git_revwalk)
GIT_CLEANUP(git_odb_object)

#endif
