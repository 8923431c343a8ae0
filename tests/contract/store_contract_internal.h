/* What the files of the suite share. */
#ifndef MUSTER_STORE_CONTRACT_INTERNAL_H
#define MUSTER_STORE_CONTRACT_INTERNAL_H

#include "store_contract.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define TRIES_MAX 200

/* Of the test that runs. */
extern struct store_contract_state {
	const struct store_rig *rig;
	char where[4096];
	struct err err; /* where the errors of all calls go */
} sc;

/* Is it a failure that a flaky store may answer with at any time? */
bool sc_by_chance(int code);

/* Calls that are tried until they come through. */
#define TRY(call)                                                                                  \
	do {                                                                                       \
		int tries_ = 0;                                                                    \
		while (!(call)) {                                                                  \
			if (!sc_by_chance(sc.err.code) || ++tries_ > TRIES_MAX)                    \
				fail_msg("%s: %s: %s", sc.rig->name, #call, sc.err.text);          \
		}                                                                                  \
	} while (0)

/* It fails, with that code. */
#define TRY_FAILS(call, want)                                                                      \
	do {                                                                                       \
		int tries_ = 0;                                                                    \
		do {                                                                               \
			sc.err.code = 0;                                                           \
			if (call)                                                                  \
				fail_msg("%s: %s: no error", sc.rig->name, #call);                 \
		} while (sc_by_chance(sc.err.code) && ++tries_ < TRIES_MAX);                       \
		if (sc.err.code != (want))                                                         \
			fail_msg("%s: %s: code %d: %s", sc.rig->name, #call, sc.err.code,          \
				 sc.err.text);                                                     \
		assert_true(sc.err.text[0]);                                                       \
	} while (0)

void *sc_open_as(enum store_role role, const char *fleet);
void sc_put(void *self, const char *key, const char *text);
void sc_assert_value(void *self, const char *key, const char *want); /* NULL: there is none */

struct contract_test {
	const char *name;
	void (*fn)(void **state);
};
#define CONTRACT_TEST(fn)                                                                          \
	{                                                                                          \
#fn, fn                                                                            \
	}

/* Each ends with a name of NULL. */
extern const struct contract_test sc_store_tests[], sc_document_tests[], sc_watch_tests[];

#endif
