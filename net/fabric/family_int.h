/* The pod network of one family: the link, and the ways to all other nodes. The fabric (fabric.c) has one or two of it
 * and tells each what nodes say. Loop's thread. */
#ifndef K3X_NET_FABRIC_FAMILY_INT_H
#define K3X_NET_FABRIC_FAMILY_INT_H

#include "net/fabric/family_state_int.h"

/* Another node is so, or is gone. */
void family_peer(struct fabric_family *f, struct slice name, const struct peer_end *p);
void family_forget(struct fabric_family *f, struct slice name);
/* The own node has this network: makes the link. */
void family_self(struct fabric_family *f, const struct peer_end *p);
/* The own node's object says of this end what is so. */
bool family_is_said(const struct fabric_family *f, const struct peer *own);
/* Sets all of it once more; somebody else may have taken it away. */
void family_repair(struct fabric_family *f);
/* What an earlier run has left goes. Once all nodes are known. */
void family_clean(struct fabric_family *f);
void family_release(struct fabric_family *f);

#endif
