/* The flags of `k3x server` and `k3x agent`: names, environment and defaults as in k3s, so that its users know them
 * already. What both have stands once; a flag of the other one is an error that says so. */
#include "tools/k3x/server_settings.h"

#include "api/machinery/schema/resources.h"
#include "api/server/join/words.h"
#include "base/check.h"
#include "base/mem/str.h"
#include "base/pki/pki.h"
#include "node/config/kubelet_config.h"
#include "tools/k3s/k3s.h"
#include "tools/k3x/arguments/apiserver_args.h"
#include "tools/k3x/arguments/controller_args.h"
#include "tools/k3x/arguments/proxy_args.h"
#include "tools/k3x/arguments/scheduler_args.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void set_defaults(struct server_settings *s)
{
	*s = (struct server_settings){
	        .config = "/etc/k3x/config.yaml",
	        .data_dir = "/var/lib/k3x",
	        .https_port = 6443,
	        .flannel_backend = "vxlan",
	        .cluster_cidr = "10.42.0.0/16",
	        .service_cidr = "10.43.0.0/16",
	        .cluster_domain = "cluster.local",
	        .node_port_range = "30000-32767",
	        .write_kubeconfig = "/etc/k3x/k3x.yaml",
	        .write_kubeconfig_mode = "600",
	        .pause_image = "k3x/pause:" K3X_VERSION,
	        .kubelet_port = 10250,
	        .lb_port = 6444,
	        .secrets_provider = "aescbc",
	        .log_max_mb = 50,
	        .log_max_files = 3,
	};
	snapshot_settings_init(&s->snapshots);
}

#define OF_SERVERS "a setting of servers: an agent takes it from them"

static bool is_refused(const struct flags *f, const char *name)
{
	for (size_t i = 0; i < f->refusal_count; i++)
		if (strcmp(f->refusals[i].name, name) == 0)
			return true;
	return false;
}

/* unsupported: why these can't be used here, unless k3s's table has an answer; NULL: they can. */
static size_t add_rows(struct flags *f, struct flag *table, const struct flag *rows, size_t n, const char *unsupported)
{
	size_t at = f->count;
	for (size_t i = 0; i < n; i++) {
		if (unsupported && is_refused(f, rows[i].name))
			continue;
		table[at++] = rows[i];
		if (unsupported) {
			table[at - 1].help = NULL;
			table[at - 1].unsupported = unsupported;
		}
	}
	return at;
}

static int load(struct server_settings *s, int argc, char **argv, bool *want_help, struct err *err)
{
	const struct flag both[] = {
	        {"config", 'c', FLAG_STRING, &s->config, "K3X_CONFIG_FILE", "config file; its keys are these flags",
	                NULL},
	        {"data-dir", 'd', FLAG_STRING, &s->data_dir, "K3X_DATA_DIR", "where state is kept (/var/lib/k3x)",
	                NULL},
	        {"log", 'l', FLAG_STRING, &s->log_file, NULL, "log to this file instead of stderr", NULL},
	        {"log-max-size", 0, FLAG_INT, &s->log_max_mb, NULL, "begin a new file at so many MB (50)", NULL},
	        {"log-max-files", 0, FLAG_INT, &s->log_max_files, NULL, "old files to keep beside it (3)", NULL},
	        {"alsologtostderr", 0, FLAG_BOOL, &s->log_to_both, NULL, "with --log: to stderr too", NULL},
	        {"debug", 0, FLAG_BOOL, &s->debug, "K3X_DEBUG", "log debug lines too", NULL},
	        {"v", 'v', FLAG_INT, &s->verbosity, NULL, "verbosity; from 4 on as --debug (0)", NULL},
	        {"token", 't', FLAG_STRING, &s->token, "K3X_TOKEN",
	                "secret by which servers and agents join (the first server makes one)", NULL},
	        {"token-file", 0, FLAG_STRING, &s->token_file, "K3X_TOKEN_FILE", "file that holds it", NULL},
	        {"disable-kube-proxy", 0, FLAG_BOOL, &s->disable_kube_proxy, NULL, "run no service proxy", NULL},
	        {"node-name", 0, FLAG_STRING, &s->node_name, "K3X_NODE_NAME", "name of the node (host name)", NULL},
	        {"with-node-id", 0, FLAG_BOOL, &s->with_node_id, NULL,
	                "append an id of this machine's to the node's name, the same at every start", NULL},
	        {"node-ip", 'i', FLAG_LIST, &s->node_ips, "K3X_NODE_IP",
	                "address of the node, with dual stack one of each family", NULL},
	        {"node-external-ip", 0, FLAG_LIST, &s->node_external_ips, "K3X_NODE_EXTERNAL_IP",
	                "address by which the node is reached from outside, or one of each family", NULL},
	        {"flannel-conf", 0, FLAG_STRING, &s->flannel_conf, NULL,
	                "file with flannel's net-conf.json, for this node's end of the pod network", NULL},
	        {"flannel-cni-conf", 0, FLAG_STRING, &s->flannel_cni_conf, NULL,
	                "file with the CNI configuration that pods of this node get", NULL},
	        {"flannel-iface", 0, FLAG_STRING, &s->flannel_iface, NULL,
	                "link to other nodes (the one that has the node's address)", NULL},
	        {"node-label", 0, FLAG_LIST, &s->node_label, NULL, "labels for the node, k=v", NULL},
	        {"node-taint", 0, FLAG_LIST, &s->node_taint, NULL, "taints for the node, k=v:effect", NULL},
	        {"container-runtime-endpoint", 0, FLAG_STRING, &s->container_runtime_endpoint, NULL,
	                "CRI socket to use instead of starting containerd", NULL},
	        {"wasm", 0, FLAG_BOOL, &s->wasm, "K3X_WASM",
	                "run WebAssembly pods too (RuntimeClass wasm; needs the package libwasmedge0)", NULL},
	        {"wasm-root", 0, FLAG_STRING, &s->wasm_root, "K3X_WASM_ROOT",
	                "folder with WasmEdge and its libraries, where the machine has none", NULL},
	        {"max-pods", 0, FLAG_INT, &s->max_pods, NULL, "how many pods the node takes (110; with --wasm 4000)",
	                NULL},
	        {"kubelet-arg", 0, FLAG_ITEMS, &s->kubelet_arg, NULL,
	                "NAME=VALUE for the kubelet, or config=FILE (docs/node.md says which are heeded)", NULL},
	        {"kube-proxy-arg", 0, FLAG_ITEMS, &s->proxy_arg, NULL,
	                "NAME=VALUE for the service proxy (docs/network.md says which are heeded)", NULL},
	        {"pause-image", 0, FLAG_STRING, &s->pause_image, NULL, "image of the pod sandbox", NULL},
	        {"private-registry", 0, FLAG_STRING, &s->private_registry, NULL,
	                "mirrors of registries and who may pull there (/etc/k3x/registries.yaml)", NULL},
	        {"disable-default-registry-endpoint", 0, FLAG_BOOL, &s->without_default_registries, NULL,
	                "of registries that have mirrors: pull from those alone", NULL},
	        {"resolv-conf", 0, FLAG_STRING, &s->resolv_conf, "K3X_RESOLV_CONF", "resolv.conf for pods", NULL},
	        {"kubelet-port", 0, FLAG_INT, &s->kubelet_port, NULL, "port of the kubelet (10250)", NULL},
	        {"server", 's', FLAG_STRING, &s->join_url, "K3X_URL",
	                "join the cluster of this server, like https://10.0.0.1:6443", NULL},
	};
	const struct flag of_servers[] = {
	        {"bind-address", 0, FLAG_STRING, &s->bind_address, NULL, "listen address (all)", NULL},
	        {"https-listen-port", 0, FLAG_INT, &s->https_port, NULL, "API port (6443)", NULL},
	        {"advertise-address", 0, FLAG_STRING, &s->advertise_address, NULL,
	                "address of this server for others (node IP)", NULL},
	        {"tls-san", 0, FLAG_LIST, &s->tls_san, NULL, "more names and addresses for the serving certificate",
	                NULL},
	        {"flannel-backend", 0, FLAG_STRING, &s->flannel_backend, NULL,
	                "pod network between nodes: vxlan, host-gw, wireguard-native, or none for one of your own "
	                "(vxlan)",
	                NULL},
	        {"flannel-ipv6-masq", 0, FLAG_BOOL, &s->flannel_ipv6_masq, NULL,
	                "what IPv6 pods send out of the cluster comes from the node's address", NULL},
	        {"flannel-external-ip", 0, FLAG_BOOL, &s->flannel_external_ip, NULL,
	                "nodes reach each other's pods by --node-external-ip, where a node has one", NULL},
	        {"disable-network-policy", 0, FLAG_BOOL, &s->disable_network_policy, NULL,
	                "enforce no NetworkPolicies, for a pod network that does it itself", NULL},
	        {"disable-helm-controller", 0, FLAG_BOOL, &s->disable_helm_controller, NULL, "install no HelmCharts",
	                NULL},
	        {"embedded-registry", 0, FLAG_BOOL, &s->embedded_registry, NULL,
	                "nodes get images of registries in registries.yaml from each other first", NULL},
	        {"system-default-registry", 0, FLAG_STRING, &s->system_registry, "K3X_SYSTEM_DEFAULT_REGISTRY",
	                "registry that stands before the names of the cluster's own images, host or host:port", NULL},
	        {"helm-job-image", 0, FLAG_STRING, &s->helm_job_image, NULL,
	                "image that runs helm for HelmCharts that name none, like rancher/klipper-helm:v0.9.8", NULL},
	        {"cluster-cidr", 0, FLAG_LIST, &s->cluster_cidrs, NULL,
	                "addresses of pods, with dual stack a range of each family (10.42.0.0/16)", NULL},
	        {"service-cidr", 0, FLAG_LIST, &s->service_cidrs, NULL,
	                "addresses of services, the same way (10.43.0.0/16)", NULL},
	        {"service-node-port-range", 0, FLAG_STRING, &s->node_port_range, NULL,
	                "ports of NodePort services (30000-32767)", NULL},
	        {"cluster-dns", 0, FLAG_LIST, &s->cluster_dns_given, NULL,
	                "address of the cluster DNS (the tenth of --service-cidr)", NULL},
	        {"cluster-domain", 0, FLAG_STRING, &s->cluster_domain, NULL, "DNS domain (cluster.local)", NULL},
	        {"write-kubeconfig", 'o', FLAG_STRING, &s->write_kubeconfig, "K3X_KUBECONFIG_OUTPUT",
	                "admin kubeconfig (/etc/k3x/k3x.yaml)", NULL},
	        {"write-kubeconfig-mode", 0, FLAG_STRING, &s->write_kubeconfig_mode, "K3X_KUBECONFIG_MODE",
	                "its mode (600)", NULL},
	        {"write-kubeconfig-group", 0, FLAG_STRING, &s->write_kubeconfig_group, "K3X_KUBECONFIG_GROUP",
	                "its group, a name or a number", NULL},
	        {"default-local-storage-path", 0, FLAG_STRING, &s->local_storage, NULL,
	                "where volumes of the class local-path lie on nodes (storage of --data-dir)", NULL},
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
	        {"secrets-encryption", 0, FLAG_BOOL, &s->secrets_encryption, NULL,
	                "store Secrets encrypted; see k3x secrets-encrypt", NULL},
	        {"secrets-encryption-provider", 0, FLAG_STRING, &s->secrets_provider, NULL,
	                "by what, when it begins: aescbc or secretbox (aescbc)", NULL},
	        {"kube-apiserver-arg", 0, FLAG_ITEMS, &s->apiserver_arg, NULL,
	                "an argument of kube-apiserver, NAME=VALUE; may come several times", NULL},
	        {"kube-controller-manager-arg", 0, FLAG_ITEMS, &s->controller_arg, NULL,
	                "an argument of kube-controller-manager, NAME=VALUE; may come several times", NULL},
	        {"kube-scheduler-arg", 0, FLAG_ITEMS, &s->scheduler_arg, NULL,
	                "config=FILE: a KubeSchedulerConfiguration (docs/controllers.md)", NULL},
	        {"datastore-endpoint", 0, FLAG_STRING, &s->datastore_endpoint, "K3X_DATASTORE_ENDPOINT",
	                "keep the state elsewhere: postgres://, mysql://, https:// of an etcd (docs/datastores.md)",
	                NULL},
	        {"datastore-cafile", 0, FLAG_STRING, &s->datastore_ca, "K3X_DATASTORE_CAFILE",
	                "CA of the datastore's certificate", NULL},
	        {"datastore-certfile", 0, FLAG_STRING, &s->datastore_certificate, "K3X_DATASTORE_CERTFILE",
	                "certificate for the datastore", NULL},
	        {"datastore-keyfile", 0, FLAG_STRING, &s->datastore_key, "K3X_DATASTORE_KEYFILE", "its key", NULL},
	};
	const struct flag of_agents[] = {
	        {"lb-server-port", 0, FLAG_INT, &s->lb_port, "K3X_LB_SERVER_PORT",
	                "port on 127.0.0.1 that leads to the servers (6444)", NULL},
	};
	struct flag table[COUNT_OF(both) + COUNT_OF(of_servers) + COUNT_OF(of_agents)];
	struct flags f = {.program = s->is_agent ? "k3x agent" : "k3x server",
	        .summary = s->is_agent ? "k3x agent: a node of a cluster whose servers run elsewhere"
	                               : "k3x server: a Kubernetes control plane and, unless told otherwise, a node",
	        .table = table,
	        .config_flag = "config"};
	k3s_refuse(&f, &s->arena);
	f.count = add_rows(&f, table, both, COUNT_OF(both), NULL);
	f.count = add_rows(&f, table, of_servers, COUNT_OF(of_servers), s->is_agent ? OF_SERVERS : NULL);
	if (s->is_agent)
		f.count = add_rows(&f, table, of_agents, COUNT_OF(of_agents), NULL);
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

static void release_kubelet(void *arg)
{
	kubelet_config_release(arg);
}

static int load_kubelet(struct server_settings *s, struct err *err)
{
	struct kubelet_config_source from = {
	        s->kubelet_arg.items, s->kubelet_arg.count, server_file(s, "agent/etc/kubelet.conf.d")};
	s->kubelet = ARENA_NEW(&s->arena, struct kubelet_config);
	arena_on_release(&s->arena, release_kubelet, s->kubelet);
	return kubelet_config_load(&from, s->kubelet, err);
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
	        controller_args_load(&s->controller_arg, &s->arena, &s->controllers, err) != 0 ||
	        proxy_args_load(&s->proxy_arg, &s->arena, &s->proxy, err) != 0 ||
	        scheduler_args_load(&s->scheduler_arg, &s->arena, &s->scheduler, err) != 0 ||
	        read_secret(&s->arena, "token", s->token_file, &s->token, err) != 0 ||
	        read_secret(&s->arena, "agent-token", s->agent_token_file, &s->agent_token, err) != 0)
		return err->code;
	if (s->apiserver.has_pod_resize)
		resource_offer_pod_resize();
	if (!s->disable_agent && load_kubelet(s, err) != 0)
		return err->code;
	if (!s->node_name)
		s->node_name = host_name(&s->arena);
	return 0;
}

struct join_settings server_join_settings(const struct server_settings *s)
{
	return (struct join_settings){.cluster_cidr = s->cluster_cidr,
	        .service_cidr = s->service_cidr,
	        .cluster_dns = s->cluster_dns,
	        .cluster_domain = s->cluster_domain,
	        .node_ports = s->node_port_range,
	        .flannel_backend = s->flannel_backend,
	        .no_network_policy = s->disable_network_policy ? "true" : "false",
	        .embedded_registry = s->embedded_registry ? "true" : "",
	        .system_registry = s->system_registry ? s->system_registry : "",
	        .ipv6_masquerade = s->flannel_ipv6_masq ? "true" : "",
	        .external_ip = s->flannel_external_ip ? "true" : ""};
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

int server_file_read(struct server_settings *s, const char *place, struct slice *ret, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(server_file(s, "%s", place), &text, &len, err) != 0)
		return err->code;
	*ret = (struct slice){arena_memdup(&s->arena, text, len), len};
	free(text);
	return 0;
}
