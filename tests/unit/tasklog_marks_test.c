/* tasklog: marks as text, the tasks that they tell of, and the pieces of files that are wanted. */
#include "tasklog/tasklog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;

static int setup(void **state UNUSED)
{
	arena_init(&arena);
	return 0;
}

static int teardown(void **state UNUSED)
{
	arena_release(&arena);
	return 0;
}

static void add(struct tasklog_marks *marks, const char *text, size_t len)
{
	/* A copy of that very size: reading beyond it is found by ASan. */
	char *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	tasklog_marks_add(marks, copy, len, &arena);
	free(copy);
}

static struct tasklog_marks marks_of(const char *text)
{
	struct tasklog_marks marks = { 0 };
	add(&marks, text, strlen(text));
	return marks;
}

static void marks_as_text(void **state UNUSED)
{
	static const struct {
		const char *text;
		size_t count;
	} rows[] = {
		{ "", 0 },
		{ "7 0 1000 aa\n", 1 },
		{ "7 0 1000 aa\n7 10 2000 aa end\n", 2 },
		{ "7 0 1000 aa", 0 }, /* being written */
		{ "7 0 1000 aa\n7 5 20", 1 },
		{ "7 0 1000\n", 0 },
		{ "7 0 1000 \n", 0 },
		{ "7 0 -1 aa\n", 0 },
		{ "7 0 99999999999999999999 aa\n", 0 },
		{ "x\n\n7 0 1000 aa other words\n7 0 1000 bb\n", 1 },
		{ " 7 0 1000 aa\n", 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tasklog_marks marks = marks_of(rows[i].text);
		if (marks.items.len != rows[i].count)
			fail_msg("row %zu: %zu", i, marks.items.len);
		vec_release(&marks.items);
	}
	struct tasklog_marks marks = marks_of("18446744073709 10 1795470325000 c0ffee end\n");
	const struct tasklog_mark *m = &marks.items.items[0];
	assert_int_equal(m->inode, 18446744073709);
	assert_int_equal(m->offset, 10);
	assert_int_equal(m->unix_ms, 1795470325000);
	assert_string_equal(m->task, "c0ffee");
	assert_true(m->end);
	vec_release(&marks.items);
}

static void tasks_of_containers(void **state UNUSED)
{
	/* bb began in the second container first, and still runs in it. */
	static const char *const containers[] = {
		"7 0 1000 aa\n7 10 2000 aa end\n7 10 3000 bb\n7 20 4000 bb end\n",
		"8 0 1100 aa\n8 10 2100 aa end\n8 10 2900 bb\n",
		"",
	};
	struct tasklog_tasks tasks = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(containers); i++) {
		struct tasklog_marks marks = marks_of(containers[i]);
		tasklog_tasks_add(&tasks, &marks);
		vec_release(&marks.items);
	}
	tasklog_tasks_sort(&tasks);
	assert_int_equal(tasks.items.len, 2);
	assert_string_equal(tasks.items.items[0].task, "bb");
	assert_int_equal(tasks.items.items[0].began_unix_ms, 2900);
	assert_false(tasks.items.items[0].ended);
	assert_string_equal(tasks.items.items[1].task, "aa");
	assert_int_equal(tasks.items.items[1].began_unix_ms, 1000);
	assert_true(tasks.items.items[1].ended);
	vec_release(&tasks.items);
}

/* Two files, 5 the older: aa wrote 0-1000 of it, bb the rest; bb went on in 6, cc came at 50. */
static const char two_files[] = "5 0 10000 aa\n5 300 20000 aa\n5 1000 30000 aa end\n"
				"5 1000 40000 bb\n"
				"6 0 50000 bb\n6 50 200000 bb end\n6 50 300000 cc\n";

static void pieces(void **state UNUSED)
{
	static const struct {
		const char *marks, *task;
		int64_t since;
		const char *want; /* FILE:FROM-TO, of files 0 (5) and 1 (6) */
	} rows[] = {
		{ two_files, NULL, 0, "0:0-2000 1:0-500" },
		{ two_files, "aa", 0, "0:0-1000" },
		{ two_files, "bb", 0, "0:1000-2000 1:0-50" },
		{ two_files, "cc", 0, "1:50-500" },
		{ two_files, "a", 0, "" },
		/* 0-300 has more than MARK_BYTES: it was written within a second. */
		{ two_files, "aa", 11001, "0:300-1000" },
		{ two_files, "aa", 11000, "0:0-1000" },
		{ two_files, NULL, 41001, "1:0-500" },
		/* 0-50 has less: within a minute. */
		{ two_files, "bb", 110000, "1:0-50" },
		{ two_files, "bb", 110001, "" },
		{ two_files, NULL, 110001, "1:50-500" },
		/* As far as the file's own time allows: 301000. */
		{ two_files, "cc", 301001, "" },
		{ "6 450 290000 cc\n", "cc", 301000, "1:450-500" },
		{ "6 450 290000 cc\n", "cc", 301001, "" },
		/* What no mark tells of is old as its file, and of no task that anyone asks for. */
		{ "", NULL, 0, "0:0-2000 1:0-500" },
		{ "", NULL, 45001, "1:0-500" },
		{ "", "aa", 0, "" },
		{ "6 100 1000 aa\n", "aa", 0, "1:100-500" },
		/* Two that print at once. */
		{ "6 0 1000 aa\n6 10 1001 bb\n6 20 1002 aa\n", "aa", 0, "1:0-10 1:20-500" },
		/* Marks that are not in order, beyond the end, or of a clock that was set back. */
		{ "6 20 1002 aa\n6 0 1000 aa\n6 10 1001 bb\n", "bb", 0, "1:10-20" },
		{ "6 0 1000 aa\n6 900 1001 bb\n", NULL, 0, "0:0-2000 1:0-500" },
		{ "6 0 1000 aa\n6 900 1001 bb\n", "bb", 0, "" },
		{ "6 0 900000 aa\n6 400 1000 bb\n", "aa", 800000, "1:0-400" },
		/* Two at the same place: the later one counts. */
		{ "6 0 1000 aa\n6 0 1000 bb\n", "bb", 0, "1:0-500" },
		{ "6 0 1000 aa\n6 0 1000 bb\n", "aa", 0, "" },
	};
	static const struct tasklog_file files[] = { { 5, 2000, 45000 }, { 6, 500, 301000 } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tasklog_marks marks = marks_of(rows[i].marks);
		struct tasklog_ranges ranges = { 0 };
		struct tasklog_want want = { rows[i].task, rows[i].since };
		struct buf text = { 0 };
		tasklog_select(files, ARRAY_LEN(files), &marks, &want, &ranges);
		for (size_t k = 0; k < ranges.items.len; k++) {
			const struct tasklog_range *r = &ranges.items.items[k];
			buf_addf(&text, "%s%zu:%lld-%lld", k ? " " : "", r->file,
				 (long long)r->from, (long long)r->to);
		}
		if (strcmp(buf_str(&text), rows[i].want) != 0)
			fail_msg("row %zu: '%s', not '%s'", i, buf_str(&text), rows[i].want);
		buf_release(&text);
		vec_release(&ranges.items);
		vec_release(&marks.items);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_as_text),
		cmocka_unit_test(tasks_of_containers),
		cmocka_unit_test(pieces),
	};
	return cmocka_run_group_tests_name("tasklog_marks", tests, setup, teardown);
}
