#include "engine/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROC_TEXT_MAX (1 << 20)

static const char *const controller_names[CGROUP_CONTROLLERS] = {
	[CGROUP_MEMORY] = "memory",
	[CGROUP_CPU] = "cpu",
	[CGROUP_PIDS] = "pids",
};

struct cgroups {
	char *v2; /* .../muster-NODE; NULL: none */
	bool v2_has[CGROUP_CONTROLLERS];
	char *v1[CGROUP_CONTROLLERS];
};

/* --- small files ------------------------------------------------------------------------------
 */

/* Whole text of a file of /proc or /sys, which say no size. */
bool cgroup_read(const char *path, struct buf *out)
{
	char chunk[4096];
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	buf_reset(out);
	while (fd >= 0 && (n = read(fd, chunk, sizeof(chunk))) > 0 && out->len < PROC_TEXT_MAX)
		buf_add(out, chunk, (size_t)n);
	if (fd >= 0)
		close(fd);
	return n == 0;
}

bool cgroup_has_word(const char *text, const char *word, const char *separators)
{
	size_t n = strlen(word);
	for (const char *p = text; *p;) {
		size_t len = strcspn(p, separators);
		if (len == n && strncmp(p, word, n) == 0)
			return true;
		p += len + (p[len] != '\0');
	}
	return false;
}

/* --- where we are ------------------------------------------------------------------------------
 */

/* The group of a line "ID:CONTROLLERS:PATH" of /proc/self/cgroup. */
static const char *own_path(const char *self, const char *controller, struct arena *arena)
{
	char *copy = arena_strdup(arena, self), *save = NULL;
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		if (*controller ? cgroup_has_word(names + 1, controller, ",") : !names[1])
			return path;
	}
	return NULL;
}

/* A line of /proc/self/mountinfo, when it is the mount of a hierarchy. *root: of it that is seen.
 */
static bool read_mount(char *line, struct cgroup_mount *out, const char **root)
{
	char *rest = strstr(line, " - "), *word[5], *save = NULL;
	if (!rest)
		return false;
	*rest = '\0';
	for (int i = 0; i < 5; i++)
		if (!(word[i] = strtok_r(i ? NULL : line, " ", &save)))
			return false;
	char *type = strtok_r(rest + 3, " ", &save), *options = type;
	for (int i = 0; i < 2 && options; i++)
		options = strtok_r(NULL, " ", &save);
	if (!options || (strcmp(type, "cgroup") != 0 && strcmp(type, "cgroup2") != 0))
		return false;
	*root = word[3];
	*out = (struct cgroup_mount){ word[4], strcmp(type, "cgroup2") == 0, options };
	return true;
}

uint32_t cgroup_mounts(const char *mountinfo, struct cgroup_mount *out, uint32_t max,
		       struct arena *arena)
{
	char *copy = arena_strdup(arena, mountinfo), *save = NULL;
	const char *root;
	uint32_t count = 0;
	for (char *line = strtok_r(copy, "\n", &save); line && count < max;
	     line = strtok_r(NULL, "\n", &save))
		count += read_mount(line, &out[count], &root);
	return count;
}

const char *cgroup_own_dir(const char *controller, const char *mountinfo, const char *self,
			   struct arena *arena)
{
	const char *own = own_path(self, controller, arena), *root;
	struct cgroup_mount mount;
	char *copy = arena_strdup(arena, mountinfo), *save = NULL;
	/* "/.." stands for what the group namespace hides. */
	if (!own || strncmp(own, "/..", 3) == 0)
		return NULL;
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!read_mount(line, &mount, &root) || mount.v2 != !*controller ||
		    (*controller && !cgroup_has_word(mount.options, controller, ",")))
			continue;
		size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
		if (strncmp(own, root, n) != 0 || (n && own[n] && own[n] != '/'))
			continue;
		const char *below = strcmp(own + n, "/") == 0 ? "" : own + n;
		return arena_printf(arena, "%s%s", mount.point, below);
	}
	return NULL;
}

/* --- set up ------------------------------------------------------------------------------------
 */

static bool read_in(const char *dir, const char *name, struct buf *text)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return cgroup_read(path, text);
}

/* Is it the root of all, not of what a group namespace shows? */
static bool is_real_root(const char *dir)
{
	struct buf type = { 0 };
	bool has_type = read_in(dir, "cgroup.type", &type);
	buf_release(&type);
	return !has_type;
}

/*
 * For the children. A group with processes of its own must not have it: for some controllers the
 * kernel refuses, with others alone it makes the group threaded, and no process could enter its
 * children any more. Only the root of all is free of that.
 */
void cgroup_enable(const char *dir)
{
	struct buf procs = { 0 };
	bool ok = is_real_root(dir) || (read_in(dir, "cgroup.procs", &procs) && procs.len == 0);
	for (int i = 0; ok && i < CGROUP_CONTROLLERS; i++) {
		char text[16];
		snprintf(text, sizeof(text), "+%s", controller_names[i]);
		cgroup_write(dir, "cgroup.subtree_control", text, NULL);
	}
	buf_release(&procs);
}

/* In a container the agent's group is the root that it sees: it goes into a leaf, alone. */
static void leave_root(const char *dir)
{
	char leaf[4096], pid[16];
	snprintf(leaf, sizeof(leaf), "%s/muster-agent", dir);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (mkdir(leaf, 0755) == 0 || errno == EEXIST)
		cgroup_write(leaf, "cgroup.procs", pid, NULL);
}

/* An existing one may be of another user's agent: of use only where groups can be made in it. */
static char *make_base(const char *dir, const char *name)
{
	struct buf path = { 0 };
	buf_addf(&path, "%s/%s", dir, name);
	if ((mkdir(path.data, 0755) == 0 || errno == EEXIST) && access(path.data, W_OK | X_OK) == 0)
		return path.data;
	buf_release(&path);
	return NULL;
}

static void open_v2(struct cgroups *cgroups, const char *dir, bool is_root, const char *name)
{
	char parent[4096];
	struct buf text = { 0 };
	snprintf(parent, sizeof(parent), "%s", dir);
	if (!is_root)
		*strrchr(parent, '/') = '\0';
	cgroups->v2 = make_base(parent, name);
	if (!cgroups->v2)
		return;
	if (is_root && !is_real_root(dir))
		leave_root(dir);
	cgroup_enable(parent);
	cgroup_enable(cgroups->v2);
	if (read_in(cgroups->v2, "cgroup.subtree_control", &text))
		for (int i = 0; i < CGROUP_CONTROLLERS; i++)
			cgroups->v2_has[i] =
				cgroup_has_word(buf_str(&text), controller_names[i], " \n");
	buf_release(&text);
}

struct cgroups *cgroups_open(const char *name)
{
	struct cgroups *cgroups = xcalloc(1, sizeof(*cgroups));
	struct buf mounts = { 0 }, self = { 0 };
	struct arena arena;
	arena_init(&arena);
	bool ok = cgroup_read("/proc/self/mountinfo", &mounts) &&
		  cgroup_read("/proc/self/cgroup", &self);
	const char *dir = ok ? cgroup_own_dir("", mounts.data, self.data, &arena) : NULL;
	if (dir)
		open_v2(cgroups, dir, strcmp(own_path(self.data, "", &arena), "/") == 0, name);
	for (int i = 0; ok && i < CGROUP_CONTROLLERS; i++) {
		dir = cgroups->v2_has[i]
			      ? NULL
			      : cgroup_own_dir(controller_names[i], mounts.data, self.data, &arena);
		cgroups->v1[i] = dir ? make_base(dir, name) : NULL;
	}
	buf_release(&mounts);
	buf_release(&self);
	arena_release(&arena);
	return cgroups;
}

/* Fails while tasks run, as it should. */
static void drop(char **base)
{
	if (*base)
		rmdir(*base);
	free(*base);
	*base = NULL;
}

bool cgroups_drop(struct cgroups *cgroups)
{
	bool any = cgroups->v2 != NULL;
	if (any) {
		drop(&cgroups->v2);
		memset(cgroups->v2_has, 0, sizeof(cgroups->v2_has));
		return true;
	}
	for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
		any = any || cgroups->v1[i];
		drop(&cgroups->v1[i]);
	}
	return any;
}

void cgroups_free(struct cgroups *cgroups)
{
	while (cgroups && cgroups_drop(cgroups))
		;
	free(cgroups);
}

bool cgroups_is_base(const struct cgroups *cgroups, const char *path)
{
	bool is = cgroups->v2 && strcmp(cgroups->v2, path) == 0;
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		is = is || (cgroups->v1[i] && strcmp(cgroups->v1[i], path) == 0);
	return is;
}

bool cgroups_have(const struct cgroups *cgroups, enum cgroup_controller controller)
{
	return cgroups->v2_has[controller] || cgroups->v1[controller];
}

/* --- groups of a task --------------------------------------------------------------------------
 */

/* A group in one hierarchy, with those limits that are this hierarchy's. */
static bool make_group(const struct cgroups *cgroups, const char *path, int controller,
		       const struct cgroup_limits *l, struct err *err)
{
	bool v2 = controller == CGROUP_CONTROLLERS;
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_set(err, errno, "make cgroup '%s'", path);
	for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
		bool here = v2 ? cgroups->v2_has[i] : i == controller;
		if (here && !cgroup_limits_set(path, v2, (enum cgroup_controller)i, l, err))
			return false;
	}
	return true;
}

struct make {
	const struct cgroups *cgroups;
	const char *task;
	const struct task_definition *td;
	struct arena *arena;
	struct cgroup_paths *own, *containers;
};

/* A group for the task and one for each container below base. */
static bool make_tree(const struct make *m, const char *base, int controller, struct err *err)
{
	struct cgroup_limits l = cgroup_limits_of_task(m->td);
	const char *own = arena_printf(m->arena, "%s/%s", base, m->task);
	m->own->items[m->own->count++] = own;
	if (!make_group(m->cgroups, own, controller, &l, err))
		return false;
	if (controller == CGROUP_CONTROLLERS)
		cgroup_enable(own);
	for (uint32_t i = 0; i < m->td->container_definitions.len; i++) {
		const struct container_definition *c = &m->td->container_definitions.items[i];
		struct cgroup_paths *paths = &m->containers[i];
		l = cgroup_limits_of_container(c);
		const char *path = arena_printf(m->arena, "%s/%s", own, c->name);
		paths->items[paths->count++] = path;
		if (!make_group(m->cgroups, path, controller, &l, err))
			return false;
	}
	return true;
}

static bool task_needs(const struct task_definition *td, int controller)
{
	struct cgroup_limits l = cgroup_limits_of_task(td);
	bool any = cgroup_limits_need(&l, (enum cgroup_controller)controller);
	for (uint32_t i = 0; i < td->container_definitions.len && !any; i++) {
		l = cgroup_limits_of_container(&td->container_definitions.items[i]);
		any = cgroup_limits_need(&l, (enum cgroup_controller)controller);
	}
	return any;
}

void cgroups_unmake(const struct cgroup_paths *own, const struct cgroup_paths *containers,
		    uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < containers[i].count; j++)
			rmdir(containers[i].items[j]);
	for (uint32_t j = 0; j < own->count; j++)
		rmdir(own->items[j]);
}

bool cgroups_make(const struct cgroups *cgroups, const char *task, const struct task_definition *td,
		  struct arena *arena, struct cgroup_paths *own, struct cgroup_paths *containers,
		  struct err *err)
{
	struct make m = { cgroups, task, td, arena, own, containers };
	bool ok = true, any = cgroups->v2 != NULL;
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		if (task_needs(td, i) && !cgroups_have(cgroups, (enum cgroup_controller)i))
			return err_set(err, 0, "there is no %s controller", controller_names[i]);
	*own = (struct cgroup_paths){ 0 };
	memset(containers, 0, sizeof(*containers) * td->container_definitions.len);
	if (cgroups->v2)
		ok = make_tree(&m, cgroups->v2, CGROUP_CONTROLLERS, err);
	/* One at least, to know what belongs to the task. */
	for (int i = CGROUP_CONTROLLERS - 1; ok && i >= 0; i--) {
		if (!cgroups->v1[i] || (any && !task_needs(td, i)))
			continue;
		ok = make_tree(&m, cgroups->v1[i], i, err);
		any = true;
	}
	if (!ok)
		cgroups_unmake(own, containers, td->container_definitions.len);
	return ok;
}

/* --- trees of groups ---------------------------------------------------------------------------
 */

/* What is found may go while we look. */
void cgroup_walk(const char *path, void (*visit)(const FTSENT *group, void *arg), void *arg)
{
	char *const roots[] = { (char *)path, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	for (FTSENT *entry; tree && (entry = fts_read(tree));)
		if (entry->fts_info == FTS_D || entry->fts_info == FTS_DP)
			visit(entry, arg);
	if (tree)
		fts_close(tree);
}

static void visit_remove(const FTSENT *group, void *arg)
{
	(void)arg;
	if (group->fts_info == FTS_DP)
		rmdir(group->fts_path);
}

void cgroup_remove(const char *path)
{
	cgroup_walk(path, visit_remove, NULL);
}
