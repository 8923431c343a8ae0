/* The contract of struct engine_ops as tests: every engine passes all of them. */
#ifndef MUSTER_TESTS_ENGINE_CONTRACT_H
#define MUSTER_TESTS_ENGINE_CONTRACT_H

#include "engine/engine.h"

struct engine_contract_test {
	const char *name;
	void (*run)(void **state); /* *state: const struct engine_ops * */
};
extern const struct engine_contract_test engine_contract_tests[];
extern const size_t engine_contract_count;

#endif
