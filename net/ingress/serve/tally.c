/* See tally.h. Names and labels: traefik 3, observability/metrics. */
#include "net/ingress/serve/tally.h"

#include "base/histogram.h"
#include "net/ingress/serve/backend.h"

#include <inttypes.h>
#include <stdlib.h>

enum { METHODS = 10, STATUSES = 600 };

static const char *const methods[METHODS] = {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "EXTENSION_METHOD"};
static const uint64_t bounds_ns[] = {100000000, 300000000, 1200000000, 5000000000};

struct tally {
	uint64_t requests[ENTRY_POINTS][METHODS][STATUSES];
	uint64_t upgrades[ENTRY_POINTS];
	struct histogram took[ENTRY_POINTS];
	uint64_t reloads, retries;
	int64_t reloaded_s;
};

const char *entry_point_name(enum entry_point e)
{
	return e == ENTRY_WEB ? "web" : "websecure";
}

struct tally *tally_new(void)
{
	struct tally *m = xcalloc(1, sizeof *m);
	for (unsigned e = 0; e < ENTRY_POINTS; e++)
		histogram_init(&m->took[e], bounds_ns, sizeof bounds_ns / sizeof *bounds_ns);
	return m;
}

void tally_free(struct tally *m)
{
	free(m);
}

void tally_request(
        struct tally *m, enum entry_point entry, struct slice method, int status, bool is_upgrade, uint64_t took_ns)
{
	unsigned i = 0;
	while (i < METHODS - 1 && !slice_is(method, methods[i]))
		i++;
	m->requests[entry][i][status >= 0 && status < STATUSES ? status : 0]++;
	m->upgrades[entry] += is_upgrade;
	if (!is_upgrade)
		histogram_observe(&m->took[entry], took_ns);
}

void tally_reloaded(struct tally *m, int64_t now_s)
{
	m->reloads++;
	m->reloaded_s = now_s;
}

void tally_retried(struct tally *m)
{
	m->retries++;
}

static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
	strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_requests(const struct tally *m, struct strbuf *out)
{
	head(out, "traefik_entrypoint_requests_total", "counter",
	        "How many HTTP requests were processed on an entrypoint.");
	for (unsigned e = 0; e < ENTRY_POINTS; e++)
		for (unsigned i = 0; i < METHODS; i++)
			for (unsigned s = 0; s < STATUSES; s++)
				if (m->requests[e][i][s])
					strbuf_addf(out,
					        "traefik_entrypoint_requests_total{code=\"%u\",entrypoint=\"%s\","
					        "method="
					        "\"%s\",protocol=\"http\"} %" PRIu64 "\n",
					        s, entry_point_name(e), methods[i], m->requests[e][i][s]);
	head(out, "traefik_entrypoint_request_duration_seconds", "histogram", "How long requests took.");
	for (unsigned e = 0; e < ENTRY_POINTS; e++)
		histogram_write(&m->took[e], out, "traefik_entrypoint_request_duration_seconds",
		        e == ENTRY_WEB ? "entrypoint=\"web\"" : "entrypoint=\"websecure\"");
}

static void write_backends(const struct map *backends, struct strbuf *out)
{
	head(out, "traefik_service_requests_total", "counter", "Requests by Service, and the class of their status.");
	MAP_FOREACH (it, backends) {
		const struct backend *b = it->value;
		for (unsigned i = 0; i < 6; i++)
			if (b->requests[i])
				strbuf_addf(out,
				        "traefik_service_requests_total{code=\"%uxx\",service=\"%.*s\"} %" PRIu64 "\n",
				        i, SLICE_FMT(b->key), b->requests[i]);
	}
	head(out, "traefik_service_server_up", "gauge", "Endpoints of a Service.");
	MAP_FOREACH (it, backends) {
		const struct backend *b = it->value;
		strbuf_addf(out, "traefik_service_server_up{service=\"%.*s\"} %zu\n", SLICE_FMT(b->key), b->count);
	}
}

void tally_write(
        const struct tally *m, const struct map *backends, const size_t connections[ENTRY_POINTS], struct strbuf *out)
{
	write_requests(m, out);
	write_backends(backends, out);
	head(out, "traefik_open_connections", "gauge", "How many connections are open.");
	for (unsigned e = 0; e < ENTRY_POINTS; e++)
		strbuf_addf(out, "traefik_open_connections{entrypoint=\"%s\",protocol=\"TCP\"} %zu\n",
		        entry_point_name(e), connections[e]);
	head(out, "traefik_service_retries_total", "counter",
	        "Requests sent to another endpoint after one that was not there.");
	strbuf_addf(out, "traefik_service_retries_total %" PRIu64 "\n", m->retries);
	head(out, "traefik_config_reloads_total", "counter", "How often the routes were made anew.");
	strbuf_addf(out, "traefik_config_reloads_total %" PRIu64 "\n", m->reloads);
	head(out, "traefik_config_last_reload_success", "gauge", "When the routes were last made, in Unix time.");
	strbuf_addf(out, "traefik_config_last_reload_success %" PRId64 "\n", m->reloaded_s);
}
