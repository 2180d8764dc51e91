/* Answers of upstreams, kept for as long as their records say, within limits (RFC 2181, RFC 2308), and for a while
 * beyond that when stale answers may be served (RFC 8767). What exists and what does not have each a side of their own,
 * bounded in records, of which the one used longest ago makes room. Times are passed in. One thread. */
#ifndef K3X_NET_DNS_RESOLVE_CACHE_H
#define K3X_NET_DNS_RESOLVE_CACHE_H

#include "net/dns/conf/conf.h"
#include "net/dns/message/message.h"

struct dns_cache;

struct dns_cache_question {
	const struct dns_name *name; /* lower case */
	uint16_t type;
	bool is_dnssec_ok, checking_disabled;
};

enum dns_cache_outcome { CACHE_MISS, CACHE_HIT, CACHE_HIT_DENIAL, CACHE_STALE };

/* conf must live as long. */
struct dns_cache *dns_cache_new(const struct conf_cache *conf);
void dns_cache_free(struct dns_cache *c); /* NULL is allowed */

/* Fills `reply` (rcode, AD, records, their TTLs less what has passed) unless it is a miss. Stale answers, with TTL 0,
 * only when `may_be_stale`. */
enum dns_cache_outcome dns_cache_find(struct dns_cache *c, const struct dns_cache_question *q, uint64_t now_ms,
        bool may_be_stale, struct arena *a, struct dns_message *reply);
/* Keeps the answer if it may be kept; returns how many records were put out for it: of successes and of denials. */
void dns_cache_store(struct dns_cache *c, const struct dns_cache_question *q, uint64_t now_ms,
        const struct dns_message *reply, uint64_t evicted[2]);
size_t dns_cache_count(const struct dns_cache *c, bool of_denials);

#endif
