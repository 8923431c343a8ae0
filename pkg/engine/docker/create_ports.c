/* The ports that a container publishes on the node. */
#include "engine/docker/create_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct port_set {
	json_t *exposed, *bindings;
	size_t count;
};

/* host_port 0: any that is free */
static void publish(struct port_set *set, int64_t port, int64_t host_port, const char *protocol)
{
	char name[32], text[16] = "";
	snprintf(name, sizeof(name), "%lld/%s", (long long)port, protocol);
	if (host_port)
		snprintf(text, sizeof(text), "%lld", (long long)host_port);
	json_t *list = json_object_get(set->bindings, name);
	if (!list) {
		json_object_set_new(set->exposed, name, json_object());
		list = json_array();
		json_object_set_new(set->bindings, name, list);
	}
	json_array_append_new(list, json_pack("{s:s}", "HostPort", text));
	set->count++;
}

/* "8000-8010" */
static bool parse_range(const char *text, int64_t *first, int64_t *last)
{
	char *end;
	*first = strtoll(text, &end, 10);
	if (end == text || *end != '-')
		return false;
	text = end + 1;
	*last = strtoll(text, &end, 10);
	return end != text && !*end && *first >= 1 && *last >= *first && *last <= 65535;
}

static bool publish_range(const struct making *m, struct port_set *set,
			  const struct port_mapping *p, const char *protocol, bool fixed)
{
	int64_t first, last;
	if (!parse_range(p->container_port_range, &first, &last))
		return err_set(m->err, 0, "'%s' is no range of ports", p->container_port_range);
	if ((size_t)(last - first) >= PORTS_MAX - set->count)
		return err_set(m->err, 0, "more than %d ports", PORTS_MAX);
	for (int64_t port = first; port <= last; port++)
		publish(set, port, fixed ? port : 0, protocol);
	return true;
}

static bool publish_all(const struct making *m, struct port_set *set,
			const struct container_definition *c)
{
	/* Of an awsvpc task the port is the same on both sides, as in ECS. */
	bool fixed = m->network == NETWORK_OWNER;
	for (uint32_t i = 0; i < c->port_mappings.len; i++) {
		const struct port_mapping *p = &c->port_mappings.items[i];
		const char *protocol = p->protocol ? p->protocol : "tcp";
		if (p->container_port_range) {
			if (!publish_range(m, set, p, protocol, fixed))
				return false;
			continue;
		}
		int64_t host = p->host_port.set ? p->host_port.value : 0;
		int64_t port = p->container_port.set ? p->container_port.value : host;
		if (!port)
			continue;
		if (set->count >= PORTS_MAX)
			return err_set(m->err, 0, "more than %d ports", PORTS_MAX);
		publish(set, port, host ? host : fixed ? port : 0, protocol);
	}
	return true;
}

bool put_ports(const struct making *m, json_t *body, json_t *host)
{
	const struct task_definition *td = m->in->td;
	struct port_set set = { .exposed = json_object(), .bindings = json_object() };
	bool ok = true;
	for (uint32_t i = 0; ok && i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		if (m->network == NETWORK_OWNER || (m->network == NETWORK_BRIDGE && c == m->c))
			ok = publish_all(m, &set, c);
	}
	if (set.count) {
		json_object_set(body, "ExposedPorts", set.exposed);
		json_object_set(host, "PortBindings", set.bindings);
	}
	json_decref(set.exposed);
	json_decref(set.bindings);
	return ok;
}
