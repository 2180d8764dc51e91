/* The table of k3s.h: the flags of k3s 1.32 to 1.36, by the commands that have them. What is refused says why, and what
 * to use; a test holds what is honoured against the parsers themselves. */
#include "tools/k3s/k3s.h"

#include "base/check.h"

#define AS_IS(name, letter, env, note) \
	{ \
		name, letter, env, K3S_AS_IS, NULL, note \
	}
#define FIXED(name, letter, env, value, note) \
	{ \
		name, letter, env, K3S_FIXED, value, note \
	}
#define REFUSED(name, letter, env, note) \
	{ \
		name, letter, env, K3S_REFUSED, NULL, note \
	}

/* ---- what several commands have ---- */

static const struct k3s_flag logging[] = {
        AS_IS("config", 'c', "K3X_CONFIG_FILE", "/etc/k3x/config.yaml, and config.yaml.d/ beside it"),
        AS_IS("debug", 0, "K3X_DEBUG", NULL),
        AS_IS("v", 0, NULL, "0 to 3 say what they say, from 4 on debug lines are written too"),
        REFUSED("vmodule", 0, NULL, "there are no files to choose among: --debug has all lines"),
        AS_IS("log", 'l', NULL, "rotated: --log-max-size, --log-max-files"),
        AS_IS("alsologtostderr", 0, NULL, NULL),
};

static const struct k3s_flag joining[] = {
        AS_IS("token", 't', "K3X_TOKEN", NULL),
        AS_IS("token-file", 0, "K3X_TOKEN_FILE", NULL),
        AS_IS("server", 's', "K3X_URL", NULL),
        AS_IS("data-dir", 'd', "K3X_DATA_DIR",
                "/var/lib/k3x; nothing is kept under a home folder, for nothing runs without root"),
        REFUSED("cluster-secret", 0, "K3X_CLUSTER_SECRET", "it is an old name: use --token"),
};

static const struct k3s_flag node[] = {
        AS_IS("node-name", 0, "K3X_NODE_NAME", NULL),
        AS_IS("with-node-id", 0, NULL, NULL),
        AS_IS("node-label", 0, NULL, NULL),
        AS_IS("node-taint", 0, NULL, NULL),
        AS_IS("node-ip", 'i', "K3X_NODE_IP", "one address, with dual stack one of each family"),
        AS_IS("node-external-ip", 0, "K3X_NODE_EXTERNAL_IP", "one address, or one of each family"),
        REFUSED("node-internal-dns", 0, NULL,
                "a node is known by its addresses and its --node-name: make that the DNS name"),
        REFUSED("node-external-dns", 0, NULL,
                "a node is known by its addresses: use --node-external-ip, and --tls-san for the API"),
        REFUSED("image-credential-provider-bin-dir", 0, NULL,
                "credential providers are not run: give users and passwords in registries.yaml, or by pull secrets"),
        REFUSED("image-credential-provider-config", 0, NULL,
                "credential providers are not run: give users and passwords in registries.yaml, or by pull secrets"),
        FIXED("selinux", 0, "K3X_SELINUX", "false", "containers get no SELinux labels"),
        FIXED("disable-selinux", 0, NULL, "true", "containers get no SELinux labels"),
        REFUSED("protect-kernel-defaults", 0, NULL,
                "the node sets the few kernel settings that it needs: see k3x check-config for what they are"),
        FIXED("nonroot-devices", 0, NULL, "false",
                "a container that is not root gets devices by its group: use supplementalGroups"),
        FIXED("docker", 0, NULL, "false",
                "cri-dockerd is not started: use --container-runtime-endpoint with its socket"),
        AS_IS("container-runtime-endpoint", 0, NULL, NULL),
        REFUSED("image-service-endpoint", 0, NULL, "images are asked of the runtime: use --container-runtime-endpoint"),
        FIXED("default-runtime", 0, NULL, "runc", "use a RuntimeClass for other ones"),
        FIXED("snapshotter", 0, NULL, "overlayfs",
                "containerd is set up with overlayfs: for another one run a containerd of your "
                "own and use --container-runtime-endpoint"),
        AS_IS("pause-image", 0, NULL, NULL),
        AS_IS("private-registry", 0, NULL,
                "/etc/k3x/registries.yaml: mirrors with endpoint, configs with auth (username, password, auth) and "
                "tls; `rewrite` and "
                "`identity_token` are refused"),
        AS_IS("disable-default-registry-endpoint", 0, NULL, NULL),
        REFUSED("airgap-extra-registry", 0, NULL,
                "archives in agent/images keep the names they have: tag them before they are saved"),
        AS_IS("resolv-conf", 0, "K3X_RESOLV_CONF", NULL),
        AS_IS("flannel-iface", 0, NULL, NULL),
        AS_IS("flannel-conf", 0, NULL, "what it may say: docs/network.md"),
        AS_IS("flannel-cni-conf", 0, NULL, NULL),
        REFUSED("no-flannel", 0, NULL, "it is an old name: use --flannel-backend=none"),
        REFUSED("vpn-auth", 0, "K3X_VPN_AUTH",
                "no VPN is set up: start it before k3x, and use --flannel-iface and --node-ip for its link"),
        REFUSED("vpn-auth-file", 0, "K3X_VPN_AUTH_FILE",
                "no VPN is set up: start it before k3x, and use --flannel-iface and --node-ip for its link"),
        AS_IS("kubelet-arg", 0, NULL,
                "what is no argument of a kubelet is refused, what this one does not heed is a warning, each by its "
                "name: docs/node.md"),
        AS_IS("kube-proxy-arg", 0, NULL,
                "argument by argument: what is not heeded is refused by name, with what to use instead "
                "(docs/network.md)"),
        FIXED("rootless", 0, NULL, "false",
                "it is not built: k3x runs as root, because pods need namespaces, mounts and nftables"),
        FIXED("prefer-bundled-bin", 0, NULL, "false", "nothing is bundled: containerd, runc and nft are the system's"),
        FIXED("enable-pprof", 0, NULL, "false", "there is no profiler in it: use perf on the process"),
};

/* ---- server ---- */

static const struct k3s_flag server[] = {
        AS_IS("bind-address", 0, NULL, NULL),
        AS_IS("https-listen-port", 0, NULL, NULL),
        REFUSED("supervisor-port", 0, NULL, "what joins speaks to the API's port: use --https-listen-port"),
        REFUSED("apiserver-port", 0, NULL, "there is one port: use --https-listen-port"),
        REFUSED("apiserver-bind-address", 0, NULL, "there is one listener: use --bind-address"),
        AS_IS("advertise-address", 0, NULL, "an address of the first family of --service-cidr"),
        REFUSED("advertise-port", 0, NULL, "the port is --https-listen-port: forward the same one"),
        AS_IS("tls-san", 0, NULL, NULL),
        FIXED("tls-san-security", 0, NULL, "true",
                "the certificate has the names of the API, of servers and of --tls-san, and no others"),
        AS_IS("cluster-cidr", 0, NULL, "one range, or one of each family, the primary first"),
        AS_IS("service-cidr", 0, NULL, "the same way; of IPv6 108 to 124 bits"),
        AS_IS("service-node-port-range", 0, NULL, NULL),
        AS_IS("cluster-dns", 0, NULL, "one address, or one of each family"),
        AS_IS("cluster-domain", 0, NULL, NULL),
        AS_IS("flannel-backend", 0, NULL,
                "vxlan, host-gw, wireguard-native (the kernel's WireGuard, or else wireguard-go), none"),
        AS_IS("flannel-ipv6-masq", 0, NULL, NULL),
        AS_IS("flannel-external-ip", 0, NULL, "of nodes with --node-external-ip"),
        FIXED("egress-selector-mode", 0, NULL, "agent",
                "the server reaches an agent's pods and kubelet through the connection that the agent opens"),
        FIXED("servicelb-namespace", 0, NULL, "kube-system",
                "servicelb has no pods: addresses are the service proxy's"),
        AS_IS("write-kubeconfig", 'o', "K3X_KUBECONFIG_OUTPUT", "/etc/k3x/k3x.yaml"),
        AS_IS("write-kubeconfig-mode", 0, "K3X_KUBECONFIG_MODE", NULL),
        AS_IS("write-kubeconfig-group", 0, "K3X_KUBECONFIG_GROUP", NULL),
        FIXED("write-kubeconfig-name", 0, "K3X_KUBECONFIG_NAME", "default",
                "rename it with kubectl config rename-context"),
        AS_IS("agent-token", 0, "K3X_AGENT_TOKEN", NULL),
        AS_IS("agent-token-file", 0, "K3X_AGENT_TOKEN_FILE", NULL),
        AS_IS("cluster-init", 0, "K3X_CLUSTER_INIT", NULL),
        AS_IS("cluster-reset", 0, "K3X_CLUSTER_RESET", NULL),
        AS_IS("cluster-reset-restore-path", 0, NULL, NULL),
        AS_IS("kube-apiserver-arg", 0, NULL, "argument by argument: what is not there is refused by name"),
        AS_IS("kube-controller-manager-arg", 0, NULL, "argument by argument: what is not there is refused by name"),
        REFUSED("kube-controller-arg", 0, NULL, "it is an old name: use --kube-controller-manager-arg"),
        AS_IS("kube-scheduler-arg", 0, NULL, "config=FILE alone, a KubeSchedulerConfiguration"),
        REFUSED("kube-cloud-controller-manager-arg", 0, NULL, "there is no cloud controller"),
        REFUSED("kube-cloud-controller-arg", 0, NULL, "there is no cloud controller"),
        REFUSED("etcd-arg", 0, NULL, "the datastore has no settings in a server: k3x-store serve has etcd's"),
        REFUSED("helm-controller-arg", 0, NULL, "the controller of charts has no settings: see docs/manifests.md"),
        AS_IS("helm-job-image", 0, NULL, "there is none by default: charts that name no image wait for one"),
        AS_IS("datastore-endpoint", 0, "K3X_DATASTORE_ENDPOINT",
                "postgres://, mysql://, https:// of an etcd; no nats://"),
        AS_IS("datastore-cafile", 0, "K3X_DATASTORE_CAFILE", NULL),
        AS_IS("datastore-certfile", 0, "K3X_DATASTORE_CERTFILE", NULL),
        AS_IS("datastore-keyfile", 0, "K3X_DATASTORE_KEYFILE", NULL),
        FIXED("kine-tls", 0, NULL, "false", "there is no kine"),
        FIXED("etcd-expose-metrics", 0, NULL, "false",
                "the datastore's metrics are among those of the API: /metrics of its port"),
        FIXED("supervisor-metrics", 0, NULL, "false",
                "the server's metrics are among those of the API: /metrics of its port"),
        AS_IS("etcd-disable-snapshots", 0, NULL, NULL),
        AS_IS("etcd-snapshot-name", 0, NULL, NULL),
        AS_IS("etcd-snapshot-schedule-cron", 0, NULL, NULL),
        AS_IS("etcd-snapshot-retention", 0, NULL, NULL),
        AS_IS("etcd-snapshot-dir", 0, NULL, NULL),
        AS_IS("etcd-snapshot-compress", 0, NULL, "LZ4, where k3s has zip"),
        REFUSED("etcd-snapshot-reconcile-interval", 0, NULL, "the records of snapshots follow the files by themselves"),
        AS_IS("default-local-storage-path", 0, NULL, NULL),
        AS_IS("disable", 0, "K3X_DISABLE", "coredns, servicelb, traefik, local-storage, metrics-server, runtimes"),
        REFUSED("no-deploy", 0, NULL, "it is an old name: use --disable"),
        AS_IS("disable-scheduler", 0, NULL, NULL),
        FIXED("disable-cloud-controller", 0, NULL, "true", "there is no cloud controller to run"),
        AS_IS("disable-kube-proxy", 0, NULL, NULL),
        AS_IS("disable-network-policy", 0, NULL, NULL),
        AS_IS("disable-helm-controller", 0, NULL, NULL),
        FIXED("disable-apiserver", 0, NULL, "false",
                "every server serves the API: use k3x-store for a datastore alone"),
        AS_IS("disable-controller-manager", 0, NULL, NULL),
        FIXED("disable-etcd", 0, NULL, "false", "every server has the datastore: use k3x agent for a node without"),
        AS_IS("disable-agent", 0, NULL, NULL),
        AS_IS("embedded-registry", 0, NULL,
                "peers are found by the Nodes' status and asked on the kubelets' port, 10250"),
        AS_IS("system-default-registry", 0, "K3X_SYSTEM_DEFAULT_REGISTRY",
                "names alone: system images are made of this binary on each node, and pulled from nowhere"),
        AS_IS("secrets-encryption", 0, NULL, NULL),
        AS_IS("secrets-encryption-provider", 0, NULL, NULL),
        FIXED("lb-server-port", 0, "K3X_LB_SERVER_PORT", "6444",
                "a setting of agents: a server asks itself, and needs no balancer"),
};

#define S3(p) \
	AS_IS(p "s3", 0, NULL, NULL), AS_IS(p "s3-endpoint", 0, NULL, NULL), AS_IS(p "s3-endpoint-ca", 0, NULL, NULL), \
	        AS_IS(p "s3-skip-ssl-verify", 0, NULL, NULL), AS_IS(p "s3-access-key", 0, "AWS_ACCESS_KEY_ID", NULL), \
	        AS_IS(p "s3-secret-key", 0, "AWS_SECRET_ACCESS_KEY", NULL), \
	        AS_IS(p "s3-session-token", 0, "AWS_SESSION_TOKEN", NULL), AS_IS(p "s3-bucket", 0, NULL, NULL), \
	        AS_IS(p "s3-bucket-lookup-type", 0, NULL, NULL), AS_IS(p "s3-region", 0, NULL, NULL), \
	        AS_IS(p "s3-folder", 0, NULL, NULL), AS_IS(p "s3-proxy", 0, NULL, NULL), \
	        AS_IS(p "s3-config-secret", 0, NULL, "what flags say counts before it, each by itself"), \
	        AS_IS(p "s3-insecure", 0, NULL, NULL), AS_IS(p "s3-timeout", 0, NULL, NULL), \
	        AS_IS(p "s3-retention", 0, NULL, NULL)

static const struct k3s_flag s3[] = {S3("etcd-")};

/* ---- agent ---- */

static const struct k3s_flag agent[] = {
        FIXED("bind-address", 0, NULL, "0.0.0.0",
                "the kubelet listens on all addresses: keep port 10250 closed by a firewall"),
        AS_IS("lb-server-port", 0, "K3X_LB_SERVER_PORT", NULL),
        FIXED("disable-apiserver-lb", 0, NULL, "false", "the agent finds other servers by it when one is lost"),
};

/* ---- commands of an operator ---- */

static const struct k3s_flag snapshot[] = {
        AS_IS("config", 'c', "K3X_CONFIG_FILE", NULL),
        AS_IS("data-dir", 'd', "K3X_DATA_DIR", NULL),
        FIXED("debug", 0, NULL, "false", "the command says all it knows"),
        REFUSED("log", 'l', NULL, "the command says what it has to say: redirect it"),
        REFUSED("alsologtostderr", 0, NULL, "the command says what it has to say: redirect it"),
        REFUSED("node-name", 0, NULL, "the server that is asked knows its name"),
        AS_IS("etcd-server", 's', NULL, "its default is the server of the kubeconfig"),
        REFUSED("etcd-token", 't', NULL, "who may is decided by the kubeconfig: --kubeconfig"),
        AS_IS("etcd-snapshot-dir", 0, NULL, NULL),
        AS_IS("dir", 0, NULL, NULL),
        AS_IS("name", 0, NULL, NULL),
        AS_IS("etcd-snapshot-compress", 0, NULL, NULL),
        AS_IS("snapshot-compress", 0, NULL, NULL),
};
static const struct k3s_flag short_s3[] = {S3("")};
static const struct k3s_flag snapshot_prune[] = {AS_IS("snapshot-retention", 0, NULL, NULL)};
static const struct k3s_flag output[] = {AS_IS("output", 'o', NULL, "table (or text) and json")};

static const struct k3s_flag token[] = {
        AS_IS("data-dir", 'd', "K3X_DATA_DIR", NULL),
        AS_IS("kubeconfig", 0, NULL, "or KUBECONFIG in the environment"),
};
static const struct k3s_flag token_generate[] = {
        REFUSED("data-dir", 'd', NULL, "no server is asked: leave it out"),
        REFUSED("kubeconfig", 0, NULL, "no server is asked: leave it out"),
};
static const struct k3s_flag token_create[] = {
        AS_IS("description", 0, NULL, NULL),
        AS_IS("groups", 0, NULL, NULL),
        AS_IS("ttl", 0, NULL, NULL),
        AS_IS("usages", 0, NULL, NULL),
};
static const struct k3s_flag token_rotate[] = {
        AS_IS("token", 't', "K3X_TOKEN", NULL),
        AS_IS("server", 's', NULL, "its default is the server of the kubeconfig"),
        AS_IS("new-token", 0, NULL, NULL),
};

static const struct k3s_flag encrypt[] = {
        AS_IS("data-dir", 'd', "K3X_DATA_DIR", NULL),
        REFUSED("token", 't', NULL, "who may is decided by the kubeconfig: --kubeconfig"),
        AS_IS("server", 's', NULL, "its default is the server of the kubeconfig"),
};
static const struct k3s_flag force[] = {AS_IS("force", 'f', NULL, NULL)};
static const struct k3s_flag skip[] = {AS_IS("skip", 0, NULL, NULL)};

static const struct k3s_flag certificate[] = {
        REFUSED("config", 'c', NULL, "nothing of it is needed: use --data-dir"),
        FIXED("debug", 0, NULL, "false", "the command says all it knows"),
        REFUSED("log", 'l', NULL, "the command says what it has to say: redirect it"),
        REFUSED("alsologtostderr", 0, NULL, "the command says what it has to say: redirect it"),
        AS_IS("data-dir", 'd', "K3X_DATA_DIR", NULL),
        AS_IS("service", 0, NULL, "admin, api-server, etcd, kubelet; a server of one process has no others"),
};
static const struct k3s_flag rotate_ca[] = {
        AS_IS("data-dir", 'd', "K3X_DATA_DIR", NULL),
        AS_IS("server", 's', NULL, "its default is the server of the kubeconfig"),
        AS_IS("path", 0, NULL, NULL),
        AS_IS("force", 0, NULL, NULL),
};

#define G(rows) \
	{ \
		rows, COUNT_OF(rows) \
	}
#define OWN "it is the system's own program, told where the cluster is; all arguments are its"

const struct k3s_command k3s_commands[] = {
        {"server", NULL, {G(logging), G(joining), G(server), G(node)}},
        {"agent", NULL, {G(logging), G(joining), G(agent), G(node)}},
        {"etcd-snapshot save", NULL, {G(snapshot), G(s3), G(short_s3)}},
        {"etcd-snapshot ls", "`list` and `l` too", {G(snapshot), G(s3), G(short_s3), G(output)}},
        {"etcd-snapshot delete", NULL, {G(snapshot), G(s3), G(short_s3)}},
        {"etcd-snapshot prune", NULL, {G(snapshot), G(s3), G(short_s3), G(snapshot_prune)}},
        {"token create", NULL, {G(token), G(token_create)}},
        {"token delete", NULL, {G(token)}},
        {"token generate", NULL, {G(token_generate)}},
        {"token list", NULL, {G(token), G(output)}},
        {"token rotate", NULL, {G(token), G(token_rotate)}},
        {"secrets-encrypt status", NULL, {G(encrypt), G(output)}},
        {"secrets-encrypt enable", NULL, {G(encrypt)}},
        {"secrets-encrypt disable", NULL, {G(encrypt)}},
        {"secrets-encrypt prepare", NULL, {G(encrypt), G(force)}},
        {"secrets-encrypt rotate", NULL, {G(encrypt), G(force)}},
        {"secrets-encrypt reencrypt", NULL, {G(encrypt), G(force), G(skip)}},
        {"secrets-encrypt rotate-keys", NULL, {G(encrypt)}},
        {"certificate check", NULL, {G(certificate), G(output)}},
        {"certificate rotate", "of a server that runs, which uses them at once", {G(certificate)}},
        {"certificate rotate-ca", NULL, {G(rotate_ca)}},
        {"kubectl", OWN, {{NULL, 0}}},
        {"crictl", OWN, {{NULL, 0}}},
        {"ctr", OWN, {{NULL, 0}}},
        {"check-config", NULL, {{NULL, 0}}},
        {"completion", "bash, zsh and fish; `-i` is refused: the packages and install.sh put it in its place",
                {{NULL, 0}}},
};
const size_t k3s_command_count = COUNT_OF(k3s_commands);
