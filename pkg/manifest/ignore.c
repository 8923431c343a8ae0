/* .musterignore: globs as in .gitignore. */
#include "manifest/internal.h"

#include <stdlib.h>
#include <string.h>

struct ignore_rule {
	const char *glob;
	bool keep;     /* a leading ! */
	bool folder;   /* a trailing /: matches folders only */
	bool anchored; /* with a / elsewhere: matches the whole path, else the last segment */
};

struct manifest_ignore {
	struct arena arena;
	VEC(struct ignore_rule) rules;
};

/* Where matching goes on after a mismatch: a star takes one character more. */
struct star {
	const char *glob, *path; /* glob NULL: no star yet */
};

/* Let the last * take one more character of its segment, else the last ** one more of the path. */
static bool take_more(struct star *one, struct star *any, const char **glob, const char **path)
{
	if (one->glob && *one->path && *one->path != '/') {
		*path = ++one->path;
		*glob = one->glob;
		return true;
	}
	if (!any->glob || !*any->path)
		return false;
	bool folders = any->glob[-1] == '/'; /* "**" + "/": whole folders */
	do
		any->path++;
	while (folders && *any->path && any->path[-1] != '/');
	if (folders && any->path[-1] != '/')
		return false;
	*path = any->path;
	*glob = any->glob;
	return true;
}

static bool glob_matches(const char *glob, const char *path)
{
	struct star one = { 0 }, any = { 0 };
	while (*glob || *path) {
		if (glob[0] == '*' && glob[1] == '*') {
			glob += glob[2] == '/' ? 3 : 2;
			any = (struct star){ glob, path };
			one.glob = NULL;
		} else if (*glob == '*') {
			one = (struct star){ ++glob, path };
		} else if (*path &&
			   ((*glob == '?' && *path != '/') || (*glob == '\\' && glob[1] == *path) ||
			    (*glob != '?' && *glob != '\\' && *glob == *path))) {
			glob += *glob == '\\' ? 2 : 1;
			path++;
		} else if (!take_more(&one, &any, &glob, &path)) {
			return false;
		}
	}
	return true;
}

static void add_rule(struct manifest_ignore *ignore, const char *line, size_t len)
{
	struct ignore_rule rule = { 0 };
	while (len && strchr(" \t\r", line[len - 1]) && !(len > 1 && line[len - 2] == '\\'))
		len--;
	if (len && *line == '!') {
		rule.keep = true;
		line++;
		len--;
	}
	if (len && line[len - 1] == '/') {
		rule.folder = true;
		len--;
	}
	rule.anchored = memchr(line, '/', len) != NULL;
	if (len && *line == '/') {
		line++;
		len--;
	}
	if (!len)
		return;
	rule.glob = arena_strndup(&ignore->arena, line, len);
	*vec_push(&ignore->rules) = rule;
}

struct manifest_ignore *manifest_ignore_parse(const void *bytes, size_t len)
{
	struct manifest_ignore *ignore = xcalloc(1, sizeof(*ignore));
	const char *p = bytes, *end = p + len;
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *stop = newline ? newline : end;
		if (*p != '#' && !memchr(p, 0, (size_t)(stop - p)))
			add_rule(ignore, p, (size_t)(stop - p));
		p = newline ? newline + 1 : end;
	}
	return ignore;
}

void manifest_ignore_free(struct manifest_ignore *ignore)
{
	if (!ignore)
		return;
	vec_release(&ignore->rules);
	arena_release(&ignore->arena);
	free(ignore);
}

/* What the last rule that matches says of a file or folder. */
static bool ignored_here(const struct manifest_ignore *ignore, const char *path, bool folder)
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	for (size_t i = ignore->rules.len; i > 0; i--) {
		const struct ignore_rule *rule = &ignore->rules.items[i - 1];
		if ((folder || !rule->folder) &&
		    glob_matches(rule->glob, rule->anchored ? path : last))
			return !rule->keep;
	}
	return false;
}

/* A folder that is ignored takes all below it along. */
bool manifest_ignored(const struct manifest_ignore *ignore, const char *path)
{
	if (!ignore || !ignore->rules.len)
		return false;
	char *folder = xstrdup(path);
	bool ignored = false;
	for (char *slash = strchr(folder, '/'); slash && !ignored; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ignored = ignored_here(ignore, folder, true);
		*slash = '/';
	}
	free(folder);
	return ignored || ignored_here(ignore, path, false);
}
