/*
 * loop: the event loop of a daemon: libuv with the few shapes that muster uses.
 *
 * Always holds: callbacks run on the thread that runs the loop, one at a time, and never from
 * inside the call that asked for them. Nothing here blocks. What was made on a loop is freed before
 * it (processes that still run may stay: loop_free() kills them).
 */
#ifndef MUSTER_LOOP_H
#define MUSTER_LOOP_H

#include "base/base.h"

#include <sys/types.h>

struct loop;
struct uv_loop_s;

struct loop *loop_new(void);
void loop_free(struct loop *loop);
struct uv_loop_s *loop_uv(struct loop *loop);
/* Run until loop_stop(), or until nothing is left that could ever call back. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

int64_t clock_monotonic_ms(void); /* CLOCK_MONOTONIC: the controller's own clock */
int64_t clock_boot_ms(void);	  /* CLOCK_BOOTTIME: the agent's */
int64_t clock_unix_ms(void);	  /* for people only */
/* 128 random bits as 32 lower-case hex digits (getrandom). */
void random_id(char out[33]);

/* One-shot timer; setting it again moves it. due_ms from now. */
struct timer;
struct timer *timer_new(struct loop *loop, void (*fire)(void *arg), void *arg);
void timer_set(struct timer *timer, int64_t due_ms);
void timer_clear(struct timer *timer);
void timer_free(struct timer *timer);

/* Call fn when fd is readable. */
struct poll_handle;
struct poll_handle *poll_new(struct loop *loop, int fd, void (*readable)(void *arg), void *arg);
void poll_free(struct poll_handle *poll); /* does not close fd */

/* Call fn on a signal (SIGTERM, SIGINT, SIGHUP); SIGPIPE is ignored by loop_new(). For as long as
 * the loop lives. */
void loop_on_signal(struct loop *loop, int signum, void (*fn)(void *arg, int signum), void *arg);

/*
 * Run a program without a shell: argv, environment (NULL-terminated; exactly this), working
 * directory (NULL: /), uid/gid (-1: ours; with a uid no supplementary groups), stdout collected up
 * to max_bytes, of stderr the first PROCESS_ERRORS_MAX. It leads a session and process group of its
 * own; when it ends, runs past deadline_ms (0: none) or says more than max_bytes, what is left of
 * the group is killed (SIGKILL). done() is called once, after its end: status is the exit code, or
 * 128 + signal; err is set when it could not be started (then status is -1) or ran into a limit.
 */
#define PROCESS_ERRORS_MAX (8 << 10)

struct process_result {
	int status;
	bool timed_out, too_large;
	struct buf *out, *errors;
	struct err err; /* text empty: it ran */
};
struct process_spec {
	const char *const *argv;
	const char *const *env;
	const char *cwd;
	int64_t uid, gid;
	int64_t deadline_ms;
	size_t max_bytes;
	const void *input; /* copied, written to its stdin; NULL: /dev/null */
	size_t input_len;
};
struct process;
struct process *process_run(struct loop *loop, const struct process_spec *spec,
			    void (*done)(void *arg, const struct process_result *result),
			    void *arg);
void process_cancel(
	struct process *process); /* kills it; done() is not called. Not after done(). */

#endif
