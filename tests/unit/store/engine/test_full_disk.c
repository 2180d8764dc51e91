/* A full disk: writes are turned away with an error that says so, nothing that was answered is lost, and it heals. Runs
 * on a small tmpfs in a mount namespace of its own. */
#include "store/engine/raft_engine.h"

static struct engine *suite_open(void);
#include "tests/unit/store/engine/engine_suite.h"

#include <sched.h>
#include <sys/mount.h>

static struct engine *suite_open(void)
{
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	struct raft_engine_options o = {.data_dir = suite_folder};
	if (raft_engine_open_alone(&o, &e, &err) != 0)
		fail_msg("%s", err.msg);
	return e;
}

static bool small_disk(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", suite_folder, "tmpfs", 0, "size=128m") == 0;
}

static void make_file(const char *path, size_t bytes)
{
	static char block[65536];
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	memset(block, 'f', sizeof block);
	for (size_t n = 0; n < bytes; n += sizeof block)
		assert_int_equal(fwrite(block, 1, sizeof block, f), sizeof block);
	fclose(f);
}

static void test_a_full_disk_turns_writes_away_and_heals(void **state)
{
	char filler[96], key[16], *value = malloc(100001);
	int n = 0;
	int64_t rc;
	suite_folder_make();
	if (!small_disk()) {
		print_message("SKIP: no right to mount a small tmpfs\n");
		rmdir(suite_folder);
		free(value);
		skip();
	}
	unit_noise(value, 100000);
	snprintf(filler, sizeof filler, "%s/filler", suite_folder);
	make_file(filler, 88 * 1024 * 1024);
	struct engine *e = suite_open();
	for (;; n++) {
		snprintf(key, sizeof key, "k%d", n);
		rc = suite_put(e, key, value);
		if (rc < 0)
			break;
		assert_true(n < 1000);
	}
	/* One that the log had no room for may be carried out yet; those after it are turned away, as all are when the
	 * memory table is full first. */
	assert_true(rc == ERR_TIMEOUT || rc == ERR_NO_SPACE);
	assert_int_equal(suite_put(e, "refused", "1"), ERR_NO_SPACE);
	assert_true(n > 3);
	assert_non_null(suite_get(e, "k0"));
	assert_int_equal(store_revision(e), n + 1);
	assert_int_equal(unlink(filler), 0);
	WAIT_FOR((rc = suite_put(e, "after", "1")) >= 0);
	assert_in_range(rc, n + 2, n + 3);
	store_close(e);
	e = suite_open();
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_non_null(suite_get(e, key));
	}
	assert_string_equal(suite_get(e, "after"), "1");
	store_close(e);
	assert_int_equal(umount(suite_folder), 0);
	rmdir(suite_folder);
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_full_disk_turns_writes_away_and_heals)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
