/* An agent's own status: its node and the services desired on it, in the controller's shapes. */
#include "report/internal.h"

#include <string.h>

struct agent_view {
	const struct wire_registration *registration;
	const struct wire_desired *desired; /* NULL: not known */
	const struct wire_observed *observed;
	const char *cluster; /* the effective one */
	struct arena *arena;
};

static const struct wire_task *task_of(const struct agent_view *v,
				       const struct wire_desired_task *want)
{
	const struct wire_task *best = NULL;
	for (uint32_t i = 0; i < v->observed->task_count; i++) {
		const struct wire_task *t = &v->observed->tasks[i];
		if (strcmp(t->service, want->service) != 0 ||
		    strcmp(t->cluster, want->cluster) != 0)
			continue;
		if (!best || digest_equal(&t->target, &want->target))
			best = t;
	}
	return best;
}

static enum plan_seen seen_of(const struct wire_task *task)
{
	return task ? task_seen(task) : PLAN_SEEN_NONE;
}

static json_t *agent_assignment(const struct agent_view *v, const struct wire_desired_task *want)
{
	const struct wire_task *task = task_of(v, want);
	json_t *item = json_object();
	put_text(item, "cluster", want->cluster);
	put_text(item, "service", want->service);
	put_digest(item, "target", &want->target);
	put_textf(item, "taskDefinition", "%s:%u", want->family, want->revision);
	put_text(item, "deployment", want->deployment);
	put_time(item, "assignedAt", want->assigned_at_ms);
	put_int(item, "number", (int64_t)want->assigned_number);
	put_int(item, "revision", want->revision);
	put_int(item, "replaces", want->replaces);
	put_bool(item, "brokenBefore", want->broken_before);
	put_bool(item, "surge", want->surge);
	put_bool(item, "acknowledged", v->observed->seen >= want->assigned_number);
	put_text(item, "seen", plan_seen_name(seen_of(task)));
	if (task) {
		put_digest(item, "running", &task->target);
		put_int(item, "runningRevision", task->revision);
	}
	return item;
}

static json_t *agent_node(const struct agent_view *v)
{
	const struct wire_registration *r = v->registration;
	const struct wire_observed *o = v->observed;
	uint32_t running = 0, pending = 0, count = v->desired ? v->desired->task_count : 0;
	for (uint32_t i = 0; i < o->task_count; i++) {
		running += o->tasks[i].last_status == TASK_RUNNING;
		pending += o->tasks[i].last_status <= TASK_PENDING;
	}
	struct task_resources *taken = ARENA_ARRAY(v->arena, struct task_resources, count + 1);
	json_t *doc = json_object(), *assignments = v->desired ? json_array() : json_null();
	for (uint32_t i = 0; i < count; i++) {
		const struct wire_desired_task *want = &v->desired->tasks[i];
		taken[i] = task_definition_resources(want->task_definition, v->arena);
		json_array_append_new(assignments, agent_assignment(v, want));
	}
	put_text(doc, "apiVersion", "muster/v1");
	put_text(doc, "kind", "NodeStatus");
	put_arn(doc, "containerInstanceArn", "container-instance", v->cluster, r->node);
	put_text(doc, "ec2InstanceId", r->node);
	put_textf(doc, "clusterArn", "cluster/%s", v->cluster);
	put_text(doc, "status", "ACTIVE"); /* whether it drains only the controller knows */
	put_bool(doc, "agentConnected", true);
	put_int(doc, "runningTasksCount", running);
	put_int(doc, "pendingTasksCount", pending);
	put_text(doc, "state", "ACTIVE");
	put_bool(doc, "observed", true);
	put_count(doc, "desiredNumber", v->desired, v->desired ? (int64_t)v->desired->number : 0);
	put_int(doc, "seenNumber", (int64_t)o->seen);
	put_observed(doc, o, r->node);
	put(doc, "conditions", wire_conditions_json(o->conditions, o->condition_count));
	put_attributes(doc, v->desired ? &v->desired->attributes : &r->attributes,
		       &r->capabilities);
	put_registration(doc, r);
	put_remaining(doc, r->cpu_units, r->memory_mib, taken, count);
	put(doc, "assignments", assignments);
	return doc;
}

/* What the controller's has, as far as the node knows it. */
static json_t *agent_placement(const struct wire_desired_task *want, struct arena *arena)
{
	const struct task_definition *td = want->task_definition;
	struct task_resources resources = task_definition_resources(td, arena);
	struct str_list capabilities = task_definition_capabilities(td, arena);
	json_t *out = json_object(), *constraints = json_array(), *variant = json_object();
	for (uint32_t i = 0; i < td->placement_constraints.len; i++)
		json_array_append_new(
			constraints,
			text_value(td->placement_constraints.items[i].expression.value));
	put_digest(variant, "target", &want->target);
	put_text(variant, "engine", engine_kind_name(task_definition_engine(td)));
	put_list(variant, "capabilities", &capabilities);
	put_int(variant, "cpu", resources.cpu_units);
	put_int(variant, "memory", resources.memory_mib);
	put_text(out, "family", want->family);
	put_int(out, "priority", want->priority);
	put(out, "constraints", constraints);
	put(out, "current",
	    json_pack("{s:i, s:[o]}", "revision", want->revision, "variants", variant));
	put_int(out, "minimumHealthyPercent", DEFAULT_MIN_HEALTHY_PERCENT);
	put_int(out, "monitorSeconds", want->monitor_seconds);
	return out;
}

static json_t *agent_service(const struct agent_view *v, const struct wire_desired_task *want)
{
	const struct wire_task *task = task_of(v, want);
	enum plan_seen seen = seen_of(task);
	json_t *doc = json_object(), *conditions = json_array(), *ready = json_object();
	put_text(doc, "apiVersion", "muster/v1");
	put_text(doc, "kind", "ServiceStatus");
	put_arn(doc, "serviceArn", "service", want->cluster, want->service);
	put_text(doc, "serviceName", want->service);
	put_textf(doc, "clusterArn", "cluster/%s", want->cluster);
	put_text(doc, "status", "ACTIVE");
	put_textf(doc, "taskDefinition", "%s:%u", want->family, want->revision);
	put_int(doc, "desiredCount", 1);
	put_int(doc, "runningCount", task && task->last_status == TASK_RUNNING);
	put_int(doc, "pendingCount", seen == PLAN_SEEN_PENDING || seen == PLAN_SEEN_NONE);
	put_int(doc, "readyCount", seen == PLAN_SEEN_READY);
	put_int(doc, "failedCount", seen == PLAN_SEEN_FAILED);
	put_text(ready, "type", "Ready");
	put_text(ready, "status", seen == PLAN_SEEN_READY ? "True" : "False");
	put_text(ready, "reason", seen == PLAN_SEEN_READY ? "AllTasksReady" : "TasksNotReady");
	json_array_append_new(conditions, ready);
	put(doc, "conditions", conditions);
	put_text(doc, "schedulingStrategy", "DAEMON");
	put_list(doc, "dependsOn", &want->depends_on);
	put(doc, "placement", agent_placement(want, v->arena));
	return doc;
}

static json_t *agent_fleet(const struct agent_view *v)
{
	json_t *doc = json_object();
	put_text(doc, "apiVersion", "muster/v1");
	put_text(doc, "kind", "FleetStatus");
	put_text(doc, "fleet", v->registration->fleet);
	put_text(doc, "node", v->registration->node); /* one node's view, not the fleet's */
	put(doc, "conditions",
	    wire_conditions_json(v->observed->conditions, v->observed->condition_count));
	return doc;
}

static void add_file(struct report_files *out, const char *path, json_t *doc)
{
	*vec_push(&out->items) = (struct report_file){ .path = path, .doc = doc };
}

void report_agent(const struct wire_registration *registration, const struct wire_desired *desired,
		  const struct wire_observed *observed, struct arena *arena,
		  struct report_files *out)
{
	struct agent_view view = { .registration = registration,
				   .desired = desired,
				   .observed = observed,
				   .arena = arena };
	const char *cluster =
		desired && desired->cluster ? desired->cluster : registration->cluster;
	view.cluster = cluster ? cluster : DEFAULT_CLUSTER;
	add_file(out, arena_printf(arena, "%s/nodes/%s.yaml", view.cluster, registration->node),
		 agent_node(&view));
	for (uint32_t i = 0; desired && i < desired->task_count; i++) {
		const struct wire_desired_task *want = &desired->tasks[i];
		add_file(out,
			 arena_printf(arena, "%s/services/%s.yaml", want->cluster, want->service),
			 agent_service(&view, want));
	}
	add_file(out, REPORT_FLEET_FILE, agent_fleet(&view));
}

void report_files_release(struct report_files *files)
{
	for (size_t i = 0; i < files->items.len; i++)
		json_decref(files->items.items[i].doc);
	vec_release(&files->items);
}
