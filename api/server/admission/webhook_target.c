/* Where a webhook is: at its URL, or at an endpoint of a Service that is ready. The Service's own address would need
 * its node's proxy, which a server need not have; its certificate is for NAME.NAMESPACE.svc either way. Calls take
 * turns among the endpoints. */
#include "api/server/admission/webhooks.h"

#include "api/server/admission/admission_int.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "base/check.h"

/* Endpoints that were found, of those that one turn may choose from. */
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

/* A service's port by its number; NULL: it has none such. */
static const struct json *port_of(const struct json *service, int number)
{
	JSON_FOREACH (it, json_path(service, "spec", "ports", NULL))
		if (json_get_int(it, "port", 0) == number)
			return it;
	return NULL;
}

static int slice_port(const struct json *tree, struct slice name)
{
	JSON_FOREACH (it, json_get(tree, "ports"))
		if (slice_eq(json_get_str(it, "name"), name))
			return (int)json_get_int(it, "port", 0);
	return 0;
}

static void look_at(void *arg, struct object *o)
{
	struct finding *f = arg;
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

static int choose_endpoint(struct webhook *w, struct admission *a, const struct json *port, struct outgoing_target *t,
        size_t *ret_place, struct err *err)
{
	struct finding *f = ARENA_NEW(a->arena, struct finding);
	const char *label = arena_printf(a->arena, "kubernetes.io/service-name=%.*s", SLICE_FMT(w->service_name));
	f->arena = a->arena;
	f->port_name = json_get_str(port, "name");
	if (label_selector_parse(a->arena, slice_of(label), &f->of_service, err) != 0)
		return err->code;
	admission_each(a, "discovery.k8s.io", "endpointslices", w->service_ns, look_at, f);
	if (!f->count)
		return err_set(err, ERR_UNAVAILABLE, "no endpoints available for service \"%.*s\"",
		        SLICE_FMT(w->service_name));
	*ret_place = w->turns++ % f->count;
	struct endpoint *e = &f->found[*ret_place];
	t->connect_host = arena_memdup(a->arena, e->address.ptr, e->address.len);
	t->connect_port = e->port;
	return 0;
}

/* *ret_place tells its endpoints apart. */
static int find_service(
        struct webhook *w, struct admission *a, struct outgoing_target *t, size_t *ret_place, struct err *err)
{
	struct slice ns = w->service_ns, name = w->service_name;
	struct object *o = admission_lookup(
	        a, "", "services", slice_of(arena_printf(a->arena, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name))));
	if (!o)
		return err_set(err, ERR_NOT_FOUND, "service \"%.*s\" not found", SLICE_FMT(name));
	const struct json *service = json_parse(a->arena, object_text(o), NULL, err);
	const struct json *port = port_of(service, w->service_port);
	struct slice external = json_str(json_path(service, "spec", "externalName", NULL));
	t->server_name = arena_printf(a->arena, "%.*s.%.*s.svc", SLICE_FMT(name), SLICE_FMT(ns));
	t->url = arena_printf(
	        a->arena, "https://%s:%d%s?timeout=%us", t->server_name, w->service_port, w->path, w->timeout_s);
	if (slice_is(json_str(json_path(service, "spec", "type", NULL)), "ExternalName")) {
		t->connect_host = arena_memdup(a->arena, external.ptr, external.len);
		t->connect_port = w->service_port;
		return 0;
	}
	if (!port)
		return err_set(err, ERR_NOT_FOUND, "no service port %d found for service \"%.*s\"", w->service_port,
		        SLICE_FMT(name));
	return choose_endpoint(w, a, port, t, ret_place, err);
}

int webhook_target(struct webhook *w, struct admission *a, struct outgoing **ret, struct err *err)
{
	struct outgoing_target t = {.ca_pem = w->ca_pem};
	size_t place = 0;
	if (w->url)
		t.url = arena_printf(a->arena, "%s?timeout=%us", w->url, w->timeout_s);
	else if (find_service(w, a, &t, &place, err) != 0)
		return err->code;
	if (outgoing_get(a->call->server->outgoing, &t, ret, err) != 0)
		return err->code;
	struct outgoing **kept = &w->targets[place % WEBHOOK_TARGETS_KEPT];
	outgoing_unref(*kept);
	*kept = outgoing_ref(*ret);
	return 0;
}
