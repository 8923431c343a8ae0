/* A node to ask, for the tests of expr. */
#ifndef MUSTER_TEST_EXPR_WORLD_H
#define MUSTER_TEST_EXPR_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expr/expr.h"

struct world {
	struct intern *intern;
	struct expr_attribute attributes[64];
	intern_id groups[16];
	struct expr_facts facts;
};

static inline int attribute_compare(const void *a, const void *b)
{
	const struct expr_attribute *x = a, *y = b;
	return (x->name > y->name) - (x->name < y->name);
}

/* value NULL: exists without one */
static inline void world_attribute(struct world *w, const char *name, const char *value)
{
	w->attributes[w->facts.attribute_count++] =
		(struct expr_attribute){ .name = intern_add(w->intern, name),
					 .value = value ? intern_add(w->intern, value) : 0 };
	qsort(w->attributes, w->facts.attribute_count, sizeof(w->attributes[0]), attribute_compare);
	w->facts.attributes = w->attributes;
}

static inline void world_group(struct world *w, const char *group)
{
	w->groups[w->facts.task_group_count++] = intern_add(w->intern, group);
	w->facts.task_groups = w->groups;
}

static inline void world_init(struct world *w)
{
	*w = (struct world){ .intern = intern_new() };
	w->facts = (struct expr_facts){ .node_name = "n1",
					.cluster = "default",
					.registered_at_ms = INT64_MIN,
					.dynamic_known = true };
}

static inline void world_release(struct world *w)
{
	intern_free(w->intern);
}

static inline struct expr *compiled(struct world *w, const char *text)
{
	struct expr_error error;
	struct expr *expr = expr_compile(text, w->intern, &error);
	if (!expr)
		fail_msg("'%s': %zu: %s", text, error.offset, error.text);
	return expr;
}

static inline enum expr_truth truth_of(struct world *w, const char *text)
{
	struct expr *expr = compiled(w, text);
	bool limit_hit = false;
	enum expr_truth truth = expr_eval(expr, w->intern, &w->facts, &limit_hit);
	assert_false(limit_hit);
	assert_int_equal(expr_eval(expr, w->intern, &w->facts, NULL), truth); /* once more */
	expr_free(expr);
	return truth;
}

struct truth_row {
	const char *text;
	enum expr_truth want;
};

static inline void check_rows(struct world *w, const struct truth_row *rows, size_t count)
{
	static const char *const names[] = { "false", "unknown", "true" };
	for (size_t i = 0; i < count; i++) {
		enum expr_truth got = truth_of(w, rows[i].text);
		if (got != rows[i].want)
			fail_msg("'%s' is %s, not %s", rows[i].text, names[got],
				 names[rows[i].want]);
	}
}

#endif
