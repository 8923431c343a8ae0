/* source: which events in a repository are about the branch. */
#include "source/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_rows(void **state)
{
	(void)state;
	static const struct {
		const char *dir, *name;
		bool want;
	} rows[] = {
		{ "/r.git", "packed-refs", true },
		{ "/r.git", "packed-refs.lock", false },
		{ "/r.git", "HEAD", false },
		{ "/r.git", "config", false },
		{ "/r.git", NULL, true },
		{ "/r.git/refs/heads", "team", true },
		{ "/r.git/refs/heads", "tea", false },
		{ "/r.git/refs/heads", "teams", false },
		{ "/r.git/refs/heads", "main", false },
		{ "/r.git/refs/heads", NULL, true },
		{ "/r.git/refs/heads/team", "a", true },
		{ "/r.git/refs/heads/team", "prod", false },
		{ "/r.git/refs/heads/team/a", "prod", true },
		{ "/r.git/refs/heads/team/a", "prod.lock", false },
		{ "/r.git/refs/heads/team/a", "product", false },
		{ "/", "r.git", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (git_concerns("/r.git", "team/a/prod", rows[i].dir, rows[i].name) !=
		    rows[i].want)
			fail_msg("%s %s", rows[i].dir, rows[i].name ? rows[i].name : "NULL");
	}
	assert_true(git_concerns("/refs/heads/r.git", "main", "/refs/heads/r.git", "packed-refs"));
	assert_false(git_concerns("/refs/heads/r.git", "main", "/refs/heads/r.git", "main"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
