/* What is said of a roll-out. Without times of day: they are the caller's to tell. */
#include "rollout/internal.h"

#include <stdio.h>
#include <string.h>

const char *rollout_state_name(enum rollout_state state)
{
	static const char *const names[] = { "IN_PROGRESS", "COMPLETED", "FAILED" };
	return names[state];
}

const char *rollout_reason_name(enum rollout_reason reason)
{
	static const char *const names[ROLLOUT_REASON_COUNT] = {
		[ROLLOUT_UPDATING] = "Updating",
		[ROLLOUT_NOT_KNOWN] = "NodesNotYetKnown",
		[ROLLOUT_UNREACHED] = "NoNodeReachable",
		[ROLLOUT_BAKING] = "Baking",
		[ROLLOUT_PAUSED] = "Paused",
		[ROLLOUT_OUTSIDE] = "OutsideOfWindows",
		[ROLLOUT_HELD] = "Held",
		[ROLLOUT_SUSPENDED] = "Suspended",
		[ROLLOUT_MONITORING] = "Monitoring",
		[ROLLOUT_DONE] = "Completed",
		[ROLLOUT_THRESHOLD] = "TooManyFailedTasks",
		[ROLLOUT_FIRST_BATCH] = "FirstBatchFailed",
		[ROLLOUT_DEADLINE] = "ProgressDeadlineExceeded",
	};
	return names[reason];
}

#define EXPRESSION_SHOWN 60 /* of its characters */

/* "step 2 of 3 (25 percent)" */
static const char *step_text(const struct look *l)
{
	const struct rollout_stage *stage = &l->settings->stages[l->memory->step];
	const char *what = "";
	switch (stage->kind) {
	case ROLLOUT_EXPRESSION:
		what = arena_printf(l->arena, "%.*s%s", EXPRESSION_SHOWN, stage->expression,
				    strlen(stage->expression) > EXPRESSION_SHOWN ? "..." : "");
		break;
	case ROLLOUT_PERCENT: what = arena_printf(l->arena, "%u percent", stage->value); break;
	case ROLLOUT_COUNT:
		what = arena_printf(l->arena, stage->value == 1 ? "%u node" : "%u nodes",
				    stage->value);
		break;
	}
	return arena_printf(l->arena, "step %u of %u (%s)", l->memory->step + 1, l->stage_count,
			    what);
}

static const char *updating_text(const struct look *l)
{
	const struct rollout_input *in = l->in;
	const char *failed = "", *step = "";
	if (l->memory->failed_tasks)
		failed = arena_printf(l->arena, ", %u tasks failed", l->memory->failed_tasks);
	if (l->memory->step != ROLLOUT_ALL)
		step = arena_printf(l->arena, "%s: ", step_text(l));
	return arena_printf(l->arena, "%s%u of %u nodes are ready on it%s", step, in->current_ready,
			    in->placed, failed);
}

const char *rollout_message(const struct look *l, enum rollout_reason reason)
{
	const struct rollout_stage *stages = l->settings->stages;
	switch (reason) {
	case ROLLOUT_UPDATING: return updating_text(l);
	case ROLLOUT_NOT_KNOWN: return "not all nodes are known yet";
	case ROLLOUT_UNREACHED: return "no node that should run it is reachable";
	case ROLLOUT_BAKING:
		return arena_printf(l->arena, "%s is done, and bakes for %lld s", step_text(l),
				    (long long)stages[l->memory->step].bake_ms / 1000);
	case ROLLOUT_PAUSED:
		return arena_printf(
			l->arena,
			"paused after %s; it goes on with a commit that takes this pause out",
			step_text(l));
	case ROLLOUT_OUTSIDE: return "no batch begins outside of the windows";
	case ROLLOUT_HELD: return "held: no batch begins before the hold is released";
	case ROLLOUT_SUSPENDED: return "suspended: nothing is changed";
	case ROLLOUT_MONITORING:
		return arena_printf(l->arena,
				    "all nodes are ready on it, and are watched for %lld s",
				    (long long)l->settings->monitor_ms / 1000);
	case ROLLOUT_DONE:
	case ROLLOUT_THRESHOLD:
	case ROLLOUT_FIRST_BATCH:
	case ROLLOUT_DEADLINE:
	case ROLLOUT_REASON_COUNT: break;
	}
	return "";
}

static const char *consequence(const struct look *l)
{
	if (l->memory->roll_back)
		return "the last COMPLETED revision comes back";
	if (l->settings->is_rollback)
		return "this is a rollback, so it is not rolled back, and holds";
	if (!l->settings->breaker.enable || !l->settings->breaker.rollback)
		return "rollback is off, so it holds";
	return "there is no COMPLETED revision to go back to, so it holds";
}

static const char *threshold_text(const struct look *l)
{
	static const char *const types[] = {
		[THRESHOLD_BOUNDED_PERCENT] = "BOUNDED_PERCENT",
		[THRESHOLD_UNBOUNDED_PERCENT] = "UNBOUNDED_PERCENT",
		[THRESHOLD_COUNT] = "COUNT",
	};
	const struct circuit_breaker *b = &l->settings->breaker;
	return arena_printf(l->arena, "%u tasks failed, the threshold is %u (%s %u, %u nodes)",
			    l->memory->failed_tasks, rollout_threshold(b, l->in->placed),
			    types[b->type], b->value, l->in->placed);
}

void rollout_message_failed(const struct look *l, enum rollout_reason reason)
{
	const char *cause;
	if (reason == ROLLOUT_THRESHOLD)
		cause = threshold_text(l);
	else if (reason == ROLLOUT_FIRST_BATCH)
		cause = arena_printf(l->arena, "the first batch failed entirely (%u of %u nodes)",
				     l->in->failed_now, l->in->placed);
	else
		cause = arena_printf(
			l->arena, "nothing became ready for %lld s; %u of %u nodes are ready on it",
			(long long)l->settings->progress_deadline_ms / 1000, l->in->current_ready,
			l->in->placed);
	snprintf(l->memory->message, sizeof(l->memory->message), "%s: %s", cause, consequence(l));
}
