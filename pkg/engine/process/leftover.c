/*
 * What a shim that was killed left behind. A process is signalled only through a descriptor of it
 * (pidfd) that was opened before it was seen to belong to the task: a pid that has become somebody
 * else's since is never hit.
 */
#include "engine/process/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS	  2000000
#define BATCH		  256
#define ENVIRON_MAX_BYTES (16 << 20)

static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void kill_pidfd(int fd)
{
	syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

/* Whole file of /proc or of a cgroup; an empty text when it cannot be read. */
static bool read_text(const char *path, struct buf *out)
{
	char chunk[8192];
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	buf_reset(out);
	while (fd >= 0 && (n = read(fd, chunk, sizeof(chunk))) > 0 && out->len < ENVIRON_MAX_BYTES)
		buf_add(out, chunk, (size_t)n);
	if (fd >= 0)
		close(fd);
	return n == 0;
}

/* --- by cgroup ---------------------------------------------------------------------------------
 */

static size_t parse_pids(const char *text, pid_t *pids, size_t max)
{
	size_t count = 0;
	for (char *end; count < max; text = end) {
		long pid = strtol(text, &end, 10);
		if (end == text)
			break;
		pids[count++] = (pid_t)pid;
	}
	return count;
}

/* One by one. Returns how many there were. */
static size_t kill_group(const char *path)
{
	struct buf name = { 0 }, text = { 0 };
	pid_t pids[BATCH], still[BATCH];
	int fds[BATCH];
	size_t count = 0;
	buf_addf(&name, "%s/cgroup.procs", path);
	if (read_text(name.data, &text)) {
		count = parse_pids(buf_str(&text), pids, BATCH);
		for (size_t i = 0; i < count; i++)
			fds[i] = open_pidfd(pids[i]);
		size_t now =
			read_text(name.data, &text) ? parse_pids(buf_str(&text), still, BATCH) : 0;
		for (size_t i = 0; i < count; i++) {
			for (size_t j = 0; j < now && fds[i] >= 0; j++)
				if (still[j] == pids[i])
					kill_pidfd(fds[i]);
			if (fds[i] >= 0)
				close(fds[i]);
		}
	}
	buf_release(&name);
	buf_release(&text);
	return count;
}

static void visit_kill(const FTSENT *group, void *arg)
{
	if (group->fts_info == FTS_D)
		*(size_t *)arg += kill_group(group->fts_path);
}

/* SIGKILL to every process in that group and in those below it, which the task may have made.
 * *left: how many were seen. False: no such group. */
static bool cgroup_kill(const char *path, size_t *left)
{
	*left = 0;
	if (access(path, F_OK) < 0)
		return false;
	/* Version 2 since Linux 5.14: all at once, so that nothing can fork faster than it is
	 * killed.
	 */
	cgroup_write(path, "cgroup.kill", "1", NULL);
	cgroup_walk(path, visit_kill, left);
	return true;
}

/* --- by environment ----------------------------------------------------------------------------
 */

/* Does the environment, entries that end in NUL, hold that entry? */
static bool has_entry(const struct buf *text, const char *entry)
{
	size_t n = strlen(entry) + 1;
	for (size_t at = 0; at + n <= text->len; at += strlen(text->data + at) + 1)
		if (memcmp(text->data + at, entry, n) == 0)
			return true;
	return false;
}

/*
 * Is a process whose environment reads empty in the middle of execve()? There it has closed the
 * lock already, but does not show its environment yet (field 50 of stat, env_start, is still 0).
 */
static bool in_exec(const char *pid, struct buf *text)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	const char *p = read_text(path, text) ? strrchr(buf_str(text), ')') : NULL;
	if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
		return false;
	bool has_memory = false;
	for (int field = 3; (p = strchr(p + 1, ' ')); field++) {
		if (field == 23)
			has_memory = p[1] != '0'; /* vsize: a kernel thread has none */
		if (field == 50)
			return has_memory && p[1] == '0';
	}
	return false;
}

enum match { NO, YES, NOT_YET };

static enum match belongs(const char *pid, const char *entry, struct buf *text)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%s/environ", pid);
	if (!read_text(path, text))
		return NO; /* gone, or another user's */
	if (text->len == 0)
		return in_exec(pid, text) ? NOT_YET : NO;
	return has_entry(text, entry) ? YES : NO;
}

static void kill_if_still(const char *pid, const char *entry, struct buf *text)
{
	int fd = open_pidfd((pid_t)strtol(pid, NULL, 10));
	if (fd < 0)
		return;
	if (belongs(pid, entry, text) == YES)
		kill_pidfd(fd);
	close(fd);
}

/* Returns how many processes were found, those that cannot be judged yet included. */
static size_t environment_kill(const char *id)
{
	char entry[RECORD_ID_MAX + 16];
	struct buf text = { 0 };
	size_t found = 0;
	snprintf(entry, sizeof(entry), "MUSTER_TASK=%s", id);
	DIR *proc = opendir("/proc");
	for (struct dirent *d; proc && (d = readdir(proc));) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		enum match match = belongs(d->d_name, entry, &text);
		if (match == NO)
			continue;
		found++;
		if (match == YES)
			kill_if_still(d->d_name, entry, &text);
	}
	if (proc)
		closedir(proc);
	buf_release(&text);
	return found;
}

bool leftovers_kill(const char *id, const char *const *cgroups, uint32_t cgroup_count,
		    int64_t deadline_boot_ms)
{
	for (;;) {
		size_t found = 0, left;
		bool grouped = false;
		for (uint32_t i = 0; i < cgroup_count; i++)
			if (cgroup_kill(cgroups[i], &left)) {
				grouped = true;
				found += left;
			}
		if (!grouped)
			found = environment_kill(id);
		if (found == 0)
			return true;
		if (clock_boot_ms() >= deadline_boot_ms)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
	}
}
