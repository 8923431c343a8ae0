/* What only real processes can show: stopping what was forked, several containers, users, limits.
 */
#include "engine_world.h"

#include "fs/fs.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const char *word(struct world *w, const char *name, const char *file)
{
	return arena_printf(&w->arena, "%s=%s", name, world_path(w, file));
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
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stop_takes_all),
		cmocka_unit_test(test_stop_is_graceful),
		cmocka_unit_test(test_exit_takes_the_rest),
		cmocka_unit_test(test_shim_ignores_signals),
		cmocka_unit_test(test_stop_is_repeated),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_ulimit_and_directory),
		cmocka_unit_test(test_command_along_path),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_essential),
		cmocka_unit_test(test_depends_on),
	};
	return cmocka_run_group_tests_name("process engine", tests, NULL, NULL);
}
