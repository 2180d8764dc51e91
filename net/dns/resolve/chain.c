/* See chain.h.
 *
 *     chain_ask --> step --+--> finish                   answered from what is here
 *                    ^     +--> forward ... forwarded --> finish
 *                    +---- alias <--- the cluster
 *
 * What can go wrong: no server block has the name (REFUSED), nothing in it has (REFUSED), upstreams do not answer (what
 * is stale, else SERVFAIL), the cluster is not known yet (SERVFAIL instead of a denial, which clients would keep). */
#include "net/dns/resolve/chain.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "net/dns/resolve/ask.h"
#include "net/dns/resolve/cache.h"
#include "net/dns/resolve/hosts.h"
#include "net/dns/resolve/metrics.h"
#include "net/dns/resolve/rewrite.h"
#include "net/dns/zone/answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPARE_REQUESTS_MAX = 64, REQUEST_ARENA_KEPT_BYTES_MAX = 64 * 1024 };

struct block {
	struct chain *chain;
	const struct conf_block *conf;
	struct answer_options cluster;
	struct forward *forwards[DNS_FORWARDS_PER_BLOCK_MAX];
	struct dns_cache *cache;
	struct hosts *hosts;
	struct timespec hosts_changed;
	int64_t hosts_size;
	uv_timer_t hosts_timer;
	struct dns_name loop_name;       /* what we ask upstreams, to know it again */
	struct metrics_server **metrics; /* of each key */
};

/* An answer that was served stale is fetched anew, for the cache alone. */
struct refresh {
	struct forward_question question;
	struct block *block;
};

struct chain {
	struct chain_env env;
	struct conf *conf;
	struct block *blocks;
	size_t under_way, n_spare;
	struct list_link spare;
	uint8_t *out; /* DNS_MESSAGE_BYTES_MAX */
	bool is_closing, forwards_closed;
	struct closing closing;
	struct loop_defer end;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void step(struct chain_request *r);
static void finish(struct chain_request *r);
static void maybe_end(struct chain *c);

/* ---- requests ---- */

struct chain_request *chain_request_new(struct chain *c)
{
	struct list_link *l = list_pop_front(&c->spare);
	struct chain_request *r = l ? CONTAINER_OF(l, struct chain_request, link) : xcalloc(1, sizeof *r);
	if (l)
		c->n_spare--;
	list_init(&r->link);
	r->chain = c;
	r->block = NULL;
	r->aliases = 0;
	r->is_own = false;
	c->under_way++;
	return r;
}

static void request_gone(struct chain_request *r)
{
	struct chain *c = r->chain;
	if (c->n_spare >= SPARE_REQUESTS_MAX || r->arena.used_bytes > REQUEST_ARENA_KEPT_BYTES_MAX) {
		arena_release(&r->arena);
		free(r);
	} else {
		arena_reset(&r->arena);
		list_push_front(&c->spare, &r->link);
		c->n_spare++;
	}
	c->under_way--;
	maybe_end(c);
}

static void done_without_answer(struct chain_request *r)
{
	r->answer(r, r->chain->out, 0);
	request_gone(r);
}

/* ---- the answer ---- */

/* Addresses in a random order, each of them as often first (loadbalance). */
static void shuffle(struct dns_records *s)
{
	size_t n = 0, at[64];
	for (size_t i = 0; i < s->n && n < COUNT_OF(at); i++)
		if (s->list[i].type == DNS_A || s->list[i].type == DNS_AAAA)
			at[n++] = i;
	for (uint32_t random = n > 1 ? ask_random() : 0; n > 1; n--) {
		size_t k = (random >> 8) % n;
		struct dns_record swap = s->list[at[n - 1]];
		s->list[at[n - 1]] = s->list[at[k]];
		s->list[at[k]] = swap;
		random = random * 1664525u + 1013904223u;
	}
}

/* Records of the name that was asked for have it as it was written, case and all; also when it was rewritten. */
static void give_name_back(struct chain_request *r)
{
	for (unsigned s = 0; s < DNS_SECTIONS; s++)
		for (size_t i = 0; i < r->reply.sections[s].n; i++)
			if (dns_name_eq(r->reply.sections[s].list[i].owner, r->first.wire))
				r->reply.sections[s].list[i].owner = r->query.name.wire;
}

static void log_answer(const struct chain_request *r, size_t bytes)
{
	struct strbuf name = STRBUF_INIT;
	char host[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&r->client;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&r->client;
	bool is_v4 = r->client.ss_family == AF_INET;
	inet_ntop(r->client.ss_family, is_v4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, host, sizeof host);
	dns_name_text(&name, r->query.name.wire, false);
	log_info("dns", "query", "client=%s name=%s type=%s proto=%s id=%u size=%zu rcode=%s answer=%zu us=%" PRIu64,
	        host, strbuf_cstr(&name), dns_type_text(r->query.type), r->is_tcp ? "tcp" : "udp", r->query.id,
	        r->query_bytes, dns_rcode_text(r->reply.rcode), bytes, (metrics_now_ns() - r->begun_ns) / 1000);
	strbuf_release(&name);
}

static void log_failure(const struct chain_request *r)
{
	struct strbuf name = STRBUF_INIT;
	dns_name_text(&name, r->query.name.wire, false);
	log_warn("dns", "question failed", "name=%s type=%s rcode=%s", strbuf_cstr(&name), dns_type_text(r->query.type),
	        dns_rcode_text(r->reply.rcode));
	strbuf_release(&name);
}

static size_t room(const struct chain_request *r)
{
	size_t own = r->block ? r->block->conf->udp_bytes_max : DNS_UDP_BYTES_MAX, theirs = r->query.udp_bytes;
	return r->is_tcp ? DNS_MESSAGE_BYTES_MAX : theirs < own ? theirs : own;
}

static void finish(struct chain_request *r)
{
	struct chain *c = r->chain;
	struct block *b = r->block;
	if (b) {
		give_name_back(r);
		if (b->conf->loadbalance)
			shuffle(&r->reply.sections[DNS_ANSWER]);
		if (b->conf->n_forwards)
			r->reply.flags |= DNS_FLAG_RA;
	}
	r->reply.id = r->query.id;
	r->reply.opcode = r->query.opcode;
	r->reply.name = r->query.name;
	r->reply.type = r->query.type;
	r->reply.klass = r->query.klass;
	r->reply.flags |= DNS_FLAG_QR | (r->query.flags & (DNS_FLAG_RD | DNS_FLAG_CD));
	r->reply.has_edns = r->query.has_edns;
	r->reply.udp_bytes = (uint16_t)(b ? b->conf->udp_bytes_max : DNS_UDP_BYTES_MAX);
	r->reply.is_dnssec_ok = r->query.is_dnssec_ok;
	size_t len = dns_message_write(&r->reply, c->out, room(r));
	if (b && !r->is_own)
		metrics_response(b->metrics[r->key], r->reply.rcode, len, r->begun_ns);
	if (b && b->conf->log && !r->is_own)
		log_answer(r, len);
	if (b && b->conf->errors && r->reply.rcode == DNS_SERVFAIL && !r->is_own)
		log_failure(r);
	r->answer(r, c->out, len);
	request_gone(r);
}

static void finish_with(struct chain_request *r, unsigned rcode)
{
	r->reply.rcode = rcode;
	finish(r);
}

/* Adds what another message says to the reply; its bytes are copied. */
static void add_reply(struct chain_request *r, const struct dns_message *m)
{
	r->reply.rcode = m->rcode;
	r->reply.flags |= m->flags & DNS_FLAG_AD;
	for (unsigned s = 0; s < DNS_SECTIONS; s++)
		for (size_t i = 0; i < m->sections[s].n; i++) {
			struct dns_record rec = m->sections[s].list[i];
			rec.owner = (uint8_t *)arena_memdup(&r->arena, rec.owner, dns_name_len(rec.owner));
			rec.data = (uint8_t *)arena_memdup(&r->arena, rec.data, rec.data_len);
			dns_message_add(&r->arena, &r->reply, s, &rec);
		}
}

/* ---- hosts ---- */

static void read_hosts_file(struct block *b, struct hosts *h)
{
	const struct conf_hosts *conf = b->conf->hosts;
	struct stat st;
	int fd = open(conf->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size > (off_t)DNS_HOSTS_BYTES_MAX) {
		if (fd >= 0 || errno != ENOENT)
			log_warn("dns", "hosts file can't be read", "path=%s error=\"%s\"", conf->path,
			        fd >= 0 ? "larger than 16 MiB" : strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	char *text = xmalloc((size_t)st.st_size + 1);
	size_t len = 0;
	for (ssize_t n; len < (size_t)st.st_size && (n = read(fd, text + len, (size_t)st.st_size - len)) > 0;)
		len += (size_t)n;
	close(fd);
	hosts_add(h, (struct slice){text, len}, conf->no_reverse);
	free(text);
}

static void read_hosts(struct block *b)
{
	const struct conf_hosts *conf = b->conf->hosts;
	struct hosts *h = hosts_new();
	struct stat st;
	hosts_add(h, conf->inline_text, conf->no_reverse);
	if (conf->path && stat(conf->path, &st) == 0) {
		b->hosts_changed = st.st_mtim;
		b->hosts_size = st.st_size;
		read_hosts_file(b, h);
	}
	hosts_free(b->hosts);
	b->hosts = h;
	b->chain->env.metrics->hosts_reload_s = (double)clock_wall_ns() / 1e9;
}

/* A file that went keeps what was read of it, until it is there again. */
static void look_at_hosts(uv_timer_t *t)
{
	struct block *b = t->data;
	struct stat st;
	if (stat(b->conf->hosts->path, &st) != 0 ||
	        (st.st_mtim.tv_sec == b->hosts_changed.tv_sec && st.st_mtim.tv_nsec == b->hosts_changed.tv_nsec &&
	                st.st_size == b->hosts_size))
		return;
	read_hosts(b);
	log_info("dns", "hosts file was read again", "path=%s", b->conf->hosts->path);
}

/* ---- upstreams ---- */

static struct dns_cache_question dns_cache_question(const struct forward_question *q)
{
	return (struct dns_cache_question){&q->name, q->type, q->is_dnssec_ok, q->checking_disabled};
}

static void store(struct block *b, const struct forward_question *q, const struct dns_message *reply)
{
	struct dns_cache_question cq = dns_cache_question(q);
	if (b->cache && conf_zones_have(&b->conf->cache->zones, q->name.wire))
		dns_cache_store(
		        b->cache, &cq, loop_now_ms(b->chain->env.loop), reply, b->chain->env.metrics->cache_evictions);
}

static bool give_stale(struct chain_request *r)
{
	struct block *b = r->block;
	struct dns_cache_question cq = dns_cache_question(&r->forwarded);
	struct dns_message m = {0};
	if (!b->cache || b->conf->cache->stale == CONF_STALE_NEVER ||
	        dns_cache_find(b->cache, &cq, loop_now_ms(r->chain->env.loop), true, &r->arena, &m) != CACHE_STALE)
		return false;
	r->chain->env.metrics->cache_stale++;
	add_reply(r, &m);
	return true;
}

static void forwarded(struct forward_question *q, const struct dns_message *reply, const struct err *err)
{
	struct chain_request *r = CONTAINER_OF(q, struct chain_request, forwarded);
	if (reply)
		store(r->block, q, reply);
	if ((!reply || reply->rcode == DNS_SERVFAIL) && give_stale(r)) {
		finish(r);
		return;
	}
	if (!reply) {
		log_debug("dns", "no upstream answers", "error=\"%s\"", err->msg);
		finish_with(r, DNS_SERVFAIL);
		return;
	}
	add_reply(r, reply);
	finish(r);
}

static void refreshed(struct forward_question *q, const struct dns_message *reply, const struct err *err)
{
	struct refresh *f = CONTAINER_OF(q, struct refresh, question);
	struct chain *c = f->block->chain;
	if (reply)
		store(f->block, q, reply);
	free(f);
	c->under_way--;
	maybe_end(c);
}

static struct forward *forward_for(const struct block *b, const struct dns_name *name)
{
	const struct conf_forward *best = NULL;
	for (size_t i = 0; i < b->conf->n_forwards; i++) {
		const struct conf_forward *f = &b->conf->forwards[i];
		if (dns_name_is_in(name->wire, f->from.wire) && !conf_zones_have(&f->except, name->wire) &&
		        (!best || f->from.len > best->from.len))
			best = f;
	}
	return best ? b->forwards[best - b->conf->forwards] : NULL;
}

static void refresh(struct chain_request *r, struct forward *f)
{
	struct refresh *x = xcalloc(1, sizeof *x);
	x->block = r->block;
	x->question = r->forwarded;
	x->question.done = refreshed;
	if (!forward_ask(f, &x->question)) {
		free(x);
		return;
	}
	r->chain->under_way++;
}

/* True: it was answered. */
static bool from_cache(struct chain_request *r, struct forward *f)
{
	struct block *b = r->block;
	struct metrics *m = r->chain->env.metrics;
	struct dns_cache_question cq = dns_cache_question(&r->forwarded);
	struct dns_message reply = {0};
	if (!b->cache || !conf_zones_have(&b->conf->cache->zones, r->name.wire))
		return false;
	m->cache_requests++;
	enum dns_cache_outcome outcome = dns_cache_find(b->cache, &cq, loop_now_ms(r->chain->env.loop),
	        b->conf->cache->stale == CONF_STALE_AT_ONCE, &r->arena, &reply);
	if (outcome == CACHE_MISS) {
		m->cache_misses++;
		return false;
	}
	if (outcome == CACHE_STALE) {
		m->cache_stale++;
		refresh(r, f);
	} else {
		m->cache_hits[outcome == CACHE_HIT_DENIAL]++;
	}
	r->reply.rcode = reply.rcode;
	r->reply.flags |= reply.flags;
	for (unsigned s = 0; s < DNS_SECTIONS; s++)
		for (size_t i = 0; i < reply.sections[s].n; i++)
			dns_message_add(&r->arena, &r->reply, s, &reply.sections[s].list[i]);
	finish(r);
	return true;
}

static void forward(struct chain_request *r)
{
	struct forward *f = forward_for(r->block, &r->name);
	if (!f) {
		finish_with(r, DNS_REFUSED);
		return;
	}
	r->forwarded = (struct forward_question){.name = r->name,
	        .type = r->query.type,
	        .wants_recursion = r->query.flags & DNS_FLAG_RD,
	        .checking_disabled = r->query.flags & DNS_FLAG_CD,
	        .is_dnssec_ok = r->query.is_dnssec_ok,
	        .done = forwarded};
	if (from_cache(r, f))
		return;
	if (!forward_ask(f, &r->forwarded))
		finish_with(r, DNS_REFUSED); /* upstream's answer to too many */
}

/* ---- steps ---- */

/* The part of the answer that a fall-through takes back. */
static void forget(struct chain_request *r, const struct dns_message *before)
{
	for (unsigned s = 0; s < DNS_SECTIONS; s++)
		r->reply.sections[s].n = before->sections[s].n;
	r->reply.rcode = before->rcode;
	r->reply.flags = before->flags;
}

/* True: it was answered, or goes on as something else. */
static bool from_cluster(struct chain_request *r)
{
	struct block *b = r->block;
	const struct conf_kubernetes *k = b->conf->kubernetes;
	struct chain_env *env = &r->chain->env;
	struct dns_message before = r->reply;
	const uint8_t *target = NULL;
	if (!k)
		return false;
	/* a copy: records refer to the name, and an alias changes r->name */
	const struct dns_name *name = (const struct dns_name *)arena_memdup(&r->arena, &r->name, sizeof r->name);
	switch (answer_cluster(env->zone, &b->cluster, &r->arena, name, r->query.type, &r->reply, &target)) {
	case ANSWER_NOT_MINE:
		return false;
	case ANSWER_NXDOMAIN:
		if (conf_falls(&k->fall, r->name.wire)) {
			forget(r, &before);
			return false;
		}
		if (!env->is_synced(env->arg)) {
			forget(r, &before);
			r->reply.rcode = DNS_SERVFAIL;
		}
		finish(r);
		return true;
	case ANSWER_ALIAS:
		if (++r->aliases > DNS_ALIASES_MAX) {
			finish(r);
			return true;
		}
		dns_name_set(&r->name, target);
		dns_name_lower(r->name.wire, r->name.len);
		step(r);
		return true;
	default:
		finish(r);
		return true;
	}
}

static bool from_hosts(struct chain_request *r)
{
	const struct conf_hosts *conf = r->block->conf->hosts;
	if (!conf)
		return false;
	if (hosts_answer(r->block->hosts, conf, &r->arena, &r->name, r->query.type, &r->reply) == HOSTS_DONE) {
		finish(r);
		return true;
	}
	if (r->query.type == DNS_PTR || !conf_zones_have(&conf->zones, r->name.wire) ||
	        conf_falls(&conf->fall, r->name.wire))
		return false;
	finish_with(r, DNS_SERVFAIL); /* a denial would need a SOA, which a file has not: upstream's answer */
	return true;
}

/* True: it is our own question that came back. */
static bool is_loop(struct chain_request *r)
{
	struct block *b = r->block;
	struct strbuf zone = STRBUF_INIT;
	if (!b->conf->loop || r->query.type != DNS_HINFO || r->is_own || !dns_name_eq(r->name.wire, b->loop_name.wire))
		return false;
	dns_name_text(&zone, b->conf->keys[0].zone.wire, true);
	log_error("dns", "an upstream is this server: questions go in circles", "zone=%s mend=\"%s\"",
	        strbuf_cstr(&zone), "let forward name servers that are elsewhere; see docs/dns.md");
	r->chain->env.loop_found(r->chain->env.arg, strbuf_cstr(&zone));
	strbuf_release(&zone);
	finish_with(r, DNS_SERVFAIL);
	return true;
}

static void step(struct chain_request *r)
{
	struct block *b = r->block;
	if (is_loop(r))
		return;
	rewrite_name(b->conf->rewrites, b->conf->n_rewrites, &r->name);
	if (r->aliases == 0)
		r->first = r->name;
	if (!from_hosts(r) && !from_cluster(r))
		forward(r);
}

/* The block with the longest of the zones that hold the name. */
static void find_block(struct chain_request *r)
{
	const struct chain *c = r->chain;
	size_t best = 0;
	for (size_t i = 0; i < c->conf->n_blocks; i++)
		for (size_t k = 0; k < c->conf->blocks[i].n_keys; k++) {
			const struct conf_key *key = &c->conf->blocks[i].keys[k];
			if (key->port == r->port && key->zone.len > best &&
			        dns_name_is_in(r->name.wire, key->zone.wire)) {
				r->block = &c->blocks[i];
				r->key = k;
				best = key->zone.len;
			}
		}
}

/* Questions that are answered whatever they ask for: true. */
static bool refuse(struct chain_request *r)
{
	const struct dns_message *q = &r->query;
	unsigned rcode = DNS_NOERROR;
	if (q->opcode != 0)
		rcode = DNS_NOTIMP;
	else if (q->has_edns && q->edns_version != 0)
		rcode = DNS_BADVERS;
	else if (q->type == DNS_OPT)
		rcode = DNS_FORMERR;
	else if (!r->block || q->klass != DNS_CLASS_IN || q->type == DNS_AXFR || q->type == DNS_IXFR)
		rcode = DNS_REFUSED;
	if (rcode == DNS_NOERROR)
		return false;
	finish_with(r, rcode);
	return true;
}

/* Is it more than a question holds? Its records would be kept until it is answered. (What upstream takes: a SOA of
 * IXFR, one of NOTIFY, OPT and a signature.) */
static bool is_too_much(const uint8_t *data, size_t len)
{
	unsigned counts[DNS_SECTIONS];
	for (unsigned i = 0; i < DNS_SECTIONS; i++)
		counts[i] = (unsigned)(data[6 + 2 * i] << 8 | data[7 + 2 * i]);
	return counts[DNS_ANSWER] > 1 || counts[DNS_AUTHORITY] > 1 || counts[DNS_ADDITIONAL] > 2 ||
	       len > DNS_QUESTION_BYTES_MAX;
}

/* What can't be read is answered with a head alone: there is no question to repeat. */
static void answer_head(struct chain_request *r, unsigned rcode)
{
	uint8_t *out = r->chain->out;
	unsigned flags = DNS_FLAG_QR | (r->query.flags & DNS_FLAG_RD) | (r->query.opcode & 0xf) << 11 | rcode;
	memset(out, 0, DNS_HEADER_BYTES);
	out[0] = (uint8_t)(r->query.id >> 8);
	out[1] = (uint8_t)r->query.id;
	out[2] = (uint8_t)(flags >> 8);
	out[3] = (uint8_t)flags;
	r->answer(r, out, DNS_HEADER_BYTES);
	request_gone(r);
}

void chain_ask(struct chain_request *r, const uint8_t *data, size_t len)
{
	struct err err = ERR_INIT;
	r->begun_ns = metrics_now_ns();
	r->query_bytes = len;
	r->reply = (struct dns_message){.name = DNS_ROOT};
	/* of what is too much the head alone is read, for the refusal */
	bool too_much = len >= DNS_HEADER_BYTES && is_too_much(data, len);
	int rc = dns_message_parse(&r->arena, &r->query, data, too_much ? DNS_HEADER_BYTES : len, &err);
	/* An answer gets no answer: two servers would send each other some for ever. */
	if (len < DNS_HEADER_BYTES || r->query.flags & DNS_FLAG_QR) {
		r->chain->env.metrics->dropped++;
		done_without_answer(r);
		return;
	}
	if (rc != 0) {
		answer_head(r, r->query.opcode ? DNS_NOTIMP : DNS_FORMERR);
		return;
	}
	r->name = r->query.name;
	dns_name_lower(r->name.wire, r->name.len);
	r->first = r->name;
	find_block(r);
	if (r->block && !r->is_own)
		metrics_request(
		        r->block->metrics[r->key], r->is_tcp, r->client.ss_family == AF_INET6, r->query.type, len);
	if (!refuse(r))
		step(r);
}

/* ---- loops ---- */

static void own_answer(struct chain_request *r, const uint8_t *data, size_t len)
{
}

static void make_loop_name(struct block *b)
{
	char label[24];
	b->loop_name = b->conf->keys[0].zone;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(label, sizeof label, "%u%u", ask_random(), ask_random());
		dns_name_prepend(&b->loop_name, slice_of(label));
	}
}

void chain_detect_loops(struct chain *c)
{
	uint8_t out[DNS_UDP_BYTES_MIN];
	for (size_t i = 0; i < c->conf->n_blocks; i++) {
		struct block *b = &c->blocks[i];
		if (!b->conf->loop)
			continue;
		struct dns_message m = {
		        .name = b->loop_name, .type = DNS_HINFO, .klass = DNS_CLASS_IN, .flags = DNS_FLAG_RD};
		struct chain_request *r = chain_request_new(c);
		r->port = b->conf->keys[0].port;
		r->is_tcp = false;
		r->is_own = true;
		r->answer = own_answer;
		chain_ask(r, out, dns_message_write(&m, out, sizeof out));
	}
}

/* ---- life ---- */

static void count_block(struct chain *c, struct block *b)
{
	const struct conf_block *conf = b->conf;
	b->metrics = ARENA_ARRAY(&c->conf->arena, struct metrics_server *, conf->n_keys);
	for (size_t i = 0; i < conf->n_keys; i++) {
		struct strbuf zone = STRBUF_INIT;
		char server[32];
		dns_name_text(&zone, conf->keys[i].zone.wire, true);
		snprintf(server, sizeof server, "dns://:%d", conf->keys[i].port);
		b->metrics[i] = metrics_server(c->env.metrics, server, strbuf_cstr(&zone));
		strbuf_release(&zone);
	}
}

static void start_block(struct chain *c, struct block *b, const struct conf_block *conf)
{
	const struct conf_kubernetes *k = conf->kubernetes;
	b->chain = c;
	b->conf = conf;
	CHECK(conf->n_forwards <= COUNT_OF(b->forwards));
	for (size_t i = 0; i < conf->n_forwards; i++)
		b->forwards[i] = forward_new(c->env.loop, &conf->forwards[i], c->env.metrics);
	if (k)
		b->cluster = (struct answer_options){.zones = k->zones.list,
		        .n_zones = k->zones.n,
		        .ttl_s = k->ttl_s,
		        .pods = (enum answer_pods)k->pods,
		        .endpoint_pod_names = k->endpoint_pod_names,
		        .ignores_empty_services = k->ignores_empty_services,
		        .no_endpoints = k->no_endpoints,
		        .namespaces = k->namespaces,
		        .n_namespaces = k->n_namespaces};
	if (conf->cache)
		b->cache = dns_cache_new(conf->cache);
	if (conf->loop)
		make_loop_name(b);
	uv_timer_init(loop_uv(c->env.loop), &b->hosts_timer);
	b->hosts_timer.data = b;
	if (conf->hosts)
		read_hosts(b);
	if (conf->hosts && conf->hosts->path && conf->hosts->reload_ms)
		uv_timer_start(&b->hosts_timer, look_at_hosts, conf->hosts->reload_ms, conf->hosts->reload_ms);
	count_block(c, b);
}

static void end(struct loop_defer *d);

struct chain *chain_new(const struct chain_env *env, struct conf *conf)
{
	struct chain *c = xcalloc(1, sizeof *c);
	c->env = *env;
	c->conf = conf;
	c->out = xmalloc(DNS_MESSAGE_BYTES_MAX);
	list_init(&c->spare);
	loop_defer_init(&c->end, end);
	c->blocks = xcalloc(conf->n_blocks, sizeof *c->blocks);
	for (size_t i = 0; i < conf->n_blocks; i++)
		start_block(c, &c->blocks[i], &conf->blocks[i]);
	return c;
}

const struct conf *chain_conf(const struct chain *c)
{
	return c->conf;
}

void chain_count(struct chain *c)
{
	struct metrics *m = c->env.metrics;
	m->cache_entries[0] = m->cache_entries[1] = m->hosts_entries = 0;
	for (size_t i = 0; i < c->conf->n_blocks; i++) {
		const struct block *b = &c->blocks[i];
		for (unsigned side = 0; b->cache && side < 2; side++)
			m->cache_entries[side] += dns_cache_count(b->cache, side);
		if (b->hosts)
			m->hosts_entries += hosts_count(b->hosts);
	}
}

static void all_closed(struct closing *x)
{
	struct chain *c = CONTAINER_OF(x, struct chain, closing);
	void (*closed)(void *) = c->closed;
	void *arg = c->closed_arg;
	for (size_t i = 0; i < c->conf->n_blocks; i++) {
		dns_cache_free(c->blocks[i].cache);
		hosts_free(c->blocks[i].hosts);
	}
	for (struct list_link *l; (l = list_pop_front(&c->spare)) != NULL;) {
		struct chain_request *r = CONTAINER_OF(l, struct chain_request, link);
		arena_release(&r->arena);
		free(r);
	}
	conf_free(c->conf);
	free(c->blocks);
	free(c->out);
	free(c);
	if (closed)
		closed(arg);
}

static void timer_closed(uv_handle_t *h)
{
	struct block *b = h->data;
	closing_part_done(&b->chain->closing);
}

static void close_parts(struct chain *c)
{
	c->forwards_closed = true;
	c->closing.all_closed = all_closed;
	closing_hold(&c->closing);
	for (size_t i = 0; i < c->conf->n_blocks; i++) {
		struct block *b = &c->blocks[i];
		closing_hold(&c->closing);
		uv_close((uv_handle_t *)&b->hosts_timer, timer_closed);
		for (size_t k = 0; k < b->conf->n_forwards; k++) {
			closing_hold(&c->closing);
			forward_close(b->forwards[k], closing_part_done, &c->closing);
		}
	}
	closing_part_done(&c->closing);
}

static void end(struct loop_defer *d)
{
	close_parts(CONTAINER_OF(d, struct chain, end));
}

static void maybe_end(struct chain *c)
{
	if (c->is_closing && !c->forwards_closed && c->under_way == 0)
		loop_defer(c->env.loop, &c->end);
}

void chain_close(struct chain *c, bool now, void (*closed)(void *arg), void *arg)
{
	c->is_closing = true;
	c->closed = closed;
	c->closed_arg = arg;
	if (now && c->under_way)
		close_parts(c); /* whoever waits is told inside */
	else
		maybe_end(c);
}
