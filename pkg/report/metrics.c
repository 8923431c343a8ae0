/* metrics.prom: the text format of Prometheus, for the node exporter's textfile collector. */
#include "report/internal.h"

#include <inttypes.h>
#include <stddef.h>

static void label(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "%s%s=\"", out->data[out->len - 1] == '{' ? "" : ",", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_addc(out, '\\');
		if (*value == '\n')
			buf_adds(out, "\\n");
		else
			buf_addc(out, *value);
	}
	buf_addc(out, '"');
}

static void head(struct buf *out, const char *name, const char *help)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* One metric a service, in plan_counts. */
static const struct {
	const char *name, *help;
	size_t offset;
} service_metrics[] = {
	{ "muster_service_desired_tasks", "Nodes that should run the service.",
	  offsetof(struct plan_counts, desired) },
	{ "muster_service_running_tasks", "Tasks observed RUNNING.",
	  offsetof(struct plan_counts, running) },
	{ "muster_service_pending_tasks", "Tasks observed PENDING.",
	  offsetof(struct plan_counts, pending) },
	{ "muster_service_ready_tasks", "Tasks healthy on the revision in force.",
	  offsetof(struct plan_counts, ready) },
	{ "muster_service_failed_tasks", "Tasks that fail or wait to be restarted.",
	  offsetof(struct plan_counts, failed) },
	{ "muster_service_unreachable_nodes", "Nodes of the service that are silent.",
	  offsetof(struct plan_counts, unreachable) },
	{ "muster_service_unknown_nodes",
	  "Nodes of the service that are not yet known to be reachable.",
	  offsetof(struct plan_counts, unknown) },
};

static void service_part(const struct control *c, const struct service_state *const *services,
			 uint32_t count, struct buf *out)
{
	for (size_t m = 0; m < ARRAY_LEN(service_metrics); m++) {
		head(out, service_metrics[m].name, service_metrics[m].help);
		for (uint32_t i = 0; i < count; i++) {
			const char *counts = (const char *)&services[i]->counts;
			if (!service_known(c, services[i])) /* what is not known is absent */
				continue;
			buf_addf(out, "%s{", service_metrics[m].name);
			label(out, "cluster", services[i]->cluster);
			label(out, "service", services[i]->name);
			buf_addf(out, "} %" PRIu32 "\n",
				 *(const uint32_t *)(counts + service_metrics[m].offset));
		}
	}
}

/* cluster and service NULL: the fleet's. */
static void condition_part(const char *name, const struct conditions *conditions,
			   const char *cluster, const char *service, struct buf *out)
{
	for (enum condition_type type = 0; type < CONDITION_TYPE_COUNT; type++) {
		if (service && type == CONDITION_NAME_CONFLICT)
			continue; /* of the fleet only */
		buf_addf(out, "%s{", name);
		if (cluster)
			label(out, "cluster", cluster);
		if (service)
			label(out, "service", service);
		label(out, "type", condition_type_name(type));
		buf_addf(out, "} %d\n", conditions->of[type].status == CONDITION_TRUE);
	}
}

static void node_part(const struct control *c, struct arena *scratch, struct buf *out)
{
	const struct node_record **nodes;
	uint32_t count = control_nodes(c, scratch, &nodes);
	head(out, "muster_node_connected", "Whether the node's agent beats.");
	for (uint32_t i = 0; i < count; i++) {
		if (!nodes[i]->registered || nodes[i]->connection == CONNECTION_UNKNOWN)
			continue; /* what is not known is absent */
		buf_adds(out, "muster_node_connected{");
		label(out, "cluster", nodes[i]->cluster);
		label(out, "node", nodes[i]->name);
		buf_addf(out, "} %d\n", nodes[i]->connection == CONNECTION_ALIVE);
	}
}

void report_metrics(const struct control *c, struct arena *scratch, struct buf *out)
{
	const struct service_state **services;
	uint32_t count = control_services(c, scratch, &services);
	service_part(c, services, count, out);
	head(out, "muster_service_condition", "Whether the condition is True.");
	for (uint32_t i = 0; i < count; i++)
		condition_part("muster_service_condition", &services[i]->conditions,
			       services[i]->cluster, services[i]->name, out);
	head(out, "muster_fleet_condition", "Whether the condition is True.");
	condition_part("muster_fleet_condition", &c->conditions, NULL, NULL, out);
	node_part(c, scratch, out);
	head(out, "muster_commit_errors", "Mistakes in the commit seen last.");
	buf_addf(out, "muster_commit_errors %zu\n", c->diags.errors);
	head(out, "muster_holds", "Holds that wait for a release.");
	buf_addf(out, "muster_holds %d\n", c->has_hold);
	head(out, "muster_store_open", "Whether the store answers.");
	buf_addf(out, "muster_store_open %d\n", c->store_open && !c->store_away);
}
