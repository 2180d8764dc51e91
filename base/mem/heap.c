/* See heap.h. */
#include "base/mem/heap.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>

enum { HEAP_FIRST_CAP = 16 };

void heap_init(struct heap *h, bool (*before)(const struct heap_link *a, const struct heap_link *b))
{
	*h = (struct heap){.before = before};
}

void heap_release(struct heap *h)
{
	free(h->items);
	*h = (struct heap){.before = h->before};
}

static void place(struct heap *h, size_t at, struct heap_link *l)
{
	h->items[at] = l;
	l->at = at;
}

static void sift_up(struct heap *h, size_t at)
{
	struct heap_link *l = h->items[at];
	for (; at > 1 && h->before(l, h->items[at / 2]); at /= 2)
		place(h, at, h->items[at / 2]);
	place(h, at, l);
}

static void sift_down(struct heap *h, size_t at)
{
	struct heap_link *l = h->items[at];
	for (size_t child; (child = at * 2) <= h->count; at = child) {
		if (child < h->count && h->before(h->items[child + 1], h->items[child]))
			child++;
		if (!h->before(h->items[child], l))
			break;
		place(h, at, h->items[child]);
	}
	place(h, at, l);
}

void heap_add(struct heap *h, struct heap_link *l)
{
	CHECK(l->at == 0);
	if (h->count + 1 >= h->cap) {
		h->cap = h->cap ? h->cap * 2 : HEAP_FIRST_CAP;
		h->items = xrealloc(h->items, h->cap * sizeof(struct heap_link *));
	}
	place(h, ++h->count, l);
	sift_up(h, h->count);
}

void heap_remove(struct heap *h, struct heap_link *l)
{
	size_t at = l->at;
	CHECK(at > 0 && at <= h->count && h->items[at] == l);
	struct heap_link *last = h->items[h->count--];
	l->at = 0;
	if (last == l)
		return;
	place(h, at, last);
	sift_up(h, at);
	sift_down(h, last->at);
}
