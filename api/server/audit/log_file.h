/* A log that is put away when it has grown: the file behind --audit-log-path.
 *
 * The names are those that people's tools know from kube-apiserver: audit.log is written to; when it would pass its
 * size it becomes audit-2026-01-02T15-04-05.000.log (UTC), and older ones are compressed to .gz and removed by number
 * and age. Everything here blocks and is for a thread of the pool; one thread at a time, but for log_file_tidy(), which
 * may run beside the writing. */
#ifndef K3X_API_SERVER_AUDIT_LOG_FILE_H
#define K3X_API_SERVER_AUDIT_LOG_FILE_H

#include "base/err.h"
#include "base/mem/str.h"

struct log_file_options {
	const char *path; /* borrowed; "-": standard output, which is never put away */
	int64_t bytes_max;
	unsigned backups_max;  /* 0: any number */
	unsigned age_days_max; /* 0: any age */
	bool compresses;
};

struct log_file {
	struct log_file_options options;
	int fd; /* -1: to be opened with the next write */
	int64_t size;
};

/* Opens it for appending and says what is wrong now rather than with the first event. */
int log_file_open(struct log_file *f, const struct log_file_options *options, struct err *err);
/* Whole lines. A file takes as many as fit; the next is begun with the first that does not. *ret_put_away: some file
 * was, and it is time for log_file_tidy(). */
int log_file_write(struct log_file *f, struct slice lines, bool *ret_put_away, struct err *err);
void log_file_close(struct log_file *f);

/* Removes what is too old or too much, and compresses the rest. now_s: Unix time. */
int log_file_tidy(const struct log_file_options *options, int64_t now_s, struct err *err);

#endif
