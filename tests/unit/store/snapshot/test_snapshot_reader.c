/* Snapshots of a database that is being written: exactly the state at one revision, whatever is in the file and what
 * in its log, checked on the way, and a database that SQLite finds whole. */
#include "store/snapshot/snapshot_reader.h"

#include "base/limits.h"
#include "base/pki/pki.h"
#include "store/machine/database/page_file.h"
#include "store/snapshot/snapshot_int.h"
#include "store/snapshot/snapshot_page_int.h"
#include "tests/unit/store/version_rows.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];
static struct arena arena;
static struct db db;
static int n_rotten;

static const char *in(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

static void run(const char *sql)
{
	char *why = NULL;
	if (sqlite3_exec(db.handle, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

/* Versions of one key, of some 3000 bytes each that don't pack, so that most have an overflow page or a page of their
 * own. */
static void put(int from, int to)
{
	char value[9100];
	run("BEGIN");
	for (int i = from; i <= to; i++) {
		char sql[256];
		size_t len = (size_t)(100 + i * 397 % 9000);
		sqlite3_randomness((int)len, value);
		put_version(&db, &(struct version_row){.id = ROW_ID(i),
		                         .prev = i > 2 ? ROW_ID(i - 1) : 0,
		                         .created = 2,
		                         .version = i - 1,
		                         .key = SLICE("a"),
		                         .value = {value, len}});
		snprintf(sql, sizeof sql,
		        "REPLACE INTO cur VALUES (X'61', %d << 20, 2, %d, 0); UPDATE meta SET revision = %d, keys = 1",
		        i, i - 1, i);
		run(sql);
	}
	run("COMMIT");
}

static int setup(void **state)
{
	struct err err = ERR_INIT;
	snprintf(folder, sizeof folder, "/tmp/k3x-reader-XXXXXX");
	assert_non_null(mkdtemp(folder));
	arena = ARENA_INIT;
	n_rotten = 0;
	assert_int_equal(db_open(&db, in("state.db"), DB_WRITER, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	db_close(&db);
	int rc = system(arena_printf(&arena, "rm -rf %s", folder));
	arena_release(&arena);
	return rc;
}

static void found_rotten(void *arg)
{
	n_rotten++;
}

static struct snapshot_reader *begin(const char *note)
{
	struct snapshot_reader_options o = {.path = in("state.db"), .note = note, .rotten = found_rotten};
	struct snapshot_reader *r = NULL;
	struct err err = ERR_INIT;
	if (snapshot_reader_open(&o, &r, &err) != 0)
		fail_msg("%s", err.msg);
	return r;
}

/* What is left of it, with its sha256, as a snapshot file. */
static int save(struct snapshot_reader *r, const char *name, size_t room, struct err *err)
{
	char *piece = malloc(room);
	unsigned char sum[32];
	size_t n = 1;
	int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC, 0600), rc = 0;
	while (n && (rc = snapshot_reader_next(r, piece, room, &n, err)) == 0)
		assert_true(write(fd, piece, n) == (ssize_t)n);
	if (rc == 0) {
		snapshot_reader_sha256(r, sum);
		assert_true(write(fd, sum, sizeof sum) == sizeof sum);
	}
	close(fd);
	free(piece);
	snapshot_reader_close(r);
	return rc;
}

static struct store_file_info inspect(const char *name)
{
	struct store_file_info info;
	struct err err = ERR_INIT;
	if (store_file_inspect(in(name), true, &info, &arena, &err) != 0)
		fail_msg("%s", err.msg);
	return info;
}

static void a_snapshot_is_a_sound_database_with_its_note(void **state)
{
	struct err err = ERR_INIT;
	put(2, 300);
	assert_int_equal(save(begin("{\"name\":\"m1\"}"), "one.snap", 5 * PAGE_BYTES + 17, &err), 0);
	struct store_file_info info = inspect("one.snap");
	assert_true(info.is_snapshot);
	assert_int_equal(info.revision, 300);
	assert_int_equal(info.versions, 299);
	assert_string_equal(info.note, "{\"name\":\"m1\"}");
	assert_int_equal(snapshot_query(&db, "SELECT count(*) FROM snapshot", &err), 0);
}

/* What any other program sees in it. */
static void sqlite_itself_finds_it_whole(void **state)
{
	struct err err = ERR_INIT;
	sqlite3 *h;
	sqlite3_stmt *s;
	put(2, 300);
	struct snapshot_reader *r = begin("");
	int64_t bytes = snapshot_reader_bytes(r);
	assert_int_equal(save(r, "one.snap", 8 * PAGE_BYTES, &err), 0);
	assert_int_equal(truncate(in("one.snap"), bytes), 0);
	assert_int_equal(sqlite3_open_v2(in("one.snap"), &h, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(h, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(s, 0), "ok");
	sqlite3_finalize(s);
	assert_int_equal(sqlite3_prepare_v2(h, "PRAGMA journal_mode", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(s, 0), "delete");
	sqlite3_finalize(s);
	assert_int_equal(sqlite3_close(h), SQLITE_OK);
}

/* Writes, checkpoints and a shrinking file while it is pulled, page by page. */
static void what_is_written_meanwhile_is_not_in_it(void **state)
{
	struct err err = ERR_INIT;
	char *piece = malloc(PAGE_BYTES);
	unsigned char sum[32];
	size_t n = 1;
	put(2, 200);
	run("PRAGMA wal_checkpoint(PASSIVE)");
	put(201, 300);
	struct snapshot_reader *r = begin("x");
	int fd = open(in("one.snap"), O_WRONLY | O_CREAT, 0600);
	for (int i = 301; n; i++) {
		assert_int_equal(snapshot_reader_next(r, piece, PAGE_BYTES, &n, &err), 0);
		assert_true(write(fd, piece, n) == (ssize_t)n);
		if (i < 340)
			put(i, i);
		if (i == 340)
			run("DELETE FROM block WHERE id < 150 << 20; PRAGMA incremental_vacuum");
		if (i % 10 == 0)
			run("PRAGMA wal_checkpoint(PASSIVE)");
	}
	snapshot_reader_sha256(r, sum);
	assert_true(write(fd, sum, sizeof sum) == sizeof sum);
	close(fd);
	free(piece);
	snapshot_reader_close(r);
	struct store_file_info info = inspect("one.snap");
	assert_int_equal(info.revision, 300);
	assert_int_equal(info.versions, 299);
}

/* The log has been checkpointed whole, and begins anew while the snapshot is read. */
static void a_log_that_begins_anew_changes_nothing(void **state)
{
	struct err err = ERR_INIT;
	put(2, 100);
	run("PRAGMA wal_checkpoint(PASSIVE)");
	struct snapshot_reader *r = begin("x");
	put(101, 400);
	run("PRAGMA wal_checkpoint(PASSIVE)");
	put(401, 500);
	assert_int_equal(save(r, "one.snap", 64 * PAGE_BYTES, &err), 0);
	assert_int_equal(inspect("one.snap").revision, 100);
	assert_int_equal(save(begin("x"), "two.snap", 64 * PAGE_BYTES, &err), 0);
	assert_int_equal(inspect("two.snap").revision, 500);
}

static void flip(int64_t at)
{
	char c;
	int fd = open(in("state.db"), O_RDWR);
	assert_true(pread(fd, &c, 1, at) == 1);
	c ^= 1;
	assert_true(pwrite(fd, &c, 1, at) == 1);
	close(fd);
}

static void a_rotten_page_ends_it_and_is_told(void **state)
{
	struct err err = ERR_INIT;
	put(2, 100);
	run("PRAGMA wal_checkpoint(TRUNCATE)");
	flip(40 * PAGE_BYTES + 100);
	assert_int_equal(save(begin("x"), "one.snap", 16 * PAGE_BYTES, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "page 41 is rotten"));
	assert_int_equal(n_rotten, 1);
}

static void what_the_log_has_anew_is_not_read_from_the_file(void **state)
{
	struct err err = ERR_INIT;
	put(2, 100);
	run("PRAGMA wal_checkpoint(TRUNCATE)");
	put(101, 101);
	int64_t page = snapshot_query(&db, "SELECT rootpage FROM sqlite_schema WHERE name = 'meta'", &err);
	flip((page - 1) * PAGE_BYTES + 2000);
	assert_int_equal(save(begin("x"), "one.snap", 16 * PAGE_BYTES, &err), 0);
	assert_int_equal(inspect("one.snap").revision, 101);
}

/* Zeros: right where nothing uses the page, a lost write where something does. */
static void pages_of_zeros_are_sound_only_when_free(void **state)
{
	static const char zeros[PAGE_BYTES];
	struct err err = ERR_INIT;
	put(2, 300);
	run("DELETE FROM block WHERE id < 250 << 20; PRAGMA wal_checkpoint(TRUNCATE)");
	char map[PAGE_BYTES];
	assert_int_equal(page_file_read(db.handle, 2, 1, map), SQLITE_OK);
	int64_t pages = page_file_pages(db.handle), free_page = 0, used_page = 0;
	for (int64_t i = 3; i <= pages && i < 800; i++)
		*(snapshot_page_use(map, i) == PAGE_USE_FREE ? &free_page : &used_page) = i;
	assert_true(free_page && used_page);
	db_close(&db);
	int fd = open(in("state.db"), O_WRONLY);
	assert_true(pwrite(fd, zeros, PAGE_BYTES, (free_page - 1) * PAGE_BYTES) == PAGE_BYTES);
	assert_int_equal(save(begin("x"), "one.snap", 64 * PAGE_BYTES, &err), 0);
	assert_true(pwrite(fd, zeros, PAGE_BYTES, (used_page - 1) * PAGE_BYTES) == PAGE_BYTES);
	assert_int_equal(save(begin("x"), "one.snap", 64 * PAGE_BYTES, &err), ERR_CORRUPT);
	close(fd);
}

static void a_copy_is_a_file_to_serve_from(void **state)
{
	struct err err = ERR_INIT;
	struct db copy;
	put(2, 300);
	struct snapshot_reader *r = begin(NULL);
	assert_int_equal(snapshot_reader_save(r, in("copy.db"), &err), 0);
	snapshot_reader_close(r);
	assert_int_equal(db_open(&copy, in("copy.db"), DB_WRITER, &err), 0);
	assert_int_equal(snapshot_query(&copy, "SELECT revision FROM meta", &err), 300);
	assert_int_equal(snapshot_query(&copy, "SELECT count(*) FROM snapshot", &err), 0);
	db_close(&copy);
}

static void a_note_has_a_limit(void **state)
{
	struct err err = ERR_INIT;
	char *note = calloc(1, SNAPSHOT_NOTE_BYTES_MAX + 2);
	memset(note, 'x', SNAPSHOT_NOTE_BYTES_MAX);
	assert_int_equal(save(begin(note), "one.snap", 16 * PAGE_BYTES, &err), 0);
	assert_int_equal(strlen(inspect("one.snap").note), SNAPSHOT_NOTE_BYTES_MAX);
	note[SNAPSHOT_NOTE_BYTES_MAX] = 'x';
	struct snapshot_reader_options o = {.path = in("state.db"), .note = note};
	struct snapshot_reader *r;
	assert_int_equal(snapshot_reader_open(&o, &r, &err), ERR_INVAL);
	free(note);
}

/* The file is replaced and gone; the one in its place must not suffer from the end of the snapshot. */
static void it_outlives_its_file_and_spares_the_next(void **state)
{
	struct err err = ERR_INIT;
	put(2, 100);
	struct snapshot_reader *r = begin("x");
	db_close(&db);
	unlink(in("state.db"));
	unlink(in("state.db-wal"));
	unlink(in("state.db-shm"));
	assert_int_equal(db_open(&db, in("state.db"), DB_WRITER, &err), 0);
	put(2, 50);
	assert_int_equal(save(r, "one.snap", 64 * PAGE_BYTES, &err), 0);
	assert_int_equal(inspect("one.snap").revision, 100);
	assert_int_equal(access(in("state.db-wal"), F_OK), 0);
	assert_int_equal(save(begin("x"), "two.snap", 64 * PAGE_BYTES, &err), 0);
	assert_int_equal(inspect("two.snap").revision, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_snapshot_is_a_sound_database_with_its_note, setup, teardown),
	        cmocka_unit_test_setup_teardown(sqlite_itself_finds_it_whole, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_is_written_meanwhile_is_not_in_it, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_log_that_begins_anew_changes_nothing, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_rotten_page_ends_it_and_is_told, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_the_log_has_anew_is_not_read_from_the_file, setup, teardown),
	        cmocka_unit_test_setup_teardown(pages_of_zeros_are_sound_only_when_free, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_copy_is_a_file_to_serve_from, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_note_has_a_limit, setup, teardown),
	        cmocka_unit_test_setup_teardown(it_outlives_its_file_and_spares_the_next, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
