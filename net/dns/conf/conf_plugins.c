/* The directives with braces of their own: kubernetes, hosts, forward, cache, rewrite. See conf_int.h. */
#include "net/dns/conf/conf_int.h"

#include "base/check.h"
#include "base/limits.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

enum { REGEX_STEPS_MAX = 500, REGEX_GROUPS_MAX = 10 };
enum { DAY_MS = 24 * 3600 * 1000, TTL_S_MAX = 3600, HOSTS_TTL_S = 3600, HOSTS_RELOAD_MS = 5000 };

static bool is(const struct corefile_line *l, const char *word)
{
	return strcmp(l->words[0], word) == 0;
}

/* A word alone. */
static int flag(struct reading *r, const struct corefile_line *l, bool *ret)
{
	*ret = true;
	return conf_words(r, l, 0, 0) != 0 ? r->err->code : conf_no_block(r, l);
}

static int number32(struct reading *r, const struct corefile_line *l, uint64_t min, uint64_t max, uint32_t *ret)
{
	uint64_t v;
	if (conf_words(r, l, 1, 1) != 0 || conf_number(r, l, 1, min, max, &v) != 0)
		return r->err->code;
	*ret = (uint32_t)v;
	return 0;
}

/* ---- kubernetes ---- */

static int pods_mode(struct reading *r, const struct corefile_line *l, enum conf_pods *ret)
{
	static const char *const modes[] = {"disabled", "insecure", "verified"};
	if (conf_words(r, l, 1, 1) != 0)
		return r->err->code;
	for (unsigned i = 0; i < COUNT_OF(modes); i++)
		if (strcmp(l->words[1], modes[i]) == 0) {
			*ret = (enum conf_pods)i;
			return 0;
		}
	return corefile_error(r->err, l, "pods: \"%s\" is none of disabled, insecure, verified", l->words[1]);
}

static int namespaces(struct reading *r, const struct corefile_line *l, struct conf_kubernetes *k)
{
	if (conf_words(r, l, 1, 1000) != 0)
		return r->err->code;
	k->n_namespaces = l->n_words - 1;
	k->namespaces = ARENA_ARRAY(r->arena, struct slice, k->n_namespaces);
	for (size_t i = 0; i < k->n_namespaces; i++)
		k->namespaces[i] = slice_of(l->words[i + 1]);
	return 0;
}

static int kubernetes_option(struct reading *r, const struct corefile_line *l, struct conf_kubernetes *k)
{
	if (is(l, "pods"))
		return pods_mode(r, l, &k->pods);
	if (is(l, "ttl"))
		return number32(r, l, 0, TTL_S_MAX, &k->ttl_s);
	if (is(l, "fallthrough"))
		return conf_fall_read(r, l, &k->fall);
	if (is(l, "endpoint_pod_names"))
		return flag(r, l, &k->endpoint_pod_names);
	if (is(l, "noendpoints"))
		return flag(r, l, &k->no_endpoints);
	if (is(l, "namespaces"))
		return namespaces(r, l, k);
	if (is(l, "ignore")) {
		k->ignores_empty_services = true;
		if (conf_words(r, l, 1, 1) != 0)
			return r->err->code;
		return strcmp(l->words[1], "empty_service") == 0
		               ? 0
		               : corefile_error(r->err, l, "ignore: empty_service is all that can be ignored");
	}
	if (is(l, "endpoint") || is(l, "kubeconfig") || is(l, "tls"))
		return corefile_error(r->err, l, "kubernetes: which API server, and as whom, is said by --kubeconfig");
	return conf_unknown(r, l, "kubernetes");
}

int conf_kubernetes_read(struct reading *r, const struct corefile_line *l)
{
	struct conf_kubernetes *k = ARENA_NEW(r->arena, struct conf_kubernetes);
	bool forward_zone = false;
	k->ttl_s = 5;
	if (conf_zones_read(r, l, 1, &k->zones) != 0)
		return r->err->code;
	for (size_t i = 0; i < k->zones.n; i++)
		forward_zone |= !dns_name_is_reverse(k->zones.list[i].wire);
	if (!forward_zone)
		return corefile_error(
		        r->err, l, "kubernetes: a zone for names, like cluster.local, must be among its zones");
	for (size_t i = 0; i < l->n_block; i++)
		if (kubernetes_option(r, &l->block[i], k) != 0)
			return r->err->code;
	r->block->kubernetes = k;
	return 0;
}

/* ---- hosts ---- */

static int hosts_option(
        struct reading *r, const struct corefile_line *l, struct conf_hosts *h, struct strbuf *inline_text)
{
	if (is(l, "ttl"))
		return number32(r, l, 1, INT32_MAX, &h->ttl_s);
	if (is(l, "no_reverse"))
		return flag(r, l, &h->no_reverse);
	if (is(l, "fallthrough"))
		return conf_fall_read(r, l, &h->fall);
	if (is(l, "reload")) {
		if (conf_words(r, l, 1, 1) != 0 || conf_duration(r, l, 1, false, DAY_MS, &h->reload_ms) != 0)
			return r->err->code;
		return h->reload_ms && h->reload_ms < 1000 ? corefile_error(r->err, l, "reload: at least 1s, or 0s")
		                                           : 0;
	}
	struct conf_upstream u;
	if (!conf_address(r->arena, l->words[0], 1, &u) || strcmp(u.host, l->words[0]) != 0)
		return conf_unknown(r, l, "hosts");
	if (conf_words(r, l, 1, 1000) != 0)
		return r->err->code;
	for (size_t i = 0; i < l->n_words; i++)
		strbuf_addf(inline_text, "%s%c", l->words[i], i + 1 == l->n_words ? '\n' : ' ');
	return 0;
}

int conf_hosts_read(struct reading *r, const struct corefile_line *l)
{
	struct conf_hosts *h = ARENA_NEW(r->arena, struct conf_hosts);
	struct strbuf inline_text = STRBUF_INIT;
	int rc = 0;
	h->ttl_s = HOSTS_TTL_S;
	h->reload_ms = HOSTS_RELOAD_MS;
	h->path = l->n_words > 1 ? l->words[1] : l->n_block ? NULL : "/etc/hosts";
	if (conf_zones_read(r, l, 2, &h->zones) != 0)
		return r->err->code;
	for (size_t i = 0; i < l->n_block && rc == 0; i++)
		rc = hosts_option(r, &l->block[i], h, &inline_text);
	if (rc == 0 && !h->path && !inline_text.len)
		h->path = "/etc/hosts";
	h->inline_text =
	        (struct slice){arena_memdup(r->arena, strbuf_cstr(&inline_text), inline_text.len), inline_text.len};
	strbuf_release(&inline_text);
	r->block->hosts = h;
	return rc;
}

/* ---- forward ---- */

static int add_upstream(struct reading *r, const struct corefile_line *l, struct conf_forward *f, const char *text)
{
	if (f->n_upstreams == DNS_UPSTREAMS_MAX)
		return corefile_error(r->err, l, "forward: more than 15 upstreams");
	if (!conf_address(r->arena, text, 53, &f->upstreams[f->n_upstreams]))
		return corefile_error(r->err, l, "forward: \"%s\" is no address", text);
	f->n_upstreams++;
	return 0;
}

/* A file like resolv.conf: its lines "nameserver ADDRESS"; what else is in it is not about upstreams. */
static int add_file(struct reading *r, const struct corefile_line *l, struct conf_forward *f, const char *path)
{
	struct slice rest = SLICE_NULL;
	size_t before = f->n_upstreams;
	if (r->source->read(r->source->arg, r->arena, path, &rest, r->err) != 0)
		return err_wrap(r->err, "%s:%u: forward", l->file, l->line);
	while (rest.len) {
		struct slice line = slice_trim(slice_cut(&rest, '\n'));
		if (!slice_starts(line, "nameserver") || line.len < 12 || !strchr(" \t", line.ptr[10]))
			continue;
		line = slice_trim((struct slice){line.ptr + 10, line.len - 10});
		size_t len = 0;
		while (len < line.len && !strchr(" \t%#;", line.ptr[len])) /* a zone of IPv6 is no part of it */
			len++;
		if (add_upstream(r, l, f, arena_memdup(r->arena, line.ptr, len)) != 0)
			return r->err->code;
	}
	return f->n_upstreams > before ? 0 : corefile_error(r->err, l, "forward: there is no nameserver in %s", path);
}

static int add_target(struct reading *r, const struct corefile_line *l, struct conf_forward *f, const char *text)
{
	if (strncmp(text, "tls://", 6) == 0 || strncmp(text, "https://", 8) == 0)
		return corefile_error(r->err, l, "forward: %s: upstreams are asked over UDP and TCP alone", text);
	if (strncmp(text, "dns://", 6) == 0)
		return add_upstream(r, l, f, text + 6);
	if (text[0] == '/')
		return add_file(r, l, f, text);
	return add_upstream(r, l, f, text);
}

static int health_check(struct reading *r, const struct corefile_line *l, struct conf_forward *f)
{
	if (conf_words(r, l, 1, 4) != 0 || conf_duration(r, l, 1, false, DAY_MS, &f->health_ms) != 0)
		return r->err->code;
	if (f->health_ms < 100)
		return corefile_error(r->err, l, "health_check: at least 100ms");
	for (size_t i = 2; i < l->n_words; i++) {
		if (strcmp(l->words[i], "no_rec") == 0) {
			f->health_no_rec = true;
		} else if (strcmp(l->words[i], "domain") == 0 && i + 1 < l->n_words) {
			if (conf_zone_name(r, l, l->words[++i], &f->health_domain) != 0)
				return r->err->code;
		} else {
			return corefile_error(r->err, l, "health_check: \"%s\" is not known", l->words[i]);
		}
	}
	return 0;
}

static int policy(struct reading *r, const struct corefile_line *l, struct conf_forward *f)
{
	static const char *const names[] = {"random", "round_robin", "sequential"};
	if (conf_words(r, l, 1, 1) != 0)
		return r->err->code;
	for (unsigned i = 0; i < COUNT_OF(names); i++)
		if (strcmp(l->words[1], names[i]) == 0) {
			f->policy = (enum conf_policy)i;
			return 0;
		}
	return corefile_error(r->err, l, "policy: \"%s\" is none of random, round_robin, sequential", l->words[1]);
}

static int forward_option(struct reading *r, const struct corefile_line *l, struct conf_forward *f)
{
	bool prefers_udp;
	if (is(l, "except"))
		return conf_words(r, l, 1, 1000) != 0 ? r->err->code : conf_zones_read(r, l, 1, &f->except);
	if (is(l, "policy"))
		return policy(r, l, f);
	if (is(l, "max_fails"))
		return number32(r, l, 0, 1000, &f->max_fails);
	if (is(l, "health_check"))
		return health_check(r, l, f);
	if (is(l, "force_tcp"))
		return flag(r, l, &f->force_tcp);
	if (is(l, "prefer_udp")) /* which is what is done */
		return flag(r, l, &prefers_udp);
	if (is(l, "max_concurrent"))
		return number32(r, l, 1, DNS_FORWARDS_MAX, &f->max_concurrent);
	return conf_unknown(r, l, "forward");
}

int conf_forward_read(struct reading *r, const struct corefile_line *l)
{
	struct conf_forward f = {
	        .max_fails = 2, .health_ms = 500, .health_domain = DNS_ROOT, .max_concurrent = DNS_FORWARDS_MAX};
	if (r->block->n_forwards == DNS_FORWARDS_PER_BLOCK_MAX)
		return corefile_error(r->err, l, "more than 16 forwards in one server block");
	if (conf_words(r, l, 2, 1 + DNS_UPSTREAMS_MAX) != 0 || conf_zone_name(r, l, l->words[1], &f.from) != 0)
		return r->err->code;
	f.upstreams = ARENA_ARRAY(r->arena, struct conf_upstream, DNS_UPSTREAMS_MAX);
	for (size_t i = 2; i < l->n_words; i++)
		if (add_target(r, l, &f, l->words[i]) != 0)
			return r->err->code;
	for (size_t i = 0; i < l->n_block; i++)
		if (forward_option(r, &l->block[i], &f) != 0)
			return r->err->code;
	struct conf_forward *list = ARENA_ARRAY(r->arena, struct conf_forward, r->block->n_forwards + 1);
	if (r->block->n_forwards)
		memcpy(list, r->block->forwards, r->block->n_forwards * sizeof *list);
	list[r->block->n_forwards++] = f;
	r->block->forwards = list;
	return 0;
}

/* ---- cache ---- */

/* success|denial CAPACITY [TTL [MINTTL]] */
static int cache_side(struct reading *r, const struct corefile_line *l, struct conf_cache_side *s)
{
	uint64_t v;
	if (conf_words(r, l, 1, 3) != 0 || conf_number(r, l, 1, 1, 1000000, &v) != 0)
		return r->err->code;
	s->records_max = (size_t)v;
	if (l->n_words > 2) {
		if (conf_number(r, l, 2, 1, 86400, &v) != 0)
			return r->err->code;
		s->ttl_s_max = (uint32_t)v;
	}
	if (l->n_words > 3) {
		if (conf_number(r, l, 3, 0, s->ttl_s_max, &v) != 0)
			return r->err->code;
		s->ttl_s_min = (uint32_t)v;
	}
	return 0;
}

static int cache_stale(struct reading *r, const struct corefile_line *l, struct conf_cache *c)
{
	c->stale = CONF_STALE_AT_ONCE;
	c->stale_ms = 3600 * 1000;
	if (conf_words(r, l, 0, 2) != 0 ||
	        (l->n_words > 1 && conf_duration(r, l, 1, false, 7 * (uint64_t)DAY_MS, &c->stale_ms) != 0))
		return r->err->code;
	if (l->n_words < 3 || strcmp(l->words[2], "immediate") == 0)
		return 0;
	c->stale = CONF_STALE_VERIFY;
	return strcmp(l->words[2], "verify") == 0
	               ? 0
	               : corefile_error(r->err, l, "serve_stale: \"%s\" is neither immediate nor verify", l->words[2]);
}

static int cache_option(struct reading *r, const struct corefile_line *l, struct conf_cache *c)
{
	uint64_t ms;
	if (is(l, "success"))
		return cache_side(r, l, &c->success);
	if (is(l, "denial"))
		return cache_side(r, l, &c->denial);
	if (is(l, "serve_stale"))
		return cache_stale(r, l, c);
	if (is(l, "servfail")) {
		if (conf_words(r, l, 1, 1) != 0 || conf_duration(r, l, 1, true, 300000, &ms) != 0)
			return r->err->code;
		c->servfail_s = (uint32_t)(ms / 1000);
		return 0;
	}
	if (is(l, "disable")) {
		if (conf_words(r, l, 1, 1) != 0)
			return r->err->code;
		bool success = strcmp(l->words[1], "success") == 0;
		if (!success && strcmp(l->words[1], "denial") != 0)
			return corefile_error(r->err, l, "disable: success or denial, for all zones of the cache");
		(success ? &c->success : &c->denial)->is_off = true;
		return 0;
	}
	return conf_unknown(r, l, "cache");
}

int conf_cache_read(struct reading *r, const struct corefile_line *l)
{
	struct conf_cache *c = ARENA_NEW(r->arena, struct conf_cache);
	uint64_t ttl;
	size_t first = 1;
	c->success = (struct conf_cache_side){DNS_CACHE_RECORDS_MAX, 3600, 5, false};
	c->denial = (struct conf_cache_side){DNS_CACHE_RECORDS_MAX, 1800, 5, false};
	c->servfail_s = 5;
	if (l->n_words > 1 && slice_to_u64(slice_of(l->words[1]), &ttl)) {
		if (conf_number(r, l, 1, 1, 86400, &ttl) != 0)
			return r->err->code;
		c->success.ttl_s_max = c->denial.ttl_s_max = (uint32_t)ttl;
		first = 2;
	}
	if (conf_zones_read(r, l, first, &c->zones) != 0)
		return r->err->code;
	for (size_t i = 0; i < l->n_block; i++)
		if (cache_option(r, &l->block[i], c) != 0)
			return r->err->code;
	r->block->cache = c;
	return 0;
}

/* ---- rewrite ---- */

static void regex_free(void *arg)
{
	regfree(arg);
}

/* The closing bracket of the set of characters that begins here, or its first, when there is none: [])(], [^]],
 * [[:alpha:]]. */
static const char *behind_set(const char *p)
{
	const char *at = p + 1 + (p[1] == '^');
	for (at += *at == ']'; *at && *at != ']'; at++) {
		const char kind[] = {at[1], ']', 0};
		const char *end = *at == '[' && at[1] && strchr(":.=", at[1]) ? strstr(at + 2, kind) : NULL;
		at = end ? end + 1 : at;
	}
	return *at ? at : p;
}

/* The C library writes a repetition out: a part with "+" behind it is there twice, and parts in parts as often as that
 * multiplies. How long a pattern gets by that; REGEX_STEPS_MAX + 1: too long. Counts are too high rather than too low.
 */
static size_t regex_steps(const char *pattern)
{
	size_t total[REGEX_GROUPS_MAX] = {0}, last = 0, depth = 0;
	for (const char *p = pattern; *p; p++) {
		size_t times = 1;
		if (*p == '[')
			p = behind_set(p); /* at its last bracket */
		if (*p == '(') {
			if (++depth == REGEX_GROUPS_MAX)
				return REGEX_STEPS_MAX + 1;
			total[depth] = last = 0;
			continue;
		}
		if (*p == ')' && depth > 0) {
			last = total[depth--] + 1;
		} else if (strchr("+*?", *p)) {
			times = 2;
		} else if (*p == '{') {
			unsigned long from = strtoul(p + 1, NULL, 10);
			const char *comma = strpbrk(p, ",}");
			unsigned long to = comma && *comma == ',' ? strtoul(comma + 1, NULL, 10) : 0;
			times = (from > to ? from : to) + 1;
			times = times > REGEX_STEPS_MAX ? REGEX_STEPS_MAX + 1 : times;
			p = strchr(p, '}') ? strchr(p, '}') : p;
		} else {
			p += *p == '\\' && p[1];
			last = 1;
		}
		if (times > 1) {
			total[depth] -= total[depth] < last ? total[depth] : last;
			last = last ? last * times : times;
		}
		total[depth] += last;
		if (total[depth] > REGEX_STEPS_MAX)
			return REGEX_STEPS_MAX + 1;
	}
	return total[0];
}

/* Go's classes that POSIX has not would be taken as letters: they are refused. */
static int compile(struct reading *r, const struct corefile_line *l, struct conf_rewrite *w)
{
	char why[128];
	for (const char *p = w->from; *p; p++) {
		if (*p == '\\' && isalnum((unsigned char)p[1]))
			return corefile_error(
			        r->err, l, "rewrite: \"\\%c\" in a pattern is not supported: write [0-9], [a-z]", p[1]);
		if (*p == '\\' && p[1])
			p++;
		if (strncmp(p, "(?", 2) == 0)
			return corefile_error(
			        r->err, l, "rewrite: \"(?\" in a pattern is not supported: case never counts");
	}
	if (regex_steps(w->from) > REGEX_STEPS_MAX)
		return corefile_error(
		        r->err, l, "rewrite: the pattern \"%s\" repeats too much, or is too long", w->from);
	regex_t *re = ARENA_NEW(r->arena, regex_t);
	int rc = regcomp(re, w->from, REG_EXTENDED | REG_ICASE);
	if (rc != 0) {
		regerror(rc, re, why, sizeof why);
		return corefile_error(r->err, l, "rewrite: the pattern \"%s\": %s", w->from, why);
	}
	arena_on_release(r->arena, regex_free, re);
	w->regex = re;
	return 0;
}

static const char *lowered(struct arena *a, const char *text)
{
	char *s = arena_strdup(a, text);
	for (char *p = s; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return s;
}

static int exact_name(struct reading *r, const struct corefile_line *l, const char **text)
{
	struct dns_name n;
	struct strbuf b = STRBUF_INIT;
	if (conf_zone_name(r, l, *text, &n) != 0)
		return r->err->code;
	dns_name_text(&b, n.wire, true);
	*text = arena_strdup(r->arena, strbuf_cstr(&b));
	strbuf_release(&b);
	return 0;
}

/* The words of a rule from "name" on: name [KIND] FROM TO [answer auto] */
static int rule(struct reading *r, const struct corefile_line *l, size_t at, struct conf_rewrite *w)
{
	static const char *const kinds[] = {"exact", "prefix", "suffix", "substring", "regex"};
	size_t n = l->n_words;
	if (at >= n || strcmp(l->words[at], "name") != 0)
		return corefile_error(r->err, l,
		        "rewrite: \"%s\" is not supported by k3x dns: names alone are rewritten",
		        at < n ? l->words[at] : "");
	at++;
	for (unsigned i = 0; i < COUNT_OF(kinds) && at + 2 < n; i++)
		if (strcmp(l->words[at], kinds[i]) == 0) {
			w->kind = (enum conf_rewrite_kind)i;
			at++;
			break;
		}
	if (at + 2 > n)
		return corefile_error(r->err, l, "rewrite name: from what, and to what?");
	w->from = lowered(r->arena, l->words[at]);
	w->to = lowered(r->arena, l->words[at + 1]);
	at += 2;
	if (at < n && !(at + 2 == n && strcmp(l->words[at], "answer") == 0 && strcmp(l->words[at + 1], "auto") == 0))
		return corefile_error(r->err, l,
		        "rewrite name: \"%s\" is not supported: answers get the name back that was asked "
		        "for, as with \"answer auto\"",
		        l->words[at]);
	if (w->kind == CONF_REGEX)
		return compile(r, l, w);
	if (w->kind == CONF_EXACT)
		return exact_name(r, l, &w->from) != 0 ? r->err->code : exact_name(r, l, &w->to);
	return w->from[0] ? 0 : corefile_error(r->err, l, "rewrite name: an empty part is in every name");
}

static int mode(const char *word, struct conf_rewrite *w)
{
	w->goes_on = strcmp(word, "continue") == 0;
	return w->goes_on || strcmp(word, "stop") == 0;
}

int conf_rewrite_read(struct reading *r, const struct corefile_line *l)
{
	struct conf_rewrite w = {0};
	size_t at = 1;
	if (l->n_words > 1 && mode(l->words[1], &w))
		at++;
	const struct corefile_line *from = l;
	if (l->has_block) {
		if (l->n_words > at || l->n_block != 1)
			return corefile_error(r->err, l, "rewrite: one rule \"name ...\" in its braces");
		from = &l->block[0];
		at = 0;
	}
	if (rule(r, from, at, &w) != 0)
		return r->err->code;
	struct conf_rewrite *list = ARENA_ARRAY(r->arena, struct conf_rewrite, r->block->n_rewrites + 1);
	if (r->block->n_rewrites)
		memcpy(list, r->block->rewrites, r->block->n_rewrites * sizeof *list);
	list[r->block->n_rewrites++] = w;
	r->block->rewrites = list;
	return 0;
}
