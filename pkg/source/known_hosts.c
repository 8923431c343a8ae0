#include "source/place.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* man sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */

#define SSH_PORT	  22
#define HASHED		  "|1|"
#define SHA1_BASE64_LEN	  28
#define SALT_MAX	  64
#define KEY_BASE64_MIN	  64 /* of the shortest key there is */
#define KEY_TYPE_MAX	  64
#define PATTERN_STEPS_MAX 10000 /* against patterns made of stars */

static bool glob_match(const char *pattern, const char *text, int *steps)
{
	for (; *pattern; pattern++, text++) {
		if (--*steps < 0)
			return false;
		if (*pattern == '*') {
			for (const char *t = text;; t++) {
				if (glob_match(pattern + 1, t, steps))
					return true;
				if (!*t || *steps < 0)
					return false;
			}
		}
		if (!*text || (*pattern != '?' && *pattern != *text))
			return false;
	}
	return !*text;
}

/* |1|SALT|HMAC-SHA1(SALT, name), both in base 64. */
static bool hashed_match(const char *entry, const char *name)
{
	const char *salt64 = entry + strlen(HASHED), *hash64 = strchr(salt64, '|');
	size_t salt64_len = hash64 ? (size_t)(hash64 - salt64) : 0;
	uint8_t salt[SALT_MAX], hash[EVP_MAX_MD_SIZE];
	char base64[2 * EVP_MAX_MD_SIZE];
	if (salt64_len == 0 || salt64_len % 4 || salt64_len > SALT_MAX)
		return false;
	int salt_len = EVP_DecodeBlock(salt, (const uint8_t *)salt64, (int)salt64_len);
	for (size_t i = salt64_len; i > 0 && salt64[i - 1] == '='; i--)
		salt_len--;
	unsigned hash_len;
	if (salt_len <= 0 ||
	    !HMAC(EVP_sha1(), salt, salt_len, (const uint8_t *)name, strlen(name), hash, &hash_len))
		return false;
	EVP_EncodeBlock((uint8_t *)base64, hash, (int)hash_len);
	return strlen(hash64 + 1) == SHA1_BASE64_LEN && strcmp(hash64 + 1, base64) == 0;
}

/* Comma-separated patterns; a negated one that matches rules the line out. */
static bool names_match(char *names, const char *name)
{
	bool found = false;
	char *save = NULL;
	for (char *p = strtok_r(names, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		int steps = PATTERN_STEPS_MAX;
		bool negated = *p == '!';
		bool match = strncmp(p, HASHED, strlen(HASHED)) == 0
				     ? hashed_match(p, name)
				     : glob_match(p + negated, name, &steps);
		if (match && negated)
			return false;
		found |= match;
	}
	return found;
}

/* The type's name is the first string in the key: a length of 4 bytes, then the bytes. */
static bool key_type(const uint8_t *key, size_t len, char out[KEY_TYPE_MAX])
{
	size_t n = len < 4 ? 0
			   : (size_t)key[0] << 24 | (size_t)key[1] << 16 | (size_t)key[2] << 8 |
				     (size_t)key[3];
	if (n == 0 || n >= KEY_TYPE_MAX || n > len - 4)
		return false;
	memcpy(out, key + 4, n);
	out[n] = '\0';
	return true;
}

/* A line of the file that is about this host. */
struct entry {
	bool revoked;
	const char *type, *key; /* as they stand there */
};

static bool entry_parse(char *line, const char *name, struct entry *out)
{
	char *save = NULL, *word = strtok_r(line, " \t\r", &save);
	if (!word || *word == '#' || strcmp(word, "@cert-authority") == 0)
		return false;
	out->revoked = strcmp(word, "@revoked") == 0;
	char *names = out->revoked ? strtok_r(NULL, " \t\r", &save) : word;
	out->type = strtok_r(NULL, " \t\r", &save);
	out->key = strtok_r(NULL, " \t\r", &save);
	return names && out->type && out->key && names_match(names, name);
}

/* As the file names it: lower case, and with the port unless it is ssh's own. */
static const char *name_of(const char *host, uint16_t port, struct arena *arena)
{
	char *name = port && port != SSH_PORT ? arena_printf(arena, "[%s]:%u", host, port)
					      : arena_strdup(arena, host);
	for (char *c = name; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return name;
}

static enum host_key entry_says(const struct entry *entry, const char *type, const char *key64)
{
	if (strcmp(entry->type, type) != 0)
		return HOST_KEY_UNKNOWN;
	bool same = strcmp(entry->key, key64) == 0;
	if (entry->revoked)
		return same ? HOST_KEY_REVOKED : HOST_KEY_UNKNOWN;
	return same ? HOST_KEY_MATCH : HOST_KEY_MISMATCH;
}

/* The strongest word of all lines counts: one that matches outweighs others that do not, a
 * revocation outweighs all. */
static const int weight[] = { [HOST_KEY_UNKNOWN] = 0,
			      [HOST_KEY_MISMATCH] = 1,
			      [HOST_KEY_MATCH] = 2,
			      [HOST_KEY_REVOKED] = 3 };

enum host_key known_hosts_check(const char *text, const char *host, uint16_t port, const void *key,
				size_t key_len)
{
	struct arena arena;
	arena_init(&arena);
	char type[KEY_TYPE_MAX];
	const char *name = name_of(host, port, &arena);
	enum host_key found = HOST_KEY_UNKNOWN;
	if (key_type(key, key_len, type)) {
		char *key64 = arena_alloc(&arena, key_len / 3 * 4 + 5);
		EVP_EncodeBlock((uint8_t *)key64, key, (int)key_len);
		char *copy = arena_strdup(&arena, text), *save = NULL;
		for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
			struct entry entry;
			enum host_key said = entry_parse(l, name, &entry)
						     ? entry_says(&entry, type, key64)
						     : HOST_KEY_UNKNOWN;
			if (weight[said] > weight[found])
				found = said;
		}
	}
	arena_release(&arena);
	return found;
}

void known_hosts_select(const char *text, const char *host, uint16_t port, struct buf *out)
{
	static const char *const types[] = { "ssh-ed25519", "ecdsa-sha2-nistp256",
					     "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
					     "ssh-rsa" };
	struct arena arena;
	arena_init(&arena);
	const char *name = name_of(host, port, &arena);
	char *copy = arena_strdup(&arena, text), *save = NULL;
	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		struct entry entry;
		if (!entry_parse(l, name, &entry) || entry.revoked ||
		    strlen(entry.key) < KEY_BASE64_MIN)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(types); i++)
			if (strcmp(entry.type, types[i]) == 0)
				buf_addf(out, "%s %s %s\n", name, entry.type, entry.key);
	}
	arena_release(&arena);
}
