/* See rcbuf.h. */
#include "base/mem/rcbuf.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>
#include <string.h>

struct rcbuf *rcbuf_new(size_t len)
{
	CHECK(len <= 1u << 30);
	struct rcbuf *b = xmalloc(sizeof *b + len + 1);
	atomic_init(&b->refs, 1);
	b->len = (unsigned)len;
	b->data[len] = 0;
	return b;
}

struct rcbuf *rcbuf_copy(const void *data, size_t len)
{
	struct rcbuf *b = rcbuf_new(len);
	if (len)
		memcpy(b->data, data, len);
	return b;
}

struct rcbuf *rcbuf_ref(struct rcbuf *b)
{
	unsigned old = atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	CHECK(old > 0 && old < 1u << 31);
	return b;
}

void rcbuf_unref(struct rcbuf *b)
{
	if (!b)
		return;
	unsigned old = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
	CHECK(old > 0);
	if (old == 1)
		free(b);
}

static void unref_cb(void *arg)
{
	rcbuf_unref(arg);
}

void rcbuf_unref_with(struct arena *a, struct rcbuf *b)
{
	arena_on_release(a, unref_cb, b);
}
