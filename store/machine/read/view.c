/* Looks at the state: the memory table's segments, newest first, and SQLite beneath them.
 *
 * What a key is now is told by the newest layer that knows it. What it was at a revision, by the newest layer that has
 * a version at or before that revision: layers are slices of time, each after the one beneath. A layer that knows only
 * newer versions is stepped over, and in SQLite the newest row is followed back along `prev` (range.c).
 *
 * A look and SQLite's transaction must fit together. The look is taken first; the transaction that is begun after it
 * sees the state beneath the look, or the one after the next flush: that is the state beneath and the frozen segment
 * together, which then is left out (what flushing left out because compaction has passed it, nobody may ask for: the
 * look was taken after the segment was frozen, so it knows of that compaction). When there was more than one flush
 * meanwhile, a new look is taken.
 *
 * What can go wrong: SQLite does not read. */
#include "store/machine/read/view.h"

#include "base/check.h"

#include <stdlib.h>

/* ---- opening ---- */

/* Does the database, in its transaction, belong beneath the look? */
static bool fit(struct store_view *v, const struct meta *db)
{
	CHECK(db->flushes >= v->mem.flushes); /* the transaction was begun after the look */
	if (v->mem.has_frozen && db->flushes == v->mem.flushes + 1)
		mem_view_drop_frozen(&v->mem);
	v->meta.trimmed = db->trimmed;
	v->meta.flushes = db->flushes;
	return db->flushes == v->mem.flushes;
}

static int begin_db(struct store_view *v, struct meta *ret, struct err *err)
{
	int rc = db_begin_read(v->db, err);
	v->is_db_open = rc == 0;
	if (rc == 0)
		rc = meta_load(v->db, ret, err);
	if (rc == 0)
		versions_begin(v->db, ret->rewrites);
	return rc;
}

int store_view_open(struct store_view *v, struct mem_table *t, struct db *db, struct err *err)
{
	for (;;) {
		struct meta found;
		*v = (struct store_view){.db = db};
		mem_view_open(&v->mem, t);
		v->meta = v->mem.meta;
		int rc = begin_db(v, &found, err);
		if (rc == 0 && fit(v, &found))
			return 0;
		store_view_close(v);
		if (rc != 0)
			return rc;
	}
}

void store_view_begin(struct store_view *v, struct mem_table *t, struct db *db, const struct recent_rows *recent)
{
	CHECK(recent != NULL);
	*v = (struct store_view){.db = db, .recent = recent};
	mem_view_open(&v->mem, t);
	v->meta = v->mem.meta;
	v->mem.id_max = v->mem.change_max = INT64_MAX;
}

int store_view_of_db(struct store_view *v, struct db *db, struct err *err)
{
	*v = (struct store_view){.db = db};
	int rc = meta_load(db, &v->meta, err);
	if (rc == 0)
		versions_begin(db, v->meta.rewrites);
	v->mem.flushes = v->meta.flushes;
	v->mem.id_max = v->mem.change_max = INT64_MAX;
	return rc;
}

void store_view_close(struct store_view *v)
{
	if (v->is_db_open)
		db_end_read(v->db);
	v->is_db_open = false;
	mem_view_close(&v->mem);
}

struct db *store_view_db(struct store_view *v, struct err *err)
{
	struct meta found;
	if (v->is_db_open || v->mem.n_layers == 0)
		return v->db;
	if (begin_db(v, &found, err) != 0)
		return NULL;
	/* Nobody freezes while a batch is applied, so there was one flush meanwhile at most. */
	CHECK(fit(v, &found));
	return v->db;
}

/* ---- rows ---- */

bool row_newest_in_memory(const struct store_view *v, struct slice key, struct row *ret)
{
	for (unsigned i = 0; i < v->mem.n_layers; i++) {
		const struct mem_segment *s = v->mem.layers[i];
		const struct mem_version *m =
		        v->recent ? mem_segment_newest(s, key) : mem_segment_find(s, MEM_KEYS, key, v->mem.id_max);
		if (m) {
			*ret = row_of_version(m);
			return true;
		}
	}
	return false;
}

int row_newest_in_db(struct store_view *v, struct slice key, struct row *ret, struct err *err)
{
	struct db *db = store_view_db(v, err);
	if (!db)
		return err->code;
	sqlite3_stmt *s = db_stmt(db, DB_CUR_GET);
	db_bind_slice(s, 1, key);
	int rc = db_step(db, s, err, "look up a key");
	if (rc == 1)
		*ret = (struct row){key, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
		        sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3), NULL};
	if (rc >= 0)
		db_done(s);
	return rc;
}

int row_newest(struct store_view *v, struct slice key, struct row *ret, struct err *err)
{
	if (row_newest_in_memory(v, key, ret))
		return 1;
	const struct recent_row *known = v->recent ? recent_rows_get(v->recent, key) : NULL;
	if (known) {
		*ret = (struct row){key, known->id, known->created, known->version, known->lease, NULL};
		return 1;
	}
	return row_newest_in_db(v, key, ret, err);
}

static const struct mem_version *by_id_in_memory(const struct store_view *v, struct slice key, int64_t id)
{
	for (unsigned i = 0; i < v->mem.n_layers; i++) {
		const struct mem_version *m = mem_segment_find(v->mem.layers[i], MEM_KEYS, key, id);
		if (m && m->at == id)
			return m;
	}
	return NULL;
}

/* 1, 0: it is not there, negative. Until something else is looked for. */
static int version_in_db(struct store_view *v, int64_t id, const struct version_row **ret, struct err *err)
{
	struct db *db = store_view_db(v, err);
	return db ? versions_get(db, id, ret, err) : err->code;
}

int row_by_id(struct store_view *v, struct slice key, int64_t id, struct row *ret, struct err *err)
{
	const struct mem_version *m = by_id_in_memory(v, key, id);
	if (m) {
		*ret = row_of_version(m);
		return 1;
	}
	const struct version_row *found;
	int rc = version_in_db(v, id, &found, err);
	if (rc == 1)
		*ret = (struct row){key, id, found->created, found->version, found->lease, NULL};
	return rc;
}

int row_value(struct store_view *v, const struct row *row, struct arena *a, struct slice *ret, struct err *err)
{
	if (row->mem) {
		*ret = (struct slice){arena_memdup(a, row->mem->value.ptr, row->mem->value.len), row->mem->value.len};
		return 0;
	}
	const struct version_row *found;
	int rc = version_in_db(v, row->id, &found, err);
	if (rc == 0)
		rc = err_set(err, ERR_CORRUPT, "the value of revision %lld is missing: restore a snapshot",
		        (long long)ROW_REVISION(row->id));
	if (rc < 0)
		return rc;
	*ret = (struct slice){arena_memdup(a, found->value.ptr, found->value.len), found->value.len};
	return 0;
}

int row_value_bytes(struct store_view *v, const struct row *row, size_t *ret, struct err *err)
{
	if (row->mem) {
		*ret = row->mem->value.len;
		return 0;
	}
	const struct version_row *found;
	int rc = version_in_db(v, row->id, &found, err);
	if (rc >= 0)
		*ret = rc == 1 ? found->value.len : 0;
	return rc < 0 ? rc : 0;
}

int row_pair(struct store_view *v, const struct row *row, struct slice key, struct arena *a, struct store_kv *ret,
        struct err *err)
{
	struct slice value;
	if (row->version == 0)
		return 0;
	int rc = row_value(v, row, a, &value, err);
	if (rc != 0)
		return rc;
	*ret = (struct store_kv){.key = key,
	        .value = value,
	        .create_revision = row->created,
	        .mod_revision = ROW_REVISION(row->id),
	        .version = row->version,
	        .lease = row->lease};
	return 1;
}

/* ---- the log ---- */

int versions_open(struct version_cursor *c, struct store_view *v, int64_t from, struct err *err)
{
	struct db *db = store_view_db(v, err);
	*c = (struct version_cursor){.view = v, .from = from, .layer = -1};
	if (!db)
		return err->code;
	version_walk_open(&c->walk, db, from);
	return 0;
}

static int next_in_db(struct version_cursor *c, struct version_row *ret, struct err *err)
{
	const struct version_row *found;
	int rc = version_walk_next(&c->walk, &found, err);
	if (rc == 1)
		*ret = *found;
	return rc;
}

static bool next_in_memory(struct version_cursor *c, struct version_row *ret)
{
	const struct mem_view *mem = &c->view->mem;
	while (c->layer < (int)mem->n_layers) {
		const struct mem_segment *s = mem->layers[(int)mem->n_layers - 1 - c->layer];
		const struct mem_version *m = mem_segment_log_next(s, &c->at, c->from, mem->id_max);
		if (m) {
			*ret = (struct version_row){.id = m->at,
			        .key = m->node->key,
			        .prev = m->prev,
			        .created = m->created,
			        .version = m->version,
			        .lease = m->lease,
			        .value = m->value};
			return true;
		}
		c->layer++;
		c->at = (struct mem_log_cursor){0};
	}
	return false;
}

int versions_next(struct version_cursor *c, struct version_row *ret, struct err *err)
{
	CHECK(c->layer <= (int)c->view->mem.n_layers);
	if (c->layer < 0) {
		int rc = next_in_db(c, ret, err);
		if (rc != 0)
			return rc;
		versions_close(c);
		c->layer = 0;
	}
	return next_in_memory(c, ret);
}

void versions_close(struct version_cursor *c)
{
	version_walk_close(&c->walk);
}
