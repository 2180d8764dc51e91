/* A binary heap of things that know their place in it: the first by some order is at hand, any may be taken out again.
 *
 *     struct timer { struct heap_link link; uint64_t due_ms; };
 *     heap_init(&h, earlier);
 *     heap_add(&h, &t->link);
 *     struct timer *first = CONTAINER_OF(heap_first(&h), struct timer, link);
 *
 * The links are embedded; the heap keeps pointers to them. What decides the order of an element must not change while
 * it is in: take it out, change it, add it again. One thread at a time. */
#ifndef K3X_BASE_MEM_HEAP_H
#define K3X_BASE_MEM_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct heap_link {
	size_t at; /* from 1; 0: in no heap */
};

struct heap {
	struct heap_link **items; /* from 1 */
	size_t count, cap;
	bool (*before)(const struct heap_link *a, const struct heap_link *b);
};

void heap_init(struct heap *h, bool (*before)(const struct heap_link *a, const struct heap_link *b));
void heap_release(struct heap *h); /* elements are not touched */

/* O(log n). l is in no heap. */
void heap_add(struct heap *h, struct heap_link *l);
/* O(log n). l is in this heap. */
void heap_remove(struct heap *h, struct heap_link *l);

/* NULL when the heap is empty. */
static inline struct heap_link *heap_first(const struct heap *h)
{
	return h->count ? h->items[1] : NULL;
}

static inline bool heap_linked(const struct heap_link *l)
{
	return l->at != 0;
}

#endif
