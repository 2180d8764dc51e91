/* The pods' network: a CNI configuration of the reference plugins (a bridge cni0, addresses of the node's podCIDR by
 * host-local, host ports by portmap, limits of what a pod sends and gets by bandwidth), and the kernel switches it
 * needs. containerd reads the file by itself.
 *
 * Pods reach each other and the node by their own addresses; what leaves the cluster is masqueraded by the fabric
 * (net/fabric/), or by the bridge plugin where there is none (ipMasq: everything but the pod network). The kernel
 * switches: forwarding, and iptables for bridged packets so that service rules see pods of one node too; both are
 * passed over where the kernel lacks them.
 *
 * Who brings a configuration of his own (--flannel-cni-conf) gets it written as it is, and for plugins that ask what
 * this node's networks are (flannel's own) the file subnet.env as flannel writes it. */
#include "node/runtime/cni.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/json_lib.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/runtime/bridge.h"

#include <fcntl.h>
#include <unistd.h>

/* A set of ranges for each family: a pod gets an address of each set. */
static json_t *ranges_of(const char *cidrs)
{
	json_t *sets = json_array();
	struct slice rest = slice_of(cidrs);
	while (rest.ptr)
		json_array_append_new(sets, json_pack("[{s:o}]", "subnet", json_lib_new_str(slice_cut(&rest, ','))));
	return sets;
}

static json_t *bridge_of(const struct cni_network *n)
{
	json_t *plugin = json_object(), *ipam = json_object();
	json_lib_set_cstr(plugin, "type", "bridge");
	json_lib_set_cstr(plugin, "bridge", n->bridge);
	json_lib_set_bool(plugin, "isGateway", true);
	json_lib_set_bool(plugin, "isDefaultGateway", true);
	json_lib_set_bool(plugin, "forceAddress", true);
	json_lib_set_bool(plugin, "hairpinMode", true);
	json_lib_set_bool(plugin, "ipMasq", n->masquerades);
	if (n->mtu)
		json_lib_set_int(plugin, "mtu", n->mtu);
	json_lib_set_cstr(ipam, "type", "host-local");
	json_lib_set_cstr(ipam, "dataDir", n->addresses_dir);
	json_lib_set(ipam, "ranges", ranges_of(n->pod_cidr));
	json_lib_set(plugin, "ipam", ipam);
	return plugin;
}

struct strbuf cni_conf_text(const struct cni_network *n)
{
	struct strbuf b = STRBUF_INIT;
	json_auto_t *conf = json_object();
	json_lib_set_cstr(conf, "cniVersion", "1.0.0");
	json_lib_set_cstr(conf, "name", CNI_NETWORK_NAME);
	json_lib_set(conf, "plugins",
	        json_pack("[o, {s:s, s:{s:b}}, {s:s, s:{s:b}}]", bridge_of(n), "type", "portmap", "capabilities",
	                "portMappings", true, "type", "bandwidth", "capabilities", "bandwidth", true));
	json_lib_write_pretty(&b, conf);
	strbuf_addc(&b, '\n');
	return b;
}

/* The bridge has the first address of the node's network. */
static void write_subnet(struct strbuf *out, const char *infix, const struct ip_net *all, struct ip_net own)
{
	char text[IP_NET_TEXT_MAX], own_text[IP_TEXT_MAX];
	own.first.bytes[ip_bytes(own.first.family) - 1] |= 1;
	strbuf_addf(out, "FLANNEL_%sNETWORK=%s\nFLANNEL_%sSUBNET=%s/%u\n", infix, ip_net_write(all, text), infix,
	        ip_write(&own.first, own_text), own.bits);
}

struct strbuf cni_subnet_env(const struct cni_network *n, const char *cluster_cidr)
{
	struct strbuf b = STRBUF_INIT;
	struct ip_nets all, own;
	struct err err = ERR_INIT;
	if (ip_nets_parse(cluster_cidr, &all, &err) != 0 || ip_nets_parse(n->pod_cidr, &own, &err) != 0)
		return b;
	for (int f = 0; f < IP_FAMILIES; f++) {
		const struct ip_net *a = ip_nets_of(&all, (enum ip_family)f), *o = ip_nets_of(&own, (enum ip_family)f);
		if (a && o)
			write_subnet(&b, f == IP_V6 ? "IPV6_" : "", a, *o);
	}
	if (n->mtu)
		strbuf_addf(&b, "FLANNEL_MTU=%u\n", n->mtu);
	strbuf_addf(&b, "FLANNEL_IPMASQ=%s\n", n->masquerades ? "true" : "false");
	return b;
}

static int write_subnet_env(const struct node *n, const struct cni_network *network, struct arena *a, struct err *err)
{
	const char *dir =
	        n->o.is_default_data_dir ? "/run/flannel" : arena_printf(a, "%s/agent/run/flannel", n->o.data_dir);
	struct strbuf text = cni_subnet_env(network, n->o.cluster_cidr);
	int rc = file_make_dirs(dir, 0755, err);
	if (rc == 0)
		rc = pki_file_write(arena_printf(a, "%s/subnet.env", dir), strbuf_slice(&text), 0644, err);
	strbuf_release(&text);
	return rc;
}

static void turn_on(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		log_warn("node", "cannot turn on a kernel switch", "path=%s", path);
	close(fd);
}

/* Several servers on one machine (tests) must not share a bridge. */
const char *cni_bridge(const struct node *n, struct arena *a)
{
	const char *dir = n->o.data_dir;
	return n->o.is_default_data_dir
	               ? "cni0"
	               : arena_printf(a, "k3x%08x", (unsigned)fnv1a32_add(FNV1A32_INIT, dir, strlen(dir)));
}

const char *cni_addresses_dir(const struct node *n, struct arena *a)
{
	return n->o.is_default_data_dir ? "/run/k3x/cni" : arena_printf(a, "%s/agent/run/cni", n->o.data_dir);
}

int cni_write(struct node *n, struct err *err)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(n->pod_cidr && *n->pod_cidr);
	struct arena a = ARENA_INIT;
	const char *dir = arena_printf(&a, "%s/agent/etc/cni/net.d", n->o.data_dir);
	struct cni_network network = {.pod_cidr = n->pod_cidr,
	        .bridge = cni_bridge(n, &a),
	        .addresses_dir = cni_addresses_dir(n, &a),
	        .masquerades = !n->o.has_fabric,
	        .mtu = n->o.pod_mtu};
	struct strbuf text = STRBUF_INIT;
	if (n->o.cni_conf)
		strbuf_adds(&text, n->o.cni_conf);
	else
		text = cni_conf_text(&network);
	const char *file = arena_printf(&a, "%s/10-k3x.conflist", dir);
	int rc = file_make_dirs(dir, 0755, err);
	if (rc == 0 && n->o.has_own_network)
		unlink(file);
	else if (rc == 0)
		rc = pki_file_write(file, strbuf_slice(&text), 0644, err);
	if (rc == 0 && n->o.cni_conf)
		rc = write_subnet_env(n, &network, &a, err);
	bridge_drop_strange_addresses(network.bridge, n->pod_cidr);
	turn_on("/proc/sys/net/ipv4/ip_forward");
	turn_on("/proc/sys/net/bridge/bridge-nf-call-iptables");
	if (strchr(n->pod_cidr, ':')) {
		turn_on("/proc/sys/net/ipv6/conf/all/forwarding");
		turn_on("/proc/sys/net/bridge/bridge-nf-call-ip6tables");
	}
	strbuf_release(&text);
	arena_release(&a);
	return rc;
}
