/* fs: whole or not at all, exact modes, links not followed, trees removed to the last leaf. */
#include "fs/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[4096];
static struct arena arena;
static struct err err;

static int setup(void **state UNUSED)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/muster-fs-XXXXXX", tmp ? tmp : "/tmp");
	arena_init(&arena);
	err = (struct err){ 0 };
	umask(027);
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
	arena_release(&arena);
	return fs_remove_tree(dir, NULL) ? 0 : -1;
}

static const char *in_dir(const char *name)
{
	return fs_join(&arena, dir, name);
}

static void put(const char *name, const char *text)
{
	assert_true(fs_write(in_dir(name), text, strlen(text), 0600, 0, NULL, &err));
}

static void assert_content(const char *name, const char *want)
{
	struct buf got = { 0 };
	if (!fs_read(in_dir(name), 1 << 20, &got, &err))
		fail_msg("%s", err.text);
	assert_string_equal(buf_str(&got), want);
	buf_release(&got);
}

static mode_t mode_of(const char *name)
{
	struct stat st;
	assert_int_equal(lstat(in_dir(name), &st), 0);
	return st.st_mode & 07777;
}

static size_t count_all(void)
{
	size_t n = 0;
	FILE *ls = popen(arena_printf(&arena, "ls -A '%s'", dir), "r");
	for (int c; (c = fgetc(ls)) != EOF;)
		n += c == '\n';
	pclose(ls);
	return n;
}

static void test_read_refuses(void **state UNUSED)
{
	put("file", "12345");
	put("empty", "");
	assert_int_equal(mkdir(in_dir("directory"), 0700), 0);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(symlink("file", in_dir("link")), 0);
	static const struct {
		const char *name;
		size_t max;
		int code; /* 0: reads */
	} rows[] = {
		{ "file", 5, 0 },	 { "file", 4, EFBIG },	       { "empty", 0, 0 },
		{ "absent", 9, ENOENT }, { "directory", 9, EINVAL },   { "fifo", 9, EINVAL },
		{ "link", 9, ELOOP },	 { "file/below", 9, ENOTDIR },
	};
	struct buf got = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		err.code = 0;
		bool ok = fs_read(in_dir(rows[i].name), rows[i].max, &got, &err);
		if (ok != (rows[i].code == 0) || (!ok && err.code != rows[i].code))
			fail_msg("%s: %d, code %d", rows[i].name, ok, err.code);
	}
	/* Files of /proc have no size. */
	assert_true(fs_read("/proc/self/stat", 4096, &got, &err));
	assert_true(got.len > 10);
	buf_release(&got);
}

static void test_write(void **state UNUSED)
{
	put("a", "first");
	assert_content("a", "first");
	assert_true(fs_write(in_dir("a"), "second", 6, 0666, FS_SYNC, NULL, &err));
	assert_content("a", "second");
	assert_int_equal(mode_of("a"), 0666);
	assert_int_equal(mkdir(in_dir("tmp"), 0700), 0);
	assert_true(fs_write(in_dir("b"), "", 0, 0400, 0, in_dir("tmp"), &err));
	assert_int_equal(mode_of("b"), 0400);
	/* A link is replaced, not written through. */
	assert_int_equal(symlink("a", in_dir("link")), 0);
	put("link", "third");
	assert_content("link", "third");
	assert_content("a", "second");
	assert_int_equal(count_all(), 4);
}

static void test_write_failing_keeps_the_old(void **state UNUSED)
{
	assert_int_equal(mkdir(in_dir("d"), 0700), 0);
	put("d/inside", "x");
	assert_false(fs_write(in_dir("d"), "x", 1, 0600, 0, NULL, &err));
	assert_int_equal(err.code, EISDIR);
	assert_false(fs_write(in_dir("no/file"), "x", 1, 0600, 0, NULL, &err));
	assert_int_equal(err.code, ENOENT);
	put("a", "old");
	assert_false(fs_write(in_dir("a"), "new", 3, 0600, 0, in_dir("no"), &err));
	assert_content("a", "old");
	assert_content("d/inside", "x");
	assert_int_equal(count_all(), 2); /* no temporary file is left */
}

static ino_t inode_of(const char *name)
{
	struct stat st;
	assert_int_equal(lstat(in_dir(name), &st), 0);
	return st.st_ino;
}

static void test_write_if_changed(void **state UNUSED)
{
	static const struct {
		const char *name, *text;
		mode_t mode;
		bool is_new;
	} rows[] = {
		{ "same", "hello", 0644, false },   { "another mode", "hello", 0600, true },
		{ "as long", "jello", 0644, true }, { "shorter", "hell", 0644, true },
		{ "longer", "hello!", 0644, true }, { "empty", "", 0644, true },
	};
	const unsigned flags[] = { FS_IF_CHANGED, FS_IF_CHANGED | FS_SYNC };
	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		size_t row = i / 2;
		assert_true(fs_write(in_dir("f"), "hello", 5, 0644, 0, NULL, &err));
		ino_t before = inode_of("f");
		/* A second name keeps the inode's number from being used again. */
		assert_int_equal(link(in_dir("f"), in_dir("keep")), 0);
		assert_true(fs_write(in_dir("f"), rows[row].text, strlen(rows[row].text),
				     rows[row].mode, flags[i % 2], NULL, &err));
		if ((inode_of("f") != before) != rows[row].is_new)
			fail_msg("%s", rows[row].name);
		assert_content("f", rows[row].text);
		assert_int_equal(mode_of("f"), rows[row].mode);
		assert_true(fs_remove(in_dir("keep"), &err));
	}
}

/* A reader sees one of the texts, whole, however fast they are replaced. */
static void test_readers_see_it_whole(void **state UNUSED)
{
	enum { SIZE = 20000, TIMES = 300 };
	static char text[SIZE];
	memset(text, 'a', SIZE);
	assert_true(fs_write(in_dir("f"), text, SIZE, 0600, 0, NULL, &err));
	pid_t writer = fork();
	if (writer == 0) {
		for (int i = 0; i < TIMES; i++) {
			memset(text, 'a' + i % 26, SIZE);
			if (!fs_write(in_dir("f"), text, SIZE, 0600, 0, NULL, NULL))
				_exit(1);
		}
		_exit(0);
	}
	struct buf got = { 0 };
	int status;
	do {
		if (!fs_read(in_dir("f"), SIZE, &got, &err))
			fail_msg("%s", err.text);
		assert_int_equal(got.len, SIZE);
		for (size_t i = 1; i < got.len; i += 997)
			assert_int_equal(got.data[i], got.data[0]);
	} while (waitpid(writer, &status, WNOHANG) == 0);
	assert_int_equal(status, 0);
	buf_release(&got);
}

static void test_clean_tmp(void **state UNUSED)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char old[FS_TMP_NAME_SIZE], fresh[FS_TMP_NAME_SIZE];
	assert_true(fs_write_tmp(fd, "x", 1, 0600, 0, old, &err));
	assert_true(fs_write_tmp(fd, "x", 1, 0600, 0, fresh, &err));
	put("kept", "x");
	put(".kept", "x");
	const struct timespec times[2] = { 0 };
	assert_int_equal(utimensat(fd, old, times, 0), 0);
	assert_int_equal(utimensat(fd, "kept", times, 0), 0);
	assert_int_equal(utimensat(fd, ".kept", times, 0), 0);
	fs_clean_tmp(fd, 3600);
	assert_int_equal(faccessat(fd, old, F_OK, 0), -1);
	assert_int_equal(faccessat(fd, fresh, F_OK, 0), 0);
	assert_int_equal(count_all(), 3);
	fs_clean_tmp(fd, 0);
	assert_int_equal(count_all(), 2);
	close(fd);
}

static void test_mkdirs(void **state UNUSED)
{
	assert_int_equal(mkdir(in_dir("old"), 0710), 0);
	assert_true(fs_mkdirs(in_dir("old/a/b/"), 0777, &err));
	assert_int_equal(mode_of("old"), 0710);
	assert_int_equal(mode_of("old/a"), 0777);
	assert_int_equal(mode_of("old/a/b"), 0777);
	assert_true(fs_mkdirs(in_dir("old/a/b"), 0700, &err));
	assert_int_equal(mode_of("old/a/b"), 0777);
	assert_int_equal(symlink("old", in_dir("link")), 0);
	assert_true(fs_mkdirs(in_dir("link/c"), 0700, &err));
	assert_int_equal(mode_of("old/c"), 0700);
	put("file", "");
	assert_false(fs_mkdirs(in_dir("file"), 0700, &err));
	assert_int_equal(err.code, ENOTDIR);
	assert_false(fs_mkdirs(in_dir("file/x"), 0700, &err));
	assert_int_equal(err.code, ENOTDIR);
}

static void test_list(void **state UNUSED)
{
	static const char *const names[] = { "b", "a", ".hidden", "c" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		put(names[i], "");
	const char **got;
	size_t count;
	assert_true(fs_list(dir, &arena, &got, &count, &err));
	assert_int_equal(count, 3);
	assert_string_equal(got[0], "a");
	assert_string_equal(got[1], "b");
	assert_string_equal(got[2], "c");
	assert_false(fs_list(in_dir("absent"), &arena, &got, &count, &err));
	assert_int_equal(err.code, ENOENT);
	assert_false(fs_list(in_dir("a"), &arena, &got, &count, &err));
	assert_int_equal(err.code, ENOTDIR);
}

static void test_remove(void **state UNUSED)
{
	put("a", "x");
	assert_true(fs_remove(in_dir("a"), &err));
	assert_true(fs_remove(in_dir("a"), &err));
	assert_false(fs_remove(dir, &err));
	assert_true(fs_remove_tree(in_dir("a"), &err));
}

static void test_remove_tree_follows_no_link(void **state UNUSED)
{
	assert_true(fs_mkdirs(in_dir("outside"), 0700, &err));
	assert_true(fs_mkdirs(in_dir("tree/a/b"), 0700, &err));
	put("outside/kept", "x");
	put("tree/a/b/file", "x");
	put("tree/.hidden", "x");
	assert_int_equal(symlink("../../outside", in_dir("tree/a/link")), 0);
	assert_int_equal(symlink("outside", in_dir("link")), 0);
	assert_true(fs_remove_tree(in_dir("tree"), &err));
	assert_true(fs_remove_tree(in_dir("link"), &err));
	assert_content("outside/kept", "x");
	assert_int_equal(count_all(), 1);
}

/* Deeper than a path may be long, than descriptors may be open, and more than one such branch. */
static void test_remove_tree_of_any_depth(void **state UNUSED)
{
	enum { DEPTH = 3000, BRANCHES = 3 };
	struct rlimit before, few = { 128, 128 };
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_true(fs_mkdirs(in_dir("tree"), 0700, &err));
	for (int branch = 0; branch < BRANCHES; branch++) {
		int fd = open(in_dir("tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (int i = 0; i < DEPTH; i++) {
			char name[] = { (char)('a' + (i ? 0 : branch)), '\0' };
			assert_int_equal(mkdirat(fd, name, 0700), 0);
			int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			assert_true(next >= 0);
			close(fd);
			fd = next;
		}
		close(fd);
	}
	bool ok = fs_remove_tree(in_dir("tree"), &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	if (!ok)
		fail_msg("%s", err.text);
	assert_int_equal(count_all(), 0);
}

static void test_lock(void **state UNUSED)
{
	assert_false(fs_is_locked(in_dir("lock")));
	int fd = fs_lock(in_dir("lock"), &err);
	assert_true(fs_is_locked(in_dir("lock")));
	assert_true(fd >= 0);
	assert_int_equal(mode_of("lock"), 0600);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fs_lock(in_dir("lock"), &err), -1);
	assert_int_equal(err.code, EWOULDBLOCK);
	/* A lock file that was taken away is nobody's. */
	assert_true(fs_remove(in_dir("lock"), &err));
	int other = fs_lock(in_dir("lock"), &err);
	assert_true(other >= 0);
	close(fd);
	assert_int_equal(fs_lock(in_dir("lock"), &err), -1);
	close(other);
	assert_false(fs_is_locked(in_dir("lock")));
	fd = fs_lock(in_dir("lock"), &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink("lock", in_dir("link")), 0);
	assert_int_equal(fs_lock(in_dir("link"), &err), -1);
	assert_int_equal(err.code, ELOOP);
}

/* As a program that was killed while a child of it had not come to its exec yet. */
static void test_lock_of_the_dying(void **state UNUSED)
{
	int fd = fs_lock(in_dir("lock"), &err);
	assert_true(fd >= 0);
	pid_t child = fork();
	if (child == 0) {
		nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
		_exit(0);
	}
	close(fd);
	fd = fs_lock(in_dir("lock"), &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Is pid waiting for a flock? */
static bool waits_for_lock(pid_t pid)
{
	char line[256], want[64];
	bool waits = false;
	FILE *locks = fopen("/proc/locks", "re");
	snprintf(want, sizeof(want), " %d ", (int)pid);
	while (fgets(line, sizeof(line), locks))
		waits = waits || (strstr(line, "-> FLOCK") && strstr(line, want));
	fclose(locks);
	return waits;
}

/* Who gets the lock of a file that was taken away meanwhile has got nothing, and tries again. */
static void test_waiting_for_a_lock(void **state UNUSED)
{
	int fd = fs_lock(in_dir("lock"), &err);
	assert_true(fd >= 0);
	pid_t child = fork();
	if (child == 0) {
		struct stat ours, there;
		close(fd); /* the lock goes with the last copy of it */
		int lock = fs_lock_at(AT_FDCWD, in_dir("lock"), true, NULL);
		_exit(lock >= 0 && fstat(lock, &ours) == 0 && lstat(in_dir("lock"), &there) == 0 &&
				      ours.st_ino == there.st_ino
			      ? 0
			      : 1);
	}
	for (int i = 0; !waits_for_lock(child) && i < 50000; i++)
		usleep(100);
	assert_true(fs_remove(in_dir("lock"), &err));
	close(fd);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_system(void **state UNUSED)
{
	char a[33], b[33];
	assert_true(fs_boot_id(a, &err));
	assert_true(fs_boot_id(b, &err));
	assert_string_equal(a, b);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_false(fs_is_network("/proc"));
	assert_false(fs_is_network("/proc/none/none"));
	assert_string_equal(fs_join(&arena, "/a", "b"), "/a/b");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_read_refuses),
		TEST(test_write),
		TEST(test_write_failing_keeps_the_old),
		TEST(test_write_if_changed),
		TEST(test_readers_see_it_whole),
		TEST(test_clean_tmp),
		TEST(test_mkdirs),
		TEST(test_list),
		TEST(test_remove),
		TEST(test_remove_tree_follows_no_link),
		TEST(test_remove_tree_of_any_depth),
		TEST(test_lock),
		TEST(test_lock_of_the_dying),
		TEST(test_waiting_for_a_lock),
		TEST(test_system),
	};
	return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
