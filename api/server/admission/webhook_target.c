/* Where a webhook is: at its URL, or at an endpoint of a Service that is ready; its certificate is for
 * NAME.NAMESPACE.svc. Calls take turns among the endpoints. */
#include "api/server/admission/webhooks.h"

#include "api/server/call.h"
#include "api/server/passing/backend.h"
#include "api/server/state.h"
#include "base/check.h"

/* *ret_place tells its endpoints apart. */
static int find_service(
        struct webhook *w, struct admission *a, struct outgoing_target *t, size_t *ret_place, struct err *err)
{
	struct backend b;
	struct slice port = slice_of(arena_printf(a->arena, "%d", w->service_port));
	if (backend_find(a->call->server->cache, a->arena, w->service_ns, w->service_name, port, &w->turns, &b, err) !=
	        0)
		return err->code;
	t->server_name = arena_printf(a->arena, "%.*s.%.*s.svc", SLICE_FMT(w->service_name), SLICE_FMT(w->service_ns));
	t->url = arena_printf(
	        a->arena, "https://%s:%d%s?timeout=%us", t->server_name, w->service_port, w->path, w->timeout_s);
	t->connect_host = b.host;
	t->connect_port = b.port;
	*ret_place = b.place;
	return 0;
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
