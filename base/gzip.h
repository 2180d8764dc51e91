/* gzip (RFC 1952), for logs that are put away: what zcat reads. No state, any thread; blocks. */
#ifndef K3X_BASE_GZIP_H
#define K3X_BASE_GZIP_H

#include "base/err.h"

/* Writes `from`, compressed, to `to`, which is made anew with the given mode and durable when this returns 0. On
 * failure nothing is left of it. `from` stays. */
int gzip_file(const char *from, const char *to, unsigned mode, struct err *err);

#endif
