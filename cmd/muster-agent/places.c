/* Files of this node that tasks name: secrets and environment files. When one changes, what failed
 * for want of it is tried again without its delay. */
#include "agent.h"

#include "log/log.h"

#include <stdlib.h>
#include <string.h>

#define FILE_SCHEME "file:"

/* The path of "file:PATH", or NULL. */
static const char *path_of(const char *place)
{
	size_t len = strlen(FILE_SCHEME);
	return place && strncmp(place, FILE_SCHEME, len) == 0 && strrchr(place, '/') ? place + len
										     : NULL;
}

static void watch(struct agent *a, const struct wire_desired_task *task, const char *place)
{
	const char *path = path_of(place);
	if (!path)
		return;
	struct arena *arena = &a->places_arena;
	const char *slash = strrchr(path, '/');
	struct node_place *p = vec_push(&a->places);
	p->dir = slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
	p->name = arena_strdup(arena, slash + 1);
	p->service = service_key(arena, task->cluster, task->service);
	struct err err;
	if (a->watcher && !watcher_add(a->watcher, p->dir, &err))
		log_warn("a directory cannot be watched; delays run their time", "reason",
			 err.text);
}

static void watch_task(struct agent *a, const struct wire_desired_task *task)
{
	for (uint32_t i = 0; i < task->task_definition->container_definitions.len; i++) {
		const struct container_definition *c =
			&task->task_definition->container_definitions.items[i];
		for (uint32_t k = 0; k < c->secrets.len; k++)
			watch(a, task, c->secrets.items[k].value_from);
		for (uint32_t k = 0; k < c->environment_files.len; k++)
			watch(a, task, c->environment_files.items[k].value);
	}
}

static bool is_watched(const struct agent *a, const char *dir)
{
	bool own = strcmp(dir, a->control_dir) == 0 ||
		   (a->options.attributes_dir && strcmp(dir, a->options.attributes_dir) == 0);
	for (size_t i = 0; i < a->places.len && !own; i++)
		own = strcmp(a->places.items[i].dir, dir) == 0;
	return own;
}

void agent_places_watch(struct agent *a)
{
	VEC(struct node_place) old = { 0 };
	struct arena old_arena = a->places_arena;
	for (size_t i = 0; i < a->places.len; i++)
		*vec_push(&old) = a->places.items[i];
	a->places.len = 0;
	arena_init(&a->places_arena);
	for (uint32_t i = 0; i < a->desired.task_count; i++)
		watch_task(a, &a->desired.tasks[i]);
	for (size_t i = 0; a->watcher && i < old.len; i++)
		if (!is_watched(a, old.items[i].dir))
			watcher_remove(a->watcher, old.items[i].dir);
	vec_release(&old);
	arena_release(&old_arena);
}

bool agent_places_changed(struct agent *a, const char *dir, const char *name)
{
	bool any = false;
	for (size_t i = 0; i < a->places.len; i++) {
		const struct node_place *p = &a->places.items[i];
		if (strcmp(p->dir, dir) != 0 || (name && strcmp(p->name, name) != 0))
			continue;
		map_put(a->retries, p->service, a);
		any = true;
	}
	if (any)
		agent_step_soon(a);
	return any;
}

const char **agent_retries_take(struct agent *a, struct arena *arena, uint32_t *count)
{
	size_t it = 0;
	const char *key;
	const char **keys = ARENA_ARRAY(arena, const char *, map_count(a->retries) + 1);
	*count = 0;
	while (map_next(a->retries, &it, &key, NULL))
		keys[(*count)++] = arena_strdup(arena, key);
	for (uint32_t i = 0; i < *count; i++)
		map_remove(a->retries, keys[i]);
	return keys;
}

void agent_places_release(struct agent *a)
{
	vec_release(&a->places);
	arena_release(&a->places_arena);
	map_free(a->retries);
}
