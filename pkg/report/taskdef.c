/* CLUSTER/taskdefs/FAMILY.yaml: the revision in force in ECS's shape, and what is known of all. */
#include "report/internal.h"

#include <stdlib.h>
#include <string.h>

static json_t *definition_json(const char *content)
{
	json_t *definition = content ? json_loads(content, 0, NULL) : NULL;
	if (definition)
		redact(&task_definition_schema, definition);
	return definition;
}

static json_t *revision_json(const struct family *f, const struct revision *r)
{
	json_t *item = json_object();
	put_int(item, "revision", r->number);
	put_digest(item, "digest", &r->digest);
	put_text(item, "status", r->number == f->current ? "ACTIVE" : "INACTIVE");
	put_text(item, "commit", r->commit[0] ? r->commit : NULL);
	put_time(item, "registeredAt", r->time_unix_ms);
	json_t *definition = definition_json(r->content);
	if (definition) /* the last ones and those in use: placement is judged by it */
		put(item, "definition", definition);
	return item;
}

static json_t *current_json(const struct family *f, const struct revision *r)
{
	json_t *out = json_object();
	put_textf(out, "taskDefinitionArn", "task-definition/%s:%u", f->name, r->number);
	put_text(out, "family", f->name);
	put_int(out, "revision", r->number);
	put_text(out, "status", r->number == f->current ? "ACTIVE" : "INACTIVE");
	json_t *definition = definition_json(r->content);
	if (definition) {
		json_object_update_missing(out, definition);
		json_decref(definition);
	}
	put_time(out, "registeredAt", r->time_unix_ms);
	return out;
}

static json_t *users_json(const struct control *c, const char *family, struct arena *scratch)
{
	json_t *list = json_array();
	const struct service_state **services;
	uint32_t count = control_services(c, scratch, &services);
	for (uint32_t i = 0; i < count; i++)
		if (services[i]->content && strcmp(services[i]->content->family, family) == 0)
			json_array_append_new(list, text_value(services[i]->key));
	return list;
}

json_t *report_taskdef(const struct control *c, const char *family, struct arena *scratch)
{
	const struct family *f = map_get(c->families, family);
	if (!f || f->revisions.len == 0)
		return NULL;
	const struct revision *shown = &f->revisions.items[f->revisions.len - 1];
	json_t *doc = json_object(), *revisions = json_array();
	for (size_t i = f->revisions.len; i-- > 0;) {
		if (f->revisions.items[i].number == f->current)
			shown = &f->revisions.items[i];
		json_array_append_new(revisions, revision_json(f, &f->revisions.items[i]));
	}
	put_text(doc, "apiVersion", "muster/v1");
	put_text(doc, "kind", "TaskDefinitionStatus");
	put(doc, "taskDefinition", current_json(f, shown));
	put(doc, "services", users_json(c, family, scratch));
	put(doc, "revisions", revisions);
	return doc;
}

uint32_t report_taskdef_clusters(const struct control *c, const char *family, struct arena *arena,
				 const char ***out)
{
	const struct service_state **services;
	uint32_t count = control_services(c, arena, &services), found = 0;
	const char **clusters = ARENA_ARRAY(arena, const char *, count + 1);
	for (uint32_t i = 0; i < count; i++) { /* by cluster: equal ones are neighbours */
		const struct service_state *s = services[i];
		if (s->content && strcmp(s->content->family, family) == 0 &&
		    (found == 0 || strcmp(clusters[found - 1], s->cluster) != 0))
			clusters[found++] = s->cluster;
	}
	if (found == 0)
		clusters[found++] = DEFAULT_CLUSTER;
	*out = clusters;
	return found;
}
