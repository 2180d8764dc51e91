/* Addresses as Go's sloppy parsers take them. */
#include "tests/unit/unit.h"

#include "api/machinery/rules/checks_ip.h"

static void addresses_are_parsed_as_go_does(void **state)
{
	static const char *const cases[][2] = {
	        {"10.0.0.1", "10.0.0.1"},
	        {"010.000.00.01", "10.0.0.1"},
	        {"::ffff:10.0.0.1", "10.0.0.1"},
	        {"::FFFF:010.0.0.1", "10.0.0.1"},
	        {"fd00::1", "fd00::1"},
	        {"", NULL},
	        {"10.0.0", NULL},
	        {"10.0.0.256", NULL},
	        {"0x1.0.0.1", NULL},
	        {"fe80::1%eth0", NULL},
	        {"::ffff:", NULL},
	        {"0000000000000000000000000000000000000000000000000000010.0.0.1", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[IP_TEXT_MAX];
		struct ip ip;
		bool good = sloppy_ip_parse(slice_of(cases[i][0]), &ip);
		assert_int_equal(good, cases[i][1] != NULL);
		if (good)
			assert_string_equal(ip_write(&ip, text), cases[i][1]);
	}
}

static void bits_behind_a_prefix_are_cleared(void **state)
{
	char text[IP_NET_TEXT_MAX];
	struct ip_net n;
	assert_true(sloppy_net_parse(SLICE("10.1.2.3/12"), &n));
	assert_string_equal(ip_net_write(&n, text), "10.0.0.0/12");
	assert_true(sloppy_net_parse(SLICE("fd00::1/64"), &n));
	assert_string_equal(ip_net_write(&n, text), "fd00::/64");
	assert_true(sloppy_net_parse(SLICE("0.0.0.0/0"), &n));
	assert_false(sloppy_net_parse(SLICE("10.0.0.0/33"), &n));
	assert_false(sloppy_net_parse(SLICE("10.0.0.0/"), &n));
	assert_false(sloppy_net_parse(SLICE("10.0.0.0"), &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(addresses_are_parsed_as_go_does),
	        cmocka_unit_test(bits_behind_a_prefix_are_cleared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
