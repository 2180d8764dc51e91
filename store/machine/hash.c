/* The hash that compares stores. See hash.h.
 *
 * What is hashed, in order of revision: the row's id, key, create revision, version, lease and value, of every row that
 * a finished compaction would have left. Compaction removes rows some time after it was recorded, at another pace on
 * every machine; so the rows it still has to remove are found first (predecessors of rows up to the compacted revision,
 * and older deletions) and left out. `prev` is not hashed: it may name a row that is gone on one machine and not yet on
 * another. */
#include "store/machine/hash.h"

#include "base/mem/arena.h"

#include <stdlib.h>

struct ids {
	int64_t *list;
	size_t n, cap, at;
};

static int compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Rows that the compaction under way has yet to remove because a newer one supersedes them. */
static int superseded(struct db *db, const struct meta *meta, struct ids *ids, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, DB_REV_TRIM);
	int rc;
	sqlite3_bind_int64(s, 1, meta->trimmed);
	sqlite3_bind_int64(s, 2, ROW_ID(meta->compacted + 1));
	sqlite3_bind_int64(s, 3, -1);
	while ((rc = db_step(db, s, err, "read the log")) == 1) {
		if (ids->n == ids->cap)
			ids->list = xrealloc(ids->list, (ids->cap = ids->cap ? ids->cap * 2 : 256) * sizeof *ids->list);
		ids->list[ids->n++] = sqlite3_column_int64(s, 2);
	}
	if (rc == 0)
		db_done(s);
	if (ids->n)
		qsort(ids->list, ids->n, sizeof *ids->list, compare_ids);
	return rc;
}

static bool is_gone(struct ids *ids, const struct meta *meta, int64_t id, int64_t version)
{
	if (ROW_REVISION(id) < meta->compacted && version == 0)
		return true;
	while (ids->at < ids->n && ids->list[ids->at] < id)
		ids->at++;
	return ids->at < ids->n && ids->list[ids->at] == id;
}

static int hash_leases(struct db *db, uint64_t *h, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, DB_LEASE_ALL);
	int rc;
	while ((rc = db_step(db, s, err, "read the leases")) == 1)
		*h = hash_word(
		        hash_word(*h, (uint64_t)sqlite3_column_int64(s, 0)), (uint64_t)sqlite3_column_int64(s, 1));
	if (rc == 0)
		db_done(s);
	return rc;
}

int hash_versions(
        struct db *db, const struct meta *meta, int64_t revision, bool with_leases, uint32_t *ret, struct err *err)
{
	struct ids ids = {0};
	uint64_t h = 0;
	int rc = range_check_revision(meta, revision, err);
	if (rc == 0)
		rc = superseded(db, meta, &ids, err);
	if (rc != 0)
		goto out;
	sqlite3_stmt *s = db_stmt(db, DB_REV_LOG);
	sqlite3_bind_int64(s, 1, 0);
	while ((rc = db_step(db, s, err, "read the log")) == 1) {
		int64_t id = sqlite3_column_int64(s, 0), version = sqlite3_column_int64(s, 4);
		if (revision && ROW_REVISION(id) > revision)
			break;
		if (is_gone(&ids, meta, id, version))
			continue;
		h = hash_word(h, (uint64_t)id);
		h = hash_bytes(h, db_column_slice(s, 1));
		h = hash_word(h, (uint64_t)sqlite3_column_int64(s, 3));
		h = hash_word(h, (uint64_t)version);
		h = hash_word(h, (uint64_t)sqlite3_column_int64(s, 5));
		h = hash_bytes(h, db_column_slice(s, 6));
	}
	if (rc >= 0) {
		db_done(s);
		rc = with_leases ? hash_leases(db, &h, err) : 0;
	}
	*ret = (uint32_t)(h ^ (h >> 32));
out:
	free(ids.list);
	return rc;
}
