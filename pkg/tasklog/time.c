#include "tasklog/tasklog.h"

#include <stdio.h>
#include <string.h>

#define DATE_LEN 10

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "+01:00", "-0530", "Z" or nothing at the end of text[len], which becomes that much shorter. */
static bool take_zone(const char *text, size_t *len, int64_t *offset_min)
{
	*offset_min = 0;
	if (*len <= DATE_LEN)
		return true;
	if (text[*len - 1] == 'Z' || text[*len - 1] == 'z') {
		(*len)--;
		return true;
	}
	size_t at = *len;
	while (at > DATE_LEN && text[at - 1] != '+' && text[at - 1] != '-')
		at--;
	if (at == DATE_LEN)
		return true;
	const char *p = text + at;
	size_t n = *len - at;
	bool colon = n == 5 && p[2] == ':';
	if ((!colon && n != 4) || !digit(p[0]) || !digit(p[1]) || !digit(p[n - 2]) ||
	    !digit(p[n - 1]))
		return false;
	int64_t hours = (p[0] - '0') * 10 + p[1] - '0';
	int64_t minutes = (p[n - 2] - '0') * 10 + p[n - 1] - '0';
	*offset_min = (hours * 60 + minutes) * (p[-1] == '-' ? -1 : 1);
	*len = at - 1;
	return hours < 24 && minutes < 60;
}

/* A fraction of any length at the end, of which milliseconds count. */
static bool take_fraction(const char *text, size_t *len, int64_t *ms)
{
	const char *dot = memchr(text, '.', *len);
	*ms = 0;
	if (!dot)
		return true;
	size_t n = *len - (size_t)(dot + 1 - text);
	for (size_t i = 0; i < n || i < 3; i++) {
		if (i < n && !digit(dot[1 + i]))
			return false;
		if (i < 3)
			*ms = *ms * 10 + (i < n ? dot[1 + i] - '0' : 0);
	}
	*len = (size_t)(dot - text);
	return n > 0 && *len == TIME_TEXT_LEN - 1;
}

bool tasklog_time(const char *text, int64_t *unix_ms)
{
	static const char rest[] = "0000-00-00T00:00:00Z";
	char whole[TIME_TEXT_LEN + 1];
	int64_t offset_min, ms;
	size_t len = strlen(text);
	if (!take_zone(text, &len, &offset_min) || !take_fraction(text, &len, &ms))
		return false;
	if (len != DATE_LEN && len != DATE_LEN + 6 && len != DATE_LEN + 9)
		return false;
	memcpy(whole, rest, sizeof(rest));
	for (size_t i = 0; i < len; i++)
		whole[i] = text[i];
	if (len > DATE_LEN && (whole[DATE_LEN] == ' ' || whole[DATE_LEN] == 't'))
		whole[DATE_LEN] = 'T';
	if (!time_parse(whole, unix_ms))
		return false;
	*unix_ms += ms - offset_min * 60000;
	return true;
}
