/* The service proxy: connections to a service's addresses go to its endpoints, by nftables rules on this node.
 *
 * Services and endpoint slices are followed through informers; what changes is written to tables of our own,
 * `ip k3x-proxy` and `ip6 k3x-proxy`, in transactions, a service at a time, so that ten thousand services cost nothing
 * while they rest. Handled: ClusterIP, externalIPs, load balancer addresses and NodePort of TCP, UDP and SCTP over both
 * families, internal and external traffic policies, endpoints that end and serve still where there are no others, hints
 * of zones, client affinity, health check node ports, refusal of connections to services without endpoints, and pods
 * that reach themselves through their service. */
#ifndef K3X_NET_PROXY_PROXY_H
#define K3X_NET_PROXY_PROXY_H

#include "api/client/client.h"
#include "net/proxy/arguments.h"

struct proxy;

struct proxy_options {
	struct client *client;    /* borrowed; its loop is the proxy's */
	const char *node_name;    /* for traffic policies `Local` */
	const char *cluster_cidr; /* pods, one or two ranges: the families that are served; traffic from elsewhere to a
	                             node port is masqueraded */
	const char *nft_path;     /* NULL: "nft" on PATH */
	const char *node_ip, *node_ip_other; /* where node ports of "primary" are; NULL: none of a second family */
	struct proxy_arguments arguments;    /* texts outlive the proxy */
};

/* Starts following; the rules of an earlier run stay until the first complete state replaces them in one transaction.
 */
struct proxy *proxy_new(const struct proxy_options *options);

/* Stops following. The rules stay: pods keep running. closed(arg) may be NULL. Loop's thread. */
void proxy_close(struct proxy *p, void (*closed)(void *arg), void *arg);

#endif
