/* engine process: files of the repository and secrets of the node. */
#include "engine_world.h"
#include "fs/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define SECRET "hunter-of-the-snark"

static struct config_file *give_file(struct world *w, struct container_definition *c,
				     const char *path, const char *mode, const char *text)
{
	struct config_file *file = ARENA_NEW(&w->arena, struct config_file);
	struct buf content = { 0 };
	base64_encode(text, strlen(text), &content);
	*file = (struct config_file){ .source = "x",
				      .path = path,
				      .mode = mode,
				      .content = arena_strdup(&w->arena, buf_str(&content)) };
	buf_release(&content);
	c->files.items = file;
	c->files.len = 1;
	c->files.set = true;
	return file;
}

static struct key_value_secret *give_secret(struct world *w, struct container_definition *c,
					    const char *name, const char *from)
{
	struct key_value_secret *secret = ARENA_NEW(&w->arena, struct key_value_secret);
	*secret = (struct key_value_secret){ .name = name, .value_from = from };
	c->secrets.items = secret;
	c->secrets.len = 1;
	c->secrets.set = true;
	return secret;
}

/* Where the container says that its files are. */
static const char *files_dir(struct world *w, const char *log)
{
	const char *start = strstr(log, "/");
	return arena_strndup(&w->arena, start, strcspn(start, "\n"));
}

static void files_are_there_and_go(void **state UNUSED)
{
	struct world w;
	struct stat st;
	world_init(&w, &engine_process_ops);
	struct wire_desired_task *task =
		world_task(&w, "web", "env=MUSTER_FILES", "out=told", "sleep", NULL);
	struct config_file *file =
		give_file(&w, world_container(task, 0), "/etc/web/web.conf", NULL, "listen 80\n");
	assert_true(world_prepare(&w, task).ok);
	assert_true(world_start(&w, "t1", task).ok);
	const char *dir = files_dir(&w, world_wait_log(&w, "web", "main", "told"));
	const char *path = fs_join(&w.arena, dir, "etc/web/web.conf");
	assert_string_equal(world_read(&w, path), "listen 80\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	/* They outlive the agent, and go with the task. */
	world_close(&w);
	world_open(&w);
	assert_int_equal(access(path, R_OK), 0);
	world_stop(&w, "t1", "x");
	world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(world_remove(&w, "t1").ok);
	assert_int_equal(access(dir, F_OK), -1);

	file->mode = "0640";
	file->user = "65534:65534";
	bool root = geteuid() == 0;
	struct answer a = world_start(&w, "t2", task);
	assert_int_equal(a.ok, root);
	path = arena_printf(&w.arena, "%s/files/process/t2/main/etc/web/web.conf", w.state_dir);
	if (root) {
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		assert_int_equal(st.st_uid, 65534);
	}
	world_release(&w);
}

/* What a kill in the middle of a start left is gone with the next agent. */
static void strays_are_swept(void **state UNUSED)
{
	struct world w;
	world_init(&w, &engine_process_ops);
	const char *stray = arena_printf(&w.arena, "%s/files/process/%s/main", w.state_dir, "0123");
	assert_true(fs_mkdirs(stray, 0711, NULL));
	world_close(&w);
	world_open(&w);
	assert_int_equal(access(stray, F_OK), -1);
	world_release(&w);
}

static void paths_stay_below(void **state UNUSED)
{
	static const char *const paths[] = {
		"/../../escaped", "/a/../../../escaped", "relative", "/a//b", "/a/", "/", "/a/.."
	};
	struct world w;
	world_init(&w, &engine_process_ops);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
		give_file(&w, world_container(task, 0), paths[i], NULL, "x");
		struct answer a = world_start(&w, arena_printf(&w.arena, "t%zu", i), task);
		assert_false(a.ok);
		assert_memory_equal(a.reason, "ResourceInitializationError: ", 29);
	}
	world_release(&w);
}

static int seen_in(struct world *w, const char *dir)
{
	const char *argv = arena_printf(&w->arena, "grep -rqs %s %s", SECRET, dir);
	return system(argv); /* of a test: 0 is found */
}

static void secrets_reach_the_task_alone(void **state UNUSED)
{
	struct world w;
	world_init(&w, &engine_process_ops);
	const char *path = world_path(&w, "secret");
	assert_true(fs_write(path, SECRET "\n", sizeof(SECRET), 0600, 0, NULL, NULL));
	struct wire_desired_task *task = world_task(&w, "web", "env=TOKEN", "sleep", NULL);
	give_secret(&w, world_container(task, 0), "TOKEN", arena_printf(&w.arena, "file:%s", path));
	/* The other container has none of it. */
	world_add_container(&w, task, "other", "env=TOKEN", "out=told", "sleep", NULL);
	assert_true(world_prepare(&w, task).ok);
	assert_true(world_start(&w, "t1", task).ok);
	assert_string_equal(world_wait_log(&w, "web", "main", "\n"), SECRET "\n");
	assert_null(strstr(world_wait_log(&w, "web", "other", "told"), SECRET));
	assert_int_equal(seen_in(&w, arena_printf(&w.arena, "%s/tasks", w.state_dir)), 1 << 8);

	assert_int_equal(setenv("MUSTER_TEST_SECRET", "from the agent", 1), 0);
	world_container(task, 0)->secrets.items[0].value_from = "env:MUSTER_TEST_SECRET";
	task->service = "env";
	assert_true(world_start(&w, "t2", task).ok);
	assert_string_equal(world_wait_log(&w, "env", "main", "\n"), "from the agent\n");
	unsetenv("MUSTER_TEST_SECRET");
	world_release(&w);
}

static void secrets_that_cannot_be_had(void **state UNUSED)
{
	struct world w;
	world_init(&w, &engine_process_ops);
	const char *open = world_path(&w, "open"), *zero = world_path(&w, "zero"),
		   *large = world_path(&w, "large");
	char *bytes = xcalloc(1, SECRET_MAX_BYTES + 1);
	memset(bytes, 'x', SECRET_MAX_BYTES + 1);
	fs_write(open, SECRET, strlen(SECRET), 0644, 0, NULL, NULL);
	fs_write(zero, "a\0b", 3, 0600, 0, NULL, NULL);
	fs_write(large, bytes, SECRET_MAX_BYTES + 1, 0600, 0, NULL, NULL);
	free(bytes);
	const struct {
		const char *from, *want;
	} rows[] = {
		{ arena_printf(&w.arena, "file:%s", world_path(&w, "none")), "No such file" },
		{ arena_printf(&w.arena, "file:%s", open), "can be read by everyone (mode 0644)" },
		{ arena_printf(&w.arena, "file:%s", zero), "zero byte" },
		{ arena_printf(&w.arena, "file:%s", large), "large" },
		{ arena_printf(&w.arena, "file:%s", w.dir), "" },
		{ "file:relative", "nothing maps 'file:relative'" },
		{ "env:MUSTER_TEST_NONE", "environment has no MUSTER_TEST_NONE" },
		{ "arn:aws:secretsmanager:eu-west-1:1:secret:x", "nothing maps 'arn:aws:" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
		give_secret(&w, world_container(task, 0), "TOKEN", rows[i].from);
		struct answer a = world_prepare(&w, task);
		assert_false(a.ok);
		assert_memory_equal(a.reason, "ResourceInitializationError: secret TOKEN: ", 43);
		if (!strstr(a.reason, rows[i].want))
			fail_msg("%s: %s", rows[i].from, a.reason);
		assert_null(strstr(a.reason, SECRET));
	}
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_there_and_go),
		cmocka_unit_test(strays_are_swept),
		cmocka_unit_test(paths_stay_below),
		cmocka_unit_test(secrets_reach_the_task_alone),
		cmocka_unit_test(secrets_that_cannot_be_had),
	};
	return cmocka_run_group_tests_name("engine process files", tests, NULL, NULL);
}
