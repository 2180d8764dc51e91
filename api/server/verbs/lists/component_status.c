/* componentstatuses: the kind that `kubectl get cs` shows. Nothing is stored; what is asked for is made when it is
 * asked for. All components are in this process, so whoever can answer is healthy, but for the store, which may be full
 * or away. */
#include "api/server/verbs/lists/list.h"
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/cache/fresh.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "base/check.h"

static const char *const components[] = {"scheduler", "controller-manager", "etcd-0"};

static struct rcbuf *text_of(const char *name)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b,
	        "{\"kind\":\"ComponentStatus\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\"},"
	        "\"conditions\":[{\"type\":\"Healthy\",\"status\":\"True\",\"message\":\"ok\"}]}",
	        name);
	struct rcbuf *text = rcbuf_copy(b.data, b.len);
	strbuf_release(&b);
	return text;
}

static void get_now(struct call *c)
{
	struct err err = ERR_INIT;
	for (size_t i = 0; i < COUNT_OF(components); i++)
		if (slice_is(c->route.name, components[i])) {
			call_respond_object(c, 200, text_of(components[i]), c->route.resource);
			return;
		}
	status_not_found(&err, c->route.resource, c->route.name);
	call_respond_err(c, &err);
}

static void list_now(struct call *c)
{
	struct list *l = ARENA_NEW(&c->arena, struct list);
	l->call = c;
	l->selection.remaining = -1;
	l->revision = cache_revision(c->server->cache);
	for (size_t i = 0; i < COUNT_OF(components); i++)
		list_select(l, object_of_text(slice_of(components[i]), text_of(components[i])));
	list_respond(l);
}

/* The store has answered when the wait is over; when it cannot, that is the answer. */
void api_component_status(struct call *c)
{
	LOOP_CHECK_OWNER(c->loop);
	fresh_wait(c, true, c->route.verb == RESOURCE_GET ? get_now : list_now);
}
