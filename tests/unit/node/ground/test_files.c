/* Small file helpers. */
#include "tests/unit/unit.h"

#include "base/file/file_dirs.h"
#include "node/ground/files.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/k3x-files-XXXXXX";

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

static const char *path(const char *name)
{
	static char text[2][200];
	static int turn;
	turn = !turn;
	snprintf(text[turn], sizeof text[turn], "%s/%s", dir, name);
	return text[turn];
}

static void put(const char *name, const char *text)
{
	struct err err = ERR_INIT;
	assert_int_equal(file_write(path(name), slice_of(text), 0600, &err), 0);
}

static void a_stamp_changes_with_what_it_is_of(void **state)
{
	char a[200], b[200];
	snprintf(a, sizeof a, "%s", path("a"));
	snprintf(b, sizeof b, "%s", path("b"));
	const char *const files[] = {a, NULL, b};
	uint64_t none = file_stamp(files, 3);
	put("a", "1");
	uint64_t one = file_stamp(files, 3);
	assert_true(one != none);
	assert_true(file_stamp(files, 3) == one);
	put("b", "1");
	uint64_t two = file_stamp(files, 3);
	assert_true(two != one);
	put("new", "2");
	assert_int_equal(rename(path("new"), a), 0); /* as a renewal does */
	assert_true(file_stamp(files, 3) != two);
}

static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
	struct err err = ERR_INIT;
	size_t len;
	struct stat st;
	char *text;
	put("state", "before");
	assert_int_equal(file_replace(path("state"), SLICE("after"), 0640, true, &err), 0);
	text = file_read(path("state"), 100, false, &len);
	assert_string_equal(text, "after");
	free(text);
	assert_int_equal(stat(path("state"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(
	        mkdir(path("folder"), 0700), 0); /* what cannot be replaced stays, and nothing is left beside it */
	assert_int_not_equal(file_replace(path("folder"), SLICE("x"), 0600, false, &err), 0);
	assert_non_null(strstr(err.msg, "folder"));
	assert_int_not_equal(access(path("folder.new"), F_OK), 0);
	assert_int_equal(stat(path("folder"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
}

static void folders_are_made_with_all_their_parents(void **state)
{
	struct err err = ERR_INIT;
	char long_path[5000];
	assert_int_equal(file_make_dirs(path("x/y/z"), 0750, &err), 0);
	assert_int_equal(file_make_dirs(path("x/y/z"), 0750, &err), 0);
	put("f", "");
	assert_int_equal(file_make_dirs(path("f/g"), 0750, &err), ERR_IO);
	memset(long_path, 'a', sizeof long_path);
	long_path[sizeof long_path - 1] = 0;
	assert_int_equal(file_make_dirs(long_path, 0750, &err), ERR_INVAL);
}

static void reading_keeps_to_its_limit(void **state)
{
	size_t len;
	put("f", "0123456789");
	char *text = file_read(path("f"), 4, false, &len);
	assert_string_equal(text, "0123");
	free(text);
	text = file_read(path("f"), 4, true, &len);
	assert_string_equal(text, "6789");
	free(text);
	assert_null(file_read(path("absent"), 4, false, &len));
}

/* In mount namespaces of their own, so that nothing is left whatever happens. */
static int in_own_namespace(int (*fn)(void))
{
	int status = -1;
	pid_t child = fork();
	if (child == 0)
		_exit(unshare(CLONE_NEWNS) == 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 ? fn() : 99);
	assert_true(child > 0);
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

static int remove_around_a_bind_mount(void)
{
	if (mount(path("outside"), path("tree/mounted"), NULL, MS_BIND, NULL) != 0)
		return 98;
	file_remove_tree(path("tree"));
	return access(path("outside/kept"), F_OK) == 0 && access(path("tree/other"), F_OK) != 0 ? 0 : 1;
}

static void removing_a_tree_does_not_enter_a_bind_mount(void **state)
{
	struct err err = ERR_INIT;
	if (geteuid() != 0) {
		print_message("SKIP not root: nothing can be mounted\n");
		skip();
	}
	assert_int_equal(file_make_dirs(path("tree/mounted"), 0755, &err), 0);
	assert_int_equal(file_make_dirs(path("tree/other"), 0755, &err), 0);
	assert_int_equal(file_make_dirs(path("outside"), 0755, &err), 0);
	put("outside/kept", "");
	assert_int_equal(in_own_namespace(remove_around_a_bind_mount), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_stamp_changes_with_what_it_is_of),
	        T(a_file_is_replaced_whole_or_not_at_all),
	        T(folders_are_made_with_all_their_parents),
	        T(reading_keeps_to_its_limit),
	        T(removing_a_tree_does_not_enter_a_bind_mount),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
