#include "node/claim.h"

#include <string.h>

enum node_holder node_holder_of(const struct wire_registration *us, bool found,
				const struct wire_registration *record)
{
	if (!record)
		return found ? NODE_HOLDER_UNKNOWN : NODE_HOLDER_NONE;
	if (strcmp(record->instance, us->instance) != 0)
		return NODE_HOLDER_OTHER;
	if (strcmp(record->boot_id, us->boot_id) != 0)
		return NODE_HOLDER_OTHER_BOOT;
	return strcmp(record->session, us->session) == 0 ? NODE_HOLDER_US
							 : NODE_HOLDER_OTHER_SESSION;
}

static enum node_claim claim_held(enum node_holder holder, const char **why)
{
	switch (holder) {
	case NODE_HOLDER_US: return NODE_CLAIM_KEEP;
	case NODE_HOLDER_NONE:
	case NODE_HOLDER_UNKNOWN: return NODE_CLAIM_TAKE;
	case NODE_HOLDER_OTHER_SESSION:
		*why = "another agent with a copy of this node's state has registered";
		return NODE_CLAIM_CONFLICT;
	case NODE_HOLDER_OTHER_BOOT:
	case NODE_HOLDER_OTHER: break;
	}
	*why = "another machine has registered with this name";
	return NODE_CLAIM_CONFLICT;
}

/* By the record alone, where nobody else can be behind it. */
static bool is_ours(const struct node_claim_input *in)
{
	switch (in->holder) {
	case NODE_HOLDER_NONE:
	case NODE_HOLDER_US:
	case NODE_HOLDER_OTHER_SESSION: return true;
	case NODE_HOLDER_OTHER_BOOT: return in->leaving; /* its own documents, to take away */
	case NODE_HOLDER_UNKNOWN:
	case NODE_HOLDER_OTHER: break;
	}
	return false;
}

static enum node_claim listen(struct node_silence *s, const struct node_claim_input *in,
			      const char **why)
{
	if (!s->listening || !digest_equal(&s->record, &in->record)) {
		*s = (struct node_silence){ .listening = true,
					    .record = in->record,
					    .beat = in->beat,
					    .since_ms = in->now_ms };
		return NODE_CLAIM_WAIT;
	}
	if (in->beat && in->beat != s->beat) {
		*why = "another machine with this name beats";
		return NODE_CLAIM_CONFLICT;
	}
	return in->now_ms - s->since_ms >= NODE_TAKE_OVER_MS ? NODE_CLAIM_TAKE : NODE_CLAIM_WAIT;
}

enum node_claim node_claim(struct node_silence *silence, const struct node_claim_input *input,
			   const char **why)
{
	if (input->held)
		return input->leaving ? NODE_CLAIM_KEEP : claim_held(input->holder, why);
	if (is_ours(input))
		return input->leaving ? NODE_CLAIM_KEEP : NODE_CLAIM_TAKE;
	if (input->leaving)
		return NODE_CLAIM_WAIT;
	return input->heard ? listen(silence, input, why) : NODE_CLAIM_LISTEN;
}
