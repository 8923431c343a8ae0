/* What follows from a task definition: engine, resources, its digest. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

const char *engine_kind_name(enum engine_kind kind)
{
	static const char *const names[ENGINE_KIND_COUNT] = {
		[ENGINE_PROCESS] = "process",
		[ENGINE_CONTAINER] = "container",
	};
	return names[kind];
}

enum engine_kind task_definition_engine(const struct task_definition *td)
{
	for (uint32_t i = 0; i < td->requires_compatibilities.len; i++)
		if (strcmp(td->requires_compatibilities.items[i], "PROCESS") == 0)
			return ENGINE_PROCESS;
	return ENGINE_CONTAINER;
}

/* --- resources -------------------------------------------------------------------------------- */

static bool network_is(const struct task_definition *td, const char *mode)
{
	return td->network_mode && strcmp(td->network_mode, mode) == 0;
}

/* Is a container's port published as that port of the host? */
static bool publishes_as_is(const struct task_definition *td)
{
	return task_definition_engine(td) == ENGINE_PROCESS || network_is(td, "host") ||
	       network_is(td, "awsvpc");
}

/* The static host port of a mapping, 0 where there is none. */
static uint16_t static_host_port(const struct port_mapping *mapping, bool as_is)
{
	if (mapping->host_port.set && mapping->host_port.value > 0)
		return (uint16_t)mapping->host_port.value;
	if (as_is && mapping->container_port.set)
		return (uint16_t)mapping->container_port.value;
	return 0;
}

static bool is_udp(const struct port_mapping *mapping)
{
	return mapping->protocol && strcmp(mapping->protocol, "udp") == 0;
}

static int compare_ports(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static const uint16_t *collect_ports(const struct task_definition *td, bool udp,
				     struct arena *arena, uint32_t *count)
{
	bool as_is = publishes_as_is(td);
	VEC(uint16_t) ports = { 0 };
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		for (uint32_t k = 0; k < c->port_mappings.len; k++) {
			const struct port_mapping *m = &c->port_mappings.items[k];
			uint16_t port = static_host_port(m, as_is);
			if (port && udp == is_udp(m))
				*vec_push(&ports) = port;
		}
	}
	uint16_t *copy = NULL;
	*count = 0;
	if (ports.len) {
		qsort(ports.items, ports.len, sizeof(*ports.items), compare_ports);
		copy = ARENA_ARRAY(arena, uint16_t, ports.len);
		for (size_t i = 0; i < ports.len; i++)
			if (i == 0 || ports.items[i] != ports.items[i - 1])
				copy[(*count)++] = ports.items[i];
	}
	vec_release(&ports);
	return copy;
}

bool task_definition_static_port(const struct task_definition *td, struct static_port *out)
{
	bool as_is = publishes_as_is(td);
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		for (uint32_t k = 0; k < c->port_mappings.len; k++) {
			const struct port_mapping *m = &c->port_mappings.items[k];
			uint16_t port = static_host_port(m, as_is);
			if (!port)
				continue;
			*out = (struct static_port){ c->name, port, is_udp(m) };
			return true;
		}
	}
	return false;
}

/* The task's own numbers win over the sum of its containers'. */
struct task_resources task_definition_resources(const struct task_definition *td,
						struct arena *arena)
{
	struct task_resources need = { 0 };
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		const struct opt_int *memory =
			c->memory_reservation.set ? &c->memory_reservation : &c->memory;
		need.cpu_units += (uint32_t)c->cpu.value;
		need.memory_mib += (uint32_t)memory->value;
	}
	if (td->cpu.set)
		need.cpu_units = (uint32_t)td->cpu.value;
	if (td->memory.set)
		need.memory_mib = (uint32_t)td->memory.value;
	need.tcp_ports = collect_ports(td, false, arena, &need.tcp_count);
	need.udp_ports = collect_ports(td, true, arena, &need.udp_count);
	return need;
}

/* --- digests and keys ------------------------------------------------------------------------- */

struct digest task_definition_digest(const struct task_definition *td)
{
	struct buf text = { 0 };
	schema_canonical(&task_definition_schema, td, &text);
	struct digest digest = digest_of(text.data, text.len);
	buf_release(&text);
	return digest;
}

const char *service_key(struct arena *arena, const char *cluster, const char *name)
{
	return arena_printf(arena, "%s/%s", cluster, name);
}
