/* Capabilities: what a task definition needs, and what the names mean. */
#include "model/model.h"

#include <string.h>

bool log_driver_is_aws(const char *log_driver)
{
	return strcmp(log_driver, "awslogs") == 0 || strcmp(log_driver, "awsfirelens") == 0;
}

/* The engine's own log driver takes the place of those of AWS: nothing of theirs is needed. */
static const struct task_definition *without_aws_logs(const struct task_definition *td,
						      struct arena *arena)
{
	uint32_t count = td->container_definitions.len;
	struct task_definition *copy = ARENA_NEW(arena, struct task_definition);
	struct container_definition *own = ARENA_ARRAY(arena, struct container_definition, count);
	*copy = *td;
	copy->container_definitions.items = own;
	for (uint32_t i = 0; i < count; i++) {
		own[i] = td->container_definitions.items[i];
		if (own[i].log_configuration && own[i].log_configuration->log_driver &&
		    log_driver_is_aws(own[i].log_configuration->log_driver))
			own[i].log_configuration = NULL;
	}
	return copy;
}

struct str_list task_definition_capabilities(const struct task_definition *td, struct arena *arena)
{
	enum needs_kind kind = task_definition_engine(td) == ENGINE_PROCESS ? NEEDS_PROCESS
			       : td->container_definitions.len == 1	    ? NEEDS_ONE_CONTAINER
									    : NEEDS_CONTAINERS;
	return schema_needs(&task_definition_schema, without_aws_logs(td, arena), kind, arena);
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

enum environment_file_place environment_file_place_of(const char *value)
{
	if (starts_with(value, "file:"))
		return ENVIRONMENT_FILE_NODE;
	return value[0] == '/' || strpbrk(value, ":$<{") ? ENVIRONMENT_FILE_AWS
							 : ENVIRONMENT_FILE_REPOSITORY;
}

enum secret_source secret_source_of(const char *value_from)
{
	if (starts_with(value_from, "file:"))
		return SECRET_FILE;
	if (starts_with(value_from, "env:"))
		return SECRET_ENV;
	return starts_with(value_from, "arn:") && strstr(value_from, ":secretsmanager:")
		       ? SECRET_ASM
		       : SECRET_SSM;
}

/* Words for a name; one that ends in '.' or ':' goes on with the rest of the name, in quotes. */
static const struct {
	const char *name, *words;
} meanings[] = {
	{ CAPABILITY_SURGE, "starting the new task before the old one stops (maximumPercent)" },
	{ CAPABILITY_MEMORY_LIMIT, "limits of memory for processes" },
	{ CAPABILITY_CPU_LIMIT, "limits of CPU for processes" },
	{ CAPABILITY_PIDS_LIMIT, "limits of the number of processes" },
	{ CAPABILITY_USER, "processes of another user than the agent's" },
	{ CAPABILITY_DEPENDS_ON, "dependsOn between processes" },
	{ CAPABILITY_HEALTH_CHECK, "health checks of processes" },
	{ CAPABILITY_RESTART_POLICY, "restartPolicy of processes" },
	{ CAPABILITY_FILES, "files for processes" },
	{ CAPABILITY_SECRETS, "secrets for processes" },
	{ CAPABILITY_PRIVILEGED, "privileged containers" },
	{ CAPABILITY_LOG_DRIVER, "the log driver" },
	{ CAPABILITY_APPARMOR, "AppArmor profiles" },
	{ CAPABILITY_SELINUX, "SELinux labels" },
	{ CAPABILITY_ORDERING, "dependsOn between containers" },
	{ CAPABILITY_CONTAINER_HEALTH, "health checks of containers" },
	{ CAPABILITY_CONTAINER_RESTART, "restartPolicy of containers" },
	{ CAPABILITY_PORT_RANGE, "containerPortRange" },
	{ CAPABILITY_NAMESPACES, "pidMode and ipcMode" },
	{ CAPABILITY_TASK_LIMITS, "limits of cpu and memory for a task of several containers" },
	{ CAPABILITY_VOLUME_DRIVER, "the volume driver" },
	{ CAPABILITY_DOCKER_ENVIRONMENT_FILES, "environmentFiles of the repository or the node" },
	{ CAPABILITY_ENVIRONMENT_FILES_S3, "environmentFiles in Amazon S3" },
	{ CAPABILITY_DOCKER_MEMORY_LIMIT, "limits of memory for containers" },
	{ CAPABILITY_DOCKER_CPU_LIMIT, "limits of CPU for containers" },
	{ CAPABILITY_DOCKER_CPU_SHARES, "shares of CPU for containers" },
	{ CAPABILITY_DOCKER_PIDS_LIMIT, "limits of the number of processes in containers" },
	{ CAPABILITY_DOCKER_SWAP_LIMIT, "limits of swap for containers" },
	{ CAPABILITY_DOCKER_INIT, "an init process in containers" },
	{ CAPABILITY_DOCKER_LINKS, "links between containers" },
	{ CAPABILITY_DOCKER_FILES, "files for containers" },
	{ CAPABILITY_DOCKER_SECRETS, "secrets for containers" },
	{ CAPABILITY_DOCKER_LOG_SECRETS, "secretOptions of log drivers" },
	{ CAPABILITY_DOCKER_DEVICES, "devices of the kind" },
	{ CAPABILITY_DOCKER_ARCHITECTURE, "the CPU architecture" },
	{ CAPABILITY_DOCKER_OS, "the operating system" },
	{ CAPABILITY_SECRETS_ASM,
	  "secrets of AWS Secrets Manager that no mapping of the Cluster covers" },
	{ CAPABILITY_SECRETS_SSM,
	  "parameters of AWS Systems Manager that no mapping of the Cluster covers" },
	{ CAPABILITY_LOG_SECRETS_ASM,
	  "secretOptions of AWS Secrets Manager that no mapping of the Cluster covers" },
	{ CAPABILITY_LOG_SECRETS_SSM,
	  "secretOptions of AWS Systems Manager that no mapping of the Cluster covers" },
	{ CAPABILITY_EFS, "Amazon EFS file systems" },
	{ CAPABILITY_FSX, "Amazon FSx file systems" },
	{ CAPABILITY_S3FILES, "Amazon S3 file systems" },
	{ CAPABILITY_EBS, "volumes that are configured at launch" },
	{ CAPABILITY_GMSA, "credential specifications of Windows" },
	{ CAPABILITY_APP_MESH, "the AWS App Mesh proxy" },
};

const char *capability_words(const char *name, struct arena *arena)
{
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		size_t len = strlen(meanings[i].name);
		bool open = meanings[i].name[len - 1] == '.';
		if (!open && strcmp(meanings[i].name, name) == 0)
			return meanings[i].words;
		if (open && strncmp(meanings[i].name, name, len) == 0)
			return arena_printf(arena, "%s \"%s\"", meanings[i].words, name + len);
	}
	return NULL;
}
