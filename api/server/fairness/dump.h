/* /debug/api_priority_and_fairness/: what kube-apiserver prints there of levels, queues and requests. API loop. */
#ifndef K3X_API_SERVER_FAIRNESS_DUMP_H
#define K3X_API_SERVER_FAIRNESS_DUMP_H

#include "api/server/fairness/fairness.h"

/* name: "dump_priority_levels", "dump_queues" or "dump_requests"; with_details: of requests, who asks for what, too.
 * False: there is no such dump. f NULL: none of anything. */
bool fairness_dump(const struct fairness *f, struct slice name, bool with_details, struct strbuf *out);

/* Rows of cells as upstream lays them out: each with a comma behind it but the last of its row, padded to a column as
 * wide as its widest cell and a blank, eight at the least. */
struct dump_table {
	struct strbuf text; /* cells end with a zero byte, rows with a line end */
	unsigned widths[24];
	unsigned column;
};
__attribute__((format(printf, 2, 3))) void dump_cell(struct dump_table *t, const char *fmt, ...);
void dump_row(struct dump_table *t);                       /* ends one */
void dump_write(struct dump_table *t, struct strbuf *out); /* and releases it */

#endif
