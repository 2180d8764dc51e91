/* Kine's table written: what k3s finds there, and what its compaction would remove. */
#include "store/snapshot/kine.h"

#include "tests/unit/store/engine/engine_suite.h"

#include <sqlite3.h>

static const char *path_of_table(void)
{
	static char path[96];
	snprintf(path, sizeof path, "%s/out.db", suite_folder);
	return path;
}

static int put(struct kine_out *o, const char *key, int64_t created, int64_t changed)
{
	struct err err = ERR_INIT;
	struct store_kv kv = {.key = slice_of(key),
	        .value = SLICE("{}"),
	        .create_revision = created,
	        .mod_revision = changed,
	        .version = 1};
	return kine_out_put(o, &kv, &err);
}

static int64_t number(sqlite3 *h, const char *sql)
{
	sqlite3_stmt *s;
	assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* As kine's own, for SQLite. */
static void compact(sqlite3 *h, int64_t to)
{
	char sql[400];
	snprintf(sql, sizeof sql,
	        "DELETE FROM kine WHERE id IN (SELECT prev_revision FROM kine WHERE name <> 'compact_rev_key' AND "
	        "prev_revision <> 0 AND id <= %lld UNION SELECT id FROM kine WHERE deleted <> 0 AND id <= %lld)",
	        (long long)to, (long long)to);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
}

static sqlite3 *made(int64_t revision, void (*fill)(struct kine_out *o), int64_t *ret_moved)
{
	struct err err = ERR_INIT;
	struct kine_out *o;
	sqlite3 *h;
	suite_folder_make();
	assert_int_equal(kine_out_open(path_of_table(), &o, &err), 0);
	fill(o);
	assert_int_equal(kine_out_close(o, revision, 0, ret_moved, &err), 0);
	assert_int_equal(sqlite3_open(path_of_table(), &h), SQLITE_OK);
	return h;
}

static void some_keys(struct kine_out *o)
{
	assert_int_equal(put(o, "/registry/a", 2, 2), 0);
	assert_int_equal(put(o, "/registry/b", 3, 7), 0);
	assert_int_equal(put(o, "/registry/c", 7, 7), 0); /* shares a revision */
	assert_int_equal(put(o, "/registry/d", 2, 8), 0); /* was created with /registry/a */
}

static void a_key_is_at_the_row_of_its_revision(void **state)
{
	int64_t moved;
	sqlite3 *h = made(20, some_keys, &moved);
	assert_int_equal(number(h, "SELECT id FROM kine WHERE name = '/registry/a'"), 2);
	assert_int_equal(number(h, "SELECT id FROM kine WHERE name = '/registry/b'"), 7);
	assert_int_equal(number(h, "SELECT create_revision FROM kine WHERE name = '/registry/b'"), 3);
	assert_int_equal(number(h, "SELECT created FROM kine WHERE name = '/registry/b'"), 0);
	assert_int_equal(number(h, "SELECT created FROM kine WHERE name = '/registry/a'"), 1);
	assert_int_equal(moved, 1);
	assert_int_equal(number(h, "SELECT id FROM kine WHERE name = '/registry/c'"), 21);
	assert_int_equal(number(h, "SELECT max(id) FROM kine"), 21);
	assert_int_equal(number(h, "SELECT prev_revision FROM kine WHERE name = 'compact_rev_key'"), 21);
	sqlite3_close(h);
	suite_folder_remove();
}

static void one_key(struct kine_out *o)
{
	assert_int_equal(put(o, "/registry/a", 2, 3), 0);
}

static void revisions_go_on_from_the_newest(void **state)
{
	int64_t moved;
	sqlite3 *h = made(1000, one_key, &moved);
	assert_int_equal(number(h, "SELECT max(id) FROM kine"), 1000);
	assert_int_equal(number(h, "SELECT deleted FROM kine WHERE name = 'gap-1000'"), 1);
	assert_int_equal(number(h, "SELECT id FROM kine WHERE name = 'compact_rev_key'"), 1);
	assert_int_equal(moved, 0);
	sqlite3_close(h);
	suite_folder_remove();
}

static void kines_compaction_removes_no_living_key(void **state)
{
	int64_t moved;
	sqlite3 *h = made(20, some_keys, &moved);
	compact(h, 21);
	assert_int_equal(number(h, "SELECT count(*) FROM kine WHERE name LIKE '/registry/%'"), 4);
	sqlite3_close(h);
	suite_folder_remove();
}

static void what_is_there_is_not_written_over(void **state)
{
	struct err err = ERR_INIT;
	struct kine_out *o;
	int64_t moved;
	suite_folder_make();
	fclose(fopen(path_of_table(), "w"));
	assert_int_equal(kine_out_open(path_of_table(), &o, &err), ERR_EXISTS);
	unlink(path_of_table());
	err = ERR_INIT;
	assert_int_equal(kine_out_open(path_of_table(), &o, &err), 0);
	assert_int_equal(kine_out_close(o, 5, ERR_CORRUPT, &moved, &err), ERR_CORRUPT);
	assert_int_not_equal(access(path_of_table(), F_OK), 0);
	suite_folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_key_is_at_the_row_of_its_revision),
	        cmocka_unit_test(revisions_go_on_from_the_newest),
	        cmocka_unit_test(kines_compaction_removes_no_living_key),
	        cmocka_unit_test(what_is_there_is_not_written_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
