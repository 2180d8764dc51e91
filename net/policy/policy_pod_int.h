/* What policies need to know of a pod: a small text kept instead of the object, and what is in it. Pure. */
#ifndef K3X_NET_POLICY_POLICY_POD_INT_H
#define K3X_NET_POLICY_POLICY_POD_INT_H

#include "base/mem/rcbuf.h"
#include "net/policy/policy_read_int.h"

struct policy_pod_port {
	struct slice name;
	enum policy_protocol protocol;
	unsigned number;
};

/* Slices lie in the packed text. */
struct policy_pod {
	struct slice node, created, labels; /* labels: an object's text, SLICE_NULL when there are none */
	struct policy_network *addresses;   /* none: it has none yet, none any more, or those of its node */
	size_t addresses_count;
	struct policy_pod_port *ports; /* that have names */
	size_t ports_count;
};

/* From a pod's text, as a digest of an informer (api/client/informer.h). */
struct rcbuf *policy_pod_pack(struct slice object);

/* Into the arena; `packed` must live as long. */
void policy_pod_read(struct arena *a, const struct rcbuf *packed, struct policy_pod *ret);

#endif
