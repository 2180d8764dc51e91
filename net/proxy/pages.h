/* The proxy's own page for who watches it: /metrics, /healthz and /proxyMode, as kube-proxy has them at
 * 127.0.0.1:10249. Loop's thread. */
#ifndef K3X_NET_PROXY_PAGES_H
#define K3X_NET_PROXY_PAGES_H

#include "base/rt/loop.h"
#include "net/proxy/arguments.h"
#include "net/proxy/proxy_metrics.h"

struct pages;

/* metrics is borrowed. Without the port, which somebody else may have, that is told in the log and nothing is served.
 */
struct pages *pages_new(struct loop *loop, const struct proxy_listen *at, const struct proxy_metrics *metrics);
/* closed(arg) may be NULL. */
void pages_close(struct pages *p, void (*closed)(void *arg), void *arg);

#endif
