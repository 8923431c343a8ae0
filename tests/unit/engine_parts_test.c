/* engine/process: references, users, log places, where cgroups are: rows. */
#include "engine/process/internal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void test_references(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "$(A)", "1" },
		{ "x$(A)y$(LONG)z", "x1ytwo$(A)z" }, /* values are not expanded again */
		{ "$(NONE)", "$(NONE)" },
		{ "$(date)", "$(date)" }, /* a shell's own */
		{ "$$(A)", "$(A)" },
		{ "$$$(A)", "$$1" },
		{ "$$", "$$" },
		{ "$$x", "$$x" },
		{ "$A ${A} $", "$A ${A} $" },
		{ "$(A", "$(A" },
		{ "$()", "$()" },
		{ "$($(A))", "$(1)" },
		{ "100%$", "100%$" },
	};
	struct arena arena;
	struct map *map = map_new();
	(void)state;
	arena_init(&arena);
	map_put(map, "A", (char *)"1");
	map_put(map, "LONG", (char *)"two$(A)");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(expand_references(&arena, rows[i].text, map), rows[i].want);
	map_free(map);
	arena_release(&arena);
}

static void test_users(void **state)
{
	static const struct {
		const char *text, *why; /* why NULL: as root it is found */
		int64_t uid, gid;
		size_t groups; /* 0: as many as there are */
	} rows[] = {
		{ "root", NULL, 0, 0, 0 },
		{ "0", NULL, 0, 0, 0 },
		{ "root:12", NULL, 0, 12, 1 },
		{ "4000000:12", NULL, 4000000, 12, 1 },
		{ "4000000:root", NULL, 4000000, 0, 1 },
		{ "4000000", "user 4000000 has no entry: give 4000000:GID", 0, 0, 0 },
		{ "no-such-user", "no such user 'no-such-user'", 0, 0, 0 },
		{ "root:no-such-group", "no such group 'no-such-group'", 0, 0, 0 },
		{ "4294967295:0", "no such user '4294967295'", 0, 0, 0 },
		{ "-1:0", "no such user '-1'", 0, 0, 0 },
	};
	struct arena arena;
	struct user user;
	struct err err;
	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool ok = user_resolve(rows[i].text, &arena, &user, &err);
		if (rows[i].why)
			assert_string_equal(err.text, rows[i].why);
		if (rows[i].why || geteuid() != 0) {
			assert_false(ok);
			continue;
		}
		assert_true(ok && user.set);
		assert_int_equal(user.uid, rows[i].uid);
		assert_int_equal(user.gid, rows[i].gid);
		if (rows[i].groups)
			assert_int_equal(user.group_count, rows[i].groups);
	}
	assert_true(user_resolve(NULL, &arena, &user, &err));
	assert_false(user.set);
	/* Ourselves, by number: nothing to become. */
	const char *self = arena_printf(&arena, "%d:%d", geteuid(), getegid());
	assert_true(user_resolve(self, &arena, &user, &err));
	assert_int_equal(user.set, geteuid() == 0);
	arena_release(&arena);
}

static void test_log_dirs(void **state)
{
	struct arena arena;
	(void)state;
	arena_init(&arena);
	assert_string_equal(engine_log_dir(&arena, "/s", "default", "web", "main"),
			    "/s/logs/web/main");
	assert_string_equal(engine_log_dir(&arena, "/s", "edge", "web", "main"),
			    "/s/logs/edge~web/main");
	arena_release(&arena);
}

#define PURE_V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define HYBRID                                                                                     \
	"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"                               \
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"              \
	"33 31 0:30 /docker/x /sys/fs/cgroup/memory rw shared:1 - cgroup cgroup rw,memory\n"       \
	"34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

static void test_own_groups(void **state)
{
	static const struct {
		const char *controller, *mounts, *self, *want;
	} rows[] = {
		{ "", PURE_V2, "0::/system.slice/muster-agent.service\n",
		  "/sys/fs/cgroup/system.slice/muster-agent.service" },
		{ "", PURE_V2, "0::/\n", "/sys/fs/cgroup" },
		{ "", PURE_V2, "0::/../other\n", NULL }, /* hidden by a namespace */
		{ "memory", PURE_V2, "0::/a\n", NULL },
		{ "", HYBRID, "4:cpu,cpuacct:/a\n0::/b\n", "/sys/fs/cgroup/unified/b" },
		{ "cpu", HYBRID, "4:cpu,cpuacct:/a\n0::/b\n", "/sys/fs/cgroup/cpu,cpuacct/a" },
		{ "memory", HYBRID, "5:memory:/docker/x/y\n", "/sys/fs/cgroup/memory/y" },
		{ "memory", HYBRID, "5:memory:/docker/x\n", "/sys/fs/cgroup/memory" },
		{ "memory", HYBRID, "5:memory:/docker/xy\n", NULL }, /* not below the mount */
		{ "pids", HYBRID, "6:pids:/a\n", NULL },
		{ "cpu", HYBRID, "", NULL },
		{ "cpu", "", "4:cpu:/a\n", NULL },
		{ "cpu", "garbage\n - \n1 2 3 - cgroup\n", "4:cpu:/a\nx\n", NULL },
	};
	struct arena arena;
	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got =
			cgroup_own_dir(rows[i].controller, rows[i].mounts, rows[i].self, &arena);
		assert_int_equal(got != NULL, rows[i].want != NULL);
		if (got)
			assert_string_equal(got, rows[i].want);
	}
	arena_release(&arena);
}

/* In a child: become sleep(1) with that in the environment. */
static _Noreturn void sleep_as(char *entry)
{
	char *argv[] = { (char *)"sleep", (char *)"1000", NULL };
	char *env[] = { (char *)"A=b", entry, (char *)"C=d", NULL };
	execve("/bin/sleep", argv, env);
	_exit(1);
}

/* Without a cgroup a daemon that was left behind is found by its environment. */
static void test_leftovers_by_environment(void **state)
{
	char id[33], byte;
	struct buf entry = { 0 };
	int starting[2], alive[2]; /* closed when both execute, when the first has ended */
	(void)state;
	random_id(id);
	buf_addf(&entry, "MUSTER_TASK=%s", id);
	assert_int_equal(pipe2(starting, O_CLOEXEC), 0);
	assert_int_equal(pipe(alive), 0);
	pid_t first = fork();
	if (first == 0) {
		setsid();
		if (fork() == 0)
			sleep_as(entry.data);
		_exit(0);
	}
	waitpid(first, NULL, 0);
	pid_t other = fork();
	if (other == 0) {
		close(alive[1]);
		sleep_as((char *)"MUSTER_TASK=of somebody else");
	}
	close(starting[1]);
	close(alive[1]);
	/* The kernel closes it before the new environment can be read: that has to be waited for.
	 */
	assert_int_equal(read(starting[0], &byte, 1), 0);
	assert_true(leftovers_kill(id, NULL, 0, clock_boot_ms() + 10000));
	assert_int_equal(read(alive[0], &byte, 1), 0);
	assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	close(starting[0]);
	close(alive[0]);
	buf_release(&entry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_log_dirs),
		cmocka_unit_test(test_own_groups),
		cmocka_unit_test(test_leftovers_by_environment),
	};
	return cmocka_run_group_tests_name("engine parts", tests, NULL, NULL);
}
