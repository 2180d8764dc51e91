/* How much the kernel's connection tracking may hold, and for how long: kube-proxy's conntrack-* arguments. */
#ifndef K3X_NET_PROXY_TRACKING_H
#define K3X_NET_PROXY_TRACKING_H

#include "net/proxy/arguments.h"

#include <stddef.h>

struct tracking_value {
	const char *path; /* under /proc/sys/net/netfilter */
	int64_t value;
};

enum { TRACKING_VALUES_MAX = 8 };

/* What is to be written; how many. Pure. cores: of the machine. */
size_t tracking_values(const struct proxy_arguments *a, int64_t cores, struct tracking_value ret[TRACKING_VALUES_MAX]);
/* Writes it; what the kernel does not take is told in the log. Any thread. */
void tracking_apply(const struct proxy_arguments *a);

#endif
