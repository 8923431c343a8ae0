#include "muster-git.h"

#include "source/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a class of libgit2's errors means to a person. */
static const char *const class_reasons[] = {
	[GIT_ERROR_OS] = "SystemFailed",
	[GIT_ERROR_ZLIB] = "Corrupt",
	[GIT_ERROR_REPOSITORY] = "Unsupported",
	[GIT_ERROR_CONFIG] = "Corrupt",
	[GIT_ERROR_ODB] = "Corrupt",
	[GIT_ERROR_OBJECT] = "Corrupt",
	[GIT_ERROR_TREE] = "Corrupt",
	[GIT_ERROR_REFERENCE] = "Corrupt",
	[GIT_ERROR_INDEXER] = "Corrupt",
	[GIT_ERROR_SHA] = "Corrupt",
	[GIT_ERROR_NET] = "NetworkUnreachable",
	[GIT_ERROR_SSH] = "NetworkUnreachable",
	[GIT_ERROR_SSL] = "TLSFailed",
	[GIT_ERROR_HTTP] = "NetworkUnreachable",
	[GIT_ERROR_FILESYSTEM] = "SystemFailed",
};

static const char *reason_of(int code, const git_error *error)
{
	if (code == GIT_EAUTH)
		return "AuthenticationFailed";
	if (code == GIT_ECERTIFICATE)
		return "CertificateInvalid";
	size_t class = error ? (size_t)error->klass : 0;
	const char *reason = class < ARRAY_LEN(class_reasons) ? class_reasons[class] : NULL;
	return reason ? reason : "SystemFailed";
}

/* A password may come back in a library's message, or in what the server says. */
static void hide(struct look *look, const char *secret)
{
	size_t len = secret ? strlen(secret) : 0;
	for (char *at = len ? strstr(look->text, secret) : NULL; at; at = strstr(at, secret)) {
		memset(at, '*', len);
		at += len;
	}
}

bool look_fail(struct look *look, const char *reason, const char *fmt, ...)
{
	if (look->reason)
		return false;
	va_list args;
	va_start(args, fmt);
	vsnprintf(look->text, sizeof(look->text), fmt, args);
	va_end(args);
	look->reason = reason;
	hide(look, look->place.password);
	hide(look, look->token);
	return false;
}

bool look_fail_git(struct look *look, int code, const char *fmt, ...)
{
	if (look->reason)
		return false;
	const git_error *error = git_error_last();
	char text[ERR_TEXT_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return look_fail(look, reason_of(code, error), "%s: %s", text,
			 error && error->message ? error->message : "no further reason given");
}
