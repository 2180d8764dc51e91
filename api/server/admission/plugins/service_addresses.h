/* Cluster addresses and node ports of services. API loop. */
#ifndef K3X_API_SERVER_ADMISSION_PLUGINS_SERVICE_ADDRESSES_H
#define K3X_API_SERVER_ADMISSION_PLUGINS_SERVICE_ADDRESSES_H

#include "base/err.h"
#include "base/json/json.h"
#include "base/mem/str.h"

struct service_allocator;

/* Keys of the store that say what is in use; their value is the uid of the service. They are no objects. */
#define SERVICE_IPS_PREFIX "/registry/k3x/service-ips/"
#define NODE_PORTS_PREFIX "/registry/k3x/node-ports/"

/* cidrs: "10.43.0.0/16,fd00:43::/112", the primary family first. ERR_INVAL when they are no ranges of IPv4 (8 to 28
 * bits) and IPv6 (108 to 124), or the ports are no range. */
struct service_allocator *service_allocator_new(const char *cidrs, int port_min, int port_max, struct err *err);
void service_allocator_free(struct service_allocator *a); /* NULL is allowed */

/* The address of the `kubernetes` service, of the primary family, in the arena. */
struct slice service_first_ip(const struct service_allocator *a, struct arena *arena);

/* Calls fn with every key (see above; it lives as long as the arena) that a service with this spec has a claim to. */
void service_each_claim(const struct service_allocator *a, struct arena *arena, const struct json *spec,
        void (*fn)(void *arg, struct slice key), void *arg);

#endif
