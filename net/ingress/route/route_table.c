/* See route_table.h. */
#include "net/ingress/route/route_table.h"

#include "base/check.h"

#include <stdlib.h>

struct host {
	struct slice name; /* "" of rules without one; "*.example.org" */
	const struct route **routes;
	size_t count, cap;
};

struct certificate {
	struct slice host, secret;
	bool is_deep;
};

struct taken {
	struct backend *backend;
	struct taken *next;
};

struct route_table {
	unsigned refs;
	struct arena arena;
	struct route_table_makers m;
	struct map hosts;        /* name -> struct host */
	struct map certificates; /* host -> struct certificate */
	struct taken *taken;     /* what goes back at the end */
	struct route **all;      /* as made */
	size_t count, cap;
	bool is_sealed;
};

/* What an Ingress says while it is added. */
struct adding {
	struct route_table *t;
	const struct json *ingress;
	struct slice ns, name;
	struct route_options *options;
	bool is_tls;
};

/* ---- making ---- */

struct route_table *route_table_new(const struct route_table_makers *m)
{
	struct route_table *t = xcalloc(1, sizeof *t);
	t->refs = 1;
	t->m = *m;
	return t;
}

static struct slice keep(struct route_table *t, struct slice s)
{
	return (struct slice){arena_memdup(&t->arena, s.ptr, s.len), s.len};
}

static void tell(struct adding *x, const char *reason, const char *message)
{
	x->t->m.told(x->t->m.arg, x->ingress, reason, message);
}

static struct host *need_host(struct route_table *t, struct slice name)
{
	struct slice lower = slice_lower(&t->arena, name);
	struct host *h = map_get(&t->hosts, lower);
	if (h)
		return h;
	h = ARENA_NEW(&t->arena, struct host);
	h->name = lower;
	map_put(&t->hosts, h->name, h);
	return h;
}

static void remember(struct route_table *t, struct route *r)
{
	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->all = xrealloc(t->all, t->cap * sizeof(struct route *));
	}
	t->all[t->count++] = r;
}

const struct route *route_table_make(struct route_table *t, const struct route *like)
{
	struct route *r = ARENA_NEW(&t->arena, struct route);
	CHECK(!t->is_sealed);
	*r = *like;
	r->order = (unsigned)t->count;
	remember(t, r);
	return r;
}

void route_table_put(struct route_table *t, struct slice host, const struct route *r)
{
	struct host *h = need_host(t, host);
	CHECK(!t->is_sealed);
	if (h->count == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 4;
		const struct route **wider = ARENA_ARRAY(&t->arena, const struct route *, cap);
		if (h->count)
			memcpy(wider, h->routes, h->count * sizeof *wider);
		h->routes = wider;
		h->cap = cap;
	}
	h->routes[h->count++] = r;
}

/* ---- rules ---- */

struct arena *route_table_arena(struct route_table *t)
{
	return &t->arena;
}

struct backend *route_table_take(struct route_table *t, struct slice ns, struct slice service, struct slice port)
{
	struct taken *k = ARENA_NEW(&t->arena, struct taken);
	*k = (struct taken){t->m.take(t->m.arg, ns, service, port), t->taken};
	t->taken = k;
	return k->backend;
}

static struct backend *backend_of(struct adding *x, const struct json *backend)
{
	const struct json *service = json_get(backend, "service"), *port = json_get(service, "port");
	struct slice name = json_get_str(service, "name"), number = json_str(json_get(port, "name"));
	if (!number.len && json_get(port, "number"))
		number = json_get(port, "number")->text;
	if (name.len && number.len)
		return route_table_take(x->t, x->ns, name, number);
	tell(x, "UnsupportedBackend", "a backend that is no Service with a port is not served");
	return NULL;
}

uint64_t route_rank(const struct path_rule *rule, uint32_t priority, const struct request_match *m)
{
	uint64_t length = priority ? priority : rule->path.len;
	/* of an HTTPRoute what is exact comes before all else */
	uint64_t path = (m && rule->match == PATH_EXACT ? 1ull << 40 : 0) + length * 8 +
	                (rule->match == PATH_EXACT           ? 3
	                        : rule->match == PATH_PREFIX ? 2
	                                                     : 1);
	uint64_t more = m ? (m->method.len ? 1u << 15 : 0) | (m->n_headers & 63u) << 8 | (m->n_queries & 63u) : 0;
	return path << 16 | more;
}

static enum path_match match_of(const struct adding *x, struct slice type)
{
	if (slice_is(type, "Exact"))
		return PATH_EXACT;
	if (x->options->uses_regex)
		return PATH_REGEX;
	if (slice_is(type, "Prefix"))
		return PATH_PREFIX;
	return x->options->path_is_exact ? PATH_EXACT : PATH_TEXT;
}

static void add_for_hosts(struct adding *x, struct slice host, const struct route *like)
{
	const struct route *r = route_table_make(x->t, like);
	struct slice rest = x->options->aliases;
	route_table_put(x->t, host, r);
	while (rest.ptr) {
		struct slice one = slice_trim(slice_cut(&rest, ','));
		if (one.len)
			route_table_put(x->t, one, r);
	}
}

static struct route route_of(struct adding *x)
{
	return (struct route){.options = x->options, .ns = x->ns, .ingress = x->name, .is_tls = x->is_tls};
}

static void add_path(struct adding *x, struct slice host, const struct json *path)
{
	struct err err = ERR_INIT;
	struct route r = route_of(x);
	struct slice text = json_get_str(path, "path");
	r.rule.path = text.len ? keep(x->t, text) : SLICE("/");
	r.rule.match = match_of(x, json_get_str(path, "pathType"));
	if (path_rule_compile(&x->t->arena, &r.rule, &err) != 0) {
		tell(x, "UnsupportedPath", err.msg);
		return;
	}
	r.rank = route_rank(&r.rule, x->options->priority, NULL);
	r.backend = backend_of(x, json_get(path, "backend"));
	if (r.backend)
		add_for_hosts(x, host, &r);
}

static void add_default(struct adding *x, const struct json *backend)
{
	struct route r = route_of(x);
	if (!backend)
		return;
	r.rule.match = PATH_PREFIX;
	r.is_default = true;
	r.backend = backend_of(x, backend);
	if (r.backend)
		route_table_put(x->t, SLICE(""), route_table_make(x->t, &r));
}

/* ---- TLS ---- */

void route_table_put_secret(struct route_table *t, struct slice host, struct slice secret, bool is_deep)
{
	struct certificate *c = ARENA_NEW(&t->arena, struct certificate);
	c->host = slice_lower(&t->arena, host);
	c->secret = keep(t, secret);
	c->is_deep = is_deep;
	if (!map_get(&t->certificates, c->host)) /* the older one has it */
		map_put(&t->certificates, c->host, c);
}

static void add_tls(struct adding *x, const struct json *spec)
{
	struct route_table *t = x->t;
	JSON_FOREACH (it, json_get(spec, "tls")) {
		struct slice name = json_get_str(it, "secretName"), secret;
		const char *text = arena_printf(&t->arena, "%.*s/%.*s", SLICE_FMT(x->ns), SLICE_FMT(name));
		secret = slice_of(text);
		x->is_tls = true;
		if (!name.len)
			continue; /* the default certificate */
		JSON_FOREACH (host, json_get(it, "hosts"))
			route_table_put_secret(t, json_str(host), secret, false);
		if (json_get(it, "hosts") && json_get(it, "hosts")->count)
			continue;
		JSON_FOREACH (rule, json_get(spec, "rules"))
			route_table_put_secret(t, json_get_str(rule, "host"), secret, false);
	}
}

static void told_annotation(void *arg, struct slice name, const char *why)
{
	struct adding *x = arg;
	char *message = xprintf("annotation %.*s %s", SLICE_FMT(name), why);
	tell(x, "UnsupportedAnnotation", message);
	free(message);
}

void route_table_add(struct route_table *t, const struct json *ingress)
{
	const struct json *meta = json_get(ingress, "metadata"), *spec = json_get(ingress, "spec");
	struct adding x = {.t = t, .ingress = ingress, .options = ARENA_NEW(&t->arena, struct route_options)};
	CHECK(!t->is_sealed);
	x.ns = keep(t, json_get_str(meta, "namespace"));
	x.name = keep(t, json_get_str(meta, "name"));
	options_of_ingress(&t->arena, json_get(meta, "annotations"), x.options, told_annotation, &x);
	if (x.options->auth_secret && !strchr(x.options->auth_secret, '/'))
		x.options->auth_secret = arena_printf(&t->arena, "%.*s/%s", SLICE_FMT(x.ns), x.options->auth_secret);
	add_tls(&x, spec);
	JSON_FOREACH (rule, json_get(spec, "rules"))
		JSON_FOREACH (path, json_path(rule, "http", "paths", NULL))
			add_path(&x, json_get_str(rule, "host"), path);
	add_default(&x, json_get(spec, "defaultBackend"));
}

static int by_rank(const void *l, const void *r)
{
	const struct route *a = *(struct route *const *)l, *b = *(struct route *const *)r;
	if (a->is_default != b->is_default)
		return a->is_default ? 1 : -1;
	if (a->rank != b->rank)
		return a->rank > b->rank ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

void route_table_seal(struct route_table *t)
{
	MAP_FOREACH (it, &t->hosts) {
		struct host *h = it->value;
		if (h->count)
			qsort(h->routes, h->count, sizeof(struct route *), by_rank);
	}
	t->is_sealed = true;
}

struct route_table *route_table_ref(struct route_table *t)
{
	t->refs++;
	return t;
}

void route_table_unref(struct route_table *t)
{
	if (!t || --t->refs)
		return;
	while (t->taken) {
		struct taken *k = t->taken;
		t->taken = k->next;
		t->m.drop(k->backend);
	}
	free(t->all);
	map_release(&t->hosts);
	map_release(&t->certificates);
	arena_release(&t->arena);
	free(t);
}

/* ---- asking ---- */

struct question {
	enum entry_point entry;
	struct slice path;
	const struct match_asked *asked;
	bool deep_only;
};

static bool serves(const struct route *r, const struct question *q)
{
	bool is_here = q->entry == ENTRY_WEB ? !r->options->no_web : !r->options->no_websecure;
	return is_here && (r->match || !q->deep_only) && path_rule_matches(&r->rule, q->path) &&
	       (!r->match || request_match_holds(r->match, q->asked));
}

static const struct route *in_host(const struct route_table *t, struct slice name, const struct question *q)
{
	const struct host *h = map_get(&t->hosts, name);
	for (size_t i = 0; h && i < h->count; i++)
		if (serves(h->routes[i], q))
			return h->routes[i];
	return NULL;
}

/* "*.example.org" of "www.example.org", and "*.org" of that; empty when there is none. */
static struct slice wildcard_of(struct slice host, char buf[256])
{
	struct slice below = slice_starts(host, "*.") ? (struct slice){host.ptr + 2, host.len - 2} : host;
	const char *dot = below.len && below.len < 254 ? memchr(below.ptr, '.', below.len) : NULL;
	if (!dot || dot == below.ptr)
		return SLICE_NULL;
	size_t rest = below.len - (size_t)(dot - below.ptr);
	memmove(buf + 1, dot, rest);
	buf[0] = '*';
	return (struct slice){buf, rest + 1};
}

const struct route *route_table_find(const struct route_table *t, enum entry_point entry, struct slice host,
        struct slice path, const struct match_asked *asked)
{
	char buf[256];
	struct question q = {.entry = entry, .path = path, .asked = asked};
	CHECK(t->is_sealed);
	const struct route *r = host.len ? in_host(t, host, &q) : NULL;
	for (struct slice wild = wildcard_of(host, buf); !r && wild.len; wild = wildcard_of(wild, buf)) {
		r = in_host(t, wild, &q);
		q.deep_only = true; /* the wildcards of Ingresses are one label */
	}
	q.deep_only = false;
	return r ? r : in_host(t, SLICE(""), &q);
}

size_t route_table_routes(const struct route_table *t)
{
	return t->count;
}

const struct route *route_table_route(const struct route_table *t, size_t i)
{
	return i < t->count ? t->all[i] : NULL;
}

static const struct certificate *certificate_of(const struct route_table *t, struct slice host, bool deep_only)
{
	const struct certificate *c = map_get(&t->certificates, host);
	return c && (c->is_deep || !deep_only) ? c : NULL;
}

struct slice route_table_secret(const struct route_table *t, struct slice host)
{
	char buf[256];
	bool deep_only = false;
	const struct certificate *c = host.len ? certificate_of(t, host, false) : NULL;
	for (struct slice wild = wildcard_of(host, buf); !c && wild.len; wild = wildcard_of(wild, buf)) {
		c = certificate_of(t, wild, deep_only);
		deep_only = true;
	}
	if (!c)
		c = certificate_of(t, SLICE(""), true); /* of a listener for all hosts */
	return c ? c->secret : SLICE_NULL;
}
