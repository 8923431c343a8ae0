#include "plan/internal.h"

void load_add(struct load *sum, const struct load *part)
{
	sum->cpu_units += part->cpu_units;
	sum->memory_mib += part->memory_mib;
	sum->document_bytes += part->document_bytes;
	sum->tasks += part->tasks;
}

void load_subtract(struct load *sum, const struct load *part)
{
	sum->cpu_units -= part->cpu_units;
	sum->memory_mib -= part->memory_mib;
	sum->document_bytes -= part->document_bytes;
	sum->tasks -= part->tasks;
}

bool load_fits(const struct node *n, const struct load *load)
{
	return load->cpu_units <= n->spec.cpu_units && load->memory_mib <= n->spec.memory_mib &&
	       load->document_bytes <= LIMIT_DOCUMENT_BYTES && load->tasks <= LIMIT_TASKS_PER_NODE;
}

/* --- host ports ------------------------------------------------------------------------------ */

static void take(struct planner *p, const struct task_resources *r)
{
	for (uint32_t i = 0; i < r->tcp_count; i++)
		p->port_bits[0][r->tcp_ports[i] / 64] |= UINT64_C(1) << r->tcp_ports[i] % 64;
	for (uint32_t i = 0; i < r->udp_count; i++)
		p->port_bits[1][r->udp_ports[i] / 64] |= UINT64_C(1) << r->udp_ports[i] % 64;
}

void ports_take(struct planner *p, const struct service *s, const struct cell *c)
{
	const struct variant *held[2];
	uint32_t count = goal_held(s, c, held);
	for (uint32_t i = 0; i < count; i++)
		take(p, &held[i]->spec->resources);
}

static void clear(struct planner *p, const struct release *release)
{
	for (uint32_t v = 0; v < release->count; v++) {
		const struct task_resources *r = &release->variants[v].spec->resources;
		for (uint32_t i = 0; i < r->tcp_count; i++)
			p->port_bits[0][r->tcp_ports[i] / 64] = 0;
		for (uint32_t i = 0; i < r->udp_count; i++)
			p->port_bits[1][r->udp_ports[i] / 64] = 0;
	}
}

void ports_clear(struct planner *p, const struct service *s)
{
	clear(p, &s->current);
	clear(p, &s->completed);
}
