/* See front.h.
 *
 *     probes and nothing else: answered to everybody
 *     all else: who asks? --> may they? (SubjectAccessReview) --> what was asked for
 *
 * Who asks is said by the API server's proxy in X-Remote-* headers, which are believed of a connection whose
 * certificate is the proxy's and of none else; or by a bearer token, whose owner the API server tells (Prometheus,
 * which reads /metrics, comes so). system:masters may do all, as everywhere. */
#include "net/metrics/front.h"

#include "api/client/meta.h"
#include "api/machinery/schema/selector.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json/scan.h"
#include "base/limits.h"
#include "net/metrics/document.h"
#include "net/metrics/scraper.h"
#include "net/metrics/trust.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define GROUP "metrics.k8s.io"
#define PREFIX "/apis/" GROUP "/v1beta1/"
#define EXTRA "x-remote-extra-"

struct front {
	struct front_options o;
	uint64_t requests, refused;
};

/* A request, while the API server is asked about it; in the exchange's arena. */
struct visit {
	struct front *front;
	struct http_exchange *x;
	struct access_question *question;
	struct front_route route;
};

struct front *front_new(const struct front_options *options)
{
	struct front *f = xcalloc(1, sizeof *f);
	f->o = *options;
	return f;
}

void front_free(struct front *f)
{
	free(f);
}

/* ---- answers ---- */

static void say(struct http_exchange *x, int status, const char *text)
{
	http_set_content_type(x, "text/plain; charset=utf-8");
	http_respond_copy(x, status, slice_of(text));
}

static void say_error(struct http_exchange *x, const struct err *err)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(
	        &b, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":");
	json_write_str(&b, slice_of(err->msg));
	strbuf_addf(&b, ",\"reason\":\"%s\",\"code\":%d}\n", err_reason(err->code), err_http_status(err->code));
	http_set_content_type(x, "application/json");
	http_respond_strbuf(x, err_http_status(err->code), &b);
}

__attribute__((format(printf, 3, 4))) static void refuse(struct http_exchange *x, int code, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	err_set(&err, code, "%s", text);
	say_error(x, &err);
}

static void say_json(struct http_exchange *x, struct strbuf *b)
{
	strbuf_adds(b, "\n");
	http_set_content_type(x, "application/json");
	http_respond_strbuf(x, 200, b);
}

/* ---- what is known of one ---- */

static bool is_stale(const struct front *f, int64_t taken_ms)
{
	return clock_wall_ns() / 1000000 - taken_ms > f->o.stale_ms;
}

static bool read_node(struct front *f, struct arena *a, const struct informer_object *o, struct document_item *ret)
{
	int64_t taken_ms;
	const struct samples_series *x = samples_node(f->o.samples, o->key, &taken_ms);
	struct samples_usage *u = ARENA_NEW(a, struct samples_usage);
	if (!x || is_stale(f, taken_ms) || !samples_usage(x, u))
		return false;
	*ret = (struct document_item){
	        .name = o->key, .labels = json_find(informer_text(o), "metadata", "labels", NULL), .usages = u, .n = 1};
	return true;
}

/* A pod is told whole or not at all: a container without a rate yet makes it wait; one whose counters went back is left
 * out, as upstream does. */
static bool read_pod(struct front *f, struct arena *a, const struct samples_pod *p, struct document_item *ret)
{
	const struct informer_object *o = known_pod(f->o.known, p->key);
	struct slice rest = p->key, phase;
	if (!o || is_stale(f, p->taken_ms))
		return false;
	phase = json_find(informer_text(o), "phase", NULL);
	if (slice_is(phase, "Succeeded") || slice_is(phase, "Failed"))
		return false;
	const char **names = ARENA_ARRAY(a, const char *, p->n_containers);
	struct samples_usage *usages = ARENA_ARRAY(a, struct samples_usage, p->n_containers);
	size_t n = 0;
	for (size_t i = 0; i < p->n_containers; i++) {
		if (!p->containers[i].series.before.at_ms)
			return false;
		names[n] = p->containers[i].name;
		n += samples_usage(&p->containers[i].series, &usages[n]);
	}
	*ret = (struct document_item){.names = names, .usages = usages, .n = n};
	ret->ns = slice_cut(&rest, '/');
	ret->name = rest;
	ret->labels = json_find(informer_text(o), "metadata", "labels", NULL);
	return n > 0;
}

/* ---- get ---- */

static void answer_one(struct visit *v)
{
	struct arena *a = http_arena(v->x);
	const struct front_route *r = &v->route;
	struct document_item item;
	struct strbuf b = STRBUF_INIT;
	const char *key = r->is_pods ? arena_printf(a, "%.*s/%.*s", SLICE_FMT(r->ns), SLICE_FMT(r->name))
	                             : arena_printf(a, "%.*s", SLICE_FMT(r->name));
	const struct samples_pod *p = samples_pod(v->front->o.samples, slice_of(key));
	const struct informer_object *node = r->is_pods ? NULL : known_node(v->front->o.known, slice_of(key));
	bool found = r->is_pods ? p && read_pod(v->front, a, p, &item) : node && read_node(v->front, a, node, &item);
	if (!found) {
		refuse(v->x, ERR_NOT_FOUND, "%s." GROUP " \"%s\" not found", r->is_pods ? "pods" : "nodes", key);
		return;
	}
	document_object(&b, &item, clock_wall_s());
	say_json(v->x, &b);
}

/* ---- list ---- */

struct listing {
	struct visit *visit;
	struct arena *arena;
	struct label_selector labels;
	struct field_selector fields;
	struct slice include_object;
	struct document_item *items;
	size_t n, room;
};

static bool is_selected(const struct listing *l, const struct document_item *i)
{
	const struct front_route *r = &l->visit->route;
	if (r->ns.len && !slice_eq(r->ns, i->ns))
		return false;
	for (size_t k = 0; k < l->fields.count; k++) {
		const struct field_requirement *q = &l->fields.requirements[k];
		struct slice value = slice_is(q->field, "metadata.name") ? i->name : i->ns;
		if (slice_eq(value, q->value) == q->negated)
			return false;
	}
	return label_selector_matches(&l->labels, i->labels);
}

static void add_item(struct listing *l, const struct document_item *i)
{
	if (is_selected(l, i) && l->n < l->room)
		l->items[l->n++] = *i;
}

static void add_pod(void *arg, const struct samples_pod *p)
{
	struct listing *l = arg;
	struct document_item i;
	struct slice rest = p->key;
	struct slice ns = slice_cut(&rest, '/');
	if (l->visit->route.ns.len && !slice_eq(ns, l->visit->route.ns))
		return;
	if (read_pod(l->visit->front, l->arena, p, &i))
		add_item(l, &i);
}

static void collect(struct listing *l)
{
	struct front *f = l->visit->front;
	const struct informer *nodes = known_nodes(f->o.known);
	struct document_item i;
	l->room = l->visit->route.is_pods ? samples_pods(f->o.samples) : informer_count(nodes);
	l->items = ARENA_ARRAY(l->arena, struct document_item, l->room + 1);
	if (l->visit->route.is_pods) {
		samples_each_pod(f->o.samples, add_pod, l);
		return;
	}
	INFORMER_FOREACH(o, nodes)
	if (read_node(f, l->arena, o, &i))
		add_item(l, &i);
}

static int by_name(const void *x, const void *y)
{
	const struct document_item *a = x, *b = y;
	int d = slice_cmp(a->ns, b->ns);
	return d ? d : slice_cmp(a->name, b->name);
}

static int read_parameter(struct listing *l, struct slice name, struct slice value, struct err *err)
{
	bool is_pods = l->visit->route.is_pods;
	if (slice_is(name, "labelSelector"))
		return label_selector_parse(l->arena, value, &l->labels, err);
	if (slice_is(name, "includeObject"))
		l->include_object = value;
	if (slice_is(name, "watch") && (slice_is(value, "1") || slice_is(value, "true")))
		return err_set(err, ERR_METHOD, "what is used cannot be watched: ask again");
	if (!slice_is(name, "fieldSelector"))
		return 0;
	if (field_selector_parse(l->arena, value, &l->fields, err) != 0)
		return err->code;
	for (size_t i = 0; i < l->fields.count; i++) {
		struct slice field = l->fields.requirements[i].field;
		if (!slice_is(field, "metadata.name") && !(is_pods && slice_is(field, "metadata.namespace")))
			return err_set(err, ERR_INVAL, "field label not supported: %.*s", SLICE_FMT(field));
	}
	return 0;
}

static bool wants_table(struct http_exchange *x)
{
	struct slice accept = http_header(x, "accept");
	return accept.len && memmem(accept.ptr, accept.len, "as=Table", 8);
}

static void answer_list(struct visit *v)
{
	struct listing l = {.visit = v, .arena = http_arena(v->x)};
	struct slice rest = http_request(v->x)->query, name, value;
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	while (!err.code && http_query_next(l.arena, &rest, &name, &value))
		read_parameter(&l, name, value, &err);
	if (err.code) {
		say_error(v->x, &err);
		return;
	}
	collect(&l);
	qsort(l.items, l.n, sizeof *l.items, by_name);
	struct document_list d = {.out = &b,
	        .form = wants_table(v->x) ? DOCUMENT_TABLE : DOCUMENT_OBJECTS,
	        .is_of_pods = v->route.is_pods,
	        .include_object = l.include_object,
	        .now_s = clock_wall_s()};
	document_list_begin(&d);
	for (size_t i = 0; i < l.n; i++)
		document_list_add(&d, &l.items[i]);
	document_list_end(&d);
	say_json(v->x, &b);
}

/* ---- our own metrics, in upstream's names ---- */

static void answer_metrics(struct visit *v)
{
	const struct front *f = v->front;
	const struct scraper_counts *c = scraper_counts(f->o.scraper);
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b,
	        "# HELP metrics_server_kubelet_request_total Number of requests sent to Kubelet API\n"
	        "# TYPE metrics_server_kubelet_request_total counter\n"
	        "metrics_server_kubelet_request_total{success=\"true\"} %" PRIu64 "\n"
	        "metrics_server_kubelet_request_total{success=\"false\"} %" PRIu64 "\n",
	        c->done, c->failed);
	strbuf_addf(&b,
	        "# HELP metrics_server_kubelet_answer_bytes_total Bytes that kubelets have answered\n"
	        "# TYPE metrics_server_kubelet_answer_bytes_total counter\n"
	        "metrics_server_kubelet_answer_bytes_total %" PRIu64 "\n",
	        c->bytes);
	strbuf_addf(&b,
	        "# HELP metrics_server_storage_points Number of metrics points stored.\n"
	        "# TYPE metrics_server_storage_points gauge\n"
	        "metrics_server_storage_points{type=\"node\"} %zu\n"
	        "metrics_server_storage_points{type=\"pod\"} %zu\n",
	        samples_nodes(f->o.samples), samples_pods(f->o.samples));
	strbuf_addf(&b,
	        "# HELP metrics_server_requests_total Requests, and those that were refused\n"
	        "# TYPE metrics_server_requests_total counter\n"
	        "metrics_server_requests_total{refused=\"false\"} %" PRIu64 "\n"
	        "metrics_server_requests_total{refused=\"true\"} %" PRIu64 "\n",
	        f->requests - f->refused, f->refused);
	http_set_content_type(v->x, "text/plain; version=0.0.4; charset=utf-8");
	http_respond_strbuf(v->x, 200, &b);
}

/* ---- routes ---- */

bool front_route_read(struct arena *a, struct slice path, struct front_route *ret)
{
	struct slice parts[5] = {{0}};
	size_t n = 0;
	*ret = (struct front_route){0};
	if (!slice_starts(path, PREFIX))
		return false;
	struct slice rest = {path.ptr + strlen(PREFIX), path.len - strlen(PREFIX)};
	while (rest.len) {
		struct slice raw = slice_cut(&rest, '/');
		if (n == COUNT_OF(parts) || !raw.len || !http_decode(a, raw, false, &parts[n++]))
			return false;
	}
	struct slice *at = parts;
	ret->is_resource = true;
	if (n >= 3 && slice_is(at[0], "namespaces")) {
		ret->ns = at[1];
		at += 2;
		n -= 2;
	}
	ret->is_pods = slice_is(at[0], "pods");
	ret->name = n == 2 ? at[1] : SLICE_NULL;
	if (ret->is_pods)
		return n == 1 || (n == 2 && ret->ns.len);
	return slice_is(at[0], "nodes") && !ret->ns.len && (n == 1 || n == 2);
}

static void answer(struct visit *v)
{
	struct slice path = http_request(v->x)->path;
	const char *document = document_of_path(path);
	if (v->route.is_resource && v->route.name.len) {
		answer_one(v);
	} else if (v->route.is_resource) {
		answer_list(v);
	} else if (slice_is(path, "/metrics")) {
		answer_metrics(v);
	} else if (document) {
		http_set_content_type(v->x, "application/json");
		http_respond_copy(v->x, 200, slice_of(document));
	} else {
		refuse(v->x, ERR_NOT_FOUND, "the server could not find the requested resource");
	}
}

/* ---- who asks, and may they? ---- */

static void add_extra(struct arena *a, struct json *user, const struct http_header *h)
{
	struct slice raw = {h->name.ptr + strlen(EXTRA), h->name.len - strlen(EXTRA)}, key;
	if (!http_decode(a, raw, false, &key) || !key.len)
		return;
	struct json *extra = json_need(a, user, "extra", JSON_OBJECT), *list = json_get_slice(extra, key);
	if (!list)
		list = json_set_slice(a, extra, key, json_new(a, JSON_ARRAY));
	json_append(list, json_new_str(a, h->value));
}

/* What a proxy says; NULL: this is none, or it says nothing. */
static struct json *user_of_proxy(struct front *f, struct http_exchange *x)
{
	const struct http_request *r = http_request(x);
	struct arena *a = http_arena(x);
	struct slice name = http_header(x, "x-remote-user");
	if (!r->peer->verified || !trust_allows(f->o.trust, r->peer->common_name) || !name.len)
		return NULL;
	struct json *user = access_user(a, name, NULL, 0), *groups = json_get(user, "groups");
	for (size_t i = 0; i < r->headers_count; i++) {
		if (slice_is(r->headers[i].name, "x-remote-group"))
			json_append(groups, json_new_str(a, r->headers[i].value));
		else if (slice_is(r->headers[i].name, "x-remote-uid"))
			json_set_str(a, user, "uid", r->headers[i].value);
		else if (slice_starts(r->headers[i].name, EXTRA))
			add_extra(a, user, &r->headers[i]);
	}
	return user;
}

static bool is_master(const struct json *user)
{
	JSON_FOREACH (it, json_get(user, "groups"))
		if (slice_is(json_str(it), "system:masters"))
			return true;
	return false;
}

static void judged(void *arg, const struct err *err)
{
	struct visit *v = arg;
	v->question = NULL;
	http_on_abort(v->x, NULL, NULL);
	if (!err) {
		answer(v);
		return;
	}
	v->front->refused++;
	say_error(v->x, err);
}

static void gone(struct http_exchange *x, void *arg)
{
	struct visit *v = arg;
	access_forget(v->question);
}

static void ask(struct visit *v, struct json *user, struct slice token)
{
	const struct http_request *r = http_request(v->x);
	struct access_request q = {.token = token, .user = user, .done = judged, .arg = v};
	q.deed = v->route.is_resource ? (struct access_deed){.verb = v->route.name.len ? "get" : "list",
	                                        .group = SLICE(GROUP),
	                                        .version = SLICE("v1beta1"),
	                                        .resource = v->route.is_pods ? SLICE("pods") : SLICE("nodes"),
	                                        .ns = v->route.ns,
	                                        .name = v->route.name}
	                              : (struct access_deed){.verb = "get", .path = r->path};
	http_on_abort(v->x, gone, v);
	v->question = access_ask(v->front->o.access, &q);
}

static struct slice bearer_token(struct http_exchange *x)
{
	struct slice h = http_header(x, "authorization");
	if (h.len <= 7 || strncasecmp(h.ptr, "bearer ", 7) != 0)
		return SLICE_NULL;
	return slice_trim((struct slice){h.ptr + 7, h.len - 7});
}

static bool answer_probe(struct front *f, struct http_exchange *x, struct slice path)
{
	if (slice_is(path, "/healthz") || slice_is(path, "/livez")) {
		say(x, 200, "ok");
	} else if (slice_is(path, "/readyz")) {
		bool synced = known_is_synced(f->o.known), warm = scraper_is_warm(f->o.scraper);
		say(x, synced && warm ? 200 : 503,
		        !synced ? "nodes and pods are not known yet\n"
		        : !warm ? "not all nodes were asked yet\n"
		                : "ok");
	} else {
		return false;
	}
	return true;
}

void front_handle(struct http_exchange *x, void *arg)
{
	struct front *f = arg;
	const struct http_request *r = http_request(x);
	bool is_get = slice_is(r->method, "GET") || slice_is(r->method, "HEAD");
	if (is_get && answer_probe(f, x, r->path))
		return;
	f->requests++;
	struct visit *v = ARENA_NEW(http_arena(x), struct visit);
	*v = (struct visit){.front = f, .x = x};
	if (!front_route_read(http_arena(x), r->path, &v->route))
		v->route = (struct front_route){0};
	struct json *user = user_of_proxy(f, x);
	struct slice token = user ? SLICE_NULL : bearer_token(x);
	if (!user && !token.len) {
		f->refused++;
		refuse(x, ERR_UNAUTHENTICATED, "Unauthorized");
	} else if (!is_get) {
		refuse(x, ERR_METHOD, "the server does not allow this method on the requested resource");
	} else if (user && is_master(user)) {
		answer(v);
	} else {
		ask(v, user, token);
	}
}
