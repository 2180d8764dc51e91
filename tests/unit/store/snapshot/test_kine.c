/* Keys out of k3s's table, and a state that a server begins with. */
#include "store/snapshot/kine.h"
#include "store/snapshot/state_file.h"
#include "tests/unit/store/engine/engine_suite.h"

#include "store/engine/raft_engine.h"

#include <sqlite3.h>

static const char schema[] =
        "CREATE TABLE kine (id INTEGER PRIMARY KEY AUTOINCREMENT, name INTEGER, created INTEGER, deleted INTEGER,"
        " create_revision INTEGER, prev_revision INTEGER, lease INTEGER, value BLOB, old_value BLOB);";

static const char *table_path(void)
{
	static char path[96];
	snprintf(path, sizeof path, "%s/kine.db", suite_folder);
	return path;
}

static void make_table(const char *rows)
{
	sqlite3 *h;
	assert_int_equal(sqlite3_open(table_path(), &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, schema, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, rows, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(h);
}

static int put(void *arg, const struct store_kv *kv, struct err *err)
{
	return state_out_put(arg, kv, err);
}

static int move(struct err *err)
{
	struct state_out *out;
	int64_t revision = 0;
	assert_int_equal(state_out_open(suite_path(), &out, err), 0);
	int rc = kine_each(table_path(), put, out, &revision, err);
	return state_out_close(out, revision, rc, err);
}

static void test_living_keys_keep_their_revisions(void **state)
{
	struct err err = ERR_INIT;
	struct engine *e;
	suite_folder_make();
	make_table("INSERT INTO kine VALUES"
	           "(1,'compact_rev_key',1,0,0,0,0,'',NULL), (2,'/registry/a',1,0,0,0,0,'one',NULL),"
	           "(3,'/registry/b',1,0,0,0,0,'gone',NULL), (4,'/registry/a',0,0,2,2,0,'two','one'),"
	           "(5,'/registry/b',0,1,3,3,0,'gone','gone'), (6,'gap-6',0,1,0,0,0,'',NULL),"
	           "(7,'/registry/c',1,0,0,0,77,'leased',NULL), (9,'gap-9',0,1,0,0,0,'',NULL)");
	assert_int_equal(move(&err), 0);
	struct raft_engine_options o = {.data_dir = suite_folder};
	assert_int_equal(raft_engine_open_alone(&o, &e, &err), 0);
	assert_int_equal(store_revision(e), 9);
	struct suite_call c = {.req.op = suite_op_list("/registry/", "")};
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.result.n_kvs, 2);
	struct store_kv *kv = c.req.result.kvs;
	assert_true(slice_is(kv[0].key, "/registry/a") && slice_is(kv[0].value, "two"));
	assert_int_equal(kv[0].create_revision, 2);
	assert_int_equal(kv[0].mod_revision, 4);
	assert_int_equal(kv[1].mod_revision, 7);
	assert_int_equal(kv[1].lease, 0);
	suite_end(&c);
	c.req.op = suite_op_get("/registry/a");
	c.req.op.range.revision = 8;
	assert_int_equal(suite_run(e, &c), ERR_COMPACTED); /* nothing of before came along */
	suite_end(&c);
	assert_int_equal(suite_put(e, "/registry/a", "three"), 10);
	store_close(e);
	suite_folder_remove();
}

static void test_what_is_no_table_of_k3s_is_told(void **state)
{
	struct err err = ERR_INIT;
	suite_folder_make();
	assert_int_equal(move(&err), ERR_NOT_FOUND);
	FILE *f = fopen(table_path(), "w");
	fputs("important notes\n", f);
	fclose(f);
	assert_int_equal(move(&err), ERR_CORRUPT);
	assert_int_not_equal(access(suite_path(), F_OK), 0); /* nothing is left */
	unlink(table_path());
	make_table("INSERT INTO kine VALUES (5,'/registry/a',0,0,9,2,0,'of the future',NULL)");
	assert_int_equal(move(&err), ERR_CORRUPT);
	suite_folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_living_keys_keep_their_revisions),
	        cmocka_unit_test(test_what_is_no_table_of_k3s_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
