/* The write queue of a connection: bytes in order, either copied into chunks that small writes share, or referenced
 * (an rcbuf, or memory somebody lends until a function is called). What is being written by the kernel stays at the
 * front until it is consumed; copying appends only behind it, and never moves bytes that were handed out. */
#ifndef K3X_BASE_WIRE_WQUEUE_INT_H
#define K3X_BASE_WIRE_WQUEUE_INT_H

#include "base/mem/rcbuf.h"
#include "base/mem/str.h"

#include <uv.h>

struct wqueue_item {
	const char *data;
	size_t len;
	size_t cap; /* > 0: a chunk of ours, with cap bytes from `base` */
	char *base;
	struct rcbuf *ref;
	void (*free_fn)(void *arg);
	void *arg;
};

struct wqueue {
	struct wqueue_item *items; /* ring */
	size_t cap;                /* a power of two, or 0 */
	size_t head;
	size_t count;
	size_t bytes;
};

void wqueue_release(struct wqueue *q);
void wqueue_add_copy(struct wqueue *q, const void *data, size_t len);
/* Small parts are copied and the reference dropped at once. */
void wqueue_add_ref(struct wqueue *q, struct rcbuf *ref, struct slice part);
void wqueue_add_borrowed(struct wqueue *q, struct slice data, void (*free_fn)(void *arg), void *arg);
/* Fills bufs with what is at the front; returns how many. */
unsigned wqueue_peek(const struct wqueue *q, uv_buf_t *bufs, unsigned max);
void wqueue_consume(struct wqueue *q, size_t bytes);

#endif
