#include "base/base.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

struct digest digest_of(const void *bytes, size_t len)
{
	struct digest digest;
	unsigned int size = 0;
	int ok = EVP_Digest(bytes, len, digest.bytes, &size, EVP_sha256(), NULL);
	assert(ok == 1 && size == DIGEST_BYTES);
	(void)ok;
	return digest;
}

void digest_hex(const struct digest *digest, char out[DIGEST_HEX_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		out[i * 2] = hex[digest->bytes[i] >> 4];
		out[i * 2 + 1] = hex[digest->bytes[i] & 15];
	}
	out[DIGEST_HEX_LEN] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_parse(const char *hex, struct digest *out)
{
	if (strlen(hex) != DIGEST_HEX_LEN)
		return false;
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		int high = hex_value(hex[i * 2]), low = hex_value(hex[i * 2 + 1]);
		if (high < 0 || low < 0)
			return false;
		out->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

bool digest_is_none(const struct digest *digest)
{
	static const struct digest none;
	return digest_equal(digest, &none);
}
