/* Sets of CPUs as texts and back. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "node/ground/cpu_set.h"

static const char *again(const char *text)
{
	static struct arena a;
	struct cpu_set s;
	return cpu_set_parse(slice_of(text), &s) ? cpu_set_text(&s, &a) : "none";
}

static void texts_go_through(void **state)
{
	assert_string_equal(again(""), "");
	assert_string_equal(again("3"), "3");
	assert_string_equal(again("0-3,8\n"), "0-3,8");
	assert_string_equal(again("2,1,0,5-5"), "0-2,5");
	assert_string_equal(again("1023"), "1023");
}

static void what_is_none_is_told(void **state)
{
	static const char *const broken[] = {"x", "1-", "-1", "3-1", "1,", ",1", "1024", "0-5000", "1-2-3"};
	for (size_t i = 0; i < COUNT_OF(broken); i++)
		assert_string_equal(again(broken[i]), "none");
}

static void sets_are_joined_and_parted(void **state)
{
	struct arena a = ARENA_INIT;
	struct cpu_set x, y;
	assert_true(cpu_set_parse(SLICE("0-3"), &x) && cpu_set_parse(SLICE("2-5"), &y));
	struct cpu_set all = cpu_set_union(&x, &y), less = cpu_set_without(&x, &y), both = cpu_set_common(&x, &y);
	assert_string_equal(cpu_set_text(&all, &a), "0-5");
	assert_string_equal(cpu_set_text(&less, &a), "0-1");
	assert_string_equal(cpu_set_text(&both, &a), "2-3");
	assert_int_equal(cpu_set_count(&all), 6);
	cpu_set_del(&both, 2);
	assert_false(cpu_set_has(&both, 2));
	assert_false(cpu_set_equal(&both, &all));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(texts_go_through),
	        cmocka_unit_test(what_is_none_is_told),
	        cmocka_unit_test(sets_are_joined_and_parted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
