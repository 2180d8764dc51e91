/* Reports: what a run was and what became of it, as one page that needs nothing else, and over many runs as a table. */
#ifndef K3X_JEPSEN_REPORT_H
#define K3X_JEPSEN_REPORT_H

#include "jepsen/check.h"

/* What the run itself found beside the checkers: crashes, clusters that did not come back. Texts are borrowed. */
struct report_notes {
	const char *const *texts;
	size_t count;
};

/* Writes report.html and result.json into a folder ("" or ending with a slash). `notes` may be NULL. result.json is
 * {"workload","target","nemesis","seed","operations","faults","violations":[notes],"check":check_report_json()}. */
int report_save(const struct history *h, const struct check_report *r, const struct report_notes *notes,
        const char *folder, struct err *err);

/* The page, as text. */
void report_write_html(
        const struct history *h, const struct check_report *r, const struct report_notes *notes, struct strbuf *out);

/* Writes summary.html and summary.md into `to` ("" or ending with a slash) over the runs below the folders: each is one
 * that holds a result.json, or holds folders that do. */
int report_summary(char **folders, int count, const char *to, struct err *err);

#endif
