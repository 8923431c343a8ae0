/* The images of a task, all at once: before an update, and before a start. */
#include "engine/docker/internal.h"

#include <stdlib.h>
#include <string.h>

struct prepare {
	struct docker_engine *engine;
	struct prepare *next, **link;
	struct arena arena;
	const char *task;	       /* whose start waits; NULL: */
	const char *cluster, *service; /* of an update */
	engine_prepared done;
	void *arg;
	uint32_t waits; /* answers to come */
	const char *failure;
	uint32_t count;
	const char *names[LIMIT_CONTAINERS], *images[LIMIT_CONTAINERS], *digests[LIMIT_CONTAINERS];
	struct want {
		struct prepare *prepare;
		uint32_t index;
	} wants[LIFECYCLE_SLOTS];
};

static struct prepare *prepare_new(struct docker_engine *engine)
{
	struct prepare *p = xcalloc(1, sizeof(*p));
	p->engine = engine;
	arena_init(&p->arena);
	p->next = engine->prepares;
	p->link = &engine->prepares;
	if (p->next)
		p->next->link = &p->next;
	engine->prepares = p;
	return p;
}

static void prepare_free(struct prepare *p)
{
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	arena_release(&p->arena);
	free(p);
}

void prepares_close(struct docker_engine *engine)
{
	struct prepare *p = engine->prepares;
	while (p) {
		struct prepare *next = p->next;
		arena_release(&p->arena);
		free(p);
		p = next;
	}
	engine->prepares = NULL;
}

/* --- what comes of it --------------------------------------------------------------------------
 */

static void answer(struct prepare *p)
{
	struct str_pair pairs[LIMIT_CONTAINERS];
	struct str_map images = { .items = pairs, .set = true };
	for (uint32_t i = 0; i < p->count; i++)
		if (p->digests[i])
			pairs[images.len++] = (struct str_pair){ p->names[i], p->digests[i] };
	p->done(p->arg, !p->failure, p->failure, &images);
}

static void go_on(struct prepare *p)
{
	struct task *task = docker_task_find(p->engine, p->task);
	if (!task || task->stage != STAGE_IMAGES)
		return;
	for (uint32_t i = 0; i < p->count; i++) {
		task->images[i] = arena_strdup(&task->arena, p->images[i]);
		task->digests[i] = arena_strdup(&task->arena, p->digests[i]);
	}
	if (p->failure)
		docker_task_fail(task, p->failure);
	task->stage = STAGE_LIFE;
	docker_task_step(task); /* its first: keeps the record, before it calls anything */
}

static void got(void *arg, const struct image_answer *a)
{
	struct want *want = arg;
	struct prepare *p = want->prepare;
	if (!a->ok && !p->failure)
		p->failure = arena_strdup(&p->arena, a->reason);
	if (a->ok && want->index < LIMIT_CONTAINERS) {
		p->images[want->index] = arena_strdup(&p->arena, a->image);
		p->digests[want->index] = arena_strdup(&p->arena, a->digest);
	}
	if (--p->waits > 0)
		return;
	if (p->task)
		go_on(p);
	else
		answer(p);
	prepare_free(p);
}

static void progress(void *arg, const char *text)
{
	struct want *want = arg;
	struct prepare *p = want->prepare;
	struct docker_engine *engine = p->engine;
	if (!p->task) {
		if (engine->progress)
			engine->progress(engine->arg, p->cluster, p->service, text);
		return;
	}
	struct task *task = docker_task_find(engine, p->task);
	if (!task || task->stage != STAGE_IMAGES)
		return;
	free(task->progress);
	task->progress = xstrdup(text);
	engine->changed(engine->arg);
}

/* --- asking ------------------------------------------------------------------------------------
 */

/* What is missing on the node is known at once; a pull may take its time. */
static void check_resources(struct prepare *p, const struct task_definition *td)
{
	struct arena CLEANUP(arena_release) arena = { 0 };
	struct resources r;
	struct err err;
	for (uint32_t i = 0; i < td->container_definitions.len && !p->failure; i++)
		if (!resources_read(&td->container_definitions.items[i], &arena, &r, &err))
			p->failure = arena_strdup(&p->arena, err.text);
}

static void ask(struct prepare *p, const struct task_definition *td, const struct str_map *pinned)
{
	p->count = td->container_definitions.len;
	check_resources(p, td);
	p->waits = p->count + create_needs_owner(td);
	for (uint32_t i = 0; i < p->count; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		bool pins =
			!c->version_consistency || strcmp(c->version_consistency, "disabled") != 0;
		p->names[i] = arena_strdup(&p->arena, c->name);
		p->wants[i] = (struct want){ p, i };
		image_want(p->engine,
			   &(struct image_want){ .image = c->image,
						 .pinned = pins ? map_value(pinned, c->name) : NULL,
						 .policy = c->image_pull_policy,
						 .done = got,
						 .progress = progress,
						 .arg = &p->wants[i] });
	}
	if (create_needs_owner(td)) {
		p->wants[LIFECYCLE_OWNER] = (struct want){ p, LIFECYCLE_OWNER };
		pause_want(p->engine, got, &p->wants[LIFECYCLE_OWNER]);
	}
}

static void refuse(void *arg, bool ok, const char *reason)
{
	struct prepare *p = arg;
	(void)ok;
	p->failure = arena_printf(&p->arena, "CannotPullContainerError: %s", reason);
	answer(p);
	prepare_free(p);
}

void docker_prepare(void *self, const struct wire_desired_task *task, engine_prepared done,
		    void *arg)
{
	struct docker_engine *engine = self;
	struct prepare *p = prepare_new(engine);
	p->cluster = arena_strdup(&p->arena, task->cluster);
	p->service = arena_strdup(&p->arena, task->service);
	p->done = done;
	p->arg = arg;
	if (engine->link == LINK_UP)
		ask(p, task->task_definition, &task->images);
	else
		docker_answer_later(engine, false,
				    engine->why ? engine->why : "the engine was not asked yet",
				    refuse, p);
}

void prepare_task_images(struct task *task)
{
	if (task->images_asked)
		return;
	task->images_asked = true;
	struct prepare *p = prepare_new(task->engine);
	p->task = arena_strdup(&p->arena, task->id.task);
	ask(p, task->td, &task->pinned);
}
