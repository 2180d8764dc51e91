/* Rare branches, forced at random under simulation, and counted, so that a test can show that the simulator was there.
 * In production nobody is set to ask and each is the constant false: a look at a pointer.
 *
 *     if (bytes > MAX || buggify(BUGGIFY_SEND_TRIMMED))
 *
 * What is forced must be right at any time: slower, smaller, lost, never wrong. */
#ifndef K3X_BASE_BUGGIFY_H
#define K3X_BASE_BUGGIFY_H

#include <stdbool.h>
#include <stddef.h>

#define BUGGIFY_POINTS \
	BUGGIFY_POINT(SEND_TRIMMED)    /* a message takes one entry of many */ \
	BUGGIFY_POINT(APPEND_SPLIT)    /* entries that would fit one write of the log go in several */ \
	BUGGIFY_POINT(BATCH_OF_ONE)    /* the log's job writes one append at a time */ \
	BUGGIFY_POINT(PACK_OF_ONE)     /* an entry takes one command */ \
	BUGGIFY_POINT(ENTRIES_SHED)    /* the machine wants no more for now */ \
	BUGGIFY_POINT(COMMIT_NOT_TOLD) /* what is committed is told with the next heartbeat alone */ \
	BUGGIFY_POINT(READ_ASKED_LATE) /* a read's question is lost, and asked again at a tick */

enum buggify_point {
#define BUGGIFY_POINT(name) BUGGIFY_##name,
	BUGGIFY_POINTS
#undef BUGGIFY_POINT
	        BUGGIFY_POINT_COUNT,
};

/* Set by the simulator: shall this branch be taken now? NULL: never. One thread. */
extern bool (*buggify_ask)(enum buggify_point p);
/* How often each was taken. */
extern size_t buggify_taken[BUGGIFY_POINT_COUNT];

static inline bool buggify(enum buggify_point p)
{
	if (__builtin_expect(buggify_ask == NULL, 1) || !buggify_ask(p))
		return false;
	buggify_taken[p]++;
	return true;
}

const char *buggify_name(enum buggify_point p);

#endif
