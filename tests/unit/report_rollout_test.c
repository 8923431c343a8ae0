/* report: what documents say of roll-outs that are paused, held or went back, and of overrides. */
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

#define FIRST  "c0ffee0000000000000000000000000000000001"
#define SECOND "c0ffee0000000000000000000000000000000002"

static const struct test_node nodes[] = {
	{ "n1", "prod", NULL, false }, { "n2", "prod", NULL, false }, { "n3", "dev", NULL, false },
	{ "n4", "dev", NULL, false },  { "n5", "dev", NULL, false },
};
static const char before[] = TASK("web", "one") SERVICE("web", "web", "");

/* What runs, then what is pushed on top; and the documents of it. */
struct scene {
	struct control *c;
	struct arena arena;
	json_t *service, *summary;
	struct buf metrics;
};

static void scene_look(struct scene *s)
{
	json_decref(s->service);
	json_decref(s->summary);
	buf_reset(&s->metrics);
	s->service = report_service(s->c, map_get(s->c->services, "default/web"), &s->arena);
	s->summary = report_summary(s->c, &s->arena);
	report_metrics(s->c, &s->arena, &s->metrics);
}

static void scene_begin(struct scene *s, const char *first, const char *second)
{
	static const struct zone_offset utc = { 0, 0 };
	static const struct zone zones[] = { { "UTC", &utc, 1 } };
	*s = (struct scene){ .c = fleet_listed(nodes, ARRAY_LEN(nodes)) };
	arena_init(&s->arena);
	control_zones_told(s->c, zones, 1);
	if (first)
		fleet_push(s->c, FIRST, first);
	fleet_push(s->c, SECOND, second);
	scene_look(s);
}

static void scene_end(struct scene *s)
{
	json_decref(s->service);
	json_decref(s->summary);
	buf_release(&s->metrics);
	control_free(s->c);
	arena_release(&s->arena);
	broken_revision = UINT32_MAX;
}

static void check_metric(const struct scene *s, const char *line)
{
	if (!strstr(buf_str(&s->metrics), line))
		fail_msg("no '%s' in\n%s", line, buf_str(&s->metrics));
}

static int64_t services_count(const struct scene *s, const char *key)
{
	json_int_t count = -1;
	assert_int_equal(
		json_unpack(s->summary, "{s:{s:{s:I}}}", "counts", "services", key, &count), 0);
	return count;
}

/* Of the only service of the summary's notConverged. */
static const json_t *unfinished(const struct scene *s)
{
	const json_t *list = json_object_get(s->summary, "notConverged");
	assert_int_equal(json_array_size(list), 1);
	return json_array_get(list, 0);
}

static const char *progressing(const struct scene *s, const char *key)
{
	size_t i;
	json_t *c;
	json_array_foreach(json_object_get(unfinished(s), "conditions"), i, c)
	{
		if (strcmp(json_string_value(json_object_get(c, "type")), "Progressing") == 0)
			return json_string_value(json_object_get(c, key));
	}
	return NULL;
}

static void test_paused(void **state)
{
	(void)state;
	struct scene s;
	const char *reason, *message;
	int step = 0, steps = 0, left = 0, threshold = 0, paused = 0;
	scene_begin(&s, before,
		    TASK("web", "two")
			    SERVICE("web", "web",
				    "  rollout: {steps: [{count: 1, pause: true}, {count: 3}]}"));
	assert_int_equal(
		json_unpack(s.service, "{s:[{s:{s:s, s:s, s:i, s:i, s:b, s:i, s:i}}, {s:s}]}",
			    "deployments", "rollout", "reason", &reason, "message", &message,
			    "step", &step, "steps", &steps, "paused", &paused, "nodesLeft", &left,
			    "failureThreshold", &threshold, "status", &reason),
		0);
	assert_string_equal(message, "paused after step 1 of 2 (1 node); it goes on with a commit "
				     "that takes this pause out");
	assert_true(step == 1 && steps == 2 && paused && left == 4 && threshold == 3);
	assert_string_equal(reason, "ACTIVE"); /* of the one before */
	assert_string_equal(report_state_word(s.service), "Paused");
	assert_non_null(json_object_get(unfinished(&s), "rollout"));
	assert_int_equal(services_count(&s, "paused"), 1);
	assert_int_equal(services_count(&s, "inProgress"), 0);
	check_metric(&s, "muster_service_rollout_paused{cluster=\"default\",service=\"web\"} 1\n");
	check_metric(&s,
		     "muster_service_rollout_nodes_left{cluster=\"default\",service=\"web\"} 4\n");
	check_metric(&s, "service=\"web\",state=\"IN_PROGRESS\"} 1\n");
	scene_end(&s);
}

static void test_bakes(void **state)
{
	(void)state;
	struct scene s;
	const char *until, *reason;
	scene_begin(&s, before,
		    TASK("web", "two") SERVICE(
			    "web", "web", "  rollout: {steps: [{count: 1, bakeSeconds: 90}]}"));
	assert_int_equal(json_unpack(s.service, "{s:[{s:{s:s, s:s}}]}", "deployments", "rollout",
				     "reason", &reason, "bakesUntil", &until),
			 0);
	assert_string_equal(reason, "Baking");
	assert_string_equal(until, "2026-11-23T21:46:55Z");
	assert_string_equal(report_state_word(s.service), "DeploymentInProgress");
	scene_end(&s);
}

static void test_first_deployment_waits_for_its_step(void **state)
{
	(void)state;
	struct scene s;
	size_t i;
	json_t *item;
	scene_begin(&s, NULL,
		    TASK("web", "one")
			    SERVICE("web", "web", "  rollout: {steps: [{count: 2, pause: true}]}"));
	const json_t *list = json_object_get(s.service, "notConverged");
	assert_int_equal(json_array_size(list), 3);
	json_array_foreach(list, i, item) assert_string_equal(
		json_string_value(json_object_get(item, "reason")), "WaitsForStep");
	scene_end(&s);
}

static void test_closed_window(void **state)
{
	(void)state;
	struct scene s;
	const char *id, *cause, *release, *of;
	int count = 0;
	scene_begin(&s, before,
		    TASK("web", "two")
			    SERVICE("web", "web",
				    "  windows: [{allow: [tue], from: '21:00', to: '22:00'}]"));
	assert_int_equal(json_unpack(s.service, "{s:[{s:s, s:s, s:s, s:s, s:i}]}", "holds", "id",
				     &id, "cause", &cause, "release", &release, "service", &of,
				     "count", &count),
			 0);
	assert_string_equal(cause, "WindowClosed");
	assert_string_equal(of, "default/web");
	assert_int_equal(count, 5);
	assert_non_null(strstr(release, id));
	assert_string_equal(report_state_word(s.service), "Held");
	assert_int_equal(services_count(&s, "held"), 1);
	check_metric(&s, "muster_held_tasks{cause=\"WindowClosed\"} 5\n");
	check_metric(&s, "muster_held_tasks{cause=\"MassChange\"} 0\n");
	scene_end(&s);
}

/* Nothing of it is under way, and still it is not as its commit says. */
static void test_mass_change(void **state)
{
	(void)state;
	struct scene s;
	const char *node, *reason;
	scene_begin(&s, before,
		    TASK("web", "one")
			    SERVICE("web", "web",
				    "  placementConstraints: [{type: memberOf, expression: "
				    "'attribute:env == none'}]"));
	assert_int_equal(json_array_size(json_object_get(s.service, "holds")), 1);
	assert_string_equal(report_state_word(s.service), "Held");
	assert_int_equal(json_unpack(s.service, "{s:[{s:s, s:s}, {}]}", "notConverged", "node",
				     &node, "reason", &reason),
			 0);
	assert_string_equal(reason, "Held");
	assert_non_null(unfinished(&s));
	check_metric(&s, "muster_service_held_tasks{cluster=\"default\",service=\"web\"} 2\n");
	check_metric(&s, "muster_held_tasks{cause=\"MassChange\"} 2\n");
	scene_end(&s);
}

/* All are healthy on what ran before: it stands in the summary all the same. */
static void test_rolled_back(void **state)
{
	(void)state;
	struct scene s;
	const char *first, *second, *back, *why, *past;
	broken_revision = 2;
	scene_begin(&s, before, TASK("web", "two") SERVICE("web", "web", ""));
	assert_int_equal(json_unpack(s.service, "{s:[{s:s, s:s}, {s:s, s:s}], s:[{s:s}]}",
				     "deployments", "rolloutState", &first, "rollbackOf", &back,
				     "rolloutState", &second, "rolloutStateReason", &why,
				     "deploymentHistory", "rolloutState", &past),
			 0);
	assert_string_equal(first, "COMPLETED");
	assert_string_equal(second, "FAILED");
	assert_string_equal(past, "FAILED");
	assert_non_null(strstr(why, "Revert commit c0ffee0, or commit a fix."));
	assert_string_equal(report_state_word(s.service), "RolledBack");
	assert_string_equal(progressing(&s, "reason"), "RolledBack");
	assert_non_null(strstr(progressing(&s, "message"), "Revert commit"));
	assert_int_equal(services_count(&s, "rolledBack"), 1);
	assert_int_equal(services_count(&s, "failed"), 0);
	check_metric(&s, "muster_service_rolled_back{cluster=\"default\",service=\"web\"} 1\n");
	check_metric(&s, "service=\"web\",state=\"COMPLETED\"} 1\n");
	/* The revert ends that. */
	fleet_push(s.c, "c0ffee0000000000000000000000000000000003", before);
	scene_look(&s);
	assert_int_equal(json_array_size(json_object_get(s.summary, "notConverged")), 0);
	assert_string_equal(report_state_word(s.service), "Ready");
	check_metric(&s, "muster_service_rolled_back{cluster=\"default\",service=\"web\"} 0\n");
	scene_end(&s);
}

/* Running tasks are counted where they are: not a task that did not come up. */
static void test_running_counts(void **state)
{
	(void)state;
	struct scene s;
	int now = -1, before_count = -1;
	broken_revision = 2;
	scene_begin(&s, before,
		    TASK("web", "two")
			    SERVICE("web", "web",
				    "  deploymentConfiguration: {deploymentCircuitBreaker: "
				    "{enable: false, rollback: false}}"));
	assert_int_equal(json_unpack(s.service, "{s:[{s:i}, {s:i}]}", "deployments", "runningCount",
				     &now, "runningCount", &before_count),
			 0);
	assert_int_equal(now, 0);
	assert_int_equal(before_count, 4);
	scene_end(&s);
	scene_begin(&s, before,
		    TASK("web", "two")
			    SERVICE("web", "web", "  rollout: {steps: [{count: 2, pause: true}]}"));
	assert_int_equal(json_unpack(s.service, "{s:[{s:i}, {s:i}]}", "deployments", "runningCount",
				     &now, "runningCount", &before_count),
			 0);
	assert_int_equal(now, 2);
	assert_int_equal(before_count, 3);
	scene_end(&s);
}

static void test_overrides(void **state)
{
	(void)state;
	static const struct {
		const char *node, *want;
	} rows[] = {
		{ "n1", "+node.name == n1 -it matches too, but the first match counts "
			"-attribute:gpu exists: the node has no attribute gpu " },
		{ "n2", "-node.name == n1: node.name is n2 +attribute:env == prod "
			"-attribute:gpu exists: the node has no attribute gpu " },
		{ "n3", "-node.name == n1: node.name is n3 -attribute:env == prod: env is dev "
			"-attribute:gpu exists: the node has no attribute gpu " },
	};
	struct scene s;
	struct rebuilt r;
	scene_begin(&s, before,
		    TASK("web", "one") SERVICE(
			    "web", "web",
			    "  overrides:\n"
			    "  - {expression: node.name == n1, containerOverrides: [{name: web, "
			    "environment: [{name: A, value: a}]}]}\n"
			    "  - {expression: 'attribute:env == prod', containerOverrides: [{name: "
			    "web, environment: [{name: A, value: b}]}]}\n"
			    "  - {expression: 'attribute:gpu exists', containerOverrides: [{name: "
			    "web, environment: [{name: A, value: c}]}]}\n"));
	rebuild_world(&r, s.c, &s.arena);
	world_run(r.world);
	const struct planner *p = world_planner(r.world);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct world_override *list;
		struct buf got = { 0 };
		uint32_t count =
			world_overrides(r.world, planner_service_find(p, "default", "web"),
					planner_node_find(p, rows[i].node), &s.arena, &list);
		for (uint32_t k = 0; k < count; k++)
			buf_addf(&got, "%c%s ", list[k].counts ? '+' : '-',
				 list[k].counts ? list[k].expression : list[k].why_not);
		assert_string_equal(buf_str(&got), rows[i].want);
		buf_release(&got);
	}
	rebuilt_free(&r);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_bakes),
		cmocka_unit_test(test_first_deployment_waits_for_its_step),
		cmocka_unit_test(test_closed_window),
		cmocka_unit_test(test_mass_change),
		cmocka_unit_test(test_rolled_back),
		cmocka_unit_test(test_running_counts),
		cmocka_unit_test(test_overrides),
	};
	return cmocka_run_group_tests_name("report roll-outs", tests, NULL, NULL);
}
