/* Container logs as CRI runtimes write them: "TIME stdout|stderr P|F text" lines, P for a part of a line. */
#ifndef K3X_NODE_RUNTIME_LOG_FILE_H
#define K3X_NODE_RUNTIME_LOG_FILE_H

#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>

struct log_line {
	int64_t time_ns;
	struct slice time_text;
	bool is_stderr, is_partial;
	struct slice text; /* without the newline */
};

/* One line without its newline. False: not of this form. */
bool log_line_parse(struct slice line, struct log_line *ret);

/* The offset where the last `lines` lines begin (whole lines: parts count as one), the file's end for 0 lines. 0 when
 * there are fewer; -1 when the file cannot be read. Blocks, and reads what it passes once: for the pool. */
int64_t log_file_tail_offset(int fd, uint64_t lines);

/* The text of the last lines, at most `bytes` of it, malloc'ed; NULL when there is none. Blocks. */
char *log_file_tail(const char *path, unsigned lines, size_t bytes);

#endif
