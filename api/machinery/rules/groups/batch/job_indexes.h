/* Sets of completion indexes, as a job's status writes them: "1,3-5,7". Pure.
 *
 * A set is a list of ranges that are in order and neither touch nor overlap, so that a job of a million completions
 * whose first half is done has one range. All memory is the arena's. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_JOB_INDEXES_H
#define K3X_API_MACHINERY_RULES_GROUPS_JOB_INDEXES_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

struct job_range {
	int64_t first, last; /* both belong to it */
};

struct job_indexes {
	struct job_range *ranges;
	size_t n;
};

/* What is at `completions` or above is left out, and so is what is no range: the text may come from an older size of
 * the job. */
struct job_indexes job_indexes_parse(struct arena *a, struct slice text, int64_t completions);
/* A strict reading for validation: NULL when the text is in order (or empty), else what is wrong with it.
 * *ret_total: how many there are. */
const char *job_indexes_check(struct arena *a, struct slice text, int64_t completions, int64_t *ret_total);
/* Of numbers in ascending order; repetitions do no harm. */
struct job_indexes job_indexes_of(struct arena *a, const int64_t *sorted, size_t n);
struct job_indexes job_indexes_join(struct arena *a, const struct job_indexes *x, const struct job_indexes *y);
bool job_indexes_has(const struct job_indexes *x, int64_t index);
int64_t job_indexes_total(const struct job_indexes *x);
/* How many of `x` are in `y`. */
int64_t job_indexes_common(const struct job_indexes *x, const struct job_indexes *y);
/* The first that is in both; -1: none is. */
int64_t job_indexes_first_common(const struct job_indexes *x, const struct job_indexes *y);
/* "" when empty. */
const char *job_indexes_text(struct arena *a, const struct job_indexes *x);
/* The first `max` numbers below `completions` that are not in the set; how many there are is returned. */
size_t job_indexes_free(const struct job_indexes *x, int64_t completions, size_t max, int64_t *out);

#endif
