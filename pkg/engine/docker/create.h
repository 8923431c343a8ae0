/*
 * engine/docker/create: a container of a task as the JSON of POST /containers/create, and the names
 * and labels by which it is ours. Pure.
 *
 * What a task is to the engine:
 *  - networkMode bridge (default): each container has a network of its own on the engine's bridge,
 *    with the ports that it publishes. host, none: as they say. awsvpc: all share the network of
 *    one more container, the owner, which publishes their ports on the node.
 *  - pidMode task and ipcMode task: they share the owner's.
 *  - The owner runs muster-shim --pause from an image of our own, and nothing else.
 *  - A volume with a host path is mounted from there; one without is made for the task and goes
 *    with it, as does a Docker volume of scope task; one of scope shared keeps its name and stays.
 *  - A task's own cpu and memory limit all containers together: by a control group above them, of
 *    the agent's (groups.c); of a single container they are its own limits. Those that name no cpu
 *    share what the others leave.
 */
#ifndef MUSTER_ENGINE_DOCKER_CREATE_H
#define MUSTER_ENGINE_DOCKER_CREATE_H

#include "engine/docker/flavor.h"
#include "lifecycle/lifecycle.h"

#define LABEL_PREFIX	 "muster."
#define LABEL_FLEET	 LABEL_PREFIX "fleet"
#define LABEL_NODE	 LABEL_PREFIX "node"
#define LABEL_CLUSTER	 LABEL_PREFIX "cluster"
#define LABEL_SERVICE	 LABEL_PREFIX "service"
#define LABEL_TASK	 LABEL_PREFIX "task"
#define LABEL_DIGEST	 LABEL_PREFIX "digest" /* the target's, in hex */
#define LABEL_CONTAINER	 LABEL_PREFIX "container"
#define LABEL_FAMILY	 LABEL_PREFIX "family"
#define LABEL_REVISION	 LABEL_PREFIX "revision"
#define LABEL_DEPLOYMENT LABEL_PREFIX "deployment"
#define LABEL_ESSENTIAL	 LABEL_PREFIX "essential" /* for who finds it without its record */

/* A container's name cannot have a dot in it, so no container is called so. */
#define OWNER_NAME ".pause"

#define PORTS_MAX 1000 /* published by one container */

struct task_identity {
	const char *fleet, *node, *cluster, *service, *task, *family, *deployment;
	uint32_t revision;
	struct digest target;
};

/* Does the task need an owner? */
bool create_needs_owner(const struct task_definition *td);
/* Has it limits that several containers share? */
bool create_needs_group(const struct task_definition *td);
/* The name of the container of that index, or OWNER_NAME. */
const char *create_container_of(const struct task_definition *td, uint32_t index);

/* "muster-NODE-SERVICE-CONTAINER-TASK", each part cut to at most NAME_PART_MAX so that parts that
 * differ still do; of a task's id the first 8 digits. */
#define NAME_PART_MAX 48
const char *create_name(const struct task_identity *id, const char *container, struct arena *arena);
/* The engine's name of a volume of the task; NULL: it is a directory of the host. */
const char *create_volume_name(const struct task_identity *id, const struct volume *volume,
			       struct arena *arena);
/* Is it to be made by us, and removed with the task? */
bool create_volume_is_tasks(const struct volume *volume);
/* POST /volumes/create; a new reference. */
json_t *create_volume_json(const struct task_identity *id, const struct volume *volume,
			   struct arena *arena);

struct create {
	const struct flavor *flavor;
	const struct task_identity *id;
	const struct task_definition *td;
	uint32_t container;		   /* index, or LIFECYCLE_OWNER */
	const char *image;		   /* what it is made from */
	const struct str_map *environment; /* MUSTER_*; MUSTER_TASK is set here */
	/* Of the container, by resources_read(); NULL: none. environment of the definition goes
	 * before the files, secrets before both. */
	const struct str_map *file_environment, *secrets, *log_secrets;
	const char *files_dir;	   /* where `files` are, under their own paths */
	const char *cgroup_parent; /* NULL: the engine's own choice */
};

/*
 * A new reference; NULL: it cannot be made, err says why. What the engine cannot do is a capability
 * that its node lacks, and never left out here.
 */
json_t *create_json(const struct create *in, struct arena *arena, struct err *err);

#endif
