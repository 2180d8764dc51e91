/* See bridge.h. */
#include "node/runtime/bridge.h"

#include "base/log.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

bool bridge_may_have(const struct ip *ip, const char *cidrs)
{
	struct slice rest = slice_of(cidrs);
	struct ip_net n;
	bool is_link_local = ip->family == IP_V6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
	while (rest.ptr)
		if (ip_net_parse(slice_cut(&rest, ','), &n) && ip_net_contains(&n, ip))
			return true;
	return is_link_local || ip->family != IP_V6;
}

static unsigned prefix_of(const void *netmask)
{
	const struct sockaddr_in6 *m = netmask;
	unsigned n = 0;
	for (size_t i = 0; m && i < sizeof m->sin6_addr; i++)
		n += (unsigned)__builtin_popcount(m->sin6_addr.s6_addr[i]);
	return n;
}

static void drop(int fd, const char *bridge, const struct ifaddrs *i, const struct ip *ip)
{
	char text[IP_TEXT_MAX];
	struct in6_ifreq r = {.ifr6_prefixlen = prefix_of(i->ifa_netmask), .ifr6_ifindex = (int)if_nametoindex(bridge)};
	memcpy(&r.ifr6_addr, ip->bytes, sizeof r.ifr6_addr);
	if (ioctl(fd, SIOCDIFADDR, &r) == 0)
		log_info("node", "an address of another pod network is taken from the bridge", "bridge=%s address=%s",
		        bridge, ip_write(ip, text));
	else
		log_warn("node", "an address of another pod network stays on the bridge",
		        "bridge=%s address=%s error=\"%s\"", bridge, ip_write(ip, text), strerror(errno));
}

void bridge_drop_strange_addresses(const char *bridge, const char *cidrs)
{
	struct ifaddrs *all = NULL;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && getifaddrs(&all) == 0) {
		for (struct ifaddrs *i = all; i; i = i->ifa_next) {
			struct ip ip = {.family = IP_V6};
			if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET6 || strcmp(i->ifa_name, bridge) != 0)
				continue;
			memcpy(ip.bytes, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr,
			        sizeof ip.bytes);
			if (!bridge_may_have(&ip, cidrs))
				drop(fd, bridge, i, &ip);
		}
		freeifaddrs(all);
	}
	if (fd >= 0)
		close(fd);
}
