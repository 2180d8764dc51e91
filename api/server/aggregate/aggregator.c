/* See aggregate.h. An event touches an APIService; those that are touched are looked at when the loop's turn ends, each
 * by its newest state: one that is new or changed is asked anew, one that is gone is forgotten when nothing of it is
 * under way. */
#include "api/server/aggregate/aggregate_int.h"

#include "api/server/inproc.h"
#include "base/wire/outgoing.h"
#include "api/server/passing/backend.h"
#include "base/base64.h"
#include "base/json/scan.h"
#include "base/check.h"
#include "base/log.h"
#include "base/wire/tls.h"

#include <stdlib.h>

enum { PORT = 443, CONNECT_MS = 5000 };

/* ---- an APIService ---- */

void api_service_touch(struct api_service *v)
{
	if (!list_linked(&v->dirty))
		list_push_back(&v->all->dirty, &v->dirty);
	loop_defer(v->all->server->loop, &v->all->look);
}

struct object *api_service_object(const struct api_service *v)
{
	return cache_get(v->all->follower.source, v->name);
}

static struct api_service *need(struct aggregator *g, struct slice name)
{
	struct api_service *v = map_get(&g->by_name, name);
	if (v)
		return v;
	v = MAP_ENTRY_NEW(struct api_service, name, name);
	v->all = g;
	list_init(&v->dirty);
	map_put(&g->by_name, v->name, v);
	return v;
}

static void free_service(struct api_service *v)
{
	CHECK(!api_service_is_busy(v));
	arena_release(&v->arena);
	arena_release(&v->ask.arena);
	arena_release(&v->write.arena);
	strbuf_release(&v->resources);
	tls_context_unref(v->tls);
	free(v);
}

static void forget(struct api_service *v)
{
	v->is_remote = v->is_available = false;
	v->all->is_sorted = false;
	api_service_give_up(v);
	if (api_service_is_busy(v)) /* looked at again when that is back */
		return;
	map_del(&v->all->by_name, v->name);
	list_del(&v->dirty);
	free_service(v);
}

static const char *ca_of(struct arena *a, const struct json *spec)
{
	struct slice pem, text = json_get_str(spec, "caBundle");
	if (!text.len || !base64_decode(a, text, &pem))
		return NULL;
	return arena_printf(a, "%.*s", SLICE_FMT(pem));
}

/* What the object says. Whatever was known of before is void when it says something else. */
static void read_object(struct api_service *v, const struct object *o)
{
	struct arena *a = &v->arena;
	arena_reset(a);
	const struct json *tree = json_parse(a, object_text(o), NULL, NULL), *spec = json_get(tree, "spec"),
	                  *service = json_get(spec, "service");
	v->group = json_get_str(spec, "group");
	v->version = json_get_str(spec, "version");
	v->group_priority = json_get_int(spec, "groupPriorityMinimum", 0);
	v->version_priority = json_get_int(spec, "versionPriority", 0);
	v->is_remote = json_is(service, JSON_OBJECT);
	v->service_ns = json_get_str(service, "namespace");
	v->service = json_get_str(service, "name");
	v->port = (int)json_get_int(service, "port", PORT);
	v->server_name = arena_printf(a, "%.*s.%.*s.svc", SLICE_FMT(v->service), SLICE_FMT(v->service_ns));
	v->ca_pem = ca_of(a, spec);
	v->skip_verify = json_get_bool(spec, "insecureSkipTLSVerify", false);
	v->spec = arena_printf(a, "%.*s", SLICE_FMT(json_find(object_text(o), "spec", NULL)));
	v->is_available = v->was_asked = false;
	v->ask.due_ms = 0;
	tls_context_unref(TAKE(v->tls));
	v->all->is_sorted = false;
}

static void look_at(struct api_service *v)
{
	struct object *o = api_service_object(v);
	if (!o) {
		forget(v);
		return;
	}
	if (!v->spec || !slice_is(json_find(object_text(o), "spec", NULL), v->spec)) {
		api_service_give_up(v);
		read_object(v, o);
	}
	api_service_look(v);
}

int api_service_tls(struct api_service *v, struct err *err)
{
	const struct api_server_options *o = &v->all->server->options;
	if (v->tls)
		return 0;
	struct tls_options t = {.certificate_file = o->proxy_cert_file,
	        .key_file = o->proxy_key_file,
	        .ca_pem = v->ca_pem,
	        .skip_verify = v->skip_verify,
	        .http1_only = true};
	if (!v->ca_pem && !v->skip_verify && !(t.ca_file = outgoing_system_roots()))
		return err_set(err, ERR_NOT_FOUND,
		        "spec.caBundle is empty and this system has no roots: install ca-certificates");
	return tls_context_new(&t, &v->tls, err) == 0 ? 0 : err_wrap(err, "spec.caBundle");
}

int api_service_connect(struct api_service *v, struct arena *a, struct http_client **ret, struct err *err)
{
	struct backend b;
	struct slice port = slice_of(arena_printf(a, "%d", v->port));
	if (api_service_tls(v, err) != 0 ||
	        backend_find(v->all->server->cache, a, v->service_ns, v->service, port, &v->ask.turns, &b, err) != 0)
		return err->code;
	struct http_client_options o = {.loop = v->all->server->loop,
	        .host = b.host,
	        .port = b.port,
	        .tls = v->tls,
	        .server_name = v->server_name,
	        .host_header = v->server_name,
	        .connect_ms = CONNECT_MS,
	        .protocol = HTTP_CLIENT_H1};
	*ret = http_client_new(&o);
	return 0;
}

/* ---- all of them ---- */

static void look(struct loop_defer *defer)
{
	struct aggregator *g = CONTAINER_OF(defer, struct aggregator, look);
	struct list_link *it;
	while (g->is_started && !g->is_closing && (it = list_pop_front(&g->dirty))) {
		struct api_service *v = CONTAINER_OF(it, struct api_service, dirty);
		list_init(&v->dirty);
		look_at(v);
	}
}

static void changed(struct cache_follower *f, const struct object *before, const struct object *now)
{
	struct aggregator *g = CONTAINER_OF(f, struct aggregator, follower);
	const struct object *o = now ? now : before;
	api_service_touch(need(g, o->key));
}

static void forget_all(struct cache_follower *f)
{
	struct aggregator *g = CONTAINER_OF(f, struct aggregator, follower);
	MAP_FOREACH (slot, &g->by_name)
		api_service_touch(slot->value);
}

struct api_service *aggregate_find(struct aggregator *g, struct slice group, struct slice version)
{
	char name[512];
	int n = snprintf(name, sizeof name, "%.*s.%.*s", SLICE_FMT(version), SLICE_FMT(group));
	if (!g->is_started || n >= (int)sizeof name)
		return NULL;
	struct api_service *v = map_get(&g->by_name, (struct slice){name, (size_t)n});
	return v && v->is_remote ? v : NULL;
}

/* ---- for discovery ---- */

static int by_priority(const void *x, const void *y)
{
	const struct api_service *a = *(struct api_service *const *)x, *b = *(struct api_service *const *)y;
	if (!slice_eq(a->group, b->group)) {
		if (a->group_priority != b->group_priority)
			return a->group_priority > b->group_priority ? -1 : 1;
		return slice_cmp(a->group, b->group);
	}
	if (a->version_priority != b->version_priority)
		return a->version_priority > b->version_priority ? -1 : 1;
	return slice_cmp(a->version, b->version);
}

/* A group has the highest of the priorities that its versions say. */
static void level_priorities(struct api_service **all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			if (slice_eq(all[i]->group, all[k]->group) && all[k]->group_priority > all[i]->group_priority)
				all[i]->group_priority = all[k]->group_priority;
}

static void sort(struct aggregator *g)
{
	struct api_service **all = xcalloc(g->by_name.count + 1, sizeof(struct api_service *));
	g->n_extras = 0;
	MAP_FOREACH (slot, &g->by_name) {
		struct api_service *v = slot->value;
		if (v->is_remote)
			all[g->n_extras++] = v;
	}
	level_priorities(all, g->n_extras);
	qsort(all, g->n_extras, sizeof *all, by_priority);
	free(g->extras);
	g->extras = xcalloc(g->n_extras + 1, sizeof *g->extras);
	for (size_t i = 0; i < g->n_extras; i++)
		g->extras[i] = (struct discovery_extra){.group = all[i]->group,
		        .version = all[i]->version,
		        .resources = strbuf_slice(&all[i]->resources),
		        .is_stale = !all[i]->is_available};
	free(all);
	g->is_sorted = true;
}

struct discovery_extras aggregate_discovery(struct aggregator *g)
{
	if (!g->is_sorted)
		sort(g);
	return (struct discovery_extras){g->extras, g->n_extras};
}

/* ---- life ---- */

struct aggregator *aggregator_new(struct api_server *s)
{
	struct aggregator *g = xcalloc(1, sizeof *g);
	g->server = s;
	list_init(&g->dirty);
	loop_defer_init(&g->look, look);
	g->follower.changed = changed;
	g->follower.forget = forget_all;
	cache_follower_init(
	        &g->follower, s->cache, resource_find_preferred(SLICE("apiregistration.k8s.io"), SLICE("apiservices")));
	return g;
}

void aggregator_start(struct aggregator *g)
{
	struct api_server *s = g->server;
	LOOP_CHECK_OWNER(s->loop);
	g->client = api_server_client(s, s->loop, "system:apiserver", "system:masters");
	g->is_started = s->options.proxy_cert_file != NULL; /* else nobody would believe it */
	cache_follower_catch_up(&g->follower);
	loop_defer(s->loop, &g->look);
}

void aggregator_tick(struct aggregator *g)
{
	bool leads = store_leads(g->server->store);
	if (!g->is_started || g->is_closing)
		return;
	MAP_FOREACH (slot, &g->by_name) {
		struct api_service *v = slot->value;
		if (v->is_remote || (leads && !g->leads))
			api_service_touch(v);
	}
	g->leads = leads;
}

void aggregator_reload(struct aggregator *g)
{
	MAP_FOREACH (slot, &g->by_name) {
		struct api_service *v = slot->value;
		tls_context_unref(TAKE(v->tls));
	}
}

void aggregator_close(struct aggregator *g, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(g->server->loop);
	g->is_closing = true;
	loop_defer_cancel(&g->look);
	MAP_FOREACH (slot, &g->by_name)
		api_service_give_up(slot->value);
	if (g->client)
		client_close(TAKE(g->client), closed, arg);
	else
		closed(arg);
}

void aggregator_stop(struct aggregator *g)
{
	cache_follower_stop(&g->follower);
	loop_defer_cancel(&g->look);
}

void aggregator_free(struct aggregator *g)
{
	if (!g)
		return;
	MAP_FOREACH (slot, &g->by_name)
		free_service(slot->value);
	map_release(&g->by_name);
	free(g->extras);
	free(g);
}
