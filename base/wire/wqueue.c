/* See wqueue_int.h. */
#include "base/wire/wqueue_int.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>

enum { CHUNK_MIN = 1024, CHUNK_MAX = 17 * 1024, COPY_BELOW = 512, ITEMS_KEPT = 16 };

static void item_release(struct wqueue_item *it)
{
	free(it->base);
	rcbuf_unref(it->ref);
	if (it->free_fn)
		it->free_fn(it->arg);
}

static struct wqueue_item *item_at(const struct wqueue *q, size_t i)
{
	return &q->items[(q->head + i) & (q->cap - 1)];
}

void wqueue_release(struct wqueue *q)
{
	for (size_t i = 0; i < q->count; i++)
		item_release(item_at(q, i));
	free(q->items);
	*q = (struct wqueue){0};
}

static struct wqueue_item *push(struct wqueue *q)
{
	if (q->count == q->cap) {
		size_t cap = q->cap ? q->cap * 2 : 4;
		struct wqueue_item *items = xmalloc(cap * sizeof *items);
		for (size_t i = 0; i < q->count; i++)
			items[i] = *item_at(q, i);
		free(q->items);
		q->items = items;
		q->cap = cap;
		q->head = 0;
	}
	struct wqueue_item *it = item_at(q, q->count++);
	*it = (struct wqueue_item){0};
	return it;
}

static size_t chunk_size(size_t previous, size_t len)
{
	size_t cap = previous ? previous * 4 : CHUNK_MIN;
	if (cap > CHUNK_MAX)
		cap = CHUNK_MAX;
	return len > cap ? len : cap;
}

void wqueue_add_copy(struct wqueue *q, const void *data, size_t len)
{
	struct wqueue_item *tail = q->count ? item_at(q, q->count - 1) : NULL;
	size_t previous = tail ? tail->cap : 0;
	if (len == 0)
		return;
	q->bytes += len;
	if (tail && tail->cap) {
		size_t room = (size_t)(tail->base + tail->cap - (tail->data + tail->len));
		size_t n = len < room ? len : room;
		memcpy((char *)tail->data + tail->len, data, n);
		tail->len += n;
		data = (const char *)data + n;
		len -= n;
	}
	if (len == 0)
		return;
	struct wqueue_item *it = push(q);
	it->cap = chunk_size(previous, len);
	it->base = xmalloc(it->cap);
	it->data = it->base;
	it->len = len;
	memcpy(it->base, data, len);
}

void wqueue_add_ref(struct wqueue *q, struct rcbuf *ref, struct slice part)
{
	if (part.len < COPY_BELOW) {
		wqueue_add_copy(q, part.ptr, part.len);
		rcbuf_unref(ref);
		return;
	}
	struct wqueue_item *it = push(q);
	it->data = part.ptr;
	it->len = part.len;
	it->ref = ref;
	q->bytes += part.len;
}

void wqueue_add_borrowed(struct wqueue *q, struct slice data, void (*free_fn)(void *arg), void *arg)
{
	struct wqueue_item *it = push(q);
	it->data = data.ptr;
	it->len = data.len;
	it->free_fn = free_fn;
	it->arg = arg;
	q->bytes += data.len;
}

unsigned wqueue_peek(const struct wqueue *q, uv_buf_t *bufs, unsigned max)
{
	unsigned n = 0;
	for (size_t i = 0; i < q->count && n < max; i++) {
		struct wqueue_item *it = item_at(q, i);
		bufs[n++] = uv_buf_init((char *)it->data, (unsigned)it->len);
	}
	return n;
}

void wqueue_consume(struct wqueue *q, size_t bytes)
{
	CHECK(bytes <= q->bytes);
	q->bytes -= bytes;
	while (q->count) {
		struct wqueue_item *it = item_at(q, 0);
		if (it->len > bytes) {
			it->data += bytes;
			it->len -= bytes;
			return;
		}
		bytes -= it->len;
		struct wqueue_item done = *it;
		q->head = (q->head + 1) & (q->cap - 1);
		q->count--;
		item_release(&done);
	}
	q->head = 0;
	if (q->cap > ITEMS_KEPT) {
		free(q->items);
		q->items = NULL;
		q->cap = 0;
	}
}
