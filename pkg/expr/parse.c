#include "expr/program.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag/diag.h"
#include "model/model.h"

#define SHOWN_BYTES_MAX 60 /* of the user's text in a sentence */

/*
 * Recursive descent over the text; every function skips white space before what it reads, and gives
 * NULL (or false) with the first mistake in *error:
 *
 *   or   = and { ("||" | "or") and }
 *   and  = not { ("&&" | "and") not }
 *   not  = ("!" | "not") not | "(" or ")" | test
 *   test = subject ( "exists" | "!exists" | operator value | "in" list | ... )
 */
struct parser {
	const char *text, *p;
	struct expr *expr;
	struct intern *intern;
	struct expr_error *error;
	struct step **last_test;
	uint32_t depth;
};

/* --- tables of the language --------------------------------------------------------------------
 */

enum {
	OP_EXISTS = 1 << TEST_EXISTS,
	OP_EQUAL = 1 << TEST_EQUAL,
	OP_ORDER = 1 << TEST_ORDER,
	OP_MATCH = 1 << TEST_MATCH,
	OP_IN = 1 << (TEST_MATCH + 1),
	OP_TEXT = OP_EQUAL | OP_IN | OP_MATCH,
	OP_NUMBER = OP_EQUAL | OP_ORDER,
};

static const struct subject_row {
	const char *name;
	enum subject subject;
	unsigned operators;
	const char *operators_text;
} subjects[] = {
	{ "node.name", SUBJECT_NODE_NAME, OP_TEXT, "== != in !in =~ !~" },
	{ "ec2InstanceId", SUBJECT_NODE_NAME, OP_TEXT, "== != in !in =~ !~" },
	{ "node.cluster", SUBJECT_CLUSTER, OP_TEXT, "== != in !in =~ !~" },
	{ "agentConnected", SUBJECT_AGENT_CONNECTED, OP_TEXT, "== != in !in =~ !~" },
	{ "task:group", SUBJECT_TASK_GROUP, OP_TEXT, "== != in !in =~ !~" },
	{ "agentVersion", SUBJECT_AGENT_VERSION, OP_NUMBER, "== != > >= < <=" },
	{ "registeredAt", SUBJECT_REGISTERED_AT, OP_NUMBER, "== != > >= < <=" },
	{ "runningTasksCount", SUBJECT_RUNNING_TASKS, OP_NUMBER, "== != > >= < <=" },
};
static const char attribute_prefix[] = "attribute:";

static const struct operator_row {
	const char *word; /* of a symbol: the first row that the text begins with */
	enum test test;
	bool negated;
	bool list;
	uint8_t accept;
} operators[] = {
	{ .word = "==", TEST_EQUAL },
	{ .word = "equals", TEST_EQUAL },
	{ .word = "!=", TEST_EQUAL, .negated = true },
	{ .word = "not_equals", TEST_EQUAL, .negated = true },
	{ .word = "=~", TEST_MATCH },
	{ .word = "matches", TEST_MATCH },
	{ .word = "!~", TEST_MATCH, .negated = true },
	{ .word = "not_matches", TEST_MATCH, .negated = true },
	{ .word = ">=", TEST_ORDER, .accept = ACCEPT_GREATER | ACCEPT_EQUAL },
	{ .word = "greater_than_equal", TEST_ORDER, .accept = ACCEPT_GREATER | ACCEPT_EQUAL },
	{ .word = ">", TEST_ORDER, .accept = ACCEPT_GREATER },
	{ .word = "greater_than", TEST_ORDER, .accept = ACCEPT_GREATER },
	{ .word = "<=", TEST_ORDER, .accept = ACCEPT_LESS | ACCEPT_EQUAL },
	{ .word = "less_than_equal", TEST_ORDER, .accept = ACCEPT_LESS | ACCEPT_EQUAL },
	{ .word = "<", TEST_ORDER, .accept = ACCEPT_LESS },
	{ .word = "less_than", TEST_ORDER, .accept = ACCEPT_LESS },
	{ .word = "in", TEST_EQUAL, .list = true },
	{ .word = "!in", TEST_EQUAL, .list = true, .negated = true },
	{ .word = "not_in", TEST_EQUAL, .list = true, .negated = true },
	{ .word = "exists", TEST_EXISTS },
	{ .word = "!exists", TEST_EXISTS, .negated = true },
	{ .word = "not_exists", TEST_EXISTS, .negated = true },
};

/* --- characters --------------------------------------------------------------------------------
 */

static const char space_chars[] = " \t\r\n";

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* How many bytes from s on are letters, digits or in `more`. */
static size_t run(const char *s, const char *more)
{
	size_t n = 0;
	while (is_alnum(s[n]) || one_of(s[n], more))
		n++;
	return n;
}

static bool word_is(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(s, word, len) == 0;
}

static void skip_space(struct parser *ps)
{
	ps->p += strspn(ps->p, space_chars);
}

/* What stands at s, for a sentence: up to the next white space, not too long, no control
 * characters. */
struct shown {
	char text[SHOWN_BYTES_MAX + 1];
};
static struct shown shown(const char *s, size_t len)
{
	struct shown out = { "" };
	size_t n = len < SHOWN_BYTES_MAX ? len : SHOWN_BYTES_MAX;
	while (n < len && n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++)
		out.text[i] = (unsigned char)s[i] < ' ' || s[i] == 0x7f ? ' ' : s[i];
	return out;
}

static struct shown shown_here(const char *s)
{
	return shown(s, strcspn(s, space_chars));
}

static void PRINTF_LIKE(3, 4) fail(struct parser *ps, const char *at, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(ps->error->text, sizeof(ps->error->text), fmt, args);
	va_end(args);
	ps->error->offset = (size_t)(at - ps->text);
}

/* --- and, or -----------------------------------------------------------------------------------
 */

/* Length of an `and` or `or` at s, 0 where there is none. */
static size_t connective(const char *s, const char *word, const char *symbol)
{
	if (strncmp(s, symbol, 2) == 0)
		return 2;
	size_t len = run(s, "_-.:/\\");
	return word_is(s, len, word) ? len : 0;
}

static size_t connective_any(const char *s)
{
	size_t len = connective(s, "and", "&&");
	return len ? len : connective(s, "or", "||");
}

static bool at_end_of_test(const char *s)
{
	return !*s || *s == ')' || connective_any(s);
}

/* --- values ------------------------------------------------------------------------------------
 */

static bool parse_quoted(struct parser *ps, struct literal *out)
{
	const char *open = ps->p, *close = strchr(open + 1, *open);
	if (!close) {
		fail(ps, open, "the quote %c is never closed", *open);
		return false;
	}
	out->at = open + 1;
	out->text = arena_strndup(&ps->expr->arena, open + 1, (size_t)(close - open) - 1);
	ps->p = close + 1;
	if (*ps->p && !one_of(*ps->p, " \t\r\n),]&|")) {
		fail(ps, ps->p, "'%s' stands directly behind a closing quote",
		     shown_here(ps->p).text);
		return false;
	}
	return true;
}

static size_t bare_length(const char *s, bool in_list)
{
	size_t n = 0;
	while (s[n] && !one_of(s[n], in_list ? " \t\r\n),]" : " \t\r\n)") &&
	       strncmp(s + n, "&&", 2) != 0 && strncmp(s + n, "||", 2) != 0)
		n++;
	return n;
}

static bool parse_bare(struct parser *ps, bool in_list, struct literal *out)
{
	const char *s = ps->p;
	size_t len = bare_length(s, in_list);
	if (len == 0 || word_is(s, len, "and") || word_is(s, len, "or")) {
		if (*s)
			fail(ps, s, "a value is missing before '%s'%s", shown_here(s).text,
			     len ? " (in quotes it would be a value)" : "");
		else
			fail(ps, s, "a value is missing at the end");
		return false;
	}
	if (one_of(*s, "=<>!~&|")) {
		fail(ps, s, "a value that begins with '%c' has to stand in quotes", *s);
		return false;
	}
	size_t clean = 0;
	while (clean < len && !one_of(s[clean], "('\""))
		clean++;
	if (clean < len) {
		fail(ps, s + clean, "a value with '%c' in it has to stand in quotes", s[clean]);
		return false;
	}
	out->at = s;
	out->text = arena_strndup(&ps->expr->arena, s, len);
	ps->p += len;
	return true;
}

static bool parse_value(struct parser *ps, bool in_list, struct literal *out)
{
	skip_space(ps);
	if (*ps->p == '\'' || *ps->p == '"')
		return parse_quoted(ps, out);
	return parse_bare(ps, in_list, out);
}

/* "[a, b]": the caller releases the vector. */
struct literals {
	VEC(struct literal) list;
};

static void literals_release(struct literals *literals)
{
	vec_release(&literals->list);
}

static bool parse_list(struct parser *ps, struct literals *out)
{
	skip_space(ps);
	const char *open = ps->p;
	if (*open != '[') {
		fail(ps, open, "a list in square brackets is missing here, such as [a, b]");
		return false;
	}
	ps->p++;
	skip_space(ps);
	if (*ps->p == ']') {
		fail(ps, open, "the list is empty");
		return false;
	}
	for (;;) {
		struct literal one;
		if (!parse_value(ps, true, &one))
			return false;
		*vec_push(&out->list) = one;
		skip_space(ps);
		if (*ps->p == ']')
			break;
		if (*ps->p != ',') {
			fail(ps, *ps->p ? ps->p : open,
			     *ps->p ? "a ',' or the ']' of the list is missing here"
				    : "the list is never closed by a ']'");
			return false;
		}
		ps->p++;
	}
	ps->p++;
	return true;
}

/* --- operators ---------------------------------------------------------------------------------
 */

/* Explains why what stands at s is no operator. */
static void fail_operator(struct parser *ps, const char *subject, size_t subject_len, const char *s)
{
	static const char all[] = "== != > >= < <= =~ !~ in !in exists !exists";
	struct shown name = shown(subject, subject_len);
	size_t len = run(s, "_-");
	if (at_end_of_test(s)) {
		fail(ps, subject, "'%s' stands alone: an operator has to follow, such as '%s %s'",
		     name.text, name.text,
		     strncmp(subject, attribute_prefix, strlen(attribute_prefix)) == 0
			     ? "exists"
			     : "== VALUE");
	} else if (*s == '=') {
		fail(ps, s, "a single '=' is no operator, write '=='");
	} else if (word_is(s, len, "not")) {
		fail(ps, s,
		     "'not' stands before a whole comparison; the operators are !=, !~, "
		     "!in and !exists");
	} else if (len || *s == '!') {
		size_t whole = *s == '!' ? 1 + run(s + 1, "_-") : len;
		const char *words[ARRAY_LEN(operators)];
		for (size_t i = 0; i < ARRAY_LEN(operators); i++)
			words[i] = operators[i].word;
		const char *near = diag_suggest(shown(s, whole).text, words, ARRAY_LEN(words));
		if (near)
			fail(ps, s, "unknown operator '%s', did you mean '%s'?",
			     shown(s, whole).text, near);
		else
			fail(ps, s, "unknown operator '%s'; there are %s", shown(s, whole).text,
			     all);
	} else {
		fail(ps, s, "an operator is missing before '%s'; there are %s", shown_here(s).text,
		     all);
	}
}

static const struct operator_row *parse_operator(struct parser *ps, const char *subject,
						 size_t subject_len)
{
	skip_space(ps);
	for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
		const struct operator_row *row = &operators[i];
		size_t len = strlen(row->word);
		if (strncmp(ps->p, row->word, len) != 0)
			continue;
		bool is_word = is_alnum(row->word[len - 1]);
		if (is_word && run(ps->p + len, "_-") > 0)
			continue;
		ps->p += len;
		return row;
	}
	fail_operator(ps, subject, subject_len, ps->p);
	return NULL;
}

/* --- subjects ----------------------------------------------------------------------------------
 */

static void fail_subject(struct parser *ps, const char *s, size_t len)
{
	static const char all[] = "there are attribute:NAME, task:group, node.name, node.cluster, "
				  "ec2InstanceId, agentConnected, agentVersion, registeredAt, "
				  "runningTasksCount";
	const char *names[ARRAY_LEN(subjects) + 3] = { "attribute", "and", "or" };
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		names[i + 3] = subjects[i].name;
	const char *colon = memchr(s, ':', len);
	struct shown word = shown(s, len);
	const char *near = NULL;
	if (colon)
		near = diag_suggest(shown(s, (size_t)(colon - s)).text, names, 1);
	if (near) {
		fail(ps, s, "unknown subject '%s', did you mean 'attribute:%s'?", word.text,
		     shown(colon + 1, len - (size_t)(colon + 1 - s)).text);
		return;
	}
	near = diag_suggest(word.text, names, ARRAY_LEN(names));
	if (near && strcmp(near, "attribute") != 0)
		fail(ps, s, "unknown subject '%s', did you mean '%s'?", word.text, near);
	else if (!colon)
		fail(ps, s, "unknown subject '%s': an attribute is written attribute:%s; %s",
		     word.text, word.text, all);
	else
		fail(ps, s, "unknown subject '%s'; %s", word.text, all);
}

static void fail_no_subject(struct parser *ps)
{
	const char *s = ps->p;
	if (!*s && s == ps->text + strspn(ps->text, space_chars))
		fail(ps, s, "the expression is empty");
	else if (!*s)
		fail(ps, s, "a comparison is missing at the end");
	else
		fail(ps, s, "a comparison is missing before '%s'", shown_here(s).text);
}

static bool parse_attribute_name(struct parser *ps, const char *s, size_t len, struct step *test)
{
	size_t valid = run(s, "-_/\\.");
	if (len == 0 || valid == 0) {
		fail(ps, s, "the name of an attribute is missing after 'attribute:'");
		return false;
	}
	if (valid < len) {
		fail(ps, s + valid, "the name of an attribute has letters, digits and -_/\\. only");
		return false;
	}
	if (len > LIMIT_ATTRIBUTE_CHARS) {
		fail(ps, s, "the name of an attribute has at most %d characters",
		     LIMIT_ATTRIBUTE_CHARS);
		return false;
	}
	test->subject = SUBJECT_ATTRIBUTE;
	test->attribute = intern_addn(ps->intern, s, len);
	return true;
}

static const struct subject_row *parse_subject(struct parser *ps, struct step *test)
{
	static const struct subject_row attribute = { "attribute", SUBJECT_ATTRIBUTE,
						      OP_TEXT | OP_NUMBER | OP_EXISTS, "" };
	const char *s = ps->p;
	size_t len = run(s, "-_/\\.:"), prefix = strlen(attribute_prefix);
	ps->p += len;
	if (len >= prefix && strncmp(s, attribute_prefix, prefix) == 0)
		return parse_attribute_name(ps, s + prefix, len - prefix, test) ? &attribute : NULL;
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		if (!word_is(s, len, subjects[i].name))
			continue;
		test->subject = subjects[i].subject;
		return &subjects[i];
	}
	ps->p = s;
	if (len == 0 || connective_any(s))
		fail_no_subject(ps);
	else
		fail_subject(ps, s, len);
	return NULL;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static bool parse_literals(struct parser *ps, const struct operator_row *op, struct step *test)
{
	struct literals literals CLEANUP(literals_release) = { 0 };
	skip_space(ps);
	if (op->list) {
		if (!parse_list(ps, &literals))
			return false;
	} else if (*ps->p == '[' && op->test == TEST_EQUAL) {
		fail(ps, ps->p, "'%s' takes one value, a list needs '%s'", op->word,
		     op->negated ? "!in" : "in");
		return false;
	} else if (!parse_value(ps, false, vec_push(&literals.list))) {
		return false;
	}
	const char *at = ps->p;
	char text[ERR_TEXT_MAX];
	if (!step_set_literals(test, ps->expr, ps->intern, literals.list.items,
			       (uint32_t)literals.list.len, &at, text)) {
		fail(ps, at, "%s", text);
		return false;
	}
	return true;
}

/* Keeps the test in the expression's list, so that expr_free() finds it. */
static struct step *test_new(struct parser *ps)
{
	struct step *test = ARENA_NEW(&ps->expr->arena, struct step);
	test->kind = STEP_TEST;
	test->offset = (uint32_t)(ps->p - ps->text);
	*ps->last_test = test;
	ps->last_test = &test->next_test;
	return test;
}

static struct step *parse_test(struct parser *ps)
{
	const char *start = ps->p;
	struct step *test = test_new(ps);
	const struct subject_row *subject = parse_subject(ps, test);
	if (!subject)
		return NULL;
	const struct operator_row *op = parse_operator(ps, start, (size_t)(ps->p - start));
	if (!op)
		return NULL;
	if (!(subject->operators & (op->list ? OP_IN : 1u << op->test))) {
		fail(ps, ps->p - strlen(op->word), "%s knows only the operators %s, not '%s'",
		     subject->name, subject->operators_text, op->word);
		return NULL;
	}
	test->test = op->test;
	test->negated = op->negated;
	test->accept = op->accept;
	if (test->test == TEST_EQUAL && subject->operators == OP_NUMBER) {
		test->test = TEST_ORDER; /* compared as a number, not as a text */
		test->accept = ACCEPT_EQUAL;
	}
	ps->expr->dynamic = ps->expr->dynamic || subject->subject >= SUBJECT_FIRST_DYNAMIC;
	if (op->test != TEST_EXISTS && !parse_literals(ps, op, test))
		return NULL;
	test->size = (uint32_t)(ps->p - start);
	return test;
}

/* --- compounds ---------------------------------------------------------------------------------
 */

static struct step *parse_or(struct parser *ps);

static bool enter(struct parser *ps)
{
	if (++ps->depth <= EXPR_NESTING_MAX)
		return true;
	fail(ps, ps->p, "nested more than %d deep", EXPR_NESTING_MAX);
	return false;
}

static struct step *parse_group(struct parser *ps)
{
	const char *open = ps->p;
	if (!enter(ps))
		return NULL;
	ps->p++;
	struct step *inner = parse_or(ps);
	if (!inner)
		return NULL;
	if (*ps->p != ')') {
		fail(ps, open, "the '(' is never closed");
		return NULL;
	}
	ps->p++;
	ps->depth--;
	return inner;
}

static struct step *parse_not(struct parser *ps)
{
	skip_space(ps);
	if (*ps->p == '(')
		return parse_group(ps);
	size_t len = *ps->p == '!' ? 1 : word_is(ps->p, run(ps->p, "-_/\\.:"), "not") ? 3 : 0;
	if (len == 0)
		return parse_test(ps);
	if (!enter(ps))
		return NULL;
	ps->p += len;
	struct step *not = ARENA_NEW(&ps->expr->arena, struct step);
	not ->kind = STEP_NOT;
	not ->operands = parse_not(ps);
	ps->depth--;
	return not ->operands ? not : NULL;
}

/* Something follows a whole operand that is neither a connective, nor ')', nor the end. */
static void fail_trailing(struct parser *ps)
{
	const char *s = ps->p;
	size_t len = run(s, "_-.:/\\");
	if (*s == '&' || *s == '|')
		fail(ps, s, "a single '%c' is no operator, write '%c%c'", *s, *s, *s);
	else if (word_is(s, len, "AND") || word_is(s, len, "OR"))
		fail(ps, s, "'%.*s' is written in lower case here", (int)len, s);
	else
		fail(ps, s,
		     "'%s' is unexpected: 'and', 'or' or the end comes after a comparison, and a "
		     "value with spaces has to stand in quotes",
		     shown_here(s).text);
}

/* Operands of one level, joined by one connective; a single operand stands for itself. */
static struct step *parse_chain(struct parser *ps, enum step_kind kind,
				struct step *(*parse_operand)(struct parser *ps), const char *word,
				const char *symbol)
{
	struct step *first = parse_operand(ps), *last = first, *chain = NULL;
	while (last) {
		skip_space(ps);
		size_t len = connective(ps->p, word, symbol);
		if (len == 0)
			return chain ? chain : first;
		ps->p += len;
		if (!chain) {
			chain = ARENA_NEW(&ps->expr->arena, struct step);
			chain->kind = kind;
			chain->operands = first;
		}
		last->next = parse_operand(ps);
		last = last->next;
	}
	return NULL;
}

static struct step *parse_and(struct parser *ps)
{
	return parse_chain(ps, STEP_AND, parse_not, "and", "&&");
}

static struct step *parse_or(struct parser *ps)
{
	struct step *step = parse_chain(ps, STEP_OR, parse_and, "or", "||");
	if (step && *ps->p && *ps->p != ')') {
		fail_trailing(ps);
		return NULL;
	}
	return step;
}

/* --- whole expressions -------------------------------------------------------------------------
 */

static bool text_acceptable(struct parser *ps)
{
	size_t chars = 0;
	for (const char *s = ps->text; *s; s++) {
		bool starts = ((unsigned char)*s & 0xc0) != 0x80;
		if (starts && ++chars > LIMIT_EXPRESSION_CHARS) {
			fail(ps, s, "an expression has at most %d characters",
			     LIMIT_EXPRESSION_CHARS);
			return false;
		}
	}
	if (utf8_valid(ps->text, strlen(ps->text)))
		return true;
	fail(ps, ps->text, "not valid UTF-8");
	return false;
}

/* So that each attribute is counted once by expr_absent_attributes(). */
static void mark_repeated(struct expr *expr)
{
	for (struct step *t = expr->tests; t; t = t->next_test)
		for (const struct step *u = expr->tests; u != t && !t->repeated; u = u->next_test)
			t->repeated = u->attribute == t->attribute && u->test != TEST_EXISTS;
}

struct expr *expr_compile(const char *text, struct intern *intern, struct expr_error *error)
{
	struct expr *expr = xcalloc(1, sizeof(*expr));
	struct expr_error unused;
	arena_init(&expr->arena);
	expr->text = arena_strdup(&expr->arena, text);
	struct parser ps = { .text = expr->text,
			     .p = expr->text,
			     .expr = expr,
			     .intern = intern,
			     .error = error ? error : &unused,
			     .last_test = &expr->tests };
	if (text_acceptable(&ps))
		expr->root = parse_or(&ps);
	if (expr->root && *ps.p) {
		fail(&ps, ps.p, "this ')' closes nothing");
		expr->root = NULL;
	}
	if (expr->root) {
		mark_repeated(expr);
		return expr;
	}
	expr_free(expr);
	return NULL;
}
