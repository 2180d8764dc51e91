/* How many entries of a shared log are asked for. */
#include "store/engine/shared_log.h"

#include "tests/unit/unit.h"

static void more_are_asked_for_where_there_are_many_small_ones(void **state)
{
	int64_t n = shared_log_read_next(0, 0, 0);
	assert_int_equal(n, SHARED_LOG_READ_MIN);
	assert_int_equal(shared_log_read_next(n, 31, 1000), 32); /* that was all */
	assert_int_equal(n = shared_log_read_next(n, 32, 1000), 64);
	for (int i = 0; i < 20; i++)
		n = shared_log_read_next(n, (size_t)n, 1000);
	assert_int_equal(n, SHARED_LOG_READ_MAX);
}

static void fewer_are_asked_for_where_they_are_large(void **state)
{
	assert_int_equal(shared_log_read_next(64, 64, SHARED_LOG_READ_BYTES), 64);
	assert_int_equal(shared_log_read_next(64, 64, SHARED_LOG_READ_BYTES + 1), 32);
	assert_int_equal(shared_log_read_next(32, 32, 100 * SHARED_LOG_READ_BYTES), 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(more_are_asked_for_where_there_are_many_small_ones),
	        cmocka_unit_test(fewer_are_asked_for_where_they_are_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
