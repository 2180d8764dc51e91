/* Which addresses the pods' bridge may keep. */
#include "tests/unit/unit.h"

#include "node/runtime/bridge.h"

static bool may(const char *address, const char *cidrs)
{
	struct ip ip;
	assert_true(ip_parse(slice_of(address), &ip));
	return bridge_may_have(&ip, cidrs);
}

static void addresses_of_another_network_are_strange(void **state)
{
	assert_true(may("fd00:42:0:1::1", "10.42.1.0/24,fd00:42:0:1::/64"));
	assert_true(may("fe80::1", "fd00:42:0:1::/64"));
	assert_true(may("10.42.7.1", "fd00:42:0:1::/64")); /* the plugin's to see to */
	assert_false(may("fd00:42::1", "10.42.1.0/24,fd00:42:0:1::/64"));
	assert_false(may("fd00:42::1", "10.42.1.0/24"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(addresses_of_another_network_are_strange),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
