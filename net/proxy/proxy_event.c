/* See proxy_event_int.h. An event that cannot be written is dropped: the log has it too. */
#include "net/proxy/proxy_event_int.h"

#include "base/clock.h"
#include "base/json/json.h"
#include "base/mem/arena.h"
#include "base/time/rfc3339.h"

#include <stdlib.h>
#include <time.h>

struct event {
	struct client_request request;
	char *path, *body;
};

static void sent(struct client_request *r)
{
	struct event *e = CONTAINER_OF(r, struct event, request);
	client_request_release(r);
	free(e->path);
	free(e->body);
	free(e);
}

static struct json *event_object(struct arena *a, struct slice ns, struct slice name, struct slice uid, uint64_t now_ns)
{
	struct json *o = json_new(a, JSON_OBJECT), *meta = json_need(a, o, "metadata", JSON_OBJECT),
	            *about = json_need(a, o, "involvedObject", JSON_OBJECT);
	char text[RFC3339_MAX];
	rfc3339_text(text, (int64_t)now_ns, 0);
	json_set_cstr(a, o, "apiVersion", "v1");
	json_set_cstr(a, o, "kind", "Event");
	json_set_cstr(a, meta, "name", arena_printf(a, "%.*s.%llx", SLICE_FMT(name), (unsigned long long)now_ns));
	json_set_str(a, meta, "namespace", ns);
	json_set_cstr(a, about, "apiVersion", "v1");
	json_set_cstr(a, about, "kind", "Service");
	json_set_str(a, about, "namespace", ns);
	json_set_str(a, about, "name", name);
	json_set_str(a, about, "uid", uid);
	json_set_cstr(a, o, "firstTimestamp", text);
	json_set_cstr(a, o, "lastTimestamp", text);
	json_set_int(a, o, "count", 1);
	json_set_cstr(a, o, "type", "Warning");
	return o;
}

void proxy_event(struct client *client, struct slice key, struct slice uid, const char *node, const char *reason,
        const char *message)
{
	struct arena a = ARENA_INIT;
	struct strbuf body = STRBUF_INIT;
	struct slice name = key, ns = slice_cut(&name, '/');
	struct json *o = event_object(&a, ns, name, uid, clock_read_ns(CLOCK_REALTIME));
	struct json *source = json_need(&a, o, "source", JSON_OBJECT);
	json_set_cstr(&a, o, "reason", reason);
	json_set_cstr(&a, o, "message", message);
	json_set_cstr(&a, source, "component", "kube-proxy");
	json_set_cstr(&a, source, "host", node);
	json_write(&body, o);
	struct event *e = xcalloc(1, sizeof *e);
	size_t len = body.len;
	e->path = xprintf("/api/v1/namespaces/%.*s/events", SLICE_FMT(ns));
	e->body = strbuf_detach(&body);
	e->request = (struct client_request){.method = "POST", .path = e->path, .body = {e->body, len}, .done = sent};
	client_send(client, &e->request);
	arena_release(&a);
}
