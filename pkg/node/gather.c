/* What there is of each service: desired, remembered, alive, stopped. */
#include "node/internal.h"

#include <stdlib.h>
#include <string.h>

/* Services in the order in which they decide: desired ones as the document has them, then by key.
 */
static int key_compare(const void *a, const void *b)
{
	const struct service *x = a, *y = b;
	return strcmp(x->key, y->key);
}

static struct service *service_at(struct step *step, struct map *index, const char *cluster,
				  const char *name)
{
	const char *key = service_key(step->arena, cluster, name);
	void *known = map_get(index, key);
	if (known)
		return known;
	struct service *service = &step->services[step->service_count++];
	*service = (struct service){ .key = key, .cluster = cluster, .name = name };
	map_put(index, key, service);
	return service;
}

/* The lists of each service's tasks, unsorted. */
static void tasks_assign(struct step *step, struct map *index)
{
	const struct node_input *in = step->input;
	struct service **of = ARENA_ARRAY(step->arena, struct service *, in->task_count);
	for (uint32_t i = 0; i < in->task_count; i++) {
		const struct node_task *task = &in->tasks[i];
		of[i] = service_at(step, index, task->cluster, task->service);
		if (task->status == TASK_STOPPED)
			of[i]->stopped_count++;
		else
			of[i]->live_count++;
	}
	for (uint32_t i = 0; i < step->service_count; i++) {
		struct service *s = &step->services[i];
		s->live = ARENA_ARRAY(step->arena, const struct node_task *, s->live_count);
		s->stopped = ARENA_ARRAY(step->arena, const struct node_task *, s->stopped_count);
		s->live_count = s->stopped_count = 0;
	}
	for (uint32_t i = 0; i < in->task_count; i++) {
		if (in->tasks[i].status == TASK_STOPPED)
			of[i]->stopped[of[i]->stopped_count++] = &in->tasks[i];
		else
			of[i]->live[of[i]->live_count++] = &in->tasks[i];
	}
}

static int compare_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* Newest first. */
static int stopped_compare(const void *a, const void *b)
{
	const struct node_task *x = *(const struct node_task *const *)a;
	const struct node_task *y = *(const struct node_task *const *)b;
	int order = compare_i64(y->stopped_at_ms, x->stopped_at_ms);
	if (order == 0)
		order = compare_i64(y->stopped_unix_ms, x->stopped_unix_ms);
	if (order == 0)
		order = compare_i64(y->started_at_ms, x->started_at_ms);
	return order ? order : strcmp(x->id, y->id);
}

/* Good: 2; unhealthy: 0; what is not known, or does not run yet, is between them. */
static int goodness(const struct node_task *task)
{
	if (task_unhealthy(task))
		return 0;
	bool good = !task->health_checked || task->health == HEALTH_HEALTHY;
	return task->status == TASK_RUNNING && good ? 2 : 1;
}

/* Does a fit better than b? The target's first, then what is healthy, and what is not known to be
 * unhealthy, then the longest running, then the lowest id. */
static bool fits_better(const struct wire_desired_task *want, const struct node_task *a,
			const struct node_task *b)
{
	if (want && is_of_target(a, &want->target) != is_of_target(b, &want->target))
		return is_of_target(a, &want->target);
	if (goodness(a) != goodness(b))
		return goodness(a) > goodness(b);
	if ((a->status == TASK_RUNNING) != (b->status == TASK_RUNNING))
		return a->status == TASK_RUNNING;
	if (a->started_at_ms != b->started_at_ms)
		return a->started_at_ms < b->started_at_ms;
	return strcmp(a->id, b->id) < 0;
}

static void choose(struct service *s)
{
	for (uint32_t i = 0; i < s->live_count; i++) {
		const struct node_task *task = s->live[i];
		if (!task_ending(task) && (!s->stays || fits_better(s->want, task, s->stays)))
			s->stays = task;
	}
	if (!s->want || !s->want->surge || !s->stays || !is_of_target(s->stays, &s->want->target))
		return;
	for (uint32_t i = 0; i < s->live_count; i++) {
		const struct node_task *task = s->live[i];
		if (!task_ending(task) && !is_of_target(task, &s->want->target) &&
		    (!s->beside || fits_better(NULL, task, s->beside)))
			s->beside = task;
	}
}

enum situation step_situation(const struct step *step, const struct service *s)
{
	if (s->stays && is_of_target(s->stays, &s->want->target))
		return SITUATION_CURRENT;
	if (step_asked(step, NODE_START, s->key))
		return SITUATION_ASKED;
	if (s->stays)
		return SITUATION_OUTDATED;
	return s->live_count ? SITUATION_ENDING : SITUATION_ABSENT;
}

/* A START is confirmed by any task that was not there when it was given: then none was alive but
 * the old one beside it, and all stopped ones were accounted. */
static bool start_confirmed(const struct step *step, const struct service *s)
{
	const struct asked *asked = step_asked(step, NODE_START, s->key);
	for (uint32_t i = 0; asked && i < s->stopped_count; i++) {
		if (!memory_accounted(step->memory, s->stopped[i]->id) &&
		    strcmp(s->stopped[i]->id, asked->beside) != 0)
			return true;
	}
	for (uint32_t i = 0; asked && i < s->live_count; i++) {
		if (strcmp(s->live[i]->id, asked->beside) != 0)
			return true;
	}
	return false;
}

/* What is remembered of tasks that are gone is forgotten. */
static void memory_sweep(struct step *step)
{
	struct node_memory *memory = step->memory;
	struct map *listed = map_new();
	const char *key;
	void *value;
	for (uint32_t i = 0; i < step->input->task_count; i++)
		map_put(listed, step->input->tasks[i].id, step);
	for (size_t it = 0; map_next(memory->accounted, &it, &key, NULL);) {
		if (!map_get(listed, key)) {
			map_remove(memory->accounted, key);
			memory->changed = true;
		}
	}
	for (size_t it = 0; map_next(memory->asked, &it, &key, &value);) {
		const char *whom = strchr(key, ' ') + 1;
		if (!strchr(whom, '/') && !map_get(listed, whom)) {
			map_remove(memory->asked, key);
			free(value);
		}
	}
	map_free(listed);
}

bool step_knows_all(const struct step *step)
{
	for (size_t i = 0; i < ENGINE_KIND_COUNT; i++) {
		if (!step->input->tasks_known[i])
			return false;
	}
	return true;
}

/* Of the engines that may have a task of it: the first that could not be asked, or -1. */
static int unknown_engine(const struct step *step, const struct service *s)
{
	bool concerned[ENGINE_KIND_COUNT] = { false };
	if (s->want)
		concerned[task_definition_engine(s->want->task_definition)] = true;
	for (uint32_t i = 0; i < s->live_count; i++)
		concerned[s->live[i]->kind] = true;
	for (uint32_t i = 0; i < s->stopped_count; i++)
		concerned[s->stopped[i]->kind] = true;
	for (int i = 0; i < ENGINE_KIND_COUNT; i++) {
		if (concerned[i] && !step->input->tasks_known[i])
			return i;
	}
	return -1;
}

bool step_knows(const struct step *step, const struct service *s)
{
	return unknown_engine(step, s) < 0;
}

const char *step_why_unknown(const struct step *step, const struct service *s)
{
	int kind = unknown_engine(step, s);
	const char *why = kind < 0 ? NULL : step->input->why_unknown[kind];
	return why && *why ? arena_printf(step->arena, REASON_UNKNOWN ": %s", why) : REASON_UNKNOWN;
}

void step_gather(struct step *step)
{
	const struct wire_desired *desired = step->input->desired;
	uint32_t wanted = desired ? desired->task_count : 0;
	struct map *index = map_new();
	step->services = ARENA_ARRAY(step->arena, struct service, wanted + step->input->task_count);
	for (uint32_t i = 0; i < wanted; i++)
		service_at(step, index, desired->tasks[i].cluster, desired->tasks[i].service)
			->want = &desired->tasks[i];
	wanted = step->service_count;
	tasks_assign(step, index);
	map_free(index);
	qsort(step->services + wanted, step->service_count - wanted, sizeof(struct service),
	      key_compare);
	if (step_knows_all(step))
		memory_sweep(step);
	for (uint32_t i = 0; i < step->service_count; i++) {
		struct service *s = &step->services[i];
		s->memory = memory_service(step->memory, s->key);
		qsort(s->stopped, s->stopped_count, sizeof(struct node_task *), stopped_compare);
		if (start_confirmed(step, s))
			step_forget(step, NODE_START, s->key);
		choose(s);
		if (s->want)
			s->situation = step_situation(step, s);
	}
}
