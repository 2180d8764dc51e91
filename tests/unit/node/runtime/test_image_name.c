/* Names of images: which are none, and what a name without a tag means. */
#include "tests/unit/unit.h"

#include "node/runtime/image_name.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void names_that_registries_take_are_taken(void **state)
{
	static const char *const good[] = {"busybox", "busybox:1", "box:1.36-musl_x", "library/busybox", "a/b/c/d:tag",
	        "host:5000/a/b", "host.test/a", "localhost/a:1", "127.0.0.1:1/nothing:1", "[2001:db8::1]:5000/a",
	        "Registry.Test/a", "a__b/c-d.e", "a--b", "busybox@sha256:" HEX, "busybox:1@sha256:" HEX,
	        "k3x.io/pause:1"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct err err = ERR_INIT;
		if (image_name_check(good[i], &err) != 0)
			print_message("%s\n", good[i]);
		assert_int_equal(err.code, 0);
	}
}

static void names_that_nobody_takes_are_refused(void **state)
{
	static const char *const bad[] = {"", " ", "UPPER", "a b", "a:", ":1", "a//b", "/a", "a/", "a:b:c", "a@",
	        "a@sha256", "a@sha256:xyz", "a@sha256:123", "-a", "a-", "a.._b", "a___b", "http://host/a",
	        "host:99999/a", "[::1/a", "a:-tag", "a:t@g", "host:5000/", "a\n", "$(x)"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = ERR_INIT;
		if (image_name_check(bad[i], &err) == 0)
			print_message("'%s'\n", bad[i]);
		assert_int_equal(err.code, ERR_INVAL);
	}
}

static void a_name_may_not_be_endless(void **state)
{
	char name[400];
	struct err err = ERR_INIT;
	memset(name, 'a', sizeof name);
	name[255] = 0;
	assert_int_equal(image_name_check(name, &err), 0);
	name[255] = 'a';
	name[256] = 0;
	assert_int_equal(image_name_check(name, &err), ERR_INVAL);
}

static void without_a_policy_the_latest_is_always_pulled(void **state)
{
	assert_string_equal(image_default_policy("busybox"), "Always");
	assert_string_equal(image_default_policy("busybox:latest"), "Always");
	assert_string_equal(image_default_policy("busybox:1"), "IfNotPresent");
	assert_string_equal(image_default_policy("host:5000/busybox"), "Always");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_that_registries_take_are_taken),
	        cmocka_unit_test(names_that_nobody_takes_are_refused),
	        cmocka_unit_test(a_name_may_not_be_endless),
	        cmocka_unit_test(without_a_policy_the_latest_is_always_pulled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
