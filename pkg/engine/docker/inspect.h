/*
 * engine/docker/inspect: the engine's answers as values: containers, lists, images, events,
 * messages. Pure. What is malformed is an error, never a guess; what is unknown is left out.
 */
#ifndef MUSTER_ENGINE_DOCKER_INSPECT_H
#define MUSTER_ENGINE_DOCKER_INSPECT_H

#include "engine/docker/create.h"

#define INSPECT_MAX_BYTES (1 << 20) /* of one container or image */
#define LIST_MAX_BYTES	  (16 << 20)
#define EVENT_MAX_BYTES	  (256 << 10)
#define BINDINGS_MAX	  200 /* of one container */

/* The engine's clock is the wall clock; ours, that of the boot. */
struct inspect_clock {
	int64_t now_unix_ms, now_boot_ms;
};

struct inspected {
	const char *id;
	struct task_identity labels; /* members NULL: no such label */
	const char *container;	     /* its label; NULL */
	bool essential;
	int64_t stop_timeout_s;
	const char *image_id, *image; /* "sha256:...", and what it was made from */
	const char *log_driver;
	bool tty;
	int64_t pid;
	struct lifecycle_container state; /* but for busy, checking, changed */
	int64_t started_unix_ms, exited_unix_ms;
	/* Of what can be changed by hand in a container that is there: another digest, other
	 * limits. */
	struct digest settings;
	struct wire_binding *bindings;
	uint32_t binding_count;
};
/* GET /containers/ID/json */
bool inspect_container(const char *text, size_t len, const struct inspect_clock *clock,
		       struct arena *arena, struct inspected *out, struct err *err);

/* GET /containers/json: of containers that have all of our labels. */
struct listed {
	const char *id, *task, *container, *fleet, *node;
};
bool inspect_list(const char *text, size_t len, struct arena *arena, struct listed **out,
		  uint32_t *count, struct err *err);

/* GET /images/NAME/json, and Podman's own of it, which tells by which digest it was pulled. */
struct image_info {
	const char *id;	    /* "sha256:..." */
	const char *digest; /* NULL: it does not say */
	struct str_list repo_tags, repo_digests;
};
bool inspect_image(const char *text, size_t len, struct arena *arena, struct image_info *out,
		   struct err *err);

/* One event of GET /events, of a container with our labels. False: of something else. */
struct container_event {
	const char *id, *action;
	const char *task, *container, *fleet, *node; /* NULL: no such label */
	int64_t unix_s;				     /* the engine's clock */
};
bool inspect_event(const char *text, size_t len, struct arena *arena, struct container_event *out);

/* {"message": ...} or {"error": ...} of an answer that is no success; "" where it has none. */
const char *inspect_message(const char *text, size_t len, struct arena *arena);

/* "2026-11-24T13:22:27.358082976Z", "...+02:00" as nanoseconds since 1970; 0: not known, or never
 * ("0001-01-01T00:00:00Z"). */
uint64_t inspect_time_ns(const char *text);

/*
 * What is behind the frames of GET /containers/ID/logs (tty: none): the last max bytes, in the
 * arena, "" for nothing.
 */
const char *inspect_logs(const char *bytes, size_t len, bool tty, size_t max, struct arena *arena);

#endif
