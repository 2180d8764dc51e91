/* One SQLite connection of the store, its prepared statements and the mapping of its errors. See db.c. */
#ifndef K3X_STORE_MACHINE_DATABASE_DB_H
#define K3X_STORE_MACHINE_DATABASE_DB_H

#include "base/err.h"
#include "base/mem/str.h"
#include "store/machine/database/row_id.h"
#include "store/machine/database/version_cache.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* "k3xs" */
enum { DB_APPLICATION_ID = 0x6b337873, DB_USER_VERSION = 3, DB_PAGE_BYTES = 4096 };

/* Where a snapshot says where it comes from; one page, and empty in a database that is served. */
#define DB_NOTE_TABLE_SQL "CREATE TABLE IF NOT EXISTS snapshot (one INTEGER PRIMARY KEY, note TEXT NOT NULL);"

#define DB_STMTS \
	STMT(BEGIN_READ, "BEGIN") \
	STMT(BEGIN_WRITE, "BEGIN IMMEDIATE") \
	STMT(COMMIT, "COMMIT") \
	STMT(META_GET, "SELECT revision, compacted, trimmed, keys, hash, applied_index, applied_term, " \
	               "system_version, flushes, rewrites FROM meta WHERE one = 1") \
	STMT(META_SET, "UPDATE meta SET revision = ?1, compacted = ?2, trimmed = ?3, keys = ?4, hash = ?5, " \
	               "applied_index = ?6," \
	               " applied_term = ?7, system_version = ?8, flushes = ?9, rewrites = ?10 WHERE one = 1") \
	STMT(CUR_GET, "SELECT id, created, version, lease FROM cur WHERE key = ?1") \
	STMT(CUR_SET, "REPLACE INTO cur (key, id, created, version, lease) VALUES (?1, ?2, ?3, ?4, ?5)") \
	STMT(CUR_DROP, "DELETE FROM cur WHERE key = ?1 AND id = ?2") \
	STMT(CUR_SCAN, "SELECT key, id, created, version, lease FROM cur WHERE key >= ?1 AND key < ?2 ORDER BY key") \
	STMT(CUR_SCAN_ALL, "SELECT key, id, created, version, lease FROM cur WHERE key >= ?1 ORDER BY key") \
	STMT(CUR_COUNT, "SELECT count(*) FROM cur WHERE key >= ?1 AND key < ?2 AND version > 0") \
	STMT(CUR_COUNT_ALL, "SELECT count(*) FROM cur WHERE key >= ?1 AND version > 0") \
	STMT(CUR_OF_LEASE, "SELECT key FROM cur WHERE lease = ?1 AND lease <> 0 AND key > ?2 ORDER BY key") \
	STMT(BLOCK_ADD, "INSERT INTO block (id, n, ids, raw, bytes) VALUES (?1, ?2, ?3, ?4, ?5)") \
	STMT(BLOCK_DROP, "DELETE FROM block WHERE id = ?1") \
	STMT(BLOCK_AT, \
	        "SELECT b.id, b.n, b.ids, b.raw, d.bits, b.bytes FROM block b LEFT JOIN dead d ON d.block = b.id " \
	        "WHERE b.id <= ?1 ORDER BY b.id DESC LIMIT 1") \
	STMT(BLOCK_FROM, \
	        "SELECT b.id, b.n, b.ids, b.raw, d.bits, b.bytes FROM block b LEFT JOIN dead d ON d.block = b.id " \
	        "WHERE b.id >= ?1 ORDER BY b.id LIMIT 1") \
	STMT(HEAD_AT, "SELECT b.id, b.n, b.ids, b.raw, d.bits FROM block b LEFT JOIN dead d ON d.block = b.id " \
	              "WHERE b.id <= ?1 ORDER BY b.id DESC LIMIT 1") \
	STMT(HEAD_FROM, "SELECT b.id, b.n, b.ids, b.raw, d.bits FROM block b LEFT JOIN dead d ON d.block = b.id " \
	                "WHERE b.id >= ?1 ORDER BY b.id LIMIT 1") \
	STMT(DEAD_SET, "REPLACE INTO dead (block, bits) VALUES (?1, ?2)") \
	STMT(DEAD_DROP, "DELETE FROM dead WHERE block = ?1") \
	STMT(PAGE_COUNT, "PRAGMA page_count") \
	STMT(FREE_COUNT, "PRAGMA freelist_count") \
	STMT(LEASE_GET, "SELECT ttl FROM lease WHERE id = ?1") \
	STMT(LEASE_SET, "REPLACE INTO lease (id, ttl) VALUES (?1, ?2)") \
	STMT(LEASE_DROP, "DELETE FROM lease WHERE id = ?1") \
	STMT(LEASE_ALL, "SELECT id, ttl FROM lease ORDER BY id") \
	STMT(SYS_SET, "REPLACE INTO sys (key, value) VALUES (?1, ?2)") \
	STMT(SYS_DROP, "DELETE FROM sys WHERE key = ?1") \
	STMT(SYS_FROM, "SELECT key, value FROM sys WHERE key >= ?1 ORDER BY key")

enum db_stmt {
#define STMT(name, sql) DB_##name,
	DB_STMTS
#undef STMT
	        DB_STMT_COUNT,
};

struct db {
	sqlite3 *handle;
	sqlite3_stmt *stmts[DB_STMT_COUNT]; /* prepared at first use */
	bool is_writer;                     /* a failed disk stops the process: what was synced is no longer known */
	bool is_rotten;                     /* an error said that what is on the disk is not what was written */
	struct version_cache *versions;     /* made at first use (versions.c) */
};

enum db_role {
	DB_WRITER,
	DB_APPLIER, /* reads, for one who can't go on without: what does not read stops the process */
	DB_READER,
	DB_CHECKPOINTER,
};

/* Opens or creates the file as the writer (which checks it), or joins it. One thread at a time per connection.
 * ERR_CORRUPT when it is not a sound database of ours. */
int db_open(struct db *db, const char *path, enum db_role role, struct err *err);
void db_close(struct db *db);

/* Turns the connection's last error, `rc`, into ours. */
int db_fail(struct db *db, int rc, struct err *err, const char *doing);

/* What was read can't have been written: ERR_CORRUPT, that says `what`; a writer stops. */
int db_corrupt(struct db *db, struct err *err, const char *doing, const char *what);

/* The file beside a database that says that a writer stopped over what it read there: its pages are to be looked at
 * before it is served again. The caller frees the name. */
char *db_rotten_mark(const char *path);

/* The writer found rows that do not belong together: the process stops, for going on would spread it. */
__attribute__((noreturn)) void db_stop_corrupt(const struct err *err);

/* The prepared statement, reset, ready for binding. Never NULL: a statement of ours that does not compile is a bug. */
sqlite3_stmt *db_stmt(struct db *db, enum db_stmt which);

/* Runs a statement that gives no rows, resets it. */
int db_run(struct db *db, sqlite3_stmt *s, struct err *err, const char *doing);

/* 1: a row; 0: none; negative: error. The caller resets the statement (db_done) when it has read the columns. */
int db_step(struct db *db, sqlite3_stmt *s, struct err *err, const char *doing);
void db_done(sqlite3_stmt *s);

/* Transactions. db_rollback() may be called when SQLite has rolled back by itself. */
int db_begin_read(struct db *db, struct err *err);
void db_end_read(struct db *db);
void db_rollback(struct db *db);

/* Borrowed until the next step or reset. */
struct slice db_column_slice(sqlite3_stmt *s, int column);
void db_bind_slice(sqlite3_stmt *s, int at, struct slice bytes); /* not copied: must live until the reset */

/* Bytes of the pages that hold something, as the connection sees them (the file may lag by the write-ahead log). */
int64_t db_used_bytes(struct db *db);

/* One integer of a pragma, 0 when it has none. */
int64_t db_pragma_int(struct db *db, const char *pragma);

#endif
