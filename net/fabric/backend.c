/* See backend.h. VXLAN adds the heads of Ethernet, VXLAN, UDP and of the family beneath. WireGuard adds that of UDP, 32
 * bytes of its own, and is reckoned to go over IPv6 always, as flannel does it. */
#include "net/fabric/backend.h"

#include "base/check.h"
#include "net/fabric/netlink.h"

#include <net/if.h>
#include <string.h>

enum { MTU_MIN = 576 };

static const unsigned head_bytes[][IP_FAMILIES] = {[FABRIC_NONE] = {0, 0},
        [FABRIC_VXLAN] = {[IP_V4] = 50, [IP_V6] = 70},
        [FABRIC_HOST_GW] = {0, 0},
        [FABRIC_WIREGUARD] = {80, 80}};

bool fabric_backend_parse(const char *text, enum fabric_backend *ret)
{
	static const char *const names[] = {"none", "vxlan", "host-gw", "wireguard-native"};
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

unsigned fabric_mtu_on(enum fabric_backend backend, unsigned given, enum ip_family f, int beneath)
{
	unsigned links = beneath ? netlink_link_mtu(beneath) : 0, head = head_bytes[backend][f];
	unsigned mtu = links && given ? given : links;
	return mtu > head + MTU_MIN || !head ? mtu - head : 0;
}

static unsigned mtu_of(enum fabric_backend backend, unsigned given, const char *iface, const struct ip *ip)
{
	return fabric_mtu_on(backend, given, ip->family, fabric_link_beneath(iface, ip));
}

unsigned fabric_pod_mtu(
        enum fabric_backend backend, unsigned given, const char *iface, const char *node_ip, const char *node_ip_other)
{
	struct ip first, other;
	if (!ip_parse(slice_of(node_ip), &first))
		return 0;
	unsigned mtu = mtu_of(backend, given, iface, &first);
	if (!node_ip_other || !ip_parse(slice_of(node_ip_other), &other))
		return mtu;
	unsigned mtu_other = mtu_of(backend, given, iface, &other);
	return mtu_other < mtu ? mtu_other : mtu;
}
