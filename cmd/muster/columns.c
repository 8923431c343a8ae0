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
	return report_state_word(row->json);
}

const struct column service_columns[] = {
	{ .header = "NAME", .cell = name_cell },
	{ .header = "CLUSTER", .cell = cluster_cell },
	{ .header = "DESIRED", .cell = desired_cell },
	{ .header = "RUNNING", .cell = running_cell },
	{ .header = "READY", .cell = ready_cell },
	{ .header = "PENDING", .cell = pending_cell, .wide = true },
	{ .header = "FAILED", .cell = failed_cell, .wide = true },
	{ .header = "UNREACHABLE", .cell = unreachable_cell, .wide = true },
	{ .header = "EXCLUDED", .cell = excluded_cell, .wide = true },
	{ .header = "PRIORITY", .cell = priority_cell, .wide = true },
	{ .header = "STATE", .cell = state_cell },
	{ .header = "REVISION", .cell = taskdef_cell },
	{ .header = NULL },
};

/* --- nodes -------------------------------------------------------------------------------------
 */

TEXT_CELL(status_cell, "status")
COUNT_CELL(running_tasks_cell, "runningTasksCount")
COUNT_CELL(pending_tasks_cell, "pendingTasksCount")

CELL(connected_cell)
{
	const json_t *connected = json_object_get(row->json, "agentConnected");
	if (json_is_boolean(connected))
		return json_is_true(connected) ? "yes" : "no";
	return json_object_get(row->json, "registration") ? "unknown" : NULL;
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
	{ .header = "NAME", .cell = name_cell },
	{ .header = "CLUSTER", .cell = cluster_cell },
	{ .header = "STATUS", .cell = status_cell },
	{ .header = "CONNECTED", .cell = connected_cell },
	{ .header = "RUNNING", .cell = running_tasks_cell },
	{ .header = "PENDING", .cell = pending_tasks_cell },
	{ .header = "VERSION", .cell = version_cell, .wide = true },
	{ .header = "CPU", .cell = cpu_cell, .wide = true },
	{ .header = "MEMORY", .cell = memory_cell, .wide = true },
	{ .header = "CONDITIONS", .cell = node_conditions_cell, .wide = true },
	{ .header = "ATTRIBUTES", .cell = attributes_cell },
	{ .header = NULL },
};

/* --- tasks -------------------------------------------------------------------------------------
 */

TEXT_CELL(last_status_cell, "lastStatus")
TEXT_CELL(health_cell, "healthStatus")

/* New tasks for ones that ended, and containers that were started again in place. */
CELL(restarts_cell)
{
	json_int_t count = json_integer_value(json_object_get(row->json, "restarts"));
	size_t i;
	json_t *container;
	json_array_foreach(json_object_get(row->json, "containers"), i, container) count +=
		json_integer_value(json_object_get(container, "restartCount"));
	return task_stopped(row->json) ? NULL : arena_printf(arena, "%lld", (long long)count);
}

CELL(task_id_cell)
{
	const char *id = last_part(text_at(row->json, "taskArn"));
	return id && *id ? arena_strndup(arena, id, strnlen(id, TASK_ID_SHOWN)) : NULL;
}

CELL(task_service_cell)
{
	return task_service(row->json);
}

CELL(task_revision_cell)
{
	return last_part(text_at(row->json, "taskDefinitionArn"));
}

CELL(task_ready_cell)
{
	if (task_stopped(row->json))
		return NULL;
	return json_is_true(json_object_get(row->json, "ready"))    ? "yes"
	       : json_is_true(json_object_get(row->json, "failed")) ? "failed"
								    : "no";
}

#define SHORT_ID_LEN 12 /* digits of an engine's id and of a digest, as docker shows them */

static const char *whole(struct arena *arena UNUSED, const char *text)
{
	return text;
}

static const char *short_id(struct arena *arena, const char *id)
{
	return id ? arena_strndup(arena, id, strnlen(id, SHORT_ID_LEN)) : NULL;
}

static const char *short_digest(struct arena *arena, const char *digest)
{
	const char *colon = digest ? strchr(digest, ':') : NULL;
	return short_id(arena, colon ? colon + 1 : digest);
}

/* A member of each of its containers; NULL: none has it. */
static const char *of_containers(struct arena *arena, const json_t *task, const char *key,
				 const char *(*shown)(struct arena *arena, const char *text))
{
	struct buf text = { 0 };
	size_t i;
	json_t *container;
	json_array_foreach(json_object_get(task, "containers"), i, container)
	{
		const char *value = shown(arena, text_at(container, key));
		if (value)
			buf_addf(&text, "%s%s", text.len ? "," : "", value);
	}
	const char *copy = text.len ? arena_strdup(arena, text.data) : NULL;
	buf_release(&text);
	return copy;
}

CELL(task_runtime_cell)
{
	return of_containers(arena, row->json, "runtimeId", short_id);
}

CELL(task_image_cell)
{
	return of_containers(arena, row->json, "image", whole);
}

CELL(task_digest_cell)
{
	return of_containers(arena, row->json, "imageDigest", short_digest);
}

const char *container_ports(struct arena *arena, const json_t *container)
{
	struct buf text = { 0 };
	size_t i;
	json_t *binding;
	json_array_foreach(json_object_get(container, "networkBindings"), i, binding)
	{
		const char *ip = text_at(binding, "bindIP"), *to = text_at(binding, "protocol");
		bool v6 = ip && strchr(ip, ':');
		buf_addf(&text, "%s%s%s%s%s%s->%s/%s", text.len ? "," : "", v6 ? "[" : "",
			 ip ? ip : "", v6 ? "]" : "", ip ? ":" : "",
			 count_at(arena, binding, "hostPort"),
			 count_at(arena, binding, "containerPort"), to ? to : "tcp");
	}
	const char *copy = arena_strdup(arena, buf_str(&text));
	buf_release(&text);
	return copy;
}

CELL(task_ports_cell)
{
	struct buf text = { 0 };
	size_t i;
	json_t *container;
	json_array_foreach(json_object_get(row->json, "containers"), i, container)
	{
		const char *ports = container_ports(arena, container);
		buf_addf(&text, "%s%s", text.len && *ports ? "," : "", ports);
	}
	const char *copy = text.len ? arena_strdup(arena, text.data) : NULL;
	buf_release(&text);
	return copy;
}

/* Of the essential container that ended first there is no mark: the first that failed speaks. */
CELL(task_exit_cell)
{
	const char *found = NULL;
	size_t i;
	json_t *container;
	json_array_foreach(json_object_get(row->json, "containers"), i, container)
	{
		const char *code = count_at(arena, container, "exitCode");
		if (code && (!found || strcmp(found, "0") == 0))
			found = code;
	}
	return found;
}

TEXT_CELL(stopped_at_cell, "stoppedAt")

CELL(task_reason_cell)
{
	const char *reason = text_at(row->json, "stoppedReason");
	const char *wait = count_at(arena, row->json, "restartInSeconds");
	if (!wait || task_stopped(row->json))
		return reason ? reason : "";
	return arena_printf(arena, "restart in %s s%s%s", wait, reason ? "; " : "",
			    reason ? reason : "");
}

const struct column task_columns[] = {
	{ .header = "TASK", .cell = task_id_cell },
	{ .header = "SERVICE", .cell = task_service_cell },
	{ .header = "NODE", .cell = name_cell },
	{ .header = "CLUSTER", .cell = cluster_cell, .wide = true },
	{ .header = "STATUS", .cell = last_status_cell },
	{ .header = "READY", .cell = task_ready_cell },
	{ .header = "HEALTH", .cell = health_cell, .wide = true },
	{ .header = "REVISION", .cell = task_revision_cell },
	{ .header = "RESTARTS", .cell = restarts_cell },
	{ .header = "IMAGE", .cell = task_image_cell, .wide = true },
	{ .header = "DIGEST", .cell = task_digest_cell, .wide = true },
	{ .header = "PORTS", .cell = task_ports_cell, .wide = true },
	{ .header = "RUNTIME-ID", .cell = task_runtime_cell, .wide = true },
	{ .header = "STOPPED", .cell = stopped_at_cell, .wide = true },
	{ .header = "EXIT", .cell = task_exit_cell },
	{ .header = "REASON", .cell = task_reason_cell },
	{ .header = NULL },
};

const struct column stopped_columns[] = {
	{ .header = "TASK", .cell = task_id_cell },
	{ .header = "NODE", .cell = name_cell },
	{ .header = "REVISION", .cell = task_revision_cell },
	{ .header = "STOPPED", .cell = stopped_at_cell },
	{ .header = "EXIT", .cell = task_exit_cell },
	{ .header = "REASON", .cell = task_reason_cell },
	{ .header = NULL },
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
	{ .header = "FAMILY", .cell = name_cell },
	{ .header = "CLUSTER", .cell = cluster_cell },
	{ .header = "REVISION", .cell = definition_revision_cell },
	{ .header = "STATUS", .cell = definition_status_cell },
	{ .header = "REGISTERED", .cell = definition_time_cell },
	{ .header = "SERVICES", .cell = users_cell },
	{ .header = NULL },
};

TEXT_CELL(created_cell, "createdAt")
TEXT_CELL(event_type_cell, "eventType")
TEXT_CELL(event_name_cell, "eventName")
TEXT_CELL(event_node_cell, "node")
TEXT_CELL(message_cell, "message")

const struct column event_columns[] = {
	{ .header = "TIME", .cell = created_cell },
	{ .header = "TYPE", .cell = event_type_cell },
	{ .header = "EVENT", .cell = event_name_cell, .wide = true },
	{ .header = "SERVICE", .cell = name_cell, .wide = true },
	{ .header = "NODE", .cell = event_node_cell, .wide = true },
	{ .header = "MESSAGE", .cell = message_cell },
	{ .header = NULL },
};

TEXT_CELL(hold_service_cell, "service")
TEXT_CELL(hold_cause_cell, "cause")
TEXT_CELL(hold_since_cell, "since")

CELL(hold_count_cell)
{
	return count_at(arena, row->json, "count");
}

const struct column hold_columns[] = {
	{ .header = "ID", .cell = name_cell },
	{ .header = "CAUSE", .cell = hold_cause_cell },
	{ .header = "SERVICE", .cell = hold_service_cell },
	{ .header = "TASKS", .cell = hold_count_cell },
	{ .header = "SINCE", .cell = hold_since_cell, .wide = true },
	{ .header = "MESSAGE", .cell = message_cell },
	{ .header = NULL },
};
