/*
 * muster-shim: the parent of one task's processes, so that the task outlives the agent.
 *
 * Usage: muster-shim ID [NAME], in the tasks directory, with the task's lock as SHIM_LOCK_FD and
 * its FIFO as SHIM_CTL_FD; NAME is for people who read ps. Or: muster-shim --check, with a record
 * as SHIM_CHECK_FD: do all of a start but the start, print what is wrong. Or: muster-shim --pause,
 * alone in a container of its own: until SIGTERM or SIGINT do nothing but wait for orphans.
 *
 * Always holds:
 *  - The lock is held for as long as anything of the task may live; no process of the task has it.
 *  - ID.exit is written only when nothing that the task forked is left (subreaper, waitpid() says
 *    ECHILD). Only a kill of the shim itself leaves processes behind; then ID.exit is missing.
 *  - It acts on the FIFO and on its children alone. SIGTERM, SIGINT, SIGHUP are ignored; it needs
 *    no agent, no terminal, no free disk.
 *  - No memory is allocated: all state is static, the record is mapped. One process, one thread, no
 *    wake-up without an event.
 */
#ifndef MUSTER_SHIM_H
#define MUSTER_SHIM_H

#include "engine/process/record.h"

#include <sys/types.h>

#define CONTAINERS_MAX 16    /* a task definition has 10 at most */
#define LOG_CHUNK      16384 /* bytes of output taken at a time */
#define STRAYS_MAX     128   /* remembered as asked to stop */
#define RECHECK_MS     50    /* while stopping: look for processes that lost their parent */
#define RETRY_MS       1000  /* an exit record that could not be written */

enum container_state { CONTAINER_WAITING, CONTAINER_RUNNING, CONTAINER_EXITED };

struct log_file {
	const char *task;	  /* its id, for marks */
	int dir_fd, fd, marks_fd; /* -1: none */
	int64_t size, max_bytes;  /* size: of the file; max_bytes: of it and its marks */
	int64_t marks_size;
	int64_t marked_at, marked_ms; /* where the last mark is, and when it was made */
	bool marked, torn;	      /* there is one in this file; the last one is cut */
	int files;
	uint64_t dropped;	 /* bytes that the file did not take */
	uint64_t dropped_unsaid; /* of those, not yet told in the file */
};

struct container {
	struct record_reader keys; /* its part of the record */
	const char *name;
	bool essential;
	int64_t stop_timeout_ms;
	enum container_state state;
	pid_t pid;  /* of the main process, also its group and session; 0: never started */
	bool asked; /* its group had SIGTERM while the main process lived */
	int64_t kill_at_ms;
	int status;	    /* of waitpid(), when EXITED and pid != 0 */
	const char *reason; /* "OutOfMemoryError: ...", or why it did not start; NULL */
	int out_fd, err_fd; /* our ends of its pipes; -1: closed */
	struct log_file log;
	char tail[STDERR_TAIL_MAX]; /* ring of the last bytes of stderr */
	uint64_t tail_bytes;	    /* ever written to it */
};

struct shim {
	const char *id;
	const char *boot_id;
	struct record_reader task_keys;
	struct container containers[CONTAINERS_MAX];
	int count;
	bool stopping, requested;
	bool waiting_for_children; /* waitpid() has not yet said ECHILD */
	const char *stop_code;
	char reason[STOP_REASON_MAX + 1];
	int64_t started_unix_ms, started_boot_ms;
	int64_t kill_at_ms;	  /* then everything */
	pid_t strays[STRAYS_MAX]; /* asked to stop, one by one */
	int stray_count;
};

int64_t boot_ms(void);
int64_t unix_ms(void);
const char *error_text(int code);

/* Append to out[size] what fits; out stays a string. */
void text_add(char *out, size_t size, const char *s);
void text_add_number(char *out, size_t size, uint64_t number);

/* task.c: the record as a task. False: it cannot be read, why says what is wrong. */
bool task_load(struct shim *shim, int fd, const char **why);
struct container *task_container(struct shim *shim, const char *name, size_t len);

/* child.c: a container's process. start: false with the reason in text. */
bool child_start(struct container *c, char *text, size_t text_size);
bool child_check(struct container *c, char *text, size_t text_size);
void child_init(void); /* once, before the first */

/* log.c */
void log_open(struct log_file *log, const struct record_reader *keys);
/* Take what the pipe has now; closes it at its end. */
void log_pump(struct container *c, int *fd);
void log_append(struct log_file *log, const char *bytes, size_t len);
/* Nothing more comes. */
void log_end(struct log_file *log);
/* The last bytes of stderr as valid UTF-8 without NUL. Returns the length. */
size_t log_tail(const struct container *c, char out[STDERR_TAIL_MAX]);

/* stop.c */
void stop_begin(struct shim *shim, const char *code, const char *reason, bool requested);
/* Go on stopping: ask who lost its parent, kill who is over time. Returns when to look again. */
int64_t stop_step(struct shim *shim, int64_t now_ms);

/* state.c: what is left for the agent. */
void state_write_start(struct shim *shim);
void state_reserve_exit(struct shim *shim);
void state_write_exit(struct shim *shim);
/* cgroup.c */
int64_t cgroup_oom_kills(const struct record_reader *keys);
void cgroup_kill(const struct record_reader *keys);
void cgroup_remove(struct shim *shim);

#endif
