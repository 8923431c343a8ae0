/*
 * Tasks that are found without their records: their containers say whose they are, and of what.
 * Until the definition comes with a desired document (engine_ops.define) it is what we see, which
 * is enough to keep them and to stop them.
 */
#include "engine/docker/internal.h"

#include "log/log.h"

#include <stdlib.h>
#include <string.h>

static struct task_definition *definition(struct task *task)
{
	return (struct task_definition *)task->td; /* of a synthetic task it is ours */
}

static void add_container(struct task *task, const char *name)
{
	struct task_definition *td = definition(task);
	if (strcmp(name, OWNER_NAME) == 0) {
		td->network_mode = "awsvpc"; /* what makes an owner needed */
		return;
	}
	if (docker_task_slot(task, name) >= 0 || td->container_definitions.len == LIMIT_CONTAINERS)
		return;
	td->container_definitions.items[td->container_definitions.len++] =
		(struct container_definition){ .name = arena_strdup(&task->arena, name),
					       .essential = OPT_TRUE };
}

struct task *docker_task_found(struct docker_engine *engine, const struct listed *found)
{
	struct task *task = docker_task_find(engine, found->task);
	if (task && !task->synthetic)
		return task;
	if (!task) {
		if (!name_valid(found->task) || strlen(found->task) > UUID_TEXT_LEN)
			return NULL;
		task = docker_task_new(engine, found->task);
		struct task_definition *td = ARENA_NEW(&task->arena, struct task_definition);
		td->container_definitions.items =
			ARENA_ARRAY(&task->arena, struct container_definition, LIMIT_CONTAINERS);
		td->container_definitions.set = true;
		task->td = td;
		task->synthetic = true;
		task->stage = STAGE_LIFE;
	}
	add_container(task, found->container);
	return task;
}

void docker_task_identify(struct task *task, const struct inspected *info)
{
	const struct task_identity *l = &info->labels;
	struct arena *arena = &task->arena;
	int slot = docker_task_slot(task, info->container);
	if (slot >= 0 && slot != LIFECYCLE_OWNER) {
		struct container_definition *c =
			&definition(task)->container_definitions.items[slot];
		c->essential = info->essential ? OPT_TRUE : OPT_FALSE;
		c->image = arena_strdup(arena, info->image);
		if (info->stop_timeout_s >= 0)
			c->stop_timeout = (struct opt_int){ true, info->stop_timeout_s };
	}
	if (task->identified || !l->fleet || !l->node || !l->cluster || !l->service || !l->family ||
	    !l->deployment || digest_is_none(&l->target))
		return;
	task->id = (struct task_identity){
		.fleet = arena_strdup(arena, l->fleet),
		.node = arena_strdup(arena, l->node),
		.cluster = arena_strdup(arena, l->cluster),
		.service = arena_strdup(arena, l->service),
		.task = task->id.task,
		.family = arena_strdup(arena, l->family),
		.deployment = arena_strdup(arena, l->deployment),
		.revision = l->revision,
		.target = l->target,
	};
	task->boot_id = arena_strdup(arena, task->engine->boot_id);
	task->started_unix_ms = info->started_unix_ms;
	task->identified = true;
	log_info("a task was found without its record", "service", task->id.service, "task",
		 task->id.task);
	if (task->engine->link == LINK_UP)
		task->engine->changed(task->engine->arg);
}

/* The container that each slot had, by name: the definition has an order of its own. */
static void move_slots(struct task *task, const struct task_definition *td)
{
	struct slot old[LIFECYCLE_SLOTS];
	memcpy(old, task->slots, sizeof(old));
	for (size_t i = 0; i < LIFECYCLE_SLOTS; i++) {
		task->slots[i] = (struct slot){ 0 };
		arena_init(&task->slots[i].arena);
	}
	for (uint32_t n = 0; n < docker_task_slot_count(task); n++) {
		uint32_t from = docker_task_slot_at(task, n);
		const struct task_definition *was = task->td;
		const char *name = create_container_of(was, from);
		task->td = td;
		int to = docker_task_slot(task, name);
		task->td = was;
		if (to >= 0)
			task->slots[to] = old[from];
		else
			free(old[from].id);
	}
}

/* What a container was made from is what it is to be made from again; else the definition says. */
static void find_image(struct task *task, uint32_t index)
{
	const struct container_definition *c = &task->td->container_definitions.items[index];
	const char *text = task->slots[index].info.image;
	struct image_ref ref;
	if (!image_parse(text ? text : c->image ? c->image : "", &task->arena, &ref, NULL))
		return;
	if (!text && !ref.digest)
		ref.digest = map_value(&task->pinned, c->name);
	task->images[index] = image_text(&ref, &task->arena);
	task->digests[index] = ref.digest;
}

void docker_task_define(struct task *task, const struct wire_desired_task *desired,
			const struct str_map *environment)
{
	const struct task_definition *td =
		schema_copy(&task_definition_schema, desired->task_definition, &task->arena);
	struct err err;
	for (size_t i = 0; i < LIFECYCLE_SLOTS; i++)
		if (task->slots[i].busy || task->slots[i].exec)
			return; /* in a moment */
	move_slots(task, td);
	task->td = td;
	task->synthetic = false;
	task->memory = (struct lifecycle_memory){ 0 };
	task->out = (struct lifecycle_output){ 0 };
	docker_task_set_texts(task, environment, &desired->images);
	for (uint32_t i = 0; i < td->container_definitions.len; i++)
		find_image(task, i);
	for (uint32_t n = 0; n < docker_task_slot_count(task); n++) {
		struct slot *slot = &task->slots[docker_task_slot_at(task, n)];
		slot->dirty = slot->dirty || !slot->known;
	}
	if (!record_save(task, true, &err))
		log_warn("a task's record could not be kept", "task", task->id.task, "reason",
			 err.text);
	tasks_inspect(task->engine);
}
