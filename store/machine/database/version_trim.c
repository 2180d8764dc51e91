/* Blocks under compaction.
 *
 *     whole ----a version goes----> a bit in `dead` ----half are----> written anew without them
 *       |                                          ----all are-----> gone
 *       +--small, and a neighbour has room: both are written as one
 *
 * The ids of a block lie beside what is packed, so the dead are marked without unpacking: that costs a row of a few
 * bytes, some hundred of which lie in a page. A block is unpacked and written anew when at least half of its versions
 * are dead: so each version is copied about once in its life. Neighbours are joined with it when together they make no
 * more than a full block. So are small blocks that the walk of compaction has passed: every flush ends with one.
 *
 * One step writes at most one block's worth for each version that it removes and each block that it has passed.
 *
 * What can go wrong: the disk is full (the caller rolls back). */
#include "store/machine/database/version_trim.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>

enum { SMALL_BYTES = STORE_BLOCK_BYTES / 2, RUN_MAX = 16 };

static void add_id(struct version_ids *ids, int64_t id)
{
	if (ids->n == ids->cap)
		ids->list = xrealloc(ids->list, (ids->cap = ids->cap ? ids->cap * 2 : 256) * sizeof *ids->list);
	ids->list[ids->n++] = id;
}

static void sort_ids(struct version_ids *ids)
{
	if (ids->n)
		qsort(ids->list, ids->n, sizeof *ids->list, row_id_compare);
}

void version_trim_init(struct version_trim *t, struct db *db)
{
	*t = (struct version_trim){.db = db};
}

void version_trim_release(struct version_trim *t)
{
	free(t->dead.list);
	free(t->tidy.list);
	*t = (struct version_trim){0};
}

void version_trim_pass(struct version_trim *t, int64_t id)
{
	CHECK(id > t->passed_to);
	if (!t->passed_from)
		t->passed_from = id;
	t->passed_to = id;
}

void version_trim_kill(struct version_trim *t, int64_t id)
{
	CHECK(id > 0);
	add_id(&t->dead, id);
}

/* ---- what a block is worth ---- */

static unsigned living_in(const struct version_head *h)
{
	unsigned dead = version_bits_count(&h->dead);
	return h->n > dead ? h->n - dead : 0;
}

/* About: the living are taken to be as large as the dead. */
static uint64_t living_bytes(const struct version_head *h)
{
	return (uint64_t)h->raw * living_in(h) / h->n;
}

static bool is_half_dead(const struct version_head *h)
{
	return 2 * living_in(h) <= h->n;
}

/* ---- the dead ---- */

static int write_bits(struct version_trim *t, const struct version_head *h, struct err *err)
{
	sqlite3_stmt *s = db_stmt(t->db, DB_DEAD_SET);
	sqlite3_bind_int64(s, 1, h->ids[0]);
	db_bind_slice(s, 2, (struct slice){(const char *)h->dead.bytes, (h->n + 7) / 8});
	return db_run(t->db, s, err, "mark versions as removed");
}

/* Marks those of the dead from `at` on that lie in the block. *ret_new: how many of them did not know it. The place
 * of the first that lies behind it. */
static size_t mark(struct version_trim *t, struct version_head *h, size_t at, unsigned *ret_new)
{
	*ret_new = 0;
	for (; at < t->dead.n && t->dead.list[at] <= h->ids[h->n - 1]; at++) {
		int i = version_head_find(h, t->dead.list[at]);
		if (i < 0 || version_bit(&h->dead, (unsigned)i))
			continue;
		version_bit_set(&h->dead, (unsigned)i);
		++*ret_new;
	}
	return at;
}

static int bury_in(struct version_trim *t, const struct version_head *h, struct err *err)
{
	t->has_changed = true;
	if (living_in(h) == 0)
		return version_block_drop(t->db, h->ids[0], err);
	if (is_half_dead(h))
		add_id(&t->tidy, h->ids[0]);
	return write_bits(t, h, err);
}

static int bury(struct version_trim *t, struct err *err)
{
	struct version_head h;
	size_t at = 0;
	sort_ids(&t->dead);
	while (at < t->dead.n) {
		unsigned n_new = 0;
		int rc = version_head_get(t->db, VERSION_AT, t->dead.list[at], &h, err);
		if (rc < 0)
			return rc;
		size_t next = rc == 1 ? mark(t, &h, at, &n_new) : at;
		if (n_new && (rc = bury_in(t, &h, err)) != 0)
			return rc;
		at = next > at ? next : at + 1; /* it lies in none */
	}
	return 0;
}

/* ---- writing anew ---- */

/* Small blocks among those that the walk has passed. */
static int find_small(struct version_trim *t, struct err *err)
{
	struct version_head h;
	int64_t at = t->passed_from;
	int rc = at ? version_head_get(t->db, VERSION_AT, at, &h, err) : 0;
	if (at && rc == 0)
		rc = version_head_get(t->db, VERSION_FROM, at, &h, err);
	while (rc == 1 && h.ids[0] <= t->passed_to) {
		if (living_bytes(&h) < SMALL_BYTES)
			add_id(&t->tidy, h.ids[0]);
		if (h.ids[h.n - 1] >= t->passed_to)
			return 0;
		rc = version_head_get(t->db, VERSION_FROM, h.ids[h.n - 1] + 1, &h, err);
	}
	return rc < 0 ? rc : 0;
}

/* Neighbours that are to be one. */
struct run {
	int64_t ids[RUN_MAX];
	unsigned n;
	uint64_t bytes;
	unsigned versions;
};

static bool joins(const struct run *r, const struct version_head *h)
{
	return r->n < RUN_MAX && r->bytes + living_bytes(h) <= STORE_BLOCK_BYTES &&
	       r->versions + living_in(h) <= STORE_BLOCK_VERSIONS_MAX;
}

static void join(struct run *r, const struct version_head *h)
{
	CHECK(r->n < RUN_MAX);
	r->ids[r->n++] = h->ids[0];
	r->bytes += living_bytes(h);
	r->versions += living_in(h);
}

/* The block with its neighbours, as far as they fit, in order. */
static int gather(struct version_trim *t, const struct version_head *h, struct run *r, struct err *err)
{
	struct version_head side;
	struct run own = {0};
	join(&own, h);
	*r = (struct run){0};
	int rc = h->ids[0] > 1 ? version_head_get(t->db, VERSION_AT, h->ids[0] - 1, &side, err) : 0;
	if (rc < 0)
		return rc;
	if (rc == 1 && joins(&own, &side))
		join(r, &side);
	join(r, h);
	for (int64_t at = h->ids[h->n - 1];; at = side.ids[side.n - 1]) {
		rc = at < INT64_MAX ? version_head_get(t->db, VERSION_FROM, at + 1, &side, err) : 0;
		if (rc != 1 || !joins(r, &side))
			return rc < 0 ? rc : 0;
		join(r, &side);
	}
}

/* It goes before its versions are written: what is written may be named like it. */
static int move_living(
        struct version_trim *t, int64_t id, struct version_writer *w, struct version_block *b, struct err *err)
{
	int rc = version_block_get(t->db, VERSION_AT, id, b, err);
	if (rc != 1 || b->rows[0].id != id)
		return rc < 0 ? rc : db_corrupt(t->db, err, "compact", "a block of versions is not where it was");
	rc = version_block_drop(t->db, id, err);
	for (unsigned i = 0; i < b->n && rc == 0; i++)
		if (!version_bit(&b->dead, i))
			rc = version_writer_add(w, &b->rows[i], err);
	return rc;
}

static int rewrite(struct version_trim *t, const struct run *r, struct err *err)
{
	struct version_writer w = {.db = t->db};
	struct version_block block = {0};
	int rc = 0;
	CHECK(r->n > 0);
	for (unsigned i = 0; i < r->n && rc == 0; i++)
		rc = move_living(t, r->ids[i], &w, &block, err);
	if (rc == 0)
		rc = version_writer_end(&w, err);
	version_block_release(&block);
	version_writer_release(&w);
	t->has_changed = true;
	return rc;
}

static int tidy_one(struct version_trim *t, int64_t id, struct err *err)
{
	struct version_head h;
	struct run r;
	int rc = version_head_get(t->db, VERSION_AT, id, &h, err);
	if (rc != 1 || h.ids[0] != id) /* it has become part of a neighbour */
		return rc < 0 ? rc : 0;
	if ((rc = gather(t, &h, &r, err)) != 0)
		return rc;
	return r.n > 1 || is_half_dead(&h) ? rewrite(t, &r, err) : 0;
}

static int tidy(struct version_trim *t, struct err *err)
{
	int rc = 0;
	sort_ids(&t->tidy);
	for (size_t i = 0; i < t->tidy.n && rc == 0; i++)
		if (i == 0 || t->tidy.list[i] != t->tidy.list[i - 1])
			rc = tidy_one(t, t->tidy.list[i], err);
	return rc;
}

int version_trim_finish(struct version_trim *t, bool *ret_changed, struct err *err)
{
	int rc = bury(t, err);
	if (rc == 0)
		rc = find_small(t, err);
	if (rc == 0)
		rc = tidy(t, err);
	*ret_changed = t->has_changed;
	return rc;
}
