/* Checking versions: one walk through all blocks.
 *
 *     blocks      each unpacks and reads (version_block.c), they follow each other, and rows of bits belong to blocks
 *     forward     no version is newer than the store; a revision after the compacted one has its first version
 *     to the key  every version has its key in `cur`, which names it or a newer one; what it names is there, and is
 * alike back        a version counts one up from the one before it, which is of the same key and there unless compacted
 *
 * Looking back goes by id to any place of what has been read: the unpacked blocks that are kept for it are bounded, so
 * a large store that was never compacted unpacks some more than once.
 *
 * What can go wrong: anything, for the file may have been changed by anyone. */
#include "store/snapshot/version_check_int.h"

#include "base/check.h"

#include <inttypes.h>

struct walk {
	struct db *db;
	const struct meta *meta;
	int64_t versions, current; /* so far: all; those that their key names */
	int64_t before;            /* the version before this one */
};

static int broken(const struct version_row *v, struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "\"%s\" does not hold: revision %" PRId64 ", version %" PRId64 " of \"%.*s\"",
	        what, ROW_REVISION(v->id), v->version, SLICE_FMT(v->key));
}

static int check_forward(struct walk *w, const struct version_row *v, struct err *err)
{
	int64_t sub = v->id - ROW_ID(ROW_REVISION(v->id));
	CHECK(v->id > w->before && sub >= 0);
	if (ROW_REVISION(v->id) > w->meta->revision)
		return broken(v, err, "no version is newer than the store");
	if (sub > 0 && ROW_REVISION(v->id) > w->meta->compacted && w->before != v->id - 1)
		return broken(v, err, "every kept revision after the compacted one has its first row");
	w->before = v->id;
	return 0;
}

static int check_key(struct walk *w, const struct version_row *v, struct err *err)
{
	sqlite3_stmt *s = db_stmt(w->db, DB_CUR_GET);
	db_bind_slice(s, 1, v->key);
	int rc = db_step(w->db, s, err, "look up a key");
	if (rc < 0)
		return rc;
	int64_t id = rc == 1 ? sqlite3_column_int64(s, 0) : 0;
	bool is_alike = rc == 1 && sqlite3_column_int64(s, 1) == v->created &&
	                sqlite3_column_int64(s, 2) == v->version && sqlite3_column_int64(s, 3) == v->lease;
	db_done(s);
	if (id < v->id)
		return broken(v, err, "no version in the log is newer than its key says");
	if (id == v->id && !is_alike)
		return broken(v, err, "every key is as its newest version says");
	w->current += id == v->id;
	return 0;
}

static int check_back(struct walk *w, const struct version_row *v, struct err *err)
{
	const struct version_row *p;
	int rc = v->prev ? versions_get(w->db, v->prev, &p, err) : 0;
	if (rc < 0)
		return rc;
	if (rc == 1 && (!slice_eq(p->key, v->key) || (v->version > 0 && v->version != p->version + 1)))
		return broken(v, err, "versions count up by one");
	if (rc == 0 && v->prev && ROW_REVISION(v->id) > w->meta->compacted &&
	        ROW_REVISION(v->prev) > w->meta->compacted)
		return broken(v, err, "a version's predecessor is there unless it was compacted");
	return 0;
}

static int check_all(struct walk *w, struct err *err)
{
	struct version_walk all;
	const struct version_row *v;
	int rc;
	version_walk_open(&all, w->db, 0);
	while ((rc = version_walk_next(&all, &v, err)) == 1) {
		w->versions++;
		if ((rc = check_forward(w, v, err)) != 0 || (rc = check_key(w, v, err)) != 0 ||
		        (rc = check_back(w, v, err)) != 0)
			break;
	}
	version_walk_close(&all);
	return rc;
}

static int64_t count(struct walk *w, const char *sql, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(w->db->handle, sql, -1, &s, NULL);
	if (rc != SQLITE_OK)
		return db_fail(w->db, rc, err, "check the blocks");
	rc = db_step(w->db, s, err, "check the blocks");
	int64_t n = rc == 1 ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	return rc < 0 ? rc : n;
}

/* What the walk has not come by. */
static int check_rest(struct walk *w, struct err *err)
{
	int64_t stray = count(w, "SELECT count(*) FROM dead WHERE block NOT IN (SELECT id FROM block)", err);
	int64_t keys = count(w, "SELECT count(*) FROM cur", err);
	int64_t dead = 0, all = count(w, "SELECT coalesce(sum(n), 0) FROM block", err);
	if (stray < 0 || keys < 0 || all < 0)
		return err->code;
	struct version_head h;
	int rc = version_head_get(w->db, VERSION_FROM, 1, &h, err);
	for (; rc == 1; rc = version_head_get(w->db, VERSION_FROM, h.ids[h.n - 1] + 1, &h, err))
		dead += version_bits_count(&h.dead);
	if (rc < 0)
		return rc;
	if (stray)
		return err_set(err, ERR_CORRUPT,
		        "\"bits of dead versions are of a block\" does not hold (%" PRId64 " rows)", stray);
	if (w->versions + dead != all)
		return err_set(err, ERR_CORRUPT,
		        "\"blocks do not overlap\" does not hold (%" PRId64 " versions, %" PRId64 " found)", all,
		        w->versions + dead);
	if (w->current != keys)
		return err_set(err, ERR_CORRUPT,
		        "\"every key's newest version is in the log\" does not hold (%" PRId64 " rows)",
		        keys - w->current);
	return 0;
}

int version_check(struct db *db, const struct meta *meta, int64_t *ret_versions, struct err *err)
{
	struct walk w = {.db = db, .meta = meta};
	CHECK(!sqlite3_get_autocommit(db->handle));
	int rc = check_all(&w, err);
	if (rc == 0)
		rc = check_rest(&w, err);
	*ret_versions = w.versions;
	return rc;
}
