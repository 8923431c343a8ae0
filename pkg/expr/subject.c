#include "expr/parse.h"

#include <string.h>

#include "diag/diag.h"
#include "model/model.h"

/* --- tables of the language --------------------------------------------------------------- */

static const struct subject_row subjects[] = {
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

static const struct operator_row operators[] = {
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

/* --- operators ---------------------------------------------------------------------------- */

/* Never one that says the opposite. */
static const char *nearest_operator(const char *word)
{
	const char *words[ARRAY_LEN(operators)];
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if ((operators[i].word[0] == '!') == (word[0] == '!'))
			words[count++] = operators[i].word;
	return diag_suggest(word, words, count);
}

/* Says why what stands at s is no operator. */
static void fail_operator(struct parser *ps, const char *subject, size_t subject_len, const char *s)
{
	static const char all[] = "there are == != > >= < <= =~ !~ in !in exists !exists";
	bool attribute = strncmp(subject, attribute_prefix, strlen(attribute_prefix)) == 0;
	struct shown name = shown(subject, subject_len);
	size_t len = (*s == '!') + run(s + (*s == '!'), "_-");
	struct shown word = shown(s, len);
	const char *near = nearest_operator(word.text);

	if (at_end_of_test(s))
		fail(ps, subject, "'%s' stands alone: an operator has to follow, such as '%s %s'",
		     name.text, name.text, attribute ? "exists" : "== VALUE");
	else if (*s == '=')
		fail(ps, s, "a single '=' is no operator, write '=='");
	else if (word_is(s, len, "not"))
		fail(ps, s,
		     "'not' stands before a whole comparison; the operators are !=, !~, !in and "
		     "!exists");
	else if (len == 0)
		fail(ps, s, "an operator is missing before '%s'; %s", shown_here(s).text, all);
	else if (near)
		fail(ps, s, "unknown operator '%s', did you mean '%s'?", word.text, near);
	else
		fail(ps, s, "unknown operator '%s'; %s", word.text, all);
}

const struct operator_row *parse_operator(struct parser *ps, const char *subject,
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

/* --- subjects ----------------------------------------------------------------------------- */

static void fail_subject(struct parser *ps, const char *s, size_t len)
{
	static const char all[] = "there are attribute:NAME, task:group, node.name, node.cluster, "
				  "ec2InstanceId, agentConnected, agentVersion, registeredAt, "
				  "runningTasksCount";
	const char *names[ARRAY_LEN(subjects) + 2] = { "attribute", "not" };
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		names[i + 2] = subjects[i].name;
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
	if (!*s && s == ps->text + strspn(ps->text, SPACE_CHARS))
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

const struct subject_row *parse_subject(struct parser *ps, struct step *test)
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
