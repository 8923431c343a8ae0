#include "muster-git.h"

#include "fs/fs.h"
#include "source/source.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Below --cache: clone.git, bare, whose only ref is TIP_REF; home/, which libgit2's ssh takes for
 * the user's; and lock, held as long as this process lives.
 */
#define TIP_REF	      "refs/muster/tip"
#define PARTIAL_PACK  "pack_git2_" /* libgit2 leaves them when it is killed */
#define PACKS_MAX     256	   /* one a fetch; a clone with more is made anew */
#define NO_REPOSITORY "there is no such repository, or it is not shown to this user"

static const char *cache_path(struct look *look, const char *name)
{
	return fs_join(&look->arena, look->options->cache, name);
}

bool clone_remove(struct look *look, struct err *err)
{
	return fs_remove_tree(cache_path(look, "clone.git"), err);
}

static bool make_cache(struct look *look, struct err *err)
{
	return fs_mkdirs(look->options->cache, 0700, err) &&
	       fs_lock(cache_path(look, "lock"), err) >= 0;
}

/* libgit2 asks for the kinds of host keys that HOME/.ssh/known_hosts has: let it see what ours has
 * of this host. Whether a key is good is decided in trust.c. */
static bool write_known_hosts(struct look *look, struct err *err)
{
	struct buf known = { 0 }, selected = { 0 };
	struct err unread;
	if (look->options->known_hosts &&
	    fs_read(look->options->known_hosts, KNOWN_HOSTS_MAX, &known, &unread))
		known_hosts_select(buf_str(&known), look->place.host, look->place.port, &selected);
	const char *path = cache_path(look, "home/.ssh/known_hosts");
	bool ok = fs_mkdirs(cache_path(look, "home/.ssh"), 0700, err) &&
		  fs_write(path, buf_str(&selected), selected.len, 0600, 0, NULL, err);
	buf_release(&known);
	buf_release(&selected);
	return ok;
}

bool look_prepare_home(struct look *look)
{
	struct err err = { 0 };
	if (look->place.local) {
		setenv("HOME", "/nonexistent", 1);
		return true;
	}
	if (!look->options->cache)
		return look_fail(look, "SystemFailed", "a remote repository needs --cache");
	if (!make_cache(look, &err))
		return look_fail(look, "SystemFailed", "the clone's directory cannot be used: %s",
				 err.text);
	if (!write_known_hosts(look, &err))
		return look_fail(look, "SystemFailed", "%s", err.text);
	setenv("HOME", cache_path(look, "home"), 1);
	return true;
}

/* --- the clone ------------------------------------------------------------------------------- */

/* Remove what a killed fetch has left; count packs. */
static size_t tidy_packs(struct look *look)
{
	const char *dir = cache_path(look, "clone.git/objects/pack");
	DIR *packs = opendir(dir);
	size_t count = 0;
	for (const struct dirent *e = packs ? readdir(packs) : NULL; e; e = readdir(packs)) {
		size_t len = strlen(e->d_name);
		if (strncmp(e->d_name, PARTIAL_PACK, strlen(PARTIAL_PACK)) == 0)
			unlink(fs_join(&look->arena, dir, e->d_name));
		else if (len > 5 && strcmp(e->d_name + len - 5, ".pack") == 0)
			count++;
	}
	if (packs)
		closedir(packs);
	return count;
}

static bool open_clone(struct look *look)
{
	const char *path = cache_path(look, "clone.git");
	struct err err = { 0 };
	if (tidy_packs(look) > PACKS_MAX && !clone_remove(look, &err))
		return look_fail(look, "SystemFailed", "%s", err.text);
	if (git_repository_open_bare(&look->repo, path) == 0)
		return true;
	if (!clone_remove(look, &err))
		return look_fail(look, "SystemFailed", "%s", err.text);
	git_repository_init_options options;
	git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
	options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR;
	options.mode = 0700;
	int code = git_repository_init_ext(&look->repo, path, &options);
	return code == 0 || look_fail_git(look, code, "the clone '%s' cannot be made", path);
}

/* What a library says, by a part of it, where its class is not the reason, or there is a way out.
 */
static const struct {
	const char *sign, *reason, *help;
} known_failures[] = {
	{ "status code: 404", "RepositoryNotFound", NO_REPOSITORY },
	{ "not found", "RepositoryNotFound", NO_REPOSITORY },
	{ "does not exist", "RepositoryNotFound", NO_REPOSITORY },
	{ "not appear to be a git repo", "RepositoryNotFound", NO_REPOSITORY },
	{ "access denied or", "RepositoryNotFound", NO_REPOSITORY },
	{ "status code: 403", "AuthenticationFailed", "the token may not read it" },
	{ "cannot redirect from", "RepositoryMoved",
	  "no token is taken to another host, and nothing to plain http: give the new address" },
	{ "correctly signed by the trusted", "CertificateInvalid",
	  "the authority of a server of one's own is given with --git-ca-file" },
	{ "not match with the expected", "CertificateInvalid",
	  "it has to name the host as the source does; an IP address does not count" },
	{ "fatal alert", "TLSFailed",
	  "the server refuses to talk like this: it may want TLS 1.3, and Mbed TLS before 3 has "
	  "1.2" },
	{ "public key from private key", "AuthenticationFailed",
	  "the ssh key has a passphrase, or is no key" },
	{ "exchange encryption keys", "HostKeyUnsupported",
	  "libssh2 before 1.11 cannot use RSA host keys as servers have them now: the known hosts "
	  "need the host's ed25519 or ECDSA key" },
};

static bool remote_fail(struct look *look, int code)
{
	const git_error *error = git_error_last();
	const char *text = error && error->message ? error->message : "";
	for (size_t i = 0; code != GIT_EAUTH && i < ARRAY_LEN(known_failures); i++)
		if (strcasestr(text, known_failures[i].sign))
			return look_fail(look, known_failures[i].reason, "'%s': %s: %s",
					 look->place.shown, text, known_failures[i].help);
	/* Connecting is a matter of the operating system for libgit2. */
	if (error && error->klass == GIT_ERROR_OS)
		return look_fail(look, "NetworkUnreachable", "'%s': %s", look->place.shown, text);
	return look_fail_git(look, code, "'%s'", look->place.shown);
}

static bool find_remote_branch(struct look *look, git_remote *remote)
{
	const char *name = arena_printf(&look->arena, "refs/heads/%s", look->options->branch);
	const git_remote_head **heads;
	size_t count;
	int code = git_remote_ls(&heads, &count, remote);
	if (code != 0)
		return remote_fail(look, code);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(heads[i]->name, name) == 0) {
			look->tip = heads[i]->oid;
			return true;
		}
	}
	return look_fail(look, "BranchNotFound", "'%s' has no branch '%s'", look->place.shown,
			 look->options->branch);
}

static int limit_transfer(const git_indexer_progress *stats, void *arg)
{
	struct asked *asked = arg;
	if (stats->received_bytes <= SOURCE_FETCH_BYTES)
		return 0;
	look_fail(asked->look, "TooLarge", "'%s' sends more than %d MiB", asked->look->place.shown,
		  SOURCE_FETCH_BYTES >> 20);
	return GIT_EUSER;
}

static bool have_tip(struct look *look)
{
	git_oid id;
	return git_reference_name_to_id(&id, look->repo, TIP_REF) == 0 &&
	       git_oid_equal(&id, &look->tip);
}

static bool fetch(struct look *look, git_remote *remote, git_fetch_options *options)
{
	char *spec = arena_printf(&look->arena, "+refs/heads/%s:" TIP_REF, look->options->branch);
	git_strarray specs = { .strings = &spec, .count = 1 };
	int code = git_remote_download(remote, &specs, options);
	if (code != 0)
		return remote_fail(look, code);
	CLEANUP(git_reference_clean) git_reference *ref = NULL;
	code = git_reference_create(&ref, look->repo, TIP_REF, &look->tip, 1, NULL);
	return code == 0 ||
	       look_fail_git(look, code, "'%s' was fetched in part only", look->place.shown);
}

bool look_open_remote(struct look *look)
{
	CLEANUP(git_remote_clean) git_remote *remote = NULL;
	struct asked asked = { .look = look };
	git_fetch_options options;
	git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
	options.callbacks.credentials = give_credential;
	options.callbacks.certificate_check = check_certificate;
	options.callbacks.transfer_progress = limit_transfer;
	options.callbacks.payload = &asked;
	options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
	options.proxy_opts.type = GIT_PROXY_AUTO;
	/* A token is for the host that it was given for: no redirect is followed to another host.
	 * (One to another port or path of the same host is, and never from https to http.) */
	options.follow_redirects = look->options->token_file || look->place.password
					   ? GIT_REMOTE_REDIRECT_NONE
					   : GIT_REMOTE_REDIRECT_INITIAL;
	if (!look_trust_authorities(look) || !open_clone(look))
		return false;
	git_remote_connect_options connect;
	git_remote_connect_options_init(&connect, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
	connect.callbacks = options.callbacks;
	connect.proxy_opts = options.proxy_opts;
	connect.follow_redirects = options.follow_redirects;
	int code = git_remote_create_anonymous(&remote, look->repo, look->place.url);
	if (code == 0)
		code = git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &connect);
	if (code != 0)
		return remote_fail(look, code);
	return find_remote_branch(look, remote) &&
	       (have_tip(look) || fetch(look, remote, &options));
}
