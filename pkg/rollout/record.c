/* The persistent part of the memory as JSON. */
#include "rollout/rollout.h"

#include <jansson.h>
#include <string.h>

#define STEP_ALL (-1)

json_t *rollout_memory_to_json(const struct rollout_memory *m)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:b, s:I, s:I}", "state",
			 rollout_state_name(m->state), "reason",
			 m->state == ROLLOUT_IN_PROGRESS ? "" : rollout_reason_name(m->reason),
			 "message", m->message, "rollBack", m->roll_back, "step",
			 m->step == ROLLOUT_ALL ? (json_int_t)STEP_ALL : (json_int_t)m->step,
			 "failedTasks", (json_int_t)m->failed_tasks, "succeeded", m->succeeded,
			 "readied", (json_int_t)m->readied, "workedMs", (json_int_t)m->worked_ms);
}

static bool state_from(const char *name, enum rollout_state *state)
{
	for (enum rollout_state s = ROLLOUT_IN_PROGRESS; s <= ROLLOUT_FAILED; s++) {
		if (strcmp(rollout_state_name(s), name) == 0) {
			*state = s;
			return true;
		}
	}
	return false;
}

/* The reason must be one of the state. */
static bool reason_from(const char *name, enum rollout_state state, enum rollout_reason *reason)
{
	static const struct {
		enum rollout_reason first, last;
	} of[] = {
		[ROLLOUT_COMPLETED] = { ROLLOUT_DONE, ROLLOUT_DONE },
		[ROLLOUT_FAILED] = { ROLLOUT_THRESHOLD, ROLLOUT_DEADLINE },
	};
	if (state == ROLLOUT_IN_PROGRESS)
		return name[0] == '\0';
	for (enum rollout_reason r = of[state].first; r <= of[state].last; r++) {
		if (strcmp(rollout_reason_name(r), name) == 0) {
			*reason = r;
			return true;
		}
	}
	return false;
}

static bool number_from(json_int_t value, uint32_t *out)
{
	*out = (uint32_t)value;
	return value >= 0 && value < UINT32_MAX;
}

static bool memory_from(struct rollout_memory *m, json_t *json)
{
	const char *state, *reason, *message;
	int roll_back, succeeded;
	json_int_t step, failed, readied, worked;
	if (json_unpack(json, "{s:s, s:s, s:s, s:b, s:I, s:I, s:b, s:I, s:I}", "state", &state,
			"reason", &reason, "message", &message, "rollBack", &roll_back, "step",
			&step, "failedTasks", &failed, "succeeded", &succeeded, "readied", &readied,
			"workedMs", &worked))
		return false;
	if (!state_from(state, &m->state) || !reason_from(reason, m->state, &m->reason) ||
	    !number_from(failed, &m->failed_tasks) || !number_from(readied, &m->readied) ||
	    worked < 0 || strlen(message) >= sizeof(m->message))
		return false;
	if (step == STEP_ALL)
		m->step = ROLLOUT_ALL;
	else if (step >= LIMIT_ROLLOUT_STEPS || !number_from(step, &m->step))
		return false;
	memcpy(m->message, message, strlen(message) + 1);
	m->roll_back = roll_back;
	m->succeeded = succeeded;
	m->worked_ms = worked;
	return true;
}

bool rollout_memory_from_json(struct rollout_memory *memory, const json_t *json, struct err *err)
{
	struct rollout_memory read = { 0 };
	/* json_unpack() reads alone, though it does not say so. */
	if (!memory_from(&read, (json_t *)json))
		return err_set(err, 0, "lacks what the memory of a roll-out has");
	*memory = read;
	return true;
}
