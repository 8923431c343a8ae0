#include "report/report.h"

#include <string.h>

#define GAP 2

/* Characters of UTF-8, each taken as one column wide. */
static size_t width_of(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static const char *cell_of(const struct report_table *table, size_t row, size_t column)
{
	const char *text = table->cells.items[row * table->columns + column];
	return text ? text : "-";
}

/* What a terminal might obey is made harmless. */
static void add_harmless(char c, struct buf *out)
{
	buf_addc(out, (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c);
}

/* Append a line's text up to `width` characters. */
static void add_line(const char *text, size_t width, struct buf *out)
{
	bool cut = width && width_of(text) > width;
	size_t left = cut ? width - 1 : SIZE_MAX;
	for (; *text; text++) {
		if (((unsigned char)*text & 0xc0) != 0x80 && left-- == 0)
			break;
		add_harmless(*text, out);
	}
	buf_adds(out, cut ? "…\n" : "\n");
}

/* Cells with what fills their columns. */
static void add_cells(const char *const *cells, size_t columns, const size_t *widths,
		      struct buf *line)
{
	for (size_t c = 0; c < columns; c++) {
		buf_adds(line, cells[c]);
		for (size_t n = width_of(cells[c]); n < widths[c] + GAP; n++)
			buf_addc(line, ' ');
	}
}

static void strip(struct buf *line)
{
	while (line->len > 0 && line->data[line->len - 1] == ' ')
		line->data[--line->len] = '\0';
}

static void add_row(const struct report_table *table, const char *const *cells,
		    const size_t *widths, size_t width, struct buf *out)
{
	struct buf line = { 0 };
	add_cells(cells, table->columns - 1, widths, &line);
	buf_adds(&line, cells[table->columns - 1]);
	strip(&line);
	add_line(buf_str(&line), width, out);
	buf_release(&line);
}

void report_wrap(const char *text, size_t column, size_t indent, size_t width, struct buf *out)
{
	bool begun = false; /* there is a word on this line */
	while (*text) {
		size_t blanks = strspn(text, " "), len = strcspn(text + blanks, " ");
		struct buf word = { 0 };
		for (size_t i = 0; i < len; i++)
			add_harmless(text[blanks + i], &word);
		size_t columns = width_of(buf_str(&word));
		if (begun && width && column + blanks + columns > width) {
			buf_addf(out, "\n%*s", (int)indent, "");
			column = indent;
			blanks = 0;
		}
		buf_addf(out, "%*s%s", (int)blanks, "", buf_str(&word));
		column += blanks + columns;
		begun = true;
		text += strspn(text, " ") + len;
		buf_release(&word);
	}
}

#define BELOW 4 /* where what stands below its row begins */

/* The last cell goes on in its column, or stands below the row. */
static void add_wrapped_row(const struct report_table *table, const char *const *cells,
			    const size_t *widths, size_t width, struct buf *out)
{
	size_t columns = table->columns - 1, column = 0;
	const char *last = cells[columns];
	struct buf line = { 0 };
	for (size_t c = 0; c < columns; c++)
		column += widths[c] + GAP;
	add_cells(cells, columns, widths, &line);
	bool below = column + REPORT_WRAP_MIN > width;
	if (below || !*last)
		strip(&line);
	for (size_t i = 0; i < line.len; i++)
		add_harmless(line.data[i], out);
	if (below && *last && cells != table->headers) {
		buf_addf(out, "\n%*s", BELOW, "");
		report_wrap(last, BELOW, BELOW, width, out);
	} else if (!below) {
		report_wrap(last, column, column, width, out);
	}
	buf_addc(out, '\n');
	buf_release(&line);
}

void report_table(const struct report_table *table, size_t width, struct buf *out)
{
	struct arena scratch;
	arena_init(&scratch);
	size_t rows = table->cells.len / table->columns;
	size_t *widths = ARENA_ARRAY(&scratch, size_t, table->columns);
	const char **cells = ARENA_ARRAY(&scratch, const char *, table->columns);
	for (size_t c = 0; c < table->columns; c++) {
		widths[c] = width_of(table->headers[c]);
		for (size_t r = 0; r < rows; r++) {
			size_t n = width_of(cell_of(table, r, c));
			if (n > widths[c])
				widths[c] = n;
		}
	}
	bool wrap = table->wrap && width;
	(wrap ? add_wrapped_row : add_row)(table, table->headers, widths, width, out);
	for (size_t r = 0; r < rows; r++) {
		for (size_t c = 0; c < table->columns; c++)
			cells[c] = cell_of(table, r, c);
		(wrap ? add_wrapped_row : add_row)(table, cells, widths, width, out);
	}
	arena_release(&scratch);
}
