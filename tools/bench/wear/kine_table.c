/* A log of changes in one SQLite table with indexes, the way single-server clusters without etcd usually keep theirs
 * (kine's columns and indexes): a row per change that holds the new value and the one before, its own commit for each,
 * WAL, synchronous FULL, SQLite's own checkpoints every 1,000 pages.
 *
 * It is SQLite alone, without a server in front of it and without compaction: less than such a server writes. */
#include "tools/bench/wear/wear_int.h"

#include "base/mem/arena.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

struct wear_table {
	sqlite3 *db;
	sqlite3_stmt *newest, *add, *begin, *commit;
};

static const char schema[] =
        "PRAGMA journal_mode = WAL;"
        "PRAGMA synchronous = FULL;"
        "CREATE TABLE kine (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, created INTEGER, deleted INTEGER,"
        " create_revision INTEGER, prev_revision INTEGER, lease INTEGER, value BLOB, old_value BLOB);"
        "CREATE INDEX kine_name_index ON kine (name);"
        "CREATE INDEX kine_name_id_index ON kine (name, id);"
        "CREATE INDEX kine_id_deleted_index ON kine (id, deleted);"
        "CREATE INDEX kine_prev_revision_index ON kine (prev_revision);"
        "CREATE UNIQUE INDEX kine_name_prev_revision_uindex ON kine (name, prev_revision);";

static const char newest_sql[] = "SELECT id, create_revision, value FROM kine WHERE name = ?1 ORDER BY id DESC LIMIT 1";
static const char add_sql[] = "INSERT INTO kine (name, created, deleted, create_revision, prev_revision, lease, value,"
                              " old_value) VALUES (?1, ?2, 0, ?3, ?4, 0, ?5, ?6)";

static int fail(struct wear_table *t, const char *doing, struct err *err)
{
	return err_set(err, ERR_IO, "the table: %s: %s", doing, sqlite3_errmsg(t->db));
}

static bool prepare(struct wear_table *t, const char *sql, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v2(t->db, sql, -1, ret, NULL) == SQLITE_OK;
}

int wear_table_open(const char *dir, struct wear_table **ret, struct err *err)
{
	struct wear_table *t = xcalloc(1, sizeof *t);
	char *path = xprintf("%s/state.db", dir);
	int rc = 0;
	if (sqlite3_open(path, &t->db) != SQLITE_OK || sqlite3_exec(t->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	        !prepare(t, newest_sql, &t->newest) || !prepare(t, add_sql, &t->add) ||
	        !prepare(t, "BEGIN IMMEDIATE", &t->begin) || !prepare(t, "COMMIT", &t->commit))
		rc = fail(t, "open", err);
	free(path);
	if (rc == 0)
		*ret = t;
	else
		wear_table_close(t);
	return rc;
}

static bool run(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);
	sqlite3_reset(s);
	return rc == SQLITE_DONE;
}

/* The row that follows the newest of its name, which the statement `newest` stands on, if there is one. */
static bool add(struct wear_table *t, struct slice key, struct slice value, bool is_update)
{
	sqlite3_bind_text(t->add, 1, key.ptr, (int)key.len, SQLITE_STATIC);
	sqlite3_bind_int(t->add, 2, !is_update);
	sqlite3_bind_int64(t->add, 3, is_update ? sqlite3_column_int64(t->newest, 1) : 0);
	sqlite3_bind_int64(t->add, 4, is_update ? sqlite3_column_int64(t->newest, 0) : 0);
	sqlite3_bind_blob(t->add, 5, value.ptr, (int)value.len, SQLITE_STATIC);
	if (is_update)
		sqlite3_bind_value(t->add, 6, sqlite3_column_value(t->newest, 2));
	else
		sqlite3_bind_null(t->add, 6);
	return run(t->add);
}

int wear_table_put(struct wear_table *t, struct slice key, struct slice value, struct err *err)
{
	if (!run(t->begin))
		return fail(t, "begin", err);
	sqlite3_bind_text(t->newest, 1, key.ptr, (int)key.len, SQLITE_STATIC);
	int rc = sqlite3_step(t->newest);
	bool ok = (rc == SQLITE_ROW || rc == SQLITE_DONE) && add(t, key, value, rc == SQLITE_ROW);
	sqlite3_reset(t->newest);
	return ok && run(t->commit) ? 0 : fail(t, "put", err);
}

void wear_table_close(struct wear_table *t)
{
	if (!t)
		return;
	sqlite3_finalize(t->newest);
	sqlite3_finalize(t->add);
	sqlite3_finalize(t->begin);
	sqlite3_finalize(t->commit);
	sqlite3_close(t->db);
	free(t);
}
