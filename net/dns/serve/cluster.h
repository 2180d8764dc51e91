/* Follows the API for the zone: services, endpoint slices, namespaces, and pods when they are to be verified. Of each
 * object its packed record alone is kept. Everything on the client's loop. */
#ifndef K3X_NET_DNS_SERVE_CLUSTER_H
#define K3X_NET_DNS_SERVE_CLUSTER_H

#include "api/client/client.h"

struct dns_cluster;
struct zone;

struct dns_cluster *dns_cluster_new(struct client *client, struct zone *zone);
/* Pods are followed from now on. */
void dns_cluster_want_pods(struct dns_cluster *c);
/* Is all that is followed known? Stays true once it was. */
bool dns_cluster_is_synced(const struct dns_cluster *c);
void dns_cluster_close(struct dns_cluster *c, void (*closed)(void *arg), void *arg);

#endif
