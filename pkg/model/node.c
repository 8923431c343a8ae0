/* The fields of declared nodes and clusters. */
#include "model/tables.h"

static const struct field node_fields[] = {
	{ STRING_AT(node_manifest, "name", name),
	  .flags = FIELD_METADATA | FIELD_REQUIRED | FIELD_NAME },
	{ STRING_MAP(node_manifest, "labels", labels), .flags = FIELD_METADATA },
	{ STRING_MAP(node_manifest, "annotations", annotations), .flags = FIELD_METADATA },
	{ STRING(node_manifest, "cluster", cluster), .flags = FIELD_NAME },
	{ STRING(node_manifest, "state", state),
	  .values = VALUES("ACTIVE", "DRAINING", "INACTIVE") },
	{ STRING_MAP(node_manifest, "attributes", attributes), .flags = FIELD_BARE_NAMES,
	  RANGE(0, LIMIT_CUSTOM_ATTRIBUTES) },
};
const struct schema node_manifest_schema = SCHEMA(node_manifest, "node", node_fields);

static const struct field log_driver_fields[] = {
	{ STRING(log_driver_mapping, "match", match), .flags = FIELD_REQUIRED,
	  .note = "a glob over logDriver: * and ?" },
	{ STRING(log_driver_mapping, "logDriver", log_driver), .flags = FIELD_REQUIRED },
	{ STRING_MAP(log_driver_mapping, "options", options), .flags = FIELD_SECRET,
	  RANGE(0, LIMIT_LOG_OPTIONS) },
};
static const struct schema log_driver_schema =
	SCHEMA(log_driver_mapping, "log driver mapping", log_driver_fields);

static const struct field secret_mapping_fields[] = {
	{ STRING(secret_mapping, "match", match), .flags = FIELD_REQUIRED,
	  .note = "a glob over valueFrom: * and ?" },
	{ STRING(secret_mapping, "from", from), .flags = FIELD_REQUIRED,
	  .note = "file:/PATH, where {name} is the secret's name, or env:NAME" },
};
static const struct schema secret_mapping_schema =
	SCHEMA(secret_mapping, "secret mapping", secret_mapping_fields);

static const struct field cluster_fields[] = {
	{ STRING_AT(cluster_manifest, "name", name),
	  .flags = FIELD_METADATA | FIELD_REQUIRED | FIELD_NAME },
	{ STRING_MAP(cluster_manifest, "labels", labels), .flags = FIELD_METADATA },
	{ STRING_MAP(cluster_manifest, "annotations", annotations), .flags = FIELD_METADATA },
	{ INTEGER(cluster_manifest, "nodeTimeoutSeconds", node_timeout_seconds),
	  RANGE(MIN_NODE_TIMEOUT_S, SECONDS_MAX),
	  .note = "default 30; an agent beats every 8 to 12 s" },
	{ INTEGER(cluster_manifest, "nodeExpireSeconds", node_expire_seconds),
	  RANGE(0, 10 * 365 * 24 * 3600) },
	{ OBJECT_LIST(cluster_manifest, "logDrivers", log_drivers, log_driver_schema),
	  RANGE(0, LIMIT_CLUSTER_MAPPINGS) },
	{ OBJECT_LIST(cluster_manifest, "secrets", secrets, secret_mapping_schema),
	  RANGE(0, LIMIT_CLUSTER_MAPPINGS) },
	{ INTEGER(cluster_manifest, "maxParallelPulls", max_parallel_pulls),
	  RANGE(1, LIMIT_NODES) },
	{ OBJECT_LIST(cluster_manifest, "windows", windows, window_schema), RANGE(0, LIMIT_WINDOWS),
	  .note = "when changes of its services may begin" },
	{ INTEGER(cluster_manifest, "massChangePercent", mass_change_percent), RANGE(1, 100),
	  .note = "default 20: so much of a service may lose its nodes within 10 minutes, the "
		  "rest is held; 100: all" },
};
const struct schema cluster_manifest_schema = SCHEMA(cluster_manifest, "cluster", cluster_fields);
