/* Which plugins may register. */
#include "tests/unit/unit.h"

#include "node/devices/registration_int.h"

static const char *refusal(const char *version, const char *endpoint, const char *resource)
{
	static struct err err;
	err = (struct err)ERR_INIT;
	return registration_check(version, endpoint, resource, &err) == 0 ? "" : err.msg;
}

static void an_extended_resource_at_a_socket_of_ours_may(void **state)
{
	assert_string_equal(refusal("v1beta1", "a.sock", "nvidia.com/gpu"), "");
}

static void others_may_not(void **state)
{
	assert_non_null(strstr(refusal("v1", "a.sock", "nvidia.com/gpu"), "API version \"v1\" is not supported"));
	static const char *const names[] = {
	        "cpu", "/gpu", "a.b/", "a/b/c", "kubernetes.io/x", "x.kubernetes.io/y", "a b/c"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_non_null(strstr(refusal("v1beta1", "a.sock", names[i]), "is invalid"));
	assert_non_null(strstr(refusal("v1beta1", "../a.sock", "a/b"), "must be the name of a socket"));
	assert_non_null(strstr(refusal("v1beta1", "", "a/b"), "must be the name of a socket"));
	assert_non_null(strstr(refusal("v1beta1", ".", "a/b"), "must be the name of a socket"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_extended_resource_at_a_socket_of_ours_may),
	        cmocka_unit_test(others_may_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
