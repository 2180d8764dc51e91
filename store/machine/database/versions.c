/* Versions in a database, over blocks (version_block.c).
 *
 *     one by id      cache -> or the block that it must lie in, read and unpacked into the cache
 *     in order       a block of the walk's own at a time; the next one is looked for by its id
 *     appended       gathered until a block is full
 *
 * The cache is valid in one state of the blocks. Flushes only append, so a block is what it was until compaction marks
 * versions in it as dead or writes it anew: each step of that counts `meta.rewrites` up in its own transaction, a view
 * reads the counters first thing in its transaction, and another number than the last time empties the cache
 * (versions_begin). Outside of a transaction nothing is kept from one look to the next. Another database under the same
 * name is another connection.
 *
 * What can go wrong: SQLite does not read, or a block is not what was written (db_corrupt: a writer stops). */
#include "store/machine/database/versions.h"

#include "base/check.h"

static const char reading[] = "read a version";

/* ---- blocks ---- */

enum { COLUMN_ID, COLUMN_N, COLUMN_IDS, COLUMN_RAW, COLUMN_DEAD, COLUMN_BYTES };

static struct version_stored stored_of(sqlite3_stmt *s, bool has_bytes)
{
	return (struct version_stored){.id = sqlite3_column_int64(s, COLUMN_ID),
	        .n = sqlite3_column_int64(s, COLUMN_N),
	        .ids = db_column_slice(s, COLUMN_IDS),
	        .raw = sqlite3_column_int64(s, COLUMN_RAW),
	        .dead = db_column_slice(s, COLUMN_DEAD),
	        .bytes = has_bytes ? db_column_slice(s, COLUMN_BYTES) : SLICE_NULL};
}

static int corrupt(struct db *db, const struct err *why, struct err *err)
{
	return db_corrupt(db, err, reading, why->msg);
}

int version_head_get(struct db *db, enum version_side side, int64_t id, struct version_head *ret, struct err *err)
{
	struct err why = ERR_INIT;
	sqlite3_stmt *s = db_stmt(db, side == VERSION_AT ? DB_HEAD_AT : DB_HEAD_FROM);
	sqlite3_bind_int64(s, 1, id);
	int rc = db_step(db, s, err, reading);
	if (rc != 1) {
		if (rc == 0)
			db_done(s);
		return rc;
	}
	struct version_stored stored = stored_of(s, false);
	rc = version_head_decode(ret, &stored, &why);
	db_done(s);
	return rc == 0 ? 1 : corrupt(db, &why, err);
}

/* Is the version in the block, and not dead? 1, 0, negative. */
static int has(const struct version_stored *s, int64_t id, struct err *err)
{
	struct version_head h;
	int rc = version_head_decode(&h, s, err);
	if (rc != 0)
		return rc;
	int i = version_head_find(&h, id);
	return i >= 0 && !version_bit(&h.dead, (unsigned)i);
}

/* Reads the block that a statement gives. wanted: 0 unless this version is in it; 0: whatever is in it. */
static int read_block(
        struct db *db, enum db_stmt which, int64_t id, int64_t wanted, struct version_block *ret, struct err *err)
{
	struct err why = ERR_INIT;
	sqlite3_stmt *s = db_stmt(db, which);
	sqlite3_bind_int64(s, 1, id);
	int rc = db_step(db, s, err, reading);
	if (rc < 0)
		return rc;
	if (rc == 1) {
		struct version_stored stored = stored_of(s, true);
		rc = wanted ? has(&stored, wanted, &why) : 1;
		if (rc == 1 && version_block_decode(ret, &stored, &why) != 0)
			rc = why.code;
		if (rc < 0)
			rc = corrupt(db, &why, err);
	}
	db_done(s);
	return rc;
}

int version_block_get(struct db *db, enum version_side side, int64_t id, struct version_block *ret, struct err *err)
{
	return read_block(db, side == VERSION_AT ? DB_BLOCK_AT : DB_BLOCK_FROM, id, 0, ret, err);
}

static int drop(struct db *db, enum db_stmt what, int64_t id, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, what);
	sqlite3_bind_int64(s, 1, id);
	return db_run(db, s, err, "remove a block of versions");
}

int version_block_drop(struct db *db, int64_t id, struct err *err)
{
	int rc = drop(db, DB_BLOCK_DROP, id, err);
	return rc == 0 ? drop(db, DB_DEAD_DROP, id, err) : rc;
}

/* ---- one ---- */

void versions_keep(struct db *db, unsigned blocks_max, size_t bytes_max)
{
	CHECK(!db->versions);
	db->versions = version_cache_new(blocks_max, bytes_max);
}

static struct version_cache *cache_of(struct db *db)
{
	if (!db->versions)
		versions_keep(db, STORE_BLOCK_CACHE_BLOCKS_MAX, STORE_BLOCK_CACHE_BYTES_MAX);
	return db->versions;
}

void versions_begin(struct db *db, int64_t rewrites)
{
	if (db->versions || rewrites)
		version_cache_of_state(cache_of(db), rewrites);
}

int versions_get(struct db *db, int64_t id, const struct version_row **ret, struct err *err)
{
	struct version_cache *c = cache_of(db);
	if (sqlite3_get_autocommit(db->handle))
		version_cache_clear(c);
	const struct version_block *b = version_cache_find(c, id);
	if (!b) {
		int rc = read_block(db, DB_BLOCK_AT, id, id, version_cache_room(c), err);
		if (rc != 1)
			return rc;
		b = version_cache_add(c);
		if (!b)
			return db_corrupt(db, err, reading, "two blocks of versions overlap");
	}
	CHECK(b->n > 0);
	*ret = version_block_find(b, id);
	CHECK(!*ret || (*ret)->id == id);
	return *ret != NULL;
}

/* ---- all ---- */

void version_walk_open(struct version_walk *w, struct db *db, int64_t from)
{
	*w = (struct version_walk){.db = db, .from = from > 0 ? from : 1};
}

static int walk_on(struct version_walk *w, struct err *err)
{
	int rc = 0;
	w->at = 0;
	w->block.n = 0;
	if (w->seen == INT64_MAX)
		return 0;
	if (w->seen == 0)
		rc = version_block_get(w->db, VERSION_AT, w->from, &w->block, err);
	if (rc == 0)
		rc = version_block_get(w->db, VERSION_FROM, w->seen ? w->seen + 1 : w->from, &w->block, err);
	if (rc != 1)
		return rc;
	if (w->block.rows[0].id <= w->seen)
		return db_corrupt(w->db, err, reading, "the blocks of versions are not in order");
	w->seen = w->block.rows[w->block.n - 1].id;
	CHECK(w->seen > 0);
	return 1;
}

int version_walk_next(struct version_walk *w, const struct version_row **ret, struct err *err)
{
	for (;;) {
		while (w->at < w->block.n) {
			unsigned i = w->at++;
			*ret = &w->block.rows[i];
			if ((*ret)->id >= w->from && !version_bit(&w->block.dead, i))
				return 1;
		}
		int rc = walk_on(w, err);
		if (rc != 1)
			return rc;
	}
}

void version_walk_close(struct version_walk *w)
{
	version_block_release(&w->block);
}

/* ---- appending ---- */

static int write_block(struct version_writer *w, struct err *err)
{
	struct version_stored b;
	sqlite3_stmt *s = db_stmt(w->db, DB_BLOCK_ADD);
	version_builder_seal(&w->builder, &b);
	CHECK(b.id > w->last);
	w->last = w->builder.ids[b.n - 1];
	sqlite3_bind_int64(s, 1, b.id);
	sqlite3_bind_int64(s, 2, b.n);
	db_bind_slice(s, 3, b.ids);
	sqlite3_bind_int64(s, 4, b.raw);
	db_bind_slice(s, 5, b.bytes);
	return db_run(w->db, s, err, "write a block of versions");
}

int version_writer_add(struct version_writer *w, const struct version_row *v, struct err *err)
{
	if (v->key.len + v->value.len > STORE_BLOCK_RAW_MAX - 1024)
		return err_set(err, ERR_TOO_BIG, "revision %lld has %zu bytes: a key and its value may have up to %u",
		        (long long)ROW_REVISION(v->id), v->key.len + v->value.len, STORE_BLOCK_RAW_MAX - 1024);
	int rc = version_builder_has_room(&w->builder, v) ? 0 : write_block(w, err);
	if (rc == 0)
		version_builder_add(&w->builder, v);
	return rc;
}

int version_writer_end(struct version_writer *w, struct err *err)
{
	return w->builder.n ? write_block(w, err) : 0;
}

void version_writer_release(struct version_writer *w)
{
	version_builder_release(&w->builder);
}
