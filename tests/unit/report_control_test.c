/*
 * report: status documents of a small fleet, as golden files, and what is rebuilt from them. The
 * fleet is told to the real controller. UPDATE=1 writes the golden files anew.
 */
#include "report/preview.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "report_world.h"

#define GOLDEN_DIR "tests/golden/report"
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
	"  monitorSeconds: 0\n"
	"  placementConstraints: [{type: memberOf, expression: 'attribute:env == prod'}]\n"
	"---\n"
	"apiVersion: muster/v1\n"
	"kind: DaemonService\n"
	"metadata: {name: everywhere}\n"
	"spec: {taskDefinition: web, priority: 5, monitorSeconds: 0}\n"
	"---\n"
	"apiVersion: muster/v1\n"
	"kind: Node\n"
	"metadata: {name: n3}\n"
	"spec: {state: DRAINING, attributes: {env: prod}}\n";

/* --- the fleet ---------------------------------------------------------------------------------
 */

static const struct test_node two_nodes[] = { { "n1", "prod", NULL, false },
					      { "n2", "dev", NULL, false } };

static struct control *listed(void)
{
	return fleet_listed(two_nodes, ARRAY_LEN(two_nodes));
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
	rebuild_world(&r, c, &arena);
	world_run(r.world);
	describe(c->planner, &arena, &want);
	describe(world_planner(r.world), &arena, &got);
	assert_string_equal(got.data, want.data);
	assert_non_null(strstr(buf_str(&got), "env is dev"));
	check("explain.txt", got.data);
	struct world_preview p;
	world_preview(r.world, &arena, &p);
	assert_int_equal(p.change_count, 0);
	buf_release(&want);
	buf_release(&got);
	rebuilt_free(&r);
	control_free(c);
	arena_release(&arena);
}

static void describe_nodes(const char *what, const struct world_nodes *nodes, struct buf *out)
{
	buf_addf(out, " %s", what);
	for (uint32_t i = 0; i < nodes->count; i++)
		buf_addf(out, " %s", nodes->names[i]);
}

static void describe_changes(struct world *world, struct arena *arena, struct buf *out)
{
	struct world_preview p;
	world_preview(world, arena, &p);
	for (uint32_t i = 0; i < p.change_count; i++) {
		const struct world_change *w = &p.changes[i];
		buf_addf(out, "%s %s:%u%s", world_action_name(w->action), w->service, w->revision,
			 w->new_revision ? " new" : "");
		describe_nodes("start", &w->starts, out);
		describe_nodes("update", &w->updates, out);
		describe_nodes("stop", &w->stops, out);
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
		rebuild_world(&r, c, &arena);
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
