/* See ingress.h.
 *
 *     new --> serving --(close)--> lame: serves, is not ready --> draining: no new connections --> closed */
#include "net/ingress/ingress.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "net/ingress/follow/watcher.h"
#include "net/ingress/serve/passage.h"

#include <stdlib.h>

enum { ADMIN_CONNECTIONS_MAX = 64, IDLE_MS = 180000 };

struct entry {
	struct ingress *ingress;
	enum entry_point point;
	struct http_server *server;
};

struct ingress {
	struct ingress_options o;
	struct arena arena;
	struct passages passages;
	struct certificates *certificates;
	struct watcher *watcher;
	struct entry entries[ENTRY_POINTS];
	struct http_server *admin; /* NULL: none */
	uv_timer_t timer;          /* lame */
	bool is_stopping;
	unsigned drain_ms;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- requests ---- */

static void handle(struct http_exchange *x, void *arg)
{
	struct entry *e = arg;
	passage_begin(&e->ingress->passages, x, e->point);
}

static void say(struct http_exchange *x, int status, const char *text)
{
	http_set_content_type(x, "text/plain; charset=utf-8");
	http_respond_copy(x, status, slice_of(text));
}

static void say_metrics(struct ingress *i, struct http_exchange *x)
{
	struct strbuf out = STRBUF_INIT;
	size_t connections[ENTRY_POINTS];
	for (unsigned e = 0; e < ENTRY_POINTS; e++)
		connections[e] = http_server_connections(i->entries[e].server);
	tally_write(i->passages.tally, watcher_backends(i->watcher), connections, &out);
	http_set_content_type(x, "text/plain; version=0.0.4; charset=utf-8");
	http_respond_strbuf(x, 200, &out);
}

static void handle_admin(struct http_exchange *x, void *arg)
{
	struct ingress *i = arg;
	const struct http_request *r = http_request(x);
	bool is_up = i->passages.table && !i->is_stopping;
	if (!slice_is(r->method, "GET") && !slice_is(r->method, "HEAD"))
		say(x, 405, "only GET and HEAD\n");
	else if (slice_is(r->path, "/ping"))
		say(x, i->is_stopping ? 503 : 200, i->is_stopping ? "stopping" : "OK");
	else if (slice_is(r->path, "/ready"))
		say(x, is_up ? 200 : 503, is_up ? "OK" : "not ready");
	else if (slice_is(r->path, "/metrics"))
		say_metrics(i, x);
	else
		say(x, 404, "not found\n");
}

/* ---- what requests ask of the cluster ---- */

static struct slice auth_file(void *arg, struct slice secret)
{
	return watcher_auth_file(((struct ingress *)arg)->watcher, secret);
}

static void made(void *arg, struct route_table *t)
{
	struct ingress *i = arg;
	struct route_table *old = i->passages.table;
	i->passages.table = t;
	route_table_unref(old);
	tally_reloaded(i->passages.tally, clock_wall_s());
	/* files that routes want are there before the first request */
	for (size_t n = 0; n < route_table_routes(t); n++)
		if (route_table_route(t, n)->options->auth_secret)
			watcher_auth_file(i->watcher, slice_of(route_table_route(t, n)->options->auth_secret));
	if (!old)
		log_info("ingress", "serving", "routes=%zu", route_table_routes(t));
}

/* ---- listeners ---- */

static int listen_on(struct http_server *s, const char *address, int64_t port, const char *what, struct err *err)
{
	if (port < 0 || port > 65535)
		return err_set(err, ERR_INVAL, "%s: %lld is no port", what, (long long)port);
	return http_server_listen_tcp(s, address, (int)port, err) == 0 ? 0 : err_wrap(err, "%s", what);
}

static int open_entry(struct ingress *i, enum entry_point point, int64_t port, struct err *err)
{
	struct entry *e = &i->entries[point];
	*e = (struct entry){i, point, NULL};
	struct http_server_options o = {.loop = i->o.loop,
	        .handler = handle,
	        .arg = e,
	        .tls = point == ENTRY_WEBSECURE ? certificates_context(i->certificates) : NULL,
	        .connections_max = INGRESS_CONNECTIONS_MAX,
	        .idle_ms = IDLE_MS};
	if (http_server_new(&o, &e->server, err) != 0)
		return err->code;
	return listen_on(e->server, i->o.address, port, point == ENTRY_WEB ? "--web-port" : "--websecure-port", err);
}

static int open_admin(struct ingress *i, struct err *err)
{
	struct http_server_options o = {
	        .loop = i->o.loop, .handler = handle_admin, .arg = i, .connections_max = ADMIN_CONNECTIONS_MAX};
	if (!i->o.admin_port && !i->o.metrics_port)
		return 0;
	if (http_server_new(&o, &i->admin, err) != 0)
		return err->code;
	if (i->o.admin_port && listen_on(i->admin, i->o.address, i->o.admin_port, "--admin-port", err) != 0)
		return err->code;
	if (i->o.metrics_port && i->o.metrics_port != i->o.admin_port)
		return listen_on(i->admin, i->o.address, i->o.metrics_port, "--metrics-port", err);
	return 0;
}

/* ---- life ---- */

static void fill_passages(struct ingress *i)
{
	struct passages *p = &i->passages;
	p->loop = i->o.loop;
	p->tally = tally_new();
	p->rates = rates_new();
	p->logins = logins_new(i->o.loop);
	p->has_access_log = i->o.has_access_log;
	p->auth_file = auth_file;
	p->arg = i;
	list_init(&p->sessions);
}

int ingress_new(const struct ingress_options *o, struct ingress **ret, struct err *err)
{
	struct ingress *i = xcalloc(1, sizeof *i);
	i->o = *o;
	if (o->trusted && source_nets_parse(&i->arena, slice_of(o->trusted), &i->passages.trusted, err) != 0)
		return err_wrap(err, "--forwarded-trusted-ips");
	if (certificates_new(o->certificate, o->key, &i->certificates, err) != 0)
		return err->code;
	if (open_entry(i, ENTRY_WEB, o->web_port, err) != 0 ||
	        open_entry(i, ENTRY_WEBSECURE, o->websecure_port, err) != 0 || open_admin(i, err) != 0)
		return err->code; /* the process ends: what is open ends with it */
	fill_passages(i);
	uv_timer_init(loop_uv(o->loop), &i->timer);
	i->timer.data = i;
	struct watcher_options co = {.client = o->client,
	        .loop = o->loop,
	        .class_name = o->class_name,
	        .controller = o->controller,
	        .gateway_controller = o->gateway_controller,
	        .published = o->published,
	        .certificates = i->certificates,
	        .made = made,
	        .arg = i};
	i->watcher = watcher_new(&co);
	*ret = i;
	return 0;
}

int ingress_port(const struct ingress *i, bool is_tls)
{
	return http_server_port(i->entries[is_tls ? ENTRY_WEBSECURE : ENTRY_WEB].server);
}

static void timer_closed(uv_handle_t *h)
{
	struct ingress *i = h->data;
	void (*closed)(void *) = i->closed;
	void *arg = i->closed_arg;
	logins_free(i->passages.logins);
	certificates_free(i->certificates);
	tally_free(i->passages.tally);
	rates_free(i->passages.rates);
	arena_release(&i->arena);
	free(i);
	if (closed)
		closed(arg);
}

static void watcher_closed(void *arg)
{
	struct ingress *i = arg;
	uv_close((uv_handle_t *)&i->timer, timer_closed);
}

static void sessions_ended(void *arg)
{
	struct ingress *i = arg;
	passages_release(&i->passages);
	watcher_close(i->watcher, watcher_closed, i);
}

static void servers_closed(struct closing *c)
{
	struct ingress *i = CONTAINER_OF(c, struct ingress, closing);
	passages_cut(&i->passages, sessions_ended, i);
}

static void drain(uv_timer_t *t)
{
	struct ingress *i = t->data;
	struct closing *c = &i->closing;
	c->all_closed = servers_closed;
	closing_hold(c);
	for (unsigned e = 0; e < ENTRY_POINTS; e++)
		closing_hold(c), http_server_close(i->entries[e].server, i->drain_ms, closing_part_done, c);
	if (i->admin)
		closing_hold(c), http_server_close(i->admin, 0, closing_part_done, c);
	closing_part_done(c);
}

void ingress_close(struct ingress *i, unsigned lame_ms, unsigned drain_ms, void (*closed)(void *arg), void *arg)
{
	CHECK(!i->is_stopping);
	i->is_stopping = true;
	i->drain_ms = drain_ms;
	i->closed = closed;
	i->closed_arg = arg;
	uv_timer_start(&i->timer, drain, lame_ms, 0);
}
