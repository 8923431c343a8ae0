/* Calls to the engine: one request after another, with what they are about. */
#include "engine/docker/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct call *call_new(struct docker_engine *engine,
		      void (*done)(struct call *call, const struct answer *answer))
{
	struct call *call = xcalloc(1, sizeof(*call));
	call->engine = engine;
	call->done = done;
	arena_init(&call->arena);
	call->next = engine->calls;
	call->link = &engine->calls;
	if (call->next)
		call->next->link = &call->next;
	engine->calls = call;
	return call;
}

void call_free(struct call *call)
{
	if (!call)
		return;
	http_cancel(call->request);
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	json_decref(call->json);
	arena_release(&call->arena);
	free(call);
}

const char *query_text(struct arena *arena, const char *text)
{
	struct buf out = { 0 };
	http_encode(&out, text);
	const char *result = arena_strdup(arena, buf_str(&out));
	buf_release(&out);
	return result;
}

/* Why there was no answer, as ECS would say it. */
static const char *no_answer(struct call *call, const struct err *err)
{
	return arena_printf(&call->arena, "%s%s",
			    err->code == ETIMEDOUT ? "DockerTimeoutError: " : "", err->text);
}

static void answered(void *arg, const struct http_answer *http)
{
	struct call *call = arg;
	call->request = NULL;
	struct answer answer = {
		.ok = http->ok && http->status >= 200 && http->status < 300,
		.none = !http->ok,
		.status = http->status,
		.code = http->ok ? 0 : http->err.code,
		.body = http->body ? http->body : "",
		.len = http->len,
		.message = "",
	};
	if (answer.none) {
		answer.message = no_answer(call, &http->err);
	} else if (!answer.ok) {
		const char *words = inspect_message(answer.body, answer.len, &call->arena);
		answer.message =
			*words ? words
			       : arena_printf(&call->arena, "the engine answers %d", answer.status);
	}
	if (answer.none) {
		link_suspect(call, &answer);
		answer.away = call->engine->link != LINK_UP;
	}
	call->done(call, &answer);
	if (!call->request && !call->held)
		call_free(call);
}

void call_send_spec(struct call *call, struct http_spec *spec)
{
	static const char *const json[] = { "Content-Type: application/json", NULL };
	struct docker_engine *engine = call->engine;
	if (spec->body && !spec->headers)
		spec->headers = json;
	/* Before the engine told which versions it speaks it is asked without one. */
	if (engine->link != LINK_ASKING && engine->flavor_known)
		spec->path = arena_printf(&call->arena, "/v%s%s", engine->flavor.api, spec->path);
	call->request = http_request(engine->http, spec, answered, call);
}

void call_send(struct call *call, const char *method, int64_t deadline_ms, json_t *body,
	       const char *path, ...)
{
	struct buf text = { 0 };
	va_list args;
	va_start(args, path);
	buf_vaddf(&text, path, args);
	va_end(args);
	char *bytes = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct http_spec spec = {
		.method = method,
		.path = arena_strdup(&call->arena, buf_str(&text)),
		.body = bytes,
		.body_len = bytes ? strlen(bytes) : 0,
		.deadline_ms = deadline_ms,
		.max_bytes = call->max_bytes ? call->max_bytes : INSPECT_MAX_BYTES,
	};
	call_send_spec(call, &spec);
	free(bytes);
	json_decref(body);
	buf_release(&text);
}
