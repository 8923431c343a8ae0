/*
 * muster logs of containers: the program itself against a small engine of the test's own, which
 * answers what real ones answer, and what they should not. What is printed, with which exit code,
 * and what was asked for.
 */
#include "base/base.h"
#include "fs/fs.h"
#include "wire/wire.h"

#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define CONNECTIONS_MAX 64
#define FLEET		"0123456789abcdef0123456789abcdef"
#define OLD		"aaaaaaaa000000000000000000000000"
#define NEW		"bbbbbbbb000000000000000000000000"

/* --- the engine --------------------------------------------------------------------------------
 */

/* An answer to a path that begins so. `after`: it comes only once that path was asked for, too. */
struct reply {
	const char *path, *body;
	size_t len;
	int status; /* 0: 200 */
	const char *after;
};
#define BODY(s) .body = (s), .len = sizeof(s) - 1

static struct engine {
	char dir[64], socket[80];
	int fd;
	pthread_t thread, threads[CONNECTIONS_MAX];
	int fds[CONNECTIONS_MAX];
	size_t count;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopped;
	struct buf asked; /* paths, a line each */
	const struct reply *replies;
	size_t reply_count;
} engine;

static bool was_asked(const char *path)
{
	return strstr(buf_str(&engine.asked), path) != NULL;
}

static void say(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

static void answer(int fd, const char *path)
{
	const struct reply *reply = NULL;
	pthread_mutex_lock(&engine.lock);
	buf_addf(&engine.asked, "%s\n", path);
	pthread_cond_broadcast(&engine.changed);
	for (size_t i = 0; i < engine.reply_count && !reply; i++)
		if (strncmp(path, engine.replies[i].path, strlen(engine.replies[i].path)) == 0)
			reply = &engine.replies[i];
	while (reply && reply->after && !was_asked(reply->after) && !engine.stopped)
		pthread_cond_wait(&engine.changed, &engine.lock);
	pthread_mutex_unlock(&engine.lock);
	char head[128];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nConnection: close\r\n\r\n",
			 !reply		 ? 404
			 : reply->status ? reply->status
					 : 200);
	say(fd, head, (size_t)n);
	if (reply)
		say(fd, reply->body, reply->len);
}

static void *serve(void *arg)
{
	int fd = *(int *)arg;
	char head[8192] = "", path[4096] = "";
	size_t len = 0;
	ssize_t n;
	while (!strstr(head, "\r\n\r\n") &&
	       (n = recv(fd, head + len, sizeof(head) - len - 1, 0)) > 0)
		head[len += (size_t)n] = '\0';
	if (sscanf(head, "GET %4095s", path) == 1)
		answer(fd, path);
	shutdown(fd, SHUT_RDWR);
	return NULL;
}

static void *accept_all(void *arg UNUSED)
{
	int fd;
	while (engine.count < CONNECTIONS_MAX &&
	       (fd = accept4(engine.fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		engine.fds[engine.count] = fd;
		pthread_create(&engine.threads[engine.count], NULL, serve,
			       &engine.fds[engine.count]);
		engine.count++;
	}
	return NULL;
}

static void engine_start(const struct reply *replies, size_t count)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", engine.socket);
	unlink(engine.socket);
	engine.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	engine.count = 0;
	engine.stopped = false;
	engine.replies = replies;
	engine.reply_count = count;
	buf_reset(&engine.asked);
	pthread_mutex_init(&engine.lock, NULL);
	pthread_cond_init(&engine.changed, NULL);
	assert_int_equal(bind(engine.fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(engine.fd, CONNECTIONS_MAX), 0);
	pthread_create(&engine.thread, NULL, accept_all, NULL);
}

static void engine_stop(void)
{
	shutdown(engine.fd, SHUT_RDWR);
	pthread_join(engine.thread, NULL);
	close(engine.fd);
	pthread_mutex_lock(&engine.lock);
	engine.stopped = true;
	pthread_cond_broadcast(&engine.changed);
	pthread_mutex_unlock(&engine.lock);
	for (size_t i = 0; i < engine.count; i++) {
		shutdown(engine.fds[i], SHUT_RDWR);
		pthread_join(engine.threads[i], NULL);
		close(engine.fds[i]);
	}
}

/* --- running it --------------------------------------------------------------------------------
 */

static void check_command(const char *command, int want_code, const char *want)
{
	struct buf out = { 0 };
	char bytes[4096];
	size_t n;
	FILE *f = popen(command, "re");
	assert_non_null(f);
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		buf_add(&out, bytes, n);
	int status = pclose(f);
	assert_string_equal(buf_str(&out), want);
	assert_int_equal(WEXITSTATUS(status), want_code);
	buf_release(&out);
}

static void check(const char *args, int want_code, const char *want)
{
	char command[512];
	snprintf(command, sizeof(command), "timeout 30 muster --state %s logs %s 2>&1", engine.dir,
		 args);
	check_command(command, want_code, want);
}

static const char *path_of(struct arena *arena, const char *name)
{
	return arena_printf(arena, "%s/agents/n1/%s", engine.dir, name);
}

/* As an agent keeps them. */
static int setup(void **state UNUSED)
{
	struct arena arena;
	struct buf bytes = { 0 };
	struct err err;
	arena_init(&arena);
	snprintf(engine.dir, sizeof(engine.dir), "/tmp/muster-logs.XXXXXX");
	assert_non_null(mkdtemp(engine.dir));
	snprintf(engine.socket, sizeof(engine.socket), "%s/engine.sock", engine.dir);
	assert_true(fs_mkdirs(path_of(&arena, "logs"), 0755, &err));
	json_t *object = json_pack("{s:s}", "socket", engine.socket);
	wire_seal("engine-docker", NULL, object, &bytes);
	json_decref(object);
	assert_true(fs_write(path_of(&arena, "engine-docker.json"), bytes.data, bytes.len, 0600, 0,
			     NULL, &err));
	assert_true(fs_write(path_of(&arena, "fleet"), FLEET, strlen(FLEET), 0600, 0, NULL, &err));
	buf_release(&bytes);
	arena_release(&arena);
	return 0;
}

static int teardown(void **state UNUSED)
{
	struct err err;
	buf_release(&engine.asked);
	return fs_remove_tree(engine.dir, &err) ? 0 : 1;
}

/* --- what is there -----------------------------------------------------------------------------
 */

#define LABELS(fleet, node, service, task, container)                                              \
	"\"muster.fleet\":\"" fleet "\",\"muster.node\":\"" node                                   \
	"\",\"muster.cluster\":\"default\",\"muster.service\":\"" service                          \
	"\",\"muster.task\":\"" task "\",\"muster.container\":\"" container "\""
#define CONTAINER(id, created, labels)                                                             \
	"{\"Id\":\"" id "\",\"Created\":" created ",\"Labels\":{" labels "}}"
#define INSPECT(tty, driver)                                                                       \
	"{\"Config\":{\"Tty\":" tty "},\"HostConfig\":{\"LogConfig\":{\"Type\":\"" driver "\"}}}"

static const char list[] =
	"[" CONTAINER("old-main", "100", LABELS(FLEET, "n1", "app", OLD, "main")) "," CONTAINER(
		"new-main", "200",
		LABELS(FLEET, "n1", "app", NEW, "main")) "," CONTAINER("new-side", "201",
								       LABELS(FLEET, "n1", "app",
									      NEW, "side")) ","
	/* What a filter should have kept out, and what is none of a definition. */
	CONTAINER("other-node", "300", LABELS(FLEET, "n2", "app", "cc", "main")) "," CONTAINER(
		"other-fleet", "300",
		LABELS(
			"ff", "n1", "app", "cc",
			"main")) "," CONTAINER("pause", "199",
					       LABELS(
						       FLEET, "n1", "app", NEW,
						       ".pause")) "," CONTAINER("tty", "100",
										LABELS(
											FLEET, "n1",
											"tty", "dd",
											"main")) "," CONTAINER("none",
													       "100",
													       LABELS(
														       FLEET,
														       "n1",
														       "none", "dd", "main")) "," CONTAINER("fluentd", "100", LABELS(FLEET, "n1", "fluentd", "dd", "main")) "," CONTAINER("gone", "100", LABELS(FLEET, "n1", "gone", "dd", "main")) "," CONTAINER("torn",
																																						  "100",
																																						  LABELS(FLEET,
																																							 "n1",
																																							 "torn", "dd", "main")) "," CONTAINER("errs", "100", LABELS(FLEET, "n1", "errs", "dd", "main")) ","
																																																			"{\"Id\":\"strange\",\"Labels\":null},{}]";

static const struct reply replies[] = {
	{ "/containers/json?", .body = list, .len = sizeof(list) - 1 },
	{ "/containers/old-main/json", BODY(INSPECT("false", "json-file")) },
	{ "/containers/old-main/logs?", BODY("\1\0\0\0\0\0\0\6before\1\0\0\0\0\0\0\1\n") },
	{ "/containers/new-main/json", BODY(INSPECT("false", "json-file")) },
	{ "/containers/new-main/logs?", BODY("\1\0\0\0\0\0\0\2a\n\2\0\0\0\0\0\0\1b") },
	{ "/containers/new-side/json", BODY(INSPECT("false", "journald")) },
	{ "/containers/new-side/logs?", BODY("\1\0\0\0\0\0\0\2c\n") },
	{ "/containers/tty/json", BODY(INSPECT("true", "json-file")) },
	{ "/containers/tty/logs?", BODY("raw\r\n") },
	{ "/containers/none/json", BODY(INSPECT("false", "none")) },
	{ "/containers/fluentd/json", BODY(INSPECT("false", "fluentd")) },
	{ "/containers/fluentd/logs?", BODY("{\"message\":\"cannot read\"}"), .status = 501 },
	{ "/containers/torn/json", BODY(INSPECT("false", "json-file")) },
	{ "/containers/torn/logs?", BODY("\1\0\0\0\0\0\0\2x\nno frame") },
	{ "/containers/errs/json", BODY(INSPECT("false", "json-file")) },
	{ "/containers/errs/logs?", BODY("\3\0\0\0\0\0\0\5oops\n") },
};

static void what_there_is(void **state UNUSED)
{
	static const struct {
		const char *args;
		int code;
		const char *want, *asked; /* asked: among the paths; NULL: any */
	} rows[] = {
		{ "app", 0, "main: a\nmain: b\nside: c\n",
		  "/containers/new-main/logs?stdout=1&stderr=1&follow=0\n" },
		{ "default/app -c side", 0, "c\n", NULL },
		{ "app -c main --tail 5", 0, "a\nb", "follow=0&tail=5\n" },
		{ "app -c main --since 2026-11-23T21:45:25.5Z", 0, "a\nb",
		  "follow=0&since=1795470325.500\n" },
		{ "--previous app", 0, "before\n", NULL },
		{ "aaaaaaaa", 0, "before\n", NULL },
		{ "-f aaaaaaaa", 0, "before\n",
		  "/containers/old-main/logs?stdout=1&stderr=1&follow=1\n" },
		{ "tty", 0, "raw\r\n", NULL },
		{ "--previous tty", 1,
		  "muster: no logs of a task before the present one of 'tty'\n", NULL },
		{ "none", 1,
		  "muster: container main (none): its log driver is 'none': what it prints is not "
		  "kept\n",
		  NULL },
		{ "fluentd", 1,
		  "muster: container main (fluentd): its log driver 'fluentd' takes what it prints "
		  "elsewhere, and the engine cannot read it back: cannot read\n",
		  NULL },
		{ "gone", 4, "muster: container main (gone): HTTP status 404\n", NULL },
		{ "torn", 4,
		  "x\nmuster: container main (torn): what comes is not in frames: Protocol error\n",
		  NULL },
		{ "errs", 4, "oops\n", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		engine_start(replies, ARRAY_LEN(replies));
		check(rows[i].args, rows[i].code, rows[i].want);
		engine_stop();
		if (rows[i].asked && !was_asked(rows[i].asked))
			fail_msg("%s: asked for\n%s", rows[i].args, buf_str(&engine.asked));
		/* Only ours are asked for. */
		assert_true(was_asked("/containers/json?all=1&filters="
				      "%7B%22label%22%3A%5B%22muster.node%3Dn1%22%2C"
				      "%22muster.fleet%3D" FLEET "%22%5D%7D\n"));
	}
}

/* --- what comes --------------------------------------------------------------------------------
 */

#define EVENT(id, labels)                                                                          \
	"{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" id                     \
	"\",\"Attributes\":{" labels "}}}\n"

/* The container is started again, once while its log is read, and another task of the service is,
 * and one of another service; then the engine ends. */
static void a_service_goes_on_with_its_next_task(void **state UNUSED)
{
	static const struct reply more[] = {
		{ "/containers/json?",
		  BODY("[" CONTAINER("one", "100", LABELS(FLEET, "n1", "app", OLD, "main")) "]") },
		{ "/containers/one/json", BODY(INSPECT("false", "json-file")) },
		{ "/containers/one/logs?stdout=1&stderr=1&follow=1&since=",
		  BODY("\1\0\0\0\0\0\0\2c\n") },
		{ "/containers/one/logs?", BODY("\1\0\0\0\0\0\0\2a\n"),
		  .after = "/containers/two/logs?" },
		{ "/events?",
		  BODY(EVENT("one", LABELS(FLEET, "n1", "app", OLD, "main"))
			       EVENT("strange", LABELS(FLEET, "n1", "web", "cc", "main"))
				       EVENT("two", LABELS(FLEET, "n1", "app", NEW, "main"))),
		  .after = "/containers/one/logs?" },
		{ "/containers/two/json", BODY(INSPECT("true", "json-file")) },
		{ "/containers/two/logs?", BODY("b\n") },
	};
	engine_start(more, ARRAY_LEN(more));
	char want[256], command[256];
	snprintf(want, sizeof(want), "a\nb\nc\ncode 4\nmuster: the engine at %s: it ended\n",
		 engine.socket);
	/* The second container's output and the end of the events come in any order. */
	snprintf(command, sizeof(command),
		 "{ timeout 30 muster --state %s logs -f app; echo code $?; } 2>&1 | LC_ALL=C sort",
		 engine.dir);
	check_command(command, 0, want);
	engine_stop();
	assert_false(was_asked("strange"));
	assert_true(was_asked("/containers/two/logs?stdout=1&stderr=1&follow=1\n"));
}

static void an_engine_that_is_none(void **state UNUSED)
{
	static const struct {
		struct reply reply;
		const char *why;
	} rows[] = {
		{ { "/", BODY("<html>") }, "what answers is no container engine" },
		{ { "/", BODY("{\"message\":\"no such thing\"}"), .status = 500 },
		  "no such thing" },
		{ { "/", BODY("[]"), .status = 400 }, "HTTP status 400" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char want[256];
		engine_start(&rows[i].reply, 1);
		snprintf(want, sizeof(want), "muster: containers of node n1: %s\n", rows[i].why);
		check("app", 4, want);
		engine_stop();
	}
	char want[256];
	unlink(engine.socket);
	snprintf(want, sizeof(want),
		 "muster: containers of node n1: connect '%s': No such file or directory\n",
		 engine.socket);
	check("app", 4, want);
}

/* Files of native processes are read without it, and what may be missing is said. */
static void files_without_the_engine(void **state UNUSED)
{
	struct arena arena;
	struct err err;
	char want[256];
	arena_init(&arena);
	assert_true(fs_mkdirs(path_of(&arena, "logs/native/main"), 0755, &err));
	assert_true(fs_write(path_of(&arena, "logs/native/main/current"), "x\n", 2, 0640, 0, NULL,
			     &err));
	snprintf(want, sizeof(want),
		 "muster: warning: containers of node n1 are not shown: connect '%s': No such file "
		 "or directory\nx\n",
		 engine.socket);
	check("native", 0, want);

	/* Containers go before files that an earlier task of another kind left. */
	assert_true(fs_mkdirs(path_of(&arena, "logs/tty/main"), 0755, &err));
	assert_true(fs_write(path_of(&arena, "logs/tty/main/current"), "old\n", 4, 0640, 0, NULL,
			     &err));
	engine_start(replies, ARRAY_LEN(replies));
	check("tty", 0, "raw\r\n");
	check("native", 0, "x\n");
	engine_stop();
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_there_is),
		cmocka_unit_test(a_service_goes_on_with_its_next_task),
		cmocka_unit_test(an_engine_that_is_none),
		cmocka_unit_test(files_without_the_engine),
	};
	return cmocka_run_group_tests_name("logs", tests, setup, teardown);
}
