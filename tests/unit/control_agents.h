/*
 * Agents of a few lines, that do at once what their desired document says.
 */
#ifndef CONTROL_AGENTS_H
#define CONTROL_AGENTS_H

#include "control_parts.h"

static inline void agent_register(struct world *w, struct agent *a)
{
	static struct wire_engine engines[] = {
		{ .kind = ENGINE_PROCESS, .name = "process" },
		{ .kind = ENGINE_CONTAINER, .name = "podman" },
	};
	static const char *capabilities[] = { CAPABILITY_LOG_DRIVER "journald",
					      CAPABILITY_DOCKER_ENVIRONMENT_FILES,
					      CAPABILITY_DOCKER_FILES,
					      CAPABILITY_DOCKER_MEMORY_LIMIT };
	struct buf bytes = { 0 };
	struct wire_registration r = {
		.fleet = FLEET,
		.node = a->name,
		.cluster = "default",
		.instance = a->instance,
		.boot_id = "boot",
		.session = a->session,
		.agent_version = "1",
		.wire_min = 1,
		.wire_max = 1,
		.engines = engines,
		.engine_count = ARRAY_LEN(engines),
		.capabilities = { capabilities, ARRAY_LEN(capabilities), true },
		.attributes = { a->attributes, a->attribute_count, true },
		.cpu_units = 4096,
		.memory_mib = 4096,
	};
	wire_encode_registration(&r, &bytes);
	char key[64];
	snprintf(key, sizeof(key), "nodes/%s", a->name);
	store_set(w, key, bytes.data, bytes.len);
	buf_release(&bytes);
	tell(w, key);
}

static inline void agent_report(struct world *w, struct agent *a)
{
	struct wire_task tasks[MAX_TASKS] = { 0 };
	struct wire_container containers[MAX_TASKS] = { 0 };
	for (uint32_t i = 0; i < a->task_count; i++) {
		const struct agent_task *t = &a->tasks[i];
		bool bad = w->bad && t->revision == w->bad;
		bool flaps = w->flaps && t->revision == w->flaps;
		uint32_t age = (uint32_t)((w->now_ms - t->since_ms) / 5000);
		bool fails = bad || (flaps && age % 2) ||
			     (a->fails && strcmp(a->fails, t->service) == 0);
		bool pulls = a->pulls && t->container;
		containers[i] =
			(struct wire_container){ .name = "main",
						 .image_digest = t->image[0] ? t->image : NULL };
		tasks[i] = (struct wire_task){
			.id = "0123456789abcdef0123456789abcdef",
			.cluster = t->cluster,
			.service = t->service,
			.family = t->family,
			.revision = t->revision,
			.target = t->target,
			.deployment = t->deployment,
			.last_status = fails || pulls ? TASK_PENDING : TASK_RUNNING,
			.containers = &containers[i],
			.container_count = 1,
			.desired_status = TASK_RUNNING,
			.ready = !fails && !pulls,
			.failed = fails,
			.failures = bad	    ? 1 + age
				    : flaps ? (age + 1) / 2
					    : a->failures,
			.engine = "process",
		};
	}
	struct wire_observed o = { .fleet = FLEET,
				   .node = a->name,
				   .cluster = "default",
				   .instance = a->instance,
				   .boot_id = "boot",
				   .session = a->session,
				   .seen = a->seen,
				   .tasks = tasks,
				   .task_count = a->task_count };
	struct wire_task stopped;
	if (a->stopped_reason && a->task_count > 0) {
		stopped = tasks[0];
		stopped.id = "1123456789abcdef0123456789abcdef";
		stopped.last_status = stopped.desired_status = TASK_STOPPED;
		stopped.ready = stopped.failed = false;
		stopped.reason = a->stopped_reason;
		o.stopped = &stopped;
		o.stopped_count = 1;
	}
	struct buf bytes = { 0 };
	wire_encode_observed(&o, &bytes);
	char key[64];
	snprintf(key, sizeof(key), "observed/%s", a->name);
	const struct doc *old = map_get(w->store, key);
	bool same = old && old->len == bytes.len && memcmp(old->bytes, bytes.data, bytes.len) == 0;
	if (!same) {
		store_set(w, key, bytes.data, bytes.len);
		tell(w, key);
	}
	buf_release(&bytes);
}

static inline struct agent_task *agent_task(struct agent *a, const char *service)
{
	for (uint32_t i = 0; i < a->task_count; i++)
		if (strcmp(a->tasks[i].service, service) == 0)
			return &a->tasks[i];
	return NULL;
}

static inline void agent_obey(struct world *w, struct agent *a, const struct wire_desired *d)
{
	struct agent_task next[MAX_TASKS] = { 0 };
	a->seen = d->number;
	uint32_t stopped = a->task_count;
	for (uint32_t i = 0; i < d->task_count; i++) {
		const struct wire_desired_task *want = &d->tasks[i];
		const struct agent_task *old = agent_task(a, want->service);
		struct agent_task *t = &next[i];
		snprintf(t->cluster, sizeof(t->cluster), "%s", want->cluster);
		snprintf(t->service, sizeof(t->service), "%s", want->service);
		snprintf(t->family, sizeof(t->family), "%s", want->family);
		snprintf(t->deployment, sizeof(t->deployment), "%s", want->deployment);
		t->revision = want->revision;
		t->target = want->target;
		t->container = task_definition_engine(want->task_definition) == ENGINE_CONTAINER;
		const char *image = want->images.len ? want->images.items[0].value : a->digest;
		bool same = old && digest_equal(&old->target, &want->target);
		t->since_ms = same ? old->since_ms : w->now_ms;
		snprintf(t->image, sizeof(t->image), "%s",
			 same && old->image[0]	 ? old->image
			 : t->container && image ? image
						 : "");
		if (!old)
			a->starts++;
		else if (!digest_equal(&old->target, &want->target))
			a->replaced++;
		stopped -= old != NULL;
	}
	a->stops += stopped;
	memcpy(a->tasks, next, sizeof(next));
	a->task_count = d->task_count;
}

/* Unknown means keep what runs; a lower number is unknown. */
static inline void agent_act(struct world *w, struct agent *a)
{
	if (a->silent || a->slow || a->gone)
		return;
	struct arena arena;
	arena_init(&arena);
	struct wire_desired d;
	const struct doc *doc = store_doc(w, "desired", a->name);
	if (doc &&
	    wire_decode_desired(doc->bytes, doc->len, FLEET, a->name, &arena, &d, NULL) ==
		    WIRE_OK &&
	    d.number >= a->seen)
		agent_obey(w, a, &d);
	arena_release(&arena);
	agent_report(w, a);
}

static inline void agent_beat(struct world *w, struct agent *a)
{
	if (a->silent || a->gone)
		return;
	a->beat++;
	control_beat(w->c, a->name, a->beat, w->now_ms);
}

static inline struct agent *agent_start(struct world *w, const char *name)
{
	struct agent *a = &w->agents[w->agent_count++];
	*a = (struct agent){ 0 };
	snprintf(a->name, sizeof(a->name), "%s", name);
	snprintf(a->instance, sizeof(a->instance), "%032x", w->agent_count);
	snprintf(a->session, sizeof(a->session), "%032x", 100 + w->agent_count);
	agent_register(w, a);
	agent_report(w, a);
	return a;
}

static inline void agent_attribute(struct world *w, struct agent *a, const char *name,
				   const char *value)
{
	a->attribute_count = value != NULL;
	a->attributes[0] = (struct str_pair){ .name = name, .value = value };
	agent_register(w, a);
}

static inline void agent_leave(struct world *w, struct agent *a)
{
	static const char *const kinds[] = { "nodes", "observed", "desired" };
	a->gone = true;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char key[64];
		snprintf(key, sizeof(key), "%s/%s", kinds[i], a->name);
		store_drop(w, key);
		tell(w, key);
	}
}

#endif
