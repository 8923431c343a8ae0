/* The engines of this node: which, what they can, what they run. */
#include "agent.h"

#include "fs/fs.h"
#include "log/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In this order they are registered. */
static const struct engine_ops *const known[] = { &engine_process_ops, &engine_docker_ops };

/* --- which -------------------------------------------------------------------------------------
 */

/* "docker" or "docker:SOCKET": is it that engine, and what comes behind the colon? */
static bool names(const char *text, const char *name, const char **rest)
{
	size_t len = strlen(name);
	if (strncmp(text, name, len) != 0 || (text[len] && text[len] != ':'))
		return false;
	*rest = text[len] ? text + len + 1 : NULL;
	return true;
}

static const struct engine_ops *named(const char *text, const char **rest)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (names(text, known[i]->name, rest))
			return known[i];
	return NULL;
}

const char *agent_engines_mistake(const struct options *o, struct arena *arena)
{
	bool seen[ENGINE_KIND_COUNT] = { false };
	for (uint32_t i = 0; i < o->engines.len; i++) {
		const char *text = o->engines.items[i], *rest;
		const struct engine_ops *ops = named(text, &rest);
		if (!ops)
			return arena_printf(arena,
					    "--engine %s: the engines are process and "
					    "docker[:SOCKET]",
					    text);
		if (rest && ops->kind == ENGINE_PROCESS)
			return arena_printf(arena, "--engine %s: the engine process has no socket",
					    text);
		if (rest && rest[0] != '/')
			return arena_printf(
				arena, "--engine %s: the path of the socket is not absolute", text);
		if (seen[ops->kind])
			return arena_printf(arena, "--engine %s: a node has one %s engine", text,
					    engine_kind_name(ops->kind));
		seen[ops->kind] = true;
	}
	return NULL;
}

/* Without --engine: process, and docker where its socket is, or once was. */
static bool wanted(const struct agent *a, const struct engine_ops *ops, const char **rest)
{
	const struct str_list *list = &a->options.engines;
	*rest = NULL;
	if (list->len == 0)
		return ops->kind == ENGINE_PROCESS || engine_docker_expected(a->dir);
	for (uint32_t i = 0; i < list->len; i++)
		if (named(list->items[i], rest) == ops)
			return true;
	return false;
}

/* muster-shim lies next to muster-agent. */
static const char *shim_program(struct arena *arena)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len <= 0)
		return "muster-shim";
	self[len] = '\0';
	*strrchr(self, '/') = '\0';
	return fs_join(arena, self, "muster-shim");
}

static void engine_changed(void *arg)
{
	agent_step_soon(arg);
}

bool agent_engines_start(struct agent *a, struct err *err)
{
	struct engine_options options = {
		.loop = a->loop,
		.fleet = a->fleet[0] ? a->fleet : NULL,
		.node = a->options.node,
		.state_dir = a->dir,
		.shim = shim_program(&a->arena),
		.boot_id = a->boot_id,
		.registry_auth = a->options.registry_auth,
		.changed = engine_changed,
		.facts_changed = agent_facts_read,
		.progress = agent_prepare_progress,
		.arg = a,
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct agent_engine *engine = &a->engines[a->engine_count];
		if (!wanted(a, known[i], &options.socket))
			continue;
		engine->ops = known[i];
		if (!engine->ops->open(&options, &engine->self, err))
			return false;
		a->engine_count++;
	}
	return true;
}

void agent_engines_stop(struct agent *a)
{
	for (size_t i = 0; i < a->engine_count; i++) {
		a->engines[i].ops->close(a->engines[i].self);
		free(a->engines[i].why);
	}
}

static struct agent_engine *of_kind(struct agent *a, enum engine_kind kind)
{
	for (size_t i = 0; i < a->engine_count; i++)
		if (a->engines[i].ops->kind == kind)
			return &a->engines[i];
	return NULL;
}

struct agent_engine *agent_engine_for(struct agent *a, const struct wire_desired_task *task)
{
	return of_kind(a, task_definition_engine(task->task_definition));
}

struct agent_engine *agent_engine_of(struct agent *a, const struct node_task *task)
{
	return of_kind(a, task->kind);
}

/* --- what they run -----------------------------------------------------------------------------
 */

/* An engine that cannot be asked is told of once; with why "" not at all: before the first store is
 * reached, that is as it should be. */
static void say_unasked(struct agent *a, struct agent_engine *engine, const char *why)
{
	bool same = why ? engine->why && strcmp(engine->why, why) == 0 : !engine->why;
	if (same)
		return;
	free(engine->why);
	engine->why = why ? xstrdup(why) : NULL;
	if (why && *why)
		log_warn("an engine cannot be asked; its tasks are left alone", "engine",
			 engine->ops->name, "reason", why);
	else if (!why)
		log_info("the engine answers", "engine", engine->ops->name);
	agent_register(a);
}

void agent_engines_list(struct agent *a, struct arena *arena, struct node_input *input)
{
	VEC(struct node_task) all = { 0 };
	for (size_t i = 0; i < ENGINE_KIND_COUNT; i++)
		input->tasks_known[i] = true;
	a->tasks_known = true;
	for (size_t i = 0; i < a->engine_count; i++) {
		struct agent_engine *engine = &a->engines[i];
		struct node_task *tasks;
		uint32_t count;
		struct err err;
		bool ok = engine->ops->list(engine->self, arena, &tasks, &count, &err);
		input->tasks_known[engine->ops->kind] = ok;
		if (!ok)
			input->why_unknown[engine->ops->kind] = arena_strdup(arena, err.text);
		a->tasks_known = a->tasks_known && ok;
		say_unasked(a, engine, ok ? NULL : a->fleet[0] ? err.text : "");
		for (uint32_t k = 0; k < count; k++)
			*vec_push(&all) = tasks[k];
	}
	for (size_t i = 0; i < a->starting.len; i++) {
		const struct starting *s = &a->starting.items[i];
		bool listed = false;
		for (size_t k = 0; k < all.len; k++)
			listed |= strcmp(all.items[k].id, s->id) == 0;
		if (!listed)
			*vec_push(&all) = (struct node_task){
				.id = arena_strdup(arena, s->id),
				.cluster = arena_strdup(arena, s->cluster),
				.service = arena_strdup(arena, s->service),
				.family = "",
				.deployment = "",
				.engine = s->ops->name,
				.kind = s->ops->kind,
				.status = TASK_PENDING,
			};
	}
	struct node_task *copy = ARENA_ARRAY(arena, struct node_task, all.len + 1);
	if (all.len)
		memcpy(copy, all.items, all.len * sizeof(*copy));
	input->tasks = copy;
	input->task_count = (uint32_t)all.len;
	vec_release(&all);
}
