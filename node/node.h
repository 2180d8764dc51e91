/* The kubelet of k3x: takes the pods that are bound to this node (and static pods from a folder) and makes them real
 * with a container runtime behind CRI v1.
 *
 * A node lives on one loop, its own. It needs an API client on that loop and folders under the data directory; it
 * starts and supervises containerd unless a runtime endpoint is given. Closing it stops nothing that runs: pods and
 * containerd go on, and the next node with the same data directory takes them over. */
#ifndef K3X_NODE_NODE_H
#define K3X_NODE_NODE_H

#include "api/client/client.h"
#include "base/err.h"
#include "base/rt/loop.h"

struct node;

struct node_options {
	struct loop *loop;
	struct client *client;    /* on `loop`, acts as system:node:NAME; borrowed, outlives the node */
	const char *data_dir;     /* everything lies under DATA/agent */
	bool is_default_data_dir; /* containerd's state goes to /run/k3x/containerd, else under the data directory */
	const char *node_name, *node_ip;
	const char *const *labels; /* "key=value", given at registration only */
	size_t labels_count;
	const char *const *taints; /* "key=value:Effect", given at registration only */
	size_t taints_count;
	bool is_server;                         /* gets the control-plane role label */
	const char *container_runtime_endpoint; /* unix socket (unix:// allowed); NULL or "": containerd of our own */
	const char *pause_image;                /* NULL: "k3x.io/pause:1", made of a program inside this binary */
	const char *resolv_conf;                /* NULL: /etc/resolv.conf */
	const char *cluster_cidr;               /* not masqueraded */
	const char *cluster_dns, *cluster_domain;
	const char *service_host; /* KUBERNETES_SERVICE_HOST until the service is known; may be NULL */
	int kubelet_port;         /* 10250; 0: the kernel picks */
	const char *serving_cert_file, *serving_key_file, *client_ca_file;
};

/* Starts everything that is needed; what fails later (no containerd, no API) is logged and tried again. Options are
 * copied. Loop's thread. Errors: folders cannot be made, ERR_IO. */
int node_new(const struct node_options *options, struct node **ret, struct err *err);

/* Stops the node's own work, not the pods. closed(arg) (may be NULL) runs on the loop when all is released. */
void node_close(struct node *n, void (*closed)(void *arg), void *arg);

#endif
