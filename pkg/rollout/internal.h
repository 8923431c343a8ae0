/* Between the parts of rollout. */
#ifndef MUSTER_ROLLOUT_INTERNAL_H
#define MUSTER_ROLLOUT_INTERNAL_H

#include "rollout/rollout.h"

/* What one step looks at; derived once. */
struct look {
	const struct rollout_settings *settings;
	const struct rollout_input *in;
	struct rollout_memory *memory;
	struct arena *arena;
	uint32_t stage_count; /* 0 for a rollback */
	uint32_t reachable;   /* placed nodes that are */
	uint32_t unready;     /* have the release, and are neither ready nor excused */
	enum rollout_gate gate;
	bool known;
	bool healthy; /* every reachable placed node runs it, and at least one does */
};

/* --- message.c -------------------------------------------------------------------------------- */

/* Of a deployment in progress. */
const char *rollout_message(const struct look *look, enum rollout_reason reason);
/* Of one that failed, into its memory; with what follows from it. */
void rollout_message_failed(const struct look *look, enum rollout_reason reason);

/* --- forecast.c ------------------------------------------------------------------------------- */

struct rollout_forecast rollout_forecast(const struct look *look);

#endif
