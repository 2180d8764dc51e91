/* Flushing: what the memory table has gathered goes to SQLite at once.
 *
 *     pass 1, in key order     which versions compaction has passed; `cur`, once per key, with its newest version
 *     pass 2, in order of ids  the versions that are left, appended as blocks; the last one is as full as it gets
 *     leases and settings      their newest state each
 *     meta                     counters as they were when the segment was frozen, and one flush more
 *
 * A key that was written a thousand times costs one row of `cur`, and its versions that a later one superseded at or
 * before the compacted revision are not written at all. What remains points (`prev`) at the version before it that is
 * kept, so that compaction finds it. All of it is one transaction: after a crash the database is as it was before it or
 * after it, and the log, which keeps what is not in the database durably, is applied again from there.
 *
 * Nobody waits for it: readers go on with the segment until it is out of the table, and the applying thread adds to the
 * next one.
 *
 * What can go wrong: the disk is full (rolled back; the segment stays). */
#include "store/machine/flush.h"

#include "base/breakage.h"
#include "base/check.h"

/* ---- pass 1 ---- */

/* Marks the versions of a key that need not be written. The newest that is; NULL: none. */
static const struct mem_version *pass(struct mem_version *newest, int64_t compacted)
{
	struct mem_version *at = NULL, *oldest = newest;
	CHECK(newest != NULL); /* a node has a version from its making on */
	for (struct mem_version *v = newest; v; v = v->older) {
		CHECK(!v->older || v->older->at < v->at);
		v->is_passed = at != NULL; /* a newer one is at or before the compacted revision */
		v->kept_prev = v->prev;
		if (!at && ROW_REVISION(v->at) <= compacted)
			at = v;
		oldest = v;
	}
	if (!at)
		return newest;
	at->kept_prev = oldest->prev;
	/* It came and went between two flushes, and nobody may ask for it any more. */
	if (at == newest && at->version == 0 && ROW_REVISION(at->at) < compacted && at->kept_prev == 0) {
		at->is_passed = true;
		return NULL;
	}
	return newest;
}

static int write_key(struct db *db, const struct mem_version *v, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, DB_CUR_SET);
	db_bind_slice(s, 1, v->node->key);
	sqlite3_bind_int64(s, 2, v->at);
	sqlite3_bind_int64(s, 3, v->created);
	sqlite3_bind_int64(s, 4, v->version);
	sqlite3_bind_int64(s, 5, v->lease);
	return db_run(db, s, err, "write a key");
}

static struct mem_node *first_node(const struct mem_segment *s, enum mem_list_name list)
{
	return mem_segment_seek(s, list, SLICE_NULL);
}

static struct mem_version *newest_of(const struct mem_node *n)
{
	return atomic_load_explicit(&n->newest, memory_order_acquire);
}

static int write_keys(struct db *db, const struct mem_segment *s, int64_t compacted, struct err *err)
{
	int rc = 0;
	for (struct mem_node *n = first_node(s, MEM_KEYS); n && rc == 0; n = mem_node_next(n)) {
		const struct mem_version *v = pass(newest_of(n), compacted);
		if (v)
			rc = write_key(db, v, err);
	}
	return rc;
}

/* ---- pass 2 ---- */

static int write_version(struct version_writer *w, const struct mem_version *v, struct err *err)
{
	CHECK(v->kept_prev < v->at);
	return version_writer_add(w,
	        &(struct version_row){.id = v->at,
	                .prev = v->kept_prev,
	                .created = v->created,
	                .version = v->version,
	                .lease = v->lease,
	                .key = v->node->key,
	                .value = v->value},
	        err);
}

static int write_versions(struct db *db, const struct mem_segment *s, struct err *err)
{
	struct version_writer w = {.db = db};
	struct mem_log_cursor c = {0};
	const struct mem_version *v;
	int rc = 0;
	while (rc == 0 && (v = mem_segment_log_next(s, &c, 0, INT64_MAX)) != NULL)
		if (!v->is_passed)
			rc = write_version(&w, v, err);
	if (rc == 0)
		rc = version_writer_end(&w, err);
	version_writer_release(&w);
	return rc;
}

/* ---- the rest ---- */

static int write_lease(struct db *db, const struct mem_version *v, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, v->version ? DB_LEASE_SET : DB_LEASE_DROP);
	sqlite3_bind_int64(s, 1, mem_lease_of_key(v->node->key));
	if (v->version)
		sqlite3_bind_int64(s, 2, v->created);
	return db_run(db, s, err, "write a lease");
}

static int write_setting(struct db *db, const struct mem_version *v, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, v->version ? DB_SYS_SET : DB_SYS_DROP);
	db_bind_slice(s, 1, v->node->key);
	if (v->version)
		db_bind_slice(s, 2, v->value);
	return db_run(db, s, err, "write a setting");
}

static int write_each(struct db *db, const struct mem_segment *s, enum mem_list_name list,
        int (*write)(struct db *db, const struct mem_version *v, struct err *err), struct err *err)
{
	int rc = 0;
	for (struct mem_node *n = first_node(s, list); n && rc == 0; n = mem_node_next(n))
		rc = write(db, newest_of(n), err);
	return rc;
}

static int write_all(struct db *db, const struct mem_segment *s, const struct meta *meta, struct err *err)
{
	int rc = write_keys(db, s, meta->compacted, err);
	if (rc == 0)
		rc = write_versions(db, s, err);
	if (rc == 0)
		rc = write_each(db, s, MEM_LEASES, write_lease, err);
	if (rc == 0)
		rc = write_each(db, s, MEM_SETTINGS, write_setting, err);
	return rc == 0 ? meta_save(db, meta, err) : rc;
}

int machine_flush(struct machine *m, struct err *err)
{
	struct meta meta;
	struct mem_segment *s = mem_table_frozen(&m->table, &meta);
	if (!s)
		return 0;
	meta.trimmed = m->base.trimmed;
	meta.rewrites = m->base.rewrites;
	meta.flushes = m->base.flushes + 1;
	if (breakage_is(BREAK_FLUSH_BEFORE_LOG))
		meta.applied_index =
		        meta.applied_index + 3 > m->base.applied_index ? meta.applied_index + 3 : m->base.applied_index;
	meta_check(&meta, &m->base);
	int rc = db_run(&m->tables, db_stmt(&m->tables, DB_BEGIN_WRITE), err, "begin a flush");
	if (rc == 0)
		rc = write_all(&m->tables, s, &meta, err);
	if (rc == 0)
		rc = db_run(&m->tables, db_stmt(&m->tables, DB_COMMIT), err, "commit a flush");
	if (rc != 0) {
		db_rollback(&m->tables);
		return rc;
	}
	CHECK(meta.flushes == m->base.flushes + 1 && meta.revision >= m->base.revision);
	m->base = meta;
	mem_table_flushed(&m->table);
	return 1;
}
