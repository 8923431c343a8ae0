/* engine/process and control groups, whichever this machine has: limits, and what is left there. */
#include "engine_world.h"

#include "engine/cgroup.h"
#include "engine/process/record.h"
#include "fs/fs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* A file of a process in /proc: those say no size. */
static const char *proc_text(struct world *w, long pid, const char *name)
{
	char path[64], *text = arena_alloc(&w->arena, 4096);
	snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, 4095);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

/* --- limits ------------------------------------------------------------------------------------
 */

static void test_memory_limit(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task = world_task(&w, "web", "eat=64", "sleep", NULL);
	world_container(task, 0)->memory = world_integer(16);
	if (!world_can(&w, CAPABILITY_MEMORY_LIMIT)) {
		/* Never weakened in silence. */
		assert_false(world_start(&w, "t1", task).ok);
		world_release(&w);
		return;
	}
	world_start(&w, "t1", task);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_int_equal(t->containers[0].exit_code, 137);
	assert_memory_equal(t->containers[0].reason, "OutOfMemoryError", 16);
	assert_memory_equal(t->reason, "OutOfMemoryError", 16);
	/* Of the whole task. */
	task = world_task(&w, "web", "eat=64", "sleep", NULL);
	world_definition(task)->memory = world_integer(16);
	world_start(&w, "t2", task);
	t = world_wait_status(&w, "t2", TASK_STOPPED);
	assert_memory_equal(t->reason, "OutOfMemoryError", 16);
	world_release(&w);
}

static void test_pids_limit(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task = world_task(&w, "web", "forks=50", "out=up", "sleep", NULL);
	world_definition(task)->pids_limit = world_integer(8);
	if (world_can(&w, CAPABILITY_PIDS_LIMIT)) {
		assert_true(world_start(&w, "t1", task).ok);
		world_wait_log(&w, "web", "main", "up");
		/* 7 children and their parent. */
		int children = 0;
		char name[64];
		snprintf(name, sizeof(name), "task/%ld/children", world_main_pid(&w, "t1"));
		for (const char *p = proc_text(&w, world_main_pid(&w, "t1"), name); *p; p++)
			children += *p == ' ';
		assert_int_equal(children, 7);
	}
	world_release(&w);
}

static void test_shim_is_outside_of_the_limits(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	if (world_can(&w, CAPABILITY_MEMORY_LIMIT) && world_can(&w, CAPABILITY_CPU_LIMIT)) {
		world_container(task, 0)->memory = world_integer(64);
		world_container(task, 0)->cpu = world_integer(128);
		world_definition(task)->cpu = world_integer(512);
		assert_true(world_start(&w, "t1", task).ok);
		long pid = world_main_pid(&w, "t1");
		const char *own = "/t1/main";
		assert_non_null(strstr(proc_text(&w, pid, "cgroup"), own));
		assert_null(strstr(proc_text(&w, world_parent_of(pid), "cgroup"), w.node));
		assert_null(strstr(proc_text(&w, getpid(), "cgroup"), w.node));
	}
	world_release(&w);
}

/* --- what is left ------------------------------------------------------------------------------
 */

/* The group that a container of the task was put into; NULL: there are none here. */
static const char *recorded_group(struct world *w, const char *id)
{
	struct buf record = { 0 };
	struct record_reader r;
	const char *group = NULL, *entry, *value;
	assert_true(fs_read(world_task_file(w, arena_printf(&w->arena, "%s.task", id)),
			    RECORD_MAX_BYTES, &record, NULL));
	assert_int_equal(record_open(&r, record.data, record.len, "task"), RECORD_OK);
	while ((entry = record_next(&r)))
		if ((value = record_value(entry, "cgroup")))
			group = arena_strdup(&w->arena, value);
	buf_release(&record);
	return group;
}

/* A task may make groups of its own, below its own. */
static void test_killed_shim_with_inner_groups(void **state)
{
	struct world w;
	char text[32];
	(void)state;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task =
		world_task(&w, "web", arena_printf(&w.arena, "daemon=%s", world_path(&w, "left")),
			   "sleep", NULL);
	assert_true(world_start(&w, "t1", task).ok);
	long left = world_wait_pid(&w, world_path(&w, "left")), pid = world_main_pid(&w, "t1");
	const char *group = recorded_group(&w, "t1");
	if (group) {
		const char *inner = arena_printf(&w.arena, "%s/inner", group);
		snprintf(text, sizeof(text), "%ld", left);
		assert_int_equal(mkdir(inner, 0755), 0);
		assert_true(cgroup_write(inner, "cgroup.procs", text, NULL));
		kill((pid_t)world_parent_of(pid), SIGKILL);
		world_wait_status(&w, "t1", TASK_STOPPED);
		assert_false(world_alive(left) || world_alive(pid));
		assert_int_equal(access(group, F_OK), -1);
	}
	world_release(&w);
}

/* Ourselves, as the agent is where its process is. */
static bool move_to(const char *group)
{
	char pid[16];
	snprintf(pid, sizeof(pid), "%d", getpid());
	return cgroup_write(group, "cgroup.procs", pid, NULL);
}

static bool can_remove(struct world *w, void *arg)
{
	(void)w;
	return rmdir(arg) == 0;
}

/* As when a unit of systemd was stopped, and the agent is then run by hand to leave the fleet. */
static void test_agent_in_another_group(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_process_ops);
	const char *own = cgroup_own_dir("", proc_text(&w, getpid(), "mountinfo"),
					 proc_text(&w, getpid(), "cgroup"), &w.arena);
	const char *outer = arena_printf(&w.arena, "%s/%s", own ? own : "", w.node);
	const char *inner = arena_printf(&w.arena, "%s/agent", outer);
	if (own && mkdir(outer, 0755) == 0 && mkdir(inner, 0755) == 0 && move_to(inner)) {
		world_close(&w);
		world_open(&w);
		assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
		const char *group = recorded_group(&w, "t1");
		assert_memory_equal(group, outer, strlen(outer));
		world_close(&w);
		assert_true(move_to(own));
		world_open(&w);
		world_stop(&w, "t1", "over");
		world_wait_status(&w, "t1", TASK_STOPPED);
		assert_true(world_remove(&w, "t1").ok);
		world_wait(&w, can_remove, (void *)inner, "the shim to be gone");
		assert_int_equal(rmdir(outer), 0); /* nothing else is in it */
	}
	rmdir(inner);
	rmdir(outer);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_pids_limit),
		cmocka_unit_test(test_shim_is_outside_of_the_limits),
		cmocka_unit_test(test_killed_shim_with_inner_groups),
		cmocka_unit_test(test_agent_in_another_group),
	};
	return cmocka_run_group_tests_name("engine cgroup", tests, NULL, NULL);
}
