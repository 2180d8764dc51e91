/* nodes/NAME/proxy/PATH: what the node's kubelet answers to GET PATH, as it comes: metrics, statistics, the list of its
 * pods. Status and type are the kubelet's own. Only GET and HEAD are passed on, and no upgrades: exec and its like have
 * paths of their own, where it is asked whether the caller may. */
#include "api/server/verbs/node_proxy_int.h"

#include "api/server/answer.h"
#include "api/server/verbs/kubelet_int.h"
#include "base/check.h"

struct proxying {
	struct call *call;
	struct kubelet kubelet;
	struct http_client *client;
	struct http_call *upstream; /* NULL: over */
	bool begun;
};

enum { SEGMENTS_BEFORE = 5 }; /* api, v1, nodes, NAME, proxy */

/* What stands behind "proxy" as it was sent, with the query: the kubelet's own business. */
static const char *target_of(struct call *c)
{
	struct slice rest = c->path;
	for (int n = 0; n < SEGMENTS_BEFORE && rest.len;)
		n += slice_cut(&rest, '/').len > 0;
	return arena_printf(&c->arena, "/%.*s%s%.*s", SLICE_FMT(rest), c->query.len ? "?" : "", SLICE_FMT(c->query));
}

static void release(struct proxying *p)
{
	struct call *c = p->call;
	c->on_gone = NULL;
	c->on_writable = NULL;
	http_client_close(p->client, NULL, NULL);
	call_unref(c);
}

static void head(struct http_call *call, const struct http_answer *answer, void *arg)
{
	struct proxying *p = arg;
	struct slice type = http_answer_header(answer, "content-type");
	p->begun = true;
	call_stream_begin(p->call, answer->status,
	        type.len ? arena_printf(&p->call->arena, "%.*s", SLICE_FMT(type)) : "text/plain");
}

static void data(struct http_call *call, struct slice bytes, void *arg)
{
	struct proxying *p = arg;
	if (!call_stream_copy(p->call, bytes))
		http_call_pause(call);
}

static void writable(struct call *c)
{
	struct proxying *p = c->handler_data;
	if (p->upstream)
		http_call_resume(p->upstream);
}

static void done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct proxying *p = arg;
	struct err e = ERR_INIT;
	p->upstream = NULL;
	if (p->begun) {
		call_stream_end(p->call);
	} else {
		kubelet_unreached(p->call, &p->kubelet, err, &e);
		call_respond_err(p->call, &e);
	}
	release(p);
}

static void gone(struct call *c)
{
	struct proxying *p = c->handler_data;
	http_call_cancel(p->upstream);
	release(p);
}

static void start(struct call *c, const struct kubelet *k)
{
	struct proxying *p = ARENA_NEW(&c->arena, struct proxying);
	struct http_call_options o = {.method = slice_is(c->method, "HEAD") ? "HEAD" : "GET",
	        .target = target_of(c),
	        .on_head = head,
	        .on_data = data,
	        .on_done = done,
	        .arg = p};
	p->call = call_ref(c);
	p->kubelet = *k;
	p->client = kubelet_connect(c, k);
	c->handler_data = p;
	c->on_gone = gone;
	c->on_writable = writable;
	p->upstream = http_client_call(p->client, &o);
}

void node_proxy(struct call *c)
{
	struct kubelet k;
	struct err err = ERR_INIT;
	bool reads = slice_is(c->method, "GET") || slice_is(c->method, "HEAD");
	if (!reads || (c->exchange && http_wants_upgrade(c->exchange, NULL)))
		err_set(&err, ERR_METHOD, "nodes/proxy passes on GET and HEAD alone, and no upgrades");
	if (err.code || kubelet_find(c, c->route.name, &k, &err) != 0)
		call_respond_err(c, &err);
	else
		start(c, &k);
}
