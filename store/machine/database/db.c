/* SQLite connections of the store: how they are opened, checked and prepared.
 *
 * The database (WAL mode) has eight tables. `block` holds all kept versions, in order of their ids, some 16 KiB of them
 * in one packed row that is named by the first (version_block.c); a deletion is a version 0. `dead` has a row of bits
 * for each block some of whose versions compaction has removed, until that block is written anew (version_trim.c); they
 * are as if they were not there. `cur` has one small row per key that points to its newest version; a deleted key keeps
 * its row there until compaction passes the deletion. From it, `prev` leads from version to older version: so a read at
 * an old revision walks `cur` and steps back, and no second index of the log must be kept on each write. `lease` holds
 * leases, `meta` one row of counters that changes in the same transaction as the data. `sys` is the system keyspace
 * (system.c). `snapshot` is empty but in snapshots: a snapshot is streamed with a note laid into the one page of that
 * table (store/snapshot/snapshot_reader.c). For people, `k3x-store sql` shows versions as a table `rev`
 * (version_sql.c).
 *
 * Opening never repairs and never overwrites: a file that is not ours, is from a newer version, or does not read is
 * answered with ERR_CORRUPT and left as it is. The check is a cheap one (header, tables, counters against the newest
 * row), because a full one of a large file takes minutes; `k3x-store check` does that.
 *
 * Pages have checksums (page_file.c). A file without, and one of an earlier format, is refused.
 *
 * What can go wrong later: the disk is full (ERR_NO_SPACE, the transaction is rolled back, nothing is lost); a write or
 * a sync fails (the process stops, because the kernel may have dropped pages and a second sync would lie); a page does
 * not read, is malformed or its checksum does not fit (a reader answers with the error; the writer leaves a mark for
 * the next start and stops). */
#include "store/machine/database/db.h"

#include "store/machine/database/page_file.h"
#include "store/machine/database/wal_file.h"

#include "base/check.h"
#include "base/file/file_sync.h"
#include "base/log.h"
#include "base/mem/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const stmt_sql[DB_STMT_COUNT] = {
#define STMT(name, sql) [DB_##name] = sql,
        DB_STMTS
#undef STMT
};

static const char schema_sql[] =
        "BEGIN IMMEDIATE;"
        "CREATE TABLE block (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, ids BLOB NOT NULL, raw INTEGER NOT NULL,"
        " bytes BLOB NOT NULL);"
        "CREATE TABLE dead (block INTEGER PRIMARY KEY, bits BLOB NOT NULL);"
        "CREATE TABLE cur (key BLOB PRIMARY KEY, id INTEGER NOT NULL, created INTEGER NOT NULL, version INTEGER NOT "
        "NULL,"
        " lease INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE INDEX cur_lease ON cur (lease) WHERE lease <> 0;"
        "CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL);"
        "CREATE TABLE meta (one INTEGER PRIMARY KEY, revision INTEGER NOT NULL, compacted INTEGER NOT NULL,"
        " trimmed INTEGER NOT NULL, keys INTEGER NOT NULL, hash INTEGER NOT NULL, applied_index INTEGER NOT NULL,"
        " applied_term INTEGER NOT NULL, system_version INTEGER NOT NULL, flushes INTEGER NOT NULL,"
        " rewrites INTEGER NOT NULL);"
        "INSERT INTO meta VALUES (1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0);"
        "CREATE TABLE sys (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;" DB_NOTE_TABLE_SQL
        "PRAGMA application_id = 1798535283;" /* DB_APPLICATION_ID */
        "PRAGMA user_version = 3;"
        "COMMIT";

_Static_assert((int)DB_PAGE_BYTES == (int)PAGE_BYTES, "checksums are of whole pages");
_Static_assert(DB_APPLICATION_ID == 1798535283, "the schema names the application id in decimal");

static const char mend[] = "restore a snapshot over it, or move it (with its -wal and -shm files) away to start empty";

static void sqlite_setup(void)
{
	/* Statistics cost a global mutex per allocation. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_initialize();
	page_file_vfs_register();
	wal_file_vfs_register();
}

/* The writer goes no further: nobody knows what is on the disk now, a restart reads what is there. A disk's fault is no
 * bug of ours, so there is no dump of it. */
__attribute__((noreturn)) static void stop_for_disk(
        enum err_code code, const char *what, const char *doing, int extended, const char *text)
{
	log_error("store", what, "doing=\"%s\" code=%d error=\"%s\" stopping=yes", doing, extended, text);
	_exit(err_exit_code(code));
}

void db_stop_corrupt(const struct err *err)
{
	stop_for_disk(ERR_CORRUPT, "database corrupt: restore a snapshot", "apply", 0, err->msg);
}

char *db_rotten_mark(const char *path)
{
	return xprintf("%s.rotten", path);
}

static void leave_mark(struct db *db)
{
	char *name = db_rotten_mark(sqlite3_db_filename(db->handle, "main"));
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		log_warn("store", "mark not left", "path=%s error=\"%s\"", name, strerror(errno));
	else
		close(fd);
	free(name);
}

/* What is on the disk is not what was written. */
static int fail_rotten(struct db *db, struct err *err, const char *doing, int extended, const char *text)
{
	char what[80];
	db->is_rotten = true;
	if (extended == PAGE_FILE_ROTTEN) {
		snprintf(what, sizeof what, "page %lld is rotten (its checksum does not fit)",
		        (long long)page_file_rotten_page());
		text = what;
	}
	if (db->is_writer) {
		leave_mark(db);
		stop_for_disk(ERR_CORRUPT, "database corrupt: restore a snapshot", doing, extended, text);
	}
	const char *path = db->handle ? sqlite3_db_filename(db->handle, "main") : NULL;
	return err_set(err, ERR_CORRUPT,
	        "%s: %s: %s: %s (one of several members is given the leader's state by itself)", doing,
	        path ? path : "the database", text, mend);
}

int db_corrupt(struct db *db, struct err *err, const char *doing, const char *what)
{
	return fail_rotten(db, err, doing, SQLITE_CORRUPT, what);
}

int db_fail(struct db *db, int rc, struct err *err, const char *doing)
{
	int extended = db->handle ? sqlite3_extended_errcode(db->handle) : rc;
	const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
	if (rc == PAGE_FILE_ROTTEN)
		extended = rc;
	bool is_full = db->handle && sqlite3_system_errno(db->handle) == ENOSPC;
	if (is_full && ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_IOERR))
		return err_set(err, ERR_NO_SPACE, "%s: the disk is full: make room", doing);
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return err_set(err, ERR_NO_SPACE, "%s: the disk is full: make room", doing);
	case SQLITE_NOMEM:
		return err_set(err, ERR_NOMEM, "%s: %s", doing, text);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, ERR_BUSY, "%s: %s", doing, text);
	case SQLITE_IOERR:
		if (extended == SQLITE_IOERR_SHMSIZE) /* the index of the log could not grow; nothing was written */
			return err_set(err, ERR_NO_SPACE, "%s: the disk is full: make room", doing);
		if (extended == PAGE_FILE_ROTTEN)
			return fail_rotten(db, err, doing, extended, text);
		if (db->is_writer)
			stop_for_disk(ERR_IO, "disk failed", doing, extended, text);
		return err_set(err, ERR_IO, "%s: %s (%d)", doing, text, extended);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return fail_rotten(db, err, doing, extended, text);
	default:
		return err_set(err, ERR_INTERNAL, "%s: %s (%d)", doing, text, extended);
	}
}

sqlite3_stmt *db_stmt(struct db *db, enum db_stmt which)
{
	if (!db->stmts[which]) {
		int rc = sqlite3_prepare_v3(
		        db->handle, stmt_sql[which], -1, SQLITE_PREPARE_PERSISTENT, &db->stmts[which], NULL);
		if (rc != SQLITE_OK) {
			log_error("store", "statement failed", "sql=\"%s\" error=\"%s\"", stmt_sql[which],
			        sqlite3_errmsg(db->handle));
			CHECK(!"a prepared statement does not compile");
		}
	}
	return db->stmts[which];
}

int db_step(struct db *db, sqlite3_stmt *s, struct err *err, const char *doing)
{
	int rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	int code = db_fail(db, rc, err, doing);
	db_done(s);
	return code;
}

void db_done(sqlite3_stmt *s)
{
	sqlite3_reset(s);
}

int db_run(struct db *db, sqlite3_stmt *s, struct err *err, const char *doing)
{
	int rc = db_step(db, s, err, doing);
	if (rc >= 0)
		db_done(s);
	return rc < 0 ? rc : 0;
}

int db_begin_read(struct db *db, struct err *err)
{
	return db_run(db, db_stmt(db, DB_BEGIN_READ), err, "begin a read");
}

void db_end_read(struct db *db)
{
	if (!sqlite3_get_autocommit(db->handle))
		db_run(db, db_stmt(db, DB_COMMIT), NULL, "end a read");
	version_cache_trim(db->versions);
}

void db_rollback(struct db *db)
{
	if (!sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

struct slice db_column_slice(sqlite3_stmt *s, int column)
{
	const char *data = sqlite3_column_blob(s, column);
	size_t len = (size_t)sqlite3_column_bytes(s, column);
	return (struct slice){data ? data : "", data ? len : 0};
}

void db_bind_slice(sqlite3_stmt *s, int at, struct slice bytes)
{
	sqlite3_bind_blob(s, at, bytes.len ? bytes.ptr : "", (int)bytes.len, SQLITE_STATIC);
}

int64_t db_pragma_int(struct db *db, const char *pragma)
{
	char sql[64];
	sqlite3_stmt *s;
	int64_t value = 0;
	snprintf(sql, sizeof sql, "PRAGMA %s", pragma);
	if (sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL) != SQLITE_OK)
		return 0;
	if (sqlite3_step(s) == SQLITE_ROW)
		value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return value;
}

static int64_t first_int(struct db *db, enum db_stmt which)
{
	sqlite3_stmt *s = db_stmt(db, which);
	int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	db_done(s);
	return n;
}

int64_t db_used_bytes(struct db *db)
{
	return (first_int(db, DB_PAGE_COUNT) - first_int(db, DB_FREE_COUNT)) * DB_PAGE_BYTES;
}

static int exec(struct db *db, const char *sql, struct err *err, const char *doing)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : db_fail(db, rc, err, doing);
}

/* Before SQLite touches a file that exists: is it SQLite's at all? Its own answer to a foreign file can be to start a
 * new database in it when it is short. */
static int header_check(const char *path, struct err *err)
{
	char head[100];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "open %s", path);
	ssize_t n = pread(fd, head, sizeof head, 0);
	int saved = errno;
	close(fd);
	if (n < 0)
		return err_errno(err, saved, "read %s", path);
	if (n == 0)
		return 0;
	if (n < (ssize_t)sizeof head || memcmp(head, "SQLite format 3", 16) != 0)
		return err_set(err, ERR_CORRUPT, "%s is not a database of k3x (no SQLite header): %s", path, mend);
	return 0;
}

static int64_t query_int(struct db *db, const char *sql, int64_t otherwise, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	int64_t value = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : otherwise;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		db_fail(db, rc, err, "check the database");
	sqlite3_finalize(s);
	return value;
}

static int sanity_check(struct db *db, const char *path, struct err *err)
{
	struct err e = ERR_INIT;
	int64_t version = query_int(db, "PRAGMA user_version", 0, &e);
	if (e.code)
		goto fail;
	if (version > DB_USER_VERSION)
		return err_set(err, ERR_CORRUPT,
		        "%s has format %d and this program knows up to %d: start the newer program again, or %s", path,
		        (int)version, DB_USER_VERSION, mend);
	if (version < DB_USER_VERSION)
		return err_set(err, ERR_CORRUPT,
		        "%s has format %d, of an earlier program, and this one has %d: write it in etcd's format with "
		        "that "
		        "program (k3x-store snapshot to-etcd) and restore that",
		        path, (int)version, DB_USER_VERSION);
	int64_t tables = query_int(db,
	        "SELECT count(*) FROM sqlite_schema WHERE name IN ('block', 'dead', 'cur', 'cur_lease', 'lease', "
	        "'meta', 'sys')",
	        0, &e);
	int64_t revision = e.code ? 0 : query_int(db, "SELECT revision FROM meta WHERE one = 1", 0, &e);
	int64_t newest = e.code ? 0 : query_int(db, "SELECT id FROM block ORDER BY id DESC LIMIT 1", 0, &e);
	if (!e.code)
		query_int(db, "SELECT id FROM cur ORDER BY key LIMIT 1", 0, &e);
	int64_t compacted = e.code ? 0 : query_int(db, "SELECT compacted FROM meta WHERE one = 1", 0, &e);
	if (!e.code && (tables != 7 || revision < 1 || compacted < 0 || compacted > revision ||
	                       ROW_REVISION(newest) > revision))
		err_set(&e, ERR_CORRUPT, "tables=%d revision=%lld compacted=%lld newest block=%lld do not fit together",
		        (int)tables, (long long)revision, (long long)compacted, (long long)ROW_REVISION(newest));
fail:
	if (e.code == ERR_NO_SPACE)
		return err_set(err, ERR_NO_SPACE, "%s: %s", path, e.msg);
	if (e.code)
		return err_set(err, ERR_CORRUPT, "%s does not read as a database of k3x (%s): %s", path, e.msg, mend);
	return 0;
}

/* The room for checksums comes before auto_vacuum, which makes the first page. */
static int set_layout(struct db *db, struct err *err)
{
	char sql[64];
	int sum_bytes = PAGE_SUM_BYTES;
	snprintf(sql, sizeof sql, "PRAGMA page_size = %d", DB_PAGE_BYTES);
	if (exec(db, sql, err, "set up the database") != 0)
		return err->code;
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &sum_bytes);
	return exec(db, "PRAGMA auto_vacuum = INCREMENTAL", err, "set up the database");
}

/* Finds out whether the file is ours, or new and to be filled. */
static int writer_setup(struct db *db, const char *path, struct err *err)
{
	struct err e = ERR_INIT;
	int64_t application_id = query_int(db, "PRAGMA application_id", 0, &e);
	int64_t tables = e.code ? 0 : query_int(db, "SELECT count(*) FROM sqlite_schema", 0, &e);
	if (e.code == ERR_NO_SPACE)
		return err_set(err, ERR_NO_SPACE, "%s: %s", path, e.msg);
	if (e.code)
		return err_set(err, ERR_CORRUPT, "%s does not read (%s): %s", path, e.msg, mend);
	bool is_new = application_id == 0 && tables == 0;
	if (!is_new && application_id != DB_APPLICATION_ID)
		return err_set(err, ERR_CORRUPT, "%s is the database of another program: %s", path, mend);
	if (is_new && set_layout(db, err) != 0)
		return err->code;
	if (exec(db, "PRAGMA journal_mode = WAL", err, "switch to the write-ahead log") != 0)
		return err->code;
	if (is_new && exec(db, schema_sql, err, "create the tables") != 0) {
		db_rollback(db);
		return err->code;
	}
	if (sanity_check(db, path, err) != 0)
		return err->code;
	return 0;
}

static const char *const role_sql[] = {
        [DB_WRITER] = "PRAGMA synchronous = FULL; PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 0;"
                      "PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 33554432",
        [DB_APPLIER] = "PRAGMA query_only = ON; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY",
        [DB_READER] = "PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY",
        [DB_CHECKPOINTER] = "PRAGMA synchronous = FULL; PRAGMA cache_size = -64; PRAGMA wal_autocheckpoint = 0",
};

static int open_handle(struct db *db, const char *path, enum db_role role, struct err *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc = sqlite3_open_v2(path, &db->handle, flags | (role == DB_WRITER ? SQLITE_OPEN_CREATE : 0),
	        role == DB_WRITER ? WAL_FILE_VFS : PAGE_FILE_VFS);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(db->handle, 5000);
		return 0;
	}
	return err_set(err, (rc & 0xff) == SQLITE_CANTOPEN ? ERR_IO : ERR_CORRUPT, "open %s: %s", path,
	        db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc));
}

/* One in memory has no file, nor a disk that could rot. */
static bool is_in_file(const struct db *db)
{
	const char *name = sqlite3_db_filename(db->handle, "main");
	return name && *name;
}

int db_open(struct db *db, const char *path, enum db_role role, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, sqlite_setup);
	*db = (struct db){0};
	struct err local = ERR_INIT;
	if (!err)
		err = &local;
	err->code = 0;
	if (role == DB_WRITER && header_check(path, err) != 0)
		return err->code;
	if (open_handle(db, path, role, err) != 0 || (role == DB_WRITER && writer_setup(db, path, err) != 0))
		goto fail;
	if (role == DB_WRITER && is_in_file(db) && !page_file_has_sums(db->handle)) {
		err_set(err, ERR_CORRUPT, "%s has no checksums in its pages, as every file of this format has: %s",
		        path, mend);
		goto fail;
	}
	if (exec(db, role_sql[role], err, "set up the connection") != 0)
		goto fail;
	db->is_writer = role == DB_WRITER || role == DB_APPLIER;
	return 0;
fail:
	db_close(db);
	return err->code;
}

void db_close(struct db *db)
{
	for (int i = 0; i < DB_STMT_COUNT; i++)
		sqlite3_finalize(db->stmts[i]);
	if (db->handle)
		CHECK(sqlite3_close(db->handle) == SQLITE_OK);
	version_cache_free(db->versions);
	*db = (struct db){0};
}
