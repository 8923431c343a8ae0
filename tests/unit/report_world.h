/*
 * A small fleet told to the real controller, and worlds rebuilt from its documents. Clocks stand
 * still at NOW_MS and UNIX_MS. Every task comes up at once.
 */
#ifndef MUSTER_TEST_REPORT_WORLD_H
#define MUSTER_TEST_REPORT_WORLD_H

#include <jansson.h>

#include "report/preview.h"

#define FLEET	"0123456789abcdef0123456789abcdef"
#define NOW_MS	1000000
#define UNIX_MS 1795470325000 /* 2026-11-23T21:45:25Z, a Monday */

/* --- manifests ---------------------------------------------------------------------------------
 */

#define TASK(family, command)                                                                      \
	"apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: " family "}\nspec:\n"       \
	"  requiresCompatibilities: [PROCESS]\n"                                                   \
	"  containerDefinitions: [{name: " family ", command: [" command "]}]\n---\n"
#define SERVICE(name, family, more)                                                                \
	"apiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: " name "}\nspec:\n"          \
	"  taskDefinition: " family "\n  minReadySeconds: 10\n  monitorSeconds: 0\n" more          \
	"\n---\n"

/* --- the fleet ---------------------------------------------------------------------------------
 */

struct test_node {
	const char *name, *env, *zone; /* zone NULL: none */
	bool surges;
};

static void tell_node(struct control *c, const struct test_node *node)
{
	struct str_pair facts[] = { { "ecs.os-type", "linux" } };
	struct str_pair own[] = { { "ecs.availability-zone", node->zone }, { "env", node->env } };
	const char *capabilities[] = { CAPABILITY_SURGE };
	struct str_pair *attributes = node->zone ? own : own + 1;
	struct wire_engine engines[] = { { ENGINE_PROCESS, "process", "1" },
					 { ENGINE_CONTAINER, "docker", "20.10.24" } };
	struct wire_registration r = {
		.fleet = FLEET,
		.node = node->name,
		.cluster = "default",
		.instance = "11111111111111111111111111111111",
		.boot_id = "22222222222222222222222222222222",
		.session = "33333333333333333333333333333333",
		.agent_version = "0.1.0",
		.registered_at_ms = UNIX_MS,
		.wire_min = WIRE_VERSION_MIN,
		.wire_max = WIRE_VERSION,
		.engines = engines,
		.engine_count = 2,
		.facts = { facts, 1, true },
		.attributes = { attributes, node->zone ? 2 : 1, true },
		.capabilities = { capabilities, node->surges, node->surges },
		.cpu_units = 2048,
		.memory_mib = 1024,
	};
	char key[64];
	struct buf bytes = { 0 };
	wire_encode_registration(&r, &bytes);
	snprintf(key, sizeof(key), "nodes/%s", node->name);
	control_document(c, key, bytes.data, bytes.len, NULL, NOW_MS);
	buf_release(&bytes);
}

/* Tasks of this revision and later ones fail. */
static uint32_t broken_revision = UINT32_MAX;

/* As the agent of that node would write it: one running task for each service assigned. */
static void observe(struct control *c, const char *name, struct wire_container *container)
{
	const struct node_record *n = map_get(c->nodes, name);
	struct wire_task tasks[8] = { 0 };
	struct wire_observed o = {
		.fleet = FLEET,
		.node = name,
		.cluster = "default",
		.instance = "11111111111111111111111111111111",
		.boot_id = "22222222222222222222222222222222",
		.session = "33333333333333333333333333333333",
		.seen = n->put_number,
		.tasks = tasks,
	};
	for (size_t i = 0; i < n->assignments.len && i < ARRAY_LEN(tasks); i++) {
		const struct assignment *a = &n->assignments.items[i];
		bool broken = a->content->revision >= broken_revision;
		tasks[o.task_count++] = (struct wire_task){
			.id = i ? "44444444444444444444444444444444"
				: "55555555555555555555555555555555",
			.cluster = a->service->cluster,
			.service = a->service->name,
			.family = a->content->family,
			.revision = a->content->revision,
			.target = a->content->target,
			.deployment = a->deployment,
			.last_status = broken ? TASK_PENDING : TASK_RUNNING,
			.desired_status = TASK_RUNNING,
			.ready = !broken,
			.failed = broken,
			.failures = broken,
			.started_at_ms = UNIX_MS,
			.engine = "process",
			.containers = container,
			.container_count = 1,
		};
	}
	char key[64];
	struct buf bytes = { 0 };
	wire_encode_observed(&o, &bytes);
	snprintf(key, sizeof(key), "observed/%s", name);
	control_document(c, key, bytes.data, bytes.len, NULL, NOW_MS);
	buf_release(&bytes);
}

static void tell_observed(struct control *c, const char *name)
{
	observe(c, name,
		&(struct wire_container){
			.name = "web", .last_status = TASK_RUNNING, .runtime_id = "4711" });
}

static void step(struct control *c)
{
	bool more = true;
	for (int i = 0; i < 20 && more; i++) {
		struct arena arena;
		struct control_effects effects = { 0 };
		arena_init(&arena);
		control_step(c, NOW_MS, UNIX_MS, &arena, &effects);
		more = false;
		for (size_t e = 0; e < effects.items.len; e++) {
			const struct control_effect *effect = &effects.items.items[e];
			if (effect->kind == EFFECT_LIST_NODES)
				control_nodes_told(c, effect->look);
			else if (effect->kind == EFFECT_PUT)
				control_put_done(c, effect->key, true, NULL, NOW_MS);
			else
				continue;
			more = true;
		}
		control_effects_release(&effects);
		arena_release(&arena);
	}
}

static void push(struct control *c, const char *commit, const char *text)
{
	struct source_file file = {
		.path = "fleet.yaml", .blob = text, .bytes = text, .len = strlen(text)
	};
	struct source_snapshot snapshot = { .commit = commit,
					    .subject = "Run web",
					    .author = "Ada <ada@example.org>",
					    .time_unix_ms = UNIX_MS,
					    .files = &file,
					    .file_count = 1 };
	assert_true(control_snapshot(c, &snapshot, NOW_MS, UNIX_MS));
}

static struct control *fleet_listed(const struct test_node *nodes, size_t count)
{
	struct control *c = control_new();
	control_store_open(c, FLEET);
	for (size_t i = 0; i < count; i++)
		tell_node(c, &nodes[i]);
	for (size_t i = 0; i < count; i++) {
		char key[64];
		snprintf(key, sizeof(key), "desired/%s", nodes[i].name);
		control_document(c, key, NULL, 0, NULL, NOW_MS);
		tell_observed(c, nodes[i].name);
	}
	control_store_listed(c);
	for (uint64_t beat = 1; beat <= 2; beat++) {
		for (size_t i = 0; i < count; i++)
			control_beat(c, nodes[i].name, beat, NOW_MS);
		control_beats_told(c, NOW_MS);
	}
	return c;
}

/* Push, and let all come up. */
UNUSED static void fleet_push(struct control *c, const char *commit, const char *text)
{
	const struct node_record **nodes;
	struct arena arena;
	arena_init(&arena);
	push(c, commit, text);
	uint32_t count = control_nodes(c, &arena, &nodes);
	for (size_t i = 0; i < 4 * count; i++) {
		step(c);
		for (size_t n = 0; n < count; n++)
			if (nodes[n]->registered)
				tell_observed(c, nodes[n]->name);
	}
	step(c);
	arena_release(&arena);
}

/* --- rebuilt from the files --------------------------------------------------------------------
 */

struct rebuilt {
	struct world *world;
	json_t *docs[64];
	size_t count;
};

/* Through YAML and back, as the command line reads them. */
static json_t *reread(struct rebuilt *r, json_t *doc, struct arena *arena)
{
	struct buf out = { 0 };
	struct diag_list diags;
	diag_init(&diags, arena);
	report_yaml(doc, &out);
	json_decref(doc);
	json_t *back = manifest_load_value("x", out.data, out.len, &diags);
	assert_non_null(back);
	buf_release(&out);
	diag_release(&diags);
	assert_true(r->count < ARRAY_LEN(r->docs));
	r->docs[r->count++] = back;
	return back;
}

static void rebuild_world(struct rebuilt *r, const struct control *c, struct arena *arena)
{
	const struct service_state **services;
	const struct node_record **nodes;
	const struct family **families;
	struct err err;
	*r = (struct rebuilt){ .world = world_new() };
	uint32_t count = control_services(c, arena, &services);
	for (uint32_t i = 0; i < count; i++) {
		json_t *doc = report_service(c, services[i], arena);
		assert_true(world_add_service(r->world, reread(r, doc, arena), &err));
	}
	count = control_nodes(c, arena, &nodes);
	for (uint32_t i = 0; i < count; i++) {
		json_t *doc = report_node(c, nodes[i], NOW_MS, arena);
		assert_true(world_add_node(r->world, reread(r, doc, arena), &err));
	}
	count = control_families(c, arena, &families);
	for (uint32_t i = 0; i < count; i++) {
		json_t *doc = report_taskdef(c, families[i]->name, arena);
		assert_true(world_add_taskdef(r->world, reread(r, doc, arena), &err));
	}
	world_add_fleet(r->world, reread(r, report_summary(c, arena), arena));
}

static void rebuilt_free(struct rebuilt *r)
{
	world_free(r->world);
	for (size_t i = 0; i < r->count; i++)
		json_decref(r->docs[i]);
}

#endif
