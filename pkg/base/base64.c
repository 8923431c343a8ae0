#include "base/base.h"

#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

void base64_encode(const void *bytes, size_t len, struct buf *out)
{
	assert(len <= INT_MAX / 2);
	char *text = xmalloc((len + 2) / 3 * 4 + 1);
	int n = EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
	buf_add(out, text, (size_t)n);
	free(text);
}

/* libcrypto's takes white space around it and counts what '=' pads. */
bool base64_decode(const char *text, struct buf *out)
{
	size_t len = strlen(text), padding = 0;
	if (len % 4 != 0 || len > INT_MAX / 2 ||
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") !=
		    len)
		return false;
	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	if (strchr(text, '=') && strchr(text, '=') != text + len - padding)
		return false;
	unsigned char *bytes = xmalloc(len / 4 * 3 + 1);
	int n = len ? EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len) : 0;
	if (n >= 0)
		buf_add(out, bytes, (size_t)n - padding);
	free(bytes);
	return n >= 0;
}
