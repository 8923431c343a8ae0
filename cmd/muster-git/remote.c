#include "muster-git.h"

#include "fs/fs.h"
#include "source/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Below --cache: clone.git, bare, whose only ref is TIP_REF; home/, which libgit2's ssh takes for
 * the user's; and lock, held as long as this process lives.
 */
#define TIP_REF		"refs/muster/tip"
#define PARTIAL_PACK	"pack_git2_" /* libgit2 leaves them when it is killed */
#define PACKS_MAX	256	     /* one a fetch; a clone with more is made anew */
#define SECRET_MAX	4096
#define KNOWN_HOSTS_MAX (4 << 20)
#define DEFAULT_USER	"git"
#define TOKEN_USER	"x-access-token"

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
 * of this host. Whether a key is good is decided in check_certificate(). */
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

/* The payload of all callbacks. */
struct asked {
	struct look *look;
	int times; /* a server that refuses asks again, for ever */
};

/* --- trust ----------------------------------------------------------------------------------- */

static bool check_host_key(struct look *look, const git_cert_hostkey *key)
{
	const struct place *place = &look->place;
	const char *file = look->options->known_hosts;
	struct buf text = { 0 };
	struct err err = { 0 };
	if (!file)
		return look_fail(
			look, "HostKeyUnknown",
			"the key of host '%s' cannot be checked: no known hosts file is given",
			place->host);
	if (!fs_read(file, KNOWN_HOSTS_MAX, &text, &err))
		return look_fail(look, "HostKeyUnknown",
				 "the key of host '%s' cannot be checked: known hosts %s",
				 place->host, err.text);
	enum host_key said = HOST_KEY_UNKNOWN;
	if (key->type & GIT_CERT_SSH_RAW)
		said = known_hosts_check(buf_str(&text), place->host, place->port, key->hostkey,
					 key->hostkey_len);
	buf_release(&text);
	switch (said) {
	case HOST_KEY_MATCH: return true;
	case HOST_KEY_UNKNOWN:
		return look_fail(look, "HostKeyUnknown", "the key of host '%s' is not in '%s'",
				 place->host, file);
	case HOST_KEY_MISMATCH:
		return look_fail(
			look, "HostKeyMismatch",
			"the key of host '%s' is another than '%s' has: it was replaced, or "
			"someone is in between",
			place->host, file);
	case HOST_KEY_REVOKED:
		return look_fail(look, "HostKeyMismatch",
				 "'%s' marks the key of host '%s' as revoked", file, place->host);
	}
	return false;
}

static int check_certificate(git_cert *cert, int valid, const char *host, void *arg)
{
	struct look *look = ((struct asked *)arg)->look;
	if (cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2)
		return check_host_key(look, (const git_cert_hostkey *)cert) ? 0 : GIT_ECERTIFICATE;
	if (valid)
		return 0;
	look_fail(look, "CertificateInvalid", "the certificate of host '%s' is not valid", host);
	return GIT_ECERTIFICATE;
}

/* --- credentials ----------------------------------------------------------------------------- */

static bool read_token(struct look *look, struct buf *token)
{
	struct err err = { 0 };
	if (!fs_read(look->options->token_file, SECRET_MAX, token, &err))
		return look_fail(look, "AuthenticationFailed", "the token cannot be read: %s",
				 err.text);
	while (token->len > 0 && strchr("\r\n ", token->data[token->len - 1]))
		token->data[--token->len] = '\0';
	return true;
}

/* May a password be sent there? Encrypted, or not leaving this machine. */
static bool is_private(const struct place *place)
{
	static const char *const own[] = { "localhost", "127.0.0.1", "::1" };
	bool is_own = false;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		is_own |= strcmp(place->host, own[i]) == 0;
	return is_own || strncmp(place->url, "https://", 8) == 0;
}

static int give_token(struct look *look, git_credential **out, const char *user)
{
	struct buf token = { 0 };
	if (!look->options->token_file && !look->place.password) {
		look_fail(look, "AuthenticationFailed",
			  "'%s' asks for a password and no token is given", look->place.shown);
		return GIT_EAUTH;
	}
	if (!is_private(&look->place)) {
		look_fail(look, "AuthenticationFailed",
			  "'%s' asks for a password, which is sent over "
			  "https only",
			  look->place.shown);
		return GIT_EAUTH;
	}
	if (look->options->token_file && !read_token(look, &token))
		return GIT_EAUTH;
	int code = git_credential_userpass_plaintext_new(
		out, user ? user : TOKEN_USER,
		look->options->token_file ? buf_str(&token) : look->place.password);
	if (token.data)
		explicit_bzero(token.data, token.len);
	buf_release(&token);
	return code;
}

static int give_key(struct look *look, git_credential **out, const char *user)
{
	const char *key = look->options->ssh_key;
	if (key && access(key, R_OK) == 0)
		return git_credential_ssh_key_new(out, user ? user : DEFAULT_USER, NULL, key, "");
	if (key)
		look_fail(look, "AuthenticationFailed", "the ssh key '%s' cannot be read: %s", key,
			  strerrordesc_np(errno));
	else
		look_fail(look, "AuthenticationFailed",
			  "'%s' asks for an ssh key and none is given", look->place.shown);
	return GIT_EAUTH;
}

static int give_credential(git_credential **out, const char *url UNUSED, const char *user,
			   unsigned allowed, void *arg)
{
	struct asked *asked = arg;
	struct look *look = asked->look;
	if (allowed & GIT_CREDENTIAL_USERNAME && !(allowed & GIT_CREDENTIAL_SSH_KEY))
		return git_credential_username_new(out, user ? user : DEFAULT_USER);
	if (asked->times++ > 0) {
		look_fail(look, "AuthenticationFailed", "'%s' refuses the %s", look->place.shown,
			  look->place.ssh ? "ssh key" : "token");
		return GIT_EAUTH;
	}
	if (allowed & GIT_CREDENTIAL_SSH_KEY)
		return give_key(look, out, user);
	if (allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT && !look->place.ssh)
		return give_token(look, out, user);
	look_fail(look, "AuthenticationFailed", "'%s' accepts neither an ssh key nor a token",
		  look->place.shown);
	return GIT_EAUTH;
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

static bool is_not_found(const git_error *error)
{
	static const char *const signs[] = { "status code: 404", "not found", "does not exist",
					     "not appear to be a git repo", "access denied or" };
	for (size_t i = 0; error && error->message && i < ARRAY_LEN(signs); i++)
		if (strcasestr(error->message, signs[i]))
			return true;
	return false;
}

static bool remote_fail(struct look *look, int code)
{
	const git_error *error = git_error_last();
	const char *shown = look->place.shown;
	if (code != GIT_EAUTH && is_not_found(error))
		return look_fail(look, "RepositoryNotFound", "'%s' is not a repository there: %s",
				 shown, error->message);
	/* Connecting is a matter of the operating system for libgit2. */
	if (error && error->klass == GIT_ERROR_OS)
		return look_fail(look, "NetworkUnreachable", "'%s': %s", shown, error->message);
	return look_fail_git(look, code, "'%s'", shown);
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
	/* A token is for the host that it was given for. */
	options.follow_redirects = look->options->token_file || look->place.password
					   ? GIT_REMOTE_REDIRECT_NONE
					   : GIT_REMOTE_REDIRECT_INITIAL;
	if (!open_clone(look))
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
