#include "expr/program.h"

#include <stdlib.h>

static enum expr_truth test_eval(const struct step *test, const struct intern *intern,
				 const struct expr_facts *facts, bool *limit_hit)
{
	enum answer answer = answer_test(test, intern, facts);
	switch (answer) {
	case ANSWER_NO:
	case ANSWER_YES: return (answer == ANSWER_YES) != test->negated ? EXPR_TRUE : EXPR_FALSE;
	case ANSWER_UNKNOWN: return EXPR_UNKNOWN;
	case ANSWER_LIMIT: *limit_hit = true; return EXPR_FALSE;
	case ANSWER_ABSENT: break;
	}
	return EXPR_FALSE;
}

/*
 * Kleene's logic over the order FALSE < UNKNOWN < TRUE: `and` is the least of its operands, `or`
 * the greatest, and `not` turns the order around. Recursion is bounded by the nesting limit.
 */
enum expr_truth step_eval(const struct step *step, const struct intern *intern,
			  const struct expr_facts *facts, bool *limit_hit)
{
	const struct step *o = step->operands;
	enum expr_truth truth, decided;
	switch (step->kind) {
	case STEP_TEST: return test_eval(step, intern, facts, limit_hit);
	case STEP_NOT: return EXPR_TRUE - step_eval(o, intern, facts, limit_hit);
	case STEP_AND:
	case STEP_OR: break;
	}
	decided = step->kind == STEP_AND ? EXPR_FALSE : EXPR_TRUE;
	truth = EXPR_TRUE - decided;
	for (; o && truth != decided; o = o->next) {
		enum expr_truth one = step_eval(o, intern, facts, limit_hit);
		if (step->kind == STEP_AND ? one < truth : one > truth)
			truth = one;
	}
	return truth;
}

enum expr_truth expr_eval(const struct expr *expr, const struct intern *intern,
			  const struct expr_facts *facts, bool *limit_hit)
{
	bool unused = false;
	return step_eval(expr->root, intern, facts, limit_hit ? limit_hit : &unused);
}

const char *expr_text(const struct expr *expr)
{
	return expr->text;
}

bool expr_is_dynamic(const struct expr *expr)
{
	return expr->dynamic;
}

void expr_free(struct expr *expr)
{
	if (!expr)
		return;
	for (struct step *test = expr->tests; test; test = test->next_test)
		step_release(test);
	arena_release(&expr->arena);
	free(expr);
}
