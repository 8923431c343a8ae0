/*
 * What other hands do to our containers, and what is left after a kill, on a real container engine
 * at $ENGINE_SOCKET: everything is put right, and nothing of others is touched.
 */
#include "engine_docker_world.h"

#include "fs/fs.h"

#include <unistd.h>

static bool api_container(struct world *w, const char *verb, const char *id, const char *what,
			  const char *body)
{
	api_do(w, verb, arena_printf(&w->arena, "/containers/%s%s", id, what), body);
	return true;
}

struct wait_told {
	const char *id, *path, *want;
};
static bool tells(struct world *w, void *arg)
{
	const struct wait_told *t = arg;
	return strcmp(told(w, t->id, t->path), t->want) == 0;
}
static void wait_told(struct world *w, const char *id, const char *path, const char *want)
{
	struct wait_told t = { id, path, want };
	world_wait(w, tells, &t, want);
}

/* --- other hands -------------------------------------------------------------------------------
 */

static void test_killed(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	api_container(&w, "POST", container_id(&w, "t1", "main"), "/kill?signal=KILL", NULL);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_string_equal(t->stop_code, "EssentialContainerExited");
	assert_false(t->stop_requested);
	assert_int_equal(t->containers[0].exit_code, 137);
	world_release(&w);
}

static void test_paused(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	const char *id = container_id(&w, "t1", "main");
	api_container(&w, "POST", id, "/pause", NULL);
	wait_told(&w, id, "State.Status", "running");
	assert_int_equal(world_find(&w, "t1")->status, TASK_RUNNING);
	world_release(&w);
}

static bool side_is_back(struct world *w, void *arg)
{
	const struct node_task *t = world_find(w, "t1");
	const char *id = t->containers[1].runtime_id;
	return t->containers[1].last_status == TASK_RUNNING && id && strcmp(id, arg) != 0;
}

static void test_removed(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	world_add_container(&w, task, "side", "sleep", NULL)->essential = OPT_FALSE;
	assert_true(world_start(&w, "t1", task).ok);
	const char *side = container_id(&w, "t1", "side");
	api_container(&w, "DELETE", side, "?force=1", NULL);
	world_wait(&w, side_is_back, (void *)side, "the container to be made again");
	assert_int_equal(world_find(&w, "t1")->status, TASK_RUNNING);
	/* Without an essential one the task is over. */
	api_container(&w, "DELETE", container_id(&w, "t1", "main"), "?force=1", NULL);
	assert_false(world_wait_status(&w, "t1", TASK_STOPPED)->stop_requested);
	world_release(&w);
}

static void test_changed(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	const char *id = container_id(&w, "t1", "main");
	json_t *answer = api(&w, "POST", arena_printf(&w.arena, "/containers/%s/update", id),
			     "{\"Memory\":67108864,\"MemorySwap\":134217728}");
	bool can = json_object_get(answer, "Warnings") != NULL; /* Podman 4.3 has no such call */
	json_decref(answer);
	if (can)
		assert_non_null(
			strstr(world_wait_status(&w, "t1", TASK_STOPPED)->reason, "changed"));
	world_release(&w);
}

static void test_started_again(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	const char *id = container_id(&w, "t1", "main");
	world_stop(&w, "t1", "over");
	world_wait_status(&w, "t1", TASK_STOPPED);
	api_container(&w, "POST", id, "/start", NULL);
	wait_told(&w, id, "State.Status", "exited");
	assert_int_equal(world_find(&w, "t1")->status, TASK_STOPPED);
	world_release(&w);
}

/* --- strangers ---------------------------------------------------------------------------------
 */

static const char *stranger(struct world *w, const char *name)
{
	json_t *answer = api(w, "POST", arena_printf(&w->arena, "/containers/create?name=%s", name),
			     "{\"Image\":\"" WORLD_IMAGE "\",\"Cmd\":[\"testtask\",\"sleep\"]}");
	const char *id = json_string_value(json_object_get(answer, "Id"));
	assert_non_null(id);
	const char *copy = arena_strdup(&w->arena, id);
	json_decref(answer);
	return copy;
}

static void test_name_is_taken(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	const char *name = arena_printf(&w.arena, "muster-%s-web-main-t1", w.node);
	const char *id = stranger(&w, name);
	struct answer a = world_start(&w, "t1", world_task(&w, "web", "sleep", NULL));
	assert_false(a.ok);
	assert_memory_equal(a.reason, "CannotCreateContainerError: ", 28);
	assert_non_null(strstr(a.reason, name));
	assert_non_null(strstr(a.reason, arena_strndup(&w.arena, id, 12)));
	world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(world_remove(&w, "t1").ok);
	assert_string_equal(told(&w, id, "State.Status"), "created"); /* and there it is still */
	/* When it goes, the next start does. */
	api_container(&w, "DELETE", id, "", NULL);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	world_release(&w);
}

/* --- after a kill ------------------------------------------------------------------------------
 */

static void lose_files(struct world *w)
{
	world_close(w);
	assert_true(fs_remove_tree(w->state_dir, NULL));
	world_open(w);
}

static void test_files_are_lost(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	struct container_definition *side = world_add_container(&w, task, "side", "sleep", NULL);
	side->essential = OPT_FALSE;
	side->stop_timeout = world_integer(3);
	world_definition(task)->network_mode = "awsvpc";
	assert_true(world_start(&w, "t1", task).ok);
	const char *main_id = container_id(&w, "t1", "main");
	const char *side_id = container_id(&w, "t1", "side");
	lose_files(&w);
	const struct node_task *t = world_find(&w, "t1");
	assert_non_null(t);
	assert_int_equal(t->status, TASK_RUNNING);
	assert_string_equal(t->service, "web");
	assert_string_equal(t->family, "web-family");
	assert_int_equal(t->revision, 7);
	assert_true(digest_equal(&t->target, &task->target));
	assert_true(t->lacks_definition);
	assert_int_equal(t->container_count, 2);
	/* Not even what is missing is made up. */
	api_container(&w, "DELETE", side_id, "?force=1", NULL);
	struct str_map environment = { 0 };
	w.ops->define(w.engine, "t1", task, &environment);
	assert_false(world_find(&w, "t1")->lacks_definition);
	world_wait(&w, side_is_back, (void *)side_id, "the container to be made again");
	assert_string_equal(container_id(&w, "t1", "main"), main_id);
	assert_string_equal(told(&w, main_id, "State.Status"), "running");
	/* And once more, to be stopped without a definition. */
	lose_files(&w);
	assert_true(world_stop(&w, "t1", "x").ok);
	assert_true(world_wait_status(&w, "t1", TASK_STOPPED)->stop_requested);
	world_release(&w);
	world_init(&w, &engine_docker_ops);
	world_release(&w);
}

struct enough {
	int turns;
};
static bool enough(struct world *w, void *arg)
{
	(void)w;
	return ((struct enough *)arg)->turns-- <= 0;
}

/* An agent that is killed at any point of a start: its successor goes on, with one of each. */
static void test_killed_while_starting(void **state)
{
	struct world w;
	struct answer a;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	world_add_container(&w, task, "side", "sleep", NULL);
	world_definition(task)->network_mode = "awsvpc";
	for (int turns = 0; turns < 24; turns += 2) {
		struct enough n = { turns };
		const char *id = arena_printf(&w.arena, "t%d", turns);
		world_begin_start(&w, id, task, &a);
		world_wait(&w, enough, &n, "a moment");
		world_close(&w);
		world_open(&w);
		world_wait_status(&w, id, TASK_RUNNING);
		assert_int_equal(containers_of_node(&w), 3);
		world_stop(&w, id, "x");
		world_wait_status(&w, id, TASK_STOPPED);
		assert_true(world_remove(&w, id).ok);
		assert_int_equal(containers_of_node(&w), 0);
	}
	world_release(&w);
}

static void test_killed_while_stopping(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	assert_true(
		world_start(&w, "t1", world_task(&w, "web", "term-ms=300", "out=up", "sleep", NULL))
			.ok);
	world_stop(&w, "t1", "a reason of its own");
	world_close(&w);
	world_open(&w);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(t->stop_requested);
	assert_string_equal(t->reason, "a reason of its own");
	world_release(&w);
}

static void test_started_anew(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	const char *id = container_id(&w, "t1", "main");
	world_close(&w);
	api_container(&w, "POST", id, "/kill?signal=KILL", NULL);
	w.boot = "b0070000000000000000000000000002"; /* the machine was started anew meanwhile */
	world_open(&w);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(t->earlier_boot);
	assert_int_equal(t->stopped_at_ms, 0);
	assert_true(t->stopped_unix_ms > 0);
	world_release(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_started_again),
		cmocka_unit_test(test_name_is_taken),
		cmocka_unit_test(test_files_are_lost),
		cmocka_unit_test(test_killed_while_starting),
		cmocka_unit_test(test_killed_while_stopping),
		cmocka_unit_test(test_started_anew),
	};
	if (!getenv("ENGINE_SOCKET")) {
		puts("1..0 # SKIP no $ENGINE_SOCKET");
		return 0;
	}
	return cmocka_run_group_tests_name("docker engine, other hands", tests, NULL, NULL);
}
