/* What every back end of the store must do, whatever it stands on. */
#ifndef MUSTER_STORE_CONTRACT_H
#define MUSTER_STORE_CONTRACT_H

#include "store/store.h"

/* One implementation and how to have a place for it. */
struct store_rig {
	const char *name;
	const struct store_ops *ops;
	/* Calls fail now and then, events get lost: who uses it tries again. */
	bool flaky;
	/* A place of its own, at which there is no store; and take it away. */
	void (*make)(char *where, size_t size);
	void (*unmake)(const char *where);
	void (*empty)(const char *where); /* all that is in it is gone */
};

/* Run the suite on all rigs as one group. */
int store_contract_run(const struct store_rig *const *rigs, size_t count);

#endif
