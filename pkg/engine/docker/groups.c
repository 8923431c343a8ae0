/*
 * The control group above the containers of a task, which limits them together, as ECS's agent has
 * it: /muster.FLEET.NODE/TASK at the root of every hierarchy, given to the engine as CgroupParent.
 *
 * Always holds: it has its limits before a container is started in it. Nothing outside of
 * muster.FLEET.NODE is changed, but for version 2's controllers at the root. What is left of tasks
 * that are gone is removed when the engine's containers have been listed.
 */
#include "engine/docker/internal.h"

#include "engine/cgroup.h"
#include "log/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#define HIERARCHIES_MAX	 32
#define FLEET_DIGITS	 8
#define PROBE_MEMORY_MIB 64
#define PROBE_CPU_UNITS	 256

/* What is mounted, in the agent's own view. */
struct hierarchies {
	struct arena arena;
	struct cgroup_mount items[HIERARCHIES_MAX];
	uint32_t count;
};

static bool hierarchies_read(struct hierarchies *h)
{
	struct buf CLEANUP(buf_release) text = { 0 };
	arena_init(&h->arena);
	h->count = 0;
	if (!cgroup_read("/proc/self/mountinfo", &text))
		return false;
	h->count = cgroup_mounts(buf_str(&text), h->items, HIERARCHIES_MAX, &h->arena);
	return true;
}

static void hierarchies_release(struct hierarchies *h)
{
	arena_release(&h->arena);
}

static bool has_controller(const struct cgroup_mount *mount, const char *name, struct arena *arena)
{
	struct buf CLEANUP(buf_release) text = { 0 };
	if (!mount->v2)
		return cgroup_has_word(mount->options, name, ",");
	return cgroup_read(arena_printf(arena, "%s/cgroup.controllers", mount->point), &text) &&
	       cgroup_has_word(buf_str(&text), name, " \n");
}

static const struct cgroup_mount *hierarchy_of(struct hierarchies *h, const char *controller)
{
	for (uint32_t i = 0; i < h->count; i++)
		if (has_controller(&h->items[i], controller, &h->arena))
			return &h->items[i];
	return NULL;
}

/* --- one group ---------------------------------------------------------------------------------
 */

static bool make_dir(const char *path, struct err *err)
{
	return mkdir(path, 0755) == 0 || errno == EEXIST ||
	       err_set(err, errno, "make cgroup '%s'", path);
}

/* name: "BASE/TASK", in the hierarchy of that controller, with the limits that are its. */
static bool make_in(struct hierarchies *h, const char *name, enum cgroup_controller controller,
		    const struct cgroup_limits *limits, struct err *err)
{
	const char *word = controller == CGROUP_MEMORY ? "memory" : "cpu";
	const struct cgroup_mount *mount = hierarchy_of(h, word);
	if (!mount)
		return err_set(err, 0, "there is no %s controller", word);
	const char *path = arena_printf(&h->arena, "%s/%s", mount->point, name);
	const char *base = arena_strndup(&h->arena, path, (size_t)(strrchr(path, '/') - path));
	if (!make_dir(base, err))
		return false;
	if (mount->v2) {
		cgroup_enable(mount->point);
		cgroup_enable(base);
	}
	if (!make_dir(path, err))
		return false;
	if (mount->v2)
		cgroup_enable(path);
	return cgroup_limits_set(path, mount->v2, controller, limits, err);
}

static bool make_group(struct hierarchies *h, const char *name, const struct cgroup_limits *limits,
		       struct err *err)
{
	return make_in(h, name, CGROUP_MEMORY, limits, err) &&
	       make_in(h, name, CGROUP_CPU, limits, err);
}

/* In all hierarchies: runtimes make the parents that they miss. The base goes with its last. False:
 * processes are left in it. */
static bool remove_group(struct hierarchies *h, const char *name)
{
	bool gone = true;
	for (uint32_t i = 0; i < h->count; i++) {
		char *path = arena_printf(&h->arena, "%s/%s", h->items[i].point, name);
		cgroup_remove(path);
		gone &= access(path, F_OK) < 0;
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
	return gone;
}

/* --- can the engine use them? ------------------------------------------------------------------
 */

/* The process that listens at the socket, as seen from here, when it is root's. */
static pid_t peer_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	if (strlen(path) >= sizeof(address.sun_path))
		return 0;
	memcpy(address.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0;
	if (fd >= 0)
		close(fd);
	return ok && peer.uid == 0 ? peer.pid : 0;
}

/* Is what we made there under its path for that process, too? A rootless engine, one in a container
 * and, of an agent in one, that of the host see other groups there. */
static bool sees(struct hierarchies *h, pid_t pid, const char *name, const char *controller)
{
	struct stat ours, theirs;
	const struct cgroup_mount *mount = hierarchy_of(h, controller);
	const char *path = arena_printf(&h->arena, "%s/%s", mount->point, name);
	return stat(path, &ours) == 0 &&
	       stat(arena_printf(&h->arena, "/proc/%d/root%s", pid, path), &theirs) == 0 &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/* A relay may stand at the socket for an engine of another machine. */
static bool is_here(const struct flavor *flavor)
{
	struct utsname us;
	return uname(&us) == 0 && flavor->host_name && strcmp(us.nodename, flavor->host_name) == 0;
}

bool groups_usable(const struct docker_engine *engine, const struct flavor *flavor)
{
	static const struct cgroup_limits limits = { .memory_mib = PROBE_MEMORY_MIB,
						     .quota_units = PROBE_CPU_UNITS };
	struct hierarchies h;
	pid_t pid = flavor->cgroupfs && is_here(flavor) ? peer_of(engine->socket) : 0;
	if (pid <= 0)
		return false;
	bool ok = hierarchies_read(&h);
	const char *name = arena_printf(&h.arena, "muster.probe-%d/probe", getpid());
	ok = ok && make_group(&h, name, &limits, NULL) && sees(&h, pid, name, "memory") &&
	     sees(&h, pid, name, "cpu");
	remove_group(&h, name);
	hierarchies_release(&h);
	return ok;
}

/* --- of tasks ----------------------------------------------------------------------------------
 */

static const char *base_of(const struct docker_engine *engine, struct arena *arena)
{
	return arena_printf(arena, "muster.%.*s.%s", FLEET_DIGITS, engine->fleet, engine->node);
}

static const char *name_of(const struct task *task, struct arena *arena)
{
	return arena_printf(arena, "%s/%s", base_of(task->engine, arena), task->id.task);
}

const char *groups_parent(const struct task *task, struct arena *arena)
{
	if (!create_needs_group(task->td) || !task->engine->flavor.task_limits)
		return NULL;
	return arena_printf(arena, "/%s", name_of(task, arena));
}

void groups_remove(const struct task *task)
{
	struct hierarchies h;
	/* Podman's monitor may take a moment longer than its container. */
	if (hierarchies_read(&h) && !remove_group(&h, name_of(task, &h.arena)))
		task->engine->groups_left = true;
	hierarchies_release(&h);
}

static void sweep(struct docker_engine *engine, struct hierarchies *h, const char *path)
{
	const struct dirent *entry;
	DIR *dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && name_valid(entry->d_name) &&
		    !docker_task_find(engine, entry->d_name)) {
			const char *left = arena_printf(&h->arena, "%s/%s", path, entry->d_name);
			cgroup_remove(left);
			engine->groups_left |= access(left, F_OK) == 0;
		}
	if (dir)
		closedir(dir);
	rmdir(path);
}

void groups_sweep(struct docker_engine *engine)
{
	struct hierarchies h;
	hierarchies_read(&h);
	engine->groups_left = false;
	const char *base = base_of(engine, &h.arena);
	for (uint32_t i = 0; i < h.count; i++)
		sweep(engine, &h, arena_printf(&h.arena, "%s/%s", h.items[i].point, base));
	hierarchies_release(&h);
}

/* --- out of memory -----------------------------------------------------------------------------
 */

/*
 * When the limit is the group's, Podman's monitor, which is in the group, hears too late of it, and
 * version 1 counts a kill in the container's own group alone, which is gone. So the agent listens
 * for itself: on version 1 with an eventfd, on version 2 the group's own counter says it.
 */
static int64_t count_kills(const char *dir)
{
	char path[4096];
	struct buf CLEANUP(buf_release) text = { 0 };
	snprintf(path, sizeof(path), "%s/memory.events", dir);
	const char *at = cgroup_read(path, &text) ? strstr(buf_str(&text), "oom_kill ") : NULL;
	return at ? strtoll(at + strlen("oom_kill "), NULL, 10) : 0;
}

static int listen_v1(const char *dir)
{
	char path[4096], text[64];
	snprintf(path, sizeof(path), "%s/memory.oom_control", dir);
	int control = open(path, O_RDONLY | O_CLOEXEC);
	int fd = control >= 0 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	snprintf(text, sizeof(text), "%d %d", fd, control);
	if (fd >= 0 && !cgroup_write(dir, "cgroup.event_control", text, NULL)) {
		close(fd);
		fd = -1;
	}
	if (control >= 0)
		close(control);
	return fd;
}

static void listen_for_kills(struct task *task, struct hierarchies *h, bool from_now)
{
	const struct cgroup_mount *mount = hierarchy_of(h, "memory");
	groups_forget(task);
	if (!mount)
		return;
	const char *dir = arena_printf(&h->arena, "%s/%s", mount->point, name_of(task, &h->arena));
	task->group.watched = true;
	if (!mount->v2)
		task->group.event_fd = listen_v1(dir);
	else if (from_now)
		task->group.kills = count_kills(dir);
}

bool groups_killed(struct task *task)
{
	struct hierarchies h;
	uint64_t events;
	if (task->group.killed || !create_needs_group(task->td))
		return task->group.killed;
	hierarchies_read(&h);
	const struct cgroup_mount *mount = hierarchy_of(&h, "memory");
	const char *name = name_of(task, &h.arena);
	if (task->group.event_fd >= 0)
		task->group.killed = read(task->group.event_fd, &events, sizeof(events)) > 0;
	else if (mount && mount->v2)
		task->group.killed = count_kills(arena_printf(&h.arena, "%s/%s", mount->point,
							      name)) > task->group.kills;
	hierarchies_release(&h);
	return task->group.killed;
}

void groups_watch(struct task *task)
{
	struct hierarchies h;
	if (task->group.watched || !create_needs_group(task->td))
		return;
	if (hierarchies_read(&h))
		listen_for_kills(task, &h, false);
	hierarchies_release(&h);
}

void groups_forget(struct task *task)
{
	if (task->group.event_fd >= 0)
		close(task->group.event_fd);
	task->group = (struct task_group){ .event_fd = -1 };
}

bool groups_make(struct task *task, struct err *err)
{
	struct hierarchies h;
	struct arena arena;
	arena_init(&arena);
	bool needed = groups_parent(task, &arena) != NULL;
	arena_release(&arena);
	if (!needed)
		return true;
	struct cgroup_limits limits = cgroup_limits_of_task(task->td);
	limits.pids = 0; /* of each container */
	bool ok = hierarchies_read(&h) && make_group(&h, name_of(task, &h.arena), &limits, err);
	if (ok)
		listen_for_kills(task, &h, true);
	hierarchies_release(&h);
	return ok || err_wrap(err, "ResourceInitializationError: the task's control group");
}
