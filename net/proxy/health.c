/* See health.h. A server for each port; the answer is written when it is asked for. A port that can't be had is told to
 * the caller for services, and logged for the proxy's own: two nodes may share one network. */
#include "net/proxy/health.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem/map.h"
#include "base/time/rfc3339.h"
#include "base/rt/closing.h"
#include "base/wire/http.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONNECTIONS_MAX = 64, IDLE_MS = 60000 };

struct checked {
	struct slice key; /* "namespace/name"; behind the struct */
	struct health *health;
	struct http_server *server;
	int port;
	size_t endpoints;
};

struct health {
	struct loop *loop;
	struct proxy_metrics *metrics;
	struct map services; /* key -> struct checked */
	struct http_server *own;
	int64_t applied_s; /* Unix time; 0: never */
	bool is_eligible;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static bool is_question(struct http_exchange *x)
{
	struct slice method = http_request(x)->method;
	if (slice_is(method, "GET") || slice_is(method, "HEAD"))
		return true;
	http_respond(x, 405);
	return false;
}

static void answer(struct http_exchange *x, bool is_good, struct strbuf *body)
{
	http_set_content_type(x, "application/json");
	http_set_header(x, "x-content-type-options", SLICE("nosniff"));
	http_respond_strbuf(x, is_good ? 200 : 503, body);
}

/* ---- services ---- */

static void asked_after_service(struct http_exchange *x, void *arg)
{
	struct checked *c = arg;
	struct strbuf b = STRBUF_INIT;
	struct slice name = c->key, ns = slice_cut(&name, '/');
	char weight[24];
	if (!is_question(x))
		return;
	strbuf_addf(&b,
	        "{\n\t\"service\": {\n\t\t\"namespace\": \"%.*s\",\n\t\t\"name\": \"%.*s\"\n\t},\n"
	        "\t\"localEndpoints\": %zu,\n\t\"serviceProxyHealthy\": %s\n}",
	        SLICE_FMT(ns), SLICE_FMT(name), c->endpoints, c->health->applied_s ? "true" : "false");
	snprintf(weight, sizeof weight, "%zu", c->endpoints);
	http_set_header(x, "x-load-balancing-endpoint-weight", slice_of(weight));
	answer(x, c->endpoints > 0 && c->health->applied_s, &b);
}

static int open_server(struct health *h, int port, const char *address,
        void (*handler)(struct http_exchange *x, void *arg), void *arg, struct http_server **ret, struct err *err)
{
	struct http_server_options o = {.loop = h->loop,
	        .handler = handler,
	        .arg = arg,
	        .connections_max = CONNECTIONS_MAX,
	        .idle_ms = IDLE_MS};
	if (http_server_new(&o, ret, err) != 0)
		return err->code;
	if (http_server_listen_tcp(*ret, address, port, err) == 0)
		return 0;
	closing_hold(&h->closing);
	http_server_close(*ret, 0, closing_part_done, &h->closing);
	*ret = NULL;
	return err_wrap(err, "port %d", port);
}

static void close_server(struct health *h, struct http_server **server)
{
	if (!*server)
		return;
	closing_hold(&h->closing);
	http_server_close(*server, 0, closing_part_done, &h->closing);
	*server = NULL;
}

/* The server goes first, for its handler looks at it: it ends at once, and calls nobody after. */
static void forget(struct checked *c)
{
	close_server(c->health, &c->server);
	map_del(&c->health->services, c->key);
	free(c);
}

bool health_set(struct health *h, struct slice key, int port, size_t local_endpoints, struct err *err)
{
	LOOP_CHECK_OWNER(h->loop);
	struct checked *c = map_get(&h->services, key);
	if (!port) {
		if (c)
			forget(c);
		return true;
	}
	if (!c) {
		c = MAP_ENTRY_NEW(struct checked, key, key);
		c->health = h;
		map_put(&h->services, c->key, c);
	}
	if (c->port != port)
		close_server(h, &c->server);
	c->port = port;
	c->endpoints = local_endpoints;
	return c->server || open_server(h, port, NULL, asked_after_service, c, &c->server, err) == 0;
}

/* ---- the proxy as a whole ---- */

static void asked_after_proxy(struct http_exchange *x, void *arg)
{
	struct health *h = arg;
	struct strbuf b = STRBUF_INIT;
	struct slice path = http_request(x)->path;
	char last[RFC3339_MAX], now[RFC3339_MAX];
	bool is_live = slice_is(path, "/livez");
	if (!is_question(x))
		return;
	if (!is_live && !slice_is(path, "/healthz")) {
		http_respond(x, 404);
		return;
	}
	rfc3339_seconds(last, h->applied_s);
	rfc3339_seconds(now, clock_wall_s());
	strbuf_addf(&b, "{\"lastUpdated\": \"%s\",\"currentTime\": \"%s\", \"nodeEligible\": %s}", last, now,
	        h->is_eligible ? "true" : "false");
	bool is_good = h->applied_s && (is_live || h->is_eligible);
	h->metrics->probes[is_live ? PROXY_LIVEZ : PROXY_HEALTHZ][is_good]++;
	answer(x, is_good, &b);
}

void health_applied(struct health *h)
{
	h->applied_s = clock_wall_s();
}

void health_node(struct health *h, bool is_eligible)
{
	h->is_eligible = is_eligible;
}

/* ---- life ---- */

static void nothing(struct closing *x)
{
}

struct health *health_new(struct loop *loop, const struct proxy_listen *at, struct proxy_metrics *metrics)
{
	struct health *h = xcalloc(1, sizeof *h);
	struct err err = ERR_INIT;
	h->loop = loop;
	h->metrics = metrics;
	h->is_eligible = true;
	h->closing.all_closed = nothing; /* servers come and go before the end */
	if (at->address && open_server(h, at->port, at->address, asked_after_proxy, h, &h->own, &err) != 0)
		log_warn("proxy", "the proxy's own health is not served", "error=\"%s\"", err.msg);
	return h;
}

static void all_closed(struct closing *x)
{
	struct health *h = CONTAINER_OF(x, struct health, closing);
	void (*closed)(void *) = h->closed;
	void *arg = h->closed_arg;
	map_release(&h->services);
	free(h);
	if (closed)
		closed(arg);
}

void health_close(struct health *h, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(h->loop);
	h->closed = closed;
	h->closed_arg = arg;
	closing_hold(&h->closing);
	h->closing.all_closed = all_closed;
	close_server(h, &h->own);
	MAP_FOREACH (it, &h->services) {
		struct checked *c = it->value;
		close_server(h, &c->server);
		free(c);
	}
	closing_part_done(&h->closing);
}
