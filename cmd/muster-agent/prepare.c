/* Prepares: what was asked, how far it is, and what came of it. */
#include "agent.h"

#include <stdlib.h>
#include <string.h>

/* What an answer needs to find its entry again: entries move. */
struct prepare_request {
	struct agent *a;
	char *cluster, *service;
	struct digest target;
};

static struct node_prepare_entry *find(struct agent *a, const char *cluster, const char *service)
{
	for (size_t i = 0; i < a->prepares.len; i++) {
		struct node_prepare_entry *p = &a->prepares.items[i];
		if (strcmp(p->service, service) == 0 && strcmp(p->cluster, cluster) == 0)
			return p;
	}
	return NULL;
}

static struct str_map copy_map(const struct str_map *from, struct arena *arena)
{
	struct str_map map = { .len = from->len, .set = true };
	map.items = ARENA_ARRAY(arena, struct str_pair, from->len);
	for (uint32_t i = 0; i < from->len; i++)
		map.items[i] = (struct str_pair){ arena_strdup(arena, from->items[i].name),
						  arena_strdup(arena, from->items[i].value) };
	return map;
}

static void say(struct agent *a, struct node_prepare_entry *p, const char *reason)
{
	free(p->reason);
	p->reason = reason ? xstrdup(reason) : NULL;
	agent_step_soon(a);
}

static void prepared(void *arg, bool ok, const char *reason, const struct str_map *images)
{
	struct prepare_request *request = arg;
	struct agent *a = request->a;
	struct node_prepare_entry *p = find(a, request->cluster, request->service);
	if (p && digest_equal(&p->target, &request->target)) {
		p->state = ok ? PREPARE_DONE : PREPARE_FAILED;
		if (ok && images)
			p->images = copy_map(images, &p->arena);
		say(a, p, ok ? NULL : reason);
	}
	free(request->cluster);
	free(request->service);
	free(request);
}

void agent_prepare_progress(void *arg, const char *cluster, const char *service, const char *text)
{
	struct agent *a = arg;
	struct node_prepare_entry *p = find(a, cluster, service);
	if (!p || p->state != PREPARE_RUNNING)
		return;
	struct buf CLEANUP(buf_release) told = { 0 };
	if (p->failure)
		buf_addf(&told, "%s; trying again: ", p->failure);
	buf_adds(&told, text);
	say(a, p, buf_str(&told));
}

/* Another attempt is no news of the one that failed: what went wrong goes on being told. */
static void keep_failure(struct node_prepare_entry *p, const struct digest *target)
{
	bool again = p->state == PREPARE_FAILED && digest_equal(&p->target, target);
	free(p->failure);
	p->failure = again && p->reason ? xstrdup(p->reason) : NULL;
	free(p->reason);
	p->reason = p->failure ? xstrdup(p->failure) : NULL;
}

void agent_prepare(struct agent *a, const struct wire_desired_task *task)
{
	struct node_prepare_entry *p = find(a, task->cluster, task->service);
	if (!p) {
		p = vec_push(&a->prepares);
		p->cluster = xstrdup(task->cluster);
		p->service = xstrdup(task->service);
	}
	keep_failure(p, &task->target);
	p->target = task->target;
	p->state = PREPARE_RUNNING;
	arena_release(&p->arena);
	arena_init(&p->arena);
	p->images = (struct str_map){ 0 };
	struct prepare_request *request = xcalloc(1, sizeof(*request));
	*request = (struct prepare_request){ .a = a,
					     .cluster = xstrdup(task->cluster),
					     .service = xstrdup(task->service),
					     .target = task->target };
	struct agent_engine *engine = agent_engine_for(a, task);
	if (engine)
		engine->ops->prepare(engine->self, task, prepared, request);
	else
		prepared(request, false, "CannotStartContainerError: no engine for it on this node",
			 NULL);
}

static void release(struct node_prepare_entry *p)
{
	free(p->cluster);
	free(p->service);
	free(p->reason);
	free(p->failure);
	arena_release(&p->arena);
}

void agent_prepares_sweep(struct agent *a)
{
	size_t kept = 0;
	for (size_t i = 0; i < a->prepares.len; i++) {
		struct node_prepare_entry *p = &a->prepares.items[i];
		bool wanted = false;
		for (uint32_t k = 0; a->desired_known && k < a->desired.task_count; k++)
			wanted |= strcmp(a->desired.tasks[k].service, p->service) == 0 &&
				  strcmp(a->desired.tasks[k].cluster, p->cluster) == 0 &&
				  digest_equal(&a->desired.tasks[k].target, &p->target);
		if (wanted)
			a->prepares.items[kept++] = *p;
		else
			release(p);
	}
	a->prepares.len = kept;
}

void agent_prepares_release(struct agent *a)
{
	for (size_t i = 0; i < a->prepares.len; i++)
		release(&a->prepares.items[i]);
	vec_release(&a->prepares);
}

struct node_prepare *agent_prepares_list(const struct agent *a, struct arena *arena)
{
	struct node_prepare *list = ARENA_ARRAY(arena, struct node_prepare, a->prepares.len + 1);
	for (size_t i = 0; i < a->prepares.len; i++) {
		const struct node_prepare_entry *p = &a->prepares.items[i];
		list[i] = (struct node_prepare){
			.cluster = arena_strdup(arena, p->cluster),
			.service = arena_strdup(arena, p->service),
			.target = p->target,
			.state = p->state,
			.reason = arena_strdup(arena, p->reason),
			.images = copy_map(&p->images, arena),
		};
	}
	return list;
}
