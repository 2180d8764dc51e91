/* --with-node-id: machines that were made from one image, or have one host name, are different nodes. */
#ifndef K3X_TOOLS_K3X_KEYS_NODE_ID_H
#define K3X_TOOLS_K3X_KEYS_NODE_ID_H

#include "tools/k3x/server_settings.h"

/* Appends this machine's id to the node's name, if that is wanted. The id is made once, in DATA/agent/node-id, whose
 * folder must be there. ERR_CORRUPT: the file holds none; ERR_INVAL: the name gets too long. */
int node_id_append(struct server_settings *s, struct err *err);

#endif
