/* report: an agent's own status, in the controller's shapes, and what is rebuilt from it. */
#include "report/report.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GOLDEN_FILE "tests/golden/report/agent.yaml"
#define UNIX_MS	    1795470325000

static struct str_pair own[] = { { "env", "prod" } };
static struct wire_engine engines[] = { { ENGINE_PROCESS, "process", "1" } };
static const struct wire_registration registration = {
	.fleet = "0123456789abcdef0123456789abcdef",
	.node = "n1",
	.cluster = "default",
	.instance = "11111111111111111111111111111111",
	.agent_version = "0.1.0",
	.registered_at_ms = UNIX_MS,
	.engines = engines,
	.engine_count = 1,
	.attributes = { own, 1, true },
	.cpu_units = 2048,
	.memory_mib = 1024,
};

static const char *words[] = { "sleep", "1000" };
static const char *process[] = { "PROCESS" };
static struct str_pair environment[] = { { "TOKEN", "do-not-print-me" } };
static struct container_definition container = {
	.name = "web",
	.command = { words, 2, true },
	.environment = { environment, 1, true },
	.memory_reservation = { true, 64 },
};
static const struct task_definition definition = {
	.family = { .value = "web" },
	.container_definitions = { &container, 1, true },
	.requires_compatibilities = { process, 1, true },
};

static struct wire_desired_task desired_tasks[] = {
	{ .cluster = "default",
	  .service = "web",
	  .family = "web",
	  .revision = 3,
	  .target = { { 1 } },
	  .deployment = "ecs-svc/1",
	  .assigned_number = 7,
	  .task_definition = &definition },
	{ .cluster = "default",
	  .service = "waits",
	  .family = "web",
	  .revision = 3,
	  .target = { { 2 } },
	  .assigned_number = 8,
	  .task_definition = &definition },
};
static const struct wire_desired desired = {
	.node = "n1",
	.cluster = "default",
	.number = 8,
	.attributes = { own, 1, true },
	.tasks = desired_tasks,
	.task_count = 2,
};

static struct wire_binding bindings[] = { { "0.0.0.0", "tcp", 80, 8080 },
					  { "::", "udp", 53, 5353 } };
static struct wire_container containers[] = {
	{ .name = "web",
	  .last_status = TASK_RUNNING,
	  .runtime_id = "c0ffee",
	  .image = "docker.io/library/web:1",
	  .image_digest = "sha256:0123",
	  .health = HEALTH_HEALTHY,
	  .restart_count = 2,
	  .network_bindings = bindings,
	  .network_binding_count = ARRAY_LEN(bindings) },
	{ .name = "init", .last_status = TASK_STOPPED, .has_exit_code = true, .reason = "done" },
};

static struct wire_task tasks[] = {
	{ .id = "44444444444444444444444444444444",
	  .cluster = "default",
	  .service = "web",
	  .family = "web",
	  .revision = 3,
	  .target = { { 1 } },
	  .last_status = TASK_RUNNING,
	  .desired_status = TASK_RUNNING,
	  .health = HEALTH_HEALTHY,
	  .ready = true,
	  .containers = containers,
	  .container_count = ARRAY_LEN(containers),
	  .started_at_ms = UNIX_MS },
	/* It waits for its image, and has no id yet. */
	{ .id = "",
	  .cluster = "default",
	  .service = "waits",
	  .family = "web",
	  .revision = 3,
	  .target = { { 2 } },
	  .last_status = TASK_PENDING,
	  .desired_status = TASK_RUNNING,
	  .reason = "pulling image web:1: 12 of 40 MB" },
};
static struct wire_task stopped[] = {
	{ .id = "55555555555555555555555555555555",
	  .cluster = "default",
	  .service = "web",
	  .family = "web",
	  .revision = 2,
	  .last_status = TASK_STOPPED,
	  .desired_status = TASK_STOPPED,
	  .stop_code = "EssentialContainerExited",
	  .reason = "Essential container in task exited",
	  .stderr_tail = "first line\nnot UTF-8: \xff\n" },
};
static struct wire_condition conditions[] = { { "StoreAvailable", "True", "Open", NULL } };
static const struct wire_observed observed = {
	.node = "n1",
	.cluster = "default",
	.seen = 7,
	.tasks = tasks,
	.task_count = ARRAY_LEN(tasks),
	.stopped = stopped,
	.stopped_count = 1,
	.conditions = conditions,
	.condition_count = 1,
};

static void test_golden(void **state)
{
	(void)state;
	struct arena arena;
	struct report_files files = { 0 };
	struct buf out = { 0 };
	arena_init(&arena);
	report_agent(&registration, &desired, &observed, &arena, &files);
	for (size_t i = 0; i < files.items.len; i++) {
		buf_addf(&out, "# %s\n", files.items.items[i].path);
		report_yaml(files.items.items[i].doc, &out);
	}
	assert_null(strstr(buf_str(&out), "do-not-print-me"));
	FILE *f;
	if (getenv("UPDATE")) {
		f = fopen(GOLDEN_FILE, "we");
		assert_non_null(f);
		fputs(buf_str(&out), f);
		assert_int_equal(fclose(f), 0);
	}
	static char want[1 << 16];
	f = fopen(GOLDEN_FILE, "re");
	assert_non_null(f);
	want[fread(want, 1, sizeof(want) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(buf_str(&out), want);
	buf_release(&out);
	report_files_release(&files);
	arena_release(&arena);
}

static const json_t *doc_of(const struct report_files *files, const char *path)
{
	for (size_t i = 0; i < files->items.len; i++)
		if (strcmp(files->items.items[i].path, path) == 0)
			return files->items.items[i].doc;
	return NULL;
}

static void test_nothing_desired_differs_from_not_known(void **state)
{
	(void)state;
	static const struct wire_desired empty = { .cluster = "default", .number = 1 };
	const struct wire_desired *rows[] = { NULL, &empty };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena;
		struct report_files files = { 0 };
		arena_init(&arena);
		report_agent(&registration, rows[i], &observed, &arena, &files);
		const json_t *node = doc_of(&files, "default/nodes/n1.yaml");
		const json_t *assignments = json_object_get(node, "assignments");
		assert_int_equal(json_is_null(assignments), i == 0);
		assert_int_equal(json_is_array(assignments), i == 1);
		report_files_release(&files);
		arena_release(&arena);
	}
}

static void test_world_of_an_agent(void **state)
{
	(void)state;
	struct arena arena;
	struct report_files files = { 0 };
	struct err err;
	arena_init(&arena);
	report_agent(&registration, &desired, &observed, &arena, &files);
	struct world *world = world_new();
	assert_true(world_add_service(world, doc_of(&files, "default/services/web.yaml"), &err));
	assert_true(world_add_node(world, doc_of(&files, "default/nodes/n1.yaml"), &err));
	assert_false(world_add_node(world, doc_of(&files, "fleet.yaml"), &err));
	world_run(world);
	const struct planner *p = world_planner(world);
	struct plan_cell cell = planner_cell(p, planner_service_find(p, "default", "web"),
					     planner_node_find(p, "n1"));
	assert_true(cell.desired);
	assert_int_equal(cell.fact.seen, PLAN_SEEN_READY);
	world_free(world);
	report_files_release(&files);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_nothing_desired_differs_from_not_known),
		cmocka_unit_test(test_world_of_an_agent),
	};
	return cmocka_run_group_tests(all, NULL, NULL);
}
