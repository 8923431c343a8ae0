/* Names and labels: what makes a container or a volume ours. */
#include "engine/docker/create_internal.h"

#include <string.h>

#define TASK_DIGITS 8
#define HASH_DIGITS 8

/* Two long parts that begin alike end in digits of their own. */
static const char *part(const char *text, struct arena *arena)
{
	char hex[DIGEST_HEX_LEN + 1];
	size_t len = strlen(text);
	if (len <= NAME_PART_MAX)
		return text;
	struct digest digest = digest_of(text, len);
	digest_hex(&digest, hex);
	return arena_printf(arena, "%.*s-%.*s", NAME_PART_MAX - HASH_DIGITS - 1, text, HASH_DIGITS,
			    hex);
}

const char *create_name(const struct task_identity *id, const char *container, struct arena *arena)
{
	return arena_printf(arena, "muster-%s-%s-%s-%.*s", part(id->node, arena),
			    part(id->service, arena), part(container, arena), TASK_DIGITS,
			    id->task);
}

static bool is_shared(const struct volume *v)
{
	const struct docker_volume_configuration *d = v->docker_volume_configuration;
	return d && d->scope && strcmp(d->scope, "shared") == 0;
}

bool create_volume_is_tasks(const struct volume *v)
{
	return !(v->host && v->host->source_path) && !is_shared(v);
}

const char *create_volume_name(const struct task_identity *id, const struct volume *volume,
			       struct arena *arena)
{
	if (volume->host && volume->host->source_path)
		return NULL;
	return is_shared(volume) ? volume->name : create_name(id, volume->name, arena);
}

static void set(json_t *object, const char *name, const char *value)
{
	json_object_set_new(object, name, json_string(value ? value : ""));
}

static void set_labels(json_t *labels, const struct task_identity *id, struct arena *arena)
{
	char target[DIGEST_HEX_LEN + 1];
	digest_hex(&id->target, target);
	set(labels, LABEL_FLEET, id->fleet);
	set(labels, LABEL_NODE, id->node);
	set(labels, LABEL_CLUSTER, id->cluster);
	set(labels, LABEL_SERVICE, id->service);
	set(labels, LABEL_TASK, id->task);
	set(labels, LABEL_DIGEST, target);
	set(labels, LABEL_FAMILY, id->family);
	set(labels, LABEL_REVISION, arena_printf(arena, "%u", id->revision));
	set(labels, LABEL_DEPLOYMENT, id->deployment);
}

json_t *create_labels(const struct task_identity *id, const struct str_map *own,
		      struct arena *arena)
{
	json_t *labels = json_object();
	/* Ours say whose it is: no label of the definition takes their place. */
	for (uint32_t i = 0; own && i < own->len; i++)
		if (strncmp(own->items[i].name, LABEL_PREFIX, strlen(LABEL_PREFIX)) != 0)
			set(labels, own->items[i].name, own->items[i].value);
	set_labels(labels, id, arena);
	return labels;
}

json_t *create_volume_json(const struct task_identity *id, const struct volume *volume,
			   struct arena *arena)
{
	const struct docker_volume_configuration *d = volume->docker_volume_configuration;
	json_t *object = json_object(), *options = json_object();
	set(object, "Name", create_volume_name(id, volume, arena));
	set(object, "Driver", d && d->driver ? d->driver : "local");
	for (uint32_t i = 0; d && i < d->driver_opts.len; i++)
		set(options, d->driver_opts.items[i].name, d->driver_opts.items[i].value);
	json_object_set_new(object, "DriverOpts", options);
	json_t *labels = NULL;
	if (create_volume_is_tasks(volume)) {
		labels = create_labels(id, d ? &d->labels : NULL, arena);
	} else {
		labels = json_object();
		for (uint32_t i = 0; d && i < d->labels.len; i++)
			set(labels, d->labels.items[i].name, d->labels.items[i].value);
	}
	json_object_set_new(object, "Labels", labels);
	return object;
}

/* --- the owner ---------------------------------------------------------------------------------
 */

static bool is(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

bool create_needs_owner(const struct task_definition *td)
{
	return is(td->network_mode, "awsvpc") || is(td->pid_mode, "task") ||
	       is(td->ipc_mode, "task");
}

const char *create_container_of(const struct task_definition *td, uint32_t index)
{
	return index == LIFECYCLE_OWNER ? OWNER_NAME : td->container_definitions.items[index].name;
}
