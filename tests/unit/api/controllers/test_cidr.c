/* Handing out pod networks. */
#include "tests/unit/unit.h"

#include "api/controllers/cidr.h"

static int init(struct cidr_pool *p, const char *network, unsigned bits, struct err *err)
{
	struct ip_net n;
	assert_true(ip_net_parse(slice_of(network), &n));
	return cidr_pool_init(p, &n, bits, err);
}

static void parts_come_in_order_and_end(void **state)
{
	struct cidr_pool p;
	char text[CIDR_TEXT_MAX];
	struct err err = ERR_INIT;
	assert_int_equal(init(&p, "10.42.0.0/22", 24, &err), 0);
	for (int i = 0; i < 4; i++) {
		char want[32];
		snprintf(want, sizeof want, "10.42.%d.0/24", i);
		assert_true(cidr_pool_next(&p, text));
		assert_string_equal(text, want);
	}
	assert_false(cidr_pool_next(&p, text));
	assert_true(cidr_pool_give(&p, SLICE("10.42.2.0/24")));
	assert_true(cidr_pool_next(&p, text));
	assert_string_equal(text, "10.42.2.0/24");
	cidr_pool_release(&p);
}

static void what_nodes_have_is_not_given_again(void **state)
{
	struct cidr_pool p;
	char text[CIDR_TEXT_MAX];
	struct err err = ERR_INIT;
	assert_int_equal(init(&p, "10.42.0.0/16", 24, &err), 0);
	assert_true(cidr_pool_take(&p, SLICE("10.42.0.0/24")));
	assert_false(cidr_pool_take(&p, SLICE("10.42.0.0/24"))); /* twice */
	assert_false(cidr_pool_take(&p, SLICE("10.43.0.0/24"))); /* not ours */
	assert_false(cidr_pool_take(&p, SLICE("10.42.0.0/25")));
	assert_false(cidr_pool_take(&p, SLICE("garbage")));
	assert_true(cidr_pool_next(&p, text));
	assert_string_equal(text, "10.42.1.0/24");
	cidr_pool_release(&p);
}

static void bad_networks_are_refused_by_name(void **state)
{
	struct cidr_pool p;
	struct err err = ERR_INIT;
	assert_int_not_equal(init(&p, "10.42.0.0/28", 24, &err), 0);
	assert_non_null(strstr(err.msg, "10.42.0.0/28"));
	assert_int_not_equal(init(&p, "fd00::/32", 64, &err), 0);
	assert_int_not_equal(init(&p, "10.0.0.0/24", 64, &err), 0);
}

static void parts_of_ipv6_come_in_order_and_end(void **state)
{
	struct cidr_pool p;
	char text[CIDR_TEXT_MAX];
	struct err err = ERR_INIT;
	assert_int_equal(init(&p, "fd00:42::/62", 64, &err), 0);
	assert_true(cidr_pool_take(&p, SLICE("fd00:42:0:1::/64")));
	assert_false(cidr_pool_take(&p, SLICE("fd00:43:0:1::/64"))); /* not ours */
	assert_false(cidr_pool_take(&p, SLICE("10.42.0.0/24")));
	static const char *const want[] = {"fd00:42::/64", "fd00:42:0:2::/64", "fd00:42:0:3::/64"};
	for (size_t i = 0; i < 3; i++) {
		assert_true(cidr_pool_next(&p, text));
		assert_string_equal(text, want[i]);
	}
	assert_false(cidr_pool_next(&p, text));
	assert_true(cidr_pool_give(&p, SLICE("fd00:42:0:2::/64")));
	assert_true(cidr_pool_next(&p, text));
	assert_string_equal(text, "fd00:42:0:2::/64");
	cidr_pool_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(parts_come_in_order_and_end),
	        cmocka_unit_test(what_nodes_have_is_not_given_again),
	        cmocka_unit_test(parts_of_ipv6_come_in_order_and_end),
	        cmocka_unit_test(bad_networks_are_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
