/* Addresses that nobody uses. */
#include "node/runtime/address_sweep_int.h"

#include "node/ground/files.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/k3x-addresses-XXXXXX";

static const char *path(const char *name)
{
	static char text[200];
	snprintf(text, sizeof text, "%s/%s", dir, name);
	return text;
}

static void give_out(const char *name, const char *text, int64_t at_s)
{
	struct err err = ERR_INIT;
	struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
	assert_int_equal(file_write(path(name), slice_of(text), 0600, &err), 0);
	assert_int_equal(utimensat(AT_FDCWD, path(name), times, 0), 0);
}

static bool is_there(const char *name)
{
	return access(path(name), F_OK) == 0;
}

static void old_ones_of_nobody_go(void **state)
{
	struct map known = MAP_INIT;
	assert_non_null(mkdtemp(dir));
	map_put(&known, SLICE("alive"), &known);
	give_out("10.42.0.2", "alive\r\neth0", 100);
	give_out("10.42.0.3", "dead\r\neth0", 100);
	give_out("10.42.0.4", "dead", 100); /* as older plugins write it */
	give_out("10.42.0.5", "starts\r\neth0", 900);
	give_out("fd00::5", "dead\r\neth0", 100);
	give_out("10.42.0.6", "", 100); /* whoever took it died before he had written who he is */
	give_out("10.42.0.7", "", 900); /* or is just writing it */
	give_out("last_reserved_ip.0", "10.42.0.6", 100);
	give_out("lock", "", 100);
	assert_int_equal(address_sweep_folder(dir, &known, 500), 4);
	assert_true(is_there("10.42.0.2") && is_there("10.42.0.5") && is_there("10.42.0.7"));
	assert_true(is_there("last_reserved_ip.0") && is_there("lock"));
	assert_false(is_there("10.42.0.3") || is_there("10.42.0.4") || is_there("10.42.0.6") || is_there("fd00::5"));
	assert_int_equal(address_sweep_folder(dir, &known, 500), 0);
	assert_int_equal(address_sweep_folder("/nowhere", &known, 500), 0);
	map_release(&known);
	file_remove_tree(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(old_ones_of_nobody_go)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
