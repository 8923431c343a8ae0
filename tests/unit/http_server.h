/*
 * A small HTTP server for tests, in threads of the test's own, on a unix socket or on a port of
 * 127.0.0.1: what it answers is written out byte by byte and chosen by the path: it must
 * be able to answer what no server should.
 */
#ifndef TEST_HTTP_SERVER_H
#define TEST_HTTP_SERVER_H

#include "base/base.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVER_CONNECTIONS 512

struct server {
	int fd;
	unsigned port; /* TCP */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_t threads[SERVER_CONNECTIONS];
	int connections[SERVER_CONNECTIONS]; /* descriptors; closed when the server stops */
	size_t count;			     /* connections ever accepted */
	size_t requests;
};

struct conn {
	struct server *server;
	int fd;
	struct buf in; /* read, not yet used */
};

static bool conn_send(struct conn *c, const void *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(c->fd, (const char *)bytes + at, len - at, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static bool conn_says(struct conn *c, const char *text)
{
	return conn_send(c, text, strlen(text));
}

/* Until the other side closes, or the server stops. */
static void conn_wait(struct conn *c)
{
	char bytes[4096];
	while (recv(c->fd, bytes, sizeof(bytes), 0) > 0)
		;
}

static bool conn_read(struct conn *c)
{
	char bytes[4096];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);
	if (n > 0)
		buf_add(&c->in, bytes, (size_t)n);
	return n > 0;
}

static void endless(struct conn *c, const char *piece)
{
	while (conn_says(c, piece))
		;
}

static bool echo(struct conn *c, const char *head, const char *body, size_t len)
{
	struct buf out CLEANUP(buf_release) = { 0 };
	size_t head_len = strlen(head);
	buf_addf(&out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", head_len + len, head);
	buf_add(&out, body, len);
	return conn_send(c, out.data, out.len);
}

/* A value a byte at a time, each byte a chunk and a packet of its own. */
static bool drip(struct conn *c, const char *text)
{
	bool ok = conn_says(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (; ok && *text; text++) {
		char chunk[] = "1\r\n?\r\n";
		chunk[3] = *text;
		ok = conn_says(c, chunk);
	}
	return ok && conn_says(c, "0\r\n\r\n");
}

/* What needs more than some fixed bytes. Returns whether the connection stays open. */
static bool answer_specially(struct conn *c, const char *path)
{
	if (strcmp(path, "/endless-body") == 0) {
		conn_says(c, "HTTP/1.1 200 OK\r\n\r\n");
		endless(c, "0123456789abcdef0123456789abcdef");
	} else if (strcmp(path, "/endless-head") == 0) {
		conn_says(c, "HTTP/1.1 200 OK\r\n");
		endless(c, "X-More: and more and more\r\n");
	} else if (strcmp(path, "/endless-line") == 0) {
		conn_says(c, "HTTP/1.1 200 OK\r\nX-Line: ");
		endless(c, "and more and more and more and more");
	} else if (strcmp(path, "/endless-100") == 0) {
		endless(c, "HTTP/1.1 100 Continue\r\n\r\n");
	} else if (strcmp(path, "/endless-value") == 0) {
		conn_says(c, "HTTP/1.1 200 OK\r\n\r\n{}\n{\"");
		endless(c, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	} else if (strcmp(path, "/drip") == 0) {
		return drip(c, "{\"status\":\"}\"}\n{\"n\":[1,2]}{}\r\n");
	} else {
		conn_says(c, "HTTP/1.1 599 no such test\r\nContent-Length: 0\r\n\r\n");
	}
	return false;
}

static const struct {
	const char *path, *says;
	enum { STAY, CLOSE, WAIT } then;
} answers[] = {
	{ "/ok", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", STAY },
	{ "/empty", "HTTP/1.1 204 No Content\r\n\r\n", STAY },
	{ "/missing",
	  "HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\n\r\n{\"message\":\"no such\"}", STAY },
	{ "/redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", STAY },
	{ "/continue",
	  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", STAY },
	{ "/chunked",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Trailer: t\r\n\r\n",
	  STAY },
	{ "/until-close", "HTTP/1.1 200 OK\r\n\r\nhello", CLOSE },
	{ "/once", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", CLOSE }, /* unannounced */
	{ "/close", "", CLOSE },
	{ "/close-in-head", "HTTP/1.1 200 OK\r\nContent-Le", CLOSE },
	{ "/close-in-body", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", CLOSE },
	{ "/close-in-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
	  CLOSE },
	{ "/close-in-value", "HTTP/1.1 200 OK\r\n\r\n{}{\"a\":", CLOSE },
	{ "/bad-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n", WAIT },
	{ "/not-http", "SSH-2.0-OpenSSH_9.2\r\n", WAIT },
	{ "/hang", "", WAIT },
	{ "/hang-in-head", "HTTP/1.1 200 OK\r\nContent-Le", WAIT },
	{ "/hang-in-body", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", WAIT },
	{ "/values", "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}\n{\"b\":2}\n", WAIT },
	{ "/hang-404", "HTTP/1.1 404 Not Found\r\nContent-Length: 50\r\n\r\n{", WAIT },
};

static bool answer(struct conn *c, const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		if (strcmp(answers[i].path, path) != 0)
			continue;
		conn_says(c, answers[i].says);
		if (answers[i].then == WAIT)
			conn_wait(c);
		return answers[i].then == STAY;
	}
	return answer_specially(c, path);
}

/* Read one request whole and answer it. */
static bool serve_one(struct conn *c)
{
	char *end;
	while (!c->in.data || !(end = strstr(c->in.data, "\r\n\r\n"))) {
		if (!conn_read(c))
			return false;
	}
	size_t head_len = (size_t)(end + 4 - c->in.data);
	const char *length = strstr(c->in.data, "Content-Length: ");
	size_t body_len = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
	while (c->in.len < head_len + body_len) {
		if (!conn_read(c))
			return false;
	}
	pthread_mutex_lock(&c->server->lock);
	c->server->requests++;
	pthread_mutex_unlock(&c->server->lock);
	char *head = strndup(c->in.data, head_len);
	char path[200] = "";
	sscanf(head, "%*s %199[^ ?]", path);
	bool stay = strcmp(path, "/echo") == 0 ? echo(c, head, c->in.data + head_len, body_len)
					       : answer(c, path);
	free(head);
	memmove(c->in.data, c->in.data + head_len + body_len, c->in.len - head_len - body_len + 1);
	c->in.len -= head_len + body_len;
	return stay;
}

static void *serve(void *arg)
{
	struct conn *c = arg;
	while (serve_one(c))
		;
	shutdown(c->fd, SHUT_RDWR); /* closed by server_stop(): the number must not be reused */
	buf_release(&c->in);
	free(c);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct server *s = arg;
	int fd;
	while (s->count < SERVER_CONNECTIONS &&
	       (fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct conn *c = xcalloc(1, sizeof(*c));
		*c = (struct conn){ .server = s, .fd = fd };
		pthread_mutex_lock(&s->lock);
		s->connections[s->count] = fd;
		pthread_create(&s->threads[s->count], NULL, serve, c);
		s->count++;
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

static void server_listen(struct server *s, int fd, const void *address, size_t len)
{
	*s = (struct server){ .fd = fd };
	if (bind(fd, address, (socklen_t)len) != 0 || listen(fd, SERVER_CONNECTIONS) != 0)
		abort();
	pthread_mutex_init(&s->lock, NULL);
	pthread_create(&s->thread, NULL, accept_all, s);
}

/* path NULL: TCP, at s->port. */
static void server_start(struct server *s, const char *path)
{
	if (path) {
		struct sockaddr_un name = { .sun_family = AF_UNIX };
		snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
		unlink(path);
		server_listen(s, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &name,
			      sizeof(name));
		return;
	}
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	server_listen(s, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &name, sizeof(name));
	socklen_t len = sizeof(name);
	getsockname(s->fd, (struct sockaddr *)&name, &len);
	s->port = ntohs(name.sin_port);
}

/* As a server that was killed: all its connections are closed, its socket is left. */
static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	for (size_t i = 0; i < s->count; i++)
		shutdown(s->connections[i], SHUT_RDWR);
	for (size_t i = 0; i < s->count; i++) {
		pthread_join(s->threads[i], NULL);
		close(s->connections[i]);
	}
	pthread_mutex_destroy(&s->lock);
}

UNUSED static size_t server_connections(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	size_t n = s->count;
	pthread_mutex_unlock(&s->lock);
	return n;
}

#endif
