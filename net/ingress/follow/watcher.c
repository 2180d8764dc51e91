/* See watcher.h.
 *
 * Endpoints change often, routes seldom: a slice that changes touches the backends of its Service alone, while a
 * changed Ingress or class makes the whole table anew, a moment later, so that a hundred of them at once make one. The
 * first table waits until everything is known: until then nobody is served half of it. */
#include "net/ingress/follow/watcher.h"

#include "api/client/informer.h"
#include "api/client/meta.h"
#include "api/client/recorder.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "net/ingress/follow/gateway_watcher.h"
#include "net/ingress/follow/oldest.h"
#include "net/ingress/follow/pack.h"
#include "net/ingress/follow/publisher.h"
#include "net/ingress/serve/backend.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { REBUILD_MS = 20 };
enum kind { KIND_CLASS, KIND_INGRESS, KIND_SERVICE, KIND_SLICE, KIND_TLS, KINDS };

struct followed {
	struct watcher *watcher;
	enum kind kind;
	struct informer *informer;
};

/* The password file of one Secret, followed from the first time it is asked for. */
struct auth {
	struct slice key;
	struct informer *informer;
	struct arena arena;
	struct slice file;
};

/* The slices of one Service. */
struct service {
	struct slice key; /* "ns/name" */
	struct list_link slices;
};

struct slice_record {
	struct list_link link;
	struct informer_object *object;
};

struct watcher {
	struct watcher_options o;
	struct followed followed[KINDS];
	struct backends *backends;
	struct map services; /* key -> struct service */
	struct map auths;
	struct recorder *recorder;
	struct publisher *publisher; /* NULL: not written */
	struct gateway_watcher *gateways;
	uv_timer_t rebuild;
	bool was_synced, is_closing;
	bool tells; /* events are made of what is not served: once for each form of an Ingress */
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static const struct {
	const char *path, *field_selector;
	struct rcbuf *(*pack)(struct slice object);
} kinds[KINDS] = {
        [KIND_CLASS] = {"/apis/networking.k8s.io/v1/ingressclasses", NULL, NULL},
        [KIND_INGRESS] = {"/apis/networking.k8s.io/v1/ingresses", NULL, NULL},
        [KIND_SERVICE] = {"/api/v1/services", NULL, pack_service},
        [KIND_SLICE] = {"/apis/discovery.k8s.io/v1/endpointslices", NULL, pack_slice},
        [KIND_TLS] = {"/api/v1/secrets", "type=kubernetes.io/tls", pack_secret},
};

/* ---- endpoints ---- */

static struct service *need_service(struct watcher *c, struct slice key)
{
	struct service *s = map_get(&c->services, key);
	if (s)
		return s;
	s = MAP_ENTRY_NEW(struct service, key, key);
	list_init(&s->slices);
	map_put(&c->services, s->key, s);
	return s;
}

/* The entry of spec.ports that an Ingress means, by name or number. */
static const struct json *find_port(const struct json *service, struct slice port)
{
	JSON_FOREACH (it, json_get(service, "ports"))
		if (slice_eq(json_get_str(it, "name"), port) ||
		        slice_eq(json_get(it, "port") ? json_get(it, "port")->text : SLICE_NULL, port))
			return it;
	return NULL;
}

static void add_addresses(
        struct arena *a, const struct json *list, int64_t port, const char **ret, size_t *n, size_t most)
{
	JSON_FOREACH (it, list) {
		struct slice address = json_str(it);
		const char *form = memchr(address.ptr, ':', address.len) ? "[%.*s]:%lld" : "%.*s:%lld";
		if (*n < most)
			ret[(*n)++] = arena_printf(a, form, SLICE_FMT(address), (long long)port);
	}
}

static size_t addresses_in(struct arena *a, struct json *const *slices, size_t n_slices, const char *which,
        struct slice port_name, const char ***ret)
{
	size_t n = 0, most = 0;
	for (size_t i = 0; i < n_slices; i++)
		most += json_get(slices[i], which) ? json_get(slices[i], which)->count : 0;
	*ret = ARENA_ARRAY(a, const char *, most + 1);
	for (size_t i = 0; i < n_slices; i++) {
		int64_t port = json_int(json_get_slice(json_get(slices[i], "ports"), port_name), 0);
		if (port > 0)
			add_addresses(a, json_get(slices[i], which), port, *ret, &n, most);
	}
	return n;
}

/* Those that are ready; none: those that are to end, but still serve. */
static size_t addresses_of(struct arena *a, struct service *s, struct slice port_name, const char ***ret)
{
	size_t n_slices = 0;
	LIST_FOREACH (it, &s->slices)
		n_slices++;
	struct json **slices = ARENA_ARRAY(a, struct json *, n_slices + 1);
	n_slices = 0;
	LIST_FOREACH (it, &s->slices)
		slices[n_slices++] = informer_parse(a, CONTAINER_OF(it, struct slice_record, link)->object);
	size_t n = addresses_in(a, slices, n_slices, "ready", port_name, ret);
	return n ? n : addresses_in(a, slices, n_slices, "serving", port_name, ret);
}

static enum upstream_scheme scheme_of(const struct backend *b, const struct json *port)
{
	struct slice app = json_get_str(port, "appProtocol"), name = json_get_str(port, "name");
	if (b->options.scheme)
		return b->options.scheme;
	if (slice_is(app, "kubernetes.io/h2c"))
		return UPSTREAM_H2C;
	if (slice_is(app, "https") || slice_starts(name, "https") || json_get_int(port, "port", 0) == 443)
		return UPSTREAM_HTTPS; /* as traefik has it */
	return UPSTREAM_UNSET;
}

static void told_service(void *arg, struct slice name, const char *why)
{
	struct backend *b = arg;
	log_warn("ingress", "an annotation of a Service is not served", "service=%.*s/%.*s annotation=%.*s why=\"%s\"",
	        SLICE_FMT(b->ns), SLICE_FMT(b->service), SLICE_FMT(name), why);
}

static bool is_external(const struct json *service)
{
	return slice_is(json_get_str(service, "type"), "ExternalName");
}

static void fill(struct watcher *c, struct backend *b)
{
	struct arena a = ARENA_INIT;
	struct informer *services = c->followed[KIND_SERVICE].informer;
	struct informer_object *o = services ? informer_get_named(services, b->ns, b->service) : NULL;
	struct json *service = o ? informer_parse(&a, o) : NULL;
	const struct json *port = find_port(service, b->port);
	const char **addresses = NULL;
	size_t n = 0;
	if (is_external(service))
		log_warn("ingress", "a Service of type ExternalName is not served", "service=%.*s/%.*s",
		        SLICE_FMT(b->ns), SLICE_FMT(b->service));
	arena_reset(&b->arena);
	options_of_service(&b->arena, json_get(service, "annotations"), &b->options, told_service, b);
	if (port)
		n = addresses_of(&a, need_service(c, (struct slice){b->key.ptr, b->ns.len + 1 + b->service.len}),
		        json_get_str(port, "name"), &addresses);
	enum upstream_scheme scheme = port ? scheme_of(b, port) : UPSTREAM_UNSET;
	if (scheme == UPSTREAM_UNSET && b->user)
		scheme = *(enum upstream_scheme *)b->user; /* what the Ingress says */
	backend_set_endpoints(b, addresses, n, scheme ? scheme : UPSTREAM_HTTP);
	arena_release(&a);
}

static void backend_found(void *arg, struct backend *b)
{
	fill(arg, b);
}

static void backend_lost(void *arg, struct backend *b)
{
	free(b->user);
}

static void refill(struct watcher *c, struct slice service)
{
	MAP_FOREACH (it, watcher_backends(c)) {
		struct backend *b = it->value;
		if (slice_eq(service, (struct slice){b->key.ptr, b->ns.len + 1 + b->service.len}))
			fill(c, b);
	}
}

static void slice_gone(struct watcher *c, struct informer_object *o)
{
	struct slice_record *r = o->user;
	if (!r)
		return;
	list_del(&r->link);
	free(r);
	o->user = NULL;
}

static void slice_seen(struct watcher *c, struct informer_object *o)
{
	struct arena a = ARENA_INIT;
	struct slice service = json_get_str(informer_parse(&a, o), "service");
	struct slice_record *r = xcalloc(1, sizeof *r);
	slice_gone(c, o);
	r->object = o;
	o->user = r;
	list_push_back(&need_service(c, service)->slices, &r->link);
	refill(c, service);
	arena_release(&a);
}

/* ---- the table ---- */

static struct backend *take(void *arg, struct slice ns, struct slice service, struct slice port)
{
	return backend_take(((struct watcher *)arg)->backends, ns, service, port);
}

static void told(void *arg, const struct json *ingress, const char *reason, const char *message)
{
	struct watcher *c = arg;
	const struct json *m = json_get(ingress, "metadata");
	if (!c->tells)
		return;
	struct recorder_subject subject = {.api_version = "networking.k8s.io/v1",
	        .kind = "Ingress",
	        .ns = json_get_str(m, "namespace"),
	        .name = json_get_str(m, "name"),
	        .uid = json_get_str(m, "uid"),
	        .resource_version = json_get_str(m, "resourceVersion")};
	recorder_event(c->recorder, &subject, "Warning", reason, "%s", message);
}

static bool is_ours(struct watcher *c, const struct json *ingress)
{
	struct slice annotation =
	        json_get_str(json_path(ingress, "metadata", "annotations", NULL), "kubernetes.io/ingress.class");
	struct slice name = json_get_str(json_get(ingress, "spec"), "ingressClassName");
	if (annotation.len)
		return slice_is(annotation, c->o.class_name);
	if (!name.len)
		return true;
	struct informer_object *o = informer_get(c->followed[KIND_CLASS].informer, name);
	return o && slice_is(json_find(informer_text(o), "spec", "controller", NULL), c->o.controller);
}

/* Has it changed in what counts since events were made of it? Its status does not. */
static bool is_news(struct informer_object *o)
{
	struct meta m;
	meta_read(informer_text(o), &m);
	uint64_t print =
	        fnv1a64_add(fnv1a64(m.annotations.ptr, m.annotations.len), &m.generation, sizeof m.generation) | 1;
	bool is_new = o->user != (void *)(uintptr_t)print;
	o->user = (void *)(uintptr_t)print;
	return is_new;
}

/* What an Ingress says of its endpoints counts where the Service is silent; with several Ingresses the older one's. */
static void apply_schemes(struct watcher *c, const struct route_table *t)
{
	for (size_t i = 0; i < route_table_routes(t); i++) {
		const struct route *r = route_table_route(t, i);
		if (!r || !r->options->scheme || r->backend->user)
			continue;
		r->backend->user = xmemdup(&r->options->scheme, sizeof r->options->scheme);
		fill(c, r->backend);
	}
}

static enum service_found service_found(void *arg, struct slice ns, struct slice name, int64_t port)
{
	struct watcher *c = arg;
	struct arena a = ARENA_INIT;
	char number[24];
	struct informer_object *o = informer_get_named(c->followed[KIND_SERVICE].informer, ns, name);
	snprintf(number, sizeof number, "%lld", (long long)port);
	const struct json *service = o ? informer_parse(&a, o) : NULL;
	enum service_found found = !service                               ? SERVICE_ABSENT
	                           : is_external(service)                 ? SERVICE_EXTERNAL
	                           : find_port(service, slice_of(number)) ? SERVICE_FOUND
	                                                                  : SERVICE_WITHOUT_PORT;
	arena_release(&a);
	return found;
}

static bool has_certificate(void *arg, struct slice ns, struct slice secret)
{
	struct watcher *c = arg;
	char *key = xprintf("%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(secret));
	bool has = certificates_have(c->o.certificates, slice_of(key));
	free(key);
	return has;
}

static void add_gateways(struct watcher *c, struct route_table *t)
{
	struct arena a = ARENA_INIT;
	struct slice key = slice_of(c->o.published);
	struct informer_object *o = key.len ? informer_get(c->followed[KIND_SERVICE].informer, key) : NULL;
	gateway_watcher_add(c->gateways, t, o ? json_get(informer_parse(&a, o), "addresses") : NULL);
	arena_release(&a);
}

static void rebuild(uv_timer_t *timer)
{
	struct watcher *c = timer->data;
	struct informer *ingresses = c->followed[KIND_INGRESS].informer;
	struct route_table_makers m = {.take = take, .drop = backend_unref, .told = told, .arg = c};
	struct route_table *t = route_table_new(&m);
	size_t n = 0, count = informer_count(ingresses);
	struct informer_object **all = xcalloc(count + 1, sizeof(struct informer_object *));
	INFORMER_FOREACH(o, ingresses)
	all[n++] = o;
	qsort(all, n, sizeof(struct informer_object *), oldest_first);
	for (size_t i = 0; i < n; i++) {
		struct arena a = ARENA_INIT;
		struct json *ingress = informer_parse(&a, all[i]);
		bool ours = is_ours(c, ingress);
		c->tells = ours && is_news(all[i]);
		if (ours)
			route_table_add(t, ingress);
		if (c->publisher)
			publisher_see(c->publisher, ingress, ours);
		arena_release(&a);
	}
	free(all);
	add_gateways(c, t);
	route_table_seal(t);
	apply_schemes(c, t);
	certificates_follow(c->o.certificates, t);
	c->o.made(c->o.arg, t);
}

static void want_rebuild(struct watcher *c)
{
	if (c->was_synced && !c->is_closing && !uv_is_active((uv_handle_t *)&c->rebuild))
		uv_timer_start(&c->rebuild, rebuild, REBUILD_MS, 0);
}

static void gateways_changed(void *arg)
{
	want_rebuild(arg);
}

/* ---- Secrets ---- */

static void secret_seen(struct watcher *c, struct informer_object *o)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *s = informer_parse(&a, o);
	if (certificates_set(c->o.certificates, o->key, json_cstr(&a, json_get(s, "crt")),
	            json_cstr(&a, json_get(s, "key")), &err) != 0)
		log_warn("ingress", "a Secret's certificate is not used", "secret=%.*s error=\"%s\"", SLICE_FMT(o->key),
		        err.msg);
	arena_release(&a);
}

static void auth_seen(void *arg, struct informer_object *o)
{
	struct auth *x = arg;
	arena_reset(&x->arena);
	struct slice text = json_get_str(informer_parse(&x->arena, o), "auth");
	x->file = text;
}

static void auth_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	auth_seen(arg, o);
}

static void auth_gone(void *arg, struct informer_object *o)
{
	((struct auth *)arg)->file = SLICE_NULL;
}

struct slice watcher_auth_file(struct watcher *c, struct slice secret)
{
	struct auth *x = map_get(&c->auths, secret);
	if (x || c->is_closing)
		return x ? x->file : SLICE_NULL;
	struct slice name = secret, ns = slice_cut(&name, '/');
	char path[400], selector[400];
	x = MAP_ENTRY_NEW(struct auth, key, secret);
	snprintf(path, sizeof path, "/api/v1/namespaces/%.*s/secrets", SLICE_FMT(ns));
	snprintf(selector, sizeof selector, "metadata.name=%.*s", SLICE_FMT(name));
	struct informer_options o = {.client = c->o.client,
	        .path = path,
	        .field_selector = selector,
	        .digest = pack_secret,
	        .added = auth_seen,
	        .updated = auth_updated,
	        .deleted = auth_gone,
	        .arg = x};
	x->informer = informer_new(&o);
	map_put(&c->auths, x->key, x);
	return SLICE_NULL;
}

/* ---- following ---- */

static void set(void *arg, struct informer_object *o)
{
	struct followed *f = arg;
	struct watcher *c = f->watcher;
	if (f->kind == KIND_SLICE)
		slice_seen(c, o);
	else if (f->kind == KIND_SERVICE)
		refill(c, o->key);
	else if (f->kind == KIND_TLS)
		secret_seen(c, o);
	else
		want_rebuild(c);
	if (gateway_watcher_is_in_use(c->gateways) && (f->kind == KIND_SERVICE || f->kind == KIND_TLS))
		want_rebuild(c);
	if (f->kind == KIND_SERVICE && c->publisher)
		publisher_service(c->publisher, o->key, informer_text(o));
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	if (before->len != o->json->len || memcmp(before->data, o->json->data, before->len) != 0)
		set(arg, o);
}

static void deleted(void *arg, struct informer_object *o)
{
	struct followed *f = arg;
	struct watcher *c = f->watcher;
	if (f->kind == KIND_SLICE) {
		struct arena a = ARENA_INIT;
		slice_gone(c, o);
		refill(c, json_get_str(informer_parse(&a, o), "service"));
		arena_release(&a);
	} else if (f->kind == KIND_SERVICE) {
		refill(c, o->key);
	} else if (f->kind == KIND_TLS) {
		certificates_drop(c->o.certificates, o->key);
	} else {
		want_rebuild(c);
	}
	if (gateway_watcher_is_in_use(c->gateways) && (f->kind == KIND_SERVICE || f->kind == KIND_TLS))
		want_rebuild(c);
}

static void synced(void *arg)
{
	struct followed *f = arg;
	struct watcher *c = f->watcher;
	log_info("ingress", "objects are known", "path=%s count=%zu", kinds[f->kind].path, informer_count(f->informer));
	malloc_trim(0); /* what the first stream took for a moment */
	for (unsigned i = 0; i < KINDS; i++)
		if (!informer_is_synced(c->followed[i].informer))
			return;
	c->was_synced = true;
	want_rebuild(c);
}

struct watcher *watcher_new(const struct watcher_options *o)
{
	struct watcher *c = xcalloc(1, sizeof *c);
	c->o = *o;
	c->backends = backends_new(o->loop, backend_found, backend_lost, c);
	c->recorder = recorder_new(o->client, "ingress", NULL);
	c->publisher = o->published ? publisher_new(o->client, o->published) : NULL;
	struct gateway_watcher_options go = {.client = o->client,
	        .controller = o->gateway_controller,
	        .changed = gateways_changed,
	        .service = service_found,
	        .has_certificate = has_certificate,
	        .arg = c};
	c->gateways = gateway_watcher_new(&go);
	uv_timer_init(loop_uv(o->loop), &c->rebuild);
	c->rebuild.data = c;
	for (unsigned i = 0; i < KINDS; i++) {
		struct followed *f = &c->followed[i];
		*f = (struct followed){c, i, NULL};
		struct informer_options io = {.client = o->client,
		        .path = kinds[i].path,
		        .field_selector = kinds[i].field_selector,
		        .digest = kinds[i].pack,
		        .added = set,
		        .updated = updated,
		        .deleted = deleted,
		        .synced = synced,
		        .arg = f};
		f->informer = informer_new(&io);
	}
	return c;
}

bool watcher_is_synced(const struct watcher *c)
{
	return c->was_synced;
}

const struct map *watcher_backends(const struct watcher *c)
{
	return backends_map(c->backends);
}

/* ---- the end ---- */

static void free_services(struct watcher *c)
{
	MAP_FOREACH (it, &c->services) {
		struct service *s = it->value;
		for (struct list_link *l; (l = list_pop_front(&s->slices)) != NULL;)
			free(CONTAINER_OF(l, struct slice_record, link));
		free(s);
	}
	map_release(&c->services);
}

static void all_closed(struct closing *x)
{
	struct watcher *c = CONTAINER_OF(x, struct watcher, closing);
	void (*closed)(void *) = c->closed;
	void *arg = c->closed_arg;
	MAP_FOREACH (it, &c->auths) {
		struct auth *y = it->value;
		arena_release(&y->arena);
		free(y);
	}
	map_release(&c->auths);
	free_services(c);
	free(c);
	if (closed)
		closed(arg);
}

static void timer_closed(uv_handle_t *h)
{
	closing_part_done(&((struct watcher *)h->data)->closing);
}

void watcher_close(struct watcher *c, void (*closed)(void *arg), void *arg)
{
	struct closing *x = &c->closing;
	c->is_closing = true;
	c->closed = closed;
	c->closed_arg = arg;
	x->all_closed = all_closed;
	certificates_follow(c->o.certificates, NULL);
	closing_hold(x);
	for (unsigned i = 0; i < KINDS; i++)
		closing_hold(x), informer_close(c->followed[i].informer, closing_part_done, x);
	MAP_FOREACH (it, &c->auths)
		closing_hold(x), informer_close(((struct auth *)it->value)->informer, closing_part_done, x);
	closing_hold(x), recorder_close(c->recorder, closing_part_done, x);
	if (c->publisher)
		closing_hold(x), publisher_close(c->publisher, closing_part_done, x);
	closing_hold(x), gateway_watcher_close(c->gateways, closing_part_done, x);
	closing_hold(x), backends_close(c->backends, closing_part_done, x);
	closing_hold(x), uv_close((uv_handle_t *)&c->rebuild, timer_closed);
	closing_part_done(x);
}
