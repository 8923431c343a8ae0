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
	{ STRING(docker_volume_configuration, "scope", scope), .values = VALUES("task", "shared"),
	  .note = "default task: removed with the task" },
	{ BOOLEAN(docker_volume_configuration, "autoprovision", autoprovision),
	  .note = "of scope shared: made where it is missing" },
	{ STRING(docker_volume_configuration, "driver", driver), .unless = VALUES("local"),
	  .needs = CAPABILITY_VOLUME_DRIVER },
	{ STRING_MAP(docker_volume_configuration, "driverOpts", driver_opts),
	  .flags = FIELD_SECRET },
	{ STRING_MAP(docker_volume_configuration, "labels", labels) },
};
static const struct schema docker_volume_schema =
	SCHEMA(docker_volume_configuration, "Docker volume", docker_volume_fields);

static const struct field efs_authorization_fields[] = {
	{ STRING(volume_authorization, "accessPointId", access_point_id) },
	{ STRING(volume_authorization, "iam", iam) },
};
static const struct schema efs_authorization_schema =
	SCHEMA(volume_authorization, "EFS authorization", efs_authorization_fields);

static const struct field efs_fields[] = {
	{ STRING(aws_volume, "fileSystemId", file_system_id) },
	{ STRING(aws_volume, "rootDirectory", root_directory) },
	{ STRING(aws_volume, "transitEncryption", transit_encryption) },
	{ INTEGER(aws_volume, "transitEncryptionPort", transit_encryption_port), RANGE(0, 65535) },
	{ OBJECT(aws_volume, "authorizationConfig", authorization_config,
		 efs_authorization_schema) },
};
static const struct schema efs_schema = SCHEMA(aws_volume, "EFS volume", efs_fields);

static const struct field fsx_authorization_fields[] = {
	{ STRING(volume_authorization, "credentialsParameter", credentials_parameter) },
	{ STRING(volume_authorization, "domain", domain) },
};
static const struct schema fsx_authorization_schema =
	SCHEMA(volume_authorization, "FSx authorization", fsx_authorization_fields);

static const struct field fsx_fields[] = {
	{ STRING(aws_volume, "fileSystemId", file_system_id) },
	{ STRING(aws_volume, "rootDirectory", root_directory) },
	{ OBJECT(aws_volume, "authorizationConfig", authorization_config,
		 fsx_authorization_schema) },
};
static const struct schema fsx_schema = SCHEMA(aws_volume, "FSx volume", fsx_fields);

static const struct field s3files_fields[] = {
	{ STRING(aws_volume, "fileSystemArn", file_system_arn) },
	{ STRING(aws_volume, "rootDirectory", root_directory) },
	{ INTEGER(aws_volume, "transitEncryptionPort", transit_encryption_port), RANGE(0, 65535) },
	{ STRING(aws_volume, "accessPointArn", access_point_arn) },
};
static const struct schema s3files_schema = SCHEMA(aws_volume, "S3 Files volume", s3files_fields);

static const struct field volume_fields[] = {
	{ STRING(volume, "name", name), .flags = FIELD_REQUIRED | FIELD_ECS_NAME },
	{ OBJECT(volume, "host", host, volume_host_schema),
	  .note = "without sourcePath, as without host: an empty volume that goes with the task" },
	{ OBJECT(volume, "dockerVolumeConfiguration", docker_volume_configuration,
		 docker_volume_schema) },
	{ BOOLEAN(volume, "configuredAtLaunch", configured_at_launch), .flags = FIELD_NOT_OFFERED,
	  .needs = CAPABILITY_EBS },
	{ OBJECT(volume, "efsVolumeConfiguration", efs, efs_schema), .flags = FIELD_NOT_OFFERED,
	  .needs = CAPABILITY_EFS },
	{ OBJECT(volume, "fsxWindowsFileServerVolumeConfiguration", fsx, fsx_schema),
	  .flags = FIELD_NOT_OFFERED, .needs = CAPABILITY_FSX },
	{ OBJECT(volume, "s3filesVolumeConfiguration", s3files, s3files_schema),
	  .flags = FIELD_NOT_OFFERED, .needs = CAPABILITY_S3FILES },
};
static const struct schema volume_schema = SCHEMA(volume, "volume", volume_fields);

static const struct field runtime_platform_fields[] = {
	{ STRING(runtime_platform, "operatingSystemFamily", operating_system_family),
	  .unless = VALUES("LINUX"), .needs = CAPABILITY_DOCKER_OS },
	{ STRING(runtime_platform, "cpuArchitecture", cpu_architecture),
	  .values = VALUES("X86_64", "ARM64"), .needs = CAPABILITY_DOCKER_ARCHITECTURE },
};
static const struct schema runtime_platform_schema =
	SCHEMA(runtime_platform, "runtime platform", runtime_platform_fields);

static const struct field proxy_fields[] = {
	{ STRING(proxy_configuration, "type", type) },
	{ STRING(proxy_configuration, "containerName", container_name) },
	{ PAIR_LIST(proxy_configuration, "properties", properties) },
};
static const struct schema proxy_schema =
	SCHEMA(proxy_configuration, "proxy configuration", proxy_fields);

static const struct field fields[] = {
	{ STRING_AT(task_definition, "family", family),
	  .flags = FIELD_REQUIRED | FIELD_NAME | FIELD_ECS_NAME },
	{ STRING_LIST(task_definition, "requiresCompatibilities", requires_compatibilities),
	  .values = VALUES("PROCESS", "EC2", "EXTERNAL", "FARGATE", "MANAGED_INSTANCES"),
	  .note = "PROCESS, beyond ECS: native processes; all others are containers" },
	{ STRING(task_definition, "networkMode", network_mode), .flags = FIELD_CONTAINER_ONLY,
	  .values = VALUES("none", "bridge", "awsvpc", "host", "default"),
	  .note = "awsvpc: the containers share one network namespace, and their ports are "
		  "published on the node as they are" },
	{ STRING(task_definition, "pidMode", pid_mode), .flags = FIELD_CONTAINER_ONLY,
	  .values = VALUES("host", "task"), .needs = CAPABILITY_NAMESPACES },
	{ STRING(task_definition, "ipcMode", ipc_mode), .flags = FIELD_CONTAINER_ONLY,
	  .values = VALUES("host", "task", "none"), .unless = VALUES("none"),
	  .needs = CAPABILITY_NAMESPACES },
	{ INTEGER(task_definition, "cpu", cpu), .flags = FIELD_CPU_UNITS, RANGE(1, CPU_MAX),
	  .needs = CAPABILITY_TASK_LIMITS, .alone_needs = CAPABILITY_DOCKER_CPU_LIMIT,
	  .process_needs = CAPABILITY_CPU_LIMIT,
	  .note = "of all containers together; where the agent cannot make a control group that "
		  "the "
		  "engine uses, only tasks of one container are placed" },
	{ INTEGER(task_definition, "memory", memory), .flags = FIELD_SIZE_MIB, RANGE(1, MIB_MAX),
	  .needs = CAPABILITY_TASK_LIMITS, .alone_needs = CAPABILITY_DOCKER_MEMORY_LIMIT,
	  .process_needs = CAPABILITY_MEMORY_LIMIT,
	  .note = "of all containers together; where the agent cannot make a control group that "
		  "the "
		  "engine uses, only tasks of one container are placed" },
	{ INTEGER(task_definition, "pidsLimit", pids_limit), RANGE(1, 1 << 22),
	  .needs = CAPABILITY_DOCKER_PIDS_LIMIT, .process_needs = CAPABILITY_PIDS_LIMIT,
	  .note = "beyond ECS: processes and threads of the task" },
	{ OBJECT(task_definition, "runtimePlatform", runtime_platform, runtime_platform_schema) },
	{ OBJECT_LIST(task_definition, "placementConstraints", placement_constraints,
		      placement_constraint_schema),
	  RANGE(0, LIMIT_CONSTRAINTS) },
	{ OBJECT_LIST(task_definition, "containerDefinitions", container_definitions,
		      container_definition_schema),
	  .flags = FIELD_REQUIRED, RANGE(1, LIMIT_CONTAINERS) },
	{ OBJECT_LIST(task_definition, "volumes", volumes, volume_schema),
	  .flags = FIELD_CONTAINER_ONLY, RANGE(0, LIST_MAX) },
	{ OBJECT(task_definition, "proxyConfiguration", proxy_configuration, proxy_schema),
	  .flags = FIELD_CONTAINER_ONLY | FIELD_NOT_OFFERED, .needs = CAPABILITY_APP_MESH },
	{ AWS_ONLY("taskRoleArn", "an IAM role") },
	{ AWS_ONLY("executionRoleArn", "an IAM role") },
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
