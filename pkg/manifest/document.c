/* Documents: which kind one is, its envelope, and the object made of it. */
#include "manifest/internal.h"

#include <string.h>

#define API_VERSION "muster/v1"

const struct schema *const manifest_schemas[MANIFEST_KIND_COUNT] = {
	[MANIFEST_TASK_DEFINITION] = &task_definition_schema,
	[MANIFEST_DAEMON_SERVICE] = &daemon_service_schema,
	[MANIFEST_NODE] = &node_manifest_schema,
	[MANIFEST_CLUSTER] = &cluster_manifest_schema,
};

static const char *const kind_names[MANIFEST_KIND_COUNT] = {
	[MANIFEST_TASK_DEFINITION] = "TaskDefinition",
	[MANIFEST_DAEMON_SERVICE] = "DaemonService",
	[MANIFEST_NODE] = "Node",
	[MANIFEST_CLUSTER] = "Cluster",
};

const char *manifest_kind_name(enum manifest_kind kind)
{
	return kind_names[kind];
}

/* The result of one document. */
struct document {
	struct manifest_object object;
	void *content; /* what object's union points at */
};

static struct document document_new(struct reading *r, enum manifest_kind kind,
				    const struct value *v)
{
	struct document d = {
		.object = { .kind = kind, .path = r->in.path, .pos = v->pos, .ecs = r->ecs }
	};
	d.content = arena_alloc(r->arena, manifest_schemas[kind]->size);
	switch (kind) {
	case MANIFEST_TASK_DEFINITION: d.object.task_definition = d.content; break;
	case MANIFEST_DAEMON_SERVICE: d.object.daemon_service = d.content; break;
	case MANIFEST_NODE: d.object.node = d.content; break;
	case MANIFEST_CLUSTER: d.object.cluster = d.content; break;
	case MANIFEST_KIND_COUNT: break;
	}
	return d;
}

/* What tables cannot say; v is the mapping with the fields. */
static void check_content(struct reading *r, const struct document *d, const struct value *v)
{
	switch (d->object.kind) {
	case MANIFEST_TASK_DEFINITION:
		check_task_definition(r, v, d->object.task_definition);
		break;
	case MANIFEST_DAEMON_SERVICE: check_daemon_service(r, v, d->object.daemon_service); break;
	case MANIFEST_NODE: check_node(r, v, d->object.node); break;
	case MANIFEST_CLUSTER: check_cluster(r, v, d->object.cluster); break;
	case MANIFEST_KIND_COUNT: break;
	}
}

static const char *content_name(const struct document *d)
{
	switch (d->object.kind) {
	case MANIFEST_TASK_DEFINITION: return d->object.task_definition->family.value;
	case MANIFEST_DAEMON_SERVICE: return d->object.daemon_service->name.value;
	case MANIFEST_NODE: return d->object.node->name.value;
	case MANIFEST_CLUSTER: return d->object.cluster->name.value;
	case MANIFEST_KIND_COUNT: break;
	}
	return NULL;
}

static void document_done(struct reading *r, struct document *d, size_t errors,
			  struct object_vec *good, struct object_vec *broken)
{
	const char *name = content_name(d);
	*(struct pos *)d->content = d->object.pos;
	d->object.name = name && *name ? name : NULL;
	d->object.relaxed = r->relaxed;
	bool ok = r->in.diags->errors == errors && !r->flawed && d->object.name;
	if (ok && d->object.kind == MANIFEST_TASK_DEFINITION)
		d->object.digest = task_definition_digest(d->object.task_definition);
	*vec_push(ok ? good : broken) = d->object;
}

/* --- muster documents ------------------------------------------------------------------------- */

struct metadata {
	struct pos pos;
	struct str_at name;
	struct str_map labels, annotations;
};
static const struct field metadata_fields[] = {
	{ .name = "name",
	  .kind = FIELD_STRING_AT,
	  .flags = FIELD_NAME,
	  .offset = offsetof(struct metadata, name) },
	{ .name = "labels", .kind = FIELD_STRING_MAP, .offset = offsetof(struct metadata, labels) },
	{ .name = "annotations",
	  .kind = FIELD_STRING_MAP,
	  .offset = offsetof(struct metadata, annotations) },
};
static const struct schema metadata_schema = {
	.name = "metadata",
	.fields = metadata_fields,
	.count = ARRAY_LEN(metadata_fields),
	.size = sizeof(struct metadata),
};

/* Put metadata where the kind's struct has it. */
static void set_metadata(const struct document *d, const struct metadata *metadata)
{
	const struct schema *schema = manifest_schemas[d->object.kind];
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *to = &schema->fields[i];
		const struct field *from = schema_find(&metadata_schema, to->name);
		if (!(to->flags & FIELD_METADATA) || !from)
			continue;
		size_t size = from->kind == FIELD_STRING_AT ? sizeof(struct str_at)
							    : sizeof(struct str_map);
		memcpy(field_at(to, d->content), field_at(from, metadata), size);
	}
}

static void read_metadata(struct reading *r, const struct value *v, const struct value *envelope,
			  enum manifest_kind kind, struct metadata *metadata)
{
	const struct value *spec = value_get(envelope, "spec");
	bool family = kind == MANIFEST_TASK_DEFINITION && value_get(spec, "family");
	if (v)
		read_object(r, &metadata_schema, v, metadata);
	if (!metadata->name.value && !value_get(v, "name") && !family)
		report_error(r, v ? v->pos : envelope->pos, "metadata has no \"name\"");
	check_annotations(r, v, &metadata->annotations, kind);
}

static void read_spec(struct reading *r, const struct value *v, const struct value *spec,
		      const struct document *d)
{
	const struct schema *schema = manifest_schemas[d->object.kind];
	bool needed = d->object.kind == MANIFEST_TASK_DEFINITION ||
		      d->object.kind == MANIFEST_DAEMON_SERVICE;
	if (spec)
		read_object(r, schema, spec, d->content);
	else if (needed)
		report_error(r, v->pos, "the %s has no \"spec\"", schema->name);
}

/* The family is metadata.name; spec.family may say it again, or alone. */
static void read_task_definition(struct reading *r, const struct value *v, const struct value *spec,
				 const struct document *d, const struct str_at *name)
{
	struct task_definition *td = d->content;
	const struct value *family = value_get(spec, "family");
	td->family = *name;
	if (!td->family.value && !family)
		td->family.value = ""; /* reported as missing from metadata */
	if (td->family.value && strchr(td->family.value, '.'))
		report_error(r, td->family.pos,
			     "a family has only letters, digits, \"_\" and \"-\", not \".\"");
	read_spec(r, v, spec, d);
	if (family && name->value && td->family.value && strcmp(name->value, td->family.value) != 0)
		report_error(r, family->pos, "\"family\" is \"%s\" but metadata.name is \"%s\"",
			     td->family.value, name->value);
}

static bool is_ecs_compatible(const struct metadata *metadata, enum manifest_kind kind)
{
	for (uint32_t i = 0; i < metadata->annotations.len; i++)
		if (strcmp(metadata->annotations.items[i].name, COMPATIBILITY) == 0)
			return kind == MANIFEST_TASK_DEFINITION || kind == MANIFEST_DAEMON_SERVICE;
	return false;
}

/* errors: how many there were before the document. */
static void read_muster_object(struct reading *r, const struct value *v, enum manifest_kind kind,
			       size_t errors, struct object_vec *good, struct object_vec *broken)
{
	struct metadata metadata = { 0 };
	struct document d = document_new(r, kind, v);
	const struct value *spec = value_get(v, "spec");
	read_metadata(r, value_get(v, "metadata"), v, kind, &metadata);
	set_metadata(&d, &metadata);
	r->ecs = is_ecs_compatible(&metadata, kind);
	if (kind == MANIFEST_TASK_DEFINITION)
		read_task_definition(r, v, spec, &d, &metadata.name);
	else
		read_spec(r, v, spec, &d);
	check_content(r, &d, spec);
	document_done(r, &d, errors, good, broken);
}

static bool check_api_version(struct reading *r, const struct value *v)
{
	const struct value *version = value_get(v, "apiVersion");
	if (version && version->kind == VALUE_SCALAR && strcmp(version->text, API_VERSION) == 0)
		return true;
	if (!version)
		report_error(r, v->pos, "the document has no \"apiVersion\": write " API_VERSION);
	else if (version->kind != VALUE_BAD)
		report_error(r, version->pos, "\"apiVersion\" must be " API_VERSION "%s%s%s",
			     version->kind == VALUE_SCALAR ? ", not \"" : "",
			     version->kind == VALUE_SCALAR ? version->text : "",
			     version->kind == VALUE_SCALAR ? "\"" : "");
	return false;
}

static void check_envelope(struct reading *r, const struct value *v)
{
	static const char *const fields[] = { "apiVersion", "kind", "metadata", "spec" };
	for (const struct value *m = v->first; m; m = m->next) {
		size_t i = 0;
		while (i < ARRAY_LEN(fields) && strcmp(fields[i], m->key->text) != 0)
			i++;
		if (i == ARRAY_LEN(fields))
			report_unknown(r, m->key, "document", fields, ARRAY_LEN(fields));
	}
}

/* MANIFEST_KIND_COUNT after a mistake. */
static enum manifest_kind read_kind(struct reading *r, const struct value *v)
{
	const struct value *kind = value_get(v, "kind");
	if (!kind || kind->kind != VALUE_SCALAR) {
		if (!kind || kind->kind != VALUE_BAD)
			report_error(r, kind ? kind->pos : v->pos, "the document has no \"kind\"");
		return MANIFEST_KIND_COUNT;
	}
	for (size_t i = 0; i < MANIFEST_KIND_COUNT; i++)
		if (strcmp(kind_names[i], kind->text) == 0)
			return (enum manifest_kind)i;
	report_error(
		r, kind->pos,
		"unknown kind \"%s\"%s: TaskDefinition, DaemonService, Node and Cluster are known",
		kind->text,
		did_you_mean(r->in.diags, r->in.scratch, kind->text, kind_names,
			     MANIFEST_KIND_COUNT));
	return MANIFEST_KIND_COUNT;
}

static void read_muster_document(struct reading *r, const struct value *v, struct object_vec *good,
				 struct object_vec *broken)
{
	size_t errors = r->in.diags->errors;
	bool version = check_api_version(r, v);
	check_envelope(r, v);
	enum manifest_kind kind = read_kind(r, v);
	if (version && kind != MANIFEST_KIND_COUNT)
		read_muster_object(r, v, kind, errors, good, broken);
}

/* --- ECS documents ---------------------------------------------------------------------------- */

static void read_ecs_task_definition(struct reading *r, const struct value *v,
				     struct object_vec *good, struct object_vec *broken)
{
	size_t errors = r->in.diags->errors;
	struct document d = document_new(r, MANIFEST_TASK_DEFINITION, v);
	read_object(r, &task_definition_schema, v, d.content);
	check_content(r, &d, v);
	document_done(r, &d, errors, good, broken);
}

/* "arn:aws:ecs:region:account:kind/NAME" as NAME; other text as it is. */
static const char *without_arn(const char *text)
{
	const char *slash = text && strncmp(text, "arn:", 4) == 0 ? strrchr(text, '/') : NULL;
	return slash ? slash + 1 : text;
}

/* describe-services computes what create-service may not be given. */
static void drop_computed(struct value *v)
{
	struct value **link = &v->first;
	if (!value_get(v, "serviceArn"))
		return;
	for (; *link; link = &(*link)->next)
		if (strcmp((*link)->key->text, "desiredCount") == 0) {
			*link = (*link)->next;
			v->count--;
			return;
		}
}

static void read_ecs_service(struct reading *r, struct value *v, struct object_vec *good,
			     struct object_vec *broken)
{
	size_t errors = r->in.diags->errors;
	struct document d = document_new(r, MANIFEST_DAEMON_SERVICE, v);
	struct daemon_service *service = d.content;
	drop_computed(v);
	read_object(r, &ecs_service_schema, v, service);
	service->ecs = true;
	service->cluster = without_arn(service->cluster);
	service->task_definition.value = without_arn(service->task_definition.value);
	if (service->cluster && !name_valid(service->cluster))
		report_error(r, v->pos, "\"%s\" is no name of a cluster", service->cluster);
	if (!value_get(v, "schedulingStrategy"))
		report_error(r, v->pos, "%s",
			     schema_find(&ecs_service_schema, "schedulingStrategy")->note);
	check_content(r, &d, v);
	document_done(r, &d, errors, good, broken);
}

/* What the answers of ECS hold documents in; what stands beside is of the answer. */
static const struct {
	const char *name;
	bool services;
} wrappers[] = {
	{ "taskDefinition", false },
	{ "taskDefinitions", false },
	{ "service", true },
	{ "services", true },
};

static void read_ecs_document(struct reading *r, struct value *v, bool service,
			      struct object_vec *good, struct object_vec *broken)
{
	r->relaxed = false; /* several share one document of the file */
	if (service)
		read_ecs_service(r, v, good, broken);
	else
		read_ecs_task_definition(r, v, good, broken);
}

/* {taskDefinition: {...}}, {services: [{...}, ...]}, ... False: it is nothing of the kind. */
static bool read_ecs_wrapped(struct reading *r, const struct value *v, struct object_vec *good,
			     struct object_vec *broken)
{
	bool found = false;
	for (struct value *m = v->first; m; m = m->next)
		for (size_t i = 0; i < ARRAY_LEN(wrappers); i++) {
			bool wraps = m->kind == VALUE_MAPPING || m->kind == VALUE_SEQUENCE;
			if (!wraps || strcmp(m->key->text, wrappers[i].name) != 0)
				continue;
			found = true;
			struct value *item = m->kind == VALUE_MAPPING ? m : m->first;
			for (; item; item = m->kind == VALUE_MAPPING ? NULL : item->next)
				read_ecs_document(r, item, wrappers[i].services, good, broken);
		}
	return found;
}

static bool read_ecs(struct reading *r, struct value *v, struct object_vec *good,
		     struct object_vec *broken)
{
	if (v->kind != VALUE_MAPPING)
		return false;
	if (value_get(v, "family") || value_get(v, "containerDefinitions"))
		read_ecs_document(r, v, false, good, broken);
	else if (value_get(v, "serviceName") || value_get(v, "schedulingStrategy"))
		read_ecs_document(r, v, true, good, broken);
	else
		return read_ecs_wrapped(r, v, good, broken);
	return true;
}

/* Several ECS documents as a JSON list. */
static void read_list(struct reading *r, const struct value *v, struct object_vec *good,
		      struct object_vec *broken)
{
	const char *what = "a document must be a mapping of fields, or a list of ECS documents";
	r->ecs = true;
	if (value_get(v->first, "image"))
		what = "a list of container definitions is no task definition: write {family, "
		       "containerDefinitions}";
	if (!v->first)
		report_error(r, v->pos, "%s", what);
	for (struct value *m = v->first; m; m = m->next)
		if (!read_ecs(r, m, good, broken) && m->kind != VALUE_BAD)
			report_error(r, m->pos, "%s", what);
}

static void report_unknown_document(struct reading *r, const struct value *v)
{
	static const char *const telling[] = { "apiVersion",  "kind",
					       "family",      "containerDefinitions",
					       "serviceName", "schedulingStrategy" };
	const char *hint = "";
	for (const struct value *m = v->first; m && !*hint; m = m->next)
		hint = did_you_mean(r->in.diags, r->in.scratch, m->key->text, telling,
				    ARRAY_LEN(telling));
	report_error(r, v->pos,
		     "neither a muster document (apiVersion, kind) nor an ECS task definition "
		     "(family, containerDefinitions) or service (serviceName)%s; what is no "
		     "manifest can be named in .musterignore",
		     hint);
}

/* --- all ---------------------------------------------------------------------------------------
 */

void read_document(struct reading *r, struct value *v, struct object_vec *good,
		   struct object_vec *broken)
{
	size_t known = good->len + broken->len;
	r->ecs = r->relaxed = false;
	r->flawed = v->flawed;
	if (value_is_null(v))
		return; /* nothing between two separators */
	if (v->kind == VALUE_SEQUENCE) {
		read_list(r, v, good, broken);
	} else if (v->kind != VALUE_MAPPING) {
		if (v->kind != VALUE_BAD)
			report_error(r, v->pos, "a document must be a mapping of fields, not %s",
				     value_kind_text(v));
	} else if (value_get(v, "apiVersion") || value_get(v, "kind")) {
		read_muster_document(r, v, good, broken);
	} else {
		r->ecs = true;
		if (!read_ecs(r, v, good, broken))
			report_unknown_document(r, v);
	}
	if (good->len + broken->len == known)
		*vec_push(broken) = (struct manifest_object){ .kind = MANIFEST_KIND_COUNT };
}
