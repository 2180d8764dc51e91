/* Points of time as APIs and logs write them (RFC 3339), in UTC: "2026-11-29T15:04:05Z". Any thread. */
#ifndef K3X_BASE_TIME_RFC3339_H
#define K3X_BASE_TIME_RFC3339_H

#include <stdint.h>

enum { RFC3339_MAX = 40 };

/* Nanoseconds since 1970, not before it; with so many digits of the second, 0 to 9, the rest cut off. Returns out. */
const char *rfc3339_text(char out[RFC3339_MAX], int64_t unix_ns, int digits);
/* The same of whole seconds. */
const char *rfc3339_seconds(char out[RFC3339_MAX], int64_t unix_s);

#endif
