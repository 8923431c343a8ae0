/*
 * engine/process/record: the format of the files in which an agent and a shim leave word to each
 * other and to every later agent. Linked into both: libc only, no allocation.
 *
 * A record is entries that end in NUL: first "muster-KIND VERSION", then "key=value" each, at last
 * "end=" with the 64-bit FNV-1a hash of all bytes before it in 16 hex digits. Keys before the first
 * "container=NAME" are of the task, those after it of that container. Readers pass over keys that
 * they do not know; what cannot be read without being known raises VERSION.
 *
 * Keys of a task: id fleet node cluster service family revision target deployment boot_id
 * created_unix_ms cgroup*. Keys of its containers: container essential stop_timeout_ms arg* env*
 * cwd uid gid group* rlimit* ("RESOURCE SOFT HARD NAME") depends* ("CONTAINER CONDITION") log_dir
 * log_max_bytes log_files cgroup*. (* as often as needed.) Those of the other two are in state.c of
 * the shim and tasks.c of the agent.
 *
 * Always holds: a record that was cut, is being written, or was damaged is RECORD_TORN, never
 * something else; one of a newer version is RECORD_NEWER.
 *
 * The files of a task, all in STATE/agents/NODE/tasks/:
 *   ID.task   kind "task":  all that is needed to run it; by the agent, synced before anything runs
 *   ID.lock   held (flock) by agent, then shim: held = somebody starts or supervises the task
 *   ID.ctl    FIFO that the shim holds open: lines "stop REASON"
 *   ID.stop   a stop was asked for, with this reason (plain text, by the agent)
 *   ID.start  kind "start": the commands were executed; replaced when a container's state changes
 *   ID.exit   kind "exit":  nothing of the task is left; by the shim, or by an agent in its place
 */
#ifndef MUSTER_ENGINE_PROCESS_RECORD_H
#define MUSTER_ENGINE_PROCESS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_VERSION	 1
#define RECORD_MAX_BYTES (8 << 20) /* a larger file is torn: a document has 1 MiB at most */
#define RECORD_ID_MAX	 64	   /* length of a task's id */
#define STOP_REASON_MAX	 1024	   /* bytes of a stop's reason; the command fits PIPE_BUF */
#define STDERR_TAIL_MAX	 2048	   /* last bytes of a container's stderr that are kept */

/* Descriptors that the agent gives a shim. */
#define SHIM_LOCK_FD  3
#define SHIM_CTL_FD   4
#define SHIM_CHECK_FD 3 /* muster-shim --check: the record to be tried */

/* Secrets are in no record: the shim has them in its environment, SHIM_SECRET_PREFIX
 * "CONTAINER.NAME=VALUE", and gives each container its own. */
#define SHIM_SECRET_PREFIX "muster."

/*
 * Write into data[cap]. When that is full, grow() is to make room for `need` bytes; without it the
 * rest is left out, and record_end() says so.
 */
struct record_writer {
	char *data;
	size_t cap, len;
	void (*grow)(struct record_writer *w, size_t need); /* NULL: cannot */
};
void record_begin(struct record_writer *w, const char *kind);
void record_put(struct record_writer *w, const char *key, const char *value); /* NULL: left out */
void record_put_bytes(struct record_writer *w, const char *key, const char *bytes, size_t len);
void record_put_int(struct record_writer *w, const char *key, int64_t value);
/* False: it did not fit. */
bool record_end(struct record_writer *w);

enum record_result { RECORD_OK, RECORD_TORN, RECORD_NEWER };

/* A place in a record. Entries point into the bytes. */
struct record_reader {
	const char *at, *end;
};
/* kind: the one it must be of, else it is RECORD_TORN. */
enum record_result record_open(struct record_reader *r, const void *bytes, size_t len,
			       const char *kind);
/* The next entry, "key=value"; NULL at the end. */
const char *record_next(struct record_reader *r);
/* The value when the entry has that key, else NULL. */
const char *record_value(const char *entry, const char *key);
/* A whole decimal number; anything else is 0. */
int64_t record_int(const char *value);

#endif
