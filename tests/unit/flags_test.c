/* flags: rows of command lines, environment and configuration files. */
#include "flags/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct options {
	const char *output, *dir;
	struct str_list attributes;
	bool once;
	int64_t interval_ms;
};

static const char *const outputs[] = { "json", "yaml", NULL };
static const struct flag flags[] = {
	{ "output", FLAG_STRING, 'o', "FORMAT", "how to print", .values = outputs,
	  .offset = offsetof(struct options, output) },
	{ "dir", FLAG_STRING, .value = "DIR", .help = "where", .env = "MUSTER_FLAGS_TEST",
	  .offset = offsetof(struct options, dir) },
	{ "attribute", FLAG_LIST, .value = "K=V", .help = "an attribute",
	  .offset = offsetof(struct options, attributes) },
	{ "once", FLAG_BOOL, 'f', .help = "once", .offset = offsetof(struct options, once) },
	{ "interval", FLAG_DURATION, .value = "TIME", .help = "how often",
	  .offset = offsetof(struct options, interval_ms) },
};

/* What the options and arguments are, in one line. */
static void describe(const struct options *o, const struct flags_args *args, struct buf *out)
{
	buf_addf(out, "%s %s %d %lld [", o->output ? o->output : "-", o->dir ? o->dir : "-",
		 o->once, (long long)o->interval_ms);
	for (size_t i = 0; i < o->attributes.len; i++)
		buf_addf(out, "%s%s", i ? " " : "", o->attributes.items[i]);
	buf_adds(out, "]");
	for (size_t i = 0; i < args->count; i++)
		buf_addf(out, " %s", args->items[i]);
}

static bool knows(const char *name)
{
	return strcmp(name, "elsewhere") == 0;
}

static void run(const char *line, struct buf *out)
{
	struct options o = { .interval_ms = 60000 };
	struct arena arena;
	arena_init(&arena);
	char *argv[32] = { 0 }, *copy = arena_strdup(&arena, line), *save = NULL;
	size_t n = 0;
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	struct flags_spec spec = { .program = "prog",
				   .usage = "[FLAG]... ARG",
				   .tables = { FLAG_TABLE(flags, &o) },
				   .table_count = 1,
				   .config_knows = knows,
				   .args_min = 1,
				   .args_max = 2 };
	struct flags_args args;
	if (flags_parse(&spec, argv, &arena, &args, out) == FLAGS_RUN)
		describe(&o, &args, out);
	else if (strchr(buf_str(out), '\n'))
		*strchr(out->data, '\n') = '\0';
	arena_release(&arena);
}

static void test_rows(void **state)
{
	(void)state;
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "a", "- - 0 60000 [] a" },
		{ "a --output json b", "json - 0 60000 [] a b" },
		{ "--output=yaml a", "yaml - 0 60000 [] a" },
		{ "-o json a", "json - 0 60000 [] a" },
		{ "-ojson -f a", "json - 1 60000 [] a" },
		{ "-o=json a", "json - 0 60000 [] a" },
		{ "--attribute=a=b --attribute c=d x", "- - 0 60000 [a=b c=d] x" },
		{ "--once a", "- - 1 60000 [] a" },
		{ "--once=no a", "- - 0 60000 [] a" },
		{ "--once=perhaps a", "prog: flag '--once': 'perhaps' is neither true nor false" },
		{ "--interval 1h30m a", "- - 0 5400000 [] a" },
		{ "--interval 15 a", "- - 0 15000 [] a" },
		{ "--interval 250ms a", "- - 0 250 [] a" },
		{ "--interval soon a", "prog: flag '--interval': 'soon' is not a duration such as "
				       "500ms, 60s, 15m or 1h30m" },
		{ "-- --once", "- - 0 60000 [] --once" },
		{ "-", "- - 0 60000 [] -" },
		{ "", "prog: an argument is missing: prog [FLAG]... ARG" },
		{ "a b c", "prog: unexpected argument 'c'" },
		{ "--ouput json a", "prog: unknown flag '--ouput' (did you mean '--output'?)" },
		{ "--zzz a", "prog: unknown flag '--zzz'" },
		{ "-z a", "prog: unknown flag '-z'" },
		{ "a --output", "prog: flag '--output' needs a value: FORMAT" },
		{ "--output xml a", "prog: flag '--output': 'xml' is not one of json, yaml" },
		{ "--version", "prog " MUSTER_VERSION },
		{ "--help --nothing", "prog: unknown flag '--nothing'" },
		{ "-h", "Usage: prog [FLAG]... ARG" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf got = { 0 };
		run(rows[i].line, &got);
		assert_string_equal(buf_str(&got), rows[i].want);
		buf_release(&got);
	}
}

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
		int64_t ms;
	} rows[] = {
		{ "0", true, 0 },
		{ "90s", true, 90000 },
		{ "2d", true, 172800000 },
		{ "1m500ms", true, 60500 },
		{ "", false, 0 },
		{ "-1s", false, 0 },
		{ "1 s", false, 0 },
		{ "1w", false, 0 },
		{ "9223372036854775807", false, 0 },
		{ "99999999999999999999", false, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 0;
		assert_int_equal(flags_duration(rows[i].text, &ms), rows[i].ok);
		assert_int_equal(ms, rows[i].ms);
	}
}

static char config_path[] = "/tmp/muster-flags-XXXXXX";

static void with_config(const char *content, const char *line, const char *want)
{
	FILE *f = fopen(config_path, "we");
	assert_non_null(f);
	fputs(content, f);
	assert_int_equal(fclose(f), 0);
	struct buf text = { 0 }, got = { 0 };
	buf_addf(&text, "--config %s %s", config_path, line);
	run(buf_str(&text), &got);
	const char *message = strstr(buf_str(&got), config_path);
	assert_string_equal(message ? message + strlen(config_path) : buf_str(&got), want);
	buf_release(&text);
	buf_release(&got);
}

static void test_configuration_file(void **state)
{
	(void)state;
	static const struct {
		const char *content, *line, *want;
	} rows[] = {
		{ "", "a", "- - 0 60000 [] a" },
		{ "output: json\nonce: true\ninterval: 5\n", "a", "json - 1 5000 [] a" },
		{ "dir: 007\n", "a", "- 007 0 60000 [] a" },
		{ "output: json\n", "-o yaml a", "yaml - 0 60000 [] a" },
		{ "attribute: [a=b, c=d]\n", "a", "- - 0 60000 [a=b c=d] a" },
		{ "attribute: a=b\n", "a", "- - 0 60000 [a=b] a" },
		{ "attribute: [a=b]\n", "--attribute c=d a", "- - 0 60000 [c=d] a" },
		{ "elsewhere: 1\n", "a", "- - 0 60000 [] a" },
		{ "{\"output\": \"json\"}", "a", "json - 0 60000 [] a" },
		{ "once: true\noutptu: json\n", "a",
		  ":2:1: error: unknown flag 'outptu' (did you mean 'output'?)" },
		{ "output: xml\n", "a", ":1:9: error: 'output': 'xml' is not one of json, yaml" },
		{ "output: [json]\n", "a", ":1:9: error: 'output' takes text, not a list" },
		{ "- output\n", "a", ":1:1: error: expected a mapping of flags to values" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		with_config(rows[i].content, rows[i].line, rows[i].want);
}

static void test_configuration_file_absent(void **state)
{
	(void)state;
	struct buf got = { 0 };
	run("--config /nonexistent/muster.yaml a", &got);
	assert_non_null(strstr(buf_str(&got), "/nonexistent/muster.yaml"));
	buf_release(&got);
}

static void test_environment(void **state)
{
	(void)state;
	struct buf got = { 0 };
	setenv("MUSTER_FLAGS_TEST", "/from/env", 1);
	run("a", &got);
	assert_string_equal(buf_str(&got), "- /from/env 0 60000 [] a");
	buf_reset(&got);
	run("--dir /from/line a", &got);
	assert_string_equal(buf_str(&got), "- /from/line 0 60000 [] a");
	with_config("dir: /from/file\n", "a", "- /from/env 0 60000 [] a");
	unsetenv("MUSTER_FLAGS_TEST");
	with_config("dir: /from/file\n", "a", "- /from/file 0 60000 [] a");
	buf_release(&got);
}

static int make_file(void **state)
{
	(void)state;
	int fd = mkstemp(config_path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(config_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_configuration_file),
		cmocka_unit_test(test_configuration_file_absent),
		cmocka_unit_test(test_environment),
	};
	return cmocka_run_group_tests(tests, make_file, remove_file);
}
