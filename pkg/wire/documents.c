/* The tables of the documents in the store. A row is for ever: readers of another version have it.
 */
#include "wire/internal.h"

#include <string.h>

#define ENGINES_MAX	     16
#define CONDITIONS_MAX	     64
#define OBSERVED_TASKS_MAX   (4 * LIMIT_TASKS_PER_NODE) /* old and new ones, and strays */
#define NETWORK_BINDINGS_MAX 200 /* of a container; what is more is not told */
#define STOPPED_TASKS_MAX    (10 * LIMIT_TASKS_PER_NODE)

static const char *const task_statuses[] = {
	[TASK_PROVISIONING] = "PROVISIONING", [TASK_PENDING] = "PENDING",
	[TASK_RUNNING] = "RUNNING",	      [TASK_STOPPING] = "STOPPING",
	[TASK_STOPPED] = "STOPPED",	      [TASK_STATUS_COUNT] = NULL,
};
static const char *const healths[] = {
	[HEALTH_UNKNOWN] = "UNKNOWN",
	[HEALTH_HEALTHY] = "HEALTHY",
	[HEALTH_UNHEALTHY] = "UNHEALTHY",
	NULL,
};
/* Not engine_kind_name(): what is shown may change, what is in documents may not. */
static const char *const engine_kinds[] = {
	[ENGINE_PROCESS] = "process",
	[ENGINE_CONTAINER] = "container",
	[ENGINE_KIND_COUNT] = NULL,
};

const char *task_status_name(enum task_status status)
{
	return task_statuses[status];
}

const char *health_status_name(enum health_status health)
{
	return healths[health];
}

/* Rows of the struct that IN names. */
#define ROW(json, type, member, ...)                                                               \
	{                                                                                          \
		json, type, .offset = offsetof(struct IN, member), __VA_ARGS__                     \
	}
#define ROW_ID(json, member)                                                                       \
	{                                                                                          \
		json, MEMBER_TEXT, MEMBER_REQUIRED | MEMBER_NAME,                                  \
			.offset = offsetof(struct IN, member)                                      \
	}
#define ROW_LIST(json, items, number, layout, limit)                                               \
	{                                                                                          \
		json, MEMBER_LIST, .offset = offsetof(struct IN, items),                           \
				   .count = offsetof(struct IN, number), .of = &(layout),          \
				   .max = (limit)                                                  \
	}
#define LAYOUT(rows, type)                                                                         \
	{                                                                                          \
		rows, ARRAY_LEN(rows), sizeof(type)                                                \
	}

#define IN wire_condition
static const struct member condition_rows[] = {
	ROW("type", MEMBER_TEXT, type, .flags = MEMBER_REQUIRED),
	ROW("status", MEMBER_TEXT, status, .flags = MEMBER_REQUIRED),
	ROW("reason", MEMBER_TEXT, reason, .max = WIRE_REASON_BYTES),
	ROW("message", MEMBER_TEXT, message, .max = WIRE_REASON_BYTES),
};
static const struct layout condition_layout = LAYOUT(condition_rows, struct IN);
#undef IN

#define IN wire_engine
static const struct member engine_rows[] = {
	ROW("kind", MEMBER_ENUM, kind, .values = engine_kinds, .flags = MEMBER_REQUIRED),
	ROW("name", MEMBER_TEXT, name),
	ROW("version", MEMBER_TEXT, version),
};
static const struct layout engine_layout = LAYOUT(engine_rows, struct IN);
#undef IN

#define IN wire_registration
static const struct member registration_rows[] = {
	ROW_ID("fleet", fleet),
	ROW_ID("node", node),
	ROW_ID("cluster", cluster),
	ROW_ID("instance", instance),
	ROW_ID("bootId", boot_id),
	ROW_ID("session", session),
	ROW("agentVersion", MEMBER_TEXT, agent_version),
	ROW("registeredAt", MEMBER_I64, registered_at_ms),
	ROW("wireMin", MEMBER_INT, wire_min),
	ROW("wireMax", MEMBER_INT, wire_max),
	ROW_LIST("engines", engines, engine_count, engine_layout, ENGINES_MAX),
	ROW("facts", MEMBER_MAP, facts),
	ROW("attributes", MEMBER_MAP, attributes),
	ROW("capabilities", MEMBER_STRINGS, capabilities),
	ROW("cpu", MEMBER_U32, cpu_units),
	ROW("memory", MEMBER_U32, memory_mib),
	ROW_LIST("conditions", conditions, condition_count, condition_layout, CONDITIONS_MAX),
};
static const struct layout registration_layout = LAYOUT(registration_rows, struct IN);
#undef IN

#define IN wire_desired_task
static const struct member desired_task_rows[] = {
	ROW_ID("cluster", cluster),
	ROW_ID("service", service),
	ROW_ID("family", family),
	ROW("revision", MEMBER_U32, revision),
	ROW("target", MEMBER_DIGEST, target, .flags = MEMBER_REQUIRED),
	ROW("deployment", MEMBER_TEXT, deployment),
	ROW("assignedAt", MEMBER_I64, assigned_at_ms),
	ROW("assignedNumber", MEMBER_U64, assigned_number),
	ROW("replaces", MEMBER_U32, replaces),
	ROW("brokenBefore", MEMBER_BOOL, broken_before),
	ROW("surge", MEMBER_BOOL, surge),
	ROW("priority", MEMBER_INT, priority),
	ROW("dependsOn", MEMBER_STRINGS, depends_on),
	ROW("minReadySeconds", MEMBER_U32, min_ready_seconds),
	ROW("monitorSeconds", MEMBER_U32, monitor_seconds),
	ROW("taskDefinition", MEMBER_OBJECT, task_definition, .flags = MEMBER_REQUIRED,
	    .schema = &task_definition_schema),
	ROW("images", MEMBER_MAP, images),
};
static const struct layout desired_task_layout = LAYOUT(desired_task_rows, struct IN);
#undef IN

#define IN wire_desired
static const struct member desired_rows[] = {
	ROW_ID("fleet", fleet),
	ROW_ID("node", node),
	ROW_ID("cluster", cluster),
	ROW("number", MEMBER_U64, number, .flags = MEMBER_REQUIRED),
	ROW("attributes", MEMBER_MAP, attributes),
	ROW_LIST("tasks", tasks, task_count, desired_task_layout, LIMIT_TASKS_PER_NODE),
};
static const struct layout desired_layout = LAYOUT(desired_rows, struct IN);
#undef IN

#define IN wire_binding
static const struct member binding_rows[] = {
	ROW("bindIP", MEMBER_TEXT, bind_ip, .max = WIRE_REASON_BYTES),
	ROW("containerPort", MEMBER_U32, container_port),
	ROW("hostPort", MEMBER_U32, host_port),
	ROW("protocol", MEMBER_TEXT, protocol, .max = WIRE_REASON_BYTES),
};
static const struct layout binding_layout = LAYOUT(binding_rows, struct IN);
#undef IN

#define IN wire_container
static const struct member container_rows[] = {
	ROW("name", MEMBER_TEXT, name, .flags = MEMBER_REQUIRED),
	ROW("lastStatus", MEMBER_ENUM, last_status, .values = task_statuses),
	ROW("runtimeId", MEMBER_TEXT, runtime_id),
	ROW("exitCode", MEMBER_MAYBE, exit_code,
	    .count = offsetof(struct wire_container, has_exit_code)),
	ROW("reason", MEMBER_TEXT, reason, .max = WIRE_REASON_BYTES),
	ROW("image", MEMBER_TEXT, image),
	ROW("imageDigest", MEMBER_TEXT, image_digest),
	ROW("health", MEMBER_ENUM, health, .values = healths, .flags = MEMBER_SPARSE),
	ROW("restartCount", MEMBER_U32, restart_count),
	ROW_LIST("networkBindings", network_bindings, network_binding_count, binding_layout,
		 NETWORK_BINDINGS_MAX),
};
static const struct layout container_layout = LAYOUT(container_rows, struct IN);
#undef IN

#define IN wire_task
static const struct member task_rows[] = {
	ROW("id", MEMBER_TEXT, id, .flags = MEMBER_REQUIRED | MEMBER_NAME_OR_EMPTY),
	ROW_ID("cluster", cluster),
	ROW_ID("service", service),
	ROW("family", MEMBER_TEXT, family, .flags = MEMBER_NAME_OR_EMPTY), /* not known yet */
	ROW("revision", MEMBER_U32, revision),
	ROW("target", MEMBER_DIGEST, target),
	ROW("deployment", MEMBER_TEXT, deployment),
	ROW("lastStatus", MEMBER_ENUM, last_status, .values = task_statuses,
	    .flags = MEMBER_REQUIRED),
	ROW("desiredStatus", MEMBER_ENUM, desired_status, .values = task_statuses,
	    .flags = MEMBER_REQUIRED),
	ROW("health", MEMBER_ENUM, health, .values = healths),
	ROW("ready", MEMBER_BOOL, ready),
	ROW("failed", MEMBER_BOOL, failed),
	ROW("restarts", MEMBER_U32, restarts),
	ROW("failures", MEMBER_U32, failures),
	ROW("restartIn", MEMBER_U32, restart_in_ms),
	ROW("startedAt", MEMBER_I64, started_at_ms),
	ROW("stoppedAt", MEMBER_I64, stopped_at_ms),
	ROW("engine", MEMBER_TEXT, engine),
	ROW("stopCode", MEMBER_TEXT, stop_code, .max = WIRE_REASON_BYTES),
	ROW("reason", MEMBER_TEXT, reason, .max = WIRE_REASON_BYTES),
	ROW("stderr", MEMBER_TAIL, stderr_tail, .max = WIRE_STDERR_BYTES),
	ROW("logBytesDropped", MEMBER_U64, log_bytes_dropped),
	ROW_LIST("containers", containers, container_count, container_layout, LIMIT_CONTAINERS),
};
static const struct layout task_layout = LAYOUT(task_rows, struct IN);
#undef IN

#define IN wire_observed
static const struct member observed_rows[] = {
	ROW_ID("fleet", fleet),
	ROW_ID("node", node),
	ROW_ID("cluster", cluster),
	ROW_ID("instance", instance),
	ROW_ID("bootId", boot_id),
	ROW_ID("session", session),
	ROW("seen", MEMBER_U64, seen),
	ROW_LIST("tasks", tasks, task_count, task_layout, OBSERVED_TASKS_MAX),
	ROW_LIST("stopped", stopped, stopped_count, task_layout, STOPPED_TASKS_MAX),
	ROW_LIST("conditions", conditions, condition_count, condition_layout, CONDITIONS_MAX),
};
static const struct layout observed_layout = LAYOUT(observed_rows, struct IN);
#undef IN

static void encode(const char *kind, const struct layout *layout, const void *object,
		   struct buf *out)
{
	json_t *json = layout_to_json(layout, object);
	wire_seal(kind, NULL, json, out);
	json_decref(json);
}

static enum wire_result decode(const void *bytes, size_t len, const char *kind, const char *fleet,
			       const char *node, const struct layout *layout, struct arena *arena,
			       void *object, struct err *err)
{
	json_t *json CLEANUP(json_decrefp) = wire_open(bytes, len, kind, fleet, err);
	if (!json)
		return WIRE_UNKNOWN;
	memset(object, 0, layout->size);
	if (!layout_from_json(layout, json, arena, object, err))
		return WIRE_UNKNOWN;
	const char *has = json_string_value(json_object_get(json, "node"));
	if (!node || strcmp(has, node) == 0)
		return WIRE_OK;
	err_set(err, 0, "is of another node (%.64s)", has);
	return WIRE_UNKNOWN;
}

void wire_encode_registration(const struct wire_registration *doc, struct buf *out)
{
	encode("Registration", &registration_layout, doc, out);
}

void wire_encode_desired(const struct wire_desired *doc, struct buf *out)
{
	encode("Desired", &desired_layout, doc, out);
}

void wire_encode_observed(const struct wire_observed *doc, struct buf *out)
{
	struct wire_observed fitting = *doc;
	size_t start = out->len;
	encode("Observed", &observed_layout, &fitting, out);
	while (out->len - start > LIMIT_DOCUMENT_BYTES && fitting.stopped_count > 0) {
		fitting.stopped_count /= 2;
		out->len = start;
		encode("Observed", &observed_layout, &fitting, out);
	}
}

enum wire_result wire_decode_registration(const void *bytes, size_t len, const char *fleet,
					  const char *node, struct arena *arena,
					  struct wire_registration *out, struct err *err)
{
	return decode(bytes, len, "Registration", fleet, node, &registration_layout, arena, out,
		      err);
}

enum wire_result wire_decode_desired(const void *bytes, size_t len, const char *fleet,
				     const char *node, struct arena *arena,
				     struct wire_desired *out, struct err *err)
{
	return decode(bytes, len, "Desired", fleet, node, &desired_layout, arena, out, err);
}

enum wire_result wire_decode_observed(const void *bytes, size_t len, const char *fleet,
				      const char *node, struct arena *arena,
				      struct wire_observed *out, struct err *err)
{
	return decode(bytes, len, "Observed", fleet, node, &observed_layout, arena, out, err);
}
