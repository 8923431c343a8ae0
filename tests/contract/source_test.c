/* source: local repositories, made and changed with git itself. */
#include "source_world.h"

#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static void test_push(void **state)
{
	struct world *w = *state;
	make_repository(w);
	start(w);
	assert_string_equal(next_event(w), "failed BranchNotFound");
	assert_non_null(strstr(buf_str(&w->text), "has no branch 'main'"));
	commit_file(w, "a.yaml", "one\n", "first");
	assert_string_equal(next_change(w), "taken a.yaml+");
	assert_string_equal(w->commit, output_of(w, "git", "-C", "w", "rev-parse", "HEAD", NULL));
	commit_file(w, "b.json", "{}\n", "second");
	assert_string_equal(next_change(w), "taken a.yaml b.json+");
	/* Content that is there already travels once, and not again under a new name. */
	write_file(w, "w/c.yml", "one\n");
	write_file(w, "w/d.yml", "new\n");
	write_file(w, "w/e.yml", "new\n");
	git(w, "rm -q a.yaml");
	push(w, "third");
	assert_string_equal(next_change(w), "taken b.json c.yml d.yml+ e.yml");
	source_look(w->source);
	assert_string_equal(next_event(w), "unchanged");
}

static void test_packed_refs(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	run_program(w, "git", "-C", "r.git", "pack-refs", "--all", NULL);
	run_program(w, "git", "-C", "r.git", "gc", "-q", NULL);
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	commit_file(w, "a.yaml", "2", "second");
	assert_string_equal(next_change(w), "taken a.yaml+");
	run_program(w, "git", "-C", "r.git", "pack-refs", "--all", NULL);
	assert_string_equal(next_event(w), "unchanged");
	/* A loose ref again, over the packed one. */
	commit_file(w, "a.yaml", "3", "third");
	assert_string_equal(next_change(w), "taken a.yaml+");
	/* Changed in packed-refs alone. */
	run_program(w, "git", "-C", "r.git", "pack-refs", "--all", NULL);
	assert_string_equal(next_event(w), "unchanged");
	run_program(w, "sed", "-i", "/heads.main/d", "r.git/packed-refs", NULL);
	assert_string_equal(next_change(w), "failed BranchNotFound");
}

static void test_nested_branch(void **state)
{
	struct world *w = *state;
	make_repository(w);
	w->options.branch = "team/a/prod";
	start(w);
	assert_string_equal(next_event(w), "failed BranchNotFound");
	for (int round = 0; round < 2; round++) {
		commit_file(w, "a.yaml", round ? "2" : "1", "change");
		git(w, "push -q origin HEAD:team/a/prod");
		while (strncmp(next_event(w), "taken a.yaml+", 13) != 0)
			continue;
		git(w, "push -q origin :team/a/prod");
		while (strcmp(next_event(w), "failed BranchNotFound") != 0)
			continue;
	}
}

static void test_force_push(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "base");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	commit_file(w, "a.yaml", "2", "dropped");
	assert_string_equal(next_change(w), "taken a.yaml+");
	git(w, "reset -q --hard HEAD~1");
	write_file(w, "w/a.yaml", "3");
	git(w, "commit -q -am kept");
	write_file(w, "w/b.yaml", "1");
	git(w, "add -A");
	git(w, "commit -q -m tip");
	git(w, "push -q --force origin HEAD:main");
	/* History goes on where the two have parted. "1" was in the base, not in what was dropped.
	 */
	assert_string_equal(next_change(w), "taken a.yaml+ b.yaml+ <- kept: a.yaml rewritten");
	git(w, "checkout -q --orphan fresh");
	git(w, "commit -q -m fresh");
	git(w, "push -q --force origin HEAD:main");
	assert_string_equal(next_change(w), "taken a.yaml b.yaml rewritten");
}

/* First parents in order; trailers of all parents. */
static void test_history(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first\n\nMuster-Allow: old");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+ allows old");
	stop(w);

	git(w, "checkout -q -b side");
	write_file(w, "w/side.yaml", "s1");
	git(w, "add -A");
	run_program(w, "git", "-C", "w", "commit", "-q", "-m",
		    "on the side\n\nMuster-Allow: from-side", NULL);
	git(w, "checkout -q main");
	write_file(w, "w/a.yaml", "2");
	git(w, "commit -q -am second");
	run_program(w, "git", "-C", "w", "commit", "-q", "--allow-empty", "-m",
		    "empty\n\nText.\n\nReviewed-by: X\nmuster-allow:  web \nMuster-Allow: all",
		    NULL);
	git(w, "merge -q --no-ff -m merged side");
	write_file(w, "w/a.yaml", "1");
	git(w, "commit -q -am back");
	write_file(w, "w/z.yaml", "z");
	push(w, "tip");

	const char *first = arena_strdup(&w->arena, w->commit);
	start(w);
	source_have(w->source, first);
	assert_string_equal(next_event(w), "taken a.yaml side.yaml+ z.yaml+ <- second: a.yaml+ <- "
					   "empty: <- merged: side.yaml <- back: a.yaml "
					   "allows web all from-side");
	stop(w);
	/* All of it, for those who know nothing; only the tip's trailers are meant for them. */
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+ side.yaml+ z.yaml+ <- first: a.yaml <- "
					   "second: a.yaml+ <- empty: <- merged: side.yaml <- "
					   "back: a.yaml");
	stop(w);
	/* A base that is not there (any more). */
	start(w);
	source_have(w->source, "0123456789012345678901234567890123456789");
	assert_non_null(strstr(next_event(w), "back: a.yaml rewritten"));
}

/* Of what is gone, history tells the path: a folder, a renamed file, and what is ignored now. */
static void test_history_of_removals(void **state)
{
	struct world *w = *state;
	make_repository(w);
	write_file(w, "w/dir/b.yaml", "1");
	write_file(w, "w/ignored.yaml", "1");
	commit_file(w, "a.yaml", "1", "first");
	git(w, "rm -q -r dir");
	write_file(w, "w/c.yaml", "1");
	push(w, "second");
	write_file(w, "w/.musterignore", "ignored.yaml\n");
	git(w, "mv c.yaml moved.yaml");
	push(w, "third");
	commit_file(w, "a.yaml", "2", "tip");
	start(w);
	assert_string_equal(
		next_event(w),
		"taken a.yaml+ ~ignored.yaml+ moved.yaml <- first: a.yaml dir/b.yaml ignored.yaml "
		"<- second: c.yaml dir/b.yaml- <- third: a.yaml c.yaml- ~ignored.yaml "
		"moved.yaml");
}

/* The branch came here by a merge in which it was not the first parent. */
static void test_merged_the_other_way_round(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	git(w, "checkout -q -b side");
	write_file(w, "w/b.yaml", "b");
	git(w, "add -A");
	git(w, "commit -q -m side");
	git(w, "checkout -q main");
	commit_file(w, "a.yaml", "2", "second");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+ <- first: a.yaml+");
	git(w, "checkout -q side");
	git(w, "merge -q -m other main");
	git(w, "push -q origin HEAD:main");
	assert_string_equal(next_change(w), "taken a.yaml b.yaml+ <- side: b.yaml");
}

static void test_refused_is_given_whole_again(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	w->refuse = true;
	commit_file(w, "b.yaml", "1b", "second\n\nMuster-Allow: x");
	assert_string_equal(next_change(w), "taken a.yaml b.yaml+ allows x");
	w->refuse = false;
	source_look(w->source);
	/* What was said since the last one that was taken counts still. */
	assert_string_equal(next_event(w), "taken a.yaml+ b.yaml+ allows x");
	source_look(w->source);
	assert_string_equal(next_event(w), "unchanged");
}

/* After a restart, at the same commit: what is read of it may be another path. */
static void test_restart(void **state)
{
	struct world *w = *state;
	make_repository(w);
	write_file(w, "w/a.yaml", "1");
	commit_file(w, "sub/b.yaml", "2", "first");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+ sub/b.yaml+");
	stop(w);
	w->options.path = "./sub/";
	start(w);
	source_have(w->source, w->commit);
	assert_string_equal(next_event(w), "taken b.yaml");
	source_look(w->source);
	assert_string_equal(next_event(w), "unchanged");
}

static void test_path(void **state)
{
	struct world *w = *state;
	make_repository(w);
	write_file(w, "w/x.yaml", "1");
	write_file(w, "w/one/two.yaml", "1");
	commit_file(w, "one/two/a.yaml", "1", "first");
	w->options.path = "one/two";
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	git(w, "rm -q one/two/a.yaml");
	push(w, "gone");
	assert_string_equal(next_change(w), "failed PathNotFound");
	assert_non_null(strstr(buf_str(&w->text), "has no directory 'one/two'"));
	/* History passes over the commit that had none. */
	commit_file(w, "one/two/a.yaml", "2", "back");
	assert_string_equal(next_change(w), "taken a.yaml+ <- gone: a.yaml-");
	stop(w);
	w->options.path = "one/two.yaml";
	start(w);
	assert_string_equal(next_event(w), "failed PathNotFound");
	stop(w);
	/* A tree without manifests is a snapshot: what it means is not decided here. */
	git(w, "rm -q -r one x.yaml");
	commit_file(w, "README", "x", "empty");
	w->options.path = ".";
	start(w);
	assert_non_null(strstr(next_event(w),
			       "taken ~README+ <- first: one/two.yaml+ one/two/a.yaml x.yaml"));
}

static void test_what_is_read(void **state)
{
	struct world *w = *state;
	make_repository(w);
	char *big = xcalloc(1, (1 << 20) + 2);
	memset(big, 'x', (1 << 20) + 1);
	write_file(w, "w/big.yaml", big);
	big[1 << 20] = '\0';
	write_file(w, "w/limit.yaml", big);
	free(big);
	write_file(w, "w/a.yaml", "1");
	write_file(w, "w/run.yml", "2");
	write_file(w, "w/empty.json", "");
	write_file(w, "w/.hidden.yaml", "3");
	write_file(w, "w/.dir/a.yaml", "3");
	write_file(w, "w/text.txt", "3");
	char *data = xcalloc(1, LIMIT_TASK_FILES_BYTES + 2);
	memset(data, 'x', LIMIT_TASK_FILES_BYTES + 1);
	write_file(w, "w/text.big", data);
	data[LIMIT_TASK_FILES_BYTES] = '\0';
	write_file(w, "w/text.limit", data);
	free(data);
	write_file(w, "w/old/a.yaml", "4");
	write_file(w, "w/a/b.yaml", "5");
	write_file(w, "w/.musterignore", "# comment\nold/\n");
	assert_int_equal(symlink("a.yaml", at(w, "w/link.yaml")), 0);
	assert_int_equal(symlink("a", at(w, "w/linked")), 0);
	assert_int_equal(chmod(at(w, "w/run.yml"), 0755), 0);
	push(w, "first");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+ a/b.yaml+ big.yaml! empty.json+ "
					   "limit.yaml+ ~old/a.yaml+ run.yml+ ~text.big! "
					   "~text.limit+ ~text.txt+");
	commit_file(w, ".musterignore", "*.yml\nbig.yaml\nlimit.yaml\n", "other rules");
	assert_string_equal(next_change(w),
			    "taken a.yaml a/b.yaml ~big.yaml! empty.json ~limit.yaml! "
			    "old/a.yaml ~run.yml ~text.big! ~text.limit ~text.txt");
}

static void test_not_bare(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	w->options.url = at(w, "w");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	/* The commit counts, not the files that lie there. */
	write_file(w, "w/a.yaml", "2");
	git(w, "commit -q -am second");
	assert_string_equal(next_change(w), "taken a.yaml+");
	stop(w);
	git(w, "worktree add -q ../tree -b elsewhere");
	w->options.url = at(w, "tree");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+ <- first: a.yaml+");
	git(w, "commit -q --allow-empty -m third");
	assert_string_equal(next_change(w), "taken a.yaml");
}

static void test_revision(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	commit_file(w, "b.yaml", "2", "second");
	w->options.rev = "main~1";
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	stop(w);
	w->options.rev = "nothing";
	start(w);
	assert_string_equal(next_event(w), "failed RevisionNotFound");
}

static void test_wrong_repositories(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	w->options.url = at(w, "absent");
	start(w);
	assert_string_equal(next_event(w), "failed DirectoryNotFound");
	run_program(w, "mv", "r.git", "absent", NULL);
	assert_string_equal(next_change(w), "taken a.yaml+");
	/* Not mounted any more: an empty directory is no instruction. */
	run_program(w, "mv", "absent", "r.git", NULL);
	assert_int_equal(mkdir(at(w, "absent"), 0755), 0);
	source_look(w->source);
	const char *event = next_change(w);
	while (strcmp(event, "failed DirectoryNotFound") == 0)
		event = next_change(w);
	assert_string_equal(event, "failed RepositoryNotFound");
	stop(w);
	w->options.url = arena_printf(&w->arena, "file://%s", at(w, "absent"));
	start(w);
	assert_string_equal(next_event(w), "failed RepositoryNotFound");
	stop(w);
	w->options.url = arena_printf(&w->arena, "file://%s", at(w, "r.git"));
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	stop(w);
	run_program(w, "git", "-C", "r.git", "config", "extensions.unheardof", "true", NULL);
	run_program(w, "git", "-C", "r.git", "config", "core.repositoryformatversion", "1", NULL);
	start(w);
	assert_string_equal(next_event(w), "failed Unsupported");
	assert_non_null(strstr(buf_str(&w->text), "unheardof"));
}

static void test_corrupt_object(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	const char *blob = output_of(w, "git", "-C", "w", "rev-parse", "HEAD:a.yaml", NULL);
	const char *file = arena_printf(&w->arena, "r.git/objects/%.2s/%s", blob, blob + 2);
	run_program(w, "chmod", "u+w", file, NULL);
	write_file(w, file, "garbage");
	start(w);
	assert_string_equal(next_event(w), "failed Corrupt");
	assert_non_null(strstr(buf_str(&w->text), "'a.yaml' cannot be read"));
}

/* One blob at so many paths of a tree made by hand. */
static void import_copies(struct world *w, int copies)
{
	struct buf script = { 0 };
	char *mib = xmalloc(1 << 20);
	memset(mib, 'x', 1 << 20);
	buf_addf(&script, "blob\nmark :1\ndata %d\n", 1 << 20);
	buf_add(&script, mib, 1 << 20);
	buf_addf(&script, "\ncommit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\n"
			  "deleteall\n");
	for (int i = 0; i < copies; i++)
		buf_addf(&script, "M 100644 :1 f%d.yaml\n", i);
	write_file(w, "script", buf_str(&script));
	buf_release(&script);
	free(mib);
	run_program(w, "sh", "-c", "git -C r.git fast-import --quiet --force < script", NULL);
}

static void test_tree_limit(void **state)
{
	struct world *w = *state;
	make_repository(w);
	import_copies(w, 63);
	start(w);
	assert_memory_equal(next_event(w), "taken f0.yaml+ f1.yaml f10.yaml", 31);
	import_copies(w, 64); /* and their names: over 64 MiB */
	assert_string_equal(next_change(w), "failed TooLarge");
	assert_non_null(strstr(buf_str(&w->text), "64 MiB"));
}

static void import_history(struct world *w, int commits)
{
	struct buf script = { 0 };
	for (int i = 0; i < commits; i++) {
		buf_addf(&script,
			 "commit refs/heads/main\nmark :%d\ncommitter A <a@b> %d +0000\ndata 5\n"
			 "n%04d\n",
			 i + 1, i + 1, i);
		if (i > 0)
			buf_addf(&script, "from :%d\n", i);
		buf_addf(&script, "M 644 inline a.yaml\ndata 4\n%04d\n", i);
	}
	write_file(w, "script", buf_str(&script));
	buf_release(&script);
	run_program(w, "sh", "-c", "git -C r.git fast-import --quiet --force < script", NULL);
}

static void test_history_limit(void **state)
{
	struct world *w = *state;
	make_repository(w);
	import_history(w, SOURCE_HISTORY_MAX + 1);
	start(w);
	const char *event = next_event(w);
	assert_memory_equal(event, "taken a.yaml+ <- n0000: a.yaml+ <- n0001: a.yaml+", 48);
	assert_null(strstr(event, " cut"));
	stop(w);
	import_history(w, SOURCE_HISTORY_MAX + 2);
	start(w);
	event = next_event(w);
	assert_memory_equal(event, "taken a.yaml+ <- n0001: a.yaml+ <- n0002: a.yaml+", 48);
	assert_non_null(strstr(event, " cut"));
}

/* Commits of 1 MiB each: the oldest, for which there is no room, are left out. */
static void test_history_bytes(void **state)
{
	struct world *w = *state;
	make_repository(w);
	char *mib = xcalloc(1, (1 << 20) + 1);
	memset(mib, 'x', 1 << 20);
	FILE *script = fopen(at(w, "script"), "we");
	for (int i = 0; i < 66; i++) {
		memcpy(mib, arena_printf(&w->arena, "%03d", i), 3);
		fprintf(script,
			"commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 5\nn%04d\n"
			"M 644 inline a.yaml\ndata %d\n%s\n",
			i, i, 1 << 20, mib);
	}
	fclose(script);
	free(mib);
	run_program(w, "sh", "-c", "git -C r.git fast-import --quiet < script", NULL);
	start(w);
	const char *event = next_event(w);
	assert_memory_equal(event, "taken a.yaml+ <- n0002: a.yaml+ <- n0003:", 41);
	assert_non_null(strstr(event, "<- n0064: a.yaml+ cut"));
}

/* As root: read as its owner, whoever else may not. */
static void test_other_owner(void **state)
{
	struct world *w = *state;
	if (geteuid() != 0) {
		print_message("# skip: other owner: not root\n");
		return;
	}
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	run_program(w, "chown", "-R", "65534:65534", "r.git", NULL);
	run_program(w, "chmod", "-R", "go-rwx", "r.git", NULL);
	run_program(w, "chmod", "755", ".", NULL);
	/* The program must be there for that user, as an installed one is. */
	run_program(w, "install", "-m", "755", w->muster_git, "program", NULL);
	w->options.git_program = at(w, "program");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	stop(w);
	/* And not as root, whom nothing is closed to. */
	run_program(w, "chown", "-R", "0:0", "r.git/objects", NULL);
	start(w);
	assert_memory_equal(next_event(w), "failed ", 7);
}

static void test_program_that_says_nothing(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	w->options.git_program = "/bin/true";
	start(w);
	assert_string_equal(next_event(w), "failed ProgramFailed");
	stop(w);
	w->options.git_program = "/nonexistent/muster-git";
	start(w);
	assert_string_equal(next_event(w), "failed ProgramFailed");
	assert_non_null(strstr(buf_str(&w->text), "/nonexistent/muster-git"));
}

static void test_options_that_cannot_be_meant(void **state)
{
	struct world *w = *state;
	static const struct source_options rows[] = {
		{ .url = "" },
		{ .url = "/x", .path = "../y" },
		{ .url = "/x", .path = "/y" },
		{ .url = "/x", .path = "a//b" },
		{ .url = "/x", .branch = "../../etc" },
		{ .url = "/x", .branch = "" },
		{ .url = "https://h/x" },
		{ .url = "https://h/x", .cache_dir = "/c", .rev = "HEAD" },
	};
	struct source_callbacks none = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = { 0 };
		assert_null(source_new(w->loop, &rows[i], &none, &err));
		assert_true(err.text[0]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_push),
		TEST(test_packed_refs),
		TEST(test_nested_branch),
		TEST(test_force_push),
		TEST(test_history),
		TEST(test_history_of_removals),
		TEST(test_merged_the_other_way_round),
		TEST(test_refused_is_given_whole_again),
		TEST(test_restart),
		TEST(test_path),
		TEST(test_what_is_read),
		TEST(test_not_bare),
		TEST(test_revision),
		TEST(test_wrong_repositories),
		TEST(test_corrupt_object),
		TEST(test_tree_limit),
		TEST(test_history_limit),
		TEST(test_history_bytes),
		TEST(test_other_owner),
		TEST(test_program_that_says_nothing),
		TEST(test_options_that_cannot_be_meant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
