#include "expr/program.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- comparing texts ---------------------------------------------------------------------- */

static enum answer yes_if(bool yes)
{
	return yes ? ANSWER_YES : ANSWER_NO;
}

static enum answer regex_answer(const struct regex *regex, const char *text)
{
	int found = pcre2_match(regex->code, (PCRE2_SPTR)text, strlen(text), 0, 0, regex->data,
				regex->limits);
	if (found >= 0 || found == PCRE2_ERROR_NOMATCH)
		return yes_if(found >= 0);
	return ANSWER_LIMIT;
}

/* A decimal number: "-12.50" without the sign, leading and trailing zeros. */
struct decimal {
	bool negative;
	const char *whole, *fraction;
	size_t whole_len, fraction_len;
};

/* Loops, not strspn(): these runs are short, and a planner asks a million times. */
static size_t digit_run(const char *s)
{
	size_t n = 0;
	while (s[n] >= '0' && s[n] <= '9')
		n++;
	return n;
}

static size_t zero_run(const char *s)
{
	size_t n = 0;
	while (s[n] == '0')
		n++;
	return n;
}

static bool decimal_parse(const char *s, struct decimal *d)
{
	d->negative = *s == '-';
	s += d->negative;
	size_t len = digit_run(s);
	if (len == 0)
		return false;
	size_t zeros = zero_run(s);
	d->whole = s + zeros;
	d->whole_len = (size_t)(s + len - d->whole);
	s += len;
	d->fraction = s;
	d->fraction_len = 0;
	if (*s == '.') {
		d->fraction = ++s;
		d->fraction_len = digit_run(s);
		s += d->fraction_len;
		if (d->fraction_len == 0)
			return false;
		while (d->fraction_len && d->fraction[d->fraction_len - 1] == '0')
			d->fraction_len--;
	}
	if (d->whole_len == 0 && d->fraction_len == 0)
		d->negative = false; /* -0 is 0 */
	return *s == '\0';
}

static int decimal_compare(const struct decimal *a, const struct decimal *b)
{
	if (a->negative != b->negative)
		return a->negative ? -1 : 1;
	int size;
	if (a->whole_len != b->whole_len) {
		size = a->whole_len < b->whole_len ? -1 : 1;
	} else {
		size = memcmp(a->whole, b->whole, a->whole_len);
		size_t n = a->fraction_len < b->fraction_len ? a->fraction_len : b->fraction_len;
		if (size == 0)
			size = memcmp(a->fraction, b->fraction, n);
		if (size == 0)
			size = (a->fraction_len > n) - (b->fraction_len > n);
	}
	return a->negative ? -size : size;
}

/* Numbers as numbers of any size, all else in byte order. */
static int text_compare(const char *a, const char *b)
{
	struct decimal x, y;
	if (decimal_parse(a, &x) && decimal_parse(b, &y))
		return decimal_compare(&x, &y);
	return strcmp(a, b);
}

/* Part by part as numbers; a missing part is 0, and what follows the digits of a part is ignored.
 */
static int version_compare(const char *a, const char *b)
{
	while (*a || *b) {
		size_t a_zeros = zero_run(a), b_zeros = zero_run(b);
		a += a_zeros;
		b += b_zeros;
		size_t a_len = digit_run(a), b_len = digit_run(b);
		int order = a_len != b_len ? (a_len < b_len ? -1 : 1) : memcmp(a, b, a_len);
		if (order)
			return order;
		a += a_len;
		b += b_len;
		/* "1.9.2-rc1" ends where its numbers do. */
		a = a[0] == '.' && digit_run(a + 1) ? a + 1 : "";
		b = b[0] == '.' && digit_run(b + 1) ? b + 1 : "";
	}
	return 0;
}

static enum answer order_answer(const struct step *test, int order)
{
	uint8_t outcome = order < 0 ? ACCEPT_LESS : order > 0 ? ACCEPT_GREATER : ACCEPT_EQUAL;
	return yes_if(test->accept & outcome);
}

static enum answer number_answer(const struct step *test, int64_t number)
{
	return order_answer(test, (number > test->number) - (number < test->number));
}

static const char *id_text(const struct intern *intern, intern_id id)
{
	return id ? intern_str(intern, id) : "";
}

static enum answer text_answer(const struct step *test, const struct intern *intern,
			       const char *text)
{
	if (!text)
		return ANSWER_ABSENT;
	if (test->test == TEST_MATCH)
		return regex_answer(test->regex, text);
	for (uint32_t i = 0; i < test->id_count; i++)
		if (strcmp(id_text(intern, test->ids[i]), text) == 0)
			return ANSWER_YES;
	return ANSWER_NO;
}

/* --- interned values ---------------------------------------------------------------------- */

static uint32_t *memo_slot(const struct memo *memo, intern_id value)
{
	uint32_t i = (value * 2654435769u) >> 7 & memo->mask;
	while (memo->slots[i] && memo->slots[i] >> 2 != value + 1)
		i = (i + 1) & memo->mask;
	return &memo->slots[i];
}

static void memo_make_room(struct memo *memo)
{
	struct memo old = *memo;
	uint32_t slots = memo->slots ? (old.mask + 1) * 2 : 16;
	bool full = slots > MEMO_SLOTS_MAX;
	*memo = (struct memo){ .mask = (full ? MEMO_SLOTS_MAX : slots) - 1 };
	memo->slots = xcalloc(memo->mask + 1, sizeof(*memo->slots));
	for (uint32_t i = 0; !full && old.slots && i <= old.mask; i++) {
		if (!old.slots[i])
			continue;
		*memo_slot(memo, (old.slots[i] >> 2) - 1) = old.slots[i];
		memo->used++;
	}
	free(old.slots);
}

static enum answer memo_answer(const struct step *test, const struct intern *intern,
			       intern_id value)
{
	assert(value < UINT32_MAX >> 2);
	struct memo *memo = test->memo;
	if (memo->slots) {
		uint32_t known = *memo_slot(memo, value);
		if (known)
			return (enum answer)(known & 3);
	}
	const char *text = id_text(intern, value);
	enum answer answer =
		test->test == TEST_MATCH
			? regex_answer(test->regex, text)
			: order_answer(test, text_compare(text, id_text(intern, test->ids[0])));
	if (!memo->slots || memo->used * 2 > memo->mask)
		memo_make_room(memo);
	*memo_slot(memo, value) = (value + 1) << 2 | (uint32_t)answer;
	memo->used++;
	return answer;
}

static bool id_in(const intern_id *ids, uint32_t count, intern_id id)
{
	while (count > 1) { /* the last that is not above id */
		uint32_t half = count / 2;
		ids = ids[half] <= id ? ids + half : ids;
		count -= half;
	}
	return *ids == id;
}

static enum answer value_answer(const struct step *test, const struct intern *intern,
				intern_id value)
{
	if (test->test == TEST_EQUAL)
		return yes_if(id_in(test->ids, test->id_count, value));
	return memo_answer(test, intern, value);
}

/* --- subjects ----------------------------------------------------------------------------- */

const struct expr_attribute *attribute_find(const struct expr_facts *facts, intern_id name)
{
	const struct expr_attribute *at = facts->attributes;
	uint32_t count = facts->attribute_count;
	if (count == 0)
		return NULL;
	while (count > 1) {
		uint32_t half = count / 2;
		at = at[half].name <= name ? at + half : at;
		count -= half;
	}
	return at->name == name ? at : NULL;
}

static enum answer attribute_answer(const struct step *test, const struct intern *intern,
				    const struct expr_facts *facts)
{
	const struct expr_attribute *attribute = attribute_find(facts, test->attribute);
	if (test->test == TEST_EXISTS)
		return yes_if(attribute);
	return attribute ? value_answer(test, intern, attribute->value) : ANSWER_ABSENT;
}

/* A set: yes when any member says so. */
static enum answer group_answer(const struct step *test, const struct intern *intern,
				const struct expr_facts *facts)
{
	enum answer answer = ANSWER_NO;
	for (uint32_t i = 0; i < facts->task_group_count && answer != ANSWER_YES; i++) {
		enum answer member = value_answer(test, intern, facts->task_groups[i]);
		answer = member == ANSWER_NO ? answer : member;
	}
	return answer;
}

static enum answer version_answer(const struct step *test, const struct intern *intern,
				  const char *version)
{
	if (!version || digit_run(version) == 0)
		return ANSWER_ABSENT;
	return order_answer(test, version_compare(version, id_text(intern, test->ids[0])));
}

static enum answer registered_answer(const struct step *test, int64_t at_ms)
{
	if (at_ms == INT64_MIN)
		return ANSWER_ABSENT;
	return number_answer(test, at_ms / 1000 - (at_ms % 1000 < 0));
}

enum answer answer_test(const struct step *test, const struct intern *intern,
			const struct expr_facts *facts)
{
	if (test->subject >= SUBJECT_FIRST_DYNAMIC && !facts->dynamic_known)
		return ANSWER_UNKNOWN;
	switch (test->subject) {
	case SUBJECT_ATTRIBUTE: return attribute_answer(test, intern, facts);
	case SUBJECT_NODE_NAME: return text_answer(test, intern, facts->node_name);
	case SUBJECT_CLUSTER: return text_answer(test, intern, facts->cluster);
	case SUBJECT_AGENT_VERSION: return version_answer(test, intern, facts->agent_version);
	case SUBJECT_REGISTERED_AT: return registered_answer(test, facts->registered_at_ms);
	case SUBJECT_AGENT_CONNECTED:
		return text_answer(test, intern, facts->agent_connected ? "true" : "false");
	case SUBJECT_RUNNING_TASKS: return number_answer(test, facts->running_tasks_count);
	case SUBJECT_TASK_GROUP: return group_answer(test, intern, facts);
	}
	assert(!"a subject");
	return ANSWER_ABSENT;
}
