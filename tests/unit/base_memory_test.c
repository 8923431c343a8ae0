/* Arenas, growing arrays and text buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"

static bool all_zero(const char *p, size_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

static void arena_gives_zeroed_aligned_memory(void **state UNUSED)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 4095, 4096, 4097, 3 << 20, 1 };
	struct arena arena;
	char *got[ARRAY_LEN(sizes)];
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		got[i] = arena_alloc(&arena, sizes[i]);
		assert_int_equal((uintptr_t)got[i] % _Alignof(max_align_t), 0);
		assert_true(all_zero(got[i], sizes[i]));
		memset(got[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) /* none overlaps another */
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(got[i][k], i + 1);
	arena_release(&arena);
	arena_release(&arena); /* a zeroed one, too */
}

static void arena_counts_what_it_hands_out(void **state UNUSED)
{
	struct arena arena;
	arena_init(&arena);
	assert_int_equal(arena.used_bytes, 0);
	arena_alloc(&arena, 100);
	size_t once = arena.used_bytes;
	assert_true(once >= 100 && once < 200);
	arena_alloc(&arena, 100);
	assert_int_equal(arena.used_bytes, once * 2);
	arena_release(&arena);
	assert_int_equal(arena.used_bytes, 0);
}

static void arena_reset_starts_over_in_the_first_block(void **state UNUSED)
{
	struct arena arena;
	arena_init(&arena);
	arena_reset(&arena); /* an empty one */
	char *first = arena_alloc(&arena, 64);
	memset(first, 'x', 64);
	for (int i = 0; i < 100; i++)
		arena_alloc(&arena, 1000);
	arena_reset(&arena);
	assert_int_equal(arena.used_bytes, 0);
	char *again = arena_alloc(&arena, 64);
	assert_ptr_equal(again, first);
	assert_true(all_zero(again, 64));
	arena_release(&arena);
}

static void arena_copies_text(void **state UNUSED)
{
	struct arena arena;
	arena_init(&arena);
	char text[] = "hello";
	char *copy = arena_strdup(&arena, text);
	assert_ptr_not_equal(copy, text);
	assert_string_equal(copy, "hello");
	assert_null(arena_strdup(&arena, NULL));
	assert_string_equal(arena_strndup(&arena, text, 2), "he");
	assert_string_equal(arena_strndup(&arena, text, 0), "");
	assert_string_equal(arena_printf(&arena, "%s-%d", "a", 7), "a-7");
	assert_string_equal(arena_printf(&arena, "%s", ""), "");
	assert_int_equal(strlen(arena_printf(&arena, "%10000d", 1)), 10000);
	arena_release(&arena);
}

static void vectors_grow_zeroed(void **state UNUSED)
{
	struct item {
		int number;
		void *pointer;
	};
	VEC(struct item) v = { 0 };
	for (int i = 0; i < 1000; i++) {
		struct item *item = vec_push(&v);
		assert_int_equal(item->number, 0);
		assert_null(item->pointer);
		*item = (struct item){ .number = i, .pointer = &v };
	}
	assert_int_equal(v.len, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(v.items[i].number, i);
	v.len = 10; /* cut: what comes again is zeroed */
	assert_null(vec_push(&v)->pointer);
	vec_release(&v);
	assert_null(v.items);
	assert_int_equal(v.len + v.cap, 0);
	vec_release(&v);
}

static void x_allocations_of_nothing_are_something(void **state UNUSED)
{
	void *p = xmalloc(0), *q = xcalloc(0, 8), *r = xrealloc(NULL, 0);
	assert_true(p && q && r);
	free(p);
	free(q);
	free(r);
	char *s = xstrdup("text");
	assert_string_equal(s, "text");
	free(s);
}

static void buffers(void **state UNUSED)
{
	struct buf buf = { 0 };
	assert_string_equal(buf_str(&buf), "");
	buf_reset(&buf); /* an empty one */
	buf_add(&buf, NULL, 0);
	assert_string_equal(buf_str(&buf), "");
	buf_adds(&buf, "a");
	buf_addc(&buf, 'b');
	buf_addf(&buf, "%d%s", 3, "c");
	buf_add(&buf, "\0d", 2);
	assert_int_equal(buf.len, 6);
	assert_memory_equal(buf.data, "ab3c\0d", 7); /* NUL-terminated behind */
	char *data = buf.data;
	buf_reset(&buf);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf_str(&buf), "");
	assert_ptr_equal(buf.data, data);
	buf_release(&buf);
	assert_null(buf.data);
	buf_release(&buf);
}

static void buffers_grow_at_every_length(void **state UNUSED)
{
	for (size_t len = 0; len < 300; len++) {
		struct buf buf = { 0 };
		for (size_t i = 0; i < len; i++)
			buf_addc(&buf, 'x');
		buf_addf(&buf, "%s", "tail");
		assert_int_equal(strlen(buf_str(&buf)), len + 4);
		assert_string_equal(buf_str(&buf) + len, "tail");
		buf_release(&buf);
	}
}

static void err_texts(void **state UNUSED)
{
	struct err err;
	assert_false(err_set(&err, 2, "open '%s'", "a"));
	assert_string_equal(err.text, "open 'a': No such file or directory");
	assert_int_equal(err.code, 2);
	assert_false(err_wrap(&err, "read %s", "b"));
	assert_string_equal(err.text, "read b: open 'a': No such file or directory");
	assert_int_equal(err.code, 2);
	assert_false(err_set(&err, 0, "plain"));
	assert_string_equal(err.text, "plain");
	assert_int_equal(err.code, 0);
	assert_false(err_set(&err, 99999, "odd"));
	assert_string_equal(err.text, "odd: unknown error");
	assert_false(err_set(NULL, 2, "nowhere"));
	assert_false(err_wrap(NULL, "nowhere"));
}

static void err_texts_are_cut(void **state UNUSED)
{
	struct err err;
	char letters[ERR_TEXT_MAX * 2];
	memset(letters, 'x', sizeof(letters));
	letters[sizeof(letters) - 1] = '\0';
	for (int len = ERR_TEXT_MAX - 40; len < ERR_TEXT_MAX + 40; len++) {
		err_set(&err, 2, "%.*s", len, letters);
		assert_true(strlen(err.text) < ERR_TEXT_MAX);
		err_set(&err, 0, "y");
		err_wrap(&err, "%.*s", len, letters);
		size_t kept = strlen(err.text);
		if (len + strlen(": y") < ERR_TEXT_MAX)
			assert_string_equal(err.text + kept - 4, "x: y");
		assert_true(kept < ERR_TEXT_MAX);
		assert_int_equal(err.text[0], 'x');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_gives_zeroed_aligned_memory),
		cmocka_unit_test(arena_counts_what_it_hands_out),
		cmocka_unit_test(arena_reset_starts_over_in_the_first_block),
		cmocka_unit_test(arena_copies_text),
		cmocka_unit_test(vectors_grow_zeroed),
		cmocka_unit_test(x_allocations_of_nothing_are_something),
		cmocka_unit_test(buffers),
		cmocka_unit_test(buffers_grow_at_every_length),
		cmocka_unit_test(err_texts),
		cmocka_unit_test(err_texts_are_cut),
	};
	return cmocka_run_group_tests_name("base memory", tests, NULL, NULL);
}
