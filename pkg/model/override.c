/* Overrides of a service: their fields, what they make of a task definition, what is replaced. */
#include "model/tables.h"

#include <string.h>

static const struct field container_override_fields[] = {
	{ STRING(container_override, "name", name), .flags = FIELD_REQUIRED | FIELD_ECS_NAME,
	  .note = "of a container of the task definition" },
	{ STRING_LIST(container_override, "command", command) },
	{ PAIR_LIST(container_override, "environment", environment), .flags = FIELD_SECRET,
	  .note = "laid over the container's, by name" },
	{ INTEGER(container_override, "cpu", cpu), RANGE(0, 262144),
	  .note = "units of 1/1024 CPU" },
	{ INTEGER(container_override, "memory", memory), RANGE(1, MIB_MAX), .note = "MiB" },
	{ INTEGER(container_override, "memoryReservation", memory_reservation), RANGE(1, MIB_MAX),
	  .note = "MiB" },
};
static const struct schema container_override_schema =
	SCHEMA(container_override, "container override", container_override_fields);

static const struct field task_override_fields[] = {
	{ STRING_AT(task_override, "expression", expression),
	  .flags = FIELD_REQUIRED | FIELD_EXPRESSION },
	{ OBJECT_LIST(task_override, "containerOverrides", container_overrides,
		      container_override_schema),
	  .flags = FIELD_REQUIRED, RANGE(1, LIMIT_CONTAINERS) },
};
const struct schema task_override_schema = SCHEMA(task_override, "override", task_override_fields);

/* --- the task definition ---------------------------------------------------------------------- */

/* Both are sorted by name; of a name that both have, over's counts. */
static struct str_map lay_over(const struct str_map *under, const struct str_map *over,
			       struct arena *arena)
{
	struct str_map map = { .set = true };
	uint32_t u = 0, o = 0;
	map.items = ARENA_ARRAY(arena, struct str_pair, under->len + over->len);
	while (u < under->len || o < over->len) {
		int order = u == under->len  ? 1
			    : o == over->len ? -1
					     : strcmp(under->items[u].name, over->items[o].name);
		map.items[map.len++] = order < 0 ? under->items[u] : over->items[o];
		u += order <= 0;
		o += order >= 0;
	}
	return map;
}

static void override_container(struct container_definition *c, const struct container_override *o,
			       struct arena *arena)
{
	if (o->cpu.set)
		c->cpu = o->cpu;
	if (o->memory.set)
		c->memory = o->memory;
	if (o->memory_reservation.set)
		c->memory_reservation = o->memory_reservation;
	if (o->command.set)
		c->command = o->command;
	if (o->environment.set)
		c->environment = lay_over(&c->environment, &o->environment, arena);
}

static const struct container_override *find_override(const struct task_override *override,
						      const char *container)
{
	for (uint32_t i = 0; i < override->container_overrides.len; i++)
		if (strcmp(override->container_overrides.items[i].name, container) == 0)
			return &override->container_overrides.items[i];
	return NULL;
}

const struct task_definition *override_task_definition(const struct task_definition *td,
						       const struct task_override *override,
						       struct arena *arena)
{
	if (!override)
		return td;
	uint32_t count = td->container_definitions.len;
	struct task_definition *copy = ARENA_NEW(arena, struct task_definition);
	*copy = *td;
	copy->container_definitions.items = ARENA_ARRAY(arena, struct container_definition, count);
	for (uint32_t i = 0; i < count; i++) {
		struct container_definition *c = &copy->container_definitions.items[i];
		*c = td->container_definitions.items[i];
		const struct container_override *o = find_override(override, c->name);
		if (o)
			override_container(c, o, arena);
	}
	return copy;
}

/* --- digests ---------------------------------------------------------------------------------- */

/* Of the lines that say it; without any of them it is the task definition's own. */
static struct digest combine(const struct digest *task_definition, const char *name,
			     const struct digest *overrides, const char *redeploy)
{
	if (!overrides && !redeploy)
		return *task_definition;
	char hex[DIGEST_HEX_LEN + 1];
	struct buf CLEANUP(buf_release) text = { 0 };
	digest_hex(task_definition, hex);
	buf_addf(&text, "%s\n", hex);
	if (overrides) {
		digest_hex(overrides, hex);
		buf_addf(&text, "%s=%s\n", name, hex);
	}
	if (redeploy)
		buf_addf(&text, "redeploy=%s\n", redeploy);
	return digest_of(text.data, text.len);
}

struct digest task_target_digest(const struct digest *task_definition,
				 const struct task_override *override, const char *redeploy)
{
	if (!override)
		return combine(task_definition, "override", NULL, redeploy);
	/* Without the expression. */
	struct task_override what = { .container_overrides = override->container_overrides };
	struct buf CLEANUP(buf_release) text = { 0 };
	schema_canonical(&task_override_schema, &what, &text);
	struct digest content = digest_of(text.data, text.len);
	return combine(task_definition, "override", &content, redeploy);
}

struct digest release_digest(const struct digest *task_definition,
			     const struct override_list *overrides, const char *redeploy)
{
	if (!overrides || !overrides->len)
		return combine(task_definition, "overrides", NULL, redeploy);
	struct buf CLEANUP(buf_release) text = { 0 };
	for (uint32_t i = 0; i < overrides->len; i++) {
		schema_canonical(&task_override_schema, &overrides->items[i], &text);
		buf_addc(&text, '\n');
	}
	struct digest all = digest_of(text.data, text.len);
	return combine(task_definition, "overrides", &all, redeploy);
}
