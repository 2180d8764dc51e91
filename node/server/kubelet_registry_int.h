/* /v2/...: the registry between nodes: answers the exchange. */
#ifndef K3X_NODE_SERVER_KUBELET_REGISTRY_INT_H
#define K3X_NODE_SERVER_KUBELET_REGISTRY_INT_H

#include "base/wire/http.h"

struct node;

bool kubelet_registry_is_path(struct slice path);
void kubelet_registry(struct node *n, struct http_exchange *x);

/* For tests: what a path asks for. name: "library/busybox"; reference: of a manifest a tag or digest, of a blob a
 * digest. Both empty: /v2/ itself, the question whether this is a registry. False: nothing that a registry knows. */
struct registry_path {
	bool is_blob;
	struct slice name, reference;
};
bool kubelet_registry_parse(struct slice path, struct registry_path *ret);
/* "sha256:" and 64 hex digits, as a file of the content store may be named by. */
bool kubelet_registry_is_digest(struct slice reference);

#endif
