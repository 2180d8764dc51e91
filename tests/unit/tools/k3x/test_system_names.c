/* Images of the cluster's own in another registry: which names take it, and what is a registry. */
#include "tools/k3x/system_names.h"

#include "tests/unit/unit.h"

static void names_that_name_no_registry_take_it(void **state)
{
	static const struct {
		const char *registry, *image, *want;
	} rows[] = {{NULL, "k3x/pause:1", "k3x/pause:1"}, {"", "docker.io/k3x/system:1", "docker.io/k3x/system:1"},
	        {"r.test", "k3x/pause:1", "r.test/k3x/pause:1"},
	        {"r.test:5000", "docker.io/k3x/system:1", "r.test:5000/k3x/system:1"},
	        {"r.test", "rancher/klipper-helm:v0.9.8", "r.test/rancher/klipper-helm:v0.9.8"},
	        {"r.test", "busybox:1", "r.test/busybox:1"}, {"r.test", "other.test/a/b", "other.test/a/b"},
	        {"r.test", "localhost/a", "localhost/a"}, {"r.test", "host:5000/a", "host:5000/a"},
	        {"r.test", NULL, NULL}};
	struct arena a = ARENA_INIT;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *got = system_name(&a, rows[i].registry, rows[i].image);
		if (!rows[i].want)
			assert_null(got);
		else
			assert_string_equal(got, rows[i].want);
	}
	arena_release(&a);
}

static void what_is_no_registry_is_told(void **state)
{
	static const char *const good[] = {"r", "r.test", "r-1.test:5000", "10.0.0.1:1"};
	static const char *const bad[] = {"https://r.test", "r.test/path", "r.test:", "r.test:0", "r.test:65536",
	        ":5000", "-r", "r.", "r test", "r.test:5000:1"};
	struct err err = ERR_INIT;
	assert_int_equal(system_names_check(NULL, &err), 0);
	assert_int_equal(system_names_check("", &err), 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (system_names_check(good[i], &err) != 0)
			fail_msg("%s", err.msg);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err = ERR_INIT;
		if (system_names_check(bad[i], &err) != ERR_INVAL || !strstr(err.msg, "--system-default-registry"))
			fail_msg("%s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_that_name_no_registry_take_it),
	        cmocka_unit_test(what_is_no_registry_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
