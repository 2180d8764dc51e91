/* See backend.h. The overlay adds the heads of Ethernet, VXLAN, UDP and of the family beneath. */
#include "net/fabric/backend.h"

#include "base/check.h"
#include "net/fabric/netlink.h"

#include <net/if.h>
#include <string.h>

enum { HEAD_V4_BYTES = 50, HEAD_V6_BYTES = 70, MTU_MIN = 576 };

bool fabric_backend_parse(const char *text, enum fabric_backend *ret)
{
	static const char *const names[] = {"none", "vxlan", "host-gw"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum fabric_backend)i;
			return true;
		}
	return false;
}

int fabric_link_beneath(const char *iface, const struct ip *node_ip)
{
	return iface ? (int)if_nametoindex(iface) : netlink_link_of(node_ip);
}

unsigned fabric_overlay_head(enum ip_family f)
{
	return f == IP_V6 ? HEAD_V6_BYTES : HEAD_V4_BYTES;
}

static unsigned mtu_of(enum fabric_backend backend, const char *iface, const struct ip *ip)
{
	int link = fabric_link_beneath(iface, ip);
	unsigned mtu = link ? netlink_link_mtu(link) : 0, head = fabric_overlay_head(ip->family);
	if (backend == FABRIC_VXLAN)
		return mtu > head + MTU_MIN ? mtu - head : 0;
	return mtu;
}

unsigned fabric_pod_mtu(enum fabric_backend backend, const char *iface, const char *node_ip, const char *node_ip_other)
{
	struct ip first, other;
	if (!ip_parse(slice_of(node_ip), &first))
		return 0;
	unsigned mtu = mtu_of(backend, iface, &first);
	if (!node_ip_other || !ip_parse(slice_of(node_ip_other), &other))
		return mtu;
	unsigned mtu_other = mtu_of(backend, iface, &other);
	return mtu_other < mtu ? mtu_other : mtu;
}
