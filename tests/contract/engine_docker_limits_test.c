/*
 * What the containers of a task may have together, on a real container engine at $ENGINE_SOCKET:
 * the control group above them, with the same limits whichever engine and version it is.
 */
#include "engine_docker_world.h"

#include "engine/cgroup.h"
#include "fs/fs.h"

#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNITS "/run/systemd/system"

/* Of that task, by either way (engine/docker/groups.c): what follows the root of a hierarchy. */
static const char *const forms[] = { "muster.*.%s/%s", "muster.*.%s.%s.slice" };

/* As in the names of slices. Ids of tasks here have nothing to be escaped. */
static const char *node_of(struct world *w, size_t form)
{
	const char *dash = strchr(w->node, '-');
	return form && dash ? arena_printf(&w->arena, "%.*s_d%s", (int)(dash - w->node), w->node,
					   dash + 1)
			    : w->node;
}

/* How many groups of that task there are, in whichever hierarchies, that have the file. */
static size_t groups_of(struct world *w, const char *task, const char *file, const char **first)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/*" };
	glob_t found = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(roots) * ARRAY_LEN(forms); i++) {
		size_t form = i % ARRAY_LEN(forms);
		const char *name = arena_printf(&w->arena, forms[form], node_of(w, form), task);
		const char *root = roots[i / ARRAY_LEN(forms)];
		glob(arena_printf(&w->arena, "%s/%s/%s", root, name, file), i ? GLOB_APPEND : 0,
		     NULL, &found);
	}
	size_t count = found.gl_pathc;
	if (first)
		*first = count ? arena_strdup(&w->arena, found.gl_pathv[0]) : NULL;
	globfree(&found);
	return count;
}

/* The units of slices that this agent has written. */
static size_t units_of(struct world *w, const char *task)
{
	glob_t found = { 0 };
	const char *name = arena_printf(&w->arena, forms[1], node_of(w, 1), task);
	glob(arena_printf(&w->arena, UNITS "/%s", name), 0, NULL, &found);
	size_t count = found.gl_pathc;
	globfree(&found);
	return count;
}

static bool no_groups(struct world *w, void *task)
{
	return groups_of(w, task, "", NULL) == 0 && units_of(w, task) == 0;
}

static const char *limit_of(struct world *w, const char *task, const char *v1, const char *v2)
{
	const char *path;
	struct buf text = { 0 };
	if (!groups_of(w, task, v1, &path) && !groups_of(w, task, v2, &path))
		return "";
	assert_true(cgroup_read(path, &text));
	const char *copy = arena_strdup(&w->arena, buf_str(&text));
	buf_release(&text);
	return copy;
}

static struct wire_desired_task *task_of_two(struct world *w)
{
	struct wire_desired_task *task = world_task(w, "web", "eat=20", "out=up", "sleep", NULL);
	world_add_container(w, task, "side", "eat=20", "out=up", "sleep", NULL);
	depend(w, world_container(task, 1), "main", "START");
	world_definition(task)->memory = world_integer(64);
	world_definition(task)->cpu = world_integer(512);
	return task;
}

/* What two containers have together is what the task has. */
static void test_task_limits(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = task_of_two(&w);
	if (!world_can(&w, CAPABILITY_TASK_LIMITS)) {
		/* Never weakened in silence. */
		struct answer a = world_start(&w, "t1", task);
		assert_false(a.ok);
		assert_memory_equal(a.reason, "ResourceInitializationError: limits of a whole", 46);
		world_release(&w);
		return;
	}
	assert_string_equal(world_start(&w, "t1", task).reason, "");
	assert_memory_equal(limit_of(&w, "t1", "memory.limit_in_bytes", "memory.max"), "67108864\n",
			    9);
	assert_memory_equal(limit_of(&w, "t1", "cpu.cfs_quota_us", "cpu.max"), "50000", 5);
	const char *id = container_id(&w, "t1", "side");
	assert_string_equal(told(&w, id, "HostConfig.Memory"), "0");
	assert_string_equal(told(&w, id, "HostConfig.NanoCpus"), "0");
	wait_logged(&w, id, "up"); /* 40 of 64 */
	world_stop(&w, "t1", "x");
	world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(world_remove(&w, "t1").ok);
	world_wait(&w, no_groups, (void *)"*", "no group to be left");
	world_release(&w);
}

/* The sum is too much, no container by itself. An agent that comes to it later hears of it too. */
static void test_killed_for_the_sum(void **state)
{
	struct world w;
	struct volume volume = { .name = "dir" };
	struct mount_point mount = { .source_volume = "dir", .container_path = "/dir" };
	int killed = 0;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct volume_host host = { .source_path = w.dir };
	struct wire_desired_task *task = task_of_two(&w);
	if (!world_can(&w, CAPABILITY_TASK_LIMITS)) {
		world_release(&w);
		return;
	}
	world_definition(task)->memory = world_integer(32);
	volume.host = &host;
	world_definition(task)->volumes.items = &volume;
	world_definition(task)->volumes.len = 1;
	world_container(task, 1)->mount_points.items = &mount;
	world_container(task, 1)->mount_points.len = 1;
	world_container(task, 1)->stop_timeout = world_integer(1);
	shell(&w, world_container(task, 1),
	      "until [ -e /dir/go ]; do sleep 0.1; done; exec testtask eat=20 sleep");
	assert_string_equal(world_start(&w, "t1", task).reason, "");
	wait_logged(&w, container_id(&w, "t1", "main"), "up");
	world_close(&w);
	world_open(&w);
	assert_true(fs_write(world_path(&w, "go"), "", 0, 0644, 0, NULL, NULL));
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	for (uint32_t i = 0; i < t->container_count; i++)
		killed += t->containers[i].reason &&
			  strncmp(t->containers[i].reason, "OutOfMemoryError", 16) == 0;
	assert_int_equal(killed, 1);
	assert_memory_equal(t->reason, "OutOfMemoryError: Container killed", 34);
	world_release(&w);
}

/* One alone is limited itself, in no group of ours. */
static void test_limits_of_one(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "eat=64", "sleep", NULL);
	world_definition(task)->memory = world_integer(16);
	world_definition(task)->network_mode = "awsvpc"; /* an owner does not count */
	world_start(&w, "t1", task);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_int_equal(t->containers[0].exit_code, 137);
	/* Podman may not know; where the container says it, so does the task. */
	if (t->containers[0].reason)
		assert_string_equal(t->reason, t->containers[0].reason);
	assert_string_equal(told(&w, container_id(&w, "t1", "main"), "HostConfig.Memory"),
			    "16777216");
	assert_true(no_groups(&w, (void *)"*"));
	world_release(&w);
}

/* As the group of a task of ours that is not known. */
static void leave_group(struct world *w)
{
	const char *path;
	assert_int_not_equal(groups_of(w, "t1", "", &path), 0);
	if (units_of(w, "t1")) {
		const char *prefix = strstr(path, "/muster.");
		const char *left = arena_printf(&w->arena, UNITS "%.*sleft.slice",
						(int)(strstr(path, "t1.slice") - prefix), prefix);
		assert_true(fs_write(left, "", 0, 0644, 0, NULL, NULL));
	} else {
		const char *left =
			arena_printf(&w->arena, "%.*sleft", (int)(strlen(path) - 3), path);
		assert_int_equal(mkdir(left, 0755), 0);
	}
	assert_false(no_groups(w, (void *)"left"));
}

/* What an agent left that was killed before the first container was there. */
static void test_left_groups(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	if (world_can(&w, CAPABILITY_TASK_LIMITS)) {
		assert_string_equal(world_start(&w, "t1", task_of_two(&w)).reason, "");
		leave_group(&w);
		world_close(&w);
		world_open(&w);
		world_wait(&w, no_groups, (void *)"left", "what was left to be removed");
		assert_false(no_groups(&w, (void *)"t1"));
	}
	world_release(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_task_limits),
		cmocka_unit_test(test_killed_for_the_sum),
		cmocka_unit_test(test_limits_of_one),
		cmocka_unit_test(test_left_groups),
	};
	if (!getenv("ENGINE_SOCKET")) {
		puts("1..0 # SKIP no $ENGINE_SOCKET");
		return 0;
	}
	return cmocka_run_group_tests_name("docker engine, limits", tests, NULL, NULL);
}
