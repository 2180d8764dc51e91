/* Health, readiness and metrics over HTTP, each on a port of its own, or several on one. Everything on one loop. */
#ifndef K3X_NET_DNS_SERVE_WEB_H
#define K3X_NET_DNS_SERVE_WEB_H

#include "base/rt/loop.h"
#include "net/dns/conf/conf.h"

struct web;

/* All on the loop, from within a request. */
struct web_sources {
	bool (*is_healthy)(void *arg);
	bool (*is_ready)(void *arg);
	void (*write_metrics)(void *arg, struct strbuf *out);
	void *arg;
};

struct web *web_new(struct loop *loop, const struct web_sources *sources);
/* Listens where the conf says; what it says no longer is closed. ERR_IO: nothing has changed. */
int web_follow(struct web *w, const struct conf *conf, struct err *err);
void web_close(struct web *w, void (*closed)(void *arg), void *arg);

#endif
