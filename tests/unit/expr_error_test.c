/* Mistakes in expressions: each with its offset and a sentence that helps; and the limits. */
#include "expr_world.h"

#include <stdio.h>

#include "model/model.h"

/* `want` is part of the sentence; '^' stands in text where the mistake is, and is taken out. */
struct mistake {
	const char *text, *want;
};

static void check_mistakes(const struct mistake *rows, size_t count)
{
	struct intern *intern = intern_new();
	for (size_t i = 0; i < count; i++) {
		char text[256];
		const char *mark = strchr(rows[i].text, '^');
		assert_non_null(mark);
		size_t offset = (size_t)(mark - rows[i].text);
		snprintf(text, sizeof(text), "%.*s%s", (int)offset, rows[i].text, mark + 1);
		struct expr_error error;
		if (expr_compile(text, intern, &error))
			fail_msg("'%s' compiles", text);
		if (error.offset != offset || !strstr(error.text, rows[i].want))
			fail_msg("'%s': %zu: %s", text, error.offset, error.text);
		if (strchr(error.text, '\n') || error.text[strlen(error.text) - 1] == '.')
			fail_msg("not a sentence for a list: '%s'", error.text);
		assert_null(expr_compile(text, intern, NULL));
	}
	intern_free(intern);
}

static void subjects(void **state UNUSED)
{
	static const struct mistake rows[] = {
		{ "^", "the expression is empty" },
		{ "  \n ^", "the expression is empty" },
		{ "^attribute:env", "'attribute:env' stands alone: an operator has to follow, such "
				    "as 'attribute:env exists'" },
		{ "attribute:a exists && ^attribute:env", "stands alone" },
		{ "^attribute:env and attribute:a exists", "stands alone" },
		{ "(^attribute:env)", "stands alone" },
		{ "^node.name", "such as 'node.name == VALUE'" },
		{ "^env == prod", "unknown subject 'env': an attribute is written attribute:env" },
		{ "attribute:a exists and ^some-other-thing",
		  "unknown subject 'some-other-thing'" },
		{ "^atribute:env == prod", "did you mean 'attribute:env'?" },
		{ "^Attribute:env == prod", "did you mean 'attribute:env'?" },
		{ "^agentversion < 1", "did you mean 'agentVersion'?" },
		{ "^runningTaskCount < 1", "did you mean 'runningTasksCount'?" },
		{ "^task:groups == a", "did you mean 'task:group'?" },
		{ "^NOT attribute:a exists", "did you mean 'not'?" },
		{ "^'env' == prod", "a comparison is missing before ''env''" },
		{ "^== prod", "a comparison is missing before '=='" },
		{ "^and attribute:a exists", "a comparison is missing before 'and'" },
		{ "attribute:a exists and^", "a comparison is missing at the end" },
		{ "attribute:a exists or ^or attribute:b exists", "missing before 'or'" },
		{ "!^", "a comparison is missing at the end" },
		{ "attribute:^ == a", "name of an attribute is missing" },
		{ "attribute:^é == a", "name of an attribute is missing" },
		{ "attribute:a^:b == a", "letters, digits and" },
	};
	check_mistakes(rows, ARRAY_LEN(rows));
}

static void operators(void **state UNUSED)
{
	static const struct mistake rows[] = {
		{ "attribute:profile ^= background", "a single '=' is no operator, write '=='" },
		{ "attribute:a^=b", "a single '='" },
		{ "attribute:a ^Exists", "unknown operator 'Exists', did you mean 'exists'?" },
		{ "attribute:a ^exist", "did you mean 'exists'?" },
		{ "attribute:a ^equal b", "did you mean 'equals'?" },
		{ "attribute:a ^!exist", "did you mean '!exists'?" },
		{ "attribute:a ^!equals b", "unknown operator '!equals'; there are ==" },
		{ "attribute:a ^like b", "unknown operator 'like'; there are ==" },
		{ "attribute:a ^inn [b]", "unknown operator 'inn'" },
		{ "attribute:a ^! b", "unknown operator '!'" },
		{ "attribute:a ^not in [b]", "the operators are !=, !~, !in and !exists" },
		{ "attribute:a ^$ b", "an operator is missing before '$'" },
		{ "attribute:a ^é b", "an operator is missing before 'é'" },
		{ "agentConnected ^exists", "agentConnected knows only the operators == != in" },
		{ "agentConnected ^> true", "not '>'" },
		{ "agentVersion ^=~ 1.*", "agentVersion knows only the operators == != >" },
		{ "registeredAt ^in [2018-02-13]", "registeredAt knows only" },
		{ "task:group ^< a", "task:group knows only" },
		{ "node.name ^>= a", "node.name knows only" },
	};
	check_mistakes(rows, ARRAY_LEN(rows));
}

static void values(void **state UNUSED)
{
	static const struct mistake rows[] = {
		{ "attribute:a ==^", "a value is missing at the end" },
		{ "attribute:a == ^)", "a value is missing before ')'" },
		{ "attribute:a == ^&& attribute:b exists", "a value is missing before '&&'" },
		{ "attribute:a == ^and", "a value is missing before 'and' (in quotes it would be" },
		{ "attribute:a == ^'prod", "the quote ' is never closed" },
		{ "attribute:a in [b, ^\"prod]", "the quote \" is never closed" },
		{ "attribute:a == 'b'^c", "'c' stands directly behind a closing quote" },
		{ "attribute:a == it^'s", "a value with ''' in it has to stand in quotes" },
		{ "attribute:a == b ^c", "'c' is unexpected" },
		{ "attribute:a ==^= b", "begins with '=' has to stand in quotes" },
		{ "attribute:a <^> b", "begins with '>' has to stand in quotes" },
		{ "attribute:a == ^[b]", "'==' takes one value, a list needs 'in'" },
		{ "attribute:a != ^[b]", "'!=' takes one value, a list needs '!in'" },
		{ "attribute:a in ^[]", "the list is empty" },
		{ "attribute:a in ^[ ]", "the list is empty" },
		{ "attribute:a in [b,^]", "a value is missing before ']'" },
		{ "attribute:a in [^,b]", "a value is missing before ','" },
		{ "attribute:a in [b ^c]", "a ',' or the ']' of the list is missing here" },
		{ "attribute:a in ^[b, c", "the list is never closed by a ']'" },
		{ "attribute:a in ^(b, c)", "a list in square brackets is missing here" },
		{ "attribute:a in^", "a list in square brackets is missing here" },
		{ "agentVersion < ^latest", "a version such as 1.14.5" },
		{ "agentVersion < '^1..2'", "a version such as 1.14.5" },
		{ "agentVersion < ^1.2.", "a version such as 1.14.5" },
		{ "agentVersion < '^'", "a version such as 1.14.5" },
		{ "registeredAt < ^yesterday", "a date such as 2018-06-18" },
		{ "registeredAt < ^2018-02-30", "a date such as 2018-06-18" },
		{ "registeredAt < ^2018-06-18T22:28", "a date such as 2018-06-18" },
		{ "registeredAt < ^2018-06-18T22:28:28+25:00", "a date such as 2018-06-18" },
		{ "registeredAt < ^2018-06-18T22:28:28.Z1", "a date such as 2018-06-18" },
		{ "runningTasksCount == ^many", "a whole number" },
		{ "runningTasksCount == ^1.5", "a whole number" },
		{ "agentConnected == ^yes", "true or false" },
		{ "agentConnected in [true, ^no]", "true or false" },
	};
	check_mistakes(rows, ARRAY_LEN(rows));
}

static void regular_expressions(void **state UNUSED)
{
	static const struct mistake rows[] = {
		{ "attribute:a =~ ^(b|c).*", "a value with '(' in it has to stand in quotes" },
		{ "attribute:a =~ b^(c)", "a value with '(' in it has to stand in quotes" },
		{ "attribute:a =~ '(b^'", "not a regular expression: missing closing parenthesis" },
		{ "attribute:a =~ '^*'", "not a regular expression: quantifier" },
		{ "attribute:a =~ [a-^", "not a regular expression: missing terminating ]" },
		{ "attribute:a =~ '\\C^'", "not a regular expression" },
	};
	check_mistakes(rows, ARRAY_LEN(rows));
}

static void compounds(void **state UNUSED)
{
	static const struct mistake rows[] = {
		{ "^(attribute:a exists", "the '(' is never closed" },
		{ "(attribute:a exists and ^(attribute:b exists", "the '(' is never closed" },
		{ "attribute:a exists^)", "this ')' closes nothing" },
		{ "(attribute:a == b)^)", "this ')' closes nothing" },
		{ "(^)", "a comparison is missing before ')'" },
		{ "attribute:a exists ^attribute:b exists", "'attribute:b' is unexpected: 'and'" },
		{ "(attribute:a exists) ^attribute:b exists", "is unexpected" },
		{ "attribute:a exists ^& attribute:b exists", "a single '&' is no operator" },
		{ "attribute:a exists ^| attribute:b exists", "write '||'" },
		{ "attribute:a exists ^AND attribute:b exists", "'AND' is written in lower case" },
		{ "attribute:a exists ^OR attribute:b exists", "'OR' is written in lower case" },
	};
	check_mistakes(rows, ARRAY_LEN(rows));
}

static void long_words_are_cut(void **state UNUSED)
{
	struct intern *intern = intern_new();
	struct expr_error error;
	struct buf text = { 0 };
	for (size_t i = 0; i < 250; i++)
		buf_adds(&text, "äöx");
	assert_null(expr_compile(buf_str(&text), intern, &error));
	assert_true(utf8_valid(error.text, strlen(error.text)));
	assert_true(strlen(error.text) < 200);
	buf_release(&text);
	intern_free(intern);
}

static bool compiles(const char *text, struct expr_error *error)
{
	struct intern *intern = intern_new();
	struct expr *expr = expr_compile(text, intern, error);
	bool ok = expr;
	expr_free(expr);
	intern_free(intern);
	return ok;
}

/* Characters, not bytes: 2000 pass, 2001 do not. */
static void length_limit(void **state UNUSED)
{
	struct buf text = { 0 };
	struct expr_error error;
	buf_adds(&text, "attribute:a == '");
	size_t chars = text.len;
	for (; chars < LIMIT_EXPRESSION_CHARS - 1; chars++)
		buf_adds(&text, "é");
	buf_adds(&text, "'");
	assert_true(compiles(buf_str(&text), &error));
	size_t bytes = text.len;
	buf_adds(&text, " ");
	assert_false(compiles(buf_str(&text), &error));
	assert_int_equal(error.offset, bytes);
	assert_string_equal(error.text, "an expression has at most 2000 characters");
	buf_release(&text);
}

static void nesting_limit(void **state UNUSED)
{
	static const char *const openings[] = { "(", "!", "not " };
	for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
		for (int depth = EXPR_NESTING_MAX; depth <= EXPR_NESTING_MAX + 1; depth++) {
			struct buf text = { 0 };
			struct expr_error error;
			for (int n = 0; n < depth; n++)
				buf_adds(&text, openings[i]);
			buf_adds(&text, "attribute:a exists");
			for (int n = 0; n < depth && i == 0; n++)
				buf_addc(&text, ')');
			assert_int_equal(compiles(buf_str(&text), &error),
					 depth <= EXPR_NESTING_MAX);
			if (depth > EXPR_NESTING_MAX) {
				assert_int_equal(error.offset,
						 EXPR_NESTING_MAX * strlen(openings[i]));
				assert_string_equal(error.text, "nested more than 64 deep");
			}
			buf_release(&text);
		}
	}
}

/* Depth is what is open at once: a long chain of groups is none. */
static void chains_are_not_nested(void **state UNUSED)
{
	struct buf text = { 0 };
	struct expr_error error;
	for (int i = 0; i < 75; i++)
		buf_addf(&text, "%s!(attribute:a exists)", i ? (i % 2 ? "&&" : "||") : "");
	assert_true(text.len <= LIMIT_EXPRESSION_CHARS);
	assert_true(compiles(buf_str(&text), &error));
	buf_release(&text);
}

static void attribute_name_limit(void **state UNUSED)
{
	struct expr_error error;
	for (int len = LIMIT_ATTRIBUTE_CHARS; len <= LIMIT_ATTRIBUTE_CHARS + 1; len++) {
		struct buf text = { 0 };
		buf_addf(&text, "attribute:%0*d exists", len, 0);
		assert_int_equal(compiles(buf_str(&text), &error), len <= LIMIT_ATTRIBUTE_CHARS);
		buf_release(&text);
	}
	assert_string_equal(error.text, "the name of an attribute has at most 128 characters");
}

static void bytes_that_are_not_utf8(void **state UNUSED)
{
	struct expr_error error;
	assert_false(compiles("attribute:a == \xff", &error));
	assert_int_equal(error.offset, 15);
	assert_string_equal(error.text, "not valid UTF-8");
	assert_false(compiles("attribute:a == \xc3", &error));
	assert_int_equal(error.offset, 15);
}

/* A larger regular expression than PCRE2 compiles is a mistake, not a crash. */
static void too_large_regular_expressions(void **state UNUSED)
{
	struct expr_error error;
	assert_false(compiles("attribute:a =~ '((((a{1,500}){1,500}){1,500}){1,500})'", &error));
	assert_non_null(strstr(error.text, "not a regular expression: "));

	struct buf text = { 0 };
	buf_adds(&text, "attribute:a =~ '");
	for (int i = 0; i < 65; i++)
		buf_addc(&text, '(');
	for (int i = 0; i < 65; i++)
		buf_addc(&text, ')');
	buf_addc(&text, '\'');
	assert_false(compiles(buf_str(&text), &error));
	assert_non_null(strstr(error.text, "too deeply nested"));
	buf_release(&text);
}

/* Real expressions from public sources; those with a note in brackets are to be refused. */
static void corpus(void **state UNUSED)
{
	char path[1024];
	const char *dir = getenv("CORPUS");
	snprintf(path, sizeof(path), "%s/expressions.txt", dir && *dir ? dir : "../shared/corpus");
	FILE *file = fopen(path, "re");
	if (!file)
		skip();
	char line[4096];
	size_t count = 0;
	while (fgets(line, sizeof(line), file)) {
		char *source = strchr(line, '\t');
		assert_non_null(source);
		*source++ = '\0';
		bool refused = strchr(source, '[');
		struct expr_error error = { 0 };
		if (compiles(line, &error) == refused)
			fail_msg("'%s' (%s): %s", line, source, error.text);
		if (refused && error.offset == 0)
			fail_msg("'%s': no offset", line);
		count++;
	}
	fclose(file);
	assert_true(count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subjects),
		cmocka_unit_test(operators),
		cmocka_unit_test(values),
		cmocka_unit_test(regular_expressions),
		cmocka_unit_test(compounds),
		cmocka_unit_test(long_words_are_cut),
		cmocka_unit_test(length_limit),
		cmocka_unit_test(nesting_limit),
		cmocka_unit_test(chains_are_not_nested),
		cmocka_unit_test(attribute_name_limit),
		cmocka_unit_test(bytes_that_are_not_utf8),
		cmocka_unit_test(too_large_regular_expressions),
		cmocka_unit_test(corpus),
	};
	return cmocka_run_group_tests_name("expr error", tests, NULL, NULL);
}
