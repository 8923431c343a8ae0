#include "http/http.h"

#include <errno.h>
#include <string.h>

void http_split_init(struct http_split *split, size_t max_bytes)
{
	*split = (struct http_split){ .max_bytes = max_bytes };
}

void http_split_release(struct http_split *split)
{
	buf_release(&split->value);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* One byte of the current value. Is it its last? */
static bool ends_value(struct http_split *split, char c)
{
	if (c == '\n' && (split->in_string || split->depth == 0))
		return true;
	if (split->in_string) {
		split->in_string = split->escaped || c != '"';
		split->escaped = !split->escaped && c == '\\';
		return false;
	}
	switch (c) {
	case '"': split->in_string = true; return false;
	case '{':
	case '[': split->depth++; return false;
	case '}':
	case ']':
		if (split->depth > 0)
			split->depth--;
		return split->depth == 0;
	default: return false;
	}
}

static bool give(struct http_split *split, bool (*value)(void *arg, const char *text, size_t len),
		 void *arg)
{
	size_t len = split->value.len;
	while (is_space(split->value.data[len - 1])) /* the end of a line; the first byte is none */
		len--;
	split->value.data[len] = '\0';
	bool more = value(arg, split->value.data, len);
	buf_reset(&split->value);
	split->depth = 0;
	split->in_string = split->escaped = false;
	return more;
}

bool http_split_add(struct http_split *split, const void *bytes, size_t len,
		    bool (*value)(void *arg, const char *text, size_t len), void *arg,
		    struct err *err)
{
	const char *p = bytes, *end = p + len;
	while (p < end) {
		if (split->value.len == 0 && is_space(*p)) {
			p++;
			continue;
		}
		/* As much of this value as is here, added at once. */
		const char *start = p;
		bool complete = false;
		while (p < end && !complete)
			complete = ends_value(split, *p++);
		size_t more = (size_t)(p - start);
		if (more > split->max_bytes - split->value.len)
			return err_set(err, EFBIG, "a value of more than %zu bytes",
				       split->max_bytes);
		buf_add(&split->value, start, more);
		if (complete && !give(split, value, arg))
			return true;
	}
	return true;
}

bool http_split_end(struct http_split *split,
		    bool (*value)(void *arg, const char *text, size_t len), void *arg,
		    struct err *err)
{
	if (split->depth > 0 || split->in_string)
		return err_set(err, ECONNRESET, "ended inside of a value");
	if (split->value.len > 0)
		give(split, value, arg);
	return true;
}
