/*
 * report: status documents of a small fleet, as golden files, and what is rebuilt from them. The
 * fleet is told to the real controller. UPDATE=1 writes the golden files anew.
 */
#include "report/report.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GOLDEN_DIR "tests/golden/report"
#define FLEET	   "0123456789abcdef0123456789abcdef"
#define NOW_MS	   1000000
#define UNIX_MS	   1795470325000 /* 2026-11-23T21:45:25Z */
#define SECRET	   "do-not-print-me"

static const char manifests[] =
	"apiVersion: muster/v1\n"
	"kind: TaskDefinition\n"
	"metadata: {name: web}\n"
	"spec:\n"
	"  requiresCompatibilities: [PROCESS]\n"
	"  containerDefinitions:\n"
	"    - name: web\n"
	"      command: [sleep, '1000']\n"
	"      environment: [{name: TOKEN, value: " SECRET "}]\n"
	"      memoryReservation: 64\n"
	"---\n"
	"apiVersion: muster/v1\n"
	"kind: DaemonService\n"
	"metadata: {name: web}\n"
	"spec:\n"
	"  taskDefinition: web\n"
	"  placementConstraints: [{type: memberOf, expression: 'attribute:env == prod'}]\n"
	"---\n"
	"apiVersion: muster/v1\n"
	"kind: DaemonService\n"
	"metadata: {name: everywhere}\n"
	"spec: {taskDefinition: web, priority: 5}\n"
	"---\n"
	"apiVersion: muster/v1\n"
	"kind: Node\n"
	"metadata: {name: n3}\n"
	"spec: {state: DRAINING, attributes: {env: prod}}\n";

/* --- the fleet ---------------------------------------------------------------------------------
 */

static void tell_node(struct control *c, const char *name, const char *env)
{
	struct str_pair facts[] = { { "ecs.os-type", "linux" } }, own[] = { { "env", env } };
	struct wire_engine engines[] = { { ENGINE_PROCESS, "process", "1" },
					 { ENGINE_CONTAINER, "docker", "20.10.24" } };
	struct wire_registration r = {
		.fleet = FLEET,
		.node = name,
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
		.attributes = { own, 1, true },
		.cpu_units = 2048,
		.memory_mib = 1024,
	};
	char key[64];
	struct buf bytes = { 0 };
	wire_encode_registration(&r, &bytes);
	snprintf(key, sizeof(key), "nodes/%s", name);
	control_document(c, key, bytes.data, bytes.len, NULL, NOW_MS);
	buf_release(&bytes);
}

/* As the agent of that node would write it: one running task for each service assigned. */
static void observe(struct control *c, const char *name, struct wire_container *container)
{
	const struct node_record *n = map_get(c->nodes, name);
	struct wire_task tasks[4] = { 0 };
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
	for (size_t i = 0; i < n->assignments.len; i++) {
		const struct assignment *a = &n->assignments.items[i];
		tasks[o.task_count++] = (struct wire_task){
			.id = i ? "44444444444444444444444444444444"
				: "55555555555555555555555555555555",
			.cluster = a->service->cluster,
			.service = a->service->name,
			.family = a->content->family,
			.revision = a->content->revision,
			.target = a->content->target,
			.deployment = a->deployment,
			.last_status = TASK_RUNNING,
			.desired_status = TASK_RUNNING,
			.ready = true,
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

static void beat(struct control *c, uint64_t count)
{
	control_beat(c, "n1", count, NOW_MS);
	control_beat(c, "n2", count, NOW_MS);
	control_beats_told(c, NOW_MS);
}

static struct control *listed(void)
{
	struct control *c = control_new();
	control_store_open(c, FLEET);
	tell_node(c, "n1", "prod");
	tell_node(c, "n2", "dev");
	const char *nodes[] = { "n1", "n2" };
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		char key[64];
		snprintf(key, sizeof(key), "desired/%s", nodes[i]);
		control_document(c, key, NULL, 0, NULL, NOW_MS);
		tell_observed(c, nodes[i]);
	}
	control_store_listed(c);
	beat(c, 1);
	beat(c, 2);
	return c;
}

static struct control *fleet(void)
{
	struct control *c = listed();
	push(c, "c0ffee0000000000000000000000000000000001", manifests);
	step(c);
	tell_observed(c, "n1");
	tell_observed(c, "n2");
	step(c);
	return c;
}

/* --- golden files ------------------------------------------------------------------------------
 */

static void check(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", GOLDEN_DIR, name);
	FILE *f;
	if (getenv("UPDATE")) {
		f = fopen(path, "we");
		assert_non_null(f);
		fputs(text, f);
		assert_int_equal(fclose(f), 0);
	}
	f = fopen(path, "re");
	assert_non_null(f);
	static char want[1 << 20];
	size_t len = fread(want, 1, sizeof(want) - 1, f);
	fclose(f);
	want[len] = '\0';
	assert_string_equal(text, want);
}

static void check_doc(const char *name, json_t *doc)
{
	struct buf out = { 0 };
	assert_non_null(doc);
	report_yaml(doc, &out);
	assert_null(strstr(out.data, SECRET));
	check(name, out.data);
	buf_release(&out);
	json_decref(doc);
}

static void test_documents(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	struct control *c = fleet();
	struct buf out = { 0 };
	check_doc("fleet.yaml", report_fleet(c, &arena));
	check_doc("summary.yaml", report_summary(c, &arena));
	check_doc("service-web.yaml",
		  report_service(c, map_get(c->services, "default/web"), &arena));
	check_doc("service-everywhere.yaml",
		  report_service(c, map_get(c->services, "default/everywhere"), &arena));
	check_doc("node-n1.yaml", report_node(c, map_get(c->nodes, "n1"), NOW_MS, &arena));
	check_doc("node-n2.yaml", report_node(c, map_get(c->nodes, "n2"), NOW_MS, &arena));
	check_doc("node-n3.yaml", report_node(c, map_get(c->nodes, "n3"), NOW_MS, &arena));
	check_doc("taskdef-web.yaml", report_taskdef(c, "web", &arena));
	report_metrics(c, &arena, &out);
	check("metrics.prom", out.data);
	buf_reset(&out);
	const struct service_state *web = map_get(c->services, "default/web");
	for (size_t i = 0; i < web->events.count; i++)
		report_event_line(web->events.items[i], &out);
	check("events.jsonl", out.data);
	buf_release(&out);
	control_free(c);
	arena_release(&arena);
}

static void test_an_invalid_commit_names_every_mistake(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	struct control *c = fleet();
	push(c, "c0ffee0000000000000000000000000000000002",
	     "apiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: web}\n"
	     "spec: {taskDefinitoin: web}\n");
	step(c);
	json_t *doc = report_fleet(c, &arena);
	const json_t *diagnostics = json_object_get(doc, "diagnostics");
	const char *first = json_string_value(json_array_get(diagnostics, 0));
	assert_non_null(first);
	assert_memory_equal(first, "fleet.yaml:4:", 13);
	const json_t *source = json_object_get(doc, "source");
	assert_true(json_is_false(json_object_get(source, "seenValid")));
	const char *applied =
		json_string_value(json_object_get(json_object_get(source, "applied"), "commit"));
	assert_string_equal(applied, "c0ffee0000000000000000000000000000000001");
	json_decref(doc);
	control_free(c);
	arena_release(&arena);
}

static json_t *task_count(const json_t *fleet_doc, const char *name)
{
	return json_object_get(json_object_get(json_object_get(fleet_doc, "counts"), "tasks"),
			       name);
}

static void test_not_yet_looked_differs_from_nothing_desired(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	struct control *c = control_new();
	json_t *doc = report_fleet(c, &arena);
	assert_true(json_is_null(task_count(doc, "desired")));
	json_decref(doc);
	control_free(c);
	c = listed();
	push(c, "c0ffee0000000000000000000000000000000001", "{}");
	control_source_ok(c, "c0ffee0000000000000000000000000000000001");
	step(c);
	doc = report_fleet(c, &arena);
	assert_true(json_is_integer(task_count(doc, "desired")));
	json_decref(doc);
	control_free(c);
	arena_release(&arena);
}

/* What the first node that prepares found its image to be stands with the deployment. */
static void test_deployments_name_image_digests(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	struct control *c = listed();
	push(c, "c0ffee0000000000000000000000000000000001",
	     "apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: web}\nspec:\n"
	     "  containerDefinitions: [{name: main, image: 'web:1'}]\n---\n"
	     "apiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: web}\n"
	     "spec: {taskDefinition: web}\n");
	step(c);
	const struct node_record *n = map_get(c->nodes, "n1");
	assert_int_equal(n->assignments.len, 1);
	observe(c, "n1",
		&(struct wire_container){ .name = "main",
					  .last_status = TASK_RUNNING,
					  .image = "web:1",
					  .image_digest = "sha256:0123" });
	step(c);
	json_t *doc = report_service(c, map_get(c->services, "default/web"), &arena), *image;
	assert_int_equal(
		json_unpack(doc, "{s:[{s:[o!]}]}", "deployments", "containerImages", &image), 0);
	json_t *want = json_pack("{s:s,s:s,s:s}", "containerName", "main", "imageDigest",
				 "sha256:0123", "image", "web:1");
	assert_true(json_equal(image, want));
	json_decref(want);
	json_decref(doc);
	control_free(c);
	arena_release(&arena);
}

/* --- rebuilt from the files --------------------------------------------------------------------
 */

struct rebuilt {
	struct world *world;
	json_t *docs[8];
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
	r->docs[r->count++] = back;
	return back;
}

static void rebuild(struct rebuilt *r, const struct control *c, struct arena *arena)
{
	static const char *const services[] = { "default/web", "default/everywhere" };
	static const char *const nodes[] = { "n1", "n2", "n3" };
	struct err err;
	*r = (struct rebuilt){ .world = world_new() };
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		json_t *doc = report_service(c, map_get(c->services, services[i]), arena);
		assert_true(world_add_service(r->world, reread(r, doc, arena), &err));
	}
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		json_t *doc = report_node(c, map_get(c->nodes, nodes[i]), NOW_MS, arena);
		assert_true(world_add_node(r->world, reread(r, doc, arena), &err));
	}
	json_t *doc = reread(r, report_taskdef(c, "web", arena), arena);
	assert_true(world_add_taskdef(r->world, doc, &err));
}

static void rebuilt_free(struct rebuilt *r)
{
	world_free(r->world);
	for (size_t i = 0; i < r->count; i++)
		json_decref(r->docs[i]);
}

/* What both planners say of all cells, reasons included. */
static void describe(const struct planner *p, struct arena *arena, struct buf *out)
{
	plan_service_id *services;
	plan_node_id *nodes;
	uint32_t service_count = planner_services(p, arena, &services);
	uint32_t node_count = planner_nodes(p, arena, &nodes);
	for (uint32_t s = 0; s < service_count; s++) {
		struct plan_counts counts = planner_counts(p, services[s]);
		buf_addf(out, "%s: desired %u running %u ready %u updated %u\n",
			 planner_service(p, services[s])->name, counts.desired, counts.running,
			 counts.ready, counts.updated);
		for (uint32_t n = 0; n < node_count; n++) {
			struct plan_cell cell = planner_cell(p, services[s], nodes[n]);
			struct plan_why *why;
			uint32_t count = planner_explain(p, services[s], nodes[n], arena, &why);
			buf_addf(out, "  %s: %s seen %d\n", planner_node(p, nodes[n])->name,
				 plan_reason_name(cell.reason), cell.fact.seen);
			for (uint32_t i = 0; i < count; i++)
				buf_addf(out, "    %s: %s\n", plan_reason_name(why[i].reason),
					 why[i].text);
		}
	}
}

static void test_world_says_what_the_controller_says(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	struct control *c = fleet();
	struct rebuilt r;
	struct buf want = { 0 }, got = { 0 };
	rebuild(&r, c, &arena);
	world_run(r.world);
	describe(c->planner, &arena, &want);
	describe(world_planner(r.world), &arena, &got);
	assert_string_equal(got.data, want.data);
	assert_non_null(strstr(got.data, "env is dev"));
	check("explain.txt", got.data);
	const struct world_change *changes;
	assert_int_equal(world_changes(r.world, &arena, &changes), 0);
	buf_release(&want);
	buf_release(&got);
	rebuilt_free(&r);
	control_free(c);
	arena_release(&arena);
}

static void describe_changes(const struct world *world, struct arena *arena, struct buf *out)
{
	const struct world_change *changes;
	uint32_t count = world_changes(world, arena, &changes);
	for (uint32_t i = 0; i < count; i++) {
		const struct world_change *w = &changes[i];
		buf_addf(out, "%s %s:%u%s start", world_action_name(w->action), w->service,
			 w->revision, w->new_revision ? " new" : "");
		for (uint32_t k = 0; k < w->start_count; k++)
			buf_addf(out, " %s", w->starts[k]);
		buf_adds(out, " update");
		for (uint32_t k = 0; k < w->update_count; k++)
			buf_addf(out, " %s", w->updates[k]);
		buf_adds(out, " stop");
		for (uint32_t k = 0; k < w->stop_count; k++)
			buf_addf(out, " %s", w->stops[k]);
		buf_addc(out, '\n');
	}
}

static void test_plans(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to; /* an edit of the manifests */
		const char *want;
	} rows[] = {
		{ "priority: 5", "priority: 6", "" },
		{ "'1000'", "'2000'",
		  "update everywhere:2 new start update n1 n2 stop\n"
		  "update web:2 new start update n1 stop\n" },
		{ "'attribute:env == prod'", "'attribute:env == dev'",
		  "unchanged web:1 start n2 update stop n1\n" },
		{ "name: everywhere", "name: elsewhere",
		  "create elsewhere:1 start n1 n2 update stop\n"
		  "remove everywhere:1 start update stop n1 n2\n" },
		{ "metadata: {name: n3}", "metadata: {name: n1}",
		  "unchanged everywhere:1 start update stop n1\n"
		  "unchanged web:1 start update stop n1\n" },
	};
	struct arena arena;
	arena_init(&arena);
	struct control *c = fleet();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 }, got = { 0 };
		const char *at = strstr(manifests, rows[i].from);
		buf_add(&text, manifests, (size_t)(at - manifests));
		buf_adds(&text, rows[i].to);
		buf_adds(&text, at + strlen(rows[i].from));
		struct manifest_file *file = manifest_parse("fleet.yaml", text.data, text.len);
		struct manifest_tree *tree = manifest_tree_build(&file, 1, NULL);
		assert_true(tree->valid);
		struct rebuilt r;
		rebuild(&r, c, &arena);
		world_apply(r.world, tree);
		world_run(r.world);
		describe_changes(r.world, &arena, &got);
		assert_string_equal(buf_str(&got), rows[i].want);
		rebuilt_free(&r);
		manifest_tree_free(tree);
		manifest_file_free(file);
		buf_release(&text);
		buf_release(&got);
	}
	control_free(c);
	arena_release(&arena);
}

static void test_filters(void **state)
{
	(void)state;
	static const struct {
		const char *expression;
		bool n1, n2;
	} rows[] = {
		{ "attribute:env == prod", true, false },
		{ "attribute:env exists", true, true },
		{ "runningTasksCount == 2", true, false },
		{ "task:group == service:web", true, false },
		{ "agentConnected == true", true, true },
		{ "node.name == n2", false, true },
	};
	struct arena arena;
	arena_init(&arena);
	struct control *c = fleet();
	json_t *n1 = report_node(c, map_get(c->nodes, "n1"), NOW_MS, &arena);
	json_t *n2 = report_node(c, map_get(c->nodes, "n2"), NOW_MS, &arena);
	struct expr_error error;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world_filter *filter = world_filter_new(rows[i].expression, &error);
		assert_non_null(filter);
		assert_int_equal(world_filter_match(filter, n1), rows[i].n1);
		assert_int_equal(world_filter_match(filter, n2), rows[i].n2);
		world_filter_free(filter);
	}
	assert_null(world_filter_new("attribute:env = prod", &error));
	json_decref(n1);
	json_decref(n2);
	control_free(c);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_deployments_name_image_digests),
		cmocka_unit_test(test_an_invalid_commit_names_every_mistake),
		cmocka_unit_test(test_not_yet_looked_differs_from_nothing_desired),
		cmocka_unit_test(test_world_says_what_the_controller_says),
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_filters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
