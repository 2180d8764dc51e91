/* jepsen/check_lease: keys live as long as their lease promises, and not for ever after. */
#include "tests/unit/jepsen/histories.h"

static void begin_lease(void)
{
	begin("lease");
	history_set(&h, "expiry_bound_ms", "5000");
	R(0, INVOKE, GRANT, o.ttl_ms = 10000); /* at 1 s: lives at least until 11 s */
	R(0, OK, GRANT, o.lease = 7, o.ttl_ms = 10000);
	R(0, INVOKE, PUT, o.key = "k", o.value = 1, o.lease = 7);
	R(0, OK, PUT, o.revision = 2);
}

static void read_at(int64_t second, int64_t value)
{
	now_s = second - 1;
	R(1, INVOKE, READ, o.key = "k");
	R(1, OK, READ, o.value = value, o.mod_revision = value == HISTORY_NIL ? HISTORY_NIL : 2);
}

static void keepalive_at(int64_t second, int64_t ttl_ms)
{
	now_s = second - 1;
	R(0, INVOKE, KEEPALIVE, o.lease = 7);
	R(0, OK, KEEPALIVE, o.ttl_ms = ttl_ms);
}

static void a_key_that_lives_as_promised_is_valid(void **state)
{
	begin_lease();
	keepalive_at(8, 10000);
	read_at(16, 1);
	read_at(22, HISTORY_NIL);
	expect_valid("lease");
}

static void a_key_must_not_go_before_its_lease(void **state)
{
	begin_lease();
	keepalive_at(8, 10000);
	read_at(15, HISTORY_NIL);
	expect_invalid("lease", "key gone before its lease");
}

static void clock_error_is_forgiven(void **state)
{
	begin_lease();
	history_set(&h, "skew_ms", "3000");
	keepalive_at(8, 10000);
	read_at(15, HISTORY_NIL);
	expect_valid("lease");
}

static void a_revoke_may_take_the_key(void **state)
{
	begin_lease();
	R(2, INVOKE, REVOKE, o.lease = 7);
	R(2, INFO, REVOKE);
	read_at(8, HISTORY_NIL);
	expect_valid("lease");
}

static void a_delete_may_take_the_key(void **state)
{
	begin_lease();
	R(2, INVOKE, DELETE, o.key = "k");
	R(2, INFO, DELETE);
	read_at(8, HISTORY_NIL);
	expect_valid("lease");
}

static void a_key_must_go_with_its_revoked_lease(void **state)
{
	begin_lease();
	R(2, INVOKE, REVOKE, o.lease = 7);
	R(2, OK, REVOKE);
	read_at(8, 1);
	expect_invalid("lease", "key outlived its revoked lease");
}

static void a_key_must_go_within_the_bound(void **state)
{
	begin_lease();
	read_at(17, 1);
	read_at(40, 1);
	expect_invalid("lease", "key outlived its lease");
}

static void a_fault_puts_the_bound_off(void **state)
{
	begin_lease();
	size_t fault = history_fault_begin(&h, 5000000000, "partition", 1, "");
	history_fault_end(&h, fault, 30000000000);
	read_at(40, 1);
	expect_valid("lease");
}

static void a_lease_must_not_end_early(void **state)
{
	begin_lease();
	keepalive_at(6, 0);
	expect_invalid("lease", "lease ended early");
}

static void a_revoked_lease_must_not_be_kept_alive(void **state)
{
	begin_lease();
	R(2, INVOKE, REVOKE, o.lease = 7);
	R(2, OK, REVOKE);
	keepalive_at(9, 10000);
	expect_invalid("lease", "lease after its revoke");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_key_that_lives_as_promised_is_valid),
	        cmocka_unit_test(a_key_must_not_go_before_its_lease),
	        cmocka_unit_test(clock_error_is_forgiven),
	        cmocka_unit_test(a_revoke_may_take_the_key),
	        cmocka_unit_test(a_delete_may_take_the_key),
	        cmocka_unit_test(a_key_must_go_with_its_revoked_lease),
	        cmocka_unit_test(a_key_must_go_within_the_bound),
	        cmocka_unit_test(a_fault_puts_the_bound_off),
	        cmocka_unit_test(a_lease_must_not_end_early),
	        cmocka_unit_test(a_revoked_lease_must_not_be_kept_alive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
