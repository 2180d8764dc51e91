/* Snapshots and databases at rest: looked at, checked, asked. See snapshot.h; snapshot_restore.c restores.
 *
 * What can go wrong: a snapshot was cut or changed (its sha256 does not fit), or anything in it is not as it should be.
 */
#include "store/snapshot/snapshot_int.h"

#include "base/check.h"
#include "base/file/file_map.h"
#include "base/pki/pki.h"
#include "store/snapshot/bbolt_int.h"
#include "store/machine/hash.h"
#include "store/machine/database/page_file.h"
#include "store/machine/database/version_sql.h"
#include "store/snapshot/packed.h"
#include "store/snapshot/version_check_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char *snapshot_file_of(struct arena *a, const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? arena_printf(a, "%s/state.db", path) : path;
}

enum { NAMED_MAX = 16 };

/* What a check found, or could not read: which pages do not fit their checksums says more than what came of that. */
static int fail_check(struct db *db, struct err *err)
{
	struct strbuf names = STRBUF_INIT;
	size_t n = 0;
	for (int64_t page = 1, pages = page_file_pages(db->handle); page <= pages; page++) {
		enum page_state state = page_file_look(db->handle, page);
		if (state != PAGE_IS_ROTTEN && state != PAGE_IS_UNREAD)
			continue;
		if (n++ < NAMED_MAX)
			strbuf_addf(&names, "%s%" PRId64, n > 1 ? ", " : "", page);
	}
	if (n)
		err_set(err, ERR_CORRUPT, "%zu pages are rotten (their checksums do not fit): %.*s%s", n,
		        (int)names.len, (const char *)names.data, n > NAMED_MAX ? ", ..." : "");
	strbuf_release(&names);
	return err->code;
}

int snapshot_open(const char *path, bool immutable, struct db *db, struct err *err)
{
	*db = (struct db){0};
	if (access(path, R_OK) != 0)
		return err_errno(err, errno, "open %s", path);
	char *uri = sqlite3_mprintf("file:%s?%s", path, immutable ? "immutable=1" : "mode=ro");
	int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	page_file_vfs_register();
	int rc = sqlite3_open_v2(uri, &db->handle, flags, PAGE_FILE_VFS);
	sqlite3_free(uri);
	/* Checks look up every key and step back from every version: large caches, of which a small file takes little.
	 */
	versions_keep(db, STORE_CHECK_CACHE_BLOCKS_MAX, STORE_CHECK_CACHE_BYTES_MAX);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db->handle,
		        "PRAGMA query_only = ON; PRAGMA cache_size = -65536; SELECT count(*) FROM sqlite_schema", NULL,
		        NULL, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(db->handle, 5000);
		return 0;
	}
	err_set(err, ERR_CORRUPT, "%s", db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc));
	if (rc == PAGE_FILE_ROTTEN)
		fail_check(db, err);
	err_wrap(err, "%s does not read as a database", path);
	db_close(db);
	return err->code;
}

/* Whether a snapshot's trailer is there, and right. */
static int check_trailer(const char *path, int64_t size, struct store_file_info *info, struct err *err)
{
	unsigned char have[32], want[32];
	CHECK(size > STORE_SNAPSHOT_HASH_BYTES);
	_Static_assert(sizeof have == STORE_SNAPSHOT_HASH_BYTES, "a trailer is one sha256");
	if (snapshot_sha256(path, size - STORE_SNAPSHOT_HASH_BYTES, have, want, err) != 0)
		return err->code;
	if (memcmp(have, want, sizeof have) != 0)
		return err_set(err, ERR_CORRUPT, "%s is damaged: its sha256 does not fit what is in it", path);
	hex_write(have, STORE_SNAPSHOT_HASH_BYTES, info->sha256_hex);
	info->is_snapshot = true;
	return 0;
}

int snapshot_look(const char *path, bool skip_hash, struct store_file_info *info, int64_t *ret_bytes, struct err *err)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return err_errno(err, errno, "open %s", path);
	if (packed_is(path))
		return err_set(err, ERR_INVAL, "%s is packed: unpack it first (lz4 -d)", path);
	info->size_bytes = *ret_bytes = st.st_size;
	info->is_etcd = bbolt_is(path);
	if (st.st_size % 512 == 0 && st.st_size > 0)
		return 0; /* a database as it is */
	if (st.st_size < 512 || st.st_size % 512 != STORE_SNAPSHOT_HASH_BYTES)
		return err_set(err, ERR_CORRUPT,
		        "%s is not a whole snapshot (%" PRId64 " bytes, no sha256 at its end): save it again", path,
		        (int64_t)st.st_size);
	*ret_bytes -= STORE_SNAPSHOT_HASH_BYTES;
	return skip_hash ? 0 : check_trailer(path, st.st_size, info, err);
}

/* ---- invariants ---- */

/* Those of versions are in version_check.c. */
static const struct {
	const char *what;
	const char *sql; /* gives how many rows break it */
} invariants[] = {
        {"one row of counters", "SELECT (SELECT count(*) FROM meta) <> 1"},
        {"no version is newer than the store",
                "SELECT count(*) FROM block WHERE id >= ((SELECT revision FROM meta) + 1) << 20"},
        {"the counters are in range",
                "SELECT (SELECT min(compacted, system_version, revision - compacted) FROM meta) < 0"},
        {"the number of keys", "SELECT (SELECT count(*) FROM cur WHERE version > 0) <> (SELECT keys FROM meta)"},
        {"every lease that keys name exists",
                "SELECT count(*) FROM cur WHERE version > 0 AND lease <> 0 AND lease NOT IN (SELECT id FROM lease)"},
};

int64_t snapshot_query(struct db *db, const char *sql, struct err *err)
{
	sqlite3_stmt *s = NULL;
	CHECK(db->handle);
	int64_t n = 0;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL);
	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	if (rc != SQLITE_ROW) {
		err_set(err, ERR_CORRUPT, "%s", sqlite3_errmsg(db->handle));
		fail_check(db, err);
	}
	sqlite3_finalize(s);
	return n;
}

static int quick_check(struct db *db, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : sqlite3_errmsg(db->handle);
	if (!text || strcmp(text, "ok") != 0) {
		err_set(err, ERR_CORRUPT, "SQLite's check says: %s", text ? text : "nothing");
		fail_check(db, err);
	}
	sqlite3_finalize(s);
	return err->code;
}

static int check_invariants(struct db *db, struct err *err)
{
	for (size_t i = 0; i < COUNT_OF(invariants); i++) {
		int64_t n = snapshot_query(db, invariants[i].sql, err);
		if (err->code)
			return err_wrap(err, invariants[i].what);
		if (n)
			return err_set(
			        err, ERR_CORRUPT, "\"%s\" does not hold (%" PRId64 " rows)", invariants[i].what, n);
	}
	return 0;
}

/* ---- inspect ---- */

static void read_note(struct db *db, struct store_file_info *info, struct arena *a)
{
	sqlite3_stmt *s = NULL;
	CHECK(db->handle);
	info->note = "";
	if (sqlite3_prepare_v2(db->handle, "SELECT note FROM snapshot WHERE one = 1", -1, &s, NULL) == SQLITE_OK &&
	        sqlite3_step(s) == SQLITE_ROW)
		info->note = arena_strdup(a, (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
}

static int check_kind(struct db *db, struct err *err)
{
	if (snapshot_query(db, "PRAGMA application_id", err) != DB_APPLICATION_ID)
		return err_set(err, ERR_CORRUPT, "it is not a database of k3x");
	int64_t version = snapshot_query(db, "PRAGMA user_version", err);
	if (version > DB_USER_VERSION)
		return err_set(err, ERR_CORRUPT, "its format is newer than this program: use the newer program");
	if (version < DB_USER_VERSION)
		return err_set(err, ERR_CORRUPT,
		        "its format is %d, of an earlier program, and this one has %d: write it in etcd's format with "
		        "that program (k3x-store snapshot to-etcd) and restore that",
		        (int)version, DB_USER_VERSION);
	if (snapshot_query(db,
	            "SELECT count(*) FROM sqlite_schema WHERE name IN ('block', 'dead', 'cur', 'cur_lease', 'lease', "
	            "'meta', 'sys')",
	            err) != 7)
		return err_set(err, ERR_CORRUPT, "its tables are not the store's");
	return 0;
}

int snapshot_note(const char *path, struct store_file_info *info, struct arena *a, struct err *err)
{
	struct db db;
	if (snapshot_open(path, true, &db, err) != 0)
		return err->code;
	int rc = check_kind(&db, err);
	if (rc == 0)
		read_note(&db, info, a);
	db_close(&db);
	return rc == 0 ? 0 : err_wrap(err, "%s", path);
}

static int check(struct db *db, enum snapshot_depth depth, struct err *err)
{
	if (check_kind(db, err) != 0)
		return err->code;
	if (depth == SNAPSHOT_LOOK)
		return 0;
	if (depth == SNAPSHOT_DEEP && quick_check(db, err) != 0)
		return err->code;
	return check_invariants(db, err);
}

/* What takes a walk through all versions. */
static int count(struct store_view *v, enum snapshot_depth depth, struct store_file_info *info, struct err *err)
{
	struct version_walk w;
	const struct version_row *row;
	int rc;
	info->is_counted = true;
	if (depth == SNAPSHOT_DEEP) {
		rc = version_check(v->db, &v->meta, &info->versions, err);
	} else {
		version_walk_open(&w, v->db, 0);
		while ((rc = version_walk_next(&w, &row, err)) == 1)
			info->versions++;
		version_walk_close(&w);
	}
	return rc == 0 ? hash_versions(v, 0, false, &info->hash, err) : rc;
}

static int read_info(
        struct db *db, enum snapshot_depth depth, struct store_file_info *info, struct arena *a, struct err *err)
{
	struct store_view v;
	if (check(db, depth, err) != 0 || db_begin_read(db, err) != 0 || store_view_of_db(&v, db, err) != 0)
		return err->code;
	info->revision = v.meta.revision;
	info->compacted_revision = v.meta.compacted;
	info->keys = v.meta.keys;
	info->applied_index = v.meta.applied_index;
	info->applied_term = v.meta.applied_term;
	info->leases = snapshot_query(db, "SELECT count(*) FROM lease", err);
	read_note(db, info, a);
	if (snapshot_users_count(db, &info->users, err) != 0)
		return err->code;
	if (!err->code && depth != SNAPSHOT_BRIEF && count(&v, depth, info, err) != 0)
		fail_check(db, err);
	db_end_read(db);
	return err->code;
}

int snapshot_inspect(const char *path, bool immutable, enum snapshot_depth depth, struct store_file_info *info,
        struct arena *a, struct err *err)
{
	struct db db;
	if (snapshot_open(path, immutable, &db, err) != 0)
		return err->code;
	int rc = read_info(&db, depth, info, a, err);
	db_close(&db);
	return rc == 0 ? 0 : err_wrap(err, "%s", path);
}

const char *snapshot_temporary(struct arena *a)
{
	const char *folder = getenv("TMPDIR");
	return arena_printf(a, "%s/.k3x-store-%ld.tmp", folder && *folder ? folder : "/tmp", (long)getpid());
}

static int inspect_etcd(
        const char *path, int64_t bytes, bool deep, struct store_file_info *info, struct arena *a, struct err *err)
{
	const char *made = snapshot_temporary(a);
	int rc = snapshot_from_etcd(path, bytes, made, info, err);
	if (rc == 0) {
		rc = snapshot_inspect(made, false, deep ? SNAPSHOT_DEEP : SNAPSHOT_LOOK, info, a, err);
		unlink(made);
	}
	return rc;
}

int snapshot_inspect_file(const char *path, bool deep, struct store_file_info *ret, struct arena *a, struct err *err)
{
	struct store_file_info info = {.note = ""};
	int64_t bytes;
	int rc = snapshot_look(path, false, &info, &bytes, err);
	if (rc == 0)
		rc = info.is_etcd ? inspect_etcd(path, bytes, deep, &info, a, err)
		                  : snapshot_inspect(path, info.is_snapshot, deep ? SNAPSHOT_DEEP : SNAPSHOT_LOOK,
		                            &info, a, err);
	if (rc == 0)
		*ret = info;
	return rc;
}

int store_file_inspect(const char *path, bool deep, struct store_file_info *ret, struct arena *a, struct err *err)
{
	path = snapshot_file_of(a, path);
	return packed_is(path) ? snapshot_inspect_packed(path, deep, ret, a, err)
	                       : snapshot_inspect_file(path, deep, ret, a, err);
}

/* ---- SQL ---- */

int store_sql(const char *path, const char *sql, void (*row)(void *arg, bool is_head, const char *const *texts, int n),
        void *arg, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct db db;
	struct store_file_info info = {0};
	sqlite3_stmt *s = NULL;
	int64_t bytes;
	path = snapshot_file_of(&a, path);
	int rc = snapshot_look(path, false, &info, &bytes, err);
	if (rc == 0 && info.is_etcd)
		rc = err_set(err, ERR_INVAL, "%s is a snapshot of etcd: restore it first, then read what was restored",
		        path);
	if (rc == 0)
		rc = snapshot_open(path, info.is_snapshot, &db, err);
	if (rc != 0)
		goto out;
	if (version_sql_register(&db, err) != 0 || db_begin_read(&db, err) != 0) {
		rc = err->code;
		db_close(&db);
		goto out;
	}
	if (sqlite3_prepare_v2(db.handle, sql, -1, &s, NULL) != SQLITE_OK || !s) {
		rc = err_set(err, ERR_INVAL, "%s", s ? "" : sqlite3_errmsg(db.handle));
	} else if (!sqlite3_stmt_readonly(s)) {
		rc = err_set(err, ERR_INVAL, "this statement writes: only reading is allowed here");
	} else {
		int n = sqlite3_column_count(s), got;
		const char **texts = xcalloc((size_t)n + 1, sizeof *texts);
		for (int i = 0; i < n; i++)
			texts[i] = sqlite3_column_name(s, i);
		row(arg, true, texts, n);
		while ((got = sqlite3_step(s)) == SQLITE_ROW) {
			for (int i = 0; i < n; i++)
				texts[i] = (const char *)sqlite3_column_text(s, i);
			row(arg, false, texts, n);
		}
		if (got != SQLITE_DONE)
			rc = err_set(err, ERR_INVAL, "%s", sqlite3_errmsg(db.handle));
		free(texts);
	}
	sqlite3_finalize(s);
	db_close(&db);
out:
	arena_release(&a);
	return rc;
}
