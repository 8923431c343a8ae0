/* A service of a status file or of a manifest tree -> what the planner is told. */
#include "report/world.h"

#include <stdlib.h>
#include <string.h>

static void add_constraint(struct world *w, struct world_service *s, const char *text)
{
	struct expr_error error;
	struct expr *expr = text ? expr_compile(text, w->intern, &error) : NULL;
	if (expr)
		s->constraints[s->constraint_count++] = expr;
}

static const uint16_t *read_ports(struct world *w, const json_t *list, uint32_t *count)
{
	uint16_t *ports = ARENA_ARRAY(&w->arena, uint16_t, json_array_size(list) + 1);
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) ports[i] = (uint16_t)json_integer_value(item);
	*count = (uint32_t)json_array_size(list);
	return ports;
}

static const intern_id *read_names(struct world *w, const json_t *list, uint32_t *count)
{
	intern_id *ids = ARENA_ARRAY(&w->arena, intern_id, json_array_size(list) + 1);
	size_t i;
	json_t *item;
	*count = 0;
	json_array_foreach(list, i, item) if (json_is_string(item)) ids[(*count)++] =
		intern_add(w->intern, json_string_value(item));
	return ids;
}

void world_service_from_doc(struct world *w, struct world_service *s)
{
	const json_t *p = json_object_get(s->doc, "placement");
	const json_t *constraints = json_object_get(p, "constraints");
	struct plan_service *plan = &s->plan;
	size_t i;
	json_t *item;
	s->constraints =
		ARENA_ARRAY(&w->arena, const struct expr *, json_array_size(constraints) + 1);
	json_array_foreach(constraints, i, item) add_constraint(w, s, json_string_value(item));
	s->family = get_text(p, "family");
	s->variant.engine = strcmp(text_or(p, "engine", ""), engine_kind_name(ENGINE_PROCESS)) == 0
				    ? ENGINE_PROCESS
				    : ENGINE_CONTAINER;
	plan->current.revision = (uint32_t)get_int(p, "revision", 0);
	s->variant.target = get_digest(p, "target");
	plan->priority = (int32_t)get_int(p, "priority", 0);
	s->variant.capabilities =
		read_names(w, json_object_get(p, "capabilities"), &s->variant.capability_count);
	s->variant.resources.cpu_units = (uint32_t)get_int(p, "cpu", 0);
	s->variant.resources.memory_mib = (uint32_t)get_int(p, "memory", 0);
	s->variant.resources.tcp_ports =
		read_ports(w, json_object_get(p, "ports"), &s->variant.resources.tcp_count);
	s->variant.resources.udp_ports =
		read_ports(w, json_object_get(p, "portsUdp"), &s->variant.resources.udp_count);
	s->variant.document_bytes = (uint32_t)get_int(p, "documentBytes", 0);
	plan->min_healthy_percent =
		(uint32_t)get_int(p, "minimumHealthyPercent", DEFAULT_MIN_HEALTHY_PERCENT);
	plan->monitor_ms = (uint32_t)get_int(p, "monitorSeconds", DEFAULT_MONITOR_S) * 1000;
	plan->suspend = get_bool(p, "suspend");
	plan->stalled = get_bool(p, "stalled") || !p;
	plan->removing = get_bool(p, "removing");
}

/* --- from the tree --------------------------------------------------------------------------- */

/* The number that status knows for a digest; 0: none. highest: of all numbers of the family. */
static uint32_t known_revision(const struct world *w, const char *family,
			       const struct digest *digest, uint32_t *highest)
{
	const json_t *revisions = json_object_get(map_get(w->taskdefs, family), "revisions");
	uint32_t found = 0;
	size_t i;
	json_t *item;
	*highest = 0;
	json_array_foreach(revisions, i, item)
	{
		uint32_t number = (uint32_t)get_int(item, "revision", 0);
		struct digest known = get_digest(item, "digest");
		if (number > *highest)
			*highest = number;
		if (digest_equal(&known, digest))
			found = number;
	}
	return found;
}

/* What status keeps of a pinned revision: digest and definition. False: stalled. */
static bool pinned_revision(struct world *w, const char *family, uint32_t number,
			    struct digest *digest, const struct task_definition **definition)
{
	const json_t *revisions = json_object_get(map_get(w->taskdefs, family), "revisions");
	size_t i;
	json_t *item;
	json_array_foreach(revisions, i, item)
	{
		const json_t *json = json_object_get(item, "definition");
		struct task_definition *td = ARENA_NEW(&w->arena, struct task_definition);
		if (get_int(item, "revision", 0) != number || !json ||
		    !wire_object_from_json(&task_definition_schema, json, &w->arena, td, NULL))
			continue;
		*digest = get_digest(item, "digest");
		*definition = td;
		return true;
	}
	return false;
}

static const struct task_definition *resolve(struct world *w, struct world_service *s)
{
	const struct daemon_service *spec = s->object->daemon_service;
	const struct task_definition *definition = NULL;
	struct digest digest = { 0 };
	uint32_t pinned, highest;
	if (!manifest_task_definition_ref(spec->task_definition.value, &w->arena, &s->family,
					  &pinned))
		return NULL;
	const struct manifest_object *object = manifest_find_task_definition(w->tree, s->family);
	uint32_t number = object ? known_revision(w, s->family, &object->digest, &highest) : 0;
	if (object && (!pinned || pinned == number)) {
		s->new_revision = number == 0;
		s->plan.current.revision = number ? number : highest + 1;
		digest = object->digest;
		definition = object->task_definition;
	} else if (pinned && pinned_revision(w, s->family, pinned, &digest, &definition)) {
		s->plan.current.revision = pinned;
	} else {
		s->stalled = arena_printf(&w->arena, "revision %s is not known",
					  spec->task_definition.value);
		return NULL;
	}
	s->variant.target = task_target_digest(&digest, spec->redeploy);
	return definition;
}

static uint32_t number_or(struct opt_int value, uint32_t absent)
{
	return value.set ? (uint32_t)value.value : absent;
}

void world_service_from_tree(struct world *w, struct world_service *s)
{
	const struct daemon_service *spec = s->object->daemon_service;
	const struct deployment_configuration *d = spec->deployment_configuration;
	const struct task_definition *td = resolve(w, s);
	struct plan_service *plan = &s->plan;
	uint32_t own = spec->placement_constraints.len,
		 of_td = td ? td->placement_constraints.len : 0;
	s->constraints = ARENA_ARRAY(&w->arena, const struct expr *, own + of_td + 1);
	for (uint32_t i = 0; i < own; i++)
		add_constraint(w, s, spec->placement_constraints.items[i].expression.value);
	for (uint32_t i = 0; i < of_td; i++)
		add_constraint(w, s, td->placement_constraints.items[i].expression.value);
	plan->priority = spec->priority.set ? (int32_t)spec->priority.value : 0;
	plan->monitor_ms = number_or(spec->monitor_seconds, DEFAULT_MONITOR_S) * 1000;
	plan->min_healthy_percent = spec->ecs ? 0 : DEFAULT_MIN_HEALTHY_PERCENT;
	if (d)
		plan->min_healthy_percent =
			number_or(d->minimum_healthy_percent, plan->min_healthy_percent);
	plan->suspend = spec->suspend == OPT_TRUE;
	plan->stalled = !td;
	if (!td)
		return;
	const struct manifest_object *cluster =
		manifest_find_cluster(w->tree, spec->cluster ? spec->cluster : DEFAULT_CLUSTER);
	td = cluster_task_definition(cluster ? cluster->cluster : NULL, td, &w->arena);
	struct str_list names = task_definition_capabilities(td, &w->arena);
	intern_id *capabilities = ARENA_ARRAY(&w->arena, intern_id, names.len + 1);
	for (uint32_t i = 0; i < names.len; i++)
		capabilities[i] = intern_add(w->intern, names.items[i]);
	s->variant.capabilities = capabilities;
	s->variant.capability_count = names.len;
	s->variant.engine = task_definition_engine(td);
	s->variant.resources = task_definition_resources(td, &w->arena);
	s->variant.document_bytes = content_document_bytes(td);
}
