/* Which parts of a snapshot a target has already, remembered in a file: so that what was cut short goes on, and what
 * has not changed between two goes is not sent twice. See sent_parts.c. One thread. */
#ifndef K3X_TOOLS_MOVING_SENT_PARTS_H
#define K3X_TOOLS_MOVING_SENT_PARTS_H

#include "store/engine/shared_log.h"

#include <stdio.h>

enum { SENT_PARTS_MAX = 1024 * 1024 };

struct sent_parts {
	struct shared_log_parts parts; /* for the log */
	FILE *file;
	char (*sums)[65]; /* by number; "": not there */
	size_t n, cap;
	int64_t skipped_bytes; /* of parts that were there */
};

/* What the file says, when the target has as many parts; else it is begun anew, with an id of its own. The log is
 * connected. */
int sent_parts_open(struct sent_parts *s, const char *path, struct shared_log *log, struct err *err);
void sent_parts_close(struct sent_parts *s); /* the file stays */

/* A line of the file: "NUMBER SHA256". For tests and fuzzing. False: it is none. */
bool sent_parts_read(struct sent_parts *s, struct slice line);

#endif
