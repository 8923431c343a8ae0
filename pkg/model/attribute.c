/* ECS's rules for custom attributes; reference section 3. */
#include "model/model.h"

#include <string.h>

/* Is s 1 to LIMIT_ATTRIBUTE_CHARS long, of ASCII letters, digits and `others`? */
static bool made_of(const char *s, const char *others)
{
	size_t len = 0;
	for (; s[len]; len++) {
		char c = s[len];
		bool alnum =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (len >= LIMIT_ATTRIBUTE_CHARS || (!alnum && !strchr(others, c)))
			return false;
	}
	return len > 0;
}

bool attribute_name_valid(const char *name)
{
	return made_of(name, "_./\\-");
}

bool attribute_value_valid(const char *value)
{
	return made_of(value, "_.@/:\\- ") && value[0] != ' ' && value[strlen(value) - 1] != ' ';
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool attribute_name_allowed(const char *name)
{
	static const char *const settable[] = { "ecs.availability-zone", "ecs.instance-type",
						"ecs.os-family" };
	for (size_t i = 0; i < ARRAY_LEN(settable); i++)
		if (strcmp(name, settable[i]) == 0)
			return true;
	return !starts_with(name, "ecs.") && !starts_with(name, "muster.") &&
	       !starts_with(name, "com.amazonaws.");
}
