/*
 * engine/docker/image: references to images, when to pull them, and credentials for registries.
 * Pure.
 */
#ifndef MUSTER_ENGINE_DOCKER_IMAGE_H
#define MUSTER_ENGINE_DOCKER_IMAGE_H

#include "engine/docker/inspect.h"

#define DEFAULT_REGISTRY   "docker.io"
#define AUTH_FILE_MAX	   (256 << 10)
#define IMAGE_TEXT_MAX	   512
#define IMAGE_DIGEST_START "sha256:"

/* [REGISTRY/]NAME[:TAG][@DIGEST], with Docker's defaults: docker.io, and library/ there. */
struct image_ref {
	const char *registry; /* "docker.io", "registry.example:5000", "localhost" */
	const char *name;     /* "docker.io/library/busybox": the registry's too */
	const char *tag;      /* "latest" where there is neither tag nor digest; NULL */
	const char *digest;   /* "sha256:..."; NULL */
};
bool image_parse(const char *text, struct arena *arena, struct image_ref *out, struct err *err);
/* What to ask the engine for: "NAME@DIGEST", else "NAME:TAG". */
const char *image_text(const struct image_ref *ref, struct arena *arena);

/* Of the name that Podman gives to what is made on the node. */
bool image_is_local(const struct image_ref *ref);

enum pull_policy { PULL_ALWAYS, PULL_IF_NOT_PRESENT, PULL_NEVER };
/* imagePullPolicy, by Kubernetes' rule where there is none. A digest is one image for ever. */
enum pull_policy image_policy(const char *policy, const struct image_ref *ref);

/*
 * The digest that the image is known by under the reference's name: the reference's own where the
 * image has it; where it has several (Podman keeps that of an index and that of the manifest of our
 * architecture in it) the one that it was pulled by, so the index's. NULL: none, as of an image
 * that was made here; those of the registry "localhost" are, and mean nothing elsewhere.
 */
const char *image_digest(const struct image_info *image, const struct image_ref *ref,
			 struct arena *arena);

/*
 * The value of X-Registry-Auth for that registry and name out of a file as docker's config.json.
 * NULL with err.text empty: the file has none for it. NULL with err set: it does not read. It is
 * never to be logged.
 */
const char *image_auth(const char *file, size_t len, const struct image_ref *ref,
		       struct arena *arena, struct err *err);

#endif
