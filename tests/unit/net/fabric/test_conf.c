/* flannel's net-conf.json, as far as it means something here. */
#include "net/fabric/conf.h"

#include "tests/unit/unit.h"

static struct err err;
static const char cluster[] = "10.42.0.0/16,fd00:42::/56";

static void what_the_file_says_is_so(void **state)
{
	enum fabric_backend backend = FABRIC_VXLAN;
	struct fabric_conf c;
	assert_int_equal(fabric_conf_parse(SLICE("{}"), cluster, &backend, &c, &err), 0);
	assert_memory_equal(&c, &fabric_conf_default, sizeof c);
	assert_int_equal(
	        fabric_conf_parse(SLICE("{\"Network\":\"10.42.0.0/16\",\"EnableIPv4\":true,\"EnableIPv6\":true,"
	                                "\"IPv6Network\":\"fd00:42::/56\",\"Backend\":{\"VNI\":4096,\"Type\":\"vxlan\","
	                                "\"Port\":4789,\"DirectRouting\":true,\"MTU\":9000}}"),
	                cluster, &backend, &c, &err),
	        0);
	assert_true(c.vni == 4096 && c.vxlan_port == 4789 && c.is_direct && c.mtu == 9000);
	assert_int_equal(
	        fabric_conf_parse(SLICE("{\"Backend\":{\"PersistentKeepaliveInterval\":0,\"ListenPort\":1000,"
	                                "\"ListenPortV6\":1001,\"Mode\":\"separate\",\"Type\":\"wireguard\"}}"),
	                cluster, &backend, &c, &err),
	        0);
	assert_int_equal(backend, FABRIC_WIREGUARD);
	assert_true(c.wireguard_ports[IP_V4] == 1000 && c.wireguard_ports[IP_V6] == 1001 && c.keepalive_s == 0);
}

static void what_is_odd_is_named(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	        {"[]", "an object is wanted"},
	        {"{", "offset"},
	        {"{\"Network\":\"10.0.0.0/8\"}", "Network: the cluster has 10.42.0.0/16"},
	        {"{\"Network\":7}", "Network: not a network of IPv4"},
	        {"{\"IPv6Network\":\"10.42.0.0/16\"}", "IPv6Network: not a network of IPv6"},
	        {"{\"EnableIPv6\":false}", "EnableIPv6: the cluster is otherwise"},
	        {"{\"SubnetLen\":24}", "SubnetLen: it does nothing here"},
	        {"{\"Backend\":[]}", "Backend: an object is wanted"},
	        {"{\"Backend\":{\"Type\":\"udp\"}}", "Backend: Type: vxlan, host-gw or wireguard"},
	        {"{\"Backend\":{\"VNI\":16777216}}", "Backend: VNI: a whole number of 1 to 16777215"},
	        {"{\"Backend\":{\"Port\":\"8472\"}}", "Backend: Port: a whole number"},
	        {"{\"Backend\":{\"GBP\":true}}", "Backend: GBP: it does nothing here"},
	        {"{\"Backend\":{\"DirectRouting\":1}}", "Backend: DirectRouting: true or false"},
	        {"{\"Backend\":{\"Type\":\"host-gw\",\"VNI\":1}}", "Backend: VNI: it is no setting of this backend"},
	        {"{\"Backend\":{\"Type\":\"wireguard\",\"Mode\":\"auto\"}}", "Backend: Mode: \"separate\""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum fabric_backend backend = FABRIC_VXLAN;
		struct fabric_conf c;
		err = ERR_INIT;
		assert_int_equal(fabric_conf_parse(slice_of(rows[i].text), cluster, &backend, &c, &err), ERR_INVAL);
		if (!strstr(err.msg, rows[i].want))
			fail_msg("%s: %s", rows[i].text, err.msg);
		assert_int_equal(backend, FABRIC_VXLAN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_the_file_says_is_so),
	        cmocka_unit_test(what_is_odd_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
