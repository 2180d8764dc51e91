/* Regular expressions in RE2's syntax, as OpenAPI schemas of custom resources carry them: does a text match, anywhere
 * in it, and where? No captures, no back references, so that the time is bounded by pattern times text, whoever wrote
 * either. Patterns are compiled once and are then immutable: any thread may match.
 *
 * Left out, and refused by name: classes of Unicode (\p{Greek}). Case folding and named classes are ASCII's. */
#ifndef K3X_BASE_PATTERN_H
#define K3X_BASE_PATTERN_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

struct pattern;

/* Compiles into the arena, where it lives. NULL with ERR_INVAL and what is wrong with the pattern in RE2's words
 * ("missing closing ): `(a`"), or that it is too large (PATTERN_STEPS_MAX) or too deep. */
enum { PATTERN_STEPS_MAX = 20000, PATTERN_DEPTH_MAX = 200, PATTERN_REPEAT_MAX = 1000 };
const struct pattern *pattern_compile(struct arena *a, struct slice text, struct err *err);

/* Text is UTF-8; bytes that are none count as U+FFFD each. */
bool pattern_matches(const struct pattern *p, struct slice text);
/* The first place from byte `from` on where it matches, and there what Perl would take: of alternatives the first, of
 * repetitions as many as may be, or as few. *ret is a part of the text;
 * *ret_looked (NULL is fine) how many bytes were looked at, which may be many more. */
bool pattern_find(const struct pattern *p, struct slice text, size_t from, struct slice *ret, size_t *ret_looked);

/* How many steps it is made of: a byte of a text costs so many at most. */
unsigned pattern_steps(const struct pattern *p);

#endif
