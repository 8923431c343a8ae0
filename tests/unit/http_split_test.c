/* http: JSON values out of a stream: their ends, at every cut of the bytes, and the bound. */
#include "http/http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool take(void *arg, const char *text, size_t len)
{
	struct buf *out = arg;
	assert_int_equal(strlen(text), len);
	buf_addf(out, "<%s>", text);
	return true;
}

/* Cut into pieces of step bytes, the first after `first`. */
static bool split(const char *text, size_t first, size_t step, size_t max_bytes, struct buf *out,
		  struct err *err)
{
	struct http_split s;
	http_split_init(&s, max_bytes);
	bool ok = true;
	for (size_t at = 0, n = first, len = strlen(text); ok && at < len; at += n, n = step) {
		if (n > len - at)
			n = len - at;
		/* A copy of that very size: reading beyond it is found by ASan. */
		char *piece = malloc(n ? n : 1);
		memcpy(piece, text + at, n);
		ok = http_split_add(&s, piece, n, take, out, err);
		free(piece);
	}
	ok = ok && http_split_end(&s, take, out, err);
	http_split_release(&s);
	return ok;
}

static const struct {
	const char *name, *text, *want;
	int code;
} rows[] = {
	{ "nothing", "", "", 0 },
	{ "white space", " \r\n\t\n", "", 0 },
	{ "lines", "{\"a\":1}\n{\"b\":2}\r\n", "<{\"a\":1}><{\"b\":2}>", 0 },
	{ "one after the other", "{\"a\":1}{\"b\":[2,{}]}[3]", "<{\"a\":1}><{\"b\":[2,{}]}><[3]>",
	  0 },
	{ "over several lines", "{\n \"a\":\n 1}\n{}", "<{\n \"a\":\n 1}><{}>", 0 },
	{ "brackets in strings", "{\"}\":\"]{\"}{}", "<{\"}\":\"]{\"}><{}>", 0 },
	{ "quotes in strings", "{\"a\\\"}\":\"\\\\\"}{}", "<{\"a\\\"}\":\"\\\\\"}><{}>", 0 },
	{ "no bracket", "404 page {}\nnull\n{}", "<404 page {}><null><{}>", 0 },
	{ "no bracket, no end of line", "true", "<true>", 0 },
	{ "a closing one alone", "}{}", "<}><{}>", 0 },
	{ "a string cut by a line", "{\"a\n{\"b\":1}", "<{\"a><{\"b\":1}>", 0 },
	{ "ends within", "{\"a\":1}{\"b\":", "<{\"a\":1}>", ECONNRESET },
	{ "ends within a string", "\"ab", "", ECONNRESET },
	{ "just as long as may be", "{\"aaaaaaaaaaaaaaaaaaaaaaaaaa\":1}{}",
	  "<{\"aaaaaaaaaaaaaaaaaaaaaaaaaa\":1}><{}>", 0 },
	{ "one byte longer", "{}{\"aaaaaaaaaaaaaaaaaaaaaaaaaaa\":1}", "<{}>", EFBIG },
	{ "endless string", "{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "",
	  EFBIG },
	{ "endless brackets", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "",
	  EFBIG },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].text);
		for (size_t first = 0; first <= len; first++) {
			for (size_t step = 1; step <= len + 1; step += step < 3 ? 1 : len) {
				struct buf out = { 0 };
				struct err err = { 0 };
				bool ok = split(rows[i].text, first, step, 32, &out, &err);
				if (ok != (rows[i].code == 0) || err.code != rows[i].code ||
				    strcmp(buf_str(&out), rows[i].want) != 0)
					fail_msg("%s, cut %zu %zu: %s %s", rows[i].name, first,
						 step, buf_str(&out), err.text);
				buf_release(&out);
			}
		}
	}
}

static bool take_one(void *arg, const char *text, size_t len)
{
	take(arg, text, len);
	return false;
}

static void test_stop(void **state)
{
	(void)state;
	struct http_split s;
	struct buf out = { 0 };
	http_split_init(&s, 100);
	assert_true(http_split_add(&s, "{\"a\":1}{\"b\":1}", 14, take_one, &out, NULL));
	assert_string_equal(buf_str(&out), "<{\"a\":1}>");
	http_split_release(&s);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
