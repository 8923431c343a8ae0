/*
 * node/claim: whose a node's name is. Pure: what was read and heard, and the time, are arguments.
 *
 * nodes/NODE says which instance, boot and session hold the name. Rules (DESIGN section 2):
 *  - No record: the name is free. One of the same instance and boot: an agent that was started
 *    again takes it over at once.
 *  - Any other record may be of an agent that lives, and so may one that does not read (torn, of
 *    another fleet, of a newer wire version: unknown is not free). Silence tells: whoever wants the
 *    name listens for NODE_TAKE_OVER_MS on its own clock, from its first look on. A beat is only
 *    compared with the one that was heard first, never with a time, so clocks of two machines are
 *    never compared. A beat that moves ends it: the name has another agent.
 *  - A record that changes meanwhile (somebody else took over, or it was damaged) is listened to
 *    anew; so is all after the store was away: what could not be heard was no silence.
 *  - Who holds the name and finds another instance, boot or session in the record has lost it. One
 *    that is gone or does not read it writes anew.
 */
#ifndef MUSTER_NODE_CLAIM_H
#define MUSTER_NODE_CLAIM_H

#include "wire/wire.h"

#define NODE_TAKE_OVER_MS  30000 /* silence after which another's record is taken over */
#define NODE_CLAIM_LOOK_MS 2000	 /* who waits for silence looks so often */

/* Whose the record is, from where `us` stands. */
enum node_holder {
	NODE_HOLDER_NONE,	   /* there is no record */
	NODE_HOLDER_UNKNOWN,	   /* it does not read */
	NODE_HOLDER_US,		   /* this run of the agent */
	NODE_HOLDER_OTHER_SESSION, /* an earlier run of this agent; or one with a copy of its state
				    */
	NODE_HOLDER_OTHER_BOOT,	   /* this agent before a reboot; or one with a copy of its state */
	NODE_HOLDER_OTHER,	   /* another instance */
};
/* found: there is a record; record: NULL when it does not read. */
enum node_holder node_holder_of(const struct wire_registration *us, bool found,
				const struct wire_registration *record);

struct node_claim_input {
	bool held; /* the name was ours up to now */
	bool leaving;
	enum node_holder holder;
	struct digest record; /* of its bytes */
	bool heard;	      /* .beat was asked for, after the record was read */
	uint64_t beat;	      /* of the name, as the store counts them; 0: there is none */
	int64_t now_ms;	      /* boot clock */
};

/* Kept between looks; zeroed at the start, and whenever the store was away. */
struct node_silence {
	bool listening;
	struct digest record;
	uint64_t beat; /* heard first; 0: none */
	int64_t since_ms;
};

enum node_claim {
	NODE_CLAIM_KEEP,     /* ours, and there is nothing to write (when leaving, too) */
	NODE_CLAIM_TAKE,     /* put our record in the place of exactly the one that was read */
	NODE_CLAIM_LISTEN,   /* ask for the beats, then call again with what was heard */
	NODE_CLAIM_WAIT,     /* not ours, yet: read both again in NODE_CLAIM_LOOK_MS */
	NODE_CLAIM_CONFLICT, /* the name is another agent's: hands off; *why is a sentence */
};
enum node_claim node_claim(struct node_silence *silence, const struct node_claim_input *input,
			   const char **why);

#endif
