/* Reports: what a run was and what became of it, as one page that needs nothing else. */
#ifndef K3X_JEPSEN_REPORT_H
#define K3X_JEPSEN_REPORT_H

#include "jepsen/check.h"

/* Writes result.json and report.html into a folder ("" or ending with a slash). */
int report_save(const struct history *h, const struct check_report *r, const char *folder, struct err *err);

/* The page, as text. */
void report_write_html(const struct history *h, const struct check_report *r, struct strbuf *out);

/* Writes summary.html and summary.md into `to` ("" or ending with a slash) over the runs below the folders: each is one
 * that holds a result.json, or holds folders that do. */
int report_summary(char **folders, int count, const char *to, struct err *err);

#endif
