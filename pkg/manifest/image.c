/* The syntax of image references: [REGISTRY[:PORT]/]NAME[:TAG][@sha256:DIGEST]. */
#include "manifest/internal.h"

#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define IMAGE_MAX_LEN 255 /* of what stands before '@' */
#define TAG_MAX_LEN   128
#define HEX_MAX_LEN   64

struct text {
	const char *at;
	size_t len;
};

static bool made_of(struct text t, const char *allowed)
{
	for (size_t i = 0; i < t.len; i++)
		if (!strchr(allowed, t.at[i]))
			return false;
	return t.len > 0;
}

/* The part before the first such character, or all; what comes after it stays in rest. */
static struct text cut(struct text *rest, char separator)
{
	const char *found = memchr(rest->at, separator, rest->len);
	struct text part = { rest->at, found ? (size_t)(found - rest->at) : rest->len };
	size_t used = part.len + (found != NULL);
	*rest = (struct text){ rest->at + used, rest->len - used };
	return part;
}

/* Lower-case letters and digits, with one '.', one or two '_' or any number of '-' between them. */
static bool is_component(struct text t)
{
	if (!made_of(t, LOWER DIGITS "._-") || !strchr(LOWER DIGITS, t.at[0]) ||
	    !strchr(LOWER DIGITS, t.at[t.len - 1]))
		return false;
	for (size_t i = 1; i < t.len; i++) {
		char last = t.at[i - 1], c = t.at[i];
		bool joins = strchr("._-", last) && strchr("._-", c);
		bool third = i > 1 && c == '_' && t.at[i - 2] == '_';
		if (joins && (last != c || c == '.' || third))
			return false;
	}
	return true;
}

static bool is_registry(struct text t)
{
	return memchr(t.at, '.', t.len) || memchr(t.at, ':', t.len) ||
	       (t.len == 9 && memcmp(t.at, "localhost", 9) == 0);
}

static bool is_host_and_port(struct text t)
{
	struct text port = t;
	bool has_port = memchr(t.at, ':', t.len) != NULL;
	struct text host = cut(&port, ':');
	return made_of(host, LOWER UPPER DIGITS ".-") && (!has_port || made_of(port, DIGITS));
}

static const char *name_problem(struct text name)
{
	struct text rest = name;
	if (memchr(rest.at, '/', rest.len)) {
		struct text after = rest, first = cut(&after, '/');
		if (is_registry(first)) {
			if (!is_host_and_port(first))
				return "what stands before the first \"/\" is no host and port";
			rest = after;
		}
	}
	if (!rest.len || rest.at[rest.len - 1] == '/')
		return "the name is missing";
	while (rest.len)
		if (!is_component(cut(&rest, '/')))
			return "a name has only lower-case letters and digits, and \".\", \"_\" or "
			       "\"-\" between them";
	return NULL;
}

const char *image_problem(const char *image)
{
	struct text rest = { image, strlen(image) };
	bool has_digest = strchr(image, '@') != NULL;
	struct text name = cut(&rest, '@');
	if (has_digest && (rest.len != 7 + HEX_MAX_LEN || strncmp(rest.at, "sha256:", 7) != 0 ||
			   !made_of((struct text){ rest.at + 7, HEX_MAX_LEN }, DIGITS "abcdef")))
		return "the digest after \"@\" must be sha256: and 64 hex digits";
	if (name.len > IMAGE_MAX_LEN)
		return "it is longer than 255 characters";
	const char *slash = memrchr(name.at, '/', name.len);
	const char *last = slash ? slash + 1 : name.at;
	const char *colon = memchr(last, ':', (size_t)(name.at + name.len - last));
	if (colon) {
		struct text tag = { colon + 1, (size_t)(name.at + name.len - colon - 1) };
		if (tag.len > TAG_MAX_LEN || !made_of(tag, LOWER UPPER DIGITS "_.-") ||
		    strchr(".-", tag.at[0]))
			return "the tag after \":\" must be 1 to 128 letters, digits, \"_\", \".\" "
			       "and \"-\"";
		name.len = (size_t)(colon - name.at);
	}
	return name_problem(name);
}
