/*
 * http: HTTP/1.1 requests over a unix socket, TCP or TLS (libcurl's multi interface on the loop).
 *
 * Always holds:
 *  - Callbacks run on the loop's thread and never from inside the call that asked for them.
 *    Everything here may be called from inside a callback, http_client_free() too.
 *  - Every request ends in exactly one done(), unless it is cancelled or its client freed: then no
 *    callback of it runs again.
 *  - What a server can make large has a bound, and going beyond it is an error (EFBIG), never a
 * cut: the head of an answer (HTTP_HEAD_MAX), a collected body or one value of a stream
 * (max_bytes).
 *  - Redirects are not followed, proxies and .netrc not used, other protocols not spoken; nothing
 * is sent that the caller did not ask for but Host, Accept and Content-Length.
 *
 * Connections are kept (HTTP_IDLE_CONNECTIONS) and used again. A kept one may turn out to be dead
 * only when a request was sent on it; libcurl then sends it again on a new one. So only what may be
 * done twice without harm (GET, HEAD, PUT, DELETE, OPTIONS: RFC 9110 section 9.2.2; others when
 * `repeatable` is set) goes over a kept one. How many requests run at once is up to the caller;
 * each has a connection of its own.
 */
#ifndef MUSTER_HTTP_H
#define MUSTER_HTTP_H

#include "base/base.h"

#define HTTP_HEAD_MAX	      (64 << 10) /* bytes of all header lines of an answer */
#define HTTP_BODY_MAX	      (4 << 20)	 /* max_bytes where none is given */
#define HTTP_IDLE_CONNECTIONS 4

struct loop;
struct http_client;
struct http_request;

/* For https alone; each may be NULL. The server's name is always checked. PEM files. */
struct http_tls {
	const char *ca_file; /* NULL: the system's */
	const char *cert_file, *key_file;
};

/*
 * A client of one server. base: "unix:///run/docker.sock", "http://HOST[:PORT]" or
 * "https://HOST[:PORT]". Arguments are copied; nothing is connected yet. NULL with err set: EINVAL
 * for a base of another form, ENAMETOOLONG for a socket path of more than 107 bytes.
 */
struct http_client *http_client_new(struct loop *loop, const char *base, const struct http_tls *tls,
				    struct err *err);
void http_client_free(struct http_client *client); /* cancels what is under way; takes NULL */

struct http_answer {
	bool ok; /* an answer came whole, whatever its status */
	/*
	 * Of !ok; the text names what was asked and why it failed. ENOENT, ECONNREFUSED, EACCES,
	 * EAGAIN (its queue is full) ...: "connect '/run/docker.sock': No such file or directory".
	 * EHOSTUNREACH: no such name. ETIMEDOUT: past a deadline. EFBIG: past a bound. ECONNRESET:
	 * closed too early. EPROTO: not HTTP, or a certificate that does not do. EINVAL: this
	 * request (a header of several lines).
	 */
	struct err err;
	int status; /* 200, 404 ...; 0: no head of an answer was read */
	/* The body; NUL-terminated; valid during the callback. Empty where it went to the stream.
	 */
	const char *body;
	size_t len;
};

struct http_spec {
	const char *method; /* "GET" */
	const char *path;   /* "/containers/json?all=1", percent-encoded (http_encode()) */
	/* "Name: value", NULL-terminated; NULL: none. No Content-Type is made up. */
	const char *const *headers;
	const void *body; /* copied; NULL: none */
	size_t body_len;
	bool repeatable;     /* a POST that may be sent twice */
	int64_t deadline_ms; /* until the whole answer is there, of a stream its head; 0: none */
	size_t max_bytes;    /* 0: HTTP_BODY_MAX */

	/*
	 * A stream: one of these takes the body of an answer with status 2xx as it comes, chunk()
	 * as raw bytes without a bound, value() one JSON value of at most max_bytes at a time (see
	 * http_split_add()). The body of another status is collected for done(), as without them.
	 */
	void (*chunk)(void *arg, const void *bytes, size_t len);
	void (*value)(void *arg, const char *text, size_t len);
	int64_t idle_ms; /* longest silence after the head of a stream; 0: for ever */
};

/* Arguments are copied. done() may not be NULL. */
struct http_request *http_request(struct http_client *client, const struct http_spec *spec,
				  void (*done)(void *arg, const struct http_answer *answer),
				  void *arg);
/* No callback of it from now on; the connection is closed. Takes NULL. Not after done(). */
void http_cancel(struct http_request *request);

/* Add text to a path or query: all but A-Z a-z 0-9 - . _ ~ as %XX (RFC 3986 section 2.3). */
void http_encode(struct buf *out, const char *text);

/* --- JSON values out of a stream ------------------------------------------------------------- */

/*
 * Takes bytes in pieces of any size and gives whole top-level JSON values, which follow each other
 * with or without white space: Docker's progress and events, etcd's watches. It finds their ends
 * and checks nothing else: a value is an object or array up to its closing bracket, or anything
 * else up to the end of the line; a string cut by the end of a line ends its value, too. Pure.
 */
struct http_split {
	size_t max_bytes;
	struct buf value; /* what is there of the current one */
	size_t depth;	  /* open brackets */
	bool in_string, escaped;
};

void http_split_init(struct http_split *split, size_t max_bytes);
void http_split_release(struct http_split *split);
/*
 * Calls value() for each that is complete; text is NUL-terminated and valid during the call; when
 * it returns false the rest of the bytes is dropped. Returns false with EFBIG when one is longer
 * than max_bytes; the splitter is of no further use then.
 */
bool http_split_add(struct http_split *split, const void *bytes, size_t len,
		    bool (*value)(void *arg, const char *text, size_t len), void *arg,
		    struct err *err);
/*
 * The stream has ended: gives a last value that no end of a line followed. ECONNRESET: it ended
 * inside of an object or array.
 */
bool http_split_end(struct http_split *split,
		    bool (*value)(void *arg, const char *text, size_t len), void *arg,
		    struct err *err);

#endif
