#include "loop/loop.h"
#include "loop/internal.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <uv.h>

struct on_signal {
	uv_signal_t handle;
	void (*fn)(void *arg, int signum);
	void *arg;
	struct on_signal *next;
};

struct timer {
	uv_timer_t handle;
	void (*fire)(void *arg);
	void *arg;
};

struct poll_handle {
	uv_poll_t handle;
	void (*readable)(void *arg);
	void *arg;
};

struct loop *loop_new(void)
{
	signal(SIGPIPE, SIG_IGN);
	struct loop *loop = xcalloc(1, sizeof(*loop));
	int rc = uv_loop_init(&loop->uv);
	assert(rc == 0);
	(void)rc;
	return loop;
}

static void free_handle(uv_handle_t *handle)
{
	free(handle->data);
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	process_abandon_all(loop);
	while (loop->signals) {
		struct on_signal *s = loop->signals;
		loop->signals = s->next;
		uv_close((uv_handle_t *)&s->handle, free_handle);
	}
	/* Close callbacks run in a turn of the loop, and a few of them close more. */
	int rc = UV_EBUSY;
	for (int turn = 0; turn < 4 && rc == UV_EBUSY; turn++) {
		uv_run(&loop->uv, UV_RUN_NOWAIT);
		rc = uv_loop_close(&loop->uv);
	}
	assert(rc == 0); /* whatever was made on a loop is freed before it */
	free(loop);
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
	return &loop->uv;
}

void loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

/* --- clocks and random numbers --------------------------------------------------------------- */

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

int64_t clock_unix_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

void random_id(char out[33])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char bytes[16];
	ssize_t n = getrandom(bytes, sizeof(bytes), 0);
	assert(n == (ssize_t)sizeof(bytes)); /* up to 256 bytes are never cut short */
	(void)n;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		out[2 * i] = hex[bytes[i] >> 4];
		out[2 * i + 1] = hex[bytes[i] & 15];
	}
	out[32] = '\0';
}

/* --- timers ---------------------------------------------------------------------------------- */

static void timer_fired(uv_timer_t *handle)
{
	struct timer *timer = handle->data;
	timer->fire(timer->arg);
}

struct timer *timer_new(struct loop *loop, void (*fire)(void *arg), void *arg)
{
	struct timer *timer = xcalloc(1, sizeof(*timer));
	timer->fire = fire;
	timer->arg = arg;
	uv_timer_init(&loop->uv, &timer->handle);
	timer->handle.data = timer;
	return timer;
}

void timer_set(struct timer *timer, int64_t due_ms)
{
	/* libuv counts from the loop's idea of now, which is as old as this turn of the loop. */
	uv_update_time(timer->handle.loop);
	uv_timer_start(&timer->handle, timer_fired, due_ms > 0 ? (uint64_t)due_ms : 0, 0);
}

void timer_clear(struct timer *timer)
{
	uv_timer_stop(&timer->handle);
}

void timer_free(struct timer *timer)
{
	if (timer)
		uv_close((uv_handle_t *)&timer->handle, free_handle);
}

/* --- descriptors and signals ----------------------------------------------------------------- */

/* With an error (status below 0) it is called too: reading tells the caller what is wrong. */
static void poll_readable(uv_poll_t *handle, int status UNUSED, int events UNUSED)
{
	struct poll_handle *poll = handle->data;
	poll->readable(poll->arg);
}

struct poll_handle *poll_new(struct loop *loop, int fd, void (*readable)(void *arg), void *arg)
{
	struct poll_handle *poll = xcalloc(1, sizeof(*poll));
	poll->readable = readable;
	poll->arg = arg;
	int rc = uv_poll_init(&loop->uv, &poll->handle, fd);
	assert(rc == 0); /* a regular file, or a descriptor that has a poll handle already */
	(void)rc;
	poll->handle.data = poll;
	uv_poll_start(&poll->handle, UV_READABLE, poll_readable);
	return poll;
}

void poll_free(struct poll_handle *poll)
{
	if (!poll)
		return;
	uv_poll_stop(&poll->handle);
	uv_close((uv_handle_t *)&poll->handle, free_handle);
}

static void signal_came(uv_signal_t *handle, int signum)
{
	struct on_signal *s = handle->data;
	s->fn(s->arg, signum);
}

void loop_on_signal(struct loop *loop, int signum, void (*fn)(void *arg, int signum), void *arg)
{
	struct on_signal *s = xcalloc(1, sizeof(*s));
	*s = (struct on_signal){ .fn = fn, .arg = arg, .next = loop->signals };
	loop->signals = s;
	uv_signal_init(&loop->uv, &s->handle);
	s->handle.data = s;
	int rc = uv_signal_start(&s->handle, signal_came, signum);
	assert(rc == 0);
	(void)rc;
}
