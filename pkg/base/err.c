#include "base/base.h"

#include <stdio.h>
#include <string.h>

/* Put ": more" behind the text, which vsnprintf() wanted to be len long; cut where it is full. */
static void append(struct err *err, int len, const char *more)
{
	char *end = err->text + sizeof(err->text) - 1;
	if (len < 0 || len >= end - err->text)
		return;
	char *p = stpncpy(err->text + len, ": ", (size_t)(end - err->text - len));
	stpncpy(p, more, (size_t)(end - p));
	*end = '\0';
}

bool err_set(struct err *err, int code, const char *fmt, ...)
{
	if (!err)
		return false;
	err->code = code;
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	if (code != 0)
		append(err, n, strerrordesc_np(code) ? strerrordesc_np(code) : "unknown error");
	return false;
}

bool err_wrap(struct err *err, const char *fmt, ...)
{
	if (!err)
		return false;
	char old[ERR_TEXT_MAX];
	memcpy(old, err->text, sizeof(old));
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	append(err, n, old);
	return false;
}
