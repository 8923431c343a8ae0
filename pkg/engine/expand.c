#include "engine/engine.h"

#include <string.h>

const char *expand_references(struct arena *arena, const char *text, const struct map *values)
{
	struct buf out = { 0 };
	for (const char *p = text; *p;) {
		const char *end = p[0] == '$' && p[1] == '(' ? strchr(p, ')') : NULL;
		if (p[0] == '$' && p[1] == '$') {
			/* "$$(" is the way to write "$(": any other "$$" stays. */
			buf_adds(&out, p[2] == '(' ? "$(" : "$$");
			p += p[2] == '(' ? 3 : 2;
			continue;
		}
		const char *name = end ? arena_strndup(arena, p + 2, (size_t)(end - p - 2)) : NULL;
		const char *value = name ? map_get(values, name) : NULL;
		if (value) {
			buf_adds(&out, value);
			p = end + 1;
		} else {
			buf_addc(&out, *p++);
		}
	}
	const char *result = arena_strdup(arena, buf_str(&out));
	buf_release(&out);
	return result;
}
