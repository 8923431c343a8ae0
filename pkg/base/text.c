#include "base/base.h"

#include <stdio.h>
#include <string.h>

static bool alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool name_valid(const char *name)
{
	size_t n = 0;
	for (; name[n]; n++) {
		char c = name[n];
		if (n >= NAME_MAX_LEN || !(alnum(c) || c == '_' || (n && (c == '.' || c == '-'))))
			return false;
	}
	return n > 0;
}

int str_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool parse_int(const char *s, int64_t *out)
{
	bool negative = *s == '-';
	if (negative)
		s++;
	if (!*s)
		return false;
	int64_t value = 0; /* kept negative: its range is the wider one */
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, *s - '0', &value))
			return false;
	}
	if (!negative && value == INT64_MIN)
		return false;
	*out = negative ? value : -value;
	return true;
}

bool utf8_valid(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;
	while (p < end) {
		if (*p < 0x80) {
			p++;
			continue;
		}
		size_t more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
		if (*p < 0xc2 || *p > 0xf4 || (size_t)(end - p) <= more)
			return false;
		uint32_t code = *p & (0x3fu >> more);
		for (size_t i = 1; i <= more; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (p[i] & 0x3f);
		}
		static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
		if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return false;
		p += more + 1;
	}
	return true;
}

/* Days since 1970-01-01 of a Gregorian date and back, after the published civil-date algorithm. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z */
#define TIME_MIN_S (-62167219200)
#define TIME_MAX_S 253402300799

void time_text(int64_t unix_ms, char out[TIME_TEXT_LEN + 1])
{
	int64_t s = unix_ms / 1000 - (unix_ms % 1000 < 0);
	s = s < TIME_MIN_S ? TIME_MIN_S : s > TIME_MAX_S ? TIME_MAX_S : s;
	int64_t days = s / 86400 - (s % 86400 < 0), rest = s - days * 86400;
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int64_t d = doy - (153 * mp + 2) / 5 + 1, m = mp + (mp < 10 ? 3 : -9);
	int64_t y = yoe + era * 400 + (m <= 2);
	char text[64];
	snprintf(text, sizeof(text), "%04lld-%02lld-%02lldT%02lld:%02lld:%02lldZ", (long long)y,
		 (long long)m, (long long)d, (long long)(rest / 3600), (long long)(rest / 60 % 60),
		 (long long)(rest % 60));
	memcpy(out, text, TIME_TEXT_LEN);
	out[TIME_TEXT_LEN] = '\0';
}

static bool digits(const char *s, size_t n, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*out = *out * 10 + (s[i] - '0');
	}
	return true;
}

static int64_t days_in(int64_t y, int64_t m)
{
	return m == 12 ? 31 : days_of(y, m + 1, 1) - days_of(y, m, 1);
}

bool time_parse(const char *text, int64_t *unix_ms)
{
	int64_t y, m, d, hour, min, sec, ms = 0;
	size_t len = strlen(text);
	if (len != TIME_TEXT_LEN && len != TIME_TEXT_LEN + 4)
		return false;
	if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
	    text[16] != ':' || text[len - 1] != 'Z')
		return false;
	if (!digits(text, 4, &y) || !digits(text + 5, 2, &m) || !digits(text + 8, 2, &d) ||
	    !digits(text + 11, 2, &hour) || !digits(text + 14, 2, &min) ||
	    !digits(text + 17, 2, &sec))
		return false;
	if (len > TIME_TEXT_LEN && (text[19] != '.' || !digits(text + 20, 3, &ms)))
		return false;
	if (m < 1 || m > 12 || d < 1 || d > days_in(y, m) || hour > 23 || min > 59 || sec > 60)
		return false;
	*unix_ms = ((days_of(y, m, d) * 24 + hour) * 60 + min) * 60000 + sec * 1000 + ms;
	return true;
}

bool ends_with(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);
	return len >= n && strcmp(s + len - n, suffix) == 0;
}
