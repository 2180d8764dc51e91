/* How many calls of the pod resources API are answered. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "node/server/pod_resources_int.h"

static void so_many_at_once_and_so_many_a_second(void **state)
{
	struct call_limit l = {100, 10, 10000, 1000};
	for (int i = 0; i < 10; i++)
		assert_true(call_limit_take(&l, 1000));
	assert_false(call_limit_take(&l, 1000));
	assert_false(call_limit_take(&l, 1009));
	assert_true(call_limit_take(&l, 1010));
	assert_false(call_limit_take(&l, 1011));
	for (int i = 0; i < 10; i++)
		assert_true(call_limit_take(&l, 1000000));
	assert_false(call_limit_take(&l, 1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(so_many_at_once_and_so_many_a_second)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
