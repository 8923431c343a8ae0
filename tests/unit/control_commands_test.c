/* control/commands: file names and back. */
#include "control/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *file;
	bool ok;
	enum command_kind kind;
	const char *argument;
} rows[] = {
	{ "allow-0123abcd", true, COMMAND_ALLOW, "0123abcd" },
	{ "allow-default~web", true, COMMAND_ALLOW, "default/web" },
	{ "allow-all", true, COMMAND_ALLOW, "all" },
	{ "allow-", false, COMMAND_ALLOW, NULL },
	{ "allow-a~b~c", false, COMMAND_ALLOW, NULL },
	{ "allow-~web", false, COMMAND_ALLOW, NULL },
	{ "forget-n1.example-2", true, COMMAND_FORGET, "n1.example-2" },
	{ "forget-..", false, COMMAND_ALLOW, NULL },
	{ "forget", false, COMMAND_ALLOW, NULL },
	{ "reconcile", true, COMMAND_RECONCILE, NULL },
	{ "reconcile-now", false, COMMAND_ALLOW, NULL },
	{ ".allow-x.tmp", false, COMMAND_ALLOW, NULL },
	{ "", false, COMMAND_ALLOW, NULL },
};

static void test_rows(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command;
		assert_int_equal(command_decode(rows[i].file, &arena, &command), rows[i].ok);
		if (!rows[i].ok)
			continue;
		assert_int_equal(command.kind, rows[i].kind);
		if (rows[i].argument)
			assert_string_equal(command.argument, rows[i].argument);
		else
			assert_null(command.argument);
		assert_string_equal(command_encode(&command, &arena), rows[i].file);
	}
	arena_release(&arena);
}

static void test_arguments_that_cannot_be_files(void **state)
{
	(void)state;
	static const char *const arguments[] = { "", "../x", "a/b/c", "/", "a~b", "a b", "-x" };
	struct arena arena;
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(arguments); i++) {
		struct command command = { COMMAND_ALLOW, arguments[i] };
		assert_null(command_encode(&command, &arena));
	}
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_arguments_that_cannot_be_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
