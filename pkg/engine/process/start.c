/* Lock, FIFO, record, shim: in this order, so that after a kill at any instruction the next agent
 * can tell what is there. Runs on a job's thread. */
#include "engine/process/internal.h"

#include "fs/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAFE_FD	       10 /* above all descriptors that the shim is given */
#define CHECK_TEXT_MAX 2048

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static char *path_of(const struct start *start, const char *suffix, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s.%s", start->tasks_dir, start->id, suffix);
	return path;
}

/* Moved out of the way of the numbers that the shim knows its descriptors by. */
static int raised(int fd)
{
	if (fd < 0 || fd >= SAFE_FD)
		return fd;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, SAFE_FD), code = errno;
	close(fd);
	errno = code;
	return high;
}

static int open_lock(const char *path, struct err *err)
{
	int fd = raised(open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	if (fd < 0) {
		err_set(err, errno, "make '%s'", path);
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err_set(err, errno, "lock '%s'", path);
		close(fd);
		return -1;
	}
	return fd;
}

static int open_fifo(const char *path, struct err *err)
{
	int fd = mkfifo(path, 0600) < 0
			 ? -1
			 : raised(open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
	if (fd < 0)
		err_set(err, errno, "make '%s'", path);
	return fd;
}

/*
 * Straight under its name, for one sync of file and directory instead of two: until it is whole it
 * is torn to every reader, and nothing runs before it is on disk.
 */
static bool write_record(const struct start *start, const struct record_writer *record,
			 struct err *err)
{
	char path[PATH_MAX];
	CLEANUP(close_fd)
	int fd = open(path_of(start, "task", path),
		      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	CLEANUP(close_fd) int dir = open(start->tasks_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dir < 0)
		return err_set(err, errno, "make '%s'", path);
	for (size_t done = 0; done < record->len;) {
		ssize_t n = write(fd, record->data + done, record->len - done);
		if (n <= 0)
			return err_set(err, n ? errno : ENOSPC, "write '%s'", path);
		done += (size_t)n;
	}
	if (fsync(fd) < 0 || fsync(dir) < 0)
		return err_set(err, errno, "sync '%s'", path);
	return true;
}

/* A clean start: nothing of ours but the descriptors that the actions name, and of the environment
 * the task's secrets alone. */
static bool spawn_shim(const char *shim, char **argv, char **env,
		       posix_spawn_file_actions_t *actions, pid_t *pid, struct err *err)
{
	posix_spawnattr_t attr;
	sigset_t none, all;
	char *no_env[] = { NULL };
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	int rc = posix_spawn(pid, shim, actions, &attr, argv, env ? env : no_env);
	posix_spawnattr_destroy(&attr);
	return rc == 0 || err_set(err, rc, "CannotStartContainerError: run '%s'", shim);
}

static bool spawn_task(struct start *start, int lock, int fifo, struct err *err)
{
	char *argv[] = { (char *)"muster-shim", (char *)start->id, (char *)start->title, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, lock, SHIM_LOCK_FD);
	posix_spawn_file_actions_adddup2(&actions, fifo, SHIM_CTL_FD);
	posix_spawn_file_actions_addchdir_np(&actions, start->tasks_dir);
	bool ok = spawn_shim(start->shim, argv, start->env, &actions, &start->pid, err);
	posix_spawn_file_actions_destroy(&actions);
	return ok;
}

bool start_shim(struct start *start, const struct record_writer *record, struct err *err)
{
	char path[PATH_MAX];
	/* Held by us, then by the shim that inherits it: there is no instant without. */
	CLEANUP(close_fd) int lock = open_lock(path_of(start, "lock", path), err);
	if (lock < 0)
		return false;
	CLEANUP(close_fd) int fifo = open_fifo(path_of(start, "ctl", path), err);
	if (fifo < 0)
		return false;
	return write_record(start, record, err) && spawn_task(start, lock, fifo, err);
}

/* --- check -------------------------------------------------------------------------------------
 */

static int record_fd(const struct record_writer *record, struct err *err)
{
	int fd = raised(memfd_create("muster-record", MFD_CLOEXEC));
	if (fd >= 0 && pwrite(fd, record->data, record->len, 0) == (ssize_t)record->len)
		return fd;
	err_set(err, errno, "keep a record in memory");
	close_fd(&fd);
	return -1;
}

/* What the check prints is the reason; all of it has come when it ends. */
static bool check_result(int out, pid_t pid, struct err *err)
{
	char text[CHECK_TEXT_MAX];
	size_t len = 0;
	ssize_t n;
	while (len < sizeof(text) - 1 && (n = read(out, text + len, sizeof(text) - 1 - len)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	return err_set(err, 0, "%s", *text ? text : "CannotStartContainerError: the check failed");
}

bool check_with_shim(const char *shim, const struct record_writer *record, struct err *err)
{
	char *argv[] = { (char *)"muster-shim", (char *)"--check", NULL };
	int fds[2];
	pid_t pid;
	CLEANUP(close_fd) int fd = record_fd(record, err);
	if (fd < 0)
		return false;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, errno, "make a pipe");
	CLEANUP(close_fd) int in = fds[0];
	int out = raised(fds[1]);
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, SHIM_CHECK_FD);
	bool ok = spawn_shim(shim, argv, NULL, &actions, &pid, err);
	posix_spawn_file_actions_destroy(&actions);
	close_fd(&out);
	return ok && check_result(in, pid, err);
}
