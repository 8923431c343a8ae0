/* Single values with units, and placeholders. */
#include "manifest/internal.h"

#include <string.h>
#include <strings.h>

/* What is left of text after a decimal number with at most three digits behind the point, which is
 * given in thousandths; NULL where there is no number. */
static const char *parse_thousandths(const char *text, int64_t *thousandths)
{
	int64_t n = 0;
	size_t digits = 0, fraction = 0;
	bool point = false;
	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		if (++digits > 12 || (point && ++fraction > 3))
			return NULL;
		n = n * 10 + (*text - '0');
	}
	for (; fraction < 3; fraction++)
		n *= 10;
	*thousandths = n;
	return digits ? text : NULL;
}

/* A whole number, or one with the unit, which stands for 1024. */
static bool parse_quantity(const char *text, const char *unit, int64_t *out)
{
	int64_t thousandths;
	if (parse_int(text, out))
		return true;
	const char *rest = parse_thousandths(text, &thousandths);
	if (!rest)
		return false;
	while (*rest == ' ')
		rest++;
	if (strcasecmp(rest, unit) != 0 || thousandths * 1024 % 1000 != 0)
		return false;
	*out = thousandths * 1024 / 1000;
	return true;
}

bool parse_size_mib(const char *text, int64_t *mib)
{
	return parse_quantity(text, "GB", mib);
}

bool parse_cpu_units(const char *text, int64_t *units)
{
	return parse_quantity(text, "vCPU", units);
}

bool has_placeholder(const char *text)
{
	const char *open = strchr(text, '<');
	return strstr(text, "${") || strstr(text, "$$") || strstr(text, "{{") ||
	       (open && strchr(open, '>'));
}
