#include "get.h"

#include <string.h>

#define CELL(name) static const char *name(struct arena *arena UNUSED, const struct row *row UNUSED)
#define COUNT_CELL(fn, key)                                                                        \
	CELL(fn)                                                                                   \
	{                                                                                          \
		return count_at(arena, row->json, key);                                            \
	}
#define TEXT_CELL(fn, key)                                                                         \
	CELL(fn)                                                                                   \
	{                                                                                          \
		return text_at(row->json, key);                                                    \
	}

CELL(name_cell)
{
	return row->name;
}
CELL(cluster_cell)
{
	return row->cluster;
}

/* --- services ----------------------------------------------------------------------------------
 */

COUNT_CELL(desired_cell, "desiredCount")
COUNT_CELL(running_cell, "runningCount")
COUNT_CELL(ready_cell, "readyCount")
COUNT_CELL(pending_cell, "pendingCount")
COUNT_CELL(failed_cell, "failedCount")
COUNT_CELL(unreachable_cell, "unreachableCount")
COUNT_CELL(excluded_cell, "excludedCount")
COUNT_CELL(priority_cell, "priority")
TEXT_CELL(taskdef_cell, "taskDefinition")

CELL(state_cell)
{
	return state_word(row->json);
}

const struct column service_columns[] = {
	{ "NAME", name_cell },
	{ "CLUSTER", cluster_cell },
	{ "DESIRED", desired_cell },
	{ "RUNNING", running_cell },
	{ "READY", ready_cell },
	{ "PENDING", pending_cell, true },
	{ "FAILED", failed_cell, true },
	{ "UNREACHABLE", unreachable_cell, true },
	{ "EXCLUDED", excluded_cell, true },
	{ "PRIORITY", priority_cell, true },
	{ "REVISION", taskdef_cell },
	{ "STATE", state_cell },
	{ 0 },
};

/* --- nodes -------------------------------------------------------------------------------------
 */

TEXT_CELL(status_cell, "status")
COUNT_CELL(running_tasks_cell, "runningTasksCount")
COUNT_CELL(pending_tasks_cell, "pendingTasksCount")

CELL(connected_cell)
{
	const json_t *connected = json_object_get(row->json, "agentConnected");
	return json_is_boolean(connected) ? (json_is_true(connected) ? "yes" : "no") : NULL;
}

CELL(version_cell)
{
	return text_at(json_object_get(row->json, "versionInfo"), "agentVersion");
}

CELL(cpu_cell)
{
	return count_at(arena, json_object_get(row->json, "registration"), "cpu");
}

CELL(memory_cell)
{
	return count_at(arena, json_object_get(row->json, "registration"), "memory");
}

/* Those that users set: the agent's own and the manifest's. */
CELL(attributes_cell)
{
	struct buf text = { 0 };
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(row->json, "attributes"), i, item)
	{
		const char *name = text_at(item, "name"), *value = text_at(item, "value");
		if (!name || !attribute_name_allowed(name) || strncmp(name, "ecs.", 4) == 0)
			continue;
		buf_addf(&text, "%s%s%s%s", text.len ? "," : "", name, value ? "=" : "",
			 value ? value : "");
	}
	const char *copy = text.len ? arena_strdup(arena, text.data) : NULL;
	buf_release(&text);
	return copy;
}

/* Conditions of the node that are a reason to look at it. */
CELL(node_conditions_cell)
{
	struct buf text = { 0 };
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(row->json, "conditions"), i, item)
	{
		const char *type = text_at(item, "type"), *status = text_at(item, "status");
		bool good = type && strcmp(type, "Ready") == 0;
		if (type && status && strcmp(status, good ? "False" : "True") == 0)
			buf_addf(&text, "%s%s%s", text.len ? "," : "", good ? "Not" : "", type);
	}
	const char *copy = text.len ? arena_strdup(arena, text.data) : NULL;
	buf_release(&text);
	return copy;
}

const struct column node_columns[] = {
	{ "NAME", name_cell },
	{ "CLUSTER", cluster_cell },
	{ "STATUS", status_cell },
	{ "CONNECTED", connected_cell },
	{ "RUNNING", running_tasks_cell },
	{ "PENDING", pending_tasks_cell },
	{ "VERSION", version_cell, true },
	{ "CPU", cpu_cell, true },
	{ "MEMORY", memory_cell, true },
	{ "CONDITIONS", node_conditions_cell, true },
	{ "ATTRIBUTES", attributes_cell },
	{ 0 },
};

/* --- tasks -------------------------------------------------------------------------------------
 */

TEXT_CELL(last_status_cell, "lastStatus")
TEXT_CELL(health_cell, "healthStatus")
COUNT_CELL(restarts_cell, "restarts")

CELL(task_id_cell)
{
	const char *id = last_part(text_at(row->json, "taskArn"));
	return arena_strndup(arena, id ? id : "-", id ? strnlen(id, TASK_ID_SHOWN) : 1);
}

CELL(task_service_cell)
{
	const char *group = text_at(row->json, "group");
	return group && strncmp(group, "service:", 8) == 0 ? group + 8 : group;
}

CELL(task_revision_cell)
{
	return last_part(text_at(row->json, "taskDefinitionArn"));
}

CELL(task_ready_cell)
{
	return json_is_true(json_object_get(row->json, "ready"))    ? "yes"
	       : json_is_true(json_object_get(row->json, "failed")) ? "failed"
								    : "no";
}

CELL(task_pid_cell)
{
	return text_at(json_array_get(json_object_get(row->json, "containers"), 0), "runtimeId");
}

CELL(task_reason_cell)
{
	const char *reason = text_at(row->json, "stoppedReason");
	const char *wait = count_at(arena, row->json, "restartInSeconds");
	if (!wait)
		return reason ? reason : "";
	return arena_printf(arena, "%s%srestart in %s s", reason ? reason : "", reason ? "; " : "",
			    wait);
}

const struct column task_columns[] = {
	{ "TASK", task_id_cell },	 { "SERVICE", task_service_cell },
	{ "NODE", name_cell },		 { "CLUSTER", cluster_cell, true },
	{ "STATUS", last_status_cell },	 { "READY", task_ready_cell },
	{ "HEALTH", health_cell, true }, { "REVISION", task_revision_cell },
	{ "RESTARTS", restarts_cell },	 { "PID", task_pid_cell, true },
	{ "REASON", task_reason_cell },	 { 0 },
};

/* --- task definitions, events ------------------------------------------------------------------
 */

CELL(definition_revision_cell)
{
	return count_at(arena, json_object_get(row->json, "taskDefinition"), "revision");
}

CELL(definition_status_cell)
{
	return text_at(json_object_get(row->json, "taskDefinition"), "status");
}

CELL(definition_time_cell)
{
	return text_at(json_object_get(row->json, "taskDefinition"), "registeredAt");
}

CELL(users_cell)
{
	struct buf text = { 0 };
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(row->json, "services"), i, item)
		buf_addf(&text, "%s%s", i ? "," : "", json_string_value(item));
	const char *copy = text.len ? arena_strdup(arena, text.data) : NULL;
	buf_release(&text);
	return copy;
}

const struct column taskdef_columns[] = {
	{ "FAMILY", name_cell },
	{ "CLUSTER", cluster_cell },
	{ "REVISION", definition_revision_cell },
	{ "STATUS", definition_status_cell },
	{ "REGISTERED", definition_time_cell },
	{ "SERVICES", users_cell },
	{ 0 },
};

TEXT_CELL(created_cell, "createdAt")
TEXT_CELL(event_type_cell, "eventType")
TEXT_CELL(event_name_cell, "eventName")
TEXT_CELL(event_node_cell, "node")
TEXT_CELL(message_cell, "message")

const struct column event_columns[] = {
	{ "TIME", created_cell },
	{ "TYPE", event_type_cell },
	{ "EVENT", event_name_cell, true },
	{ "SERVICE", name_cell, true },
	{ "NODE", event_node_cell, true },
	{ "MESSAGE", message_cell },
	{ 0 },
};
