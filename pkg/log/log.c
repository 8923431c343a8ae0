#include "log/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What a pipe that is ready for writing takes whole, without waiting (pipe(7)). */
#define LINE_MAX_BYTES	PIPE_BUF
#define VALUE_MAX_BYTES 1024

static _Atomic enum log_level threshold = LOG_INFO;
static _Atomic unsigned long dropped;

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
	threshold = level;
}

static bool needs_quotes(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c <= ' ' || c >= 0x7f || strchr("\"=\\", c))
			return true;
	}
	return len == 0;
}

/* Either byte of U+0080 to U+009F in valid UTF-8: the C1 controls, which terminals obey too. */
static bool in_c1(const char *value, size_t i)
{
	const unsigned char *s = (const unsigned char *)value + i;
	return (s[0] == 0xc2 && s[1] < 0xa0) || (i > 0 && s[-1] == 0xc2 && s[0] < 0xa0);
}

static void add_escaped(struct buf *line, const char *value, size_t len)
{
	static const char plain[] = "\"\\\n\t\r", letters[] = "\"\\ntr";
	bool utf8 = utf8_valid(value, len);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];
		const char *known = c ? strchr(plain, c) : NULL;
		if (known)
			buf_addf(line, "\\%c", letters[known - plain]);
		else if (c < ' ' || c == 0x7f || (c > 0x7f && (!utf8 || in_c1(value, i))))
			buf_addf(line, "\\x%02x", c);
		else
			buf_addc(line, (char)c);
	}
}

/* Where to cut a value that is too long: not within a UTF-8 sequence. */
static size_t cut_at(const char *value, size_t max)
{
	while (max > 0 && ((unsigned char)value[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static void add_pair(struct buf *line, const char *key, const char *value)
{
	size_t len = strlen(value);
	bool cut = len > VALUE_MAX_BYTES;
	if (cut)
		len = cut_at(value, VALUE_MAX_BYTES);
	buf_addf(line, " %s=", key);
	if (!cut && !needs_quotes(value, len)) {
		buf_add(line, value, len);
		return;
	}
	buf_addc(line, '"');
	add_escaped(line, value, len);
	buf_adds(line, cut ? "...\"" : "\"");
}

/* One write that waits for nothing. False: not now. */
static bool write_at_once(const char *bytes, size_t len)
{
	ssize_t n = send(STDERR_FILENO, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == ENOTSOCK) {
		struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
		if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT))
			return false;
		n = write(STDERR_FILENO, bytes, len);
	}
	return n >= 0;
}

static void write_line(struct buf *line)
{
	unsigned long missing = dropped;
	if (missing)
		buf_addf(line, " dropped=%lu", missing);
	if (line->len >= LINE_MAX_BYTES) {
		static const char more[] = " ...";
		line->len = cut_at(line->data, LINE_MAX_BYTES - sizeof(more));
		buf_adds(line, more);
	}
	buf_addc(line, '\n');
	if (write_at_once(line->data, line->len))
		dropped -= missing;
	else
		dropped++;
}

static void add_pairs(struct buf *line, va_list pairs)
{
	const char *key;
	/* clang-tidy forgets va_start() when it is given several files. */
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	while ((key = va_arg(pairs, const char *))) {
		const char *value = va_arg(pairs, const char *);
		if (value)
			add_pair(line, key, value);
	}
}

void log_line(enum log_level level, const char *msg, ...)
{
	if (level > threshold)
		return;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	char time[TIME_TEXT_LEN + 1];
	time_text((int64_t)now.tv_sec * 1000, time);

	struct buf line CLEANUP(buf_release) = { 0 };
	buf_addf(&line, "level=%s time=%s", level_names[level], time);
	add_pair(&line, "msg", msg);
	va_list pairs;
	va_start(pairs, msg);
	add_pairs(&line, pairs);
	va_end(pairs);
	write_line(&line);
}
