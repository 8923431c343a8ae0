/* What the observed document says of the node's tasks. */
#include "node/internal.h"

#include <stdlib.h>
#include <string.h>

/* The entry of the desired target carries the series. */
static void add_series(const struct step *step, const struct service *s, struct wire_task *out)
{
	const struct service_memory *m = s->memory;
	bool prepares = s->situation == SITUATION_OUTDATED && m->prepare_at_ms > m->restart_at_ms;
	int64_t at = prepares ? m->prepare_at_ms : m->restart_at_ms;
	bool running = s->situation == SITUATION_CURRENT;
	out->failed = s->failed;
	out->restarts = m->restarts;
	out->failures = m->failures;
	out->restart_in_ms =
		at > step->input->now_ms && !running ? (uint32_t)(at - step->input->now_ms) : 0;
}

/* The digests that its prepare found, so that who plans knows them before the old one stops. */
static void add_images(const struct step *step, const struct service *s, struct wire_task *out)
{
	const struct node_prepare *p = step_prepare(step, s);
	if (!p || p->images.len == 0)
		return;
	out->containers = ARENA_ARRAY(step->arena, struct wire_container, p->images.len);
	out->container_count = p->images.len;
	for (uint32_t i = 0; i < p->images.len; i++)
		out->containers[i] =
			(struct wire_container){ .name = p->images.items[i].name,
						 .last_status = TASK_PENDING,
						 .image_digest = p->images.items[i].value };
}

static struct wire_task desired_entry(const struct step *step, const struct service *s)
{
	struct wire_task out = {
		.id = "",
		.cluster = s->cluster,
		.service = s->name,
		.family = s->want->family,
		.revision = s->want->revision,
		.target = s->want->target,
		.deployment = s->want->deployment,
		.desired_status = TASK_RUNNING,
		.last_status =
			s->situation == SITUATION_OUTDATED ? TASK_PROVISIONING : TASK_PENDING,
		.reason = s->waits,
	};
	add_series(step, s, &out);
	add_images(step, s, &out);
	return out;
}

/* The words of ECS, where the engine knows none. */
static const char *stop_code(const struct node_task *task)
{
	if (task->stop_code)
		return task->stop_code;
	if (task->stop_requested)
		return "ServiceSchedulerInitiated";
	if (task->earlier_boot)
		return "InfrastructureHealth";
	return task->started_at_ms ? "EssentialContainerExited" : "TaskFailedToStart";
}

static const char *stop_reason(const struct node_task *task)
{
	if (task->reason || task->stop_requested)
		return task->reason;
	if (task->earlier_boot)
		return "Host was restarted";
	return task->started_at_ms ? "Essential container in task exited" : "Task failed to start";
}

static struct wire_task task_entry(const struct step *step, const struct node_task *task)
{
	bool stopped = task->status == TASK_STOPPED;
	bool ends = task_ending(task) || step_asked(step, NODE_STOP, task->id);
	return (struct wire_task){
		.id = task->id,
		.cluster = task->cluster,
		.service = task->service,
		.family = task->family,
		.revision = task->revision,
		.target = task->target,
		.deployment = task->deployment,
		.last_status = task->status,
		.desired_status = ends ? TASK_STOPPED : TASK_RUNNING,
		.health = task->health,
		.started_at_ms = task->started_unix_ms,
		.stopped_at_ms = task->stopped_unix_ms,
		.engine = task->engine,
		.stop_code = stopped ? stop_code(task) : task->stop_code,
		.reason = stopped ? stop_reason(task) : task->reason,
		.stderr_tail = task->stderr_tail,
		.log_bytes_dropped = task->log_bytes_dropped,
		.containers = task->containers,
		.container_count = task->container_count,
	};
}

static struct wire_task live_entry(const struct step *step, const struct service *s,
				   const struct node_task *task)
{
	struct wire_task out = task_entry(step, task);
	out.failed = task_unhealthy(task);
	if (task == s->beside)
		out.ready = s->beside_ready;
	if (task != s->stays)
		return out;
	out.ready = s->ready;
	if (s->want && s->situation == SITUATION_CURRENT)
		add_series(step, s, &out);
	return out;
}

static void describe_live(struct step *step, const struct service *s)
{
	struct node_output *out = step->out;
	if (s->want && s->situation != SITUATION_CURRENT && !step->input->leaving)
		out->tasks[out->task_count++] = desired_entry(step, s);
	if (s->stays)
		out->tasks[out->task_count++] = live_entry(step, s, s->stays);
	for (uint32_t i = 0; i < s->live_count; i++) {
		if (s->live[i] != s->stays)
			out->tasks[out->task_count++] = live_entry(step, s, s->live[i]);
	}
}

/* Newest first, over all services. */
static int stopped_compare(const void *a, const void *b)
{
	const struct wire_task *x = a, *y = b;
	if (x->stopped_at_ms != y->stopped_at_ms)
		return x->stopped_at_ms > y->stopped_at_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

void step_describe(struct step *step)
{
	struct node_output *out = step->out;
	uint32_t max = step->service_count + step->input->task_count;
	out->tasks = ARENA_ARRAY(step->arena, struct wire_task, max);
	out->stopped = ARENA_ARRAY(step->arena, struct wire_task, max);
	for (uint32_t i = 0; i < step->service_count; i++) {
		const struct service *s = &step->services[i];
		describe_live(step, s);
		for (uint32_t k = 0; k < s->stopped_count && k < STOPPED_KEPT_PER_SERVICE; k++)
			out->stopped[out->stopped_count++] = task_entry(step, s->stopped[k]);
	}
	qsort(out->stopped, out->stopped_count, sizeof(*out->stopped), stopped_compare);
}
