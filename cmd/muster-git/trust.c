#include "muster-git.h"

#include "fs/fs.h"

#include <string.h>

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

int check_certificate(git_cert *cert, int valid, const char *host UNUSED, void *arg)
{
	struct look *look = ((struct asked *)arg)->look;
	if (cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2)
		return check_host_key(look, (const git_cert_hostkey *)cert) ? 0 : GIT_ECERTIFICATE;
	/* Passed through, libgit2 ends with the cause, which it does not tell us here. */
	return valid ? 0 : GIT_PASSTHROUGH;
}

bool look_trust_authorities(struct look *look)
{
	const char *file = look->options->ca_file;
	if (!file || strncmp(look->place.url, "https://", 8) != 0 ||
	    git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, file, NULL) == 0)
		return true;
	return look_fail_git(look, GIT_ECERTIFICATE,
			     "the certificate authorities in '%s' cannot be used", file);
}
