/* The cluster's DNS server: listeners, the chain of the Corefile, the cluster it answers for, health and metrics; and
 * how they follow the Corefile when it changes. `k3x dns` is this and a command line. Everything on one loop. */
#ifndef K3X_NET_DNS_DNS_H
#define K3X_NET_DNS_DNS_H

#include "api/client/client.h"
#include "base/err.h"

struct dns;

struct dns_options {
	struct loop *loop;
	const char *conf_path;
	struct client *client; /* of the API; NULL: a Corefile with kubernetes in it is refused */
	/* An upstream turned out to be this server: nothing good comes of going on. */
	void (*failed)(void *arg);
	void *arg;
};

/* Reads the Corefile and listens. *o is copied; the client remains the caller's, until it is closed. Errors say what is
 * wrong with the Corefile, or which port is in use. */
int dns_new(const struct dns_options *o, struct dns **ret, struct err *err);
/* Reads the Corefile again, now; what can't be read is told, and the old one goes on. */
void dns_reload(struct dns *d);
/* Says it is unhealthy for as long as the Corefile wants (lameduck), then stops; closed(arg) is the last. */
void dns_close(struct dns *d, void (*closed)(void *arg), void *arg);

#endif
