/* The loop's side: the sockets and the timer that libcurl asks for. */
#include "http/internal.h"
#include "loop/loop.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <uv.h>

/* --- driving libcurl ------------------------------------------------------------------------- */

struct socket_watch {
	uv_poll_t handle;
	struct http_client *client;
	curl_socket_t fd;
};

static void drive(struct http_client *client, curl_socket_t fd, int events)
{
	int running, left;
	CURLMcode code = curl_multi_socket_action(client->multi, fd, events, &running);
	assert(code == CURLM_OK);
	(void)code;
	CURLMsg *msg;
	while ((msg = curl_multi_info_read(client->multi, &left)) != NULL) {
		assert(msg->msg == CURLMSG_DONE);
		CURLcode result = msg->data.result;
		struct http_request *request = NULL;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&request);
		request_end(request, result);
	}
}

static void on_socket(uv_poll_t *handle, int status, int events)
{
	struct socket_watch *watch = handle->data;
	int what = status < 0 ? CURL_CSELECT_ERR : 0;
	if (events & UV_READABLE)
		what |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		what |= CURL_CSELECT_OUT;
	drive(watch->client, watch->fd, what);
}

static void free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static struct socket_watch *watch_new(struct http_client *client, curl_socket_t fd)
{
	struct socket_watch *watch = xcalloc(1, sizeof(*watch));
	watch->client = client;
	watch->fd = fd;
	int rc = uv_poll_init(loop_uv(client->loop), &watch->handle, fd);
	assert(rc == 0);
	(void)rc;
	watch->handle.data = watch;
	curl_multi_assign(client->multi, fd, watch);
	return watch;
}

/* CURLMOPT_SOCKETFUNCTION: what to wait for on fd from now on. */
static int watch_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg, void *known)
{
	struct http_client *client = arg;
	struct socket_watch *watch = known;
	if (what == CURL_POLL_REMOVE) {
		if (watch) {
			curl_multi_assign(client->multi, fd, NULL);
			uv_close((uv_handle_t *)&watch->handle, free_watch);
		}
		return 0;
	}
	if (!watch)
		watch = watch_new(client, fd);
	int events =
		(what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	if (events)
		uv_poll_start(&watch->handle, events, on_socket);
	else
		uv_poll_stop(&watch->handle);
	return 0;
}

/* CURLMOPT_TIMERFUNCTION; -1: none. */
static int set_timer(CURLM *multi UNUSED, long timeout_ms, void *arg)
{
	struct http_client *client = arg;
	if (client->freed)
		return 0;
	if (timeout_ms < 0)
		timer_clear(client->timer);
	else
		timer_set(client->timer, timeout_ms);
	return 0;
}

/* --- making and freeing ---------------------------------------------------------------------- */

/* libcurl makes descriptors of its own that programs we start would inherit (curl issue 13618). */
static void close_all_on_exec(void)
{
	DIR *dir = opendir("/proc/self/fd");
	if (!dir)
		return;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		int64_t fd;
		if (parse_int(e->d_name, &fd) && fd > 2)
			fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	}
	closedir(dir);
}

static void client_destroy(struct http_client *client)
{
	while (client->requests)
		request_free(client->requests);
	curl_multi_cleanup(client->multi);
	timer_free(client->timer);
	free(client->url);
	free(client->socket_path);
	free(client->address);
	free(client->ca_file);
	free(client->cert_file);
	free(client->key_file);
	free(client);
}

static void on_timer(void *arg)
{
	struct http_client *client = arg;
	if (client->freed)
		client_destroy(client);
	else
		drive(client, CURL_SOCKET_TIMEOUT, 0);
}

static bool set_address(struct http_client *client, const char *base, struct err *err)
{
	static const char unix_scheme[] = "unix://";
	if (strncmp(base, unix_scheme, strlen(unix_scheme)) == 0) {
		const char *path = base + strlen(unix_scheme);
		if (*path != '/')
			return err_set(err, EINVAL, "'%s': unix:// and an absolute path", base);
		if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
			return err_set(err, ENAMETOOLONG, "'%s'", base);
		client->url = xstrdup("http://localhost");
		client->socket_path = xstrdup(path);
		client->address = xstrdup(path);
		return true;
	}
	const char *host = strstr(base, "://");
	size_t scheme_len = host ? (size_t)(host - base) : 0;
	bool known = (scheme_len == 4 && strncmp(base, "http", 4) == 0) ||
		     (scheme_len == 5 && strncmp(base, "https", 5) == 0);
	/* No credentials and no path: what is asked for comes with each request. */
	if (!known || host[3] == '\0' || strpbrk(host + 3, "/?#@ \t\r\n"))
		return err_set(err, EINVAL, "'%s': neither unix://PATH nor http[s]://HOST[:PORT]",
			       base);
	client->url = xstrdup(base);
	client->address = xstrdup(base);
	return true;
}

static char *strdup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void multi_init(struct http_client *client)
{
	static bool initialised; /* once in a process */
	if (!initialised) {
		CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
		assert(code == CURLE_OK);
		(void)code;
		initialised = true;
	}
	client->multi = curl_multi_init();
	assert(client->multi);
	close_all_on_exec();
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_IDLE_CONNECTIONS);
}

struct http_client *http_client_new(struct loop *loop, const char *base, const struct http_tls *tls,
				    struct err *err)
{
	struct http_client *client = xcalloc(1, sizeof(*client));
	if (!set_address(client, base, err)) {
		free(client);
		return NULL;
	}
	client->loop = loop;
	if (tls) {
		client->ca_file = strdup_or_null(tls->ca_file);
		client->cert_file = strdup_or_null(tls->cert_file);
		client->key_file = strdup_or_null(tls->key_file);
	}
	client->timer = timer_new(loop, on_timer, client);
	multi_init(client);
	return client;
}

void http_client_free(struct http_client *client)
{
	if (!client || client->freed)
		return;
	for (struct http_request *r = client->requests; r; r = r->next)
		r->cancelled = true;
	client->freed = true;
	timer_set(client->timer, 0);
}
