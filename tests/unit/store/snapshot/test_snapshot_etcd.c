/* Taking over etcd's data: every kept version with its revisions and lease, compaction, what is missing or does not
 * read. */
#include "store/snapshot/snapshot_int.h"

#include "tests/unit/store/version_rows.h"

#include <unistd.h>

struct rows {
	char text[1024];
};

static void add_row(void *arg, bool is_head, const char *const *texts, int n)
{
	struct rows *r = arg;
	size_t len = strlen(r->text);
	for (int i = 0; !is_head && i < n; i++)
		len += (size_t)snprintf(
		        r->text + len, sizeof r->text - len, "%s%s", texts[i] ? texts[i] : "-", i + 1 < n ? "," : " ");
}

/* The fuzz target's files have a byte before them. */
static const char *example(const char *name, char path[64])
{
	char bytes[16384], from[128];
	snprintf(from, sizeof from, "tests/fuzz/corpus/etcd_snapshot/%s", name);
	FILE *in = fopen(from, "rb");
	assert_non_null(in);
	size_t n = fread(bytes, 1, sizeof bytes, in);
	fclose(in);
	snprintf(path, 64, "/tmp/k3x-etcd-XXXXXX");
	int fd = mkstemp(path);
	assert_true(write(fd, bytes + 1, n - 1) == (ssize_t)n - 1);
	close(fd);
	return path;
}

static int import(const char *name, struct store_file_info *info, const char *db, struct err *err)
{
	char path[64];
	int rc = snapshot_from_etcd(example(name, path), -1, db, info, err);
	unlink(path);
	return rc;
}

static const char *select_from(const char *db, const char *sql, struct rows *r)
{
	struct err err = ERR_INIT;
	*r = (struct rows){""};
	assert_int_equal(store_sql(db, sql, add_row, r, &err), 0);
	return r->text;
}

static void every_version_keeps_its_numbers(void **state)
{
	struct store_file_info info = {0}, made;
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct rows r;
	const char *db = arena_printf(&a, "/tmp/k3x-etcd-made-%ld", (long)getpid());
	assert_int_equal(import("small", &info, db, &err), 0);
	assert_string_equal(
	        select_from(db,
	                "SELECT id >> 20, id & 1048575, key, prev >> 20, created, version, lease, value FROM rev", &r),
	        "2,0,a,0,2,1,0,one 3,0,b,0,3,1,77,two 4,0,a,2,2,2,0,x 5,0,a,4,0,0,0,- 6,0,c,0,6,1,0,1 "
	        "6,1,d,0,6,1,0,2 ");
	assert_string_equal(
	        select_from(db, "SELECT key, id >> 20, version FROM cur ORDER BY key", &r), "a,5,0 b,3,1 c,6,1 d,6,1 ");
	assert_string_equal(select_from(db, "SELECT id, ttl FROM lease", &r), "77,60 ");
	assert_string_equal(select_from(db, "SELECT revision, compacted, trimmed, keys FROM meta", &r), "6,3,0,3 ");
	assert_int_equal(store_file_inspect(db, true, &made, &a, &err), 0); /* the store's invariants hold */
	assert_int_equal(info.versions, 6);
	unlink(db);
	arena_release(&a);
}

static void large_values_and_an_empty_store(void **state)
{
	struct store_file_info info = {0};
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct rows r;
	const char *db = arena_printf(&a, "/tmp/k3x-etcd-made-%ld", (long)getpid());
	assert_int_equal(import("overflow", &info, db, &err), 0);
	assert_string_equal(select_from(db, "SELECT length(value) FROM rev WHERE id >> 20 = 7", &r), "600 ");
	assert_int_equal(import("empty", &info, db, &err), 0);
	assert_string_equal(select_from(db, "SELECT revision, compacted, keys FROM meta", &r), "1,0,0 ");
	unlink(db);
	arena_release(&a);
}

static void there_and_back_gives_the_same_hash(void **state)
{
	struct store_file_info info = {0}, made, again;
	struct store_to_etcd out;
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	const char *db = arena_printf(&a, "/tmp/k3x-etcd-made-%ld", (long)getpid());
	const char *back = arena_printf(&a, "/tmp/k3x-etcd-back-%ld", (long)getpid());
	assert_int_equal(import("overflow", &info, db, &err), 0);
	assert_int_equal(store_file_inspect(db, true, &made, &a, &err), 0);
	unlink(back);
	assert_int_equal(store_snapshot_to_etcd(db, back, &out, &a, &err), 0);
	assert_int_equal(store_snapshot_to_etcd(db, back, &out, &a, &err), ERR_EXISTS);
	assert_int_equal(out.revision, 7);
	assert_int_equal(out.lost_revision, 0);
	assert_int_equal(store_file_inspect(back, true, &again, &a, &err), 0);
	assert_true(again.is_etcd && again.is_snapshot);
	assert_int_equal(again.hash, made.hash);
	assert_int_equal(again.leases, made.leases);
	assert_int_equal(again.compacted_revision, made.compacted_revision);
	unlink(db);
	unlink(back);
	arena_release(&a);
}

static void damage_leaves_nothing_behind(void **state)
{
	struct store_file_info info = {0};
	struct err err = ERR_INIT;
	const char *db = "/tmp/k3x-etcd-damaged";
	assert_int_equal(import("cut", &info, db, &err), ERR_CORRUPT);
	assert_int_equal(import("loop", &info, db, &err), ERR_CORRUPT);
	assert_int_not_equal(access(db, F_OK), 0);
}

enum { LEASED_KEYS = 400, LEASED_ROUNDS = 5 };

/* Of every key some versions; every third key was put under a lease that is not there, another third under one that is.
 */
static void make_leased(const char *path)
{
	struct err err = ERR_INIT;
	struct db db;
	struct version_writer w = {.db = &db};
	char sql[200], key[16];
	assert_int_equal(db_open(&db, path, DB_WRITER, &err), 0);
	assert_int_equal(
	        sqlite3_exec(db.handle, "BEGIN; INSERT INTO lease VALUES (5, 60)", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < LEASED_KEYS * LEASED_ROUNDS; i++) {
		int k = i % LEASED_KEYS, round = i / LEASED_KEYS, lease = k % 3 == 0 ? 7 : k % 3 == 1 ? 5 : 0;
		size_t len = (size_t)snprintf(key, sizeof key, "k%03d", k);
		struct version_row v = {.id = ROW_ID(2 + i),
		        .prev = round ? ROW_ID(2 + i - LEASED_KEYS) : 0,
		        .created = 2 + k,
		        .version = 1 + round,
		        .lease = lease,
		        .key = {key, len},
		        .value = SLICE("some value")};
		assert_int_equal(version_writer_add(&w, &v, &err), 0);
		snprintf(sql, sizeof sql, "REPLACE INTO cur VALUES (CAST('%s' AS BLOB), %d << 20, %d, %d, %d)", key,
		        2 + i, 2 + k, 1 + round, lease);
		assert_int_equal(sqlite3_exec(db.handle, sql, NULL, NULL, NULL), SQLITE_OK);
	}
	assert_int_equal(version_writer_end(&w, &err), 0);
	version_writer_release(&w);
	snprintf(sql, sizeof sql, "UPDATE meta SET revision = %d, keys = %d; COMMIT", 1 + LEASED_KEYS * LEASED_ROUNDS,
	        LEASED_KEYS);
	assert_int_equal(sqlite3_exec(db.handle, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db.handle, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL), SQLITE_OK);
	db_close(&db);
}

/* etcd loses leases. The keys stay, without one; what they were before is not touched. */
static void keys_of_lost_leases_stay_without_one(void **state)
{
	struct store_file_info info = {0}, made;
	struct store_to_etcd out;
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct rows r;
	const char *own = arena_printf(&a, "/tmp/k3x-etcd-own-%ld", (long)getpid());
	const char *etcd = arena_printf(&a, "/tmp/k3x-etcd-snap-%ld", (long)getpid());
	const char *back = arena_printf(&a, "/tmp/k3x-etcd-back-%ld", (long)getpid());
	make_leased(own);
	assert_int_equal(store_snapshot_to_etcd(own, etcd, &out, &a, &err), 0);
	assert_int_equal(snapshot_from_etcd(etcd, out.size_bytes - STORE_SNAPSHOT_HASH_BYTES, back, &info, &err), 0);
	assert_int_equal(info.leaseless, 134);
	assert_int_equal(info.versions, LEASED_KEYS * LEASED_ROUNDS);
	if (store_file_inspect(back, true, &made, &a, &err) != 0)
		fail_msg("%s", err.msg);
	assert_string_equal(
	        select_from(back, "SELECT lease, count(*) FROM cur GROUP BY 1 ORDER BY 1", &r), "0,267 5,133 ");
	assert_string_equal(
	        select_from(back, "SELECT lease, count(*) FROM rev GROUP BY 1 ORDER BY 1", &r), "0,799 5,665 7,536 ");
	assert_string_equal(select_from(back, "SELECT count(*) > 2, sum(n) FROM block", &r), "1,2000 ");
	unlink(own);
	unlink(etcd);
	unlink(back);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_version_keeps_its_numbers),
	        cmocka_unit_test(large_values_and_an_empty_store),
	        cmocka_unit_test(there_and_back_gives_the_same_hash),
	        cmocka_unit_test(keys_of_lost_leases_stay_without_one),
	        cmocka_unit_test(damage_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
