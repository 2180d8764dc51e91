/* pods/log, exec, attach and port-forward: what the pod's kubelet answers, passed on.
 *
 * A log is an ordinary answer without an end. The others are upgrades: the client's handshake goes to the kubelet as it
 * is, so that the subprotocol (v5.channel.k8s.io or whatever follows) is between kubectl and the kubelet alone. */
#include "api/server/verbs/connect/connect_int.h"

#include "api/server/answer.h"
#include "api/server/cache/fresh.h"
#include "api/server/passing/forward.h"
#include "api/server/passing/headers.h"
#include "api/server/status.h"
#include "api/server/verbs/connect/connect_options.h"
#include "api/server/verbs/connect/kubelet_int.h"
#include "base/check.h"

struct target {
	struct kubelet kubelet;
	struct slice ns, pod, container;
};

/* ---- finding the kubelet ---- */

static struct json *find_container(const struct json *spec, struct slice name)
{
	static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
	for (size_t i = 0; i < 3; i++)
		JSON_FOREACH (it, json_get(spec, lists[i]))
			if (slice_eq(json_get_str(it, "name"), name))
				return it;
	return NULL;
}

static int choose_container(const struct json *pod, struct target *t, struct err *err)
{
	struct json *spec = json_get(pod, "spec"), *containers = json_get(spec, "containers");
	if (!t->container.len && containers && containers->count == 1)
		t->container = json_get_str(containers->first, "name");
	if (!t->container.len) {
		struct strbuf names = STRBUF_INIT;
		JSON_FOREACH (it, containers)
			strbuf_addf(&names, "%s%.*s", names.len ? " " : "", SLICE_FMT(json_get_str(it, "name")));
		err_set(err, ERR_INVAL, "a container name must be specified for pod %.*s, choose one of: [%s]",
		        SLICE_FMT(t->pod), strbuf_cstr(&names));
		strbuf_release(&names);
		return err->code;
	}
	if (!find_container(spec, t->container))
		return err_set(err, ERR_INVAL, "container %.*s is not valid for pod %.*s", SLICE_FMT(t->container),
		        SLICE_FMT(t->pod));
	return 0;
}

static int find_target(struct call *c, struct slice container, struct target *t, struct err *err)
{
	const struct resource *r = c->route.resource;
	struct object *o = fresh_route_object(c);
	*t = (struct target){.ns = c->route.ns, .pod = c->route.name, .container = container};
	if (!o)
		return status_not_found(err, r, c->route.name);
	struct json *pod = json_parse(&c->arena, object_text(o), NULL, err);
	struct slice node = json_str(json_path(pod, "spec", "nodeName", NULL));
	bool any = strcmp(c->route.sub->name, "portforward") == 0; /* ports are the pod's, not a container's */
	if (!pod || (!any && choose_container(pod, t, err) != 0))
		return err->code;
	if (!node.len)
		return err_set(err, ERR_INVAL, "pod %.*s does not have a host assigned", SLICE_FMT(t->pod));
	return kubelet_find(c, node, &t->kubelet, err);
}

/* ---- the request to it ---- */

static void tell(struct forward *f, const struct err *why, struct err *ret)
{
	const struct target *t = f->arg;
	kubelet_unreached(f->call, &t->kubelet, why, ret);
}

static void start(struct call *c, struct target *t, struct forward *f, struct strbuf *path)
{
	f->method = "GET";
	f->target = arena_strdup(&c->arena, strbuf_cstr(path));
	f->client = kubelet_connect(c, &t->kubelet);
	f->translates = true;
	f->has_no_body = true;
	f->tell = tell;
	f->arg = t;
	strbuf_release(path);
	forward_start(f, c);
}

/* A kubelet takes a log's options by the names that they have here; it is the one that checks them. */
static void add_log_options(struct call *c, struct strbuf *path)
{
	static const char *const names[] = {
	        "follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes"};
	char sep = '?';
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct slice value = call_param(c, names[i]);
		if (!value.ptr)
			continue;
		strbuf_addf(path, "%c%s=", sep, names[i]);
		http_encode(path, value);
		sep = '&';
	}
}

void pod_log(struct call *c)
{
	struct target *t = ARENA_NEW(&c->arena, struct target);
	struct err err = ERR_INIT;
	struct strbuf path = STRBUF_INIT;
	if (find_target(c, call_param(c, "container"), t, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	strbuf_addf(
	        &path, "/containerLogs/%.*s/%.*s/%.*s", SLICE_FMT(t->ns), SLICE_FMT(t->pod), SLICE_FMT(t->container));
	add_log_options(c, &path);
	start(c, t, ARENA_NEW(&c->arena, struct forward), &path);
}

static const char *protocol_of(struct call *c)
{
	struct http_exchange *x = c->exchange;
	return !x                                   ? NULL
	       : http_wants_upgrade(x, "SPDY/3.1")  ? "SPDY/3.1"
	       : http_wants_upgrade(x, "websocket") ? "websocket"
	                                            : NULL;
}

void pod_stream(struct call *c, const struct json *options)
{
	struct target *t = ARENA_NEW(&c->arena, struct target);
	struct forward *f = ARENA_NEW(&c->arena, struct forward);
	struct header_list headers;
	struct err err = ERR_INIT;
	struct strbuf path = STRBUF_INIT;
	const char *sub = c->route.sub->name;
	f->upgrade = protocol_of(c);
	if (find_target(c, json_get_str(options, "container"), t, &err) == 0 && !f->upgrade)
		err_set(&err, ERR_INVAL, "%s needs a connection upgrade: send Upgrade: websocket over HTTP/1.1", sub);
	if (err.code) {
		call_respond_err(c, &err);
		return;
	}
	if (strcmp(sub, "portforward") == 0)
		strbuf_addf(&path, "/portForward/%.*s/%.*s", SLICE_FMT(t->ns), SLICE_FMT(t->pod));
	else
		strbuf_addf(
		        &path, "/%s/%.*s/%.*s/%.*s", sub, SLICE_FMT(t->ns), SLICE_FMT(t->pod), SLICE_FMT(t->container));
	connect_options_write(&path, options);
	headers_of_request(c, 0, &headers);
	f->headers = headers.items;
	f->headers_count = headers.count;
	start(c, t, f, &path);
}
