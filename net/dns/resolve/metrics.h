/* What is counted, under CoreDNS's names, and how it is told to Prometheus. One loop; lives as long as the program,
 * over reloads of the Corefile. */
#ifndef K3X_NET_DNS_RESOLVE_METRICS_H
#define K3X_NET_DNS_RESOLVE_METRICS_H

#include "base/clock.h"
#include "base/histogram.h"
#include "base/mem/map.h"

enum { METRICS_TYPES = 16, METRICS_RCODES = 24 };

/* Of one server and zone: "dns://:53", "cluster.local.". */
struct metrics_server {
	struct slice key;
	const char *server, *zone;
	uint64_t requests[2][2][METRICS_TYPES]; /* proto: UDP, TCP; family: 4, 6; type: see metrics.c */
	uint64_t responses[METRICS_RCODES];
	struct histogram duration;
	uint64_t request_bytes, response_bytes;
};

struct metrics {
	struct map servers, upstreams;
	uint64_t cache_hits[2], cache_misses, cache_requests, cache_stale, cache_evictions[2]; /* success, denial */
	uint64_t forward_rejects, reload_failures;
	uint64_t cache_entries[2], hosts_entries; /* set when they are asked for */
	double hosts_reload_s;
	uint64_t dropped; /* packets that are no question */
	uint64_t conf_hash;
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

struct metrics_server *metrics_server(struct metrics *m, const char *server, const char *zone);
void metrics_request(struct metrics_server *s, bool is_tcp, bool is_v6, uint16_t type, size_t bytes);
void metrics_response(struct metrics_server *s, unsigned rcode, size_t bytes, uint64_t begun_ns);

/* An upstream has answered with this rcode; -1: it has not. */
void metrics_upstream(struct metrics *m, const char *to, int rcode, uint64_t begun_ns);
void metrics_upstream_failed(struct metrics *m, const char *to); /* a probe of it */

void metrics_write(const struct metrics *m, struct strbuf *out);

static inline uint64_t metrics_now_ns(void)
{
	return histogram_now_ns();
}

#endif
