/* Blocks of events. Most hold one event of a few hundred bytes and thousands of them are kept, so the first event gets
 * exactly the memory it needs; a block that goes on takes its bytes from chunks that double. Chunks never move: the
 * memory table points into them while the block is still being built. */
#include "store/machine/memory/event_block.h"

#include "base/check.h"

#include <stdlib.h>

enum { CHUNK_MAX = 64 * 1024, MALLOC_BYTES = 16 };

struct block_chunk {
	struct block_chunk *older;
	size_t used, size;
	char data[];
};

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
	for (struct block_chunk *c = b->chunk, *older; c; c = older) {
		older = c->older;
		free(c);
	}
	free(b->events);
	free(b);
}

/* One that has room for `need` bytes more. */
static struct block_chunk *chunk_for(struct event_block *b, size_t need)
{
	struct block_chunk *c = b->chunk;
	if (c && c->size - c->used >= need)
		return c;
	size_t size = c && 2 * c->size < CHUNK_MAX ? 2 * c->size : 0;
	if (c && size == 0)
		size = CHUNK_MAX;
	if (size < need)
		size = need;
	c = xmalloc(sizeof *c + size);
	*c = (struct block_chunk){.older = b->chunk, .size = size};
	b->chunk = c;
	b->chunk_bytes += sizeof *c + size + MALLOC_BYTES;
	return c;
}

static void keep(struct event_block *b, struct block_chunk *c, struct slice *s)
{
	CHECK(s->len <= c->size - c->used);
	char *p = c->data + c->used;
	if (s->len)
		memcpy(p, s->ptr, s->len);
	c->used += s->len;
	b->bytes += s->len;
	s->ptr = p;
}

const struct store_event *event_block_add(
        struct event_block *b, bool is_delete, const struct store_kv *kv, const struct store_kv *prev)
{
	CHECK(!b->sealed);
	CHECK(kv->mod_revision >= b->last_revision);
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 1;
		b->events = xrealloc(b->events, b->cap * sizeof *b->events);
	}
	struct store_event *e = &b->events[b->n++];
	struct block_chunk *c =
	        chunk_for(b, kv->key.len + kv->value.len + (prev ? prev->key.len + prev->value.len : 0));
	*e = (struct store_event){.is_delete = is_delete, .kv = *kv};
	keep(b, c, &e->kv.key);
	keep(b, c, &e->kv.value);
	if (prev) {
		e->prev = *prev;
		keep(b, c, &e->prev.key);
		keep(b, c, &e->prev.value);
	}
	if (b->n == 1)
		b->first_revision = kv->mod_revision;
	b->last_revision = kv->mod_revision;
	return e;
}

void event_block_seal(struct event_block *b)
{
	CHECK(!b->sealed);
	b->sealed = true;
	if (b->cap > b->n && b->n)
		b->events = xrealloc(b->events, b->n * sizeof *b->events);
	b->cap = b->n;
}

size_t event_block_bytes(const struct event_block *b)
{
	return sizeof *b + b->cap * sizeof *b->events + b->chunk_bytes + 2 * MALLOC_BYTES;
}
