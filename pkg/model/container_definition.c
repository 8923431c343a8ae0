/* The fields of a container definition; reference section 4.3. */
#include "model/tables.h"

#include <string.h>

#define VALUE_FROM                                                                                 \
	"file:/PATH or env:NAME on the node; an ARN or the name of a parameter only where the "    \
	"Cluster manifest maps it"

static const char *secret_needs(const char *value_from)
{
	static const char *const needs[] = { [SECRET_FILE] = NULL,
					     [SECRET_ENV] = NULL,
					     [SECRET_ASM] = CAPABILITY_SECRETS_ASM,
					     [SECRET_SSM] = CAPABILITY_SECRETS_SSM };
	return needs[secret_source_of(value_from)];
}
static const struct field secret_fields[] = {
	{ STRING(key_value_secret, "name", name), .flags = FIELD_REQUIRED },
	{ STRING(key_value_secret, "valueFrom", value_from), .flags = FIELD_REQUIRED,
	  .needs_of = secret_needs, .note = VALUE_FROM },
};
static const struct schema secret_schema = SCHEMA(key_value_secret, "secret", secret_fields);

static const char *log_secret_needs(const char *value_from)
{
	static const char *const needs[] = { [SECRET_FILE] = CAPABILITY_DOCKER_LOG_SECRETS,
					     [SECRET_ENV] = CAPABILITY_DOCKER_LOG_SECRETS,
					     [SECRET_ASM] = CAPABILITY_LOG_SECRETS_ASM,
					     [SECRET_SSM] = CAPABILITY_LOG_SECRETS_SSM };
	return needs[secret_source_of(value_from)];
}
static const struct field secret_option_fields[] = {
	{ STRING(key_value_secret, "name", name), .flags = FIELD_REQUIRED },
	{ STRING(key_value_secret, "valueFrom", value_from), .flags = FIELD_REQUIRED,
	  .needs_of = log_secret_needs, .note = VALUE_FROM },
};
static const struct schema secret_option_schema =
	SCHEMA(key_value_secret, "secret option", secret_option_fields);

static const struct field port_mapping_fields[] = {
	{ INTEGER(port_mapping, "containerPort", container_port), RANGE(1, 65535),
	  .note = "with networkMode host or awsvpc it is the host's port, too" },
	{ INTEGER(port_mapping, "hostPort", host_port), RANGE(0, 65535),
	  .note = "0 or absent with networkMode bridge: a free port" },
	{ STRING(port_mapping, "protocol", protocol), .values = VALUES("tcp", "udp") },
	{ STRING(port_mapping, "name", name), .flags = FIELD_NO_EFFECT,
	  .note = AWS_NOTE("a name for Service Connect") },
	{ STRING(port_mapping, "appProtocol", app_protocol), .flags = FIELD_NO_EFFECT,
	  .values = VALUES("http", "http2", "grpc"), .note = AWS_NOTE("for Service Connect") },
	{ STRING(port_mapping, "containerPortRange", container_port_range),
	  .needs = CAPABILITY_PORT_RANGE, .note = "as 8000-8010; not on the host's network" },
};
static const struct schema port_mapping_schema =
	SCHEMA(port_mapping, "port mapping", port_mapping_fields);

static const struct field mount_point_fields[] = {
	{ STRING(mount_point, "sourceVolume", source_volume), .flags = FIELD_REQUIRED },
	{ STRING(mount_point, "containerPath", container_path), .flags = FIELD_REQUIRED },
	{ BOOLEAN(mount_point, "readOnly", read_only) },
};
static const struct schema mount_point_schema =
	SCHEMA(mount_point, "mount point", mount_point_fields);

static const struct field volume_from_fields[] = {
	{ STRING(volume_from, "sourceContainer", source_container), .flags = FIELD_REQUIRED },
	{ BOOLEAN(volume_from, "readOnly", read_only) },
};
static const struct schema volume_from_schema =
	SCHEMA(volume_from, "volumesFrom entry", volume_from_fields);

static const struct field dependency_fields[] = {
	{ STRING(container_dependency, "containerName", container_name), .flags = FIELD_REQUIRED },
	{ STRING(container_dependency, "condition", condition), .flags = FIELD_REQUIRED,
	  .values = VALUES("START", "COMPLETE", "SUCCESS", "HEALTHY") },
};
static const struct schema dependency_schema =
	SCHEMA(container_dependency, "container dependency", dependency_fields);

static const struct field health_check_fields[] = {
	{ STRING_LIST(health_check, "command", command), .flags = FIELD_REQUIRED,
	  RANGE(1, INT32_MAX), .unless = VALUES("NONE"), .needs = CAPABILITY_CONTAINER_HEALTH,
	  .process_needs = CAPABILITY_HEALTH_CHECK,
	  .note = "[CMD, program, argument...], [CMD-SHELL, line], [NONE], or a bare command" },
	{ INTEGER(health_check, "interval", interval), RANGE(1, 300),
	  .note = "seconds, default 30; ECS takes 5 and more" },
	{ INTEGER(health_check, "timeout", timeout), RANGE(1, 120),
	  .note = "seconds, default 5; ECS takes 2 and more" },
	{ INTEGER(health_check, "retries", retries), RANGE(1, 10), .note = "default 3" },
	{ INTEGER(health_check, "startPeriod", start_period), RANGE(0, 300),
	  .note = "seconds, default 0" },
};
static const struct schema health_check_schema =
	SCHEMA(health_check, "health check", health_check_fields);

static const struct field restart_policy_fields[] = {
	{ BOOLEAN(restart_policy, "enabled", enabled), .flags = FIELD_REQUIRED,
	  .needs = CAPABILITY_CONTAINER_RESTART, .process_needs = CAPABILITY_RESTART_POLICY },
	{ STRING_LIST(restart_policy, "ignoredExitCodes", ignored_exit_codes), RANGE(0, 50) },
	{ INTEGER(restart_policy, "restartAttemptPeriod", restart_attempt_period),
	  RANGE(60, 1800) },
};
static const struct schema restart_policy_schema =
	SCHEMA(restart_policy, "restart policy", restart_policy_fields);

static const struct field ulimit_fields[] = {
	{ STRING(ulimit, "name", name), .flags = FIELD_REQUIRED,
	  .values = VALUES("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice",
			   "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack") },
	{ INTEGER(ulimit, "softLimit", soft_limit), .flags = FIELD_REQUIRED, RANGE(-1, INT64_MAX) },
	{ INTEGER(ulimit, "hardLimit", hard_limit), .flags = FIELD_REQUIRED, RANGE(-1, INT64_MAX) },
};
static const struct schema ulimit_schema = SCHEMA(ulimit, "ulimit", ulimit_fields);

static const struct field log_configuration_fields[] = {
	{ STRING(log_configuration, "logDriver", log_driver), .flags = FIELD_REQUIRED,
	  .unless = VALUES("awslogs", "awsfirelens", "none"), .needs = CAPABILITY_LOG_DRIVER,
	  .note = "awslogs and awsfirelens: what logDrivers of the Cluster manifest maps them to, "
		  "else the engine's own driver, with a warning" },
	{ STRING_MAP(log_configuration, "options", options), .flags = FIELD_SECRET },
	{ OBJECT_LIST(log_configuration, "secretOptions", secret_options, secret_option_schema) },
};
static const struct schema log_configuration_schema =
	SCHEMA(log_configuration, "log configuration", log_configuration_fields);

#define KERNEL_CAPABILITIES                                                                        \
	VALUES("ALL", "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF",        \
	       "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",         \
	       "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", \
	       "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST",          \
	       "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG",           \
	       "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT",       \
	       "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG",            \
	       "WAKE_ALARM")

static const struct field kernel_capabilities_fields[] = {
	{ STRING_LIST(kernel_capabilities, "add", add), .values = KERNEL_CAPABILITIES },
	{ STRING_LIST(kernel_capabilities, "drop", drop), .values = KERNEL_CAPABILITIES },
};
static const struct schema kernel_capabilities_schema =
	SCHEMA(kernel_capabilities, "kernel capabilities", kernel_capabilities_fields);

static const struct field device_fields[] = {
	{ STRING(device, "hostPath", host_path), .flags = FIELD_REQUIRED },
	{ STRING(device, "containerPath", container_path) },
	{ STRING_LIST(device, "permissions", permissions),
	  .values = VALUES("read", "write", "mknod") },
};
static const struct schema device_schema = SCHEMA(device, "device", device_fields);

static const struct field tmpfs_fields[] = {
	{ STRING(tmpfs, "containerPath", container_path), .flags = FIELD_REQUIRED },
	{ INTEGER(tmpfs, "size", size), .flags = FIELD_REQUIRED, RANGE(1, MIB_MAX), .note = "MiB" },
	{ STRING_LIST(tmpfs, "mountOptions", mount_options) },
};
static const struct schema tmpfs_schema = SCHEMA(tmpfs, "tmpfs", tmpfs_fields);

static const struct field linux_parameters_fields[] = {
	{ OBJECT(linux_parameters, "capabilities", capabilities, kernel_capabilities_schema) },
	{ OBJECT_LIST(linux_parameters, "devices", devices, device_schema) },
	{ BOOLEAN(linux_parameters, "initProcessEnabled", init_process_enabled),
	  .needs = CAPABILITY_DOCKER_INIT },
	{ INTEGER(linux_parameters, "sharedMemorySize", shared_memory_size), RANGE(0, MIB_MAX),
	  .note = "MiB" },
	{ INTEGER(linux_parameters, "maxSwap", max_swap), RANGE(0, MIB_MAX),
	  .needs = CAPABILITY_DOCKER_SWAP_LIMIT, .note = "MiB beyond memory; 0: no swap" },
	{ INTEGER(linux_parameters, "swappiness", swappiness), RANGE(0, 100),
	  .needs = CAPABILITY_DOCKER_SWAP_LIMIT, .note = "only with maxSwap" },
	{ OBJECT_LIST(linux_parameters, "tmpfs", tmpfs, tmpfs_schema) },
};
static const struct schema linux_parameters_schema =
	SCHEMA(linux_parameters, "Linux parameters", linux_parameters_fields);

static const struct field host_entry_fields[] = {
	{ STRING(host_entry, "hostname", hostname), .flags = FIELD_REQUIRED },
	{ STRING(host_entry, "ipAddress", ip_address), .flags = FIELD_REQUIRED },
};
static const struct schema host_entry_schema = SCHEMA(host_entry, "extra host", host_entry_fields);

static const struct field system_control_fields[] = {
	{ STRING(system_control, "namespace", namespace_name), .flags = FIELD_REQUIRED },
	{ STRING(system_control, "value", value), .flags = FIELD_REQUIRED },
};
static const struct schema system_control_schema =
	SCHEMA(system_control, "system control", system_control_fields);

static const struct field resource_requirement_fields[] = {
	{ STRING(resource_requirement, "type", type), .flags = FIELD_REQUIRED,
	  .values = VALUES("GPU", "InferenceAccelerator", "NeuronDevice"),
	  .needs = CAPABILITY_DOCKER_DEVICES },
	{ STRING(resource_requirement, "value", value), .flags = FIELD_REQUIRED },
};
static const struct schema resource_requirement_schema =
	SCHEMA(resource_requirement, "resource requirement", resource_requirement_fields);

static const char *environment_file_needs(const char *value)
{
	return environment_file_place_of(value) == ENVIRONMENT_FILE_AWS
		       ? CAPABILITY_ENVIRONMENT_FILES_S3
		       : CAPABILITY_DOCKER_ENVIRONMENT_FILES;
}
static const struct field environment_file_fields[] = {
	{ STRING(environment_file, "value", value), .flags = FIELD_REQUIRED,
	  .needs_of = environment_file_needs,
	  .note = "a path in the repository, or file:/PATH on the node; an ARN is accepted, and "
		  "the task not placed" },
	{ STRING(environment_file, "type", type), .flags = FIELD_REQUIRED,
	  .values = VALUES("file", "s3"), .note = "either: value decides" },
	{ STRING(environment_file, "content", content), .flags = FIELD_DERIVED | FIELD_SECRET },
};
static const struct schema environment_file_schema =
	SCHEMA(environment_file, "environment file", environment_file_fields);

static const struct field repository_credentials_fields[] = {
	{ STRING(repository_credentials, "credentialsParameter", credentials_parameter),
	  .flags = FIELD_REQUIRED },
};
static const struct schema repository_credentials_schema =
	SCHEMA(repository_credentials, "repository credentials", repository_credentials_fields);

static const struct field config_file_fields[] = {
	{ STRING(config_file, "source", source), .flags = FIELD_REQUIRED },
	{ STRING(config_file, "path", path), .flags = FIELD_REQUIRED },
	{ STRING(config_file, "mode", mode) },
	{ STRING(config_file, "user", user) },
	{ STRING(config_file, "content", content), .flags = FIELD_DERIVED | FIELD_SECRET },
};
static const struct schema config_file_schema = SCHEMA(config_file, "file", config_file_fields);

/* Docker takes "apparmor=X" for "apparmor:X" as well. */
static bool option_is(const char *option, const char *name)
{
	size_t len = strlen(name);
	return strncmp(option, name, len) == 0 && (option[len] == ':' || option[len] == '=');
}

static const char *security_option_needs(const char *option)
{
	return option_is(option, "apparmor")	     ? CAPABILITY_APPARMOR
	       : option_is(option, "label")	     ? CAPABILITY_SELINUX
	       : option_is(option, "credentialspec") ? CAPABILITY_GMSA
						     : NULL;
}

/* In the order in which a person would write them: so are they printed. */
static const struct field fields[] = {
	{ STRING(container_definition, "name", name), .flags = FIELD_REQUIRED | FIELD_ECS_NAME },
	{ STRING(container_definition, "image", image), .flags = FIELD_CONTAINER_ONLY,
	  .note = "[REGISTRY/]NAME[:TAG][@sha256:DIGEST]; a tag is resolved to a digest once a "
		  "deployment" },
	{ STRING(container_definition, "imagePullPolicy", image_pull_policy),
	  .flags = FIELD_CONTAINER_ONLY, .values = VALUES("Always", "IfNotPresent", "Never"),
	  .note = "beyond ECS; default Always for no tag and for latest, else IfNotPresent" },
	{ OBJECT(container_definition, "repositoryCredentials", repository_credentials,
		 repository_credentials_schema),
	  .flags = FIELD_CONTAINER_ONLY | FIELD_NO_EFFECT,
	  .note = "credentials for registries are of the node's agent" },
	{ STRING(container_definition, "versionConsistency", version_consistency),
	  .flags = FIELD_CONTAINER_ONLY, .values = VALUES("enabled", "disabled"),
	  .note = "disabled: the tag is not resolved" },
	{ STRING_LIST(container_definition, "entryPoint", entry_point) },
	{ STRING_LIST(container_definition, "command", command) },
	{ STRING(container_definition, "workingDirectory", working_directory) },
	{ STRING(container_definition, "user", user), .process_needs = CAPABILITY_USER },
	{ BOOLEAN(container_definition, "essential", essential),
	  .note = "default true: its exit stops the task" },
	{ INTEGER(container_definition, "cpu", cpu), RANGE(0, 262144), .unless = VALUES("0"),
	  .needs = CAPABILITY_DOCKER_CPU_SHARES, .process_needs = CAPABILITY_CPU_LIMIT,
	  .note = "units of 1/1024 CPU" },
	{ INTEGER(container_definition, "memory", memory), RANGE(1, MIB_MAX),
	  .needs = CAPABILITY_DOCKER_MEMORY_LIMIT, .process_needs = CAPABILITY_MEMORY_LIMIT,
	  .note = "MiB; of containers at least 6" },
	{ INTEGER(container_definition, "memoryReservation", memory_reservation), RANGE(1, MIB_MAX),
	  .needs = CAPABILITY_DOCKER_MEMORY_LIMIT,
	  .note = "MiB; a soft limit, and what placement counts" },
	{ PAIR_LIST(container_definition, "environment", environment), .flags = FIELD_SECRET },
	{ OBJECT_LIST(container_definition, "environmentFiles", environment_files,
		      environment_file_schema),
	  .flags = FIELD_CONTAINER_ONLY, RANGE(0, 10) },
	{ OBJECT_LIST(container_definition, "secrets", secrets, secret_schema),
	  .needs = CAPABILITY_DOCKER_SECRETS, .process_needs = CAPABILITY_SECRETS },
	{ OBJECT_LIST(container_definition, "files", files, config_file_schema),
	  .needs = CAPABILITY_DOCKER_FILES, .process_needs = CAPABILITY_FILES,
	  .note = "beyond ECS" },
	{ OBJECT_LIST(container_definition, "portMappings", port_mappings, port_mapping_schema),
	  RANGE(0, 100) },
	{ OBJECT_LIST(container_definition, "mountPoints", mount_points, mount_point_schema),
	  .flags = FIELD_CONTAINER_ONLY, RANGE(0, LIST_MAX) },
	{ OBJECT_LIST(container_definition, "volumesFrom", volumes_from, volume_from_schema),
	  .flags = FIELD_CONTAINER_ONLY, RANGE(0, LIST_MAX) },
	{ STRING_LIST(container_definition, "links", links), .flags = FIELD_CONTAINER_ONLY,
	  .needs = CAPABILITY_DOCKER_LINKS, .note = "networkMode bridge only" },
	{ OBJECT_LIST(container_definition, "dependsOn", depends_on, dependency_schema),
	  RANGE(0, LIST_MAX), .needs = CAPABILITY_ORDERING,
	  .process_needs = CAPABILITY_DEPENDS_ON },
	{ INTEGER(container_definition, "startTimeout", start_timeout), RANGE(0, SECONDS_MAX),
	  .note = "seconds" },
	{ INTEGER(container_definition, "stopTimeout", stop_timeout), RANGE(0, SECONDS_MAX),
	  .note = "seconds, default 30" },
	{ OBJECT(container_definition, "healthCheck", health_check, health_check_schema) },
	{ OBJECT(container_definition, "restartPolicy", restart_policy, restart_policy_schema) },
	{ OBJECT_LIST(container_definition, "ulimits", ulimits, ulimit_schema) },
	{ OBJECT(container_definition, "logConfiguration", log_configuration,
		 log_configuration_schema),
	  .flags = FIELD_CONTAINER_ONLY },
	{ STRING(container_definition, "hostname", hostname), .flags = FIELD_CONTAINER_ONLY,
	  .note = "not with networkMode awsvpc" },
	{ BOOLEAN(container_definition, "privileged", privileged), .flags = FIELD_CONTAINER_ONLY,
	  .needs = CAPABILITY_PRIVILEGED },
	{ BOOLEAN(container_definition, "readonlyRootFilesystem", readonly_root_filesystem),
	  .flags = FIELD_CONTAINER_ONLY },
	{ BOOLEAN(container_definition, "interactive", interactive),
	  .flags = FIELD_CONTAINER_ONLY },
	{ BOOLEAN(container_definition, "pseudoTerminal", pseudo_terminal),
	  .flags = FIELD_CONTAINER_ONLY },
	{ BOOLEAN(container_definition, "disableNetworking", disable_networking),
	  .flags = FIELD_CONTAINER_ONLY },
	{ OBJECT(container_definition, "linuxParameters", linux_parameters,
		 linux_parameters_schema),
	  .flags = FIELD_CONTAINER_ONLY },
	{ STRING_MAP(container_definition, "dockerLabels", docker_labels),
	  .flags = FIELD_CONTAINER_ONLY },
	{ OBJECT_LIST(container_definition, "extraHosts", extra_hosts, host_entry_schema),
	  .flags = FIELD_CONTAINER_ONLY, .note = "not with networkMode awsvpc" },
	{ STRING_LIST(container_definition, "dnsServers", dns_servers),
	  .flags = FIELD_CONTAINER_ONLY },
	{ STRING_LIST(container_definition, "dnsSearchDomains", dns_search_domains),
	  .flags = FIELD_CONTAINER_ONLY },
	{ STRING_LIST(container_definition, "dockerSecurityOptions", docker_security_options),
	  .flags = FIELD_CONTAINER_ONLY, .needs_of = security_option_needs,
	  .note = "no-new-privileges, apparmor:PROFILE, label:VALUE, seccomp:unconfined" },
	{ OBJECT_LIST(container_definition, "systemControls", system_controls,
		      system_control_schema),
	  .flags = FIELD_CONTAINER_ONLY,
	  .note = "kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.*, net.*" },
	{ OBJECT_LIST(container_definition, "resourceRequirements", resource_requirements,
		      resource_requirement_schema),
	  .flags = FIELD_CONTAINER_ONLY },
	{ STRING_LIST(container_definition, "credentialSpecs", credential_specs),
	  .flags = FIELD_CONTAINER_ONLY | FIELD_NOT_OFFERED, RANGE(0, 1),
	  .needs = CAPABILITY_GMSA },
	{ AWS_ONLY("firelensConfiguration", "FireLens log routing") },
};
const struct schema container_definition_schema =
	SCHEMA(container_definition, "container definition", fields);
