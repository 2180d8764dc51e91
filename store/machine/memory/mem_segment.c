/* Segments: skip lists that one thread adds to while others read (Pugh 1990; the shape that log-structured stores give
 * their memory tables).
 *
 *     list:   head ------------------------> "b" ------------> ...       links are set from the ground up, each with a
 *             head ---------> "a" ---------> "b" ---> "c" ---> ...       release store of a node that is whole
 *                              |              |
 *                           newest         newest --> older --> older    versions, likewise
 *
 * A reader that loads a link or a version with acquire sees all of it. Whatever it must not see yet (changes of a batch
 * that is being applied) has a higher number than it asks for and is stepped over. A node is never taken out; a segment
 * goes as a whole, when SQLite has what is in it and the last reader has left.
 *
 * The thread that adds knows its keys by their hash as well, so that writing one again costs no search.
 *
 * Keys and values are not copied: they lie in the event blocks that watchers read, and the segment keeps those. Nodes,
 * versions and the log lie in the segment's arena.
 *
 * What can go wrong: nothing but memory. */
#include "store/machine/memory/mem_segment.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum { HEIGHT_MAX = 14, BRANCHING_BITS = 2 }; /* one node in four is a level higher */

struct mem_segment *mem_segment_new(void)
{
	struct mem_segment *s = xcalloc(1, sizeof *s);
	atomic_init(&s->refs, 1);
	for (int i = 0; i < MEM_LISTS; i++)
		s->lists[i].heads = xcalloc(HEIGHT_MAX, sizeof *s->lists[i].heads);
	s->random = 1;
	s->first = s->last = arena_zalloc(&s->arena, sizeof *s->first);
	return s;
}

struct mem_segment *mem_segment_ref(struct mem_segment *s)
{
	CHECK(atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed) > 0);
	return s;
}

void mem_segment_unref(struct mem_segment *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < s->n_blocks; i++)
		event_block_unref(s->blocks[i]);
	free(s->blocks);
	map_release(&s->by_key);
	for (int i = 0; i < MEM_LISTS; i++)
		free(s->lists[i].heads);
	arena_release(&s->arena);
	free(s);
}

struct slice mem_lease_key(int64_t lease, char bytes[8])
{
	for (int i = 0; i < 8; i++)
		bytes[i] = (char)(((uint64_t)lease ^ UINT64_C(1) << 63) >> (56 - 8 * i));
	return (struct slice){bytes, 8};
}

int64_t mem_lease_of_key(struct slice key)
{
	uint64_t id = 0;
	CHECK(key.len >= 8);
	for (size_t i = 0; i < 8; i++)
		id = id << 8 | (unsigned char)key.ptr[i];
	return (int64_t)(id ^ UINT64_C(1) << 63);
}

/* ---- adding ---- */

static void count(struct mem_segment *s, size_t bytes)
{
	atomic_store_explicit(
	        &s->bytes, atomic_load_explicit(&s->bytes, memory_order_relaxed) + bytes, memory_order_release);
}

void mem_segment_hold(struct mem_segment *s, struct event_block *block)
{
	if (s->n_blocks == s->cap_blocks) {
		s->cap_blocks = s->cap_blocks ? 2 * s->cap_blocks : 64;
		s->blocks = xrealloc(s->blocks, s->cap_blocks * sizeof *s->blocks);
	}
	s->blocks[s->n_blocks++] = block;
	count(s, sizeof *block + sizeof block);
}

struct slice mem_segment_keep(struct mem_segment *s, struct slice bytes)
{
	count(s, bytes.len);
	return (struct slice){arena_memdup(&s->arena, bytes.ptr, bytes.len), bytes.len};
}

/* The link at each level after which `key` stands or would. */
static struct mem_node *find(const struct mem_list *l, struct slice key, _Atomic(struct mem_node *) *ret_links[])
{
	_Atomic(struct mem_node *) *links = l->heads;
	struct mem_node *n = NULL;
	for (int i = (int)atomic_load_explicit(&l->height, memory_order_acquire) - 1; i >= 0; i--) {
		while ((n = atomic_load_explicit(&links[i], memory_order_acquire)) && slice_cmp(n->key, key) < 0)
			links = n->next;
		if (ret_links)
			ret_links[i] = &links[i];
	}
	return n;
}

static unsigned draw_height(struct mem_segment *s)
{
	unsigned height = 1;
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	for (uint64_t r = s->random >> 8; height < HEIGHT_MAX && (r & ((1 << BRANCHING_BITS) - 1)) == 0;
	        r >>= BRANCHING_BITS)
		height++;
	return height;
}

static struct mem_node *add_node(
        struct mem_segment *s, struct mem_list *l, struct slice key, bool lived, _Atomic(struct mem_node *) *links[])
{
	unsigned height = draw_height(s), have = atomic_load_explicit(&l->height, memory_order_relaxed);
	size_t size = sizeof(struct mem_node) + height * sizeof(_Atomic(struct mem_node *));
	struct mem_node *n = arena_zalloc(&s->arena, size);
	CHECK(height >= 1 && height <= HEIGHT_MAX);
	n->key = key;
	n->lived = lived;
	n->height = height;
	for (unsigned i = have; i < height; i++)
		links[i] = &l->heads[i];
	for (unsigned i = 0; i < height; i++)
		atomic_init(&n->next[i], atomic_load_explicit(links[i], memory_order_relaxed));
	for (unsigned i = 0; i < height; i++)
		atomic_store_explicit(links[i], n, memory_order_release);
	if (height > have)
		atomic_store_explicit(&l->height, height, memory_order_release);
	count(s, size);
	return n;
}

static void log_add(struct mem_segment *s, struct mem_version *v)
{
	struct mem_log_chunk *c = s->last;
	unsigned n = atomic_load_explicit(&c->n, memory_order_relaxed);
	CHECK(n == 0 || c->at[n - 1]->at < v->at);
	if (n == MEM_LOG_CHUNK) {
		struct mem_log_chunk *more = arena_zalloc(&s->arena, sizeof *more);
		count(s, sizeof *more);
		more->at[0] = v;
		atomic_store_explicit(&more->n, 1, memory_order_relaxed);
		atomic_store_explicit(&c->next, more, memory_order_release);
		s->last = more;
		return;
	}
	c->at[n] = v;
	atomic_store_explicit(&c->n, n + 1, memory_order_release);
}

/* The node of a key that is there, or a new one. A key that is written again is not searched for along the list. */
static struct mem_node *node_for(struct mem_segment *s, enum mem_list_name list, const struct mem_change *c)
{
	_Atomic(struct mem_node *) *links[HEIGHT_MAX];
	struct mem_node *n = list == MEM_KEYS ? map_get(&s->by_key, c->key) : NULL;
	if (n)
		return n;
	n = find(&s->lists[list], c->key, links);
	if (n && slice_eq(n->key, c->key))
		return n;
	n = add_node(s, &s->lists[list], c->key, c->lived, links);
	if (list == MEM_KEYS)
		map_put(&s->by_key, n->key, n);
	return n;
}

const struct mem_version *mem_segment_newest(const struct mem_segment *s, struct slice key)
{
	const struct mem_node *n = map_get(&s->by_key, key);
	return n ? atomic_load_explicit(&n->newest, memory_order_relaxed) : NULL;
}

void mem_segment_add(struct mem_segment *s, enum mem_list_name list, const struct mem_change *c)
{
	struct mem_node *n = node_for(s, list, c);
	struct mem_version *v = arena_alloc(&s->arena, sizeof *v);
	struct mem_version *older = atomic_load_explicit(&n->newest, memory_order_relaxed);
	CHECK(c->at > 0 && c->prev < c->at && (!older || older->at < c->at));
	*v = (struct mem_version){.at = c->at,
	        .prev = c->prev,
	        .created = c->created,
	        .version = c->version,
	        .lease = c->lease,
	        .value = c->value,
	        .older = older,
	        .node = n};
	if (list == MEM_KEYS)
		log_add(s, v);
	atomic_store_explicit(&n->newest, v, memory_order_release);
	s->n_versions++;
	atomic_store_explicit(&s->data_bytes,
	        atomic_load_explicit(&s->data_bytes, memory_order_relaxed) + c->key.len + c->value.len,
	        memory_order_relaxed);
	count(s, sizeof *v + c->value.len + (older ? 0 : c->key.len) +
	                 (list == MEM_KEYS ? sizeof(struct store_event) : 0));
}

/* ---- reading ---- */

struct mem_node *mem_segment_seek(const struct mem_segment *s, enum mem_list_name list, struct slice key)
{
	return find(&s->lists[list], key, NULL);
}

const struct mem_version *mem_node_version(const struct mem_node *n, int64_t at_max)
{
	const struct mem_version *v = atomic_load_explicit(&n->newest, memory_order_acquire);
	while (v && v->at > at_max)
		v = v->older;
	return v;
}

const struct mem_version *mem_segment_find(
        const struct mem_segment *s, enum mem_list_name list, struct slice key, int64_t at_max)
{
	const struct mem_node *n = mem_segment_seek(s, list, key);
	return n && slice_eq(n->key, key) ? mem_node_version(n, at_max) : NULL;
}

/* The chunk that `from` lies in, or the next one begins after it. */
static void log_begin(const struct mem_segment *s, struct mem_log_cursor *c, int64_t from)
{
	const struct mem_log_chunk *next;
	c->is_begun = true;
	c->chunk = s->first;
	while ((next = atomic_load_explicit(&c->chunk->next, memory_order_acquire)) && next->at[0]->at <= from)
		c->chunk = next;
}

const struct mem_version *mem_segment_log_next(
        const struct mem_segment *s, struct mem_log_cursor *c, int64_t from, int64_t at_max)
{
	if (!c->is_begun)
		log_begin(s, c, from);
	while (c->chunk) {
		if (c->i == atomic_load_explicit(&c->chunk->n, memory_order_acquire)) {
			const struct mem_log_chunk *next = atomic_load_explicit(&c->chunk->next, memory_order_acquire);
			if (!next)
				return NULL;
			c->chunk = next;
			c->i = 0;
			continue;
		}
		CHECK(c->i < MEM_LOG_CHUNK);
		const struct mem_version *v = c->chunk->at[c->i];
		if (v->at > at_max)
			return NULL;
		c->i++;
		if (v->at >= from)
			return v;
	}
	return NULL;
}
