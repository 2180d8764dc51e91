/* See passage.h.
 *
 *     route --> allowed? --> redirected? --> who is it? --> endpoint --> request --> answer --> logged, counted
 *                                                              ^            |
 *                                                              +--(no connection: another, three at most)
 *
 * Bodies are streamed in both directions, each side held back while the other does not read. Until an endpoint is
 * connected to, what came of a request's body is kept, and beyond INGRESS_REPLAY_BYTES_MAX no more of it is read: one
 * that can't be connected to has seen nothing of the request, and another is asked whatever the method. One that was
 * connected and broke off may have acted on it: 502, and no second try but that of base/wire for GET and HEAD.
 *
 * The passage lives in the exchange's arena. It ends with the answer, or when the client goes away. */
#include "net/ingress/serve/passage.h"

#include "base/check.h"
#include "base/histogram.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/wire/conn_join.h"
#include "base/wire/http_client.h"
#include "net/ingress/serve/backend.h"
#include "net/ingress/serve/forwarded.h"
#include "net/ingress/serve/login.h"

#include <stdio.h>
#include <stdlib.h>

enum { TRIES_MAX = 3 };

struct passage {
	struct passages *p;
	struct http_exchange *x; /* NULL: it is answered, or the client is gone */
	struct route_table *table;
	const struct route *route;
	struct backend *backend;
	enum entry_point entry;
	struct slice method, host, path, query;
	unsigned char client[16];
	bool is_trusted, is_head;
	uint64_t begun_ns;
	int status;
	/* the endpoint */
	struct endpoint *tried[TRIES_MAX];
	size_t tries;
	struct http_call *call; /* NULL: none */
	const char *upgrade;    /* NULL: no */
	struct login *login;    /* a password is being checked; NULL: none */
	/* the body */
	struct strbuf kept; /* its beginning, while another endpoint may be asked */
	uint64_t body_bytes;
	bool is_streamed, is_body_over, is_sent;
};

struct session {
	struct passages *p;
	struct list_link link;
	struct conn_join *join;
	struct endpoint *upstream;
};

static struct arena *arena_of(struct passage *g)
{
	return http_arena(g->x);
}

/* ---- the end ---- */

static void write_log(struct passage *g)
{
	const struct http_request *r = http_request(g->x);
	double ms = (double)(histogram_now_ns() - g->begun_ns) / 1e6;
	log_info("access", "request",
	        "client=%s entrypoint=%s method=%.*s host=%.*s path=\"%.*s\" protocol=HTTP/%d status=%d "
	        "ingress=%.*s/%.*s "
	        "endpoint=%.*s ms=%.1f",
	        r->peer->address, entry_point_name(g->entry), SLICE_FMT(g->method), SLICE_FMT(g->host),
	        SLICE_FMT(g->path), r->http_major, g->status, SLICE_FMT(g->route ? g->route->ns : SLICE("-")),
	        SLICE_FMT(g->route ? g->route->ingress : SLICE("-")),
	        SLICE_FMT(g->tries ? g->tried[g->tries - 1]->key : SLICE("-")), ms);
}

/* Before the exchange is given away: what hangs on the passage goes, what it did is counted. */
static void finish(struct passage *g)
{
	tally_request(g->p->tally, g->entry, g->method, g->status, g->upgrade && g->status == 101,
	        histogram_now_ns() - g->begun_ns);
	if (g->backend)
		g->backend->requests[g->status / 100 < 6 ? g->status / 100 : 0]++;
	if (g->p->has_access_log)
		write_log(g);
	for (size_t i = 0; i < g->tries; i++)
		endpoint_unref(g->tried[i]);
	g->tries = 0;
	strbuf_release(&g->kept);
	if (g->backend)
		backend_unref(g->backend);
	route_table_unref(g->table);
	g->backend = NULL;
	g->table = NULL;
	g->call = NULL;
}

static void answer(struct passage *g, int status, const char *text)
{
	g->status = status;
	http_set_content_type(g->x, "text/plain; charset=utf-8");
	finish(g);
	http_respond_copy(TAKE(g->x), status, slice_of(text));
}

static void gone(struct http_exchange *x, void *arg)
{
	struct passage *g = arg;
	g->status = 499; /* nginx's, and traefik's */
	if (g->call)
		http_call_cancel(g->call);
	if (g->login)
		login_forget(g->login);
	finish(g);
	g->x = NULL;
}

/* ---- redirects ---- */

static void redirect(struct passage *g, unsigned status, const char *url)
{
	http_set_header(g->x, "location", slice_of(url));
	answer(g, (int)status, "");
}

static const char *with_target(struct passage *g, const char *begin)
{
	return arena_printf(
	        arena_of(g), "%s%.*s%s%.*s", begin, SLICE_FMT(g->path), g->query.len ? "?" : "", SLICE_FMT(g->query));
}

/* As a rule of an HTTPRoute has it; the ports of the entry points themselves are not said, as nobody outside sees them.
 */
static void redirect_by_filter(struct passage *g, const struct url_change *c)
{
	struct arena *a = arena_of(g);
	const char *scheme = c->scheme ? c->scheme : g->entry == ENTRY_WEBSECURE ? "https" : "http";
	struct slice host = c->host ? slice_of(c->host) : g->host, path;
	unsigned port = c->port ? c->port : c->scheme ? 0 : g->route->port;
	if (port == (strcmp(scheme, "https") == 0 ? 443u : 80u))
		port = 0;
	path = url_change_path(a, c, &g->route->rule, g->path);
	redirect(g, c->status,
	        arena_printf(a, "%s://%.*s%s%.*s%s%.*s", scheme, SLICE_FMT(host),
	                port ? arena_printf(a, ":%u", port) : "", SLICE_FMT(path), g->query.len ? "?" : "",
	                SLICE_FMT(g->query)));
}

static bool is_redirected(struct passage *g)
{
	if (g->route->filters && g->route->filters->redirect) {
		redirect_by_filter(g, g->route->filters->redirect);
		return true;
	}
	const struct route_options *o = g->route->options;
	struct arena *a = arena_of(g);
	bool to_tls = g->entry == ENTRY_WEB && (o->wants_tls || (o->wants_tls_if_any && g->route->is_tls));
	if (to_tls)
		redirect(g, 308, with_target(g, arena_printf(a, "https://%.*s", SLICE_FMT(g->host))));
	else if (o->redirect)
		redirect(g, o->redirect_status, o->redirect);
	else if (o->app_root && slice_is(g->path, "/"))
		redirect(g, 302, o->app_root);
	else
		return false;
	return true;
}

/* ---- the answer ---- */

static bool is_sticky(const struct passage *g)
{
	return g->route->options->is_sticky || g->backend->options.is_sticky;
}

static const char *cookie_name(const struct passage *g)
{
	const char *own = g->route->options->cookie ? g->route->options->cookie : g->backend->options.cookie;
	return own ? own : g->backend->cookie;
}

static struct slice cookie_of(struct passage *g)
{
	struct slice rest = http_header(g->x, "cookie");
	while (is_sticky(g) && rest.ptr) {
		struct slice value = slice_trim(slice_cut(&rest, ';')), name = slice_cut(&value, '=');
		if (slice_is(name, cookie_name(g)))
			return value;
	}
	return SLICE_NULL;
}

static void set_cookie(struct passage *g)
{
	const struct route_options *r = g->route->options, *s = &g->backend->options;
	const struct endpoint *u = g->tried[g->tries - 1];
	const char *same_site = r->cookie_same_site ? r->cookie_same_site : s->cookie_same_site;
	if (!is_sticky(g) || slice_is(cookie_of(g), u->id))
		return;
	http_set_header(g->x, "set-cookie",
	        slice_of(arena_printf(arena_of(g), "%s=%s; Path=/%s%s%s%s", cookie_name(g), u->id,
	                r->cookie_is_secure || s->cookie_is_secure ? "; Secure" : "",
	                s->cookie_is_http_only || r->is_sticky ? "; HttpOnly" : "", same_site ? "; SameSite=" : "",
	                same_site ? same_site : "")));
}

static void pass_headers(struct passage *g, const struct http_answer *h)
{
	forwarded_answer(g->x, h, g->route->filters ? &g->route->filters->response : NULL);
	set_cookie(g);
}

static void on_head(struct http_call *call, const struct http_answer *h, void *arg)
{
	struct passage *g = arg;
	uint64_t length = 0;
	bool is_known = slice_to_u64(http_answer_header(h, "content-length"), &length) && length <= INT64_MAX;
	g->status = h->status;
	pass_headers(g, h);
	http_respond_begin(g->x, h->status, is_known ? (int64_t)length : -1);
}

static void on_data(struct http_call *call, struct slice data, void *arg)
{
	struct passage *g = arg;
	if (!http_write(g->x, data))
		http_call_pause(call);
}

static void on_writable(struct http_exchange *x, void *arg)
{
	struct passage *g = arg;
	if (g->call)
		http_call_resume(g->call);
}

static void try_next(struct passage *g);

static void fail(struct passage *g, const struct http_answer *h, const struct err *err)
{
	struct endpoint *u = g->tried[g->tries - 1];
	log_debug("ingress", "no answer", "endpoint=\"%.*s\" error=\"%s\"", SLICE_FMT(u->key), err->msg);
	if (!h->is_sent && err->code != ERR_CANCELED) {
		endpoint_rest(u, loop_now_ms(g->p->loop));
		if (g->tries < TRIES_MAX) {
			tally_retried(g->p->tally);
			try_next(g);
			return;
		}
	}
	if (err->code == ERR_TIMEOUT)
		answer(g, 504, "Gateway Timeout");
	else
		answer(g, 502, "Bad Gateway");
}

static void on_done(struct http_call *call, const struct http_answer *h, const struct err *err, void *arg)
{
	struct passage *g = arg;
	g->call = NULL;
	if (err && !g->status) {
		fail(g, h, err);
		return;
	}
	if (err) { /* broken off: the client must not take it for the whole */
		finish(g);
		http_abort(TAKE(g->x));
		return;
	}
	for (size_t i = 0; i < h->trailers_count; i++)
		http_set_trailer(g->x, arena_memdup(arena_of(g), h->trailers[i].name.ptr, h->trailers[i].name.len),
		        h->trailers[i].value);
	finish(g);
	http_respond_end(TAKE(g->x));
}

/* ---- upgrades ---- */

static void session_over(void *arg)
{
	struct session *s = arg;
	struct passages *p = s->p;
	list_del(&s->link);
	endpoint_unref(s->upstream);
	free(s);
	if (p->sessions_ended && list_empty(&p->sessions))
		p->sessions_ended(p->sessions_arg);
}

static void on_upgraded(struct http_call *call, const struct http_answer *h, struct conn *far, void *arg)
{
	struct passage *g = arg;
	struct passages *p = g->p;
	struct err err = ERR_INIT;
	struct conn *near = NULL;
	struct endpoint *u = g->tried[g->tries - 1];
	struct http_exchange *x = g->x;
	pass_headers(g, h);
	g->status = h->status;
	u->refs++;
	finish(g);
	if (http_upgrade(x, g->upgrade, &near, &err) != 0) {
		endpoint_unref(u);
		conn_drop(far);
		http_abort(x);
		return;
	}
	/* The arena, and the passage in it, went with the exchange. */
	struct session *s = xcalloc(1, sizeof *s);
	s->p = p;
	s->upstream = u;
	list_push_back(&p->sessions, &s->link);
	s->join = conn_join(near, far, CONN_JOIN_WHOLE, session_over, s);
}

/* ---- the request ---- */

static void on_body(struct http_exchange *x, struct slice data, bool is_end, void *arg)
{
	struct passage *g = arg;
	if (!g->x)
		return; /* it is answered already */
	uint64_t most = g->route->options->body_bytes_max;
	g->body_bytes += data.len;
	g->is_body_over = is_end;
	if (most && g->body_bytes > most && !g->status) {
		if (g->call)
			http_call_cancel(g->call);
		answer(g, 413, "Request Entity Too Large");
		return;
	}
	if (!g->is_sent)
		strbuf_add_slice(&g->kept, data);
	if (!g->call)
		return;
	bool has_room = !data.len || http_call_write(g->call, data);
	if (!has_room || (!g->is_sent && g->kept.len >= INGRESS_REPLAY_BYTES_MAX))
		http_body_pause(x);
	if (is_end)
		http_call_write_end(g->call);
}

static void on_room(struct http_call *call, void *arg)
{
	struct passage *g = arg;
	if (g->x && !g->is_body_over)
		http_body_resume(g->x);
}

/* Nobody else can be asked any more: what was kept for that goes, and more of the body may come. */
static void on_sent(struct http_call *call, void *arg)
{
	struct passage *g = arg;
	g->is_sent = true;
	strbuf_release(&g->kept);
	on_room(call, arg);
}

static const char *target_of(struct passage *g)
{
	struct arena *a = arena_of(g);
	const char *rewrite = g->route->options->rewrite;
	struct slice path = rewrite ? path_rewrite(a, &g->route->rule, g->path, rewrite) : g->path;
	if (g->route->filters && g->route->filters->rewrite)
		path = url_change_path(a, g->route->filters->rewrite, &g->route->rule, path);
	return arena_printf(a, "%.*s%s%.*s", SLICE_FMT(path), g->query.len ? "?" : "", SLICE_FMT(g->query));
}

static const char *host_for(struct passage *g)
{
	struct slice authority = http_request(g->x)->authority;
	const struct route_filters *f = g->route->filters;
	if (f && f->rewrite && f->rewrite->host)
		return f->rewrite->host;
	if (g->route->options->host)
		return g->route->options->host;
	if (g->backend->options.drops_host || !authority.len)
		return NULL;
	return arena_memdup(arena_of(g), authority.ptr, authority.len);
}

static void send_to(struct passage *g, struct endpoint *u)
{
	struct forwarded f = {.exchange = g->x,
	        .is_trusted = g->is_trusted,
	        .is_tls = g->entry == ENTRY_WEBSECURE,
	        .is_upgrade = g->upgrade != NULL,
	        .prefix = g->route->options->prefix,
	        .edits = g->route->filters ? &g->route->filters->request : NULL};
	struct header_vector h = forwarded_request(&f);
	int64_t length = http_request(g->x)->content_length;
	struct http_call_options o = {.method = arena_memdup(arena_of(g), g->method.ptr, g->method.len),
	        .target = target_of(g),
	        .host = host_for(g),
	        .headers = h.items,
	        .headers_count = h.count,
	        .body = strbuf_slice(&g->kept),
	        .stream_body = g->is_streamed && !g->is_body_over,
	        .body_length = length > 0 ? length : 0,
	        .upgrade = g->upgrade,
	        .timeout_ms = g->route->options->read_ms,
	        .on_sent = on_sent,
	        .on_head = on_head,
	        .on_data = on_data,
	        .on_done = on_done,
	        .on_upgraded = on_upgraded,
	        .on_writable = on_room,
	        .arg = g};
	g->call = http_client_call(u->client, &o);
}

static void try_next(struct passage *g)
{
	struct endpoint *u = backend_next(g->backend, cookie_of(g), g->tried, g->tries, loop_now_ms(g->p->loop));
	if (!u) {
		answer(g, g->tries ? 502 : 503, g->tries ? "Bad Gateway" : "no available server");
		return;
	}
	g->tried[g->tries++] = u;
	send_to(g, u);
}

static void pass_on(struct passage *g)
{
	const struct http_request *r = http_request(g->x);
	uint64_t most = g->route->options->body_bytes_max;
	if (most && r->content_length > 0 && (uint64_t)r->content_length > most) {
		answer(g, 413, "Request Entity Too Large");
		return;
	}
	if (http_wants_upgrade(g->x, NULL) && slice_is(g->method, "GET")) {
		struct slice protocol = http_header(g->x, "upgrade");
		g->upgrade = arena_memdup(arena_of(g), protocol.ptr, protocol.len);
	}
	g->is_streamed = r->content_length != 0 && !g->upgrade;
	http_on_writable(g->x, on_writable, g);
	if (!g->backend->count) {
		answer(g, 503, "no available server");
		return;
	}
	try_next(g);
	if (g->x && g->is_streamed)
		http_body_stream(g->x, on_body, g);
}

/* ---- passwords ---- */

static void unauthorized(struct passage *g)
{
	const char *realm = g->route->options->auth_realm;
	http_set_header(g->x, "www-authenticate",
	        slice_of(arena_printf(arena_of(g), "Basic realm=\"%s\"", realm ? realm : "Authentication Required")));
	answer(g, 401, "401 Unauthorized");
}

static void login_told(void *arg, bool is_right)
{
	struct passage *g = arg;
	g->login = NULL;
	if (is_right)
		pass_on(g);
	else
		unauthorized(g);
}

/* Answers, or passes on, now or later. */
static void authenticate(struct passage *g)
{
	struct login_request r = {.secret = slice_of(g->route->options->auth_secret),
	        .authorization = http_header(g->x, "authorization"),
	        .told = login_told,
	        .arg = g};
	r.file = g->p->auth_file(g->p->arg, r.secret);
	if (!r.file.ptr) {
		answer(g, 503, "the Secret with the passwords is not there");
		return;
	}
	switch (login_ask(g->p->logins, &r, &g->login)) {
	case LOGIN_RIGHT:
		pass_on(g);
		break;
	case LOGIN_WRONG:
		unauthorized(g);
		break;
	case LOGIN_BUSY:
		answer(g, 503, "too many passwords to check");
		break;
	case LOGIN_LATER:
		break;
	}
}

/* ---- the beginning ---- */

static struct slice host_of(struct passage *g, struct slice authority)
{
	struct slice host = slice_lower(arena_of(g), source_host(authority));
	host.len -= host.len && host.ptr[host.len - 1] == '.';
	return host;
}

/* Backends of one rule have their shares by weight: evenly spread, as the golden ratio's multiples are. NULL: the one
 * whose turn it is is not there. */
static struct backend *choose(struct passages *p, const struct route *r)
{
	p->turns += 0x9e3779b97f4a7c15u;
	uint64_t at = r->weight ? (p->turns >> 32) * r->weight >> 32 : 0;
	for (size_t i = 0; i < r->n_choices; i++) {
		if (at < r->choices[i].weight)
			return r->choices[i].backend;
		at -= r->choices[i].weight;
	}
	return NULL;
}

static void follow_route(struct passage *g)
{
	const struct route_options *o = g->route->options;
	char whose[600];
	struct backend *b = g->route->backend ? g->route->backend : choose(g->p, g->route);
	g->backend = b ? backend_ref(b) : NULL;
	if (o->allow.count && !source_nets_have(&o->allow, g->client)) {
		answer(g, 403, "Forbidden");
		return;
	}
	snprintf(whose, sizeof whose, "%.*s/%.*s", SLICE_FMT(g->route->ns), SLICE_FMT(g->route->ingress));
	if (o->rate_per_minute && !rates_allow(g->p->rates, slice_of(whose), g->client, o->rate_per_minute, o->burst,
	                                  loop_now_ms(g->p->loop))) {
		answer(g, 429, "Too Many Requests");
		return;
	}
	if (is_redirected(g))
		return;
	if (!g->backend)
		answer(g, 500, "the backend of this route is not there");
	else if (o->auth_secret)
		authenticate(g);
	else
		pass_on(g);
}

static struct slice header_of(void *arg, const char *name)
{
	return http_header(arg, name);
}

void passage_begin(struct passages *p, struct http_exchange *x, enum entry_point entry)
{
	const struct http_request *r = http_request(x);
	struct passage *g = ARENA_NEW(http_arena(x), struct passage);
	g->p = p;
	g->x = x;
	g->entry = entry;
	g->begun_ns = histogram_now_ns();
	g->method = r->method;
	g->query = r->query;
	g->path = r->path;
	g->host = host_of(g, r->authority);
	g->is_trusted = source_parse(slice_of(r->peer->address), g->client) && source_nets_have(&p->trusted, g->client);
	g->table = p->table ? route_table_ref(p->table) : NULL;
	http_on_abort(x, gone, g);
	if (!g->table) {
		answer(g, 503, "the routes are not known yet");
		return;
	}
	if (!path_clean(arena_of(g), r->path, &g->path)) {
		answer(g, 400, "Bad Request: the path leaves the root, or holds a broken escape");
		return;
	}
	const struct match_asked asked = {.method = g->method, .query = g->query, .header = header_of, .arg = x};
	g->route = route_table_find(g->table, entry, g->host, g->path, &asked);
	if (g->route)
		follow_route(g);
	else
		answer(g, 404, "404 page not found");
}

void passages_cut(struct passages *p, void (*ended)(void *arg), void *arg)
{
	p->sessions_ended = ended;
	p->sessions_arg = arg;
	if (list_empty(&p->sessions)) {
		ended(arg);
		return;
	}
	LIST_FOREACH (it, &p->sessions)
		conn_join_cut(CONTAINER_OF(it, struct session, link)->join);
}

void passages_release(struct passages *p)
{
	route_table_unref(p->table);
	p->table = NULL;
}
