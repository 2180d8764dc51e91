/* Compaction of what is in SQLite.
 *
 * Compaction is recorded first, by a command: from then on reads below it are refused, and what is in memory alone and
 * passed by it never gets here (flush.c). With the next flush the database knows of it. The versions go then, in steps:
 * the log is walked from where the last compaction ended, every version's predecessor is removed (it is superseded at
 * or before the compacted revision), and deletions older than the compacted revision are removed with their key. Each
 * version is looked at once in its life; where the walk stands is in the same transaction, so a restart goes on.
 * Versions of the compacted revision itself are kept, deletions too, so that a watch may begin exactly there.
 *
 * What is removed is marked as dead in its block, and blocks that are half dead, and small ones that the walk has
 * passed, are written anew (version_trim.c): a step looks at so many versions and writes so many blocks at most. The
 * pages that become free are used again; when they are a good part of the file, idle time is used to shorten it.
 *
 * What can go wrong: the disk is full (the step is rolled back, and tried again later). */
#include "store/machine/compaction.h"

#include "base/check.h"
#include "store/machine/database/version_trim.h"

enum { SHRINK_PAGES_MIN = 1024 };

bool machine_trim_pending(const struct machine *m)
{
	return m->base.trimmed != ROW_ID(m->base.compacted);
}

/* A step. */
struct trim {
	struct machine *m;
	int64_t end; /* the first version that is left alone */
	struct version_trim blocks;
};

/* The key goes with its deletion, unless it was written again since. */
static int drop_key(struct trim *t, const struct version_row *v, struct err *err)
{
	sqlite3_stmt *s = db_stmt(&t->m->tables, DB_CUR_DROP);
	db_bind_slice(s, 1, v->key);
	sqlite3_bind_int64(s, 2, v->id);
	return db_run(&t->m->tables, s, err, "compact");
}

static int look_at(struct trim *t, const struct version_row *v, struct err *err)
{
	CHECK(v->id < t->end && v->prev < v->id);
	version_trim_pass(&t->blocks, v->id);
	if (v->prev)
		version_trim_kill(&t->blocks, v->prev);
	if (v->version != 0 || ROW_REVISION(v->id) >= t->m->base.compacted)
		return 0;
	version_trim_kill(&t->blocks, v->id);
	return drop_key(t, v, err);
}

/* Looks at up to `max` versions. *ret_at: where the walk goes on; ROW_ID(compacted), which it never stops at: it is
 * through. */
static int walk(struct trim *t, int max, int64_t *ret_at, struct err *err)
{
	struct version_walk w;
	const struct version_row *v;
	int64_t at = 0;
	int n = 0, rc;
	version_walk_open(&w, &t->m->tables, t->m->base.trimmed);
	while ((rc = version_walk_next(&w, &v, err)) == 1 && v->id < t->end && n++ < max) {
		at = v->id + 1;
		if ((rc = look_at(t, v, err)) != 0)
			break;
	}
	version_walk_close(&w);
	*ret_at = n > max ? at : ROW_ID(t->m->base.compacted);
	return rc < 0 ? rc : 0;
}

static int trim(struct machine *m, int max, struct meta *meta, struct err *err)
{
	struct trim t = {.m = m, .end = ROW_ID(m->base.compacted + 1)};
	bool has_changed = false;
	CHECK(max > 0 && meta->trimmed < t.end);
	version_trim_init(&t.blocks, &m->tables);
	int rc = walk(&t, max, &meta->trimmed, err);
	if (rc == 0)
		rc = version_trim_finish(&t.blocks, &has_changed, err);
	version_trim_release(&t.blocks);
	meta->rewrites += has_changed;
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
