/* What the files that make the JSON of a container share. */
#ifndef MUSTER_ENGINE_DOCKER_CREATE_INTERNAL_H
#define MUSTER_ENGINE_DOCKER_CREATE_INTERNAL_H

#include "engine/docker/create.h"

/* The static program, in the image of the owner. */
#define PAUSE_PROGRAM "/muster-shim"

enum network {
	NETWORK_BRIDGE,
	NETWORK_HOST,
	NETWORK_NONE,
	NETWORK_SHARED, /* the owner's */
	NETWORK_OWNER,	/* the owner itself, of a network that others share */
};

struct making {
	const struct create *in;
	const struct container_definition *c; /* NULL: the owner */
	enum network network;
	struct arena *arena;
	struct err *err;
};

static inline void put_text(json_t *object, const char *name, const char *value)
{
	json_object_set_new(object, name, json_string(value));
}

static inline void put_int(json_t *object, const char *name, int64_t value)
{
	json_object_set_new(object, name, json_integer(value));
}

/* names.c: those of the definition, and ours over them. A new reference. */
json_t *create_labels(const struct task_identity *id, const struct str_map *own,
		      struct arena *arena);

/* create_host.c: HostConfig, and ExposedPorts of the body. False: m->err is set. */
bool put_host_config(const struct making *m, json_t *body, json_t *host);
/* create_ports.c */
bool put_ports(const struct making *m, json_t *body, json_t *host);
/* create_limits.c */
void put_limits(const struct making *m, json_t *host);

#endif
