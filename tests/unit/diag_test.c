#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "diag/diag.h"

struct fixture {
	struct arena arena;
	struct diag_list list;
	struct buf out;
};

static struct fixture begin(void)
{
	return (struct fixture){ 0 };
}

static void end(struct fixture *f)
{
	diag_release(&f->list);
	arena_release(&f->arena);
	buf_release(&f->out);
}

static void test_suggest(void **state)
{
	(void)state;
	static const char *const fields[] = { "image", "command", "cpu", "containerDefinitions",
					      "entryPoint" };
	static const struct {
		const char *name, *word, *want;
	} rows[] = {
		{ "a swap is one edit", "imgae", "image" },
		{ "one missing", "comand", "command" },
		{ "letter case does not count", "Entrypoint", "entryPoint" },
		{ "two edits", "contanerDefinitons", "containerDefinitions" },
		{ "three are too many", "contanrDefinitons", NULL },
		{ "half of the word is too much", "cu", NULL },
		{ "less than half of it", "cpx", "cpu" },
		{ "nothing like it", "volumes", NULL },
		{ "empty", "", NULL },
		{ "the same", "cpu", "cpu" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = diag_suggest(rows[i].word, fields, ARRAY_LEN(fields));
		if (!rows[i].want ? got != NULL : !got || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s gave %s", rows[i].name, rows[i].word,
				 got ? got : "nothing");
	}
}

static void test_print(void **state)
{
	(void)state;
	struct fixture f = begin();
	diag_init(&f.list, &f.arena);
	diag_warning(&f.list, "b.yaml", ((struct pos){ 1, 2 }), "odd");
	diag_error(&f.list, "b.yaml", ((struct pos){ 10, 1 }), "wrong %d", 2);
	diag_error(&f.list, "b.yaml", ((struct pos){ 2, 7 }), "two\nlines\tof it");
	diag_error(&f.list, "a.yaml", ((struct pos){ 0, 0 }), "unreadable");
	diag_error(&f.list, "b.yaml", ((struct pos){ 10, 1 }), "wrong 2");
	assert_int_equal(f.list.errors, 4);
	diag_sort(&f.list);
	assert_int_equal(f.list.errors, 3);
	assert_int_equal(f.list.warnings, 1);
	diag_print(&f.out, &f.list);
	assert_string_equal(buf_str(&f.out), "a.yaml: error: unreadable\n"
					     "b.yaml:2:7: error: two lines of it\n"
					     "b.yaml:10:1: error: wrong 2\n"
					     "b.yaml:1:2: warning: odd\n");
	end(&f);
}

static size_t lines(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static void test_shown_limit(void **state)
{
	(void)state;
	for (size_t extra = 0; extra < 3; extra++) {
		struct fixture f = begin();
		diag_init(&f.list, &f.arena);
		for (uint32_t i = 0; i < DIAG_SHOWN_MAX + extra; i++)
			diag_error(&f.list, "a", ((struct pos){ i + 1, 1 }), "wrong");
		diag_print(&f.out, &f.list);
		assert_int_equal(lines(buf_str(&f.out)), DIAG_SHOWN_MAX + (extra > 0));
		assert_int_equal(strstr(buf_str(&f.out), "and ") != NULL, extra > 0);
		end(&f);
	}
}

static void test_errors_push_out_warnings(void **state)
{
	(void)state;
	struct fixture f = begin();
	struct diag_list copy;
	diag_init(&f.list, &f.arena);
	diag_init(&copy, &f.arena);
	for (uint32_t i = 0; i < DIAG_KEPT_MAX; i++)
		diag_warning(&f.list, "a", ((struct pos){ i + 1, 1 }), "odd");
	diag_error(&f.list, "a", ((struct pos){ 1, 1 }), "wrong");
	diag_warning(&f.list, "a", ((struct pos){ 1, 1 }), "odd");
	assert_int_equal(f.list.items.len, DIAG_KEPT_MAX);
	assert_int_equal(f.list.items.items[DIAG_KEPT_MAX - 1].severity, DIAG_ERROR);
	diag_append(&copy, &f.list);
	assert_int_equal(copy.errors, 1);
	assert_int_equal(copy.warnings, DIAG_KEPT_MAX + 1);
	for (uint32_t i = 0; i < DIAG_KEPT_MAX + 5; i++)
		diag_error(&copy, "a", ((struct pos){ i + 1, 1 }), "wrong");
	assert_int_equal(copy.items.len, DIAG_KEPT_MAX);
	assert_int_equal(copy.errors, DIAG_KEPT_MAX + 6);
	diag_release(&copy);
	end(&f);
}

static void test_long_text(void **state)
{
	(void)state;
	struct fixture f = begin();
	char text[2 * DIAG_TEXT_MAX + 1];
	diag_init(&f.list, &f.arena);
	memset(text, 'a', sizeof(text));
	text[DIAG_TEXT_MAX] = '\0';
	diag_error(&f.list, "a", ((struct pos){ 1, 1 }), "%s", text);
	assert_string_equal(f.list.items.items[0].text, text);
	text[DIAG_TEXT_MAX] = 'a';
	text[sizeof(text) - 1] = '\0';
	diag_error(&f.list, "a", ((struct pos){ 1, 1 }), "%s", text);
	assert_int_equal(strlen(f.list.items.items[1].text), DIAG_TEXT_MAX);
	for (size_t i = 0; i < sizeof(text) - 1; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	diag_error(&f.list, "a", ((struct pos){ 1, 1 }), "%s", text);
	assert_true(utf8_valid(f.list.items.items[2].text, strlen(f.list.items.items[2].text)));
	end(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suggest),	    cmocka_unit_test(test_print),
		cmocka_unit_test(test_shown_limit), cmocka_unit_test(test_errors_push_out_warnings),
		cmocka_unit_test(test_long_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
