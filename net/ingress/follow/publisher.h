/* status.loadBalancer of Ingresses: the addresses of the Service by which they are reached. Several of us may write at
 * once: all write the same. Loop's thread. */
#ifndef K3X_NET_INGRESS_FOLLOW_PUBLISHER_H
#define K3X_NET_INGRESS_FOLLOW_PUBLISHER_H

#include "api/client/client.h"
#include "base/json/json.h"

struct publisher;

struct publisher *publisher_new(struct client *client, const char *published); /* "namespace/name" */
/* A Service as packed (pack.h). */
void publisher_service(struct publisher *s, struct slice key, struct slice packed);
/* An Ingress as it is now; not ours: it is forgotten. */
void publisher_see(struct publisher *s, const struct json *ingress, bool is_ours);
void publisher_close(struct publisher *s, void (*closed)(void *arg), void *arg);

#endif
