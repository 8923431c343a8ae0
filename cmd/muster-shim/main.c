#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_MAX (STOP_REASON_MAX + 64)
#define DRAIN_TURNS 8 /* of 128 KiB each: a pipe holds 1 MiB at most */

enum { EXIT_DONE = 0, EXIT_DIFFERS = 1, EXIT_USAGE = 2, EXIT_SYSTEM = 4 };

static struct shim shim;

/* --- small things ------------------------------------------------------------------------------
 */

static int64_t clock_ms(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t boot_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

int64_t unix_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

const char *error_text(int code)
{
	const char *text = strerrordesc_np(code);
	return text ? text : "unknown error";
}

void text_add(char *out, size_t size, const char *s)
{
	size_t len = strlen(out), n = strlen(s);
	if (n >= size - len)
		n = size - len - 1;
	memcpy(out + len, s, n);
	out[len + n] = '\0';
}

void text_add_number(char *out, size_t size, uint64_t number)
{
	char digits[24] = "", *p = digits + sizeof(digits) - 1;
	do
		*--p = (char)('0' + number % 10);
	while (number /= 10);
	text_add(out, size, p);
}

static void say(int fd, const char *text)
{
	/* There is nobody left to tell when this fails. */
	if (write(fd, text, strlen(text)) < 0 || write(fd, "\n", 1) < 0)
		return;
}

/* --- containers --------------------------------------------------------------------------------
 */

/* "NAME CONDITION" of a dependency: -1 it can never be met, 0 not yet, 1 it is. */
static int dependency_met(const char *value)
{
	const char *space = strchrnul(value, ' ');
	const struct container *on = task_container(&shim, value, (size_t)(space - value));
	bool success = strcmp(space, " SUCCESS") == 0, complete = strcmp(space, " COMPLETE") == 0;
	if (!on || (on->state == CONTAINER_EXITED && !on->pid))
		return -1;
	if (!success && !complete)
		return on->state != CONTAINER_WAITING;
	if (on->state != CONTAINER_EXITED)
		return 0;
	return success && on->status != 0 ? -1 : 1;
}

static int may_start(const struct container *c)
{
	struct record_reader r = c->keys;
	int met = 1;
	for (const char *entry, *value; met > 0 && (entry = record_next(&r));)
		if ((value = record_value(entry, "depends")))
			met = dependency_met(value);
	return met;
}

static void start(struct container *c)
{
	static char text[CONTAINERS_MAX][STOP_REASON_MAX];
	char *why = text[c - shim.containers];
	if (child_start(c, why, STOP_REASON_MAX)) {
		c->state = CONTAINER_RUNNING;
		return;
	}
	c->state = CONTAINER_EXITED;
	c->reason = why;
	stop_begin(&shim, "TaskFailedToStart", why, false);
}

/* Start what may start now. Returns whether anything changed. */
static bool start_ready(void)
{
	bool changed = false, again = true;
	while (again && !shim.stopping) {
		again = false;
		for (int i = 0; i < shim.count && !shim.stopping; i++) {
			struct container *c = &shim.containers[i];
			int met = c->state == CONTAINER_WAITING ? may_start(c) : 0;
			if (met > 0) {
				start(c);
				again = changed = true;
			} else if (met < 0) {
				stop_begin(&shim, "TaskFailedToStart",
					   "A container that another one depends on failed", false);
			}
		}
	}
	return changed;
}

/* An essential container has ended, or nothing runs and nothing more will. */
static void stop_when_over(void)
{
	int running = 0;
	for (int i = 0; i < shim.count; i++) {
		const struct container *c = &shim.containers[i];
		running += c->state == CONTAINER_RUNNING;
		if (c->essential && c->state == CONTAINER_EXITED)
			stop_begin(&shim, "EssentialContainerExited",
				   "Essential container in task exited", false);
	}
	if (running == 0)
		stop_begin(&shim, "EssentialContainerExited", "All containers in task exited",
			   false);
}

/* Returns whether a container ended. */
static bool reap(void)
{
	bool changed = false;
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (int i = 0; i < shim.count; i++) {
			struct container *c = &shim.containers[i];
			if (c->state != CONTAINER_RUNNING || c->pid != pid)
				continue;
			c->state = CONTAINER_EXITED;
			c->status = status;
			changed = true;
		}
		for (int i = 0; i < shim.stray_count; i++)
			if (shim.strays[i] == pid)
				shim.strays[i] = shim.strays[--shim.stray_count];
	}
	shim.waiting_for_children = pid == 0;
	return changed;
}

/* --- events ------------------------------------------------------------------------------------
 */

/* Lines of the FIFO; what is not known is passed over, it is of a newer agent. */
static void read_commands(void)
{
	static char line[COMMAND_MAX];
	static size_t len;
	char byte;
	while (read(SHIM_CTL_FD, &byte, 1) == 1) {
		if (byte != '\n') {
			if (len < sizeof(line) - 1)
				line[len++] = byte;
			continue;
		}
		line[len] = '\0';
		len = 0;
		if (strncmp(line, "stop ", 5) == 0)
			stop_begin(&shim, "ServiceSchedulerInitiated", line + 5, true);
	}
}

/* until_ms < 0: for as long as it takes. */
static void wait_for_events(int signal_fd, int64_t until_ms)
{
	struct pollfd fds[2 + 2 * CONTAINERS_MAX] = { { .fd = signal_fd, .events = POLLIN },
						      { .fd = SHIM_CTL_FD, .events = POLLIN } };
	nfds_t count = 2;
	for (int i = 0; i < shim.count; i++) {
		fds[count++] = (struct pollfd){ .fd = shim.containers[i].out_fd, .events = POLLIN };
		fds[count++] = (struct pollfd){ .fd = shim.containers[i].err_fd, .events = POLLIN };
	}
	int64_t left = until_ms - boot_ms();
	if (poll(fds, count, until_ms < 0 ? -1 : left < 0 ? 0 : (int)left) <= 0)
		return;
	struct signalfd_siginfo info;
	if (fds[0].revents && read(signal_fd, &info, sizeof(info)) < 0)
		return;
	if (fds[1].revents)
		read_commands();
	for (int i = 0; i < shim.count; i++) {
		struct container *c = &shim.containers[i];
		if (fds[2 + 2 * i].revents)
			log_pump(c, &c->out_fd);
		if (fds[3 + 2 * i].revents)
			log_pump(c, &c->err_fd);
	}
}

/* The kernel killed something of the container, which then failed. */
static void tell_out_of_memory(struct container *c)
{
	static const char reason[] = "OutOfMemoryError: Container killed due to memory usage";
	if (!c->pid || c->status == 0 || shim.requested || cgroup_oom_kills(&c->keys) == 0)
		return;
	c->reason = reason;
	if (c->essential) {
		shim.reason[0] = '\0';
		text_add(shim.reason, sizeof(shim.reason), reason);
	}
}

/* What is still in the pipes, and what the kernel did, when nothing of the task is left. */
static void finish(void)
{
	for (int i = 0; i < shim.count; i++) {
		struct container *c = &shim.containers[i];
		/* Somebody else may hold an end and write for ever: no more than a pipe can hold.
		 */
		for (int turn = 0; turn < DRAIN_TURNS; turn++) {
			log_pump(c, &c->out_fd);
			log_pump(c, &c->err_fd);
		}
		log_end(&c->log);
		tell_out_of_memory(c);
	}
	cgroup_remove(&shim);
	state_write_exit(&shim);
}

static void supervise(int signal_fd)
{
	bool reserved = false;
	start_ready();
	shim.started_unix_ms = unix_ms();
	shim.started_boot_ms = boot_ms();
	bool changed = true;
	for (;;) {
		bool ended = reap();
		changed = start_ready() || ended || changed;
		stop_when_over();
		if (shim.stopping && !shim.waiting_for_children)
			break;
		if (changed && !shim.stopping)
			state_write_start(&shim);
		if (!reserved)
			state_reserve_exit(&shim);
		reserved = true;
		changed = false;
		wait_for_events(signal_fd, shim.stopping ? stop_step(&shim, boot_ms()) : -1);
	}
	finish();
}

/* --- start -------------------------------------------------------------------------------------
 */

static int set_up_signals(void)
{
	static const int ignored[] = { SIGTERM, SIGINT,	 SIGHUP,  SIGPIPE, SIGQUIT, SIGXFSZ,
				       SIGTTIN, SIGTTOU, SIGTSTP, SIGUSR1, SIGUSR2 };
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Whoever started us may have closed them; a pipe of the task must not become one of them. */
static void open_standard_fds(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

static int run(const char *id)
{
	char name[RECORD_ID_MAX + 16] = "";
	const char *why;
	if (strlen(id) > RECORD_ID_MAX || fcntl(SHIM_LOCK_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(SHIM_CTL_FD, F_SETFD, FD_CLOEXEC) < 0)
		return EXIT_USAGE;
	fcntl(SHIM_CTL_FD, F_SETFL, O_NONBLOCK);
	open_standard_fds();
	close_range(SHIM_CTL_FD + 1, ~0U, 0);
	umask(077);
	text_add(name, sizeof(name), id);
	text_add(name, sizeof(name), ".task");
	shim.id = id;
	int fd = open(name, O_RDONLY | O_CLOEXEC), signal_fd = set_up_signals();
	if (signal_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || !task_load(&shim, fd, &why))
		return EXIT_SYSTEM;
	close(fd);
	child_init();
	supervise(signal_fd);
	return EXIT_DONE;
}

static int check(void)
{
	char text[STOP_REASON_MAX];
	const char *why;
	fcntl(SHIM_CHECK_FD, F_SETFD, FD_CLOEXEC);
	if (!task_load(&shim, SHIM_CHECK_FD, &why)) {
		say(STDOUT_FILENO, why);
		return EXIT_SYSTEM;
	}
	for (int i = 0; i < shim.count; i++)
		if (!child_check(&shim.containers[i], text, sizeof(text))) {
			say(STDOUT_FILENO, text);
			return EXIT_DIFFERS;
		}
	return EXIT_DONE;
}

/*
 * Hold namespaces for the containers of a task: as their first process it has to wait for what
 * loses its parent, and is sent signals only that it asked for.
 */
static int pause_until_told(void)
{
	sigset_t set;
	int number = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (number != SIGTERM && number != SIGINT) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
		if (sigwait(&set, &number) != 0)
			return EXIT_SYSTEM;
	}
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--pause") == 0)
		return pause_until_told();
	if (argc == 2 && strcmp(argv[1], "--check") == 0)
		return check();
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		say(STDOUT_FILENO, "muster-shim " MUSTER_VERSION);
		return EXIT_DONE;
	}
	if (argc < 2 || argc > 3 || argv[1][0] == '-') {
		say(STDERR_FILENO, "usage: muster-shim ID [NAME]   (started by muster-agent)");
		return EXIT_USAGE;
	}
	return run(argv[1]);
}
