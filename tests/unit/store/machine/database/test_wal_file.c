/* The writer's write-ahead log: what was committed is in the file, whole, when others are told of it. */
#include "tests/unit/unit.h"

#include "store/machine/database/wal_file.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64], path[80];
static sqlite3 *writer, *reader;

static void run(sqlite3 *db, const char *sql)
{
	char *message = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static int setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-wal-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/db", folder);
	wal_file_vfs_register();
	assert_int_equal(sqlite3_open_v2(path, &writer, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, WAL_FILE_VFS), 0);
	run(writer, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;"
	            "CREATE TABLE t (n INTEGER PRIMARY KEY, text BLOB)");
	assert_int_equal(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READWRITE, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[96];
	sqlite3_close(reader);
	sqlite3_close(writer);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

/* What a process finds that starts after this one died here. */
static int64_t rows_after_a_crash(void)
{
	char command[400], copy[96];
	sqlite3 *db;
	snprintf(copy, sizeof copy, "%s/copy", folder);
	snprintf(command, sizeof command, "cp %s %s && cp %s-wal %s-wal", path, copy, path, copy);
	assert_int_equal(system(command), 0);
	assert_int_equal(sqlite3_open_v2(copy, &db, SQLITE_OPEN_READWRITE, NULL), 0);
	int64_t n = number(db, "SELECT count(*) FROM t");
	assert_int_equal(number(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
	sqlite3_close(db);
	return n;
}

static void a_commit_is_seen_by_others_at_once(void **state)
{
	for (int i = 1; i <= 50; i++) {
		run(writer, "INSERT INTO t (text) VALUES (randomblob(300))");
		assert_int_equal(number(reader, "SELECT count(*) FROM t"), i);
	}
}

static void a_commit_survives_the_process(void **state)
{
	for (int i = 1; i <= 5; i++) {
		run(writer, "BEGIN; INSERT INTO t (text) VALUES (randomblob(9000));"
		            "INSERT INTO t (text) VALUES (randomblob(9000)); COMMIT");
		assert_int_equal(rows_after_a_crash(), 2 * i);
	}
}

static void a_transaction_larger_than_the_buffer_and_the_cache_is_whole(void **state)
{
	run(writer, "PRAGMA cache_size = 20; BEGIN");
	for (int i = 0; i < 1000; i++)
		run(writer, "INSERT INTO t (text) VALUES (randomblob(1000))");
	run(writer, "UPDATE t SET text = randomblob(1001) WHERE n % 3 = 0; COMMIT");
	assert_int_equal(number(reader, "SELECT count(*) FROM t WHERE length(text) = 1001"), 333);
	assert_int_equal(rows_after_a_crash(), 1000);
}

static void what_was_rolled_back_leaves_nothing(void **state)
{
	run(writer, "INSERT INTO t (text) VALUES ('stays'); PRAGMA cache_size = 20; BEGIN");
	for (int i = 0; i < 500; i++)
		run(writer, "INSERT INTO t (text) VALUES (randomblob(1000))");
	run(writer, "ROLLBACK");
	assert_int_equal(rows_after_a_crash(), 1);
	run(writer, "INSERT INTO t (text) VALUES ('too')");
	assert_int_equal(number(reader, "SELECT count(*) FROM t"), 2);
	assert_int_equal(rows_after_a_crash(), 2);
}

static void the_log_begins_anew_after_a_checkpoint(void **state)
{
	for (int i = 1; i <= 20; i++) {
		run(writer, "INSERT INTO t (text) VALUES (randomblob(5000))");
		run(reader, "PRAGMA wal_checkpoint(RESTART)");
	}
	assert_int_equal(number(reader, "SELECT count(*) FROM t"), 20);
	assert_int_equal(rows_after_a_crash(), 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_commit_is_seen_by_others_at_once),
	        TEST(a_commit_survives_the_process),
	        TEST(a_transaction_larger_than_the_buffer_and_the_cache_is_whole),
	        TEST(what_was_rolled_back_leaves_nothing),
	        TEST(the_log_begins_anew_after_a_checkpoint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
