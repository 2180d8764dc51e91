/* See backend.h. */
#include "net/ingress/serve/backend.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "base/wire/tls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { REST_MS = 2000, CONNECT_MS = 3000, IDLE_MS = 30000 };

struct upstreams {
	struct loop *loop;
	struct map map; /* key -> struct endpoint */
	struct tls_context *tls;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct backends {
	struct upstreams upstreams;
	struct map map; /* key -> struct backend */
	void (*found)(void *arg, struct backend *b);
	void (*lost)(void *arg, struct backend *b);
	void *arg;
};

/* ---- upstreams ---- */

/* Pods show certificates that nobody outside knows: traefik's default transport verifies them, ingress-nginx does not.
 * Encrypted and unverified is what both get by with in practice. */
static struct tls_context *upstream_tls(struct upstreams *s)
{
	struct tls_options o = {.skip_verify = true};
	struct err err = ERR_INIT;
	if (!s->tls && tls_context_new(&o, &s->tls, &err) != 0)
		log_error("ingress", "no TLS to endpoints", "error=\"%s\"", err.msg);
	return s->tls;
}

static struct http_client *client_of(struct upstreams *s, const char *address, enum upstream_scheme scheme)
{
	const char *colon = strrchr(address, ':');
	bool v6 = address[0] == '[';
	char *host = xmemdup(address + v6, (size_t)(colon - address) - 2 * v6);
	struct http_client_options o = {.loop = s->loop,
	        .host = host,
	        .port = atoi(colon + 1),
	        .tls = scheme == UPSTREAM_HTTPS ? upstream_tls(s) : NULL,
	        .protocol = scheme == UPSTREAM_H2C     ? HTTP_CLIENT_H2
	                    : scheme == UPSTREAM_HTTPS ? HTTP_CLIENT_AUTO
	                                               : HTTP_CLIENT_H1,
	        .connections_max = INGRESS_UPSTREAM_CONNECTIONS_MAX,
	        .connect_ms = CONNECT_MS,
	        .idle_ms = IDLE_MS};
	struct http_client *c = http_client_new(&o);
	free(host);
	return c;
}

static struct endpoint *endpoint_take(struct upstreams *s, const char *address, enum upstream_scheme scheme)
{
	static const char *const names[] = {"http", "http", "https", "h2c"};
	char key[128];
	snprintf(key, sizeof key, "%s %s", names[scheme], address);
	struct endpoint *u = map_get(&s->map, slice_of(key));
	if (!u) {
		u = MAP_ENTRY_NEW(struct endpoint, key, slice_of(key));
		u->all = s;
		u->client = client_of(s, address, scheme);
		snprintf(u->id, sizeof u->id, "%016" PRIx64, fnv1a64(key, strlen(key)));
		map_put(&s->map, u->key, u);
	}
	u->refs++;
	return u;
}

static void client_closed(void *arg)
{
	closing_part_done(arg);
}

void endpoint_unref(struct endpoint *u)
{
	if (!u || --u->refs)
		return;
	map_del(&u->all->map, u->key);
	closing_hold(&u->all->closing);
	http_client_close(u->client, client_closed, &u->all->closing);
	free(u);
}

void endpoint_rest(struct endpoint *u, uint64_t now_ms)
{
	u->rests_until_ms = now_ms + REST_MS;
}

/* ---- backends ---- */

static void all_closed(struct closing *c)
{
	struct upstreams *u = CONTAINER_OF(c, struct upstreams, closing);
	struct backends *s = CONTAINER_OF(u, struct backends, upstreams);
	void (*closed)(void *) = u->closed;
	void *arg = u->closed_arg;
	tls_context_unref(u->tls);
	map_release(&u->map);
	map_release(&s->map);
	free(s);
	if (closed)
		closed(arg);
}

struct backends *backends_new(struct loop *loop, void (*found)(void *arg, struct backend *b),
        void (*lost)(void *arg, struct backend *b), void *arg)
{
	struct backends *s = xcalloc(1, sizeof *s);
	s->upstreams.loop = loop;
	s->upstreams.closing.all_closed = all_closed;
	closing_hold(&s->upstreams.closing); /* itself */
	s->found = found;
	s->lost = lost;
	s->arg = arg;
	return s;
}

void backends_close(struct backends *s, void (*closed)(void *arg), void *arg)
{
	CHECK(s->map.count == 0);
	s->upstreams.closed = closed;
	s->upstreams.closed_arg = arg;
	closing_part_done(&s->upstreams.closing);
}

struct backend *backend_take(struct backends *s, struct slice ns, struct slice service, struct slice port)
{
	char key[600];
	int n = snprintf(key, sizeof key, "%.*s/%.*s:%.*s", SLICE_FMT(ns), SLICE_FMT(service), SLICE_FMT(port));
	struct slice k = {key, (size_t)n < sizeof key ? (size_t)n : sizeof key - 1};
	struct backend *b = map_get(&s->map, k);
	if (b)
		return backend_ref(b);
	b = MAP_ENTRY_NEW(struct backend, key, k);
	b->all = s;
	b->refs = 1;
	b->ns = (struct slice){b->key.ptr, ns.len};
	b->service = (struct slice){b->key.ptr + ns.len + 1, service.len};
	b->port = (struct slice){b->key.ptr + ns.len + service.len + 2, port.len};
	snprintf(b->cookie, sizeof b->cookie, "_%016" PRIx64, fnv1a64(k.ptr, k.len));
	map_put(&s->map, b->key, b);
	s->found(s->arg, b);
	return b;
}

struct backend *backend_ref(struct backend *b)
{
	b->refs++;
	return b;
}

static void drop_endpoints(struct endpoint **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		endpoint_unref(list[i]);
	free(list);
}

void backend_unref(struct backend *b)
{
	if (--b->refs)
		return;
	b->all->lost(b->all->arg, b);
	map_del(&b->all->map, b->key);
	drop_endpoints(b->endpoints, b->count);
	arena_release(&b->arena);
	free(b);
}

const struct map *backends_map(const struct backends *s)
{
	return &s->map;
}

void backend_set_endpoints(struct backend *b, const char *const *addresses, size_t count, enum upstream_scheme scheme)
{
	struct endpoint **old = b->endpoints;
	size_t n = b->count;
	b->scheme = scheme;
	b->endpoints = xcalloc(count + 1, sizeof(struct endpoint *));
	b->count = count;
	for (size_t i = 0; i < count; i++)
		b->endpoints[i] = endpoint_take(&b->all->upstreams, addresses[i], scheme);
	drop_endpoints(old, n);
}

/* ---- choosing ---- */

static bool was_tried(const struct endpoint *u, struct endpoint *const *tried, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (tried[i] == u)
			return true;
	return false;
}

static struct endpoint *by_cookie(struct backend *b, struct slice cookie, uint64_t now_ms)
{
	for (size_t i = 0; cookie.len && i < b->count; i++)
		if (slice_is(cookie, b->endpoints[i]->id) && b->endpoints[i]->rests_until_ms <= now_ms)
			return b->endpoints[i];
	return NULL;
}

struct endpoint *backend_next(
        struct backend *b, struct slice cookie, struct endpoint *const *tried, size_t n_tried, uint64_t now_ms)
{
	struct endpoint *u = n_tried ? NULL : by_cookie(b, cookie, now_ms), *resting = NULL;
	for (size_t i = 0; !u && i < b->count; i++) {
		struct endpoint *it = b->endpoints[b->next++ % b->count];
		if (was_tried(it, tried, n_tried))
			continue;
		if (it->rests_until_ms <= now_ms)
			u = it;
		else if (!resting)
			resting = it;
	}
	u = u ? u : resting;
	if (u)
		u->refs++;
	return u;
}
