/* A server alone through the suite of all engines, with a memory table so small that it is flushed all the time; and
 * its files: lock, restart, what is refused. */
#include "store/engine/raft_engine.h"

static struct engine *suite_open(void);
#include "tests/unit/store/engine/engine_suite.c"

#include "store/machine/database/db.h"
#include "store/machine/database/page_file.h"
#include "store/machine/database/version_sql.h"
#include "store/snapshot/snapshot.h"

static struct engine *suite_open(void)
{
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	struct raft_engine_options o = {.data_dir = suite_folder, .table_bytes = 4096};
	if (raft_engine_open_alone(&o, &e, &err) != 0)
		fail_msg("%s", err.msg);
	return e;
}

static void test_put_get_delete_survive_a_restart(void **state)
{
	suite_folder_make();
	struct engine *e = suite_open();
	assert_int_equal(store_revision(e), 1);
	assert_int_equal(suite_put(e, "a", "1"), 2);
	assert_int_equal(suite_put(e, "b", "2"), 3);
	assert_int_equal(suite_put(e, "a", "3"), 4);
	assert_int_equal(suite_delete(e, "b"), 5);
	store_close(e);
	e = suite_open();
	assert_int_equal(store_revision(e), 5);
	assert_string_equal(suite_get(e, "a"), "3");
	assert_null(suite_get(e, "b"));
	assert_string_equal(suite_get_at(e, "a", 3), "1");
	assert_string_equal(suite_get_at(e, "b", 4), "2");
	store_close(e);
	suite_folder_remove();
}

static int open_code(char *msg, size_t size)
{
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	struct raft_engine_options o = {.data_dir = suite_folder};
	int rc = raft_engine_open_alone(&o, &e, &err);
	snprintf(msg, size, "%s", err.msg);
	if (rc == 0)
		store_close(e);
	return rc;
}

static void write_file(const void *data, size_t n, long at)
{
	FILE *f = fopen(suite_path(), at < 0 ? "w" : "r+");
	assert_non_null(f);
	if (at > 0)
		fseek(f, at, SEEK_SET);
	assert_int_equal(fwrite(data, 1, n, f), n);
	fclose(f);
}

static size_t read_file(char *data, size_t max)
{
	FILE *f = fopen(suite_path(), "r");
	size_t n = fread(data, 1, max, f);
	fclose(f);
	return n;
}

static void test_a_foreign_file_is_left_alone(void **state)
{
	char msg[400], back[64];
	suite_folder_make();
	write_file("important notes\n", 16, -1);
	assert_int_equal(open_code(msg, sizeof msg), ERR_CORRUPT);
	assert_non_null(strstr(msg, "restore a snapshot"));
	assert_int_equal(read_file(back, sizeof back), 16);
	assert_memory_equal(back, "important notes\n", 16);
	/* a database of another program */
	unlink(suite_path());
	struct db other;
	struct err err = ERR_INIT;
	sqlite3 *handle;
	assert_int_equal(sqlite3_open(suite_path(), &handle), SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(handle);
	assert_int_equal(open_code(msg, sizeof msg), ERR_CORRUPT);
	assert_non_null(strstr(msg, "another program"));
	assert_int_equal(db_open(&other, suite_path(), DB_WRITER, &err), ERR_CORRUPT);
	suite_folder_remove();
}

static void fill(int n)
{
	struct engine *e = suite_open();
	char key[16];
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof key, "k%d", i);
		suite_put(e, key, "a value that takes some room in the file, so that there are pages to break");
	}
	store_close(e);
}

static void set_version(int version)
{
	char sql[64];
	sqlite3 *h = NULL;
	snprintf(sql, sizeof sql, "PRAGMA user_version = %d", version);
	assert_int_equal(sqlite3_open_v2(suite_path(), &h, SQLITE_OPEN_READWRITE, PAGE_FILE_VFS), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(h);
}

/* Changes one bit of the file where `text` stands in it. */
static void rot(const char *text)
{
	static char data[4 * 1024 * 1024];
	size_t n = read_file(data, sizeof data);
	char *at = memmem(data, n, text, strlen(text));
	assert_non_null(at);
	assert_true(n < sizeof data);
	*at ^= 1;
	write_file(at, 1, at - data);
}

static int get_code(struct engine *e, const char *key, char *msg, size_t size)
{
	struct suite_call c = {.req.op = suite_op_get(key)};
	int rc = suite_run(e, &c);
	snprintf(msg, size, "%s", c.req.err.msg);
	suite_end(&c);
	return rc;
}

static uint64_t rotten(struct engine *e)
{
	struct store_stats s = {0};
	store_stats(e, &s);
	return s.rotten_alone;
}

/* A store whose value "needle" lies in the middle of many. */
static void fill_with_needle(const char *needle)
{
	struct engine *e = suite_open();
	char key[16], noise[201];
	for (int i = 0; i < 600; i++) {
		snprintf(key, sizeof key, "k%03d", i);
		unit_noise(noise, sizeof noise - 1);
		suite_put(e, key, i == 300 ? needle : noise);
	}
	store_close(e);
}

static void test_a_rotten_value_is_an_error_and_not_an_answer(void **state)
{
	char msg[400];
	suite_folder_make();
	fill_with_needle("the needle in the hay");
	rot("the needle in the hay");
	struct engine *e = suite_open();
	assert_int_equal(rotten(e), 0);
	assert_int_equal(get_code(e, "k300", msg, sizeof msg), ERR_CORRUPT);
	assert_non_null(strstr(msg, "is rotten"));
	assert_non_null(strstr(msg, suite_path()));
	assert_non_null(strstr(msg, "restore a snapshot"));
	assert_true(suite_get(e, "k000") != NULL); /* of another page */
	store_close(e);
	suite_folder_remove();
}

static void test_a_large_rotten_value_is_an_error(void **state)
{
	char msg[400], *value = malloc(100001);
	unit_noise(value, 100000);
	memcpy(value + 50000, "the needle", 10);
	value[100000] = 0;
	suite_folder_make();
	fill_with_needle(value);
	rot("the needle");
	struct engine *e = suite_open();
	assert_int_equal(get_code(e, "k300", msg, sizeof msg), ERR_CORRUPT);
	store_close(e);
	free(value);
	suite_folder_remove();
}

static void test_a_check_names_the_rotten_page(void **state)
{
	struct arena a = ARENA_INIT;
	struct store_file_info info;
	struct err err = ERR_INIT;
	suite_folder_make();
	fill_with_needle("the needle in the hay");
	assert_int_equal(store_file_inspect(suite_path(), true, &info, &a, &err), 0);
	rot("the needle in the hay");
	assert_int_equal(store_file_inspect(suite_path(), true, &info, &a, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "1 pages are rotten"));
	arena_release(&a);
	suite_folder_remove();
}

static void test_rot_is_found_without_a_read(void **state)
{
	struct err err = ERR_INIT;
	struct engine *e = NULL;
	suite_folder_make();
	struct raft_engine_options o = {.data_dir = suite_folder, .check.every_ms = 20};
	fill_with_needle("the needle in the hay");
	assert_int_equal(raft_engine_open_alone(&o, &e, &err), 0);
	rot("the needle in the hay"); /* beside the running store */
	WAIT_FOR(rotten(e) > 0);
	store_close(e);
	o.check = (struct store_check_options){.at_start = true, .every_ms = UINT64_MAX};
	assert_int_equal(raft_engine_open_alone(&o, &e, &err), 0);
	WAIT_FOR(rotten(e) > 0);
	store_close(e);
	suite_folder_remove();
}

static void test_a_sound_store_is_never_called_rotten(void **state)
{
	struct err err = ERR_INIT;
	struct engine *e = NULL;
	char key[16], value[1000] = "";
	unit_noise(value, sizeof value - 1);
	suite_folder_make();
	struct raft_engine_options o = {.data_dir = suite_folder, .check = {.at_start = true, .every_ms = 1}};
	assert_int_equal(raft_engine_open_alone(&o, &e, &err), 0);
	for (int i = 0; i < 6000; i++) { /* checkpoints, compaction and giving back go on beside the check */
		snprintf(key, sizeof key, "k%d", i % 300);
		assert_true(suite_put(e, key, value) > 0);
		if (i % 1500 == 1499)
			assert_int_equal(suite_compact(e, store_revision(e)), 0);
	}
	assert_int_equal(rotten(e), 0);
	store_close(e);
	assert_int_equal(raft_engine_open_alone(&o, &e, &err), 0);
	assert_int_equal(rotten(e), 0);
	store_close(e);
	suite_folder_remove();
}

/* Makes the file one whose pages have no room for checksums, as they were once. */
static void take_sums_away(void)
{
	char plain[128], sql[400];
	sqlite3 *h = NULL;
	sqlite3_stmt *s;
	snprintf(plain, sizeof plain, "%s.plain", suite_path());
	assert_int_equal(sqlite3_open_v2(plain, &h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL),
	        SQLITE_OK);
	snprintf(sql, sizeof sql,
	        "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = %d;"
	        "PRAGMA user_version = 3; ATTACH 'file:%s?vfs=%s' AS old",
	        DB_APPLICATION_ID, suite_path(), PAGE_FILE_VFS);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
	        sqlite3_prepare_v2(h, "SELECT sql FROM old.sqlite_schema WHERE sql IS NOT NULL", -1, &s, NULL), 0);
	while (sqlite3_step(s) == SQLITE_ROW)
		assert_int_equal(sqlite3_exec(h, (const char *)sqlite3_column_text(s, 0), NULL, NULL, NULL), SQLITE_OK);
	sqlite3_finalize(s);
	assert_int_equal(
	        sqlite3_exec(h,
	                "INSERT INTO main.block SELECT * FROM old.block; INSERT INTO main.dead SELECT * FROM old.dead; "
	                "INSERT INTO main.cur SELECT * FROM old.cur;"
	                "INSERT INTO main.lease SELECT * FROM old.lease;"
	                "INSERT INTO main.meta SELECT * FROM old.meta; INSERT INTO main.sys SELECT * FROM old.sys",
	                NULL, NULL, NULL),
	        SQLITE_OK);
	assert_false(page_file_has_sums(h));
	sqlite3_close(h);
	assert_int_equal(rename(plain, suite_path()), 0);
}

static void test_a_new_file_has_checksums_from_the_start(void **state)
{
	char head[24];
	suite_folder_make();
	struct engine *e = suite_open();
	assert_int_equal(read_file(head, sizeof head), sizeof head);
	assert_int_equal(head[20], PAGE_SUM_BYTES);
	store_close(e);
	suite_folder_remove();
}

static void test_a_file_without_checksums_is_refused(void **state)
{
	char msg[400];
	suite_folder_make();
	fill_with_needle("the needle in the hay");
	take_sums_away();
	assert_int_equal(open_code(msg, sizeof msg), ERR_CORRUPT);
	assert_non_null(strstr(msg, "no checksums in its pages"));
	suite_folder_remove();
}

static void forget_store(void)
{
	char text[128];
	unlink(suite_path());
	snprintf(text, sizeof text, "rm -r %s/raft", suite_folder);
	assert_int_equal(system(text), 0);
}

static void test_a_broken_file_is_refused_and_kept(void **state)
{
	char msg[400], zeros[4096] = {0};
	struct stat before, after;
	suite_folder_make();
	fill(200);
	write_file(zeros, sizeof zeros, 4096); /* a page of the tables */
	write_file(zeros, sizeof zeros, 8192);
	write_file(zeros, sizeof zeros, 12288);
	assert_int_equal(stat(suite_path(), &before), 0);
	assert_int_equal(open_code(msg, sizeof msg), ERR_CORRUPT);
	assert_int_equal(stat(suite_path(), &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	forget_store();
	fill(200);
	assert_int_equal(truncate(suite_path(), before.st_size / 2), 0);
	assert_int_equal(open_code(msg, sizeof msg), ERR_CORRUPT);
	forget_store();
	fill(2);
	set_version(7);
	assert_int_equal(open_code(msg, sizeof msg), ERR_CORRUPT);
	assert_non_null(strstr(msg, "newer program"));
	suite_folder_remove();
}

static void test_a_second_engine_is_locked_out(void **state)
{
	char msg[400], pid[32];
	suite_folder_make();
	struct engine *e = suite_open();
	assert_int_equal(open_code(msg, sizeof msg), ERR_LOCKED);
	snprintf(pid, sizeof pid, "process %ld", (long)getpid());
	assert_non_null(strstr(msg, pid));
	assert_int_equal(suite_put(e, "a", "1"), 2);
	store_close(e);
	assert_int_equal(open_code(msg, sizeof msg), 0);
	suite_folder_remove();
}

static void test_leases_survive_a_restart(void **state)
{
	suite_folder_make();
	struct engine *e = suite_open();
	struct suite_call c = {.req.type = STORE_REQUEST_LEASE_GRANT, .req.lease = {.id = 9, .ttl_s = 1}};
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	c.req.op = suite_op_put("a", "1");
	c.req.op.put.lease = 9;
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	store_close(e);
	e = suite_open();
	c.req = (struct store_request){.type = STORE_REQUEST_LEASE_TTL, .lease.id = 9};
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.lease.ttl_s, 1);
	suite_end(&c);
	WAIT_FOR(suite_get(e, "a") == NULL);
	store_close(e);
	suite_folder_remove();
}

static int64_t count_rows(const char *sql)
{
	sqlite3 *handle;
	sqlite3_stmt *s;
	assert_int_equal(sqlite3_open_v2(suite_path(), &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	struct db db = {.handle = handle};
	assert_int_equal(version_sql_register(&db, NULL), 0);
	assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	db_close(&db); /* the table has statements of its own */
	return n;
}

/* The compaction is recorded, the engine is closed before all rows are gone (if it is quick enough, which is why there
 * are many): the next one removes them. */
static void test_compaction_goes_on_after_a_restart(void **state)
{
	struct engine *e;
	struct store_op ops[100];
	char keys[100][16];
	for (int i = 0; i < 100; i++) {
		snprintf(keys[i], sizeof keys[i], "k%02d", i);
		ops[i] = suite_op_put(keys[i], "value");
	}
	suite_folder_make();
	e = suite_open();
	for (int i = 0; i < 400; i++)
		suite_do(e, (struct store_op){.type = STORE_OP_TXN, .txn = {.success = ops, .n_success = 100}});
	suite_delete(e, "k01");
	suite_put(e, "last", "1");
	struct suite_call c = {.req.type = STORE_REQUEST_COMPACT, .req.revision_arg = store_revision(e)};
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	store_close(e);
	print_message("%d rows are left\n", (int)count_rows("SELECT count(*) FROM rev"));
	e = suite_open();
	struct suite_call b = {.req.op = suite_op_get("k00")};
	b.req.op.range.revision = 100;
	assert_int_equal(suite_run(e, &b), ERR_COMPACTED);
	suite_end(&b);
	WAIT_FOR(count_rows("SELECT count(*) FROM rev") == 100);
	assert_int_equal(count_rows("SELECT count(*) FROM cur"), 100);
	assert_string_equal(suite_get(e, "k00"), "value");
	store_close(e);
	suite_folder_remove();
}

static void test_the_log_file_stays_bounded(void **state)
{
	struct engine *e;
	struct stat st;
	char wal[128];
	char *big = calloc(1, 200001);
	suite_folder_make();
	e = suite_open();
	unit_noise(big, 200000);
	for (int i = 0; i < 500; i++)
		suite_put(e, "a", big);
	snprintf(wal, sizeof wal, "%s-wal", suite_path());
	assert_int_equal(stat(wal, &st), 0);
	assert_true(st.st_size < 40 * 1024 * 1024);
	store_close(e);
	free(big);
	suite_folder_remove();
}

static void test_the_file_shrinks_after_compaction(void **state)
{
	struct engine *e;
	struct stat before, after;
	char *big = calloc(1, 100001);
	suite_folder_make();
	e = suite_open();
	unit_noise(big, 100000);
	for (int i = 0; i < 200; i++)
		suite_put(e, i % 2 ? "a" : "b", big);
	store_close(e);
	assert_int_equal(stat(suite_path(), &before), 0);
	e = suite_open();
	assert_int_equal(suite_compact(e, store_revision(e)), 0);
	struct store_stats stats = {0};
	for (int i = 0; i < 500; i++) { /* the free pages are given back in idle time */
		store_stats(e, &stats);
		if (stats.size_bytes - stats.size_in_use_bytes < 2 * 1024 * 1024 && i > 20)
			break;
		usleep(10000);
	}
	store_close(e);
	assert_int_equal(stat(suite_path(), &after), 0);
	assert_true(before.st_size > 19 * 1024 * 1024);
	assert_true(after.st_size < before.st_size / 4);
	e = suite_open();
	assert_int_equal(strlen(suite_get(e, "a")), 4095); /* what the helper keeps of it */
	store_close(e);
	free(big);
	suite_folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        SUITE_TESTS,
	        cmocka_unit_test(test_put_get_delete_survive_a_restart),
	        cmocka_unit_test(test_a_foreign_file_is_left_alone),
	        cmocka_unit_test(test_a_rotten_value_is_an_error_and_not_an_answer),
	        cmocka_unit_test(test_a_large_rotten_value_is_an_error),
	        cmocka_unit_test(test_a_check_names_the_rotten_page),
	        cmocka_unit_test(test_rot_is_found_without_a_read),
	        cmocka_unit_test(test_a_sound_store_is_never_called_rotten),
	        cmocka_unit_test(test_a_new_file_has_checksums_from_the_start),
	        cmocka_unit_test(test_a_file_without_checksums_is_refused),
	        cmocka_unit_test(test_a_broken_file_is_refused_and_kept),
	        cmocka_unit_test(test_a_second_engine_is_locked_out),
	        cmocka_unit_test(test_leases_survive_a_restart),
	        cmocka_unit_test(test_compaction_goes_on_after_a_restart),
	        cmocka_unit_test(test_the_log_file_stays_bounded),
	        cmocka_unit_test(test_the_file_shrinks_after_compaction),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
