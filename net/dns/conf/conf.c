/* See conf.h. A directive is a row of a table: a reader, or why it is refused. */
#include "net/dns/conf/conf_int.h"

#include "base/check.h"
#include "base/time/duration.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

enum { DNS_PORT = 53, HEALTH_PORT = 8080, READY_PORT = 8181, METRICS_PORT = 9153 };
enum { RELOAD_MS = 30000, RELOAD_JITTER_MS = 15000, RELOAD_MS_MIN = 2000, DAY_MS = 24 * 3600 * 1000 };

/* ---- words ---- */

int conf_words(struct reading *r, const struct corefile_line *l, size_t min, size_t max)
{
	size_t n = l->n_words - 1;
	if (n < min)
		return corefile_error(r->err, l, "%s: %s", l->words[0],
		        min == 1 ? "an argument is missing" : "arguments are missing");
	if (n > max)
		return corefile_error(r->err, l, "%s: \"%s\" is one argument too many", l->words[0], l->words[max + 1]);
	return 0;
}

int conf_no_block(struct reading *r, const struct corefile_line *l)
{
	return l->has_block ? corefile_error(r->err, l, "%s takes no braces", l->words[0]) : 0;
}

int conf_number(
        struct reading *r, const struct corefile_line *l, size_t word, uint64_t min, uint64_t max, uint64_t *ret)
{
	if (slice_to_u64(slice_of(l->words[word]), ret) && *ret >= min && *ret <= max)
		return 0;
	return corefile_error(r->err, l, "%s: \"%s\" is no number from %llu to %llu", l->words[0], l->words[word],
	        (unsigned long long)min, (unsigned long long)max);
}

int conf_duration(
        struct reading *r, const struct corefile_line *l, size_t word, bool bare, uint64_t max_ms, uint64_t *ret_ms)
{
	uint64_t s;
	const char *text = l->words[word];
	bool ok = bare && slice_to_u64(slice_of(text), &s) && s <= max_ms / 1000;
	if (ok)
		*ret_ms = s * 1000;
	else
		ok = duration_parse_ms(text, ret_ms) && *ret_ms <= max_ms;
	return ok ? 0
	          : corefile_error(r->err, l, "%s: \"%s\" is no duration (like 30s) of at most %llus", l->words[0],
	                    text, (unsigned long long)max_ms / 1000);
}

int conf_unknown(struct reading *r, const struct corefile_line *l, const char *of)
{
	return corefile_error(
	        r->err, l, "%s: \"%s\" is not known, or not supported by k3x dns (see docs/dns.md)", of, l->words[0]);
}

/* "10.43.0.0/16" becomes the zone "43.10.in-addr.arpa"; prefixes end between labels. */
static bool reverse_zone(struct dns_name *n, const char *text)
{
	uint8_t ip[16];
	char address[64];
	uint64_t bits;
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : 0;
	if (!len || len >= sizeof address || !slice_to_u64(slice_of(slash + 1), &bits))
		return false;
	memcpy(address, text, len);
	address[len] = 0;
	bool v4 = inet_pton(AF_INET, address, ip) == 1;
	if ((!v4 && inet_pton(AF_INET6, address, ip) != 1) || bits == 0 || bits > (v4 ? 32 : 128) ||
	        bits % (v4 ? 8 : 4) != 0)
		return false;
	dns_name_parse(n, v4 ? SLICE("in-addr.arpa") : SLICE("ip6.arpa"), NULL);
	for (unsigned at = 0; at < bits; at += v4 ? 8 : 4) {
		char label[8];
		unsigned nibble = at % 8 ? ip[at / 8] & 0xf : ip[at / 8] >> 4;
		snprintf(label, sizeof label, v4 ? "%u" : "%x", v4 ? ip[at / 8] : nibble);
		dns_name_prepend(n, slice_of(label));
	}
	return true;
}

int conf_zone_name(struct reading *r, const struct corefile_line *l, const char *text, struct dns_name *ret)
{
	struct err why = ERR_INIT;
	if (strchr(text, '/')) {
		if (reverse_zone(ret, text))
			return 0;
		return corefile_error(r->err, l, "\"%s\" is no network that ends between labels (/8, /16, /24)", text);
	}
	if (dns_name_parse(ret, slice_of(text), &why) != 0)
		return corefile_error(r->err, l, "%s", why.msg);
	dns_name_lower(ret->wire, ret->len);
	return 0;
}

int conf_zones_read(struct reading *r, const struct corefile_line *l, size_t first, struct conf_zones *ret)
{
	bool own = l->n_words <= first;
	size_t n = own ? r->block->n_keys : l->n_words - first;
	ret->list = ARENA_ARRAY(r->arena, struct dns_name, n);
	ret->n = n;
	for (size_t i = 0; i < n; i++) {
		if (own)
			ret->list[i] = r->block->keys[i].zone;
		else if (conf_zone_name(r, l, l->words[first + i], &ret->list[i]) != 0)
			return r->err->code;
	}
	return 0;
}

int conf_fall_read(struct reading *r, const struct corefile_line *l, struct conf_fall *ret)
{
	ret->is_on = true;
	if (l->n_words > 1 && conf_zones_read(r, l, 1, &ret->zones) != 0)
		return r->err->code;
	return conf_no_block(r, l);
}

bool conf_zones_have(const struct conf_zones *z, const uint8_t *name)
{
	for (size_t i = 0; i < z->n; i++)
		if (dns_name_is_in(name, z->list[i].wire))
			return true;
	return false;
}

bool conf_falls(const struct conf_fall *f, const uint8_t *name)
{
	return f->is_on && (f->zones.n == 0 || conf_zones_have(&f->zones, name));
}

bool conf_address(struct arena *a, const char *text, int default_port, struct conf_upstream *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->address;
	const char *close = text[0] == '[' ? strchr(text, ']') : NULL, *colon = strrchr(close ? close : text, ':');
	bool bare_v6 = !close && colon && strchr(text, ':') != colon;
	uint64_t port = (uint64_t)default_port;
	const char *host = text;
	if (bare_v6 || (close && !close[1]))
		colon = NULL;
	if (colon && (!slice_to_u64(slice_of(colon + 1), &port) || port < 1 || port > 65535 ||
	                     (close && colon != close + 1)))
		return false;
	if (close)
		host = arena_memdup(a, text + 1, (size_t)(close - text - 1));
	else if (colon)
		host = arena_memdup(a, text, (size_t)(colon - text));
	memset(&ret->address, 0, sizeof ret->address);
	ret->host = host;
	ret->port = (int)port;
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		ret->text = arena_printf(a, "%s:%d", host, (int)port);
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	ret->text = arena_printf(a, "[%s]:%d", host, (int)port);
	return true;
}

/* ---- small directives ---- */

static int read_errors(struct reading *r, const struct corefile_line *l)
{
	r->block->errors = true;
	if (conf_words(r, l, 0, 0) != 0)
		return r->err->code;
	return l->n_block ? conf_unknown(r, &l->block[0], "errors") : 0;
}

static int read_log(struct reading *r, const struct corefile_line *l)
{
	r->block->log = true;
	if (l->n_words == 2 && strcmp(l->words[1], ".") == 0)
		return conf_no_block(r, l);
	return conf_words(r, l, 0, 0) != 0 ? r->err->code : conf_no_block(r, l);
}

static int read_loop(struct reading *r, const struct corefile_line *l)
{
	r->block->loop = true;
	return conf_words(r, l, 0, 0) != 0 ? r->err->code : conf_no_block(r, l);
}

static int read_loadbalance(struct reading *r, const struct corefile_line *l)
{
	r->block->loadbalance = true;
	if (conf_words(r, l, 0, 1) != 0 || conf_no_block(r, l) != 0)
		return r->err->code;
	if (l->n_words == 2 && strcmp(l->words[1], "round_robin") != 0)
		return corefile_error(
		        r->err, l, "loadbalance: the policy \"%s\" is not supported, round_robin is", l->words[1]);
	return 0;
}

static int read_bind(struct reading *r, const struct corefile_line *l)
{
	struct conf_upstream u;
	if (conf_words(r, l, 1, 64) != 0 || conf_no_block(r, l) != 0)
		return r->err->code;
	for (size_t i = 1; i < l->n_words; i++)
		if (strchr(l->words[i], '[') || !conf_address(r->arena, l->words[i], DNS_PORT, &u) ||
		        strcmp(u.host, l->words[i]) != 0)
			return corefile_error(r->err, l, "bind: \"%s\" is no address", l->words[i]);
	r->block->binds = l->words + 1;
	r->block->n_binds = l->n_words - 1;
	return 0;
}

static int read_bufsize(struct reading *r, const struct corefile_line *l)
{
	uint64_t n = DNS_UDP_BYTES_MAX;
	if (conf_words(r, l, 0, 1) != 0 || conf_no_block(r, l) != 0 ||
	        (l->n_words == 2 && conf_number(r, l, 1, 512, 4096, &n) != 0))
		return r->err->code;
	r->block->udp_bytes_max = (unsigned)n;
	return 0;
}

/* "[HOST]:PORT" */
static int read_listen(struct reading *r, const struct corefile_line *l, int port, struct conf_listen *ret)
{
	struct conf_upstream u;
	*ret = (struct conf_listen){"", port};
	if (l->n_words < 2)
		return 0;
	const char *text = l->words[1];
	uint64_t v;
	if (text[0] == ':' && slice_to_u64(slice_of(text + 1), &v) && v >= 1 && v <= 65535) {
		ret->port = (int)v;
		return 0;
	}
	if (strncmp(text, "localhost:", 10) == 0)
		text = arena_printf(r->arena, "127.0.0.1:%s", text + 10);
	if (!conf_address(r->arena, text, port, &u))
		return corefile_error(
		        r->err, l, "%s: \"%s\" is no address like :%d or 127.0.0.1:%d", l->words[0], text, port, port);
	*ret = (struct conf_listen){u.host, u.port};
	return 0;
}

static int read_health(struct reading *r, const struct corefile_line *l)
{
	if (conf_words(r, l, 0, 1) != 0 || read_listen(r, l, HEALTH_PORT, &r->conf->health) != 0)
		return r->err->code;
	for (size_t i = 0; i < l->n_block; i++) {
		const struct corefile_line *b = &l->block[i];
		if (strcmp(b->words[0], "lameduck") != 0)
			return conf_unknown(r, b, "health");
		if (conf_words(r, b, 1, 1) != 0 || conf_duration(r, b, 1, false, 60000, &r->conf->lameduck_ms) != 0)
			return r->err->code;
	}
	return 0;
}

static int read_ready(struct reading *r, const struct corefile_line *l)
{
	return conf_words(r, l, 0, 1) != 0 || conf_no_block(r, l) != 0 ||
	                       read_listen(r, l, READY_PORT, &r->conf->ready) != 0
	               ? r->err->code
	               : 0;
}

static int read_prometheus(struct reading *r, const struct corefile_line *l)
{
	r->block->prometheus = true;
	return conf_words(r, l, 0, 1) != 0 || conf_no_block(r, l) != 0 ||
	                       read_listen(r, l, METRICS_PORT, &r->conf->metrics) != 0
	               ? r->err->code
	               : 0;
}

static int read_reload(struct reading *r, const struct corefile_line *l)
{
	struct conf *c = r->conf;
	c->reload_ms = RELOAD_MS;
	c->reload_jitter_ms = RELOAD_JITTER_MS;
	if (conf_words(r, l, 0, 2) != 0 || conf_no_block(r, l) != 0 ||
	        (l->n_words > 1 && conf_duration(r, l, 1, false, DAY_MS, &c->reload_ms) != 0) ||
	        (l->n_words > 2 && conf_duration(r, l, 2, false, DAY_MS, &c->reload_jitter_ms) != 0))
		return r->err->code;
	if (c->reload_ms < RELOAD_MS_MIN)
		return corefile_error(r->err, l, "reload: at least 2s");
	if (l->n_words < 3 && c->reload_jitter_ms > c->reload_ms / 2)
		c->reload_jitter_ms = c->reload_ms / 2;
	return 0;
}

/* ---- the table ---- */

struct directive {
	const char *name;
	int (*read)(struct reading *r, const struct corefile_line *l);
	bool may_repeat;
	const char *refused; /* why, and what to do instead */
};

static const struct directive directives[] = {
        {"errors", read_errors, false, NULL},
        {"log", read_log, false, NULL},
        {"health", read_health, false, NULL},
        {"ready", read_ready, false, NULL},
        {"kubernetes", conf_kubernetes_read, false, NULL},
        {"hosts", conf_hosts_read, false, NULL},
        {"forward", conf_forward_read, true, NULL},
        {"cache", conf_cache_read, false, NULL},
        {"rewrite", conf_rewrite_read, true, NULL},
        {"loop", read_loop, false, NULL},
        {"reload", read_reload, false, NULL},
        {"loadbalance", read_loadbalance, false, NULL},
        {"prometheus", read_prometheus, false, NULL},
        {"bind", read_bind, false, NULL},
        {"bufsize", read_bufsize, false, NULL},
        {"template", NULL, false, "write the names as a hosts block, or rewrite them"},
        {"autopath", NULL, false, "search paths are answered from memory, at the cost of a question each"},
        {"file", NULL, false, "forward the zone to a server that has it"},
        {"auto", NULL, false, "forward the zone to a server that has it"},
        {"secondary", NULL, false, "forward the zone to its server"},
        {"transfer", NULL, false, "zones are not transferred"},
        {"dnssec", NULL, false, "the cluster's zone is not signed"},
        {"k8s_external", NULL, false, "it is not built"},
        {"etcd", NULL, false, "it is not built"},
        {"grpc", NULL, false, "use forward"},
        {"view", NULL, false, "every client gets the same answers"},
        {"acl", NULL, false, "use a NetworkPolicy"},
};

static int read_directive(struct reading *r, const struct corefile_line *l, bool *had)
{
	for (size_t i = 0; i < COUNT_OF(directives); i++) {
		const struct directive *d = &directives[i];
		if (strcmp(d->name, l->words[0]) != 0)
			continue;
		if (d->refused)
			return corefile_error(
			        r->err, l, "the directive \"%s\" is not supported by k3x dns: %s", d->name, d->refused);
		if (had[i] && !d->may_repeat)
			return corefile_error(r->err, l, "%s stands twice in one server block", d->name);
		had[i] = true;
		return d->read(r, l);
	}
	return corefile_error(r->err, l, "unknown directive \"%s\" (docs/dns.md lists those there are)", l->words[0]);
}

/* ---- server blocks ---- */

/* "example.org", ".:53", "dns://example.org:1053", "10.0.0.0/8" */
static int read_key(struct reading *r, const struct corefile_line *l, const char *text, struct conf_key *ret)
{
	const char *scheme = strstr(text, "://"), *colon;
	uint64_t port = DNS_PORT;
	if (scheme && strncmp(text, "dns://", 6) != 0)
		return corefile_error(r->err, l, "\"%s\": dns:// is the only way to serve", text);
	if (scheme)
		text = scheme + 3;
	colon = strrchr(text, ':');
	if (colon) {
		if (!slice_to_u64(slice_of(colon + 1), &port) || port < 1 || port > 65535)
			return corefile_error(r->err, l, "\"%s\": \"%s\" is no port", text, colon + 1);
		text = arena_memdup(r->arena, text, (size_t)(colon - text));
	}
	ret->port = (int)port;
	return conf_zone_name(r, l, text, &ret->zone);
}

static int read_keys(struct reading *r, const struct corefile_line *l)
{
	r->block->keys = ARENA_ARRAY(r->arena, struct conf_key, 64);
	for (size_t i = 0; i < l->n_words; i++) {
		struct slice rest = slice_of(l->words[i]);
		while (rest.len) {
			struct slice key = slice_cut(&rest, ',');
			if (!key.len)
				continue;
			if (r->block->n_keys == 64)
				return corefile_error(r->err, l, "more than 64 zones in one server block");
			const char *text = arena_memdup(r->arena, key.ptr, key.len);
			if (read_key(r, l, text, &r->block->keys[r->block->n_keys]) != 0)
				return r->err->code;
			r->block->n_keys++;
		}
	}
	return r->block->n_keys ? 0 : corefile_error(r->err, l, "a server block without a zone");
}

/* The same zone on the same port twice: only one of them could answer. */
static int check_twice(struct reading *r, const struct corefile_line *l)
{
	for (size_t b = 0; b < r->conf->n_blocks; b++)
		for (size_t i = 0; i < r->conf->blocks[b].n_keys; i++)
			for (size_t k = 0; k < r->block->n_keys; k++) {
				const struct conf_key *x = &r->conf->blocks[b].keys[i], *y = &r->block->keys[k];
				if (x->port == y->port && dns_name_eq(x->zone.wire, y->zone.wire))
					return corefile_error(r->err, l,
					        "zone and port are those of the server block at %s:%u",
					        r->conf->blocks[b].file, r->conf->blocks[b].line);
			}
	return 0;
}

static int read_block(struct reading *r, const struct corefile_line *l)
{
	bool had[COUNT_OF(directives)] = {false};
	r->block->file = l->file;
	r->block->line = l->line;
	r->block->udp_bytes_max = DNS_UDP_BYTES_MAX;
	if (!l->has_block)
		return corefile_error(
		        r->err, l, "\"%s\": a server block is a zone and what is in braces behind it", l->words[0]);
	if (read_keys(r, l) != 0 || check_twice(r, l) != 0)
		return r->err->code;
	for (size_t i = 0; i < l->n_block; i++)
		if (read_directive(r, &l->block[i], had) != 0)
			return r->err->code;
	if (r->block->kubernetes) {
		r->conf->wants_cluster = true;
		r->conf->wants_pods |= r->block->kubernetes->pods == CONF_PODS_VERIFIED;
	}
	return 0;
}

/* ---- the file ---- */

static uint64_t hash_lines(uint64_t h, const struct corefile_line *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < l[i].n_words; k++)
			h = fnv1a64_add(h, l[i].words[k], strlen(l[i].words[k]) + 1);
		h = fnv1a64_add(h, "{", 1 + l[i].has_block);
		h = hash_lines(h, l[i].block, l[i].n_block);
	}
	return h;
}

static int read_blocks(struct reading *r, const char *path, const struct corefile_line *lines, size_t n)
{
	struct conf *c = r->conf;
	if (n == 0)
		return err_set(r->err, ERR_INVAL, "%s: there is no server block in it", path);
	if (n > DNS_CONF_BLOCKS_MAX)
		return corefile_error(r->err, &lines[DNS_CONF_BLOCKS_MAX], "more than 256 server blocks");
	c->blocks = ARENA_ARRAY(&c->arena, struct conf_block, n);
	for (size_t i = 0; i < n; i++) {
		r->block = &c->blocks[i];
		if (read_block(r, &lines[i]) != 0)
			return r->err->code;
		c->n_blocks++;
	}
	return 0;
}

int conf_read(const struct corefile_source *source, const char *path, struct conf **ret, struct err *err)
{
	struct conf *c = xcalloc(1, sizeof *c);
	struct err own = ERR_INIT;
	struct reading r = {.conf = c, .arena = &c->arena, .source = source, .err = err ? err : &own};
	struct corefile_line *lines;
	size_t n;
	if (corefile_read(&c->arena, source, path, &lines, &n, r.err) != 0 || read_blocks(&r, path, lines, n) != 0) {
		conf_free(c);
		return r.err->code;
	}
	c->hash = hash_lines(FNV1A64_INIT, lines, n);
	*ret = c;
	return 0;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	arena_release(&c->arena);
	free(c);
}
