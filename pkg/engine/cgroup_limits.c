/* The limits of ECS as those of the kernel. */
#include "engine/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QUOTA_PERIOD_US 100000
#define QUOTA_MIN_US	1000 /* the kernel takes no less */
#define CPU_UNITS	1024 /* of one CPU */
#define SHARES_MIN	2
#define SHARES_MAX	262144

bool cgroup_write(const char *dir, const char *name, const char *text, struct err *err)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	size_t len = strlen(text);
	bool ok = write(fd, text, len) == (ssize_t)len;
	int code = errno;
	close(fd);
	return ok || err_set(err, code, "write '%s' to '%s'", text, path);
}

static int64_t value_of(const struct opt_int *n)
{
	return n->set && n->value > 0 ? n->value : 0;
}

bool cgroup_limits_need(const struct cgroup_limits *l, enum cgroup_controller controller)
{
	switch (controller) {
	case CGROUP_MEMORY: return l->memory_mib;
	case CGROUP_CPU: return l->shares || l->quota_units;
	case CGROUP_PIDS: return l->pids;
	case CGROUP_CONTROLLERS: break;
	}
	return false;
}

/* Has a container leave to use swap? Its own limit counts then. */
static bool may_swap(const struct task_definition *td)
{
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct linux_parameters *lp =
			td->container_definitions.items[i].linux_parameters;
		if (lp && value_of(&lp->max_swap))
			return true;
	}
	return false;
}

struct cgroup_limits cgroup_limits_of_task(const struct task_definition *td)
{
	return (struct cgroup_limits){ .may_swap = may_swap(td),
				       .memory_mib = value_of(&td->memory),
				       .quota_units = value_of(&td->cpu),
				       .pids = value_of(&td->pids_limit) };
}

struct cgroup_limits cgroup_limits_of_container(const struct container_definition *c)
{
	return (struct cgroup_limits){ .memory_mib = value_of(&c->memory),
				       .reserve_mib = value_of(&c->memory_reservation),
				       .shares = value_of(&c->cpu) };
}

/* Those that the host may lack (swap accounting) or refuse without harm to what was asked for. */
static void write_optional(const char *dir, const char *name, const char *text)
{
	cgroup_write(dir, name, text, NULL);
}

static bool set_memory(const char *dir, bool v2, const struct cgroup_limits *l, struct err *err)
{
	char text[32];
	snprintf(text, sizeof(text), "%lld", (long long)l->reserve_mib << 20);
	if (l->reserve_mib)
		write_optional(dir, v2 ? "memory.low" : "memory.soft_limit_in_bytes", text);
	if (!l->memory_mib)
		return true;
	/* Before Linux 5.11 a group of version 1 counts what is below it only when it is told to.
	 */
	if (!v2)
		write_optional(dir, "memory.use_hierarchy", "1");
	snprintf(text, sizeof(text), "%lld", (long long)l->memory_mib << 20);
	if (!cgroup_write(dir, v2 ? "memory.max" : "memory.limit_in_bytes", text, err))
		return false;
	/* A hard limit is one of memory, not of what fits into swap besides. */
	if (!l->may_swap)
		write_optional(dir, v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
			       v2 ? "0" : text);
	return true;
}

static bool set_cpu(const char *dir, bool v2, const struct cgroup_limits *l, struct err *err)
{
	char text[64], period[16];
	int64_t shares = l->shares < SHARES_MIN	  ? SHARES_MIN
			 : l->shares > SHARES_MAX ? SHARES_MAX
						  : l->shares;
	/* The mapping of shares to weights that all container runtimes use. */
	int64_t weight = 1 + (shares - SHARES_MIN) * 9999 / (SHARES_MAX - SHARES_MIN);
	snprintf(text, sizeof(text), "%lld", (long long)(v2 ? weight : shares));
	if (l->shares && !cgroup_write(dir, v2 ? "cpu.weight" : "cpu.shares", text, err))
		return false;
	if (!l->quota_units)
		return true;
	int64_t quota = l->quota_units * QUOTA_PERIOD_US / CPU_UNITS;
	quota = quota < QUOTA_MIN_US ? QUOTA_MIN_US : quota;
	snprintf(period, sizeof(period), "%d", QUOTA_PERIOD_US);
	snprintf(text, sizeof(text), v2 ? "%lld %s" : "%lld", (long long)quota, period);
	if (v2)
		return cgroup_write(dir, "cpu.max", text, err);
	return cgroup_write(dir, "cpu.cfs_period_us", period, err) &&
	       cgroup_write(dir, "cpu.cfs_quota_us", text, err);
}

static bool set_pids(const char *dir, bool v2, const struct cgroup_limits *l, struct err *err)
{
	char text[32];
	(void)v2;
	snprintf(text, sizeof(text), "%lld", (long long)l->pids);
	return !l->pids || cgroup_write(dir, "pids.max", text, err);
}

bool cgroup_limits_set(const char *dir, bool v2, enum cgroup_controller controller,
		       const struct cgroup_limits *l, struct err *err)
{
	static bool (*const set[CGROUP_CONTROLLERS])(
		const char *dir, bool v2, const struct cgroup_limits *l, struct err *err) = {
		[CGROUP_MEMORY] = set_memory,
		[CGROUP_CPU] = set_cpu,
		[CGROUP_PIDS] = set_pids,
	};
	return set[controller](dir, v2, l, err);
}
