/*
 * model: what users declare (task definition, daemon service, node, cluster) and what runs (node,
 * task), with the names of Amazon ECS and Kubernetes where they have one.
 *
 * Values only: no behaviour but digests and derived numbers. Structs live in the arena of whoever
 * read them and are not changed afterwards. NULL / unset means "not given".
 */
#ifndef MUSTER_MODEL_H
#define MUSTER_MODEL_H

#include "model/schema.h"

/* Limits of DESIGN section 10 and of ECS. */
#define LIMIT_NODES		10000
#define LIMIT_SERVICES		1000
#define LIMIT_TASKS_PER_NODE	100
#define LIMIT_FILE_BYTES	(1 << 20)   /* a manifest file */
#define LIMIT_DOCUMENT_BYTES	(1 << 20)   /* a store document */
#define LIMIT_TREE_BYTES	(64 << 20)  /* all files of a source tree together */
#define LIMIT_TASK_FILES_BYTES	(256 << 10) /* `files` and environment files of a task together */
#define LIMIT_DEPTH		64	    /* nesting of a YAML or JSON document */
#define LIMIT_EXPRESSION_CHARS	2000
#define LIMIT_CONSTRAINTS	10  /* of a service and its task definition together */
#define LIMIT_CONTAINERS	10  /* of a task definition */
#define LIMIT_CUSTOM_ATTRIBUTES 100 /* of a node; ECS allows 10 */
#define LIMIT_ATTRIBUTE_CHARS	128 /* name, and value */
#define LIMIT_SERVICE_EVENTS	100
#define LIMIT_CLUSTER_MAPPINGS	100 /* logDrivers of a cluster, and secrets */
#define LIMIT_LOG_OPTIONS	100 /* of a log driver mapping */
#define LIMIT_ROLLOUT_STEPS	20
#define LIMIT_OVERRIDES		32 /* of a service */
#define LIMIT_WINDOWS		50 /* of a service, and of a cluster */
#define LIMIT_TIME_ZONE_CHARS	64
#define MIN_NODE_TIMEOUT_S	15 /* agents beat every 8 to 12 s: with less, all would seem lost */

/* Defaults. */
#define DEFAULT_CLUSTER		    "default"
#define DEFAULT_MIN_READY_SECONDS   10
#define DEFAULT_MIN_HEALTHY_PERCENT 90
#define DEFAULT_MAX_PERCENT	    100
#define DEFAULT_STOP_TIMEOUT_S	    30
#define DEFAULT_NODE_TIMEOUT_S	    30
#define DEFAULT_MONITOR_S	    60
#define DEFAULT_PROGRESS_DEADLINE_S 600
#define DEFAULT_MAX_PARALLEL_PULLS  50
#define DEFAULT_BREAKER_VALUE	    50 /* of type BOUNDED_PERCENT */
#define DEFAULT_MASS_CHANGE_PERCENT 20
#define DEFAULT_TIME_ZONE	    "UTC"

/* --- task definition: the fields of ECS, reference section 4 ---------------------------------- */

struct key_value_secret {
	struct pos pos;
	const char *name, *value_from;
};
struct port_mapping {
	struct pos pos;
	struct opt_int container_port, host_port;
	const char *protocol; /* tcp (default), udp */
	const char *name, *app_protocol, *container_port_range;
};
struct mount_point {
	struct pos pos;
	const char *source_volume, *container_path;
	enum opt_bool read_only;
};
struct volume_from {
	struct pos pos;
	const char *source_container;
	enum opt_bool read_only;
};
struct container_dependency {
	struct pos pos;
	const char *container_name;
	const char *condition; /* START COMPLETE SUCCESS HEALTHY */
};
struct health_check {
	struct pos pos;
	struct str_list command;
	struct opt_int interval, timeout, retries, start_period; /* seconds; retries a count */
};
struct restart_policy {
	struct pos pos;
	enum opt_bool enabled;
	struct str_list ignored_exit_codes; /* decimal */
	struct opt_int restart_attempt_period;
};
struct ulimit {
	struct pos pos;
	const char *name;
	struct opt_int soft_limit, hard_limit; /* -1: unlimited */
};
struct log_configuration {
	struct pos pos;
	const char *log_driver;
	struct str_map options;
	LIST_OF(struct key_value_secret) secret_options;
};
struct kernel_capabilities {
	struct pos pos;
	struct str_list add, drop;
};
struct device {
	struct pos pos;
	const char *host_path, *container_path;
	struct str_list permissions;
};
struct tmpfs {
	struct pos pos;
	const char *container_path;
	struct opt_int size;
	struct str_list mount_options;
};
struct linux_parameters {
	struct pos pos;
	struct kernel_capabilities *capabilities;
	LIST_OF(struct device) devices;
	enum opt_bool init_process_enabled;
	struct opt_int shared_memory_size, max_swap, swappiness;
	LIST_OF(struct tmpfs) tmpfs;
};
struct host_entry {
	struct pos pos;
	const char *hostname, *ip_address;
};
struct system_control {
	struct pos pos;
	const char *namespace_name, *value;
};
struct resource_requirement {
	struct pos pos;
	const char *type, *value;
};
struct environment_file {
	struct pos pos;
	const char *value, *type;
	const char *content; /* of one in the repository: base64 */
};
struct repository_credentials {
	struct pos pos;
	const char *credentials_parameter;
};
struct config_file { /* beyond ECS, DESIGN section 4: `files` */
	struct pos pos;
	const char *source, *path, *mode, *user;
	const char *content; /* of source: base64 */
};

struct container_definition {
	struct pos pos;
	const char *name;
	const char *image;	       /* NULL for PROCESS */
	const char *image_pull_policy; /* Kubernetes': Always IfNotPresent Never */
	struct repository_credentials *repository_credentials;
	struct opt_int cpu, memory, memory_reservation; /* units, MiB, MiB */
	enum opt_bool essential;			/* default true */
	struct str_list command, entry_point;
	struct str_map environment; /* sorted by name */
	LIST_OF(struct environment_file) environment_files;
	LIST_OF(struct key_value_secret) secrets;
	LIST_OF(struct port_mapping) port_mappings;
	LIST_OF(struct mount_point) mount_points;
	LIST_OF(struct volume_from) volumes_from;
	struct str_list links;
	LIST_OF(struct container_dependency) depends_on;
	struct opt_int start_timeout, stop_timeout; /* seconds */
	struct health_check *health_check;
	struct restart_policy *restart_policy;
	LIST_OF(struct ulimit) ulimits;
	struct log_configuration *log_configuration;
	const char *user, *working_directory, *hostname;
	enum opt_bool privileged, readonly_root_filesystem, interactive, pseudo_terminal,
		disable_networking;
	struct linux_parameters *linux_parameters;
	struct str_map docker_labels;
	LIST_OF(struct host_entry) extra_hosts;
	struct str_list dns_servers, dns_search_domains, docker_security_options;
	LIST_OF(struct system_control) system_controls;
	LIST_OF(struct resource_requirement) resource_requirements;
	const char *version_consistency;
	struct str_list credential_specs;
	LIST_OF(struct config_file) files;
};

struct volume_host {
	struct pos pos;
	const char *source_path;
};
struct docker_volume_configuration {
	struct pos pos;
	const char *scope, *driver;
	enum opt_bool autoprovision;
	struct str_map driver_opts, labels;
};
/* Volumes that only AWS has are kept, so that a task that needs one is not placed without it. */
struct volume_authorization {
	struct pos pos;
	const char *access_point_id, *iam;	    /* EFS */
	const char *credentials_parameter, *domain; /* FSx */
};
struct aws_volume {
	struct pos pos;
	const char *file_system_id, *root_directory;
	const char *transit_encryption;			   /* EFS */
	struct opt_int transit_encryption_port;		   /* EFS, S3 Files */
	struct volume_authorization *authorization_config; /* EFS, FSx */
	const char *file_system_arn, *access_point_arn;	   /* S3 Files */
};
struct volume {
	struct pos pos;
	const char *name;
	struct volume_host *host;
	struct docker_volume_configuration *docker_volume_configuration;
	enum opt_bool configured_at_launch;
	struct aws_volume *efs, *fsx, *s3files;
};

struct placement_constraint {
	struct pos pos;
	const char *type;	  /* memberOf */
	struct str_at expression; /* position of the scalar in the file */
};

struct runtime_platform {
	struct pos pos;
	const char *operating_system_family, *cpu_architecture;
};

struct proxy_configuration { /* kept, as AWS's volumes are */
	struct pos pos;
	const char *type, *container_name;
	struct str_map properties;
};

struct task_definition {
	struct pos pos;
	struct str_at family;
	LIST_OF(struct container_definition) container_definitions;
	const char *network_mode, *pid_mode, *ipc_mode;
	struct opt_int cpu, memory; /* units, MiB */
	struct opt_int pids_limit;  /* beyond ECS: processes and threads of the task */
	LIST_OF(struct volume) volumes;
	LIST_OF(struct placement_constraint) placement_constraints;
	struct str_list requires_compatibilities; /* PROCESS: native processes */
	struct runtime_platform *runtime_platform;
	struct proxy_configuration *proxy_configuration;
};

/* --- daemon service -------------------------------------------------------------------------- */

struct threshold_configuration {
	struct pos pos;
	const char *type; /* BOUNDED_PERCENT UNBOUNDED_PERCENT COUNT */
	struct opt_int value;
};
struct deployment_circuit_breaker {
	struct pos pos;
	enum opt_bool enable, rollback, reset_on_healthy_task;
	struct threshold_configuration *threshold_configuration;
};
struct deployment_configuration {
	struct pos pos;
	struct opt_int minimum_healthy_percent, maximum_percent;
	struct deployment_circuit_breaker *deployment_circuit_breaker;
};

/* Of a roll-out: one of expression, percent and count says how far it goes. */
struct rollout_step {
	struct pos pos;
	struct str_at expression;      /* and all nodes that match */
	struct opt_int percent, count; /* so many of the placed nodes, those of earlier steps
					  included */
	struct opt_int bake_seconds;   /* default 0: watched so long before the next one */
	enum opt_bool pause;	       /* then it waits for a commit without this pause */
};
struct rollout {
	struct pos pos;
	LIST_OF(struct rollout_step) steps; /* after the last one follows all the rest */
};

struct container_override {
	struct pos pos;
	const char *name;
	struct opt_int cpu, memory, memory_reservation;
	struct str_map environment; /* sorted by name */
	struct str_list command;
};
struct task_override {
	struct pos pos;
	struct str_at expression;
	LIST_OF(struct container_override) container_overrides;
};
struct override_list { /* the first whose expression is true of a node counts there */
	struct task_override *items;
	uint32_t len;
	bool set;
};

/* When changes may begin. Days are those on which it opens. */
struct window {
	struct pos pos;
	struct str_list allow, deny; /* one of them: mon tue wed thu fri sat sun */
	const char *from, *to;	     /* window_time_minutes() */
	const char *time_zone;	     /* IANA's name, NULL: UTC; time_zone_valid() */
};
struct window_list {
	struct window *items;
	uint32_t len;
	bool set;
};

struct daemon_service {
	struct pos pos;
	struct str_at name;
	const char *cluster;	       /* NULL: default */
	struct str_at task_definition; /* "family" or "family:N" */
	LIST_OF(struct placement_constraint) placement_constraints;
	struct deployment_configuration *deployment_configuration;
	struct opt_int min_ready_seconds, monitor_seconds, progress_deadline_seconds;
	struct opt_int priority;       /* default 0; higher starts first, stops last */
	struct str_at_list depends_on; /* services of the same cluster */
	enum opt_bool suspend;
	const char *redeploy; /* any text; a new one replaces all tasks */
	struct rollout *rollout;
	struct override_list overrides;
	struct window_list windows; /* those of the cluster must be open as well */
	const char *drain;	    /* stop (default); keep: until the node's others have stopped */
	struct str_map labels, annotations;
	bool ecs; /* came from a bare ECS document: ECS's own defaults */
};

/* --- declared facts of nodes and clusters ----------------------------------------------------- */

enum node_state { NODE_ACTIVE, NODE_DRAINING, NODE_INACTIVE };

struct node_manifest {
	struct pos pos;
	struct str_at name;
	const char *cluster;
	struct str_map attributes;
	const char *state; /* ACTIVE (default), DRAINING, INACTIVE */
	struct str_map labels, annotations;
};

/* Containers whose log driver matches get this one and its options instead. */
struct log_driver_mapping {
	struct pos pos;
	const char *match; /* a glob over logDriver */
	const char *log_driver;
	struct str_map options;
};
/* Secrets whose valueFrom matches come from there instead. */
struct secret_mapping {
	struct pos pos;
	const char *match; /* a glob over valueFrom */
	const char *from;  /* "file:/PATH", which may have "{name}", or "env:NAME" */
};

struct cluster_manifest {
	struct pos pos;
	struct str_at name;
	struct opt_int node_timeout_seconds, node_expire_seconds;
	LIST_OF(struct log_driver_mapping) log_drivers; /* the first that matches counts */
	LIST_OF(struct secret_mapping) secrets;		/* so here */
	struct opt_int max_parallel_pulls;		/* nodes that pull images at a time */
	struct window_list windows;
	/* Of a service's tasks so many percent may lose their node within 10 minutes; 100: all. */
	struct opt_int mass_change_percent;
	struct str_map labels, annotations;
};

/* The field tables. */
extern const struct schema task_definition_schema, container_definition_schema,
	daemon_service_schema, node_manifest_schema, cluster_manifest_schema;
/* The input of create-service, and what describe-services gives, as a struct daemon_service. */
extern const struct schema ecs_service_schema;
extern const struct schema task_override_schema, window_schema;

/* --- what is derived ------------------------------------------------------------------------- */

enum engine_kind { ENGINE_PROCESS, ENGINE_CONTAINER, ENGINE_KIND_COUNT };

/* "process", "container" */
const char *engine_kind_name(enum engine_kind kind);

/* Which engine runs it: requiresCompatibilities has PROCESS, or not. */
enum engine_kind task_definition_engine(const struct task_definition *td);

/* Does pattern match all of text? '*' is any text, '?' any one character. */
bool glob_match(const char *pattern, const char *text);

/*
 * The task definition as its cluster maps it: log drivers replaced by the first of logDrivers that
 * matches, places of secrets in AWS by that of the first of secrets. td itself where nothing is
 * mapped, and where cluster is NULL. Its digest is another, but what is mapped is no part of a
 * task's target: a changed mapping replaces no task, it counts for those that start.
 */
const struct task_definition *cluster_task_definition(const struct cluster_manifest *cluster,
						      const struct task_definition *td,
						      struct arena *arena);

/*
 * What a task needs of a node; reference section 1.2. A host port is static where hostPort says so,
 * and with networkMode host or awsvpc (whose tasks share the node's address here) where
 * containerPort does.
 */
struct task_resources {
	uint32_t cpu_units, memory_mib;
	const uint16_t *tcp_ports, *udp_ports; /* static host ports, sorted */
	uint32_t tcp_count, udp_count;
};
struct task_resources task_definition_resources(const struct task_definition *td,
						struct arena *arena);

/*
 * What the task needs an engine to be able to do, as capability attribute names, sorted. They stand
 * in the field tables (.needs), so that the manual has them too. An agent advertises what its
 * node's engines can honour; a node that lacks one is not eligible ("missing capability NAME"), and
 * nothing is ever silently weakened. Of a task definition whose log drivers and secrets a Cluster
 * manifest maps, ask the mapped one: cluster_task_definition().
 */
struct str_list task_definition_capabilities(const struct task_definition *td, struct arena *arena);

/* "the log driver \"splunk\"": what a name stands for; NULL for one that is not listed below. */
const char *capability_words(const char *name, struct arena *arena);

#define CAPABILITY_PREFIX "muster.capability."
/* Of the agent itself, whatever its engines: it can start the new task of a service before it stops
 * the old one. Needed by services whose maximumPercent is above 100. */
#define CAPABILITY_SURGE CAPABILITY_PREFIX "surge"
/* PROCESS tasks: one for each thing that a process engine may be unable to honour on its node. */
#define CAPABILITY_MEMORY_LIMIT	  CAPABILITY_PREFIX "process.memory-limit"
#define CAPABILITY_CPU_LIMIT	  CAPABILITY_PREFIX "process.cpu-limit"
#define CAPABILITY_PIDS_LIMIT	  CAPABILITY_PREFIX "process.pids-limit"
#define CAPABILITY_USER		  CAPABILITY_PREFIX "process.user" /* as another than the agent's */
#define CAPABILITY_DEPENDS_ON	  CAPABILITY_PREFIX "process.container-ordering"
#define CAPABILITY_HEALTH_CHECK	  CAPABILITY_PREFIX "process.health-check"
#define CAPABILITY_RESTART_POLICY CAPABILITY_PREFIX "process.restart-policy"
#define CAPABILITY_FILES	  CAPABILITY_PREFIX "process.files"
#define CAPABILITY_SECRETS	  CAPABILITY_PREFIX "process.secrets"

/*
 * Tasks of containers: ECS's names where ECS has one. Those that end in '.' go on with a value of
 * the task definition; awslogs, awsfirelens and none need no log driver of the node.
 */
#define ECS_CAPABILITY		     "ecs.capability."
#define ECS_CAPABILITY_AMAZON	     "com.amazonaws.ecs.capability."
#define CAPABILITY_PRIVILEGED	     ECS_CAPABILITY_AMAZON "privileged-container"
#define CAPABILITY_LOG_DRIVER	     ECS_CAPABILITY_AMAZON "logging-driver." /* + journald */
#define CAPABILITY_APPARMOR	     ECS_CAPABILITY_AMAZON "apparmor"
#define CAPABILITY_SELINUX	     ECS_CAPABILITY_AMAZON "selinux"
#define CAPABILITY_ORDERING	     ECS_CAPABILITY "container-ordering"       /* dependsOn */
#define CAPABILITY_CONTAINER_HEALTH  ECS_CAPABILITY "container-health-check"   /* by the agent */
#define CAPABILITY_CONTAINER_RESTART ECS_CAPABILITY "container-restart-policy" /* in place */
#define CAPABILITY_PORT_RANGE	     ECS_CAPABILITY "network.container-port-range"
#define CAPABILITY_NAMESPACES	     ECS_CAPABILITY "pid-ipc-namespace-sharing" /* host, task */
/* cpu, memory of a task of several containers; one alone is limited itself */
#define CAPABILITY_TASK_LIMITS ECS_CAPABILITY "task-cpu-mem-limit"
#define CAPABILITY_VOLUME_DRIVER                                                                   \
	ECS_CAPABILITY "docker-plugin." /* + rexray/ebs; local needs none */
#define CAPABILITY_DOCKER		    CAPABILITY_PREFIX "docker."
#define CAPABILITY_DOCKER_MEMORY_LIMIT	    CAPABILITY_DOCKER "memory-limit" /* of a container */
#define CAPABILITY_DOCKER_CPU_LIMIT	    CAPABILITY_DOCKER "cpu-limit"
#define CAPABILITY_DOCKER_CPU_SHARES	    CAPABILITY_DOCKER "cpu-shares"
#define CAPABILITY_DOCKER_PIDS_LIMIT	    CAPABILITY_DOCKER "pids-limit"
#define CAPABILITY_DOCKER_SWAP_LIMIT	    CAPABILITY_DOCKER "swap-limit" /* maxSwap, swappiness */
#define CAPABILITY_DOCKER_INIT		    CAPABILITY_DOCKER "init"	   /* initProcessEnabled */
#define CAPABILITY_DOCKER_LINKS		    CAPABILITY_DOCKER "links"
#define CAPABILITY_DOCKER_ENVIRONMENT_FILES CAPABILITY_DOCKER "environment-files"
#define CAPABILITY_DOCKER_FILES		    CAPABILITY_DOCKER "files"
#define CAPABILITY_DOCKER_SECRETS	    CAPABILITY_DOCKER "secrets"		   /* file:, env: */
#define CAPABILITY_DOCKER_LOG_SECRETS	    CAPABILITY_DOCKER "log-driver-secrets" /* secretOptions */
#define CAPABILITY_DOCKER_DEVICES	    CAPABILITY_DOCKER "resource." /* + GPU, NeuronDevice, ... */
#define CAPABILITY_DOCKER_ARCHITECTURE	    CAPABILITY_DOCKER "cpu-architecture." /* + X86_64, ARM64 */
#define CAPABILITY_DOCKER_OS		    CAPABILITY_DOCKER "os-family." /* + WINDOWS_...; LINUX needs none */
/* Of AWS: no engine of this version offers them. */
#define CAPABILITY_ENVIRONMENT_FILES_S3 ECS_CAPABILITY "env-files.s3"
#define CAPABILITY_SECRETS_ASM		ECS_CAPABILITY "secrets.asm.environment-variables"
#define CAPABILITY_SECRETS_SSM		ECS_CAPABILITY "secrets.ssm.environment-variables"
#define CAPABILITY_LOG_SECRETS_ASM	ECS_CAPABILITY "secrets.asm.bootstrap.log-driver"
#define CAPABILITY_LOG_SECRETS_SSM	ECS_CAPABILITY "secrets.ssm.bootstrap.log-driver"
#define CAPABILITY_EFS			ECS_CAPABILITY "efs"
#define CAPABILITY_FSX			ECS_CAPABILITY "fsxWindowsFileServer"
#define CAPABILITY_S3FILES		CAPABILITY_DOCKER "s3files-volume"
#define CAPABILITY_EBS			CAPABILITY_DOCKER "volume-configured-at-launch"
#define CAPABILITY_GMSA			ECS_CAPABILITY "gmsa" /* credentialSpecs */
#define CAPABILITY_APP_MESH		ECS_CAPABILITY "aws-appmesh"

/* awslogs, awsfirelens: engines use their own default instead, where no mapping of the Cluster
 * manifest gives another; their options and secretOptions go with them. */
bool log_driver_is_aws(const char *log_driver);

/* Where an environment file is, by its value: "file:/PATH" on the node, a path in the repository,
 * or else (an ARN, what still holds a placeholder) out of reach. */
enum environment_file_place {
	ENVIRONMENT_FILE_NODE,
	ENVIRONMENT_FILE_REPOSITORY,
	ENVIRONMENT_FILE_AWS
};
enum environment_file_place environment_file_place_of(const char *value);

/*
 * Where the value of a secret comes from: "file:/PATH" and "env:NAME" on the node, or a place in
 * AWS: an ARN, or the name of a parameter.
 */
enum secret_source { SECRET_FILE, SECRET_ENV, SECRET_ASM, SECRET_SSM };
enum secret_source secret_source_of(const char *value_from);
/*
 * What {name} stands for of a place in AWS: of Secrets Manager the secret's name without the six
 * characters that its ARN ends with, and where a key of the JSON in it is chosen, a dot and the
 * key; of Parameter Store the parameter's name without a slash at its front.
 */
const char *secret_name_of(const char *value_from, struct arena *arena);

/* H(task definition): of its canonical text, see schema_canonical(). */
struct digest task_definition_digest(const struct task_definition *td);

/*
 * What must change for a task to be replaced, and nothing else: H(task definition digest, content
 * of the matching override, redeploy token). override (NULL: none matches) and redeploy may be
 * NULL. Its expression is no part of it: it says where, not what.
 */
struct digest task_target_digest(const struct digest *task_definition,
				 const struct task_override *override, const char *redeploy);
/*
 * What a deployment is made of, on whatever nodes: H(task definition digest, all overrides with
 * their expressions, redeploy token). overrides may be NULL or empty; then it is the same as
 * task_target_digest() without one.
 */
struct digest release_digest(const struct digest *task_definition,
			     const struct override_list *overrides, const char *redeploy);

/*
 * The task definition as it runs where override matches: environment laid over by name, command
 * and numbers replaced. Containers that it does not have are left out; td itself where override is
 * NULL. Shares what is not changed with both, which must outlive it.
 */
const struct task_definition *override_task_definition(const struct task_definition *td,
						       const struct task_override *override,
						       struct arena *arena);

/* The first port of the host that only one task can have: of which container, whether udp. False:
 * it has none, as task_definition_resources() says. */
struct static_port {
	const char *container; /* borrowed */
	uint16_t port;
	bool udp;
};
bool task_definition_static_port(const struct task_definition *td, struct static_port *out);

/* The circuit breaker of a service with all defaults filled in: a muster DaemonService has one with
 * rollback, a bare ECS document has none. */
enum threshold_type { THRESHOLD_BOUNDED_PERCENT, THRESHOLD_UNBOUNDED_PERCENT, THRESHOLD_COUNT };
struct circuit_breaker {
	bool enable, rollback, reset_on_healthy_task; /* all false where enable is */
	enum threshold_type type;
	uint32_t value;
};
struct circuit_breaker service_circuit_breaker(const struct daemon_service *service);

/* "22:00" as minutes from midnight; "24:00" is 1440, the end of the day. False: neither. */
bool window_time_minutes(const char *text, uint32_t *minutes);
/* The days of allow or deny as bits: 1 << 0 is Monday, 1 << 6 Sunday. */
uint32_t window_days(const struct window *window);
/* Could it be the name of a time zone? IANA's syntax; never a path that leads out of a directory.
 */
bool time_zone_valid(const char *name);

/* "CLUSTER/NAME" */
const char *service_key(struct arena *arena, const char *cluster, const char *name);

/* ECS's rules for custom attributes (reference section 3). */
bool attribute_name_valid(const char *name);
bool attribute_value_valid(const char *value);
/* May a user set this one? No for ecs.*, muster.*, com.amazonaws.*, but for the three of DESIGN 5.
 */
bool attribute_name_allowed(const char *name);

#endif
