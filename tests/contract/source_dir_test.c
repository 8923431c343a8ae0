/* source: plain directories. */
#include "source_world.h"

#include "source/internal.h"

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void make_directory(struct world *w)
{
	assert_int_equal(mkdir(at(w, "d"), 0755), 0);
	w->options.url = at(w, "d");
}

static void test_changes(void **state)
{
	struct world *w = *state;
	make_directory(w);
	write_file(w, "d/b.yaml", "1");
	write_file(w, "d/a/x.json", "2");
	write_file(w, "d/a/.x.yaml", "3");
	write_file(w, "d/.git/a.yaml", "3");
	write_file(w, "d/text.md", "3");
	write_file(w, "d/old/a.yaml", "4");
	write_file(w, "d/.musterignore", "old/\n");
	assert_int_equal(symlink("b.yaml", at(w, "d/link.yaml")), 0);
	assert_int_equal(symlink("a", at(w, "d/linked")), 0);
	assert_int_equal(mkfifo(at(w, "d/fifo.yaml"), 0600), 0);
	start(w);
	assert_string_equal(next_event(w), "taken a/x.json+ b.yaml+ ~old/a.yaml+ ~text.md+");
	assert_memory_equal(w->commit, "dir-", 4);
	assert_int_equal(strlen(w->commit), 4 + 64);
	const char *first = arena_strdup(&w->arena, w->commit);

	write_file(w, "d/b.yaml", "5");
	assert_string_equal(next_change(w), "taken a/x.json b.yaml+ ~old/a.yaml ~text.md");
	assert_string_not_equal(w->commit, first);
	write_file(w, "d/new/deep/c.yml", "6");
	assert_string_equal(next_change(w),
			    "taken a/x.json b.yaml new/deep/c.yml+ ~old/a.yaml ~text.md");
	/* A directory that came later is watched as well. */
	write_file(w, "d/new/deep/c.yml", "7");
	assert_string_equal(next_change(w),
			    "taken a/x.json b.yaml new/deep/c.yml+ ~old/a.yaml ~text.md");
	run_program(w, "rm", "-r", "d/new", NULL);
	assert_string_equal(next_change(w), "taken a/x.json b.yaml ~old/a.yaml ~text.md");
	write_file(w, "d/b.yaml", "1");
	assert_string_equal(next_change(w), "taken a/x.json b.yaml+ ~old/a.yaml ~text.md");
	assert_string_equal(w->commit, first);
	source_look(w->source);
	assert_string_equal(next_event(w), "unchanged");
}

static void test_empty_and_missing(void **state)
{
	struct world *w = *state;
	make_directory(w);
	w->options.path = "sub";
	start(w);
	assert_string_equal(next_event(w), "failed PathNotFound");
	assert_int_equal(mkdir(at(w, "d/sub"), 0755), 0);
	source_look(w->source);
	const char *event = next_change(w);
	while (strcmp(event, "failed PathNotFound") == 0)
		event = next_change(w);
	/* What an empty tree means is not decided here. */
	assert_string_equal(event, "taken");
	run_program(w, "rm", "-r", "d", NULL);
	while (strcmp(next_event(w), "failed DirectoryNotFound") != 0)
		continue;
}

static void test_refused_is_given_whole_again(void **state)
{
	struct world *w = *state;
	make_directory(w);
	write_file(w, "d/a.yaml", "1");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	w->refuse = true;
	write_file(w, "d/b.yaml", "2");
	assert_string_equal(next_change(w), "taken a.yaml b.yaml+");
	w->refuse = false;
	source_look(w->source);
	assert_string_equal(next_event(w), "taken a.yaml+ b.yaml+");
}

/* The same content at two paths travels once; too large a file not at all. */
static void test_bytes(void **state)
{
	struct world *w = *state;
	make_directory(w);
	char *big = xcalloc(1, (1 << 20) + 2);
	memset(big, 'x', (1 << 20) + 1);
	write_file(w, "d/big.yaml", big);
	big[1 << 20] = '\0';
	write_file(w, "d/limit.yaml", big);
	free(big);
	write_file(w, "d/a.yaml", "same");
	write_file(w, "d/b.yaml", "same");
	write_file(w, "d/empty.yaml", "");
	start(w);
	assert_string_equal(next_event(w),
			    "taken a.yaml+ b.yaml big.yaml! empty.yaml+ limit.yaml+");
}

/* Writes with gaps that are well below SOURCE_SETTLE_MS, unless the machine is too busy. */
struct writer {
	struct world *w;
	struct timer *timer;
	int files;
	int64_t last_ms, longest_gap_ms;
};

static void note_gap(struct writer *writer)
{
	int64_t now = clock_monotonic_ms(), gap = now - writer->last_ms;
	if (writer->last_ms && gap > writer->longest_gap_ms)
		writer->longest_gap_ms = gap;
	writer->last_ms = now;
}

/* Did the directory rest for long enough to be taken, against the test's intent? */
static bool rested(struct writer *writer)
{
	note_gap(writer);
	timer_free(writer->timer);
	if (writer->longest_gap_ms < SOURCE_SETTLE_MS)
		return false;
	print_message("# a gap of %lld ms: the machine is too busy\n",
		      (long long)writer->longest_gap_ms);
	return true;
}

#define BATCH_FILES  12
#define BATCH_GAP_MS 15 /* well below SOURCE_SETTLE_MS */

static void write_next(void *arg)
{
	struct writer *writer = arg;
	note_gap(writer);
	write_file(writer->w, arena_printf(&writer->w->arena, "d/f%02d.yaml", writer->files), "x");
	if (++writer->files < BATCH_FILES)
		timer_set(writer->timer, BATCH_GAP_MS);
}

/* Files written one after the other are seen together. */
static void test_batch(void **state)
{
	struct world *w = *state;
	make_directory(w);
	write_file(w, "d/a.yaml", "1");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	struct writer writer = { .w = w };
	writer.timer = timer_new(w->loop, write_next, &writer);
	timer_set(writer.timer, 0);
	const char *event = next_change(w);
	if (rested(&writer))
		skip();
	assert_int_equal(writer.files, BATCH_FILES);
	assert_string_equal(event,
			    "taken a.yaml f00.yaml+ f01.yaml f02.yaml f03.yaml f04.yaml "
			    "f05.yaml f06.yaml f07.yaml f08.yaml f09.yaml f10.yaml f11.yaml");
}

static void write_for_ever(void *arg)
{
	struct writer *writer = arg;
	note_gap(writer);
	write_file(writer->w, "d/never.yaml",
		   arena_printf(&writer->w->arena, "%d", writer->files++));
	timer_set(writer->timer, BATCH_GAP_MS);
}

/* A directory that never rests is read all the same, a little later. */
static void test_never_settled(void **state)
{
	struct world *w = *state;
	make_directory(w);
	write_file(w, "d/a.yaml", "1");
	struct writer writer = { .w = w };
	writer.timer = timer_new(w->loop, write_for_ever, &writer);
	write_for_ever(&writer);
	int64_t before = clock_monotonic_ms();
	start(w);
	const char *event = next_event(w);
	int64_t took_ms = clock_monotonic_ms() - before;
	bool early = rested(&writer);
	assert_string_equal(event, "taken a.yaml+ never.yaml+");
	assert_true(early || took_ms >= SOURCE_SETTLE_MAX_MS);
}

static void test_becomes_a_repository(void **state)
{
	struct world *w = *state;
	make_directory(w);
	write_file(w, "d/a.yaml", "1");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	run_program(w, "git", "init", "-q", "-b", "main", "d", NULL);
	run_program(w, "git", "-C", "d", "add", "-A", NULL);
	run_program(w, "git", "-C", "d", "commit", "-q", "-m", "first", NULL);
	source_look(w->source);
	assert_string_equal(next_change(w), "taken a.yaml+ rewritten");
}

/* Runs as a user from whom something can be closed: 0 when the failure is as it must be. */
static int scan_closed(const char *dir, const char *reason, const char *names)
{
	struct arena arena;
	arena_init(&arena);
	struct dir_scan scan = { .arena = &arena };
	struct err err = { 0 };
	bool ok = dir_scan(&scan, dir, &err);
	int status = ok					? 1
		     : strcmp(scan.reason, reason) != 0 ? 2
		     : !strstr(err.text, names)		? 3
							: 0;
	dir_scan_release(&scan);
	arena_release(&arena);
	return status;
}

static void assert_scan_fails(struct world *w, const char *reason, const char *names)
{
	pid_t pid = fork();
	if (pid == 0) {
		bool mortal = geteuid() != 0 ||
			      (setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
		_exit(mortal ? scan_closed(at(w, "d"), reason, names) : 9);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_unreadable(void **state)
{
	struct world *w = *state;
	make_directory(w);
	assert_int_equal(chmod(w->dir, 0755), 0);
	write_file(w, "d/a.yaml", "1");
	write_file(w, "d/sub/b.yaml", "1");
	assert_int_equal(chmod(at(w, "d/sub/b.yaml"), 0), 0);
	assert_scan_fails(w, "Unreadable", "'sub/b.yaml' cannot be read");
	assert_int_equal(chmod(at(w, "d/sub/b.yaml"), 0644), 0);
	assert_int_equal(chmod(at(w, "d/sub"), 0), 0);
	assert_scan_fails(w, "Unreadable", "/d/sub' cannot be read");
	assert_int_equal(chmod(at(w, "d/sub"), 0755), 0);
	write_file(w, "d/.musterignore", "x");
	assert_int_equal(chmod(at(w, "d/.musterignore"), 0), 0);
	assert_scan_fails(w, "Unreadable", "'.musterignore' cannot be read");
	assert_int_equal(unlink(at(w, "d/.musterignore")), 0);
	write_file(w, "d/\xff.yaml", "x");
	assert_scan_fails(w, "InvalidPath", "not UTF-8");
}

static void test_depth_limit(void **state)
{
	struct world *w = *state;
	make_directory(w);
	struct buf path = { 0 };
	buf_adds(&path, "d");
	for (int depth = 2; depth <= 64; depth++)
		buf_adds(&path, "/x");
	write_file(w, arena_printf(&w->arena, "%s/a.yaml", buf_str(&path)), "1");
	start(w);
	assert_memory_equal(next_event(w), "taken x/x/", 10);
	write_file(w, arena_printf(&w->arena, "%s/x/a.yaml", buf_str(&path)), "1");
	assert_string_equal(next_change(w), "failed TooLarge");
	buf_release(&path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_changes),
		TEST(test_empty_and_missing),
		TEST(test_refused_is_given_whole_again),
		TEST(test_bytes),
		TEST(test_batch),
		TEST(test_never_settled),
		TEST(test_becomes_a_repository),
		TEST(test_unreadable),
		TEST(test_depth_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
