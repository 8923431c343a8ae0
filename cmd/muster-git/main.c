#include "muster-git.h"

#include "flags/flags.h"
#include "source/reply.h"
#include "source/source.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ROW(flag_name, member, names, text)                                                        \
	{                                                                                          \
		.name = (flag_name), .kind = FLAG_STRING, .value = (names), .help = (text),        \
		.offset = offsetof(struct options, member)                                         \
	}
static const struct flag flags[] = {
	/* The environment is for URLs with a password: what is on a command line all can read. */
	{ .name = "repo",
	  .kind = FLAG_STRING,
	  .value = "URL|DIR",
	  .help = "the repository",
	  .env = SOURCE_REPO_ENV,
	  .offset = offsetof(struct options, repo) },
	ROW("branch", branch, "NAME", "the branch to follow (main)"),
	ROW("rev", rev, "REV", "a revision of a local repository, instead of the branch"),
	ROW("path", path, "PATH", "the directory in it (.)"),
	ROW("cache", cache, "DIR", "where a remote repository is cloned to"),
	ROW("ssh-key", ssh_key, "FILE", "private key for ssh"),
	ROW("known-hosts", known_hosts, "FILE", "keys of the hosts that are trusted"),
	ROW("token-file", token_file, "FILE", "holds the password for https"),
	ROW("ca-file", ca_file, "FILE", "authorities to trust for https (the system's)"),
	ROW("after", after, "COMMIT", "history and trailers after this commit"),
	ROW("have", have, "COMMIT", "leave out the bytes of files that this commit has"),
	ROW("unless", unless, "COMMIT", "only say so when the branch is still there"),
};

static const git_config_level_t config_levels[] = { GIT_CONFIG_LEVEL_PROGRAMDATA,
						    GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
						    GIT_CONFIG_LEVEL_GLOBAL };

/* From here on nothing outside the command line decides. */
static bool start_libgit2(struct look *look)
{
	look_start_quickly(look);
	if (!look_prepare_home(look))
		return false;
	int code = git_libgit2_init();
	for (size_t i = 0; code >= 0 && i < ARRAY_LEN(config_levels); i++)
		code = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, config_levels[i], "");
	if (code >= 0)
		code = git_libgit2_opts(GIT_OPT_SET_TEMPLATE_PATH, "");
	/* Whoever started us decided as whom this repository is read. */
	if (code >= 0)
		code = git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	return code >= 0 || look_fail_git(look, code, "libgit2 does not start");
}

static bool parse_commit(const char *text, git_oid *out)
{
	return text && strlen(text) == GIT_OID_HEXSZ && git_oid_fromstr(out, text) == 0;
}

static bool read_snapshot(struct look *look)
{
	CLEANUP(git_commit_clean) git_commit *tip = NULL;
	int code = git_repository_odb(&look->odb, look->repo);
	if (code == 0)
		code = git_commit_lookup(&tip, look->repo, &look->tip);
	if (code != 0)
		return look_fail_git(look, code, "commit %s of '%s' cannot be read",
				     git_oid_tostr_s(&look->tip), look->place.shown);
	struct source_snapshot *s = &look->snapshot;
	s->commit = arena_strdup(&look->arena, git_oid_tostr_s(&look->tip));
	read_commit_facts(look, tip, &s->subject, &s->author, &s->time_unix_ms);
	return read_tip(look, tip) && read_history(look, tip);
}

static void close_repository(struct look *look)
{
	git_odb_free(look->odb);
	git_repository_free(look->repo);
	map_free(look->have_blobs);
	map_free(look->sent);
	look->odb = NULL;
	look->repo = NULL;
	look->have_blobs = look->sent = NULL;
}

static bool look_once(struct look *look)
{
	look->reason = NULL;
	look->snapshot = (struct source_snapshot){ 0 };
	look->have_blobs = map_new();
	look->sent = map_new();
	bool opened = look->place.local ? look_open_local(look) : look_open_remote(look);
	if (opened && look->options->unless &&
	    strcmp(look->options->unless, git_oid_tostr_s(&look->tip)) == 0)
		look->unchanged = true;
	bool ok = opened && (look->unchanged || read_snapshot(look));
	close_repository(look);
	return ok;
}

static bool look(struct look *look)
{
	if (!start_libgit2(look))
		return false;
	look->has_after = parse_commit(look->options->after, &look->after);
	look->has_have = parse_commit(look->options->have, &look->have);
	if (look_once(look))
		return true;
	/* Our clone is not worth a repair. */
	struct err err;
	if (look->place.local || strcmp(look->reason, "Corrupt") != 0)
		return false;
	if (!clone_remove(look, &err))
		return look_fail(look, "SystemFailed", "%s", err.text);
	return look_once(look);
}

static bool print(const struct buf *out)
{
	for (size_t done = 0; done < out->len;) {
		ssize_t n = write(STDOUT_FILENO, out->data + done, out->len - done);
		if (n < 0 && errno != EINTR)
			return false;
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static int run(struct look *l)
{
	struct buf out = { 0 };
	char cwd[4096];
	struct err err = { 0 };
	bool ok = place_parse(l->options->repo, getcwd(cwd, sizeof(cwd)) ? cwd : "/", &l->arena,
			      &l->place, &err);
	ok = ok ? look(l) : look_fail(l, "RepositoryNotFound", "%s", err.text);
	if (!ok)
		source_reply_error(l->reason, l->text, &out);
	else if (l->unchanged)
		source_reply_unchanged(git_oid_tostr_s(&l->tip), &out);
	else
		source_snapshot_write(&l->snapshot, &out);
	bool printed = print(&out);
	buf_release(&out);
	return ok && printed ? EXIT_DONE : EXIT_SYSTEM;
}

int main(int argc UNUSED, char **argv)
{
	/* Nobody would read the answer. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	struct options options = { .branch = "main", .path = "." };
	struct look look = { .options = &options };
	struct flags_spec spec = {
		.program = "muster-git",
		.usage = "look --repo URL|DIR [FLAG]...",
		.about = "One look at a git repository, for musterd.",
		.tables = { FLAG_TABLE(flags, &options) },
		.table_count = 1,
		.args_min = 1,
		.args_max = 1,
	};
	struct flags_args args;
	arena_init(&look.arena);
	flags_parse_or_exit(&spec, argv + 1, &look.arena, &args);
	if (strcmp(args.items[0], "look") != 0 || !options.repo)
		return flags_usage_error(&spec, "it can only look, at a --repo");
	int status = run(&look);
	git_libgit2_shutdown();
	arena_release(&look.arena);
	return status;
}
