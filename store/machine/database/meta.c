/* See meta.h. What can go wrong: the row does not read (ERR_CORRUPT), or is not there. */
#include "store/machine/database/meta.h"

#include "base/check.h"

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
	        .flushes = sqlite3_column_int64(s, 8),
	        .rewrites = sqlite3_column_int64(s, 9),
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
	sqlite3_bind_int64(s, 9, m->flushes);
	sqlite3_bind_int64(s, 10, m->rewrites);
	return db_run(db, s, err, "write the counters");
}

bool meta_is_same_state(const struct meta *a, const struct meta *b)
{
	return a->revision == b->revision && a->compacted == b->compacted && a->applied_index == b->applied_index &&
	       a->system_version == b->system_version && a->hash == b->hash && a->keys == b->keys;
}

void meta_check(const struct meta *now, const struct meta *before)
{
	CHECK(now->revision >= before->revision && now->revision <= REVISION_MAX * 2);
	CHECK(now->compacted >= before->compacted && now->compacted <= now->revision);
	CHECK(now->trimmed >= 0 && now->trimmed <= ROW_ID(now->compacted + 1));
	CHECK(now->applied_index >= before->applied_index && now->applied_term >= before->applied_term);
	CHECK(now->system_version >= before->system_version && now->flushes >= before->flushes);
	CHECK(now->keys >= 0 && now->rewrites >= before->rewrites);
}
