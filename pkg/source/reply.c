#include "source/reply.h"

#include "source/source.h"

#include <string.h>

#define UNCHANGED "unchanged "
#define ERROR	  "error "

const char *source_clean_text(struct arena *arena, const char *text, size_t len)
{
	char *clean = arena_strndup(arena, text, len);
	len = strlen(clean);
	while (len > 0 && (clean[len - 1] == '\n' || clean[len - 1] == ' '))
		clean[--len] = '\0';
	bool utf8 = utf8_valid(clean, len);
	for (char *c = clean; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
		else if (!utf8 && (unsigned char)*c >= 0x80)
			*c = '?';
	}
	return clean;
}

void source_reply_unchanged(const char *commit, struct buf *out)
{
	buf_addf(out, UNCHANGED "%s\n", commit);
}

void source_reply_error(const char *reason, const char *text, struct buf *out)
{
	struct arena arena;
	arena_init(&arena);
	buf_addf(out, ERROR "%s %s\n", reason, source_clean_text(&arena, text, strlen(text)));
	arena_release(&arena);
}

/* What follows the keyword, without the newline; NULL: another keyword, or not one whole line. */
static char *line_after(const char *keyword, const char *text, size_t len, struct arena *arena)
{
	size_t skip = strlen(keyword);
	if (len <= skip + 1 || memcmp(text, keyword, skip) != 0 || text[len - 1] != '\n' ||
	    memchr(text, '\n', len - 1) || memchr(text, '\0', len) || !utf8_valid(text, len))
		return NULL;
	return arena_strndup(arena, text + skip, len - skip - 1);
}

bool source_reply_read(const void *bytes, size_t len, struct arena *arena, struct source_reply *out,
		       struct err *err)
{
	*out = (struct source_reply){ .kind = REPLY_UNCHANGED };
	out->commit = line_after(UNCHANGED, bytes, len, arena);
	if (out->commit)
		return true;
	char *text = line_after(ERROR, bytes, len, arena);
	char *space = text ? strchr(text, ' ') : NULL;
	if (space && space > text) {
		*space = '\0';
		out->kind = REPLY_ERROR;
		out->reason = text;
		out->text = space + 1;
		return true;
	}
	out->kind = REPLY_SNAPSHOT;
	return source_snapshot_read(bytes, len, arena, &out->snapshot, err);
}
