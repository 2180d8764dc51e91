/* Ranges over the key space, now and in the past.
 *
 * `cur` is walked in key order. A row that is newer than the revision asked for is followed back along `prev` until a
 * version at or before it is found; each step costs one look-up by rowid, and there are no more steps than there were
 * writes to these keys since that revision. A version that compaction has removed is never needed: it removes only what
 * is superseded at or before the compacted revision, and reads below that are refused.
 *
 * Natural order and no filter: rows are taken as they come until the limit, and the rest is only counted, by SQLite.
 * Otherwise all rows are collected without their values, sorted, cut, and only then are values fetched. */
#include "store/machine/range.h"

#include "base/check.h"
#include "base/limits.h"

#include <stdlib.h>

int meta_load(struct db *db, struct meta *ret, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, DB_META_GET);
	int rc = db_step(db, s, err, "read the counters");
	if (rc < 0)
		return rc;
	if (rc == 0) {
		db_done(s);
		return err_set(err, ERR_CORRUPT, "the row of counters is missing");
	}
	*ret = (struct meta){
	        .revision = sqlite3_column_int64(s, 0),
	        .compacted = sqlite3_column_int64(s, 1),
	        .trimmed = sqlite3_column_int64(s, 2),
	        .keys = sqlite3_column_int64(s, 3),
	        .hash = (uint64_t)sqlite3_column_int64(s, 4),
	        .applied_index = sqlite3_column_int64(s, 5),
	        .applied_term = sqlite3_column_int64(s, 6),
	        .system_version = sqlite3_column_int64(s, 7),
	};
	db_done(s);
	return 0;
}

int meta_save(struct db *db, const struct meta *m, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, DB_META_SET);
	sqlite3_bind_int64(s, 1, m->revision);
	sqlite3_bind_int64(s, 2, m->compacted);
	sqlite3_bind_int64(s, 3, m->trimmed);
	sqlite3_bind_int64(s, 4, m->keys);
	sqlite3_bind_int64(s, 5, (int64_t)m->hash);
	sqlite3_bind_int64(s, 6, m->applied_index);
	sqlite3_bind_int64(s, 7, m->applied_term);
	sqlite3_bind_int64(s, 8, m->system_version);
	return db_run(db, s, err, "write the counters");
}

bool store_range_has(const struct store_key_range *keys, struct slice key)
{
	if (keys->end.len == 0)
		return slice_eq(keys->key, key);
	if (slice_cmp(key, keys->key) < 0)
		return false;
	return store_range_is_open(keys) || slice_cmp(key, keys->end) < 0;
}

int row_newest(struct db *db, struct slice key, struct row *ret, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, DB_CUR_GET);
	db_bind_slice(s, 1, key);
	int rc = db_step(db, s, err, "look up a key");
	if (rc == 1)
		*ret = (struct row){key, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
		        sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3)};
	if (rc >= 0)
		db_done(s);
	return rc;
}

int row_value(struct db *db, int64_t id, struct arena *a, struct slice *ret, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, DB_REV_VALUE);
	sqlite3_bind_int64(s, 1, id);
	int rc = db_step(db, s, err, "read a value");
	if (rc < 0)
		return rc;
	if (rc == 0) {
		db_done(s);
		return err_set(err, ERR_CORRUPT, "the value of revision %lld is missing: restore a snapshot",
		        (long long)ROW_REVISION(id));
	}
	struct slice v = db_column_slice(s, 0);
	*ret = (struct slice){arena_memdup(a, v.ptr, v.len), v.len};
	db_done(s);
	return 0;
}

/* How long the value of a version is; 0 when it is not there. */
static int row_value_bytes(struct db *db, int64_t id, size_t *ret, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, DB_REV_VALUE_BYTES);
	sqlite3_bind_int64(s, 1, id);
	int rc = db_step(db, s, err, "measure a value");
	*ret = rc == 1 ? (size_t)sqlite3_column_int64(s, 0) : 0;
	if (rc >= 0)
		db_done(s);
	return rc < 0 ? rc : 0;
}

int row_pair(struct db *db, int64_t id, struct slice key, struct arena *a, struct store_kv *ret, struct err *err)
{
	if (id == 0)
		return 0;
	sqlite3_stmt *s = db_stmt(db, DB_REV_FULL);
	sqlite3_bind_int64(s, 1, id);
	int rc = db_step(db, s, err, "read a version");
	if (rc < 0)
		return rc;
	if (rc == 1 && sqlite3_column_int64(s, 1) == 0)
		rc = 0;
	if (rc == 1) {
		struct slice v = db_column_slice(s, 3);
		*ret = (struct store_kv){.key = key,
		        .value = {arena_memdup(a, v.ptr, v.len), v.len},
		        .create_revision = sqlite3_column_int64(s, 0),
		        .mod_revision = ROW_REVISION(id),
		        .version = sqlite3_column_int64(s, 1),
		        .lease = sqlite3_column_int64(s, 2)};
	}
	db_done(s);
	return rc;
}

/* Steps back from a row that is too new. 1: *row is the version at c->revision; 0: there was none. */
static int step_back(struct range_cursor *c, struct row *row, struct err *err)
{
	sqlite3_stmt *s = db_stmt(c->db, DB_REV_META);
	while (ROW_REVISION(row->id) > c->revision) {
		sqlite3_bind_int64(s, 1, row->id);
		int got = db_step(c->db, s, err, "step back in history");
		if (got < 0)
			return got;
		row->id = got ? sqlite3_column_int64(s, 0) : 0;
		db_done(s);
		if (row->id == 0)
			return 0;
	}
	sqlite3_bind_int64(s, 1, row->id);
	int rc = db_step(c->db, s, err, "step back in history");
	if (rc < 0)
		return rc;
	if (rc == 1) {
		row->created = sqlite3_column_int64(s, 1);
		row->version = sqlite3_column_int64(s, 2);
		row->lease = sqlite3_column_int64(s, 3);
	}
	db_done(s);
	return rc;
}

void range_open(struct range_cursor *c, struct db *db, const struct store_key_range *keys, int64_t revision)
{
	*c = (struct range_cursor){.db = db, .revision = revision};
	if (keys->end.len == 0) {
		c->single = keys->key;
		return;
	}
	c->stmt = db_stmt(db, store_range_is_open(keys) ? DB_CUR_SCAN_ALL : DB_CUR_SCAN);
	db_bind_slice(c->stmt, 1, keys->key);
	if (!store_range_is_open(keys))
		db_bind_slice(c->stmt, 2, keys->end);
}

static int next_newest(struct range_cursor *c, struct row *ret, struct err *err)
{
	if (c->done)
		return 0;
	if (!c->stmt) {
		c->done = true;
		return row_newest(c->db, c->single, ret, err);
	}
	int rc = db_step(c->db, c->stmt, err, "read a range");
	if (rc == 1)
		*ret = (struct row){db_column_slice(c->stmt, 0), sqlite3_column_int64(c->stmt, 1),
		        sqlite3_column_int64(c->stmt, 2), sqlite3_column_int64(c->stmt, 3),
		        sqlite3_column_int64(c->stmt, 4)};
	else
		c->done = true;
	return rc;
}

int range_next(struct range_cursor *c, struct row *ret, struct err *err)
{
	for (;;) {
		int rc = next_newest(c, ret, err);
		if (rc <= 0)
			return rc;
		if (ROW_REVISION(ret->id) > c->revision) {
			rc = step_back(c, ret, err);
			if (rc < 0)
				return rc;
			if (rc == 0)
				continue;
		}
		if (ret->version > 0)
			return 1;
	}
}

void range_close(struct range_cursor *c)
{
	if (c->stmt)
		db_done(c->stmt);
	c->stmt = NULL;
	c->done = true;
}

int range_check_revision(const struct meta *m, int64_t revision, struct err *err)
{
	if (revision < 0)
		return err_set(err, ERR_INVAL, "revision %lld is negative", (long long)revision);
	if (revision > m->revision)
		return err_set(err, ERR_FUTURE_REVISION, "revision %lld is in the future: the store is at %lld",
		        (long long)revision, (long long)m->revision);
	if (revision != 0 && revision < m->compacted)
		return err_set(err, ERR_COMPACTED, "revision %lld has been compacted: the oldest is %lld",
		        (long long)revision, (long long)m->compacted);
	return 0;
}

/* Rows taken so far; the array moves, the keys lie in the arena. */
struct taken {
	struct row *rows;
	size_t n, cap;
	size_t bytes;
};

static void taken_add(struct taken *t, struct arena *a, const struct row *row)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->rows = xrealloc(t->rows, t->cap * sizeof *t->rows);
	}
	t->rows[t->n] = *row;
	t->rows[t->n++].key.ptr = arena_memdup(a, row->key.ptr, row->key.len);
	t->bytes += row->key.len + sizeof(struct store_kv);
}

static bool passes(const struct store_range *r, const struct row *row)
{
	int64_t mod = ROW_REVISION(row->id);
	return (!r->min_mod_revision || mod >= r->min_mod_revision) &&
	       (!r->max_mod_revision || mod <= r->max_mod_revision) &&
	       (!r->min_create_revision || row->created >= r->min_create_revision) &&
	       (!r->max_create_revision || row->created <= r->max_create_revision);
}

static int64_t sort_number(const struct row *row, enum store_target target)
{
	switch (target) {
	case STORE_TARGET_VERSION:
		return row->version;
	case STORE_TARGET_CREATE:
		return row->created;
	default:
		return row
		        ->id; /* of MOD; within one revision etcd's order is not defined, ours is that of the writes */
	}
}

struct sort_item {
	struct row row;
	struct slice value;
	size_t at; /* the sort is stable in both directions, as etcd's is */
	enum store_target target;
	bool descend;
};

static int sort_compare(const void *pa, const void *pb)
{
	const struct sort_item *a = pa, *b = pb;
	int c;
	if (a->target == STORE_TARGET_KEY)
		c = slice_cmp(a->row.key, b->row.key);
	else if (a->target == STORE_TARGET_VALUE)
		c = slice_cmp(a->value, b->value);
	else if (a->target == STORE_TARGET_MOD)
		c = (ROW_REVISION(a->row.id) > ROW_REVISION(b->row.id)) -
		    (ROW_REVISION(a->row.id) < ROW_REVISION(b->row.id));
	else
		c = (sort_number(&a->row, a->target) > sort_number(&b->row, a->target)) -
		    (sort_number(&a->row, a->target) < sort_number(&b->row, a->target));
	if (a->descend)
		c = -c;
	return c ? c : (a->at > b->at) - (a->at < b->at);
}

static int sort_taken(struct db *db, const struct store_range *r, struct taken *t, struct arena *a, struct err *err)
{
	struct sort_item *items = xcalloc(t->n, sizeof *items);
	int rc = 0;
	for (size_t i = 0; i < t->n && rc == 0; i++) {
		items[i] = (struct sort_item){t->rows[i], SLICE_NULL, i, r->sort_target, r->sort == STORE_SORT_DESCEND};
		if (r->sort_target == STORE_TARGET_VALUE)
			rc = row_value(db, t->rows[i].id, a, &items[i].value, err);
	}
	if (rc == 0 && t->n)
		qsort(items, t->n, sizeof *items, sort_compare);
	for (size_t i = 0; i < t->n; i++)
		t->rows[i] = items[i].row;
	free(items);
	return rc;
}

/* Counts the keys of [from, end of the range): the newest ones, by SQLite. */
static int count_newest(
        struct db *db, const struct store_key_range *keys, struct slice from, int64_t *ret, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, store_range_is_open(keys) ? DB_CUR_COUNT_ALL : DB_CUR_COUNT);
	db_bind_slice(s, 1, from);
	if (!store_range_is_open(keys))
		db_bind_slice(s, 2, keys->end);
	int rc = db_step(db, s, err, "count keys");
	if (rc < 0)
		return rc;
	*ret = sqlite3_column_int64(s, 0);
	db_done(s);
	return 0;
}

static bool is_plain(const struct store_range *r)
{
	return !r->min_mod_revision && !r->max_mod_revision && !r->min_create_revision && !r->max_create_revision &&
	       r->sort_target == STORE_TARGET_KEY && r->sort != STORE_SORT_DESCEND;
}

/* Walks the range, takes what is wanted into *t and counts the rest. */
/* All ranges of a transaction are answered from one arena: together they have the bound of one. */
static bool is_full(const struct arena *a)
{
	return a->used_bytes > STORE_RANGE_BYTES_MAX;
}

static int collect(
        struct db *db, const struct store_range *r, struct taken *t, struct arena *a, int64_t *count, struct err *err)
{
	struct range_cursor c;
	struct row row;
	bool plain = is_plain(r);
	int rc;
	range_open(&c, db, &r->keys, r->revision ? r->revision : INT64_MAX);
	while ((rc = range_next(&c, &row, err)) == 1) {
		bool full = plain && r->limit && (int64_t)t->n >= r->limit;
		if (full && r->no_count) {
			++*count;
			break;
		}
		if (full && !r->revision && r->keys.end.len) {
			/* the rest of the newest rows is counted by SQLite, from the key we stand on */
			struct slice from = {arena_memdup(a, row.key.ptr, row.key.len), row.key.len};
			int64_t rest = 0;
			range_close(&c);
			rc = count_newest(db, &r->keys, from, &rest, err);
			*count += rest;
			break;
		}
		++*count;
		if (!full && !r->count_only && passes(r, &row))
			taken_add(t, a, &row);
		if (t->bytes > STORE_RANGE_BYTES_MAX || is_full(a)) {
			rc = err_set(
			        err, ERR_TOO_BIG, "the range has too many keys for one answer: read it with a limit");
			break;
		}
	}
	range_close(&c);
	return rc < 0 ? rc : 0;
}

static int answer(struct db *db, const struct store_range *r, struct taken *t, struct store_result *res,
        struct arena *a, struct err *err)
{
	res->more = r->limit > 0 && (int64_t)t->n > r->limit;
	if (res->more)
		t->n = (size_t)r->limit;
	res->kvs = t->n ? ARENA_ARRAY(a, struct store_kv, t->n) : NULL;
	for (size_t i = 0; i < t->n; i++) {
		struct row *row = &t->rows[i];
		res->kvs[i] = (struct store_kv){.key = row->key,
		        .create_revision = row->created,
		        .mod_revision = ROW_REVISION(row->id),
		        .version = row->version,
		        .lease = row->lease};
		if (r->keys_only)
			continue;
		int rc = row_value(db, row->id, a, &res->kvs[i].value, err);
		if (rc != 0)
			return rc;
		t->bytes += res->kvs[i].value.len;
		if (t->bytes > STORE_RANGE_BYTES_MAX || is_full(a))
			return err_set(err, ERR_TOO_BIG, "the range is too large for one answer: read it with a limit");
	}
	res->n_kvs = t->n;
	return 0;
}

int range_eval(struct db *db, const struct store_range *r, struct store_result *res, struct arena *a, struct err *err)
{
	struct taken t = {0};
	*res = (struct store_result){.type = STORE_OP_RANGE};
	if (r->count_only && !r->revision && r->keys.end.len)
		return count_newest(db, &r->keys, r->keys.key, &res->count, err);
	int rc = collect(db, r, &t, a, &res->count, err);
	if (rc == 0 && !is_plain(r))
		rc = sort_taken(db, r, &t, a, err);
	if (rc == 0)
		rc = answer(db, r, &t, res, a, err);
	if (rc == 0 && is_plain(r) && !r->count_only)
		res->more = res->count > (int64_t)t.n;
	free(t.rows);
	return rc;
}

int range_measure(struct db *db, const struct store_range *r, int64_t rows_more, size_t bytes_max, size_t *ret_bytes,
        struct err *err)
{
	struct range_cursor c;
	struct row row;
	bool is_cut = r->limit && is_plain(r), has_values = !r->keys_only || r->sort_target == STORE_TARGET_VALUE;
	int64_t n = 0;
	int rc;
	*ret_bytes = 0;
	range_open(&c, db, &r->keys, r->revision ? r->revision : INT64_MAX);
	while ((rc = range_next(&c, &row, err)) == 1 && *ret_bytes <= bytes_max) {
		size_t value = 0;
		if (is_cut && n++ >= r->limit + rows_more)
			break;
		if (!passes(r, &row))
			continue;
		if (has_values && (rc = row_value_bytes(db, row.id, &value, err)) != 0)
			break;
		*ret_bytes += row.key.len + value + 2 * sizeof(struct store_kv);
	}
	range_close(&c);
	return rc < 0 ? rc : 0;
}
