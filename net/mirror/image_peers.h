/* Which other node of the cluster has an image, as the nodes say themselves: each kubelet lists in its Node's status
 * what its runtime has (the 50 largest). No protocol of its own finds anybody: the cluster's state is there already. */
#ifndef K3X_NET_MIRROR_IMAGE_PEERS_H
#define K3X_NET_MIRROR_IMAGE_PEERS_H

#include "base/mem/arena.h"
#include "base/mem/rcbuf.h"
#include "base/mem/str.h"

struct client;
struct image_peers;

/* Follows the Nodes by a client that may read them; borrowed, its loop is where all of this happens. self: the node
 * that asks, which is no peer of itself; copied. */
struct image_peers *image_peers_new(struct client *client, const char *self);
/* closed(arg) when nothing of it is left on the loop; the client may go then. */
void image_peers_close(struct image_peers *p, void (*closed)(void *arg), void *arg);

/* The kubelet of a node that is Ready and has it, "10.0.0.7:10250" in the arena; NULL: none. repository:
 * "docker.io/library/busybox"; reference: a tag, or a digest (sha256:...) of a manifest or of what one names. A digest
 * is looked for where the tag was last found, for nodes tell digests of manifests alone. Several take turns. */
const char *image_peers_find(struct image_peers *p, struct arena *a, struct slice repository, struct slice reference);

/* For tests. What is kept of a Node: "ADDRESS:PORT\n" and a line for each name of an image; empty: it is not Ready, or
 * has no address. */
struct rcbuf *image_peers_digest(struct slice node);
enum image_match { IMAGE_MATCH_NONE, IMAGE_MATCH_REPOSITORY, IMAGE_MATCH_WHOLE };
enum image_match image_peers_match(struct slice digest, struct slice repository, struct slice reference);

#endif
