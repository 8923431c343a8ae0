/* Why an expression is not true, what it asks for, and what bounds a regular expression. */
#include "expr_world.h"

#include <stdio.h>

static int setup(void **state)
{
	static struct world w;
	world_init(&w);
	world_attribute(&w, "env", "dev");
	world_attribute(&w, "tier", NULL);
	world_attribute(&w, "odd", "a\nb");
	world_group(&w, "service:web");
	world_group(&w, "family:web");
	w.facts.agent_version = "1.9.2";
	w.facts.registered_at_ms = 1518516000500;
	w.facts.running_tasks_count = 2;
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_release(*state);
	return 0;
}

struct explain_row {
	const char *text, *want;
};

static void check_explained(struct world *w, const struct explain_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct expr *expr = compiled(w, rows[i].text);
		struct buf out = { 0 };
		expr_explain(expr, w->intern, &w->facts, &out);
		assert_string_equal(buf_str(&out), rows[i].want);
		buf_release(&out);
		expr_free(expr);
	}
}

static void every_operand_that_decided(void **state)
{
	static const struct explain_row rows[] = {
		{ "attribute:env == dev", "" },
		{ "attribute:env == prod", "attribute:env == prod: env is dev\n" },
		{ "attribute:zone in [a, b]",
		  "attribute:zone in [a, b]: the node has no attribute zone\n" },
		{ "attribute:tier == a", "attribute:tier == a: tier has no value\n" },
		{ "attribute:env !exists", "attribute:env !exists: env is dev\n" },
		{ "attribute:odd  ==\n x", "attribute:odd  ==  x: odd is a b\n" },
		{ "attribute:env == prod and attribute:tier exists and attribute:zone exists",
		  "attribute:env == prod: env is dev\n"
		  "attribute:zone exists: the node has no attribute zone\n" },
		{ "attribute:env == prod or attribute:zone exists",
		  "attribute:env == prod: env is dev\n"
		  "attribute:zone exists: the node has no attribute zone\n" },
		{ "attribute:tier exists and (attribute:env == a or attribute:env == b)",
		  "attribute:env == a: env is dev\nattribute:env == b: env is dev\n" },
		{ "not attribute:env == dev", "not (attribute:env == dev): env is dev\n" },
		{ "not (attribute:env == dev or attribute:zone exists)",
		  "not (attribute:env == dev): env is dev\n" },
		{ "not (attribute:env == dev and attribute:tier exists)",
		  "not (attribute:env == dev): env is dev\n"
		  "not (attribute:tier exists): tier has no value\n" },
		{ "not not attribute:env == prod", "attribute:env == prod: env is dev\n" },
	};
	check_explained(*state, rows, ARRAY_LEN(rows));
}

static void every_subject(void **state)
{
	struct world *w = *state;
	static const struct explain_row rows[] = {
		{ "node.name == a", "node.name == a: node.name is n1\n" },
		{ "ec2InstanceId == a", "ec2InstanceId == a: node.name is n1\n" },
		{ "node.cluster == a", "node.cluster == a: node.cluster is default\n" },
		{ "agentVersion > 2", "agentVersion > 2: agentVersion is 1.9.2\n" },
		{ "registeredAt < 2018-02-13",
		  "registeredAt < 2018-02-13: registeredAt is 2018-02-13T10:00:00Z\n" },
		{ "agentConnected == true", "agentConnected == true: agentConnected is false\n" },
		{ "runningTasksCount == 1", "runningTasksCount == 1: runningTasksCount is 2\n" },
		{ "task:group == a",
		  "task:group == a: the node's tasks are of service:web, family:web\n" },
	};
	check_explained(w, rows, ARRAY_LEN(rows));

	w->facts.agent_version = NULL;
	w->facts.registered_at_ms = INT64_MIN;
	w->facts.task_group_count = 0;
	static const struct explain_row absent[] = {
		{ "agentVersion > 2", "agentVersion > 2: agentVersion has no value\n" },
		{ "registeredAt < 2018-02-13",
		  "registeredAt < 2018-02-13: registeredAt has no value\n" },
		{ "task:group == a", "task:group == a: no task runs on the node\n" },
	};
	check_explained(w, absent, ARRAY_LEN(absent));
}

static void unknown_operands(void **state)
{
	struct world *w = *state;
	w->facts.dynamic_known = false;
	static const struct explain_row rows[] = {
		{ "attribute:env == dev and task:group == a",
		  "task:group == a: what runs on the node is not known here\n" },
		{ "attribute:env == prod and task:group == a",
		  "attribute:env == prod: env is dev\n" },
		{ "attribute:env == prod or not agentConnected == true",
		  "not (agentConnected == true): what runs on the node is not known here\n" },
	};
	check_explained(w, rows, ARRAY_LEN(rows));
}

static void many_groups_are_counted(void **state)
{
	struct world *w = *state;
	for (int i = 2; i < 12; i++)
		world_group(w, "g");
	static const struct explain_row rows[] = {
		{ "task:group == a", "task:group == a: the node's tasks are of service:web, "
				     "family:web, g, g, g, g, g, g, g, g and 2 more\n" },
	};
	check_explained(w, rows, ARRAY_LEN(rows));
}

static void absent_attributes(void **state)
{
	struct world *w = *state;
	struct expr *expr = compiled(w, "attribute:p == a or attribute:env == b or attribute:q !~ "
					"c or attribute:r exists or attribute:p in [d] or "
					"node.name == x or attribute:q exists");
	intern_id out[2] = { 0 };
	assert_int_equal(expr_absent_attributes(expr, &w->facts, out, 2), 2);
	assert_string_equal(intern_str(w->intern, out[0]), "p");
	assert_string_equal(intern_str(w->intern, out[1]), "q");
	out[1] = 0;
	assert_int_equal(expr_absent_attributes(expr, &w->facts, out, 1), 2);
	assert_int_equal(out[1], 0);
	assert_int_equal(expr_absent_attributes(expr, &w->facts, NULL, 0), 2);
	expr_free(expr);
}

static void negations_without_exists(void **state)
{
	static const struct {
		const char *text;
		uint32_t count;
		struct {
			const char *name;
			size_t offset;
		} want[2];
	} rows[] = {
		{ "attribute:a == b", 0, { { 0 } } },
		{ "attribute:a != b", 1, { { "a", 0 } } },
		{ " attribute:a !in [b] and attribute:c !~ d", 2, { { "a", 1 }, { "c", 25 } } },
		{ "attribute:a != b or attribute:a !exists", 0, { { 0 } } },
		{ "attribute:a != b and attribute:a exists", 0, { { 0 } } },
		{ "attribute:a != b and attribute:c exists", 1, { { "a", 0 } } },
		{ "not (attribute:a == b)", 0, { { 0 } } },
		{ "task:group != a and node.name != b", 0, { { 0 } } },
	};
	struct world *w = *state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct expr *expr = compiled(w, rows[i].text);
		struct expr_warning out[2];
		assert_int_equal(expr_negations_without_exists(expr, out, 2), rows[i].count);
		for (uint32_t k = 0; k < rows[i].count; k++) {
			assert_int_equal(out[k].offset, rows[i].want[k].offset);
			assert_string_equal(intern_str(w->intern, out[k].attribute),
					    rows[i].want[k].name);
		}
		assert_int_equal(expr_negations_without_exists(expr, NULL, 0), rows[i].count);
		expr_free(expr);
	}
}

/* A regular expression that gives up is an error: it neither matches nor does not match. */
static void regex_limit(void **state)
{
	struct world *w = *state;
	world_attribute(w, "evil", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	static const struct truth_row rows[] = {
		{ "attribute:evil =~ '(a+)+[bc]'", EXPR_FALSE },
		{ "attribute:evil !~ '(a+)+[bc]'", EXPR_FALSE },
		{ "attribute:env == dev and attribute:evil =~ '(a+)+[bc]'", EXPR_FALSE },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct expr *expr = compiled(w, rows[i].text);
		for (int again = 0; again < 2; again++) { /* remembered, too */
			bool limit_hit = false;
			assert_int_equal(expr_eval(expr, w->intern, &w->facts, &limit_hit),
					 rows[i].want);
			assert_true(limit_hit);
		}
		expr_free(expr);
	}
	static const struct explain_row explained[] = {
		{ "attribute:evil =~ '(a+)+[bc]'",
		  "attribute:evil =~ '(a+)+[bc]': evil is "
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, "
		  "and the regular expression takes too long on it\n" },
	};
	check_explained(w, explained, 1);
}

/* One group that makes the expression give up does not hide another that matches. */
static void regex_limit_in_a_set(void **state)
{
	struct world *w = *state;
	world_group(w, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	struct expr *expr = compiled(w, "task:group =~ '(a+)+[bc]'");
	bool limit_hit = false;
	assert_int_equal(expr_eval(expr, w->intern, &w->facts, &limit_hit), EXPR_FALSE);
	assert_true(limit_hit);
	limit_hit = false;
	world_group(w, "aab");
	assert_int_equal(expr_eval(expr, w->intern, &w->facts, &limit_hit), EXPR_TRUE);
	assert_false(limit_hit);
	expr_free(expr);
}

/* The limits leave room for what people write, over the longest values there are. */
static void ordinary_expressions_stay_below_the_limits(void **state)
{
	static const char *const patterns[] = { ".*x.*y.*z", "(\\w+[.-])*\\w+!", "(a|b|c)*d",
						"([a-z]+:)?[^:]*:[^:]*", "(?:.*,)?x(?:,.*)?" };
	struct world *w = *state;
	char value[256];
	for (size_t i = 0; i < sizeof(value) - 1; i++)
		value[i] = "abc.d-xy"[i % 8];
	value[sizeof(value) - 1] = '\0';
	value[128] = '\0'; /* LIMIT_ATTRIBUTE_CHARS */
	world_attribute(w, "long", value);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		char text[128];
		snprintf(text, sizeof(text), "attribute:long =~ '%s'", patterns[i]);
		assert_int_equal(truth_of(w, text), EXPR_FALSE); /* asserts that no limit is hit */
	}
}

/* More distinct values than an expression remembers: the answers stay right. */
static void many_distinct_values(void **state)
{
	struct world *w = *state;
	struct expr *matches = compiled(w, "attribute:serial =~ .*7");
	struct expr *less = compiled(w, "attribute:serial < 20000");
	world_attribute(w, "serial", "0");
	struct expr_attribute *serial = w->attributes;
	while (serial->name != intern_find(w->intern, "serial"))
		serial++;
	for (int i = 0; i < 80000; i++) {
		int number = i < 40000 ? i : i * 7 % 40000;
		char text[16];
		snprintf(text, sizeof(text), "%d", number);
		serial->value = intern_add(w->intern, text);
		enum expr_truth seven = number % 10 == 7 ? EXPR_TRUE : EXPR_FALSE;
		enum expr_truth small = number < 20000 ? EXPR_TRUE : EXPR_FALSE;
		assert_int_equal(expr_eval(matches, w->intern, &w->facts, NULL), seven);
		assert_int_equal(expr_eval(less, w->intern, &w->facts, NULL), small);
	}
	expr_free(matches);
	expr_free(less);
}

int main(void)
{
#define NODE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		NODE(every_operand_that_decided),
		NODE(every_subject),
		NODE(unknown_operands),
		NODE(many_groups_are_counted),
		NODE(absent_attributes),
		NODE(negations_without_exists),
		NODE(regex_limit),
		NODE(regex_limit_in_a_set),
		NODE(ordinary_expressions_stay_below_the_limits),
		NODE(many_distinct_values),
	};
	return cmocka_run_group_tests_name("expr explain", tests, NULL, NULL);
}
