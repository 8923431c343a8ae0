/* The fields of a daemon service, of a muster document and of ECS's create-service. */
#include "model/tables.h"

static const struct field threshold_fields[] = {
	{ STRING(threshold_configuration, "type", type),
	  .values = VALUES("BOUNDED_PERCENT", "UNBOUNDED_PERCENT", "COUNT"),
	  .note = "default BOUNDED_PERCENT: of the placed nodes, at least 3 and at most 200" },
	{ INTEGER(threshold_configuration, "value", value), RANGE(1, LIMIT_NODES),
	  .note = "failed tasks, or percent of them; default 50" },
};
static const struct schema threshold_schema =
	SCHEMA(threshold_configuration, "threshold configuration", threshold_fields);

static const struct field circuit_breaker_fields[] = {
	{ BOOLEAN(deployment_circuit_breaker, "enable", enable), .flags = FIELD_REQUIRED },
	{ BOOLEAN(deployment_circuit_breaker, "rollback", rollback),
	  .note = "default true; of an ECS document false" },
	{ BOOLEAN(deployment_circuit_breaker, "resetOnHealthyTask", reset_on_healthy_task),
	  .note = "default true: a task that becomes ready sets the count to 0" },
	{ OBJECT(deployment_circuit_breaker, "thresholdConfiguration", threshold_configuration,
		 threshold_schema) },
};
static const struct schema circuit_breaker_schema =
	SCHEMA(deployment_circuit_breaker, "deployment circuit breaker", circuit_breaker_fields);

static const struct field deployment_configuration_fields[] = {
	{ INTEGER(deployment_configuration, "minimumHealthyPercent", minimum_healthy_percent),
	  RANGE(0, 100) },
	{ INTEGER(deployment_configuration, "maximumPercent", maximum_percent), RANGE(100, 200),
	  .note = "above 100: a task starts before the old one stops; not with static host "
		  "ports" },
	{ OBJECT(deployment_configuration, "deploymentCircuitBreaker", deployment_circuit_breaker,
		 circuit_breaker_schema),
	  .note = "default of a DaemonService: enabled, with rollback; of an ECS document: not" },
	{ REFUSED("strategy", "only the ROLLING deployment strategy is supported"),
	  .values = VALUES("ROLLING") },
	{ AWS_ONLY("alarms", "CloudWatch alarms") },
	{ AWS_ONLY("bakeTimeInMinutes", "blue/green deployments") },
	{ AWS_ONLY("lifecycleHooks", "blue/green deployments") },
	{ AWS_ONLY("linearConfiguration", "linear deployments") },
	{ AWS_ONLY("canaryConfiguration", "canary deployments") },
	{ AWS_ONLY("earlySuccessCriteria", "ECS service deployments") },
};
static const struct schema deployment_configuration_schema = SCHEMA(
	deployment_configuration, "deployment configuration", deployment_configuration_fields);

/* What ECS refuses of a DAEMON service; reference section 1.3. */
#define NO_DESIRED_COUNT                                                                           \
	"a daemon service has one task on every matching node and no desired count; remove "       \
	"desiredCount"
#define NO_PLACEMENT_STRATEGY                                                                      \
	"a daemon service does not support placement strategies: it has one task on every "        \
	"matching node; remove placementStrategy"
#define NO_CAPACITY_PROVIDERS                                                                      \
	"a daemon service does not support a capacity provider strategy; remove "                  \
	"capacityProviderStrategy"
#define NO_LAUNCH_TYPE                                                                             \
	"a daemon service runs on registered nodes only; remove launchType, or set EC2 or "        \
	"EXTERNAL"
#define NO_CONTROLLER                                                                              \
	"a daemon service supports only the ECS deployment controller; remove "                    \
	"deploymentController"
#define NO_VOLUME_CONFIGURATIONS "a daemon service does not support volumeConfigurations"
#define NOT_DAEMON                                                                                 \
	"schedulingStrategy must be DAEMON: muster runs one task on every matching node and no "   \
	"replicas"

static const struct field daemon_service_fields[] = {
	{ STRING_AT(daemon_service, "name", name),
	  .flags = FIELD_METADATA | FIELD_REQUIRED | FIELD_NAME },
	{ STRING_MAP(daemon_service, "labels", labels), .flags = FIELD_METADATA },
	{ STRING_MAP(daemon_service, "annotations", annotations), .flags = FIELD_METADATA },
	{ STRING(daemon_service, "cluster", cluster), .flags = FIELD_NAME },
	{ STRING_AT(daemon_service, "taskDefinition", task_definition), .flags = FIELD_REQUIRED },
	{ OBJECT_LIST(daemon_service, "placementConstraints", placement_constraints,
		      placement_constraint_schema),
	  RANGE(0, LIMIT_CONSTRAINTS) },
	{ OBJECT(daemon_service, "deploymentConfiguration", deployment_configuration,
		 deployment_configuration_schema) },
	{ INTEGER(daemon_service, "minReadySeconds", min_ready_seconds), RANGE(0, SECONDS_MAX) },
	{ INTEGER(daemon_service, "monitorSeconds", monitor_seconds), RANGE(0, SECONDS_MAX) },
	{ INTEGER(daemon_service, "progressDeadlineSeconds", progress_deadline_seconds),
	  RANGE(1, SECONDS_MAX) },
	{ INTEGER(daemon_service, "priority", priority), RANGE(INT32_MIN, INT32_MAX) },
	{ NAME_LIST(daemon_service, "dependsOn", depends_on), .flags = FIELD_NAME },
	{ BOOLEAN(daemon_service, "suspend", suspend) },
	{ STRING(daemon_service, "redeploy", redeploy) },
	{ OBJECT(daemon_service, "rollout", rollout, rollout_schema) },
	{ OBJECT_LIST(daemon_service, "overrides", overrides, task_override_schema),
	  RANGE(0, LIMIT_OVERRIDES),
	  .note = "the first whose expression is true of a node counts there" },
	{ OBJECT_LIST(daemon_service, "windows", windows, window_schema), RANGE(0, LIMIT_WINDOWS),
	  .note = "when changes may begin; those of the cluster must be open as well" },
	{ STRING(daemon_service, "drain", drain), .values = VALUES("stop", "keep"),
	  .note = "default stop; keep: on a draining node until all others have stopped" },
	{ REFUSED("schedulingStrategy", NOT_DAEMON), .values = VALUES("DAEMON") },
	{ REFUSED("desiredCount", NO_DESIRED_COUNT) },
	{ REFUSED("placementStrategy", NO_PLACEMENT_STRATEGY) },
	{ REFUSED("capacityProviderStrategy", NO_CAPACITY_PROVIDERS) },
	{ REFUSED("launchType", NO_LAUNCH_TYPE), .values = VALUES("EC2", "EXTERNAL") },
	{ REFUSED("volumeConfigurations", NO_VOLUME_CONFIGURATIONS) },
};
const struct schema daemon_service_schema =
	SCHEMA(daemon_service, "daemon service", daemon_service_fields);

/* {type: ECS} has no member: it is checked and left out. */
struct deployment_controller {
	struct pos pos;
};
static const struct field deployment_controller_fields[] = {
	{ REFUSED("type", NO_CONTROLLER), .values = VALUES("ECS") },
};
static const struct schema deployment_controller_schema =
	SCHEMA(deployment_controller, "deployment controller", deployment_controller_fields);

static const struct field ecs_service_fields[] = {
	{ STRING_AT(daemon_service, "serviceName", name), .flags = FIELD_REQUIRED | FIELD_NAME },
	{ STRING(daemon_service, "clusterArn", cluster) },
	{ STRING(daemon_service, "cluster", cluster) },
	{ STRING_AT(daemon_service, "taskDefinition", task_definition), .flags = FIELD_REQUIRED },
	{ OBJECT_LIST(daemon_service, "placementConstraints", placement_constraints,
		      placement_constraint_schema),
	  RANGE(0, LIMIT_CONSTRAINTS) },
	{ OBJECT(daemon_service, "deploymentConfiguration", deployment_configuration,
		 deployment_configuration_schema) },
	{ REFUSED("schedulingStrategy", NOT_DAEMON), .values = VALUES("DAEMON") },
	{ REFUSED("desiredCount", NO_DESIRED_COUNT) },
	{ REFUSED("placementStrategy", NO_PLACEMENT_STRATEGY) },
	{ REFUSED("capacityProviderStrategy", NO_CAPACITY_PROVIDERS) },
	{ REFUSED("launchType", NO_LAUNCH_TYPE), .values = VALUES("EC2", "EXTERNAL") },
	{ REFUSED("volumeConfigurations", NO_VOLUME_CONFIGURATIONS) },
	{ IGNORED("deploymentController"), .of = &deployment_controller_schema },
	{ AWS_ONLY("loadBalancers", "load balancers") },
	{ AWS_ONLY("serviceRegistries", "service discovery") },
	{ AWS_ONLY("networkConfiguration", "networking of a VPC") },
	{ AWS_ONLY("healthCheckGracePeriodSeconds", "load balancers' health checks") },
	{ AWS_ONLY("role", "an IAM role") },
	{ AWS_ONLY("platformVersion", "Fargate") },
	{ AWS_ONLY("serviceConnectConfiguration", "Service Connect") },
	{ AWS_ONLY("vpcLatticeConfigurations", "VPC Lattice") },
	{ AWS_ONLY("availabilityZoneRebalancing", "availability zones") },
	{ AWS_ONLY("enableExecuteCommand", "ECS Exec") },
	{ AWS_ONLY("tags", "tags of AWS resources") },
	{ RESPONSE_ONLY("enableECSManagedTags") },
	{ RESPONSE_ONLY("propagateTags") },
	{ RESPONSE_ONLY("clientToken") },
	{ RESPONSE_ONLY("serviceArn") },
	{ RESPONSE_ONLY("status") },
	{ RESPONSE_ONLY("runningCount") },
	{ RESPONSE_ONLY("pendingCount") },
	{ RESPONSE_ONLY("deployments") },
	{ RESPONSE_ONLY("taskSets") },
	{ RESPONSE_ONLY("events") },
	{ RESPONSE_ONLY("roleArn") },
	{ RESPONSE_ONLY("createdAt") },
	{ RESPONSE_ONLY("createdBy") },
	{ RESPONSE_ONLY("platformFamily") },
	{ RESPONSE_ONLY("currentServiceDeployment") },
	{ RESPONSE_ONLY("currentServiceRevisions") },
};
const struct schema ecs_service_schema = SCHEMA(daemon_service, "ECS service", ecs_service_fields);
