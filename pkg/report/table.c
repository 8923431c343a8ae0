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

/* Append a line's text up to `width` characters, with what a terminal might obey made harmless. */
static void add_line(const char *text, size_t width, struct buf *out)
{
	bool cut = width && width_of(text) > width;
	size_t left = cut ? width - 1 : SIZE_MAX;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if ((c & 0xc0) != 0x80 && left-- == 0)
			break;
		buf_addc(out, c < 0x20 || c == 0x7f ? ' ' : *text);
	}
	buf_adds(out, cut ? "…\n" : "\n");
}

static void add_row(const struct report_table *table, const char *const *cells,
		    const size_t *widths, size_t width, struct buf *out)
{
	struct buf line = { 0 };
	for (size_t c = 0; c < table->columns; c++) {
		buf_adds(&line, cells[c]);
		if (c + 1 < table->columns)
			for (size_t n = width_of(cells[c]); n < widths[c] + GAP; n++)
				buf_addc(&line, ' ');
	}
	while (line.len > 0 && line.data[line.len - 1] == ' ')
		line.data[--line.len] = '\0';
	add_line(buf_str(&line), width, out);
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
	add_row(table, table->headers, widths, width, out);
	for (size_t r = 0; r < rows; r++) {
		for (size_t c = 0; c < table->columns; c++)
			cells[c] = cell_of(table, r, c);
		add_row(table, cells, widths, width, out);
	}
	arena_release(&scratch);
}
