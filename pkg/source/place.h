/*
 * source/place: what the text after --source names.
 *
 * As git reads it: with "://" it is a URL (file:// is a local path); with a colon before the first
 * slash it is [USER@]HOST:PATH over ssh; anything else is a local path.
 */
#ifndef MUSTER_SOURCE_PLACE_H
#define MUSTER_SOURCE_PLACE_H

#include "base/base.h"

#include <sys/types.h>

struct place {
	bool local;
	bool must_be_git; /* file:// */
	bool ssh;
	const char *path;     /* local: absolute */
	const char *url;      /* remote: as given */
	const char *shown;    /* for people: without a password */
	const char *password; /* in the URL, never to be shown; NULL: none */
	const char *user;     /* in the URL; NULL: none */
	const char *host;
	uint16_t port; /* 0: not given */
};
bool place_parse(const char *text, const char *cwd, struct arena *arena, struct place *out,
		 struct err *err);

/*
 * The git directory of a local path: the path itself when it is a bare repository, else what is at
 * PATH/.git (a directory, or a file that points to one; of a linked worktree the main repository's,
 * where the branches are). NULL: not a repository.
 */
struct git_dir {
	const char *path;
	uid_t uid;
	gid_t gid;
};
bool place_git_dir(const char *path, struct arena *arena, struct git_dir *out);

/*
 * What an OpenSSH known_hosts file says of a host's key (the raw key as it travels). Hashed names,
 * patterns, [host]:port, @revoked; @cert-authority lines are passed over. A key of a type that the
 * file has no entry of for this host is unknown.
 */
enum host_key { HOST_KEY_UNKNOWN, HOST_KEY_MATCH, HOST_KEY_MISMATCH, HOST_KEY_REVOKED };
enum host_key known_hosts_check(const char *text, const char *host, uint16_t port, const void *key,
				size_t key_len);
/* The lines about this host, its name in plain, and only of types that libssh2 can read: one line
 * that it cannot read would make it refuse the file. */
void known_hosts_select(const char *text, const char *host, uint16_t port, struct buf *out);

#endif
