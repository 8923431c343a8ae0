/* store/dir: what is particular to directories: who owns what, links, what lies about, many files.
 */
#include "store/store.h"

#include "fs/fs.h"
#include "loop/loop.h"
#include "model/model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

static const struct store_ops *const ops = &store_dir_ops;
static char dir[4096], path[sizeof(dir) + 8];
static struct arena arena;
static struct err err;
static void *self; /* the controller's */

static int setup(void **state UNUSED)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/muster-dir-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/store", dir);
	arena_init(&arena);
	err = (struct err){ 0 };
	umask(027);
	return ops->open(path, STORE_CONTROLLER, NULL, &self, &err) ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
	ops->close(self);
	self = NULL;
	arena_release(&arena);
	return fs_remove_tree(dir, NULL) ? 0 : -1;
}

static const char *in_store(const char *name)
{
	return *name ? fs_join(&arena, path, name) : path;
}

static void put(const char *key, const char *text)
{
	if (!ops->put(self, key, text, strlen(text), 0, &err))
		fail_msg("%s", err.text);
}

static mode_t mode_of(const char *name)
{
	struct stat st;
	assert_int_equal(lstat(in_store(name), &st), 0);
	return st.st_mode;
}

static const char *const directories[] = {
	"",
	"nodes",
	"alive",
	"desired",
	"observed",
	"controller",
	"controller/families",
	"controller/services",
	".tmp",
};

static void test_modes(void **state UNUSED)
{
	put("desired/n1", "secret");
	put("controller/services/a~b", "x");
	assert_true(ops->beat(self, "n1", &err));
	assert_true(ops->lock_controller(self, &err));
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		assert_int_equal(mode_of(directories[i]), S_IFDIR | 0700);
	assert_int_equal(mode_of("controller/services/a"), S_IFDIR | 0700);
	static const char *const files[] = { "fleet", "desired/n1", "alive/n1",
					     "controller/services/a/b", "controller/lock" };
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		assert_int_equal(mode_of(files[i]), S_IFREG | 0600);
}

static bool opens(enum store_role role, int code)
{
	void *other = NULL;
	err = (struct err){ 0 };
	bool ok = ops->open(path, role, NULL, &other, &err);
	ops->close(other);
	return ok ? code == 0 : err.code == code;
}

/* Whoever may write there decides what runs on the nodes. */
static void test_others_may_not_write(void **state UNUSED)
{
	put("desired/n1", "x");
	struct buf got = { 0 };
	bool found;
	for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
		const char *name = directories[i];
		bool of_writers = strcmp(name, ".tmp") == 0;
		static const mode_t bad[] = { 0720, 0702, 0777, 01777 };
		for (size_t j = 0; j < ARRAY_LEN(bad); j++) {
			assert_int_equal(chmod(in_store(name), bad[j]), 0);
			if (!opens(STORE_CONTROLLER, EPERM) ||
			    (!of_writers && !opens(STORE_AGENT, EPERM)))
				fail_msg("'%s' of mode %o: %s", name, bad[j], err.text);
		}
		/* It is looked at each time, not only in the beginning. */
		if (!*name || strcmp(name, "desired") == 0) {
			assert_false(ops->get(self, "desired/n1", &got, &found, &err));
			assert_int_equal(err.code, EPERM);
		}
		if (!*name || of_writers || strcmp(name, "desired") == 0)
			assert_false(ops->put(self, "desired/n1", "y", 1, 0, &err));
		/* To let others read is the administrator's to decide. */
		assert_int_equal(chmod(in_store(name), 0755), 0);
		assert_true(opens(STORE_CONTROLLER, 0) && opens(STORE_AGENT, 0));
	}
	assert_int_equal(chmod(in_store("fleet"), 0666), 0);
	assert_true(opens(STORE_CONTROLLER, EPERM) && opens(STORE_AGENT, EPERM));
	buf_release(&got);
}

static void test_owned_by_another(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	put("desired/n1", "x");
	static const char *const names[] = { "", "desired", "fleet" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(lchown(in_store(names[i]), 65534, (gid_t)-1), 0);
		assert_true(opens(STORE_CONTROLLER, EPERM) && opens(STORE_AGENT, EPERM));
		assert_int_equal(lchown(in_store(names[i]), 0, (gid_t)-1), 0);
	}
	assert_int_equal(lchown(in_store("desired/n1"), 65534, (gid_t)-1), 0);
	struct buf got = { 0 };
	bool found;
	assert_false(ops->get(self, "desired/n1", &got, &found, &err));
	assert_int_equal(err.code, EPERM);
	buf_release(&got);
}

/* In place of each directory and file there is a link to just such a one elsewhere. */
static void test_links_are_not_followed(void **state UNUSED)
{
	put("desired/n1", "x");
	const char *elsewhere = fs_join(&arena, dir, "elsewhere");
	for (size_t i = 1; i < ARRAY_LEN(directories); i++) {
		const char *name = in_store(directories[i]);
		assert_int_equal(rename(name, elsewhere), 0);
		assert_int_equal(symlink(elsewhere, name), 0);
		assert_false(opens(STORE_CONTROLLER, 0));
		assert_int_equal(unlink(name), 0);
		assert_int_equal(rename(elsewhere, name), 0);
	}
	static const char *const files[] = { "fleet", "desired/n1", "alive/n1" };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *name = in_store(files[i]);
		unlink(name);
		assert_true(fs_write(elsewhere, "0123456789abcdef0123456789abcdef\n", 33, 0600, 0,
				     NULL, &err));
		assert_int_equal(symlink(elsewhere, name), 0);
		struct buf got = { 0 };
		bool found;
		if (i == 0)
			assert_true(opens(STORE_AGENT, ELOOP));
		if (i == 1)
			assert_false(ops->get(self, "desired/n1", &got, &found, &err));
		if (i == 2)
			assert_false(ops->beat(self, "n1", &err));
		assert_int_equal(err.code, ELOOP);
		buf_release(&got);
		if (i == 0) {
			assert_int_equal(unlink(name), 0);
			assert_int_equal(rename(elsewhere, name), 0);
		}
	}
	/* Writing replaces the link, and leaves alone what it points at. */
	put("desired/n1", "new");
	assert_true(S_ISREG(mode_of("desired/n1")));
	struct buf kept = { 0 };
	assert_true(fs_read(elsewhere, 100, &kept, &err));
	assert_int_equal(kept.len, 33);
	buf_release(&kept);
	/* PATH itself may be a link: it is the administrator's. */
	assert_int_equal(unlink(elsewhere), 0);
	assert_int_equal(rename(path, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, path), 0);
	assert_true(opens(STORE_CONTROLLER, 0) && opens(STORE_AGENT, 0));
}

/* One that cannot be read is told of by name, and hides no other. */
static void test_list_tells_what_cannot_be_read(void **state UNUSED)
{
	static char big[LIMIT_DOCUMENT_BYTES + 1];
	put("nodes/good", "x");
	assert_true(fs_write(in_store("nodes/big"), big, sizeof(big), 0600, 0, NULL, &err));
	assert_true(fs_write(in_store("nodes/writable"), "x", 1, 0666, 0, NULL, &err));
	assert_int_equal(mkdir(in_store("nodes/directory"), 0700), 0);
	assert_int_equal(mkfifo(in_store("nodes/fifo"), 0600), 0);
	assert_int_equal(symlink("good", in_store("nodes/link")), 0);
	assert_true(fs_write(in_store("nodes/.hidden"), "x", 1, 0600, 0, NULL, &err));
	assert_true(fs_write(in_store("nodes/bad name"), "x", 1, 0600, 0, NULL, &err));
	static const struct {
		const char *key;
		int code; /* 0: readable */
	} rows[] = {
		{ "nodes/big", EFBIG }, { "nodes/directory", EINVAL }, { "nodes/fifo", EINVAL },
		{ "nodes/good", 0 },	{ "nodes/link", ELOOP },       { "nodes/writable", EPERM },
	};
	struct store_entries entries;
	struct buf got = { 0 };
	bool found;
	assert_true(ops->list(self, "nodes/", &entries, &err));
	assert_int_equal(entries.count, ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct store_entry *entry = &entries.items[i];
		assert_string_equal(entry->key, rows[i].key);
		assert_int_equal(entry->bytes != NULL, rows[i].code == 0);
		assert_int_equal(entry->text != NULL, rows[i].code != 0);
		assert_int_equal(ops->get(self, entry->key, &got, &found, &err), rows[i].code == 0);
		if (rows[i].code)
			assert_int_equal(err.code, rows[i].code);
	}
	buf_release(&got);
	arena_release(&entries.arena);
}

static size_t count_in(const char *name)
{
	size_t n = 0;
	DIR *d = opendir(in_store(name));
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void test_temporary_files(void **state UNUSED)
{
	bool swapped;
	put("nodes/n1", "x");
	assert_true(ops->cas(self, "nodes/n1", "y", 1, "z", 1, 0, &swapped, &err));
	assert_false(swapped);
	assert_int_equal(mkdir(in_store("nodes/n2"), 0700), 0);
	assert_false(ops->put(self, "nodes/n2", "x", 1, 0, &err));
	assert_int_equal(count_in(".tmp"), 1); /* the lock */
	/* A writer died a while ago, another is at it. */
	const char *old = in_store(".tmp/.tmp-0123456789abcdef"), *new = in_store(".tmp/.tmp-new");
	assert_true(fs_write(old, "x", 1, 0600, 0, NULL, &err));
	assert_true(fs_write(new, "x", 1, 0600, 0, NULL, &err));
	struct timespec times[2] = { { .tv_sec = time(NULL) - 3600 },
				     { .tv_sec = time(NULL) - 3600 } };
	assert_int_equal(utimensat(AT_FDCWD, old, times, 0), 0);
	assert_true(opens(STORE_AGENT, 0));
	assert_int_equal(count_in(".tmp"), 3);
	assert_true(opens(STORE_CONTROLLER, 0));
	assert_int_equal(count_in(".tmp"), 2);
	assert_int_equal(access(old, F_OK), -1);
	put("nodes/n1", "x");
}

static void test_services_leave_no_directory(void **state UNUSED)
{
	put("controller/services/a~b", "x");
	put("controller/services/a~c", "x");
	assert_true(ops->remove(self, "controller/services/a~b", &err));
	assert_int_equal(count_in("controller/services"), 1);
	assert_true(ops->remove(self, "controller/services/a~c", &err));
	assert_int_equal(count_in("controller/services"), 0);
	assert_true(ops->remove(self, "controller/services/a~c", &err));
}

static void test_garbled_fleet_id(void **state UNUSED)
{
	static const char *const garbled[] = { "", "x\n", "0123456789abcdef0123456789abcdef",
					       "0123456789abcdef0123456789abcdeg\n",
					       "0123456789abcdef0123456789abcdef\n\n" };
	static const char known[] = "fedcba9876543210fedcba9876543210";
	char id[33];
	for (size_t i = 0; i < ARRAY_LEN(garbled); i++) {
		assert_true(fs_write(in_store("fleet"), garbled[i], strlen(garbled[i]), 0600, 0,
				     NULL, &err));
		assert_true(opens(STORE_AGENT, EBADMSG) && opens(STORE_CONTROLLER, EBADMSG));
		assert_false(ops->fleet(self, id, &err));
		void *other = NULL;
		assert_true(ops->open(path, STORE_CONTROLLER, known, &other, &err));
		assert_true(ops->fleet(other, id, &err));
		assert_string_equal(id, known);
		ops->close(other);
	}
}

/* The controller makes good what is missing; to an agent a part of a store is none. */
static void test_a_directory_is_missing(void **state UNUSED)
{
	for (size_t i = 1; i < ARRAY_LEN(directories); i++) {
		const char *name = directories[i];
		assert_true(fs_remove_tree(in_store(name), &err));
		if (strcmp(name, ".tmp") != 0)
			assert_true(opens(STORE_AGENT, ENOENT));
		else
			assert_false(ops->put(self, "nodes/n1", "x", 1, 0, &err));
		assert_int_equal(err.code, ENOENT);
		assert_true(opens(STORE_CONTROLLER, 0) && opens(STORE_AGENT, 0));
	}
	struct buf got = { 0 };
	struct store_entries entries;
	bool found;
	static const char *const parts[] = { "desired", "fleet" };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		assert_true(fs_remove_tree(in_store(parts[i]), &err));
		assert_false(ops->get(self, "desired/n1", &got, &found, &err));
		assert_int_equal(err.code, ENOENT);
		assert_false(ops->list(self, "desired/", &entries, &err));
		assert_int_equal(err.code, ENOENT);
		assert_true(opens(STORE_AGENT, ENOENT) && opens(STORE_CONTROLLER, 0));
	}
	buf_release(&got);
}

static bool told_to_look;

static void on_changed(void *arg UNUSED, const char *key)
{
	told_to_look = told_to_look || !key;
}

static void on_impatient(void *arg)
{
	*(bool *)arg = true;
}

/* The file `fleet` is the last to come: with it the store is there. */
static void test_fleet_file_comes_last(void **state UNUSED)
{
	static const char *const prefixes[] = { "desired/n1" };
	struct loop *loop = loop_new();
	bool impatient = false;
	struct timer *patience = timer_new(loop, on_impatient, &impatient);
	void *watch;
	assert_true(fs_remove(in_store("fleet"), &err));
	assert_true(ops->watch(path, loop, prefixes, 1, on_changed, NULL, &watch, &err));
	told_to_look = false;
	uv_run(loop_uv(loop), UV_RUN_NOWAIT);
	assert_false(told_to_look);
	assert_true(opens(STORE_CONTROLLER, 0));
	timer_set(patience, 5000);
	while (!told_to_look && !impatient)
		uv_run(loop_uv(loop), UV_RUN_ONCE);
	assert_true(told_to_look);
	ops->unwatch(watch);
	timer_free(patience);
	loop_free(loop);
}

/* Moved away, and another put in its place: it is the path that counts. */
static void test_replaced_by_another(void **state UNUSED)
{
	char before[33], after[33];
	put("desired/n1", "x");
	assert_true(ops->fleet(self, before, &err));
	assert_int_equal(rename(path, fs_join(&arena, dir, "old")), 0);
	struct buf got = { 0 };
	bool found;
	assert_false(ops->get(self, "desired/n1", &got, &found, &err));
	assert_int_equal(err.code, ENOENT);
	assert_true(opens(STORE_CONTROLLER, 0));
	assert_true(ops->fleet(self, after, &err));
	assert_string_not_equal(before, after);
	assert_true(ops->get(self, "desired/n1", &got, &found, &err));
	assert_false(found);
	buf_release(&got);
}

static void test_lock_file_taken_away(void **state UNUSED)
{
	assert_true(ops->lock_controller(self, &err));
	put("desired/n1", "x");
	assert_int_equal(unlink(in_store("controller/lock")), 0);
	assert_false(ops->put(self, "desired/n1", "y", 1, 0, &err));
	assert_int_equal(err.code, ESTALE);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_ten_thousand(void **state UNUSED)
{
	enum { MANY = LIMIT_NODES };
	char name[64], text[512] = "";
	memset(text, 'x', sizeof(text) - 1);
	int fd = open(in_store("nodes"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int alive = open(in_store("alive"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%05d", i * 7919 % MANY);
		int f = openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_int_equal(write(f, text, sizeof(text)), sizeof(text));
		close(f);
		close(openat(alive, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	close(fd);
	close(alive);
	struct store_entries entries;
	int64_t start = now_ms();
	assert_true(ops->list(self, "nodes/", &entries, &err));
	int64_t listed = now_ms();
	assert_int_equal(entries.count, MANY);
	assert_string_equal(entries.items[0].key, "nodes/n00000");
	assert_string_equal(entries.items[MANY - 1].key, "nodes/n09999");
	arena_release(&entries.arena);
	int64_t again = now_ms();
	assert_true(ops->beats(self, &entries, &err));
	int64_t done = now_ms();
	assert_int_equal(entries.count, MANY);
	assert_string_equal(entries.items[MANY - 1].key, "n09999");
	arena_release(&entries.arena);
	print_message("# %d documents listed in %lld ms, beats in %lld ms\n", MANY,
		      (long long)(listed - start), (long long)(done - again));
	assert_true(listed - start < 5000 && done - again < 5000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_modes),
		TEST(test_others_may_not_write),
		TEST(test_owned_by_another),
		TEST(test_links_are_not_followed),
		TEST(test_list_tells_what_cannot_be_read),
		TEST(test_temporary_files),
		TEST(test_services_leave_no_directory),
		TEST(test_garbled_fleet_id),
		TEST(test_a_directory_is_missing),
		TEST(test_fleet_file_comes_last),
		TEST(test_replaced_by_another),
		TEST(test_lock_file_taken_away),
		TEST(test_ten_thousand),
	};
	return cmocka_run_group_tests_name("store dir", tests, NULL, NULL);
}
