/* Rows of texts, printed as a table for people or as JSON, an object a line. One thread. */
#ifndef K3X_TOOLS_STORE_TABLE_H
#define K3X_TOOLS_STORE_TABLE_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

struct store_column {
	const char *head; /* NULL: in JSON only */
	const char *name; /* of the member in JSON; NULL: in the table only */
	enum {
		STORE_COLUMN_TEXT,
		STORE_COLUMN_NUMBER,
		STORE_COLUMN_JSON
	} kind; /* numbers stand right; JSON is a value */
};

struct store_table {
	const struct store_column *columns;
	size_t n_columns;
	struct arena arena;
	const char **cells;
	size_t n_cells, cap_cells;
};

/* The next cell, row after row. */
__attribute__((format(printf, 2, 3))) void store_table_add(struct store_table *t, const char *fmt, ...);
/* Appends all rows and releases the table. A table without rows is its heads. */
void store_table_write(struct store_table *t, bool json, struct strbuf *out);
void store_table_print(struct store_table *t, bool json); /* to standard output */
/* 12.3 MiB */
const char *store_table_size(struct store_table *t, int64_t bytes);

#endif
