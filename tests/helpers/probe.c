/*
 * probe HZ SOCKET...: so many times a second, ask every unix socket (of testtask's serve=SOCKET)
 * for what it says, and print a line: the milliseconds of the monotonic clock, then the answer of
 * each, "-" where there is none within PATIENCE_MS. For tests that look at the health of tasks from
 * outside. Until it is killed.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 1000
#define MAX_SOCKETS 64
#define MAX_ANSWER  64

static struct pollfd asked[MAX_SOCKETS];
static char answers[MAX_SOCKETS][MAX_ANSWER];

static long long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int ask(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void take(int i)
{
	ssize_t n = read(asked[i].fd, answers[i], MAX_ANSWER - 1);
	answers[i][n > 0 ? n : 0] = '\0';
	close(asked[i].fd);
	asked[i].fd = -1;
}

static void look(int count, char **paths)
{
	int open = 0;
	long long end = now_ms() + PATIENCE_MS;
	for (int i = 0; i < count; i++) {
		answers[i][0] = '\0';
		asked[i] = (struct pollfd){ .fd = ask(paths[i]), .events = POLLIN };
		open += asked[i].fd >= 0;
	}
	for (long long left; open > 0 && (left = end - now_ms()) > 0;) {
		poll(asked, (nfds_t)count, (int)left);
		for (int i = 0; i < count; i++)
			if (asked[i].fd >= 0 && asked[i].revents) {
				take(i);
				open--;
			}
	}
	for (int i = 0; i < count; i++)
		if (asked[i].fd >= 0)
			close(asked[i].fd);
}

int main(int argc, char **argv)
{
	int hz = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0, count = argc - 2;
	if (hz < 1 || count < 1 || count > MAX_SOCKETS)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (long long at = now_ms();; at += 1000 / hz) {
		long long left = at - now_ms();
		if (left > 0)
			poll(NULL, 0, (int)left);
		long long t = now_ms();
		look(count, argv + 2);
		printf("%lld", t);
		for (int i = 0; i < count; i++)
			printf(" %s", answers[i][0] ? answers[i] : "-");
		putchar('\n');
	}
}
