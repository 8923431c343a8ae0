/* engine/process/record: what is read back, and what is refused. */
#include "engine/process/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct record_writer sample(void)
{
	struct record_writer w = { .grow = record_grow };
	record_begin(&w, "task");
	record_put(&w, "id", "t1");
	record_put(&w, "left-out", NULL);
	record_put(&w, "empty", "");
	record_put(&w, "env", "A=b=c\nd");
	record_put_int(&w, "least", INT64_MIN);
	record_put_int(&w, "most", INT64_MAX);
	record_put_int(&w, "zero", 0);
	record_put_bytes(&w, "part", "abcdef", 3);
	assert_true(record_end(&w));
	return w;
}

static void test_round_trip(void **state)
{
	static const char *const want[] = { "id=t1",
					    "empty=",
					    "env=A=b=c\nd",
					    "least=-9223372036854775808",
					    "most=9223372036854775807",
					    "zero=0",
					    "part=abc" };
	struct record_writer w = sample();
	struct record_reader r;
	(void)state;
	assert_int_equal(record_open(&r, w.data, w.len, "task"), RECORD_OK);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(record_next(&r), want[i]);
	assert_null(record_next(&r));
	assert_null(record_next(&r));
	assert_int_equal(record_open(&r, w.data, w.len, "exit"), RECORD_TORN);
	assert_int_equal(record_open(&r, w.data, w.len, "tas"), RECORD_TORN);
	free(w.data);
}

/* Cut anywhere, longer by anything, changed anywhere: never taken for a record. */
static void test_damage(void **state)
{
	struct record_writer w = sample();
	struct record_reader r;
	char *copy = xmalloc(w.len + 1);
	(void)state;
	for (size_t len = 0; len < w.len; len++)
		assert_int_equal(record_open(&r, w.data, len, "task"), RECORD_TORN);
	for (size_t i = 0; i < w.len; i++) {
		memcpy(copy, w.data, w.len);
		copy[i] ^= 1;
		assert_int_equal(record_open(&r, copy, w.len, "task"), RECORD_TORN);
	}
	memcpy(copy, w.data, w.len);
	copy[w.len] = '\0';
	assert_int_equal(record_open(&r, copy, w.len + 1, "task"), RECORD_TORN);
	/* As a file is that was made longer than what was written: zeros. */
	memset(copy, 0, w.len);
	assert_int_equal(record_open(&r, copy, w.len, "task"), RECORD_TORN);
	free(copy);
	free(w.data);
}

/* The same bytes for ever: shims and agents of different versions read them. */
static void test_golden(void **state)
{
	static const char want[] = "muster-stop 1\0a=1\0end=7fb93dd0bb2a7b30";
	char data[64];
	struct record_writer w = { .data = data, .cap = sizeof(data) };
	struct record_reader r;
	(void)state;
	record_begin(&w, "stop");
	record_put(&w, "a", "1");
	assert_true(record_end(&w));
	assert_int_equal(w.len, sizeof(want));
	assert_memory_equal(data, want, sizeof(want));
	assert_int_equal(record_open(&r, want, sizeof(want), "stop"), RECORD_OK);
}

static void test_newer(void **state)
{
	static const char newer[] = "muster-stop 2\0a=1\0end=a81b274731fe004b";
	struct record_reader r;
	(void)state;
	assert_int_equal(record_open(&r, newer, sizeof(newer), "stop"), RECORD_NEWER);
	assert_int_equal(record_open(&r, newer, sizeof(newer), "start"), RECORD_TORN);
}

static void test_limits(void **state)
{
	char small[40];
	struct record_writer w = { .data = small, .cap = sizeof(small) };
	struct record_reader r;
	(void)state;
	record_begin(&w, "stop");
	record_put(&w, "key", "a value that does not fit there");
	assert_false(record_end(&w)); /* nothing beyond the end was written */
	w = (struct record_writer){ .grow = record_grow };
	char *value = xcalloc(1, RECORD_MAX_BYTES);
	memset(value, 'v', RECORD_MAX_BYTES - 1);
	size_t rest = sizeof("muster-task 1") + sizeof("k=") + 21;
	for (size_t over = 0; over < 2; over++) {
		record_begin(&w, "task");
		record_put_bytes(&w, "k", value, RECORD_MAX_BYTES - rest + over);
		assert_true(record_end(&w));
		assert_int_equal(w.len, RECORD_MAX_BYTES + over);
		assert_int_equal(record_open(&r, w.data, w.len, "task"),
				 over ? RECORD_TORN : RECORD_OK);
	}
	free(value);
	free(w.data);
}

static void test_values(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} rows[] = { { "0", 0 },
		     { "-1", -1 },
		     { "42", 42 },
		     { "", 0 },
		     { "-", 0 },
		     { "1x", 0 },
		     { " 1", 0 },
		     { "9223372036854775807", INT64_MAX },
		     { "-9223372036854775808", INT64_MIN },
		     { "9223372036854775808", 0 },
		     { "99999999999999999999", 0 } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(record_int(rows[i].text), rows[i].want);
	assert_string_equal(record_value("a=b=c", "a"), "b=c");
	assert_null(record_value("ab=c", "a"));
	assert_null(record_value("a", "a"));
}

static void test_file_names(void **state)
{
	static const struct {
		const char *name, *id, *suffix; /* id NULL: not a task's file */
	} rows[] = {
		{ "t1.task", "t1", "task" }, { "a.b.exit", "a.b", "exit" },
		{ ".t1.exit", NULL, NULL },  { "t1", NULL, NULL },
		{ "t1.", NULL, NULL },	     { "t1.tmp", NULL, NULL },
		{ ".task", NULL, NULL },
	};
	char id[RECORD_ID_MAX + 1], name[RECORD_ID_MAX + 8];
	const char *suffix;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(task_file_name(rows[i].name, id, &suffix), rows[i].id != NULL);
		if (!rows[i].id)
			continue;
		assert_string_equal(id, rows[i].id);
		assert_string_equal(suffix, rows[i].suffix);
	}
	memset(name, 'n', sizeof(name));
	memcpy(name + RECORD_ID_MAX, ".task", 6);
	assert_true(task_file_name(name, id, &suffix));
	memcpy(name + RECORD_ID_MAX, "n.task", 7);
	assert_false(task_file_name(name, id, &suffix));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_damage),
		cmocka_unit_test(test_golden),	   cmocka_unit_test(test_newer),
		cmocka_unit_test(test_limits),	   cmocka_unit_test(test_values),
		cmocka_unit_test(test_file_names),
	};
	return cmocka_run_group_tests_name("engine record", tests, NULL, NULL);
}
