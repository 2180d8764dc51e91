/* See scraper.h. A node has a timer of its own; its first scrape comes within a second, at a time that its name says,
 * so that a thousand nodes do not answer at once, and the next ones a period apart. A kubelet is given two thirds of
 * the period.
 *
 * What can go wrong: a node that does not answer, or says what is no scrape: told once, and when it is over. What was
 * known of it stays and grows old; who serves it says how old is too old. */
#include "net/metrics/scraper.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "base/rt/closing.h"
#include "base/wire/http_client.h"
#include "base/wire/tls.h"

#include <stdlib.h>

enum { SPREAD_MS = 1000, CONNECTIONS_PER_NODE = 1 };

struct target {
	struct slice name;
	struct scraper *scraper;
	char *host;
	int port;
	struct http_client *client; /* NULL: it has no address yet */
	struct http_call *call;
	uv_timer_t timer;
	bool was_asked, is_failing;
};

struct scraper {
	struct scraper_options o;
	struct map targets;
	struct scraper_counts counts;
	uint64_t reload_ms;   /* when the CA was read again; 0: never */
	struct closing parts; /* also of targets that went before the end */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- a scrape ---- */

/* A node that can't be believed may have been given a certificate of a CA that is new: the files say so by now. */
static void read_ca_again(struct scraper *s)
{
	struct err err = ERR_INIT;
	uint64_t now_ms = loop_now_ms(s->o.loop);
	if (s->reload_ms && now_ms < s->reload_ms + s->o.resolution_ms)
		return;
	s->reload_ms = now_ms;
	if (tls_context_reload(s->o.tls, &err) != 0)
		log_warn("metrics", "the CA of kubelets cannot be read", "error=\"%s\"", err.msg);
}

static void failed(struct target *t, const char *why)
{
	t->scraper->counts.failed++;
	read_ca_again(t->scraper);
	if (!t->is_failing)
		log_warn("metrics", "a node cannot be scraped", "node=%.*s address=%s port=%d error=\"%s\"",
		        SLICE_FMT(t->name), t->host, t->port, why);
	t->is_failing = true;
}

static void succeeded(struct target *t, size_t bytes)
{
	struct scraper_counts *c = &t->scraper->counts;
	c->done++;
	c->bytes += bytes;
	c->last_ok_ms = loop_now_ms(t->scraper->o.loop);
	if (t->is_failing)
		log_info("metrics", "a node is scraped again", "node=%.*s", SLICE_FMT(t->name));
	t->is_failing = false;
}

static void answered(struct http_call *call, const struct http_answer *answer, const struct err *why, void *arg)
{
	struct target *t = arg;
	struct err err = ERR_INIT;
	t->call = NULL;
	t->was_asked = true;
	if (why)
		failed(t, why->msg);
	else if (answer->status != 200)
		err_set(&err, ERR_PROTOCOL, "status %d: %.*s", answer->status,
		        (int)(answer->body.len < 200 ? answer->body.len : 200),
		        answer->body.ptr ? answer->body.ptr : "");
	else
		samples_take(t->scraper->o.samples, t->name, answer->body, clock_wall_ns() / 1000000, &err);
	if (err.code)
		failed(t, err.msg);
	else if (!why)
		succeeded(t, answer->body.len);
}

/* "Bearer ..."; NULL: without. */
static char *authorization(const struct scraper *s)
{
	char *text = NULL, *value = NULL;
	struct err err = ERR_INIT;
	size_t len;
	if (s->o.token)
		return xprintf("Bearer %s", s->o.token);
	if (!s->o.token_file)
		return NULL;
	if (pki_file_read(s->o.token_file, &text, &len, &err) == 0) {
		struct slice t = slice_trim((struct slice){text, len});
		value = xprintf("Bearer %.*s", SLICE_FMT(t));
	} else {
		log_warn("metrics", "the token cannot be read", "error=\"%s\"", err.msg);
	}
	free(text);
	return value;
}

static void scrape(uv_timer_t *timer)
{
	struct target *t = timer->data;
	struct scraper *s = t->scraper;
	LOOP_CHECK_OWNER(s->o.loop);
	if (!t->client || t->call)
		return;
	CLEANUP(cleanup_free) char *bearer = authorization(s);
	struct http_header headers[] = {
	        {SLICE("accept"), SLICE("text/plain;version=0.0.4")}, {SLICE("authorization"), slice_of(bearer)}};
	struct http_call_options o = {.method = "GET",
	        .target = "/metrics/resource",
	        .headers = headers,
	        .headers_count = bearer ? 2 : 1,
	        .timeout_ms = s->o.resolution_ms * 2 / 3,
	        .body_bytes_max = METRICS_SCRAPE_BYTES_MAX,
	        .on_done = answered,
	        .arg = t};
	t->call = http_client_call(t->client, &o);
}

/* ---- targets ---- */

static void part_done(void *arg)
{
	closing_part_done(arg);
}

static void disconnect(struct target *t)
{
	if (t->call)
		http_call_cancel(TAKE(t->call));
	if (t->client)
		closing_hold(&t->scraper->parts), http_client_close(TAKE(t->client), part_done, &t->scraper->parts);
	free(TAKE(t->host));
}

static void connect_to(struct target *t, const char *host, int port)
{
	struct http_client_options o = {.loop = t->scraper->o.loop,
	        .host = host,
	        .port = port,
	        .tls = t->scraper->o.tls,
	        .protocol = HTTP_CLIENT_H1,
	        .connections_max = CONNECTIONS_PER_NODE,
	        .idle_ms = 2 * t->scraper->o.resolution_ms};
	t->host = xstrdup(host);
	t->port = port;
	t->client = http_client_new(&o);
}

static struct target *need_target(struct scraper *s, struct slice name)
{
	struct target *t = map_get(&s->targets, name);
	if (t)
		return t;
	t = MAP_ENTRY_NEW(struct target, name, name);
	t->scraper = s;
	map_put(&s->targets, t->name, t);
	uv_timer_init(loop_uv(s->o.loop), &t->timer);
	t->timer.data = t;
	uv_timer_start(&t->timer, scrape, map_hash(name) % SPREAD_MS, s->o.resolution_ms);
	return t;
}

void scraper_set_node(struct scraper *s, struct slice name, const struct informer_object *node)
{
	struct target *t = need_target(s, name);
	struct arena a = ARENA_INIT;
	const char *host;
	int port;
	known_address(&a, node, s->o.address_types, &host, &port);
	bool is_same = host && t->host && strcmp(host, t->host) == 0 && port == t->port;
	if (!is_same) {
		disconnect(t);
		if (host)
			connect_to(t, host, port);
	}
	arena_release(&a);
}

static void target_closed(uv_handle_t *h)
{
	struct target *t = h->data;
	struct scraper *s = t->scraper;
	free(t);
	closing_part_done(&s->parts);
}

static void target_close(struct target *t)
{
	disconnect(t);
	closing_hold(&t->scraper->parts);
	uv_close((uv_handle_t *)&t->timer, target_closed);
}

void scraper_drop_node(struct scraper *s, struct slice name)
{
	struct target *t = map_del(&s->targets, name);
	samples_drop_node(s->o.samples, name);
	if (t)
		target_close(t);
}

/* ---- life ---- */

static void all_closed(struct closing *x)
{
	struct scraper *s = CONTAINER_OF(x, struct scraper, parts);
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;
	tls_context_unref(s->o.tls);
	map_release(&s->targets);
	free(s);
	closed(arg);
}

struct scraper *scraper_new(const struct scraper_options *options)
{
	struct scraper *s = xcalloc(1, sizeof *s);
	s->o = *options;
	tls_context_ref(s->o.tls);
	s->parts.all_closed = all_closed;
	closing_hold(&s->parts); /* given up by the close */
	return s;
}

void scraper_close(struct scraper *s, void (*closed)(void *arg), void *arg)
{
	s->closed = closed;
	s->closed_arg = arg;
	MAP_FOREACH (it, &s->targets)
		target_close(it->value);
	closing_part_done(&s->parts);
}

const struct scraper_counts *scraper_counts(const struct scraper *s)
{
	return &s->counts;
}

bool scraper_is_warm(const struct scraper *s)
{
	MAP_FOREACH (it, &s->targets) {
		const struct target *t = it->value;
		if (t->client && !t->was_asked)
			return false;
	}
	return true;
}
