/* The command line that etcd's servers and ours are given alike. */
#ifndef K3X_JEPSEN_TARGET_FLAGS_H
#define K3X_JEPSEN_TARGET_FLAGS_H

#include "jepsen/cluster.h"

/* The flags that etcd and `k3x-store serve` share, after the words of `program`. */
const char *const *target_store_argv(
        const struct cluster *c, const struct node *n, const char *const *program, struct arena *a);

#endif
