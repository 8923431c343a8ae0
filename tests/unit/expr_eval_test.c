/* What expressions say of nodes: every operator, subject and vector of the language. */
#include "expr_world.h"

#define T EXPR_TRUE
#define F EXPR_FALSE
#define U EXPR_UNKNOWN

static int setup(void **state)
{
	static struct world w;
	world_init(&w);
	world_attribute(&w, "env", "prod");
	world_attribute(&w, "tier", NULL);
	world_attribute(&w, "blank", "");
	world_attribute(&w, "cores", "16");
	world_attribute(&w, "load", "-2.50");
	world_attribute(&w, "name", "beta");
	world_attribute(&w, "in", "and");
	world_attribute(&w, "foundry.signoz.io/storage", "persistent");
	world_attribute(&w, "text", "a b,c]d)e");
	world_attribute(&w, "ecs.instance-type", "g2.2xlarge");
	world_attribute(&w, "ecs.availability-zone", "us-east-1a");
	world_group(&w, "service:production");
	world_group(&w, "family:db");
	w.facts.agent_version = "1.9.2";
	w.facts.registered_at_ms = 1518516000500; /* 2018-02-13T10:00:00.5Z */
	w.facts.agent_connected = true;
	w.facts.running_tasks_count = 2;
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_release(*state);
	return 0;
}

/* The vectors of the language's description: attributes env=prod and tier without a value. */
static void vectors(void **state)
{
	static const struct truth_row rows[] = {
		{ "attribute:env==prod", T },
		{ "attribute:env != prod", F },
		{ "attribute:foo != prod", F },
		{ "attribute:foo !exists", T },
		{ "!attribute:env exists", F },
		{ "not(attribute:foo == a)", T },
		{ "attribute:env in [dev,prod]", T },
		{ "attribute:env !in [dev, 'qa']", T },
		{ "attribute:env =~ pro", F },
		{ "attribute:env =~ pro.*", T },
		{ "attribute:tier exists", T },
		{ "attribute:env == prod or attribute:x == 1 and attribute:y == 2", T },
		{ "(attribute:env == prod or attribute:x == 1) and attribute:y == 2", F },
		{ "agentVersion < 1.14.5", T },
	};
	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void documented_examples(void **state)
{
	static const struct truth_row rows[] = {
		{ "attribute:ecs.instance-type == t2.small", F },
		{ "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]", T },
		{ "attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != "
		  "us-east-1d",
		  T },
		{ "attribute:ecs.instance-type =~ t2.* and attribute:ecs.availability-zone == "
		  "us-east-1a",
		  F },
		{ "attribute:ecs.instance-type in [t2.small, t2.medium]", F },
		{ "attribute:stack == prod", F },
		{ "attribute:stack != prod", F },
		{ "attribute:ecs.os-family == WINDOWS_SERVER_2022_FULL", F },
		{ "task:group == service:production", T },
		{ "task:group == databases", F },
		{ "not(task:group == database)", T },
		{ "runningTasksCount == 1", F },
		{ "agentVersion < 1.14.5", T },
		{ "registeredAt < 2018-02-13", F },
		{ "ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']", F },
		{ "attribute:drain !exists or attribute:drain != true", T },
		{ "attribute:env==prod", T },
	};
	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void operators_and_their_words(void **state)
{
	static const struct truth_row rows[] = {
		{ "attribute:env == prod", T },
		{ "attribute:env equals prod", T },
		{ "attribute:env != dev", T },
		{ "attribute:env not_equals dev", T },
		{ "attribute:cores > 15", T },
		{ "attribute:cores greater_than 16", F },
		{ "attribute:cores >= 16", T },
		{ "attribute:cores greater_than_equal 17", F },
		{ "attribute:cores < 17", T },
		{ "attribute:cores less_than 16", F },
		{ "attribute:cores <= 16", T },
		{ "attribute:cores less_than_equal 15", F },
		{ "attribute:env exists", T },
		{ "attribute:env !exists", F },
		{ "attribute:env not_exists", F },
		{ "attribute:env in [prod]", T },
		{ "attribute:env !in [prod]", F },
		{ "attribute:env not_in [dev]", T },
		{ "attribute:env =~ p.*d", T },
		{ "attribute:env matches p.*", T },
		{ "attribute:env !~ p.*", F },
		{ "attribute:env not_matches p", T },
		{ "attribute:env == prod && attribute:tier exists", T },
		{ "attribute:env == dev || attribute:tier exists", T },
		{ "!attribute:env == dev", T },
		{ "not not attribute:env == prod", T },
		{ "!!(attribute:env == prod)", T },
	};
	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void absent_makes_comparisons_false(void **state)
{
	static const struct truth_row rows[] = {
		{ "attribute:x == a", F },	{ "attribute:x != a", F },
		{ "attribute:x > 1", F },	{ "attribute:x >= 1", F },
		{ "attribute:x < 1", F },	{ "attribute:x <= 1", F },
		{ "attribute:x in [a]", F },	{ "attribute:x !in [a]", F },
		{ "attribute:x =~ .*", F },	{ "attribute:x !~ a", F },
		{ "attribute:x exists", F },	{ "attribute:x !exists", T },
		{ "!attribute:x == a", T },	{ "not (attribute:x != a)", T },
		{ "attribute:Env == prod", F }, /* names and values are case-sensitive */
		{ "attribute:env == Prod", F },
	};
	check_rows(*state, rows, ARRAY_LEN(rows));
}

/* No value and the value "" are the same to every comparison. */
static void no_value_compares_as_empty(void **state)
{
	static const struct truth_row rows[] = {
		{ "attribute:tier == ''", T },	    { "attribute:blank == \"\"", T },
		{ "attribute:tier != ''", F },	    { "attribute:blank != a", T },
		{ "attribute:tier in [a, '']", T }, { "attribute:blank in ['', a]", T },
		{ "attribute:tier !in [a, b]", T }, { "attribute:tier =~ .*", T },
		{ "attribute:tier =~ .+", F },	    { "attribute:tier < a", T },
		{ "attribute:tier >= ''", T },	    { "attribute:env == ''", F },
		{ "attribute:env > ''", T },
	};
	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void ordering(void **state)
{
	static const struct truth_row rows[] = {
		{ "attribute:cores > 9", T }, /* numbers: not "16" < "9" */
		{ "attribute:cores > 9.99", T },
		{ "attribute:cores >= 16.0", T },
		{ "attribute:cores <= 0016", T },
		{ "attribute:cores < 16.000001", T },
		{ "attribute:cores > -100", T },
		{ "attribute:cores < 99999999999999999999999999", T },
		{ "attribute:load < -2.4", T },
		{ "attribute:load > -2.6", T },
		{ "attribute:load >= -2.5", T },
		{ "attribute:load < -0", T },
		{ "attribute:cores > 9a", F }, /* one is no number: bytes */
		{ "attribute:cores < 1e9", T },
		{ "attribute:cores < +9", F },
		{ "attribute:cores > 16.", F },
		{ "attribute:name < gamma", T },
		{ "attribute:name > Beta", T },
		{ "attribute:name >= beta", T },
		{ "attribute:name > 1", T },
	};
	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void values_and_names(void **state)
{
	static const struct truth_row rows[] = {
		{ "attribute:in == 'and'", T }, /* words count only where an operator stands */
		{ "attribute:in in [in, not, 'and']", T },
		{ "attribute:foundry.signoz.io/storage == persistent", T },
		{ "attribute:text == 'a b,c]d)e'", T },
		{ "attribute:text == \"a b,c]d)e\"", T },
		{ "attribute:text in [ 'a b,c]d)e' ]", T },
		{ "attribute:env in[dev,'prod']", T },
		{ "\n attribute:env\t==\r\n prod \n", T },
		{ "(attribute:env==prod)", T },
		{ "((attribute:env exists))and(attribute:tier exists)", T },
		{ "attribute:env==prod&&attribute:tier exists", T },
		{ "attribute:env==dev||attribute:tier exists", T },
		{ "attribute:env!exists||attribute:env!=dev", T },
		{ "attribute:env == \"'\"", F },
		{ "attribute:env == pröd", F },
		{ "attribute:env == a=b:c/d+e", F },
	};
	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void regular_expressions(void **state)
{
	static const struct truth_row rows[] = {
		{ "attribute:env =~ '(dev|prod)'", T },
		{ "attribute:env =~ dev|prod", T },
		{ "attribute:env =~ 'p|prod'", T }, /* the whole value, not the first branch */
		{ "attribute:env =~ rod", F },
		{ "attribute:env =~ [a-z]{4}", T },
		{ "attribute:env =~ '\\w+'", T },
		{ "attribute:env =~ \\w+", T },
		{ "attribute:env =~ '(?i)PROD'", T },
		{ "attribute:env =~ '(?!dev).*'", T },
		{ "attribute:env =~ '^prod$'", T },
		{ "attribute:env =~ .*?", T },
		{ "attribute:env !~ rod", T },
		{ "attribute:cores =~ \\d+", T },
		{ "attribute:ecs.availability-zone =~ us-east-1*", F },
	};
	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void node_subjects(void **state)
{
	struct world *w = *state;
	static const struct truth_row rows[] = {
		{ "node.name == n1", T },
		{ "node.name != n1", F },
		{ "node.name in [n0, n1]", T },
		{ "node.name !in [n0, n1]", F },
		{ "node.name =~ n.*", T },
		{ "node.name !~ n", T },
		{ "ec2InstanceId == n1", T },
		{ "ec2InstanceId =~ i-.*", F },
		{ "node.cluster == default", T },
		{ "node.cluster != default", F },
		{ "node.cluster !~ def", T },
		{ "agentConnected == true", T },
		{ "agentConnected==false", F },
		{ "agentConnected != false", T },
		{ "agentConnected in [true]", T },
		{ "agentConnected =~ t.*", T },
		{ "agentConnected !in [false]", T },
		{ "runningTasksCount==2", T },
		{ "runningTasksCount != 2", F },
		{ "runningTasksCount > 1", T },
		{ "runningTasksCount >= 3", F },
		{ "runningTasksCount < 10", T },
		{ "runningTasksCount <= -1", F },
		{ "task:group == family:db", T },
		{ "task:group != family:db", F },
		{ "task:group != other", T },
		{ "task:group in [a, family:db]", T },
		{ "task:group !in [a, family:db]", F },
		{ "task:group !in [a, b]", T },
		{ "task:group =~ service:.*", T },
		{ "task:group !~ service:.*", F },
		{ "task:group !~ svc:.*", T },
	};
	check_rows(w, rows, ARRAY_LEN(rows));

	w->facts.task_group_count = 0;
	static const struct truth_row none[] = {
		{ "task:group == a", F },    { "task:group != a", T },	{ "task:group in [a]", F },
		{ "task:group !in [a]", T }, { "task:group =~ .*", F }, { "task:group !~ .*", T },
	};
	check_rows(w, none, ARRAY_LEN(none));
	w->facts.agent_connected = false;
	assert_int_equal(truth_of(w, "agentConnected == false"), T);
}

static void versions(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *have, *op, *literal;
		enum expr_truth want;
	} rows[] = {
		{ "1.9.2", "==", "1.9.2", T },
		{ "1.9.2", "==", "1.9.2.0", T },
		{ "1.9", "==", "1.9.0", T },
		{ "1.9.0", "<=", "1.9", T },
		{ "1.9.2", "!=", "1.9.3", T },
		{ "1.9.2", "<", "1.10", T },
		{ "1.9.2", ">", "1.10", F },
		{ "2", ">", "1.99.99", T },
		{ "01.009", "==", "1.9", T },
		{ "1.9.2-rc1", "==", "1.9.2", T },
		{ "1.9.2-rc1", "<", "1.9.3", T },
		{ "1.99999999999999999999", ">", "1.9", T },
		{ "1.", ">=", "1.0", T },
		{ "dev", "==", "0", F },
		{ "dev", "!=", "1", F },
		{ "", ">=", "0", F },
		{ NULL, "<", "9", F },
		{ NULL, "!=", "9", F },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };
		buf_addf(&text, "agentVersion %s %s", rows[i].op, rows[i].literal);
		w->facts.agent_version = rows[i].have;
		if (truth_of(w, buf_str(&text)) != rows[i].want)
			fail_msg("%s with %s", buf_str(&text), rows[i].have);
		buf_release(&text);
	}
}

static void registration_times(void **state)
{
	struct world *w = *state;
	static const struct truth_row rows[] = {
		{ "registeredAt == 2018-02-13T10:00:00Z", T }, /* whole seconds */
		{ "registeredAt == 2018-02-13T10:00:00", T },
		{ "registeredAt == 2018-02-13T10:00:00+00:00", T },
		{ "registeredAt == 2018-02-13T12:30:00+02:30", T },
		{ "registeredAt == '2018-02-13T05:00:00.123-05:00'", T },
		{ "registeredAt != 2018-02-13T10:00:00", F },
		{ "registeredAt > 2018-02-13", T },
		{ "registeredAt >= 2018-02-13T10:00:01", F },
		{ "registeredAt < 2018-02-14", T },
		{ "registeredAt <= 2018-02-12", F },
		{ "registeredAt > 1969-12-31", T },
	};
	check_rows(w, rows, ARRAY_LEN(rows));
	w->facts.registered_at_ms = -1;
	assert_int_equal(truth_of(w, "registeredAt == 1969-12-31T23:59:59Z"), T);
	w->facts.registered_at_ms = INT64_MIN;
	assert_int_equal(truth_of(w, "registeredAt != 2018-02-13"), F);
	assert_int_equal(truth_of(w, "registeredAt < 2018-02-13"), F);
}

static void three_valued_logic(void **state)
{
	struct world *w = *state;
	w->facts.dynamic_known = false;
#define TRUE_	 "attribute:env exists"
#define FALSE_	 "attribute:x exists"
#define UNKNOWN_ "runningTasksCount > 0"
	static const struct truth_row rows[] = {
		{ UNKNOWN_, U },
		{ "agentConnected == true", U },
		{ "agentConnected =~ .*", U },
		{ "task:group != a", U },
		{ "not " UNKNOWN_, U },
		{ TRUE_ " and " UNKNOWN_, U },
		{ UNKNOWN_ " and " TRUE_, U },
		{ FALSE_ " and " UNKNOWN_, F },
		{ UNKNOWN_ " and " FALSE_, F },
		{ UNKNOWN_ " and " UNKNOWN_, U },
		{ TRUE_ " or " UNKNOWN_, T },
		{ UNKNOWN_ " or " TRUE_, T },
		{ FALSE_ " or " UNKNOWN_, U },
		{ UNKNOWN_ " or " FALSE_, U },
		{ UNKNOWN_ " or " FALSE_ " or " TRUE_, T },
		{ "not (" UNKNOWN_ " and " FALSE_ ")", T },
		{ "not (" UNKNOWN_ " or " FALSE_ ")", U },
		{ "node.name == n1", T },
		{ "agentVersion == 1.9.2", T },
	};
	check_rows(w, rows, ARRAY_LEN(rows));
}

static void dynamic_subjects(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{ "attribute:env == a", false },
		{ "node.name == a and agentVersion > 1", false },
		{ "registeredAt < 2018-02-13", false },
		{ "task:group == a", true },
		{ "attribute:runningTasksCount > 1", false },
		{ "runningTasksCount > 1", true },
		{ "attribute:a exists or not (agentConnected == true)", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct expr *expr = compiled(*state, rows[i].text);
		assert_int_equal(expr_is_dynamic(expr), rows[i].want);
		assert_string_equal(expr_text(expr), rows[i].text);
		expr_free(expr);
	}
}

int main(void)
{
#define ROWS(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		ROWS(vectors),
		ROWS(documented_examples),
		ROWS(operators_and_their_words),
		ROWS(absent_makes_comparisons_false),
		ROWS(no_value_compares_as_empty),
		ROWS(ordering),
		ROWS(values_and_names),
		ROWS(regular_expressions),
		ROWS(node_subjects),
		ROWS(versions),
		ROWS(registration_times),
		ROWS(three_valued_logic),
		ROWS(dynamic_subjects),
	};
	return cmocka_run_group_tests_name("expr eval", tests, NULL, NULL);
}
