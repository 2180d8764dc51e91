/* The cache of unpacked blocks: in order of their ids, with a clock that says who was used last.
 *
 * Blocks do not overlap, so a version lies in the block with the greatest first id that is not above its own. Whoever
 * asks for one version often asks for its neighbour next: the block that was used last is tried first. When it is full,
 * those go that were not used for the longest time. One block that is larger than the bound is kept, alone, until the
 * reader ends its transaction.
 *
 * Blocks may be written anew by compaction: the cache is of one state of the database, and who begins a transaction
 * says which (versions.c). */
#include "store/machine/database/version_cache.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>

struct entry {
	struct version_block block;
	uint64_t used;
};

struct version_cache {
	unsigned blocks_max;
	size_t bytes_max;
	struct entry **entries; /* in order of ids */
	unsigned n;
	size_t bytes;
	struct entry *last, *room;
	uint64_t clock;
	int64_t state;
};

struct version_cache *version_cache_new(unsigned blocks_max, size_t bytes_max)
{
	struct version_cache *c = xcalloc(1, sizeof *c);
	CHECK(blocks_max > 0 && bytes_max > 0);
	c->blocks_max = blocks_max;
	c->bytes_max = bytes_max;
	c->entries = xcalloc(blocks_max, sizeof(struct entry *));
	return c;
}

static void entry_free(struct entry *e)
{
	if (e)
		version_block_release(&e->block);
	free(e);
}

void version_cache_clear(struct version_cache *c)
{
	for (unsigned i = 0; i < c->n; i++)
		entry_free(c->entries[i]);
	c->n = 0;
	c->bytes = 0;
	c->last = NULL;
}

void version_cache_free(struct version_cache *c)
{
	if (!c)
		return;
	version_cache_clear(c);
	entry_free(c->room);
	free(c->entries);
	free(c);
}

void version_cache_of_state(struct version_cache *c, int64_t state)
{
	if (c->state != state)
		version_cache_clear(c);
	c->state = state;
}

void version_cache_trim(struct version_cache *c)
{
	if (c && c->bytes > c->bytes_max)
		version_cache_clear(c);
}

static int64_t first_of(const struct entry *e)
{
	return e->block.rows[0].id;
}

static int64_t last_of(const struct entry *e)
{
	return e->block.rows[e->block.n - 1].id;
}

static bool may_have(const struct entry *e, int64_t id)
{
	return first_of(e) <= id && id <= last_of(e);
}

/* How many begin at or before `id`. */
static unsigned count_up_to(const struct version_cache *c, int64_t id)
{
	unsigned low = 0, high = c->n;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (first_of(c->entries[middle]) <= id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct version_block *version_cache_find(struct version_cache *c, int64_t id)
{
	struct entry *e = c->last;
	if (!e || !may_have(e, id)) {
		unsigned at = count_up_to(c, id);
		e = at ? c->entries[at - 1] : NULL;
		if (!e || !may_have(e, id))
			return NULL;
	}
	e->used = ++c->clock;
	c->last = e;
	return &e->block;
}

static void drop_oldest(struct version_cache *c)
{
	unsigned oldest = 0;
	CHECK(c->n > 0);
	for (unsigned i = 1; i < c->n; i++)
		if (c->entries[i]->used < c->entries[oldest]->used)
			oldest = i;
	struct entry *e = c->entries[oldest];
	CHECK(c->bytes >= version_block_bytes(&e->block));
	c->bytes -= version_block_bytes(&e->block);
	memmove(c->entries + oldest, c->entries + oldest + 1, (c->n - oldest - 1) * sizeof(struct entry *));
	c->n--;
	if (c->last == e)
		c->last = NULL;
	if (!c->room && version_block_bytes(&e->block) <= c->bytes_max / 8)
		c->room = e;
	else
		entry_free(e);
}

struct version_block *version_cache_room(struct version_cache *c)
{
	CHECK(c->n <= c->blocks_max);
	if (c->n == c->blocks_max)
		drop_oldest(c);
	if (!c->room)
		c->room = xcalloc(1, sizeof *c->room);
	return &c->room->block;
}

const struct version_block *version_cache_add(struct version_cache *c)
{
	struct entry *e = c->room;
	CHECK(e && e->block.n > 0);
	size_t bytes = version_block_bytes(&e->block);
	c->room = NULL;
	while (c->n && (c->n == c->blocks_max || c->bytes + bytes > c->bytes_max))
		drop_oldest(c);
	entry_free(c->room);
	c->room = e;
	unsigned at = count_up_to(c, first_of(e));
	if ((at > 0 && last_of(c->entries[at - 1]) >= first_of(e)) ||
	        (at < c->n && last_of(e) >= first_of(c->entries[at])))
		return NULL;
	memmove(c->entries + at + 1, c->entries + at, (c->n - at) * sizeof(struct entry *));
	c->entries[at] = e;
	c->room = NULL;
	c->n++;
	c->bytes += bytes;
	e->used = ++c->clock;
	c->last = e;
	return &e->block;
}
