/* CLUSTER/nodes/NAME.yaml: a member of describe-container-instances' containerInstances[], its
 * tasks, and what the planner was told of it. */
#include "report/internal.h"

#include <string.h>

static const char *status_of(const struct node_record *n)
{
	return n->registered ? node_state_name(n->state) : "REGISTERING";
}

static void put_connection(json_t *doc, const struct node_record *n)
{
	put(doc, "agentConnected",
	    n->connection == CONNECTION_UNKNOWN ? json_null()
						: json_boolean(n->connection == CONNECTION_ALIVE));
}

static void put_task_counts(json_t *doc, const struct node_record *n)
{
	uint32_t running = 0, pending = 0;
	for (uint32_t i = 0; n->observed_known && i < n->observed.task_count; i++) {
		enum task_status status = n->observed.tasks[i].last_status;
		running += status == TASK_RUNNING;
		pending += status == TASK_PROVISIONING || status == TASK_PENDING;
	}
	put_count(doc, "runningTasksCount", n->observed_known, running);
	put_count(doc, "pendingTasksCount", n->observed_known, pending);
}

static json_t *condition(const char *type, bool on, const char *reason, const char *message)
{
	json_t *item = json_object();
	put_text(item, "type", type);
	put_text(item, "status", on ? "True" : "False");
	put_text(item, "reason", reason);
	put_text(item, "message", message);
	return item;
}

/* The agent's own conditions, and what only the controller sees. */
static json_t *node_conditions(const struct node_record *n, int64_t now_ms)
{
	json_t *list = wire_conditions_json(n->observed_known ? n->observed.conditions : NULL,
					    n->observed_known ? n->observed.condition_count : 0);
	bool lagging = node_lagging(n, now_ms);
	json_array_append_new(list, condition("Lagging", lagging,
					      lagging ? "NotAcknowledged" : "Acknowledged",
					      lagging ? "the agent has not acknowledged what it "
							"should run"
						      : NULL));
	json_array_append_new(
		list, condition("NameConflict", n->name_conflict,
				n->name_conflict ? "NameTaken" : "NameUnique",
				n->name_conflict ? "there are two agents of this name; the one "
						   "that does not hold it has ended"
						 : NULL));
	return list;
}

static json_t *manifest_json(const struct node_manifest *m)
{
	json_t *out = json_object();
	put_text(out, "cluster", m->cluster);
	put_text(out, "state", m->state);
	put_map(out, "attributes", &m->attributes);
	return out;
}

/* One (service, node): what is assigned there and what the planner made of what it saw. */
static json_t *assignment_json(const struct plan_service *service, const struct plan_fact *fact,
			       const struct assignment *a)
{
	json_t *item = json_object();
	put_text(item, "cluster", service->cluster);
	put_text(item, "service", service->name);
	put_digest(item, "target", &fact->assigned);
	if (a) {
		put_textf(item, "taskDefinition", "%s:%u", a->content->family,
			  a->content->revision);
		put_text(item, "deployment", a->deployment[0] ? a->deployment : NULL);
		put_time(item, "assignedAt", a->assigned_unix_ms);
		put_int(item, "number", (int64_t)a->assigned_number);
	}
	put_int(item, "revision", fact->assigned_revision);
	put_int(item, "replaces", fact->replaces);
	put_bool(item, "brokenBefore", fact->broken_before);
	put_bool(item, "surge", fact->surge);
	put_bool(item, "acknowledged", fact->acknowledged);
	put_text(item, "seen", plan_seen_name(fact->seen));
	put_digest(item, "running", &fact->running);
	put_int(item, "runningRevision", fact->running_revision);
	return item;
}

static void put_assignments(json_t *doc, const struct control *c, const struct node_record *n,
			    struct arena *scratch)
{
	plan_service_id *ids;
	uint32_t count = planner_services(c->planner, scratch, &ids), taken_count = 0;
	struct task_resources *taken = ARENA_ARRAY(scratch, struct task_resources, count + 1);
	json_t *list = json_array();
	for (uint32_t i = 0; i < count; i++) {
		const struct plan_service *service = planner_service(c->planner, ids[i]);
		struct plan_cell cell = planner_cell(c->planner, ids[i], n->id);
		const struct service_state *s =
			map_get(c->services, service_key(scratch, service->cluster, service->name));
		bool assigned = !digest_is_none(&cell.fact.assigned);
		if (assigned && cell.takes)
			taken[taken_count++] = cell.takes->resources;
		if (assigned || cell.fact.seen != PLAN_SEEN_NONE)
			json_array_append_new(list,
					      assignment_json(service, &cell.fact,
							      s ? node_assignment(n, s) : NULL));
	}
	put_remaining(doc, n->registration.cpu_units, n->registration.memory_mib, taken,
		      taken_count);
	put(doc, "assignments", list);
}

json_t *report_node(const struct control *c, const struct node_record *n, int64_t now_ms,
		    struct arena *scratch)
{
	json_t *doc = json_object();
	put_text(doc, "apiVersion", "muster/v1");
	put_text(doc, "kind", "NodeStatus");
	put_arn(doc, "containerInstanceArn", "container-instance", n->cluster, n->name);
	put_text(doc, "ec2InstanceId", n->name);
	put_textf(doc, "clusterArn", "cluster/%s", n->cluster);
	put_text(doc, "status", status_of(n));
	put_connection(doc, n);
	put_task_counts(doc, n);
	put_text(doc, "state", node_state_name(n->state));
	put_bool(doc, "observed", n->observed_once && n->desired_known);
	put_text(doc, "observedWhy", n->observed_known ? NULL : n->observed_why);
	put_int(doc, "desiredNumber", (int64_t)n->put_number);
	if (n->observed_known) {
		put_int(doc, "seenNumber", (int64_t)n->observed.seen);
		put_observed(doc, &n->observed, n->name);
	}
	put(doc, "conditions", node_conditions(n, now_ms));
	put_attributes(doc, &n->attributes, &n->registration.capabilities);
	if (n->registered)
		put_registration(doc, &n->registration);
	else
		put(doc, "registeredResources", json_array());
	if (n->manifest)
		put(doc, "manifest", manifest_json(n->manifest));
	if (n->id != PLAN_NONE)
		put_assignments(doc, c, n, scratch);
	return doc;
}
