/* Shims that are killed, and what else may become of a task's files. */
#include "engine_world.h"

#include "engine/process/record.h"
#include "fs/fs.h"
#include "tasklog/marks.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
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
	const char *dir = engine_log_dir(&w.arena, w.state_dir, DEFAULT_CLUSTER, "web", "main");
	assert_non_null(strstr(world_read(&w, fs_join(&w.arena, dir, TASKLOG_MARKS)), " t1 end\n"));
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_shim),
		cmocka_unit_test(test_killed_shim_while_no_agent),
		cmocka_unit_test(test_reboot),
		cmocka_unit_test(test_record_without_shim),
		cmocka_unit_test(test_newer_record),
		cmocka_unit_test(test_lock_outlives_its_event),
		cmocka_unit_test(test_emptied_directory),
		cmocka_unit_test(test_shim_killed_at_any_moment),
	};
	return cmocka_run_group_tests_name("process engine: killed shims", tests, NULL, NULL);
}
