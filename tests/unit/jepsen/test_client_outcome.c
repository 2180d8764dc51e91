/* jepsen/client_outcome: what is surely harmless, and that all else is unknown. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "base/wire/grpc.h"
#include "jepsen/client.h"

static void refusals_did_not_happen(void **state)
{
	assert_int_equal(client_outcome_of(GRPC_OK, ""), CLIENT_OK);
	assert_int_equal(client_outcome_of(GRPC_UNAVAILABLE, "connect to 10.77.0.10: connection refused"), CLIENT_FAIL);
	assert_int_equal(client_outcome_of(GRPC_RESOURCE_EXHAUSTED, "etcdserver: too many requests"), CLIENT_FAIL);
	assert_int_equal(
	        client_outcome_of(GRPC_RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded"), CLIENT_FAIL);
	assert_int_equal(client_outcome_of(GRPC_NOT_FOUND, "etcdserver: requested lease not found"), CLIENT_FAIL);
	assert_int_equal(client_outcome_of(GRPC_OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted"),
	        CLIENT_FAIL);
}

static void what_was_under_way_is_unknown(void **state)
{
	static const char *const texts[] = {"etcdserver: request timed out",
	        "etcdserver: request timed out, possibly due to previous leader failure", "etcdserver: leader changed",
	        "etcdserver: server stopped", "etcdserver: no leader", "read from 10.77.0.10: connection reset by peer",
	        "a text that nobody knows"};
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		assert_int_equal(client_outcome_of(GRPC_UNAVAILABLE, texts[i]), CLIENT_INFO);
	assert_int_equal(client_outcome_of(GRPC_DEADLINE_EXCEEDED, "no answer in 2000 ms"), CLIENT_INFO);
	assert_int_equal(client_outcome_of(GRPC_UNKNOWN, ""), CLIENT_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(refusals_did_not_happen), cmocka_unit_test(what_was_under_way_is_unknown)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
