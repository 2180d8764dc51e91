/* Spans of time as people write them: Go's durations, "1h30m", "500ms", "1.5h". Pure, any thread. */
#ifndef K3X_BASE_TIME_DURATION_H
#define K3X_BASE_TIME_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* In whole milliseconds, up to 1e15 of them. False: it is none. Units: h, m, s, ms; a number alone has none and is no
 * duration. */
bool duration_parse_ms(const char *text, uint64_t *ret_ms);

#endif
