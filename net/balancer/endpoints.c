/* See endpoints.h. What can go wrong is a slice that is not as it should be; of it only what is understood is taken,
 * and an empty list is nobody's to believe (upstreams_set()). */
#include "net/balancer/endpoints.h"

#include "api/client/informer.h"
#include "base/check.h"
#include "base/limits.h"

#include <stdlib.h>

#define SLICES "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
#define OF_KUBERNETES "kubernetes.io/service-name=kubernetes"

struct endpoints {
	struct informer *informer;
	void (*told)(void *arg, const char *const *addresses, size_t n);
	void *arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

static bool is_ready(const struct json *endpoint)
{
	const struct json *ready = json_path(endpoint, "conditions", "ready", NULL);
	return !ready || json_bool(ready, true);
}

void endpoints_of_slice(struct arena *a, const struct json *slice, const char **list, size_t max, size_t *n)
{
	int64_t port = json_int(json_get(json_at(json_get(slice, "ports"), 0), "port"), 0);
	bool is_v6 = slice_is(json_get_str(slice, "addressType"), "IPv6");
	if (port <= 0 || port > 65535)
		return;
	JSON_FOREACH (endpoint, json_get(slice, "endpoints"))
		JSON_FOREACH (address, json_get(endpoint, "addresses")) {
			struct slice text = json_str(address);
			if (text.len && is_ready(endpoint) && *n < max)
				list[(*n)++] =
				        arena_printf(a, is_v6 ? "[%.*s]:%d" : "%.*s:%d", SLICE_FMT(text), (int)port);
		}
}

static void tell(struct endpoints *e)
{
	struct arena a = ARENA_INIT;
	const char *list[BALANCER_SERVERS_MAX];
	size_t n = 0;
	if (!e->informer || !informer_is_synced(e->informer))
		return;
	INFORMER_FOREACH(o, e->informer)
	endpoints_of_slice(&a, informer_parse(&a, o), list, BALANCER_SERVERS_MAX, &n);
	e->told(e->arg, list, n);
	arena_release(&a);
}

static void changed(void *arg, struct informer_object *o)
{
	tell(arg);
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	tell(arg);
}

static void synced(void *arg)
{
	tell(arg);
}

struct endpoints *endpoints_new(
        struct client *client, void (*told)(void *arg, const char *const *addresses, size_t n), void *arg)
{
	struct endpoints *e = xcalloc(1, sizeof *e);
	struct informer_options o = {.client = client,
	        .path = SLICES,
	        .label_selector = OF_KUBERNETES,
	        .added = changed,
	        .updated = updated,
	        .synced = synced,
	        .arg = e};
	LOOP_CHECK_OWNER(client->loop);
	e->told = told;
	e->arg = arg;
	e->informer = informer_new(&o);
	return e;
}

static void informer_closed(void *arg)
{
	struct endpoints *e = arg;
	void (*closed)(void *) = e->closed;
	void *closed_arg = e->closed_arg;
	free(e);
	if (closed)
		closed(closed_arg);
}

void endpoints_close(struct endpoints *e, void (*closed)(void *arg), void *arg)
{
	e->closed = closed;
	e->closed_arg = arg;
	informer_close(TAKE(e->informer), informer_closed, e);
}
