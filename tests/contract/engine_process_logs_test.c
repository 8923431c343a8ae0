/* What processes print: rotated, dropped, kept as last words. */
#include <fcntl.h>
#include <unistd.h>
#include "engine_world.h"

#include "engine/process/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logs_rotate),  cmocka_unit_test(test_logs_rotated_by_another),
		cmocka_unit_test(test_logs_dropped), cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_log_place),
	};
	return cmocka_run_group_tests_name("process engine: output", tests, NULL, NULL);
}
