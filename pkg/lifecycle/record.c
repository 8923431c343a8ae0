/* The persistent part of the memory as JSON. */
#include "lifecycle/lifecycle.h"

#include <jansson.h>
#include <string.h>

static json_t *container_to_json(const struct lifecycle_container_memory *m)
{
	return json_pack("{s:b, s:b, s:b, s:b, s:I, s:b, s:i, s:I, s:I, s:i, s:s}", "seen", m->seen,
			 "started", m->started, "judged", m->judged, "staysDown", m->stays_down,
			 "run", (json_int_t)m->run, "hasExitCode", m->has_exit_code, "exitCode",
			 m->exit_code, "restarts", (json_int_t)m->restarts, "firstStart",
			 (json_int_t)m->first_start_ms, "health", (int)m->health, "reason",
			 m->reason);
}

json_t *lifecycle_memory_to_json(const struct lifecycle_memory *memory)
{
	json_t *containers = json_array();
	for (uint32_t i = 0; i < LIFECYCLE_SLOTS; i++)
		json_array_append_new(containers, container_to_json(&memory->containers[i]));
	return json_pack("{s:b, s:b, s:b, s:b, s:I, s:I, s:s, s:s, s:o}", "stopping",
			 memory->stopping, "stopRequested", memory->stop_requested, "running",
			 memory->running, "stopped", memory->stopped, "runningAt",
			 (json_int_t)memory->running_ms, "stoppedAt",
			 (json_int_t)memory->stopped_ms, "stopCode", memory->stop_code,
			 "stopReason", memory->stop_reason, "containers", containers);
}

static bool copy_text(char *field, size_t size, const char *text)
{
	size_t len = strlen(text);
	if (len >= size)
		return false;
	memcpy(field, text, len + 1);
	return true;
}

static bool container_from_json(struct lifecycle_container_memory *m, json_t *json)
{
	int seen, started, judged, stays_down, has_exit_code, health;
	json_int_t run, restarts, first_start;
	const char *reason;
	if (json_unpack(json, "{s:b, s:b, s:b, s:b, s:I, s:b, s:i, s:I, s:I, s:i, s:s}", "seen",
			&seen, "started", &started, "judged", &judged, "staysDown", &stays_down,
			"run", &run, "hasExitCode", &has_exit_code, "exitCode", &m->exit_code,
			"restarts", &restarts, "firstStart", &first_start, "health", &health,
			"reason", &reason))
		return false;
	if (health < HEALTH_UNKNOWN || health > HEALTH_UNHEALTHY || restarts < 0 ||
	    restarts > UINT32_MAX)
		return false;
	m->seen = seen;
	m->started = started;
	m->judged = judged;
	m->stays_down = stays_down;
	m->run = (uint64_t)run;
	m->has_exit_code = has_exit_code;
	m->restarts = (uint32_t)restarts;
	m->first_start_ms = first_start;
	m->health = (enum health_status)health;
	return copy_text(m->reason, sizeof(m->reason), reason);
}

static bool memory_from_json(struct lifecycle_memory *memory, json_t *json)
{
	json_t *containers;
	int stopping, requested, running, stopped;
	json_int_t running_at, stopped_at;
	const char *code, *reason;
	if (json_unpack(json, "{s:b, s:b, s:b, s:b, s:I, s:I, s:s, s:s, s:o}", "stopping",
			&stopping, "stopRequested", &requested, "running", &running, "stopped",
			&stopped, "runningAt", &running_at, "stoppedAt", &stopped_at, "stopCode",
			&code, "stopReason", &reason, "containers", &containers) ||
	    json_array_size(containers) != LIFECYCLE_SLOTS)
		return false;
	memory->stopping = stopping;
	memory->stop_requested = requested;
	memory->running = running;
	memory->stopped = stopped;
	memory->running_ms = running_at;
	memory->stopped_ms = stopped_at;
	for (uint32_t i = 0; i < LIFECYCLE_SLOTS; i++) {
		if (!container_from_json(&memory->containers[i], json_array_get(containers, i)))
			return false;
	}
	return copy_text(memory->stop_code, sizeof(memory->stop_code), code) &&
	       copy_text(memory->stop_reason, sizeof(memory->stop_reason), reason);
}

/* The times of another boot mean nothing. */
static void forget_times(struct lifecycle_memory *memory)
{
	memory->running_ms = memory->stopped_ms = 0;
	for (uint32_t i = 0; i < LIFECYCLE_SLOTS; i++)
		memory->containers[i].first_start_ms = 0;
}

bool lifecycle_memory_from_json(struct lifecycle_memory *memory, const json_t *json, bool same_boot,
				struct err *err)
{
	struct lifecycle_memory read = { 0 };
	/* json_unpack() reads alone, though it does not say so. */
	if (!memory_from_json(&read, (json_t *)json))
		return err_set(err, 0, "lacks what the memory of a task has");
	if (!same_boot)
		forget_times(&read);
	*memory = read;
	return true;
}
