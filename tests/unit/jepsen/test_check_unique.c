/* jepsen/check_unique: an id is given out once. */
#include "tests/unit/jepsen/histories.h"

static void generate(int process, int64_t id)
{
	R(process, INVOKE, GENERATE);
	R(process, OK, GENERATE, o.value = id);
}

static void different_ids_are_valid(void **state)
{
	begin("unique");
	generate(0, 5);
	generate(1, 4);
	R(1, INVOKE, GENERATE);
	R(1, INFO, GENERATE);
	expect_valid("unique");
}

static void an_id_twice_is_a_duplicate(void **state)
{
	begin("unique");
	generate(0, 5);
	generate(1, 4);
	generate(2, 5);
	expect_invalid("unique", "duplicate id");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(different_ids_are_valid),
	        cmocka_unit_test(an_id_twice_is_a_duplicate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
