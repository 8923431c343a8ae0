#include "engine/process/record.h"

#include <string.h>

#define MAGIC	"muster-"
#define END_KEY "end="
/* "end=", 16 hex digits, NUL. */
#define END_LEN (sizeof(END_KEY) - 1 + 16 + 1)

static uint64_t fnv1a(const char *bytes, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
	return hash;
}

static void hash_text(uint64_t hash, char out[16])
{
	for (int i = 15; i >= 0; i--, hash >>= 4)
		out[i] = "0123456789abcdef"[hash & 15];
}

static void add(struct record_writer *w, const char *bytes, size_t len)
{
	if (w->grow && len > w->cap - w->len)
		w->grow(w, w->len + len);
	if (w->len <= w->cap && len <= w->cap - w->len)
		memcpy(w->data + w->len, bytes, len);
	w->len += len;
}

/* Decimal digits of value; returns their start in buf[24], which ends in NUL. */
static const char *int_text(int64_t value, char buf[24])
{
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char *p = buf + 23;
	*p = '\0';
	do
		*--p = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		*--p = '-';
	return p;
}

void record_begin(struct record_writer *w, const char *kind)
{
	char number[24];
	const char *version = int_text(RECORD_VERSION, number);
	w->len = 0;
	add(w, MAGIC, sizeof(MAGIC) - 1);
	add(w, kind, strlen(kind));
	add(w, " ", 1);
	add(w, version, strlen(version) + 1);
}

void record_put_bytes(struct record_writer *w, const char *key, const char *bytes, size_t len)
{
	add(w, key, strlen(key));
	add(w, "=", 1);
	add(w, bytes, len);
	add(w, "", 1);
}

void record_put(struct record_writer *w, const char *key, const char *value)
{
	if (value)
		record_put_bytes(w, key, value, strlen(value));
}

void record_put_int(struct record_writer *w, const char *key, int64_t value)
{
	char number[24];
	record_put(w, key, int_text(value, number));
}

bool record_end(struct record_writer *w)
{
	char hash[17] = { 0 };
	if (w->len <= w->cap)
		hash_text(fnv1a(w->data, w->len), hash);
	add(w, END_KEY, sizeof(END_KEY) - 1);
	add(w, hash, sizeof(hash));
	return w->len <= w->cap;
}

/* "muster-KIND VERSION" as the first entry. */
static enum record_result header(const char *entry, const char *kind)
{
	size_t magic = sizeof(MAGIC) - 1, n = strlen(kind);
	if (strncmp(entry, MAGIC, magic) != 0 || strncmp(entry + magic, kind, n) != 0 ||
	    entry[magic + n] != ' ')
		return RECORD_TORN;
	int64_t version = record_int(entry + magic + n + 1);
	return version < 1 ? RECORD_TORN : version > RECORD_VERSION ? RECORD_NEWER : RECORD_OK;
}

enum record_result record_open(struct record_reader *r, const void *bytes, size_t len,
			       const char *kind)
{
	const char *data = bytes;
	if (len <= END_LEN || len > RECORD_MAX_BYTES || data[len - 1] != '\0')
		return RECORD_TORN;
	const char *trailer = data + len - END_LEN;
	char hash[16];
	hash_text(fnv1a(data, len - END_LEN), hash);
	if (trailer[-1] != '\0' || memcmp(trailer, END_KEY, sizeof(END_KEY) - 1) != 0 ||
	    memcmp(trailer + sizeof(END_KEY) - 1, hash, sizeof(hash)) != 0)
		return RECORD_TORN;
	r->at = data + strlen(data) + 1;
	r->end = trailer;
	return header(data, kind);
}

const char *record_next(struct record_reader *r)
{
	if (r->at >= r->end)
		return NULL;
	const char *entry = r->at;
	r->at += strlen(entry) + 1;
	return entry;
}

const char *record_value(const char *entry, const char *key)
{
	size_t n = strlen(key);
	return strncmp(entry, key, n) == 0 && entry[n] == '=' ? entry + n + 1 : NULL;
}

int64_t record_int(const char *value)
{
	bool negative = *value == '-';
	const char *p = value + negative;
	int64_t n = 0; /* kept negative: its range is the wider one */
	if (!*p)
		return 0;
	for (; *p; p++)
		if (*p < '0' || *p > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_sub_overflow(n, *p - '0', &n))
			return 0;
	if (negative)
		return n;
	return n == INT64_MIN ? 0 : -n;
}
