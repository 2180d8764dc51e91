/* The pods' network as CNI configuration. */
#ifndef K3X_NODE_RUNTIME_CNI_H
#define K3X_NODE_RUNTIME_CNI_H

#include "base/err.h"
#include "base/mem/str.h"

struct node;

/* Writes the configuration for the node's pod_cidr and turns the kernel's switches on. Blocks briefly. ERR_IO. */
int cni_write(struct node *n, struct err *err);
struct strbuf cni_conf_text(const char *pod_cidr, const char *bridge, const char *addresses_dir);

#endif
