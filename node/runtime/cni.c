/* The pods' network: a CNI configuration of the reference plugins (a bridge cni0, addresses of the node's podCIDR by
 * host-local, host ports by portmap, limits of what a pod sends and gets by bandwidth), and the kernel switches it
 * needs. containerd reads the file by itself.
 *
 * Pods reach each other and the node by their own addresses; what leaves the cluster is masqueraded by the fabric
 * (net/fabric/), or by the bridge plugin where there is none (ipMasq: everything but the pod network). The kernel
 * switches: forwarding, and iptables for bridged packets so that service rules see pods of one node too; both are
 * passed over where the kernel lacks them. */
#include "node/runtime/cni.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/json_lib.h"
#include "base/hash.h"
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
	struct strbuf text = cni_conf_text(&network);
	const char *file = arena_printf(&a, "%s/10-k3x.conflist", dir);
	int rc = file_make_dirs(dir, 0755, err);
	if (rc == 0 && n->o.has_own_network)
		unlink(file);
	else if (rc == 0)
		rc = pki_file_write(file, strbuf_slice(&text), 0644, err);
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
