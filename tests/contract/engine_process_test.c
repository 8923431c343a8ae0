/* What only real processes can show: stopping what was forked, killed shims, logs, limits, users.
 */
#include "engine_world.h"

#include "engine/process/record.h"
#include "fs/fs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const char *word(struct world *w, const char *name, const char *file)
{
	return arena_printf(&w->arena, "%s=%s", name, world_path(w, file));
}

static bool listable(struct world *w, void *arg)
{
	struct node_task *tasks;
	uint32_t count;
	(void)arg;
	return w->ops->list(w->engine, &w->arena, &tasks, &count, NULL);
}

static bool unlistable(struct world *w, void *arg)
{
	return !listable(w, arg);
}

/* --- stopping ----------------------------------------------------------------------------------
 */

static void test_stop_takes_all(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	/* One that ignores SIGTERM in its own session, one that takes it, children, all at once. */
	struct wire_desired_task *task =
		world_task(&w, "web", word(&w, "daemon", "deaf"), word(&w, "orphan", "good"),
			   "forks=3", "ignore-term", "out=up", "sleep", NULL);
	world_container(task, 0)->stop_timeout = world_integer(1);
	assert_true(world_start(&w, "t1", task).ok);
	long deaf = world_wait_pid(&w, world_path(&w, "deaf"));
	long good = world_wait_pid(&w, world_path(&w, "good"));
	world_wait_log(&w, "web", "main", "up");
	world_stop(&w, "t1", "over");
	world_wait_gone(&w, good); /* had SIGTERM: long before the time is over */
	assert_true(world_alive(deaf));
	assert_int_equal(world_find(&w, "t1")->status, TASK_STOPPING);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_false(world_alive(deaf)); /* nothing is left when it says so */
	assert_int_equal(t->containers[0].exit_code, 128 + SIGKILL);
	assert_true(t->stopped_at_ms - t->started_at_ms >= 1000);
	world_release(&w);
}

static void test_stop_is_graceful(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	assert_true(
		world_start(&w, "t1", world_task(&w, "web", "term-exit=5", "out=up", "sleep", NULL))
			.ok);
	world_wait_log(&w, "web", "main", "up");
	long pid = world_main_pid(&w, "t1");
	/* A stopped process has to be woken to see it. */
	kill((pid_t)pid, SIGSTOP);
	world_stop(&w, "t1", "over");
	assert_int_equal(world_wait_status(&w, "t1", TASK_STOPPED)->containers[0].exit_code, 5);
	world_release(&w);
}

static void test_exit_takes_the_rest(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task =
		world_task(&w, "web", word(&w, "orphan", "left"), "forks=2",
			   word(&w, "wait", "left"), "exit=3", NULL);
	assert_true(world_start(&w, "t1", task).ok);
	long left = world_wait_pid(&w, world_path(&w, "left"));
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_false(world_alive(left));
	assert_int_equal(t->containers[0].exit_code, 3);
	assert_false(t->stop_requested);
	world_release(&w);
}

static void test_shim_ignores_signals(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1 };
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	pid_t shim = (pid_t)world_parent_of(world_main_pid(&w, "t1"));
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		kill(shim, signals[i]);
	/* It still acts on what counts. */
	world_stop(&w, "t1", "over");
	assert_string_equal(world_wait_status(&w, "t1", TASK_STOPPED)->reason, "over");
	world_release(&w);
}

/* An agent that was killed after the note and before the command. */
static void test_stop_is_repeated(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	world_close(&w);
	assert_true(fs_write(world_task_file(&w, "t1.stop"), "noted", 5, 0600, 0, NULL, NULL));
	world_open(&w);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(t->stop_requested);
	assert_string_equal(t->reason, "noted");
	world_release(&w);
}

/* --- killed shims ------------------------------------------------------------------------------
 */

static void test_killed_shim(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task =
		world_task(&w, "web", word(&w, "daemon", "left"), "sleep", NULL);
	assert_true(world_start(&w, "t1", task).ok);
	long left = world_wait_pid(&w, world_path(&w, "left")), pid = world_main_pid(&w, "t1");
	kill((pid_t)world_parent_of(pid), SIGKILL);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_false(world_alive(left) || world_alive(pid));
	assert_string_equal(t->stop_code, "InfrastructureHealth");
	assert_memory_equal(t->reason, "ShimDied", 8);
	assert_false(t->earlier_boot || t->stop_requested);
	assert_false(t->containers[0].has_exit_code);
	world_release(&w);
}

static void test_killed_shim_while_no_agent(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	assert_true(world_start(&w, "t2", world_task(&w, "other", "sleep", NULL)).ok);
	long pid = world_main_pid(&w, "t1"), other = world_main_pid(&w, "t2");
	world_close(&w);
	long shim = world_parent_of(pid);
	kill((pid_t)shim, SIGKILL);
	world_wait_gone(&w, shim);
	world_open(&w);
	/* Until the leftovers are gone it is not stopped, so that nobody starts a second one. */
	assert_int_equal(world_find(&w, "t1")->status, TASK_STOPPING);
	world_wait_status(&w, "t1", TASK_STOPPED);
	assert_false(world_alive(pid));
	assert_true(world_alive(other));
	assert_int_equal(world_find(&w, "t2")->status, TASK_RUNNING);
	world_release(&w);
}

static void test_reboot(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	assert_true(world_start(&w, "t2", world_task(&w, "old", "exit=4", NULL)).ok);
	world_wait_status(&w, "t2", TASK_STOPPED);
	long pid = world_main_pid(&w, "t1");
	world_close(&w);
	long shim = world_parent_of(pid);
	kill((pid_t)shim, SIGKILL);
	kill((pid_t)pid, SIGKILL);
	world_wait_gone(&w, shim);
	world_wait_gone(&w, pid);
	w.boot = "b0070000000000000000000000000002";
	world_open(&w);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(t->earlier_boot);
	assert_memory_equal(t->reason, "NodeRebooted", 12);
	assert_int_equal(t->stopped_at_ms, 0);
	t = world_find(&w, "t2");
	assert_true(t->earlier_boot);
	assert_int_equal(t->containers[0].exit_code, 4);
	world_release(&w);
}

/* The agent was killed when the record was written, before the shim was there. */
static void test_record_without_shim(void **state)
{
	struct world w;
	struct buf record = { 0 };
	(void)state;
	world_init(&w, &engine_process_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "exit=0", NULL)).ok);
	world_wait_status(&w, "t1", TASK_STOPPED);
	world_close(&w);
	assert_true(fs_read(world_task_file(&w, "t1.task"), RECORD_MAX_BYTES, &record, NULL));
	assert_true(fs_write(world_task_file(&w, "t2.task"), record.data, record.len, 0600, 0, NULL,
			     NULL));
	assert_true(fs_write(world_task_file(&w, "t2.lock"), "", 0, 0600, 0, NULL, NULL));
	/* ... and while it was being written, and before it. */
	assert_true(fs_write(world_task_file(&w, "t3.task"), record.data, record.len - 9, 0600, 0,
			     NULL, NULL));
	assert_true(fs_write(world_task_file(&w, "t4.lock"), "", 0, 0600, 0, NULL, NULL));
	assert_true(fs_write(world_task_file(&w, "t4.ctl"), "", 0, 0600, 0, NULL, NULL));
	buf_release(&record);
	w.engine = NULL;
	world_open(&w);
	/* t3 says nothing of whose it is: nothing can be said until it is known to be nothing. */
	world_wait(&w, listable, NULL, "the tasks to be known");
	assert_string_equal(world_wait_status(&w, "t2", TASK_STOPPED)->stop_code,
			    "InfrastructureHealth");
	assert_null(world_find(&w, "t3"));
	assert_int_equal(access(world_task_file(&w, "t3.task"), F_OK), -1);
	assert_int_equal(access(world_task_file(&w, "t4.lock"), F_OK), -1);
	world_release(&w);
}

static void test_newer_record(void **state)
{
	struct world w;
	struct record_writer r = { .data = (char[256]){ 0 }, .cap = 256 };
	(void)state;
	world_init(&w, &engine_process_ops);
	world_close(&w);
	record_begin(&r, "task");
	record_put(&r, "fleet", w.fleet);
	assert_true(record_end(&r));
	assert_int_equal(r.data[12], '1');
	r.data[12] = '9'; /* "muster-task 9", with the hash of it */
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < r.len - 21; i++)
		hash = (hash ^ (unsigned char)r.data[i]) * 0x100000001b3u;
	snprintf(r.data + r.len - 17, 17, "%016llx", (unsigned long long)hash);
	assert_true(fs_write(world_task_file(&w, "t1.task"), r.data, r.len, 0600, 0, NULL, NULL));
	int lock = open(world_task_file(&w, "t1.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	world_begin_open(&w);
	/* It may be one of ours: "none" would start a second one. */
	assert_false(listable(&w, NULL));
	assert_true(fs_write(world_task_file(&w, "t1.exit"), "of a newer version", 18, 0600, 0,
			     NULL, NULL));
	close(lock);
	world_wait(&w, listable, NULL, "the tasks to be known");
	assert_int_equal(world_count(&w), 0);
	assert_int_equal(access(world_task_file(&w, "t1.task"), F_OK), 0); /* not ours to remove */
	world_release(&w);
}

/* The kernel tells of a close before it takes the lock away; here an own lock makes that time long.
 */
static void test_lock_outlives_its_event(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	long pid = world_main_pid(&w, "t1");
	world_close(&w);
	/* Read only, so that to close it is no event. */
	int lock = open(world_task_file(&w, "t1.lock"), O_RDONLY | O_CLOEXEC);
	kill((pid_t)world_parent_of(pid), SIGKILL);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	world_open(&w);
	assert_int_equal(world_wait_status(&w, "t1", TASK_RUNNING)->status, TASK_RUNNING);
	assert_true(world_start(&w, "t2", world_task(&w, "api", "sleep", NULL)).ok);
	close(open(world_task_file(&w, "t1.lock"), O_WRONLY | O_CLOEXEC));
	/* Events come in order: after this one that of the close was taken. */
	kill((pid_t)world_main_pid(&w, "t2"), SIGKILL);
	world_wait_status(&w, "t2", TASK_STOPPED);
	assert_true(world_alive(pid));
	close(lock);
	world_wait_status(&w, "t1", TASK_STOPPED);
	assert_false(world_alive(pid));
	world_release(&w);
}

/* Somebody emptied the directory: that stops nothing, and nothing is said of what runs. */
static void test_emptied_directory(void **state)
{
	static const char *const files[] = { "t1.task", "t1.start", "t1.ctl", "t1.lock" };
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	long pid = world_main_pid(&w, "t1");
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		assert_true(rename(world_task_file(&w, files[i]), world_path(&w, files[i])) == 0);
	/* An event that makes the engine look. */
	assert_true(fs_write(world_task_file(&w, "t1.start"), "", 0, 0600, 0, NULL, NULL));
	world_wait(&w, unlistable, NULL, "the tasks to be unknown");
	assert_true(world_alive(pid));
	assert_true(fs_remove(world_task_file(&w, "t1.start"), NULL));
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		assert_true(rename(world_path(&w, files[i]), world_task_file(&w, files[i])) == 0);
	world_wait(&w, listable, NULL, "the tasks to be known");
	assert_int_equal(world_wait_status(&w, "t1", TASK_RUNNING)->status, TASK_RUNNING);
	assert_true(world_alive(pid));
	world_release(&w);
}

/* The child of ours that lives: a shim, or the beginning of one. */
static pid_t find_shim(void)
{
	char path[64], text[256];
	pid_t found = 0;
	long pid;
	struct arena arena;
	const char **names;
	size_t count;
	arena_init(&arena);
	assert_true(fs_list("/proc/self/task", &arena, &names, &count, NULL));
	for (size_t i = 0; i < count && !found; i++) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/children", names[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
		for (char *p = text, *end; !found && (pid = strtol(p, &end, 10)) > 0; p = end)
			found = world_alive(pid) ? (pid_t)pid : 0;
	}
	arena_release(&arena);
	return found;
}

static bool no_shim(struct world *w, void *arg)
{
	(void)w;
	(void)arg;
	return !find_shim();
}

/* kill -9 of the shim at any moment of its start: the task ends, stopped, and nothing is left. */
static void test_shim_killed_at_any_moment(void **state)
{
	struct world w;
	struct answer answers[24];
	(void)state;
	world_init(&w, &engine_process_ops);
	for (unsigned i = 0; i < ARRAY_LEN(answers); i++) {
		const char *id = arena_printf(&w.arena, "t%u", i);
		world_wait(&w, no_shim, NULL, "the shim before to be gone");
		world_begin_start(&w, id, world_task(&w, "web", "forks=1", "sleep", NULL),
				  &answers[i]);
		pid_t shim = 0;
		while (!(shim = find_shim()))
			;
		usleep(i * 60);
		kill(shim, SIGKILL);
		world_wait_status(&w, id, TASK_STOPPED);
	}
	world_release(&w); /* looks for what is left */
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		assert_true(answers[i].came);
}

/* --- output ------------------------------------------------------------------------------------
 */

static int64_t size_of(struct world *w, const char *name)
{
	struct stat st;
	const char *dir = engine_log_dir(&w->arena, w->state_dir, DEFAULT_CLUSTER, "web", "main");
	return stat(arena_printf(&w->arena, "%s/%s", dir, name), &st) == 0 ? st.st_size : -1;
}

static void test_logs_rotate(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	assert_true(
		world_start(&w, "t1", world_task(&w, "web", "spam=36700160", "out=end", NULL)).ok);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_int_equal(t->log_bytes_dropped, 0);
	int64_t limit = 10 << 20;
	assert_in_range(size_of(&w, "current.1"), limit - 65536, limit);
	assert_in_range(size_of(&w, "current.2"), limit - 65536, limit);
	assert_in_range(size_of(&w, "current"), 1, limit);
	assert_int_equal(size_of(&w, "current.3"), -1);
	world_wait_log(&w, "web", "main", "end\n");
	world_release(&w);
}

/* Two tasks of a service write the same files: who did not rotate them goes on in the new one. */
static void test_logs_rotated_by_another(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	const char *go = world_path(&w, "go"), *wait = arena_printf(&w.arena, "wait=%s", go);
	assert_true(world_start(&w, "t1",
				world_task(&w, "web", "out=begin", wait, "out=last words", NULL))
			    .ok);
	world_wait_log(&w, "web", "main", "begin\n");
	assert_true(world_start(&w, "t2", world_task(&w, "web", "spam=52428800", NULL)).ok);
	world_wait_status(&w, "t2", TASK_STOPPED);
	assert_int_equal(world_find(&w, "t1")->status, TASK_RUNNING);
	assert_int_equal(close(open(go, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	world_wait_status(&w, "t1", TASK_STOPPED);
	world_wait_log(&w, "web", "main", "last words\n");
	world_release(&w);
}

static void test_logs_dropped(void **state)
{
	struct world w;
	struct rlimit old, low = { 65536, RLIM_INFINITY };
	(void)state;
	world_init(&w, &engine_process_ops);
	/* Stands for the full disk: the shim inherits that no file grows beyond 64 KiB. */
	getrlimit(RLIMIT_FSIZE, &old);
	low.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &low);
	assert_true(
		world_start(&w, "t1", world_task(&w, "web", "spam=1048576", "exit=9", NULL)).ok);
	setrlimit(RLIMIT_FSIZE, &old);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_int_equal(t->containers[0].exit_code, 9); /* it was not held up */
	assert_int_equal(t->log_bytes_dropped, 1048576 - 65536);
	assert_int_equal(size_of(&w, "current"), 65536);
	world_release(&w);
}

static void test_last_words(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	char *text = arena_alloc(&w.arena, 3001);
	memset(text, 'y', 3000);
	const char *longer = arena_printf(&w.arena, "err=%s\xff\x01\xc3\xa9 last", text);
	assert_true(
		world_start(&w, "t1",
			    world_task(&w, "web", "out=no", "err=first", longer, "exit=1", NULL))
			.ok);
	const char *tail = world_wait_status(&w, "t1", TASK_STOPPED)->stderr_tail;
	assert_int_equal(strlen(tail), STDERR_TAIL_MAX);
	assert_true(utf8_valid(tail, strlen(tail)));
	assert_string_equal(tail + STDERR_TAIL_MAX - 10, "?\x01\xc3\xa9 last\n");
	world_release(&w);
}

/* A cluster of its own has a directory of its own. */
static void test_log_place(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task = world_task(&w, "web", "out=here", NULL);
	task->cluster = "edge";
	assert_true(world_start(&w, "t1", task).ok);
	world_wait_status(&w, "t1", TASK_STOPPED);
	assert_string_equal(world_read(&w, arena_printf(&w.arena, "%s/logs/edge~web/main/current",
							w.state_dir)),
			    "here\n");
	world_release(&w);
}

/* --- what a task sees --------------------------------------------------------------------------
 */

static void test_environment(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task =
		world_task(&w, "web", "env=MUSTER_TASK", "env=A", "env=PATH", "env=INHERITED",
			   "out=$(MUSTER_NODE) $(A) $$(A) $(NONE) $", "fds", NULL);
	struct str_pair pairs[] = { { "A", "at $(MUSTER_SERVICE)" }, { "MUSTER_TASK", "forged" } };
	world_container(task, 0)->environment = (struct str_map){ pairs, 2, true };
	setenv("INHERITED", "x", 1);
	assert_true(world_start(&w, "t1", task).ok);
	world_wait_status(&w, "t1", TASK_STOPPED);
	const char *want =
		arena_printf(&w.arena,
			     "t1\nat web\n"
			     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
			     "(none)\n%s at web $(A) $(NONE) $\n0 1 2 .\n",
			     w.node);
	assert_string_equal(world_wait_log(&w, "web", "main", " .\n"), want);
	world_release(&w);
}

static void test_ulimit_and_directory(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	struct ulimit limit = { .name = "nofile",
				.soft_limit = world_integer(100),
				.hard_limit = world_integer(200) };
	struct wire_desired_task *task = world_task(&w, "web", "nofile", "pid=here", NULL);
	world_container(task, 0)->ulimits.items = &limit;
	world_container(task, 0)->ulimits.len = 1;
	world_container(task, 0)->working_directory = w.dir;
	assert_true(world_start(&w, "t1", task).ok);
	world_wait_log(&w, "web", "main", "100 200\n");
	world_wait_file(&w, world_path(&w, "here"));
	/* What cannot be is found before the old task is stopped. */
	world_container(task, 0)->working_directory = "/nowhere";
	struct answer a = world_prepare(&w, task);
	assert_string_equal(a.reason,
			    "CannotStartContainerError: container main: working directory "
			    "'/nowhere': No such file or directory");
	limit.name = "nosuch";
	a = world_prepare(&w, task);
	assert_string_equal(a.reason,
			    "CannotStartContainerError: container main: no such ulimit 'nosuch'");
	world_release(&w);
}

static void test_command_along_path(void **state)
{
	static const struct {
		const char *command, *path, *want; /* want NULL: it is found */
	} rows[] = {
		{ "sh", NULL, NULL },
		{ "testtask", "/nowhere:BIN", NULL },
		{ "sh", "/nowhere", "command 'sh': No such file or directory" },
		{ "plain", "DIR", "command 'plain': Permission denied" },
		{ "/", NULL, "command '/': Permission denied" },
		{ "", NULL, "command '': No such file or directory" },
	};
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	assert_true(fs_write(world_path(&w, "plain"), "x", 1, 0644, 0, NULL, NULL));
	const char *bin = arena_strndup(&w.arena, w.testtask, strlen(w.testtask) - 9);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_desired_task *task = world_task(&w, "web", NULL);
		const char *path = rows[i].path && strstr(rows[i].path, "BIN")
					   ? arena_printf(&w.arena, "/nowhere:%s", bin)
				   : rows[i].path && strcmp(rows[i].path, "DIR") == 0
					   ? w.dir
					   : rows[i].path;
		struct str_pair pair = { "PATH", path };
		world_container(task, 0)->command.items[0] = rows[i].command;
		if (path)
			world_container(task, 0)->environment = (struct str_map){ &pair, 1, true };
		struct answer a = world_prepare(&w, task);
		assert_int_equal(a.ok, rows[i].want == NULL);
		if (rows[i].want)
			assert_non_null(strstr(a.reason, rows[i].want));
	}
	world_release(&w);
}

static void test_user(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task =
		world_task(&w, "web", "ids", "env=HOME", "env=USER", "out=.", NULL);
	world_container(task, 0)->user = "no-such-user";
	assert_non_null(strstr(world_prepare(&w, task).reason, "no such user 'no-such-user'"));
	world_container(task, 0)->user = "12345:23456";
	assert_int_equal(world_can(&w, CAPABILITY_USER), geteuid() == 0);
	if (geteuid() == 0) {
		/* The test's programs may be where only we can go. */
		world_container(task, 0)->command =
			(struct str_list){ (const char *[]){ "/usr/bin/id" }, 1, true };
		assert_true(world_start(&w, "t1", task).ok);
		world_wait_log(&w, "web", "main", "uid=12345 gid=23456 groups=23456\n");
		world_container(task, 0)->user = "nobody";
		assert_true(world_start(&w, "t2", task).ok);
		world_wait_log(&w, "web", "main", "(nobody)");
	} else {
		assert_non_null(strstr(world_prepare(&w, task).reason, "Operation not permitted"));
	}
	world_release(&w);
}

/* --- several containers ------------------------------------------------------------------------
 */

static void depend(struct container_definition *c, struct container_dependency *on)
{
	c->depends_on.items = on;
	c->depends_on.len = 1;
	c->depends_on.set = true;
}

static const struct wire_container *container(const struct node_task *t, const char *name)
{
	for (uint32_t i = 0; i < t->container_count; i++)
		if (strcmp(t->containers[i].name, name) == 0)
			return &t->containers[i];
	fail_msg("no container %s", name);
	return NULL;
}

struct container_state {
	const char *id, *name;
	enum task_status status;
};
static bool container_has(struct world *w, void *arg)
{
	const struct container_state *s = arg;
	return container(world_find(w, s->id), s->name)->last_status == s->status;
}

static void test_essential(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task =
		world_task(&w, "web", word(&w, "wait", "go"), "exit=6", NULL);
	world_add_container(&w, task, "helper", "exit=2", NULL)->essential = OPT_FALSE;
	world_add_container(&w, task, "side", "term-exit=8", "sleep", NULL);
	assert_true(world_start(&w, "t1", task).ok);
	struct container_state s = { "t1", "helper", TASK_STOPPED };
	world_wait(&w, container_has, &s, "the helper to end");
	/* One that is not essential may end. */
	const struct node_task *t = world_find(&w, "t1");
	assert_int_equal(t->status, TASK_RUNNING);
	assert_int_equal(container(t, "helper")->exit_code, 2);
	assert_int_equal(container(t, "side")->last_status, TASK_RUNNING);
	assert_true(fs_write(world_path(&w, "go"), "", 0, 0644, 0, NULL, NULL));
	t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_int_equal(container(t, "main")->exit_code, 6);
	assert_true(container(t, "side")->has_exit_code);
	world_release(&w);
}

static void test_depends_on(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	/* main waits for init's success, though it comes first. */
	struct wire_desired_task *task = world_task(&w, "web", "out=main", "sleep", NULL);
	struct container_dependency on = { .container_name = "init", .condition = "SUCCESS" };
	depend(world_container(task, 0), &on);
	world_add_container(&w, task, "init", word(&w, "wait", "go"), "out=init", NULL)->essential =
		OPT_FALSE;
	assert_true(world_start(&w, "t1", task).ok);
	assert_int_equal(container(world_find(&w, "t1"), "main")->last_status, TASK_PENDING);
	assert_true(fs_write(world_path(&w, "go"), "", 0, 0644, 0, NULL, NULL));
	struct container_state s = { "t1", "main", TASK_RUNNING };
	world_wait(&w, container_has, &s, "main to start");
	assert_int_equal(container(world_find(&w, "t1"), "init")->last_status, TASK_STOPPED);
	/* A failure of it fails the task; COMPLETE does not mind. */
	world_container(task, 1)->command.items[1] = "exit=1";
	world_start(&w, "t2", task);
	assert_string_equal(world_wait_status(&w, "t2", TASK_STOPPED)->stop_code,
			    "TaskFailedToStart");
	on.condition = "COMPLETE";
	assert_true(world_start(&w, "t3", task).ok);
	s.id = "t3";
	world_wait(&w, container_has, &s, "main to start");
	on.condition = "HEALTHY";
	assert_non_null(strstr(world_prepare(&w, task).reason, "HEALTHY is not supported"));
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stop_takes_all),
		cmocka_unit_test(test_stop_is_graceful),
		cmocka_unit_test(test_exit_takes_the_rest),
		cmocka_unit_test(test_shim_ignores_signals),
		cmocka_unit_test(test_stop_is_repeated),
		cmocka_unit_test(test_killed_shim),
		cmocka_unit_test(test_killed_shim_while_no_agent),
		cmocka_unit_test(test_reboot),
		cmocka_unit_test(test_record_without_shim),
		cmocka_unit_test(test_newer_record),
		cmocka_unit_test(test_lock_outlives_its_event),
		cmocka_unit_test(test_emptied_directory),
		cmocka_unit_test(test_shim_killed_at_any_moment),
		cmocka_unit_test(test_logs_rotate),
		cmocka_unit_test(test_logs_rotated_by_another),
		cmocka_unit_test(test_logs_dropped),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_log_place),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_ulimit_and_directory),
		cmocka_unit_test(test_command_along_path),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_essential),
		cmocka_unit_test(test_depends_on),
	};
	return cmocka_run_group_tests_name("engine process", tests, NULL, NULL);
}
