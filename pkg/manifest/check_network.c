/* What a task's network mode allows; reference section 4.2. Mild in ECS documents. */
#include "manifest/internal.h"

#include <arpa/inet.h>
#include <string.h>

static void check_links(const struct task *t, const struct container_definition *c,
			const struct value *v)
{
	struct pos at = place_of(v, "links");
	const char *mode = t->td->network_mode;
	if (c->links.len && mode && strcmp(mode, "bridge") != 0 && strcmp(mode, "default") != 0)
		report_mild(t, at, "links need networkMode bridge, not %s", mode);
	for (uint32_t i = 0; i < c->links.len; i++) {
		const char *link = c->links.items[i];
		const char *name = arena_strndup(t->r->in.scratch, link, strcspn(link, ":"));
		const struct container_definition *to = find_container(t, name);
		if (!to && !passes_as_placeholder(t->r, "links", at, link))
			report_mild(t, at, "there is no container \"%s\" to link to", name);
		if (to == c)
			report_mild(t, at, "container \"%s\" links to itself", name);
	}
}

static bool is_address(const char *text)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static void check_addresses(const struct task *t, const struct container_definition *c,
			    const struct value *v)
{
	for (uint32_t i = 0; i < c->extra_hosts.len; i++) {
		const struct host_entry *h = &c->extra_hosts.items[i];
		if (h->ip_address && !is_address(h->ip_address) &&
		    strcmp(h->ip_address, "host-gateway") != 0 &&
		    !passes_as_placeholder(t->r, "ipAddress", h->pos, h->ip_address))
			report_mild(t, h->pos, "\"%s\" is no IP address", h->ip_address);
	}
	struct pos at = place_of(v, "dnsServers");
	for (uint32_t i = 0; i < c->dns_servers.len; i++)
		if (!is_address(c->dns_servers.items[i]) &&
		    !passes_as_placeholder(t->r, "dnsServers", at, c->dns_servers.items[i]))
			report_mild(t, at, "\"%s\" is no IP address", c->dns_servers.items[i]);
}

/* The name and the hosts file belong to the network namespace, which the containers share. */
static void check_shared(const struct task *t, const struct container_definition *c,
			 const struct value *v)
{
	if (!network_is(t->td, "awsvpc"))
		return;
	if (c->hostname && *c->hostname)
		report_mild(t, place_of(v, "hostname"), "networkMode awsvpc allows no hostname");
	if (c->extra_hosts.len)
		report_mild(t, place_of(v, "extraHosts"),
			    "networkMode awsvpc allows no extraHosts");
}

void check_network(const struct task *t)
{
	for (uint32_t i = 0; i < t->td->container_definitions.len; i++) {
		const struct container_definition *c = &t->td->container_definitions.items[i];
		const struct value *v = task_container(t, i);
		check_links(t, c, v);
		check_addresses(t, c, v);
		check_shared(t, c, v);
	}
}
