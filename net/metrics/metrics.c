/* See metrics.h. Who knows what:
 *
 *     known (nodes, pods) --> scraper --> samples <-- front (asked by the API server; asks `access`)
 *     trust (certificates) ------------------------>
 *
 * The server listens at once, for its probes; until the API server's proxy is known nobody is believed. When that
 * changes a new listener takes over, and the old one ends with what it was asked. */
#include "net/metrics/metrics.h"

#include "api/client/access.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "base/wire/http.h"
#include "base/wire/tls.h"
#include "net/metrics/front.h"
#include "net/metrics/scraper.h"
#include "net/metrics/trust.h"

#include <stdlib.h>

/* Answers about who may do what are believed as long as upstream's metrics-server does. */
enum { ACCESS_MS = 10000, STALE_PERIODS = 3, HANDOVER_MS = 5000 };

struct metrics_server {
	struct metrics_options o;
	struct samples *samples;
	struct known *known;
	struct scraper *scraper;
	struct access *access;
	struct trust *trust;
	struct front *front;
	struct http_server *server; /* NULL while no certificate is known */
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void node_changed(void *arg, struct slice node)
{
	struct metrics_server *m = arg;
	scraper_set_node(m->scraper, node, known_node(m->known, node));
}

static void node_gone(void *arg, struct slice node)
{
	struct metrics_server *m = arg;
	scraper_drop_node(m->scraper, node);
}

static int listen_with(struct metrics_server *m, struct tls_context *tls, struct http_server **ret, struct err *err)
{
	struct http_server_options o = {.loop = m->o.loop,
	        .handler = front_handle,
	        .arg = m->front,
	        .tls = tls,
	        .reuse_port = true,
	        .connections_max = METRICS_CONNECTIONS_MAX};
	if (http_server_new(&o, ret, err) != 0)
		return err->code;
	if (http_server_listen_tcp(*ret, m->o.bind_address, metrics_server_port(m), err) != 0) {
		http_server_close(*ret, 0, NULL, NULL);
		return err->code;
	}
	return 0;
}

static void trust_changed(void *arg, struct tls_context *tls)
{
	struct metrics_server *m = arg;
	struct http_server *server;
	struct err err = ERR_INIT;
	if (listen_with(m, tls, &server, &err) != 0) {
		log_error("metrics", "cannot listen with the new certificates", "error=\"%s\"", err.msg);
	} else {
		if (m->server)
			closing_hold(&m->closing),
			        http_server_close(m->server, HANDOVER_MS, closing_part_done, &m->closing);
		m->server = server;
		log_info("metrics", "the API server's proxy is known", "port=%d", metrics_server_port(m));
	}
	tls_context_unref(tls);
}

static void free_all(void *arg)
{
	struct metrics_server *m = arg;
	void (*closed)(void *) = m->closed;
	void *closed_arg = m->closed_arg;
	front_free(m->front); /* a listener that handed over may have asked until now */
	access_free(m->access);
	samples_free(m->samples);
	tls_context_unref(m->o.kubelet_tls);
	free(m);
	if (closed)
		closed(closed_arg);
}

static void parts_closed(struct closing *x)
{
	free_all(CONTAINER_OF(x, struct metrics_server, closing));
}

static int open_first(struct metrics_server *m, struct err *err)
{
	struct tls_context *tls = NULL;
	if (trust_first(m->trust, &tls, err) != 0)
		return err->code;
	int rc = listen_with(m, tls, &m->server, err);
	tls_context_unref(tls);
	return rc;
}

int metrics_server_new(const struct metrics_options *options, struct metrics_server **ret, struct err *err)
{
	struct metrics_server *m = xcalloc(1, sizeof *m);
	m->o = *options;
	tls_context_ref(m->o.kubelet_tls);
	m->closing.all_closed = parts_closed;
	closing_hold(&m->closing); /* given up by the close */
	m->samples = samples_new(options->resolution_ms);
	m->access = access_new(&(struct access_options){options->client, ACCESS_MS, ACCESS_MS, ACCESS_MS});
	m->scraper = scraper_new(&(struct scraper_options){.loop = options->loop,
	        .samples = m->samples,
	        .tls = options->kubelet_tls,
	        .token = options->token,
	        .token_file = options->token_file,
	        .address_types = options->address_types,
	        .resolution_ms = options->resolution_ms});
	m->known = known_new(&(struct known_options){options->client, node_changed, node_gone, m});
	*ret = m;
	if (trust_new(&(struct trust_options){.client = options->client,
	                      .service = options->service,
	                      .ns = options->ns,
	                      .api_service = "v1beta1.metrics.k8s.io",
	                      .changed = trust_changed,
	                      .arg = m},
	            &m->trust, err) != 0)
		return err->code;
	m->front = front_new(&(struct front_options){.samples = m->samples,
	        .known = m->known,
	        .scraper = m->scraper,
	        .access = m->access,
	        .trust = m->trust,
	        .stale_ms = (int64_t)options->resolution_ms * STALE_PERIODS});
	return open_first(m, err);
}

int metrics_server_port(const struct metrics_server *m)
{
	return m->server && m->o.port == 0 ? http_server_port(m->server) : m->o.port;
}

void metrics_server_close(struct metrics_server *m, void (*closed)(void *arg), void *arg)
{
	m->closed = closed;
	m->closed_arg = arg;
	closing_hold(&m->closing), known_close(m->known, closing_part_done, &m->closing);
	closing_hold(&m->closing), scraper_close(m->scraper, closing_part_done, &m->closing);
	closing_hold(&m->closing), trust_close(m->trust, closing_part_done, &m->closing);
	closing_hold(&m->closing), http_server_close(m->server, 0, closing_part_done, &m->closing);
	closing_part_done(&m->closing);
}
