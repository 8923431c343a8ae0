/*
 * parse: what the files of the parser share. Private to expr.
 */
#ifndef MUSTER_EXPR_PARSE_H
#define MUSTER_EXPR_PARSE_H

#include "expr/program.h"

struct parser {
	const char *text, *p;
	struct expr *expr;
	struct intern *intern;
	struct expr_error *error;
	struct step **last_test;
	uint32_t depth;
};

/* lex.c: characters, connectives, values */

#define SPACE_CHARS " \t\r\n"

/* The mistake at `at`: the first one is the only one. */
void fail(struct parser *ps, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define SHOWN_BYTES_MAX 60 /* of the user's text in a sentence */

/* What stands at s, for a sentence: not too long, no control characters. */
struct shown {
	char text[SHOWN_BYTES_MAX + 1];
};
struct shown shown(const char *s, size_t len);
struct shown shown_here(const char *s); /* up to the next white space */

bool is_alnum(char c);
bool one_of(char c, const char *set);	     /* false for NUL */
size_t run(const char *s, const char *more); /* how many bytes are letters, digits or in more */
bool word_is(const char *s, size_t len, const char *word);
void skip_space(struct parser *ps);

/* Length of an `and` or `or` at s, 0 where there is none. */
size_t connective(const char *s, const char *word, const char *symbol);
size_t connective_any(const char *s);
bool at_end_of_test(const char *s);

struct literals {
	VEC(struct literal) list;
};
void literals_release(struct literals *literals);

bool parse_value(struct parser *ps, bool in_list, struct literal *out);
bool parse_list(struct parser *ps, struct literals *out); /* "[a, b]"; release out */

/* subject.c: subjects and operators */

enum {
	OP_EXISTS = 1 << TEST_EXISTS,
	OP_EQUAL = 1 << TEST_EQUAL,
	OP_ORDER = 1 << TEST_ORDER,
	OP_MATCH = 1 << TEST_MATCH,
	OP_IN = 1 << (TEST_MATCH + 1),
	OP_TEXT = OP_EQUAL | OP_IN | OP_MATCH,
	OP_NUMBER = OP_EQUAL | OP_ORDER,
};

struct subject_row {
	const char *name;
	enum subject subject;
	unsigned operators;
	const char *operators_text;
};

struct operator_row {
	const char *word; /* of a symbol: the first row that the text begins with */
	enum test test;
	bool negated;
	bool list;
	uint8_t accept;
};

const struct subject_row *parse_subject(struct parser *ps, struct step *test);
/* subject is the text of the subject, for sentences. */
const struct operator_row *parse_operator(struct parser *ps, const char *subject,
					  size_t subject_len);

#endif
