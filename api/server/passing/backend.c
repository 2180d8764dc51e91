/* See backend.h. What is ready is in the service's EndpointSlices. */
#include "api/server/passing/backend.h"

#include "api/server/cache/object.h"
#include "base/check.h"
#include "base/json/json.h"

/* Of which one turn may choose. */
enum { ENDPOINTS_MAX = 256 };

struct finding {
	struct arena *arena;
	struct label_selector of_service;
	struct slice port_name;
	size_t count;
	struct endpoint {
		struct slice address;
		int port;
	} found[ENDPOINTS_MAX];
};

static struct cache_resource *all_of(struct cache *cache, const char *group, const char *plural)
{
	const struct resource *r = resource_find_preferred(slice_of(group), slice_of(plural));
	CHECK(r != NULL);
	return cache_resource(cache, r);
}

/* ---- endpoints ---- */

static int slice_port(const struct json *tree, struct slice name)
{
	JSON_FOREACH (it, json_get(tree, "ports"))
		if (slice_eq(json_get_str(it, "name"), name))
			return (int)json_get_int(it, "port", 0);
	return 0;
}

static void look_at(struct finding *f, struct object *o)
{
	if (!label_selector_matches(&f->of_service, object_span(o, o->labels)))
		return;
	const struct json *tree = json_parse(f->arena, object_text(o), NULL, NULL);
	int port = slice_port(tree, f->port_name);
	JSON_FOREACH (it, port ? json_get(tree, "endpoints") : NULL) {
		struct slice address = json_str(json_at(json_get(it, "addresses"), 0));
		if (f->count == ENDPOINTS_MAX || !address.len ||
		        !json_bool(json_path(it, "conditions", "ready", NULL), true))
			continue;
		f->found[f->count++] = (struct endpoint){address, port};
	}
}

static int choose(struct cache *cache, struct finding *f, struct slice ns, struct slice service, unsigned *turns,
        struct backend *ret, struct err *err)
{
	const char *label = arena_printf(f->arena, "kubernetes.io/service-name=%.*s", SLICE_FMT(service));
	struct slice prefix = slice_of(arena_printf(f->arena, "%.*s/", SLICE_FMT(ns)));
	if (label_selector_parse(f->arena, slice_of(label), &f->of_service, err) != 0)
		return err->code;
	struct omap_node *n = omap_seek(&all_of(cache, "discovery.k8s.io", "endpointslices")->objects, prefix);
	for (; n && slice_starts(n->key, prefix.ptr); n = omap_next(n))
		look_at(f, n->value);
	if (!f->count)
		return err_set(err, ERR_UNAVAILABLE, "no endpoints available for service \"%.*s\"", SLICE_FMT(service));
	ret->place = (*turns)++ % f->count;
	const struct endpoint *e = &f->found[ret->place];
	ret->host = arena_memdup(f->arena, e->address.ptr, e->address.len);
	ret->port = e->port;
	return 0;
}

/* ---- the service ---- */

/* NULL: it has none such. */
static const struct json *port_of(const struct json *service, struct slice wanted)
{
	int64_t number;
	const struct json *ports = json_path(service, "spec", "ports", NULL);
	if (!wanted.len)
		return ports && ports->count == 1 ? ports->first : NULL;
	JSON_FOREACH (it, ports)
		if (slice_eq(json_get_str(it, "name"), wanted) ||
		        (slice_to_i64(wanted, &number) && json_get_int(it, "port", 0) == number))
			return it;
	return NULL;
}

int backend_find(struct cache *cache, struct arena *a, struct slice ns, struct slice service, struct slice port,
        unsigned *turns, struct backend *ret, struct err *err)
{
	struct slice key = slice_of(arena_printf(a, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(service)));
	struct object *o = cache_get(all_of(cache, "", "services"), key);
	if (!o)
		return err_set(err, ERR_NOT_FOUND, "service \"%.*s\" not found", SLICE_FMT(service));
	const struct json *tree = json_parse(a, object_text(o), NULL, err), *row = port_of(tree, port);
	struct slice external = json_str(json_path(tree, "spec", "externalName", NULL));
	int64_t number;
	if (slice_is(json_str(json_path(tree, "spec", "type", NULL)), "ExternalName") && slice_to_i64(port, &number)) {
		*ret = (struct backend){arena_memdup(a, external.ptr, external.len), (int)number, 0};
		return 0;
	}
	if (!row && !port.len)
		return err_set(err, ERR_UNAVAILABLE,
		        "service \"%.*s\" has several ports or none: name one as \"%.*s:PORT\"", SLICE_FMT(service),
		        SLICE_FMT(service));
	if (!row)
		return err_set(err, ERR_NOT_FOUND, "no service port %.*s found for service \"%.*s\"", SLICE_FMT(port),
		        SLICE_FMT(service));
	struct finding *f = ARENA_NEW(a, struct finding);
	f->arena = a;
	f->port_name = json_get_str(row, "name");
	return choose(cache, f, ns, service, turns, ret, err);
}
