#include "tasklog/tasklog.h"

#include <string.h>

static void put_line(struct tasklog_lines *l, const char *bytes, size_t len, struct buf *out)
{
	if (l->label)
		buf_addf(out, "%s: ", l->label);
	buf_add(out, l->partial.data, l->partial.len);
	buf_add(out, bytes, len);
	buf_addc(out, '\n');
	buf_reset(&l->partial);
}

void tasklog_lines_add(struct tasklog_lines *l, const void *bytes, size_t len, struct buf *out)
{
	const char *p = bytes, *end = p + len;
	if (!l->label) {
		buf_add(out, bytes, len);
		return;
	}
	while (p < end) {
		size_t room = TASKLOG_LINE_MAX - l->partial.len;
		size_t left = (size_t)(end - p), n = left < room ? left : room;
		const char *newline = memchr(p, '\n', n);
		if (newline) {
			put_line(l, p, (size_t)(newline - p), out);
			p = newline + 1;
		} else if (n == room) {
			put_line(l, p, n, out);
			p += n;
		} else {
			buf_add(&l->partial, p, n);
			p += n;
		}
	}
}

void tasklog_lines_end(struct tasklog_lines *l, struct buf *out)
{
	if (l->partial.len)
		put_line(l, "", 0, out);
	buf_release(&l->partial);
}

size_t tasklog_tail_find(struct tasklog_tail *tail, const char *bytes, size_t len)
{
	if (len == 0)
		return SIZE_MAX;
	if (tail->lines == 0)
		return len;
	/* The newline at the very end ends a line, and begins none. */
	size_t at = !tail->begun && bytes[len - 1] == '\n' ? len - 1 : len;
	tail->begun = true;
	while (at > 0) {
		if (bytes[at - 1] == '\n' && --tail->lines == 0)
			return at;
		at--;
	}
	return SIZE_MAX;
}
