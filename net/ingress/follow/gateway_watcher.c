/* See gateway_watcher.h.
 *
 * Most clusters do not have the Gateway API's kinds: one informer looks for the definition of Gateways, and only when
 * it is there the others start. Until all of them know what there is, no route of theirs is made; a kind whose
 * definition was left out is told in the log, and has no objects. */
#include "net/ingress/follow/gateway_watcher.h"

#include "api/client/informer.h"
#include "api/client/meta.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "net/ingress/follow/oldest.h"
#include "net/ingress/follow/status_writer.h"

#include <stdlib.h>

/* So often in a row, in about a second, the server says that it does not know a kind: then it is believed. */
enum { MISSES_MAX = 4 };

enum kind { KIND_CLASS, KIND_GATEWAY, KIND_ROUTE, KIND_GRANT, KIND_NAMESPACE, KINDS };

struct followed_kind {
	struct gateway_watcher *watcher;
	const char *path;
	struct informer *informer; /* NULL: not followed yet */
	unsigned misses;
};

struct gateway_watcher {
	struct gateway_watcher_options o;
	struct informer *definition;
	struct followed_kind followed[KINDS];
	struct status_writer *writer;
	struct arena *arena; /* of the table that is being made; NULL: none is */
	bool is_closing;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* {"labels":{...}} */
static struct rcbuf *pack_namespace(struct slice object)
{
	struct slice labels = json_find(object, "metadata", "labels", NULL);
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "{\"labels\":%.*s}", labels.len ? (int)labels.len : 2, labels.len ? labels.ptr : "{}");
	struct rcbuf *r = rcbuf_copy(b.data, b.len);
	strbuf_release(&b);
	return r;
}

static struct rcbuf *pack_definition(struct slice object)
{
	bool is_served = memmem(object.ptr, object.len, "\"Established\"", 13) != NULL;
	return rcbuf_copy(is_served ? "{\"is\":1}" : "{}", is_served ? 8 : 2);
}

static const struct {
	const char *path;
	struct rcbuf *(*pack)(struct slice object);
} kinds[KINDS] = {
        [KIND_CLASS] = {"/apis/" GATEWAY_VERSION "/gatewayclasses", NULL},
        [KIND_GATEWAY] = {"/apis/" GATEWAY_VERSION "/gateways", NULL},
        [KIND_ROUTE] = {"/apis/" GATEWAY_VERSION "/httproutes", NULL},
        [KIND_GRANT] = {"/apis/" GATEWAY_GROUP "/v1beta1/referencegrants", NULL},
        [KIND_NAMESPACE] = {"/api/v1/namespaces", pack_namespace},
};

static bool is_synced(const struct gateway_watcher *g)
{
	for (unsigned i = 0; i < KINDS; i++) {
		const struct followed_kind *k = &g->followed[i];
		if (!k->informer || (!informer_is_synced(k->informer) && k->misses < MISSES_MAX))
			return false;
	}
	return true;
}

/* ---- making a table ---- */

static const struct json *labels(void *arg, struct slice ns)
{
	struct gateway_watcher *g = arg;
	struct informer_object *o = informer_get(g->followed[KIND_NAMESPACE].informer, ns);
	return o ? json_get(informer_parse(g->arena, o), "labels") : NULL;
}

static struct json_list list_of(struct gateway_watcher *g, enum kind kind)
{
	struct informer *inf = g->followed[kind].informer;
	size_t n = 0, count = informer_count(inf);
	struct informer_object **all = ARENA_ARRAY(g->arena, struct informer_object *, count + 1);
	struct json_list list = {ARENA_ARRAY(g->arena, const struct json *, count + 1), count};
	INFORMER_FOREACH(o, inf)
	all[n++] = o;
	qsort(all, n, sizeof(struct informer_object *), oldest_first);
	for (size_t i = 0; i < n; i++)
		list.items[i] = informer_parse(g->arena, all[i]);
	return list;
}

/* Against what it was when this was thought of: of an object that has changed since there is another event. */
static void write_status(struct gateway_watcher *g, const struct gateway_status *s)
{
	struct arena *a = g->arena;
	const struct json *meta = json_get(s->object, "metadata");
	struct json *patch = json_new(a, JSON_OBJECT);
	struct strbuf body = STRBUF_INIT;
	json_set_str(a, json_need(a, patch, "metadata", JSON_OBJECT), "resourceVersion",
	        json_get_str(meta, "resourceVersion"));
	json_set(a, patch, "status", s->status);
	json_write(&body, patch);
	status_writer_put(g->writer,
	        kube_path(a, GATEWAY_VERSION, s->plural, json_get_str(meta, "namespace"), json_get_str(meta, "name"),
	                "status"),
	        strbuf_slice(&body));
	strbuf_release(&body);
}

void gateway_watcher_add(struct gateway_watcher *g, struct route_table *t, const struct json *addresses)
{
	LOOP_CHECK_OWNER(g->o.client->loop);
	struct arena a = ARENA_INIT;
	if (!is_synced(g))
		return;
	g->arena = &a;
	struct gateways_input in = {.controller = g->o.controller,
	        .classes = list_of(g, KIND_CLASS),
	        .gateways = list_of(g, KIND_GATEWAY),
	        .routes = list_of(g, KIND_ROUTE),
	        .grants = list_of(g, KIND_GRANT),
	        .addresses = addresses,
	        .service = g->o.service,
	        .has_certificate = g->o.has_certificate,
	        .arg = g->o.arg,
	        .labels = labels,
	        .labels_arg = g};
	for (struct gateway_status *s = gateways_add(&a, t, &in); s; s = s->next)
		write_status(g, s);
	g->arena = NULL;
	arena_release(&a);
}

bool gateway_watcher_is_in_use(const struct gateway_watcher *g)
{
	return is_synced(g) && informer_count(g->followed[KIND_GATEWAY].informer) > 0;
}

/* ---- following ---- */

static void changed(void *arg, struct informer_object *o)
{
	struct gateway_watcher *g = ((struct followed_kind *)arg)->watcher;
	if (is_synced(g))
		g->o.changed(g->o.arg);
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	if (before->len != o->json->len || memcmp(before->data, o->json->data, before->len) != 0)
		changed(arg, o);
}

static void synced(void *arg)
{
	changed(arg, NULL);
}

static void absent(void *arg)
{
	struct followed_kind *k = arg;
	if (informer_is_synced(k->informer) || ++k->misses != MISSES_MAX)
		return;
	log_warn("ingress", "a part of the Gateway API is not there: apply its definition", "path=%s", k->path);
	changed(k, NULL);
}

static void follow(struct gateway_watcher *g)
{
	if (g->followed[0].informer || g->is_closing)
		return;
	log_info("ingress", "the Gateway API is there", "controller=%s", g->o.controller);
	for (unsigned i = 0; i < KINDS; i++) {
		struct informer_options io = {.client = g->o.client,
		        .path = kinds[i].path,
		        .digest = kinds[i].pack,
		        .added = changed,
		        .updated = updated,
		        .deleted = changed,
		        .synced = synced,
		        .absent = absent,
		        .arg = &g->followed[i]};
		g->followed[i] = (struct followed_kind){.watcher = g, .path = kinds[i].path};
		g->followed[i].informer = informer_new(&io);
	}
}

static void definition_seen(void *arg, struct informer_object *o)
{
	if (informer_text(o).len > 2)
		follow(arg);
}

static void definition_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	definition_seen(arg, o);
}

struct gateway_watcher *gateway_watcher_new(const struct gateway_watcher_options *o)
{
	struct gateway_watcher *g = xcalloc(1, sizeof *g);
	g->o = *o;
	g->writer = status_writer_new(o->client);
	struct informer_options io = {.client = o->client,
	        .path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
	        .field_selector = "metadata.name=gateways." GATEWAY_GROUP,
	        .digest = pack_definition,
	        .added = definition_seen,
	        .updated = definition_updated,
	        .arg = g};
	g->definition = informer_new(&io);
	return g;
}

/* ---- the end ---- */

static void all_closed(struct closing *c)
{
	struct gateway_watcher *g = CONTAINER_OF(c, struct gateway_watcher, closing);
	void (*closed)(void *) = g->closed;
	void *arg = g->closed_arg;
	free(g);
	if (closed)
		closed(arg);
}

void gateway_watcher_close(struct gateway_watcher *g, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(g->o.client->loop);
	struct closing *x = &g->closing;
	g->is_closing = true;
	g->closed = closed;
	g->closed_arg = arg;
	x->all_closed = all_closed;
	closing_hold(x);
	closing_hold(x), informer_close(g->definition, closing_part_done, x);
	for (unsigned i = 0; i < KINDS; i++)
		if (g->followed[i].informer)
			closing_hold(x), informer_close(g->followed[i].informer, closing_part_done, x);
	closing_hold(x), status_writer_close(g->writer, closing_part_done, x);
	closing_part_done(x);
}
