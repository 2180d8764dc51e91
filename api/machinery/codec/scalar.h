/* Scalars in text: times, as Go's time package reads and writes them. Any thread. */
#ifndef K3X_API_MACHINERY_CODEC_SCALAR_H
#define K3X_API_MACHINERY_CODEC_SCALAR_H

#include "base/err.h"
#include "base/mem/str.h"

enum { SCALAR_TIME_MAX = 40 };

/* RFC 3339 with any fraction and offset, years 0000 to 9999. ERR_INVAL in Go's words. */
int scalar_time_parse(struct slice text, int64_t *seconds, int32_t *nanos, struct err *err);

/* "2006-01-02T15:04:05Z", with six digits of fraction when `is_micro`. False when the year is not one of four digits.
 */
bool scalar_time_format(int64_t seconds, int32_t nanos, bool is_micro, char out[SCALAR_TIME_MAX]);

enum { SCALAR_DAY_BYTES = 11 };

/* "2006-01-02" of UTC: the seconds of its first moment. False: it is no such date. */
bool scalar_day_parse(struct slice text, int64_t *ret_seconds);
/* The day of that moment. The year has four digits. */
void scalar_day_format(int64_t seconds, char out[SCALAR_DAY_BYTES]);

/* seconds of Go's zero time, 0001-01-01T00:00:00Z */
#define SCALAR_TIME_ZERO (-62135596800LL)

#endif
