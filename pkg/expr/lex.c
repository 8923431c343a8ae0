#include "expr/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- characters and sentences ------------------------------------------------------------- */

bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

size_t run(const char *s, const char *more)
{
	size_t n = 0;
	while (is_alnum(s[n]) || one_of(s[n], more))
		n++;
	return n;
}

bool word_is(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(s, word, len) == 0;
}

void skip_space(struct parser *ps)
{
	ps->p += strspn(ps->p, SPACE_CHARS);
}

struct shown shown(const char *s, size_t len)
{
	struct shown out = { "" };
	size_t n = len < SHOWN_BYTES_MAX ? len : SHOWN_BYTES_MAX;
	while (n < len && n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++)
		out.text[i] = (unsigned char)s[i] < ' ' || s[i] == 0x7f ? ' ' : s[i];
	return out;
}

struct shown shown_here(const char *s)
{
	return shown(s, strcspn(s, SPACE_CHARS));
}

void fail(struct parser *ps, const char *at, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(ps->error->text, sizeof(ps->error->text), fmt, args);
	va_end(args);
	ps->error->offset = (size_t)(at - ps->text);
}

/* --- and, or ------------------------------------------------------------------------------ */

size_t connective(const char *s, const char *word, const char *symbol)
{
	if (strncmp(s, symbol, 2) == 0)
		return 2;
	size_t len = run(s, "_-.:/\\");
	return word_is(s, len, word) ? len : 0;
}

size_t connective_any(const char *s)
{
	size_t len = connective(s, "and", "&&");
	return len ? len : connective(s, "or", "||");
}

bool at_end_of_test(const char *s)
{
	return !*s || *s == ')' || connective_any(s);
}

/* --- values ------------------------------------------------------------------------------- */

static bool parse_quoted(struct parser *ps, struct literal *out)
{
	const char *open = ps->p, *close = strchr(open + 1, *open);
	if (!close) {
		fail(ps, open, "the quote %c is never closed", *open);
		return false;
	}
	out->at = open + 1;
	out->text = arena_strndup(&ps->expr->arena, open + 1, (size_t)(close - open) - 1);
	ps->p = close + 1;
	if (*ps->p && !one_of(*ps->p, SPACE_CHARS "),]&|")) {
		fail(ps, ps->p, "'%s' stands directly behind a closing quote",
		     shown_here(ps->p).text);
		return false;
	}
	return true;
}

static size_t bare_length(const char *s, bool in_list)
{
	size_t n = 0;
	while (s[n] && !one_of(s[n], in_list ? SPACE_CHARS "),]" : SPACE_CHARS ")") &&
	       strncmp(s + n, "&&", 2) != 0 && strncmp(s + n, "||", 2) != 0)
		n++;
	return n;
}

static bool parse_bare(struct parser *ps, bool in_list, struct literal *out)
{
	const char *s = ps->p;
	size_t len = bare_length(s, in_list);
	if (!*s) {
		fail(ps, s, "a value is missing at the end");
		return false;
	}
	if (len == 0 || word_is(s, len, "and") || word_is(s, len, "or")) {
		size_t sign = one_of(*s, "&|") ? 2 : 1;
		fail(ps, s, "a value is missing before '%s'%s", shown(s, len ? len : sign).text,
		     len ? " (in quotes it would be a value)" : "");
		return false;
	}
	if (one_of(*s, "=<>!~&|")) {
		fail(ps, s, "a value that begins with '%c' has to stand in quotes", *s);
		return false;
	}
	size_t clean = 0;
	while (clean < len && !one_of(s[clean], "('\""))
		clean++;
	if (clean < len) {
		fail(ps, s + clean, "a value with '%c' in it has to stand in quotes", s[clean]);
		return false;
	}
	out->at = s;
	out->text = arena_strndup(&ps->expr->arena, s, len);
	ps->p += len;
	return true;
}

bool parse_value(struct parser *ps, bool in_list, struct literal *out)
{
	skip_space(ps);
	if (*ps->p == '\'' || *ps->p == '"')
		return parse_quoted(ps, out);
	return parse_bare(ps, in_list, out);
}

void literals_release(struct literals *literals)
{
	vec_release(&literals->list);
}

bool parse_list(struct parser *ps, struct literals *out)
{
	skip_space(ps);
	const char *open = ps->p;
	if (*open != '[') {
		fail(ps, open, "a list in square brackets is missing here, such as [a, b]");
		return false;
	}
	ps->p++;
	skip_space(ps);
	if (*ps->p == ']') {
		fail(ps, open, "the list is empty");
		return false;
	}
	for (;;) {
		struct literal one;
		if (!parse_value(ps, true, &one))
			return false;
		*vec_push(&out->list) = one;
		skip_space(ps);
		if (*ps->p == ']')
			break;
		if (*ps->p != ',') {
			fail(ps, *ps->p ? ps->p : open,
			     *ps->p ? "a ',' or the ']' of the list is missing here"
				    : "the list is never closed by a ']'");
			return false;
		}
		ps->p++;
	}
	ps->p++;
	return true;
}
