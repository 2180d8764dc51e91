/* See outgoing.h. A call:
 *
 *     send --> trying --(answer, or no use in another try)--> done()
 *                 ^ |
 *                 | +--(no answer, 429, 5xx; tries and time are left)--> waiting --+
 *                 +-----------------------------------------------------------------+
 *     cancel, pool closed: from either of them --> ending (a deferred turn) --> done() with ERR_CANCELED
 *
 * What can go wrong: a target that does not answer (the deadline is for all tries together, so that nobody waits longer
 * than he has said), a kept connection that the other side has just closed (the call did not reach anybody, and is
 * tried again at once, which is why whoever is called must take the same call twice), answers without an end (bounded).
 */
#include "base/wire/outgoing.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem/map.h"
#include "base/pki/pki.h"
#include "base/wire/http_client.h"
#include "base/wire/tls.h"
#include "base/wire/url.h"

#include <stdlib.h>
#include <unistd.h>

enum { BACKOFF_MS = 500, BEARER_FILE_MS = 60000, HEADERS_OWN = 5 };

struct outgoing_pool {
	struct loop *loop;
	struct map targets;       /* by what makes them the same */
	struct list_link clients; /* of targets whose connections are not closed */
	struct list_link calls;
	size_t n_calls;
	uv_timer_t timer; /* of calls that wait for their next try */
	bool closing, timer_closed;
	void (*closed)(void *arg);
	void *closed_arg;
	struct loop_defer closing_turn;
};

struct outgoing {
	struct outgoing_pool *pool; /* NULL: it is closed */
	struct arena arena;
	struct list_link link;
	unsigned refs;
	size_t n_calls;
	struct slice identity;
	const char *url, *path;
	struct http_client *http; /* NULL: closed */
	bool is_closing;
	const char *authorization; /* header's value; NULL: none */
	const char *bearer_file;
	char *from_file; /* the value of that, malloc'ed */
	uint64_t read_ms;
};

/* ---- targets ---- */

static void add_part(struct strbuf *b, const char *text)
{
	strbuf_addf(b, "%zu:%s,", text ? strlen(text) + 1 : 0, text ? text : "");
}

/* Two targets of the same digest are one. */
static void identify(const struct outgoing_target *t, char ret_hex[65])
{
	const char *parts[] = {t->url, t->connect_host, t->server_name, t->ca_pem, t->certificate_pem, t->key_pem,
	        t->bearer, t->bearer_file, t->username, t->password};
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		add_part(&b, parts[i]);
	strbuf_addf(&b, "%d %d", t->connect_port, t->skip_verify);
	pki_sha256_hex(b.data, b.len, ret_hex);
}

/* Where distributions keep the certificates that everybody trusts. */
const char *outgoing_system_roots(void)
{
	static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
	        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
	for (size_t i = 0; i < COUNT_OF(files); i++)
		if (access(files[i], R_OK) == 0)
			return files[i];
	return NULL;
}

static bool is_odd(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 127 || *text == '#' || *text == '@' || *text == '\\')
			return true;
	return false;
}

/* Server and path apart; the path begins with a slash. */
static int take_url(struct arena *a, const char *text, struct url *u, const char **ret_path, struct err *err)
{
	const char *host = strstr(text, "://");
	host = host ? host + 3 : text;
	const char *path = host + strcspn(host, "/?");
	if (is_odd(text))
		return err_set(err, ERR_INVAL, "URL \"%s\": no spaces, users, fragments or backslashes in it", text);
	const char *server = arena_printf(a, "%.*s", (int)(path - text), text);
	if (url_parse(a, server, strncmp(text, "http:", 5) == 0 ? 80 : 443, u, err) != 0)
		return err->code;
	*ret_path = arena_printf(a, "%s%s", *path == '/' ? "" : "/", path);
	return 0;
}

int outgoing_url_check(struct arena *a, const char *url, const char **ret_path, struct err *err)
{
	struct url u;
	return take_url(a, url, &u, ret_path, err);
}

static int make_tls(const struct outgoing_target *t, struct tls_context **ret, struct err *err)
{
	struct tls_options tls = {.ca_pem = t->ca_pem,
	        .skip_verify = t->skip_verify,
	        .certificate_pem = t->certificate_pem,
	        .key_pem = t->key_pem};
	if (!t->ca_pem && !t->skip_verify && !(tls.ca_file = outgoing_system_roots()))
		return err_set(err, ERR_NOT_FOUND,
		        "no CA is given for %s and this system has no roots: install ca-certificates", t->url);
	return tls_context_new(&tls, ret, err) == 0 ? 0 : err_wrap(err, "%s", t->url);
}

int outgoing_target_check(struct arena *a, const struct outgoing_target *t, struct err *err)
{
	struct url u;
	const char *path;
	struct tls_context *tls = NULL;
	if (take_url(a, t->url, &u, &path, err) != 0 || (u.is_tls && make_tls(t, &tls, err) != 0))
		return err->code;
	tls_context_unref(tls);
	return 0;
}

static const char *basic(struct arena *a, const char *username, const char *password)
{
	const char *both = arena_printf(a, "%s:%s", username, password ? password : "");
	return arena_printf(a, "Basic %.*s", SLICE_FMT(base64_encode(a, slice_of(both))));
}

static int open_target(struct outgoing *o, const struct outgoing_target *t, struct err *err)
{
	struct url u;
	struct tls_context *tls = NULL;
	if (take_url(&o->arena, t->url, &u, &o->path, err) != 0 || (u.is_tls && make_tls(t, &tls, err) != 0))
		return err->code;
	o->url = arena_strdup(&o->arena, t->url);
	if (t->bearer)
		o->authorization = arena_printf(&o->arena, "Bearer %s", t->bearer);
	else if (t->username)
		o->authorization = basic(&o->arena, t->username, t->password);
	if (t->bearer_file)
		o->bearer_file = arena_strdup(&o->arena, t->bearer_file);
	bool is_plain_port = u.port == (u.is_tls ? 443 : 80);
	const char *host = strchr(u.host, ':') ? arena_printf(&o->arena, "[%s]", u.host) : u.host;
	struct http_client_options http = {.loop = o->pool->loop,
	        .host = t->connect_host ? t->connect_host : u.host,
	        .port = t->connect_port ? t->connect_port : u.port,
	        .tls = tls,
	        .server_name = t->server_name ? t->server_name : u.host,
	        .host_header = is_plain_port ? host : arena_printf(&o->arena, "%s:%d", host, u.port),
	        .connections_max = OUTGOING_CONNECTIONS_MAX};
	o->http = http_client_new(&http);
	tls_context_unref(tls);
	return 0;
}

static void free_target(struct outgoing *o)
{
	free(o->from_file);
	arena_release(&o->arena);
	free(o);
}

static void maybe_closed(struct outgoing_pool *p);

static void client_closed(void *arg)
{
	struct outgoing *o = arg;
	struct outgoing_pool *p = o->pool;
	o->http = NULL;
	o->pool = NULL;
	list_del(&o->link);
	if (o->refs == 0)
		free_target(o);
	maybe_closed(p);
}

static void close_client(struct outgoing *o)
{
	if (o->is_closing)
		return;
	o->is_closing = true;
	if (map_get(&o->pool->targets, o->identity) == o)
		map_del(&o->pool->targets, o->identity);
	http_client_close(o->http, client_closed, o);
}

int outgoing_get(struct outgoing_pool *p, const struct outgoing_target *t, struct outgoing **ret, struct err *err)
{
	char identity[65];
	LOOP_CHECK_OWNER(p->loop);
	if (p->closing)
		return err_set(err, ERR_CANCELED, "the server is stopping");
	identify(t, identity);
	struct outgoing *o = map_get(&p->targets, slice_of(identity));
	if (o) {
		*ret = outgoing_ref(o);
		return 0;
	}
	o = xcalloc(1, sizeof *o);
	o->pool = p;
	o->refs = 1;
	o->identity = slice_of(arena_strdup(&o->arena, identity));
	if (open_target(o, t, err) != 0) {
		free_target(o);
		return err->code;
	}
	list_push_back(&p->clients, &o->link);
	map_put(&p->targets, o->identity, o);
	*ret = o;
	return 0;
}

struct outgoing *outgoing_ref(struct outgoing *o)
{
	CHECK(o->refs > 0);
	o->refs++;
	return o;
}

void outgoing_unref(struct outgoing *o)
{
	if (!o)
		return;
	CHECK(o->refs > 0);
	if (--o->refs)
		return;
	if (o->pool)
		close_client(o); /* its end frees it */
	else
		free_target(o);
}

const char *outgoing_url(const struct outgoing *o)
{
	return o->url;
}

/* ---- calls ---- */

static void want_timer(struct outgoing_pool *p);

static void finish(struct outgoing_call *c)
{
	struct outgoing *o = c->target;
	struct outgoing_pool *p = o->pool;
	CHECK(!c->is_over && !c->http);
	c->is_over = true;
	list_del(&c->link);
	p->n_calls--;
	o->n_calls--;
	c->target = NULL;
	c->done(c);
	outgoing_unref(o);
	maybe_closed(p);
}

static void end_turn(struct loop_defer *d)
{
	finish(CONTAINER_OF(d, struct outgoing_call, ending));
}

/* With this error, from a later turn. */
static void end_later(struct outgoing_call *c, int code, const char *why)
{
	c->due_ms = 0;
	err_set(&c->err, code, "%s: %s", c->target->url, why);
	loop_defer(c->target->pool->loop, &c->ending);
}

static const char *authorization(struct outgoing *o)
{
	uint64_t now = loop_now_ms(o->pool->loop);
	struct err err = ERR_INIT;
	char *text;
	size_t len;
	if (!o->bearer_file)
		return o->authorization;
	if (o->from_file && now - o->read_ms < BEARER_FILE_MS)
		return o->from_file;
	o->read_ms = now;
	if (pki_file_read(o->bearer_file, &text, &len, &err) != 0) {
		log_warn("outgoing", "cannot read a token", "url=%s error=\"%s\"", o->url, err.msg);
		return o->from_file ? o->from_file : o->authorization;
	}
	free(o->from_file);
	o->from_file = xprintf("Bearer %.*s", SLICE_FMT(slice_trim((struct slice){text, len})));
	free(text);
	return o->from_file;
}

/* In how many milliseconds it is tried again; 0: it is not, because there is no use or no time. */
static uint64_t next_try_ms(const struct outgoing_call *c, const struct err *err, int status, uint64_t now)
{
	unsigned tries = c->tries ? c->tries : 1;
	uint64_t wait = BACKOFF_MS;
	if (c->target->pool->closing || (err && err->code == ERR_TOO_BIG))
		return 0;
	if (err && err->code == ERR_CLOSED && c->tried == 1)
		return now + 1 < c->deadline_ms ? 1 : 0; /* a kept connection that was kept too long */
	for (unsigned i = 1; i < c->tried && wait < c->deadline_ms; i++)
		wait += wait / 2;
	bool is_worth_it = c->tried < tries && (err || status == 429 || status >= 500);
	return is_worth_it && now + wait < c->deadline_ms ? wait : 0;
}

static void answered(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct outgoing_call *c = arg;
	uint64_t now = loop_now_ms(c->target->pool->loop);
	c->http = NULL;
	c->tried++;
	c->err = err ? *err : ERR_INIT;
	c->status = err ? 0 : answer->status;
	c->answer = err ? SLICE_NULL : answer->body;
	uint64_t wait = next_try_ms(c, err, c->status, now);
	if (wait) {
		c->due_ms = now + wait;
		want_timer(c->target->pool);
		return;
	}
	if (err)
		err_wrap(&c->err, "%s", c->target->url);
	finish(c);
}

static size_t fill_headers(struct outgoing_call *c, struct http_header *h)
{
	const char *proof = authorization(c->target);
	size_t n = 0;
	h[n++] = (struct http_header){SLICE("accept"), SLICE("application/json")};
	h[n++] = (struct http_header){SLICE("user-agent"), SLICE("k3x/" K3X_VERSION)};
	if (c->body.len)
		h[n++] = (struct http_header){
		        SLICE("content-type"), slice_of(c->content_type ? c->content_type : "application/json")};
	if (proof)
		h[n++] = (struct http_header){SLICE("authorization"), slice_of(proof)};
	for (size_t i = 0; i < c->headers_count; i++)
		h[n++] = c->headers[i];
	return n;
}

static void try_it(struct outgoing_call *c)
{
	uint64_t now = loop_now_ms(c->target->pool->loop);
	struct http_header *headers = xcalloc(c->headers_count + HEADERS_OWN, sizeof *headers);
	struct http_call_options o = {.method = c->method     ? c->method
	                                        : c->body.len ? "POST"
	                                                      : "GET",
	        .target = c->path ? c->path : c->target->path,
	        .headers = headers,
	        .headers_count = fill_headers(c, headers),
	        .body = c->body,
	        .timeout_ms = (unsigned)(c->deadline_ms > now ? c->deadline_ms - now : 1),
	        .body_bytes_max = c->answer_bytes_max ? c->answer_bytes_max : OUTGOING_ANSWER_BYTES_MAX,
	        .on_done = answered,
	        .arg = c};
	c->due_ms = 0;
	c->http = http_client_call(c->target->http, &o);
	free(headers);
}

void outgoing_send(struct outgoing *o, struct outgoing_call *c)
{
	struct outgoing_pool *p = o->pool;
	CHECK(c->done && !c->target && p);
	LOOP_CHECK_OWNER(p->loop);
	c->target = outgoing_ref(o);
	c->tried = 0;
	c->is_over = false;
	c->status = 0;
	c->err = ERR_INIT;
	c->deadline_ms = loop_now_ms(p->loop) + (c->timeout_ms ? c->timeout_ms : OUTGOING_MS_DEFAULT);
	loop_defer_init(&c->ending, end_turn);
	list_push_back(&p->calls, &c->link);
	if (p->closing)
		end_later(c, ERR_CANCELED, "the server is stopping");
	else if (o->n_calls >= OUTGOING_CALLS_MAX)
		end_later(c, ERR_BUSY, "too many calls are under way");
	else
		try_it(c);
	o->n_calls++;
	p->n_calls++;
}

void outgoing_cancel(struct outgoing_call *c)
{
	if (c->is_over || !c->target || (!c->http && !c->due_ms))
		return; /* its end is on its way */
	LOOP_CHECK_OWNER(c->target->pool->loop);
	if (c->http)
		http_call_cancel(c->http);
	c->http = NULL;
	end_later(c, ERR_CANCELED, "canceled");
}

/* ---- the clock of those that wait ---- */

static void on_timer(uv_timer_t *t)
{
	struct outgoing_pool *p = t->data;
	uint64_t now = loop_now_ms(p->loop);
	LIST_FOREACH (it, &p->calls) {
		struct outgoing_call *c = CONTAINER_OF(it, struct outgoing_call, link);
		if (c->due_ms && c->due_ms <= now)
			try_it(c);
	}
	want_timer(p);
}

static void want_timer(struct outgoing_pool *p)
{
	uint64_t now = loop_now_ms(p->loop), next = 0;
	LIST_FOREACH (it, &p->calls) {
		struct outgoing_call *c = CONTAINER_OF(it, struct outgoing_call, link);
		if (c->due_ms && (!next || c->due_ms < next))
			next = c->due_ms;
	}
	if (next && !p->closing)
		uv_timer_start(&p->timer, on_timer, next > now ? next - now : 0, 0);
}

/* ---- the pool ---- */

struct outgoing_pool *outgoing_pool_new(struct loop *loop)
{
	struct outgoing_pool *p = xcalloc(1, sizeof *p);
	p->loop = loop;
	list_init(&p->clients);
	list_init(&p->calls);
	uv_timer_init(loop_uv(loop), &p->timer);
	p->timer.data = p;
	return p;
}

static void timer_closed(uv_handle_t *h)
{
	struct outgoing_pool *p = h->data;
	void (*closed)(void *) = p->closed;
	void *arg = p->closed_arg;
	map_release(&p->targets);
	free(p);
	if (closed)
		closed(arg);
}

static void maybe_closed(struct outgoing_pool *p)
{
	if (!p->closing || p->timer_closed || p->n_calls || !list_empty(&p->clients))
		return;
	p->timer_closed = true;
	uv_close((uv_handle_t *)&p->timer, timer_closed);
}

static void close_turn(struct loop_defer *d)
{
	struct outgoing_pool *p = CONTAINER_OF(d, struct outgoing_pool, closing_turn);
	LIST_FOREACH (it, &p->clients)
		close_client(CONTAINER_OF(it, struct outgoing, link));
	maybe_closed(p);
}

void outgoing_pool_close(struct outgoing_pool *p, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(p->loop);
	CHECK(!p->closing);
	p->closing = true;
	p->closed = closed;
	p->closed_arg = arg;
	LIST_FOREACH (it, &p->calls)
		outgoing_cancel(CONTAINER_OF(it, struct outgoing_call, link));
	loop_defer_init(&p->closing_turn, close_turn);
	loop_defer(p->loop, &p->closing_turn);
}
