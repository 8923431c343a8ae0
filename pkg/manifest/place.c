/* Places in a file: lines and columns of byte offsets, and of characters inside a scalar. */
#include "manifest/internal.h"

#include <string.h>

/* A reading position: p stands at pos. */
struct cursor {
	const unsigned char *p, *end;
	struct pos pos;
};

static struct cursor cursor_at_start(const struct input *in)
{
	struct cursor c = { .p = (const unsigned char *)in->bytes, .pos = { 1, 1 } };
	c.end = c.p + in->len;
	if (in->len >= 3 && memcmp(in->bytes, "\xef\xbb\xbf", 3) == 0)
		c.p += 3;
	return c;
}

/* The length of the line break at the cursor, as libyaml sees them, or 0. */
static size_t break_length(const struct cursor *c)
{
	size_t left = (size_t)(c->end - c->p);
	if (left && (*c->p == '\n' || *c->p == '\r'))
		return *c->p == '\r' && left > 1 && c->p[1] == '\n' ? 2 : 1;
	if (left > 1 && c->p[0] == 0xc2 && c->p[1] == 0x85)
		return 2;
	if (left > 2 && c->p[0] == 0xe2 && c->p[1] == 0x80 && (c->p[2] & 0xfe) == 0xa8)
		return 3;
	return 0;
}

static void cursor_step(struct cursor *c)
{
	size_t len = break_length(c);
	if (len) {
		c->p += len;
		c->pos.line++;
		c->pos.col = 1;
		return;
	}
	c->p++;
	while (c->p < c->end && (*c->p & 0xc0) == 0x80)
		c->p++;
	c->pos.col++;
}

struct pos place_of_offset(const struct input *in, size_t offset)
{
	struct cursor c = cursor_at_start(in);
	const unsigned char *to = (const unsigned char *)in->bytes + offset;
	while (c.p < c.end && c.p < to)
		cursor_step(&c);
	return c.pos;
}

size_t utf8_bad_offset(const struct input *in)
{
	size_t at = 0;
	if (utf8_valid(in->bytes, in->len))
		return in->len;
	while (at < in->len) {
		size_t n = 1;
		while (n <= 4 && at + n <= in->len && !utf8_valid(in->bytes + at, n))
			n++;
		if (n > 4 || at + n > in->len)
			break;
		at += n;
	}
	return at;
}

static bool is_space(unsigned long code)
{
	return code == ' ' || (code >= '\t' && code <= '\r');
}

static unsigned long hex_number(const unsigned char *p, size_t digits)
{
	unsigned long n = 0;
	for (size_t i = 0; i < digits; i++) {
		unsigned char c = p[i];
		n = n * 16 + (unsigned long)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return n;
}

/* Step over an escape of a double-quoted scalar. Does it stand for a character other than space? */
static bool step_escape(struct cursor *c)
{
	cursor_step(c);
	unsigned char kind = c->p < c->end ? *c->p : 0;
	size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
	bool counts = !is_space(kind) && !strchr("nrtvf", kind);
	if (digits && (size_t)(c->end - c->p) > digits) {
		unsigned long code = hex_number(c->p + 1, digits);
		counts = !is_space(code) && !(code >= 0xd800 && code < 0xdc00);
	}
	for (size_t i = 0; i <= digits && c->p < c->end; i++)
		cursor_step(c);
	return counts;
}

/* Step over what stands for one character, or for white space. */
static bool step_content(struct cursor *c, unsigned char quote)
{
	if (quote == '"' && *c->p == '\\')
		return step_escape(c);
	bool counts = !is_space(*c->p) && !break_length(c);
	if (quote == '\'' && *c->p == '\'')
		cursor_step(c); /* the first of '' */
	cursor_step(c);
	return counts;
}

static bool is_before(struct pos a, struct pos b)
{
	return a.line < b.line || (a.line == b.line && a.col < b.col);
}

/*
 * White space inside a scalar is folded and unindented in many ways; all other characters come one
 * for one. So the place of a character is found by how many of those stand before it.
 */
struct pos place_in_scalar(struct input *in, const struct value *scalar, size_t offset)
{
	struct cursor c = cursor_at_start(in);
	if (in->last.offset && is_before(in->last.pos, scalar->pos)) {
		c.p = (const unsigned char *)in->bytes + in->last.offset;
		c.pos = in->last.pos;
	}
	while (c.p < c.end && is_before(c.pos, scalar->pos))
		cursor_step(&c);
	in->last.offset = (size_t)(c.p - (const unsigned char *)in->bytes);
	in->last.pos = c.pos;
	unsigned char quote = c.p < c.end ? *c.p : 0;
	if (quote == '|' || quote == '>')
		while (c.p < c.end && !break_length(&c))
			cursor_step(&c); /* the header of a block scalar */
	else if (quote == '"' || quote == '\'')
		cursor_step(&c);

	size_t before = 0, len = strlen(scalar->text);
	bool at_end = offset >= len;
	for (size_t i = 0; i < offset && i < len; i++) {
		unsigned char byte = (unsigned char)scalar->text[i];
		before += !is_space(byte) && (byte & 0xc0) != 0x80;
	}
	struct pos end = c.pos;
	for (size_t seen = 0; c.p < c.end;) {
		struct cursor next = c;
		bool counts = step_content(&next, quote);
		if (counts && seen == before && !at_end)
			return c.pos;
		c = next;
		seen += counts;
		if (counts)
			end = c.pos;
		if (at_end && seen == before)
			break;
	}
	return end;
}
