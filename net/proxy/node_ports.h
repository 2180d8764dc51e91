/* On which addresses of the node node ports are. */
#ifndef K3X_NET_PROXY_NODE_PORTS_H
#define K3X_NET_PROXY_NODE_PORTS_H

#include "net/proxy/arguments.h"
#include "net/proxy/proxy_rules_int.h"

/* As nodeport-addresses says: "A, B", addresses and ranges of a family; "": all. node_ip_other: NULL when there is
 * none. Pure.
 */
void node_ports_ranges(const struct proxy_arguments *a, const char *node_ip, const char *node_ip_other,
        const struct proxy_family *f, char out[PROXY_NODE_PORTS_BYTES_MAX]);

/* Node ports answer on 127.0.0.1 too, as people try first. The kernel routes such packets only when told so; the frame
 * of the table keeps strangers from reaching what listens there, and so has to stand before. Any thread. */
void node_ports_turn_localnet_on(void);

#endif
