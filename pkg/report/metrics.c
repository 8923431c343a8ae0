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
	{ "muster_service_updated_tasks", "Tasks of the deployment in force.",
	  offsetof(struct plan_counts, current) },
	{ "muster_service_held_tasks", "Tasks that the guard against mass changes keeps.",
	  offsetof(struct plan_counts, held) },
};

static void service_value(const struct service_state *s, const char *name, uint32_t value,
			  struct buf *out)
{
	buf_addf(out, "%s{", name);
	label(out, "cluster", s->cluster);
	label(out, "service", s->name);
	buf_addf(out, "} %" PRIu32 "\n", value);
}

static void service_part(const struct control *c, const struct service_state *const *services,
			 uint32_t count, struct buf *out)
{
	for (size_t m = 0; m < ARRAY_LEN(service_metrics); m++) {
		head(out, service_metrics[m].name, service_metrics[m].help);
		for (uint32_t i = 0; i < count; i++) {
			const char *counts = (const char *)&services[i]->counts;
			if (!service_known(c, services[i])) /* what is not known is absent */
				continue;
			service_value(services[i], service_metrics[m].name,
				      *(const uint32_t *)(counts + service_metrics[m].offset), out);
		}
	}
}

/* Each state a line: 1 where it is so. */
static void state_lines(const struct service_state *s, struct buf *out)
{
	for (enum rollout_state state = ROLLOUT_IN_PROGRESS; state <= ROLLOUT_FAILED; state++) {
		buf_adds(out, "muster_service_rollout_state{");
		label(out, "cluster", s->cluster);
		label(out, "service", s->name);
		label(out, "state", rollout_state_name(state));
		buf_addf(out, "} %d\n", s->primary.state == state);
	}
}

static uint32_t failed_tasks(const struct service_state *s)
{
	return s->primary.memory.failed_tasks;
}
static uint32_t nodes_left(const struct service_state *s)
{
	return s->primary.state == ROLLOUT_IN_PROGRESS ? s->verdict.forecast.nodes_left : 0;
}
static uint32_t paused(const struct service_state *s)
{
	return s->primary.state == ROLLOUT_IN_PROGRESS && s->verdict.paused;
}
static uint32_t rolled_back(const struct service_state *s)
{
	return s->has_failed;
}

/* One metric a service that was ever deployed. */
static const struct {
	const char *name, *help;
	uint32_t (*value)(const struct service_state *service);
} deployment_metrics[] = {
	{ "muster_service_deployment_failed_tasks", "Failed tasks of the PRIMARY deployment.",
	  failed_tasks },
	{ "muster_service_rollout_nodes_left", "Nodes that are not ready on its revision yet.",
	  nodes_left },
	{ "muster_service_rollout_paused", "Whether it waits after a step for a commit.", paused },
	{ "muster_service_rolled_back",
	  "Whether what the commit asks for has failed, and goes or went back.", rolled_back },
};

static void deployment_part(const struct control *c, const struct service_state *const *services,
			    uint32_t count, struct buf *out)
{
	head(out, "muster_service_rollout_state",
	     "Whether the PRIMARY deployment is in the state.");
	for (uint32_t i = 0; i < count; i++)
		if (services[i]->has_primary && service_known(c, services[i]))
			state_lines(services[i], out);
	for (size_t m = 0; m < ARRAY_LEN(deployment_metrics); m++) {
		head(out, deployment_metrics[m].name, deployment_metrics[m].help);
		for (uint32_t i = 0; i < count; i++)
			if (services[i]->has_primary && service_known(c, services[i]))
				service_value(services[i], deployment_metrics[m].name,
					      deployment_metrics[m].value(services[i]), out);
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

static void holds_part(const struct control *c, struct buf *out)
{
	head(out, "muster_holds", "Holds that wait for a release.");
	buf_addf(out, "muster_holds %zu\n", c->holds.len);
	head(out, "muster_held_tasks", "Tasks that wait for a release, by the cause of the hold.");
	for (enum hold_cause cause = 0; cause < HOLD_CAUSE_COUNT; cause++) {
		uint64_t tasks = 0;
		for (size_t i = 0; i < c->holds.len; i++)
			tasks += c->holds.items[i].cause == cause ? c->holds.items[i].count : 0;
		buf_adds(out, "muster_held_tasks{");
		label(out, "cause", hold_cause_name(cause));
		buf_addf(out, "} %" PRIu64 "\n", tasks);
	}
}

void report_metrics(const struct control *c, struct arena *scratch, struct buf *out)
{
	const struct service_state **services;
	uint32_t count = control_services(c, scratch, &services);
	service_part(c, services, count, out);
	deployment_part(c, services, count, out);
	head(out, "muster_service_condition", "Whether the condition is True.");
	for (uint32_t i = 0; i < count; i++)
		condition_part("muster_service_condition", &services[i]->conditions,
			       services[i]->cluster, services[i]->name, out);
	head(out, "muster_fleet_condition", "Whether the condition is True.");
	condition_part("muster_fleet_condition", &c->conditions, NULL, NULL, out);
	node_part(c, scratch, out);
	head(out, "muster_commit_errors", "Mistakes in the commit seen last.");
	buf_addf(out, "muster_commit_errors %zu\n", c->diags.errors);
	holds_part(c, out);
	head(out, "muster_store_open", "Whether the store answers.");
	buf_addf(out, "muster_store_open %d\n", c->store_open && !c->store_away);
}
