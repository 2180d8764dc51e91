/* A snapshot on its way in: what is whole is copied, whatever else comes is named and leaves nothing; and a page that
 * is lost, doubled or misplaced is found although the sha256 was made right. */
#include "store/snapshot/intake_int.h"

#include "base/pki/pki.h"
#include "store/machine/database/page_file.h"
#include "store/snapshot/snapshot_int.h"
#include "store/snapshot/snapshot_reader.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];
static struct arena arena;
static char *bytes; /* of a database, sealed pages */
static size_t len;

static const char *in(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;
	struct db db;
	struct snapshot_reader *r;
	size_t n = 1;
	snprintf(folder, sizeof folder, "/tmp/k3x-intake-XXXXXX");
	assert_non_null(mkdtemp(folder));
	arena = ARENA_INIT;
	assert_int_equal(db_open(&db, in("state.db"), DB_WRITER, &err), 0);
	static const char sql[] = "WITH n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
	                          "INSERT INTO block SELECT i << 20, 1, X'', 3000 + i, randomblob(3000 + i) FROM n; "
	                          "DELETE FROM block WHERE id < 100 << 20; UPDATE meta SET revision = 200";
	assert_int_equal(sqlite3_exec(db.handle, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
	        snapshot_reader_open(&(struct snapshot_reader_options){.path = in("state.db"), .note = "x"}, &r, &err),
	        0);
	bytes = malloc((size_t)snapshot_reader_bytes(r) + PAGE_BYTES);
	for (len = 0; n; len += n)
		assert_int_equal(snapshot_reader_next(r, bytes + len, 64 * PAGE_BYTES, &n, &err), 0);
	snapshot_reader_close(r);
	db_close(&db);
	return 0;
}

static int teardown(void **state)
{
	free(bytes);
	int rc = system(arena_printf(&arena, "rm -rf %s", folder));
	arena_release(&arena);
	return rc;
}

/* The pages with their sha256 as a file. */
static void put(size_t n)
{
	unsigned char sum[32];
	int fd = open(in("snap"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	pki_sha256(bytes, n, sum);
	assert_true(write(fd, bytes, n) == (ssize_t)n && write(fd, sum, sizeof sum) == sizeof sum);
	close(fd);
}

static void refused(const char *why)
{
	struct intake x = {.from = in("snap")};
	struct err err = ERR_INIT;
	if (intake_copy(&x, in("made"), &err) != ERR_CORRUPT || !strstr(err.msg, why))
		fail_msg("\"%s\" is not in \"%s\"", why, err.msg);
	assert_int_not_equal(access(in("made"), F_OK), 0);
}

static char *page(size_t number)
{
	return bytes + (number - 1) * PAGE_BYTES;
}

static void what_is_whole_is_copied(void **state)
{
	struct intake x = {.from = in("snap")};
	struct err err = ERR_INIT;
	unsigned char sum[32];
	put(len);
	assert_int_equal(intake_look(&x, &err), 0);
	assert_int_equal(x.bytes, len);
	assert_int_equal(intake_copy(&x, in("made"), &err), 0);
	assert_true(x.is_checked && x.has_sha256 && !x.is_etcd);
	assert_int_equal(x.size_bytes, len + 32);
	pki_sha256(bytes, len, sum);
	assert_memory_equal(sum, x.sha256, sizeof sum);
	assert_int_equal(snapshot_sha256(in("made"), -1, sum, NULL, &err), 0);
	assert_memory_equal(sum, x.sha256, sizeof sum);
}

static void every_cut_is_refused(void **state)
{
	struct err err = ERR_INIT;
	put(len);
	for (size_t cut = 1; cut < 70000; cut = cut < 64 ? cut + 1 : cut * 3) {
		assert_int_equal(truncate(in("snap"), (off_t)(len + 32 - cut)), 0);
		struct intake x = {.from = in("snap")};
		assert_int_not_equal(intake_copy(&x, in("made"), &err), 0);
		assert_true(err.code == ERR_CORRUPT || err.code == ERR_INVAL);
		assert_int_not_equal(access(in("made"), F_OK), 0);
		err = ERR_INIT;
	}
}

static void a_bit_that_changed_is_found(void **state)
{
	put(len);
	int fd = open(in("snap"), O_WRONLY);
	assert_true(pwrite(fd, "\1", 1, (off_t)len + 3) == 1);
	close(fd);
	refused("its sha256 does not fit");
}

static void a_page_in_anothers_place_is_found(void **state)
{
	memcpy(page(30), page(31), PAGE_BYTES);
	put(len);
	refused("page 30 does not fit its checksum");
}

static void a_lost_page_is_found(void **state)
{
	memset(page(5), 0, PAGE_BYTES);
	put(len);
	refused("page 5 does not fit its checksum");
}

static void a_page_of_a_tree_that_is_none_is_found(void **state)
{
	page(5)[0] = 77;
	page_seal(page(5), 5);
	put(len);
	refused("page 5 is no page of a tree");
}

static void a_cell_outside_of_its_page_is_found(void **state)
{
	page(5)[3] = 0x7f;
	page_seal(page(5), 5);
	put(len);
	refused("page 5 is no page of a tree");
}

static void missing_pages_are_found(void **state)
{
	put(len - PAGE_BYTES);
	refused("pages and says that there are");
}

static void a_wrong_number_of_free_pages_is_found(void **state)
{
	page(1)[39]++;
	page_seal(page(1), 1);
	put(len);
	refused("pages are free");
}

static void without_a_sha256_it_is_taken_only_when_asked(void **state)
{
	struct err err = ERR_INIT;
	put(len);
	assert_int_equal(truncate(in("snap"), (off_t)len), 0);
	struct intake x = {.from = in("snap")};
	assert_int_equal(intake_copy(&x, in("made"), &err), ERR_INVAL);
	err = ERR_INIT;
	x.skip_hash = true;
	assert_int_equal(intake_copy(&x, in("made"), &err), 0);
	assert_false(x.has_sha256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(what_is_whole_is_copied, setup, teardown),
	        cmocka_unit_test_setup_teardown(every_cut_is_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_bit_that_changed_is_found, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_page_in_anothers_place_is_found, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_lost_page_is_found, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_page_of_a_tree_that_is_none_is_found, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_cell_outside_of_its_page_is_found, setup, teardown),
	        cmocka_unit_test_setup_teardown(missing_pages_are_found, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_wrong_number_of_free_pages_is_found, setup, teardown),
	        cmocka_unit_test_setup_teardown(without_a_sha256_it_is_taken_only_when_asked, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
