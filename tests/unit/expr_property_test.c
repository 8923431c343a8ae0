/*
 * Random expressions, written in random spellings, against an evaluator that knows only strings. A
 * failure prints the seed and the expression.
 */
#include "expr_world.h"

#include <regex.h>
#include <stdio.h>

#define ROUNDS	  400 /* worlds */
#define PER_ROUND 25  /* expressions asked of each */
#define NAMES	  4
#define NODES_MAX 64

static uint64_t rng_state;

static uint32_t below(uint32_t n)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 32) % n;
}

#define PICK(list) ((list)[below(ARRAY_LEN(list))])

static const char *const texts[] = { "a", "b", "ab", "", "9", "10", "10.0", "-3", "c d" };
static const char *const names[NAMES] = { "x", "y", "z.w/v", "in" };

/* --- the naive model ---------------------------------------------------------------------------
 */

struct naive_node {
	const char *values[NAMES]; /* NULL: absent */
	const char *groups[2];
	uint32_t group_count;
	int running;
	bool dynamic_known;
};

enum naive_kind {
	N_AND,
	N_OR,
	N_NOT,
	N_EXISTS,
	N_EQUAL,
	N_IN,
	N_MATCH,
	N_ORDER,
	N_GROUP,
	N_RUNNING
};

struct naive {
	enum naive_kind kind;
	bool negated;
	uint32_t name, literal_count;
	const char *literals[3];
	int sign;    /* of N_ORDER and N_RUNNING: index of order_words */
	int running; /* literal of N_RUNNING */
	struct naive *left, *right;
};

static const char *const order_words[][2] = {
	{ "<", "less_than" },
	{ "<=", "less_than_equal" },
	{ ">", "greater_than" },
	{ ">=", "greater_than_equal" },
};
static const char *const patterns[] = { "a.*", ".*b", "[ab]+", "-?[0-9]+", ".*", "(a|10)" };

static bool order_holds(int sign, double difference)
{
	switch (sign) {
	case 0: return difference < 0;
	case 1: return difference <= 0;
	case 2: return difference > 0;
	}
	return difference >= 0;
}

static double difference_of(const char *a, const char *b)
{
	char *a_end, *b_end;
	double x = strtod(a, &a_end), y = strtod(b, &b_end);
	int order = strcmp(a, b);
	return *a && *b && !*a_end && !*b_end ? x - y : order;
}

static bool posix_match(const char *pattern, const char *text)
{
	char anchored[64];
	regex_t regex;
	snprintf(anchored, sizeof(anchored), "^(%s)$", pattern);
	assert_int_equal(regcomp(&regex, anchored, REG_EXTENDED | REG_NOSUB), 0);
	bool found = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

static bool among(const struct naive *n, const char *text)
{
	for (uint32_t i = 0; i < n->literal_count; i++)
		if (strcmp(n->literals[i], text) == 0)
			return true;
	return false;
}

static enum expr_truth truth_if(bool yes)
{
	return yes ? EXPR_TRUE : EXPR_FALSE;
}

static enum expr_truth naive_test(const struct naive *n, const struct naive_node *node)
{
	const char *value = node->values[n->name];
	bool yes = false;
	if (n->kind >= N_GROUP && !node->dynamic_known)
		return EXPR_UNKNOWN;
	if (n->kind < N_GROUP && n->kind != N_EXISTS && !value)
		return EXPR_FALSE;
	switch (n->kind) {
	case N_EXISTS: yes = value; break;
	case N_EQUAL:
	case N_IN: yes = among(n, value); break;
	case N_MATCH: yes = posix_match(n->literals[0], value); break;
	case N_ORDER: yes = order_holds(n->sign, difference_of(value, n->literals[0])); break;
	case N_RUNNING: yes = order_holds(n->sign, node->running - n->running); break;
	case N_GROUP:
		for (uint32_t i = 0; i < node->group_count; i++)
			yes = yes || among(n, node->groups[i]);
		break;
	case N_AND:
	case N_OR:
	case N_NOT: break;
	}
	return truth_if(yes != n->negated);
}

static enum expr_truth naive_truth(const struct naive *n, const struct naive_node *node)
{
	enum expr_truth left, right;
	if (n->kind > N_NOT)
		return naive_test(n, node);
	left = naive_truth(n->left, node);
	if (n->kind == N_NOT)
		return EXPR_TRUE - left;
	right = naive_truth(n->right, node);
	if (n->kind == N_AND)
		return left < right ? left : right;
	return left > right ? left : right;
}

/* --- random ones, and their text ---------------------------------------------------------------
 */

struct grove {
	struct naive nodes[NODES_MAX];
	size_t used;
};

static struct naive *grow(struct grove *g, int depth)
{
	struct naive *n = &g->nodes[g->used++];
	assert_true(g->used < NODES_MAX);
	*n = (struct naive){ .kind = depth ? below(N_RUNNING + 1) : N_EXISTS + below(7) };
	if (n->kind <= N_NOT) {
		n->left = grow(g, depth - 1);
		if (n->kind != N_NOT)
			n->right = grow(g, depth - 1);
		return n;
	}
	n->name = below(NAMES);
	n->sign = (int)below(ARRAY_LEN(order_words));
	n->negated = n->kind != N_ORDER && n->kind != N_RUNNING && below(2);
	n->literal_count = n->kind == N_IN ? 1 + below(3) : 1;
	for (uint32_t i = 0; i < n->literal_count; i++)
		n->literals[i] = PICK(texts);
	if (n->kind == N_MATCH)
		n->literals[0] = PICK(patterns);
	n->running = (int)below(2);
	if (n->kind == N_RUNNING)
		n->literals[0] = n->running ? "1" : "0";
	return n;
}

static void write_space(struct buf *out, bool needed)
{
	static const char *const spaces[] = { " ", "  ", "\n", "\t " };
	if (needed || below(2))
		buf_adds(out, PICK(spaces));
}

static void write_value(struct buf *out, const char *value)
{
	bool quote = !*value || strpbrk(value, " (|") || below(3) == 0;
	const char *mark = !quote ? "" : below(2) ? "'" : "\"";
	buf_addf(out, "%s%s%s", mark, value, mark);
}

static void write_operator(struct buf *out, const char *symbol, const char *word)
{
	bool spell = below(2);
	write_space(out, spell || symbol[0] == 'i' || symbol[0] == 'e');
	buf_adds(out, spell ? word : symbol);
	write_space(out, spell);
}

static void write_test(struct buf *out, const struct naive *n)
{
	static const char *const words[][2][2] = {
		[N_EXISTS] = { { "exists", "exists" }, { "!exists", "not_exists" } },
		[N_EQUAL] = { { "==", "equals" }, { "!=", "not_equals" } },
		[N_IN] = { { "in", "in" }, { "!in", "not_in" } },
		[N_MATCH] = { { "=~", "matches" }, { "!~", "not_matches" } },
		[N_GROUP] = { { "==", "equals" }, { "!=", "not_equals" } },
	};
	if (n->kind == N_GROUP)
		buf_adds(out, "task:group");
	else if (n->kind == N_RUNNING)
		buf_adds(out, "runningTasksCount");
	else
		buf_addf(out, "attribute:%s", names[n->name]);
	if (n->kind == N_ORDER || n->kind == N_RUNNING)
		write_operator(out, order_words[n->sign][0], order_words[n->sign][1]);
	else
		write_operator(out, words[n->kind][n->negated][0], words[n->kind][n->negated][1]);
	if (n->kind == N_EXISTS)
		return;
	buf_adds(out, n->kind == N_IN ? "[" : "");
	for (uint32_t i = 0; i < n->literal_count; i++) {
		buf_adds(out, i ? "," : "");
		write_space(out, false);
		write_value(out, n->literals[i]);
	}
	buf_adds(out, n->kind == N_IN ? "]" : "");
}

/* Parentheses where they are needed, and sometimes where they are not. */
static void write_expr(struct buf *out, const struct naive *n, int outer)
{
	int level = n->kind == N_OR ? 0 : n->kind == N_AND ? 1 : n->kind == N_NOT ? 2 : 3;
	bool group = level < outer || below(5) == 0;
	buf_adds(out, group ? "(" : "");
	switch (n->kind) {
	case N_OR:
	case N_AND:
		write_expr(out, n->left, level);
		if (below(2))
			buf_adds(out, n->kind == N_OR ? " || " : " && ");
		else
			buf_adds(out, n->kind == N_OR ? " or " : " and ");
		write_expr(out, n->right, level);
		break;
	case N_NOT:
		buf_adds(out, below(2) ? "!" : "not ");
		write_expr(out, n->left, 2);
		break;
	default: write_test(out, n); break;
	}
	buf_adds(out, group ? ")" : "");
}

/* --- the property ------------------------------------------------------------------------------
 */

static void random_world(struct world *w, struct naive_node *node)
{
	*node = (struct naive_node){ .dynamic_known = below(3) > 0, .running = (int)below(3) };
	for (uint32_t i = 0; i < NAMES; i++) {
		if (below(3) == 0)
			continue;
		node->values[i] = PICK(texts);
		bool bare = !node->values[i][0] && below(2);
		world_attribute(w, names[i], bare ? NULL : node->values[i]);
	}
	node->group_count = below(3);
	for (uint32_t i = 0; i < node->group_count; i++) {
		node->groups[i] = PICK(texts);
		world_group(w, node->groups[i]);
	}
	w->facts.running_tasks_count = node->running;
	w->facts.dynamic_known = node->dynamic_known;
}

/* Something is explained exactly when it is not true, a line for each operand at most. */
static void check_explained(struct world *w, const struct expr *expr, enum expr_truth truth,
			    size_t steps)
{
	struct buf out = { 0 };
	size_t lines = 0;
	expr_explain(expr, w->intern, &w->facts, &out);
	for (size_t i = 0; i < out.len; i++)
		lines += out.data[i] == '\n';
	assert_int_equal(lines > 0, truth != EXPR_TRUE);
	assert_true(lines <= steps);
	buf_release(&out);
}

static void check_one(struct world *w, const struct naive_node *node, uint64_t seed)
{
	struct grove grove = { .used = 0 };
	struct buf text = { 0 };
	struct naive *n = grow(&grove, (int)below(4));
	write_expr(&text, n, 0);
	struct expr *expr = compiled(w, buf_str(&text));
	enum expr_truth got = expr_eval(expr, w->intern, &w->facts, NULL);
	enum expr_truth want = naive_truth(n, node);
	if (got != want)
		fail_msg("seed %llu: '%s' is %d, not %d", (unsigned long long)seed, buf_str(&text),
			 got, want);
	check_explained(w, expr, got, grove.used);
	expr_free(expr);
	buf_release(&text);
}

static void agrees_with_the_naive_evaluator(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct world w;
		struct naive_node node;
		rng_state = seed * 0x9e3779b97f4a7c15u;
		world_init(&w);
		random_world(&w, &node);
		for (int i = 0; i < PER_ROUND; i++)
			check_one(&w, &node, seed);
		world_release(&w);
	}
}

/* Any prefix of an expression, and any single byte changed, compiles or has a mistake inside it. */
static void damaged_texts_are_survived(void **state UNUSED)
{
	static const char whole[] = "(attribute:a in [b, 'c d'] or !task:group =~ \"(x|y)\") && "
				    "agentVersion >= 1.2 and registeredAt < 2018-06-18T22:28:28Z";
	static const char noise[] = "()[]'\"!=~<>&|, \\:.-aZ0\x01\xff";
	struct intern *intern = intern_new();
	for (size_t i = 0; i < sizeof(whole) - 1; i++) {
		for (size_t k = 0; k < sizeof(noise); k++) { /* the last one is NUL */
			char text[sizeof(whole)];
			struct expr_error error = { .offset = SIZE_MAX };
			memcpy(text, whole, sizeof(whole));
			text[i] = noise[k];
			struct expr *expr = expr_compile(text, intern, &error);
			if (!expr && (error.offset > strlen(text) || !error.text[0]))
				fail_msg("'%s': %zu: '%s'", text, error.offset, error.text);
			expr_free(expr);
		}
	}
	intern_free(intern);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_naive_evaluator),
		cmocka_unit_test(damaged_texts_are_survived),
	};
	return cmocka_run_group_tests_name("expr property", tests, NULL, NULL);
}
