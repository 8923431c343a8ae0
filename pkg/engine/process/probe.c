/* What this node can honour, found by trying: limits that are not enforced are no capability. */
#include "engine/process/internal.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROBE_MEMORY_MIB 64
#define PROBE_CPU_UNITS	 256
#define PROBE_PIDS	 64

/* A task definition that asks for what that controller does; CGROUP_CONTROLLERS: for nothing. */
static struct task_definition definition(int controller, struct container_definition *c)
{
	struct task_definition td = { 0 };
	*c = (struct container_definition){ .name = "probe" };
	td.container_definitions.items = c;
	td.container_definitions.len = 1;
	if (controller == CGROUP_MEMORY)
		td.memory = c->memory = (struct opt_int){ true, PROBE_MEMORY_MIB };
	else if (controller == CGROUP_CPU)
		td.cpu = c->cpu = (struct opt_int){ true, PROBE_CPU_UNITS };
	else if (controller == CGROUP_PIDS)
		td.pids_limit = (struct opt_int){ true, PROBE_PIDS };
	return td;
}

/* A shim's child enters the group, as a task's would, and would run the shim again. */
static bool enters(const struct process_engine *engine, const struct cgroup_paths *paths)
{
	struct record_writer w = { .grow = record_grow };
	record_begin(&w, "task");
	record_put(&w, "container", "probe");
	for (uint32_t i = 0; i < paths->count; i++)
		record_put(&w, "cgroup", paths->items[i]);
	record_put(&w, "arg", engine->shim);
	record_end(&w);
	bool ok = check_with_shim(engine->shim, &w, NULL);
	free(w.data);
	return ok;
}

static bool try_controller(const struct process_engine *engine, int controller)
{
	struct cgroup_paths own, paths;
	struct container_definition c;
	struct task_definition td = definition(controller, &c);
	struct arena arena;
	char name[32];
	if (controller != CGROUP_CONTROLLERS &&
	    !cgroups_have(engine->cgroups, (enum cgroup_controller)controller))
		return false;
	/* No task's id: those have no dot. */
	snprintf(name, sizeof(name), "probe.%d", getpid());
	arena_init(&arena);
	bool ok = cgroups_make(engine->cgroups, name, &td, &arena, &own, &paths, NULL);
	if (ok) {
		ok = enters(engine, &paths);
		cgroups_unmake(&own, &paths, 1);
	}
	arena_release(&arena);
	return ok;
}

void engine_probe(struct process_engine *engine)
{
	/* Groups that a task without limits cannot enter either would let none start. */
	while (!try_controller(engine, CGROUP_CONTROLLERS) && cgroups_drop(engine->cgroups))
		;
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		engine->can[i] = try_controller(engine, i);
}

bool engine_can_switch_users(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	uint32_t needed = 1U << CAP_SETUID | 1U << CAP_SETGID;
	return geteuid() == 0 && syscall(SYS_capget, &header, data) == 0 &&
	       (data[0].effective & needed) == needed;
}
