/* A container's main process, from fork to exec. Everything that can go wrong there is told to the
 * shim through a pipe that closes on exec, so that "started" means that the command runs. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OOM_ADJ	     "/proc/self/oom_score_adj"
#define OOM_ADJ_SHIM "-998" /* the kernel shall take the task, then its shim */
#define PATH_BYTES   4096
#define GROUPS_MAX   1024
#define LAST_SIGNAL  64

/* What the child says when it fails. */
struct failure {
	int code;
	char what[PATH_BYTES / 4];
};

static char oom_adj[16]; /* of the task's processes: what it was before we changed ours */

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int code = errno;
	close(fd);
	errno = code;
	return ok;
}

void child_init(void)
{
	int fd = open(OOM_ADJ, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, oom_adj, sizeof(oom_adj) - 1);
	if (fd >= 0)
		close(fd);
	/* Only root may; what a user's agent runs takes its chances. */
	if (n <= 0 || !write_text(OOM_ADJ, OOM_ADJ_SHIM))
		oom_adj[0] = '\0';
	/* Where the agent is spared, its tasks are not. */
	if (oom_adj[0] == '-')
		memcpy(oom_adj, "0", 2);
}

/* --- in the child ------------------------------------------------------------------------------
 */

static int failure_fd;
static bool born_in_cgroup; /* of version 2 */

static _Noreturn void fail(const char *what, const char *name)
{
	struct failure f = { .code = errno };
	text_add(f.what, sizeof(f.what), what);
	if (name) {
		text_add(f.what, sizeof(f.what), " '");
		text_add(f.what, sizeof(f.what), name);
		text_add(f.what, sizeof(f.what), "'");
	}
	if (write(failure_fd, &f, sizeof(f)) < 0)
		_exit(126);
	_exit(127);
}

static void reset_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	for (int i = 1; i <= LAST_SIGNAL; i++)
		signal(i, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Version 1: only the calling thread ("tasks") spares the kernel a lock that takes milliseconds.
 * Version 2 has no such file: we were born there, see fork_into(), or have to go the slow way.
 */
static void enter_cgroup(const char *path)
{
	char file[PATH_BYTES] = "";
	text_add(file, sizeof(file), path);
	text_add(file, sizeof(file), "/tasks");
	if (write_text(file, "0") || (errno == ENOENT && born_in_cgroup))
		return;
	file[0] = '\0';
	text_add(file, sizeof(file), path);
	text_add(file, sizeof(file), "/cgroup.procs");
	if (!write_text(file, "0"))
		fail("cgroup", path);
}

/* "RESOURCE SOFT HARD NAME"; -1 is unlimited. */
static void set_limit(const char *value)
{
	int64_t number[3] = { 0 };
	for (int i = 0; i < 3; i++) {
		char digits[24] = "";
		const char *space = strchrnul(value, ' ');
		if ((size_t)(space - value) < sizeof(digits))
			memcpy(digits, value, (size_t)(space - value));
		number[i] = record_int(digits);
		value = *space ? space + 1 : space;
	}
	struct rlimit limit = { number[1] < 0 ? RLIM_INFINITY : (rlim_t)number[1],
				number[2] < 0 ? RLIM_INFINITY : (rlim_t)number[2] };
	if (setrlimit((int)number[0], &limit) < 0)
		fail("ulimit", value);
}

static void enter_cgroups_and_limits(struct record_reader keys)
{
	for (const char *entry, *value; (entry = record_next(&keys));) {
		if ((value = record_value(entry, "cgroup")))
			enter_cgroup(value);
		else if ((value = record_value(entry, "rlimit")))
			set_limit(value);
	}
}

/* No uid in the record: the task runs as its agent does. */
static void become_user(struct record_reader keys)
{
	static gid_t groups[GROUPS_MAX];
	size_t count = 0;
	int64_t uid = -1, gid = -1;
	for (const char *entry, *value; (entry = record_next(&keys));) {
		if ((value = record_value(entry, "uid")))
			uid = record_int(value);
		else if ((value = record_value(entry, "gid")))
			gid = record_int(value);
		else if ((value = record_value(entry, "group")) && count < GROUPS_MAX)
			groups[count++] = (gid_t)record_int(value);
	}
	if (uid < 0)
		return;
	if (setgroups(count, groups) < 0 || setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) < 0 ||
	    setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)
		fail("user", NULL);
}

static void enter_directory(struct record_reader keys)
{
	const char *cwd = "/";
	for (const char *entry, *value; (entry = record_next(&keys));)
		if ((value = record_value(entry, "cwd")))
			cwd = value;
	if (chdir(cwd) < 0)
		fail("working directory", cwd);
}

/* A secret of the container in the shim's own environment, as "NAME=VALUE"; else NULL. */
static char *secret_of(const char *container, char *entry)
{
	size_t prefix = strlen(SHIM_SECRET_PREFIX), len = strlen(container);
	bool own = strncmp(entry, SHIM_SECRET_PREFIX, prefix) == 0 &&
		   strncmp(entry + prefix, container, len) == 0 && entry[prefix + len] == '.';
	return own ? entry + prefix + len + 1 : NULL;
}

/* All values of a key, and after them the secrets of the container where there is one, as a vector
 * that ends in NULL. */
static char **vector(struct record_reader keys, const char *key, const char *container)
{
	size_t count = 1;
	struct record_reader r = keys;
	for (const char *entry; (entry = record_next(&r));)
		count += record_value(entry, key) != NULL;
	for (char **e = environ; container && *e; e++)
		count++;
	char **items = mmap(NULL, count * sizeof(*items), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (items == MAP_FAILED)
		fail("memory", NULL);
	count = 0;
	for (const char *entry, *value; (entry = record_next(&keys));)
		if ((value = record_value(entry, key)))
			items[count++] = (char *)value;
	for (char **e = environ, *secret; container && *e; e++)
		if ((secret = secret_of(container, *e)))
			items[count++] = secret;
	return items;
}

static void try_program(const char *path, char **argv, char **env, bool check)
{
	struct stat st;
	if (!check) {
		execve(path, argv, env);
	} else if (access(path, X_OK) == 0 && stat(path, &st) == 0) {
		if (S_ISREG(st.st_mode))
			_exit(0);
		errno = EACCES;
	}
}

/* The command along the task's own PATH, as execvpe() does, but with no shell as a last resort. */
static _Noreturn void execute(const struct container *c, bool check)
{
	char **argv = vector(c->keys, "arg", NULL), **env = vector(c->keys, "env", c->name);
	const char *name = argv[0] ? argv[0] : "", *path = "";
	for (char **e = env; *e; e++)
		if (strncmp(*e, "PATH=", 5) == 0)
			path = *e + 5;
	errno = ENOENT;
	if (strchr(name, '/'))
		try_program(name, argv, env, check);
	int code = errno == EACCES ? EACCES : ENOENT;
	bool search = *name && !strchr(name, '/');
	for (const char *end; search && *path; path = *end ? end + 1 : end) {
		char full[PATH_BYTES] = "";
		end = strchrnul(path, ':');
		if (end == path || (size_t)(end - path) >= sizeof(full))
			continue;
		memcpy(full, path, (size_t)(end - path));
		text_add(full, sizeof(full), "/");
		text_add(full, sizeof(full), name);
		try_program(full, argv, env, check);
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			fail("command", name);
		if (errno == EACCES)
			code = EACCES;
	}
	if (search || errno == ENOENT)
		errno = code;
	fail("command", name);
}

static _Noreturn void child_main(const struct container *c, int out, int err, bool check)
{
	setsid();
	reset_signals();
	if (oom_adj[0])
		write_text(OOM_ADJ, oom_adj);
	if (!check && (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0))
		fail("output", NULL);
	umask(022);
	enter_cgroups_and_limits(c->keys);
	become_user(c->keys);
	enter_directory(c->keys);
	execute(c, check);
}

/* --- in the shim -------------------------------------------------------------------------------
 */

static void explain(const struct container *c, const struct failure *f, char *text, size_t size)
{
	text[0] = '\0';
	text_add(text, size, "CannotStartContainerError: container ");
	text_add(text, size, c->name);
	text_add(text, size, ": ");
	text_add(text, size, f->what);
	text_add(text, size, ": ");
	text_add(text, size, error_text(f->code));
}

/* The container's group of version 2, or -1. */
static int open_cgroup2(struct record_reader keys)
{
	for (const char *entry, *value; (entry = record_next(&keys));) {
		char type[PATH_BYTES] = "";
		if (!(value = record_value(entry, "cgroup")))
			continue;
		text_add(type, sizeof(type), value);
		text_add(type, sizeof(type), "/cgroup.type");
		if (access(type, F_OK) == 0)
			return open(value, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return -1;
}

/* fork() with the child in the group from the start, which costs nothing; to move it later would
 * take the kernel some ten milliseconds. */
static pid_t fork_into(int cgroup_fd)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP,
				   .exit_signal = SIGCHLD,
				   .cgroup = (uint64_t)cgroup_fd };
	pid_t pid = cgroup_fd < 0 ? -1 : (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	born_in_cgroup = pid >= 0;
	return pid >= 0 ? pid : fork();
}

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Fork; true when the command runs (with check: could run). out, err: for its output. */
static bool launch(struct container *c, int out, int err, bool check, struct failure *f)
{
	int fds[2];
	__attribute__((cleanup(close_fd))) int cgroup_fd = open_cgroup2(c->keys);
	*f = (struct failure){ .what = "fork" };
	if (pipe2(fds, O_CLOEXEC) < 0) {
		f->code = errno;
		return false;
	}
	pid_t pid = fork_into(cgroup_fd);
	if (pid == 0) {
		failure_fd = fds[1];
		child_main(c, out, err, check);
	}
	f->code = errno;
	close(fds[1]);
	ssize_t n = -1;
	while (pid > 0 && (n = read(fds[0], f, sizeof(*f))) < 0 && errno == EINTR)
		;
	close(fds[0]);
	if (pid > 0 && n == 0)
		c->pid = pid;
	else if (pid > 0)
		waitpid(pid, NULL, 0);
	return c->pid > 0;
}

bool child_start(struct container *c, char *text, size_t text_size)
{
	int out[2], err[2];
	struct failure f;
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) {
		f = (struct failure){ .code = errno, .what = "pipe" };
		explain(c, &f, text, text_size);
		return false;
	}
	/* Our ends only: a task's writes wait as for any pipe, and we always read. */
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	log_open(&c->log, &c->keys);
	bool ok = launch(c, out[1], err[1], false, &f);
	close(out[1]);
	close(err[1]);
	c->out_fd = out[0];
	c->err_fd = err[0];
	if (!ok)
		explain(c, &f, text, text_size);
	return ok;
}

bool child_check(struct container *c, char *text, size_t text_size)
{
	struct failure f;
	bool ok = launch(c, -1, -1, true, &f);
	if (ok)
		waitpid(c->pid, NULL, 0);
	else
		explain(c, &f, text, text_size);
	return ok;
}
