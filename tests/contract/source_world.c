#include "source_world.h"

#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define GUARD_MS 20000
#define ARGS_MAX 32

/* --- files and programs ---------------------------------------------------------------------- */

const char *at(struct world *w, const char *fmt, ...)
{
	char name[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	return arena_printf(&w->arena, "%s/%s", w->dir, name);
}

static void collect(char **argv, const char *cwd, struct buf *out)
{
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (chdir(cwd) != 0)
			_exit(126);
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(pipes[1]);
	char chunk[4096];
	for (ssize_t n; (n = read(pipes[0], chunk, sizeof(chunk))) > 0;)
		buf_add(out, chunk, (size_t)n);
	close(pipes[0]);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("%s %s: status %d: %s", argv[0], argv[1], status, buf_str(out));
}

static const char *run_list(struct world *w, va_list args)
{
	char *argv[ARGS_MAX];
	size_t n = 0;
	while ((argv[n] = va_arg(args, char *)))
		n++;
	struct buf out = { 0 };
	collect(argv, w->dir, &out);
	char *text = arena_strdup(&w->arena, buf_str(&out));
	buf_release(&out);
	size_t len = strlen(text);
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	return text;
}

void run_program(struct world *w, ...)
{
	va_list args;
	va_start(args, w);
	run_list(w, args);
	va_end(args);
}

const char *output_of(struct world *w, ...)
{
	va_list args;
	va_start(args, w);
	const char *text = run_list(w, args);
	va_end(args);
	return text;
}

void git(struct world *w, const char *words)
{
	char *argv[ARGS_MAX] = { (char *)"git" }, *save = NULL;
	size_t n = 1;
	for (char *word = strtok_r(arena_strdup(&w->arena, words), " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	struct buf out = { 0 };
	collect(argv, at(w, "w"), &out);
	buf_release(&out);
}

void write_file(struct world *w, const char *path, const char *bytes)
{
	char *full = arena_strdup(&w->arena, at(w, "%s", path));
	for (char *slash = strchr(full + strlen(w->dir) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	FILE *f = fopen(full, "we");
	assert_non_null(f);
	fputs(bytes, f);
	fclose(f);
}

void write_secret(struct world *w, const char *path, const char *bytes)
{
	write_file(w, path, bytes);
	assert_int_equal(chmod(at(w, "%s", path), 0640), 0);
}

void make_repository(struct world *w)
{
	run_program(w, "git", "init", "-q", "--bare", "-b", "main", "r.git", NULL);
	run_program(w, "git", "clone", "-q", "r.git", "w", NULL);
	git(w, "checkout -q -b main");
	w->options.url = at(w, "r.git");
}

void push(struct world *w, const char *message)
{
	git(w, "add -A");
	run_program(w, "git", "-C", "w", "commit", "-q", "--allow-empty", "-m", message, NULL);
	git(w, "push -q origin HEAD:main");
}

void commit_file(struct world *w, const char *path, const char *bytes, const char *message)
{
	write_file(w, arena_printf(&w->arena, "w/%s", path), bytes);
	push(w, message);
}

/* --- what the source says -------------------------------------------------------------------- */

static void said(struct world *w)
{
	buf_addc(&w->events, '\n');
	loop_stop(w->loop);
}

static void add_files(struct buf *out, const struct source_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_addf(out, " %s%s%s", files[i].data ? "~" : "", files[i].path,
			 !files[i].blob	      ? "-"
			 : files[i].too_large ? "!"
			 : files[i].bytes     ? "+"
					      : "");
}

static bool taken(void *arg, const struct source_snapshot *s)
{
	struct world *w = arg;
	snprintf(w->commit, sizeof(w->commit), "%s", s->commit);
	buf_adds(&w->events, "taken");
	add_files(&w->events, s->files, s->file_count);
	for (size_t i = 0; i < s->history_count; i++) {
		buf_addf(&w->events, " <- %s:", s->history[i].subject);
		add_files(&w->events, s->history[i].files, s->history[i].file_count);
	}
	buf_adds(&w->events, s->rewritten ? " rewritten" : "");
	buf_adds(&w->events, s->history_cut ? " cut" : "");
	for (size_t i = 0; i < s->allow_count; i++)
		buf_addf(&w->events, "%s %s", i ? "" : " allows", s->allows[i]);
	said(w);
	return !w->refuse;
}

static void failed(void *arg, const char *reason, const char *text)
{
	struct world *w = arg;
	buf_reset(&w->text);
	buf_adds(&w->text, text);
	buf_addf(&w->events, "failed %s", reason);
	said(w);
}

static void unchanged(void *arg, const char *commit)
{
	struct world *w = arg;
	assert_string_equal(commit, w->commit);
	buf_adds(&w->events, "unchanged");
	said(w);
}

static void guard(void *arg)
{
	loop_stop(((struct world *)arg)->loop);
}

const char *next_event(struct world *w)
{
	if (w->events.len == 0) {
		struct timer *timer = timer_new(w->loop, guard, w);
		timer_set(timer, GUARD_MS);
		loop_run(w->loop);
		timer_free(timer);
	}
	if (w->events.len == 0)
		fail_msg("the source says nothing");
	char *line = arena_strdup(&w->arena, buf_str(&w->events));
	char *rest = strchr(line, '\n');
	*rest = '\0';
	buf_reset(&w->events);
	buf_adds(&w->events, rest + 1);
	return line;
}

const char *next_change(struct world *w)
{
	const char *event = next_event(w);
	while (strcmp(event, "unchanged") == 0)
		event = next_event(w);
	return event;
}

void start(struct world *w)
{
	struct source_callbacks callbacks = {
		.taken = taken, .failed = failed, .unchanged = unchanged, .arg = w
	};
	struct err err = { 0 };
	w->source = source_new(w->loop, &w->options, &callbacks, &err);
	if (!w->source)
		fail_msg("%s", err.text);
}

void stop(struct world *w)
{
	source_free(w->source);
	w->source = NULL;
	buf_reset(&w->events);
}

/* --- life ------------------------------------------------------------------------------------ */

/* build/bin/muster-git, from build/tests/contract/source_test.t */
static void find_muster_git(struct world *w)
{
	char self[400];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(len > 0);
	self[len] = '\0';
	for (int i = 0; i < 3; i++)
		*strrchr(self, '/') = '\0';
	snprintf(w->muster_git, sizeof(w->muster_git), "%s/bin/muster-git", self);
}

int world_setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	const char *tmp = getenv("TMPDIR");
	snprintf(w->dir, sizeof(w->dir), "%.40s/muster-source-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	arena_init(&w->arena);
	w->loop = loop_new();
	find_muster_git(w);
	w->options = (struct source_options){ .git_program = w->muster_git,
					      .cache_dir = at(w, "cache") };
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_AUTHOR_NAME", "Ann", 1);
	setenv("GIT_AUTHOR_EMAIL", "ann@example.org", 1);
	setenv("GIT_COMMITTER_NAME", "Ann", 1);
	setenv("GIT_COMMITTER_EMAIL", "ann@example.org", 1);
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void end_server(struct world *w)
{
	if (w->server <= 0)
		return;
	kill(-w->server, SIGKILL);
	waitpid(w->server, NULL, 0);
	w->server = 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;
	end_server(w);
	source_free(w->source);
	loop_free(w->loop);
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	/* Nothing that a look started is left. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	buf_release(&w->events);
	buf_release(&w->text);
	arena_release(&w->arena);
	free(w);
	return 0;
}
