/*
 * wire: store documents and the agent's own durable files <-> values. Bounded and versioned.
 *
 * A document is one line of JSON, a newline, and "#sha256=" with the digest of all before in hex
 * and a newline. It names its kind, wire version ("muster": N), fleet id and node. Readers ignore
 * fields they do not know. A document that is absent, torn, damaged, too large, of another fleet or
 * of a newer major version is WIRE_UNKNOWN with a reason: unknown is never an instruction.
 *
 * Always holds: encode(decode(x)) keeps all that this version knows; equal values encode to equal
 * bytes. Within a major version members may be added, which older readers ignore; what they must
 * not ignore (a new word of an enumeration, too) needs a new major version. What a document names
 * and may become a path (node, cluster, service, family, ids) is safe as a path segment once it was
 * decoded.
 *
 * Who owns what: decoded documents live in the caller's arena and borrow nothing from the bytes.
 */
#ifndef MUSTER_WIRE_H
#define MUSTER_WIRE_H

#include "model/model.h"

#define WIRE_VERSION	 1 /* what this muster writes */
#define WIRE_VERSION_MIN 1 /* the oldest it reads */

#define FLEET_ID_LEN  32 /* lower-case hex */
#define UUID_TEXT_LEN 32 /* instance, session, task ids: 128 random bits as lower-case hex */

enum wire_result {
	WIRE_OK,
	WIRE_UNKNOWN, /* see the reason */
};

struct wire_condition {
	const char *type, *status; /* status: True False Unknown */
	const char *reason, *message;
};

/* nodes/NODE, written by the agent. */
struct wire_engine {
	enum engine_kind kind;
	const char *name, *version; /* "process", "podman", ... */
};
struct wire_registration {
	const char *fleet, *node, *cluster;
	const char *instance; /* random, kept in the agent's state */
	const char *boot_id;
	const char *session; /* random, one for each run of the agent */
	const char *agent_version;
	int64_t registered_at_ms; /* agent's wall clock, for people and registeredAt; never compared
				   */
	int wire_min, wire_max;
	struct wire_engine *engines;
	uint32_t engine_count;
	struct str_map facts;	   /* built-in attributes: ecs.os-type, muster.cpus, ... */
	struct str_map attributes; /* the agent's own: flags and attribute files; no value = NULL */
	struct str_list capabilities; /* sorted; see task_definition_capabilities() */
	uint32_t cpu_units, memory_mib;
	struct wire_condition *conditions;
	uint32_t condition_count;
};

/* desired/NODE, written by the controller: all that the node should run, in start order. */
struct wire_desired_task {
	const char *cluster, *service;
	const char *family;
	uint32_t revision;
	struct digest target;	  /* task_target_digest() */
	const char *deployment;	  /* "ecs-svc/<19 digits>" */
	int64_t assigned_at_ms;	  /* controller's wall clock; for people */
	uint64_t assigned_number; /* the document number with which this assignment was made */
	uint32_t replaces;	  /* revision it took the place of by an update; 0: a fresh start */
	bool broken_before;	  /* the node was down or broken before this update */
	/* Start before stop: the new one beside the old, which stops once the new one is ready.
	 * Only for agents that offer CAPABILITY_SURGE: others would stop the old one first. */
	bool surge;
	int32_t priority;
	struct str_list depends_on; /* services of the same cluster */
	uint32_t min_ready_seconds, monitor_seconds;
	const struct task_definition *task_definition; /* fully resolved */
	/* The digests ("sha256:...") that the deployment runs the images of its containers by, by
	 * container name; none yet for those that the first node to prepare resolves. */
	struct str_map images;
};
struct wire_desired {
	const char *fleet, *node, *cluster;
	uint64_t number;	   /* grows with every put of this node's document */
	struct str_map attributes; /* the node's effective ones, for MUSTER_ATTRIBUTE_* */
	struct wire_desired_task *tasks;
	uint32_t task_count;
};

/* observed/NODE, written by the agent. */
enum task_status { /* of ECS's life cycle, those that a task of ours can be seen in */
		   TASK_PROVISIONING, /* preparing: the old one of its service may still run */
		   TASK_PENDING, /* to be started: waits for its order, its back-off or the engine
				  */
		   TASK_RUNNING,
		   TASK_STOPPING,
		   TASK_STOPPED,
		   TASK_STATUS_COUNT
};
enum health_status { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
const char *task_status_name(enum task_status status); /* "RUNNING" */
const char *health_status_name(enum health_status health);

struct wire_binding { /* a published port: ECS's networkBindings */
	const char *bind_ip, *protocol;
	uint32_t container_port, host_port;
};
struct wire_container {
	const char *name;
	enum task_status last_status;
	const char *runtime_id; /* process id as text, or container id; NULL */
	bool has_exit_code;
	int exit_code;		  /* 128 + signal for one that a signal ended */
	const char *reason;	  /* NULL */
	const char *image;	  /* as the task definition names it; NULL: none */
	const char *image_digest; /* "sha256:...", of the index where there is one; NULL */
	enum health_status health;
	uint32_t restart_count; /* in place, by its restartPolicy */
	struct wire_binding *network_bindings;
	uint32_t network_binding_count;
};
struct wire_task {
	const char *id; /* UUID_TEXT_LEN hex; "": desired, not yet started */
	const char *cluster, *service, *family;
	uint32_t revision;
	struct digest target;
	const char *deployment;
	enum task_status last_status, desired_status;
	enum health_status health;
	bool ready; /* running (and healthy, where checked) for minReadySeconds on the agent's clock
		     */
	bool failed; /* did not come up, or broke: it waits in back-off, or its prepare failed */
	uint32_t restarts; /* in the present series */
	/* Of the desired target: its attempts on this node that failed (ended by themselves,
	 * unhealthy, not started, not prepared). Only grows while that target is desired. */
	uint32_t failures;
	uint32_t restart_in_ms;		      /* back-off left when this was written; 0: none */
	int64_t started_at_ms, stopped_at_ms; /* agent's wall clock, for people; 0: not yet */
	const char *engine;
	const char *stop_code, *reason; /* of a stopped one, or why a pending one waits; NULL */
	const char *stderr_tail;	/* last lines, of a stopped one; NULL */
	uint64_t log_bytes_dropped;
	struct wire_container *containers;
	uint32_t container_count;
};
struct wire_observed {
	const char *fleet, *node, *cluster, *instance, *boot_id, *session;
	uint64_t seen; /* the number of the desired document it acts on; 0: none yet */
	struct wire_task *tasks;
	uint32_t task_count;
	struct wire_task *stopped; /* newest first; 10 a service */
	uint32_t stopped_count;
	struct wire_condition *conditions;
	uint32_t condition_count;
};

/*
 * Encode, after what out holds. Bytes that are no UTF-8 (a task's stderr) become U+FFFD; reasons
 * are cut at WIRE_REASON_BYTES, stderr tails to their last WIRE_STDERR_BYTES. An observed document
 * that would be larger than LIMIT_DOCUMENT_BYTES loses its oldest stopped tasks; a desired one that
 * is larger nobody will read: the planner sees to it that there is none.
 */
#define WIRE_REASON_BYTES 512
#define WIRE_STDERR_BYTES 4096
void wire_encode_registration(const struct wire_registration *doc, struct buf *out);
void wire_encode_desired(const struct wire_desired *doc, struct buf *out);
void wire_encode_observed(const struct wire_observed *doc, struct buf *out);

/*
 * Decode. fleet: the fleet id it must name, or NULL for any. node: the node it must name, or NULL.
 * On WIRE_UNKNOWN err says why ("is cut short", "is of another fleet", "has wire version 2, ...").
 */
enum wire_result wire_decode_registration(const void *bytes, size_t len, const char *fleet,
					  const char *node, struct arena *arena,
					  struct wire_registration *out, struct err *err);
enum wire_result wire_decode_desired(const void *bytes, size_t len, const char *fleet,
				     const char *node, struct arena *arena,
				     struct wire_desired *out, struct err *err);
enum wire_result wire_decode_observed(const void *bytes, size_t len, const char *fleet,
				      const char *node, struct arena *arena,
				      struct wire_observed *out, struct err *err);

/*
 * For other modules' own documents (ledger, restart series): seal a JSON object (jansson) as a
 * document of that kind, and open one again. wire_seal() sets "kind", "muster" and, unless it is
 * NULL, "fleet" in the object. wire_open() gives a new reference, or NULL with err set.
 */
struct json_t;
void wire_seal(const char *kind, const char *fleet, struct json_t *object, struct buf *out);
struct json_t *wire_open(const void *bytes, size_t len, const char *kind, const char *fleet,
			 struct err *err);

/*
 * A schema-described object (model/schema.h) as JSON and back: explicit fields only, as ECS has
 * them. Reading goes into a zeroed object, ignores what the schema does not know and has no
 * positions.
 */
struct json_t *wire_object_to_json(const struct schema *schema, const void *object);
bool wire_object_from_json(const struct schema *schema, const struct json_t *json,
			   struct arena *arena, void *object, struct err *err);
/* The same for a LIST_OF() them, as `overrides` of a service: a JSON list of at most max items. */
struct json_t *wire_list_to_json(const struct schema *schema, const void *list);
bool wire_list_from_json(const struct schema *schema, const struct json_t *json, uint32_t max,
			 struct arena *arena, void *list, struct err *err);

#endif
