/* What the fabric reads of a node. */
#include "net/fabric/fabric.h"
#include "net/fabric/peer.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>

static void networks_are_read_with_care(void **state)
{
	static const char *const bad[] = {"", "10.42.1.0", "10.42.1.0/", "10.42.1.0/33", "10.42.1.0/0", "10.42.1.1/24",
	        "10.42.1/24", "fd00::/64", "10.42.1.0/24x", "999.1.1.0/24"};
	struct in_addr a;
	int prefix;
	assert_true(peer_parse_network(SLICE("10.42.1.0/24"), &a, &prefix));
	assert_int_equal(prefix, 24);
	assert_int_equal(a.s_addr, inet_addr("10.42.1.0"));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(peer_parse_network(slice_of(bad[i]), &a, &prefix));
}

static void hardware_addresses_are_read_with_care(void **state)
{
	static const char *const bad[] = {"", "00:00:00:00:00:00", "01:00:5e:00:00:01", "02:00:00:00:00",
	        "02:00:00:00:00:0g", "02-00-00-00-00-01", "02:00:00:00:00:001", "0200:00:00:00:01:"};
	unsigned char mac[6];
	assert_true(peer_parse_mac(SLICE("02:aB:00:00:ff:01"), mac));
	assert_memory_equal(mac, "\x02\xab\x00\x00\xff\x01", 6);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(peer_parse_mac(slice_of(bad[i]), mac));
}

static void a_node_is_read_as_flannel_writes_it(void **state)
{
	struct peer p =
	        peer_read(SLICE("{\"metadata\":{\"annotations\":{\"flannel.alpha.coreos.com/backend-type\":\"vxlan\","
	                        "\"flannel.alpha.coreos.com/backend-data\":\"{\\\"VNI\\\":1,\\\"VtepMAC\\\":"
	                        "\\\"02:00:00:00:00:09\\\"}\",\"flannel.alpha.coreos.com/public-ip\":\"1.2.3.4\"}},"
	                        "\"spec\":{\"podCIDR\":\"10.42.7.0/24\"},\"status\":{\"addresses\":[{\"type\":"
	                        "\"InternalIP\",\"address\":\"10.0.0.7\"}]}}"));
	assert_true(p.has_pods && p.has_host && p.has_mac);
	assert_int_equal(p.host.s_addr, inet_addr("1.2.3.4"));
	assert_int_equal(p.mac[5], 9);
	struct peer q =
	        peer_read(SLICE("{\"status\":{\"addresses\":[{\"type\":\"Hostname\",\"address\":\"x\"},{\"type\":"
	                        "\"InternalIP\",\"address\":\"10.0.0.7\"}]}}"));
	assert_true(!q.has_pods && q.has_host && !q.has_mac);
	assert_int_equal(q.host.s_addr, inet_addr("10.0.0.7"));
	assert_false(peer_equal(&p, &q));
	assert_true(peer_equal(&p, &p));
	q = peer_read(SLICE("{\"metadata\":{\"annotations\":{\"flannel.alpha.coreos.com/public-ip\":\"224.0.0.1\","
	                    "\"flannel.alpha.coreos.com/backend-type\":\"host-gw\"}},\"status\":{\"addresses\":"
	                    "[{\"type\":\"InternalIP\",\"address\":\"127.0.0.1\"}]}}"));
	assert_true(q.is_host_gw && !q.has_host);
	q = peer_read(SLICE("no json"));
	assert_true(!q.has_pods && !q.has_host && !q.has_mac);
}

static bool overlap(const char *a, const char *b)
{
	struct in_addr x, y;
	int n, m;
	assert_true(peer_parse_network(slice_of(a), &x, &n) && peer_parse_network(slice_of(b), &y, &m));
	return peer_networks_overlap(x, n, y, m);
}

static void networks_overlap_where_one_contains_the_other(void **state)
{
	assert_true(overlap("10.42.1.0/24", "10.42.1.0/24"));
	assert_true(overlap("10.42.1.0/24", "10.42.1.128/25"));
	assert_true(overlap("10.42.1.5/32", "10.42.0.0/16"));
	assert_true(overlap("0.0.0.0/1", "10.42.1.0/24"));
	assert_false(overlap("10.42.1.0/24", "10.42.2.0/24"));
	assert_false(overlap("128.0.0.0/1", "10.42.2.0/24"));
}

static void backends_have_names(void **state)
{
	enum fabric_backend b = FABRIC_NONE;
	assert_true(fabric_backend_parse("host-gw", &b) && b == FABRIC_HOST_GW);
	assert_true(fabric_backend_parse("vxlan", &b) && b == FABRIC_VXLAN);
	assert_false(fabric_backend_parse("wireguard-native", &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(networks_are_read_with_care),
	        cmocka_unit_test(hardware_addresses_are_read_with_care),
	        cmocka_unit_test(a_node_is_read_as_flannel_writes_it),
	        cmocka_unit_test(networks_overlap_where_one_contains_the_other),
	        cmocka_unit_test(backends_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
