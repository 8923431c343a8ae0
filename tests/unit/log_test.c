/* log: what a line looks like, and that a full pipe loses lines and never time. */
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct capture {
	int saved, ends[2];
};

/* Standard error becomes a pipe, until capture_end(). */
static int capture_begin(void **state)
{
	static struct capture c;
	assert_int_equal(pipe2(c.ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(c.ends[0], F_SETFL, O_NONBLOCK), 0);
	c.saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(c.ends[1], STDERR_FILENO);
	close(c.ends[1]);
	*state = &c;
	return 0;
}

static int capture_end(void **state)
{
	struct capture *c = *state;
	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	close(c->ends[0]);
	return 0;
}

static const char *captured(struct capture *c, char *out, size_t size)
{
	ssize_t n = read(c->ends[0], out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	return out;
}

/* The line from its msg on; the time before it is only checked for its form. */
static const char *after_time(const char *line)
{
	int64_t at;
	char text[TIME_TEXT_LEN + 1] = "";
	assert_int_equal(sscanf(line, "level=info time=%20s", text), 1);
	assert_true(time_parse(text, &at));
	return strstr(line, " msg=") + 1;
}

static void test_values(void **state)
{
	static const struct {
		const char *name, *value, *want;
	} rows[] = {
		{ "plain", "web", "msg=m k=web\n" },
		{ "empty", "", "msg=m k=\"\"\n" },
		{ "left out", NULL, "msg=m\n" },
		{ "space", "two words", "msg=m k=\"two words\"\n" },
		{ "equals sign", "a=b", "msg=m k=\"a=b\"\n" },
		{ "quote and backslash", "a\"b\\", "msg=m k=\"a\\\"b\\\\\"\n" },
		{ "line break", "a\nlevel=error", "msg=m k=\"a\\nlevel=error\"\n" },
		{ "tab, return", "\t\r", "msg=m k=\"\\t\\r\"\n" },
		{ "escape sequence", "\033[31m", "msg=m k=\"\\x1b[31m\"\n" },
		{ "delete", "\x7f", "msg=m k=\"\\x7f\"\n" },
		{ "UTF-8", "caf\xc3\xa9", "msg=m k=\"caf\xc3\xa9\"\n" },
		{ "C1 control", "a\xc2\x9b", "msg=m k=\"a\\xc2\\x9b\"\n" },
		{ "not UTF-8", "caf\xe9", "msg=m k=\"caf\\xe9\"\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[4096];
		log_info("m", "k", rows[i].value);
		captured(*state, got, sizeof(got));
		if (strcmp(after_time(got), rows[i].want) == 0)
			continue;
		dup2(((struct capture *)*state)->saved, STDERR_FILENO);
		fail_msg("%s: %s", rows[i].name, got);
	}
}

static void test_levels(void **state)
{
	char got[4096];
	log_debug("hidden");
	log_warn("seen");
	captured(*state, got, sizeof(got));
	assert_ptr_equal(strstr(got, "level=warn"), got);
	assert_null(strstr(got, "hidden"));
	log_set_level(LOG_DEBUG);
	log_debug("seen as well");
	log_set_level(LOG_INFO);
	captured(*state, got, sizeof(got));
	assert_ptr_equal(strstr(got, "level=debug"), got);
}

static void test_long_values_are_cut(void **state)
{
	char value[9000], got[10000];
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_info("m", "k", value, "after", "all");
	captured(*state, got, sizeof(got));
	assert_non_null(strstr(got, "xxx...\" after=all\n"));

	log_info("m", "a", value, "b", value, "c", value, "d", value, "e", value);
	captured(*state, got, sizeof(got));
	assert_true(strlen(got) <= 4096);
	assert_string_equal(got + strlen(got) - 5, " ...\n");
}

static void test_full_pipe_drops(void **state)
{
	struct capture *c = *state;
	static char got[1 << 20];
	for (int i = 0; i < 5000; i++)
		log_info("a line that nobody reads");
	size_t lines = 0;
	while (captured(c, got, sizeof(got))[0]) {
		assert_int_equal(got[strlen(got) - 1], '\n');
		for (const char *s = got; (s = strchr(s, '\n')); s++)
			lines++;
	}
	assert_true(lines > 100 && lines < 5000);
	char want[64];
	snprintf(want, sizeof(want), "msg=next dropped=%zu\n", 5000 - lines);
	log_info("next");
	assert_string_equal(after_time(captured(c, got, sizeof(got))), want);
	log_info("last");
	assert_string_equal(after_time(captured(c, got, sizeof(got))), "msg=last\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_values, capture_begin, capture_end),
		cmocka_unit_test_setup_teardown(test_levels, capture_begin, capture_end),
		cmocka_unit_test_setup_teardown(test_long_values_are_cut, capture_begin,
						capture_end),
		cmocka_unit_test_setup_teardown(test_full_pipe_drops, capture_begin, capture_end),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
