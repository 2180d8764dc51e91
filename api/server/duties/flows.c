/* The priority levels and flow schemas of fairness/presets.h: made when they are absent, the mandatory ones held to
 * what they must be, the others as long as nobody has said that they are his (the annotation
 * apf.kubernetes.io/autoupdate-spec). By the server that leads, before it answers anybody and every minute after that,
 * for what was deleted comes back, as upstream. Who writes is the server itself, as with roles.c. */
#include "api/server/duties/duty_int.h"

#include "api/server/fairness/presets.h"
#include "api/server/inproc.h"
#include "base/check.h"

#include <stdlib.h>

struct flows {
	struct duty_run *run;
	struct client *client;
	const struct preset *next;
	struct client_request request;
	struct arena arena; /* of the request that is out */
	struct err err;
};

static void step(struct flows *w);

static void client_closed(void *arg)
{
	struct flows *w = arg;
	struct duty_run *run = w->run;
	struct err err = w->err;
	arena_release(&w->arena);
	free(w);
	duty_done(run, &err);
}

static void sent(struct client_request *req)
{
	struct flows *w = CONTAINER_OF(req, struct flows, request);
	int code = req->err.code;
	if (code && code != ERR_EXISTS && code != ERR_CONFLICT && !w->err.code) {
		w->err = req->err;
		err_wrap(&w->err, "%s %s", req->method, req->path);
	}
	client_request_release(req);
	arena_reset(&w->arena);
	step(w);
}

static void send_preset(struct flows *w, const char *method, const struct preset *p, const struct json *body)
{
	struct strbuf text = STRBUF_INIT;
	bool is_new = strcmp(method, "POST") == 0;
	json_write(&text, body);
	w->request = (struct client_request){.method = method,
	        .path = arena_printf(&w->arena, "/apis/flowcontrol.apiserver.k8s.io/v1/%s%s%s", p->plural,
	                is_new ? "" : "/", is_new ? "" : p->name),
	        .body = {arena_memdup(&w->arena, text.data, text.len), text.len},
	        .done = sent};
	strbuf_release(&text);
	client_send(w->client, &w->request);
}

/* True: a request is out. */
static bool look_at(struct flows *w, const struct preset *p)
{
	struct cache *cache = w->run->server->cache;
	const struct resource *r = resource_find_preferred(SLICE("flowcontrol.apiserver.k8s.io"), slice_of(p->plural));
	const struct object *o = cache_get(cache_resource(cache, r), slice_of(p->name));
	struct json *tree = o ? json_parse(&w->arena, object_text(o), NULL, NULL) : NULL;
	if (!o)
		send_preset(w, "POST", p, preset_object(&w->arena, p));
	else if (tree && preset_reconcile(&w->arena, p, tree))
		send_preset(w, "PUT", p, tree);
	else
		return false;
	return true;
}

static void step(struct flows *w)
{
	CHECK(w->next != NULL);
	while (w->next->name)
		if (look_at(w, w->next++))
			return;
	client_close(w->client, client_closed, w);
}

void flows_run(struct duty_run *run)
{
	struct flows *w = xcalloc(1, sizeof *w);
	w->run = run;
	w->next = presets;
	w->client = api_server_client(run->server, run->server->loop, "system:apiserver", "system:masters");
	step(w);
}
