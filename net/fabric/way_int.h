/* What the kinds of pod network differ in, for one family: the link that routes go through, and what beside a route
 * leads to a node. One per enum fabric_backend; family.c does what all have in common. Loop's thread. */
#ifndef K3X_NET_FABRIC_WAY_INT_H
#define K3X_NET_FABRIC_WAY_INT_H

#include "net/fabric/family_state_int.h"

struct fabric_way {
	/* The link of this node, on the one beneath it: found or made, up, with its address. It fills in what of
	 * f->self others must know. *ret_link is 0 while it is on its way: f->changed tells when it is there. */
	int (*link)(struct fabric_family *f, int beneath, int *ret_link, struct err *err);
	/* It says what it takes to send to it. */
	bool (*has_end)(const struct peer_end *p);
	struct netlink_route (*route)(const struct fabric_family *f, const struct peer_end *p);
	/* What it takes beside the route. All three NULL: nothing. drop: what is gone already is fine. */
	int (*set)(struct fabric_family *f, const struct peer_end *p, struct err *err);
	int (*drop)(struct fabric_family *f, const struct peer_end *p, struct err *err);
	/* All of it once more, for somebody else may have taken it away; removes_strangers: what belongs to no peer
	 * goes. */
	int (*repair)(struct fabric_family *f, bool removes_strangers, struct err *err);
	/* The link of an earlier run that did it this way, where this one does not. NULL: it has none of its own. */
	int (*remove_link)(struct fabric_family *f, struct err *err);
	/* Appends what the others must know of this end, as JSON. */
	void (*write_end)(const struct fabric_family *f, struct strbuf *out);
	const char *type; /* flannel's name of it */
};

extern const struct fabric_way fabric_vxlan, fabric_host_gw, fabric_wireguard;

/* NULL: FABRIC_NONE. */
const struct fabric_way *fabric_way_of(enum fabric_backend b);

#endif
