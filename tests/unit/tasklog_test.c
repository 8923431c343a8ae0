/* tasklog: frames and lines at every cut of the bytes, tails, times. */
#include "tasklog/tasklog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A copy of that very size: reading beyond it is found by ASan. */
static char *piece_of(const char *text, size_t len)
{
	char *piece = malloc(len ? len : 1);
	assert_non_null(piece);
	memcpy(piece, text, len);
	return piece;
}

/* --- frames ------------------------------------------------------------------------------------
 */

#define TEXT(s) (s), sizeof(s) - 1
static const struct {
	const char *bytes;
	size_t len;
	const char *want;
	int code;
	bool failed;
} frame_rows[] = {
	{ TEXT(""), .want = "" },
	{ TEXT("\1\0\0\0\0\0\0\3abc"), .want = "abc" },
	{ TEXT("\1\0\0\0\0\0\0\2a\n\2\0\0\0\0\0\0\4err\n\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1z"),
	  .want = "a\nerr\nz" },
	{ TEXT("\1\0\0\0\0\0\1\2ab"), .want = "ab" }, /* cut */
	{ TEXT("\1\0\0\0\0\0"), .want = "" },	      /* in the head */
	{ TEXT("\3\0\0\0\0\0\0\2no"), .want = "no", .failed = true },
	{ TEXT("\1\0\0\0\0\0\0\1aplain text\n"), .want = "a", .code = EPROTO },
	{ TEXT("\4\0\0\0\0\0\0\1a"), .want = "", .code = EPROTO },
	{ TEXT("\1\0\1\0\0\0\0\1a"), .want = "", .code = EPROTO },
	{ TEXT("\1\0\0\0\xff\xff\xff\xff"
	       "all"),
	  .want = "all" }, /* of 4 GiB: nothing is kept of it */
};

static void frames(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(frame_rows); i++) {
		for (size_t step = 1; step <= frame_rows[i].len + 1; step++) {
			struct tasklog_frames f = { 0 };
			struct buf out = { 0 };
			struct err err = { 0 };
			bool ok = true;
			for (size_t at = 0; ok && at < frame_rows[i].len; at += step) {
				size_t left = frame_rows[i].len - at;
				size_t n = left < step ? left : step;
				char *piece = piece_of(frame_rows[i].bytes + at, n);
				ok = tasklog_frames_add(&f, piece, n, &out, &err);
				free(piece);
			}
			assert_string_equal(buf_str(&out), frame_rows[i].want);
			assert_int_equal(ok ? 0 : err.code, frame_rows[i].code);
			assert_int_equal(f.failed, frame_rows[i].failed);
			buf_release(&out);
		}
	}
}

/* --- lines -------------------------------------------------------------------------------------
 */

static void lines_of_several(void **state UNUSED)
{
	static const struct {
		const char *label, *text, *want;
	} rows[] = {
		{ NULL, "a\nb", "a\nb" },
		{ "web", "", "" },
		{ "web", "a\n\nb\n", "web: a\nweb: \nweb: b\n" },
		{ "web", "a\nb", "web: a\nweb: b\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].text);
		for (size_t step = 1; step <= len + 1; step++) {
			struct tasklog_lines lines = { .label = rows[i].label };
			struct buf out = { 0 };
			for (size_t at = 0; at < len; at += step) {
				size_t n = len - at < step ? len - at : step;
				char *piece = piece_of(rows[i].text + at, n);
				tasklog_lines_add(&lines, piece, n, &out);
				free(piece);
			}
			tasklog_lines_end(&lines, &out);
			assert_string_equal(buf_str(&out), rows[i].want);
			buf_release(&out);
		}
	}
}

/* What is not yet a line waits, so that no other comes in between. */
static void no_line_is_torn(void **state UNUSED)
{
	struct tasklog_lines a = { .label = "a" }, b = { .label = "b" };
	struct buf out = { 0 };
	tasklog_lines_add(&a, "one ", 4, &out);
	tasklog_lines_add(&b, "two\n", 4, &out);
	tasklog_lines_add(&a, "three\n", 6, &out);
	tasklog_lines_end(&a, &out);
	tasklog_lines_end(&b, &out);
	assert_string_equal(buf_str(&out), "b: two\na: one three\n");
	buf_release(&out);
}

static void endless_lines_are_cut(void **state UNUSED)
{
	static const size_t sizes[] = { TASKLOG_LINE_MAX - 1, TASKLOG_LINE_MAX,
					TASKLOG_LINE_MAX + 1, 2 * TASKLOG_LINE_MAX + 5 };
	static const size_t want_lines[] = { 1, 1, 2, 3 };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct tasklog_lines lines = { .label = "x" };
		struct buf out = { 0 };
		char *text = malloc(sizes[i]);
		assert_non_null(text);
		memset(text, 'y', sizes[i]);
		for (size_t at = 0; at < sizes[i]; at += 1000) {
			size_t n = sizes[i] - at < 1000 ? sizes[i] - at : 1000;
			tasklog_lines_add(&lines, text + at, n, &out);
			assert_true(lines.partial.len < TASKLOG_LINE_MAX);
		}
		tasklog_lines_end(&lines, &out);
		size_t newlines = 0;
		for (size_t k = 0; k < out.len; k++)
			newlines += out.data[k] == '\n';
		assert_int_equal(newlines, want_lines[i]);
		assert_int_equal(out.len, sizes[i] + newlines * strlen("x: \n"));
		buf_release(&out);
		free(text);
	}
}

static void tails(void **state UNUSED)
{
	static const struct {
		const char *text;
		uint64_t lines;
		const char *want;
	} rows[] = {
		{ "", 3, "" },
		{ "a\nb\nc\n", 0, "" },
		{ "a\nb\nc\n", 1, "c\n" },
		{ "a\nb\nc\n", 2, "b\nc\n" },
		{ "a\nb\nc\n", 3, "a\nb\nc\n" },
		{ "a\nb\nc\n", 9, "a\nb\nc\n" },
		{ "a\nb\nc", 1, "c" },
		{ "a\nb\nc", 2, "b\nc" },
		{ "\n\n\n", 2, "\n\n" },
		{ "a", 1, "a" },
		{ "\n", 1, "\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].text);
		for (size_t step = 1; step <= len + 1; step++) {
			struct tasklog_tail tail = { .lines = rows[i].lines };
			size_t begin = 0, found = SIZE_MAX;
			for (size_t end = len; end > 0 && found == SIZE_MAX;) {
				size_t n = end < step ? end : step;
				char *piece = piece_of(rows[i].text + end - n, n);
				found = tasklog_tail_find(&tail, piece, n);
				free(piece);
				end -= n;
				begin = found == SIZE_MAX ? 0 : end + found;
			}
			assert_string_equal(rows[i].text + begin, rows[i].want);
		}
	}
}

/* --- times -------------------------------------------------------------------------------------
 */

static void times(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: none */
	} rows[] = {
		{ "2026-11-23T21:45:25Z", 1795470325000 },
		{ "2026-11-23t21:45:25z", 1795470325000 },
		{ "2026-11-23T21:45:25", 1795470325000 },
		{ "2026-11-23 21:45:25", 1795470325000 },
		{ "2026-11-23T22:45:25+01:00", 1795470325000 },
		{ "2026-11-23T16:15:25-0530", 1795470325000 },
		{ "2026-11-23T21:45:25.5Z", 1795470325500 },
		{ "2026-11-23T21:45:25.123456789+00:00", 1795470325123 },
		{ "2026-11-23T21:45", 1795470300000 },
		{ "2026-11-23T21:45Z", 1795470300000 },
		{ "2026-11-23", 1795392000000 },
		{ "1970-01-01", 0 },
		{ "", -1 },
		{ "yesterday", -1 },
		{ "2026-11-23T", -1 },
		{ "2026-11-23T21", -1 },
		{ "2026-11-23T21:45:25.Z", -1 },
		{ "2026-11-23T21:45.5Z", -1 },
		{ "2026-11-23.5", -1 },
		{ "2026-11-23T21:45:25.5x", -1 },
		{ "2026-11-23T21:45:25+1", -1 },
		{ "2026-11-23T21:45:25+25:00", -1 },
		{ "2026-11-23T21:45:25+0a:00", -1 },
		{ "2026-11-23T21:45:25 +01:00", -1 },
		{ "2026-02-30", -1 },
		{ "2026-11-23T24:00:00Z", -1 },
		{ "2026-11-23T21:45:25Zx", -1 },
		{ "+", -1 },
		{ "Z", -1 },
		{ ".", -1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t got = -1;
		if (!tasklog_time(rows[i].text, &got))
			got = -1;
		if (got != rows[i].want)
			fail_msg("%s: %lld", rows[i].text, (long long)got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames),	   cmocka_unit_test(lines_of_several),
		cmocka_unit_test(no_line_is_torn), cmocka_unit_test(endless_lines_are_cut),
		cmocka_unit_test(tails),	   cmocka_unit_test(times),
	};
	return cmocka_run_group_tests_name("tasklog", tests, NULL, NULL);
}
