/*
 * What a container engine should never do: not be there, hang, answer nonsense or without end, on a
 * small server that does so when it is told. Each ends in a reason, and heals when the cause goes.
 */
#include "engine_world.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#define CONNECTIONS_MAX 256

/* --- the server --------------------------------------------------------------------------------
 */

struct rule {
	const char *path;   /* that this is about */
	const char *answer; /* the body; NULL: none, and the connection stays open */
	bool endless;	    /* again and again */
	bool refused;	    /* status 500 */
};
static struct {
	int fd;
	pthread_t thread, threads[CONNECTIONS_MAX];
	int connections[CONNECTIONS_MAX];
	size_t count;
	_Atomic(const struct rule *) rule;
	_Atomic bool silent;	   /* no answer to anything */
	_Atomic bool falls_silent; /* after the next answer of what containers there are */
	_Atomic bool asked;	   /* what the rule is about was asked for */
	char path[108];
} server = { .fd = -1 };

static const struct rule good[] = {
	{ .path = "/version",
	  .answer =
		  "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}" },
	{ .path = "/info", .answer = "{\"OSType\":\"linux\",\"NCPU\":2,\"MemTotal\":1073741824}" },
	{ .path = "/containers/json", .answer = "[]" },
	{ .path = "/events", .answer = NULL },
	{ .path = "/containers/", .answer = "{\"message\":\"No such container\"}" },
	{ .path = "/images/", .answer = "{\"Id\":\"sha256:1\",\"RepoDigests\":[]}" },
};

static bool say(int fd, const char *text)
{
	size_t len = strlen(text);
	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void answer(int fd, const char *request)
{
	const struct rule *rule = server.rule;
	char head[128];
	if (server.silent)
		return;
	if (rule && strstr(request, rule->path))
		server.asked = true;
	if (!rule || !strstr(request, rule->path)) {
		rule = NULL;
		for (size_t i = 0; i < ARRAY_LEN(good) && !rule; i++)
			if (strstr(request, good[i].path))
				rule = &good[i];
	}
	const char *status = !rule || strcmp(rule->path, "/containers/") == 0 ? "404 Not Found"
			     : rule->refused ? "500 Internal Server Error"
					     : "200 OK";
	if (rule && rule->endless) {
		say(fd, "HTTP/1.1 200 OK\r\n\r\n");
		while (say(fd, rule->answer))
			continue;
		return;
	}
	if (rule && !rule->answer && strcmp(rule->path, "/events") != 0)
		return; /* silence */
	if (rule && !rule->answer) {
		say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		return;
	}
	const char *body = rule ? rule->answer : "{}";
	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status,
		 strlen(body));
	if (server.falls_silent && strstr(request, "/containers/json"))
		server.silent = true;
	if (say(fd, head))
		say(fd, body);
}

static void *serve(void *arg)
{
	int fd = *(int *)arg;
	char request[4096];
	ssize_t n;
	/* A request of these tests comes in one piece. */
	while ((n = recv(fd, request, sizeof(request) - 1, 0)) > 0) {
		request[n] = '\0';
		answer(fd, request);
	}
	return NULL;
}

static void *accept_all(void *arg)
{
	(void)arg;
	for (int fd; server.count < CONNECTIONS_MAX &&
		     (fd = accept4(server.fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
		server.connections[server.count] = fd;
		pthread_create(&server.threads[server.count], NULL, serve,
			       &server.connections[server.count]);
		server.count++;
	}
	return NULL;
}

static void server_start(const char *path, const struct rule *rule)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	snprintf(server.path, sizeof(server.path), "%s", path);
	server.rule = rule;
	server.silent = server.falls_silent = server.asked = false;
	server.count = 0;
	server.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server.fd, 64), 0);
	assert_int_equal(pthread_create(&server.thread, NULL, accept_all, NULL), 0);
}

static void server_stop(void)
{
	if (server.fd < 0)
		return;
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.fd);
	server.fd = -1;
	for (size_t i = 0; i < server.count; i++) {
		shutdown(server.connections[i], SHUT_RDWR);
		pthread_join(server.threads[i], NULL);
		close(server.connections[i]);
	}
	unlink(server.path);
}

/* --- faults ------------------------------------------------------------------------------------
 */

static void open_away(struct world *w)
{
	w->ops = &engine_docker_ops;
	world_init_away(w, &engine_docker_ops, "engine.sock");
}

static const char *why(struct world *w)
{
	struct node_task *tasks;
	uint32_t count;
	struct err err;
	if (w->ops->list(w->engine, &w->arena, &tasks, &count, &err))
		return NULL;
	return arena_strdup(&w->arena, err.text);
}

static bool says(struct world *w, void *arg)
{
	const char *text = why(w);
	return text && strstr(text, arg);
}

static void wait_why(struct world *w, const char *text)
{
	world_wait(w, says, (void *)text, text);
}

static void test_absent(void **state)
{
	struct world w;
	struct engine_facts facts;
	(void)state;
	open_away(&w);
	wait_why(&w, "No such file or directory");
	assert_false(w.ops->facts(w.engine, &w.arena, &facts, NULL));
	/* Nothing can be asked of it, and what can be answered is. */
	assert_true(world_stop(&w, "none", "x").ok);
	assert_true(world_remove(&w, "none").ok);
	/* It comes, and goes, and comes again. */
	for (int i = 0; i < 2; i++) {
		server_start(w.socket, NULL);
		world_wait_listable(&w);
		assert_true(w.ops->facts(w.engine, &w.arena, &facts, NULL));
		assert_string_equal(facts.engine.name, "docker");
		assert_int_equal(facts.memory_mib, 1024);
		server_stop();
		wait_why(&w, "engine.sock");
	}
	/* What it was is known still, and to the next agent. */
	assert_true(w.ops->facts(w.engine, &w.arena, &facts, NULL));
	world_close(&w);
	world_open(&w);
	assert_true(w.ops->facts(w.engine, &w.arena, &facts, NULL));
	assert_string_equal(facts.engine.version, "20.10.24");
	world_release(&w);
}

static void test_nonsense(void **state)
{
	static const struct {
		struct rule rule;
		const char *why;
	} rows[] = {
		{ { .path = "/version", .answer = "<html>" }, "no container engine" },
		{ { .path = "/version", .answer = "{}" }, "no container engine" },
		{ { .path = "/version", .answer = "{\"Version\":\"19\",\"ApiVersion\":\"1.40\"}" },
		  "1.41 is needed" },
		{ { .path = "/version", .answer = "{\"message\":\"no\"}", .refused = true }, "no" },
		{ { .path = "/info", .answer = "[1,2" }, "no container engine" },
		{ { .path = "/info", .answer = "{\"OSType\":\"plan9\"}" }, "plan9" },
		{ { .path = "/containers/json", .answer = "{}" }, "no list of containers" },
		{ { .path = "/containers/json", .answer = "[{]" }, "malformed" },
		{ { .path = "/containers/json",
		    .answer = "{\"message\":\"broken\"}",
		    .refused = true },
		  "broken" },
		{ { .path = "/containers/json", .answer = "[0,0,0,0,0,0,0,0,", .endless = true },
		  "more than" },
		{ { .path = "/events", .answer = "{\"message\":\"none\"}", .refused = true },
		  "no stream of events" },
		{ { .path = "/version", .answer = "xxxxxxxxxxxxxxxx", .endless = true },
		  "more than" },
	};
	struct world w;
	(void)state;
	open_away(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		server_start(w.socket, &rows[i].rule);
		wait_why(&w, rows[i].why);
		server.rule = NULL; /* the cause goes */
		world_wait_listable(&w);
		server_stop();
		wait_why(&w, "engine.sock");
	}
	world_release(&w);
}

/* One that says nothing: what can be told of it is told at once, and the loop goes on. */
static void test_hangs(void **state)
{
	static const struct rule silence = { .path = "/containers/json" };
	struct world w;
	(void)state;
	open_away(&w);
	server_start(w.socket, &silence);
	struct engine_facts facts;
	while (!w.ops->facts(w.engine, &w.arena, &facts, NULL)) {
		timer_set(w.patience, 5);
		loop_run(w.loop);
	}
	assert_non_null(why(&w));
	world_release(&w); /* and it can be closed */
}

/* It was well, and answers nothing any more. Its stream of events ends again and again, and each
 * time it is looked at anew. */
static void test_falls_silent(void **state)
{
	static const struct rule short_stream = { .path = "/events", .answer = "{}" };
	struct world w;
	(void)state;
	open_away(&w);
	server_start(w.socket, &short_stream);
	world_wait_listable(&w);
	server.falls_silent = true;	      /* not between a ping and what it is asked for */
	wait_why(&w, "DockerTimeoutError: "); /* much sooner than after ASK_DEADLINE_MS */
	server_stop();
	server_start(w.socket, NULL);
	world_wait_listable(&w);
	world_release(&w);
}

static struct wire_desired_task *local_task(struct world *w)
{
	struct wire_desired_task *task = world_task(w, "web", "sleep", NULL);
	world_container(task, 0)->image_pull_policy = "IfNotPresent";
	return task;
}

static bool asked(struct world *w, void *arg)
{
	(void)w;
	(void)arg;
	return server.asked;
}

/* The engine goes away while it is asked for what the rule names. */
static void go_away_in(struct world *w, const struct rule *rule)
{
	server_start(w->socket, rule);
	world_wait(w, asked, NULL, rule->path);
	server_stop();
	wait_why(w, "engine.sock");
}

/* What is begun meanwhile is no failure: it waits, says for what, and goes on. */
static void test_start_put_off(void **state)
{
	static const struct rule images = { .path = "/images/" },
				 create = { .path = "/containers/create" },
				 refused = { .path = "/containers/create",
					     .answer = "{\"message\":\"boom\"}",
					     .refused = true };
	struct world w;
	struct answer a = { 0 };
	(void)state;
	open_away(&w);
	server_start(w.socket, &images);
	world_wait_listable(&w);
	world_begin_start(&w, "t1", local_task(&w), &a);
	world_wait(&w, asked, NULL, "a look at the image");
	server_stop();
	wait_why(&w, "engine.sock");
	go_away_in(&w, &images); /* once more: it is looked for anew */
	for (int i = 0; i < 2; i++) {
		go_away_in(&w, &create);
		struct node_task *tasks;
		uint32_t count;
		assert_false(w.ops->list(w.engine, &w.arena, &tasks, &count, NULL));
		assert_int_equal(count, 1);
		assert_int_equal(tasks[0].status, TASK_PENDING);
		assert_non_null(strstr(tasks[0].reason, "engine.sock"));
		assert_false(a.came);
	}
	/* That it cannot be made is told by an engine that is there. */
	server_start(w.socket, &refused);
	world_wait_listable(&w);
	const struct node_task *task = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_string_equal(task->reason, "CannotCreateContainerError: boom");
	assert_true(a.came && !a.ok);
	world_release(&w);
}

static void take_prepared(void *arg, bool ok, const char *reason, const struct str_map *images)
{
	struct answer *answer = arg;
	(void)reason;
	(void)images;
	answer->came = true;
	answer->ok = ok;
}

static bool came(struct world *w, void *arg)
{
	(void)w;
	return ((struct answer *)arg)->came;
}

static void test_prepare_put_off(void **state)
{
	static const struct rule images = { .path = "/images/" };
	struct world w;
	struct answer absent = { 0 }, cut_off = { 0 };
	(void)state;
	open_away(&w);
	wait_why(&w, "No such file or directory");
	w.ops->prepare(w.engine, local_task(&w), take_prepared, &absent);
	server_start(w.socket, &images);
	world_wait_listable(&w);
	w.ops->prepare(w.engine, local_task(&w), take_prepared, &cut_off);
	world_wait(&w, asked, NULL, "a look at the image");
	server_stop();
	wait_why(&w, "engine.sock");
	assert_false(absent.came || cut_off.came);
	server_start(w.socket, NULL);
	world_wait(&w, came, &absent, "the answer of a prepare");
	world_wait(&w, came, &cut_off, "the answer of another");
	assert_true(absent.ok && cut_off.ok);
	world_release(&w);
}

static int stop_server(void **state)
{
	(void)state;
	server_stop();
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_absent, stop_server),
		cmocka_unit_test_teardown(test_nonsense, stop_server),
		cmocka_unit_test_teardown(test_hangs, stop_server),
		cmocka_unit_test_teardown(test_falls_silent, stop_server),
		cmocka_unit_test_teardown(test_start_put_off, stop_server),
		cmocka_unit_test_teardown(test_prepare_put_off, stop_server),
	};
	return cmocka_run_group_tests_name("docker engine, faults", tests, NULL, NULL);
}
