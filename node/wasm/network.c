/* How a sandbox is connected, without a plugin's processes: a pair of links, one in its namespace (eth0), one on the
 * node, to which the node has a route for the sandbox's one address.
 *
 *     sandbox  eth0 10.42.0.7/32, default via 169.254.1.1 (which is the node's end, by a neighbour entry)
 *     node     kwXXXXXXXX, route 10.42.0.7/32; pods on the bridge find it because the bridge answers ARP for it
 *
 * Not on the bridge of ordinary pods, as a bridge has 1,024 ports at most. What goes through is routed, so that service
 * rules and network policies, which know addresses alone, hold for it as for others. Addresses are those of the node's
 * podCIDR: each is a file in the folder of the host-local plugin, which takes none whose file is there, and neither do
 * we.
 *
 * IPv4. What can go wrong: all addresses are given out (a /24 has 253), the kernel has no veth. */
#include "node/wasm/network.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/hash.h"
#include "base/mem/arena.h"
#include "node/ground/files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GATEWAY "169.254.1.1"
static const unsigned char gateway_mac[6] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};

enum { MESSAGE_BYTES = 1024, FULL_PREFIX = 32, SHORTEST_PREFIX = 8, LONGEST_PREFIX = 30 };

/* ---- addresses ---- */

int wasm_network_range(const char *cidr, uint32_t *first, uint32_t *last, struct err *err)
{
	struct in_addr a;
	if (!*cidr)
		return err_set(err, ERR_INVAL,
		        "WebAssembly pods speak IPv4, and the node has no range of it: give the cluster a "
		        "--cluster-cidr of "
		        "both families");
	struct slice rest = slice_of(cidr), text = slice_cut(&rest, '/');
	char host[WASM_ADDRESS_BYTES] = "";
	uint64_t prefix = 0;
	if (text.len < sizeof host)
		memcpy(host, text.ptr, text.len);
	if (inet_pton(AF_INET, host, &a) != 1 || !slice_to_u64(rest, &prefix) || prefix < SHORTEST_PREFIX ||
	        prefix > LONGEST_PREFIX)
		return err_set(err, ERR_INVAL, "WebAssembly pods cannot have addresses of %s", cidr);
	uint32_t mask = ~(uint32_t)0 << (32 - prefix), base = ntohl(a.s_addr) & mask;
	/* The first is the bridge's, the last is for all. */
	*first = base + 2;
	*last = (base | ~mask) - 1;
	return 0;
}

static void address_text(uint32_t address, char text[WASM_ADDRESS_BYTES])
{
	struct in_addr a = {htonl(address)};
	inet_ntop(AF_INET, &a, text, WASM_ADDRESS_BYTES);
}

/* 0: it is ours now; -1: somebody has it; else an errno. */
static int claim(const char *dir, const char *address, const char *box)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/%s", dir, address);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno == EEXIST ? -1 : errno;
	int rc = dprintf(fd, "%s\r\neth0", box) < 0 ? errno : 0;
	close(fd);
	if (rc)
		unlink(path);
	return rc;
}

/* From a place that the box's name picks, so that what was given back is not given out at once. */
static int take_address(
        const struct wasm_network *n, const char *box, char address[WASM_ADDRESS_BYTES], struct err *err)
{
	uint32_t first, last;
	if (wasm_network_range(n->pod_cidr, &first, &last, err) != 0 ||
	        file_make_dirs(n->addresses_dir, 0755, err) != 0)
		return err->code;
	uint32_t count = last - first + 1, begin = fnv1a32_add(FNV1A32_INIT, box, strlen(box)) % count;
	for (uint32_t i = 0; i < count; i++) {
		address_text(first + (begin + i) % count, address);
		int rc = claim(n->addresses_dir, address, box);
		if (rc == 0)
			return 0;
		if (rc > 0)
			return err_errno(err, rc, "take the address %s", address);
	}
	return err_set(err, ERR_NO_SPACE, "no address is left in %s: all %u are given out", n->pod_cidr, count);
}

static void give_address(const struct wasm_network *n, const char *address)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/%s", n->addresses_dir, address);
	unlink(path);
}

/* ---- netlink ---- */

struct message {
	union {
		struct nlmsghdr head;
		char bytes[MESSAGE_BYTES];
	};
};

static void *begin(struct message *m, int type, int flags, size_t body)
{
	memset(m, 0, sizeof *m);
	m->head.nlmsg_type = (uint16_t)type;
	m->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	m->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	return NLMSG_DATA(&m->head);
}

static struct rtattr *add(struct message *m, int type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(m->bytes + NLMSG_ALIGN(m->head.nlmsg_len));
	CHECK(NLMSG_ALIGN(m->head.nlmsg_len) + RTA_SPACE(len) <= MESSAGE_BYTES);
	a->rta_type = (uint16_t)type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	m->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(m->head.nlmsg_len) + RTA_ALIGN(a->rta_len));
	return a;
}

static void end_nest(struct message *m, struct rtattr *a)
{
	a->rta_len = (uint16_t)(m->bytes + m->head.nlmsg_len - (char *)a);
}

/* 0, or the kernel's errno. */
static int ask(int socket_fd, struct message *m)
{
	struct message answer;
	ssize_t n = send(socket_fd, m, m->head.nlmsg_len, 0);
	if (n < 0)
		return errno;
	n = recv(socket_fd, &answer, sizeof answer, 0);
	if (n < 0)
		return errno;
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || answer.head.nlmsg_type != NLMSG_ERROR)
		return EPROTO;
	return -((struct nlmsgerr *)NLMSG_DATA(&answer.head))->error;
}

static int open_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

static int make_pair(int s, const struct wasm_network *n, const char *name, int namespace_fd)
{
	struct message m;
	begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	add(&m, IFLA_IFNAME, name, strlen(name) + 1);
	add(&m, IFLA_ADDRESS, gateway_mac, sizeof gateway_mac);
	if (n->mtu)
		add(&m, IFLA_MTU, &n->mtu, sizeof n->mtu);
	struct rtattr *info = add(&m, IFLA_LINKINFO, NULL, 0);
	add(&m, IFLA_INFO_KIND, "veth", 4);
	struct rtattr *data = add(&m, IFLA_INFO_DATA, NULL, 0);
	struct ifinfomsg other = {0};
	struct rtattr *peer = add(&m, VETH_INFO_PEER, &other, sizeof other);
	add(&m, IFLA_IFNAME, "eth0", 5);
	add(&m, IFLA_NET_NS_FD, &namespace_fd, sizeof namespace_fd);
	if (n->mtu)
		add(&m, IFLA_MTU, &n->mtu, sizeof n->mtu);
	end_nest(&m, peer);
	end_nest(&m, data);
	end_nest(&m, info);
	return ask(s, &m);
}

static int remove_link(int s, const char *name)
{
	struct message m;
	begin(&m, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	add(&m, IFLA_IFNAME, name, strlen(name) + 1);
	return ask(s, &m);
}

static int raise_as(int s, int index, bool with_ipv6_mode)
{
	static const uint8_t none = IN6_ADDR_GEN_MODE_NONE;
	struct message m;
	struct ifinfomsg *i = begin(&m, RTM_NEWLINK, 0, sizeof *i);
	i->ifi_index = index;
	i->ifi_flags = i->ifi_change = IFF_UP;
	if (with_ipv6_mode) {
		struct rtattr *families = add(&m, IFLA_AF_SPEC, NULL, 0), *family = add(&m, AF_INET6, NULL, 0);
		add(&m, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof none);
		end_nest(&m, family);
		end_nest(&m, families);
	}
	return ask(s, &m);
}

/* Without an IPv6 address of its own, for which nobody has use and which takes long with thousands of links; a kernel
 * without IPv6 does not know the words. */
static int raise_link(int s, int index)
{
	return raise_as(s, index, true) == 0 ? 0 : raise_as(s, index, false);
}

/* gateway NULL: the address is on the link itself. */
static int add_route(int s, int index, const char *to, const char *gateway)
{
	struct message m;
	struct in_addr a;
	struct rtmsg *r = begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof *r);
	*r = (struct rtmsg){.rtm_family = AF_INET,
	        .rtm_dst_len = to ? FULL_PREFIX : 0,
	        .rtm_table = RT_TABLE_MAIN,
	        .rtm_protocol = RTPROT_BOOT,
	        .rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
	        .rtm_type = RTN_UNICAST};
	if (to && inet_pton(AF_INET, to, &a) == 1)
		add(&m, RTA_DST, &a, sizeof a);
	if (gateway && inet_pton(AF_INET, gateway, &a) == 1)
		add(&m, RTA_GATEWAY, &a, sizeof a);
	add(&m, RTA_OIF, &index, sizeof index);
	return ask(s, &m);
}

static int set_address(int s, int index, const char *address)
{
	struct message m;
	struct in_addr a;
	struct ifaddrmsg *i = begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof *i);
	*i = (struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = FULL_PREFIX, .ifa_index = (unsigned)index};
	inet_pton(AF_INET, address, &a);
	add(&m, IFA_LOCAL, &a, sizeof a);
	add(&m, IFA_ADDRESS, &a, sizeof a);
	return ask(s, &m);
}

static int set_gateway_neighbour(int s, int index)
{
	struct message m;
	struct in_addr a;
	struct ndmsg *d = begin(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof *d);
	*d = (struct ndmsg){.ndm_family = AF_INET, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT};
	inet_pton(AF_INET, GATEWAY, &a);
	add(&m, NDA_DST, &a, sizeof a);
	add(&m, NDA_LLADDR, gateway_mac, sizeof gateway_mac);
	return ask(s, &m);
}

/* ---- both ends ---- */

static int set_inside(const char *address)
{
	int s = open_netlink(), index = (int)if_nametoindex("eth0"), rc = s < 0 || !index ? errno : 0;
	if (rc == 0 && (rc = set_address(s, index, address)) == 0 && (rc = raise_link(s, index)) == 0 &&
	        (rc = add_route(s, index, GATEWAY, NULL)) == 0 && (rc = add_route(s, index, NULL, GATEWAY)) == 0)
		rc = set_gateway_neighbour(s, index);
	if (s >= 0)
		close(s);
	return rc;
}

/* The thread is in the sandbox's network for the time. */
static int connect_inside(int namespace_fd, const char *address)
{
	int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0 || setns(namespace_fd, CLONE_NEWNET) != 0) {
		int rc = errno;
		if (own >= 0)
			close(own);
		return rc;
	}
	int rc = set_inside(address);
	CHECK(setns(own, CLONE_NEWNET) == 0);
	close(own);
	return rc;
}

static void turn_on(const char *link, const char *what)
{
	char path[128];
	snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/%s", link, what);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? write(fd, "1", 1) : 0;
	(void)n;
	if (fd >= 0)
		close(fd);
}

/* Ordinary pods take all of podCIDR for their neighbours: the bridge answers for those that it has a route to. It is
 * made here when no pod is on it yet; the plugin takes what is there. */
static void prepare_bridge(int s, const char *bridge)
{
	struct message m;
	if (!if_nametoindex(bridge)) {
		begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
		add(&m, IFLA_IFNAME, bridge, strlen(bridge) + 1);
		struct rtattr *info = add(&m, IFLA_LINKINFO, NULL, 0);
		add(&m, IFLA_INFO_KIND, "bridge", 6);
		end_nest(&m, info);
		ask(s, &m);
	}
	turn_on(bridge, "proxy_arp");
}

void wasm_network_link(const char *box, char name[16])
{
	snprintf(name, 16, "kw%08x", fnv1a32_add(FNV1A32_INIT, box, strlen(box)));
}

int wasm_network_add(const struct wasm_network *n, const char *box, int namespace_fd, char address[WASM_ADDRESS_BYTES],
        struct err *err)
{
	char name[16];
	int s = open_netlink();
	if (s < 0)
		return err_errno(err, errno, "open a netlink socket");
	if (take_address(n, box, address, err) != 0) {
		close(s);
		return err->code;
	}
	wasm_network_link(box, name);
	prepare_bridge(s, n->bridge);
	int rc = make_pair(s, n, name, namespace_fd), index = rc ? 0 : (int)if_nametoindex(name);
	if (rc == 0 && (rc = connect_inside(namespace_fd, address)) == 0 && (rc = raise_link(s, index)) == 0)
		rc = add_route(s, index, address, NULL);
	if (rc != 0) {
		if (index)
			remove_link(s, name);
		give_address(n, address);
		err_errno(err, rc, "connect the sandbox to the pod network");
	}
	close(s);
	return err->code;
}

void wasm_network_remove(const struct wasm_network *n, const char *box, const char *address)
{
	char name[16];
	int s = open_netlink();
	wasm_network_link(box, name);
	if (s >= 0) {
		remove_link(s, name);
		close(s);
	}
	give_address(n, address);
}
