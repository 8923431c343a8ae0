#include "engine_contract.h"

#include "engine_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_facts(void **state)
{
	struct world w;
	struct engine_facts facts;
	world_init(&w, *state);
	assert_true(w.ops->facts(w.engine, &w.arena, &facts, NULL));
	assert_non_null(facts.engine.name);
	assert_non_null(facts.engine.version);
	assert_int_equal(facts.engine.kind, w.ops->kind);
	for (uint32_t i = 1; i < facts.capabilities.len; i++)
		assert_true(strcmp(facts.capabilities.items[i - 1], facts.capabilities.items[i]) <
			    0);
	world_release(&w);
}

static void test_start_is_listed(void **state)
{
	struct world w;
	world_init(&w, *state);
	struct wire_desired_task *task = world_task(&w, "web", "sleep", NULL);
	int64_t before = clock_boot_ms();
	assert_int_equal(world_count(&w), 0);
	assert_true(world_start(&w, "t1", task).ok);
	const struct node_task *t = world_find(&w, "t1");
	assert_int_equal(t->status, TASK_RUNNING);
	assert_string_equal(t->cluster, "default");
	assert_string_equal(t->service, "web");
	assert_string_equal(t->family, "web-family");
	assert_int_equal(t->revision, 7);
	assert_true(digest_equal(&t->target, &task->target));
	assert_string_equal(t->deployment, task->deployment);
	assert_string_equal(t->engine, w.ops->name);
	assert_in_range(t->started_at_ms, before, clock_boot_ms());
	assert_true(t->started_unix_ms > 0);
	assert_int_equal(t->stopped_at_ms, 0);
	assert_false(t->earlier_boot);
	assert_false(t->stop_requested);
	assert_int_equal(t->container_count, 1);
	assert_string_equal(t->containers[0].name, "main");
	assert_int_equal(t->containers[0].last_status, TASK_RUNNING);
	assert_false(t->containers[0].has_exit_code);
	world_release(&w);
}

/* From the call of start() on there is a task: who lists meanwhile must not start another. */
static void test_start_is_known_at_once(void **state)
{
	struct world w;
	struct answer a;
	world_init(&w, *state);
	world_begin_start(&w, "t1", world_task(&w, "web", "sleep", NULL), &a);
	assert_false(a.came); /* answers come on the loop */
	assert_int_equal(world_count(&w), 1);
	assert_string_equal(world_find(&w, "t1")->service, "web");
	world_wait_status(&w, "t1", TASK_RUNNING);
	world_release(&w);
	assert_true(a.came && a.ok);
}

static void test_stop(void **state)
{
	struct world w;
	world_init(&w, *state);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	assert_true(world_stop(&w, "t1", "a new revision").ok);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(t->stop_requested);
	assert_string_equal(t->stop_code, "ServiceSchedulerInitiated");
	assert_string_equal(t->reason, "a new revision");
	assert_true(t->stopped_at_ms >= t->started_at_ms);
	assert_true(t->containers[0].has_exit_code);
	assert_int_equal(t->containers[0].exit_code, 128 + 15);
	/* Again, and what there is not: nothing to do is success. */
	assert_true(world_stop(&w, "t1", "again").ok);
	assert_string_equal(world_find(&w, "t1")->reason, "a new revision");
	assert_true(world_stop(&w, "none", "again").ok);
	world_release(&w);
}

static void test_stop_while_starting(void **state)
{
	struct world w;
	struct answer a;
	world_init(&w, *state);
	world_begin_start(&w, "t1", world_task(&w, "web", "sleep", NULL), &a);
	assert_true(world_stop(&w, "t1", "at once").ok);
	assert_true(world_wait_status(&w, "t1", TASK_STOPPED)->stop_requested);
	world_release(&w);
	assert_true(a.came);
}

static void test_exit_by_itself(void **state)
{
	static const struct {
		const char *word;
		int want;
	} rows[] = { { "exit=0", 0 }, { "exit=7", 7 }, { "kill=9", 137 } };
	struct world w;
	world_init(&w, *state);
	/* The first process of a container cannot kill itself. */
	size_t count = ARRAY_LEN(rows) - (w.ops->kind == ENGINE_CONTAINER);
	for (size_t i = 0; i < count; i++) {
		const char *id = arena_printf(&w.arena, "t%zu", i);
		assert_true(world_start(&w, id, world_task(&w, "web", rows[i].word, NULL)).ok);
		const struct node_task *t = world_wait_status(&w, id, TASK_STOPPED);
		assert_false(t->stop_requested);
		assert_string_equal(t->stop_code, "EssentialContainerExited");
		assert_string_equal(t->reason, "Essential container in task exited");
		assert_true(t->containers[0].has_exit_code);
		assert_int_equal(t->containers[0].exit_code, rows[i].want);
		assert_int_equal(t->containers[0].last_status, TASK_STOPPED);
	}
	world_release(&w);
}

static void test_cannot_start(void **state)
{
	struct world w;
	world_init(&w, *state);
	struct wire_desired_task *task = world_task(&w, "web", NULL);
	world_container(task, 0)->command.items[0] = "/nowhere/to/be/found";
	struct answer a;
	/* What is in an image shows only in a start. */
	if (w.ops->kind == ENGINE_PROCESS) {
		a = world_prepare(&w, task);
		assert_false(a.ok);
		assert_memory_equal(a.reason, "CannotStartContainerError: ", 27);
	}
	assert_int_equal(world_count(&w), 0);
	/* Started all the same it is a stopped task that says why. */
	a = world_start(&w, "t1", task);
	assert_false(a.ok);
	assert_memory_equal(a.reason, "CannotStartContainerError: ", 27);
	const struct node_task *t = world_wait_status(&w, "t1", TASK_STOPPED);
	assert_string_equal(t->stop_code, "TaskFailedToStart");
	assert_memory_equal(t->reason, "CannotStartContainerError: ", 27);
	assert_false(t->containers[0].has_exit_code);
	world_release(&w);
}

static void test_prepare(void **state)
{
	struct world w;
	world_init(&w, *state);
	assert_true(world_prepare(&w, world_task(&w, "web", "exit=3", NULL)).ok);
	assert_int_equal(world_count(&w), 0); /* nothing ran */
	world_release(&w);
}

static void test_outlives_the_agent(void **state)
{
	struct world w;
	world_init(&w, *state);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	assert_true(world_start(&w, "t2", world_task(&w, "old", "exit=4", NULL)).ok);
	world_wait_status(&w, "t2", TASK_STOPPED);
	int64_t started = world_find(&w, "t1")->started_at_ms;
	world_close(&w);
	world_open(&w);
	const struct node_task *t = world_find(&w, "t1");
	assert_int_equal(t->status, TASK_RUNNING);
	assert_int_equal(t->started_at_ms, started);
	assert_string_equal(t->service, "web");
	assert_int_equal(world_find(&w, "t2")->containers[0].exit_code, 4);
	assert_true(world_stop(&w, "t1", "by the next agent").ok);
	assert_string_equal(world_wait_status(&w, "t1", TASK_STOPPED)->reason, "by the next agent");
	world_release(&w);
}

static void test_others_are_invisible(void **state)
{
	struct world w;
	struct node_task *tasks;
	uint32_t count;
	world_init(&w, *state);
	const char *node = w.node, *fleet = w.fleet;
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	world_close(&w);
	w.node = "another";
	world_open(&w);
	assert_int_equal(world_count(&w), 0);
	world_close(&w);
	w.node = node;
	w.fleet = "0000000000000000000000000000000a";
	world_open(&w);
	assert_int_equal(world_count(&w), 0);
	/* Not known yet is not "none". */
	w.ops->set_fleet(w.engine, NULL);
	assert_false(w.ops->list(w.engine, &w.arena, &tasks, &count, NULL));
	w.ops->set_fleet(w.engine, fleet);
	world_wait_listable(&w);
	assert_int_equal(world_find(&w, "t1")->status, TASK_RUNNING);
	w.fleet = fleet;
	world_release(&w);
}

static void test_remove(void **state)
{
	struct world w;
	world_init(&w, *state);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	assert_false(world_remove(&w, "t1").ok); /* it runs */
	assert_int_equal(world_find(&w, "t1")->status, TASK_RUNNING);
	world_stop(&w, "t1", "x");
	world_wait_status(&w, "t1", TASK_STOPPED);
	assert_true(world_remove(&w, "t1").ok);
	assert_null(world_find(&w, "t1"));
	assert_true(world_remove(&w, "t1").ok);
	world_close(&w);
	world_open(&w);
	assert_null(world_find(&w, "t1"));
	world_release(&w);
}

static void test_id_is_used_once(void **state)
{
	struct world w;
	world_init(&w, *state);
	assert_true(world_start(&w, "t1", world_task(&w, "web", "sleep", NULL)).ok);
	assert_false(world_start(&w, "t1", world_task(&w, "other", "sleep", NULL)).ok);
	assert_int_equal(world_count(&w), 1);
	assert_string_equal(world_find(&w, "t1")->service, "web");
	assert_int_equal(world_find(&w, "t1")->status, TASK_RUNNING);
	world_release(&w);
}

/* While an update starts before it stops: neither has anything of the other. */
static void test_two_of_a_service(void **state)
{
	struct world w;
	world_init(&w, *state);
	struct wire_desired_task *old = world_task(&w, "web", "sleep", NULL);
	struct wire_desired_task *next = world_task(&w, "web", "out=next", "sleep", NULL);
	next->target = digest_of("next", 4);
	assert_true(world_start(&w, "t1", old).ok);
	assert_true(world_start(&w, "t2", next).ok);
	assert_int_equal(world_count(&w), 2);
	assert_int_equal(world_find(&w, "t1")->status, TASK_RUNNING);
	world_close(&w);
	world_open(&w);
	assert_true(digest_equal(&world_find(&w, "t1")->target, &old->target));
	assert_true(digest_equal(&world_find(&w, "t2")->target, &next->target));
	world_stop(&w, "t1", "x");
	world_wait_status(&w, "t1", TASK_STOPPED);
	assert_int_equal(world_find(&w, "t2")->status, TASK_RUNNING);
	assert_true(world_remove(&w, "t1").ok);
	assert_int_equal(world_find(&w, "t2")->status, TASK_RUNNING);
	assert_true(world_stop(&w, "t2", "x").ok);
	assert_true(world_wait_status(&w, "t2", TASK_STOPPED)->stop_requested);
	world_release(&w);
}

static void test_many(void **state)
{
	struct world w;
	struct answer answers[20];
	world_init(&w, *state);
	for (int i = 0; i < 20; i++)
		world_begin_start(&w, arena_printf(&w.arena, "t%02d", i),
				  world_task(&w, arena_printf(&w.arena, "s%d", i), "sleep", NULL),
				  &answers[i]);
	for (int i = 0; i < 20; i++)
		world_wait_status(&w, arena_printf(&w.arena, "t%02d", i), TASK_RUNNING);
	world_release(&w);
	for (int i = 0; i < 20; i++)
		assert_true(answers[i].came && answers[i].ok);
}

const struct engine_contract_test engine_contract_tests[] = {
	{ "facts are complete and sorted", test_facts },
	{ "a started task is listed as what it is", test_start_is_listed },
	{ "a start is known from the call on", test_start_is_known_at_once },
	{ "stop", test_stop },
	{ "stop while starting", test_stop_while_starting },
	{ "an exit by itself", test_exit_by_itself },
	{ "what cannot start says why", test_cannot_start },
	{ "prepare runs nothing", test_prepare },
	{ "tasks outlive the agent", test_outlives_the_agent },
	{ "tasks of other agents are invisible", test_others_are_invisible },
	{ "remove", test_remove },
	{ "an id is used once", test_id_is_used_once },
	{ "two of a service", test_two_of_a_service },
	{ "many at once", test_many },
};
const size_t engine_contract_count = ARRAY_LEN(engine_contract_tests);
