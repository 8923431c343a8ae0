/*
 * expr: the Amazon ECS cluster query language, whole: parse, compile, evaluate, explain.
 *
 * Grammar, operators, aliases, subjects and vectors follow the documented language; what AWS leaves
 * open is decided in DESIGN section 5: not > and > or; an absent attribute makes every comparison
 * false (only `!exists` is true); `=~` matches the whole value (PCRE2 with match and depth limits;
 * hitting one is an error, never a match); `<` and `>` are numeric when both sides are numbers,
 * else byte order.
 *
 * Always holds: an expression is compiled once against an interner, and what it says never changes.
 * Attributes are compared as interned ids, some nanoseconds each; values are only looked at as text
 * for regular expressions and orderings, and the expression remembers the answer for each distinct
 * value (bounded; the only thing that evaluation allocates). So an expression, though const, is for
 * one thread at a time, and for facts of the interner that it was compiled against.
 *
 * Truth has three values: EXPR_UNKNOWN is what a dynamic subject (task:group, runningTasksCount,
 * agentConnected) is where the facts do not give it ("may stay" does not ask them), combined by
 * Kleene's rules, so that `false and unknown` is false.
 */
#ifndef MUSTER_EXPR_H
#define MUSTER_EXPR_H

#include "base/base.h"

enum expr_truth { EXPR_FALSE, EXPR_UNKNOWN, EXPR_TRUE };

/* A mistake in an expression: offset in bytes from its start, and a sentence. */
struct expr_error {
	size_t offset;
	char text[ERR_TEXT_MAX];
};

struct expr_attribute {
	intern_id name, value; /* value 0: exists without a value, compares as "" */
};

/* What an expression can ask of a node. All borrowed. */
struct expr_facts {
	const struct expr_attribute *attributes; /* sorted by name id, names unique */
	uint32_t attribute_count;
	const char *node_name;	   /* node.name and ec2InstanceId */
	const char *cluster;	   /* node.cluster */
	const char *agent_version; /* dotted; NULL: absent */
	int64_t registered_at_ms;  /* since the epoch; INT64_MIN: absent */
	/* Dynamic subjects; with dynamic_known false they make EXPR_UNKNOWN. */
	bool dynamic_known;
	bool agent_connected;
	int64_t running_tasks_count;
	const intern_id *task_groups; /* of the node's tasks: "service:web", "family:web" */
	uint32_t task_group_count;
};

/* Parentheses and nots around an operand. */
#define EXPR_NESTING_MAX 64

struct expr;

/*
 * Compile text (valid UTF-8, at most LIMIT_EXPRESSION_CHARS characters, nesting at most
 * EXPR_NESTING_MAX). Attribute names and literal values are interned. NULL on a mistake, with
 * *error (may be NULL) saying what. Free with expr_free().
 */
struct expr *expr_compile(const char *text, struct intern *intern, struct expr_error *error);
void expr_free(struct expr *expr); /* takes NULL */

const char *expr_text(const struct expr *expr);
/* Does it ask task:group, runningTasksCount or agentConnected? */
bool expr_is_dynamic(const struct expr *expr);

/*
 * Evaluate for one node. limit_hit (may be NULL) is set true when a regular expression ran into its
 * limits; that comparison is then false.
 */
enum expr_truth expr_eval(const struct expr *expr, const struct intern *intern,
			  const struct expr_facts *facts, bool *limit_hit);

/*
 * Attributes that a comparison asks for and that the node lacks, each once; asking (!)exists does
 * not count. Returns the number found (stored: at most max).
 */
uint32_t expr_absent_attributes(const struct expr *expr, const struct expr_facts *facts,
				intern_id *out, uint32_t max);

/*
 * Names of attributes compared with !=, !in or !~ without an `exists`/`!exists` on the same
 * attribute anywhere in the expression: a likely mistake that `validate` warns of. Gives the offset
 * of each comparison in bytes. Returns the number found (stored: at most max).
 */
struct expr_warning {
	size_t offset;
	intern_id attribute;
};
uint32_t expr_negations_without_exists(const struct expr *expr, struct expr_warning *out,
				       uint32_t max);

/*
 * Why it is not true: every operand that decided so, one line each appended to out, as
 *   attribute:env == prod: env is dev
 *   attribute:zone in [a, b]: the node has no attribute zone
 * Nothing when it is true.
 */
void expr_explain(const struct expr *expr, const struct intern *intern,
		  const struct expr_facts *facts, struct buf *out);

#endif
