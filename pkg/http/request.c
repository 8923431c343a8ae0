/* One request: what libcurl is told, the bounds of what comes back, and how it ended. */
#include "http/internal.h"
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (8 << 10)	/* of each answer under way */
#define UPLOAD_BYTES (16 << 10) /* the least that libcurl takes */

/* --- what comes back ------------------------------------------------------------------------- */

static void set_timer(struct http_request *r, int64_t due_ms)
{
	if (due_ms > 0)
		timer_set(r->timer, due_ms);
	else
		timer_clear(r->timer);
}

/* Whether libcurl goes on: any other answer than len ends the request. */
static size_t go_on(const struct http_request *r, size_t len)
{
	return r->cancelled || r->err.text[0] ? CURL_WRITEFUNC_ERROR : len;
}

static int status_of(const struct http_request *r)
{
	long status = 0;
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* CURLOPT_HEADERFUNCTION: a line of a head (1xx too), or a trailer. */
static size_t on_head_line(char *line, size_t size UNUSED, size_t len, void *arg)
{
	struct http_request *r = arg;
	r->head_bytes += len;
	if (r->head_bytes > HTTP_HEAD_MAX)
		err_set(&r->err, EFBIG, "%s: answer with a head of more than %d bytes", r->name,
			HTTP_HEAD_MAX);
	bool last = line[0] == '\r' || line[0] == '\n';
	if (!last || r->head_read || status_of(r) < 200)
		return go_on(r, len);
	r->head_read = true;
	r->streaming = (r->chunk || r->value) && status_of(r) / 100 == 2;
	if (r->streaming && !r->cancelled)
		set_timer(r, r->idle_ms);
	return go_on(r, len);
}

static bool give_value(void *arg, const char *text, size_t len)
{
	struct http_request *r = arg;
	if (!r->cancelled)
		r->value(r->arg, text, len);
	return !r->cancelled;
}

static void collect(struct http_request *r, const void *bytes, size_t len)
{
	if (len > r->max_bytes - r->body.len)
		err_set(&r->err, EFBIG, "%s: answer of more than %zu bytes", r->name, r->max_bytes);
	else
		buf_add(&r->body, bytes, len);
}

/* CURLOPT_WRITEFUNCTION: a piece of the body. */
static size_t on_body(char *bytes, size_t size UNUSED, size_t len, void *arg)
{
	struct http_request *r = arg;
	if (r->cancelled)
		return go_on(r, len);
	if (!r->streaming) {
		collect(r, bytes, len);
		return go_on(r, len);
	}
	set_timer(r, r->idle_ms);
	if (r->chunk)
		r->chunk(r->arg, bytes, len);
	else if (!http_split_add(&r->split, bytes, len, give_value, r, &r->err))
		err_wrap(&r->err, "%s", r->name);
	return go_on(r, len);
}

/* --- how it ended ---------------------------------------------------------------------------- */

static const struct {
	CURLcode curl;
	int code;
	const char *text;
} failures[] = {
	{ CURLE_OPERATION_TIMEDOUT, ETIMEDOUT, "no connection" },
	{ CURLE_GOT_NOTHING, ECONNRESET, "closed without an answer" },
	{ CURLE_PARTIAL_FILE, ECONNRESET, "closed in the middle of the answer" },
	/* libcurl's own limit of a single header line, above ours of all of them. */
	{ CURLE_OUT_OF_MEMORY, EFBIG, "answer with a header line that is too long" },
#if LIBCURL_VERSION_NUM >= 0x080600
	{ CURLE_TOO_LARGE, EFBIG, "answer with a header line that is too long" },
#endif
};

static void describe_connect(struct http_request *r)
{
	long system = r->socket_errno;
	if (system == 0)
		curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &system);
	/* libcurl waits for a unix socket with a full queue as if it were TCP, and finds nothing.
	 */
	if (system == 0)
		system = r->client->socket_path ? EAGAIN : ECONNREFUSED;
	err_set(&r->err, (int)system, "connect '%s'", r->client->address);
}

static void describe(struct http_request *r, CURLcode code)
{
	const char *text = r->curl_error[0] ? r->curl_error : curl_easy_strerror(code);
	if (code == CURLE_COULDNT_CONNECT) {
		describe_connect(r);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		if (failures[i].curl == code) {
			err_set(&r->err, failures[i].code, "%s: %s", r->name, failures[i].text);
			return;
		}
	}
	long system = 0;
	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &system);
	if ((code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR) && system > 0) {
		err_set(&r->err, (int)system, "%s: connection broke", r->name);
		return;
	}
	err_set(&r->err, 0, "%s: %s", r->name, text);
	r->err.code = code == CURLE_COULDNT_RESOLVE_HOST ? EHOSTUNREACH : EPROTO;
}

static void take_off(struct http_request *r)
{
	if (r->started)
		curl_multi_remove_handle(r->client->multi, r->easy);
	r->started = false;
	if (r->link) {
		*r->link = r->next;
		if (r->next)
			r->next->link = r->link;
	}
	r->link = NULL;
}

void request_free(struct http_request *r)
{
	take_off(r);
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	timer_free(r->timer);
	http_split_release(&r->split);
	buf_release(&r->request_body);
	buf_release(&r->body);
	free(r->name);
	free(r);
}

void request_end(struct http_request *r, CURLcode code)
{
	take_off(r);
	if (!r->err.text[0] && code != CURLE_OK && !r->cancelled)
		describe(r, code);
	if (!r->err.text[0] && !r->head_read && !r->cancelled) /* libcurl takes half a head */
		err_set(&r->err, ECONNRESET, "%s: closed in the middle of the head", r->name);
	if (!r->err.text[0] && r->streaming && r->value &&
	    !http_split_end(&r->split, give_value, r, &r->err))
		err_wrap(&r->err, "%s", r->name);
	struct http_answer answer = {
		.ok = !r->err.text[0],
		.err = r->err,
		.status = r->head_read ? status_of(r) : 0,
		.body = buf_str(&r->body),
		.len = r->body.len,
	};
	if (!r->cancelled)
		r->done(r->arg, &answer);
	request_free(r);
}

/* --- what is asked --------------------------------------------------------------------------- */

/* CURLOPT_OPENSOCKETFUNCTION: libcurl's own would be inherited by programs that we start. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose UNUSED, struct curl_sockaddr *to)
{
	struct http_request *r = arg;
	int fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	if (fd < 0)
		r->socket_errno = errno;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static void set_connection(struct http_request *r)
{
	const struct http_client *client = r->client;
	CURL *easy = r->easy;
	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, r);
	curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
	curl_easy_setopt(easy, CURLOPT_SSLCERT, client->cert_file);
	curl_easy_setopt(easy, CURLOPT_SSLKEY, client->key_file);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* nor what the environment says */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BYTES);
}

static void set_callbacks(struct http_request *r)
{
	curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->curl_error);
	curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_head_line);
	curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
}

static void add_header(struct http_request *r, const char *header)
{
	if (strpbrk(header, "\r\n"))
		err_set(&r->err, EINVAL, "%s: a header of several lines", r->name);
	r->headers = curl_slist_append(r->headers, header);
	assert(r->headers);
}

/* May it be sent again when nobody knows what became of it? */
static bool is_repeatable(const struct http_spec *spec)
{
	static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" };
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(spec->method, methods[i]) == 0)
			return true;
	}
	return spec->repeatable;
}

static void set_request(struct http_request *r, const struct http_spec *spec)
{
	struct buf url CLEANUP(buf_release) = { 0 };
	buf_addf(&url, "%s%s", r->client->url, spec->path);
	if (curl_easy_setopt(r->easy, CURLOPT_URL, buf_str(&url)) != CURLE_OK)
		err_set(&r->err, EINVAL, "%s: the path is too long", r->name);
	curl_easy_setopt(r->easy, CURLOPT_PATH_AS_IS, 1L);
	bool has_body = spec->body || strcmp(spec->method, "POST") == 0;
	if (has_body) { /* then a Content-Length is sent, even of 0 */
		buf_add(&r->request_body, spec->body, spec->body_len);
		curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, r->request_body.data);
		curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)r->request_body.len);
	}
	if (strcmp(spec->method, "HEAD") == 0)
		curl_easy_setopt(r->easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, spec->method);
	curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, is_repeatable(spec) ? 0L : 1L);
	for (size_t i = 0; spec->headers && spec->headers[i]; i++)
		add_header(r, spec->headers[i]);
	add_header(r, "Content-Type:"); /* libcurl's own; one of the caller's stays */
	add_header(r, "Expect:");	/* no waiting for "100 Continue" */
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
}

static void on_timer(void *arg)
{
	struct http_request *r = arg;
	if (r->cancelled) {
		request_free(r);
		return;
	}
	if (!r->started && !r->err.text[0]) {
		r->started = true;
		set_timer(r, r->deadline_ms);
		CURLMcode code = curl_multi_add_handle(r->client->multi, r->easy);
		assert(code == CURLM_OK);
		(void)code;
		return;
	}
	if (!r->err.text[0] && r->streaming)
		err_set(&r->err, ETIMEDOUT, "%s: silent for %lld ms", r->name,
			(long long)r->idle_ms);
	else if (!r->err.text[0])
		err_set(&r->err, ETIMEDOUT, "%s: no answer within %lld ms", r->name,
			(long long)r->deadline_ms);
	request_end(r, CURLE_OK);
}

struct http_request *http_request(struct http_client *client, const struct http_spec *spec,
				  void (*done)(void *arg, const struct http_answer *answer),
				  void *arg)
{
	assert(done && !client->freed && spec->path[0] == '/' && !(spec->chunk && spec->value));
	struct http_request *r = xcalloc(1, sizeof(*r));
	*r = (struct http_request){
		.client = client,
		.easy = curl_easy_init(),
		.timer = timer_new(client->loop, on_timer, r),
		.deadline_ms = spec->deadline_ms,
		.idle_ms = spec->idle_ms,
		.max_bytes = spec->max_bytes ? spec->max_bytes : HTTP_BODY_MAX,
		.chunk = spec->chunk,
		.value = spec->value,
		.done = done,
		.arg = arg,
		.link = &client->requests,
		.next = client->requests,
	};
	assert(r->easy);
	if (r->next)
		r->next->link = &r->next;
	client->requests = r;
	struct buf name = { 0 };
	buf_addf(&name, "%s %.*s", spec->method, (int)strcspn(spec->path, "?"), spec->path);
	r->name = name.data;
	http_split_init(&r->split, r->max_bytes);
	set_connection(r);
	set_callbacks(r);
	set_request(r, spec);
	timer_set(r->timer, 0);
	return r;
}

void http_cancel(struct http_request *r)
{
	if (!r || r->cancelled)
		return;
	r->cancelled = true;
	timer_set(r->timer, 0);
}

void http_encode(struct buf *out, const char *text)
{
	char *encoded = curl_easy_escape(NULL, text, (int)strlen(text));
	assert(encoded);
	if (encoded)
		buf_adds(out, encoded);
	curl_free(encoded);
}
