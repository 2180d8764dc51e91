/* A small pool of threads for blocking work (mounts, image imports, large files), of our own so that libuv's global
 * pool, which serves DNS and file calls, is never full of it. The queue is bounded. */
#ifndef K3X_BASE_RT_POOL_H
#define K3X_BASE_RT_POOL_H

#include "base/rt/loop.h"

struct pool;

/* Embedded by the caller; completed exactly once, never before pool_submit() has returned. */
struct pool_work {
	struct loop_task task; /* used by the pool */
	struct pool_work *next;
	struct loop *loop;                 /* where `done` runs */
	void (*work)(struct pool_work *w); /* on a pool thread */
	void (*done)(struct pool_work *w); /* on `loop` */
};

struct pool *pool_new(const char *name, unsigned threads, unsigned queue_limit);

/* Any thread. False when the queue is full; nothing was taken then. */
bool pool_submit(struct pool *p, struct pool_work *w, struct loop *loop, void (*work)(struct pool_work *w),
        void (*done)(struct pool_work *w));

/* Waits for work under way and queued; loops must still run so that `done` is delivered. Not from a pool thread. */
void pool_free(struct pool *p);

#endif
