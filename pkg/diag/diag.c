#include "diag/diag.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void diag_init(struct diag_list *list, struct arena *arena)
{
	*list = (struct diag_list){ .arena = arena };
}

void diag_release(struct diag_list *list)
{
	vec_release(&list->items);
	list->errors = list->warnings = 0;
}

/* The place for one more: a new one, or that of the last warning when an error finds the list full.
 */
static struct diag *diag_slot(struct diag_list *list, enum diag_severity severity)
{
	if (list->items.len < DIAG_KEPT_MAX)
		return vec_push(&list->items);
	if (severity != DIAG_ERROR)
		return NULL;
	for (size_t i = list->items.len; i > 0; i--)
		if (list->items.items[i - 1].severity == DIAG_WARNING)
			return &list->items.items[i - 1];
	return NULL;
}

static void diag_count(struct diag_list *list, enum diag_severity severity, size_t count)
{
	if (severity == DIAG_ERROR)
		list->errors += count;
	else
		list->warnings += count;
}

/* A diagnostic is one line of bounded length: what a user's text brings along must not break it. */
static char *one_line(char *text)
{
	size_t len = strnlen(text, DIAG_TEXT_MAX + 1);
	if (len > DIAG_TEXT_MAX) {
		len = DIAG_TEXT_MAX - 3;
		while (((unsigned char)text[len] & 0xc0) == 0x80)
			len--; /* not inside a character */
		memcpy(text + len, "...", 4);
	}
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return text;
}

void diag_add(struct diag_list *list, enum diag_severity severity, const char *path, struct pos pos,
	      const char *fmt, ...)
{
	diag_count(list, severity, 1);
	struct diag *diag = diag_slot(list, severity);
	if (!diag)
		return;
	struct buf text = { 0 };
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	*diag = (struct diag){ .severity = severity,
			       .path = arena_strdup(list->arena, path),
			       .pos = pos,
			       .text = one_line(arena_strdup(list->arena, buf_str(&text))) };
	buf_release(&text);
}

void diag_append(struct diag_list *list, const struct diag_list *from)
{
	size_t errors = 0, warnings = 0;
	for (size_t i = 0; i < from->items.len; i++) {
		const struct diag *d = &from->items.items[i];
		diag_add(list, d->severity, d->path, d->pos, "%s", d->text);
		if (d->severity == DIAG_ERROR)
			errors++;
		else
			warnings++;
	}
	/* Those that the other list counted and did not keep. */
	diag_count(list, DIAG_ERROR, from->errors - errors);
	diag_count(list, DIAG_WARNING, from->warnings - warnings);
}

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int diag_compare(const void *left, const void *right)
{
	const struct diag *a = left, *b = right;
	int order = strcmp(a->path, b->path);
	if (!order)
		order = compare_numbers(a->pos.line, b->pos.line);
	if (!order)
		order = compare_numbers(a->pos.col, b->pos.col);
	if (!order)
		order = compare_numbers(a->severity, b->severity);
	return order ? order : strcmp(a->text, b->text);
}

void diag_sort(struct diag_list *list)
{
	if (list->items.len < 2)
		return;
	struct diag *items = list->items.items;
	qsort(items, list->items.len, sizeof(*items), diag_compare);
	size_t kept = 1;
	for (size_t i = 1; i < list->items.len; i++) {
		if (diag_compare(&items[kept - 1], &items[i]) != 0)
			items[kept++] = items[i];
		else if (items[i].severity == DIAG_ERROR)
			list->errors--;
		else
			list->warnings--;
	}
	list->items.len = kept;
}

void diag_print_one(struct buf *out, const struct diag *diag)
{
	buf_adds(out, diag->path);
	if (diag->pos.line)
		buf_addf(out, ":%u:%u", diag->pos.line, diag->pos.col);
	buf_addf(out, ": %s: %s", diag->severity == DIAG_ERROR ? "error" : "warning", diag->text);
}

static size_t print_severity(struct buf *out, const struct diag_list *list,
			     enum diag_severity severity, size_t room)
{
	size_t printed = 0;
	for (size_t i = 0; i < list->items.len && printed < room; i++) {
		if (list->items.items[i].severity != severity)
			continue;
		diag_print_one(out, &list->items.items[i]);
		buf_addc(out, '\n');
		printed++;
	}
	return printed;
}

void diag_print(struct buf *out, const struct diag_list *list)
{
	size_t printed = print_severity(out, list, DIAG_ERROR, DIAG_SHOWN_MAX);
	printed += print_severity(out, list, DIAG_WARNING, DIAG_SHOWN_MAX - printed);
	size_t all = list->errors + list->warnings;
	if (all > printed)
		buf_addf(out, "and %zu more\n", all - printed);
}

/* --- suggestions ------------------------------------------------------------------------------ */

#define SUGGEST_WORD_MAX  63 /* no field or value is longer */
#define SUGGEST_EDITS_MAX 2

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits from a to b: inserted, deleted, changed, or swapped neighbours (optimal string alignment).
 */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][SUGGEST_WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b_len; j++)
		last[j] = before[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			bool same = lower(a[i - 1]) == lower(b[j - 1]);
			row[j] = least(last[j - 1] + !same, least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		size_t *free_row = before;
		before = last;
		last = row;
		row = free_row;
	}
	return last[b_len];
}

const char *diag_suggest(const char *word, const char *const *candidates, size_t count)
{
	size_t len = strlen(word), best_distance = SUGGEST_EDITS_MAX + 1;
	const char *best = NULL;
	if (len > SUGGEST_WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t candidate_len = strlen(candidates[i]);
		if (candidate_len > SUGGEST_WORD_MAX)
			continue;
		size_t distance = edit_distance(word, len, candidates[i], candidate_len);
		if (distance < best_distance && distance * 2 < len) {
			best = candidates[i];
			best_distance = distance;
		}
	}
	return best;
}
