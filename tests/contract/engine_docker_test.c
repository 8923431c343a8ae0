/*
 * The engine contract on a real engine at $ENGINE_SOCKET, and what only containers can show.
 * tests/engines/contract runs it.
 */
#include "engine_contract.h"
#include "engine_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TESTS_MAX 64

int main(void)
{
	static struct CMUnitTest tests[TESTS_MAX];
	size_t count = 0;
	if (!getenv("ENGINE_SOCKET")) {
		puts("1..0 # SKIP no $ENGINE_SOCKET");
		return 0;
	}
	for (size_t i = 0; i < engine_contract_count; i++)
		tests[count++] = (struct CMUnitTest){
			.name = engine_contract_tests[i].name,
			.test_func = engine_contract_tests[i].run,
			.initial_state = (void *)&engine_docker_ops,
		};
	return _cmocka_run_group_tests("docker engine", tests, count, NULL, NULL);
}
