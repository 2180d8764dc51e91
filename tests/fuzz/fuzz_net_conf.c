/* flannel's net-conf.json: whatever it holds, what is taken is within what the kernel can be told. */
#include "base/check.h"
#include "net/fabric/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum fabric_backend backend = FABRIC_VXLAN;
	struct fabric_conf c;
	struct err err = ERR_INIT;
	struct slice text = {(const char *)data, size};
	if (fabric_conf_parse(text, "10.42.0.0/16,fd00:42::/56", &backend, &c, &err) != 0) {
		CHECK(err.msg[0] && backend == FABRIC_VXLAN);
		return 0;
	}
	CHECK(backend > FABRIC_NONE && backend < FABRIC_BACKENDS_END);
	CHECK(c.vni > 0 && c.vni < 1 << 24 && c.vxlan_port && c.wireguard_ports[IP_V4] && c.wireguard_ports[IP_V6]);
	CHECK(c.mtu == 0 || c.mtu >= 1280);
	return 0;
}
