/* The servers that a balancer knows: how they do, and which is to have the next connection. No I/O. One loop.
 *
 * Servers come by the list of the cluster; the one of --server stands behind them as the last resort, for it may be a
 * name that leads to any of them. */
#ifndef K3X_NET_BALANCER_UPSTREAMS_H
#define K3X_NET_BALANCER_UPSTREAMS_H

#include "base/err.h"
#include "base/limits.h"
#include "base/mem/str.h"

/* From the best to the worst. UNREADY: it answers, and says that it can't serve. */
enum upstream_health { UPSTREAM_LIVE, UPSTREAM_UNKNOWN, UPSTREAM_UNREADY, UPSTREAM_DOWN };
enum upstream_answer { UPSTREAM_READY, UPSTREAM_NOT_READY, UPSTREAM_SILENT, UPSTREAM_REFUSED };

struct upstream {
	unsigned refs;
	enum upstream_health health;
	unsigned bad_answers; /* in a row */
	unsigned connections; /* that go to it */
	bool is_listed;       /* by the cluster */
	bool is_fallback;     /* --server */
	void *user;           /* the owner's */
	const char *host;     /* an IPv6 address without its brackets */
	int port;
	char address[]; /* "10.0.0.1:6443", "[fd00::1]:6443" */
};

struct upstreams {
	struct upstream *items[BALANCER_SERVERS_MAX + 1];
	size_t n;
};

/* "host:port" or "[address]:port"; ERR_INVAL. */
int upstream_check(const char *address, struct err *err);
void upstream_unref(struct upstream *u);

/* fallback: the address of --server. */
void upstreams_init(struct upstreams *l, const char *fallback);
void upstreams_release(struct upstreams *l);

/* This is the cluster's list now. Addresses that are none, and more than BALANCER_SERVERS_MAX, are left out. An empty
 * list is not believed. True: something has changed; those that left are in `gone`, the caller's to unref. */
bool upstreams_set(struct upstreams *l, const char *const *addresses, size_t n,
        struct upstream *gone[BALANCER_SERVERS_MAX + 1], size_t *n_gone);

/* Who has not been tried yet (`tried` says which, by place) and is best: by health, then the cluster's before the last
 * resort, then by how few connections it has, then by lot. Its place; -1: nobody is left. */
int upstreams_choose(const struct upstreams *l, uint64_t tried, uint32_t lot);

bool upstreams_have_live(const struct upstreams *l);

/* Takes what it answered when it was asked. Returns in how many milliseconds it should be asked again. One silence is
 * forgiven, a refused connection is not. */
unsigned upstream_answered(struct upstream *u, enum upstream_answer answer);
/* Should connections leave it, if there is a better one? It is down, or has said twice that it can't serve. */
bool upstream_is_bad(const struct upstream *u);
const char *upstream_health_name(enum upstream_health h);

/* The cluster's list as it is kept in a file: {"servers":["10.0.0.1:6443"]}. Reading appends at most `max` addresses,
 * malloc'ed; ERR_INVAL: it is none. */
void upstreams_write(const struct upstreams *l, struct strbuf *out);
int upstreams_read(struct slice text, char **ret, size_t max, size_t *n, struct err *err);

#endif
