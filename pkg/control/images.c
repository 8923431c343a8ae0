/* The digests that images are run by: a tag means one image for a whole deployment, whatever it
 * comes to mean later. The first node that prepares tells them. */
#include "control/internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_DIGEST_MAX 255

/* Is its image to be run by a digest that some node has to find out? */
static bool wants_digest(const struct container_definition *d)
{
	return d->name && d->image && !strchr(d->image, '@') &&
	       !(d->version_consistency && strcmp(d->version_consistency, "disabled") == 0);
}

bool images_pulled(const struct content *content)
{
	return content->definition &&
	       task_definition_engine(content->definition) == ENGINE_CONTAINER;
}

static const char *digest_in(const struct str_map *images, const char *container)
{
	for (uint32_t i = 0; i < images->len; i++)
		if (strcmp(images->items[i].name, container) == 0)
			return images->items[i].value;
	return NULL;
}

bool images_unresolved(const struct content *content)
{
	if (content->images_ran || !images_pulled(content))
		return false;
	for (uint32_t i = 0; i < content->definition->container_definitions.len; i++) {
		const struct container_definition *d =
			&content->definition->container_definitions.items[i];
		if (wants_digest(d) && !digest_in(&content->images, d->name))
			return true;
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct str_pair *x = a, *y = b;
	return strcmp(x->name, y->name);
}

/* Kept as it was told first. */
static bool add(struct content *content, const char *container, const char *digest)
{
	struct str_map *images = &content->images;
	if (!container || !digest || strlen(digest) > IMAGE_DIGEST_MAX ||
	    strncmp(digest, "sha256:", 7) != 0 || images->len == LIMIT_CONTAINERS ||
	    digest_in(images, container))
		return false;
	if (!images->items)
		images->items = ARENA_ARRAY(&content->arena, struct str_pair, LIMIT_CONTAINERS);
	images->set = true;
	images->items[images->len++] = (struct str_pair){ arena_strdup(&content->arena, container),
							  arena_strdup(&content->arena, digest) };
	qsort(images->items, images->len, sizeof(*images->items), by_name);
	return true;
}

void images_take(struct content *content, const struct str_map *images)
{
	for (uint32_t i = 0; i < images->len; i++)
		add(content, images->items[i].name, images->items[i].value);
}

static bool learn_of_task(struct content *content, const struct wire_task *t)
{
	bool news = false;
	for (uint32_t i = 0; i < t->container_count; i++) {
		const struct wire_container *container = &t->containers[i];
		for (uint32_t k = 0; k < content->definition->container_definitions.len; k++) {
			const struct container_definition *d =
				&content->definition->container_definitions.items[k];
			if (wants_digest(d) && strcmp(d->name, container->name) == 0)
				news |= add(content, container->name, container->image_digest);
		}
	}
	/* An image that runs and has no digest was made on the node: there is none to wait for. */
	if (t->last_status != TASK_RUNNING || content->images_ran)
		return news;
	return content->images_ran = true;
}

/* They go into the deployment's record, and into the documents of those that are assigned it. */
static void tell(struct control *c, struct content *content)
{
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		if (!release_has(s->current, content))
			continue;
		release_share_images(s->current, content);
		ledger_dirty_service(c, s);
		tell_planner(c, s);
	}
	it = 0;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		for (size_t i = 0; i < n->assignments.len; i++) {
			const struct assignment *a = &n->assignments.items[i];
			n->dirty |= a->content == content ||
				    (release_has(a->service->current, content) &&
				     release_has(a->service->current, a->content));
		}
	}
}

void images_learn(struct control *c, struct node_record *n)
{
	for (size_t i = 0; i < n->assignments.len; i++) {
		struct content *content = n->assignments.items[i].content;
		const struct service_state *s = n->assignments.items[i].service;
		if (!images_unresolved(content))
			continue;
		bool news = false;
		for (uint32_t k = 0; k < n->observed.task_count; k++) {
			const struct wire_task *t = &n->observed.tasks[k];
			if (strcmp(t->service, s->name) == 0 &&
			    strcmp(t->cluster, s->cluster) == 0 &&
			    digest_equal(&t->target, &content->target))
				news |= learn_of_task(content, t);
		}
		if (news)
			tell(c, content);
	}
}

struct json_t *images_json(const struct content *content)
{
	json_t *json = json_object();
	for (uint32_t i = 0; i < content->images.len; i++)
		json_object_set_new(json, content->images.items[i].name,
				    json_string(content->images.items[i].value));
	return json;
}

void images_load(struct content *content, const struct json_t *json)
{
	const char *container;
	json_t *digest;
	json_object_foreach((json_t *)json, container, digest)
		add(content, container, json_string_value(digest));
}
