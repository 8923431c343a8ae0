#include "source/internal.h"
#include "source/reply.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 40
#define ENV_MAX	 12

/* --- running muster-git ---------------------------------------------------------------------- */

/* What a proxy needs to be found; nothing else of our environment is passed. */
static const char *const passed_env[] = { "https_proxy", "HTTPS_PROXY", "http_proxy",
					  "no_proxy",	 "NO_PROXY",	"ASAN_OPTIONS" };

static void make_env(const struct source *s, struct arena *arena, const char *env[ENV_MAX])
{
	size_t n = 0;
	env[n++] = "HOME=/nonexistent";
	env[n++] = "GIT_CONFIG_NOSYSTEM=1";
	env[n++] = "LC_ALL=C";
	for (size_t i = 0; i < ARRAY_LEN(passed_env); i++) {
		const char *value = getenv(passed_env[i]);
		if (value)
			env[n++] = arena_printf(arena, "%s=%s", passed_env[i], value);
	}
	/* Other users can read a command line. */
	if (s->place.password)
		env[n++] = arena_printf(arena, SOURCE_REPO_ENV "=%s", s->place.url);
	env[n] = NULL;
}

static void make_argv(const struct source *s, const char *argv[ARGS_MAX])
{
	const struct source_options *o = &s->options;
	bool remote = s->kind == SOURCE_REMOTE;
	const struct {
		const char *flag, *value; /* NULL: left out */
	} flags[] = {
		{ "--repo", s->place.password ? NULL : s->place.url },
		{ "--branch", o->rev ? NULL : o->branch },
		{ "--rev", o->rev },
		{ "--path", o->path },
		{ "--cache", remote ? o->cache_dir : NULL },
		{ "--ssh-key", remote ? o->ssh_key : NULL },
		{ "--known-hosts", remote ? o->known_hosts : NULL },
		{ "--token-file", remote ? o->token_file : NULL },
		{ "--ca-file", remote ? o->ca_file : NULL },
		{ "--after", s->commit },
		{ "--have", s->have_blobs ? s->commit : NULL },
		{ "--unless", s->have_blobs && s->listed ? s->commit : NULL },
	};
	size_t n = 0;
	argv[n++] = o->git_program;
	argv[n++] = "look";
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (!flags[i].value)
			continue;
		argv[n++] = flags[i].flag;
		argv[n++] = flags[i].value;
	}
	argv[n] = NULL;
}

static void answer(struct source *s, const struct process_result *result, struct arena *arena)
{
	struct source_reply reply;
	struct err err = { 0 };
	if (result->timed_out) {
		source_failed(s, "Timeout",
			      arena_printf(arena, "'%s' did not answer within %lld s",
					   s->place.shown,
					   (long long)(s->options.deadline_ms + 999) / 1000));
		return;
	}
	if (result->too_large) {
		source_failed(s, "TooLarge",
			      arena_printf(arena, "'%s' has more than %d MiB to read",
					   s->place.shown, SOURCE_SNAPSHOT_MAX >> 20));
		return;
	}
	if (*result->err.text) {
		source_failed(s, "ProgramFailed", result->err.text);
		return;
	}
	if (!source_reply_read(buf_str(result->out), result->out->len, arena, &reply, &err)) {
		const char *said = buf_str(result->errors);
		source_failed(s, "ProgramFailed",
			      arena_printf(arena, "muster-git ended with status %d: %s",
					   result->status,
					   *said ? source_clean_text(arena, said, strlen(said))
						 : err.text));
		return;
	}
	switch (reply.kind) {
	case REPLY_SNAPSHOT: source_taken(s, &reply.snapshot); return;
	case REPLY_UNCHANGED: source_unchanged(s, reply.commit); return;
	case REPLY_ERROR: source_failed(s, reply.reason, reply.text); return;
	}
}

static void done(void *arg, const struct process_result *result)
{
	struct source *s = arg;
	struct arena arena;
	arena_init(&arena);
	s->process = NULL;
	answer(s, result, &arena);
	arena_release(&arena);
}

/* --- what is watched ------------------------------------------------------------------------- */

/* The branch is a file below refs/heads, perhaps in directories that come and go, or a line of
 * packed-refs, which is replaced as a whole. */
static void watch_refs(struct source *s, const char *git_dir, struct arena *arena)
{
	char *dir = arena_printf(arena, "%s/refs/heads/%s", git_dir, s->options.branch);
	free(s->git_dir);
	s->git_dir = xstrdup(git_dir);
	size_t heads = strlen(git_dir) + strlen("/refs/heads");
	source_watch_begin(s);
	source_watch(s, git_dir);
	for (char *slash = strrchr(dir, '/'); slash && slash >= dir + heads;
	     slash = strrchr(dir, '/')) {
		*slash = '\0';
		source_watch(s, dir);
	}
	source_watch_end(s);
}

bool git_concerns(const char *git_dir, const char *branch, const char *dir, const char *name)
{
	size_t len = strlen(git_dir);
	if (!name || strncmp(dir, git_dir, len) != 0)
		return true;
	const char *below = dir + len;
	if (!*below)
		return strcmp(name, "packed-refs") == 0;
	/* The branch, or a directory on the way to it. */
	below += strlen("/refs/heads");
	if (*below == '/')
		branch += strlen(below + 1) + 1;
	len = strlen(name);
	return strncmp(branch, name, len) == 0 && (branch[len] == '\0' || branch[len] == '/');
}

/* --- the look -------------------------------------------------------------------------------- */

void git_look(struct source *s, const struct git_dir *git)
{
	struct arena arena;
	arena_init(&arena);
	const char *argv[ARGS_MAX], *env[ENV_MAX];
	make_argv(s, argv);
	make_env(s, &arena, env);
	struct process_spec spec = { .argv = argv,
				     .env = env,
				     .uid = -1,
				     .gid = -1,
				     .deadline_ms = s->options.deadline_ms,
				     .max_bytes = SOURCE_SNAPSHOT_MAX };
	if (git && !s->options.rev)
		watch_refs(s, git->path, &arena);
	/* Another user's repository is read as that user: its configuration never runs as root. */
	if (git && geteuid() == 0 && git->uid != 0) {
		spec.uid = git->uid;
		spec.gid = git->gid;
	}
	s->process = process_run(s->loop, &spec, done, s);
	arena_release(&arena);
}
