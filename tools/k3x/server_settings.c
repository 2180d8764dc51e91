/* The flags of `k3x server` and `k3x agent`: names, environment and defaults as in k3s, so that its users know them
 * already. What both have stands once; a flag of the other one is an error that says so. */
#include "tools/k3x/server_settings.h"

#include "base/check.h"
#include "base/mem/str.h"
#include "base/pki.h"
#include "tools/k3x/apiserver_args.h"
#include "tools/k3x/controller_args.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void set_defaults(struct server_settings *s)
{
	*s = (struct server_settings){
	        .config = "/etc/k3x/config.yaml",
	        .data_dir = "/var/lib/k3x",
	        .bind_address = "0.0.0.0",
	        .https_port = 6443,
	        .flannel_backend = "vxlan",
	        .cluster_cidr = "10.42.0.0/16",
	        .service_cidr = "10.43.0.0/16",
	        .cluster_dns = "10.43.0.10",
	        .cluster_domain = "cluster.local",
	        .node_port_range = "30000-32767",
	        .write_kubeconfig = "/etc/k3x/k3x.yaml",
	        .write_kubeconfig_mode = "600",
	        .pause_image = "k3x/pause:" K3X_VERSION,
	        .kubelet_port = 10250,
	        .lb_port = 6444,
	        .secrets_provider = "aescbc",
	};
	snapshot_settings_init(&s->snapshots);
}

#define LATER "not built yet"
#define OF_SERVERS "a setting of servers: an agent takes it from them"
#define OF_AGENTS "a setting of agents"

/* unsupported: why these can't be used here; NULL: they can. */
static size_t add_rows(struct flag *table, size_t at, const struct flag *rows, size_t n, const char *unsupported)
{
	for (size_t i = 0; i < n; i++, at++) {
		table[at] = rows[i];
		if (unsupported) {
			table[at].help = NULL;
			table[at].unsupported = unsupported;
		}
	}
	return at;
}

static int load(struct server_settings *s, int argc, char **argv, bool *want_help, struct err *err)
{
	static const char *ignored;
	static struct flag_list ignored_list;
	const struct flag both[] = {
	        {"config", 'c', FLAG_STRING, &s->config, "K3X_CONFIG_FILE", "config file; its keys are these flags",
	                NULL},
	        {"data-dir", 'd', FLAG_STRING, &s->data_dir, "K3X_DATA_DIR", "where state is kept (/var/lib/k3x)",
	                NULL},
	        {"log", 'l', FLAG_STRING, &s->log_file, NULL, "log to this file instead of stderr", NULL},
	        {"debug", 0, FLAG_BOOL, &s->debug, "K3X_DEBUG", "log debug lines too", NULL},
	        {"token", 't', FLAG_STRING, &s->token, "K3X_TOKEN",
	                "secret by which servers and agents join (the first server makes one)", NULL},
	        {"token-file", 0, FLAG_STRING, &s->token_file, "K3X_TOKEN_FILE", "file that holds it", NULL},
	        {"disable-kube-proxy", 0, FLAG_BOOL, &s->disable_kube_proxy, NULL, "run no service proxy", NULL},
	        {"node-name", 0, FLAG_STRING, &s->node_name, "K3X_NODE_NAME", "name of the node (host name)", NULL},
	        {"with-node-id", 0, FLAG_BOOL, &s->with_node_id, NULL,
	                "append an id of this machine's to the node's name, the same at every start", NULL},
	        {"node-ip", 'i', FLAG_STRING, &s->node_ip, "K3X_NODE_IP", "address of the node", NULL},
	        {"node-external-ip", 0, FLAG_STRING, &s->node_external_ip, "K3X_NODE_EXTERNAL_IP",
	                "address by which the node is reached from outside", NULL},
	        {"flannel-iface", 0, FLAG_STRING, &s->flannel_iface, NULL,
	                "link to other nodes (the one that has the node's address)", NULL},
	        {"node-label", 0, FLAG_LIST, &s->node_label, NULL, "labels for the node, k=v", NULL},
	        {"node-taint", 0, FLAG_LIST, &s->node_taint, NULL, "taints for the node, k=v:effect", NULL},
	        {"container-runtime-endpoint", 0, FLAG_STRING, &s->container_runtime_endpoint, NULL,
	                "CRI socket to use instead of starting containerd", NULL},
	        {"pause-image", 0, FLAG_STRING, &s->pause_image, NULL, "image of the pod sandbox", NULL},
	        {"resolv-conf", 0, FLAG_STRING, &s->resolv_conf, "K3X_RESOLV_CONF", "resolv.conf for pods", NULL},
	        {"kubelet-port", 0, FLAG_INT, &s->kubelet_port, NULL, "port of the kubelet (10250)", NULL},
	        {"server", 's', FLAG_STRING, &s->join_url, "K3X_URL",
	                "join the cluster of this server, like https://10.0.0.1:6443", NULL},
	        {"kubelet-arg", 0, FLAG_LIST, &ignored_list, NULL, NULL,
	                "this kubelet has --kubelet-port, --resolv-conf, --node-label, --node-taint and no other "
	                "settings"},
	        {"kube-proxy-arg", 0, FLAG_LIST, &ignored_list, NULL, NULL, "the service proxy has no settings"},
	};
	const struct flag of_servers[] = {
	        {"bind-address", 0, FLAG_STRING, &s->bind_address, NULL, "listen address (0.0.0.0)", NULL},
	        {"https-listen-port", 0, FLAG_INT, &s->https_port, NULL, "API port (6443)", NULL},
	        {"advertise-address", 0, FLAG_STRING, &s->advertise_address, NULL,
	                "address of this server for others (node IP)", NULL},
	        {"tls-san", 0, FLAG_LIST, &s->tls_san, NULL, "more names and addresses for the serving certificate",
	                NULL},
	        {"flannel-backend", 0, FLAG_STRING, &s->flannel_backend, NULL,
	                "pod network between nodes: vxlan, host-gw, or none for one of your own (vxlan)", NULL},
	        {"cluster-cidr", 0, FLAG_STRING, &s->cluster_cidr, NULL, "addresses of pods (10.42.0.0/16)", NULL},
	        {"service-cidr", 0, FLAG_STRING, &s->service_cidr, NULL, "addresses of services (10.43.0.0/16)", NULL},
	        {"service-node-port-range", 0, FLAG_STRING, &s->node_port_range, NULL,
	                "ports of NodePort services (30000-32767)", NULL},
	        {"cluster-dns", 0, FLAG_STRING, &s->cluster_dns, NULL, "address of the cluster DNS (10.43.0.10)", NULL},
	        {"cluster-domain", 0, FLAG_STRING, &s->cluster_domain, NULL, "DNS domain (cluster.local)", NULL},
	        {"write-kubeconfig", 'o', FLAG_STRING, &s->write_kubeconfig, "K3X_KUBECONFIG_OUTPUT",
	                "admin kubeconfig (/etc/k3x/k3x.yaml)", NULL},
	        {"write-kubeconfig-mode", 0, FLAG_STRING, &s->write_kubeconfig_mode, "K3X_KUBECONFIG_MODE",
	                "its mode (600)", NULL},
	        {"agent-token", 0, FLAG_STRING, &s->agent_token, "K3X_AGENT_TOKEN",
	                "another secret, by which agents alone join", NULL},
	        {"agent-token-file", 0, FLAG_STRING, &s->agent_token_file, "K3X_AGENT_TOKEN_FILE", "file that holds it",
	                NULL},
	        {"disable", 0, FLAG_LIST, &s->disable, "K3X_DISABLE", "components to leave out", NULL},
	        {"disable-agent", 0, FLAG_BOOL, &s->disable_agent, NULL, "run no node here", NULL},
	        {"disable-scheduler", 0, FLAG_BOOL, &s->disable_scheduler, NULL, "run no scheduler", NULL},
	        {"disable-controller-manager", 0, FLAG_BOOL, &s->disable_controllers, NULL, "run no controllers", NULL},
	        {"tls-min-version", 0, FLAG_STRING, &s->tls_min_version, NULL,
	                "oldest TLS version of the API: VersionTLS12 (the default), VersionTLS13", NULL},
	        {"tls-cipher-suites", 0, FLAG_STRING, &s->tls_cipher_suites, NULL,
	                "TLS 1.2 cipher suites of the API, IANA names with commas between", NULL},
	        {"cluster-init", 0, FLAG_BOOL, &s->cluster_init, "K3X_CLUSTER_INIT",
	                "let other servers join: opens the peer port, 2380; stays so", NULL},
	        {"cluster-reset", 0, FLAG_BOOL, &s->cluster_reset, "K3X_CLUSTER_RESET",
	                "forget the other servers and go on as the only one; ends when that is done", NULL},
	        {"cluster-reset-restore-path", 0, FLAG_STRING, &s->restore_path, NULL,
	                "with --cluster-reset: begin from this snapshot; with --etcd-s3 the name of one there", NULL},
	        {"etcd-disable-snapshots", 0, FLAG_BOOL, &s->snapshots.is_disabled, NULL,
	                "take no snapshots by the clock", NULL},
	        {"etcd-snapshot-schedule-cron", 0, FLAG_STRING, &s->snapshots.cron_text, NULL,
	                "when to take snapshots, as cron has it, local time (" SNAPSHOT_CRON_DEFAULT ")", NULL},
	        {"etcd-snapshot-retention", 0, FLAG_INT, &s->snapshots.retention, NULL,
	                "snapshots to keep of those; 0: all (5)", NULL},
	        {"etcd-snapshot-dir", 0, FLAG_STRING, &s->snapshots.dir, NULL,
	                "where they are kept (server/db/snapshots of --data-dir)", NULL},
	        {"etcd-snapshot-name", 0, FLAG_STRING, &s->snapshots.name, NULL,
	                "what their names begin with (etcd-snapshot)", NULL},
	        {"etcd-snapshot-compress", 0, FLAG_BOOL, &s->snapshots.is_packed, NULL,
	                "pack them: LZ4, .lz4; they are restored as they are", NULL},
	        S3_FLAGS(&s->snapshots, "etcd-", FLAGS_LISTED),
	        {"etcd-snapshot-reconcile-interval", 0, FLAG_STRING, &ignored, NULL, NULL,
	                "there are no ETCDSnapshotFile objects yet that would have to fit the files"},
	        {"etcd-s3-config-secret", 0, FLAG_STRING, &ignored, NULL, NULL,
	                "settings out of a Secret are " LATER ": give them by flags or in the config file"},
	        {"secrets-encryption", 0, FLAG_BOOL, &s->secrets_encryption, NULL,
	                "store Secrets encrypted; see k3x secrets-encrypt", NULL},
	        {"secrets-encryption-provider", 0, FLAG_STRING, &s->secrets_provider, NULL,
	                "by what, when it begins: aescbc or secretbox (aescbc)", NULL},
	        {"kube-apiserver-arg", 0, FLAG_ITEMS, &s->apiserver_arg, NULL,
	                "an argument of kube-apiserver, NAME=VALUE; may come several times", NULL},
	        {"kube-controller-manager-arg", 0, FLAG_ITEMS, &s->controller_arg, NULL,
	                "an argument of kube-controller-manager, NAME=VALUE; may come several times", NULL},
	        {"datastore-endpoint", 0, FLAG_STRING, &ignored, "K3X_DATASTORE_ENDPOINT", NULL,
	                "external datastores are " LATER},
	};
	const struct flag of_agents[] = {
	        {"lb-server-port", 0, FLAG_INT, &s->lb_port, "K3X_LB_SERVER_PORT",
	                "port on 127.0.0.1 that leads to the servers (6444)", NULL},
	};
	struct flag table[COUNT_OF(both) + COUNT_OF(of_servers) + COUNT_OF(of_agents)];
	size_t n = add_rows(table, 0, both, COUNT_OF(both), NULL);
	n = add_rows(table, n, of_servers, COUNT_OF(of_servers), s->is_agent ? OF_SERVERS : NULL);
	n = add_rows(table, n, of_agents, COUNT_OF(of_agents), s->is_agent ? NULL : OF_AGENTS);
	struct flags f = {.program = s->is_agent ? "k3x agent" : "k3x server",
	        .summary = s->is_agent ? "k3x agent: a node of a cluster whose servers run elsewhere"
	                               : "k3x server: a Kubernetes control plane and, unless told otherwise, a node",
	        .table = table,
	        .count = n,
	        .config_flag = "config"};
	int rc = flags_load(&f, &s->arena, argc, argv, err);
	*want_help = rc == 0 && f.want_help;
	if (*want_help)
		flags_help(&f);
	return rc;
}

/* A secret from a file, unless it was given by itself. */
static int read_secret(struct arena *a, const char *flag, const char *path, const char **secret, struct err *err)
{
	char *text;
	size_t len;
	if (!path)
		return 0;
	if (*secret)
		return err_set(err, ERR_INVAL, "--%s and --%s-file: one of the two", flag, flag);
	if (pki_file_read(path, &text, &len, err) != 0)
		return err_wrap(err, "--%s-file", flag);
	*secret = arena_printf(a, "%.*s", SLICE_FMT(slice_trim((struct slice){text, len})));
	free(text);
	return 0;
}

static const char *host_name(struct arena *a)
{
	char name[256] = "localhost";
	gethostname(name, sizeof name - 1);
	for (char *p = name; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return arena_strdup(a, name);
}

/* The address of the first interface that is up, not loopback and none of ours; 127.0.0.1 when there is none. */
static const char *host_address(struct arena *a)
{
	struct ifaddrs *list, *it;
	const char *found = NULL;
	char text[INET_ADDRSTRLEN];
	if (getifaddrs(&list) != 0)
		return "127.0.0.1";
	for (it = list; it && !found; it = it->ifa_next) {
		if (!it->ifa_addr || it->ifa_addr->sa_family != AF_INET || !(it->ifa_flags & IFF_UP) ||
		        (it->ifa_flags & IFF_LOOPBACK))
			continue;
		if (strncmp(it->ifa_name, "cni", 3) == 0 || strncmp(it->ifa_name, "flannel", 7) == 0 ||
		        strncmp(it->ifa_name, "veth", 4) == 0)
			continue;
		if (inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)it->ifa_addr)->sin_addr, text, sizeof text))
			found = arena_strdup(a, text);
	}
	freeifaddrs(list);
	return found ? found : "127.0.0.1";
}

int server_settings_load(struct server_settings *s, bool is_agent, int argc, char **argv, struct err *err)
{
	bool want_help;
	set_defaults(s);
	s->is_agent = is_agent;
	if (load(s, argc, argv, &want_help, err) != 0)
		return err->code;
	if (want_help)
		return 1;
	if (apiserver_args_load(&s->apiserver_arg, &s->arena, &s->apiserver, err) != 0 ||
	        controller_args_load(&s->controller_arg, &s->controllers, err) != 0 ||
	        read_secret(&s->arena, "token", s->token_file, &s->token, err) != 0 ||
	        read_secret(&s->arena, "agent-token", s->agent_token_file, &s->agent_token, err) != 0)
		return err->code;
	if (!s->node_name)
		s->node_name = host_name(&s->arena);
	if (!s->node_ip)
		s->node_ip = host_address(&s->arena);
	if (!s->advertise_address)
		s->advertise_address = s->node_ip;
	return 0;
}

const char *server_file(struct server_settings *s, const char *fmt, ...)
{
	char rest[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(rest, sizeof rest, fmt, ap);
	va_end(ap);
	return arena_printf(&s->arena, "%s/%s", s->data_dir, rest);
}
