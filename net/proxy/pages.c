/* See pages.h. */
#include "net/proxy/pages.h"

#include "base/check.h"
#include "base/log.h"
#include "base/wire/http.h"

#include <stdlib.h>

enum { CONNECTIONS_MAX = 16, IDLE_MS = 60 * 1000 };

struct pages {
	struct http_server *server; /* NULL: none */
	const struct proxy_metrics *metrics;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void answer_text(struct http_exchange *x, const char *text)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, text);
	http_set_content_type(x, "text/plain; charset=utf-8");
	http_respond_strbuf(x, 200, &b);
}

static void answer_metrics(struct pages *p, struct http_exchange *x)
{
	struct strbuf b = STRBUF_INIT;
	proxy_metrics_write(p->metrics, &b);
	http_set_content_type(x, "text/plain; version=0.0.4; charset=utf-8");
	http_respond_strbuf(x, 200, &b);
}

static void handle(struct http_exchange *x, void *arg)
{
	struct slice path = http_request(x)->path, method = http_request(x)->method;
	if (!slice_is(method, "GET") && !slice_is(method, "HEAD"))
		http_respond(x, 405);
	else if (slice_is(path, "/metrics"))
		answer_metrics(arg, x);
	else if (slice_is(path, "/healthz"))
		answer_text(x, "ok");
	else if (slice_is(path, "/proxyMode"))
		answer_text(x, "nftables");
	else
		http_respond(x, 404);
}

struct pages *pages_new(struct loop *loop, const struct proxy_listen *at, const struct proxy_metrics *metrics)
{
	struct pages *p = xcalloc(1, sizeof *p);
	struct err err = ERR_INIT;
	struct http_server_options o = {
	        .loop = loop, .handler = handle, .arg = p, .connections_max = CONNECTIONS_MAX, .idle_ms = IDLE_MS};
	p->metrics = metrics;
	if (!at->address)
		return p;
	if (http_server_new(&o, &p->server, &err) == 0 &&
	        http_server_listen_tcp(p->server, at->address, at->port, &err) == 0)
		return p;
	log_warn("proxy", "the proxy's metrics are not served", "address=%s port=%d error=\"%s\"", at->address,
	        at->port, err.msg);
	if (p->server)
		http_server_close(TAKE(p->server), 0, NULL, NULL);
	return p;
}

static void server_closed(void *arg)
{
	struct pages *p = arg;
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->closed_arg;
	free(p);
	if (closed)
		closed(closed_arg);
}

void pages_close(struct pages *p, void (*closed)(void *arg), void *arg)
{
	p->closed = closed;
	p->closed_arg = arg;
	if (p->server)
		http_server_close(p->server, 0, server_closed, p);
	else
		server_closed(p);
}
