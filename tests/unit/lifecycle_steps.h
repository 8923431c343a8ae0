/* lifecycle's tests: a task told in steps, for one rule at a time. */
#ifndef MUSTER_TESTS_LIFECYCLE_STEPS_H
#define MUSTER_TESTS_LIFECYCLE_STEPS_H

#include "lifecycle/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#define T0     1000000 /* when each story begins */
#define S(n)   ((int64_t)(n)*1000)
#define INT(n) ((struct opt_int){ true, (n) })

enum { A, B, C, D };

static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k" };
static const char *const call_names[LIFECYCLE_CALL_COUNT] = {
	"none", "create", "start", "unpause", "stop", "kill", "remove", "check",
};

static struct story {
	struct lifecycle_memory memory;
	struct arena arena;
	struct task_definition td;
	struct container_definition definitions[LIMIT_CONTAINERS + 1];
	struct container_dependency depends[LIMIT_CONTAINERS][4];
	struct lifecycle_container now[LIMIT_CONTAINERS + 1], owner;
	struct lifecycle_answer answers[4];
	struct lifecycle_input in;
	struct lifecycle_output out;
} s;

static UNUSED int begin(void **state UNUSED)
{
	s = (struct story){ 0 };
	s.td.container_definitions.items = s.definitions;
	s.in = (struct lifecycle_input){
		.now_ms = T0, .task_definition = &s.td, .containers = s.now, .answers = s.answers
	};
	s.owner.state = CONTAINER_ABSENT;
	arena_init(&s.arena);
	return 0;
}

static UNUSED int end(void **state UNUSED)
{
	arena_release(&s.arena);
	return 0;
}

/* Another story in the same test. */
static UNUSED void begin_again(void)
{
	end(NULL);
	begin(NULL);
}

/* So many containers: a, b, c ... */
static UNUSED void containers(uint32_t count)
{
	s.td.container_definitions.len = count;
	for (uint32_t i = 0; i < count; i++) {
		s.definitions[i].name = names[i];
		s.definitions[i].depends_on.items = s.depends[i % LIMIT_CONTAINERS];
		s.now[i].state = CONTAINER_ABSENT;
	}
}

static UNUSED void depends(int who, int on, const char *condition)
{
	uint32_t n = s.definitions[who].depends_on.len++;
	s.depends[who][n] = (struct container_dependency){ .container_name = names[on],
							   .condition = condition };
}

static UNUSED void sidecar(int who)
{
	s.definitions[who].essential = OPT_FALSE;
}

/* --- what the engine shows -------------------------------------------------------------------- */

static uint64_t runs;

static UNUSED void run_at(struct lifecycle_container *c, int64_t at)
{
	c->state = CONTAINER_RUNNING;
	c->run = ++runs;
	c->started_at_ms = at;
	c->exited_at_ms = 0;
	c->has_exit_code = c->earlier_boot = c->oom_killed = false;
	c->exit_code = 0;
}

static UNUSED void exit_at(struct lifecycle_container *c, int64_t at, int code)
{
	c->state = CONTAINER_EXITED;
	c->exited_at_ms = at;
	c->has_exit_code = true;
	c->exit_code = code;
}

/* An agent that was restarted: with its record, or without. */
static UNUSED void forget(bool saved, bool same_boot)
{
	struct json_t *json = lifecycle_memory_to_json(&s.memory);
	struct err err;
	s.memory = (struct lifecycle_memory){ 0 };
	if (saved)
		assert_true(lifecycle_memory_from_json(&s.memory, json, same_boot, &err));
	json_decref(json);
}

static UNUSED void answer(enum lifecycle_call_kind kind, uint32_t who, bool ok, const char *reason)
{
	s.answers[s.in.answer_count++] = (struct lifecycle_answer){
		.kind = kind, .container = who, .ok = ok, .reason = reason
	};
}

static UNUSED void checked(uint32_t who, int exit_code)
{
	s.answers[s.in.answer_count++] = (struct lifecycle_answer){
		.kind = LIFECYCLE_EXEC_HEALTH, .container = who, .ok = true, .exit_code = exit_code
	};
}

/* One step: the calls as text, in their order. Answers are given to one step. */
static UNUSED const char *step_at(int64_t now)
{
	struct buf text = { 0 };
	s.in.now_ms = now;
	lifecycle_step(&s.memory, &s.in, &s.arena, &s.out);
	s.in.answer_count = 0;
	for (uint32_t i = 0; i < s.out.call_count; i++) {
		const struct lifecycle_call *c = &s.out.calls[i];
		buf_addf(&text, "%s%s %s", i ? ", " : "", call_names[c->kind],
			 c->container == LIFECYCLE_OWNER ? "owner" : names[c->container]);
		if (c->kind == LIFECYCLE_STOP)
			buf_addf(&text, " %u", c->timeout_s);
	}
	char *copy = arena_strdup(&s.arena, buf_str(&text));
	buf_release(&text);
	return copy;
}
#define STEP(at, calls) assert_string_equal(step_at(at), calls)
#define WAKE(at)	assert_int_equal(s.out.wake_at_ms, at)
#define STATUS(is)	assert_int_equal(s.out.status, is)
#define HEALTH(is)	assert_int_equal(s.out.health, is)
#define STOPS(code, why)                                                                           \
	do {                                                                                       \
		assert_string_equal(s.out.stop_code, code);                                        \
		assert_string_equal(s.out.reason, why);                                            \
	} while (0)

/* All are created and started, in order, at T0: RUNNING. */
static UNUSED void all_run(void)
{
	for (uint32_t i = 0; i < s.td.container_definitions.len; i++)
		run_at(&s.now[i], T0);
	if (s.in.owner)
		run_at(&s.owner, T0);
	STEP(T0, "");
	STATUS(TASK_RUNNING);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
