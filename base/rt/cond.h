/* Timed waits on condition variables that a step of the wall clock neither shortens nor prolongs: the limit is one of
 * CLOCK_MONOTONIC, as condition variables by themselves have none. */
#ifndef K3X_BASE_RT_COND_H
#define K3X_BASE_RT_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* The moment `ms` from now, to wait until; ms >= 0. */
static inline struct timespec cond_limit(int64_t ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* Any thread, holding `lock`, which is given back while it waits. False: `limit` (of CLOCK_MONOTONIC) has passed. True:
 * woken, perhaps for nothing, so look and wait again with the same limit. */
static inline bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, const struct timespec *limit)
{
	return pthread_cond_clockwait(c, lock, CLOCK_MONOTONIC, limit) == 0;
}

#endif
