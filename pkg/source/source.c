#include "source/internal.h"

#include "fs/fs.h"
#include "log/log.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_MS     1000 /* after the first failure; doubled after each, up to the interval */
#define RETRY_SHIFTS 10

/* --- what is watched ------------------------------------------------------------------------- */

static void changed(void *arg, const char *dir, const char *name)
{
	struct source *s = arg;
	if (s->git_dir) {
		if (git_concerns(s->git_dir, s->options.branch, dir, name))
			source_look(s);
	} else if (!s->unsettled_ms) {
		/* Not moved by further changes: the look itself waits until all is settled. */
		s->unsettled_ms = clock_monotonic_ms();
		timer_set(s->timer, SOURCE_SETTLE_MS);
	}
}

void source_watch_begin(struct source *s)
{
	map_free(s->wanted);
	s->wanted = map_new();
}

void source_watch(struct source *s, const char *dir)
{
	struct err err = { 0 };
	map_put(s->wanted, dir, s);
	if (!s->watcher || map_get(s->watched, dir))
		return;
	if (watcher_add(s->watcher, dir, &err)) {
		map_put(s->watched, dir, s);
	} else if (!s->watch_failed) {
		s->watch_failed = true;
		log_warn("source cannot be watched, only asked every interval", "directory", dir,
			 "error", err.text);
	}
}

void source_watch_end(struct source *s)
{
	size_t it = 0;
	const char *dir;
	while (map_next(s->watched, &it, &dir, NULL)) {
		if (map_get(s->wanted, dir))
			continue;
		if (s->watcher)
			watcher_remove(s->watcher, dir);
		map_remove(s->watched, dir);
	}
}

/* --- one look -------------------------------------------------------------------------------- */

static int64_t pause_ms(const struct source *s)
{
	int64_t pause = s->options.interval_ms;
	if (s->network && pause > SOURCE_NETWORK_MS)
		pause = SOURCE_NETWORK_MS;
	int shift = s->failures - 1 < RETRY_SHIFTS ? s->failures - 1 : RETRY_SHIFTS;
	if (s->failures > 0 && pause > (int64_t)RETRY_MS << shift)
		pause = (int64_t)RETRY_MS << shift;
	return pause;
}

static void look_ended(struct source *s, bool ok)
{
	s->failures = ok ? 0 : s->failures + 1;
	s->unsettled_ms = 0;
	timer_set(s->timer, s->again ? 0 : pause_ms(s));
	s->again = false;
}

void source_taken(struct source *s, const struct source_snapshot *snapshot)
{
	if (snapshot->history_cut)
		log_warn("history is longer than what is read of it", "source", s->place.shown,
			 "commit", snapshot->commit);
	/* Scheduled first: the callback may ask for a look. */
	look_ended(s, true);
	struct source_snapshot told = *snapshot;
	told.partial = s->partial;
	bool taken = s->callbacks.taken(s->callbacks.arg, &told);
	if (s->have_anew) /* it counts for the next look */
		return;
	if (taken) {
		free(s->commit);
		s->commit = xstrdup(snapshot->commit);
		s->have_blobs = s->listed = true;
	} else {
		s->have_blobs = false;
	}
}

void source_unchanged(struct source *s, const char *commit)
{
	look_ended(s, true);
	s->callbacks.unchanged(s->callbacks.arg, commit);
}

void source_failed(struct source *s, const char *reason, const char *text)
{
	look_ended(s, false);
	s->callbacks.failed(s->callbacks.arg, reason, text);
}

/* Watched all the same: it may come. */
static void look_missing(struct source *s, bool there)
{
	struct arena arena;
	arena_init(&arena);
	source_watch_begin(s);
	source_watch(s, s->place.path);
	source_watch_end(s);
	source_failed(
		s, there ? "RepositoryNotFound" : "DirectoryNotFound",
		arena_printf(&arena,
			     there ? "'%s' is not a git repository" : "'%s' is not a directory",
			     s->place.path));
	arena_release(&arena);
}

static void look_local(struct source *s)
{
	struct arena arena;
	arena_init(&arena);
	struct git_dir git;
	struct stat st;
	bool there = stat(s->place.path, &st) == 0 && S_ISDIR(st.st_mode);
	bool is_git = there && place_git_dir(s->place.path, &arena, &git);
	bool only_git = s->kind == SOURCE_LOCAL_GIT || s->place.must_be_git || s->options.rev;
	if (is_git)
		s->kind = SOURCE_LOCAL_GIT;
	else if (there && !only_git)
		s->kind = SOURCE_PLAIN;
	s->network = there && fs_is_network(s->place.path);
	if (is_git)
		git_look(s, &git);
	else if (there && !only_git)
		dir_look(s);
	else
		look_missing(s, there);
	arena_release(&arena);
}

static void due(void *arg)
{
	struct source *s = arg;
	if (s->process) {
		s->again = true;
		return;
	}
	s->have_anew = false;
	s->partial = s->commit != NULL;
	if (s->kind == SOURCE_REMOTE)
		git_look(s, NULL);
	else
		look_local(s);
}

void source_look(struct source *s)
{
	if (s->process)
		s->again = true;
	else
		timer_set(s->timer, 0);
}

/* --- life ------------------------------------------------------------------------------------ */

static bool clean_segments(const char *path)
{
	for (const char *p = path;; p++) {
		size_t len = strcspn(p, "/");
		if (len == 0 || (len <= 2 && strncmp(p, "..", len) == 0))
			return false;
		p += len;
		if (!*p)
			return true;
	}
}

/* "./a/b/" -> "a/b", "" and "./" -> "."; NULL: out of the source. */
static const char *normal_path(const char *path, struct arena *arena)
{
	char *p = arena_strdup(arena, path ? path : ".");
	size_t len = strlen(p);
	while (len > 1 && p[len - 1] == '/')
		p[--len] = '\0';
	while (p[0] == '.' && p[1] == '/')
		p += 2;
	if (!*p || strcmp(p, ".") == 0)
		return ".";
	return clean_segments(p) ? p : NULL;
}

static const char *absolute(const char *file, const char *cwd, struct arena *arena)
{
	return !file || *file == '/' ? arena_strdup(arena, file) : fs_join(arena, cwd, file);
}

static bool take_options(struct source *s, const struct source_options *from, struct err *err)
{
	char cwd[PATH_MAX];
	if (!getcwd(cwd, sizeof(cwd)))
		return err_set(err, 0, "the working directory is gone");
	struct source_options *o = &s->options;
	*o = (struct source_options){
		.url = arena_strdup(&s->arena, from->url),
		.branch = arena_strdup(&s->arena, from->branch ? from->branch : "main"),
		.path = normal_path(from->path, &s->arena),
		.rev = arena_strdup(&s->arena, from->rev),
		.cache_dir = absolute(from->cache_dir, cwd, &s->arena),
		.git_program = arena_strdup(&s->arena,
					    from->git_program ? from->git_program : "muster-git"),
		.ssh_key = absolute(from->ssh_key, cwd, &s->arena),
		.known_hosts = absolute(from->known_hosts, cwd, &s->arena),
		.token_file = absolute(from->token_file, cwd, &s->arena),
		.ca_file = absolute(from->ca_file, cwd, &s->arena),
		.interval_ms = from->interval_ms ? from->interval_ms : SOURCE_INTERVAL_MS,
		.deadline_ms = from->deadline_ms ? from->deadline_ms : SOURCE_DEADLINE_MS,
	};
	if (!o->path)
		return err_set(err, 0, "path '%s' is not below the source", from->path);
	if (!clean_segments(o->branch))
		return err_set(err, 0, "'%s' is not a branch's name", o->branch);
	if (!place_parse(o->url, cwd, &s->arena, &s->place, err))
		return false;
	if (!s->place.local && !o->cache_dir)
		return err_set(err, 0, "source '%s' needs a directory for its clone",
			       s->place.shown);
	if (!s->place.local && o->rev)
		return err_set(err, 0, "only a local repository is read at a revision");
	return true;
}

struct source *source_new(struct loop *loop, const struct source_options *options,
			  const struct source_callbacks *callbacks, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));
	s->loop = loop;
	s->callbacks = *callbacks;
	s->watched = map_new();
	s->timer = timer_new(loop, due, s);
	if (!take_options(s, options, err)) {
		source_free(s);
		return NULL;
	}
	s->kind = s->place.local ? SOURCE_NOTHING : SOURCE_REMOTE;
	if (s->place.local && !s->options.rev) {
		struct err why = { 0 };
		s->watcher = watcher_new(loop, changed, s, &why);
		if (!s->watcher)
			log_warn("source cannot be watched, only asked every interval", "source",
				 s->place.shown, "error", why.text);
	}
	timer_set(s->timer, 0);
	return s;
}

void source_free(struct source *s)
{
	if (!s)
		return;
	if (s->process)
		process_cancel(s->process);
	watcher_free(s->watcher);
	timer_free(s->timer);
	map_free(s->watched);
	map_free(s->wanted);
	map_free(s->blobs);
	free(s->git_dir);
	free(s->commit);
	arena_release(&s->arena);
	free(s);
}

void source_have(struct source *s, const char *commit)
{
	free(s->commit);
	s->commit = commit && *commit ? xstrdup(commit) : NULL;
	s->have_blobs = s->commit != NULL;
	s->listed = false;
	s->have_anew = true;
}
