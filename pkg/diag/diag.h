/*
 * diag: what is wrong with the user's input, with its place.
 *
 * A list collects every mistake of a reading instead of stopping at the first; the caller decides
 * what an error means. Failures of the world are struct err, never this.
 *
 * Who owns what: texts and paths are copied into the list's arena.
 */
#ifndef MUSTER_DIAG_H
#define MUSTER_DIAG_H

#include "base/base.h"

/* At most so many are printed; the rest is counted ("and N more"). */
#define DIAG_SHOWN_MAX 64
/* At most so many are kept by a list (errors push out warnings); the counters go on. */
#define DIAG_KEPT_MAX 1000

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

/* Longer texts are cut: what a user wrote may be quoted in one. */
#define DIAG_TEXT_MAX 1000

/* A place in a file: both count from 1; columns count characters, not bytes. 0:0 is "no place". */
struct pos {
	uint32_t line, col;
};

struct diag {
	enum diag_severity severity;
	const char *path;
	struct pos pos;
	const char *text; /* one sentence, no full stop, no newline */
};

struct diag_list {
	struct arena *arena;
	VEC(struct diag) items;
	size_t errors, warnings; /* all that were added, kept or not */
};

void diag_init(struct diag_list *list, struct arena *arena);
void diag_release(struct diag_list *list);

void diag_add(struct diag_list *list, enum diag_severity severity, const char *path, struct pos pos,
	      const char *fmt, ...) PRINTF_LIKE(5, 6);
#define diag_error(list, path, pos, ...)   diag_add(list, DIAG_ERROR, path, pos, __VA_ARGS__)
#define diag_warning(list, path, pos, ...) diag_add(list, DIAG_WARNING, path, pos, __VA_ARGS__)

/* Add all of `from`, texts copied. */
void diag_append(struct diag_list *list, const struct diag_list *from);

/* By path, line, column, severity, text; exact repetitions are dropped. */
void diag_sort(struct diag_list *list);

/* "path:line:col: error: text" of one, without newline ("path: error: text" where there is no
 * place). */
void diag_print_one(struct buf *out, const struct diag *diag);

/* A line each, errors first DIAG_SHOWN_MAX in order of the list, then "and N more" where there are.
 */
void diag_print(struct buf *out, const struct diag_list *list);

/*
 * The candidate nearest to word (at most 2 edits, a swap of neighbours is one, and less than half
 * of the word; letter case does not count), or NULL: for "did you mean".
 */
const char *diag_suggest(const char *word, const char *const *candidates, size_t count);

#endif
