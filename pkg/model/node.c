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

static const struct field cluster_fields[] = {
	{ STRING_AT(cluster_manifest, "name", name),
	  .flags = FIELD_METADATA | FIELD_REQUIRED | FIELD_NAME },
	{ STRING_MAP(cluster_manifest, "labels", labels), .flags = FIELD_METADATA },
	{ STRING_MAP(cluster_manifest, "annotations", annotations), .flags = FIELD_METADATA },
	{ INTEGER(cluster_manifest, "nodeTimeoutSeconds", node_timeout_seconds),
	  RANGE(1, SECONDS_MAX) },
	{ INTEGER(cluster_manifest, "nodeExpireSeconds", node_expire_seconds),
	  RANGE(0, 10 * 365 * 24 * 3600) },
	{ INTEGER(cluster_manifest, "maxParallelPulls", max_parallel_pulls),
	  RANGE(1, LIMIT_NODES) },
	{ REFUSED("windows", "\"windows\" is not supported yet; remove it") },
};
const struct schema cluster_manifest_schema = SCHEMA(cluster_manifest, "cluster", cluster_fields);
