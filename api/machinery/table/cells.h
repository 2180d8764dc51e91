/* Cells: what printers append to. One call per column, in the order of the columns. */
#ifndef K3X_API_MACHINERY_TABLE_CELLS_H
#define K3X_API_MACHINERY_TABLE_CELLS_H

#include "base/json/json.h"

struct cells {
	struct strbuf *out;
	struct arena *arena;
	struct json *object;
	int64_t now_s;
	int count;
};

void cell_str(struct cells *c, struct slice s);
void cell_text(struct cells *c, const char *text);
void cell_int(struct cells *c, int64_t v);
__attribute__((format(printf, 2, 3))) void cell_fmt(struct cells *c, const char *fmt, ...);
void cell_or_none(struct cells *c, struct slice s); /* "<none>" when empty */
void cell_name(struct cells *c);
void cell_age(struct cells *c);
void cell_age_of(struct cells *c, struct slice when);
void cell_count(struct cells *c, const char *member);
void cell_join(struct cells *c, const struct json *list, const char *member); /* member NULL: strings */
void cell_labels(struct cells *c, const struct json *labels);
void cell_selector(struct cells *c, const struct json *selector);

void duration_text(char out[32], int64_t seconds);
int64_t time_of(struct slice rfc3339); /* -1: none */

#endif
