/* flags/internal: what the files of this module share. */
#ifndef MUSTER_FLAGS_INTERNAL_H
#define MUSTER_FLAGS_INTERNAL_H

#include "flags/flags.h"

/* Where a value came from; a later one wins over an earlier one. */
enum flag_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_COMMAND_LINE };

/* A flag of one of the tables, and how it was set so far. */
struct flag_slot {
	const struct flag *flag;
	void *member;
	enum flag_origin origin;
};
struct flag_slots {
	struct flag_slot *items;
	size_t count;
	struct arena *arena;
};

struct flag_slot *slot_find(const struct flag_slots *slots, const char *name, size_t len);

/* Set a flag from text. A repeated FLAG_LIST of the same origin is appended to; what an earlier
 * origin gave is replaced. False: `why` says what is wrong with the value. */
bool slot_set(const struct flag_slots *slots, struct flag_slot *slot, const char *value,
	      enum flag_origin origin, struct buf *why);

/* " (did you mean '--source'?)" or nothing. */
void slot_suggest(const struct flag_slots *slots, const char *name, const char *dashes,
		  struct buf *out);

/* Read the configuration file. must_exist: it was named by the user. False: out has the message. */
bool config_read(const struct flags_spec *spec, const struct flag_slots *slots, const char *path,
		 bool must_exist, struct buf *out);

#endif
