/* What a node is told when it is made: see node/node.h. */
#ifndef K3X_NODE_GROUND_NODE_OPTIONS_H
#define K3X_NODE_GROUND_NODE_OPTIONS_H

#include "base/mem/str.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct client;
struct kubelet_config;
struct loop;
struct strbuf;

struct node_options {
	struct loop *loop;
	struct client *client;    /* on `loop`, acts as system:node:NAME; borrowed, outlives the node */
	const char *data_dir;     /* everything lies under DATA/agent */
	bool is_default_data_dir; /* containerd's state goes to /run/k3x/containerd, else under the data directory */
	const char *node_name;
	const char *node_ip, *node_ip_other; /* of the cluster's first family, and of the second; NULL: there is one */
	const struct kubelet_config *config; /* borrowed, outlives the node; NULL: the defaults */
	const char *
	        node_external_ip; /* by which it is reached from outside, one or two with a comma between; NULL: none */
	const char *const *labels; /* "key=value", given at registration only */
	size_t labels_count;
	const char *const *taints; /* "key=value:Effect", given at registration only */
	size_t taints_count;
	bool is_server;                         /* gets the control-plane role label */
	const char *container_runtime_endpoint; /* unix socket (unix:// allowed); NULL or "": containerd of our own */
	/* Both are made of this binary; NULL: under their own names. Of another pause image nothing is made. */
	const char *pause_image, *system_image;
	const char *resolv_conf;  /* NULL: /etc/resolv.conf */
	const char *cluster_cidr; /* not masqueraded */
	bool has_own_network; /* somebody else (Calico, Cilium) writes the network configuration: no pods before that */
	bool has_fabric;      /* the fabric masquerades what leaves the cluster, not the bridge plugin */
	const char *cni_conf; /* text of the pods' network (a CNI conflist); NULL: the node's own */
	unsigned pod_mtu;     /* 0: the bridge plugin's choice */
	const char *cluster_dns, *cluster_domain; /* DNS: one or two addresses with a comma between */
	const char *service_host;                 /* KUBERNETES_SERVICE_HOST until the service is known; may be NULL */
	unsigned pods_max;                        /* 0: 110, and 4000 with has_wasm */
	bool has_wasm;                            /* runs WebAssembly pods */
	const char *wasm_root; /* a folder with WasmEdge and its libraries; NULL: the machine's own */
	int kubelet_port;      /* 10250; 0: the kernel picks */
	/* Adds to what is told under /metrics; NULL: there is no more. Any thread. */
	void (*more_metrics)(void *arg, struct strbuf *out);
	void *more_metrics_arg;
	/* Another node's kubelet ("10.0.0.7:10250", in the arena) that has an image, for the embedded registry; NULL:
	 * there is no such registry. reference: a tag or a digest. On `loop`. */
	const char *(*find_image)(void *arg, struct arena *a, struct slice repository, struct slice reference);
	void *find_image_arg;
	const char *serving_cert_file, *serving_key_file, *client_ca_file;
};

#endif
