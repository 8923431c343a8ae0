/* report: table layout and printing of values. */
#include "report/report.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "manifest/manifest.h"

static void print(const char *const *cells, size_t count, size_t width, struct buf *out)
{
	static const char *const headers[] = { "NAME", "N", "STATE" };
	struct report_table table = { .headers = headers, .columns = 3 };
	for (size_t i = 0; i < count; i++)
		*vec_push(&table.cells) = cells[i];
	report_table(&table, width, out);
	vec_release(&table.cells);
}

static void test_tables(void **state)
{
	(void)state;
	static const struct {
		const char *cells[6];
		size_t count, width;
		const char *want;
	} rows[] = {
		{ { 0 }, 0, 80, "NAME  N  STATE\n" },
		{ { "web", "12", "Ready" }, 3, 80, "NAME  N   STATE\nweb   12  Ready\n" },
		{ { "web", NULL, "" }, 3, 80, "NAME  N  STATE\nweb   -\n" },
		{ { "web", "1", "a long text" }, 3, 14, "NAME  N  STATE\nweb   1  a lo…\n" },
		{ { "web", "1", "a long text" }, 3, 0, "NAME  N  STATE\nweb   1  a long text\n" },
		{ { "web", "1", "12345" }, 3, 14, "NAME  N  STATE\nweb   1  12345\n" },
		{ { "bär", "1", "x" }, 3, 80, "NAME  N  STATE\nbär   1  x\n" },
		{ { "web", "1", "ärger übel" }, 3, 14, "NAME  N  STATE\nweb   1  ärge…\n" },
		{ { "web", "1", "a\n\x1b[2Jb" }, 3, 80, "NAME  N  STATE\nweb   1  a  [2Jb\n" },
		{ { "a", "1", "x", "longer", "2", "y" },
		  6,
		  80,
		  "NAME    N  STATE\na       1  x\nlonger  2  y\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };
		print(rows[i].cells, rows[i].count, rows[i].width, &out);
		assert_string_equal(buf_str(&out), rows[i].want);
		buf_release(&out);
	}
}

static void test_the_last_column_wraps(void **state)
{
	(void)state;
	static const char *const headers[] = { "NAME", "N", "WHY" };
	static const struct {
		const char *cells[3];
		size_t width;
		const char *want;
	} rows[] = {
		{ { "web", "1", "one two three four five six seven" },
		  0,
		  "NAME  N  WHY\nweb   1  one two three four five six seven\n" },
		{ { "web", "1", "one two three four five six seven" },
		  37,
		  "NAME  N  WHY\nweb   1  one two three four five six\n         seven\n" },
		{ { "web", "1", "one two three four five six seven" },
		  42,
		  "NAME  N  WHY\nweb   1  one two three four five six seven\n" },
		/* Less than REPORT_WRAP_MIN columns are left for it. */
		{ { "web", "1", "one two three four five six seven" },
		  36,
		  "NAME  N\nweb   1\n    one two three four five six\n    seven\n" },
		{ { "web", "1", "one two three four five six seven" },
		  20,
		  "NAME  N\nweb   1\n    one two three\n    four five six\n    seven\n" },
		{ { "web", "1", "" }, 20, "NAME  N\nweb   1\n" },
		{ { "web", "1", NULL }, 40, "NAME  N  WHY\nweb   1  -\n" },
		{ { "web", "1", "" }, 40, "NAME  N  WHY\nweb   1\n" },
		/* Characters, not bytes; what a terminal would obey is not there. */
		{ { "bär", "1", "öööööööööö\n äääääääää ü" },
		  37,
		  "NAME  N  WHY\nbär   1  öööööööööö  äääääääää ü\n" },
		{ { "w\x1b", "1", "a-word-that-is-much-longer-than-the-line is here" },
		  37,
		  "NAME  N  WHY\nw     1  a-word-that-is-much-longer-than-the-line\n         is "
		  "here\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct report_table table = { .headers = headers, .columns = 3, .wrap = true };
		struct buf out = { 0 };
		for (size_t c = 0; c < 3; c++)
			*vec_push(&table.cells) = rows[i].cells[c];
		report_table(&table, rows[i].width, &out);
		assert_string_equal(buf_str(&out), rows[i].want);
		vec_release(&table.cells);
		buf_release(&out);
	}
}

/* One word: what matters most. */
static void test_state_words(void **state)
{
	(void)state;
	static const struct {
		const char *conditions, *want; /* TYPE STATUS REASON */
	} rows[] = {
		{ "", NULL },
		{ "Ready:True:AllTasksReady", "Ready" },
		{ "Ready:True:NothingDesired", "NothingDesired" },
		{ "Ready:True:AllTasksReady Progressing:False:DeploymentCompleted", "Ready" },
		{ "Ready:False:TasksNotReady Progressing:True:DeploymentInProgress",
		  "DeploymentInProgress" },
		{ "Ready:True:AllTasksReady Progressing:True:Paused", "Paused" },
		{ "Ready:False:TasksNotReady Progressing:True:Paused Degraded:True:TasksFailing",
		  "TasksFailing" },
		{ "Progressing:True:RollingBack Degraded:True:TasksFailing", "RollingBack" },
		{ "Ready:True:AllTasksReady Progressing:False:RolledBack", "RolledBack" },
		{ "Progressing:False:DeploymentFailed Degraded:True:TasksFailing",
		  "DeploymentFailed" },
		{ "Ready:True:AllTasksReady Held:True:WindowClosed Progressing:True:"
		  "DeploymentInProgress",
		  "Held" },
		{ "Ready:True:AllTasksReady Held:True:MassChange", "Held" },
		{ "Held:True:WindowClosed Progressing:False:RolledBack", "RolledBack" },
		{ "Ready:True:AllTasksReady Held:True:CommitHeld", "CommitHeld" },
		{ "Held:True:CommitHeld Progressing:True:Paused", "Paused" },
		{ "Stalled:True:Suspended Progressing:False:RolledBack", "Suspended" },
		{ "Lagging:True:NotAcknowledged Progressing:True:Paused", "NotAcknowledged" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *list = json_array();
		char text[256], *save, *word;
		snprintf(text, sizeof(text), "%s", rows[i].conditions);
		for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
			char *status = strchr(word, ':'), *reason = strrchr(word, ':');
			*status++ = *reason++ = '\0';
			json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "type", word,
							      "status", status, "reason", reason));
		}
		json_t *doc = json_pack("{s:o}", "conditions", list);
		const char *got = report_state_word(doc);
		assert_true((got != NULL) == (rows[i].want != NULL));
		if (got)
			assert_string_equal(got, rows[i].want);
		json_decref(doc);
	}
}

/* --- YAML --------------------------------------------------------------------------------------
 */

static void test_scalars(void **state)
{
	(void)state;
	static const struct {
		const char *json, *yaml;
	} rows[] = {
		{ "null", "null\n" },
		{ "true", "true\n" },
		{ "-12", "-12\n" },
		{ "\"\"", "\"\"\n" },
		{ "\"web\"", "web\n" },
		{ "\"web:3\"", "web:3\n" },
		{ "\"null\"", "\"null\"\n" },
		{ "\"True\"", "\"True\"\n" },
		{ "\"no\"", "\"no\"\n" },
		{ "\"~\"", "\"~\"\n" },
		{ "\"007\"", "\"007\"\n" },
		{ "\"1e5\"", "\"1e5\"\n" },
		{ "\".5\"", "\".5\"\n" },
		{ "\"0x1f\"", "\"0x1f\"\n" },
		{ "\"2026-11-23T21:45:25Z\"", "\"2026-11-23T21:45:25Z\"\n" },
		{ "\"3 of 5 tasks\"", "3 of 5 tasks\n" },
		{ "\"a: b\"", "'a: b'\n" },
		{ "\"# x\"", "'# x'\n" },
		{ "\"it's\"", "it's\n" },
		{ "\"attribute:env == prod\"", "attribute:env == prod\n" },
		{ "\"[a, b]\"", "'[a, b]'\n" },
		{ "[]", "[]\n" },
		{ "{}", "{}\n" },
		{ "{\"a\": [], \"b\": {}}", "a: []\nb: {}\n" },
		{ "[1, \"1\"]", "- 1\n- \"1\"\n" },
		{ "{\"on\": 1}", "\"on\": 1\n" },
		{ "{\"t\": \"one\\ntwo\\n\"}", "t: |\n  one\n  two\n" },
		{ "{\"a\": {\"b\": [{\"c\": 1, \"d\": null}]}}",
		  "a:\n  b:\n  - c: 1\n    d: null\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *value = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		struct buf out = { 0 };
		assert_non_null(value);
		report_yaml(value, &out);
		assert_string_equal(buf_str(&out), rows[i].yaml);
		buf_release(&out);
		json_decref(value);
	}
}

static void round_trip(const char *json)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	struct buf out = { 0 };
	struct arena arena;
	struct diag_list diags;
	assert_non_null(value);
	report_yaml(value, &out);
	arena_init(&arena);
	diag_init(&diags, &arena);
	json_t *back = manifest_load_value("x.yaml", buf_str(&out), out.len, &diags);
	assert_non_null(back);
	assert_true(json_equal(value, back));
	json_decref(value);
	json_decref(back);
	diag_release(&diags);
	arena_release(&arena);
	buf_release(&out);
}

static void test_yaml_reads_back_equal(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"{\"a\": \"null\", \"b\": null, \"c\": \"\", \"d\": \" x \", \"e\": \"x\\n\"}",
		"{\"a\": \"yes\", \"b\": \"0o17\", \"c\": \"+1\", \"d\": \"-\", \"e\": \"---\"}",
		"{\"a\": \"\\u0007\\u001b[0m\", \"b\": \"tab\\there\", \"c\": \"ü\\u2028\"}",
		"{\"a\": \"one\\n\\n  two\\nthree\", \"b\": \"\\nx\", \"c\": \"  x\\ny\"}",
		"{\"a\": \"*x\", \"b\": \"&x\", \"c\": \"!x\", \"d\": \"%x\", \"e\": \"@x\"}",
		"{\"a b\": 1, \"1\": 2, \"null\": 3, \"\": 4, \"x: y\": 5}",
		"[9223372036854775807, -9223372036854775807, 0, true, [[], {}]]",
		"{\"a\": \".inf\", \"b\": \".nan\", \"c\": \"1_000\", \"d\": \"12:30\"}",
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		round_trip(rows[i]);
}

/* Texts of bytes from a small generator, so that what the emitter quotes is met from all sides. */
static void test_any_text_reads_back_equal(void **state)
{
	(void)state;
	static const char alphabet[] = " \n\t'\"\\:#-?,[]{}&*!|>%@`~=<0123.exXaNn_+";
	uint32_t seed = 1;
	for (int n = 0; n < 2000; n++) {
		char text[16];
		size_t len = 0;
		for (seed = seed * 1664525 + 1013904223; len < seed >> 28; len++) {
			seed = seed * 1664525 + 1013904223;
			text[len] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
		}
		text[len] = '\0';
		json_t *object = json_pack("{s:s, s:[s]}", "key", text, "list", text);
		char *json = json_dumps(object, 0);
		round_trip(json);
		free(json);
		json_decref(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_the_last_column_wraps),
		cmocka_unit_test(test_state_words),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_yaml_reads_back_equal),
		cmocka_unit_test(test_any_text_reads_back_equal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
