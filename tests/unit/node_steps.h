/* node's tests: a node told in steps, for one rule at a time. */
#ifndef MUSTER_TESTS_NODE_STEPS_H
#define MUSTER_TESTS_NODE_STEPS_H

#include "node/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MAX 40
#define T0  1000000 /* when each story begins */

static const char *const process_only[] = { "PROCESS" };
static const struct task_definition process_td = {
	.requires_compatibilities = { .items = (const char **)process_only, .len = 1, .set = true }
};
static const struct task_definition container_td UNUSED;

static struct node {
	struct node_memory *memory;
	struct arena arena;
	struct wire_desired desired;
	struct wire_desired_task wants[MAX];
	struct node_task tasks[MAX];
	struct node_prepare prepares[MAX];
	struct node_input in;
	struct node_output out;
} n;

static UNUSED int begin(void **state UNUSED)
{
	n = (struct node){ .memory = node_memory_new() };
	n.desired = (struct wire_desired){
		.fleet = "f", .node = "n1", .cluster = "c", .number = 1, .tasks = n.wants
	};
	n.in = (struct node_input){ .now_ms = T0,
				    .desired = &n.desired,
				    .seen_written = 1,
				    .tasks_known = { true, true },
				    .tasks = n.tasks,
				    .prepares = n.prepares };
	arena_init(&n.arena);
	return 0;
}

static UNUSED int end(void **state UNUSED)
{
	node_memory_free(n.memory);
	arena_release(&n.arena);
	return 0;
}

/* Another story in the same test. */
static UNUSED void begin_again(void)
{
	end(NULL);
	begin(NULL);
}

static UNUSED struct wire_desired_task *want(const char *service, uint8_t target)
{
	struct wire_desired_task *task = &n.wants[n.desired.task_count++];
	*task = (struct wire_desired_task){ .cluster = "c",
					    .service = service,
					    .family = "f",
					    .revision = target,
					    .target = { { target } },
					    .deployment = "ecs-svc/7",
					    .min_ready_seconds = 10,
					    .task_definition = &process_td };
	return task;
}

/* A task that was started at that time of the boot clock; PENDING when it was not. */
static UNUSED struct node_task *task(const char *id, const char *service, uint8_t target,
				     int64_t started)
{
	struct node_task *t = &n.tasks[n.in.task_count++];
	*t = (struct node_task){ .id = id,
				 .cluster = "c",
				 .service = service,
				 .family = "f",
				 .target = { { target } },
				 .deployment = "ecs-svc/5",
				 .status = started ? TASK_RUNNING : TASK_PENDING,
				 .started_at_ms = started };
	return t;
}

static UNUSED void ended(struct node_task *t, int64_t at)
{
	t->status = TASK_STOPPED;
	t->stopped_at_ms = at;
}

/* One step: what it does, as text, in the order in which it does it. */
static UNUSED const char *step_at(int64_t now)
{
	static const char *const verbs[] = { "prepare", "start", "stop", "clean", "remove" };
	struct buf text = { 0 };
	n.in.now_ms = now;
	node_step(n.memory, &n.in, &n.arena, &n.out);
	for (uint32_t i = 0; i < n.out.action_count; i++) {
		const struct node_action *a = &n.out.actions[i];
		buf_addf(&text, "%s%s %s", i ? ", " : "", verbs[a->kind],
			 a->task ? a->task->service : a->id);
	}
	char *copy = arena_strdup(&n.arena, buf_str(&text));
	buf_release(&text);
	return copy;
}
#define STEP(at, actions) assert_string_equal(step_at(at), actions)
#define WAKE(at)	  assert_int_equal(n.out.wake_at_ms, at)

static UNUSED const struct wire_task *entry(const char *id)
{
	for (uint32_t i = 0; i < n.out.task_count; i++) {
		if (strcmp(n.out.tasks[i].id, id) == 0)
			return &n.out.tasks[i];
	}
	fail_msg("no entry '%s'", id);
	return NULL;
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
