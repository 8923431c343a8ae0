#include "lifecycle/internal.h"

#include <string.h>

void life_set_text(struct step *step, char *field, size_t size, const char *text)
{
	char cut[WIRE_REASON_BYTES];
	size_t len = strnlen(text, size - 1);
	while (text[len] && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	memcpy(cut, text, len);
	cut[len] = '\0';
	if (!utf8_valid(cut, len)) {
		for (size_t i = 0; i < len; i++)
			cut[i] = (unsigned char)cut[i] < 0x80 ? cut[i] : '?';
	}
	if (strcmp(field, cut) == 0)
		return;
	memcpy(field, cut, len + 1);
	step->memory->changed = true;
}

void life_wake(struct step *step, int64_t at_ms)
{
	if (at_ms > step->input->now_ms && at_ms < step->out->wake_at_ms)
		step->out->wake_at_ms = at_ms;
}

void life_stop(struct step *step, const char *code, bool requested, const char *reason)
{
	struct lifecycle_memory *memory = step->memory;
	if (memory->stopping)
		return;
	memory->stopping = memory->changed = true;
	memory->stop_requested = requested;
	life_set_text(step, memory->stop_code, sizeof(memory->stop_code), code);
	life_set_text(step, memory->stop_reason, sizeof(memory->stop_reason), reason);
}

const char *slot_name(const struct slot *slot)
{
	return slot->what ? slot->what->name : "the container of the task's network";
}

static void gather(struct step *step)
{
	const struct lifecycle_input *input = step->input;
	uint32_t declared = input->task_definition->container_definitions.len;
	step->known = true;
	step->count = declared < LIMIT_CONTAINERS ? declared : LIMIT_CONTAINERS;
	step->all = step->count + (input->owner != NULL);
	for (uint32_t i = 0; i < step->all; i++) {
		bool owner = i == step->count;
		uint32_t index = owner ? LIFECYCLE_OWNER : i;
		step->slots[i] = (struct slot){
			.index = index,
			.what = owner ? NULL
				      : &input->task_definition->container_definitions.items[i],
			.now = owner ? input->owner : &input->containers[i],
			.memory = &step->memory->containers[index],
		};
		if (owner)
			step->owner = &step->slots[i];
		step->known &= step->slots[i].now->state != CONTAINER_UNKNOWN;
	}
}

void lifecycle_step(struct lifecycle_memory *memory, const struct lifecycle_input *input,
		    struct arena *arena, struct lifecycle_output *out)
{
	struct step step = { .memory = memory, .input = input, .arena = arena, .out = out };
	*out = (struct lifecycle_output){ .wake_at_ms = INT64_MAX };
	gather(&step);
	life_observe(&step);
	if (step.known) {
		life_judge(&step);
		life_act(&step);
	}
	life_describe(&step);
	out->memory_changed = memory->changed;
	memory->changed = false;
}
