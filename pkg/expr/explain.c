#include "expr/program.h"

#include <string.h>

/* At most so many groups of a node are named in an explanation. */
#define GROUPS_SHOWN_MAX 10

uint32_t expr_absent_attributes(const struct expr *expr, const struct expr_facts *facts,
				intern_id *out, uint32_t max)
{
	uint32_t count = 0;
	for (const struct step *t = expr->tests; t; t = t->next_test) {
		if (t->subject != SUBJECT_ATTRIBUTE || t->test == TEST_EXISTS || t->repeated ||
		    attribute_find(facts, t->attribute))
			continue;
		if (count < max)
			out[count] = t->attribute;
		count++;
	}
	return count;
}

static bool asks_exists(const struct expr *expr, intern_id attribute)
{
	for (const struct step *t = expr->tests; t; t = t->next_test)
		if (t->test == TEST_EXISTS && t->attribute == attribute)
			return true;
	return false;
}

uint32_t expr_negations_without_exists(const struct expr *expr, struct expr_warning *out,
				       uint32_t max)
{
	uint32_t count = 0;
	for (const struct step *t = expr->tests; t; t = t->next_test) {
		if (t->subject != SUBJECT_ATTRIBUTE || t->test == TEST_EXISTS || !t->negated ||
		    asks_exists(expr, t->attribute))
			continue;
		if (count < max)
			out[count] = (struct expr_warning){ .offset = t->offset,
							    .attribute = t->attribute };
		count++;
	}
	return count;
}

/* --- explain ------------------------------------------------------------------------------ */

struct explain {
	const struct expr *expr;
	const struct intern *intern;
	const struct expr_facts *facts;
	struct buf *out;
};

/* One line stays one line, whatever is in a value. */
static void add_clean(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_addc(out, (unsigned char)s[i] < ' ' || s[i] == 0x7f ? ' ' : s[i]);
}

static void add_value(struct buf *out, const char *name, const char *value)
{
	buf_adds(out, name);
	if (!value || !*value) {
		buf_adds(out, " has no value");
		return;
	}
	buf_adds(out, " is ");
	add_clean(out, value, strlen(value));
}

static void add_groups(const struct explain *e)
{
	const struct expr_facts *facts = e->facts;
	if (facts->task_group_count == 0) {
		buf_adds(e->out, "no task runs on the node");
		return;
	}
	buf_adds(e->out, "the node's tasks are of ");
	for (uint32_t i = 0; i < facts->task_group_count && i < GROUPS_SHOWN_MAX; i++) {
		const char *group = intern_str(e->intern, facts->task_groups[i]);
		buf_adds(e->out, i ? ", " : "");
		add_clean(e->out, group ? group : "", group ? strlen(group) : 0);
	}
	if (facts->task_group_count > GROUPS_SHOWN_MAX)
		buf_addf(e->out, " and %u more", facts->task_group_count - GROUPS_SHOWN_MAX);
}

static void add_attribute(const struct explain *e, intern_id name)
{
	const struct expr_attribute *attribute = attribute_find(e->facts, name);
	if (attribute)
		add_value(e->out, intern_str(e->intern, name),
			  intern_str(e->intern, attribute->value));
	else
		buf_addf(e->out, "the node has no attribute %s", intern_str(e->intern, name));
}

/* What the node says to the subject of the test. */
static void add_fact(const struct explain *e, const struct step *test)
{
	const struct expr_facts *facts = e->facts;
	char time[TIME_TEXT_LEN + 1];
	switch (test->subject) {
	case SUBJECT_ATTRIBUTE: add_attribute(e, test->attribute); break;
	case SUBJECT_NODE_NAME: add_value(e->out, "node.name", facts->node_name); break;
	case SUBJECT_CLUSTER: add_value(e->out, "node.cluster", facts->cluster); break;
	case SUBJECT_AGENT_VERSION: add_value(e->out, "agentVersion", facts->agent_version); break;
	case SUBJECT_REGISTERED_AT:
		if (facts->registered_at_ms != INT64_MIN)
			time_text(facts->registered_at_ms, time);
		add_value(e->out, "registeredAt",
			  facts->registered_at_ms == INT64_MIN ? NULL : time);
		break;
	case SUBJECT_AGENT_CONNECTED:
		add_value(e->out, "agentConnected", facts->agent_connected ? "true" : "false");
		break;
	case SUBJECT_RUNNING_TASKS:
		buf_addf(e->out, "runningTasksCount is %lld",
			 (long long)facts->running_tasks_count);
		break;
	case SUBJECT_TASK_GROUP: add_groups(e); break;
	}
}

static void explain_test(const struct explain *e, const struct step *test, bool under_not)
{
	enum answer answer = answer_test(test, e->intern, e->facts);
	buf_adds(e->out, under_not ? "not (" : "");
	add_clean(e->out, e->expr->text + test->offset, test->size);
	buf_adds(e->out, under_not ? "): " : ": ");
	if (answer == ANSWER_UNKNOWN) {
		buf_adds(e->out, "what runs on the node is not known here");
	} else {
		add_fact(e, test);
		if (answer == ANSWER_LIMIT)
			buf_adds(e->out, ", and the regular expression takes too long on it");
	}
	buf_addc(e->out, '\n');
}

/* An operand decided when it is what the whole is. */
static void explain_step(const struct explain *e, const struct step *step, bool under_not)
{
	bool limit_hit = false;
	if (step->kind == STEP_TEST) {
		explain_test(e, step, under_not);
	} else if (step->kind == STEP_NOT) {
		explain_step(e, step->operands, !under_not);
	} else {
		enum expr_truth truth = step_eval(step, e->intern, e->facts, &limit_hit);
		for (const struct step *o = step->operands; o; o = o->next)
			if (step_eval(o, e->intern, e->facts, &limit_hit) == truth)
				explain_step(e, o, under_not);
	}
}

void expr_explain(const struct expr *expr, const struct intern *intern,
		  const struct expr_facts *facts, struct buf *out)
{
	struct explain e = { .expr = expr, .intern = intern, .facts = facts, .out = out };
	if (expr_eval(expr, intern, facts, NULL) != EXPR_TRUE)
		explain_step(&e, expr->root, false);
}
