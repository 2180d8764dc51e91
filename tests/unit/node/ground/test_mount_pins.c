/* Naming what pins a mount. */
#include "tests/unit/unit.h"

#include "node/ground/mount_pins.h"
#include "node/ground/mount_table.h"

#include <fcntl.h>
#include <unistd.h>

static void mount_points_are_counted(void **state)
{
	struct slice table = SLICE("1 2 0:4 net:[1] /run/netns/a rw - nsfs nsfs rw\n"
	                           "3 2 0:4 net:[1] /run/netns/a rw - nsfs nsfs rw\n"
	                           "4 2 0:4 net:[1] /run/netns/ab rw - nsfs nsfs rw\nbroken\n");
	assert_int_equal(mount_count(table, "/run/netns/a"), 2);
	assert_int_equal(mount_count(table, "/run/netns"), 0);
	assert_int_equal(mount_count(SLICE(""), "/x"), 0);
}

static void the_path_is_found_in_a_message(void **state)
{
	char path[64], small[12];
	assert_true(mount_path_in(
	        "failed to remove netns \"/var/run/netns/cni-1a-b\": device or resource busy", path, sizeof path));
	assert_string_equal(path, "/run/netns/cni-1a-b");
	assert_false(mount_path_in("no such container", path, sizeof path));
	assert_false(mount_path_in("/run/netns/cni-1a-b", small, sizeof small));
}

static void who_holds_a_file_open_is_named(void **state)
{
	char dir[] = "/tmp/k3x-pins-XXXXXX", file[64], self[32];
	struct strbuf b = STRBUF_INIT;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/f", dir);
	snprintf(self, sizeof self, "pid %d ", getpid());
	mount_pins(dir, &b);
	assert_string_equal(strbuf_cstr(&b), "nothing that can be seen");
	int fd = open(file, O_CREAT | O_RDWR, 0600);
	strbuf_reset(&b);
	mount_pins(dir, &b);
	assert_non_null(strstr(strbuf_cstr(&b), self));
	close(fd);
	unlink(file);
	rmdir(dir);
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(mount_points_are_counted),
	        cmocka_unit_test(the_path_is_found_in_a_message),
	        cmocka_unit_test(who_holds_a_file_open_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
