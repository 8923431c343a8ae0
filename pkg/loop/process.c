#include "loop/internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (16 << 10)

struct process {
	struct loop *loop;
	struct process *next, **link; /* in loop->processes */
	void (*done)(void *arg, const struct process_result *result);
	void *arg;

	uv_process_t child;
	uv_pipe_t in, out, errors;
	uv_timer_t deadline;
	uv_write_t write;
	unsigned open_handles; /* the last one to close ends it all */
	bool running, cancelled;

	int64_t deadline_ms;
	size_t max_bytes;
	struct process_result result;
	struct buf out_bytes, error_bytes, input;
	char *program;
	char chunk[READ_BYTES];
};

static void process_end(struct process *p)
{
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	p->result.out = &p->out_bytes;
	p->result.errors = &p->error_bytes;
	if (!p->cancelled)
		p->done(p->arg, &p->result);
	buf_release(&p->out_bytes);
	buf_release(&p->error_bytes);
	buf_release(&p->input);
	free(p->program);
	free(p);
}

static void handle_closed(uv_handle_t *handle)
{
	struct process *p = handle->data;
	if (--p->open_handles == 0)
		process_end(p);
}

static void close_handle(void *any)
{
	uv_handle_t *handle = any;
	if (!uv_is_closing(handle))
		uv_close(handle, handle_closed);
}

static void close_all(struct process *p)
{
	close_handle(&p->in);
	close_handle(&p->out);
	close_handle(&p->errors);
	close_handle(&p->deadline);
	close_handle(&p->child);
}

static void stop_reading(struct process *p)
{
	close_handle(&p->out);
	close_handle(&p->errors);
}

/* Over when it has ended and all it said was read. */
static void close_if_over(struct process *p)
{
	if (!p->running && uv_is_closing((uv_handle_t *)&p->out) &&
	    uv_is_closing((uv_handle_t *)&p->errors))
		close_all(p);
}

/* The group's id is the leader's, and stays taken until that one was waited for. */
static void kill_group(struct process *p)
{
	if (p->running)
		kill(-p->child.pid, SIGKILL);
}

static void exited(uv_process_t *child, int64_t status, int signum)
{
	struct process *p = child->data;
	/* Whatever it left behind in its group would hold the pipes open. The id was free for an
	 * instant only, and numbers are not given out again that soon. */
	kill(-p->child.pid, SIGKILL);
	p->running = false;
	p->result.status = signum ? 128 + signum : (int)status;
	close_if_over(p);
}

static void past_deadline(uv_timer_t *timer)
{
	struct process *p = timer->data;
	p->result.timed_out = true;
	err_set(&p->result.err, ETIMEDOUT, "'%s' after %lld ms", p->program,
		(long long)p->deadline_ms);
	kill_group(p);
	stop_reading(p); /* what left the group may hold the pipes open for ever */
	close_if_over(p);
}

static void take_output(struct process *p, size_t len)
{
	if (p->out_bytes.len + len > p->max_bytes) {
		p->result.too_large = true;
		err_set(&p->result.err, EFBIG, "'%s' printed more than %zu bytes", p->program,
			p->max_bytes);
		kill_group(p);
		stop_reading(p);
		return;
	}
	buf_add(&p->out_bytes, p->chunk, len);
}

static void take_errors(struct process *p, size_t len)
{
	size_t room = PROCESS_ERRORS_MAX - p->error_bytes.len;
	buf_add(&p->error_bytes, p->chunk, len < room ? len : room);
}

static void give_chunk(uv_handle_t *handle, size_t suggested UNUSED, uv_buf_t *out)
{
	struct process *p = handle->data;
	*out = uv_buf_init(p->chunk, sizeof(p->chunk));
}

static void read_some(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes UNUSED)
{
	struct process *p = stream->data;
	if (n < 0) {
		close_handle(stream);
		close_if_over(p);
	} else if (stream == (uv_stream_t *)&p->out) {
		take_output(p, (size_t)n);
	} else {
		take_errors(p, (size_t)n);
	}
}

/* Written or not (it may have closed its stdin): that was all. */
static void written(uv_write_t *write, int status UNUSED)
{
	close_handle(write->handle);
}

static void init_handles(struct process *p)
{
	uv_loop_t *uv = &p->loop->uv;
	uv_pipe_init(uv, &p->in, 0);
	uv_pipe_init(uv, &p->out, 0);
	uv_pipe_init(uv, &p->errors, 0);
	uv_timer_init(uv, &p->deadline);
	p->in.data = p->out.data = p->errors.data = p->deadline.data = p->child.data = p;
	p->open_handles = 5;
}

static int spawn(struct process *p, const struct process_spec *spec)
{
	uv_stdio_container_t stdio[] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		  .data.stream = (uv_stream_t *)&p->out },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		  .data.stream = (uv_stream_t *)&p->errors },
	};
	if (spec->input) {
		stdio[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
		stdio[0].data.stream = (uv_stream_t *)&p->in;
	}
	uv_process_options_t options = {
		.exit_cb = exited,
		.file = spec->argv[0],
		.args = (char **)spec->argv,
		.env = (char **)spec->env,
		.cwd = spec->cwd ? spec->cwd : "/",
		.flags = UV_PROCESS_DETACHED,
		.stdio = stdio,
		.stdio_count = ARRAY_LEN(stdio),
	};
	if (spec->uid >= 0) {
		options.flags |= UV_PROCESS_SETUID;
		options.uid = (uv_uid_t)spec->uid;
	}
	if (spec->gid >= 0) {
		options.flags |= UV_PROCESS_SETGID;
		options.gid = (uv_gid_t)spec->gid;
	}
	return uv_spawn(&p->loop->uv, &p->child, &options);
}

static void converse(struct process *p, const struct process_spec *spec)
{
	uv_read_start((uv_stream_t *)&p->out, give_chunk, read_some);
	uv_read_start((uv_stream_t *)&p->errors, give_chunk, read_some);
	if (p->deadline_ms > 0) {
		uv_update_time(&p->loop->uv);
		uv_timer_start(&p->deadline, past_deadline, (uint64_t)p->deadline_ms, 0);
	}
	if (!spec->input)
		return;
	buf_add(&p->input, spec->input, spec->input_len);
	uv_buf_t bytes = uv_buf_init(p->input.data, (unsigned)p->input.len);
	if (uv_write(&p->write, (uv_stream_t *)&p->in, &bytes, 1, written) != 0)
		close_handle(&p->in);
}

struct process *process_run(struct loop *loop, const struct process_spec *spec,
			    void (*done)(void *arg, const struct process_result *result), void *arg)
{
	assert(spec->argv[0] && spec->env);
	struct process *p = xcalloc(1, sizeof(*p));
	p->loop = loop;
	p->done = done;
	p->arg = arg;
	p->deadline_ms = spec->deadline_ms;
	p->max_bytes = spec->max_bytes;
	p->program = xstrdup(spec->argv[0]);
	p->link = &loop->processes;
	p->next = loop->processes;
	if (p->next)
		p->next->link = &p->next;
	loop->processes = p;

	init_handles(p);
	int rc = spawn(p, spec);
	p->running = rc == 0;
	if (p->running) {
		converse(p, spec);
	} else {
		p->result.status = -1;
		err_set(&p->result.err, -rc, "start '%s'", p->program);
		close_all(p); /* done() follows from the loop */
	}
	return p;
}

void process_cancel(struct process *p)
{
	if (!p || p->cancelled)
		return;
	p->cancelled = true;
	kill_group(p);
	close_handle(&p->in);
	close_handle(&p->deadline);
	stop_reading(p);
	close_if_over(p); /* else when it has been waited for */
}

void process_abandon_all(struct loop *loop)
{
	for (struct process *p = loop->processes; p; p = p->next) {
		process_cancel(p);
		close_all(p);
	}
}
