#include "engine/docker/image.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- references --------------------------------------------------------------------------------
 */

static bool chars_ok(const char *text, const char *others)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(others, *text))
			return false;
	return true;
}

/* The first part is a registry when it looks like a host. */
static bool is_registry(const char *part)
{
	return strpbrk(part, ".:") || strcmp(part, "localhost") == 0;
}

static bool digest_ok(const char *digest)
{
	struct digest ignored;
	size_t len = strlen(IMAGE_DIGEST_START);
	return strncmp(digest, IMAGE_DIGEST_START, len) == 0 &&
	       digest_parse(digest + len, &ignored);
}

bool image_parse(const char *text, struct arena *arena, struct image_ref *out, struct err *err)
{
	*out = (struct image_ref){ 0 };
	if (!*text || strlen(text) > IMAGE_TEXT_MAX)
		return err_set(err, 0, "'%.80s' is no reference to an image", text);
	char *rest = arena_strdup(arena, text);
	char *at = strchr(rest, '@');
	if (at) {
		*at = '\0';
		out->digest = at + 1;
	}
	char *slash = strrchr(rest, '/'), *colon = strrchr(rest, ':');
	if (colon && (!slash || colon > slash)) {
		*colon = '\0';
		out->tag = colon + 1;
	}
	char *first = strchr(rest, '/');
	const char *path = rest;
	out->registry = DEFAULT_REGISTRY;
	if (first) {
		*first = '\0';
		bool registry = is_registry(rest);
		if (registry) {
			out->registry =
				strcmp(rest, "index.docker.io") == 0 ? DEFAULT_REGISTRY : rest;
			path = first + 1;
		} else {
			*first = '/';
		}
	}
	bool library = strcmp(out->registry, DEFAULT_REGISTRY) == 0 && !strchr(path, '/');
	out->name = arena_printf(arena, "%s/%s%s", out->registry, library ? "library/" : "", path);
	if (!out->tag && !out->digest)
		out->tag = "latest";
	if (!*path || !chars_ok(path, "._-/") || !chars_ok(out->registry, ".:-[]") ||
	    (out->tag && (!*out->tag || strlen(out->tag) > 128 || !chars_ok(out->tag, "._-"))) ||
	    (out->digest && !digest_ok(out->digest)))
		return err_set(err, 0, "'%.80s' is no reference to an image", text);
	return true;
}

const char *image_text(const struct image_ref *ref, struct arena *arena)
{
	return ref->digest ? arena_printf(arena, "%s@%s", ref->name, ref->digest)
			   : arena_printf(arena, "%s:%s", ref->name, ref->tag);
}

bool image_is_local(const struct image_ref *ref)
{
	return strcmp(ref->registry, "localhost") == 0;
}

enum pull_policy image_policy(const char *policy, const struct image_ref *ref)
{
	if (policy && strcmp(policy, "Never") == 0)
		return PULL_NEVER;
	if (policy && strcmp(policy, "IfNotPresent") == 0)
		return PULL_IF_NOT_PRESENT;
	if (policy && strcmp(policy, "Always") == 0)
		return ref->digest ? PULL_IF_NOT_PRESENT : PULL_ALWAYS;
	bool latest = !ref->digest && strcmp(ref->tag, "latest") == 0;
	return latest && !image_is_local(ref) ? PULL_ALWAYS : PULL_IF_NOT_PRESENT;
}

const char *image_digest(const struct image_info *image, const struct image_ref *ref,
			 struct arena *arena)
{
	const char *found = NULL;
	if (image_is_local(ref))
		return NULL;
	for (uint32_t i = 0; i < image->repo_digests.len; i++) {
		struct image_ref known;
		if (!image_parse(image->repo_digests.items[i], arena, &known, NULL) ||
		    !known.digest || strcmp(known.name, ref->name) != 0)
			continue;
		if (ref->digest && strcmp(known.digest, ref->digest) == 0)
			return known.digest;
		if (!found || (image->digest && strcmp(known.digest, image->digest) == 0))
			found = known.digest;
	}
	return found;
}

/* --- credentials -------------------------------------------------------------------------------
 */

/* Docker's form for headers: RFC 4648, section 5. */
static const char *base64_url(const char *text, struct arena *arena)
{
	struct buf CLEANUP(buf_release) out = { 0 };
	base64_encode(text, strlen(text), &out);
	for (char *p = out.data; p && *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	return arena_strdup(arena, buf_str(&out));
}

static const char *unbase64(const char *text, struct arena *arena)
{
	struct buf CLEANUP(buf_release) out = { 0 };
	bool ok = base64_decode(text, &out) && !memchr(buf_str(&out), '\0', out.len);
	return ok ? arena_strdup(arena, buf_str(&out)) : NULL;
}

/* The part of a key that names the registry, and maybe a path there:
 * "https://index.docker.io/v1/" is docker.io's. */
static const char *key_place(const char *key, struct arena *arena)
{
	const char *scheme = strstr(key, "://");
	char *place = arena_strdup(arena, scheme ? scheme + 3 : key);
	size_t len = strlen(place);
	while (len && place[len - 1] == '/')
		place[--len] = '\0';
	static const char *const docker[] = { "index.docker.io/v1", "index.docker.io",
					      "registry-1.docker.io" };
	for (size_t i = 0; i < ARRAY_LEN(docker); i++)
		if (strcmp(place, docker[i]) == 0)
			return DEFAULT_REGISTRY;
	return place;
}

/* The entry whose place is the longest part of the image's name. */
static const json_t *find_auth(const json_t *auths, const struct image_ref *ref,
			       struct arena *arena)
{
	const json_t *found = NULL;
	size_t longest = 0;
	const char *key;
	json_t *entry;
	json_object_foreach((json_t *)auths, key, entry)
	{
		const char *place = key_place(key, arena);
		size_t len = strlen(place);
		if (len > longest && strncmp(ref->name, place, len) == 0 && ref->name[len] == '/') {
			found = entry;
			longest = len;
		}
	}
	return found;
}

static json_t *header_json(const json_t *entry, const struct image_ref *ref, struct arena *arena,
			   struct err *err)
{
	const char *token = json_string_value(json_object_get(entry, "identitytoken"));
	const char *auth = json_string_value(json_object_get(entry, "auth"));
	const char *user = json_string_value(json_object_get(entry, "username"));
	const char *password = json_string_value(json_object_get(entry, "password"));
	if (token && *token)
		return json_pack("{s:s,s:s}", "identitytoken", token, "serveraddress",
				 ref->registry);
	if (auth && *auth) {
		const char *pair = unbase64(auth, arena);
		const char *colon = pair ? strchr(pair, ':') : NULL;
		if (!colon) {
			err_set(err, 0, "\"auth\" of %s is no \"user:password\" in base64",
				ref->registry);
			return NULL;
		}
		user = arena_strndup(arena, pair, (size_t)(colon - pair));
		password = colon + 1;
	}
	if (!user || !password) {
		err_set(err, 0,
			"the entry of %s has no auth, identitytoken or username and "
			"password; credential helpers are not asked",
			ref->registry);
		return NULL;
	}
	return json_pack("{s:s,s:s,s:s}", "username", user, "password", password, "serveraddress",
			 ref->registry);
}

const char *image_auth(const char *file, size_t len, const struct image_ref *ref,
		       struct arena *arena, struct err *err)
{
	const char *value = NULL;
	*err = (struct err){ 0 };
	/* Where it does not read is not said in its own words: they may be the secret. */
	json_t *json = json_loadb(file, len, 0, NULL);
	const json_t *auths = json_object_get(json, "auths");
	if (!json_is_object(auths)) {
		err_set(err, 0, "it is no JSON object with \"auths\"");
	} else {
		const json_t *entry = find_auth(auths, ref, arena);
		json_t *header = entry ? header_json(entry, ref, arena, err) : NULL;
		char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
		if (text)
			value = base64_url(text, arena);
		free(text);
		json_decref(header);
	}
	json_decref(json);
	return value;
}
