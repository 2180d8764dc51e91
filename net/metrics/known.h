/* The nodes and pods that there are, as the API says: addresses to scrape, labels to select by. Of each object only
 * that is kept. On the client's loop. */
#ifndef K3X_NET_METRICS_KNOWN_H
#define K3X_NET_METRICS_KNOWN_H

#include "api/client/client.h"
#include "api/client/informer.h"

struct known;

struct known_options {
	struct client *client;
	/* A node came, or its address did; is gone. `node` lives as long as the node is known. */
	void (*node_changed)(void *arg, struct slice node);
	void (*node_gone)(void *arg, struct slice node);
	void *arg;
};

struct known *known_new(const struct known_options *options);
void known_close(struct known *k, void (*closed)(void *arg), void *arg);
bool known_is_synced(const struct known *k);

/* What is kept of an object: {"metadata":{"name","namespace","labels"},...}, and of a node "addresses" and "port", of a
 * pod "phase". NULL: there is none. */
struct informer_object *known_node(const struct known *k, struct slice name);
struct informer_object *known_pod(const struct known *k, struct slice key);
const struct informer *known_nodes(const struct known *k);

/* The first address of a type, in the order of `types` ("InternalIP,Hostname"); NULL in *ret_host: it has none. */
void known_address(
        struct arena *a, const struct informer_object *node, const char *types, const char **ret_host, int *ret_port);

/* Pure, for tests: the digests. */
struct rcbuf *known_digest_node(struct slice object);
struct rcbuf *known_digest_pod(struct slice object);

#endif
