/*
 * The engine contract on a real container engine at $ENGINE_SOCKET, and what only containers have:
 * several of them, health, a shared network, volumes, files. tests/engines/contract.t runs it.
 */
#include "engine_contract.h"
#include "engine_docker_world.h"

#include "fs/fs.h"
#include "wire/wire.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define TESTS_MAX 64

/* --- several containers ------------------------------------------------------------------------
 */

static void test_order(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	struct container_definition *main = world_container(task, 0);
	struct container_definition *first = world_add_container(&w, task, "first", "exit=0", NULL);
	struct container_definition *alive = world_add_container(&w, task, "alive", "sleep", NULL);
	first->essential = OPT_FALSE;
	check_health(&w, alive, "[ -e /tmp/up ] || { mkdir -p /tmp; touch /tmp/up; exit 1; }");
	alive->health_check->retries = world_integer(3);
	depend(&w, alive, "first", "SUCCESS");
	depend(&w, main, "alive", "HEALTHY");
	assert_string_equal(world_start(&w, "t1", task).reason, "");
	const struct node_task *t = world_find(&w, "t1");
	assert_int_equal(t->status, TASK_RUNNING);
	assert_int_equal(t->containers[0].last_status, TASK_RUNNING);
	assert_int_equal(t->containers[1].last_status, TASK_STOPPED);
	assert_int_equal(t->containers[1].exit_code, 0);
	assert_int_equal(t->containers[2].health, HEALTH_HEALTHY);
	assert_int_equal(t->health, HEALTH_HEALTHY);
	assert_true(t->health_checked);
	const char *ids[] = { container_id(&w, "t1", "first"), container_id(&w, "t1", "alive"),
			      container_id(&w, "t1", "main") };
	for (size_t i = 1; i < ARRAY_LEN(ids); i++)
		assert_true(strcmp(told(&w, ids[i - 1], "State.StartedAt"),
				   told(&w, ids[i], "State.StartedAt")) < 0);
	/* And stopped the other way round. */
	world_stop(&w, "t1", "over");
	world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(strcmp(told(&w, ids[2], "State.FinishedAt"),
			   told(&w, ids[1], "State.FinishedAt")) < 0);
	world_release(&w);
}

static void test_dependency_fails(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	world_add_container(&w, task, "first", "err=no luck", "exit=3", NULL)->essential =
		OPT_FALSE;
	depend(&w, world_container(task, 0), "first", "SUCCESS");
	struct answer a = world_start(&w, "t1", task);
	assert_false(a.ok);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_string_equal(t->stop_code, "TaskFailedToStart");
	assert_non_null(strstr(t->reason, "first"));
	assert_int_equal(t->containers[1].exit_code, 3);
	world_release(&w);
}

static bool says(struct world *w, void *arg)
{
	const struct node_task *t = world_find(w, "t1");
	return t->stderr_tail && strstr(t->stderr_tail, arg);
}

static void test_last_words(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task =
		world_task(&w, "web", "out=to stdout", "err=no luck today", "exit=3", NULL);
	world_start(&w, "t1", task);
	world_wait_status(&w, "t1", TASK_STOPPED);
	world_wait(&w, says, (void *)"no luck today", "the last words");
	assert_null(strstr(world_find(&w, "t1")->stderr_tail, "to stdout"));
	/* They are not lost with the agent. */
	world_close(&w);
	world_open(&w);
	world_wait(&w, says, (void *)"no luck today", "the last words, again");
	world_release(&w);
}

static bool is_unhealthy(struct world *w, void *arg)
{
	return world_find(w, arg)->health == HEALTH_UNHEALTHY;
}

static void test_unhealthy(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	check_health(&w, world_container(task, 0), "exit 1");
	assert_string_equal(world_start(&w, "t1", task).reason, "");
	world_wait(&w, is_unhealthy, (void *)"t1", "the task to be unhealthy");
	assert_int_equal(world_find(&w, "t1")->status, TASK_RUNNING); /* its node decides */
	world_release(&w);
}

static bool checks_are_gone(struct world *w, void *arg)
{
	json_t *top =
		api(w, "GET", arena_printf(&w->arena, "/containers/%s/top", (char *)arg), NULL);
	size_t count = json_array_size(json_object_get(top, "Processes"));
	json_decref(top);
	return count == 1;
}

/* A check that hangs does not come to be many. */
static void test_health_check_hangs(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	check_health(&w, world_container(task, 0), "exec sleep 1000");
	world_container(task, 0)->health_check->timeout = world_integer(1);
	world_container(task, 0)->health_check->interval = world_integer(60);
	assert_string_equal(world_start(&w, "t1", task).reason, "");
	world_container(task, 0)->health_check->interval = world_integer(1);
	world_stop(&w, "t1", "the first check would come too late");
	world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(world_start(&w, "t2", task).ok);
	world_wait(&w, is_unhealthy, (void *)"t2", "the task to be unhealthy");
	world_wait(&w, checks_are_gone, (void *)container_id(&w, "t2", "main"),
		   "hanging checks to be ended");
	world_release(&w);
}

/* Docker's containerd, in the namespaces of this test; 0: there is none. */
static pid_t containerd;
static void find_containerd(void)
{
	char line[32] = "";
	FILE *f = popen("pgrep -x containerd", "re"); /* NOLINT(cert-env33-c) */
	assert_non_null(f);
	containerd = fgets(line, sizeof(line), f) ? (pid_t)strtol(line, NULL, 10) : 0;
	pclose(f);
}

static int thaw_containerd(void **state)
{
	(void)state;
	if (containerd)
		kill(containerd, SIGCONT);
	return 0;
}

/* The first check's exec. */
static bool check_is_given(struct world *w, void *arg)
{
	const char *ids = told(w, container_id(w, "t1", "main"), "ExecIDs");
	const char **exec = arg;
	if (ids[0] != '[')
		return false;
	*exec = arena_strndup(&w->arena, ids + 2, strcspn(ids + 2, "\""));
	return true;
}

static bool has_ended(struct world *w, void *arg)
{
	json_t *exec = api(w, "GET", arena_printf(&w->arena, "/exec/%s/json", (char *)arg), NULL);
	bool ended = json_is_false(json_object_get(exec, "Running"));
	json_decref(exec);
	return ended;
}

static bool is_past(struct world *w, void *arg)
{
	(void)w;
	return clock_monotonic_ms() > *(int64_t *)arg;
}

/* Docker says that a check runs before it has a process. One that is given up then is ended all the
 * same, when it has come to begin. */
static void test_health_check_begins_late(void **state)
{
	struct world w;
	find_containerd();
	if (!containerd) {
		skip();
		return;
	}
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	check_health(&w, world_container(task, 0), "exec sleep 1000");
	world_container(task, 0)->health_check->timeout = world_integer(1);
	world_container(task, 0)->health_check->retries = world_integer(10);
	assert_string_equal(world_start(&w, "t1", task).reason, "");
	const char *exec = NULL;
	kill(containerd, SIGSTOP);
	world_wait(&w, check_is_given, &exec, "a check that cannot begin");
	int64_t late = clock_monotonic_ms() + 1200;
	world_wait(&w, is_past, &late, "it to be late");
	thaw_containerd(state);
	world_wait(&w, has_ended, (void *)exec, "it to be ended");
	world_release(&w);
}

static void test_shared_network(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	struct container_definition *main = world_container(task, 0);
	struct container_definition *side = world_add_container(&w, task, "side", "sleep", NULL);
	world_definition(task)->network_mode = "awsvpc";
	world_definition(task)->pid_mode = "task";
	main->port_mappings.items = ARENA_NEW(&w.arena, struct port_mapping);
	main->port_mappings.items[0].container_port = world_integer(47123);
	main->port_mappings.len = 1;
	shell(&w, main, "httpd -f -p 47123 -h /var/www & wait");
	shell(&w, side,
	      "until wget -q -O - http://127.0.0.1:47123/; do sleep 0.1; done; ps; sleep 1000 & "
	      "wait");
	assert_string_equal(world_start(&w, "t1", task).reason, "");
	const struct node_task *t = world_find(&w, "t1");
	assert_int_equal(t->containers[0].network_binding_count >= 1, 1);
	assert_int_equal(t->containers[0].network_bindings[0].host_port, 47123);
	assert_int_equal(t->containers[0].network_bindings[0].container_port, 47123);
	assert_int_equal(t->containers[1].network_binding_count, 0);
	assert_int_equal(t->container_count, 2); /* the owner is nobody's business */
	assert_int_equal(containers_of_node(&w), 3);
	wait_logged(&w, container_id(&w, "t1", "side"), "muster-shim");
	world_release(&w);
}

static void test_dynamic_port(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	struct container_definition *main = world_container(task, 0);
	main->port_mappings.items = ARENA_NEW(&w.arena, struct port_mapping);
	main->port_mappings.items[0].container_port = world_integer(80);
	main->port_mappings.len = 1;
	assert_string_equal(world_start(&w, "t1", task).reason, "");
	const struct wire_container *c = world_find(&w, "t1")->containers;
	assert_true(c->network_binding_count >= 1);
	assert_int_equal(c->network_bindings[0].container_port, 80);
	assert_in_range(c->network_bindings[0].host_port, 1024, 65535);
	world_release(&w);
}

/* --- what it is given --------------------------------------------------------------------------
 */

static size_t volumes_of(struct world *w, const char *task)
{
	json_t *answer = api(w, "GET",
			     arena_printf(&w->arena,
					  "/volumes?filters=%%7B%%22label%%22%%3A%%5B%%22muster."
					  "task%%3D%s%%22%%5D%%7D",
					  task),
			     NULL);
	size_t count = json_array_size(json_object_get(answer, "Volumes"));
	json_decref(answer);
	return count;
}

static void test_volumes(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	struct container_definition *main = world_container(task, 0);
	struct container_definition *side = world_add_container(&w, task, "side", "sleep", NULL);
	struct volume volumes[] = { { .name = "scratch" }, { .name = "host" } };
	struct volume_host host = { .source_path = world_path(&w, "made/for/it") };
	struct mount_point mounts[] = {
		{ .source_volume = "scratch", .container_path = "/scratch" },
		{ .source_volume = "host", .container_path = "/host" },
	};
	struct mount_point read_only = { .source_volume = "scratch",
					 .container_path = "/scratch",
					 .read_only = OPT_TRUE };
	volumes[1].host = &host;
	world_definition(task)->volumes.items = volumes;
	world_definition(task)->volumes.len = 2;
	main->mount_points.items = mounts;
	main->mount_points.len = 2;
	side->mount_points.items = &read_only;
	side->mount_points.len = 1;
	shell(&w, main, "echo from-main > /scratch/f; echo seen > /host/f; sleep 1000 & wait");
	shell(&w, side,
	      "until [ -s /scratch/f ]; do sleep 0.1; done; cat /scratch/f; touch /scratch/g || "
	      "echo "
	      "cannot-write; sleep 1000 & wait");
	const char *id = arena_printf(&w.arena, "vol-%s", w.node); /* the engine is shared */
	assert_string_equal(world_start(&w, id, task).reason, "");
	wait_logged(&w, container_id(&w, id, "side"), "from-main");
	wait_logged(&w, container_id(&w, id, "side"), "cannot-write");
	world_wait_file(&w, world_path(&w, "made/for/it/f"));
	assert_int_equal(volumes_of(&w, id), 1);
	world_stop(&w, id, "x");
	world_wait_status(&w, id, TASK_STOPPED);
	assert_true(world_remove(&w, id).ok);
	assert_int_equal(volumes_of(&w, id), 0);
	assert_int_equal(containers_of_node(&w), 0);
	world_release(&w);
}

/* Its containers go, what is told of it stays: for the next agent, too. */
static void test_clean(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "err=last words", "exit=3", NULL);
	const char *id = arena_printf(&w.arena, "clean-%s", w.node);
	world_start(&w, id, task);
	world_wait_status(&w, id, TASK_STOPPED);
	assert_true(world_find(&w, id)->remains);
	assert_true(world_clean(&w, id).ok); /* waits for the last words, too */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(containers_of_node(&w), 0);
		const struct node_task *t = world_find(&w, id);
		assert_int_equal(t->status, TASK_STOPPED);
		assert_false(t->remains);
		assert_int_equal(t->containers[0].exit_code, 3);
		assert_non_null(strstr(t->stderr_tail, "last words"));
		assert_string_equal(t->stop_code, "EssentialContainerExited");
		assert_true(world_clean(&w, id).ok);
		world_close(&w);
		world_open(&w);
	}
	assert_true(world_remove(&w, id).ok);
	assert_null(world_find(&w, id));
	world_release(&w);
}

/* Two tasks of one service and one definition, side by side: a host name, a dynamic port, a volume
 * of the task's own and a shared one are no reason to meet. */
static void test_side_by_side(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	struct container_definition *main = world_container(task, 0);
	struct docker_volume_configuration shared = { .scope = "shared",
						      .autoprovision = OPT_TRUE };
	struct volume volumes[] = {
		{ .name = "scratch" },
		{ .name = arena_printf(&w.arena, "shared-%s", w.node),
		  .docker_volume_configuration = &shared },
	};
	struct mount_point mounts[] = {
		{ .source_volume = "scratch", .container_path = "/scratch" },
		{ .source_volume = volumes[1].name, .container_path = "/shared" },
	};
	struct port_mapping port = { .container_port = world_integer(80) };
	world_definition(task)->volumes.items = volumes;
	world_definition(task)->volumes.len = 2;
	main->hostname = "web";
	main->mount_points.items = mounts;
	main->mount_points.len = 2;
	main->port_mappings.items = &port;
	main->port_mappings.len = 1;
	shell(&w, main,
	      "echo $MUSTER_TASK >> /scratch/f; echo $MUSTER_TASK >> /shared/f; "
	      "wc -l < /scratch/f; wc -l < /shared/f; sleep 1000 & wait");
	const char *old = arena_printf(&w.arena, "%08lx-old", (unsigned long)getpid());
	const char *next = arena_printf(&w.arena, "%08lx-next", (unsigned long)getpid() + 1);
	assert_string_equal(world_start(&w, old, task).reason, "");
	wait_logged(&w, container_id(&w, old, "main"), "1\n1\n");
	assert_string_equal(world_start(&w, next, task).reason, "");
	wait_logged(&w, container_id(&w, next, "main"), "1\n2\n");
	assert_string_equal(told(&w, container_id(&w, next, "main"), "Config.Hostname"), "web");
	world_stop(&w, old, "x");
	world_wait_status(&w, old, TASK_STOPPED);
	assert_true(world_remove(&w, old).ok);
	assert_int_equal(world_find(&w, next)->status, TASK_RUNNING);
	assert_int_equal(volumes_of(&w, old), 0);
	assert_int_equal(volumes_of(&w, next), 1);
	world_stop(&w, next, "x");
	world_wait_status(&w, next, TASK_STOPPED);
	assert_true(world_remove(&w, next).ok);
	api_do(&w, "DELETE", arena_printf(&w.arena, "/volumes/%s", volumes[1].name), NULL);
	world_release(&w);
}

static const char *put_file(struct world *w, const char *name, const char *text, mode_t mode)
{
	const char *path = world_path(w, name);
	assert_true(fs_write(path, text, strlen(text), mode, 0, NULL, NULL));
	return path;
}

static void test_files_and_secrets(void **state)
{
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	struct container_definition *main = world_container(task, 0);
	const char *env = put_file(&w, "env", "# comment\nA=from file\nB=b=c\nA=second\n", 0600);
	const char *secret = put_file(&w, "secret", "s3cret-value\n", 0600);
	struct environment_file env_file = { .type = "file",
					     .value = arena_printf(&w.arena, "file:%s", env) };
	struct key_value_secret valued = { .name = "TOKEN",
					   .value_from =
						   arena_printf(&w.arena, "file:%s", secret) };
	struct config_file file = { .path = "/etc/own.conf",
				    .mode = "0440",
				    .content = "Y29udGVudA==" };
	main->environment_files.items = &env_file;
	main->environment_files.len = 1;
	main->secrets.items = &valued;
	main->secrets.len = 1;
	main->files.items = &file;
	main->files.len = 1;
	shell(&w, main,
	      "echo \"[$A][$B][${TOKEN#s3}]\"; cat /etc/own.conf; ls -l "
	      "/etc/own.conf; echo x > /etc/own.conf || echo cannot-write; sleep 1000 & wait");
	assert_true(world_prepare(&w, task).ok);
	assert_string_equal(world_start(&w, "t1", task).reason, "");
	const char *id = container_id(&w, "t1", "main");
	wait_logged(&w, id, "\\[from file\\]\\[b=c\\]\\[cret-value\\]");
	wait_logged(&w, id, "content");
	wait_logged(&w, id, "-r--r-----");
	wait_logged(&w, id, "cannot-write");
	/* Never in what is kept. */
	const char *record =
		world_read(&w, arena_printf(&w.arena, "%s/tasks/t1.json", w.state_dir));
	assert_non_null(strstr(record, "TOKEN"));
	assert_null(strstr(record, "s3cret"));
	/* One that others may read is refused, before anything is stopped for it. */
	assert_int_equal(chmod(secret, 0644), 0);
	struct answer a = world_prepare(&w, task);
	assert_false(a.ok);
	assert_memory_equal(a.reason, "ResourceInitializationError: secret TOKEN", 41);
	assert_non_null(strstr(a.reason, secret));
	a = world_start(&w, "t2", task);
	assert_false(a.ok);
	assert_memory_equal(a.reason, "ResourceInitializationError: secret TOKEN", 41);
	world_release(&w);
}

/* --- images ------------------------------------------------------------------------------------
 */

static void test_no_image(void **state)
{
	static const struct {
		const char *image, *policy, *why;
	} rows[] = {
		{ "localhost/never-made:1", "Never",
		  "CannotPullContainerError: image localhost/never-made:1 is not there, and its "
		  "imagePullPolicy is Never" },
		{ "nowhere.invalid/x:1", NULL, "CannotPullContainerError: " },
		{ "no such name", NULL,
		  "CannotPullContainerError: 'no such name' is no reference" },
	};
	struct world w;
	(void)state;
	world_init(&w, &engine_docker_ops);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
		world_container(task, 0)->image = rows[i].image;
		world_container(task, 0)->image_pull_policy = rows[i].policy;
		struct answer a = world_prepare(&w, task);
		assert_false(a.ok);
		assert_memory_equal(a.reason, rows[i].why, strlen(rows[i].why));
		const char *id = arena_printf(&w.arena, "t%zu", i);
		a = world_start(&w, id, task);
		assert_false(a.ok);
		assert_memory_equal(a.reason, rows[i].why, strlen(rows[i].why));
		const struct node_task *t = world_wait_status(&w, id, TASK_STOPPED);
		assert_string_equal(t->stop_code, "TaskFailedToStart");
		assert_false(t->stop_requested);
		assert_int_equal(containers_of_node(&w), 0);
	}
	world_release(&w);
}

static bool image_there(struct world *w, const char *image)
{
	json_t *json = api(w, "GET", arena_printf(&w->arena, "/images/%s/json", image), NULL);
	bool there = json_object_get(json, "Id") != NULL;
	json_decref(json);
	return there;
}

static bool image_gone(struct world *w, void *arg)
{
	return !image_there(w, arg);
}

/* As if its last use were so long ago. */
static void age_images(struct world *w, int64_t by_ms)
{
	const char *path = arena_printf(&w->arena, "%s/images.json", w->state_dir);
	const char *text = world_read(w, path), *id;
	struct buf bytes = { 0 };
	json_t *object = wire_open(text, strlen(text), "docker-images", NULL, NULL), *image;
	assert_non_null(object);
	json_object_foreach(json_object_get(object, "images"), id, image) json_object_set_new(
		image, "usedUnixMs",
		json_integer(json_integer_value(json_object_get(image, "usedUnixMs")) - by_ms));
	wire_seal("docker-images", NULL, object, &bytes);
	assert_true(fs_write(path, bytes.data, bytes.len, 0600, 0, NULL, NULL));
	json_decref(object);
	buf_release(&bytes);
}

/* What we pulled goes when nobody used it for so long; not while a task has it, nor what others
 * brought. */
static void forget_images(struct world *w, const char *image)
{
	for (int i = 0; i < 2; i++) {
		bool used = i == 0;
		world_close(w);
		age_images(w, (int64_t)(used ? 100 : 25) * 60 * 60 * 1000);
		world_open(w);
		if (used) {
			assert_true(image_there(w, image));
			world_stop(w, "t1", "x");
			world_wait_status(w, "t1", TASK_STOPPED);
			assert_true(world_remove(w, "t1").ok);
		}
	}
	world_wait(w, image_gone, (void *)image, "the image to be removed");
	assert_true(image_there(w, WORLD_IMAGE));
}

/* $ENGINE_REGISTRY: an image of two architectures behind a password; $ENGINE_INDEX: the digest of
 * its index; $ENGINE_AUTH: a file with the credentials. */
static void test_registry(void **state)
{
	struct world w;
	const char *image = getenv("ENGINE_REGISTRY"), *index = getenv("ENGINE_INDEX");
	(void)state;
	if (!image || !index) {
		skip();
		return;
	}
	world_init(&w, &engine_docker_ops);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	/* What an earlier run left would be somebody else's. */
	const char *named = arena_printf(&w.arena, "/images/%s?force=1", image);
	const char *indexed = arena_printf(&w.arena, "/images/%.*s@%s?force=1",
					   (int)(strrchr(image, ':') - image), image, index);
	api_do(&w, "DELETE", named, NULL);
	api_do(&w, "DELETE", indexed, NULL);
	world_container(task, 0)->image = image;
	world_container(task, 0)->image_pull_policy = "Always";
	struct answer a = world_prepare(&w, task);
	assert_false(a.ok); /* no credentials yet */
	assert_memory_equal(a.reason, "CannotPullContainerError: ", 26);
	world_close(&w);
	const char *given = getenv("ENGINE_AUTH");
	assert_non_null(given);
	const char *auth = put_file(&w, "auth.json", world_read(&w, given ? given : ""), 0644);
	w.registry_auth = auth;
	world_open(&w);
	a = world_prepare(&w, task);
	assert_false(a.ok);
	assert_non_null(strstr(a.reason, "others may read it"));
	assert_int_equal(chmod(auth, 0600), 0);
	a = world_prepare(&w, task);
	assert_true(a.ok);
	assert_string_equal(a.image, index);
	assert_string_equal(world_start(&w, "t1", task).reason, "");
	assert_string_equal(world_find(&w, "t1")->containers[0].image, image);
	assert_string_equal(world_find(&w, "t1")->containers[0].image_digest, index);
	/* Pinned it needs no registry any more. */
	struct str_pair pin = { "main", index };
	task->images = (struct str_map){ &pin, 1, true };
	assert_int_equal(unlink(auth), 0);
	assert_true(world_prepare(&w, task).ok);
	forget_images(&w, image);
	world_release(&w);
}

int main(void)
{
	static const struct CMUnitTest own[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_dependency_fails),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_unhealthy),
		cmocka_unit_test(test_health_check_hangs),
		cmocka_unit_test_teardown(test_health_check_begins_late, thaw_containerd),
		cmocka_unit_test(test_shared_network),
		cmocka_unit_test(test_dynamic_port),
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_files_and_secrets),
		cmocka_unit_test(test_no_image),
		cmocka_unit_test(test_registry),
	};
	static struct CMUnitTest tests[TESTS_MAX];
	size_t count = 0;
	if (!getenv("ENGINE_SOCKET")) {
		puts("1..0 # SKIP no $ENGINE_SOCKET");
		return 0;
	}
	for (size_t i = 0; i < engine_contract_count; i++)
		tests[count++] = (struct CMUnitTest){
			.name = engine_contract_tests[i].name,
			.test_func = engine_contract_tests[i].run,
			.initial_state = (void *)&engine_docker_ops,
		};
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		tests[count++] = own[i];
	return _cmocka_run_group_tests("docker engine", tests, count, NULL, NULL);
}
