/* Services' ports as requests see them: which endpoints there are, and which one is next.
 *
 * A backend is one port of one Service; its endpoints are told anew whenever they change, while requests go on. An
 * upstream is one address and port with its connections, shared by all backends that have it; it lives as long as one
 * of them, or a request under way, holds it. One that can't be connected to rests for a while. Loop's thread. */
#ifndef K3X_NET_INGRESS_SERVE_BACKEND_H
#define K3X_NET_INGRESS_SERVE_BACKEND_H

#include "base/mem/map.h"
#include "base/rt/loop.h"
#include "base/wire/http_client.h"
#include "net/ingress/route/options.h"

struct upstreams;

struct endpoint {
	struct upstreams *all;
	struct slice key; /* "http 10.42.0.7:8080" */
	struct http_client *client;
	unsigned refs;
	uint64_t rests_until_ms; /* 0: it does not */
	char id[17];             /* for cookies */
};

struct backend {
	struct backends *all;
	struct slice key; /* "namespace/service:port" */
	struct slice ns, service, port;
	unsigned refs;
	struct endpoint **endpoints;
	size_t count, next;
	struct arena arena;           /* of the options */
	struct route_options options; /* the Service's own */
	enum upstream_scheme scheme;  /* by appProtocol or the port's name; else by the Ingress */
	char cookie[24];              /* the default name */
	uint64_t requests[6];         /* by the first digit of the status; 0: others */
	void *user;                   /* of who tells the endpoints */
};

struct backends;

/* found(arg, b): there is a new one, whose endpoints are to be told; lost(arg, b): it goes. */
struct backends *backends_new(struct loop *loop, void (*found)(void *arg, struct backend *b),
        void (*lost)(void *arg, struct backend *b), void *arg);
/* All backends are given back by now. closed(arg) when the last connection is closed. */
void backends_close(struct backends *s, void (*closed)(void *arg), void *arg);

struct backend *backend_take(struct backends *s, struct slice ns, struct slice service, struct slice port);
struct backend *backend_ref(struct backend *b);
void backend_unref(struct backend *b);
const struct map *backends_map(const struct backends *s); /* key -> struct backend */

/* addresses: "10.0.0.7:80", "[fd00::7]:80"; those that were there keep their connections. */
void backend_set_endpoints(struct backend *b, const char *const *addresses, size_t count, enum upstream_scheme scheme);

/* The next endpoint, or the one with the cookie's id as long as it does not rest; none of those in `tried`. What rests
 * is asked only when nothing else is left. NULL: there is none. A reference is the caller's. */
struct endpoint *backend_next(
        struct backend *b, struct slice cookie, struct endpoint *const *tried, size_t n_tried, uint64_t now_ms);
void endpoint_unref(struct endpoint *u); /* NULL is allowed */
void endpoint_rest(struct endpoint *u, uint64_t now_ms);

#endif
