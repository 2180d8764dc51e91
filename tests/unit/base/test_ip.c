/* Addresses and networks of both families. */
#include "base/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct ip ip_of(const char *text)
{
	struct ip ip;
	assert_true(ip_parse(slice_of(text), &ip));
	return ip;
}

static struct ip_net net_of(const char *text)
{
	struct ip_net n;
	assert_true(ip_net_parse(slice_of(text), &n));
	return n;
}

static void is_written(const struct ip *ip, const char *want)
{
	char text[IP_TEXT_MAX];
	assert_string_equal(ip_write(ip, text), want);
}

static void addresses_have_one_text(void **state)
{
	static const char *const pairs[][2] = {{"10.0.0.1", "10.0.0.1"}, {"fd00:42::1", "fd00:42::1"},
	        {"FD00:0042:0:0:0:0:0:1", "fd00:42::1"}, {"::", "::"}, {"::1", "::1"}};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct ip ip = ip_of(pairs[i][0]);
		is_written(&ip, pairs[i][1]);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {"", "10.0.0", "10.0.0.1/8", "fe80::1%eth0", "::ffff:10.0.0.1", "fd00:::1",
	        "localhost", "fd00:1:2:3:4:5:6:7:8", "0123456789012345678901234567890123456789012345678901234567890"};
	struct ip ip = ip_of("10.9.9.9");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(ip_parse(slice_of(bad[i]), &ip));
	is_written(&ip, "10.9.9.9");
}

static void networks_are_read_when_nothing_is_behind_the_prefix(void **state)
{
	static const char *const good[] = {"10.42.0.0/16", "fd00:42::/56", "fd00::/127", "::/0", "1.2.3.4/32"};
	static const char *const bad[] = {"10.42.0.1/16", "fd00:42::1/56", "10.0.0.0", "10.0.0.0/33", "fd00::/129",
	        "10.0.0.0/", "/8", "fd00:42:0:1::/63"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char text[IP_NET_TEXT_MAX];
		struct ip_net n = net_of(good[i]);
		assert_string_equal(ip_net_write(&n, text), good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct ip_net n;
		assert_false(ip_net_parse(slice_of(bad[i]), &n));
	}
}

static void a_network_knows_what_is_in_it(void **state)
{
	struct ip_net v4 = net_of("10.42.0.0/15"), v6 = net_of("fd00:42::/60");
	struct ip in4 = ip_of("10.43.255.255"), out4 = ip_of("10.44.0.0"), in6 = ip_of("fd00:42:0:f::1"),
	          out6 = ip_of("fd00:42:0:10::1");
	assert_true(ip_net_contains(&v4, &in4));
	assert_false(ip_net_contains(&v4, &out4));
	assert_true(ip_net_contains(&v6, &in6));
	assert_false(ip_net_contains(&v6, &out6));
	assert_false(ip_net_contains(&v6, &in4));
	struct ip_net inner = net_of("fd00:42:0:3::/64"), beside = net_of("fd00:43::/60");
	assert_true(ip_net_overlaps(&v6, &inner));
	assert_true(ip_net_overlaps(&inner, &v6));
	assert_false(ip_net_overlaps(&v6, &beside));
	assert_false(ip_net_overlaps(&v6, &v4));
}

static void addresses_of_a_network_have_numbers(void **state)
{
	struct ip_net v4 = net_of("10.42.0.0/16"), v6 = net_of("fd00:42::/56"), all = net_of("::/0");
	struct ip a = ip_net_at(&v4, 258, 0), b = ip_net_at(&v6, 258, 0), part4 = ip_net_at(&v4, 3, 8),
	          part6 = ip_net_at(&v6, 255, 64);
	uint64_t i;
	is_written(&a, "10.42.1.2");
	is_written(&b, "fd00:42::102");
	is_written(&part4, "10.42.3.0");
	is_written(&part6, "fd00:42:0:ff::");
	assert_true(ip_net_index(&v6, &b, 0, &i) && i == 258);
	assert_true(ip_net_index(&v6, &part6, 64, &i) && i == 255);
	assert_false(ip_net_index(&v4, &b, 0, &i));
	assert_false(ip_net_index(&all, &part6, 0, &i));
	assert_int_equal(ip_net_count(&v4), 65536);
	assert_true(ip_net_count(&v6) == UINT64_C(1) << 63);
}

static void a_list_has_at_most_one_of_each_family(void **state)
{
	struct ip_nets nets;
	struct ip_list list;
	struct err err = ERR_INIT;
	assert_int_equal(ip_nets_parse("fd00:42::/56, 10.42.0.0/16", &nets, &err), 0);
	assert_int_equal(nets.count, 2);
	assert_int_equal(nets.items[0].first.family, IP_V6);
	assert_ptr_equal(ip_nets_of(&nets, IP_V4), &nets.items[1]);
	assert_int_equal(ip_list_parse("10.0.0.1", &list, &err), 0);
	assert_int_equal(list.count, 1);
	assert_null(ip_list_of(&list, IP_V6));
	static const struct {
		const char *text, *why;
	} bad[] = {{"10.42.0.0/16,10.43.0.0/16", "both are IPv4"},
	        {"10.42.0.0/16,fd00::/56,fd01::/56", "more than two"}, {"10.42.0.0/16,", "\"\" is not a range"},
	        {"", "\"\" is not a range"}, {"10.42.0.1/16", "not a range"}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err = ERR_INIT;
		assert_int_equal(ip_nets_parse(bad[i].text, &nets, &err), ERR_INVAL);
		assert_non_null(strstr(err.msg, bad[i].why));
	}
	err = ERR_INIT;
	assert_int_equal(ip_list_parse("fd00::1,fd00::2", &list, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "both are IPv6"));
}

static void families_have_names(void **state)
{
	enum ip_family f;
	assert_true(ip_family_parse(SLICE("IPv6"), &f) && f == IP_V6);
	assert_string_equal(ip_family_name(f), "IPv6");
	assert_false(ip_family_parse(SLICE("ipv4"), &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(addresses_have_one_text),
	        cmocka_unit_test(what_is_no_address_is_refused),
	        cmocka_unit_test(networks_are_read_when_nothing_is_behind_the_prefix),
	        cmocka_unit_test(a_network_knows_what_is_in_it),
	        cmocka_unit_test(addresses_of_a_network_have_numbers),
	        cmocka_unit_test(a_list_has_at_most_one_of_each_family),
	        cmocka_unit_test(families_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
