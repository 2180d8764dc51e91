/* What a node's network policies say of themselves, as Prometheus wants it: kube-router's names where it has them, for
 * that is what watches k3s. Written on the policies' loop, read on any thread. */
#ifndef K3X_NET_POLICY_POLICY_METRICS_H
#define K3X_NET_POLICY_POLICY_METRICS_H

#include "base/histogram.h"

struct policy_metrics {
	struct histogram sync;    /* to compute what changed */
	struct histogram applied; /* from a change that was computed to the kernel's having it */
	_Atomic uint64_t policies, pods, chains, groups, sets, isolated_in, isolated_out;
};

void policy_metrics_init(struct policy_metrics *m);
void policy_metrics_write(const struct policy_metrics *m, struct strbuf *out);

#endif
