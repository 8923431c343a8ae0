/*
 * engine/docker/flavor: what an engine behind the Docker Engine API is and can do. Every difference
 * between Docker and Podman, and between what hosts give them, is decided here and in flavor.c.
 *
 * Killed for its memory: Docker says OOMKilled when the kernel killed any process of the container,
 * not its first alone, and so does ECS: the container has OutOfMemoryError for its reason then,
 * whatever its exit code. Podman's monitor looks for it in the container's group when it is told;
 * with version 1 of control groups it mostly comes too late for the first process, and says nothing
 * of another. Then the reason stays empty, and 137 is all there is to see; what the agent cannot
 * know it does not guess. With limits of the whole task it listens for itself (groups.c), and means
 * the first processes only.
 *
 * Pure: from the answers of GET /version and GET /info. Seen: Docker 20.10, Podman 4.3.
 */
#ifndef MUSTER_ENGINE_DOCKER_FLAVOR_H
#define MUSTER_ENGINE_DOCKER_FLAVOR_H

#include "engine/engine.h"

#include <jansson.h>

enum flavor_kind { FLAVOR_DOCKER, FLAVOR_PODMAN };

/* Who makes the control groups of containers. */
enum flavor_cgroups {
	CGROUPS_UNKNOWN,
	CGROUPS_ENGINE,	 /* itself: a path says where ("cgroupfs") */
	CGROUPS_SYSTEMD, /* systemd: a slice says where */
};

struct flavor {
	enum flavor_kind kind;
	const char *name;    /* "docker", "podman" */
	const char *version; /* "20.10.24" */
	char api[16];	     /* version of the API to speak: "1.41" */
	const char *os_type, *architecture;
	uint32_t cpus, memory_mib;
	struct str_list log_drivers, volume_drivers; /* sorted */
	const char *default_log_driver;		     /* NULL: it does not say */
	bool memory_limit, swap_limit, cpu_shares, cpu_quota, pids_limit, swappiness;
	bool init, apparmor, selinux;
	const char *host_name; /* of its machine; NULL: it does not say */
	enum flavor_cgroups cgroups;
	/* A group of ours above the containers of a task limits them together. Not of what it says:
	 * found out by trying (groups.c). */
	bool task_limits;
	/* Podman refuses the link of one container to another. */
	bool links;
	/* Docker makes a host directory that is to be mounted and is not there; for Podman we do.
	 */
	bool makes_host_directories;
	/* Docker: who shares a network has its owner's host name, and may name none. */
	bool shares_hostname;
};

/* The older of the two that we speak. Its answers are those of Docker 20.10 and Podman 4. */
#define API_WANTED_MAJOR 1
#define API_WANTED_MINOR 41

/* False: not an engine that we can use; err says which one it is, and what is needed. */
bool flavor_read(const json_t *version, const json_t *info, struct arena *arena, struct flavor *out,
		 struct err *err);

/* ECS's capability names where ECS has one; sorted. */
struct str_list flavor_capabilities(const struct flavor *flavor, struct arena *arena);

/* Does this answer of POST /containers/create mean that the name is taken? */
bool flavor_name_taken(int status, const char *message);
/* Of POST /volumes/create: that it is there. */
bool flavor_volume_there(int status, const char *message);
/* Of POST stop, kill, start: that it was so already. */
bool flavor_nothing_to_do(int status, const char *message);

/* Driver and options for a container that asks for none, or for one that only AWS has. */
#define LOG_MAX_SIZE  "10m"
#define LOG_MAX_FILES "3"
const char *flavor_log_driver(const struct flavor *flavor, bool aws);

#endif
