/* The envelope of every document: one line of JSON, its checksum, and what makes it unknown. */
#include "wire/internal.h"

#include <assert.h>
#include <string.h>

#define TRAILER_PREFIX "#sha256="
#define TRAILER_LEN    (sizeof(TRAILER_PREFIX) - 1 + DIGEST_HEX_LEN + 1)

static int append(const char *bytes, size_t len, void *out)
{
	buf_add(out, bytes, len);
	return 0;
}

void wire_seal(const char *kind, const char *fleet, json_t *object, struct buf *out)
{
	json_object_set_new(object, "kind", json_string(kind));
	json_object_set_new(object, "muster", json_integer(WIRE_VERSION));
	if (fleet)
		json_object_set_new(object, "fleet", json_string(fleet));
	size_t start = out->len;
	/* Sorted: equal values, equal bytes, however the object was put together. */
	if (json_dump_callback(object, append, out, JSON_COMPACT | JSON_SORT_KEYS))
		assert(!"an object of ours can be printed");
	buf_addc(out, '\n');
	struct digest digest = digest_of(out->data + start, out->len - start);
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&digest, hex);
	buf_addf(out, TRAILER_PREFIX "%s\n", hex);
}

/* The length of the JSON, or 0 with err set. */
static size_t checked_len(const char *bytes, size_t len, struct err *err)
{
	if (len > LIMIT_DOCUMENT_BYTES)
		return err_set(err, 0, "is larger than %d bytes", LIMIT_DOCUMENT_BYTES);
	if (len == 0)
		return err_set(err, 0, "is empty");
	if (len <= TRAILER_LEN || bytes[len - 1] != '\n' || bytes[len - TRAILER_LEN - 1] != '\n' ||
	    memcmp(bytes + len - TRAILER_LEN, TRAILER_PREFIX, strlen(TRAILER_PREFIX)) != 0)
		return err_set(err, 0, "is cut short, or no document of muster");
	char hex[DIGEST_HEX_LEN + 1] = { 0 };
	memcpy(hex, bytes + len - 1 - DIGEST_HEX_LEN, DIGEST_HEX_LEN);
	struct digest said, is = digest_of(bytes, len - TRAILER_LEN);
	if (!digest_parse(hex, &said) || !digest_equal(&said, &is))
		return err_set(err, 0, "is damaged: its checksum differs");
	return len - TRAILER_LEN;
}

/* Is it one of ours, of that kind and fleet, in a version that we read? */
static bool head_ok(const json_t *root, const char *kind, const char *fleet, struct err *err)
{
	const char *has = json_string_value(json_object_get(root, "kind"));
	const json_t *version = json_object_get(root, "muster");
	json_int_t number = json_integer_value(version);
	if (!json_is_integer(version) || !has)
		return err_set(err, 0, "is no document of muster");
	if (number < WIRE_VERSION_MIN || number > WIRE_VERSION)
		return err_set(err, 0, "has wire version %lld, this muster reads %d to %d",
			       (long long)number, WIRE_VERSION_MIN, WIRE_VERSION);
	if (strcmp(has, kind) != 0)
		return err_set(err, 0, "is of kind %.64s, not %s", has, kind);
	has = json_string_value(json_object_get(root, "fleet"));
	if (fleet && (!has || strcmp(has, fleet) != 0))
		return err_set(err, 0, "is of another fleet (%.64s)", has ? has : "none");
	return true;
}

json_t *wire_open(const void *bytes, size_t len, const char *kind, const char *fleet,
		  struct err *err)
{
	size_t json_len = checked_len(bytes, len, err);
	if (json_len == 0)
		return NULL;
	json_error_t why;
	json_t *root = json_loadb(bytes, json_len, JSON_REJECT_DUPLICATES, &why);
	if (!root) {
		err_set(err, 0, "is no JSON: %s", why.text);
		return NULL;
	}
	if (head_ok(root, kind, fleet, err))
		return root;
	json_decref(root);
	return NULL;
}
