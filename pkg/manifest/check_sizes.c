/* How cpu and memory of a task and of its containers go together. */
#include "manifest/internal.h"

#include <inttypes.h>

struct sizes {
	struct arena *arena;
	struct size_problem *problems;
	uint32_t count;
};

static void add(struct sizes *s, uint32_t container, const char *field, const char *text)
{
	s->problems[s->count++] = (struct size_problem){ container, field, text };
}

static void compare(struct sizes *s, const struct task_definition *td, uint32_t index)
{
	const struct container_definition *c = &td->container_definitions.items[index];
	if (c->memory.set && c->memory_reservation.set &&
	    c->memory_reservation.value > c->memory.value)
		add(s, index, "memoryReservation",
		    arena_printf(s->arena,
				 "memoryReservation %" PRId64 " is more than memory %" PRId64,
				 c->memory_reservation.value, c->memory.value));
	if (c->memory.set && td->memory.set && c->memory.value > td->memory.value)
		add(s, index, "memory",
		    arena_printf(s->arena, "memory %" PRId64 " is more than the task's, %" PRId64,
				 c->memory.value, td->memory.value));
}

static void compare_sum(struct sizes *s, const char *field, int64_t sum, const struct opt_int *task)
{
	if (task->set && sum > task->value)
		add(s, SIZE_OF_TASK, field,
		    arena_printf(s->arena,
				 "the containers' %s together, %" PRId64
				 ", is more than the task's, %" PRId64,
				 field, sum, task->value));
}

uint32_t size_problems(const struct task_definition *td, struct arena *arena,
		       struct size_problem problems[SIZE_PROBLEMS_MAX])
{
	struct sizes s = { .arena = arena, .problems = problems };
	int64_t cpu = 0, memory = 0;
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		cpu += c->cpu.value;
		memory += c->memory_reservation.set ? c->memory_reservation.value : c->memory.value;
		compare(&s, td, i);
	}
	compare_sum(&s, "cpu", cpu, &td->cpu);
	compare_sum(&s, "memory", memory, &td->memory);
	return s.count;
}
