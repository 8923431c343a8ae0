/* What holds between the port mappings of a task; reference section 4.3. */
#include "manifest/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool network_is(const struct task_definition *td, const char *mode)
{
	return td->network_mode && strcmp(td->network_mode, mode) == 0;
}

static bool on_host_network(const struct task_definition *td)
{
	return network_is(td, "host") || task_definition_engine(td) == ENGINE_PROCESS;
}

/* The port of the host that only one may have, 0 where there is none: as derived in model. */
static int64_t port_taken(const struct task *t, const struct port_mapping *m)
{
	if (m->host_port.set && m->host_port.value)
		return m->host_port.value;
	if (on_host_network(t->td) || network_is(t->td, "awsvpc"))
		return m->container_port.value;
	return 0;
}

static void check_port_mapping(const struct task *t, const struct value *v,
			       const struct port_mapping *m)
{
	bool host = on_host_network(t->td);
	if (v && v->kind == VALUE_MAPPING && !m->container_port_range &&
	    !value_get(v, "containerPort"))
		report_mild(t, m->pos, "a port mapping needs containerPort or containerPortRange");
	if (host && m->host_port.set && m->host_port.value != 0 && m->container_port.set &&
	    m->host_port.value != m->container_port.value)
		report_error(t->r, m->pos,
			     "on the host's network hostPort %" PRId64
			     " must be the same as containerPort %" PRId64 ", or be left out",
			     m->host_port.value, m->container_port.value);
}

/* A static host port of the task, for finding two of the same. */
struct port_use {
	int64_t port;
	bool udp;
	struct pos pos;
};

static int compare_port_uses(const void *a, const void *b)
{
	const struct port_use *x = a, *y = b;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (x->udp != y->udp)
		return x->udp ? 1 : -1;
	if (x->pos.line != y->pos.line)
		return x->pos.line < y->pos.line ? -1 : 1;
	return (x->pos.col > y->pos.col) - (x->pos.col < y->pos.col);
}

/* "8000-8010" */
static bool port_range_valid(const char *text)
{
	char first[8] = { 0 };
	int64_t low, high;
	const char *dash = strchr(text, '-');
	if (!dash || dash == text || (size_t)(dash - text) >= sizeof(first))
		return false;
	memcpy(first, text, (size_t)(dash - text));
	return parse_int(first, &low) && parse_int(dash + 1, &high) && low >= 1 && low < high &&
	       high <= UINT16_MAX;
}

static void check_port_range(const struct task *t, const struct port_mapping *m)
{
	if (!m->container_port_range)
		return;
	if (!port_range_valid(m->container_port_range))
		report_error(t->r, m->pos, "containerPortRange \"%s\" is no range, as 8000-8010",
			     m->container_port_range);
	else if (on_host_network(t->td))
		report_error(t->r, m->pos,
			     "containerPortRange needs networkMode bridge or awsvpc; on the host's "
			     "network list the ports one by one");
}

void check_ports(const struct task *t)
{
	VEC(struct port_use) uses = { 0 };
	bool none = network_is(t->td, "none");
	for (uint32_t i = 0; i < t->td->container_definitions.len; i++) {
		const struct container_definition *c = &t->td->container_definitions.items[i];
		const struct value *mappings = value_get(task_container(t, i), "portMappings");
		if (none && c->port_mappings.len)
			report_error(t->r, mappings->pos,
				     "networkMode none allows no portMappings");
		for (uint32_t k = 0; k < c->port_mappings.len; k++) {
			const struct port_mapping *m = &c->port_mappings.items[k];
			check_port_mapping(t, value_at(mappings, k), m);
			check_port_range(t, m);
			if (port_taken(t, m))
				*vec_push(&uses) = (struct port_use){
					port_taken(t, m),
					m->protocol && strcmp(m->protocol, "udp") == 0, m->pos
				};
		}
	}
	if (uses.len > 1)
		qsort(uses.items, uses.len, sizeof(*uses.items), compare_port_uses);
	for (size_t i = 1; i < uses.len; i++) {
		const struct port_use *a = &uses.items[i - 1], *b = &uses.items[i];
		if (a->port == b->port && a->udp == b->udp)
			report_mild(t, b->pos,
				    "host port %" PRId64 "/%s is taken twice, before on line %u",
				    b->port, b->udp ? "udp" : "tcp", a->pos.line);
	}
	vec_release(&uses);
}
