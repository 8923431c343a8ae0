#include "source/source.h"

#include "model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * A line with the version, then numbers ("123\n") and texts ("LENGTH:bytes\n") by position, then a
 * line with the digest of all before it.
 */
#define HEADER	    "muster-snapshot 1\n"
#define HEADER_LEN  (sizeof(HEADER) - 1)
#define TRAILER	    "end "
#define TRAILER_LEN (sizeof(TRAILER) - 1 + DIGEST_HEX_LEN + 1)

enum file_content {
	CONTENT_KNOWN,
	CONTENT_HERE,
	CONTENT_TOO_LARGE,
	CONTENT_GONE, /* of history; has no blob */
	CONTENT_COUNT
};
#define CONTENT_DATA 4 /* added: no manifest */

/* --- writing --------------------------------------------------------------------------------- */

static void put_number(struct buf *out, int64_t n)
{
	buf_addf(out, "%" PRId64 "\n", n);
}

static void put_bytes(struct buf *out, const void *bytes, size_t len)
{
	buf_addf(out, "%zu:", len);
	buf_add(out, bytes, len);
	buf_addc(out, '\n');
}

static void put_text(struct buf *out, const char *text)
{
	put_bytes(out, text ? text : "", text ? strlen(text) : 0);
}

static void put_files(struct buf *out, const struct source_file *files, size_t count)
{
	put_number(out, (int64_t)count);
	for (size_t i = 0; i < count; i++) {
		const struct source_file *f = &files[i];
		enum file_content content = !f->blob	   ? CONTENT_GONE
					    : f->too_large ? CONTENT_TOO_LARGE
					    : f->bytes	   ? CONTENT_HERE
							   : CONTENT_KNOWN;
		put_text(out, f->path);
		put_text(out, f->blob);
		put_number(out, content | (f->data ? CONTENT_DATA : 0));
		if (content == CONTENT_HERE)
			put_bytes(out, f->bytes, f->len);
		else
			put_number(out, (int64_t)f->len);
	}
}

void source_snapshot_write(const struct source_snapshot *s, struct buf *out)
{
	size_t start = out->len;
	buf_adds(out, HEADER);
	put_text(out, s->commit);
	put_text(out, s->subject);
	put_text(out, s->author);
	put_number(out, s->time_unix_ms);
	put_number(out, s->rewritten);
	put_number(out, s->history_cut);
	put_files(out, s->files, s->file_count);
	put_number(out, (int64_t)s->history_count);
	for (size_t i = 0; i < s->history_count; i++) {
		const struct source_commit *c = &s->history[i];
		put_text(out, c->id);
		put_text(out, c->subject);
		put_text(out, c->author);
		put_number(out, c->time_unix_ms);
		put_files(out, c->files, c->file_count);
	}
	put_number(out, (int64_t)s->allow_count);
	for (size_t i = 0; i < s->allow_count; i++)
		put_text(out, s->allows[i]);
	struct digest digest = digest_of(out->data + start, out->len - start);
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&digest, hex);
	buf_addf(out, TRAILER "%s\n", hex);
}

/* --- reading --------------------------------------------------------------------------------- */

struct reader {
	const char *at, *end;
	struct arena *arena;
	bool bad; /* once set, everything reads as empty */
};

/* The number before `stop`, which is consumed; 0 and bad unless it is in 0..max (or negative, where
 * min says so). */
static int64_t take_number_until(struct reader *r, char stop, int64_t min, int64_t max)
{
	char digits[24];
	size_t n = 0;
	while (!r->bad && r->at + n < r->end && n < sizeof(digits) - 1 && r->at[n] != stop) {
		digits[n] = r->at[n];
		n++;
	}
	digits[n] = '\0';
	int64_t value = 0;
	if (r->bad || r->at + n >= r->end || r->at[n] != stop || !parse_int(digits, &value) ||
	    value < min || value > max) {
		r->bad = true;
		return 0;
	}
	r->at += n + 1;
	return value;
}

static int64_t take_number(struct reader *r, int64_t max)
{
	return take_number_until(r, '\n', 0, max);
}

/* Items to come: each takes some bytes, so that a wrong count cannot ask for much memory. */
static size_t take_count(struct reader *r, size_t max)
{
	size_t count = (size_t)take_number(r, (int64_t)max);
	if (count > (size_t)(r->end - r->at))
		r->bad = true;
	return r->bad ? 0 : count;
}

static const void *take_bytes(struct reader *r, size_t max, size_t *len)
{
	*len = (size_t)take_number_until(r, ':', 0, (int64_t)max);
	if (r->bad || (size_t)(r->end - r->at) <= *len || r->at[*len] != '\n') {
		r->bad = true;
		*len = 0;
		return "";
	}
	const char *bytes = r->at;
	r->at += *len + 1;
	return bytes;
}

static const char *take_text(struct reader *r)
{
	size_t len;
	const char *bytes = take_bytes(r, LIMIT_FILE_BYTES, &len);
	if (memchr(bytes, '\0', len) || !utf8_valid(bytes, len)) {
		r->bad = true;
		return "";
	}
	return arena_strndup(r->arena, bytes, len);
}

static void take_file(struct reader *r, struct source_file *f)
{
	f->path = take_text(r);
	f->blob = take_text(r);
	int64_t number = take_number(r, CONTENT_COUNT - 1 + CONTENT_DATA);
	enum file_content content = (enum file_content)(number & (CONTENT_DATA - 1));
	f->data = number & CONTENT_DATA;
	f->too_large = content == CONTENT_TOO_LARGE;
	if (content == CONTENT_HERE)
		f->bytes = take_bytes(r, LIMIT_FILE_BYTES, &f->len);
	else
		f->len = (size_t)take_number(r, INT64_MAX);
	if (!*f->path || !*f->blob != (content == CONTENT_GONE))
		r->bad = true;
	if (content == CONTENT_GONE)
		f->blob = NULL;
}

/* Sorted, each path once. */
static struct source_file *take_files(struct reader *r, bool some_gone, size_t *count)
{
	*count = take_count(r, SOURCE_FILES_MAX + SOURCE_DATA_MAX);
	struct source_file *files = ARENA_ARRAY(r->arena, struct source_file, *count);
	for (size_t i = 0; i < *count && !r->bad; i++) {
		take_file(r, &files[i]);
		if (!files[i].blob && !some_gone)
			r->bad = true;
		if (i > 0 && strcmp(files[i - 1].path, files[i].path) >= 0)
			r->bad = true;
	}
	return files;
}

static void take_commit(struct reader *r, struct source_commit *c)
{
	c->id = take_text(r);
	c->subject = take_text(r);
	c->author = take_text(r);
	c->time_unix_ms = take_number_until(r, '\n', INT64_MIN, INT64_MAX);
	c->files = take_files(r, true, &c->file_count);
}

static void take_snapshot(struct reader *r, struct source_snapshot *s)
{
	s->commit = take_text(r);
	s->subject = take_text(r);
	s->author = take_text(r);
	s->time_unix_ms = take_number_until(r, '\n', INT64_MIN, INT64_MAX);
	s->rewritten = take_number(r, 1);
	s->history_cut = take_number(r, 1);
	s->files = take_files(r, false, &s->file_count);
	s->history_count = take_count(r, SOURCE_HISTORY_MAX);
	s->history = ARENA_ARRAY(r->arena, struct source_commit, s->history_count);
	for (size_t i = 0; i < s->history_count && !r->bad; i++)
		take_commit(r, &s->history[i]);
	s->allow_count = take_count(r, SOURCE_ALLOWS_MAX);
	s->allows = ARENA_ARRAY(r->arena, const char *, s->allow_count);
	for (size_t i = 0; i < s->allow_count && !r->bad; i++)
		s->allows[i] = take_text(r);
	if (!*s->commit || r->at != r->end)
		r->bad = true;
}

bool source_snapshot_read(const void *bytes, size_t len, struct arena *arena,
			  struct source_snapshot *out, struct err *err)
{
	const char *text = bytes;
	if (len < HEADER_LEN + TRAILER_LEN || memcmp(text, HEADER, HEADER_LEN) != 0)
		return err_set(err, 0, "not a snapshot of version 1");
	const char *end = text + len - TRAILER_LEN;
	char hex[DIGEST_HEX_LEN + 1];
	memcpy(hex, end + sizeof(TRAILER) - 1, DIGEST_HEX_LEN);
	hex[DIGEST_HEX_LEN] = '\0';
	struct digest want, got = digest_of(text, (size_t)(end - text));
	if (memcmp(end, TRAILER, sizeof(TRAILER) - 1) != 0 || text[len - 1] != '\n' ||
	    !digest_parse(hex, &want) || !digest_equal(&want, &got))
		return err_set(err, 0, "the snapshot is torn: its checksum is wrong");
	struct reader r = { .at = text + HEADER_LEN, .end = end, .arena = arena };
	*out = (struct source_snapshot){ 0 };
	take_snapshot(&r, out);
	return r.bad ? err_set(err, 0, "the snapshot is malformed or beyond a limit") : true;
}
