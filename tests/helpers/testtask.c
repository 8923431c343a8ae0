/*
 * testtask: a task for tests. Does what its words say, in order, then exits 0:
 *   sleep            wait for ever          sleep=MS       wait so long
 *   exit=N           exit                   kill=N         send itself signal N
 *   out=TEXT         a line on stdout       err=TEXT       a line on stderr
 *   spam=BYTES       that much on stdout    env=NAME       NAME's value, a line on stdout
 *   ignore-term      SIGTERM from now on    term-exit=N    exit so on SIGTERM
 *   pid=FILE         its pid into FILE      ids            "uid gid groups..." on stdout
 *   daemon=FILE      leave a daemon behind that ignores SIGTERM and puts its pid into FILE
 *   orphan=FILE      the same, one that takes SIGTERM
 *   forks=N          N children that wait   eat=MIB        touch so much memory
 *   nofile           its RLIMIT_NOFILE on stdout ("soft hard")
 *   fds              the numbers of its open descriptors on stdout
 *   wait=FILE        until FILE exists      label=TEXT     nothing: makes two commands differ
 *   term-ms=MS       take so long to end on SIGTERM
 *   alone=DIR        a line into DIR/doubles when another task of our service on our node lives
 *   serve=SOCKET     answer all who connect to it with $MUSTER_TASK_DEFINITION, for ever
 * Files are put in place whole (rename).
 */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int exit_code;
static long term_ms;

static long number(const char *value)
{
	return strtol(value, NULL, 10);
}

static void on_term(int signum)
{
	(void)signum;
	poll(NULL, 0, (int)term_ms);
	_exit(exit_code);
}

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&t, NULL);
}

static void do_sleep(const char *value)
{
	while (!*value)
		pause();
	sleep_ms(number(value));
}

static void do_exit(const char *value)
{
	_exit((int)number(value));
}

static void do_kill(const char *value)
{
	kill(getpid(), (int)number(value));
}

static void do_out(const char *value)
{
	dprintf(STDOUT_FILENO, "%s\n", value);
}

static void do_err(const char *value)
{
	dprintf(STDERR_FILENO, "%s\n", value);
}

static void do_spam(const char *value)
{
	static char line[1024];
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (long bytes = number(value); bytes > 0; bytes -= (long)sizeof(line))
		if (write(STDOUT_FILENO, line, sizeof(line)) < 0)
			_exit(98);
}

static void do_env(const char *value)
{
	const char *text = getenv(value);
	do_out(text ? text : "(none)");
}

static void do_ignore_term(const char *value)
{
	(void)value;
	signal(SIGTERM, SIG_IGN);
}

static void do_term_exit(const char *value)
{
	exit_code = (int)number(value);
	signal(SIGTERM, on_term);
}

static void do_term_ms(const char *value)
{
	term_ms = number(value);
	signal(SIGTERM, on_term);
}

static void do_nothing(const char *value)
{
	(void)value;
}

static void do_pid(const char *path)
{
	char tmp[4096], text[32];
	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	int n = snprintf(text, sizeof(text), "%d\n", getpid());
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, text, (size_t)n) != n || rename(tmp, path) < 0)
		_exit(99);
	close(fd);
}

static void do_ids(const char *value)
{
	gid_t groups[64];
	int n = getgroups(64, groups);
	(void)value;
	dprintf(STDOUT_FILENO, "%d %d", getuid(), getgid());
	for (int i = 0; i < n; i++)
		dprintf(STDOUT_FILENO, " %d", groups[i]);
	do_out("");
}

/* As daemons do: fork, new session, fork again. */
static void leave_daemon(const char *path, void (*on_sigterm)(int))
{
	if (fork() != 0)
		return;
	setsid();
	if (fork() != 0)
		_exit(0);
	signal(SIGTERM, on_sigterm);
	do_pid(path);
	do_sleep("");
}

static void do_daemon(const char *path)
{
	leave_daemon(path, SIG_IGN);
}

static void do_orphan(const char *path)
{
	leave_daemon(path, SIG_DFL);
}

static void do_forks(const char *value)
{
	for (long i = number(value); i > 0; i--)
		if (fork() == 0)
			do_sleep("");
}

static void do_eat(const char *value)
{
	size_t size = (size_t)number(value) << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		_exit(97);
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
}

static void do_nofile(const char *value)
{
	struct rlimit l;
	(void)value;
	getrlimit(RLIMIT_NOFILE, &l);
	dprintf(STDOUT_FILENO, "%lld %lld\n", (long long)l.rlim_cur, (long long)l.rlim_max);
}

static void do_fds(const char *value)
{
	(void)value;
	for (int fd = 0; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			dprintf(STDOUT_FILENO, "%d ", fd);
	do_out(".");
}

/* A lock for as long as we live: no look from outside misses a double, however short. */
static void do_alone(const char *dir)
{
	char path[4096], line[512];
	snprintf(path, sizeof(path), "%s/%s~%s", dir, getenv("MUSTER_NODE"),
		 getenv("MUSTER_SERVICE"));
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		_exit(95);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return;
	int n = snprintf(line, sizeof(line), "%s/%s %s %d\n", getenv("MUSTER_NODE"),
			 getenv("MUSTER_SERVICE"), getenv("MUSTER_TASK"), getpid());
	snprintf(path, sizeof(path), "%s/doubles", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		_exit(94);
	close(fd);
}

static void do_serve(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *answer = getenv("MUSTER_TASK_DEFINITION");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
		_exit(93);
	for (;;) {
		int client = accept(fd, NULL, NULL);
		if (client < 0)
			continue;
		if (answer)
			send(client, answer, strlen(answer), MSG_NOSIGNAL);
		close(client);
	}
}

static void do_wait(const char *path)
{
	while (access(path, F_OK) < 0)
		sleep_ms(2);
}

static const struct {
	const char *name;
	void (*run)(const char *value);
} words[] = {
	{ "sleep", do_sleep },	 { "exit", do_exit },
	{ "kill", do_kill },	 { "out", do_out },
	{ "err", do_err },	 { "spam", do_spam },
	{ "env", do_env },	 { "ignore-term", do_ignore_term },
	{ "pid", do_pid },	 { "term-exit", do_term_exit },
	{ "ids", do_ids },	 { "daemon", do_daemon },
	{ "orphan", do_orphan }, { "forks", do_forks },
	{ "eat", do_eat },	 { "nofile", do_nofile },
	{ "fds", do_fds },	 { "wait", do_wait },
	{ "label", do_nothing }, { "term-ms", do_term_ms },
	{ "alone", do_alone },	 { "serve", do_serve },
};

static void obey(const char *word)
{
	size_t len = strcspn(word, "=");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == len && strncmp(word, words[i].name, len) == 0) {
			words[i].run(word[len] ? word + len + 1 : "");
			return;
		}
	_exit(96);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		obey(argv[i]);
	return 0;
}
