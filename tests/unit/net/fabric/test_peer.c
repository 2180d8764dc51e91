/* What the fabric reads of a node. */
#include "net/fabric/fabric.h"
#include "net/fabric/peer.h"

#include "tests/unit/unit.h"

static void networks_are_read_with_care(void **state)
{
	static const char *const bad[] = {"", "10.42.1.0", "10.42.1.0/", "10.42.1.0/33", "10.42.1.0/0", "10.42.1.1/24",
	        "10.42.1/24", "fd00::1/64", "::/0", "10.42.1.0/24x", "999.1.1.0/24"};
	struct ip_net n;
	assert_true(peer_parse_network(SLICE("10.42.1.0/24"), &n));
	assert_int_equal(n.bits, 24);
	assert_true(peer_parse_network(SLICE("fd00:42:0:1::/64"), &n));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(peer_parse_network(slice_of(bad[i]), &n));
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

static void is_at(const struct peer_end *p, const char *want)
{
	char text[IP_TEXT_MAX];
	assert_string_equal(ip_write(&p->host, text), want);
}

static void a_node_is_read_as_flannel_writes_it(void **state)
{
	struct peer p =
	        peer_read(SLICE("{\"metadata\":{\"annotations\":{\"flannel.alpha.coreos.com/backend-type\":\"vxlan\","
	                        "\"flannel.alpha.coreos.com/backend-data\":\"{\\\"VNI\\\":1,\\\"VtepMAC\\\":"
	                        "\\\"02:00:00:00:00:09\\\"}\",\"flannel.alpha.coreos.com/public-ip\":\"1.2.3.4\"}},"
	                        "\"spec\":{\"podCIDR\":\"10.42.7.0/24\"},\"status\":{\"addresses\":[{\"type\":"
	                        "\"InternalIP\",\"address\":\"10.0.0.7\"}]}}"));
	const struct peer_end *v4 = &p.ends[IP_V4];
	assert_true(v4->has_pods && v4->has_host && v4->has_mac);
	is_at(v4, "1.2.3.4");
	assert_int_equal(v4->mac[5], 9);
	assert_false(p.ends[IP_V6].has_pods || p.ends[IP_V6].has_host || p.ends[IP_V6].has_mac);
	struct peer q =
	        peer_read(SLICE("{\"status\":{\"addresses\":[{\"type\":\"Hostname\",\"address\":\"x\"},{\"type\":"
	                        "\"InternalIP\",\"address\":\"10.0.0.7\"}]}}"));
	assert_true(!q.ends[IP_V4].has_pods && q.ends[IP_V4].has_host && !q.ends[IP_V4].has_mac);
	is_at(&q.ends[IP_V4], "10.0.0.7");
	assert_false(peer_end_equal(v4, &q.ends[IP_V4]));
	assert_true(peer_end_equal(v4, v4));
	q = peer_read(SLICE("{\"metadata\":{\"annotations\":{\"flannel.alpha.coreos.com/public-ip\":\"224.0.0.1\","
	                    "\"flannel.alpha.coreos.com/backend-type\":\"host-gw\"}},\"status\":{\"addresses\":"
	                    "[{\"type\":\"InternalIP\",\"address\":\"127.0.0.1\"}]}}"));
	assert_true(q.backend == FABRIC_HOST_GW && !q.ends[IP_V4].has_host);
	q = peer_read(SLICE("{\"metadata\":{\"annotations\":{\"flannel.alpha.coreos.com/public-ip\":\"10.0.0.7\","
	                    "\"flannel.alpha.coreos.com/public-ip-overwrite\":\"198.51.100.7\","
	                    "\"flannel.alpha.coreos.com/public-ipv6-overwrite\":\"198.51.100.7\"}}}"));
	is_at(&q.ends[IP_V4], "10.0.0.7"); /* others go by what the node itself says */
	assert_true(q.ends[IP_V4].has_overwrite && !q.ends[IP_V6].has_overwrite);
	q = peer_read(SLICE("no json"));
	assert_true(!q.ends[IP_V4].has_pods && !q.ends[IP_V4].has_host && !q.ends[IP_V4].has_mac);
}

static void a_node_of_two_families_is_read_as_flannel_writes_it(void **state)
{
	struct peer p = peer_read(
	        SLICE("{\"metadata\":{\"annotations\":{\"flannel.alpha.coreos.com/backend-type\":\"vxlan\","
	              "\"flannel.alpha.coreos.com/backend-data\":\"null\","
	              "\"flannel.alpha.coreos.com/backend-v6-data\":\"{\\\"VNI\\\":1,\\\"VtepMAC\\\":"
	              "\\\"02:00:00:00:00:06\\\"}\",\"flannel.alpha.coreos.com/public-ipv6\":\"fd01::7\"}},"
	              "\"spec\":{\"podCIDR\":\"10.42.7.0/24\",\"podCIDRs\":[\"10.42.7.0/24\","
	              "\"fd00:42:0:7::/64\"]},\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":"
	              "\"fe80::1\"},{\"type\":\"InternalIP\",\"address\":\"10.0.0.7\"}]}}"));
	const struct peer_end *v4 = &p.ends[IP_V4], *v6 = &p.ends[IP_V6];
	char text[IP_NET_TEXT_MAX];
	assert_true(v4->has_pods && v4->has_host && !v4->has_mac);
	assert_true(v6->has_pods && v6->has_host && v6->has_mac);
	is_at(v4, "10.0.0.7");
	is_at(v6, "fd01::7");
	assert_string_equal(ip_net_write(&v6->pods, text), "fd00:42:0:7::/64");
	assert_int_equal(v6->mac[5], 6);
	p = peer_read(
	        SLICE("{\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"fe80::1\"},{\"type\":"
	              "\"InternalIP\",\"address\":\"ff02::1\"},{\"type\":\"InternalIP\",\"address\":\"::1\"}]}}"));
	assert_false(p.ends[IP_V6].has_host);
}

#define PUBLIC_KEY "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define OF_KEY(type, key) \
	"{\"metadata\":{\"annotations\":{\"flannel.alpha.coreos.com/backend-type\":\"" type "\"," \
	"\"flannel.alpha.coreos.com/backend-data\":\"{\\\"PublicKey\\\":\\\"" key "\\\"}\"," \
	"\"flannel.alpha.coreos.com/backend-v6-data\":\"{\\\"PublicKey\\\":\\\"" key "\\\"}\"," \
	"\"flannel.alpha.coreos.com/public-ip\":\"1.2.3.4\"}}}"

static void a_key_of_wireguard_is_read_as_flannel_writes_it(void **state)
{
	struct peer p = peer_read(SLICE(OF_KEY("wireguard", PUBLIC_KEY))),
	            q = peer_read(SLICE(OF_KEY("vxlan", PUBLIC_KEY)));
	const struct peer_end *v4 = &p.ends[IP_V4], *v6 = &p.ends[IP_V6];
	assert_true(p.backend == FABRIC_WIREGUARD && v4->has_key && v6->has_key && !v4->has_mac);
	assert_int_equal(v4->key.bytes[0], 0x85);
	assert_true(peer_end_is_same(v4, v6));
	assert_false(peer_end_is_same(v4, &q.ends[IP_V4]));
	assert_false(peer_end_equal(v4, &q.ends[IP_V4]));
	assert_true(q.backend == FABRIC_VXLAN && !q.ends[IP_V4].has_key);
	p = peer_read(SLICE(OF_KEY("wireguard", "c2hvcnQ=")));
	assert_false(p.ends[IP_V4].has_key || p.ends[IP_V6].has_key);
}

static void ends_without_an_identity_are_never_the_same(void **state)
{
	struct peer_end a = {0}, b = {0};
	assert_true(peer_end_equal(&a, &b));
	assert_false(peer_end_is_same(&a, &b));
	a.has_mac = b.has_mac = true;
	a.mac[5] = b.mac[5] = 1;
	assert_true(peer_end_is_same(&a, &b));
	b.mac[5] = 2;
	assert_false(peer_end_is_same(&a, &b));
}

static void backends_have_names(void **state)
{
	enum fabric_backend b = FABRIC_NONE;
	assert_true(fabric_backend_parse("host-gw", &b) && b == FABRIC_HOST_GW);
	assert_true(fabric_backend_parse("vxlan", &b) && b == FABRIC_VXLAN);
	assert_true(fabric_backend_parse("wireguard-native", &b) && b == FABRIC_WIREGUARD);
	assert_false(fabric_backend_parse("wireguard", &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(networks_are_read_with_care),
	        cmocka_unit_test(hardware_addresses_are_read_with_care),
	        cmocka_unit_test(a_node_is_read_as_flannel_writes_it),
	        cmocka_unit_test(a_node_of_two_families_is_read_as_flannel_writes_it),
	        cmocka_unit_test(a_key_of_wireguard_is_read_as_flannel_writes_it),
	        cmocka_unit_test(ends_without_an_identity_are_never_the_same),
	        cmocka_unit_test(backends_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
