/* The engine contract, on the fake and on real processes. */
#include "engine_contract.h"
#include "engine_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define TESTS_MAX 64

int main(void)
{
	const struct engine_ops *const engines[] = { &engine_fake_ops, &engine_process_ops };
	static struct CMUnitTest tests[TESTS_MAX];
	static char names[TESTS_MAX][96];
	size_t count = 0;
	for (size_t e = 0; e < ARRAY_LEN(engines); e++)
		for (size_t i = 0; i < engine_contract_count && count < TESTS_MAX; i++, count++) {
			snprintf(names[count], sizeof(names[count]), "%s: %s", engines[e]->name,
				 engine_contract_tests[i].name);
			tests[count] = (struct CMUnitTest){
				.name = names[count],
				.test_func = engine_contract_tests[i].run,
				.initial_state = (void *)engines[e],
			};
		}
	int failed = _cmocka_run_group_tests("engine", tests, count, NULL, NULL);
	engine_fake_reset();
	return failed;
}
