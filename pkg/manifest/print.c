/* Objects -> YAML, through libyaml's emitter. */
#include "manifest/internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct printer {
	yaml_emitter_t emitter;
	bool redact;
};

static int write_to_buf(void *data, unsigned char *bytes, size_t size)
{
	buf_add(data, bytes, size);
	return 1;
}

/* The emitter fails for want of memory only: all text is UTF-8, as it was read. */
static void emit(struct printer *p, yaml_event_t *event, int made)
{
	if (!made || !yaml_emitter_emit(&p->emitter, event))
		abort();
}

static void begin_mapping(struct printer *p)
{
	yaml_event_t event;
	emit(p, &event,
	     yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
}

static void end_mapping(struct printer *p)
{
	yaml_event_t event;
	emit(p, &event, yaml_mapping_end_event_initialize(&event));
}

static void begin_list(struct printer *p, bool flow)
{
	yaml_event_t event;
	emit(p, &event,
	     yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
						  flow ? YAML_FLOW_SEQUENCE_STYLE
						       : YAML_BLOCK_SEQUENCE_STYLE));
}

static void end_list(struct printer *p)
{
	yaml_event_t event;
	emit(p, &event, yaml_sequence_end_event_initialize(&event));
}

static void print_scalar(struct printer *p, const char *text, yaml_scalar_style_t style)
{
	yaml_event_t event;
	emit(p, &event,
	     yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
					  (int)strlen(text), 1, 1, style));
}

/* Would a reader that guesses types take the text for something else than text? */
static bool looks_typed(const char *text)
{
	static const char *const words[] = { "",   "~",	  "null", "true", "false", "yes", "no",
					     "on", "off", "y",	  "n",	  ".nan",  ".inf" };
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return strchr("0123456789+-.", *text) && !strpbrk(text, " /");
}

static void print_text(struct printer *p, const char *text)
{
	bool lines = strchr(text, '\n') && !strpbrk(text, "\r\t\x7f");
	print_scalar(p, text,
		     looks_typed(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
		     : lines	       ? YAML_LITERAL_SCALAR_STYLE
				       : YAML_ANY_SCALAR_STYLE);
}

static void print_key(struct printer *p, const char *name)
{
	print_text(p, name);
}

static void print_plain(struct printer *p, const char *text)
{
	print_scalar(p, text, YAML_PLAIN_SCALAR_STYLE);
}

static void print_map(struct printer *p, const struct str_map *map, bool hide)
{
	begin_mapping(p);
	for (uint32_t i = 0; i < map->len; i++) {
		print_key(p, map->items[i].name);
		if (map->items[i].value && !hide)
			print_text(p, map->items[i].value);
		else
			print_plain(p, "null");
	}
	end_mapping(p);
}

static void print_pairs(struct printer *p, const struct str_map *map, bool hide)
{
	begin_list(p, map->len == 0);
	for (uint32_t i = 0; i < map->len; i++) {
		begin_mapping(p);
		print_plain(p, "name");
		print_text(p, map->items[i].name);
		if (!hide && map->items[i].value) {
			print_plain(p, "value");
			print_text(p, map->items[i].value);
		}
		end_mapping(p);
	}
	end_list(p);
}

static void print_fields(struct printer *p, const struct schema *schema, const void *object,
			 uint32_t skip);

static void print_objects(struct printer *p, const struct schema *schema,
			  const struct object_list *list)
{
	begin_list(p, list->len == 0);
	for (uint32_t i = 0; i < list->len; i++) {
		begin_mapping(p);
		print_fields(p, schema, (const char *)list->items + i * schema->size, 0);
		end_mapping(p);
	}
	end_list(p);
}

static void print_strings(struct printer *p, const struct str_list *list)
{
	begin_list(p, true);
	for (uint32_t i = 0; i < list->len; i++)
		print_text(p, list->items[i]);
	end_list(p);
}

static void print_names(struct printer *p, const struct str_at_list *list)
{
	begin_list(p, true);
	for (uint32_t i = 0; i < list->len; i++)
		print_text(p, list->items[i].value);
	end_list(p);
}

static void print_int(struct printer *p, const struct opt_int *number)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, number->value);
	print_plain(p, text);
}

static void print_value(struct printer *p, const struct field *field, const void *object)
{
	const void *at = field_at(field, object);
	bool hide = p->redact && field->flags & FIELD_SECRET;
	switch (field->kind) {
	case FIELD_STRING: print_text(p, *(const char *const *)at); break;
	case FIELD_STRING_AT: print_text(p, ((const struct str_at *)at)->value); break;
	case FIELD_INT: print_int(p, at); break;
	case FIELD_BOOL:
		print_plain(p, *(const enum opt_bool *)at == OPT_TRUE ? "true" : "false");
		break;
	case FIELD_STRING_LIST: print_strings(p, at); break;
	case FIELD_NAME_LIST: print_names(p, at); break;
	case FIELD_STRING_MAP: print_map(p, at, hide); break;
	case FIELD_PAIR_LIST: print_pairs(p, at, hide); break;
	case FIELD_OBJECT:
		begin_mapping(p);
		print_fields(p, field->of, *(void *const *)at, 0);
		end_mapping(p);
		break;
	case FIELD_OBJECT_LIST: print_objects(p, field->of, at); break;
	case FIELD_IGNORED: break;
	}
}

/* The fields that are set, but for those with a flag of skip. */
static void print_fields(struct printer *p, const struct schema *schema, const void *object,
			 uint32_t skip)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		if (field->flags & (skip | FIELD_DERIVED) || !field_is_set(field, object))
			continue;
		print_plain(p, field->name);
		print_value(p, field, object);
	}
}

/* --- documents -------------------------------------------------------------------------------- */

static void print_metadata(struct printer *p, const struct manifest_object *object,
			   const struct schema *schema, const void *content)
{
	begin_mapping(p);
	print_plain(p, "name");
	print_text(p, object->name);
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		if (!(field->flags & FIELD_METADATA) || field->kind != FIELD_STRING_MAP ||
		    !field_is_set(field, content))
			continue;
		print_plain(p, field->name);
		print_value(p, field, content);
	}
	if (object->kind == MANIFEST_TASK_DEFINITION && object->relaxed) {
		print_plain(p, "annotations");
		begin_mapping(p);
		print_plain(p, COMPATIBILITY);
		print_plain(p, "ecs");
		end_mapping(p);
	}
	end_mapping(p);
}

static void print_document(struct printer *p, const struct manifest_object *object,
			   const void *content)
{
	const struct schema *schema = manifest_schemas[object->kind];
	begin_mapping(p);
	print_plain(p, "apiVersion");
	print_plain(p, "muster/v1");
	print_plain(p, "kind");
	print_plain(p, manifest_kind_name(object->kind));
	print_plain(p, "metadata");
	print_metadata(p, object, schema, content);
	print_plain(p, "spec");
	begin_mapping(p);
	/* The family is metadata.name. */
	print_fields(p, schema, content, FIELD_METADATA | FIELD_ECS_NAME);
	end_mapping(p);
	end_mapping(p);
}

/* What is refused of a muster document that does not say this. */
static struct str_pair as_ecs = { COMPATIBILITY, "ecs" };

/* A muster document has other defaults than ECS has: say ECS's where they are in force. */
static const void *with_ecs_defaults(const struct daemon_service *service, struct arena *arena)
{
	struct daemon_service *copy = schema_copy(&daemon_service_schema, service, arena);
	if (!copy->deployment_configuration)
		copy->deployment_configuration = ARENA_NEW(arena, struct deployment_configuration);
	struct deployment_configuration *d = copy->deployment_configuration;
	if (!d->minimum_healthy_percent.set)
		d->minimum_healthy_percent.set = true; /* to 0 */
	if (!d->deployment_circuit_breaker)
		d->deployment_circuit_breaker = ARENA_NEW(arena, struct deployment_circuit_breaker);
	if (d->deployment_circuit_breaker->enable == OPT_UNSET)
		d->deployment_circuit_breaker->enable = OPT_FALSE;
	if (d->deployment_circuit_breaker->enable == OPT_TRUE &&
	    d->deployment_circuit_breaker->rollback == OPT_UNSET)
		d->deployment_circuit_breaker->rollback = OPT_FALSE;
	if (percents_are_stuck(copy))
		copy->annotations = (struct str_map){ &as_ecs, 1, true };
	return copy;
}

static const void *content_of(const struct manifest_object *object, struct arena *arena)
{
	switch (object->kind) {
	case MANIFEST_TASK_DEFINITION: return object->task_definition;
	case MANIFEST_DAEMON_SERVICE:
		return object->daemon_service->ecs
			       ? with_ecs_defaults(object->daemon_service, arena)
			       : object->daemon_service;
	case MANIFEST_NODE: return object->node;
	case MANIFEST_CLUSTER: return object->cluster;
	case MANIFEST_KIND_COUNT: break;
	}
	assert(!"an object of no kind");
	return NULL;
}

void manifest_print(const struct manifest_object *object, bool redact, struct buf *out)
{
	struct arena arena = { 0 };
	struct printer p = { .redact = redact };
	yaml_event_t event;
	if (!yaml_emitter_initialize(&p.emitter))
		abort();
	yaml_emitter_set_output(&p.emitter, write_to_buf, out);
	yaml_emitter_set_unicode(&p.emitter, 1);
	yaml_emitter_set_width(&p.emitter, -1);
	emit(&p, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	emit(&p, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	print_document(&p, object, content_of(object, &arena));
	emit(&p, &event, yaml_document_end_event_initialize(&event, 1));
	emit(&p, &event, yaml_stream_end_event_initialize(&event));
	yaml_emitter_delete(&p.emitter);
	arena_release(&arena);
}
