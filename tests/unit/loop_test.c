/* loop: timers, signals and above all programs: their environment, limits, deadlines and ends. */
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#define PATIENCE_MS 10000

static struct loop *loop;
static struct timer *patience;

static void on_impatient(void *arg UNUSED)
{
	loop_stop(loop);
	fail_msg("nothing happened");
}

static int setup(void **state UNUSED)
{
	loop = loop_new();
	patience = timer_new(loop, on_impatient, NULL);
	timer_set(patience, PATIENCE_MS);
	return 0;
}

static int teardown(void **state UNUSED)
{
	timer_free(patience);
	loop_free(loop);
	return 0;
}

/* --- timers, descriptors, signals ------------------------------------------------------------ */

static struct buf seen;
static struct timer *timers[3];

static void on_timer(void *arg)
{
	buf_adds(&seen, arg);
	if (strcmp(arg, "c") == 0)
		loop_stop(loop);
}

static void test_timers(void **state UNUSED)
{
	static char names[][2] = { "a", "b", "c" };
	for (size_t i = 0; i < ARRAY_LEN(timers); i++)
		timers[i] = timer_new(loop, on_timer, names[i]);
	int64_t start = clock_monotonic_ms();
	timer_set(timers[0], 60000);
	timer_set(timers[2], 20);
	timer_set(timers[0], 10); /* moved */
	timer_set(timers[1], 5);
	timer_clear(timers[1]);
	loop_run(loop);
	assert_true(clock_monotonic_ms() - start >= 19);
	assert_string_equal(buf_str(&seen), "ac");
	timer_set(timers[2], -5); /* past: now */
	loop_run(loop);
	assert_string_equal(buf_str(&seen), "acc");
	for (size_t i = 0; i < ARRAY_LEN(timers); i++)
		timer_free(timers[i]);
	timer_free(NULL);
	buf_release(&seen);
}

static int ends[2];

static void on_readable(void *arg UNUSED)
{
	char c;
	if (read(ends[0], &c, 1) == 1)
		buf_addc(&seen, c);
	else
		loop_stop(loop);
}

static void test_poll(void **state UNUSED)
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct poll_handle *poll = poll_new(loop, ends[0], on_readable, NULL);
	assert_int_equal(write(ends[1], "xyz", 3), 3);
	close(ends[1]); /* the other end's end is something to read too */
	loop_run(loop);
	assert_string_equal(buf_str(&seen), "xyz");
	poll_free(poll);
	close(ends[0]);
	buf_release(&seen);
}

static void on_signal(void *arg, int signum)
{
	buf_addf(arg, "%d ", signum);
	loop_stop(loop);
}

static void test_signals(void **state UNUSED)
{
	loop_on_signal(loop, SIGHUP, on_signal, &seen);
	loop_on_signal(loop, SIGTERM, on_signal, &seen);
	kill(getpid(), SIGHUP);
	loop_run(loop);
	kill(getpid(), SIGTERM);
	loop_run(loop);
	assert_string_equal(buf_str(&seen), "1 15 ");
	/* A reader that went away is an error of write(), not the end. */
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	assert_int_equal(write(ends[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(ends[1]);
	buf_release(&seen);
}

static void test_clocks_and_ids(void **state UNUSED)
{
	char a[33], b[33];
	random_id(a);
	random_id(b);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(a, b);
	int64_t before = clock_monotonic_ms();
	assert_true(clock_monotonic_ms() >= before);
	assert_true(clock_boot_ms() >= before); /* suspended time is in it */
	assert_true(clock_unix_ms() > 1700000000000);
}

/* --- programs -------------------------------------------------------------------------------- */

static struct ended {
	int count, status;
	bool timed_out, too_large;
	struct buf out, errors;
	struct err err;
} ended;

static void on_done(void *arg UNUSED, const struct process_result *result)
{
	ended.count++;
	ended.status = result->status;
	ended.timed_out = result->timed_out;
	ended.too_large = result->too_large;
	buf_add(&ended.out, result->out->data, result->out->len);
	buf_add(&ended.errors, result->errors->data, result->errors->len);
	ended.err = result->err;
	loop_stop(loop);
}

static void forget(void)
{
	buf_release(&ended.out);
	buf_release(&ended.errors);
	ended = (struct ended){ 0 };
}

static const char *const no_env[] = { NULL };

/* A shell command, to its end. */
static void run_shell(const char *command, struct process_spec spec)
{
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	forget();
	spec.argv = argv;
	spec.env = spec.env ? spec.env : no_env;
	spec.uid = spec.gid = -1;
	process_run(loop, &spec, on_done, NULL);
	assert_int_equal(ended.count, 0);
	loop_run(loop);
	assert_int_equal(ended.count, 1);
}

static void test_status_and_output(void **state UNUSED)
{
	static const struct {
		const char *command, *out, *errors;
		int status;
	} rows[] = {
		{ "echo out; echo err >&2", "out\n", "err\n", 0 },
		{ "exit 3", "", "", 3 },
		{ "kill -TERM $$", "", "", 128 + SIGTERM },
		{ "pwd", "/\n", "", 0 },
		{ "cat", "", "", 0 }, /* stdin is empty, not ours */
		{ "printf 'a\\0b' | tr '\\0' 0", "a0b", "", 0 },
	};
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run_shell(rows[i].command, (struct process_spec){ .env = env, .max_bytes = 100 });
		assert_int_equal(ended.status, rows[i].status);
		assert_string_equal(buf_str(&ended.out), rows[i].out);
		assert_string_equal(buf_str(&ended.errors), rows[i].errors);
		assert_int_equal(ended.err.text[0], '\0');
	}
	forget();
}

/* Exactly what was given: no variable of ours, no descriptor, no ignored or blocked signal. */
static void test_what_it_inherits(void **state UNUSED)
{
	static const char *const env[] = { "B=two words", "A=1", NULL };
	static const char *const argv[] = { "/usr/bin/env", NULL };
	struct process_spec spec = {
		.argv = argv, .env = env, .uid = -1, .gid = -1, .max_bytes = 1000
	};
	forget();
	process_run(loop, &spec, on_done, NULL);
	loop_run(loop);
	assert_string_equal(buf_str(&ended.out), "B=two words\nA=1\n");
	spec.env = no_env;
	forget();
	process_run(loop, &spec, on_done, NULL);
	loop_run(loop);
	assert_string_equal(buf_str(&ended.out), "");

	static const char *const path[] = { "PATH=/usr/bin:/bin", NULL };
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC); /* what the one who runs us left open */
	run_shell("ls -l /proc/self/fd | grep -c -- '->'",
		  (struct process_spec){ .env = path, .max_bytes = 100 });
	assert_string_equal(buf_str(&ended.out), "4\n"); /* and the one that ls has open */
	run_shell("grep -E '^Sig(Blk|Ign):' /proc/self/status",
		  (struct process_spec){ .env = path, .max_bytes = 100 });
	const char *ignored = strstr(buf_str(&ended.out), "SigIgn:\t");
	assert_int_equal(strncmp(buf_str(&ended.out), "SigBlk:\t0000000000000000\n", 25), 0);
	assert_non_null(ignored);
	/* Signals 32 and 33 are the C library's own: it lets nobody change what a parent ignored.
	 */
	assert_int_equal(strtoull(ignored + 8, NULL, 16) & ~(3ull << 31), 0);
	run_shell("pwd", (struct process_spec){ .cwd = "/usr", .max_bytes = 100 });
	assert_string_equal(buf_str(&ended.out), "/usr\n");
	forget();
}

static void test_input(void **state UNUSED)
{
	enum { BIG = 300000 }; /* more than any pipe holds */
	char *big = xmalloc(BIG);
	memset(big, 'x', BIG);
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	struct process_spec spec = { .env = env, .input = big, .input_len = BIG, .max_bytes = BIG };
	run_shell("cat", spec);
	assert_int_equal(ended.out.len, BIG);
	assert_memory_equal(ended.out.data, big, BIG);
	run_shell("wc -c", spec);
	assert_string_equal(buf_str(&ended.out), "300000\n");
	run_shell("echo unread", spec);
	assert_string_equal(buf_str(&ended.out), "unread\n");
	assert_int_equal(ended.status, 0);
	spec.input_len = 0;
	run_shell("cat; echo end", spec);
	assert_string_equal(buf_str(&ended.out), "end\n");
	free(big);
	forget();
}

static void test_limits_of_output(void **state UNUSED)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	run_shell("printf 12345", (struct process_spec){ .max_bytes = 5 });
	assert_string_equal(buf_str(&ended.out), "12345");
	assert_false(ended.too_large);
	run_shell("printf 123456", (struct process_spec){ .max_bytes = 5 });
	assert_true(ended.too_large);
	assert_int_equal(ended.err.code, EFBIG);
	/* One that never stops by itself. */
	run_shell("yes", (struct process_spec){ .env = env, .max_bytes = 100000 });
	assert_true(ended.too_large);
	assert_true(ended.status == 128 + SIGKILL || ended.status == 128 + SIGPIPE);
	/* Of errors the beginning is kept; they end nothing. */
	run_shell("yes 123456789 | head -n 2000 >&2; echo done",
		  (struct process_spec){ .env = env, .max_bytes = 100 });
	assert_int_equal(ended.errors.len, PROCESS_ERRORS_MAX);
	assert_string_equal(buf_str(&ended.out), "done\n");
	assert_int_equal(ended.status, 0);
	forget();
}

/* A FIFO that processes hold open for writing reads as ended when the last of them is dead. */
static char dir[4096], fifo[sizeof(dir) + 8];

static int make_fifo(void)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/muster-loop-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	return open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void remove_fifo(int fd)
{
	close(fd);
	unlink(fifo);
	rmdir(dir);
}

static void on_fifo(void *arg)
{
	char c;
	if (read(*(int *)arg, &c, 1) == 0)
		loop_stop(loop);
}

/* All who had it open are gone. Not before someone had: they wrote a byte first. */
static void await_all_dead(int fd)
{
	struct poll_handle *poll = poll_new(loop, fd, on_fifo, &fd);
	loop_run(loop);
	poll_free(poll);
}

static void run_with_fifo(const char *command, int64_t deadline_ms)
{
	char all[sizeof(fifo) + 200];
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	snprintf(all, sizeof(all), "exec 9>%s; echo >&9; %s", fifo, command);
	run_shell(all, (struct process_spec){
			       .env = env, .max_bytes = 100, .deadline_ms = deadline_ms });
}

static void test_deadline_kills_the_group(void **state UNUSED)
{
	int fd = make_fifo();
	int64_t start = clock_monotonic_ms();
	run_with_fifo("trap '' TERM; echo begun; sleep 1000 & sleep 1000", 200);
	assert_true(ended.timed_out);
	assert_int_equal(ended.err.code, ETIMEDOUT);
	assert_int_equal(ended.status, 128 + SIGKILL);
	assert_string_equal(buf_str(&ended.out), "begun\n");
	assert_true(clock_monotonic_ms() - start < PATIENCE_MS);
	await_all_dead(fd);
	remove_fifo(fd);
	forget();
}

static void test_what_it_leaves_is_killed(void **state UNUSED)
{
	int fd = make_fifo();
	run_with_fifo("sleep 1000 & exit 4", PATIENCE_MS);
	assert_false(ended.timed_out);
	assert_int_equal(ended.status, 4);
	await_all_dead(fd);
	remove_fifo(fd);
	forget();
}

/* One that left the group and keeps the pipes costs no more than the deadline. */
static void test_what_left_the_group(void **state UNUSED)
{
	int fd = make_fifo();
	char command[2 * sizeof(fifo) + 100];
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	snprintf(command, sizeof(command),
		 "setsid sh -c 'echo $$; echo >%s; exec sleep 1000' & read x <%s; exit 5", fifo,
		 fifo);
	run_shell(command,
		  (struct process_spec){ .env = env, .max_bytes = 100, .deadline_ms = 300 });
	assert_true(ended.timed_out);
	assert_int_equal(ended.status, 5);
	int pid = (int)strtol(buf_str(&ended.out), NULL, 10);
	assert_true(pid > 1);
	kill(pid, SIGKILL);
	remove_fifo(fd);
	forget();
}

static void test_cannot_be_started(void **state UNUSED)
{
	static const char *const absent[] = { "/nonexistent/program", NULL };
	static const char *const denied[] = { "/etc/passwd", NULL };
	static const char *const fine[] = { "/bin/true", NULL };
	static const struct {
		const char *const *argv;
		const char *cwd;
		int code;
	} rows[] = {
		{ absent, NULL, ENOENT },
		{ denied, NULL, EACCES },
		{ fine, "/nonexistent", ENOENT },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct process_spec spec = { .argv = rows[i].argv,
					     .env = no_env,
					     .uid = -1,
					     .gid = -1,
					     .cwd = rows[i].cwd };
		forget();
		process_run(loop, &spec, on_done, NULL);
		assert_int_equal(ended.count, 0); /* told from the loop, as everything is */
		loop_run(loop);
		assert_int_equal(ended.count, 1);
		assert_int_equal(ended.status, -1);
		assert_int_equal(ended.err.code, rows[i].code);
		assert_non_null(strstr(ended.err.text, rows[i].argv[0]));
	}
	forget();
}

static void test_as_another_user(void **state UNUSED)
{
	static const char *const argv[] = { "/bin/sh", "-c", "id -u; id -g; id -G", NULL };
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	struct process_spec spec = {
		.argv = argv, .env = env, .uid = 65534, .gid = 65533, .max_bytes = 100
	};
	forget();
	process_run(loop, &spec, on_done, NULL);
	loop_run(loop);
	if (geteuid() == 0)
		assert_string_equal(buf_str(&ended.out), "65534\n65533\n65533\n");
	else
		assert_int_equal(ended.err.code, EPERM);
	forget();
}

static void never(void *arg UNUSED, const struct process_result *result UNUSED)
{
	fail_msg("it was cancelled");
}

static void test_cancel(void **state UNUSED)
{
	int fd = make_fifo();
	char command[sizeof(fifo) + 100];
	snprintf(command, sizeof(command), "exec 9>%s; echo >&9; while :; do sleep 1000; done",
		 fifo);
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	struct process_spec spec = { .argv = argv, .env = env, .uid = -1, .gid = -1 };
	for (int with_loop_free = 0; with_loop_free < 2; with_loop_free++) {
		struct process *p = process_run(loop, &spec, never, NULL);
		char c;
		while (read(fd, &c, 1) != 1)
			usleep(100);
		if (!with_loop_free) {
			process_cancel(p);
			process_cancel(NULL);
			await_all_dead(fd);
			continue;
		}
		teardown(NULL); /* what runs then is killed */
		setup(NULL);
		await_all_dead(fd);
	}
	remove_fifo(fd);
}

/* Many at once, each its own. */
static int running;

static void on_one_of_many(void *arg, const struct process_result *result)
{
	char want[32];
	snprintf(want, sizeof(want), "%d\n", (int)(intptr_t)arg);
	assert_string_equal(buf_str(result->out), want);
	if (--running == 0)
		loop_stop(loop);
}

static void test_many(void **state UNUSED)
{
	for (int i = 0; i < 20; i++) {
		char command[32];
		snprintf(command, sizeof(command), "echo %d", i);
		const char *const argv[] = { "/bin/sh", "-c", command, NULL };
		struct process_spec spec = {
			.argv = argv, .env = no_env, .uid = -1, .gid = -1, .max_bytes = 10
		};
		process_run(loop, &spec, on_one_of_many, (void *)(intptr_t)i);
		running++;
	}
	loop_run(loop);
	assert_int_equal(running, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_timers),
		TEST(test_poll),
		TEST(test_signals),
		TEST(test_clocks_and_ids),
		TEST(test_status_and_output),
		TEST(test_what_it_inherits),
		TEST(test_input),
		TEST(test_limits_of_output),
		TEST(test_deadline_kills_the_group),
		TEST(test_what_it_leaves_is_killed),
		TEST(test_what_left_the_group),
		TEST(test_cannot_be_started),
		TEST(test_as_another_user),
		TEST(test_cancel),
		TEST(test_many),
	};
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
