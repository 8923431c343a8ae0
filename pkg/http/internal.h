/* http: what client.c (the loop's side) and request.c (one request) share. */
#ifndef MUSTER_HTTP_INTERNAL_H
#define MUSTER_HTTP_INTERNAL_H

#include "http/http.h"

#include <curl/curl.h>

struct http_client {
	struct loop *loop;
	CURLM *multi;
	struct timer *timer;	       /* libcurl's; after http_client_free() the one that frees */
	struct http_request *requests; /* not ended yet */
	char *url;		       /* what a path is put behind: "http://localhost" */
	char *socket_path;	       /* NULL: TCP */
	char *address;		       /* for people: the socket's path, or url */
	char *ca_file, *cert_file, *key_file;
	bool freed;
};

/*
 * libcurl must not be called from inside its own callbacks, chunk() and value() among them. So all
 * that a caller may ask for at any time is done by the request's timer, a turn of the loop later:
 * to start it, to end one that cannot be started, to free a cancelled one.
 */
struct http_request {
	struct http_client *client;
	struct http_request *next, **link; /* in client->requests */
	CURL *easy;
	struct curl_slist *headers;
	struct timer *timer; /* also its deadline, and the limit of silence of a stream */
	bool started;	     /* libcurl has it */
	bool cancelled;	     /* no callback any more */
	bool head_read;	     /* of the final answer (not 1xx) */
	bool streaming;	     /* its body goes to chunk() or value() */
	size_t head_bytes;
	int socket_errno;
	struct err err; /* why we ended it ourselves; text empty: we did not */
	char curl_error[CURL_ERROR_SIZE];

	char *name; /* "GET /containers/json": without the query */
	struct buf request_body, body;
	struct http_split split;
	int64_t deadline_ms, idle_ms;
	size_t max_bytes;
	void (*chunk)(void *arg, const void *bytes, size_t len);
	void (*value)(void *arg, const char *text, size_t len);
	void (*done)(void *arg, const struct http_answer *answer);
	void *arg;
};

/* Libcurl has ended it: calls done() unless it was cancelled, and frees it. */
void request_end(struct http_request *request, CURLcode code);
void request_free(struct http_request *request);

#endif
