#include "muster-git.h"

#include "fs/fs.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX	  4096
#define DEFAULT_USER	  "git"
#define TOKEN_USER	  "x-access-token"
#define LIBSSH2_WITH_SHA2 0x010b00 /* the first that signs with RSA keys by SHA-2 */

/* As OpenSSH does for keys, but a group may have it. A file that is not there is not public. */
static bool check_not_public(struct look *look, const char *what, const char *file)
{
	struct stat st;
	if (stat(file, &st) != 0 || !(st.st_mode & (S_IROTH | S_IWOTH)))
		return true;
	return look_fail(look, "AuthenticationFailed",
			 "the %s is not used: '%s' is open to every user of this machine, which "
			 "chmod o= takes away",
			 what, file);
}

/* --- a token --------------------------------------------------------------------------------- */

static bool read_token(struct look *look)
{
	const char *file = look->options->token_file;
	struct buf token = { 0 };
	struct err err = { 0 };
	if (!check_not_public(look, "token", file))
		return false;
	if (!fs_read(file, SECRET_MAX, &token, &err))
		return look_fail(look, "AuthenticationFailed", "the token cannot be read: %s",
				 err.text);
	while (token.len > 0 && strchr("\r\n ", token.data[token.len - 1]))
		token.data[--token.len] = '\0';
	look->token = arena_strdup(&look->arena, buf_str(&token));
	buf_release(&token);
	return *look->token ||
	       look_fail(look, "AuthenticationFailed", "the token file '%s' is empty", file);
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
	bool has_file = look->options->token_file;
	if (!has_file && !look->place.password) {
		look_fail(look, "AuthenticationFailed",
			  "'%s' asks for a password and no token is given", look->place.shown);
		return GIT_EAUTH;
	}
	if (!is_private(&look->place)) {
		look_fail(look, "AuthenticationFailed",
			  "'%s' asks for a password, which is sent over https only",
			  look->place.shown);
		return GIT_EAUTH;
	}
	if (has_file && !read_token(look))
		return GIT_EAUTH;
	return git_credential_userpass_plaintext_new(out, user ? user : TOKEN_USER,
						     has_file ? look->token : look->place.password);
}

/* --- an ssh key ------------------------------------------------------------------------------ */

/* OpenSSH's own format begins with the public half, the others are DER. */
static bool is_rsa_key(const char *file)
{
	static const char type[] = "\0\0\0\7ssh-rsa";
	char *name = NULL, *header = NULL;
	uint8_t *bytes = NULL;
	long len = 0;
	FILE *f = fopen(file, "re");
	bool read = f && PEM_read(f, &name, &header, &bytes, &len) == 1;
	const uint8_t *at = bytes;
	EVP_PKEY *key = read ? d2i_AutoPrivateKey(NULL, &at, len) : NULL;
	bool rsa = key ? EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA
		       : read && memmem(bytes, (size_t)len, type, sizeof(type) - 1);
	EVP_PKEY_free(key);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_clear_free(bytes, (size_t)len);
	if (f)
		fclose(f);
	return rsa;
}

/* libgit2 brings its libssh2 along, or none. */
static bool signs_rsa_with_sha1(void)
{
	const char *(*version)(int at_least);
	void *symbol = dlsym(RTLD_DEFAULT, "libssh2_version");
	memcpy(&version, &symbol, sizeof(version));
	return symbol && !version(LIBSSH2_WITH_SHA2);
}

static int give_key(struct look *look, git_credential **out, const char *user)
{
	const char *key = look->options->ssh_key;
	bool readable = key && access(key, R_OK) == 0;
	if (readable && check_not_public(look, "ssh key", key))
		return git_credential_ssh_key_new(out, user ? user : DEFAULT_USER, NULL, key, "");
	if (key)
		look_fail(look, "AuthenticationFailed", "the ssh key '%s' cannot be read: %s", key,
			  strerrordesc_np(errno));
	else
		look_fail(look, "AuthenticationFailed",
			  "'%s' asks for an ssh key and none is given", look->place.shown);
	return GIT_EAUTH;
}

/* --- being asked ----------------------------------------------------------------------------- */

static void refused(struct look *look)
{
	bool ssh = look->place.ssh;
	const char *why = "";
	if (ssh && is_rsa_key(look->options->ssh_key) && signs_rsa_with_sha1())
		why = ": it is an RSA key, with which libssh2 before 1.11 signs by SHA-1 only, as "
		      "servers do not accept any more; an ed25519 or ECDSA key works";
	look_fail(look, "AuthenticationFailed", "'%s' refuses the %s%s", look->place.shown,
		  ssh ? "ssh key" : "token", why);
}

int give_credential(git_credential **out, const char *url UNUSED, const char *user,
		    unsigned allowed, void *arg)
{
	struct asked *asked = arg;
	struct look *look = asked->look;
	if (allowed & GIT_CREDENTIAL_USERNAME && !(allowed & GIT_CREDENTIAL_SSH_KEY))
		return git_credential_username_new(out, user ? user : DEFAULT_USER);
	if (asked->times++ > 0) {
		refused(look);
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
