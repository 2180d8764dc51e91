/* Folders whose files change all at once. */
#include "tests/unit/unit.h"

#include "node/volume/atomic_writer.h"
#include "node/ground/files.h"

#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/k3x-atomic-XXXXXX";

static int setup(void **state)
{
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	file_remove_tree(dir);
	return access(dir, F_OK) == 0 ? -1 : 0;
}

static void write_them(const struct payload_file *files, size_t count, bool expect_change)
{
	struct payload p = {(struct payload_file *)files, count, count};
	struct err err = ERR_INIT;
	bool changed;
	assert_int_equal(atomic_write(dir, &p, -1, &changed, &err), 0);
	assert_int_equal(changed, expect_change);
}

static void has(const char *name, const char *text)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	char *got = file_read(path, 4096, false, NULL);
	if (text)
		assert_string_equal(got, text);
	else
		assert_null(got);
	free(got);
}

static void files_appear_change_and_go(void **state)
{
	const struct payload_file first[] = {{"a", {"1", 1}, 0644, false, 0}, {"sub/b", {"2", 1}, 0400, false, 0}};
	const struct payload_file second[] = {{"a", {"11", 2}, 0644, false, 0}, {"c", {"3", 1}, 0644, false, 0}};
	write_them(first, 2, true);
	has("a", "1");
	has("sub/b", "2");
	write_them(second, 2, true);
	has("a", "11");
	has("c", "3");
	has("sub/b", NULL);
}

static void the_same_is_not_written_again(void **state)
{
	const struct payload_file files[] = {{"a", {"1", 1}, 0644, false, 0}};
	const struct payload_file other_mode[] = {{"a", {"1", 1}, 0600, false, 0}};
	char path[200], before[200] = "", after[200] = "";
	snprintf(path, sizeof path, "%s/..data", dir);
	write_them(files, 1, true);
	assert_true(readlink(path, before, sizeof before - 1) > 0);
	write_them(files, 1, false);
	assert_true(readlink(path, after, sizeof after - 1) > 0);
	assert_string_equal(before, after);
	write_them(other_mode, 1, true);
}

/* What a group may read is written with another mode than the one asked for. */
static void the_same_with_a_group_is_not_written_again(void **state)
{
	struct payload_file file = {"a", {"1", 1}, 0400, false, 0};
	struct payload p = {&file, 1, 1};
	struct err err = ERR_INIT;
	struct stat st;
	char path[200];
	bool changed;
	int64_t gid = getgid();
	assert_int_equal(atomic_write(dir, &p, gid, &changed, &err), 0);
	assert_true(changed);
	assert_int_equal(atomic_write(dir, &p, gid, &changed, &err), 0);
	assert_false(changed);
	snprintf(path, sizeof path, "%s/a", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0440);
}

static void modes_are_permissions_alone(void **state)
{
	const struct payload_file files[] = {{"a", {"1", 1}, 06755, false, 0}};
	struct stat st;
	char path[200];
	snprintf(path, sizeof path, "%s/a", dir);
	write_them(files, 1, true);
	write_them(files, 1, false);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void a_file_goes_to_its_owner(void **state)
{
	const struct payload_file files[] = {{"token", {"t", 1}, 0600, true, 1234}};
	struct stat st;
	char path[200];
	if (geteuid() != 0) {
		print_message("SKIP not root: no file can be given away\n");
		skip();
	}
	snprintf(path, sizeof path, "%s/token", dir);
	write_them(files, 1, true);
	write_them(files, 1, false);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void paths_that_climb_are_refused(void **state)
{
	assert_true(payload_path_is_good(SLICE("a/b.c/..d")));
	assert_false(payload_path_is_good(SLICE("")));
	assert_false(payload_path_is_good(SLICE("/a")));
	assert_false(payload_path_is_good(SLICE("../a")));
	assert_false(payload_path_is_good(SLICE("a/../../b")));
	assert_false(payload_path_is_good(SLICE("..data")));
	assert_false(payload_path_is_good(SLICE("a//b")));
}

static void removing_a_tree_does_not_follow_links(void **state)
{
	char outside[] = "/tmp/k3x-outside-XXXXXX", link[200], tree[200];
	assert_true(mkstemp(outside) >= 0);
	snprintf(tree, sizeof tree, "%s/tree", dir);
	snprintf(link, sizeof link, "%s/tree/link", dir);
	assert_int_equal(mkdir(tree, 0755), 0);
	assert_int_equal(symlink(outside, link), 0);
	file_remove_tree(tree);
	assert_int_equal(access(tree, F_OK), -1);
	assert_int_equal(access(outside, F_OK), 0);
	unlink(outside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(files_appear_change_and_go, setup, teardown),
	        cmocka_unit_test_setup_teardown(the_same_is_not_written_again, setup, teardown),
	        cmocka_unit_test_setup_teardown(the_same_with_a_group_is_not_written_again, setup, teardown),
	        cmocka_unit_test_setup_teardown(modes_are_permissions_alone, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_file_goes_to_its_owner, setup, teardown),
	        cmocka_unit_test(paths_that_climb_are_refused),
	        cmocka_unit_test_setup_teardown(removing_a_tree_does_not_follow_links, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
