/* The pods' network: a CNI configuration of the reference plugins (a bridge cni0, addresses of the node's podCIDR by
 * host-local, host ports by portmap), and the kernel switches it needs. containerd reads the file by itself.
 *
 * Pods reach each other and the node by their own addresses; what leaves the cluster is masqueraded by the bridge
 * plugin (ipMasq: everything but the pod network). The kernel switches: forwarding, and iptables for bridged packets so
 * that service rules see pods of one node too; both are passed over where the kernel lacks them. */
#include "node/runtime/cni.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/pki.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"

#include <fcntl.h>
#include <unistd.h>

struct strbuf cni_conf_text(const char *pod_cidr, const char *bridge, const char *addresses_dir)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, "{\n  \"cniVersion\": \"1.0.0\",\n  \"name\": \"cbr0\",\n  \"plugins\": [\n");
	strbuf_addf(&b,
	        "    {\"type\": \"bridge\", \"bridge\": \"%s\", \"isGateway\": true, \"isDefaultGateway\": true, "
	        "\"forceAddress\": true,\n"
	        "     \"hairpinMode\": true, \"ipMasq\": true,\n"
	        "     \"ipam\": {\"type\": \"host-local\", \"dataDir\": \"%s\", \"ranges\": [[{\"subnet\": "
	        "\"%s\"}]]}},\n",
	        bridge, addresses_dir, pod_cidr);
	strbuf_adds(&b, "    {\"type\": \"portmap\", \"capabilities\": {\"portMappings\": true}}\n  ]\n}\n");
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

int cni_write(struct node *n, struct err *err)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(n->pod_cidr && *n->pod_cidr);
	struct arena a = ARENA_INIT;
	const char *dir = arena_printf(&a, "%s/agent/etc/cni/net.d", n->o.data_dir);
	/* Several servers on one machine (tests) must not share a bridge. */
	bool only = n->o.is_default_data_dir;
	const char *bridge = only ? "cni0"
	                          : arena_printf(&a, "k3x%08x",
	                                    (unsigned)fnv1a32_add(FNV1A32_INIT, n->o.data_dir, strlen(n->o.data_dir)));
	const char *addresses = only ? "/run/k3x/cni" : arena_printf(&a, "%s/agent/run/cni", n->o.data_dir);
	struct strbuf text = cni_conf_text(n->pod_cidr, bridge, addresses);
	int rc = file_make_dirs(dir, 0755, err);
	if (rc == 0)
		rc = pki_file_write(arena_printf(&a, "%s/10-k3x.conflist", dir), strbuf_slice(&text), 0644, err);
	turn_on("/proc/sys/net/ipv4/ip_forward");
	turn_on("/proc/sys/net/bridge/bridge-nf-call-iptables");
	strbuf_release(&text);
	arena_release(&a);
	return rc;
}
