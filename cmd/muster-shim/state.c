/* What the shim leaves for the agent: ID.start and ID.exit.
 *
 * A record is renamed into place first: the agent acts on it at once, and what a power cut leaves
 * torn is no record (RECORD_TORN); nothing of the task lives then anyway. So the start is never
 * waited for to be on disk: on a busy one that takes many seconds, in which nobody would read the
 * task's output nor take a stop. The exit is, as the last thing the shim does. */
#include "shim.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME_BYTES   (RECORD_ID_MAX + 16)
#define RECORD_BYTES ((CONTAINERS_MAX + 4) * 4096)
#define EXIT_RESERVE 4096

static int exit_fd = -1; /* the file that will be ID.exit */

static const char *name_of(const struct shim *shim, const char *prefix, const char *suffix,
			   char name[NAME_BYTES])
{
	name[0] = '\0';
	text_add(name, NAME_BYTES, prefix);
	text_add(name, NAME_BYTES, shim->id);
	text_add(name, NAME_BYTES, suffix);
	return name;
}

static void put_container(struct record_writer *w, const struct container *c, bool last)
{
	static const char *const states[] = { "waiting", "running", "exited" };
	record_put(w, "container", c->name);
	record_put(w, "state", states[c->state]);
	if (c->pid)
		record_put_int(w, "pid", c->pid);
	if (c->state == CONTAINER_EXITED && c->pid)
		record_put_int(w, "exit_code",
			       WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status)
						      : WEXITSTATUS(c->status));
	record_put(w, "reason", c->reason);
	if (!last || !c->tail_bytes)
		return;
	char tail[STDERR_TAIL_MAX];
	record_put_bytes(w, "stderr", tail, log_tail(c, tail));
}

static size_t encode(const struct shim *shim, const char *kind, bool last, char *data, size_t cap)
{
	struct record_writer w = { .data = data, .cap = cap };
	uint64_t dropped = 0;
	for (int i = 0; i < shim->count; i++)
		dropped += shim->containers[i].log.dropped;
	record_begin(&w, kind);
	record_put(&w, "boot_id", shim->boot_id);
	record_put_int(&w, "started_unix_ms", shim->started_unix_ms);
	record_put_int(&w, "started_boot_ms", shim->started_boot_ms);
	if (last) {
		record_put_int(&w, "stopped_unix_ms", unix_ms());
		record_put_int(&w, "stopped_boot_ms", boot_ms());
		record_put(&w, "stop_code", shim->stop_code);
		record_put(&w, "reason", shim->reason);
		record_put_int(&w, "requested", shim->requested);
	}
	record_put_int(&w, "log_bytes_dropped", (int64_t)dropped);
	for (int i = 0; i < shim->count; i++)
		put_container(&w, &shim->containers[i], last);
	return record_end(&w) ? w.len : 0;
}

static void sync_both(int fd)
{
	fsync(fd);
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		fsync(dir);
		close(dir);
	}
}

/* Make fd, open as `from`, the file `to` with the content of data. */
static bool put_file(int fd, const char *from, const char *to, const char *data, size_t len)
{
	return fd >= 0 && pwrite(fd, data, len, 0) == (ssize_t)len &&
	       ftruncate(fd, (off_t)len) == 0 && rename(from, to) == 0;
}

static int open_new(const char *name)
{
	return open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static char data[RECORD_BYTES];

void state_write_start(struct shim *shim)
{
	char from[NAME_BYTES], to[NAME_BYTES];
	size_t len = encode(shim, "start", false, data, sizeof(data));
	int fd = open_new(name_of(shim, ".", ".start", from));
	put_file(fd, from, name_of(shim, "", ".start", to), data, len);
	if (fd >= 0)
		close(fd);
}

void state_reserve_exit(struct shim *shim)
{
	char from[NAME_BYTES];
	exit_fd = open_new(name_of(shim, ".", ".exit", from));
	/* A full disk later does not keep us from telling how the task ended. */
	if (exit_fd >= 0 && posix_fallocate(exit_fd, 0, EXIT_RESERVE) != 0)
		return;
}

void state_write_exit(struct shim *shim)
{
	char from[NAME_BYTES], to[NAME_BYTES];
	name_of(shim, ".", ".exit", from);
	name_of(shim, "", ".exit", to);
	size_t len = encode(shim, "exit", true, data, sizeof(data));
	for (;;) {
		struct timespec pause = { .tv_sec = RETRY_MS / 1000 };
		if (exit_fd < 0)
			exit_fd = open_new(from);
		if (put_file(exit_fd, from, to, data, len))
			break;
		/* The disk is full. With the directory gone there is nobody left to tell. */
		if (access(".", F_OK) < 0)
			return;
		nanosleep(&pause, NULL);
		close(exit_fd);
		exit_fd = -1;
	}
	sync_both(exit_fd);
}
