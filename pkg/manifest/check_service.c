/* What the tables cannot say of services, nodes and annotations. */
#include "manifest/internal.h"

#include <string.h>

static const struct value *deployment_field(const struct value *v, const char *name)
{
	return value_get(value_get(v, "deploymentConfiguration"), name);
}

/* A bare ECS document has ECS's defaults: all at once, and no way back. */
static void warn_of_ecs_defaults(struct reading *r, const struct daemon_service *service)
{
	const struct deployment_configuration *d = service->deployment_configuration;
	bool at_once = !d || !d->minimum_healthy_percent.set;
	bool no_rollback = !service_circuit_breaker(service).rollback;
	if (!at_once && !no_rollback)
		return;
	report_warning(r, service->name.pos, "with ECS's defaults a deployment of \"%s\"%s%s%s",
		       service->name.value,
		       at_once ? " may stop all of its tasks at once (minimumHealthyPercent 0)"
			       : "",
		       at_once && no_rollback ? "; no rollback" : "",
		       !at_once && no_rollback ? " is not rolled back when it fails" : "");
}

/* No task may be missing, and none may be beside another: neither can be kept in an update. */
bool percents_are_stuck(const struct daemon_service *service)
{
	const struct deployment_configuration *d = service->deployment_configuration;
	return d && d->minimum_healthy_percent.set && d->minimum_healthy_percent.value == 100 &&
	       (!d->maximum_percent.set || d->maximum_percent.value == 100);
}

static void check_percents(struct reading *r, const struct value *v,
			   const struct daemon_service *service)
{
	if (!percents_are_stuck(service))
		return;
	struct pos at = deployment_field(v, "minimumHealthyPercent")->pos;
	if (r->ecs)
		report_warning(
			r, at,
			"with minimumHealthyPercent 100 and maximumPercent 100 ECS would never "
			"replace a task; here one at a time is replaced");
	else
		report_error(r, at,
			     "with minimumHealthyPercent 100 and maximumPercent 100 no task could "
			     "ever be replaced; lower minimumHealthyPercent, or raise "
			     "maximumPercent");
}

void check_daemon_service(struct reading *r, const struct value *v,
			  const struct daemon_service *service)
{
	const char *ref = service->task_definition.value, *family;
	uint32_t revision;
	if (ref && !manifest_task_definition_ref(ref, r->in.scratch, &family, &revision))
		report_error(r, service->task_definition.pos,
			     "\"%s\" is neither \"family\" nor \"family:revision\"", ref);
	check_percents(r, v, service);
	check_rollout(r, v, service);
	check_windows(r, value_get(v, "windows"), &service->windows);
	if (service->ecs && service->name.value)
		warn_of_ecs_defaults(r, service);
}

static void check_attribute(struct reading *r, const struct value *m)
{
	const char *name = m->key->text;
	if (!attribute_name_valid(name))
		report_error(r, m->key->pos,
			     "\"%s\" is no name of an attribute: 1 to %d letters, digits and "
			     "\"_.-/\\\"",
			     name, LIMIT_ATTRIBUTE_CHARS);
	else if (!attribute_name_allowed(name))
		report_error(r, m->key->pos, "the attribute \"%s\" is built in and cannot be set",
			     name);
	if (m->kind == VALUE_SCALAR && !value_is_null(m) && !attribute_value_valid(m->text))
		report_error(r, m->pos,
			     "\"%s\" is no value of an attribute: 1 to %d letters, digits, spaces "
			     "inside and \"_.@:-/\\\"",
			     m->text, LIMIT_ATTRIBUTE_CHARS);
}

void check_node(struct reading *r, const struct value *v, const struct node_manifest *node)
{
	const struct value *attributes = value_get(v, "attributes");
	if (!node->attributes.set)
		return;
	for (const struct value *m = attributes->first; m; m = m->next)
		check_attribute(r, m);
}

/* Annotations of our own name space are instructions: an unknown one would be ignored silently. */
struct annotation {
	const char *name;
	bool kinds[MANIFEST_KIND_COUNT]; /* that may have it */
	const char *kind_names;
	const char *const *values;
};
static const struct annotation known_annotations[] = {
	{ "muster/prune",
	  { [MANIFEST_DAEMON_SERVICE] = true },
	  "DaemonService",
	  (const char *const[]){ "disabled", "enabled", NULL } },
	{ COMPATIBILITY,
	  { [MANIFEST_TASK_DEFINITION] = true, [MANIFEST_DAEMON_SERVICE] = true },
	  "TaskDefinition or a DaemonService",
	  (const char *const[]){ "ecs", NULL } },
};

static void check_annotation(struct reading *r, const struct value *m, enum manifest_kind kind)
{
	for (size_t i = 0; i < ARRAY_LEN(known_annotations); i++) {
		const struct annotation *a = &known_annotations[i];
		if (strcmp(a->name, m->key->text) != 0)
			continue;
		if (!a->kinds[kind])
			report_error(r, m->key->pos, "\"%s\" is an annotation of a %s", a->name,
				     a->kind_names);
		else if (m->kind == VALUE_SCALAR && !is_allowed_value(a->values, m->text))
			report_error(r, m->pos, "\"%s\" must be %s%s%s", a->name, a->values[0],
				     a->values[1] ? " or " : "", a->values[1] ? a->values[1] : "");
		return;
	}
	report_error(r, m->key->pos,
		     "unknown annotation \"%s\": \"muster/prune\" of a DaemonService and "
		     "\"" COMPATIBILITY "\" of a TaskDefinition or a DaemonService are known",
		     m->key->text);
}

void check_annotations(struct reading *r, const struct value *metadata,
		       const struct str_map *annotations, enum manifest_kind kind)
{
	const struct value *list = value_get(metadata, "annotations");
	if (!annotations->set)
		return;
	for (const struct value *m = list->first; m; m = m->next) {
		if (strncmp(m->key->text, "muster/", 7) == 0)
			check_annotation(r, m, kind);
	}
}
