/* Where the servers of the cluster are, as the `kubernetes` Service says: followed by a watch on its EndpointSlices.
 * Client's loop. */
#ifndef K3X_NET_BALANCER_ENDPOINTS_H
#define K3X_NET_BALANCER_ENDPOINTS_H

#include "api/client/client.h"

struct endpoints;
struct json;

/* told(arg, addresses, n) with all of them ("10.0.0.1:6443"), whenever something is another; valid during the call. */
struct endpoints *endpoints_new(
        struct client *client, void (*told)(void *arg, const char *const *addresses, size_t n), void *arg);
/* Nothing is told after this; closed(arg) when nothing is left. */
void endpoints_close(struct endpoints *e, void (*closed)(void *arg), void *arg);

/* Appends the addresses of a slice, in the arena, to a list with room for max. Endpoints that are not ready are left
 * out. Pure. */
void endpoints_of_slice(struct arena *a, const struct json *slice, const char **list, size_t max, size_t *n);

#endif
