/*
 * The control group above the containers of a task, which limits them together, as ECS's agent has
 * it. It is given to the engine as CgroupParent:
 *   an engine that makes groups itself  /muster.FLEET.NODE/TASK at the root of every hierarchy
 *   one that leaves it to systemd       muster.FLEET.NODE.TASK.slice, a unit file in /run, which
 *                                       systemd reads when the engine first names the slice. It
 *                                       ends with the last container in it.
 *
 * Always holds: it has its limits before a container is started in it. Nothing of other names is
 * changed, but for version 2's controllers at the root. What is left of tasks that are gone is
 * removed when the engine's containers have been listed.
 */
#include "engine/docker/internal.h"

#include "engine/cgroup.h"
#include "fs/fs.h"
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
#define UNITS_DIR	 "/run/systemd/system" /* it is there where systemd is the first process */
#define UNIT_SUFFIX	 ".slice"
#define UNIT_MODE	 0644
#define CPU_UNITS	 1024 /* of one CPU */

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
		if (strchr(name, '/'))
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
static bool sees_path(struct hierarchies *h, pid_t pid, const char *path)
{
	struct stat ours, theirs;
	return stat(path, &ours) == 0 &&
	       stat(arena_printf(&h->arena, "/proc/%d/root%s", pid, path), &theirs) == 0 &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

static bool sees(struct hierarchies *h, pid_t pid, const char *name, const char *controller)
{
	const struct cgroup_mount *mount = hierarchy_of(h, controller);
	return mount && sees_path(h, pid, arena_printf(&h->arena, "%s/%s", mount->point, name));
}

/* A relay may stand at the socket for an engine of another machine. */
static bool is_here(const struct flavor *flavor)
{
	struct utsname us;
	return uname(&us) == 0 && flavor->host_name && strcmp(us.nodename, flavor->host_name) == 0;
}

static bool try_group(struct hierarchies *h, pid_t pid)
{
	static const struct cgroup_limits limits = { .memory_mib = PROBE_MEMORY_MIB,
						     .quota_units = PROBE_CPU_UNITS };
	const char *name = arena_printf(&h->arena, "muster.probe-%d/probe", getpid());
	bool ok = make_group(h, name, &limits, NULL) && sees(h, pid, name, "memory") &&
		  sees(h, pid, name, "cpu");
	remove_group(h, name);
	return ok;
}

/* Whether systemd takes the unit is seen at the first start (groups_check). */
static bool try_units(struct hierarchies *h, pid_t pid)
{
	return access(UNITS_DIR, W_OK | X_OK) == 0 && sees_path(h, pid, UNITS_DIR) &&
	       sees(h, pid, "", "memory") && sees(h, pid, "", "cpu");
}

bool groups_usable(const struct docker_engine *engine, const struct flavor *flavor)
{
	struct hierarchies h;
	bool ask = flavor->cgroups != CGROUPS_UNKNOWN && !engine->groups_fail && is_here(flavor);
	pid_t pid = ask ? peer_of(engine->socket) : 0;
	if (pid <= 0)
		return false;
	bool ok = hierarchies_read(&h) &&
		  (flavor->cgroups == CGROUPS_SYSTEMD ? try_units(&h, pid) : try_group(&h, pid));
	hierarchies_release(&h);
	return ok;
}

/* --- of tasks ----------------------------------------------------------------------------------
 */

static bool by_systemd(const struct docker_engine *engine)
{
	return engine->flavor.cgroups == CGROUPS_SYSTEMD;
}

/* As a part of a slice's name, where a dash would mean a slice in a slice, and a dot is ours. */
static const char *escape(const char *text, struct arena *arena)
{
	struct buf CLEANUP(buf_release) out = { 0 };
	for (; *text; text++)
		if (*text == '-' || *text == '.' || *text == '_')
			buf_addf(&out, "_%c", *text == '-' ? 'd' : *text == '.' ? 'p' : '_');
		else
			buf_addc(&out, *text);
	return arena_strdup(arena, buf_str(&out));
}

/* What the names of all our groups begin with. */
static const char *base_of(const struct docker_engine *engine, const char *fleet,
			   struct arena *arena)
{
	const char *node = by_systemd(engine) ? escape(engine->node, arena) : engine->node;
	return arena_printf(arena, "muster.%.*s.%s", FLEET_DIGITS, fleet, node);
}

/* Of a task's group, below the root of its hierarchy; of systemd's it is the unit's name. */
static const char *name_of(const struct task *task, struct arena *arena)
{
	const struct docker_engine *engine = task->engine;
	const char *base = base_of(engine, task->id.fleet, arena);
	return by_systemd(engine) ? arena_printf(arena, "%s.%s" UNIT_SUFFIX, base,
						 escape(task->id.task, arena))
				  : arena_printf(arena, "%s/%s", base, task->id.task);
}

const char *groups_parent(const struct task *task, struct arena *arena)
{
	const struct docker_engine *engine = task->engine;
	if (!create_needs_group(task->td) || !engine->flavor.task_limits)
		return NULL;
	return arena_printf(arena, "%s%s", by_systemd(engine) ? "" : "/", name_of(task, arena));
}

static bool write_unit(const struct task *task, const char *name,
		       const struct cgroup_limits *limits, struct arena *arena, struct err *err)
{
	struct buf CLEANUP(buf_release) text = { 0 };
	buf_addf(&text, "[Unit]\nDescription=Containers of task %s of %s\nStopWhenUnneeded=yes\n",
		 task->id.task, task->id.service);
	buf_adds(&text, "[Slice]\n");
	if (limits->memory_mib)
		buf_addf(&text, "MemoryMax=%lldM\n%s", (long long)limits->memory_mib,
			 limits->may_swap ? "" : "MemorySwapMax=0\n");
	if (limits->quota_units) {
		long long hundredths = limits->quota_units * 10000 / CPU_UNITS;
		hundredths = hundredths ? hundredths : 1;
		buf_addf(&text, "CPUQuota=%lld.%02lld%%\n", hundredths / 100, hundredths % 100);
	}
	return fs_write(arena_printf(arena, UNITS_DIR "/%s", name), text.data, text.len, UNIT_MODE,
			FS_IF_CHANGED, NULL, err);
}

void groups_remove(const struct task *task)
{
	struct hierarchies h;
	if (!task->identified || (!create_needs_group(task->td) && !task->synthetic))
		return;
	hierarchies_read(&h);
	const char *name = name_of(task, &h.arena);
	if (by_systemd(task->engine))
		unlink(arena_printf(&h.arena, UNITS_DIR "/%s", name));
	/* Podman's monitor may take a moment longer than its container. */
	if (!remove_group(&h, name))
		task->engine->groups_left = true;
	hierarchies_release(&h);
}

static bool is_known(struct docker_engine *engine, const char *name, struct arena *arena)
{
	void *value;
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);)
		if (docker_task_is_ours(value) && strcmp(name, name_of(value, arena)) == 0)
			return true;
	return false;
}

/* The entries of root whose names begin with the prefix, which may name a directory in it. */
static void sweep(struct docker_engine *engine, const char *root, const char *prefix,
		  struct arena *arena)
{
	const char *slash = strrchr(prefix, '/'), *begin = slash ? slash + 1 : prefix;
	int above = (int)(begin - prefix);
	const struct dirent *entry;
	const char *path = arena_printf(arena, "%s/%.*s", root, above, prefix);
	DIR *dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		const char *name = arena_printf(arena, "%.*s%s", above, prefix, entry->d_name);
		const char *left = arena_printf(arena, "%s/%s", root, name);
		if (entry->d_name[0] == '.' || strncmp(name, prefix, strlen(prefix)) != 0 ||
		    is_known(engine, name, arena))
			continue;
		if (entry->d_type == DT_REG && strcmp(root, UNITS_DIR) == 0)
			unlink(left);
		else if (entry->d_type == DT_DIR)
			cgroup_remove(left);
		engine->groups_left |= access(left, F_OK) == 0;
	}
	if (dir)
		closedir(dir);
	if (above)
		rmdir(path);
}

void groups_sweep(struct docker_engine *engine)
{
	struct hierarchies h;
	hierarchies_read(&h);
	engine->groups_left = false;
	const char *prefix =
		arena_printf(&h.arena, "%s%s", base_of(engine, engine->fleet, &h.arena),
			     by_systemd(engine) ? "." : "/");
	if (by_systemd(engine))
		sweep(engine, UNITS_DIR, prefix, &h.arena);
	for (uint32_t i = 0; i < h.count; i++)
		sweep(engine, h.items[i].point, prefix, &h.arena);
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

/* The group's directory in the hierarchy of the controller; NULL: there is none. */
static const char *dir_of(const struct task *task, struct hierarchies *h, const char *controller,
			  bool *v2)
{
	const struct cgroup_mount *mount = hierarchy_of(h, controller);
	if (!mount)
		return NULL;
	*v2 = mount->v2;
	return arena_printf(&h->arena, "%s/%s", mount->point, name_of(task, &h->arena));
}

bool groups_killed(struct task *task)
{
	struct hierarchies h;
	uint64_t events;
	bool v2 = false;
	if (task->group.killed)
		return true;
	hierarchies_read(&h);
	const char *dir = dir_of(task, &h, "memory", &v2);
	if (task->group.event_fd >= 0)
		task->group.killed = read(task->group.event_fd, &events, sizeof(events)) > 0;
	else if (dir && v2)
		task->group.killed = count_kills(dir) > task->group.kills;
	hierarchies_release(&h);
	return task->group.killed;
}

/* Has systemd read the unit? What an old version does not know has no limits. What cannot be read
 * has ended. */
static bool has_limits(const struct task *task, struct hierarchies *h)
{
	struct buf CLEANUP(buf_release) text = { 0 };
	bool v2 = false, ok = true;
	const char *dir = dir_of(task, h, "memory", &v2);
	const char *file = v2 ? "memory.max" : "memory.limit_in_bytes";
	int64_t bytes = task->td->memory.value << 20;
	if (bytes && dir && cgroup_read(arena_printf(&h->arena, "%s/%s", dir, file), &text))
		ok = strtoll(buf_str(&text), NULL, 10) == bytes;
	dir = dir_of(task, h, "cpu", &v2);
	file = v2 ? "cpu.max" : "cpu.cfs_quota_us";
	if (task->td->cpu.value && dir &&
	    cgroup_read(arena_printf(&h->arena, "%s/%s", dir, file), &text))
		ok = ok && buf_str(&text)[0] >= '0' && buf_str(&text)[0] <= '9';
	return ok;
}

bool groups_watch(struct task *task)
{
	struct hierarchies h;
	bool v2 = false, ok = true;
	if (task->group.watched || !task->engine->flavor.task_limits)
		return true;
	hierarchies_read(&h);
	const char *dir = dir_of(task, &h, "memory", &v2);
	task->group.watched = true;
	if (dir && !v2 && task->group.event_fd < 0)
		task->group.event_fd = listen_v1(dir);
	ok = !by_systemd(task->engine) || has_limits(task, &h);
	hierarchies_release(&h);
	return ok;
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
	bool v2 = false, ok;
	if (!create_needs_group(task->td) || !task->engine->flavor.task_limits)
		return true;
	struct cgroup_limits limits = cgroup_limits_of_task(task->td);
	limits.pids = 0; /* of each container */
	hierarchies_read(&h);
	const char *name = name_of(task, &h.arena);
	ok = by_systemd(task->engine) ? write_unit(task, name, &limits, &h.arena, err)
				      : make_group(&h, name, &limits, err);
	/* What is killed from now on. The group of a slice is not there yet. */
	groups_forget(task);
	const char *dir = dir_of(task, &h, "memory", &v2);
	if (ok && dir && v2)
		task->group.kills = count_kills(dir);
	else if (ok && dir)
		task->group.event_fd = listen_v1(dir);
	task->group.watched = ok && !by_systemd(task->engine);
	hierarchies_release(&h);
	return ok || err_wrap(err, "ResourceInitializationError: the task's control group");
}
