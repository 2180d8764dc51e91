/* Tables. See store_table.h. */
#include "tools/store/table.h"

#include "base/check.h"
#include "base/json_lib.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void store_table_add(struct store_table *t, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;
	va_start(ap, fmt);
	CHECK(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	if (t->n_cells == t->cap_cells)
		t->cells = xrealloc(t->cells, (t->cap_cells = t->cap_cells ? t->cap_cells * 2 : 64) * sizeof *t->cells);
	t->cells[t->n_cells++] = arena_strdup(&t->arena, text);
	free(text);
}

const char *store_table_size(struct store_table *t, int64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double n = (double)bytes;
	size_t i = 0;
	for (; n >= 1024 && i + 1 < COUNT_OF(units); i++)
		n /= 1024;
	return arena_printf(&t->arena, i ? "%.1f %s" : "%.0f %s", n, units[i]);
}

/* What a cell is in JSON. What is no value after all, like a number above those of 64 bits with a sign, stays a text.
 */
static json_t *json_of(const struct store_column *c, const char *cell)
{
	json_t *v = c->kind == STORE_COLUMN_TEXT ? NULL : json_lib_parse(slice_of(cell), NULL);
	return v ? v : json_lib_new_str(slice_of(cell));
}

static void write_json_row(struct store_table *t, const char *const *row, struct strbuf *out)
{
	json_auto_t *object = json_object();
	for (size_t c = 0; c < t->n_columns; c++)
		if (t->columns[c].name)
			json_lib_set(object, t->columns[c].name, json_of(&t->columns[c], row[c]));
	json_lib_write(out, object);
	strbuf_addc(out, '\n');
}

/* Bytes that begin a character: what it takes on a terminal, near enough. */
static size_t width_of(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void write_row(struct store_table *t, const char *const *row, const size_t *widths, struct strbuf *out)
{
	size_t pending = 0; /* spaces, unless the line ends */
	for (size_t c = 0; c < t->n_columns; c++) {
		const char *text = row ? row[c] : t->columns[c].head;
		if (!t->columns[c].head)
			continue;
		size_t pad = widths[c] - width_of(text);
		if (t->columns[c].kind == STORE_COLUMN_NUMBER) {
			pending += pad;
			pad = 0;
		}
		for (; pending && *text; pending--)
			strbuf_addc(out, ' ');
		strbuf_adds(out, text);
		pending += pad + 2;
	}
	strbuf_addc(out, '\n');
}

void store_table_write(struct store_table *t, bool json, struct strbuf *out)
{
	size_t rows = t->n_cells / t->n_columns;
	size_t *widths = xcalloc(t->n_columns, sizeof *widths);
	CHECK(t->n_cells % t->n_columns == 0);
	for (size_t i = 0; i < t->n_columns + t->n_cells; i++) {
		size_t c = i % t->n_columns;
		const char *text = i < t->n_columns ? t->columns[c].head : t->cells[i - t->n_columns];
		size_t n = text ? width_of(text) : 0;
		widths[c] = n > widths[c] ? n : widths[c];
	}
	if (!json)
		write_row(t, NULL, widths, out);
	for (size_t r = 0; r < rows; r++) {
		if (json)
			write_json_row(t, t->cells + r * t->n_columns, out);
		else
			write_row(t, t->cells + r * t->n_columns, widths, out);
	}
	free(widths);
	free(t->cells);
	arena_release(&t->arena);
	t->cells = NULL;
	t->n_cells = t->cap_cells = 0;
}

void store_table_print(struct store_table *t, bool json)
{
	struct strbuf b = STRBUF_INIT;
	store_table_write(t, json, &b);
	fwrite(b.data ? b.data : "", 1, b.len, stdout);
	fflush(stdout);
	strbuf_release(&b);
}
