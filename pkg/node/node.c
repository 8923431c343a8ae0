#include "node/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void step_wake(struct step *step, int64_t at_ms)
{
	if (at_ms > step->input->now_ms && at_ms < step->out->wake_at_ms)
		step->out->wake_at_ms = at_ms;
}

/* A step gives a service at most a PREPARE or START, and a task at most one action. */
void step_act(struct step *step, struct node_action action)
{
	assert(step->out->action_count < step->service_count + step->input->task_count);
	step->out->actions[step->out->action_count++] = action;
}

static const char *asked_key(const struct step *step, enum node_action_kind kind, const char *whom)
{
	static const char *const names[] = {
		[NODE_PREPARE] = "prepare", [NODE_START] = "start",   [NODE_STOP] = "stop",
		[NODE_CLEAN] = "clean",	    [NODE_REMOVE] = "remove",
	};
	return arena_printf(step->arena, "%s %s", names[kind], whom);
}

struct asked *step_asked(const struct step *step, enum node_action_kind kind, const char *whom)
{
	return map_get(step->memory->asked, asked_key(step, kind, whom));
}

struct asked *step_note(struct step *step, enum node_action_kind kind, const char *whom)
{
	const char *key = asked_key(step, kind, whom);
	struct asked *asked = map_get(step->memory->asked, key);
	if (!asked) {
		asked = xcalloc(1, sizeof(*asked));
		asked->first_ms = asked->last_ms = step->input->now_ms;
		map_put(step->memory->asked, key, asked);
	}
	return asked;
}

bool step_ask(struct step *step, enum node_action_kind kind, const char *whom)
{
	bool first = !step_asked(step, kind, whom);
	struct asked *asked = step_note(step, kind, whom);
	bool again = step->input->now_ms >= asked->last_ms + ANSWER_PATIENCE_MS;
	if (again)
		asked->last_ms = step->input->now_ms;
	step_wake(step, asked->last_ms + ANSWER_PATIENCE_MS);
	return first || again;
}

void step_forget(struct step *step, enum node_action_kind kind, const char *whom)
{
	free(map_remove(step->memory->asked, asked_key(step, kind, whom)));
}

/* A service that is neither desired nor has any task is forgotten. */
static void forget_gone(struct step *step)
{
	struct map *present = map_new();
	const char *key;
	for (uint32_t i = 0; i < step->service_count; i++)
		map_put(present, step->services[i].key, step);
	for (size_t it = 0; map_next(step->memory->services, &it, &key, NULL);) {
		if (!map_get(present, key))
			memory_drop_service(step->memory, key);
	}
	map_free(present);
}

void node_step(struct node_memory *memory, const struct node_input *input, struct arena *arena,
	       struct node_output *out)
{
	struct step step = { .memory = memory, .input = input, .arena = arena, .out = out };
	*out = (struct node_output){ .wake_at_ms = INT64_MAX };
	step_gather(&step);
	out->actions =
		ARENA_ARRAY(arena, struct node_action, step.service_count + input->task_count);
	if (input->desired)
		MEMORY_SET(memory, memory->seen, input->desired->number);
	out->seen = memory->seen;
	step_series(&step);
	step_decide(&step);
	step_describe(&step);
	if (input->desired && step_knows_all(&step))
		forget_gone(&step);
	out->memory_changed = memory->changed;
	memory->changed = false;
}
