/* What a native process cannot honour is refused: nothing is silently weakened. */
#include "manifest/internal.h"

#include <string.h>

/* Fields that say what is so anyway. */
static const struct {
	const char *field, *value;
} harmless[] = {
	{ "networkMode", "host" },
	{ "pidMode", "host" },
	{ "ipcMode", "host" },
	{ "privileged", "false" },
	{ "interactive", "false" },
	{ "pseudoTerminal", "false" },
	{ "disableNetworking", "false" },
	{ "readonlyRootFilesystem", "false" },
};

static bool is_harmless(const struct value *m)
{
	if (value_is_empty(m))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
		if (m->kind == VALUE_SCALAR && strcmp(m->key->text, harmless[i].field) == 0 &&
		    strcmp(m->text, harmless[i].value) == 0)
			return true;
	return false;
}

static void check_fields(struct reading *r, const struct schema *schema, const struct value *v)
{
	if (!v || v->kind != VALUE_MAPPING)
		return;
	for (const struct value *m = v->first; m; m = m->next) {
		const struct field *field = schema_find(schema, m->key->text);
		if (field && field->flags & FIELD_CONTAINER_ONLY && !is_harmless(m))
			report_error(r, m->key->pos, "\"%s\" has no meaning for a native process%s",
				     field->name,
				     strcmp(field->name, "image") == 0
					     ? ": it runs command on the node itself"
					     : "");
	}
}

static void check_container(struct reading *r, const struct value *v,
			    const struct container_definition *c)
{
	check_fields(r, &container_definition_schema, v);
	if (!c->command.len && !c->entry_point.len && v && v->kind == VALUE_MAPPING)
		report_error(r, v->pos, "a native process needs command or entryPoint");
	if (c->working_directory && c->working_directory[0] != '/')
		report_error(r, value_get(v, "workingDirectory")->pos,
			     "workingDirectory must be absolute");
	/* The name becomes a directory of logs. */
	if (c->name && (!name_valid(c->name) || has_placeholder(c->name)))
		report_error(r, c->pos, "\"%s\" is no name of a native process", c->name);
}

void check_process(struct reading *r, const struct value *v, const struct task_definition *td)
{
	const struct value *compatibilities = value_get(v, "requiresCompatibilities");
	const struct value *containers = value_get(v, "containerDefinitions");
	if (td->requires_compatibilities.len > 1)
		report_error(r, compatibilities->pos,
			     "PROCESS stands alone: a native process runs on no other engine");
	check_fields(r, &task_definition_schema, v);
	for (uint32_t i = 0; i < td->container_definitions.len; i++)
		check_container(r, value_at(containers, i), &td->container_definitions.items[i]);
}
