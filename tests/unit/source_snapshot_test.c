/* source: snapshots and muster-git's answers as bytes: round trips, and everything torn. */
#include "source/reply.h"
#include "source/source.h"
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COMMIT "0123456789012345678901234567890123456789"

static struct source_file files[] = {
	{ .path = "a.yaml", .blob = "b1", .bytes = "one\0two\n", .len = 8 },
	{ .path = "b/c.json", .blob = "b2", .len = 17 },
	{ .path = "d.yml", .blob = "b3", .len = 5 << 20, .too_large = true },
	{ .path = "empty.yaml", .blob = "b4", .bytes = "" },
};
static struct source_file changes[] = {
	{ .path = "a.yaml", .blob = "b1", .bytes = "one\0two\n", .len = 8 },
	{ .path = "b/c.json", .blob = NULL },
};
static struct source_commit history[] = {
	{ .id = "c1",
	  .subject = "first",
	  .author = "A",
	  .time_unix_ms = -1000,
	  .files = changes,
	  .file_count = 2 },
	{ .id = "c2", .subject = "", .author = "" },
};
static const char *allows[] = { "all", "web" };
static const struct source_snapshot example = {
	.commit = COMMIT,
	.subject = "add: \xc3\xa4 12:34",
	.author = "Ann",
	.time_unix_ms = 1700000000000,
	.files = files,
	.file_count = ARRAY_LEN(files),
	.history = history,
	.history_count = ARRAY_LEN(history),
	.rewritten = true,
	.history_cut = true,
	.allows = allows,
	.allow_count = ARRAY_LEN(allows),
};

struct fixture {
	struct arena arena;
	struct buf bytes;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	arena_init(&f->arena);
	source_snapshot_write(&example, &f->bytes);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	arena_release(&f->arena);
	buf_release(&f->bytes);
	free(f);
	return 0;
}

static void assert_files_equal(const struct source_file *a, size_t a_count,
			       const struct source_file *b, size_t b_count)
{
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++) {
		assert_string_equal(a[i].path, b[i].path);
		assert_int_equal(a[i].blob != NULL, b[i].blob != NULL);
		if (b[i].blob)
			assert_string_equal(a[i].blob, b[i].blob);
		assert_int_equal(a[i].len, b[i].len);
		assert_int_equal(a[i].too_large, b[i].too_large);
		assert_int_equal(a[i].bytes != NULL, b[i].bytes != NULL);
		if (a[i].bytes)
			assert_memory_equal(a[i].bytes, b[i].bytes, a[i].len);
	}
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	struct source_snapshot got;
	struct err err = { 0 };
	assert_true(source_snapshot_read(f->bytes.data, f->bytes.len, &f->arena, &got, &err));
	assert_string_equal(got.commit, example.commit);
	assert_string_equal(got.subject, example.subject);
	assert_string_equal(got.author, example.author);
	assert_int_equal(got.time_unix_ms, example.time_unix_ms);
	assert_true(got.rewritten);
	assert_true(got.history_cut);
	assert_files_equal(got.files, got.file_count, files, ARRAY_LEN(files));
	assert_int_equal(got.history_count, 2);
	assert_string_equal(got.history[0].subject, "first");
	assert_int_equal(got.history[0].time_unix_ms, -1000);
	assert_files_equal(got.history[0].files, got.history[0].file_count, changes, 2);
	assert_int_equal(got.history[1].file_count, 0);
	assert_int_equal(got.allow_count, 2);
	assert_string_equal(got.allows[1], "web");
}

static bool reads(struct fixture *f, const void *bytes, size_t len)
{
	struct source_reply reply;
	struct err err = { 0 };
	/* A copy of just this size, so that reading past its end is seen. */
	char *copy = xmalloc(len ? len : 1);
	memcpy(copy, bytes, len);
	bool ok = source_reply_read(copy, len, &f->arena, &reply, &err);
	free(copy);
	if (!ok)
		assert_true(err.text[0]);
	return ok;
}

static void test_torn(void **state)
{
	struct fixture *f = *state;
	for (size_t len = 0; len < f->bytes.len; len++)
		assert_false(reads(f, f->bytes.data, len));
	assert_true(reads(f, f->bytes.data, f->bytes.len));
	for (size_t i = 0; i < f->bytes.len; i++) {
		f->bytes.data[i] ^= 1;
		assert_false(reads(f, f->bytes.data, f->bytes.len));
		f->bytes.data[i] ^= 1;
	}
	buf_addc(&f->bytes, '\n');
	assert_false(reads(f, f->bytes.data, f->bytes.len));
}

static void seal(struct buf *text)
{
	struct digest digest = digest_of(text->data, text->len);
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&digest, hex);
	buf_addf(text, "end %s\n", hex);
}

/* What a wrong writer might say under a right checksum. */
static void test_malformed(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name, *body;
		bool ok;
	} rows[] = {
		{ "the smallest", "1:c\n0:\n0:\n0\n0\n0\n0\n0\n0\n", true },
		{ "nothing", "", false },
		{ "no commit", "0:\n0:\n0:\n0\n0\n0\n0\n0\n0\n", false },
		{ "more than all", "1:c\n0:\n0:\n0\n0\n0\n0\n0\n0\n0\n", false },
		{ "a number too long", "1:c\n0:\n0:\n0\n0\n0\n0000000000000000000000000\n0\n0\n",
		  false },
		{ "not a number", "1:c\n0:\n0:\n0\n0\n0\nx\n0\n0\n", false },
		{ "negative", "1:c\n0:\n0:\n0\n0\n0\n-1\n0\n0\n", false },
		{ "neither yes nor no", "1:c\n0:\n0:\n0\n2\n0\n0\n0\n0\n", false },
		{ "a length past the end", "99:c\n0:\n0:\n0\n0\n0\n0\n0\n0\n", false },
		{ "a huge length", "9223372036854775807:c\n0:\n0:\n0\n0\n0\n0\n0\n0\n", false },
		{ "a huge count", "1:c\n0:\n0:\n0\n0\n0\n99999\n0\n0\n", false },
		{ "more files than the limit", "1:c\n0:\n0:\n0\n0\n0\n100001\n0\n0\n", false },
		{ "not UTF-8", "1:\xff\n0:\n0:\n0\n0\n0\n0\n0\n0\n", false },
		{ "one file", "1:c\n0:\n0:\n0\n0\n0\n1\n1:a\n1:b\n1\n2:xy\n0\n0\n", true },
		{ "a file without a path", "1:c\n0:\n0:\n0\n0\n0\n1\n0:\n1:b\n1\n2:xy\n0\n0\n",
		  false },
		{ "a file of an unknown kind", "1:c\n0:\n0:\n0\n0\n0\n1\n1:a\n1:b\n3\n2:xy\n0\n0\n",
		  false },
		{ "not sorted", "1:c\n0:\n0:\n0\n0\n0\n2\n1:b\n1:b\n0\n1\n1:a\n1:b\n0\n1\n0\n0\n",
		  false },
		{ "a path twice", "1:c\n0:\n0:\n0\n0\n0\n2\n1:a\n1:b\n0\n1\n1:a\n1:b\n0\n1\n0\n0\n",
		  false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };
		buf_addf(&text, "muster-snapshot 1\n%s", rows[i].body);
		seal(&text);
		if (reads(f, text.data, text.len) != rows[i].ok)
			fail_msg("%s: want %d", rows[i].name, rows[i].ok);
		buf_release(&text);
	}
	struct buf later = { 0 };
	buf_adds(&later, "muster-snapshot 2\n1:c\n0:\n0:\n0\n0\n0\n0\n0\n0\n");
	seal(&later);
	assert_false(reads(f, later.data, later.len));
	buf_release(&later);
}

/* A file of LIMIT_FILE_BYTES travels; one more byte does not. */
static void test_file_limit(void **state)
{
	struct fixture *f = *state;
	char *bytes = xcalloc(1, LIMIT_FILE_BYTES + 1);
	for (int over = 0; over <= 1; over++) {
		struct source_file file = { .path = "a",
					    .blob = "b",
					    .bytes = bytes,
					    .len = LIMIT_FILE_BYTES + (size_t)over };
		struct source_snapshot s = { .commit = "c", .files = &file, .file_count = 1 };
		struct buf text = { 0 };
		source_snapshot_write(&s, &text);
		assert_int_equal(reads(f, text.data, text.len), !over);
		buf_release(&text);
	}
	free(bytes);
}

static void test_replies(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "unchanged " COMMIT "\n", "unchanged " COMMIT },
		{ "error BranchNotFound no branch 'x'\n", "BranchNotFound: no branch 'x'" },
		{ "unchanged " COMMIT, "torn" },
		{ "error BranchNotFound no bra", "torn" },
		{ "error BranchNotFound no\nbranch\n", "torn" },
		{ "error \n", "torn" },
		{ "error x\n", "torn" },
		{ "error  no reason\n", "torn" },
		{ "unchanged \n", "torn" },
		{ "error A \xff\n", "torn" },
		{ "", "torn" },
		{ "\n", "torn" },
		{ "Segmentation fault\n", "torn" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct source_reply reply;
		struct err err = { 0 };
		const char *got = "torn";
		if (source_reply_read(rows[i].text, strlen(rows[i].text), &f->arena, &reply, &err))
			got = reply.kind == REPLY_ERROR
				      ? arena_printf(&f->arena, "%s: %s", reply.reason, reply.text)
				      : arena_printf(&f->arena, "unchanged %s", reply.commit);
		assert_string_equal(got, rows[i].want);
	}
}

static void test_errors_are_one_clean_line(void **state)
{
	struct fixture *f = *state;
	struct buf out = { 0 };
	struct source_reply reply;
	struct err err = { 0 };
	source_reply_error("Corrupt", "bad\tobject\x1b[31m\nin \xfe pack\n", &out);
	assert_true(source_reply_read(out.data, out.len, &f->arena, &reply, &err));
	assert_string_equal(reply.text, "bad object [31m in ? pack");
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_torn),
		cmocka_unit_test(test_malformed),  cmocka_unit_test(test_file_limit),
		cmocka_unit_test(test_replies),	   cmocka_unit_test(test_errors_are_one_clean_line),
	};
	struct CMUnitTest each[ARRAY_LEN(tests)];
	for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
		each[i] = tests[i];
		each[i].setup_func = setup;
		each[i].teardown_func = teardown;
	}
	return cmocka_run_group_tests(each, NULL, NULL);
}
