/* See cache.h. A record is the answer as a message, packed, so that it takes little room and one parser reads it all.
 */
#include "net/dns/resolve/cache.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/list.h"
#include "base/mem/map.h"

#include <stdlib.h>

enum { SUCCESS, DENIAL, SIDES };

struct record {
	struct slice key;
	struct list_link used; /* the newest first */
	uint64_t stored_ms;
	uint32_t ttl_s;
	unsigned len;
	uint8_t *wire;
};

struct side {
	const struct conf_cache_side *conf;
	struct map records;
	struct list_link used;
};

struct dns_cache {
	const struct conf_cache *conf;
	struct side sides[SIDES];
};

struct dns_cache *dns_cache_new(const struct conf_cache *conf)
{
	struct dns_cache *c = xcalloc(1, sizeof *c);
	c->conf = conf;
	c->sides[SUCCESS].conf = &conf->success;
	c->sides[DENIAL].conf = &conf->denial;
	for (unsigned i = 0; i < SIDES; i++)
		list_init(&c->sides[i].used);
	return c;
}

static void drop(struct side *s, struct record *r)
{
	map_del(&s->records, r->key);
	list_del(&r->used);
	free(r->wire);
	free(r);
}

void dns_cache_free(struct dns_cache *c)
{
	for (unsigned i = 0; c && i < SIDES; i++) {
		while (!list_empty(&c->sides[i].used))
			drop(&c->sides[i], CONTAINER_OF(c->sides[i].used.next, struct record, used));
		map_release(&c->sides[i].records);
	}
	free(c);
}

size_t dns_cache_count(const struct dns_cache *c, bool of_denials)
{
	return c->sides[of_denials].records.count;
}

static struct slice key_of(const struct dns_cache_question *q, uint8_t buf[DNS_NAME_BYTES_MAX + 3])
{
	memcpy(buf, q->name->wire, q->name->len);
	buf[q->name->len] = (uint8_t)(q->type >> 8);
	buf[q->name->len + 1] = (uint8_t)q->type;
	buf[q->name->len + 2] = (uint8_t)(q->is_dnssec_ok | q->checking_disabled << 1);
	return (struct slice){(const char *)buf, q->name->len + 3u};
}

/* ---- finding ---- */

/* The records are of the arena, where they may be changed. */
static void age(struct dns_message *m, const struct record *r, uint64_t passed_s, bool stale)
{
	for (unsigned s = 0; s < DNS_SECTIONS; s++)
		for (size_t i = 0; i < m->sections[s].n; i++) {
			uint32_t *ttl = &m->sections[s].list[i].ttl;
			*ttl = *ttl < r->ttl_s ? *ttl : r->ttl_s;
			*ttl = stale || *ttl <= passed_s ? 0 : *ttl - (uint32_t)passed_s;
		}
}

enum dns_cache_outcome dns_cache_find(struct dns_cache *c, const struct dns_cache_question *q, uint64_t now_ms,
        bool may_be_stale, struct arena *a, struct dns_message *reply)
{
	uint8_t buf[DNS_NAME_BYTES_MAX + 3];
	struct slice key = key_of(q, buf);
	for (unsigned i = 0; i < SIDES; i++) {
		struct side *s = &c->sides[i];
		struct record *r = map_get(&s->records, key);
		struct dns_message m;
		if (!r)
			continue;
		uint64_t passed_ms = now_ms - r->stored_ms, limit_ms = (uint64_t)r->ttl_s * 1000;
		bool stale = passed_ms >= limit_ms;
		if (stale && passed_ms >= limit_ms + (c->conf->stale == CONF_STALE_NEVER ? 0 : c->conf->stale_ms)) {
			drop(s, r);
			continue;
		}
		if (stale && !may_be_stale)
			continue;
		CHECK(dns_message_parse(a, &m, r->wire, r->len, NULL) == 0); /* we wrote it */
		age(&m, r, passed_ms / 1000, stale);
		list_del(&r->used);
		list_push_front(&s->used, &r->used);
		reply->rcode = m.rcode;
		reply->flags |= m.flags & DNS_FLAG_AD;
		memcpy(reply->sections, m.sections, sizeof m.sections);
		return stale ? CACHE_STALE : i == SUCCESS ? CACHE_HIT : CACHE_HIT_DENIAL;
	}
	return CACHE_MISS;
}

/* ---- storing ---- */

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* RFC 2308 section 5: as long as the SOA's TTL and its minimum say; false: there is none. */
static bool denial_ttl(const struct dns_message *m, uint32_t *ttl_s)
{
	for (size_t i = 0; i < m->sections[DNS_AUTHORITY].n; i++) {
		const struct dns_record *r = &m->sections[DNS_AUTHORITY].list[i];
		if (r->type != DNS_SOA || r->data_len < 22)
			continue;
		uint32_t minimum = get32(r->data + r->data_len - 4);
		*ttl_s = r->ttl < minimum ? r->ttl : minimum;
		return true;
	}
	return false;
}

static uint32_t lowest_ttl(const struct dns_message *m)
{
	uint32_t ttl = UINT32_MAX;
	for (unsigned s = 0; s < DNS_SECTIONS; s++)
		for (size_t i = 0; i < m->sections[s].n; i++)
			ttl = m->sections[s].list[i].ttl < ttl ? m->sections[s].list[i].ttl : ttl;
	return ttl;
}

static bool has_answer(const struct dns_message *m, uint16_t type)
{
	for (size_t i = 0; i < m->sections[DNS_ANSWER].n; i++)
		if (m->sections[DNS_ANSWER].list[i].type == type || type == DNS_ANY)
			return true;
	return false;
}

/* Which side, and for how long; false: it may not be kept. */
static bool may_keep(const struct dns_cache *c, const struct dns_cache_question *q, const struct dns_message *m,
        unsigned *side, uint32_t *ttl_s)
{
	if (m->flags & DNS_FLAG_TC)
		return false;
	*side = DENIAL;
	if (m->rcode == DNS_SERVFAIL) {
		*ttl_s = c->conf->servfail_s;
		return *ttl_s > 0 && !c->conf->denial.is_off;
	}
	if (m->rcode == DNS_NOERROR && has_answer(m, q->type)) {
		*side = SUCCESS;
		*ttl_s = lowest_ttl(m);
	} else if ((m->rcode != DNS_NOERROR && m->rcode != DNS_NXDOMAIN) || !denial_ttl(m, ttl_s)) {
		return false;
	}
	const struct conf_cache_side *s = c->sides[*side].conf;
	*ttl_s = *ttl_s < s->ttl_s_min ? s->ttl_s_min : *ttl_s > s->ttl_s_max ? s->ttl_s_max : *ttl_s;
	return *ttl_s > 0 && !s->is_off;
}

void dns_cache_store(struct dns_cache *c, const struct dns_cache_question *q, uint64_t now_ms,
        const struct dns_message *reply, uint64_t evicted[2])
{
	static uint8_t wire[DNS_CACHE_RECORD_BYTES_MAX]; /* written and copied in this call */
	uint8_t buf[DNS_NAME_BYTES_MAX + 3];
	struct slice key = key_of(q, buf);
	unsigned side;
	uint32_t ttl_s;
	if (!may_keep(c, q, reply, &side, &ttl_s))
		return;
	struct dns_message m = *reply;
	m.has_edns = false;
	m.name = *q->name;
	size_t len = dns_message_write(&m, wire, sizeof wire);
	if (m.flags & DNS_FLAG_TC)
		return;
	for (unsigned i = 0; i < SIDES; i++) { /* what was known, on either side, is no longer so */
		struct record *old = map_get(&c->sides[i].records, key);
		/* but a failure does not take the place of what may be served stale */
		if (old && i == SUCCESS && reply->rcode == DNS_SERVFAIL && c->conf->stale != CONF_STALE_NEVER)
			return;
		if (old)
			drop(&c->sides[i], old);
	}
	struct side *s = &c->sides[side];
	while (s->records.count >= s->conf->records_max) {
		drop(s, CONTAINER_OF(s->used.prev, struct record, used));
		evicted[side]++;
	}
	struct record *r = MAP_ENTRY_NEW(struct record, key, key);
	r->stored_ms = now_ms;
	r->ttl_s = ttl_s;
	r->len = (unsigned)len;
	r->wire = (uint8_t *)xmemdup(wire, len);
	map_put(&s->records, r->key, r);
	list_push_front(&s->used, &r->used);
}
