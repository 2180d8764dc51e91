/* The pod network of a node, from flags and from the files that they name. */
#ifndef K3X_TOOLS_K3X_FLANNEL_SETTINGS_H
#define K3X_TOOLS_K3X_FLANNEL_SETTINGS_H

#include "tools/k3x/server_settings.h"

/* Sets fabric_backend, fabric_conf and flannel_cni_text. Once cluster_cidr is known: a server's own, or what an agent
 * was told. ERR_INVAL names the flag, the file and what is odd in it. */
int flannel_settings_load(struct server_settings *s, struct err *err);

#endif
