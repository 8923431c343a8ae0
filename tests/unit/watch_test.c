/* watch: every way in which a directory and what is in it can change, on the real inotify. */
#include "watch/watch.h"

#include "fs/fs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#define PATIENCE_MS 5000

static char dir[4096];
static struct arena arena;
static struct err err;
static struct loop *loop;
static struct watcher *watcher;
static struct timer *patience;
static struct buf
	seen; /* "NAME " of each call, "* " for a rescan, "SUB:NAME " of another directory */
static void (*on_change)(void);

static void changed(void *arg UNUSED, const char *path, const char *name)
{
	if (strcmp(path, dir) != 0)
		buf_addf(&seen, "%s:", strrchr(path, '/') + 1);
	buf_addf(&seen, "%s ", name ? name : "*");
	if (on_change)
		on_change();
}

static void out_of_patience(void *arg)
{
	*(bool *)arg = true;
}

static bool impatient;

static int setup(void **state UNUSED)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/muster-watch-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	arena_init(&arena);
	loop = loop_new();
	impatient = false;
	patience = timer_new(loop, out_of_patience, &impatient);
	watcher = watcher_new(loop, changed, NULL, &err);
	on_change = NULL;
	return watcher ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
	watcher_free(watcher);
	watcher = NULL;
	timer_free(patience);
	loop_free(loop);
	buf_release(&seen);
	arena_release(&arena);
	return fs_remove_tree(dir, NULL) ? 0 : -1;
}

static const char *in_dir(const char *name)
{
	return fs_join(&arena, dir, name);
}

static void put(const char *name)
{
	assert_true(fs_write(in_dir(name), name, strlen(name), 0600, 0, NULL, &err));
}

/* Turn the loop until `want` was told (all that is told meanwhile is forgotten then). */
static void await(const char *want)
{
	const char *spaced = arena_printf(&arena, " %s ", want);
	timer_set(patience, PATIENCE_MS);
	for (;;) {
		const char *all = arena_printf(&arena, " %s", buf_str(&seen));
		if (strstr(all, spaced))
			break;
		if (impatient)
			fail_msg("waited for '%s', saw '%s'", want, buf_str(&seen));
		uv_run(loop_uv(loop), UV_RUN_ONCE);
	}
	buf_reset(&seen);
}

/* All that is told until a file that is made now is. */
static const char *told(void)
{
	put("last");
	timer_set(patience, PATIENCE_MS);
	while (!strstr(buf_str(&seen), "last ")) {
		if (impatient)
			fail_msg("saw '%s'", buf_str(&seen));
		uv_run(loop_uv(loop), UV_RUN_ONCE);
	}
	const char *all =
		arena_strndup(&arena, seen.data, (size_t)(strstr(seen.data, "last ") - seen.data));
	buf_reset(&seen);
	return all;
}

static void watch(const char *path)
{
	if (!watcher_add(watcher, path, &err))
		fail_msg("%s", err.text);
}

static void append(const char *name)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void test_changes(void **state UNUSED)
{
	watch(dir);
	watch(dir); /* is one watch */
	put("renamed-into-place");
	assert_string_equal(told(), "renamed-into-place ");
	put("renamed-into-place");
	assert_string_equal(told(), "renamed-into-place ");
	append("written");
	assert_non_null(strstr(told(), "written ")); /* once or twice: it was made as well */
	assert_int_equal(utimensat(AT_FDCWD, in_dir("written"), NULL, 0), 0);
	assert_string_equal(told(), "written ");
	assert_int_equal(chmod(in_dir("written"), 0400), 0);
	assert_string_equal(told(), "written ");
	assert_int_equal(rename(in_dir("written"), in_dir("moved")), 0);
	assert_string_equal(told(), "written moved ");
	assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
	assert_string_equal(told(), "sub ");
	put("sub/not-watched");
	assert_string_equal(told(), "");
	put(".hidden");
	assert_string_equal(told(), "");
	assert_int_equal(link(in_dir("moved"), in_dir("hard")), 0);
	assert_non_null(strstr(told(), "hard "));
	put("sub/temporary");
	assert_int_equal(link(in_dir("sub/temporary"), in_dir("linked")), 0);
	assert_true(fs_remove(in_dir("sub/temporary"), &err));
	assert_non_null(strstr(told(), "linked "));
	assert_int_equal(symlink("moved", in_dir("soft")), 0);
	assert_string_equal(told(), "soft ");
	assert_true(fs_remove(in_dir("soft"), &err));
	assert_string_equal(told(), "soft ");
}

static void test_removed_watch(void **state UNUSED)
{
	assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
	watch(dir);
	watch(in_dir("sub"));
	put("sub/a");
	await("sub:a");
	watcher_remove(watcher, in_dir("sub"));
	watcher_remove(watcher, in_dir("never-watched"));
	put("sub/b");
	assert_string_equal(told(), "");
}

static void test_not_there_yet(void **state UNUSED)
{
	watch(in_dir("a/b/c"));
	uv_run(loop_uv(loop), UV_RUN_NOWAIT);
	assert_string_equal(buf_str(&seen), "");
	assert_int_equal(mkdir(in_dir("other"), 0700), 0);
	assert_int_equal(mkdir(in_dir("a"), 0700), 0);
	assert_int_equal(mkdir(in_dir("a/b"), 0700), 0);
	assert_int_equal(mkdir(in_dir("a/b/c"), 0700), 0);
	await("c:*");
	put("a/b/c/file");
	await("c:file");
}

/* Each level seen for itself, so that every ancestor has its turn. */
static void test_not_there_yet_step_by_step(void **state UNUSED)
{
	watch(dir);
	watch(in_dir("a/b/c"));
	assert_int_equal(mkdir(in_dir("a"), 0700), 0);
	assert_string_equal(told(), "a ");
	assert_int_equal(mkdir(in_dir("a/b"), 0700), 0);
	assert_string_equal(told(), "");
	assert_int_equal(mkdir(in_dir("elsewhere"), 0700), 0);
	put("elsewhere/file");
	assert_string_equal(told(), "elsewhere ");
	assert_int_equal(rename(in_dir("elsewhere"), in_dir("a/b/c")), 0);
	await("c:*");
	put("a/b/c/file");
	await("c:file");
}

static void test_a_file_is_in_the_way(void **state UNUSED)
{
	put("a");
	watch(in_dir("a/b"));
	assert_true(fs_remove(in_dir("a"), &err));
	assert_true(fs_mkdirs(in_dir("a/b"), 0700, &err));
	await("b:*");
	put("a/b/file");
	await("b:file");
}

static void test_deleted_and_made_again(void **state UNUSED)
{
	assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
	watch(in_dir("sub"));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rmdir(in_dir("sub")), 0);
		await("sub:*");
		assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
		await("sub:*");
		put("sub/file");
		await("sub:file");
		assert_true(fs_remove(in_dir("sub/file"), &err));
		await("sub:file");
	}
}

static void test_moved_away_and_replaced(void **state UNUSED)
{
	assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
	assert_int_equal(mkdir(in_dir("new"), 0700), 0);
	watch(in_dir("sub"));
	assert_int_equal(rename(in_dir("sub"), in_dir("old")), 0);
	await("sub:*");
	put("old/unseen");
	assert_int_equal(rename(in_dir("new"), in_dir("sub")), 0);
	await("sub:*");
	put("sub/seen");
	await("sub:seen");
}

/* One inode that is a directory to one entry and an ancestor to another. */
static void test_shared_inode(void **state UNUSED)
{
	watch(in_dir("a/b"));
	watch(dir);
	put("file");
	await("file");
	watcher_remove(watcher, dir);
	assert_true(fs_mkdirs(in_dir("a/b"), 0700, &err));
	await("b:*");
	watch(dir);
	put("file");
	await("file");
	watcher_remove(watcher, in_dir("a/b"));
	put("file");
	await("file");
	watch(in_dir("c/d")); /* the other way round: dir is watched already */
	append("file");
	await("file");
}

/* In place of libc's, so that something can happen just before `dir` is watched. */
static const char *make_before;

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	if (make_before && strcmp(path, dir) == 0) {
		assert_true(fs_mkdirs(make_before, 0700, &err));
		make_before = NULL;
	}
	return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

/* The directory is made after it was not found and before its ancestor is watched. */
static void test_made_meanwhile(void **state UNUSED)
{
	make_before = in_dir("a/b/c");
	watch(in_dir("a/b/c"));
	assert_null(make_before);
	put("a/b/c/file");
	await("c:file");
	/* And only a part of it. */
	make_before = in_dir("d/e");
	watch(in_dir("d/e/f/g"));
	assert_null(make_before);
	assert_true(fs_mkdirs(in_dir("d/e/f/g"), 0700, &err));
	await("g:*");
	put("d/e/f/g/file");
	await("g:file");
}

static void test_overflow(void **state UNUSED)
{
	char text[32] = "";
	int fd = open("/proc/sys/fs/inotify/max_queued_events", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	long limit = strtol(text, NULL, 10);
	if (limit > 100000)
		skip();
	assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
	watch(dir);
	watch(in_dir("sub"));
	append("a");
	append("b");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* In turn: an event like the one before it is not queued. */
	for (long i = 0; i < limit + 100; i++)
		utimensat(fd, i % 2 ? "a" : "b", NULL, 0);
	close(fd);
	put("sub/lost");
	timer_set(patience, PATIENCE_MS);
	while (!impatient && !(strstr(buf_str(&seen), " * ") && strstr(buf_str(&seen), "sub:* ")))
		uv_run(loop_uv(loop), UV_RUN_ONCE);
	assert_false(impatient);
	assert_null(strstr(buf_str(&seen), "lost"));
	buf_reset(&seen);
	put("sub/after");
	await("sub:after");
}

static void remove_in_callback(void)
{
	watcher_remove(watcher, dir);
	watcher_add(watcher, in_dir("sub"), &err);
}

static void free_in_callback(void)
{
	watcher_free(watcher);
	watcher = NULL;
}

static void test_callbacks_change_the_watches(void **state UNUSED)
{
	assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
	watch(dir);
	on_change = remove_in_callback;
	put("a");
	put("b");
	await("a");
	on_change = NULL;
	put("c");
	put("sub/d");
	await("sub:d");
	watch(dir);
	on_change = free_in_callback;
	put("e");
	put("f");
	await("e");
	assert_null(watcher);
	assert_string_equal(buf_str(&seen), "");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_changes),
		TEST(test_removed_watch),
		TEST(test_not_there_yet),
		TEST(test_not_there_yet_step_by_step),
		TEST(test_a_file_is_in_the_way),
		TEST(test_deleted_and_made_again),
		TEST(test_moved_away_and_replaced),
		TEST(test_shared_inode),
		TEST(test_made_meanwhile),
		TEST(test_overflow),
		TEST(test_callbacks_change_the_watches),
	};
	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
