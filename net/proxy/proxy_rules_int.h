/* What the proxy knows of services, and the rules made from it. The rules half (proxy_rules.c) is plain text in, plain
 * text out, so that it can be tested without a kernel. */
#ifndef K3X_NET_PROXY_PROXY_RULES_INT_H
#define K3X_NET_PROXY_PROXY_RULES_INT_H

#include "base/ip.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"
#include "net/nft_elements.h"

/* How a family is said in nftables. Each has a table of its own. */
struct proxy_family {
	enum ip_family family;
	const char *table; /* "ip k3x-proxy" */
	const char *ip;    /* "ip", of addresses in packets */
	const char *type;  /* "ipv4_addr" */
};

enum { PROXY_NODE_PORTS_BYTES_MAX = 1024 };

extern const struct proxy_family proxy_families[IP_FAMILIES]; /* by enum ip_family */

struct proxy_endpoint {
	const char *ip;
	int port;
};

/* One port of a service with where it leads. */
struct proxy_port {
	const struct proxy_family *family;
	const char *chain;    /* "svc-3f2a..." unique to service and port */
	const char *comment;  /* "default/web:http" */
	const char *protocol; /* "tcp", "udp", "sctp" */
	int port;
	int node_port;          /* 0: none */
	const char **addresses; /* cluster IP, external IPs, load balancer IPs */
	size_t n_addresses;
	size_t n_cluster_addresses;            /* the first ones: reached from inside, by the internal policy */
	size_t n_open_addresses;               /* those before load balancers' */
	const char **sources;                  /* "10.0.0.0/8": who may come to load balancers' */
	size_t n_sources;                      /* 0: everybody */
	const struct proxy_endpoint *internal; /* by the internal traffic policy */
	size_t n_internal;
	const struct proxy_endpoint *external; /* by the external one */
	size_t n_external;
	bool external_local; /* externalTrafficPolicy: Local keeps the client's address */
	/* Those of the whole cluster, to which pods and the node itself go where external_local keeps others on this
	 * node. */
	const struct proxy_endpoint *cluster;
	size_t n_cluster;
	size_t n_local_ready; /* of this node, as balancers are told */
	int affinity_s;       /* 0: none */
};

/* Client affinity: who came to an endpoint is remembered beside it, in a set that stays while other endpoints come and
 * go. One for each endpoint of a port that has affinity, a part of the table of its own. */
struct proxy_memory {
	const struct proxy_family *family;
	const char *name; /* "3f2a..." unique to port, endpoint and timeout */
	const char *comment, *protocol;
	struct proxy_endpoint endpoint;
	int affinity_s;
};

/* The memories that the port needs, in the arena; none without affinity. */
size_t proxy_memories(struct arena *a, const struct proxy_port *p, struct proxy_memory **ret);
void proxy_memory_add(struct strbuf *out, const struct proxy_memory *m);
void proxy_memory_delete(struct strbuf *out, const struct proxy_memory *m);

/* How many endpoints the table's map has for each cluster address of the port, of which the chooser of that number
 * takes one; 0: it has none, or remembers its clients. */
size_t proxy_rules_spread(const struct proxy_port *p);
/* The chooser that such a port needs: a chain that all ports of its protocol with as many endpoints share. It is there
 * before who leads to it. */
void proxy_chooser_add(struct strbuf *out, const struct proxy_port *p);
void proxy_chooser_delete(struct strbuf *out, const struct proxy_port *p);

/* The maps and sets of which elements come and go with services. */
extern const struct nft_set_kind proxy_sets[];
extern const size_t proxy_sets_count;

/* The frame of a family's table: base chains, maps, sets. Begins with the removal of what was there. node_ports: "A,
 * B", the ranges in which addresses of the node have node ports; "": all, 127.0.0.0/8 among them if on_localhost. */
void proxy_rules_frame(struct strbuf *out, const struct proxy_family *f, const char *cluster_cidr,
        const char *node_ports, bool on_localhost);

/* The commands that add what leads to a port, and those that take it away again; the two must get the same port. Its
 * memories and its chooser are there first. */
void proxy_rules_add(struct strbuf *out, const struct proxy_port *p, const char *cluster_cidr);
void proxy_rules_delete(struct strbuf *out, const struct proxy_port *p);
/* The same of where its endpoints are. */
void proxy_endpoints_add(struct strbuf *out, const struct proxy_port *p);
void proxy_endpoints_delete(struct strbuf *out, const struct proxy_port *p);

#endif
