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
	const struct task_definition *td;
	struct str_map pinned;
	uint32_t waits; /* answers to come */
	bool away;	/* the engine is: asked again when it is back */
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

static void ask(struct prepare *p);

static void got(void *arg, const struct image_answer *a)
{
	struct want *want = arg;
	struct prepare *p = want->prepare;
	p->away |= a->away;
	if (!a->ok && !a->away && !p->failure)
		p->failure = arena_strdup(&p->arena, a->reason);
	if (a->ok && want->index < LIMIT_CONTAINERS) {
		p->images[want->index] = arena_strdup(&p->arena, a->image);
		p->digests[want->index] = arena_strdup(&p->arena, a->digest);
	}
	if (--p->waits > 0)
		return;
	if (p->away && !p->failure) {
		if (p->engine->link == LINK_UP) /* back already */
			ask(p);
		return;
	}
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
static void check_resources(struct prepare *p)
{
	struct arena CLEANUP(arena_release) arena = { 0 };
	struct resources r;
	struct err err;
	for (uint32_t i = 0; i < p->count && !p->failure; i++)
		if (!resources_read(&p->td->container_definitions.items[i], &arena, &r, &err))
			p->failure = arena_strdup(&p->arena, err.text);
}

static void ask(struct prepare *p)
{
	const struct task_definition *td = p->td;
	p->away = false;
	p->count = td->container_definitions.len;
	check_resources(p);
	p->waits = p->count + create_needs_owner(td);
	for (uint32_t i = 0; i < p->count; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		bool pins =
			!c->version_consistency || strcmp(c->version_consistency, "disabled") != 0;
		p->names[i] = c->name;
		p->wants[i] = (struct want){ p, i };
		image_want(p->engine,
			   &(struct image_want){ .image = c->image,
						 .pinned = pins ? map_value(&p->pinned, c->name)
								: NULL,
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

/* Now, or when the engine is there. */
static void begin(struct prepare *p, const struct task_definition *td, const struct str_map *pinned)
{
	p->td = schema_copy(&task_definition_schema, td, &p->arena);
	p->pinned = docker_copy_map(pinned, &p->arena);
	p->away = p->engine->link != LINK_UP;
	if (!p->away)
		ask(p);
}

void prepares_resume(struct docker_engine *engine)
{
	struct prepare *p = engine->prepares;
	while (p) {
		struct prepare *next = p->next; /* answers come on the loop, never from in here */
		struct task *task = p->task ? docker_task_find(engine, p->task) : NULL;
		bool held = p->away && p->waits == 0;
		if (held && p->task && (!task || task->stage != STAGE_IMAGES))
			prepare_free(p);
		else if (held)
			ask(p);
		p = next;
	}
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
	begin(p, task->task_definition, &task->images);
}

void prepare_task_images(struct task *task)
{
	if (task->images_asked)
		return;
	task->images_asked = true;
	struct prepare *p = prepare_new(task->engine);
	p->task = arena_strdup(&p->arena, task->id.task);
	begin(p, task->td, &task->pinned);
}
