/* What `k3x dns` is told to do: a Corefile's server blocks, read and checked. The subset of CoreDNS's directives that
 * is here is in docs/dns.md; what is not is refused by its name and line, never passed over.
 *
 * A conf is immutable once read, and lives in its arena. */
#ifndef K3X_NET_DNS_CONF_CONF_H
#define K3X_NET_DNS_CONF_CONF_H

#include "net/dns/conf/corefile.h"
#include "net/dns/message/name.h"

#include <netinet/in.h>

struct conf_zones {
	struct dns_name *list; /* lower case */
	size_t n;
};

/* Who falls through: nobody, everybody, or names in these zones. */
struct conf_fall {
	bool is_on;
	struct conf_zones zones; /* none: all */
};

enum conf_pods { CONF_PODS_DISABLED, CONF_PODS_INSECURE, CONF_PODS_VERIFIED }; /* as enum answer_pods */

struct conf_kubernetes {
	struct conf_zones zones;
	uint32_t ttl_s;
	enum conf_pods pods;
	bool endpoint_pod_names, ignores_empty_services, no_endpoints;
	struct slice *namespaces;
	size_t n_namespaces;
	struct conf_fall fall;
};

struct conf_hosts {
	const char *path; /* NULL: inline entries alone */
	struct conf_zones zones;
	struct slice inline_text; /* lines of a hosts file */
	uint32_t ttl_s;
	uint64_t reload_ms; /* 0: never */
	bool no_reverse;
	struct conf_fall fall;
};

enum conf_policy { CONF_RANDOM, CONF_ROUND_ROBIN, CONF_SEQUENTIAL };

struct conf_upstream {
	struct sockaddr_storage address;
	const char *text; /* "10.0.0.1:53" */
	const char *host;
	int port;
};

struct conf_forward {
	struct dns_name from;
	struct conf_upstream *upstreams;
	size_t n_upstreams;
	struct conf_zones except;
	enum conf_policy policy;
	unsigned max_fails; /* 0: never down */
	uint64_t health_ms;
	struct dns_name health_domain;
	bool health_no_rec, force_tcp;
	unsigned max_concurrent;
};

enum conf_stale { CONF_STALE_NEVER, CONF_STALE_AT_ONCE, CONF_STALE_VERIFY };

struct conf_cache_side {
	size_t records_max;
	uint32_t ttl_s_max, ttl_s_min;
	bool is_off;
};

struct conf_cache {
	struct conf_zones zones;
	struct conf_cache_side success, denial;
	uint32_t servfail_s;
	enum conf_stale stale;
	uint64_t stale_ms;
};

enum conf_rewrite_kind { CONF_EXACT, CONF_PREFIX, CONF_SUFFIX, CONF_SUBSTRING, CONF_REGEX };

struct conf_rewrite {
	enum conf_rewrite_kind kind;
	const char *from,
	        *to;  /* names in lower case with their last dot, parts of names, or a pattern and what it becomes */
	void *regex;  /* a regex_t, freed with the arena */
	bool goes_on; /* the next rule is tried, too */
};

struct conf_key {
	struct dns_name zone; /* lower case */
	int port;
};

struct conf_block {
	const char *file;
	unsigned line;
	struct conf_key *keys;
	size_t n_keys;
	const char **binds; /* addresses; none: all */
	size_t n_binds;
	bool errors, log, loop, loadbalance, prometheus;
	unsigned udp_bytes_max;
	struct conf_kubernetes *kubernetes;
	struct conf_hosts *hosts;
	struct conf_cache *cache;
	struct conf_forward *forwards;
	size_t n_forwards;
	struct conf_rewrite *rewrites;
	size_t n_rewrites;
};

struct conf_listen {
	const char *host; /* "" when there is none: all addresses */
	int port;         /* 0: not wanted */
};

struct conf {
	struct arena arena;
	struct conf_block *blocks;
	size_t n_blocks;
	struct conf_listen health, ready, metrics;
	uint64_t lameduck_ms;
	uint64_t reload_ms, reload_jitter_ms; /* 0: never */
	uint64_t hash;                        /* of all that was read */
	bool wants_cluster, wants_pods;
};

/* Reads the file at `path`. ERR_INVAL says "FILE:LINE: what" ; other errors name the path. *ret is to be freed. */
int conf_read(const struct corefile_source *source, const char *path, struct conf **ret, struct err *err);
void conf_free(struct conf *c); /* NULL is allowed */

bool conf_zones_have(const struct conf_zones *z, const uint8_t *name);
bool conf_falls(const struct conf_fall *f, const uint8_t *name);

#endif
