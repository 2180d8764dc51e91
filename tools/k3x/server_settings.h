/* The settings of `k3x server` and `k3x agent`: flags, environment and config file (k3s's names), completed. An agent
 * has those of its node; those of the cluster it takes from a server. */
#ifndef K3X_TOOLS_K3X_SERVER_SETTINGS_H
#define K3X_TOOLS_K3X_SERVER_SETTINGS_H

#include "api/controllers/arguments.h"
#include "api/scheduler/configuration.h"
#include "api/server/arguments.h"
#include "base/err.h"
#include "base/flags.h"
#include "base/mem/arena.h"
#include "net/fabric/conf.h"
#include "net/proxy/arguments.h"
#include "tools/snapshots/settings.h"

struct join_settings;
struct kubelet_config;

struct server_settings {
	struct arena arena;
	bool is_agent;
	bool with_node_id;
	const char *config;
	const char *data_dir;
	const char *log_file; /* NULL: stderr */
	int64_t log_max_mb, log_max_files;
	bool debug, log_to_both;
	int64_t verbosity;
	const char *bind_address; /* as what follows on addresses complete after server_check() */
	int64_t https_port;
	const char *advertise_address;
	struct flag_list tls_san;
	const char *flannel_backend, *flannel_iface, *flannel_conf, *flannel_cni_conf; /* the last two: files */
	/* What flannel_settings_load() made of them for this node. */
	enum fabric_backend fabric_backend;
	struct fabric_conf fabric_conf;
	const char *flannel_cni_text; /* NULL: the node writes its own */
	bool flannel_ipv6_masq, flannel_external_ip;
	/* As given, and what server_addresses.c made of them: "10.42.0.0/16,fd00:42::/56", the primary family first. */
	struct flag_list cluster_cidrs, service_cidrs, cluster_dns_given;
	const char *cluster_cidr, *service_cidr, *cluster_dns;
	const char *cluster_domain;
	const char *helm_job_image; /* NULL: none */
	const char *node_port_range;
	int node_port_min, node_port_max;
	const char *write_kubeconfig, *write_kubeconfig_mode, *write_kubeconfig_group;
	const char *local_storage;                                       /* NULL: in the data folder */
	const char *token, *token_file, *agent_token, *agent_token_file; /* the files are read into the others */
	const char *join_url;                                            /* --server; NULL: none */
	bool cluster_reset;
	const char *restore_path;
	const char *tls_min_version, *tls_cipher_suites;
	struct flag_list disable, addons_off; /* --disable as it was given, and what addons_choose() made of it */
	bool cluster_init;
	bool disable_agent, disable_scheduler, disable_controllers, disable_kube_proxy, disable_network_policy,
	        disable_helm_controller;
	const char *node_name;
	struct flag_list node_ips, node_external_ips; /* as given */
	/* The address of the primary family, that of the other one (NULL: the cluster has one family), and both. */
	const char *node_ip, *node_ip_other, *node_addresses;
	const char *node_external_ip; /* one or two with a comma between; NULL: none */
	struct flag_list node_label, node_taint;
	const char *container_runtime_endpoint;
	bool wasm;
	const char *wasm_root;
	int64_t max_pods;
	const char *pause_image;
	struct flag_list kubelet_arg;   /* --kubelet-arg */
	struct kubelet_config *kubelet; /* what it and the drop-in folder say; NULL without a node */
	bool embedded_registry;
	const char *system_registry; /* --system-default-registry; NULL, "": none. Names with it: system_names.h */
	const char *resolv_conf;
	const char *private_registry; /* NULL: the usual file, if it is there */
	bool without_default_registries;
	int64_t kubelet_port;
	int64_t lb_port; /* of an agent */
	struct snapshot_settings snapshots;
	/* A datastore outside of the server; NULL: its own. */
	const char *datastore_endpoint, *datastore_ca, *datastore_certificate, *datastore_key;
	bool secrets_encryption;
	const char *secrets_provider;    /* "aescbc", "secretbox" */
	struct flag_list apiserver_arg;  /* --kube-apiserver-arg */
	struct api_arguments apiserver;  /* what they say */
	struct flag_list proxy_arg;      /* --kube-proxy-arg */
	struct proxy_arguments proxy;    /* what they say */
	struct flag_list controller_arg; /* --kube-controller-manager-arg */
	struct flag_list scheduler_arg;  /* --kube-scheduler-arg */
	struct scheduler_configuration scheduler;
	struct controllers_arguments controllers;
	/* Set by server_store_identify(). */
	uint64_t cluster_id, member_id;
	bool has_peers; /* the peer port is to be open */
};

/* Do other servers write the same store? */
static inline bool server_shares_store(const struct server_settings *s)
{
	return s->has_peers || s->datastore_endpoint;
}

/* Fills the settings, unchecked; prints help and returns 1 when that was asked for. is_agent: of `k3x agent`. */
int server_settings_load(struct server_settings *s, bool is_agent, int argc, char **argv, struct err *err);

/* What other servers and agents are told of these settings. */
struct join_settings server_join_settings(const struct server_settings *s);

/* DATA/server/tls and friends, in the arena. Before the parts are started, or on the main thread. */
const char *server_file(struct server_settings *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What lies in such a file, in the arena, with a zero byte behind it. ERR_NOT_FOUND, ERR_IO. */
int server_file_read(struct server_settings *s, const char *place, struct slice *ret, struct err *err);

/* Where an agent's balancer keeps the servers it knows. */
#define AGENT_BALANCER_FILE "agent/etc/k3x-agent-load-balancer.json"

#endif
