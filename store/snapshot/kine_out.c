/* Writing kine's table (kine.c says what is in it), so that k3s goes on from it with the revisions that were:
 *
 *     a key that was never changed    created 1, create_revision 0: the row's own id is meant
 *     one that was                    created 0, create_revision, and prev_revision the same: what lay between is
 * compacted compact_rev_key                 its prev_revision is the newest revision: nothing of before can be watched
 *     gap-N                           the newest revision, when no living key has it: kine counts on from its last row
 *
 * kine removes at a compaction whatever row a prev_revision names, so none may name a row that is there.
 *
 * Two keys of one revision (a transaction wrote both) can't both have it: the second is numbered behind all others at
 * the end, and counted. What can go wrong: the disk is full, or a revision is beyond what kine's readers take. */
#include "store/snapshot/kine.h"

#include "base/check.h"
#include "base/file/file_sync.h"
#include "store/snapshot/snapshot_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

static const char schema_sql[] =
        "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN;"
        "CREATE TABLE kine (id INTEGER PRIMARY KEY AUTOINCREMENT, name INTEGER, created INTEGER, deleted INTEGER,"
        " create_revision INTEGER, prev_revision INTEGER, lease INTEGER, value BLOB, old_value BLOB);"
        "CREATE INDEX kine_name_index ON kine (name);"
        "CREATE INDEX kine_name_id_index ON kine (name, id);"
        "CREATE INDEX kine_id_deleted_index ON kine (id, deleted);"
        "CREATE INDEX kine_prev_revision_index ON kine (prev_revision);"
        "CREATE UNIQUE INDEX kine_name_prev_revision_uindex ON kine (name, prev_revision);"
        /* those that are to be numbered at the end; gone then */
        "CREATE TEMP TABLE late (name TEXT, value BLOB);";

static const char put_sql[] = "INSERT INTO kine (id, name, created, deleted, create_revision, prev_revision, lease, "
                              "value) VALUES (?1, ?2, ?3, 0, ?4, ?4, 0, ?5) ON CONFLICT (id) DO NOTHING";

struct kine_out {
	sqlite3 *handle;
	sqlite3_stmt *put, *put_late;
	char *path;
	int64_t moved;
};

static int fail(struct kine_out *o, struct err *err)
{
	int code = sqlite3_errcode(o->handle) == SQLITE_FULL ? ERR_NO_SPACE : ERR_IO;
	return err_set(err, code, "write %s: %s", o->path, sqlite3_errmsg(o->handle));
}

static int run(struct kine_out *o, const char *sql, struct err *err)
{
	return sqlite3_exec(o->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(o, err);
}

static int run_with(struct kine_out *o, int64_t n, const char *format, struct err *err)
{
	char sql[400];
	/* the formats are ours, of one number */
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"");
	CHECK((size_t)snprintf(sql, sizeof sql, format, (long long)n) < sizeof sql);
	_Pragma("GCC diagnostic pop");
	return run(o, sql, err);
}

static int step(struct kine_out *o, sqlite3_stmt *s, struct err *err)
{
	int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : fail(o, err);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc;
}

static int prepare(struct kine_out *o, const char *sql, sqlite3_stmt **ret, struct err *err)
{
	return sqlite3_prepare_v2(o->handle, sql, -1, ret, NULL) == SQLITE_OK ? 0 : fail(o, err);
}

static void release(struct kine_out *o)
{
	sqlite3_finalize(o->put);
	sqlite3_finalize(o->put_late);
	sqlite3_close(o->handle);
	free(o->path);
	free(o);
}

int kine_out_open(const char *path, struct kine_out **ret, struct err *err)
{
	if (access(path, F_OK) == 0)
		return err_set(err, ERR_EXISTS, "%s is there already", path);
	struct kine_out *o = xcalloc(1, sizeof *o);
	o->path = xstrdup(path);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int rc = sqlite3_open_v2(path, &o->handle, flags, NULL) == SQLITE_OK ? 0 : fail(o, err);
	if (rc == 0)
		rc = run(o, schema_sql, err);
	if (rc == 0)
		rc = prepare(o, put_sql, &o->put, err);
	if (rc == 0)
		rc = prepare(o, "INSERT INTO late VALUES (?1, ?2)", &o->put_late, err);
	if (rc == 0) {
		*ret = o;
		return 0;
	}
	unlink(path);
	release(o);
	return rc;
}

static void bind_text(sqlite3_stmt *s, int at, struct slice t)
{
	CHECK(sqlite3_bind_text64(s, at, t.ptr, t.len, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK);
}

static void bind_bytes(sqlite3_stmt *s, int at, struct slice b)
{
	CHECK(sqlite3_bind_blob64(s, at, b.len ? b.ptr : "", b.len, SQLITE_STATIC) == SQLITE_OK);
}

int kine_out_put(struct kine_out *o, const struct store_kv *kv, struct err *err)
{
	bool is_new = kv->create_revision == kv->mod_revision;
	CHECK(kv->mod_revision > 0 && kv->create_revision <= kv->mod_revision);
	sqlite3_bind_int64(o->put, 1, kv->mod_revision);
	bind_text(o->put, 2, kv->key);
	sqlite3_bind_int(o->put, 3, is_new);
	sqlite3_bind_int64(o->put, 4, is_new ? 0 : kv->create_revision);
	bind_bytes(o->put, 5, kv->value);
	int rc = step(o, o->put, err);
	if (rc != 0 || sqlite3_changes(o->handle) == 1)
		return rc;
	o->moved++;
	bind_text(o->put_late, 1, kv->key);
	bind_bytes(o->put_late, 2, kv->value);
	return step(o, o->put_late, err);
}

static bool has_row(struct kine_out *o, int64_t id)
{
	sqlite3_stmt *s = NULL;
	CHECK(sqlite3_prepare_v2(o->handle, "SELECT 1 FROM kine WHERE id = ?1", -1, &s, NULL) == SQLITE_OK);
	sqlite3_bind_int64(s, 1, id);
	bool has = sqlite3_step(s) == SQLITE_ROW;
	sqlite3_finalize(s);
	return has;
}

/* What is numbered behind all others comes as newly created. */
static int number_late(struct kine_out *o, int64_t *revision, struct err *err)
{
	int rc = run_with(o, *revision,
	        "INSERT INTO kine (id, name, created, deleted, create_revision, prev_revision, lease, value) "
	        "SELECT %lld + rowid, name, 1, 0, 0, 0, 0, value FROM late",
	        err);
	*revision += o->moved;
	return rc;
}

static int finish(struct kine_out *o, int64_t revision, struct err *err)
{
	static const char compact_sql[] =
	        "INSERT INTO kine (id, name, created, deleted, create_revision, prev_revision, lease, value) "
	        "VALUES (%lld, 'compact_rev_key', 1, 0, 0, 0, 0, X'')";
	static const char gap_sql[] =
	        "INSERT INTO kine (id, name, created, deleted, create_revision, prev_revision, lease) "
	        "SELECT id, 'gap-' || id, 0, 1, 0, 0, 0 FROM (SELECT %lld AS id)";
	int rc = number_late(o, &revision, err);
	int64_t compact = has_row(o, 1) || revision < 1 ? ++revision : 1;
	if (rc == 0)
		rc = run_with(o, compact, compact_sql, err);
	if (rc == 0 && !has_row(o, revision))
		rc = run_with(o, revision, gap_sql, err);
	if (rc == 0)
		rc = run(o, "UPDATE kine SET prev_revision = 0 WHERE prev_revision IN (SELECT id FROM kine)", err);
	if (rc == 0)
		rc = run_with(o, revision, "UPDATE kine SET prev_revision = %lld WHERE name = 'compact_rev_key'", err);
	return rc == 0 ? run(o, "COMMIT", err) : rc;
}

int kine_out_close(struct kine_out *o, int64_t revision, int rc, int64_t *ret_moved, struct err *err)
{
	if (rc == 0)
		rc = finish(o, revision, err);
	if (rc == 0)
		rc = file_sync(o->path, err);
	if (rc != 0)
		unlink(o->path);
	*ret_moved = o->moved;
	release(o);
	return rc;
}
