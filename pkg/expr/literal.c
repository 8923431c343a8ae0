#include "expr/program.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- literals of one kind each ------------------------------------------------------------ */

static bool version_valid(const char *text)
{
	for (;;) {
		size_t digits = strspn(text, "0123456789");
		text += digits;
		if (digits == 0 || (*text && *text != '.'))
			return false;
		if (!*text)
			return true;
		text++;
	}
}

/* "+02:00" and the like, or "Z", or nothing (UTC). */
static bool zone_parse(const char *text, int64_t *offset_s)
{
	*offset_s = 0;
	if (strcmp(text, "") == 0 || strcmp(text, "Z") == 0)
		return true;
	if ((*text != '+' && *text != '-') || strlen(text) != 6 || text[3] != ':')
		return false;
	int64_t hours, minutes;
	char part[3] = { text[1], text[2] };
	if (part[0] == '-' || !parse_int(part, &hours) || hours > 23)
		return false;
	if (text[4] == '-' || !parse_int(text + 4, &minutes) || minutes > 59)
		return false;
	*offset_s = (hours * 3600 + minutes * 60) * (*text == '-' ? -1 : 1);
	return true;
}

/* The documented forms: a date; a date and a time, with or without zone. A fraction is dropped. */
static bool moment_parse(const char *text, int64_t *unix_s)
{
	char utc[TIME_TEXT_LEN + 1] = "0000-00-00T00:00:00Z";
	size_t len = strlen(text), date_len = strlen("2018-06-18");
	size_t used = len == date_len ? date_len : TIME_TEXT_LEN - 1;
	int64_t ms, offset_s;
	if (len < used)
		return false;
	memcpy(utc, text, used);
	text += used;
	if (*text == '.' && len > used)
		text += 1 + strspn(text + 1, "0123456789");
	if (!time_parse(utc, &ms) || !zone_parse(text, &offset_s))
		return false;
	*unix_s = ms / 1000 - (ms % 1000 < 0) - offset_s;
	return true;
}

static const char *version_set(struct step *step UNUSED, const char *text)
{
	return version_valid(text) ? NULL
				   : "agentVersion is compared with a version such as 1.14.5";
}

static const char *moment_set(struct step *step, const char *text)
{
	if (moment_parse(text, &step->number))
		return NULL;
	return "registeredAt is compared with a time such as 2018-06-18T22:28:28+00:00 or a date "
	       "such as 2018-06-18";
}

static const char *count_set(struct step *step, const char *text)
{
	if (parse_int(text, &step->number))
		return NULL;
	return "runningTasksCount is compared with a whole number";
}

static const char *bool_set(struct step *step UNUSED, const char *text)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return NULL;
	return "agentConnected is compared with true or false";
}

/* Checks and keeps a literal; gives what is wrong with it. Without one, any text will do. */
static const char *(*const set_literal[])(struct step *step, const char *text) = {
	[SUBJECT_AGENT_VERSION] = version_set, [SUBJECT_REGISTERED_AT] = moment_set,
	[SUBJECT_RUNNING_TASKS] = count_set,   [SUBJECT_AGENT_CONNECTED] = bool_set,
	[SUBJECT_TASK_GROUP] = NULL,
};

/* --- regular expressions ------------------------------------------------------------------ */

static void regex_free(struct regex *regex)
{
	if (!regex)
		return;
	pcre2_match_context_free(regex->limits);
	pcre2_match_data_free(regex->data);
	pcre2_code_free(regex->code);
	free(regex);
}

static void *not_null(void *p)
{
	if (!p)
		abort(); /* out of memory, as in base */
	return p;
}

/*
 * Anchored at both ends, so that the whole value has to match, as in Java's Matcher.matches(). NULL
 * with the offset of the mistake and a text.
 */
static struct regex *regex_new(const char *pattern, size_t *offset, char text[ERR_TEXT_MAX])
{
	uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF |
			   PCRE2_NEVER_BACKSLASH_C | PCRE2_MATCH_INVALID_UTF;
	pcre2_compile_context *compile = not_null(pcre2_compile_context_create(NULL));
	pcre2_set_parens_nest_limit(compile, REGEX_PARENS_MAX);
	int code = 0;
	pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options,
					     &code, offset, compile);
	pcre2_compile_context_free(compile);
	if (!compiled) {
		char why[200] = "";
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
		snprintf(text, ERR_TEXT_MAX, "not a regular expression: %s", why);
		return NULL;
	}
	struct regex *regex = xcalloc(1, sizeof(*regex));
	regex->code = compiled;
	regex->data = not_null(pcre2_match_data_create(1, NULL));
	regex->limits = not_null(pcre2_match_context_create(NULL));
	pcre2_set_match_limit(regex->limits, REGEX_MATCH_LIMIT);
	pcre2_set_depth_limit(regex->limits, REGEX_DEPTH_LIMIT);
	pcre2_set_heap_limit(regex->limits, REGEX_HEAP_KIB);
	return regex;
}

/* --- steps -------------------------------------------------------------------------------- */

static int id_compare(const void *a, const void *b)
{
	intern_id x = *(const intern_id *)a, y = *(const intern_id *)b;
	return (x > y) - (x < y);
}

static void intern_literals(struct step *step, struct expr *expr, struct intern *intern,
			    const struct literal *literals, uint32_t count)
{
	/* A value of no text is 0 or the id of "": both equal the literal "". */
	intern_id *ids = ARENA_ARRAY(&expr->arena, intern_id, count + 1);
	uint32_t n = 0;
	bool empty = false;
	for (uint32_t i = 0; i < count; i++) {
		empty = empty || !literals[i].text[0];
		ids[n++] = intern_add(intern, literals[i].text);
	}
	if (empty)
		ids[n++] = 0;
	qsort(ids, n, sizeof(*ids), id_compare);
	step->ids = ids;
	step->id_count = n;
}

bool step_set_literals(struct step *step, struct expr *expr, struct intern *intern,
		       const struct literal *literals, uint32_t count, const char **at,
		       char text[ERR_TEXT_MAX])
{
	for (uint32_t i = 0; i < count && step->test != TEST_MATCH; i++) {
		const char *wrong = set_literal[step->subject]
					    ? set_literal[step->subject](step, literals[i].text)
					    : NULL;
		if (!wrong)
			continue;
		*at = literals[i].at;
		snprintf(text, ERR_TEXT_MAX, "%s", wrong);
		return false;
	}
	bool interned = step->subject == SUBJECT_ATTRIBUTE || step->subject == SUBJECT_TASK_GROUP;
	if (interned && step->test != TEST_EQUAL)
		step->memo = ARENA_NEW(&expr->arena, struct memo);
	if (step->test != TEST_MATCH) {
		intern_literals(step, expr, intern, literals, count);
		return true;
	}
	size_t offset = 0;
	assert(count == 1);
	step->regex = regex_new(literals[0].text, &offset, text);
	*at = literals[0].at + offset;
	return step->regex;
}

void step_release(struct step *step)
{
	regex_free(step->regex);
	if (step->memo)
		free(step->memo->slots);
}
