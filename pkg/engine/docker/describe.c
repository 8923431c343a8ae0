/* A task as the agent's step sees it. */
#include "engine/docker/internal.h"

#include <stdlib.h>
#include <string.h>

static enum task_status status_of(const struct task *task)
{
	if (task->stage == STAGE_IMAGES)
		return task->wish == LIFECYCLE_RUN ? TASK_PENDING : TASK_STOPPING;
	return task->out.containers ? task->out.status : TASK_PENDING;
}

/* The ports of a container in another's network are that one's. */
static bool is_published_for(const struct container_definition *c, const struct wire_binding *b)
{
	for (uint32_t i = 0; i < c->port_mappings.len; i++) {
		const struct port_mapping *p = &c->port_mappings.items[i];
		int64_t first = p->container_port.value, last = first;
		char *end = NULL;
		if (p->container_port_range) {
			first = strtoll(p->container_port_range, &end, 10);
			last = *end == '-' ? strtoll(end + 1, NULL, 10) : first;
		}
		if (strcmp(p->protocol ? p->protocol : "tcp", b->protocol) == 0 &&
		    b->container_port >= first && b->container_port <= last)
			return true;
	}
	return false;
}

/* On the host's network nothing is published: the ports are the host's. */
static void describe_host_ports(const struct container_definition *c, struct arena *arena,
				struct wire_container *out)
{
	out->network_bindings = ARENA_ARRAY(arena, struct wire_binding, c->port_mappings.len);
	for (uint32_t i = 0; i < c->port_mappings.len; i++) {
		const struct port_mapping *p = &c->port_mappings.items[i];
		if (p->container_port.set)
			out->network_bindings[out->network_binding_count++] = (struct wire_binding){
				.bind_ip = "0.0.0.0",
				.protocol = p->protocol ? p->protocol : "tcp",
				.container_port = (uint32_t)p->container_port.value,
				.host_port = (uint32_t)p->container_port.value,
			};
	}
}

static void describe_ports(const struct task *task, uint32_t index, struct arena *arena,
			   struct wire_container *out)
{
	const struct container_definition *c = &task->td->container_definitions.items[index];
	const char *mode = task->td->network_mode;
	bool shared = mode && strcmp(mode, "awsvpc") == 0;
	const struct slot *slot = &task->slots[shared ? LIFECYCLE_OWNER : index];
	if (out->last_status != TASK_RUNNING)
		return;
	if (mode && strcmp(mode, "host") == 0) {
		describe_host_ports(c, arena, out);
		return;
	}
	out->network_bindings = ARENA_ARRAY(arena, struct wire_binding, slot->info.binding_count);
	for (uint32_t i = 0; i < slot->info.binding_count; i++) {
		const struct wire_binding *b = &slot->info.bindings[i];
		if (!shared || is_published_for(c, b))
			out->network_bindings[out->network_binding_count++] = (struct wire_binding){
				.bind_ip = arena_strdup(arena, b->bind_ip),
				.protocol = arena_strdup(arena, b->protocol),
				.container_port = b->container_port,
				.host_port = b->host_port,
			};
	}
}

static void describe_container(const struct task *task, uint32_t index, struct arena *arena,
			       struct wire_container *out)
{
	static const struct lifecycle_container_status none = { .status = TASK_PENDING };
	const struct container_definition *c = &task->td->container_definitions.items[index];
	const struct lifecycle_container_status *s =
		task->out.containers ? &task->out.containers[index] : &none;
	*out = (struct wire_container){
		.name = arena_strdup(arena, c->name),
		.last_status = s->status,
		.runtime_id = arena_strdup(arena, task->slots[index].id),
		.has_exit_code = s->has_exit_code,
		.exit_code = s->exit_code,
		.reason = arena_strdup(arena, s->reason),
		.image = arena_strdup(arena, c->image),
		.image_digest = arena_strdup(arena, task->digests[index]),
		.health = s->health,
		.restart_count = s->restart_count,
	};
	describe_ports(task, index, arena, out);
}

/* Of an essential container where it said something, else of any. */
static const char *last_words(const struct task *task)
{
	const char *words = NULL;
	for (uint32_t i = task->td->container_definitions.len; i-- > 0;) {
		const char *tail = task->slots[i].tail;
		bool essential = task->td->container_definitions.items[i].essential != OPT_FALSE;
		if (tail && *tail && (!words || essential))
			words = tail;
	}
	return words;
}

void docker_task_describe(const struct task *task, struct arena *arena, struct node_task *out)
{
	const struct lifecycle_output *o = &task->out;
	uint32_t count = task->td->container_definitions.len;
	enum task_status status = status_of(task);
	bool stopped = status == TASK_STOPPED;
	const char *reason = task->stage == STAGE_IMAGES ? task->progress : o->reason;
	if (status == TASK_PENDING && task->engine->link != LINK_UP && task->engine->why)
		reason = task->engine->why;
	*out = (struct node_task){
		.id = arena_strdup(arena, task->id.task),
		.cluster = arena_strdup(arena, task->id.cluster),
		.service = arena_strdup(arena, task->id.service),
		.family = arena_strdup(arena, task->id.family),
		.revision = task->id.revision,
		.target = task->id.target,
		.deployment = arena_strdup(arena, task->id.deployment),
		.engine = engine_docker_ops.name,
		.kind = ENGINE_CONTAINER,
		.status = status,
		.started_at_ms = o->started_at_ms,
		.stopped_at_ms = o->stopped_at_ms,
		.started_unix_ms = task->started_unix_ms,
		.stopped_unix_ms = stopped ? task->stopped_unix_ms : 0,
		.earlier_boot = stopped && o->stopped_at_ms == 0,
		.stop_requested = task->stop_asked,
		.remains = stopped && !task->cleaned,
		.lacks_definition = task->synthetic && task->wish == LIFECYCLE_RUN && !stopped,
		.health = o->health,
		.health_checked = o->health_checked,
		.stop_code = arena_strdup(arena, o->stop_code),
		.reason = arena_strdup(arena, reason),
		.stderr_tail = stopped ? arena_strdup(arena, last_words(task)) : NULL,
		.containers = ARENA_ARRAY(arena, struct wire_container, count),
		.container_count = count,
	};
	for (uint32_t i = 0; i < count; i++)
		describe_container(task, i, arena, &out->containers[i]);
}
