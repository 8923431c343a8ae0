/*
 * program: what an expression is compiled to. Private to expr.
 *
 * A tree of steps in the expression's arena. AND and OR have two operands or more, NOT has one, a
 * TEST has none: it compares one subject with the literals that were written after it.
 */
#ifndef MUSTER_EXPR_PROGRAM_H
#define MUSTER_EXPR_PROGRAM_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "expr/expr.h"

/*
 * What a regular expression may cost: to compile, and for each value that it is matched with.
 * 20,000 steps are some 0.2 ms, so that the worst one over a fleet of 10,000 distinct values takes
 * 2 s.
 */
#define REGEX_PARENS_MAX  64
#define REGEX_MATCH_LIMIT 20000
#define REGEX_DEPTH_LIMIT 2000
#define REGEX_HEAP_KIB	  256

/* A memo that has so many slots is emptied instead of grown, so that its memory is bounded. */
#define MEMO_SLOTS_MAX (1u << 16)

enum subject {
	SUBJECT_ATTRIBUTE,
	SUBJECT_NODE_NAME,
	SUBJECT_CLUSTER,
	SUBJECT_AGENT_VERSION,
	SUBJECT_REGISTERED_AT,
	SUBJECT_AGENT_CONNECTED, /* from here on: of what runs just now */
	SUBJECT_RUNNING_TASKS,
	SUBJECT_TASK_GROUP,
	SUBJECT_FIRST_DYNAMIC = SUBJECT_AGENT_CONNECTED,
};

enum test { TEST_EXISTS, TEST_EQUAL, TEST_ORDER, TEST_MATCH };

/* Which outcomes of a three-way comparison satisfy a TEST_ORDER. */
enum { ACCEPT_LESS = 1, ACCEPT_EQUAL = 2, ACCEPT_GREATER = 4 };

/*
 * What a TEST says of a node, before its negation. Only NO and YES can be negated: an absent
 * subject and a regular expression that gave up make the comparison false either way.
 */
enum answer { ANSWER_NO, ANSWER_YES, ANSWER_LIMIT, ANSWER_ABSENT, ANSWER_UNKNOWN };

/* Value id → answer, open addressing. A slot is (id + 1) << 2 | answer (NO, YES or LIMIT), 0 is
 * free. */
struct memo {
	uint32_t *slots;
	uint32_t mask, used;
};

struct regex {
	pcre2_code *code;
	pcre2_match_data *data; /* scratch */
	pcre2_match_context *limits;
};

enum step_kind { STEP_TEST, STEP_AND, STEP_OR, STEP_NOT };

struct step {
	enum step_kind kind;
	struct step *operands, *next; /* first operand; next operand of the same parent */
	/* Of a TEST only: */
	enum subject subject;
	enum test test;
	bool negated;
	uint8_t accept;	       /* TEST_ORDER */
	intern_id attribute;   /* SUBJECT_ATTRIBUTE */
	const intern_id *ids;  /* the literals, ascending; "" is there as 0 too */
	uint32_t id_count;     /* 1 for all but lists, and 1 more for "" */
	int64_t number;	       /* literal of runningTasksCount; of registeredAt in seconds */
	struct regex *regex;   /* TEST_MATCH */
	struct memo *memo;     /* TEST_ORDER, TEST_MATCH over interned values */
	uint32_t offset, size; /* place in the text */
	bool repeated;	       /* an earlier test compares the same attribute */
	struct step *next_test;
};

struct expr {
	struct arena arena;
	const char *text;
	struct step *root;
	struct step *tests; /* all of them, in the order of the text */
	bool dynamic;
};

/* literal.c: what stands after an operator */

struct literal {
	const char *text; /* NUL-terminated, without quotes */
	const char *at;	  /* where its text begins in the expression, for errors */
};

/* Fill the literals of step; false with *at and text set where one does not suit the subject. */
bool step_set_literals(struct step *step, struct expr *expr, struct intern *intern,
		       const struct literal *literals, uint32_t count, const char **at,
		       char text[ERR_TEXT_MAX]);
void step_release(struct step *step); /* what is not in the arena */

/* answer.c: one TEST about one node */

const struct expr_attribute *attribute_find(const struct expr_facts *facts, intern_id name);
enum answer answer_test(const struct step *test, const struct intern *intern,
			const struct expr_facts *facts);

/* eval.c */

enum expr_truth step_eval(const struct step *step, const struct intern *intern,
			  const struct expr_facts *facts, bool *limit_hit);

#endif
