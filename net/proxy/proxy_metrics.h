/* What the service proxy says of itself, with kube-proxy's names, as Prometheus wants it. Written on the proxy's loop,
 * read on any thread. */
#ifndef K3X_NET_PROXY_PROXY_METRICS_H
#define K3X_NET_PROXY_PROXY_METRICS_H

#include "base/histogram.h"

enum proxy_probe { PROXY_HEALTHZ, PROXY_LIVEZ, PROXY_PROBES };

struct proxy_metrics {
	struct histogram sync;        /* from the first change of a transaction to the kernel's having it */
	struct histogram programming; /* from what happened to a pod, as slices tell it, to that */
	_Atomic uint64_t service_changes, service_pending, endpoint_changes, endpoint_pending;
	_Atomic uint64_t queued_ms, applied_ms; /* Unix time; 0: never */
	_Atomic uint64_t refused;               /* parts that the kernel did not take */
	_Atomic uint64_t no_local_internal, no_local_external;
	_Atomic uint64_t probes[PROXY_PROBES][2]; /* bad and good answers */
};

void proxy_metrics_init(struct proxy_metrics *m);
void proxy_metrics_write(const struct proxy_metrics *m, struct strbuf *out);

#endif
