#include "expr/parse.h"

#include <stdlib.h>
#include <string.h>

#include "model/model.h"

/*
 * Recursive descent over the text; every function skips white space before what it reads, and gives
 * NULL (or false) with the first mistake in *error:
 *
 *   or   = and { ("||" | "or") and }
 *   and  = not { ("&&" | "and") not }
 *   not  = ("!" | "not") not | "(" or ")" | test
 *   test = subject ( "exists" | "!exists" | operator value | "in" list | ... )
 */

/* --- tests -------------------------------------------------------------------------------- */

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

/* --- compounds ---------------------------------------------------------------------------- */

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
	struct step *negation = ARENA_NEW(&ps->expr->arena, struct step);
	negation->kind = STEP_NOT;
	negation->operands = parse_not(ps);
	ps->depth--;
	return negation->operands ? negation : NULL;
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

/* --- whole expressions -------------------------------------------------------------------- */

static bool text_acceptable(struct parser *ps)
{
	size_t chars = 0, size;
	for (const char *s = ps->text; *s; s += size) {
		size = 1;
		while (((unsigned char)s[size] & 0xc0) == 0x80)
			size++;
		if (!utf8_valid(s, size)) {
			fail(ps, s, "not valid UTF-8");
			return false;
		}
		if (++chars > LIMIT_EXPRESSION_CHARS) {
			fail(ps, s, "an expression has at most %d characters",
			     LIMIT_EXPRESSION_CHARS);
			return false;
		}
	}
	return true;
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
