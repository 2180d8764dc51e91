/* See metrics.h. Names and labels are those of CoreDNS 1.11, so that its dashboards show something here. */
#include "net/dns/resolve/metrics.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "net/dns/message/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The types that have a count of their own; the last is all others. */
static const uint16_t types[METRICS_TYPES - 1] = {DNS_A, DNS_AAAA, DNS_SRV, DNS_PTR, DNS_CNAME, DNS_TXT, DNS_SOA,
        DNS_NS, DNS_MX, DNS_ANY, DNS_HINFO, 65, 64, 43, 35};

enum { FIRST_BOUND_NS = 250000 }; /* 0.25 ms, doubling: upstream's */

struct upstream_count {
	struct slice key;
	struct histogram by_rcode[METRICS_RCODES];
	bool was_seen[METRICS_RCODES];
	uint64_t failures, probes_failed;
};

struct metrics *metrics_new(void)
{
	return xcalloc(1, sizeof(struct metrics));
}

void metrics_free(struct metrics *m)
{
	MAP_FOREACH (slot, &m->servers)
		free(slot->value);
	MAP_FOREACH (slot, &m->upstreams)
		free(slot->value);
	map_release(&m->servers);
	map_release(&m->upstreams);
	free(m);
}

struct metrics_server *metrics_server(struct metrics *m, const char *server, const char *zone)
{
	char key[400];
	int n = snprintf(key, sizeof key, "%s%c%s", server, 0, zone);
	struct slice k = {key, (size_t)n < sizeof key ? (size_t)n : sizeof key - 1};
	struct metrics_server *s = map_get(&m->servers, k);
	if (s)
		return s;
	s = MAP_ENTRY_NEW(struct metrics_server, key, k);
	s->server = s->key.ptr;
	s->zone = s->key.ptr + strlen(server) + 1;
	histogram_init_doubling(&s->duration, FIRST_BOUND_NS, HISTOGRAM_BOUNDS_MAX);
	map_put(&m->servers, s->key, s);
	return s;
}

void metrics_request(struct metrics_server *s, bool is_tcp, bool is_v6, uint16_t type, size_t bytes)
{
	unsigned t = 0;
	while (t < COUNT_OF(types) && types[t] != type)
		t++;
	s->requests[is_tcp][is_v6][t]++;
	s->request_bytes += bytes;
}

void metrics_response(struct metrics_server *s, unsigned rcode, size_t bytes, uint64_t begun_ns)
{
	s->responses[rcode < METRICS_RCODES ? rcode : METRICS_RCODES - 1]++;
	s->response_bytes += bytes;
	histogram_observe_since(&s->duration, begun_ns);
}

static struct upstream_count *upstream(struct metrics *m, const char *to)
{
	struct upstream_count *u = map_get(&m->upstreams, slice_of(to));
	if (u)
		return u;
	u = MAP_ENTRY_NEW(struct upstream_count, key, slice_of(to));
	map_put(&m->upstreams, u->key, u);
	return u;
}

void metrics_upstream(struct metrics *m, const char *to, int rcode, uint64_t begun_ns)
{
	struct upstream_count *u = upstream(m, to);
	if (rcode < 0 || rcode >= METRICS_RCODES) {
		u->failures++;
		return;
	}
	if (!u->was_seen[rcode])
		histogram_init_doubling(&u->by_rcode[rcode], FIRST_BOUND_NS, HISTOGRAM_BOUNDS_MAX);
	u->was_seen[rcode] = true;
	histogram_observe_since(&u->by_rcode[rcode], begun_ns);
}

void metrics_upstream_failed(struct metrics *m, const char *to)
{
	upstream(m, to)->probes_failed++;
}

/* ---- telling ---- */

static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
	strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct strbuf *out, const char *name, const char *type, const char *help, uint64_t v)
{
	head(out, name, type, help);
	strbuf_addf(out, "%s %" PRIu64 "\n", name, v);
}

static void write_requests(const struct metrics *m, struct strbuf *out)
{
	head(out, "coredns_dns_requests_total", "counter", "Questions, by protocol, family and type.");
	MAP_FOREACH (slot, &m->servers) {
		const struct metrics_server *s = slot->value;
		for (unsigned i = 0; i < 2 * 2 * METRICS_TYPES; i++) {
			unsigned tcp = i / (2 * METRICS_TYPES), v6 = i / METRICS_TYPES % 2, t = i % METRICS_TYPES;
			if (s->requests[tcp][v6][t])
				strbuf_addf(out,
				        "coredns_dns_requests_total{family=\"%d\",proto=\"%s\",server=\"%s\",type=\"%"
				        "s\",view=\"\","
				        "zone=\"%s\"} %" PRIu64 "\n",
				        v6 ? 2 : 1, tcp ? "tcp" : "udp", s->server,
				        t < COUNT_OF(types) ? dns_type_text(types[t]) : "other", s->zone,
				        s->requests[tcp][v6][t]);
		}
	}
}

static void write_responses(const struct metrics *m, struct strbuf *out)
{
	head(out, "coredns_dns_responses_total", "counter", "Answers, by their code.");
	MAP_FOREACH (slot, &m->servers) {
		const struct metrics_server *s = slot->value;
		for (unsigned i = 0; i < METRICS_RCODES; i++)
			if (s->responses[i])
				strbuf_addf(out,
				        "coredns_dns_responses_total{rcode=\"%s\",server=\"%s\",view=\"\",zone=\"%s\"} "
				        "%" PRIu64 "\n",
				        dns_rcode_text(i), s->server, s->zone, s->responses[i]);
	}
}

static void write_durations(const struct metrics *m, struct strbuf *out)
{
	char labels[600];
	head(out, "coredns_dns_request_duration_seconds", "histogram", "How long answers took.");
	MAP_FOREACH (slot, &m->servers) {
		const struct metrics_server *s = slot->value;
		snprintf(labels, sizeof labels, "server=\"%s\",view=\"\",zone=\"%s\"", s->server, s->zone);
		histogram_write(&s->duration, out, "coredns_dns_request_duration_seconds", labels);
	}
}

static void write_sizes(const struct metrics *m, struct strbuf *out)
{
	head(out, "coredns_dns_request_size_bytes_total", "counter", "Bytes of questions.");
	MAP_FOREACH (slot, &m->servers) {
		const struct metrics_server *s = slot->value;
		strbuf_addf(out, "coredns_dns_request_size_bytes_total{server=\"%s\",zone=\"%s\"} %" PRIu64 "\n",
		        s->server, s->zone, s->request_bytes);
	}
	head(out, "coredns_dns_response_size_bytes_total", "counter", "Bytes of answers.");
	MAP_FOREACH (slot, &m->servers) {
		const struct metrics_server *s = slot->value;
		strbuf_addf(out, "coredns_dns_response_size_bytes_total{server=\"%s\",zone=\"%s\"} %" PRIu64 "\n",
		        s->server, s->zone, s->response_bytes);
	}
}

static void write_cache(const struct metrics *m, struct strbuf *out)
{
	static const char *const kinds[] = {"success", "denial"};
	head(out, "coredns_cache_entries", "gauge", "What the caches hold.");
	for (unsigned i = 0; i < 2; i++)
		strbuf_addf(out, "coredns_cache_entries{type=\"%s\"} %" PRIu64 "\n", kinds[i], m->cache_entries[i]);
	head(out, "coredns_cache_hits_total", "counter", "Answers that came from a cache.");
	for (unsigned i = 0; i < 2; i++)
		strbuf_addf(out, "coredns_cache_hits_total{type=\"%s\"} %" PRIu64 "\n", kinds[i], m->cache_hits[i]);
	head(out, "coredns_cache_evictions_total", "counter", "Answers that made room for newer ones.");
	for (unsigned i = 0; i < 2; i++)
		strbuf_addf(out, "coredns_cache_evictions_total{type=\"%s\"} %" PRIu64 "\n", kinds[i],
		        m->cache_evictions[i]);
	one(out, "coredns_cache_misses_total", "counter", "Questions that no cache could answer.", m->cache_misses);
	one(out, "coredns_cache_requests_total", "counter", "Questions that a cache was asked.", m->cache_requests);
	one(out, "coredns_cache_served_stale_total", "counter", "Answers beyond their time.", m->cache_stale);
}

static void write_upstreams(const struct metrics *m, struct strbuf *out)
{
	char labels[200];
	head(out, "coredns_proxy_request_duration_seconds", "histogram", "How long upstreams took to answer.");
	MAP_FOREACH (slot, &m->upstreams) {
		const struct upstream_count *u = slot->value;
		for (unsigned i = 0; i < METRICS_RCODES; i++) {
			snprintf(labels, sizeof labels, "proxy_name=\"forward\",rcode=\"%s\",to=\"%s\"",
			        dns_rcode_text(i), u->key.ptr);
			if (u->was_seen[i])
				histogram_write(&u->by_rcode[i], out, "coredns_proxy_request_duration_seconds", labels);
		}
	}
	head(out, "coredns_proxy_healthcheck_failures_total", "counter", "Probes that an upstream did not answer.");
	MAP_FOREACH (slot, &m->upstreams) {
		const struct upstream_count *u = slot->value;
		strbuf_addf(out,
		        "coredns_proxy_healthcheck_failures_total{proxy_name=\"forward\",to=\"%s\"} %" PRIu64 "\n",
		        u->key.ptr, u->probes_failed);
	}
	head(out, "k3x_dns_upstream_failures_total", "counter", "Questions that an upstream did not answer.");
	MAP_FOREACH (slot, &m->upstreams) {
		const struct upstream_count *u = slot->value;
		strbuf_addf(out, "k3x_dns_upstream_failures_total{to=\"%s\"} %" PRIu64 "\n", u->key.ptr, u->failures);
	}
}

static void write_process(struct strbuf *out)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f && fscanf(f, "%*u %lu", &pages) == 1)
		one(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
		        (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE));
	if (f)
		fclose(f);
}

void metrics_write(const struct metrics *m, struct strbuf *out)
{
	head(out, "coredns_build_info", "gauge", "What this is.");
	strbuf_addf(out, "coredns_build_info{goversion=\"\",revision=\"\",version=\"k3x-%s\"} 1\n", K3X_VERSION);
	write_requests(m, out);
	write_responses(m, out);
	write_durations(m, out);
	write_sizes(m, out);
	write_cache(m, out);
	write_upstreams(m, out);
	one(out, "coredns_forward_max_concurrent_rejects_total", "counter",
	        "Questions refused, as too many were asked.", m->forward_rejects);
	one(out, "coredns_hosts_entries", "gauge", "Names and addresses of hosts files.", m->hosts_entries);
	head(out, "coredns_hosts_reload_timestamp_seconds", "gauge", "When a hosts file was last read.");
	strbuf_addf(out, "coredns_hosts_reload_timestamp_seconds %.3f\n", m->hosts_reload_s);
	one(out, "coredns_reload_failed_total", "counter", "Corefiles that could not be read.", m->reload_failures);
	head(out, "coredns_reload_version_info", "gauge", "The Corefile that is served.");
	strbuf_addf(out, "coredns_reload_version_info{hash=\"fnv1a\",value=\"%016" PRIx64 "\"} 1\n", m->conf_hash);
	one(out, "k3x_dns_dropped_packets_total", "counter", "Packets that are no question.", m->dropped);
	write_process(out);
}
