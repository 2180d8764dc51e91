/* Asks one server, again and again, whether it can serve: GET /readyz. Loop's thread. */
#ifndef K3X_NET_BALANCER_READINESS_H
#define K3X_NET_BALANCER_READINESS_H

#include "base/rt/loop.h"
#include "net/balancer/upstreams.h"

struct readiness;
struct tls_context;

struct readiness_options {
	struct loop *loop;
	struct tls_context *tls; /* the cluster's CA; borrowed */
	const char *host;        /* borrowed */
	int port;
	unsigned (*answered)(void *arg, enum upstream_answer answer); /* in how many ms it is to be asked again */
	void *arg;
};

/* Asks at once. */
struct readiness *readiness_new(const struct readiness_options *options);
void readiness_ask(struct readiness *r); /* soon, unless it is being asked */
/* No answer comes after this; closed(arg) when nothing is left. */
void readiness_close(struct readiness *r, void (*closed)(void *arg), void *arg);

#endif
