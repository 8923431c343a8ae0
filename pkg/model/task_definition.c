/* The fields of a task definition; reference section 4.2. */
#include "model/tables.h"

static const struct field placement_constraint_fields[] = {
	{ STRING(placement_constraint, "type", type), .flags = FIELD_REQUIRED,
	  .values = VALUES("memberOf") },
	{ STRING_AT(placement_constraint, "expression", expression),
	  .flags = FIELD_REQUIRED | FIELD_EXPRESSION },
};
const struct schema placement_constraint_schema =
	SCHEMA(placement_constraint, "placement constraint", placement_constraint_fields);

static const struct field volume_host_fields[] = {
	{ STRING(volume_host, "sourcePath", source_path) },
};
static const struct schema volume_host_schema =
	SCHEMA(volume_host, "host volume", volume_host_fields);

static const struct field docker_volume_fields[] = {
	{ STRING(docker_volume_configuration, "scope", scope), .values = VALUES("task", "shared") },
	{ BOOLEAN(docker_volume_configuration, "autoprovision", autoprovision) },
	{ STRING(docker_volume_configuration, "driver", driver) },
	{ STRING_MAP(docker_volume_configuration, "driverOpts", driver_opts),
	  .flags = FIELD_SECRET },
	{ STRING_MAP(docker_volume_configuration, "labels", labels) },
};
static const struct schema docker_volume_schema =
	SCHEMA(docker_volume_configuration, "Docker volume", docker_volume_fields);

static const struct field volume_fields[] = {
	{ STRING(volume, "name", name), .flags = FIELD_REQUIRED | FIELD_ECS_NAME },
	{ OBJECT(volume, "host", host, volume_host_schema) },
	{ OBJECT(volume, "dockerVolumeConfiguration", docker_volume_configuration,
		 docker_volume_schema) },
	{ BOOLEAN(volume, "configuredAtLaunch", configured_at_launch) },
	{ AWS_ONLY("efsVolumeConfiguration", "an Amazon EFS file system") },
	{ AWS_ONLY("s3filesVolumeConfiguration", "an Amazon S3 Files file system") },
	{ AWS_ONLY("fsxWindowsFileServerVolumeConfiguration", "an Amazon FSx file system") },
};
static const struct schema volume_schema = SCHEMA(volume, "volume", volume_fields);

static const struct field runtime_platform_fields[] = {
	{ STRING(runtime_platform, "operatingSystemFamily", operating_system_family) },
	{ STRING(runtime_platform, "cpuArchitecture", cpu_architecture),
	  .values = VALUES("X86_64", "ARM64") },
};
static const struct schema runtime_platform_schema =
	SCHEMA(runtime_platform, "runtime platform", runtime_platform_fields);

static const struct field fields[] = {
	{ STRING_AT(task_definition, "family", family),
	  .flags = FIELD_REQUIRED | FIELD_NAME | FIELD_ECS_NAME },
	{ STRING_LIST(task_definition, "requiresCompatibilities", requires_compatibilities),
	  .values = VALUES("PROCESS", "EC2", "EXTERNAL", "FARGATE", "MANAGED_INSTANCES") },
	{ STRING(task_definition, "networkMode", network_mode), .flags = FIELD_CONTAINER_ONLY,
	  .values = VALUES("none", "bridge", "awsvpc", "host", "default") },
	{ STRING(task_definition, "pidMode", pid_mode), .flags = FIELD_CONTAINER_ONLY,
	  .values = VALUES("host", "task") },
	{ STRING(task_definition, "ipcMode", ipc_mode), .flags = FIELD_CONTAINER_ONLY,
	  .values = VALUES("host", "task", "none") },
	{ INTEGER(task_definition, "cpu", cpu), .flags = FIELD_CPU_UNITS, RANGE(1, CPU_MAX) },
	{ INTEGER(task_definition, "memory", memory), .flags = FIELD_SIZE_MIB, RANGE(1, MIB_MAX) },
	{ INTEGER(task_definition, "pidsLimit", pids_limit), RANGE(1, 1 << 22) },
	{ OBJECT(task_definition, "runtimePlatform", runtime_platform, runtime_platform_schema) },
	{ OBJECT_LIST(task_definition, "placementConstraints", placement_constraints,
		      placement_constraint_schema),
	  RANGE(0, LIMIT_CONSTRAINTS) },
	{ OBJECT_LIST(task_definition, "containerDefinitions", container_definitions,
		      container_definition_schema),
	  .flags = FIELD_REQUIRED, RANGE(1, LIMIT_CONTAINERS) },
	{ OBJECT_LIST(task_definition, "volumes", volumes, volume_schema),
	  .flags = FIELD_CONTAINER_ONLY, RANGE(0, LIST_MAX) },
	{ AWS_ONLY("taskRoleArn", "an IAM role") },
	{ AWS_ONLY("executionRoleArn", "an IAM role") },
	{ AWS_ONLY("proxyConfiguration", "the App Mesh proxy") },
	{ AWS_ONLY("ephemeralStorage", "the size of a Fargate task's disk") },
	{ AWS_ONLY("inferenceAccelerators", "Elastic Inference") },
	{ AWS_ONLY("enableFaultInjection", "AWS Fault Injection Service") },
	{ AWS_ONLY("tags", "tags of AWS resources") },
	{ RESPONSE_ONLY("taskDefinitionArn") },
	{ RESPONSE_ONLY("revision") },
	{ RESPONSE_ONLY("status") },
	{ RESPONSE_ONLY("requiresAttributes") },
	{ RESPONSE_ONLY("compatibilities") },
	{ RESPONSE_ONLY("registeredAt") },
	{ RESPONSE_ONLY("registeredBy") },
	{ RESPONSE_ONLY("deregisteredAt") },
	{ RESPONSE_ONLY("deleteRequestedAt") },
};
const struct schema task_definition_schema = SCHEMA(task_definition, "task definition", fields);
