/* What load balancers ask of a node: a server at the health check node port of each service whose external traffic
 * policy is Local, which says how many of its endpoints are here (200, or 503 when none is), and one for the proxy as a
 * whole at 127.0.0.1:10256 (/healthz, /livez), with the answers of upstream's proxy. Loop's thread. */
#ifndef K3X_NET_PROXY_HEALTH_H
#define K3X_NET_PROXY_HEALTH_H

#include "base/err.h"
#include "base/rt/loop.h"
#include "base/mem/str.h"
#include "net/proxy/arguments.h"
#include "net/proxy/proxy_metrics.h"

struct health;

/* at: of the proxy as a whole. metrics is borrowed. */
struct health *health_new(struct loop *loop, const struct proxy_listen *at, struct proxy_metrics *metrics);
/* The service "namespace/name" is asked after at `port` (0: no more), and has so many endpoints here. False: the port
 * can't be had, err says why; it is tried again at the next call. */
bool health_set(struct health *h, struct slice key, int port, size_t local_endpoints, struct err *err);
/* The rules are what is wanted as of now; is new traffic to come to this node? */
void health_applied(struct health *h);
void health_node(struct health *h, bool is_eligible);
/* closed(arg) may be NULL. */
void health_close(struct health *h, void (*closed)(void *arg), void *arg);

#endif
