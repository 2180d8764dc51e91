/* Follows the API for the zone: services, endpoint slices, namespaces, and pods when they are to be verified. Of each
 * object its packed record alone is kept. Everything on the client's loop. */
#ifndef K3X_NET_DNS_SERVE_CLUSTER_H
#define K3X_NET_DNS_SERVE_CLUSTER_H

#include "api/client/client.h"

struct cluster;
struct zone;

struct cluster *cluster_new(struct client *client, struct zone *zone);
/* Pods are followed from now on. */
void cluster_want_pods(struct cluster *c);
/* Is all that is followed known? Stays true once it was. */
bool cluster_is_synced(const struct cluster *c);
void cluster_close(struct cluster *c, void (*closed)(void *arg), void *arg);

#endif
