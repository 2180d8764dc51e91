/* What the API is told of a node's drivers: its CSINode, and an annotation and labels of its Node. Pure. */
#ifndef K3X_NODE_CSI_CSI_NODE_INT_H
#define K3X_NODE_CSI_CSI_NODE_INT_H

#include "base/err.h"
#include "base/json/json.h"

struct csi_node_driver {
	const char *name, *id;       /* the node's, as the driver has it */
	const struct json *topology; /* an object of segments, sorted by their keys; NULL: none */
	int64_t volumes_max;         /* 0: not told */
	bool is_gone;                /* it is to be taken out */
};

/* ERR_CONFLICT: a label of the Node has another value than the driver's topology says. */
int csi_node_check(const struct json *node, const struct csi_node_driver *d, struct err *err);
/* A merge patch for the Node: annotation and labels; NULL: it has them. */
struct json *csi_node_patch(
        struct arena *a, const struct json *node, const struct csi_node_driver *drivers, size_t count);
/* The CSINode as it should be, made of the one that is there (NULL: none), which is changed; NULL: it is so already.
 * Drivers that are not named stay. */
struct json *csi_node_object(struct arena *a, struct json *csi_node, const struct json *node,
        const struct csi_node_driver *drivers, size_t count);

#endif
