/* Times as the API writes them: RFC 3339 in UTC, and Unix nanoseconds inside. Any thread. */
#ifndef K3X_NODE_GROUND_TIMES_H
#define K3X_NODE_GROUND_TIMES_H

#include "base/mem/str.h"
#include "base/time/rfc3339.h"

#include <stdint.h>

enum { TIME_TEXT_MAX = RFC3339_MAX };
const char *time_text(int64_t unix_ns, char out[TIME_TEXT_MAX]); /* RFC 3339, whole seconds */
const char *time_text_nano(int64_t unix_ns, char out[TIME_TEXT_MAX]);
const char *time_text_micro(int64_t unix_ns, char out[TIME_TEXT_MAX]); /* MicroTime, six digits */
int64_t time_parse(struct slice text);                                 /* Unix nanoseconds, 0 when it is none */
int64_t time_now_ns(void);

#endif
