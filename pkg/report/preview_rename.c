/* One service goes and a like one comes: a rename, perhaps, which stops and starts all its tasks.
 */
#include "report/world.h"

#include <stdlib.h>
#include <string.h>

/* What two services are compared by. */
struct look {
	const struct world_change *change;
	const char *family;
	char *definition; /* its text without names; NULL: it is not known */
	bool taken;	  /* it is the old name of one already */
};

/* A definition without its names and what status never shows. Takes the reference. */
static char *nameless(json_t *definition)
{
	size_t i;
	json_t *container;
	if (!definition)
		return NULL;
	redact(&task_definition_schema, definition);
	json_object_del(definition, "family");
	json_array_foreach(json_object_get(definition, "containerDefinitions"), i, container)
		json_object_del(container, "name");
	char *text = json_dumps(definition, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(definition);
	return text;
}

/* What the service of the status files runs. */
static json_t *definition_of_status(const struct world *w, const struct world_service *s)
{
	const json_t *revisions = json_object_get(map_get(w->taskdefs, s->family), "revisions");
	size_t i;
	json_t *item;
	json_array_foreach(revisions, i, item)
	{
		if (get_int(item, "revision", 0) == s->plan.current.revision)
			return json_deep_copy(json_object_get(item, "definition"));
	}
	return NULL;
}

static json_t *definition_of_tree(const struct world *w, const struct world_service *s)
{
	const struct manifest_object *o = manifest_find_task_definition(w->tree, s->family);
	return o ? wire_object_to_json(&task_definition_schema, o->task_definition) : NULL;
}

static struct look look_at(const struct world *w, const struct world_change *c, struct arena *arena)
{
	const struct world_service *s =
		map_get(w->services, service_key(arena, c->cluster, c->service));
	struct look look = { .change = c, .family = s->family };
	if (s->family)
		look.definition =
			nameless(s->object ? definition_of_tree(w, s) : definition_of_status(w, s));
	return look;
}

static bool is_like(const struct look *a, const struct look *b)
{
	if (strcmp(a->change->cluster, b->change->cluster) != 0 || !a->family || !b->family)
		return false;
	return strcmp(a->family, b->family) == 0 ||
	       (a->definition && b->definition && strcmp(a->definition, b->definition) == 0);
}

void preview_renames(const struct world *w, struct world_change *changes, uint32_t count,
		     struct arena *arena)
{
	struct look *gone = ARENA_ARRAY(arena, struct look, count + 1);
	uint32_t gone_count = 0;
	for (uint32_t i = 0; i < count; i++)
		if (changes[i].action == WORLD_REMOVE)
			gone[gone_count++] = look_at(w, &changes[i], arena);
	/* The first like one by name; each is the old name of one only. */
	for (uint32_t i = 0; gone_count && i < count; i++) {
		if (changes[i].action != WORLD_CREATE)
			continue;
		struct look made = look_at(w, &changes[i], arena);
		for (uint32_t g = 0; g < gone_count && !changes[i].renamed_from; g++) {
			if (gone[g].taken || !is_like(&gone[g], &made))
				continue;
			gone[g].taken = true;
			changes[i].renamed_from = gone[g].change->service;
		}
		free(made.definition);
	}
	for (uint32_t g = 0; g < gone_count; g++)
		free(gone[g].definition);
}
