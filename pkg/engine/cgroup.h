/*
 * engine/cgroup: control groups for tasks, where the host lets us make them.
 *
 * A task has a group of its own, and each of its containers one below it (where processes live, as
 * version 2 wants it):
 *   version 2  next to the agent's own: PARENT/muster-NODE/TASK/CONTAINER. Not below it: a unit
 *              whose group has controllers enabled for children cannot be entered again by systemd,
 *              so the agent could not be restarted while tasks run. Who may not write to PARENT
 *              (an agent that is not root in a unit of the system) has none; a unit of the user's
 *              own systemd can.
 *   version 1  below the agent's own, for each controller: OWN/muster-NODE/TASK/CONTAINER
 * Version 1 controllers serve the limits that version 2 has not got (hybrid hosts), and are used
 * only for tasks that have such limits.
 *
 * Always holds: neither agent nor shim is ever in a group of a task. Nothing outside muster-NODE is
 * changed, but for enabling controllers for it.
 */
#ifndef MUSTER_ENGINE_CGROUP_H
#define MUSTER_ENGINE_CGROUP_H

#include "base/base.h"
#include "model/model.h"

#include <fts.h>

enum cgroup_controller { CGROUP_MEMORY, CGROUP_CPU, CGROUP_PIDS, CGROUP_CONTROLLERS };

struct cgroups;

/* Find what there is: never fails, at worst there is nothing. name: of the agent's own group, below
 * which all of its tasks' are; no other agent's on this machine. */
struct cgroups *cgroups_open(const char *name);
void cgroups_free(struct cgroups *cgroups); /* the base group goes when it is empty */
/* Do without version 2, or, when that is not there, without version 1. False: nothing was left. */
bool cgroups_drop(struct cgroups *cgroups);
bool cgroups_is_base(const struct cgroups *cgroups, const char *path);
/* Is there a controller for it? Whether it can be used is known only after a try. */
bool cgroups_have(const struct cgroups *cgroups, enum cgroup_controller controller);

/*
 * Where one is in a hierarchy, from the texts of /proc/self/mountinfo and /proc/self/cgroup: the
 * directory of our own group. controller "": version 2. NULL: it is not there, or out of sight.
 */
const char *cgroup_own_dir(const char *controller, const char *mountinfo, const char *self,
			   struct arena *arena);

/* The hierarchies that are mounted, from the text of /proc/self/mountinfo. */
struct cgroup_mount {
	const char *point;
	bool v2;
	const char *options; /* of version 1: its controllers are among them */
};
uint32_t cgroup_mounts(const char *mountinfo, struct cgroup_mount *out, uint32_t max,
		       struct arena *arena);

#define CGROUP_HIERARCHIES (CGROUP_CONTROLLERS + 1)
struct cgroup_paths {
	const char *items[CGROUP_HIERARCHIES];
	uint32_t count;
};
/*
 * Make the groups of a task with the limits of its definition. Paths, in the arena: the task's own,
 * and what each container (as many as the definition has) has to enter. None without cgroups.
 */
bool cgroups_make(const struct cgroups *cgroups, const char *task, const struct task_definition *td,
		  struct arena *arena, struct cgroup_paths *own, struct cgroup_paths *containers,
		  struct err *err);

/* Remove those that are empty. */
void cgroups_unmake(const struct cgroup_paths *own, const struct cgroup_paths *containers,
		    uint32_t count);

/* cgroup_limits.c: as ECS counts; 0: none. */
struct cgroup_limits {
	int64_t memory_mib, reserve_mib, shares, quota_units, pids;
	bool may_swap; /* besides what memory_mib allows */
};
struct cgroup_limits cgroup_limits_of_task(const struct task_definition *td);
struct cgroup_limits cgroup_limits_of_container(const struct container_definition *c);
/* A reservation needs nothing: it is a hint, set where that is possible. */
bool cgroup_limits_need(const struct cgroup_limits *l, enum cgroup_controller controller);
/* Set those of a controller on the group at dir. */
bool cgroup_limits_set(const char *dir, bool v2, enum cgroup_controller controller,
		       const struct cgroup_limits *l, struct err *err);
bool cgroup_write(const char *dir, const char *name, const char *text, struct err *err);
/* Whole text of a file of /proc or of a group, which say no size. */
bool cgroup_read(const char *path, struct buf *out);
bool cgroup_has_word(const char *text, const char *word, const char *separators);
/* Version 2: the controllers for the children of the group, where it may have them. */
void cgroup_enable(const char *dir);

/* The group and those below it, each before what is below it and after (FTS_D, FTS_DP). */
void cgroup_walk(const char *path, void (*visit)(const FTSENT *group, void *arg), void *arg);
/* Remove that group and those below it, where no process is left. */
void cgroup_remove(const char *path);

#endif
