/*
 * A small fleet in virtual time: the shipped steps of controller and agents, around a store that
 * loses, garbles and goes back, and an engine of a few lines. All from one seed.
 */
#ifndef CONTROL_SIM_H
#define CONTROL_SIM_H

#include "draw.h"
#include "control_world.h"
#include "node/node.h"

#define SIM_NODES    4
#define SIM_SERVICES 3
#define SIM_TASKS    64

#define IN_FLIGHT_MAYBE UINT64_MAX

struct sim_task {
	char id[UUID_TEXT_LEN + 1]; /* empty: a free place */
	char service[16], family[16], deployment[32];
	uint32_t revision;
	struct digest target;
	enum task_status status;
	int64_t started_ms, stopped_ms, due_ms;
	bool stop_requested, bad;
};

struct sim_prepare {
	bool asked;
	char service[16];
	struct digest target;
	int64_t due_ms;
};

struct sim_node {
	char name[16], instance[33], session[33];
	const char *env;
	uint32_t lives, sessions;
	bool silent;
	uint64_t beat, highest, seen_written;
	int64_t beat_due_ms;
	struct node_memory *memory;
	struct wire_desired desired;
	struct arena desired_arena;
	bool has_desired;
	struct sim_task tasks[SIM_TASKS];
	struct sim_prepare prepares[SIM_SERVICES];

	/* The oracle's. */
	uint64_t in_flight[SIM_SERVICES]; /* number of the update by our own hand; 0: none */
	struct digest flight_target[SIM_SERVICES];
	uint64_t last_put; /* that happened */
	bool went_back;	   /* its desired document */
};

struct sim {
	struct world *w;
	uint64_t seed, random;
	int tick;
	bool calm;  /* nothing but faults: no task may be stopped */
	bool chaos; /* faults happen */
	uint32_t node_count, service_count, min_healthy;
	struct sim_node nodes[SIM_NODES];
	int64_t relist_due_ms;
	struct buf old_desired[SIM_NODES];
	uint32_t versions, deaths, puts;
};

#define sim_fail(sim, fmt, ...)                                                                    \
	fail_msg("seed %llu, tick %d: " fmt, (unsigned long long)(sim)->seed, (sim)->tick,         \
		 __VA_ARGS__)

static inline uint32_t draw(struct sim *sim, uint32_t below)
{
	return draw_below(&sim->random, below);
}

static inline bool chance(struct sim *sim, uint32_t per_mille)
{
	return draw(sim, 1000) < per_mille && sim->chaos;
}

static const char *const sim_services[SIM_SERVICES] = { "s0", "s1", "s2" };

/* A watch may miss it. */
static inline void sim_tell(struct sim *sim, const char *key)
{
	if (!chance(sim, 150))
		tell(sim->w, key);
}

static inline const char *sim_key(char out[64], const char *kind, const struct sim_node *n)
{
	snprintf(out, 64, "%s/%s", kind, n->name);
	return out;
}

/* --- engine -----------------------------------------------------------------------------------
 */

static inline void engine_advance(struct sim_node *n, int64_t now_ms)
{
	for (size_t i = 0; i < SIM_TASKS; i++) {
		struct sim_task *t = &n->tasks[i];
		if (!t->id[0] || t->status == TASK_STOPPED || now_ms < t->due_ms)
			continue;
		if (t->status == TASK_PENDING) {
			t->status = TASK_RUNNING;
			t->started_ms = now_ms;
			t->due_ms = t->bad ? now_ms + 200 : INT64_MAX;
		} else {
			t->status = TASK_STOPPED;
			t->stopped_ms = now_ms;
		}
	}
}

static inline struct sim_task *engine_find(struct sim_node *n, const char *id)
{
	for (size_t i = 0; i < SIM_TASKS; i++)
		if (strcmp(n->tasks[i].id, id) == 0)
			return &n->tasks[i];
	return NULL;
}

static inline void engine_start(struct sim *sim, struct sim_node *n,
				const struct wire_desired_task *want)
{
	struct sim_task *t = engine_find(n, "");
	assert_non_null(t);
	for (size_t i = 0; i < SIM_TASKS; i++)
		if (n->tasks[i].id[0] && n->tasks[i].status != TASK_STOPPED &&
		    strcmp(n->tasks[i].service, want->service) == 0)
			sim_fail(sim, "%s: a second task of %s", n->name, want->service);
	const struct container_definition *c =
		&want->task_definition->container_definitions.items[0];
	*t = (struct sim_task){ .revision = want->revision,
				.target = want->target,
				.status = TASK_PENDING,
				.due_ms = sim->w->now_ms + 10,
				.bad = strcmp(c->command.items[0], "bad") == 0 };
	snprintf(t->id, sizeof(t->id), "%032llx", (unsigned long long)sim->random);
	draw(sim, 2); /* so that the next id is another one */
	snprintf(t->service, sizeof(t->service), "%s", want->service);
	snprintf(t->family, sizeof(t->family), "%s", want->family);
	snprintf(t->deployment, sizeof(t->deployment), "%s", want->deployment);
}

static inline void engine_prepare(struct sim *sim, struct sim_node *n,
				  const struct wire_desired_task *want)
{
	struct sim_prepare *p = &n->prepares[want->service[1] - '0'];
	p->asked = true;
	p->target = want->target;
	p->due_ms = sim->w->now_ms + 20;
	snprintf(p->service, sizeof(p->service), "%s", want->service);
}

static inline void engine_act(struct sim *sim, struct sim_node *n, const struct node_action *a)
{
	struct sim_task *t = a->id ? engine_find(n, a->id) : NULL;
	switch (a->kind) {
	case NODE_PREPARE: engine_prepare(sim, n, a->task); break;
	case NODE_START: engine_start(sim, n, a->task); break;
	case NODE_STOP:
		if (sim->calm)
			sim_fail(sim, "%s: %s is stopped: %s", n->name, t->service, a->reason);
		t->stop_requested = true;
		t->due_ms = sim->w->now_ms + 30;
		break;
	case NODE_CLEAN: break;
	case NODE_REMOVE: t->id[0] = '\0'; break;
	}
}

/* --- agent ------------------------------------------------------------------------------------
 */

static inline void sim_register(struct sim *sim, struct sim_node *n)
{
	static struct wire_engine engine = { .kind = ENGINE_PROCESS, .name = "process" };
	struct str_pair env = { .name = "env", .value = n->env };
	struct wire_registration r = { .fleet = FLEET,
				       .node = n->name,
				       .cluster = "default",
				       .instance = n->instance,
				       .boot_id = "boot",
				       .session = n->session,
				       .agent_version = "1",
				       .wire_min = 1,
				       .wire_max = 1,
				       .engines = &engine,
				       .engine_count = 1,
				       .attributes = { &env, n->env != NULL, true },
				       .cpu_units = 4096,
				       .memory_mib = 4096 };
	struct buf bytes = { 0 };
	char key[64];
	wire_encode_registration(&r, &bytes);
	store_set(sim->w, sim_key(key, "nodes", n), bytes.data, bytes.len);
	buf_release(&bytes);
	sim_tell(sim, key);
}

/* What the store takes, control is told of; and the oracle sees which updates are done. */
static inline void sim_observe(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
	struct wire_observed o = { .fleet = FLEET,
				   .node = n->name,
				   .cluster = "default",
				   .instance = n->instance,
				   .boot_id = "boot",
				   .session = n->session,
				   .seen = out->seen > n->highest ? out->seen : n->highest,
				   .tasks = out->tasks,
				   .task_count = out->task_count,
				   .stopped = out->stopped,
				   .stopped_count = out->stopped_count };
	struct buf bytes = { 0 };
	char key[64];
	wire_encode_observed(&o, &bytes);
	const struct doc *old = map_get(sim->w->store, sim_key(key, "observed", n));
	bool same = old && old->len == bytes.len && memcmp(old->bytes, bytes.data, bytes.len) == 0;
	if (!same && !chance(sim, 50)) {
		store_set(sim->w, key, bytes.data, bytes.len);
		sim_tell(sim, key);
		same = true;
	}
	if (same)
		n->seen_written = o.seen;
	buf_release(&bytes);
	for (uint32_t i = 0; same && i < out->task_count; i++) {
		int service = out->tasks[i].service[1] - '0';
		uint64_t *flight = &n->in_flight[service];
		if (out->tasks[i].ready && o.seen >= *flight &&
		    digest_equal(&out->tasks[i].target, &n->flight_target[service]))
			*flight = 0;
	}
}

static inline void sim_read_desired(struct sim *sim, struct sim_node *n)
{
	struct arena arena;
	struct wire_desired d;
	char key[64];
	const struct doc *doc = map_get(sim->w->store, sim_key(key, "desired", n));
	arena_init(&arena);
	if (doc &&
	    wire_decode_desired(doc->bytes, doc->len, FLEET, n->name, &arena, &d, NULL) ==
		    WIRE_OK &&
	    d.number > n->highest) {
		arena_release(&n->desired_arena);
		n->desired_arena = arena;
		n->desired = d;
		n->has_desired = true;
		n->highest = d.number;
		return;
	}
	arena_release(&arena);
}

static inline uint32_t sim_input(const struct sim_node *n, struct node_task *tasks,
				 struct node_prepare *prepares, int64_t now_ms,
				 uint32_t *prepare_count)
{
	uint32_t count = 0;
	for (size_t i = 0; i < SIM_TASKS; i++) {
		const struct sim_task *t = &n->tasks[i];
		if (t->id[0])
			tasks[count++] = (struct node_task){ .id = t->id,
							     .cluster = "default",
							     .service = t->service,
							     .family = t->family,
							     .revision = t->revision,
							     .target = t->target,
							     .deployment = t->deployment,
							     .engine = "process",
							     .status = t->status,
							     .started_at_ms = t->started_ms,
							     .stopped_at_ms = t->stopped_ms,
							     .stop_requested = t->stop_requested };
	}
	*prepare_count = 0;
	for (size_t i = 0; i < SIM_SERVICES; i++)
		if (n->prepares[i].asked)
			prepares[(*prepare_count)++] =
				(struct node_prepare){ .cluster = "default",
						       .service = n->prepares[i].service,
						       .target = n->prepares[i].target,
						       .state = now_ms < n->prepares[i].due_ms
									? PREPARE_RUNNING
									: PREPARE_DONE };
	return count;
}

static inline bool sim_agent_once(struct sim *sim, struct sim_node *n)
{
	struct node_task tasks[SIM_TASKS];
	struct node_prepare prepares[SIM_SERVICES];
	struct node_input in = { .now_ms = sim->w->now_ms,
				 .now_unix_ms = UNIX_MS(sim->w),
				 .desired = n->has_desired ? &n->desired : NULL,
				 .seen_written = n->seen_written,
				 .tasks_known = { true, true },
				 .tasks = tasks,
				 .prepares = prepares };
	in.task_count = sim_input(n, tasks, prepares, in.now_ms, &in.prepare_count);
	struct arena arena;
	struct node_output out;
	arena_init(&arena);
	node_step(n->memory, &in, &arena, &out);
	uint64_t seen_before = n->seen_written;
	sim_observe(sim, n, &out);
	for (uint32_t i = 0; i < out.action_count; i++)
		engine_act(sim, n, &out.actions[i]);
	bool more = out.action_count > 0 || n->seen_written != seen_before;
	arena_release(&arena);
	return more;
}

static inline void sim_agent(struct sim *sim, struct sim_node *n)
{
	char key[64];
	engine_advance(n, sim->w->now_ms);
	if (n->silent)
		return;
	if (sim->w->now_ms >= n->beat_due_ms) {
		n->beat_due_ms = sim->w->now_ms + 10000;
		n->beat++;
		control_beat(sim->w->c, n->name, n->beat, sim->w->now_ms);
	}
	if (!map_get(sim->w->store, sim_key(key, "nodes", n)))
		sim_register(sim, n);
	sim_read_desired(sim, n);
	for (int i = 0; i < 4 && sim_agent_once(sim, n); i++)
		;
}

/* What was under way is known only as long as the controller lives. */
static inline void flights_are_lost(struct sim_node *n)
{
	for (int s = 0; s < SIM_SERVICES; s++)
		n->in_flight[s] = IN_FLIGHT_MAYBE;
}

/* A new session; with state lost, a new instance that knows of no desired document. */
static inline void sim_agent_restart(struct sim *sim, struct sim_node *n, bool state_lost)
{
	snprintf(n->session, sizeof(n->session), "%028x%04x", ++n->sessions, n->lives);
	if (state_lost || !n->memory) {
		snprintf(n->instance, sizeof(n->instance), "%032x", ++n->lives);
		node_memory_free(n->memory);
		n->memory = node_memory_new();
		arena_release(&n->desired_arena);
		n->has_desired = false;
		flights_are_lost(n);
		n->highest = n->seen_written = 0;
		memset(n->prepares, 0, sizeof(n->prepares));
	}
	sim_register(sim, n);
}

#endif
