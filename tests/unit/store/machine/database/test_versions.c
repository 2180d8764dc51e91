/* Versions in a database: found, walked, removed; what compaction does to blocks; the table that SQL sees. */
#include "store/machine/database/version_sql.h"
#include "store/machine/database/version_trim.h"
#include "tests/unit/store/version_rows.h"

#include <stdlib.h>

static struct db db;
static char noise[STORE_BLOCK_BYTES * 2];

static int setup(void **state)
{
	struct err err = ERR_INIT;
	sqlite3_randomness(sizeof noise, noise);
	assert_int_equal(db_open(&db, ":memory:", DB_WRITER, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	db_close(&db);
	return 0;
}

static struct version_row version_of(int i, size_t bytes)
{
	return (struct version_row){.id = ROW_ID(i),
	        .prev = i > 1 ? ROW_ID(i - 1) : 0,
	        .created = 1,
	        .version = i,
	        .key = SLICE("key"),
	        .value = {noise + i % 1000, bytes}};
}

/* As one flush writes them. */
static void put(int from, int to, size_t bytes)
{
	struct version_writer w = {.db = &db};
	struct err err = ERR_INIT;
	for (int i = from; i <= to; i++) {
		struct version_row v = version_of(i, bytes);
		assert_int_equal(version_writer_add(&w, &v, &err), 0);
	}
	assert_int_equal(version_writer_end(&w, &err), 0);
	version_writer_release(&w);
}

static int64_t number(const char *sql)
{
	sqlite3_stmt *s = NULL;
	assert_int_equal(sqlite3_prepare_v2(db.handle, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static int64_t blocks(void)
{
	return number("SELECT count(*) FROM block");
}

/* The walk of compaction passes from..to, and all of those go but each `keep`th (0: all). */
static bool trim(int from, int to, int keep)
{
	struct version_trim t;
	struct err err = ERR_INIT;
	bool has_changed;
	version_trim_init(&t, &db);
	for (int i = from; i <= to; i++) {
		version_trim_pass(&t, ROW_ID(i));
		if (!keep || i % keep)
			version_trim_kill(&t, ROW_ID(i));
	}
	if (version_trim_finish(&t, &has_changed, &err) != 0)
		fail_msg("%s", err.msg);
	version_trim_release(&t);
	return has_changed;
}

/* What is there is those of 1..n that `is_there` says, found and walked. */
static void assert_there(int n, bool (*is_there)(int i))
{
	struct version_walk w;
	const struct version_row *v;
	struct err err = ERR_INIT;
	version_walk_open(&w, &db, 0);
	for (int i = 1; i <= n; i++) {
		int rc = versions_get(&db, ROW_ID(i), &v, &err);
		assert_int_equal(rc, is_there(i));
		if (!is_there(i))
			continue;
		assert_int_equal(v->version, i);
		assert_int_equal(version_walk_next(&w, &v, &err), 1);
		assert_int_equal(v->id, ROW_ID(i));
		assert_memory_equal(v->value.ptr, noise + i % 1000, v->value.len);
	}
	assert_int_equal(version_walk_next(&w, &v, &err), 0);
	version_walk_close(&w);
}

static bool all(int i)
{
	return true;
}

static bool none(int i)
{
	return false;
}

static bool tenths(int i)
{
	return i % 10 == 0;
}

static bool even(int i)
{
	return i % 2 == 0;
}

static void versions_are_found_and_walked(void **state)
{
	struct version_walk w;
	const struct version_row *v;
	struct err err = ERR_INIT;
	put(1, 1000, 300);
	assert_true(blocks() > 15);
	assert_there(1000, all);
	assert_int_equal(versions_get(&db, ROW_ID(5) + 1, &v, &err), 0);
	assert_int_equal(versions_get(&db, ROW_ID(1001), &v, &err), 0);
	assert_int_equal(versions_get(&db, 1, &v, &err), 0);
	for (int from = 1; from < 1000; from += 37) {
		version_walk_open(&w, &db, ROW_ID(from) - 1);
		assert_int_equal(version_walk_next(&w, &v, &err), 1);
		assert_int_equal(v->id, ROW_ID(from));
		version_walk_close(&w);
	}
	version_walk_open(&w, &db, ROW_ID(1001));
	assert_int_equal(version_walk_next(&w, &v, &err), 0);
	version_walk_close(&w);
}

static void walks_do_not_disturb_each_other(void **state)
{
	struct version_walk a, b;
	const struct version_row *v;
	struct err err = ERR_INIT;
	put(1, 300, 300);
	version_walk_open(&a, &db, 0);
	for (int i = 1; i <= 300; i++) {
		assert_int_equal(version_walk_next(&a, &v, &err), 1);
		assert_int_equal(v->id, ROW_ID(i));
		version_walk_open(&b, &db, ROW_ID(301 - i));
		assert_int_equal(version_walk_next(&b, &v, &err), 1);
		assert_int_equal(v->id, ROW_ID(301 - i));
		version_walk_close(&b);
	}
	version_walk_close(&a);
}

static void the_removed_are_not_there(void **state)
{
	put(1, 1000, 300);
	int64_t before = blocks();
	assert_true(trim(1, 1000, 2));
	assert_there(1000, even);
	assert_true(blocks() <= before / 2 + 2); /* neighbours have become one */
	assert_int_equal(number("SELECT count(*) FROM dead"), 0);
	assert_false(trim(1, 1, 0)); /* gone already */
	assert_there(1000, even);
}

static void a_few_dead_are_bits_only(void **state)
{
	put(1, 1000, 300);
	int64_t before = blocks(), bytes = number("SELECT sum(length(bytes)) FROM block");
	for (int i = 5; i <= 1000; i += 50)
		assert_true(trim(i, i, 0));
	assert_int_equal(blocks(), before);
	assert_int_equal(number("SELECT sum(length(bytes)) FROM block"), bytes);
	assert_true(number("SELECT count(*) FROM dead") > 10);
	assert_int_equal(number("SELECT max(length(bits)) FROM dead"), number("SELECT (max(n) + 7) / 8 FROM block"));
}

static void all_dead_is_nothing(void **state)
{
	put(1, 500, 300);
	put(501, 510, sizeof noise / 2 + 1);
	assert_true(trim(1, 510, 0));
	assert_there(510, none);
	assert_int_equal(blocks(), 0);
	assert_int_equal(number("SELECT count(*) FROM dead"), 0);
}

static void many_steps_come_to_the_same_as_one(void **state)
{
	put(1, 1000, 300);
	for (int i = 1; i <= 1000; i += 7)
		trim(i, i + 6 > 1000 ? 1000 : i + 6, 10);
	assert_there(1000, tenths);
	assert_true(blocks() <= 6);
}

/* What a store at rest writes: few changes now and then, each in a block of its own. */
static void small_blocks_become_one(void **state)
{
	for (int i = 1; i <= 200; i++) {
		put(i, i, 50);
		if (i % 20 == 0)
			trim(i - 19, i, 1);
	}
	assert_there(200, all);
	assert_true(blocks() <= 2);
	assert_true(number("SELECT max(raw) FROM block") <= STORE_BLOCK_BYTES);
}

static void large_values_stay_alone(void **state)
{
	put(1, 3, 100);
	put(4, 6, sizeof noise - 1000);
	put(7, 9, 100);
	assert_int_equal(number("SELECT count(*) FROM block WHERE n = 1"), 3);
	trim(1, 9, 1);
	assert_int_equal(blocks(), 5);
	assert_there(9, all);
}

/* ---- SQL ---- */

static void sql_sees_versions(void **state)
{
	struct err err = ERR_INIT;
	put(1, 1000, 300);
	trim(1, 1000, 10);
	put_version(&db, &(struct version_row){.id = ROW_ID(2000) + 3, .key = SLICE("gone")});
	assert_int_equal(version_sql_register(&db, &err), 0);
	assert_int_equal(number("SELECT count(*) FROM rev"), 101);
	assert_int_equal(number("SELECT version FROM rev WHERE id = 500 << 20"), 500);
	assert_int_equal(number("SELECT count(*) FROM rev WHERE id = 501 << 20"), 0);
	assert_int_equal(number("SELECT count(*) FROM rev WHERE id > 100 << 20 AND id <= 200 << 20"), 10);
	assert_int_equal(number("SELECT count(*) FROM rev WHERE id >= 100 << 20 AND id < 200 << 20"), 10);
	assert_int_equal(number("SELECT count(*) FROM rev WHERE id < '5'"), 0);
	assert_int_equal(number("SELECT count(*) FROM rev WHERE id = 524288000.0"), 1);
	assert_int_equal(number("SELECT count(*) FROM rev WHERE id > -1.5"), 101);
	assert_int_equal(number("SELECT id >> 20 FROM rev ORDER BY id DESC LIMIT 1"), 2000);
	assert_int_equal(number("SELECT id >> 20 FROM rev ORDER BY id LIMIT 1"), 10);
	assert_int_equal(number("SELECT count(*) FROM rev a JOIN rev b ON b.id = a.id + (10 << 20)"), 99);
	assert_int_equal(number("SELECT sum(length(value)) FROM rev WHERE key = CAST('key' AS BLOB)"), 30000);
	assert_int_equal(number("SELECT value IS NULL FROM rev WHERE version = 0"), 1);
	assert_int_equal(number("SELECT id & 1048575 FROM rev WHERE version = 0"), 3);
	assert_int_not_equal(sqlite3_exec(db.handle, "DELETE FROM rev", NULL, NULL, NULL), SQLITE_OK);
}

/* ---- a file that somebody changed ---- */

static void a_changed_block_is_an_error(void **state)
{
	struct err err = ERR_INIT;
	const struct version_row *v;
	struct version_walk w;
	int rc;
	put(1, 100, 300);
	db.is_writer = false; /* one that writes stops */
	assert_int_equal(sqlite3_exec(db.handle, "UPDATE block SET n = n + 1 WHERE id = (SELECT max(id) FROM block)",
	                         NULL, NULL, NULL),
	        SQLITE_OK);
	assert_int_equal(versions_get(&db, ROW_ID(1), &v, &err), 1);
	assert_int_equal(versions_get(&db, ROW_ID(100), &v, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "block of versions"));
	assert_true(db.is_rotten);
	version_walk_open(&w, &db, 0);
	while ((rc = version_walk_next(&w, &v, &err)) == 1)
		;
	assert_int_equal(rc, ERR_CORRUPT);
	version_walk_close(&w);
}

static void blocks_that_overlap_are_an_error(void **state)
{
	struct err err = ERR_INIT;
	const struct version_row *v;
	put(1, 10, 300);
	put_version(&db, &(struct version_row){.id = ROW_ID(5) + 1, .version = 1, .key = SLICE("key")});
	db.is_writer = false;
	assert_int_equal(sqlite3_exec(db.handle, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(versions_get(&db, ROW_ID(5) + 1, &v, &err), 1);
	assert_int_equal(versions_get(&db, ROW_ID(1), &v, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "overlap"));
}

/* ---- the cache ---- */

static void the_cache_is_bounded_and_right(void **state)
{
	struct err err = ERR_INIT;
	const struct version_row *v, *gap;
	uint64_t r = 1;
	versions_keep(&db, 5, 60000);
	put(1, 1000, 300);
	put(2001, 2010, 300);
	for (int i = 1001; i <= 1020; i++)
		put(i, i, sizeof noise - 1000);
	assert_int_equal(sqlite3_exec(db.handle, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < 3000; i++) {
		r = r * 6364136223846793005u + 1442695040888963407u;
		int at = 1 + (int)((r >> 33) % 1020);
		assert_int_equal(versions_get(&db, ROW_ID(at), &v, &err), 1);
		assert_int_equal(v->version, at);
		assert_int_equal(versions_get(&db, ROW_ID(at) + 1, &gap, &err), 0);
		assert_int_equal(versions_get(&db, ROW_ID(1500 + at % 7), &gap, &err), 0); /* between two blocks */
		assert_int_equal(versions_get(&db, ROW_ID(2011), &gap, &err), 0);
		assert_int_equal(versions_get(&db, ROW_ID(at), &v, &err), 1);
		assert_int_equal(v->value.len, at <= 1000 ? 300 : sizeof noise - 1000);
	}
	assert_int_equal(sqlite3_exec(db.handle, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(versions_are_found_and_walked),
	        TEST(walks_do_not_disturb_each_other),
	        TEST(the_removed_are_not_there),
	        TEST(a_few_dead_are_bits_only),
	        TEST(all_dead_is_nothing),
	        TEST(many_steps_come_to_the_same_as_one),
	        TEST(small_blocks_become_one),
	        TEST(large_values_stay_alone),
	        TEST(sql_sees_versions),
	        TEST(a_changed_block_is_an_error),
	        TEST(blocks_that_overlap_are_an_error),
	        TEST(the_cache_is_bounded_and_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
