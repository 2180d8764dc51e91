/* Blocks of events. Most hold one event of a few hundred bytes and thousands of them are kept, so a block is two exact
 * allocations beside its head: the array of events and all their bytes. While it is built the bytes may move, so the
 * slices hold offsets (in `ptr`, one more than the offset so that NULL stays NULL); sealing turns them into pointers.
 */
#include "store/machine/event_block.h"

#include "base/check.h"

#include <stdlib.h>

struct event_block *event_block_new(bool has_prev)
{
	struct event_block *b = xcalloc(1, sizeof *b);
	atomic_init(&b->refs, 1);
	b->has_prev = has_prev;
	return b;
}

struct event_block *event_block_ref(struct event_block *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void event_block_unref(struct event_block *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	strbuf_release(&b->bytes);
	free(b->events);
	free(b);
}

static void store_bytes(struct event_block *b, struct slice *s)
{
	uintptr_t offset = b->bytes.len + 1;
	strbuf_add(&b->bytes, s->ptr, s->len);
	s->ptr = (const char *)offset;
}

void event_block_add(struct event_block *b, bool is_delete, const struct store_kv *kv, const struct store_kv *prev)
{
	CHECK(!b->sealed);
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 1;
		b->events = xrealloc(b->events, b->cap * sizeof *b->events);
	}
	struct store_event *e = &b->events[b->n++];
	*e = (struct store_event){.is_delete = is_delete, .kv = *kv};
	store_bytes(b, &e->kv.key);
	store_bytes(b, &e->kv.value);
	if (prev) {
		e->prev = *prev;
		store_bytes(b, &e->prev.key);
		store_bytes(b, &e->prev.value);
	}
	if (b->n == 1)
		b->first_revision = kv->mod_revision;
	b->last_revision = kv->mod_revision;
}

static void to_pointer(struct event_block *b, struct slice *s)
{
	if (s->ptr)
		s->ptr = b->bytes.data + ((uintptr_t)s->ptr - 1);
}

void event_block_seal(struct event_block *b)
{
	CHECK(!b->sealed);
	b->sealed = true;
	if (b->n == 0)
		return;
	if (b->cap > b->n)
		b->events = xrealloc(b->events, b->n * sizeof *b->events);
	b->bytes.data = xrealloc(b->bytes.data, b->bytes.len + 1);
	b->cap = b->n;
	b->bytes.cap = b->bytes.len + 1;
	for (size_t i = 0; i < b->n; i++) {
		to_pointer(b, &b->events[i].kv.key);
		to_pointer(b, &b->events[i].kv.value);
		to_pointer(b, &b->events[i].prev.key);
		to_pointer(b, &b->events[i].prev.value);
	}
}

size_t event_block_bytes(const struct event_block *b)
{
	return sizeof *b + b->cap * sizeof *b->events + b->bytes.cap + 48; /* and what malloc adds */
}
