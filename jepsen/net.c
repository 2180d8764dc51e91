/* See net.h. */
#include "jepsen/net.h"

#include "base/mem/str.h"
#include "jepsen/command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int own_namespace(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int new_namespace(int *ret, struct err *err)
{
	int back = own_namespace();
	if (back < 0 || unshare(CLONE_NEWNET) != 0)
		return err_errno(err, errno, "make a network namespace");
	*ret = own_namespace();
	if (setns(back, CLONE_NEWNET) != 0)
		return err_errno(err, errno, "go back to the network namespace");
	close(back);
	return *ret < 0 ? err_errno(err, errno, "open the network namespace") : 0;
}

static void offload_off(int s, const char *link, uint32_t what)
{
	struct ethtool_value value = {.cmd = what, .data = 0};
	struct ifreq r = {0};
	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", link);
	r.ifr_data = (void *)&value;
	(void)ioctl(s, SIOCETHTOOL, &r);
}

/* Packets must be whole on the wire, with their checksums: link.h takes them from there. */
static int plain_packets(int ns_fd, struct err *err)
{
	int back = own_namespace();
	if (back < 0 || setns(ns_fd, CLONE_NEWNET) != 0)
		return err_errno(err, errno, "join a network namespace");
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s >= 0) {
		offload_off(s, "eth0", ETHTOOL_STXCSUM);
		offload_off(s, "eth0", ETHTOOL_STSO);
		offload_off(s, "eth0", ETHTOOL_SGSO);
		offload_off(s, "eth0", ETHTOOL_SGRO);
		close(s);
	}
	if (setns(back, CLONE_NEWNET) != 0)
		return err_errno(err, errno, "go back to the network namespace");
	close(back);
	return 0;
}

static int add_node(struct net *n, unsigned i, struct err *err)
{
	struct net_node *node = &n->nodes[i];
	snprintf(node->address, sizeof node->address, "10.77.0.%u", 10 + i);
	if (new_namespace(&node->ns_fd, err) != 0)
		return err->code;
	if (command_line(NAMESPACE_OURS, err, "ip link add v%u type veth peer name eth0 netns /proc/%d/fd/%d", i,
	            (int)getpid(), node->ns_fd) != 0 ||
	        command_line(NAMESPACE_OURS, err, "ip link set v%u master br0 up", i) != 0 ||
	        command_line(node->ns_fd, err, "ip link set lo up") != 0 ||
	        command_line(node->ns_fd, err, "ip addr add %s/24 dev eth0", node->address) != 0 ||
	        command_line(node->ns_fd, err, "ip link set eth0 up") != 0)
		return err_wrap(err, "link of node %u", i);
	return plain_packets(node->ns_fd, err);
}

int net_open(struct net *n, unsigned nodes, struct err *err)
{
	*n = (struct net){.count = nodes};
	for (unsigned i = 0; i < NODES_MAX; i++)
		n->nodes[i].ns_fd = -1;
	if (command_line(NAMESPACE_OURS, err, "ip link set lo up") != 0 ||
	        command_line(NAMESPACE_OURS, err, "ip link add br0 type bridge forward_delay 0") != 0 ||
	        command_line(NAMESPACE_OURS, err, "ip addr add 10.77.0.1/24 dev br0") != 0 ||
	        command_line(NAMESPACE_OURS, err, "ip link set br0 up") != 0)
		return err_wrap(err, "bridge");
	for (unsigned i = 0; i < nodes; i++)
		if (add_node(n, i, err) != 0)
			return err->code;
	return 0;
}

void net_close(struct net *n)
{
	struct err err = ERR_INIT;
	for (unsigned i = 0; i < n->count; i++) {
		if (n->nodes[i].ns_fd < 0)
			continue;
		command_line(NAMESPACE_OURS, &err, "ip link del v%u", i);
		close(n->nodes[i].ns_fd);
		n->nodes[i].ns_fd = -1;
	}
	command_line(NAMESPACE_OURS, &err, "ip link del br0");
}

static int apply_node(struct net *n, unsigned i, struct err *err)
{
	const char *const argv[] = {"nft", "-f", "-", NULL};
	struct net_node *node = &n->nodes[i];
	struct strbuf rules = STRBUF_INIT;
	strbuf_adds(&rules, "flush ruleset\ntable inet jepsen {\n chain in {\n  type filter hook input priority 0;\n");
	for (unsigned j = 0; j < n->count; j++)
		if (j != i && node->deaf_to[j])
			strbuf_addf(&rules, "  ip saddr %s drop\n", n->nodes[j].address);
	for (unsigned j = 0; j < n->count; j++)
		if (j != i && node->loss_percent)
			strbuf_addf(&rules, "  ip saddr %s numgen random mod 100 < %u drop\n", n->nodes[j].address,
			        node->loss_percent);
	strbuf_adds(&rules, " }\n}\n");
	int rc = command_run(node->ns_fd, argv, strbuf_cstr(&rules), NULL, err);
	strbuf_release(&rules);
	return rc;
}

int net_apply(struct net *n, struct err *err)
{
	for (unsigned i = 0; i < n->count; i++)
		if (apply_node(n, i, err) != 0)
			return err_wrap(err, "rules of node %u", i);
	return 0;
}

int net_heal(struct net *n, struct err *err)
{
	for (unsigned i = 0; i < n->count; i++) {
		memset(n->nodes[i].deaf_to, 0, sizeof n->nodes[i].deaf_to);
		n->nodes[i].loss_percent = 0;
	}
	return net_apply(n, err);
}
