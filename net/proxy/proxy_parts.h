/* What a service has of the nftables tables: its parts (net/nft_table.h), kept as its ports are. Loop's thread. */
#ifndef K3X_NET_PROXY_PROXY_PARTS_H
#define K3X_NET_PROXY_PROXY_PARTS_H

#include "net/nft_table.h"
#include "net/proxy/proxy_rules_int.h"

/* Where the parts of a family go. */
struct proxy_place {
	struct nft_table *table; /* NULL: no port is of this family */
	const char *cluster_cidr;
};

struct proxy_part;

/* Zeroed: none. */
struct proxy_parts {
	struct proxy_part *items;
	size_t count;
};

/* Who they are of: "namespace/name", and when it was made, for the older of two that collide wins. */
struct proxy_owner {
	struct slice key, rank;
};

/* Puts what the n ports need now, and drops what they needed before and need no more. Returns how many endpoints are
 * written, each of which leaves an element of the set hairpin behind. Nothing of the ports is kept. */
size_t proxy_parts_put(struct proxy_parts *parts, const struct proxy_place places[IP_FAMILIES],
        struct proxy_owner owner, const struct proxy_port *ports, size_t n);
/* The tables keep theirs: proxy_parts_put() with no ports drops them. */
void proxy_parts_free(struct proxy_parts *parts);

#endif
