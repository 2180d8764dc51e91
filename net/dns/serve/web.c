/* See web.h. A path is served where the Corefile puts it, and nowhere else. */
#include "net/dns/serve/web.h"

#include "base/check.h"
#include "base/rt/closing.h"
#include "base/wire/http.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEALTH, READY, METRICS, PAGES, CONNECTIONS_MAX = 64, IDLE_MS = 60000 };

struct site {
	struct http_server *server;
	char host[64];
	int port;
	bool pages[PAGES];
	struct web *web;
};

struct web {
	struct loop *loop;
	struct web_sources sources;
	struct site *sites[PAGES]; /* no holes; NULL behind the last */
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void say(struct http_exchange *x, int status, const char *text)
{
	http_set_content_type(x, "text/plain; charset=utf-8");
	http_respond_copy(x, status, slice_of(text));
}

static void write_metrics(struct web *w, struct http_exchange *x)
{
	struct strbuf out = STRBUF_INIT;
	w->sources.write_metrics(w->sources.arg, &out);
	http_set_content_type(x, "text/plain; version=0.0.4; charset=utf-8");
	http_respond_strbuf(x, 200, &out);
}

static void handle(struct http_exchange *x, void *arg)
{
	struct site *s = arg;
	const struct http_request *q = http_request(x);
	struct web *w = s->web;
	if (!slice_is(q->method, "GET") && !slice_is(q->method, "HEAD"))
		say(x, 405, "only GET and HEAD\n");
	else if (s->pages[HEALTH] && slice_is(q->path, "/health"))
		say(x, w->sources.is_healthy(w->sources.arg) ? 200 : 503,
		        w->sources.is_healthy(w->sources.arg) ? "OK" : "stopping");
	else if (s->pages[READY] && slice_is(q->path, "/ready"))
		say(x, w->sources.is_ready(w->sources.arg) ? 200 : 503,
		        w->sources.is_ready(w->sources.arg) ? "OK" : "kubernetes");
	else if (s->pages[METRICS] && slice_is(q->path, "/metrics"))
		write_metrics(w, x);
	else
		say(x, 404, "not found\n");
}

static void nothing(struct closing *x)
{
}

struct web *web_new(struct loop *loop, const struct web_sources *sources)
{
	struct web *w = xcalloc(1, sizeof *w);
	w->loop = loop;
	w->sources = *sources;
	w->closing.all_closed = nothing; /* sites come and go before the end */
	return w;
}

static void site_closed(void *arg)
{
	struct site *s = arg;
	struct web *w = s->web;
	free(s);
	closing_part_done(&w->closing);
}

static void site_close(struct site *s)
{
	closing_hold(&s->web->closing);
	if (s->server)
		http_server_close(s->server, 0, site_closed, s);
	else
		site_closed(s);
}

static int site_open(struct site *s, struct err *err)
{
	struct http_server_options o = {.loop = s->web->loop,
	        .handler = handle,
	        .arg = s,
	        .connections_max = CONNECTIONS_MAX,
	        .idle_ms = IDLE_MS};
	if (http_server_new(&o, &s->server, err) != 0)
		return err->code;
	if (http_server_listen_tcp(s->server, s->host[0] ? s->host : NULL, s->port, err) == 0)
		return 0;
	return err_wrap(err, "port %d", s->port);
}

static struct site *find(struct site *const sites[PAGES], const char *host, int port)
{
	for (unsigned i = 0; i < PAGES && sites[i]; i++)
		if (sites[i]->port == port && strcmp(sites[i]->host, host) == 0)
			return sites[i];
	return NULL;
}

static void add(struct site *sites[PAGES], struct site *s)
{
	unsigned i = 0;
	while (sites[i])
		i++;
	sites[i] = s;
}

static struct site *site_new(struct web *w, const struct conf_listen *at)
{
	struct site *s = xcalloc(1, sizeof *s);
	s->web = w;
	s->port = at->port;
	snprintf(s->host, sizeof s->host, "%s", at->host);
	return s;
}

int web_follow(struct web *w, const struct conf *conf, struct err *err)
{
	const struct conf_listen *wanted[PAGES] = {
	        [HEALTH] = &conf->health, [READY] = &conf->ready, [METRICS] = &conf->metrics};
	struct site *sites[PAGES] = {NULL}, *s;
	int rc = 0;
	for (unsigned p = 0; p < PAGES && rc == 0; p++) {
		if (!wanted[p]->port || find(sites, wanted[p]->host, wanted[p]->port))
			continue;
		s = find(w->sites, wanted[p]->host, wanted[p]->port);
		bool is_new = !s;
		add(sites, s ? s : (s = site_new(w, wanted[p])));
		rc = is_new ? site_open(s, err) : 0;
	}
	for (unsigned i = 0; i < PAGES; i++) { /* of the two lists one goes */
		struct site *const *kept = rc ? w->sites : sites;
		s = rc ? sites[i] : w->sites[i];
		if (s && !find(kept, s->host, s->port))
			site_close(s);
	}
	if (rc != 0)
		return rc;
	memcpy(w->sites, sites, sizeof sites);
	for (unsigned i = 0; i < PAGES && sites[i]; i++)
		for (unsigned p = 0; p < PAGES; p++)
			sites[i]->pages[p] =
			        wanted[p]->port == sites[i]->port && strcmp(wanted[p]->host, sites[i]->host) == 0;
	return 0;
}

static void all_closed(struct closing *x)
{
	struct web *w = CONTAINER_OF(x, struct web, closing);
	void (*closed)(void *) = w->closed;
	void *arg = w->closed_arg;
	free(w);
	if (closed)
		closed(arg);
}

void web_close(struct web *w, void (*closed)(void *arg), void *arg)
{
	w->closed = closed;
	w->closed_arg = arg;
	closing_hold(&w->closing);
	w->closing.all_closed = all_closed;
	for (unsigned i = 0; i < PAGES && w->sites[i]; i++)
		site_close(w->sites[i]);
	closing_part_done(&w->closing);
}
