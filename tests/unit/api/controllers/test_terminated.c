/* Which pods that have ended go first. */
#include "tests/unit/unit.h"

#include "api/controllers/terminated.h"

static void only_what_is_too_much_goes(void **state)
{
	assert_int_equal(terminated_excess(12500, 12500), 0);
	assert_int_equal(terminated_excess(12503, 12500), 3);
	assert_int_equal(terminated_excess(7, 0), 0);
}

static void evicted_ones_first_then_the_oldest(void **state)
{
	struct terminated_pod p[] = {{.key = SLICE("b"), .created_s = 5}, {.key = SLICE("young"), .created_s = 9},
	        {.key = SLICE("a"), .created_s = 5}, {.key = SLICE("evicted"), .created_s = 8, .is_evicted = true},
	        {.key = SLICE("old"), .created_s = 1}};
	static const char *const want[] = {"evicted", "old", "a", "b", "young"};
	terminated_sort(p, 5);
	for (size_t i = 0; i < 5; i++)
		assert_true(slice_is(p[i].key, want[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(only_what_is_too_much_goes),
	        cmocka_unit_test(evicted_ones_first_then_the_oldest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
