/* Memory, CPU and other limits of a container. */
#include "engine/docker/create_internal.h"

#define MIB		 (1 << 20)
#define CPU_SHARES_MIN	 2
#define UNITS_PER_CPU	 1024
#define NANOS_PER_CPU	 1000000000
#define SWAPPINESS_UNSET 60

bool create_needs_group(const struct task_definition *td)
{
	return td->container_definitions.len > 1 && (td->cpu.set || td->memory.set);
}

/* A container that names no cpu has its part of what the task has left over. */
static int64_t shares_of(const struct making *m)
{
	const struct task_definition *td = m->in->td;
	int64_t left = td->cpu.value, without = 0;
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct opt_int *cpu = &td->container_definitions.items[i].cpu;
		left -= cpu->value;
		without += cpu->value == 0;
	}
	int64_t shares = m->c->cpu.value       ? m->c->cpu.value
			 : left > 0 && without ? left / without
					       : 0;
	/* As in ECS: the kernel takes no less, and 0 would mean the engine's 1024. */
	return shares < CPU_SHARES_MIN ? CPU_SHARES_MIN : shares;
}

static void put_cpu(const struct making *m, json_t *host)
{
	const struct task_definition *td = m->in->td;
	if (m->in->flavor->cpu_shares)
		put_int(host, "CpuShares", shares_of(m));
	if (td->cpu.set && !m->in->cgroup_parent)
		put_int(host, "NanoCpus",
			td->cpu.value * (NANOS_PER_CPU / UNITS_PER_CPU) +
				td->cpu.value * (NANOS_PER_CPU % UNITS_PER_CPU) / UNITS_PER_CPU);
}

static void put_memory(const struct making *m, json_t *host)
{
	const struct container_definition *c = m->c;
	const struct linux_parameters *lp = c->linux_parameters;
	int64_t mib = c->memory.set	     ? c->memory.value
		      : m->in->cgroup_parent ? 0
					     : m->in->td->memory.value;
	if (mib)
		put_int(host, "Memory", mib * MIB);
	if (c->memory_reservation.set)
		put_int(host, "MemoryReservation", c->memory_reservation.value * MIB);
	/* Without maxSwap the engine decides, and swappiness means nothing: as in ECS. */
	if (!lp || !lp->max_swap.set || !mib)
		return;
	put_int(host, "MemorySwap", (mib + lp->max_swap.value) * MIB);
	if (m->in->flavor->swappiness)
		put_int(host, "MemorySwappiness",
			lp->swappiness.set ? lp->swappiness.value : SWAPPINESS_UNSET);
}

static void put_ulimits(const struct making *m, json_t *host)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < m->c->ulimits.len; i++) {
		const struct ulimit *u = &m->c->ulimits.items[i];
		json_array_append_new(list, json_pack("{s:s,s:I,s:I}", "Name", u->name, "Soft",
						      (json_int_t)u->soft_limit.value, "Hard",
						      (json_int_t)u->hard_limit.value));
	}
	if (json_array_size(list))
		json_object_set_new(host, "Ulimits", list);
	else
		json_decref(list);
}

void put_limits(const struct making *m, json_t *host)
{
	const struct linux_parameters *lp = m->c->linux_parameters;
	put_cpu(m, host);
	put_memory(m, host);
	put_ulimits(m, host);
	if (m->in->td->pids_limit.set)
		put_int(host, "PidsLimit", m->in->td->pids_limit.value);
	if (lp && lp->init_process_enabled == OPT_TRUE)
		json_object_set_new(host, "Init", json_true());
	if (lp && lp->shared_memory_size.set && lp->shared_memory_size.value)
		put_int(host, "ShmSize", lp->shared_memory_size.value * MIB);
}
