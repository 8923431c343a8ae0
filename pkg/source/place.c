#include "source/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POINTER_FILE_MAX 4096 /* of .git and commondir files */

/* --- URLs ------------------------------------------------------------------------------------ */

/* [USER[:PASSWORD]@]HOST[:PORT]; an IPv6 address in brackets */
static bool parse_authority(const char *text, size_t len, struct arena *arena, struct place *out)
{
	const char *authority = arena_strndup(arena, text, len), *at = strrchr(authority, '@');
	if (at) {
		char *user = arena_strndup(arena, authority, (size_t)(at - authority));
		char *colon = strchr(user, ':');
		if (colon) {
			*colon = '\0';
			out->password = colon + 1;
		}
		out->user = *user ? user : NULL;
		authority = at + 1;
	}
	char *host = arena_strdup(arena, authority), *port = NULL;
	if (*host == '[') {
		char *close = strchr(++host, ']');
		if (!close)
			return false;
		*close = '\0';
		port = close[1] == ':' ? close + 2 : NULL;
	} else if ((port = strchr(host, ':'))) {
		*port++ = '\0';
	}
	int64_t number = 0;
	if (port && *port && (!parse_int(port, &number) || number < 1 || number > UINT16_MAX))
		return false;
	out->host = host;
	out->port = (uint16_t)number;
	return *host != '\0';
}

static bool parse_url(const char *text, const char *scheme_end, struct arena *arena,
		      struct place *out, struct err *err)
{
	static const struct {
		const char *name;
		bool ssh;
	} schemes[] = { { "https", false },  { "http", false },	  { "ssh", true },
			{ "git+ssh", true }, { "ssh+git", true }, { "git", false } };
	const char *authority = scheme_end + 3;
	size_t len = strcspn(authority, "/"), i = 0;
	char *scheme = arena_strndup(arena, text, (size_t)(scheme_end - text));
	bool ok = parse_authority(authority, len, arena, out);
	if (out->password)
		out->shown = arena_printf(arena, "%.*s%s:***@%s", (int)(authority - text), text,
					  out->user ? out->user : "",
					  (const char *)memrchr(authority, '@', len) + 1);
	while (i < ARRAY_LEN(schemes) && strcmp(scheme, schemes[i].name) != 0)
		i++;
	if (i == ARRAY_LEN(schemes))
		return err_set(err, 0,
			       "source '%s' is of an unknown kind: https, http, ssh, git and file "
			       "are known",
			       out->shown);
	out->ssh = schemes[i].ssh;
	return ok || err_set(err, 0, "source '%s' names no host", out->shown);
}

/* [USER@]HOST:PATH. Brackets, for a port or an IPv6 address, libgit2 does not know here. */
static bool parse_scp(const char *text, struct arena *arena, struct place *out, struct err *err)
{
	out->local = false;
	out->ssh = true;
	if (memchr(text, '[', strcspn(text, ":")))
		return err_set(err, 0,
			       "source '%s' is to be written as ssh://[USER@]HOST:PORT/PATH", text);
	return parse_authority(text, strcspn(text, ":"), arena, out) ||
	       err_set(err, 0, "source '%s' names no host", text);
}

bool place_parse(const char *text, const char *cwd, struct arena *arena, struct place *out,
		 struct err *err)
{
	text = arena_strdup(arena, text);
	*out = (struct place){ .local = true, .url = text, .shown = text };
	const char *scheme_end = strstr(text, "://"), *colon = strchr(text, ':');
	if (!*text)
		return err_set(err, 0, "the source is empty");
	if (strncmp(text, "file://", 7) == 0) {
		out->must_be_git = true;
		out->path = text + 7;
		if (strncmp(out->path, "localhost/", 10) == 0)
			out->path += 9;
		if (*out->path != '/')
			return err_set(err, 0, "source '%s' has no absolute path", text);
	} else if (scheme_end) {
		out->local = false;
		return parse_url(text, scheme_end, arena, out, err);
	} else if (colon && !memchr(text, '/', strcspn(text, ":"))) {
		return parse_scp(text, arena, out, err);
	} else {
		out->path = *text == '/' ? text : arena_printf(arena, "%s/%s", cwd, text);
	}
	out->url = out->shown = out->path;
	return true;
}

/* --- local repositories ---------------------------------------------------------------------- */

static bool is_kind(const char *dir, const char *name, mode_t kind, struct arena *arena)
{
	struct stat st;
	return stat(arena_printf(arena, "%s/%s", dir, name), &st) == 0 &&
	       (st.st_mode & S_IFMT) == kind;
}

/* The path that a small file of git names, made absolute; NULL: no such file. */
static const char *read_pointer(const char *dir, const char *name, const char *prefix,
				struct arena *arena)
{
	char text[POINTER_FILE_MAX + 1];
	int fd = open(arena_printf(arena, "%s/%s", dir, name), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	ssize_t len = read(fd, text, POINTER_FILE_MAX);
	close(fd);
	if (len <= 0)
		return NULL;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, prefix, strlen(prefix)) != 0)
		return NULL;
	const char *target = text + strlen(prefix);
	return *target == '/' ? arena_strdup(arena, target)
			      : arena_printf(arena, "%s/%s", dir, target);
}

static bool is_git_dir(const char *path, struct arena *arena)
{
	return is_kind(path, "HEAD", S_IFREG, arena) && is_kind(path, "objects", S_IFDIR, arena) &&
	       is_kind(path, "refs", S_IFDIR, arena);
}

bool place_git_dir(const char *path, struct arena *arena, struct git_dir *out)
{
	const char *dir = path;
	if (is_kind(path, ".git", S_IFDIR, arena)) {
		dir = arena_printf(arena, "%s/.git", path);
	} else if (is_kind(path, ".git", S_IFREG, arena)) {
		dir = read_pointer(path, ".git", "gitdir: ", arena);
		const char *common = dir ? read_pointer(dir, "commondir", "", arena) : NULL;
		if (common)
			dir = common;
	}
	struct stat st;
	if (!dir || !is_git_dir(dir, arena) || stat(dir, &st) != 0)
		return false;
	*out = (struct git_dir){ .path = dir, .uid = st.st_uid, .gid = st.st_gid };
	return true;
}
