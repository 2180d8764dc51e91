/* Restoring a snapshot when the system's calls fail, each in turn: the snapshot stays what it is, and the next try,
 * which replaces what the failed one may have left, succeeds. */
#include "tests/unit/faults.h"

#include "raft/raft_node.h"
#include "store/snapshot/snapshot_int.h"
#include "store/snapshot/snapshot_reader.h"
#include "tests/unit/store/version_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct arena arena;

static const char *in(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

static int setup(void **state)
{
	static const char sql[] = "INSERT INTO cur VALUES (X'61', 2 << 20, 2, 1, 0);"
	                          "UPDATE meta SET revision = 2, keys = 1, applied_index = 99, applied_term = 7";
	struct err err = ERR_INIT;
	struct db db;
	unsigned char sum[32];
	struct snapshot_reader *r;
	arena = ARENA_INIT;
	snprintf(folder, sizeof folder, "/tmp/k3x-restore-faults-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(db_open(&db, in("old.db"), DB_WRITER, &err), 0);
	put_version(&db, &(struct version_row){
	                         .id = ROW_ID(2), .created = 2, .version = 1, .key = SLICE("a"), .value = SLICE("1")});
	assert_int_equal(sqlite3_exec(db.handle, sql, NULL, NULL, NULL), SQLITE_OK);
	struct snapshot_reader_options o = {.path = in("old.db"), .note = "{\"cluster_id\":\"00000000000000aa\"}"};
	assert_int_equal(snapshot_reader_open(&o, &r, &err), 0);
	assert_int_equal(snapshot_reader_save(r, in("one.snap"), &err), 0);
	snapshot_reader_sha256(r, sum);
	snapshot_reader_close(r);
	db_close(&db);
	int fd = open(in("one.snap"), O_WRONLY | O_APPEND, 0);
	assert_true(write(fd, sum, sizeof sum) == sizeof sum);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	int rc = system(arena_printf(&arena, "rm -rf %s", folder));
	arena_release(&arena);
	return rc;
}

static void nothing_there(void)
{
	assert_int_equal(system(arena_printf(&arena, "rm -rf %s/member", folder)), 0);
}

static int restore_over(bool replace, struct err *err)
{
	static const struct raft_host_server self = {1, "http://a:2380", RAFT_HOST_VOTER};
	struct store_restore_options o = {.snapshot = in("one.snap"),
	        .data_dir = in("member"),
	        .member_id = 1,
	        .servers = &self,
	        .n_servers = 1,
	        .replace = replace};
	struct store_file_info info;
	uint64_t id;
	int rc = store_restore(&o, &info, &id, &arena, err);
	if (rc == 0) {
		assert_int_equal(info.keys, 1);
		assert_int_equal(info.revision, 2);
		assert_int_equal(access(in("member/state.db"), F_OK), 0);
		assert_int_equal(access(in("member/raft/snapshot"), F_OK), 0);
		assert_int_equal(access(in("member/member"), F_OK), 0);
	}
	return rc;
}

static int restore(struct err *err)
{
	return restore_over(false, err);
}

static int restore_again(struct err *err)
{
	return restore_over(true, err);
}

static void every_call_may_fail(void **state)
{
	static const struct {
		unsigned kind;
		int error;
	} faults[] = {
	        {FAULT_OPEN, EMFILE}, {FAULT_READ, EIO}, {FAULT_WRITE, ENOSPC}, {FAULT_SYNC, EIO}, {FAULT_NAME, EIO}};
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		struct fault_plan p = {.kinds = faults[i].kind,
		        .error = faults[i].error,
		        .run = restore,
		        .reset = nothing_there,
		        .retry = restore_again,
		        .may_succeed = true /* SQLite does without some of what it tries */};
		assert_true(faults_try_all(&p) >= 3);
	}
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void assert_text(const char *path, const char *text)
{
	char have[32] = "";
	FILE *f = fopen(path, "r");
	if (!f)
		fail_msg("%s is gone", path);
	assert_non_null(fgets(have, sizeof have, f));
	fclose(f);
	assert_string_equal(have, text);
}

static void old_data_there(void)
{
	nothing_there();
	assert_int_equal(mkdir(in("member"), 0700), 0);
	assert_int_equal(mkdir(in("member/raft"), 0700), 0);
	write_text(in("member/raft/log"), "the old log");
	write_text(in("member/state.db"), "the old state");
	write_text(in("member/state.db-wal"), "the old changes");
}

/* Of what was there nothing is lost, however often it is tried. */
static int restore_again_over_old_data(struct err *err)
{
	int rc = restore_over(true, err);
	if (rc == 0) {
		assert_text(in("member/raft.before-restore/log"), "the old log");
		assert_text(in("member/state.db.before-restore"), "the old state");
		assert_text(in("member/state.db.before-restore-wal"), "the old changes");
	}
	return rc;
}

static void a_swap_that_was_cut_short_keeps_what_was_there(void **state)
{
	struct fault_plan p = {.kinds = FAULT_NAME,
	        .error = EIO,
	        .run = restore_again,
	        .reset = old_data_there,
	        .retry = restore_again_over_old_data,
	        .may_succeed = true};
	assert_true(faults_try_all(&p) >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(every_call_may_fail, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_swap_that_was_cut_short_keeps_what_was_there, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
