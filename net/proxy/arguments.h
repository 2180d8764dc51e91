/* What kube-proxy takes as arguments, as far as they mean something here; the defaults are k3s's. */
#ifndef K3X_NET_PROXY_ARGUMENTS_H
#define K3X_NET_PROXY_ARGUMENTS_H

#include "base/ip.h"

#include <stdint.h>

enum { PROXY_RANGES_MAX = 16 };

struct proxy_listen {
	const char *address; /* NULL: it is off */
	int port;
};

struct proxy_arguments {
	struct proxy_listen healthz; /* healthz-bind-address: 127.0.0.1:10256 */
	struct proxy_listen metrics; /* metrics-bind-address: 127.0.0.1:10249 */
	/* nodeport-addresses: on which addresses of the node node ports are; none of a family: on all of it. */
	struct ip_net node_port_ranges[PROXY_RANGES_MAX];
	size_t n_node_port_ranges;
	bool node_ports_primary; /* "primary": on the node's own addresses alone */
	/* iptables-localhost-nodeports: on 127.0.0.1 too, for which the kernel must lead that address out of its link.
	 */
	bool node_ports_on_localhost;
	/* How much the kernel tracks, and for how long; 0: it is left as it is. */
	int64_t conntrack_max_per_core, conntrack_min;
	int64_t tcp_established_s, tcp_close_wait_s, udp_s, udp_stream_s;
	bool tcp_be_liberal;
};

#define PROXY_ARGUMENTS_DEFAULT \
	((struct proxy_arguments){.healthz = {"127.0.0.1", 10256}, .metrics = {"127.0.0.1", 10249}})

#endif
