/* jepsen/check_bank: no read sees money made or lost. */
#include "tests/unit/jepsen/histories.h"

#define BALANCE(key, value) HISTORY_ITEM_INIT(HISTORY_READ, key, value)

static void begin_bank(const char *negative)
{
	begin("bank");
	history_set(&h, "total", "100");
	history_set(&h, "negative", negative);
	R(0, INVOKE, READ);
}

static void balances_that_add_up_are_valid(void **state)
{
	begin_bank("allowed");
	R(0, OK, READ, ITEMS(BALANCE("a", -50), BALANCE("b", 150)));
	expect_valid("bank");
}

static void a_wrong_total_is_invalid(void **state)
{
	begin_bank("forbidden");
	R(0, OK, READ, ITEMS(BALANCE("a", 50), BALANCE("b", 49)));
	expect_invalid("bank", "wrong total");
}

static void a_negative_balance_is_invalid_where_forbidden(void **state)
{
	begin_bank("forbidden");
	R(0, OK, READ, ITEMS(BALANCE("a", -50), BALANCE("b", 150)));
	expect_invalid("bank", "negative balance");
}

static void an_account_twice_is_invalid(void **state)
{
	begin_bank("forbidden");
	R(0, OK, READ, ITEMS(BALANCE("a", 50), BALANCE("a", 50)));
	expect_invalid("bank", "account read twice");
}

static void a_missing_account_is_invalid(void **state)
{
	begin_bank("forbidden");
	R(0, OK, READ, ITEMS(BALANCE("a", 100), BALANCE("b", 0)));
	R(0, INVOKE, READ);
	R(0, OK, READ, ITEMS(BALANCE("a", 100)));
	expect_invalid("bank", "account missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(balances_that_add_up_are_valid),
	        cmocka_unit_test(a_wrong_total_is_invalid),
	        cmocka_unit_test(a_negative_balance_is_invalid_where_forbidden),
	        cmocka_unit_test(an_account_twice_is_invalid),
	        cmocka_unit_test(a_missing_account_is_invalid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
