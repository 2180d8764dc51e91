/* What the kubelet's configuration holds back from pods. Pure. */
#ifndef K3X_NODE_CONFIG_RESERVED_H
#define K3X_NODE_CONFIG_RESERVED_H

#include "node/config/thresholds.h"

/* systemReserved and kubeReserved together: "memory", "hugepages-2Mi", in whole units. */
int64_t config_reserved(const struct json *tree, const char *resource);
/* What eviction keeps free of `capacity`; 0: no hard threshold of the signal. */
int64_t config_hard_threshold(const struct json *tree, enum eviction_signal s, int64_t capacity);

#endif
