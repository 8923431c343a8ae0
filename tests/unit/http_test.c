/* http: a client against a server that answers well, badly, slowly, for ever and not at all. */
#include "http_world.h"

#include <dirent.h>
#include <fcntl.h>

/* --- rows: one request each ------------------------------------------------------------------ */

static const struct {
	const char *path;
	int64_t deadline_ms, idle_ms;
	size_t max_bytes;
	const char *body, *stream, *text;
	enum { PLAIN, CHUNKS, VALUES } mode;
	int status, code;
} rows[] = {
	{ "/ok", .status = 200, .body = "hello" },
	{ "/ok?all=1", .deadline_ms = 5000, .status = 200, .body = "hello" },
	{ "/empty", .status = 204 },
	{ "/missing", .status = 404, .body = "{\"message\":\"no such\"}" },
	{ "/redirect", .status = 302 },
	{ "/continue", .status = 200, .body = "ok" },
	{ "/chunked", .status = 200, .body = "hello" },
	{ "/until-close", .status = 200, .body = "hello" },
	{ "/ok", .max_bytes = 5, .status = 200, .body = "hello" },
	{ "/ok", .max_bytes = 4, .status = 200, .code = EFBIG,
	  .text = "GET /ok: answer of more than 4 bytes: File too large" },
	{ "/chunked?x", .max_bytes = 4, .status = 200, .body = "hel", .code = EFBIG,
	  .text = "GET /chunked: answer of more than 4 bytes: File too large" },
	{ "/endless-body", .max_bytes = 1, .status = 200, .code = EFBIG,
	  .text = "GET /endless-body: answer of more than 1 bytes: File too large" },
	{ "/endless-head", .code = EFBIG,
	  .text = "GET /endless-head: answer with a head of more than 65536 bytes: File too "
		  "large" },
	{ "/endless-line", .code = EFBIG,
	  .text = "GET /endless-line: answer with a header line that is too long: File too large" },
	{ "/endless-100", .code = EFBIG,
	  .text = "GET /endless-100: answer with a head of more than 65536 bytes: File too large" },
	{ "/close", .code = ECONNRESET,
	  .text = "GET /close: closed without an answer: Connection reset by peer" },
	{ "/close-in-head", .code = ECONNRESET,
	  .text = "GET /close-in-head: closed in the middle of the head: Connection reset by "
		  "peer" },
	{ "/close-in-body", .status = 200, .body = "hello", .code = ECONNRESET,
	  .text = "GET /close-in-body: closed in the middle of the answer: Connection reset by "
		  "peer" },
	{ "/close-in-chunk", .status = 200, .body = "hello", .code = ECONNRESET,
	  .text = "GET /close-in-chunk: closed in the middle of the answer: Connection reset by "
		  "peer" },
	{ "/bad-chunk", .status = 200, .code = EPROTO },
	{ "/not-http", .code = EPROTO },
	{ "/hang", .deadline_ms = SHORT_MS, .code = ETIMEDOUT,
	  .text = "GET /hang: no answer within 60 ms: Connection timed out" },
	{ "/hang-in-head", .deadline_ms = SHORT_MS, .code = ETIMEDOUT,
	  .text = "GET /hang-in-head: no answer within 60 ms: Connection timed out" },
	{ "/hang-in-body", .deadline_ms = SHORT_MS, .status = 200, .body = "hello",
	  .code = ETIMEDOUT,
	  .text = "GET /hang-in-body: no answer within 60 ms: Connection timed out" },
	{ "/endless-body", .deadline_ms = SHORT_MS, .max_bytes = SIZE_MAX / 2, .status = 200,
	  .body = "*", .code = ETIMEDOUT },

	{ "/chunked", .mode = CHUNKS, .max_bytes = 1, .status = 200, .stream = "hello" },
	{ "/until-close", .mode = CHUNKS, .status = 200, .stream = "hello" },
	{ "/missing", .mode = CHUNKS, .status = 404, .body = "{\"message\":\"no such\"}" },
	{ "/missing", .mode = VALUES, .max_bytes = 3, .status = 404, .code = EFBIG },
	{ "/hang-404", .mode = VALUES, .deadline_ms = SHORT_MS, .status = 404, .body = "{",
	  .code = ETIMEDOUT },
	{ "/close-in-body", .mode = CHUNKS, .status = 200, .stream = "hello", .code = ECONNRESET },
	{ "/hang", .mode = CHUNKS, .deadline_ms = SHORT_MS, .code = ETIMEDOUT,
	  .text = "GET /hang: no answer within 60 ms: Connection timed out" },
	{ "/hang-in-body", .mode = CHUNKS, .deadline_ms = 5000, .idle_ms = SHORT_MS, .status = 200,
	  .stream = "hello", .code = ETIMEDOUT,
	  .text = "GET /hang-in-body: silent for 60 ms: Connection timed out" },
	{ "/drip", .mode = VALUES, .idle_ms = 5000, .status = 200,
	  .stream = "<{\"status\":\"}\"}><{\"n\":[1,2]}><{}>" },
	{ "/values", .mode = VALUES, .idle_ms = SHORT_MS, .status = 200,
	  .stream = "<{\"a\":1}><{\"b\":2}>", .code = ETIMEDOUT,
	  .text = "GET /values: silent for 60 ms: Connection timed out" },
	{ "/close-in-value", .mode = VALUES, .status = 200, .stream = "<{}>", .code = ECONNRESET,
	  .text = "GET /close-in-value: ended inside of a value: Connection reset by peer" },
	{ "/endless-value", .mode = VALUES, .max_bytes = 100000, .status = 200, .stream = "<{}>",
	  .code = EFBIG,
	  .text = "GET /endless-value: a value of more than 100000 bytes: File too large" },
};

static void test_rows(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct outcome o = { 0 };
		struct http_spec spec = {
			.method = "GET",
			.path = rows[i].path,
			.deadline_ms = rows[i].deadline_ms,
			.idle_ms = rows[i].idle_ms,
			.max_bytes = rows[i].max_bytes,
			.chunk = rows[i].mode == CHUNKS ? on_chunk : NULL,
			.value = rows[i].mode == VALUES ? on_value : NULL,
		};
		ask(&o, &spec);
		loop_run(loop);
		const char *body = rows[i].body ? rows[i].body : "";
		bool same = o.called && o.ok == (rows[i].code == 0) && o.status == rows[i].status &&
			    o.code == rows[i].code &&
			    (!rows[i].text || strcmp(o.text, rows[i].text) == 0) &&
			    (strcmp(body, "*") == 0 || strcmp(buf_str(&o.body), body) == 0) &&
			    strcmp(buf_str(&o.stream), rows[i].stream ? rows[i].stream : "") == 0;
		if (!same)
			fail_msg("%s (row %zu): %d %d '%s' body '%.80s' stream '%.80s'",
				 rows[i].path, i, o.status, o.code, o.text, buf_str(&o.body),
				 buf_str(&o.stream));
		forget(&o);
	}
}

/* --- what is sent ---------------------------------------------------------------------------- */

static void check_sent(const struct http_spec *spec, const char *want)
{
	struct outcome o = { 0 };
	ask(&o, spec);
	loop_run(loop);
	assert_string_equal(o.text, "");
	assert_string_equal(buf_str(&o.body), want);
	forget(&o);
}

static void test_sent(void **state UNUSED)
{
	static const char *const headers[] = { "X-Registry-Auth: abc",
					       "Content-Type: application/json", NULL };
	check_sent(&(struct http_spec){ .method = "GET", .path = "/echo?a=%2F" },
		   "GET /echo?a=%2F HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
	check_sent(&(struct http_spec){ .method = "POST", .path = "/echo" },
		   "POST /echo HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nContent-Length: "
		   "0\r\n\r\n");
	check_sent(&(struct http_spec){ .method = "POST",
					.path = "/echo",
					.headers = headers,
					.body = "{}",
					.body_len = 2 },
		   "POST /echo HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"
		   "X-Registry-Auth: abc\r\nContent-Type: application/json\r\n"
		   "Content-Length: 2\r\n\r\n{}");
	check_sent(&(struct http_spec){ .method = "DELETE", .path = "/echo" },
		   "DELETE /echo HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
	check_sent(&(struct http_spec){ .method = "HEAD", .path = "/empty" }, "");
}

/* A body of several megabytes, zeros in it, as an image is loaded. */
static void test_large_body(void **state UNUSED)
{
	size_t len = 3 << 20;
	char *body = calloc(1, len);
	for (size_t i = 0; i < len; i += 7)
		body[i] = (char)i;
	struct outcome o = { 0 };
	ask(&o, &(struct http_spec){ .method = "PUT",
				     .path = "/echo",
				     .body = body,
				     .body_len = len,
				     .deadline_ms = PATIENCE_MS });
	memset(body, 'x', 100); /* it was copied */
	body[0] = 0;
	loop_run(loop);
	assert_string_equal(o.text, "");
	assert_true(o.body.len > len);
	assert_null(strstr(buf_str(&o.body), "Expect:")); /* it would wait for an answer to it */
	assert_memory_equal(o.body.data + o.body.len - len + 100, body + 100, len - 100);
	assert_int_equal(o.body.data[o.body.len - len + 7], 7);
	forget(&o);
	free(body);
}

static void test_refused(void **state UNUSED)
{
	static const char *const two_lines[] = { "X-A: b\r\nX-B: c", NULL };
	struct outcome o = { 0 };
	ask(&o, &(struct http_spec){ .method = "GET", .path = "/ok", .headers = two_lines });
	loop_run(loop);
	assert_int_equal(o.code, EINVAL);
	forget(&o);
	get(&o, "/ok HTTP/1.1\r\nX-A: b");
	assert_false(o.ok);
	assert_int_equal(o.status, 0);
	forget(&o);

	static const char *const bases[] = { "",
					     "unix:/x",
					     "unix://x",
					     "ftp://host",
					     "http://",
					     "http://host/path",
					     "http://a@host",
					     "http://ho st",
					     "/run/docker.sock" };
	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		struct err err = { 0 };
		assert_null(http_client_new(loop, bases[i], NULL, &err));
		assert_int_equal(err.code, EINVAL);
	}
	char path[200] = "unix:///";
	memset(path + 8, 'a', 107); /* with the slash 108 */
	struct err err = { 0 };
	assert_null(http_client_new(loop, path, NULL, &err));
	assert_int_equal(err.code, ENAMETOOLONG);
	path[114] = '\0';
	struct http_client *longest = http_client_new(loop, path, NULL, &err);
	assert_non_null(longest);
	http_client_free(longest);
	http_client_free(NULL);
	http_cancel(NULL);
}

static void test_encode(void **state UNUSED)
{
	struct buf out = { 0 };
	http_encode(&out, "{\"label\":[\"a=b c\"]}");
	http_encode(&out, "-._~/é");
	http_encode(&out, "");
	assert_string_equal(buf_str(&out),
			    "%7B%22label%22%3A%5B%22a%3Db%20c%22%5D%7D-._~%2F%C3%A9");
	buf_release(&out);
}

/* --- connections ----------------------------------------------------------------------------- */

static void test_reuse(void **state UNUSED)
{
	struct outcome o = { 0 };
	for (int i = 0; i < 5; i++) {
		get(&o, "/ok");
		assert_true(o.ok);
		forget(&o);
	}
	assert_int_equal(server_connections(&server), 1);
	/* A POST must not be sent twice: it never takes a connection that may be dead. */
	for (int i = 0; i < 3; i++) {
		ask(&o, &(struct http_spec){ .method = "POST", .path = "/ok" });
		loop_run(loop);
		forget(&o);
	}
	assert_int_equal(server_connections(&server), 4);
	ask(&o, &(struct http_spec){ .method = "POST", .path = "/ok", .repeatable = true });
	loop_run(loop);
	forget(&o);
	assert_int_equal(server_connections(&server), 4);
	/* Closed by the server after an answer: the next request does not suffer from it. */
	for (int i = 0; i < 20; i++) {
		get(&o, "/once");
		assert_true(o.ok);
		forget(&o);
	}
}

static void test_restart(void **state UNUSED)
{
	struct outcome o = { 0 };
	get(&o, "/ok");
	assert_true(o.ok);
	forget(&o);
	ask(&o, &(struct http_spec){ .method = "GET", .path = "/values", .value = on_value });
	server_stop(&server);
	loop_run(loop);
	assert_false(o.ok && o.calls == 0); /* cut off, or answered and ended */
	forget(&o);
	get(&o, "/ok");
	assert_int_equal(o.code, ECONNREFUSED);
	forget(&o);
	unlink(socket_path);
	get(&o, "/ok");
	assert_int_equal(o.code, ENOENT);
	char want[200];
	snprintf(want, sizeof(want), "connect '%s': No such file or directory", socket_path);
	assert_string_equal(o.text, want);
	forget(&o);
	server_start(&server, socket_path);
	get(&o, "/ok");
	assert_true(o.ok);
	forget(&o);
}

/* A queue of waiting connections that nobody accepts: EAGAIN when full, a deadline before. */
static void test_not_accepting(void **state UNUSED)
{
	char path[80], url[100];
	snprintf(path, sizeof(path), "%s/deaf", dir);
	snprintf(url, sizeof(url), "unix://%s", path);
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fd, 0), 0);
	struct http_client *was = client;
	client = http_client_new(loop, url, NULL, NULL);
	struct outcome o[3] = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		ask(&o[i],
		    &(struct http_spec){ .method = "GET", .path = "/ok", .deadline_ms = SHORT_MS });
	loop_run(loop);
	int full = 0;
	for (size_t i = 0; i < ARRAY_LEN(o); i++) {
		assert_true(o[i].code == EAGAIN || o[i].code == ETIMEDOUT);
		full += o[i].code == EAGAIN;
		forget(&o[i]);
	}
	assert_int_equal(full, 2);
	http_client_free(client);
	client = was;
	close(fd);
	unlink(path);
}

static void test_tcp(void **state UNUSED)
{
	struct server tcp;
	server_start(&tcp, NULL);
	struct http_client *was = client;
	char url[80];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", tcp.port);
	client = http_client_new(loop, url, NULL, NULL);
	struct outcome o = { 0 };
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* nobody asks it */
	get(&o, "/ok");
	unsetenv("http_proxy");
	assert_true(o.ok);
	forget(&o);
	server_stop(&tcp);
	get(&o, "/ok");
	assert_int_equal(o.code, ECONNREFUSED);
	char want[200];
	snprintf(want, sizeof(want), "connect '%s': Connection refused", url);
	assert_string_equal(o.text, want);
	forget(&o);
	http_client_free(client);
	client = http_client_new(loop, "http://does-not-exist.invalid", NULL, NULL);
	get(&o, "/ok");
	assert_int_equal(o.code, EHOSTUNREACH);
	forget(&o);
	http_client_free(client);
	client = was;
}

static void test_many(void **state UNUSED)
{
	static struct outcome o[200];
	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		ask(&o[i], &(struct http_spec){ .method = i % 3 ? "GET" : "POST",
						.path = i % 2 ? "/drip" : "/echo",
						.value = i % 2 ? on_value : NULL,
						.deadline_ms = PATIENCE_MS });
	loop_run(loop);
	for (size_t i = 0; i < ARRAY_LEN(o); i++) {
		assert_string_equal(o[i].text, "");
		if (i % 2)
			assert_string_equal(buf_str(&o[i].stream),
					    "<{\"status\":\"}\"}><{\"n\":[1,2]}><{}>");
		forget(&o[i]);
	}
}

/* All descriptors of ours end with exec(), libcurl's among them. */
static void test_close_on_exec(void **state UNUSED)
{
	struct outcome o = { 0 };
	get(&o, "/ok");
	forget(&o);
	DIR *fds = opendir("/proc/self/fd");
	for (struct dirent *e; (e = readdir(fds)) != NULL;) {
		int fd = (int)strtol(e->d_name, NULL, 10);
		char name[300] = "", link[300];
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, name, sizeof(name) - 1);
		if (fd > 2 && n > 0 && strncmp(name, "socket:", 7) == 0 &&
		    !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			fail_msg("%d, %s, is inherited", fd, name);
	}
	closedir(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_body, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reuse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_accepting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tcp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_on_exec, setup, teardown),
	};
	return RUN_IN_WORLD(tests);
}
