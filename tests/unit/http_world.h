/*
 * A client of tests/unit/http_server.h, and what became of its requests. The loop stops when all
 * that were asked for have ended.
 */
#ifndef TEST_HTTP_WORLD_H
#define TEST_HTTP_WORLD_H

#include "http/http.h"
#include "loop/loop.h"

#include "http_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PATIENCE_MS 20000
#define SHORT_MS    60

static struct loop *loop;
static struct timer *patience;
static char dir[] = "/tmp/muster-http.XXXXXX";
static char socket_path[64], base[80];
static struct server server;
static struct http_client *client;

/* What became of one request; the loop stops when `pending` has reached 0. */
struct outcome {
	struct http_request *request;
	struct buf body, stream;
	int status, code;
	int cancel_at; /* cancel it at that call of chunk() or value(), from inside */
	int calls;
	bool called, ok;
	bool free_client; /* instead of cancelling */
	char text[ERR_TEXT_MAX];
};
static int pending;

static void on_impatient(void *arg UNUSED)
{
	loop_stop(loop);
	fail_msg("nothing happened");
}

static int setup(void **state UNUSED)
{
	loop = loop_new();
	patience = timer_new(loop, on_impatient, NULL);
	timer_set(patience, PATIENCE_MS);
	server_start(&server, socket_path);
	struct err err;
	client = http_client_new(loop, base, NULL, &err);
	assert_non_null(client);
	return 0;
}

static int teardown(void **state UNUSED)
{
	http_client_free(client);
	timer_free(patience);
	loop_free(loop);
	server_stop(&server);
	return 0;
}

static void count_down(void)
{
	if (--pending == 0)
		loop_stop(loop);
}

static void on_done(void *arg, const struct http_answer *answer)
{
	struct outcome *o = arg;
	assert_false(o->called);
	assert_int_equal(answer->body[answer->len], '\0');
	o->called = true;
	o->request = NULL;
	o->ok = answer->ok;
	o->status = answer->status;
	o->code = answer->ok ? 0 : answer->err.code;
	snprintf(o->text, sizeof(o->text), "%s", answer->ok ? "" : answer->err.text);
	buf_add(&o->body, answer->body, answer->len);
	count_down();
}

static void called(struct outcome *o)
{
	assert_false(o->called);
	if (++o->calls != o->cancel_at)
		return;
	if (o->free_client) {
		http_client_free(client);
		client = NULL;
	} else {
		http_cancel(o->request);
	}
	count_down();
}

static void on_chunk(void *arg, const void *bytes, size_t len)
{
	struct outcome *o = arg;
	buf_add(&o->stream, bytes, len);
	called(o);
}

static void on_value(void *arg, const char *text, size_t len)
{
	struct outcome *o = arg;
	assert_int_equal(strlen(text), len);
	buf_addf(&o->stream, "<%s>", text);
	called(o);
}

static void forget(struct outcome *o)
{
	buf_release(&o->body);
	buf_release(&o->stream);
	*o = (struct outcome){ 0 };
}

static void ask(struct outcome *o, const struct http_spec *spec)
{
	pending++;
	o->request = http_request(client, spec, on_done, o);
	assert_false(o->called);
}

static void get(struct outcome *o, const char *path)
{
	ask(o, &(struct http_spec){ .method = "GET", .path = path });
	loop_run(loop);
}

/* Run the tests below a folder of their own, for the server's socket. */
#define RUN_IN_WORLD(tests) (world_make() ? cmocka_run_group_tests(tests, NULL, world_remove) : 1)

static bool world_make(void)
{
	if (!mkdtemp(dir))
		return false;
	snprintf(socket_path, sizeof(socket_path), "%s/socket", dir);
	snprintf(base, sizeof(base), "unix://%s", socket_path);
	return true;
}

static int world_remove(void **state UNUSED)
{
	unlink(socket_path);
	return rmdir(dir);
}

#endif
