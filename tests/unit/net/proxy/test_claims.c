/* Who gets an address that two services name. */
#include "tests/unit/unit.h"

#include "net/proxy/claims_int.h"

static struct claims claims;
static struct claimant old, young, other;

static int setup(void **state)
{
	claims_init(&claims);
	claimant_init(&old, SLICE("z/old"));
	claimant_init(&young, SLICE("a/young"));
	claimant_init(&other, SLICE("b/other"));
	old.rank = "2026-01-01T00:00:00Z";
	young.rank = other.rank = "2026-01-02T00:00:00Z";
	return 0;
}

static int teardown(void **state)
{
	claims_drop(&claims, &old);
	claims_drop(&claims, &young);
	claims_drop(&claims, &other);
	claims_release(&claims);
	return 0;
}

#define PLACE SLICE("192.0.2.1 tcp 80")

static void the_first_by_creation_has_it(void **state)
{
	assert_null(claims_winner(&claims, PLACE));
	claims_add(&claims, &young, PLACE);
	assert_ptr_equal(claims_winner(&claims, PLACE), &young);
	claims_add(&claims, &old, PLACE);
	claims_add(&claims, &old, PLACE);
	assert_ptr_equal(claims_winner(&claims, PLACE), &old);
	claims_drop(&claims, &old);
	assert_ptr_equal(claims_winner(&claims, PLACE), &young);
}

static void of_one_second_the_name_decides(void **state)
{
	claims_add(&claims, &other, PLACE);
	claims_add(&claims, &young, PLACE);
	assert_ptr_equal(claims_winner(&claims, PLACE), &young);
}

static void count(struct claimant *rival, void *arg)
{
	assert_ptr_equal(rival, &young);
	++*(int *)arg;
}

static void rivals_are_those_of_the_same_place(void **state)
{
	int n = 0;
	claims_add(&claims, &old, PLACE);
	claims_add(&claims, &young, PLACE);
	claims_add(&claims, &other, SLICE("192.0.2.1 udp 80"));
	claims_each_rival(&old, count, &n);
	assert_int_equal(n, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(the_first_by_creation_has_it),
	        T(of_one_second_the_name_decides),
	        T(rivals_are_those_of_the_same_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
