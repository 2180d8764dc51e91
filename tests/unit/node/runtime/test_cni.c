/* What the node writes for CNI plugins. */
#include "node/runtime/cni.h"

#include "tests/unit/unit.h"

static void limits_of_traffic_are_asked_of_their_plugin(void **state)
{
	struct cni_network n = {.pod_cidr = "10.42.1.0/24", .bridge = "cni0", .addresses_dir = "/run/k3x/cni"};
	struct strbuf b = cni_conf_text(&n);
	assert_non_null(strstr(strbuf_cstr(&b), "\"type\": \"bandwidth\""));
	assert_non_null(strstr(strbuf_cstr(&b), "\"bandwidth\": true"));
	strbuf_release(&b);
}

static void subnet_env_is_as_flannel_writes_it(void **state)
{
	struct cni_network n = {.pod_cidr = "fd00:42:0:1::/64,10.42.1.0/24", .mtu = 1430};
	struct strbuf b = cni_subnet_env(&n, "fd00:42::/56,10.42.0.0/16");
	assert_string_equal(strbuf_cstr(&b),
	        "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\n"
	        "FLANNEL_IPV6_NETWORK=fd00:42::/56\nFLANNEL_IPV6_SUBNET=fd00:42:0:1::1/64\n"
	        "FLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n");
	strbuf_release(&b);
	n = (struct cni_network){.pod_cidr = "10.42.1.0/24", .masquerades = true};
	b = cni_subnet_env(&n, "10.42.0.0/16");
	assert_string_equal(
	        strbuf_cstr(&b), "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_IPMASQ=true\n");
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(limits_of_traffic_are_asked_of_their_plugin),
	        cmocka_unit_test(subnet_env_is_as_flannel_writes_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
