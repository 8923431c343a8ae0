#include "agent.h"

#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Which engines cannot be asked, and why. NULL: all can. */
static const char *engines_away(const struct agent *a, struct arena *arena)
{
	const char *text = NULL;
	for (size_t i = 0; i < a->engine_count; i++) {
		const struct agent_engine *engine = &a->engines[i];
		if (engine->why && *engine->why)
			text = arena_printf(arena, "%s%s%s: %s", text ? text : "", text ? "; " : "",
					    engine->ops->name, engine->why);
	}
	return text;
}

uint32_t agent_conditions(const struct agent *a, struct arena *arena, struct wire_condition **out)
{
	const char *away = engines_away(a, arena);
	const struct wire_condition rows[] = {
		{ "StoreUnavailable", "True", "NoAnswer", a->store_text },
		{ "OtherFleet", "True", "OtherFleet",
		  "the store is of another fleet than this node's state" },
		{ a->desired_why, "True", a->desired_why, a->desired_text },
		{ "EngineUnavailable", "True", "NoAnswer", away },
		{ "DiskFull", "True", "NoSpace", "nothing new is started until there is space" },
		{ "AttributesStale", "True", "Unreadable",
		  "the attributes directory cannot be read; the last values stay" },
		{ "NameConflict", "True", "NameTaken", a->conflict },
		{ "NameConflict", "Unknown", "WaitingForSilence",
		  "another instance or boot is registered under this name; its record is taken "
		  "over when it has not beaten for 30 s" },
	};
	const bool holds[] = { a->store_text != NULL,  a->other_fleet,
			       a->desired_why != NULL, away != NULL,
			       a->disk_full,	       a->attributes_stale,
			       a->conflict != NULL,    a->claim == CLAIM_WAITING && !a->conflict };
	struct wire_condition *conditions =
		ARENA_ARRAY(arena, struct wire_condition, ARRAY_LEN(rows));
	uint32_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (holds[i])
			conditions[count++] = rows[i];
	*out = conditions;
	return count;
}

void agent_observed_build(const struct agent *a, struct wire_observed *out, struct arena *arena)
{
	*out = (struct wire_observed){
		.fleet = a->fleet,
		.node = a->options.node,
		.cluster = a->options.cluster,
		.instance = a->instance,
		.boot_id = a->boot_id,
		.session = a->session,
		.seen = a->seen > a->highest ? a->seen : a->highest,
		.tasks = a->last.tasks,
		.task_count = a->last.task_count,
		.stopped = a->last.stopped,
		.stopped_count = a->last.stopped_count,
	};
	out->condition_count = agent_conditions(a, arena, &out->conditions);
}

void agent_registration_build(const struct agent *a, struct wire_registration *out,
			      struct arena *arena)
{
	struct wire_engine *engines = ARENA_ARRAY(arena, struct wire_engine, a->engine_count + 1);
	uint32_t engine_count = 0;
	for (size_t i = 0; i < a->engine_count; i++)
		if (a->engines[i].facts_known)
			engines[engine_count++] = a->engines[i].facts.engine;
	*out = (struct wire_registration){
		.fleet = a->fleet,
		.node = a->options.node,
		.cluster = a->options.cluster,
		.instance = a->instance,
		.boot_id = a->boot_id,
		.session = a->session,
		.agent_version = MUSTER_VERSION,
		.registered_at_ms = a->registered_at_ms,
		.wire_min = WIRE_VERSION_MIN,
		.wire_max = WIRE_VERSION,
		.engines = engines,
		.engine_count = engine_count,
		.facts = a->facts,
		.attributes = a->attributes,
		.capabilities = a->capabilities,
		.cpu_units = a->cpu_units,
		.memory_mib = a->memory_mib,
	};
	out->condition_count = agent_conditions(a, arena, &out->conditions);
}

static void put_done(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	a->observed_pending = false;
	if (!answer->ok) {
		buf_reset(&a->observed_bytes);
		agent_store_failed(a, &answer->err);
		return;
	}
	bool more = a->seen_pending > a->seen_written;
	if (more)
		a->seen_written = a->seen_pending;
	if (a->observed_dirty)
		agent_observed_put(a);
	if (more)
		agent_step_soon(a); /* stops may have waited for it */
}

void agent_observed_put(void *arg)
{
	struct agent *a = arg;
	a->observed_due = false;
	bool ours = a->claim == CLAIM_TAKING || a->claim == CLAIM_HELD;
	if (!a->store_ok || !ours || a->leave_started)
		return;
	if (a->observed_pending) {
		a->observed_dirty = true;
		return;
	}
	a->observed_dirty = false;
	struct arena scratch;
	arena_init(&scratch);
	struct wire_observed doc;
	agent_observed_build(a, &doc, &scratch);
	struct buf bytes = { 0 };
	wire_encode_observed(&doc, &bytes);
	if (bytes.len == a->observed_bytes.len &&
	    memcmp(bytes.data, a->observed_bytes.data, bytes.len) == 0) {
		buf_release(&bytes);
	} else {
		buf_release(&a->observed_bytes);
		a->observed_bytes = bytes;
		a->observed_pending = true;
		a->seen_pending = doc.seen;
		store_put(a->store, a->observed_key, bytes.data, bytes.len, 0, put_done, a);
	}
	arena_release(&scratch);
}

/* The store may have lost it, or gone back: then it is put again. */
static void looked(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	const struct buf *ours = &a->observed_bytes;
	bool damaged = !answer->ok && (answer->err.code == EFBIG || answer->err.code == EBADMSG);
	if (!answer->ok && !damaged) {
		agent_store_failed(a, &answer->err);
		return;
	}
	bool same = !damaged && answer->found && answer->len == ours->len &&
		    memcmp(answer->bytes, ours->data, ours->len) == 0;
	if (same || a->observed_pending || ours->len == 0)
		return;
	buf_reset(&a->observed_bytes);
	agent_observed_put(a);
}

void agent_observed_look(struct agent *a)
{
	if (a->store_ok && a->claim == CLAIM_HELD && !a->leave_started && !a->observed_pending)
		store_get(a->store, a->observed_key, looked, a);
}

void agent_observed_changed(struct agent *a, bool urgent)
{
	if (urgent || !a->observed_due)
		timer_set(a->observed_timer, urgent ? 0 : OBSERVED_LATE_MS);
	a->observed_due = true;
	if (!a->status_due)
		timer_set(a->status_timer, STATUS_SETTLE_MS);
	a->status_due = true;
}
