/* Which families a cluster has, and the addresses and ranges of a server or an agent that follow from it.
 *
 * --service-cidr and --cluster-cidr say it: one range of either family, or one of each, of which the first is the
 * primary one. All else is one for each of these families, in the same order: the node's addresses, the cluster DNS. */
#ifndef K3X_TOOLS_K3X_SERVER_ADDRESSES_H
#define K3X_TOOLS_K3X_SERVER_ADDRESSES_H

#include "base/ip.h"
#include "tools/k3x/server_settings.h"

/* The host's address of each family; at most one of each: that by which its default route leaves, or else the first on
 * a link that is up, no loopback and none of ours. */
struct ip_list server_host_addresses(void);
/* The former of these alone. */
struct ip_list server_routed_addresses(void);

/* Completes what was not given and checks all of it, `host` being what the host has. Of a server, whose flags say the
 * families: ERR_INVAL names the flag. */
int server_addresses_complete(struct server_settings *s, const struct ip_list *host, struct err *err);

/* Of an agent before it has met a server: what is given is looked at. */
int agent_addresses_check(const struct server_settings *s, struct err *err);
/* And once it knows the families: cluster_cidr is the server's. */
int agent_addresses_complete(struct server_settings *s, const struct ip_list *host, struct err *err);

#endif
