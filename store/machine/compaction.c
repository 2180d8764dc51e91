/* Compaction of what is in SQLite.
 *
 * Compaction is recorded first, by a command: from then on reads below it are refused, and what is in memory alone and
 * passed by it never gets here (flush.c). With the next flush the database knows of it. The rows go then, in steps: the
 * log is walked from where the last compaction ended, every row's predecessor is removed (it is superseded at or before
 * the compacted revision), and deletions older than the compacted revision are removed with their key. Each row is
 * looked at once in its life; where the walk stands is in the same transaction, so a restart goes on. Rows of the
 * compacted revision itself are kept, deletions too, so that a watch may begin exactly there. The pages that become
 * free are used again; when they are a good part of the file, idle time is used to shorten it.
 *
 * What can go wrong: the disk is full (the step is rolled back, and tried again later). */
#include "store/machine/compaction.h"

#include "base/check.h"

enum { SHRINK_PAGES_MIN = 1024 };

bool machine_trim_pending(const struct machine *m)
{
	return m->base.trimmed != ROW_ID(m->base.compacted);
}

struct trim_row {
	int64_t id, prev;
	bool is_old_deletion;
	struct slice key;
};

static int trim_read(struct machine *m, struct trim_row *rows, int max, struct arena *a, struct err *err)
{
	sqlite3_stmt *s = db_stmt(&m->tables, DB_REV_TRIM);
	sqlite3_bind_int64(s, 1, m->base.trimmed);
	sqlite3_bind_int64(s, 2, ROW_ID(m->base.compacted + 1));
	sqlite3_bind_int64(s, 3, max);
	int n = 0, rc;
	while ((rc = db_step(&m->tables, s, err, "compact")) == 1) {
		struct trim_row *r = &rows[n++];
		*r = (struct trim_row){.id = sqlite3_column_int64(s, 0), .prev = sqlite3_column_int64(s, 2)};
		r->is_old_deletion = sqlite3_column_int64(s, 3) == 0 && ROW_REVISION(r->id) < m->base.compacted;
		if (!r->is_old_deletion)
			continue;
		r->key = db_column_slice(s, 1);
		r->key.ptr = arena_memdup(a, r->key.ptr, r->key.len);
	}
	if (rc < 0)
		return rc;
	db_done(s);
	return n;
}

static int drop_row(struct machine *m, int64_t id, struct err *err)
{
	sqlite3_stmt *s = db_stmt(&m->tables, DB_REV_DROP);
	sqlite3_bind_int64(s, 1, id);
	return db_run(&m->tables, s, err, "compact");
}

static int trim_one(struct machine *m, const struct trim_row *r, struct err *err)
{
	int rc = r->prev ? drop_row(m, r->prev, err) : 0;
	if (rc != 0 || !r->is_old_deletion)
		return rc;
	rc = drop_row(m, r->id, err);
	if (rc != 0)
		return rc;
	sqlite3_stmt *s = db_stmt(&m->tables, DB_CUR_DROP); /* only if the key was not written again since */
	db_bind_slice(s, 1, r->key);
	sqlite3_bind_int64(s, 2, r->id);
	return db_run(&m->tables, s, err, "compact");
}

static int trim(struct machine *m, int max, struct meta *meta, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct trim_row *rows = arena_alloc(&a, sizeof *rows * (size_t)max);
	int n = trim_read(m, rows, max, &a, err);
	int rc = n < 0 ? n : 0;
	for (int i = 0; i < n && rc == 0; i++)
		rc = trim_one(m, &rows[i], err);
	if (rc == 0)
		meta->trimmed = n < max ? ROW_ID(meta->compacted) : rows[n - 1].id + 1;
	arena_release(&a);
	return rc;
}

int machine_trim(struct machine *m, int max, struct err *err)
{
	struct meta meta = m->base;
	int rc = db_run(&m->tables, db_stmt(&m->tables, DB_BEGIN_WRITE), err, "begin to compact");
	if (rc == 0)
		rc = trim(m, max, &meta, err);
	if (rc == 0)
		rc = meta_save(&m->tables, &meta, err);
	if (rc == 0)
		rc = db_run(&m->tables, db_stmt(&m->tables, DB_COMMIT), err, "compact");
	if (rc != 0) {
		db_rollback(&m->tables);
		return rc;
	}
	meta_check(&meta, &m->base);
	m->base = meta;
	return 0;
}

/* Begins when a quarter of the file is free and ends at an eighth, so that a store of steady size leaves it alone. */
int machine_shrink(struct machine *m, struct err *err)
{
	int64_t pages = db_pragma_int(&m->tables, "page_count");
	int64_t free_pages = db_pragma_int(&m->tables, "freelist_count");
	if (m->is_defragmenting)
		m->is_shrinking = m->is_defragmenting = free_pages > 0;
	else if (!m->is_shrinking)
		m->is_shrinking = free_pages > SHRINK_PAGES_MIN && free_pages * 4 > pages;
	else if (free_pages * 8 <= pages)
		m->is_shrinking = false;
	if (!m->is_shrinking)
		return 0;
	int rc = sqlite3_exec(m->tables.handle, "PRAGMA incremental_vacuum(64)", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 1 : db_fail(&m->tables, rc, err, "shrink the file");
}
