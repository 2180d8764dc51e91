/* jepsen/check_lock: one holder at a time. */
#include "tests/unit/jepsen/histories.h"

static void grant(int process, int64_t lease)
{
	R(process, INVOKE, GRANT, o.ttl_ms = 20000);
	R(process, OK, GRANT, o.lease = lease, o.ttl_ms = 20000);
}

static void acquire(int process, int64_t lease)
{
	R(process, INVOKE, ACQUIRE, o.key = "lock", o.lease = lease);
	R(process, OK, ACQUIRE, o.revision = now_s);
}

static void holders_one_after_another_are_valid(void **state)
{
	begin("lock");
	grant(0, 7);
	grant(1, 8);
	acquire(0, 7);
	R(1, INVOKE, ACQUIRE, o.key = "lock", o.lease = 8);
	R(0, INVOKE, RELEASE, o.key = "lock", o.lease = 7);
	R(1, OK, ACQUIRE);
	R(0, OK, RELEASE);
	expect_valid("lock");
}

static void a_holder_whose_lease_ran_out_holds_nothing(void **state)
{
	begin("lock");
	grant(0, 7);
	acquire(0, 7);
	now_s = 21;
	grant(1, 8);
	acquire(1, 8);
	expect_valid("lock");
}

static void two_holders_at_once_are_invalid(void **state)
{
	begin("lock");
	grant(0, 7);
	grant(1, 8);
	acquire(0, 7);
	acquire(1, 8);
	expect_invalid("lock", "two holders");
}

static void a_keepalive_keeps_the_lock(void **state)
{
	begin("lock");
	grant(0, 7);
	acquire(0, 7);
	now_s = 15;
	R(0, INVOKE, KEEPALIVE, o.lease = 7);
	R(0, OK, KEEPALIVE, o.ttl_ms = 20000);
	now_s = 25;
	grant(1, 8);
	acquire(1, 8);
	expect_invalid("lock", "two holders");
}

static void a_revoke_ends_the_hold(void **state)
{
	begin("lock");
	grant(0, 7);
	grant(1, 8);
	acquire(0, 7);
	R(2, INVOKE, REVOKE, o.lease = 7);
	R(2, INFO, REVOKE);
	acquire(1, 8);
	expect_valid("lock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(holders_one_after_another_are_valid),
	        cmocka_unit_test(a_holder_whose_lease_ran_out_holds_nothing),
	        cmocka_unit_test(two_holders_at_once_are_invalid),
	        cmocka_unit_test(a_keepalive_keeps_the_lock),
	        cmocka_unit_test(a_revoke_ends_the_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
