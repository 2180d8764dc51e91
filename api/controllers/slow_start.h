/* Slow start: creating many of the same in batches of 1, 2, 4, ..., so that what can't be created fails once and not a
 * thousand times. Pure bookkeeping. */
#ifndef K3X_API_CONTROLLERS_SLOW_START_H
#define K3X_API_CONTROLLERS_SLOW_START_H

#include <stdbool.h>
#include <stdint.h>

struct slow_start {
	int64_t left;    /* not yet tried, this batch included */
	int64_t batch;   /* size of the batch under way; 0: all done */
	int64_t waiting; /* answers to come */
	int64_t skipped; /* given up after a failure */
	bool failed;
};

static inline void slow_start_init(struct slow_start *s, int64_t n)
{
	*s = (struct slow_start){.left = n, .batch = n < 1 ? n : 1, .waiting = n < 1 ? n : 1};
}

/* One answer: true when the batch is complete. */
static inline bool slow_start_answer(struct slow_start *s, bool failed)
{
	s->failed = s->failed || failed;
	return --s->waiting == 0;
}

/* After a batch: the next one twice as large, or what is skipped. */
static inline void slow_start_next(struct slow_start *s)
{
	s->left -= s->batch;
	if (s->failed) {
		s->skipped = s->left;
		s->left = s->batch = 0;
		return;
	}
	s->batch = s->batch * 2 < s->left ? s->batch * 2 : s->left;
	s->waiting = s->batch;
}

#endif
