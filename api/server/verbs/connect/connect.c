/* Subresources that are streams or another server's answers: pods/log, exec, attach, port-forward, and the proxies of
 * pods, services and nodes. Admission is asked about all but logs, which are reads (CONNECT, petition.h); then a row
 * says who goes on. */
#include "api/server/verbs/connect/connect_int.h"
#include "api/server/verbs/connect/connect_options.h"
#include "api/server/verbs/petition.h"
#include "api/server/verbs/verbs.h"

#include "api/server/cache/fresh.h"
#include "base/check.h"

typedef void connect_fn(struct call *c, const struct json *options);

static const struct {
	const char *plural, *sub;
	connect_fn *run;
} rows[] = {
        {"pods", "exec", pod_stream},
        {"pods", "attach", pod_stream},
        {"pods", "portforward", pod_stream},
        {"pods", "proxy", proxy_to_pod},
        {"services", "proxy", proxy_to_service},
        {"nodes", "proxy", proxy_to_node},
};

static void granted(struct petition *p)
{
	struct call *c = p->admission.call;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(rows[i].plural, c->route.resource->plural) == 0 &&
		        strcmp(rows[i].sub, c->route.sub->name) == 0) {
			rows[i].run(c, p->admission.object);
			return;
		}
	CHECK(!"a subresource that connects has a row");
}

static void ask(struct call *c)
{
	struct petition *p = ARENA_NEW(&c->arena, struct petition);
	petition_start(p, c, ADMISSION_CONNECT, c->route.sub, connect_options_read(c), false, granted);
}

void api_connect(struct call *c)
{
	LOOP_CHECK_OWNER(c->loop);
	fresh_wait(c, true, strcmp(c->route.sub->name, "log") == 0 ? pod_log : ask);
}
