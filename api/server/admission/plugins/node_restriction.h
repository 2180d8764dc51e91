/* What nodes are restricted by, as far as others must know. */
#ifndef K3X_API_SERVER_ADMISSION_PLUGINS_NODE_RESTRICTION_H
#define K3X_API_SERVER_ADMISSION_PLUGINS_NODE_RESTRICTION_H

/* A server's own kubelet, which is a part of it, is in this group too: it may say of its node that it is of the control
 * plane. */
#define SERVER_NODES_GROUP "k3x:server-nodes"

#endif
