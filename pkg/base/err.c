#include "base/base.h"

#include <stdio.h>
#include <string.h>

bool err_set(struct err *err, int code, const char *fmt, ...)
{
	if (!err)
		return false;
	err->code = code;
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	if (code != 0 && n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s",
			 strerrordesc_np(code) ? strerrordesc_np(code) : "unknown error");
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
	if (n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", old);
	return false;
}
