#include "source_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* `port` 0: any. */
static int bind_to(int port, int *bound)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)port) };
	socklen_t len = sizeof(a);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Both the holder of a port and who listens there. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*bound = ntohs(a.sin_port);
	return fd;
}

int listen_on(int port)
{
	int fd = bind_to(port, &port);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

int listen_somewhere(int *port)
{
	int fd = bind_to(0, port);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

int free_port(void)
{
	int port;
	close(listen_somewhere(&port));
	return port;
}

int hold_port(int *port)
{
	return bind_to(0, port);
}

static void run_server(const char *const *argv, int said, int listening)
{
	char pid[16];
	setpgid(0, 0);
	dup2(said, STDERR_FILENO);
	if (listening >= 0) {
		snprintf(pid, sizeof(pid), "%d", getpid());
		setenv("LISTEN_FDS", "1", 1);
		setenv("LISTEN_PID", pid, 1);
		/* dup2() to itself would leave it closed on exec. */
		int copy = dup(listening);
		dup2(copy, 3);
		if (copy != 3)
			close(copy);
	}
	execvp(argv[0], (char **)argv);
	_exit(127);
}

void serve(struct world *w, const char *const *argv, const char *ready, int listening)
{
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	pid_t pid = w->server = fork();
	if (pid == 0) {
		close(pipes[0]);
		run_server(argv, pipes[1], listening);
	}
	setpgid(pid, pid);
	close(pipes[1]);
	if (listening >= 0)
		close(listening);
	struct buf said = { 0 };
	char chunk[1024];
	ssize_t n = 1;
	while (n > 0 && !strstr(buf_str(&said), ready)) {
		n = read(pipes[0], chunk, sizeof(chunk));
		buf_add(&said, chunk, n > 0 ? (size_t)n : 0);
	}
	if (n <= 0)
		fail_msg("%s: %s", argv[0], buf_str(&said));
	buf_release(&said);
	/* The pipe is kept open, so that it can go on talking. */
}

void expect(struct world *w, const char *want, const char *text)
{
	start(w);
	const char *event = next_event(w);
	if (strcmp(event, want) != 0 || !strstr(buf_str(&w->text), text))
		fail_msg("%s: want %s (%s), got %s: %s", w->options.url, want, text, event,
			 buf_str(&w->text));
	stop(w);
}
