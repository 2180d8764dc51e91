/* Whether the pages of a database of ours are what they should be, in one pass in their order and without a tree being
 * walked: cheap enough to be done to whatever goes by.
 *
 * Each page must fit its checksum, or be all zeros where nothing uses it; be what the map page before it says (a page
 * of a tree begins as one, and its cells' pointers lie within it); and as many must be free, and be there, as page 1
 * says. A page that was lost, misplaced, doubled or changed does not pass. That the trees are in order is for SQLite's
 * own check (snapshot.c), which has to read everything again.
 *
 * Any bytes may come. Fuzzed by fuzz_store_snapshot. */
#include "store/snapshot/page_check_int.h"

#include "base/check.h"

#include "store/snapshot/snapshot_page_int.h"

#include <inttypes.h>
#include <string.h>

enum { PAGES_AT = 28, FREE_AT = 36, LARGEST_ROOT_AT = 52, SIZE_AT = 16, RESERVED_AT = 20, HEAD_BYTES = 100 };
enum { INNER_OF_INDEX = 2, INNER_OF_TABLE = 5, LEAF_OF_INDEX = 10, LEAF_OF_TABLE = 13 };

static uint32_t get16(const char *at)
{
	const unsigned char *p = (const unsigned char *)at;
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const char *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static void learn(struct page_check *c, const char *page)
{
	bool is_ours = memcmp(page, "SQLite format 3", 16) == 0 && get16(page + SIZE_AT) == PAGE_BYTES;
	c->has_sums = is_ours && page[RESERVED_AT] == PAGE_SUM_BYTES;
	c->has_maps = is_ours && get32(page + LARGEST_ROOT_AT) != 0;
	c->pages = get32(page + PAGES_AT);
	c->free = get32(page + FREE_AT);
}

/* The head of a page of a tree, and that its pointers are there. */
static bool is_tree(const char *page, size_t at)
{
	int kind = page[at];
	bool is_inner = kind == INNER_OF_INDEX || kind == INNER_OF_TABLE;
	CHECK(at == 0 || at == HEAD_BYTES);
	size_t pointers = at + (is_inner ? 12 : 8), n = get16(page + at + 3), usable = PAGE_BYTES - PAGE_SUM_BYTES;
	if (!is_inner && kind != LEAF_OF_INDEX && kind != LEAF_OF_TABLE)
		return false;
	if (pointers + 2 * n > usable)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t cell = get16(page + pointers + 2 * i);
		if (cell < pointers + 2 * n || cell >= usable)
			return false;
	}
	return true;
}

static int bad(const struct page_check *c, struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "page %" PRId64 " %s", c->number, what);
}

static int check_use(struct page_check *c, const char *page, struct err *err)
{
	CHECK(c->has_maps && c->number > 2); /* the map came by */
	enum page_use use = snapshot_page_use(c->map, c->number);
	if (use == PAGE_USE_FREE)
		c->n_free++;
	else if ((use == PAGE_USE_ROOT || use == PAGE_USE_TREE) && !is_tree(page, 0))
		return bad(c, err, "is no page of a tree, as it should be");
	else if (use == PAGE_USE_NONE)
		return bad(c, err, "is on no map of what pages are for");
	return 0;
}

static bool is_used(const struct page_check *c)
{
	return c->number <= 2 || snapshot_page_is_map(c->number) ||
	       snapshot_page_use(c->map, c->number) != PAGE_USE_FREE;
}

int page_check_next(struct page_check *c, const char *page, struct err *err)
{
	CHECK(c->number >= 0 && (c->number > 0 || (!c->has_sums && !c->has_maps))); /* page 1 says what is there */
	c->number++;
	if (c->number == 1)
		learn(c, page);
	if (!c->has_sums || !c->has_maps || snapshot_page_is_lock(c->number))
		return 0;
	if (!page_is_sound(page, c->number) && (is_used(c) || !page_is_empty(page)))
		return bad(c, err, "does not fit its checksum");
	if (c->number == 1)
		return is_tree(page, HEAD_BYTES) ? 0 : bad(c, err, "is no page of a tree, as it should be");
	if (snapshot_page_is_map(c->number)) {
		memcpy(c->map, page, PAGE_BYTES);
		return 0;
	}
	return check_use(c, page, err);
}

int page_check_end(const struct page_check *c, struct err *err)
{
	if (!c->has_sums || !c->has_maps)
		return 0;
	if (c->number != (int64_t)c->pages)
		return err_set(
		        err, ERR_CORRUPT, "it has %" PRId64 " pages and says that there are %u", c->number, c->pages);
	if (c->n_free != c->free)
		return err_set(
		        err, ERR_CORRUPT, "%u of its pages are free, and it says that %u are", c->n_free, c->free);
	return 0;
}
