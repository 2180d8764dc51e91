/* See hook_place.h. A Service is reached at one of its endpoints that are ready, in turn; its certificate is for
 * NAME.NAMESPACE.svc. */
#include "api/server/passing/hook_place.h"

#include "api/server/passing/backend.h"
#include "api/server/state.h"
#include "base/base64.h"

enum { PORT = 443 };

void hook_place_read(struct arena *a, struct hook_place *p, const struct json *client_config)
{
	const struct json *service = json_get(client_config, "service"), *url = json_get(client_config, "url");
	struct slice ca = json_get_str(client_config, "caBundle"), pem;
	if (ca.len && base64_decode(a, ca, &pem) && pem.len)
		p->ca_pem = pem.ptr;
	if (json_str(url).len) {
		p->url = json_cstr(a, url);
		return;
	}
	p->service_ns = slice_of(json_cstr(a, json_get(service, "namespace")));
	p->service_name = slice_of(json_cstr(a, json_get(service, "name")));
	p->service_port = (int)json_get_int(service, "port", PORT);
	const char *path = json_cstr(a, json_get(service, "path"));
	p->path = *path == '/' ? path : arena_printf(a, "/%s", path);
}

/* *ret_place tells its endpoints apart. */
static int find_service(struct hook_place *p, struct api_server *s, struct arena *a, unsigned timeout_s,
        struct outgoing_target *t, size_t *ret_place, struct err *err)
{
	struct backend b;
	struct slice port = slice_of(arena_printf(a, "%d", p->service_port));
	if (backend_find(s->cache, a, p->service_ns, p->service_name, port, &p->turns, &b, err) != 0)
		return err->code;
	t->server_name = arena_printf(a, "%.*s.%.*s.svc", SLICE_FMT(p->service_name), SLICE_FMT(p->service_ns));
	t->url = arena_printf(a, "https://%s:%d%s?timeout=%us", t->server_name, p->service_port, p->path, timeout_s);
	t->connect_host = b.host;
	t->connect_port = b.port;
	*ret_place = b.place;
	return 0;
}

int hook_place_target(struct hook_place *p, struct api_server *s, struct arena *a, unsigned timeout_s,
        struct outgoing **ret, struct err *err)
{
	struct outgoing_target t = {.ca_pem = p->ca_pem};
	size_t place = 0;
	if (p->url)
		t.url = arena_printf(a, "%s?timeout=%us", p->url, timeout_s);
	else if (find_service(p, s, a, timeout_s, &t, &place, err) != 0)
		return err->code;
	if (outgoing_get(s->outgoing, &t, ret, err) != 0)
		return err->code;
	struct outgoing **kept = &p->targets[place % HOOK_TARGETS_KEPT];
	outgoing_unref(*kept);
	*kept = outgoing_ref(*ret);
	return 0;
}

void hook_place_release(struct hook_place *p)
{
	for (size_t i = 0; i < HOOK_TARGETS_KEPT; i++) {
		outgoing_unref(p->targets[i]);
		p->targets[i] = NULL;
	}
}
