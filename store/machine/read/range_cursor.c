/* Walking a range: the segments of the memory table and SQLite's `cur`, merged in key order.
 *
 * Of sources that stand on the same key the newest that has a version at or before the revision asked for tells what
 * the key is; all of them move on. SQLite's row, when it is newer than that revision, is followed back along `prev`
 * until a version at or before it is found; each step costs one look-up by its id, and there are no more steps than
 * there were writes to the key since that revision. A version that compaction has removed is never needed: it removes
 * only what is superseded at or before the compacted revision, and reads below that are refused.
 *
 * Counting leaves the walk to SQLite and corrects it by what memory knows: a node says whether its key was there
 * beneath its segment. */
#include "store/machine/read/range.h"

#include "base/check.h"

bool store_range_has(const struct store_key_range *keys, struct slice key)
{
	if (keys->end.len == 0)
		return slice_eq(keys->key, key);
	if (slice_cmp(key, keys->key) < 0)
		return false;
	return store_range_is_open(keys) || slice_cmp(key, keys->end) < 0;
}

/* A node of the range, or NULL. */
static const struct mem_node *within(const struct store_key_range *keys, const struct mem_node *n)
{
	return n && (store_range_is_open(keys) || slice_cmp(n->key, keys->end) < 0) ? n : NULL;
}

int range_open(struct range_cursor *c, struct store_view *v, const struct store_key_range *keys, int64_t revision,
        struct err *err)
{
	CHECK(revision > 0); /* 0 means the newest: INT64_MAX here */
	int64_t id_max = revision == INT64_MAX ? INT64_MAX : ROW_ID(revision + 1) - 1;
	if (id_max > v->mem.id_max)
		id_max = v->mem.id_max;
	*c = (struct range_cursor){.view = v, .keys = *keys, .id_max = id_max};
	if (keys->end.len == 0)
		return 0;
	struct db *db = store_view_db(v, err);
	if (!db)
		return err->code;
	c->stmt = db_stmt(db, store_range_is_open(keys) ? DB_CUR_SCAN_ALL : DB_CUR_SCAN);
	db_bind_slice(c->stmt, 1, keys->key);
	if (!store_range_is_open(keys))
		db_bind_slice(c->stmt, 2, keys->end);
	for (unsigned i = 0; i < v->mem.n_layers; i++)
		c->at[i] = within(keys, mem_segment_seek(v->mem.layers[i], MEM_KEYS, keys->key));
	return 0;
}

/* Steps back from a row of SQLite that is too new. 1: *row is the version wanted; 0: there was none. */
static int step_back(struct range_cursor *c, struct row *row, struct err *err)
{
	const struct version_row *v;
	int rc;
	do {
		if ((rc = versions_get(c->view->db, row->id, &v, err)) != 1)
			return rc;
		if (v->id <= c->id_max) {
			*row = (struct row){row->key, v->id, v->created, v->version, v->lease, NULL};
			return 1;
		}
		row->id = v->prev;
	} while (row->id != 0);
	return 0;
}

static int next_single(struct range_cursor *c, struct row *ret, struct err *err)
{
	const struct mem_view *mem = &c->view->mem;
	if (c->is_done)
		return 0;
	c->is_done = true;
	for (unsigned i = 0; i < mem->n_layers; i++) {
		const struct mem_version *m = mem_segment_find(mem->layers[i], MEM_KEYS, c->keys.key, c->id_max);
		if (m) {
			*ret = row_of_version(m);
			return 1;
		}
	}
	int rc = row_newest_in_db(c->view, c->keys.key, ret, err);
	return rc == 1 && ret->id > c->id_max ? step_back(c, ret, err) : rc;
}

static int read_db(struct range_cursor *c, struct err *err)
{
	if (c->has_db_row || c->is_db_over)
		return 0;
	int rc = db_step(c->view->db, c->stmt, err, "read a range");
	if (rc < 0)
		return rc;
	c->has_db_row = rc == 1;
	c->is_db_over = rc == 0;
	if (rc == 1)
		c->db_row = (struct row){db_column_slice(c->stmt, 0), sqlite3_column_int64(c->stmt, 1),
		        sqlite3_column_int64(c->stmt, 2), sqlite3_column_int64(c->stmt, 3),
		        sqlite3_column_int64(c->stmt, 4), NULL};
	return 0;
}

/* The smallest key that a source stands on; NULL: all are at their end. */
static struct slice least_key(const struct range_cursor *c)
{
	struct slice least = c->has_db_row ? c->db_row.key : SLICE_NULL;
	for (unsigned i = 0; i < c->view->mem.n_layers; i++)
		if (c->at[i] && (!least.ptr || slice_cmp(c->at[i]->key, least) < 0))
			least = c->at[i]->key;
	return least;
}

/* What the sources that stand on `key` say it is; they move past it. *ret_found: 1 or 0. */
static int take(struct range_cursor *c, struct slice key, struct row *ret, int *ret_found, struct err *err)
{
	bool in_db = c->has_db_row && slice_eq(c->db_row.key, key);
	*ret_found = 0;
	for (unsigned i = 0; i < c->view->mem.n_layers; i++) {
		if (!c->at[i] || !slice_eq(c->at[i]->key, key))
			continue;
		const struct mem_version *m = *ret_found ? NULL : mem_node_version(c->at[i], c->id_max);
		if (m) {
			*ret = row_of_version(m);
			*ret_found = 1;
		}
		c->at[i] = within(&c->keys, mem_node_next(c->at[i]));
	}
	if (!in_db)
		return 0;
	DCHECK(c->is_db_over || c->stmt);
	c->has_db_row = false; /* its key is good until the next step */
	if (*ret_found)
		return 0;
	*ret = c->db_row;
	*ret_found = ret->id > c->id_max ? step_back(c, ret, err) : 1;
	return *ret_found < 0 ? *ret_found : 0;
}

static int next_merged(struct range_cursor *c, struct row *ret, struct err *err)
{
	for (;;) {
		int found, rc = read_db(c, err);
		struct slice key = rc == 0 ? least_key(c) : SLICE_NULL;
		if (rc != 0 || !key.ptr)
			return rc;
		rc = take(c, key, ret, &found, err);
		if (rc != 0 || found)
			return rc != 0 ? rc : 1;
	}
}

int range_next(struct range_cursor *c, struct row *ret, struct err *err)
{
	int rc;
	do {
		rc = c->stmt ? next_merged(c, ret, err) : next_single(c, ret, err);
	} while (rc == 1 && ret->version == 0);
	CHECK(rc != 1 || ret->id <= c->id_max);
	return rc;
}

void range_close(struct range_cursor *c)
{
	if (c->stmt)
		db_done(c->stmt);
	*c = (struct range_cursor){.is_done = true};
}

/* ---- counting ---- */

/* By how much what is in a segment changes the number of keys beneath it. */
static int64_t count_in_memory(
        const struct store_view *v, unsigned layer, const struct store_key_range *keys, struct slice from)
{
	int64_t n = 0;
	const struct mem_node *at = within(keys, mem_segment_seek(v->mem.layers[layer], MEM_KEYS, from));
	for (; at; at = within(keys, mem_node_next(at))) {
		const struct mem_version *m = mem_node_version(at, v->mem.id_max);
		if (m)
			n += (m->version > 0) - at->lived;
	}
	return n;
}

int range_count(
        struct store_view *v, const struct store_key_range *keys, struct slice from, int64_t *ret, struct err *err)
{
	struct db *db = store_view_db(v, err);
	if (!db)
		return err->code;
	sqlite3_stmt *s = db_stmt(db, store_range_is_open(keys) ? DB_CUR_COUNT_ALL : DB_CUR_COUNT);
	db_bind_slice(s, 1, from);
	if (!store_range_is_open(keys))
		db_bind_slice(s, 2, keys->end);
	int rc = db_step(db, s, err, "count keys");
	if (rc < 0)
		return rc;
	*ret = sqlite3_column_int64(s, 0);
	db_done(s);
	for (unsigned i = 0; i < v->mem.n_layers; i++)
		*ret += count_in_memory(v, i, keys, from);
	CHECK(*ret >= 0);
	return 0;
}
