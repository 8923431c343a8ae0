/* Stopping: SIGTERM to all that the task forked, stopTimeout, SIGKILL to what is left.
 *
 * A pid is used only while it cannot be anyone else's: a direct child is ours until we wait for it,
 * and everything that loses its parent becomes a direct child (subreaper). A process group is
 * signalled only while its leader is such a child. So the tree is taken down from the top, again
 * and again, until nothing is left. */
#include "shim.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct container *main_process(struct shim *shim, pid_t pid)
{
	for (int i = 0; i < shim->count; i++)
		if (shim->containers[i].pid == pid &&
		    shim->containers[i].state == CONTAINER_RUNNING)
			return &shim->containers[i];
	return NULL;
}

/* It had the signal with its group. */
static bool was_asked(struct shim *shim, pid_t pid)
{
	pid_t group = getpgid(pid);
	for (int i = 0; i < shim->count; i++)
		if (shim->containers[i].asked && shim->containers[i].pid == group)
			return true;
	for (int i = 0; i < shim->stray_count; i++)
		if (shim->strays[i] == pid)
			return true;
	return false;
}

static void ask(struct shim *shim, pid_t pid)
{
	if (main_process(shim, pid) || was_asked(shim, pid))
		return;
	kill(pid, SIGTERM);
	kill(pid, SIGCONT); /* a stopped process would not see it */
	/* With more than it can remember, some are asked twice. */
	if (shim->stray_count < STRAYS_MAX)
		shim->strays[shim->stray_count++] = pid;
}

static void kill_now(struct shim *shim, pid_t pid)
{
	(void)shim;
	kill(pid, SIGKILL);
}

/* Call fn on each direct child. None of them is waited for meanwhile. */
static void each_child(struct shim *shim, void (*fn)(struct shim *shim, pid_t pid))
{
	char text[1024];
	pid_t pid = 0;
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	for (ssize_t n; (n = read(fd, text, sizeof(text))) > 0;)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
			} else if (pid > 0) {
				fn(shim, pid);
				pid = 0;
			}
		}
	close(fd);
}

void stop_begin(struct shim *shim, const char *code, const char *reason, bool requested)
{
	if (shim->stopping)
		return;
	int64_t now = boot_ms(), longest = 0;
	shim->stopping = true;
	shim->stop_code = code;
	shim->requested = requested;
	shim->reason[0] = '\0';
	text_add(shim->reason, sizeof(shim->reason), reason);
	for (int i = 0; i < shim->count; i++) {
		struct container *c = &shim->containers[i];
		if (c->stop_timeout_ms > longest)
			longest = c->stop_timeout_ms;
		if (c->state != CONTAINER_RUNNING)
			continue;
		c->asked = kill(-c->pid, SIGTERM) == 0;
		kill(-c->pid, SIGCONT);
		c->kill_at_ms = now + c->stop_timeout_ms;
	}
	shim->kill_at_ms = now + longest;
}

static void kill_all(struct shim *shim)
{
	cgroup_kill(&shim->task_keys);
	for (int i = 0; i < shim->count; i++)
		cgroup_kill(&shim->containers[i].keys);
	each_child(shim, kill_now);
}

int64_t stop_step(struct shim *shim, int64_t now_ms)
{
	if (now_ms >= shim->kill_at_ms)
		kill_all(shim);
	else
		each_child(shim, ask);
	for (int i = 0; i < shim->count; i++) {
		struct container *c = &shim->containers[i];
		if (c->state == CONTAINER_RUNNING && now_ms >= c->kill_at_ms)
			kill(-c->pid, SIGKILL);
	}
	return now_ms + RECHECK_MS;
}
