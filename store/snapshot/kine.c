/* Reading kine's table, in which k3s keeps its state on SQLite (kine pkg/drivers/generic: its schema is public):
 *
 *     kine (id INTEGER PRIMARY KEY AUTOINCREMENT, name, created, deleted, create_revision, prev_revision, lease, value,
 *           old_value)
 *
 * A row is a change, its id the revision. A key lives when its newest row is no deletion. A row that creates has
 * create_revision 0 and means its own id. "compact_rev_key" is kine's own; gaps that it fills ("gap-...") are
 * deletions.
 *
 * What comes of it keeps its revisions; how often a key was changed kine does not count, so each begins at version 1.
 * Leases are left out: kine ends them by a clock of its own, and what they are for (events) is not worth taking along.
 */
#include "store/snapshot/kine.h"

#include "base/limits.h"
#include "store/snapshot/snapshot_int.h"

#include <inttypes.h>
#include <unistd.h>

static const char newest_sql[] = "SELECT coalesce(max(id), 0) FROM kine";
static const char each_sql[] = "SELECT k.id, k.name, k.created, k.create_revision, k.value FROM kine AS k "
                               "JOIN (SELECT max(id) AS id FROM kine GROUP BY name) AS newest ON newest.id = k.id "
                               "WHERE k.deleted = 0 AND k.name <> 'compact_rev_key' ORDER BY k.id";

static int fail(sqlite3 *h, const char *path, struct err *err)
{
	return err_set(
	        err, ERR_CORRUPT, "%s is not a database of k3s (kine): %s", path, h ? sqlite3_errmsg(h) : "no memory");
}

static struct slice column(sqlite3_stmt *s, int i)
{
	const char *bytes = sqlite3_column_blob(s, i);
	return (struct slice){bytes ? bytes : "", (size_t)sqlite3_column_bytes(s, i)};
}

static int take(sqlite3_stmt *s, int (*row)(void *arg, const struct store_kv *kv, struct err *err), void *arg,
        int64_t revision, struct err *err)
{
	int64_t id = sqlite3_column_int64(s, 0), created = sqlite3_column_int64(s, 3);
	struct store_kv kv = {.key = column(s, 1), .value = column(s, 4), .mod_revision = id, .version = 1};
	kv.create_revision = sqlite3_column_int(s, 2) || created <= 0 ? id : created;
	if (id < 1 || id > revision || kv.create_revision > id || !kv.key.len || kv.key.len > STORE_KEY_BYTES_MAX ||
	        kv.value.len > STORE_REQUEST_BYTES_CEILING)
		return err_set(err, ERR_CORRUPT, "the row of revision %" PRId64 " does not read", id);
	return row(arg, &kv, err);
}

static int each(sqlite3 *h, const char *path, int (*row)(void *arg, const struct store_kv *kv, struct err *err),
        void *arg, int64_t revision, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = 0, step;
	if (sqlite3_prepare_v2(h, each_sql, -1, &s, NULL) != SQLITE_OK)
		return fail(h, path, err);
	while (rc == 0 && (step = sqlite3_step(s)) != SQLITE_DONE)
		rc = step == SQLITE_ROW ? take(s, row, arg, revision, err) : fail(h, path, err);
	sqlite3_finalize(s);
	return rc;
}

static int newest(sqlite3 *h, const char *path, int64_t *ret, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = 0;
	if (sqlite3_prepare_v2(h, newest_sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
		rc = fail(h, path, err);
	else
		*ret = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	if (rc == 0 && (*ret < 0 || *ret >= INT64_MAX >> SUB_BITS))
		rc = err_set(err, ERR_CORRUPT, "%s has a revision that is none", path);
	return rc;
}

int kine_each(const char *path, int (*row)(void *arg, const struct store_kv *kv, struct err *err), void *arg,
        int64_t *ret_revision, struct err *err)
{
	sqlite3 *h = NULL;
	int rc = 0;
	if (access(path, R_OK) != 0)
		return err_errno(err, errno, "open %s", path);
	if (sqlite3_open_v2(path, &h, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	        sqlite3_exec(h, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		rc = fail(h, path, err);
	if (rc == 0)
		rc = newest(h, path, ret_revision, err);
	if (rc == 0)
		rc = each(h, path, row, arg, *ret_revision, err);
	sqlite3_close(h);
	return rc;
}
